//! TLS over real sockets: events both ways, reconnecting, a configuration of rustls, peers that break off.

mod common;

use common::soon;
use ipc_tokio::{Client, Config, HandshakeError, Peer, Server, ServerEvent, TlsOptions, TlsVersion, rustls};
use rcgen::{BasicConstraints, Certificate, CertificateParams, IsCa, KeyPair};
use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

/// An authority, and what it has issued for this machine.
struct Certificates {
    authority: Certificate,
    certificate: Certificate,
    key: KeyPair,
}

impl Certificates {
    fn new() -> Self {
        let authority_key = KeyPair::generate().expect("a key");
        let mut params = CertificateParams::new(["authority".to_owned()]).expect("a name");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority = params.self_signed(&authority_key).expect("a certificate");
        let key = KeyPair::generate().expect("a key");
        let names = ["localhost", "127.0.0.1", "::1"].map(str::to_owned);
        let params = CertificateParams::new(names).expect("names");
        let certificate = params.signed_by(&key, &authority, &authority_key).expect("a certificate");
        Self { authority, certificate, key }
    }

    fn server(&self) -> Config {
        let own = TlsOptions::new().key(self.key.serialize_pem()).cert(self.certificate.pem());
        Config::new("world").tls(own)
    }

    fn client(&self) -> Config {
        Config::new("hello").retry(Duration::from_millis(20)).tls(TlsOptions::new().ca(self.authority.pem()))
    }
}

fn echo(host: &str, config: Config) -> Server {
    let server = Server::net(Some(host), Some(0), config).expect("a server");
    server.on_event("message", Peer::emit_event);
    server
}

fn client_of(server: &Server, host: &str, config: Config) -> (Client, UnboundedReceiver<String>) {
    let client = Client::net(Some(host), server.local_endpoint().port(), config).expect("a client");
    let (sender, received) = unbounded_channel();
    client.on("message", move |text: String| sender.send(text));
    (client, received)
}

fn refusals(server: &Server) -> UnboundedReceiver<String> {
    let (sender, received) = unbounded_channel();
    server.on_lifecycle(move |event| {
        if let ServerEvent::Refused { error, .. } = event {
            // Nobody may be listening any more.
            let _ = sender.send(error.to_string());
        }
    });
    received
}

#[tokio::test]
async fn events_go_both_ways_by_name_and_by_address() {
    let certificates = Certificates::new();
    for host in ["localhost", "127.0.0.1", "::1"] {
        if host == "::1" && TcpListener::bind("[::1]:0").is_err() {
            continue;
        }
        let server = echo(host, certificates.server());
        server.start().await.expect("started");
        let (client, mut received) = client_of(&server, host, certificates.client());
        soon("connect", client.connect()).await.expect("connected");
        client.emit("message", "é\u{c}").expect("emitted");
        assert_eq!(soon("the answer", received.recv()).await.expect("an answer"), "é\u{c}");
        assert_eq!(server.peers()[0].remote().tls, Some(TlsVersion::V1_3));
        soon("close", client.close()).await.expect("everything was sent");
        assert_eq!(soon("shutdown", server.shutdown(Duration::from_secs(5))).await.cut, 0);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn large_messages_and_many_small_ones_arrive_whole_and_in_order() {
    let certificates = Certificates::new();
    let server = echo("127.0.0.1", certificates.server());
    server.start().await.expect("started");
    let (client, mut received) = client_of(&server, "127.0.0.1", certificates.client());
    soon("connect", client.connect()).await.expect("connected");
    let sender = client.clone();
    let sizes = || (0..3_000).map(|n| n % 70).chain([16_383, 16_384, 16_385, 1 << 20, 5 << 20, 0, 1]);
    let sending = tokio::spawn(async move {
        for size in sizes() {
            sender.send("message", &"x".repeat(size)).await.expect("queued");
        }
    });
    for size in sizes() {
        assert_eq!(soon("an echo", received.recv()).await.expect("an echo").len(), size);
    }
    sending.await.expect("sent");
    soon("close", client.close()).await.expect("everything was sent");
}

#[tokio::test]
async fn a_client_comes_back_when_it_has_lost_its_connection() {
    let certificates = Certificates::new();
    let server = echo("127.0.0.1", certificates.server());
    server.start().await.expect("started");
    let (client, mut received) = client_of(&server, "127.0.0.1", certificates.client());
    let (sender, mut connected) = unbounded_channel();
    client.on_connect(move || {
        // Nobody may be listening any more.
        let _ = sender.send(());
    });
    soon("connect", client.connect()).await.expect("connected");
    for _ in 0..5 {
        soon("connect", connected.recv()).await.expect("connected");
        client.emit("message", "hello").expect("emitted");
        assert_eq!(soon("the answer", received.recv()).await.expect("an answer"), "hello");
        server.peers()[0].abort();
    }
    soon("connect", connected.recv()).await.expect("connected");
    assert_eq!(server.refused(), 0);
}

#[tokio::test]
async fn configurations_of_rustls_take_the_place_of_options() {
    let certificates = Certificates::new();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let key = rustls::pki_types::PrivateKeyDer::try_from(certificates.key.serialize_der()).expect("a key");
    let config = rustls::ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_protocol_versions(&[&rustls::version::TLS12])
        .expect("versions")
        .with_no_client_auth()
        .with_single_cert(vec![certificates.certificate.der().clone()], key)
        .expect("a configuration");
    let server = echo("127.0.0.1", Config::new("world"));
    server.set_tls(config).expect("TCP");
    server.start().await.expect("started");

    let mut roots = rustls::RootCertStore::empty();
    roots.add(certificates.authority.der().clone()).expect("a certificate");
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_root_certificates(roots)
        .with_no_client_auth();
    let (client, mut received) = client_of(&server, "127.0.0.1", Config::new("hello"));
    client.set_tls(config).expect("TCP");
    soon("connect", client.connect()).await.expect("connected");
    client.emit("message", "hello").expect("emitted");
    assert_eq!(soon("the answer", received.recv()).await.expect("an answer"), "hello");
    assert_eq!(server.peers()[0].remote().tls, Some(TlsVersion::V1_2));
}

#[tokio::test]
async fn a_handshake_that_is_broken_off_is_told_and_leaves_nothing() {
    let certificates = Certificates::new();
    let server = echo("127.0.0.1", certificates.server());
    let mut refused = refusals(&server);
    server.start().await.expect("started");
    let address = ("127.0.0.1", server.local_endpoint().port().expect("a port"));

    // One that speaks in clear gets an alert and the end.
    let mut plain = TcpStream::connect(address).await.expect("connected");
    plain.write_all(b"{\"type\":\"message\",\"data\":1}\x0c").await.expect("written");
    let mut answer = Vec::new();
    soon("the end", plain.read_to_end(&mut answer)).await.expect("no reset");
    assert_eq!(answer[..2], [0x15, 3]);
    let error = soon("the error", refused.recv()).await.expect("an error");
    assert_eq!(error, HandshakeError::NotTls.to_string());

    // One that goes without a word, and one that is killed in the middle of its hello.
    drop(TcpStream::connect(address).await.expect("connected"));
    let error = soon("the error", refused.recv()).await.expect("an error");
    assert_eq!(error, HandshakeError::Closed.to_string());
    // Windows gives nobody a connection that was reset before it was accepted.
    if !cfg!(windows) {
        let mut killed = TcpStream::connect(address).await.expect("connected");
        killed.write_all(&[0x16, 3, 1, 2, 0, 1]).await.expect("written");
        killed.set_zero_linger().expect("a socket");
        drop(killed);
        soon("the error", refused.recv()).await.expect("an error");
    }

    // Those under way end with the server.
    let mut stalled = TcpStream::connect(address).await.expect("connected");
    let (client, mut received) = client_of(&server, "127.0.0.1", certificates.client());
    soon("connect", client.connect()).await.expect("connected, though another stalls");
    client.emit("message", "hello").expect("emitted");
    soon("the answer", received.recv()).await.expect("an answer");
    soon("shutdown", server.shutdown(Duration::from_secs(5))).await;
    assert_eq!(soon("the end", stalled.read(&mut [0; 8])).await.expect("no reset"), 0);
    assert_eq!(server.refused(), if cfg!(windows) { 2 } else { 3 });
}

#[tokio::test]
async fn both_sides_of_a_misunderstanding_are_told() {
    let certificates = Certificates::new();
    // Plain client, TLS server.
    let server = echo("127.0.0.1", certificates.server());
    let mut refused = refusals(&server);
    server.start().await.expect("started");
    let (client, _received) = client_of(&server, "127.0.0.1", Config::new("hello"));
    let (sender, mut errors) = unbounded_channel();
    client.on_error(move |error| {
        let _ = sender.send(error.to_string());
    });
    soon("connect", client.connect()).await.expect("TCP is connected");
    client.emit("message", "in clear").expect("queued");
    let error = soon("the client's error", errors.recv()).await.expect("an error");
    assert!(error.contains("the peer speaks TLS"), "{error}");
    let error = soon("the server's error", refused.recv()).await.expect("an error");
    assert!(error.contains("the peer does not speak TLS"), "{error}");
    client.disconnect();

    // TLS client, plain server.
    let server = echo("127.0.0.1", Config::new("world"));
    let (sender, mut errors) = unbounded_channel();
    server.on_error(move |_, error| {
        let _ = sender.send(error.to_string());
    });
    server.start().await.expect("started");
    let (client, _received) = client_of(&server, "127.0.0.1", certificates.client().max_retries(0));
    let error = soon("giving up", client.connect()).await.expect_err("it gave up").to_string();
    assert!(error.contains("TLS handshake"), "{error}");
    let error = soon("the server's error", errors.recv()).await.expect("an error");
    assert!(error.contains("the peer speaks TLS"), "{error}");
}

#[cfg(target_os = "linux")]
#[test]
fn nothing_stays_open() {
    fn open() -> usize {
        std::fs::read_dir("/proc/self/fd").expect("this is Linux").count()
    }
    // Other tests of this process open descriptors meanwhile.
    if !is_alone() {
        return alone("nothing_stays_open", &[]);
    }
    let build = || tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    // Tokio keeps something for the whole process.
    drop(build());
    let before = open();
    let runtime = build();
    runtime.block_on(async {
        let certificates = Certificates::new();
        let server = echo("127.0.0.1", certificates.server());
        let mut refused = refusals(&server);
        server.start().await.expect("started");
        let address = ("127.0.0.1", server.local_endpoint().port().expect("a port"));
        let _stalled = TcpStream::connect(address).await.expect("connected");
        for _ in 0..20 {
            let mut plain = TcpStream::connect(address).await.expect("connected");
            plain.write_all(b"GET / HTTP/1.1\r\n\r\n").await.expect("written");
            drop(plain);
            soon("the error", refused.recv()).await.expect("an error");
            let (client, mut received) = client_of(&server, "127.0.0.1", certificates.client());
            soon("connect", client.connect()).await.expect("connected");
            client.emit("message", "hello").expect("emitted");
            soon("the answer", received.recv()).await.expect("an answer");
            soon("close", client.close()).await.expect("everything was sent");
        }
        soon("shutdown", server.shutdown(Duration::from_secs(5))).await;
    });
    drop(runtime);
    assert_eq!(open(), before);
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_client_that_names_no_certificates_trusts_those_of_the_system() {
    let name = "a_client_that_names_no_certificates_trusts_those_of_the_system";
    let certificates = Certificates::new();
    let server = echo("localhost", certificates.server());
    let config = || Config::new("hello").tls(TlsOptions::new());
    if !is_alone() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("authorities.pem");
        std::fs::write(&file, certificates.authority.pem()).expect("written");
        server.start().await.expect("started");
        let port = server.local_endpoint().port().expect("a port").to_string();
        let variables = [("SSL_CERT_FILE", file.as_os_str()), ("IPC_TLS_PORT", port.as_ref())];
        // The server goes on meanwhile.
        let variables = variables.map(|(name, value)| (name, value.to_owned()));
        return tokio::task::spawn_blocking(move || alone(name, &variables)).await.expect("it passed");
    }
    let port = std::env::var("IPC_TLS_PORT").expect("a port").parse().expect("a number");
    let client = Client::net(Some("localhost"), Some(port), config()).expect("a client");
    soon("connect", client.connect()).await.expect("connected");
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_system_without_certificates_to_trust_is_an_error_that_says_so() {
    if !is_alone() {
        let name = "a_system_without_certificates_to_trust_is_an_error_that_says_so";
        return alone(name, &[("SSL_CERT_FILE", "/dev/null".into()), ("SSL_CERT_DIR", "/nowhere".into())]);
    }
    let client = Client::net(Some("localhost"), Some(9), Config::new("hello").tls(TlsOptions::new()));
    use ipc_tokio::{ConnectError, TlsError};
    let Err(ConnectError::Tls(error @ TlsError::SystemTrust { .. })) = client else { panic!("{client:?}") };
    assert!(error.to_string().ends_with("name some with tls.trustedConnections or tls.ca"), "{error}");
}

/// Whether this is a process of one test's own.
#[cfg(target_os = "linux")]
fn is_alone() -> bool {
    std::env::var_os("IPC_TLS_ALONE").is_some()
}

/// Runs one test in a process of its own, with these variables.
#[cfg(target_os = "linux")]
fn alone(test: &str, variables: &[(&str, std::ffi::OsString)]) {
    let this = std::env::current_exe().expect("a program");
    let mut process = std::process::Command::new(this);
    process.args(["--exact", test, "--nocapture"]).env("IPC_TLS_ALONE", "1");
    process.envs(variables.iter().map(|(name, value)| (name, value)));
    let output = process.output().expect("started");
    let text = [output.stdout, output.stderr].concat();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&text));
}
