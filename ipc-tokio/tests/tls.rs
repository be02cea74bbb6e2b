//! TLS where it takes a process of its own: descriptors that stay open, and the certificates of the system. What connections over
//! TLS do is in the behaviour suite.
#![cfg(target_os = "linux")]

mod common;

use common::soon;
use ipc_tokio::{Client, Config, Peer, Server, ServerEvent, TlsOptions};
use rcgen::{BasicConstraints, Certificate, CertificateParams, IsCa, KeyPair};
use std::time::Duration;
use tokio::io::AsyncWriteExt;
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

#[tokio::test]
async fn a_system_without_certificates_to_trust_is_an_error_that_says_so() {
    if !is_alone() {
        let name = "a_system_without_certificates_to_trust_is_an_error_that_says_so";
        return alone(name, &[("SSL_CERT_FILE", "/dev/null".into()), ("SSL_CERT_DIR", "/nowhere".into())]);
    }
    let client = Client::net(Some("localhost"), Some(9), Config::new("hello").tls(TlsOptions::new()));
    use ipc_tokio::{ConnectError, TlsError};
    let Err(ConnectError::Tls(error @ TlsError::SystemTrust { .. })) = client else { panic!("{client:?}") };
    let error = error.to_string();
    assert!(error.ends_with("name some with tls.trustedConnections or tls.ca"), "{error}");
    assert!(error.contains("where SSL_CERT_FILE is /dev/null and SSL_CERT_DIR is /nowhere"), "{error}");
}

/// Whether this is a process of one test's own.
fn is_alone() -> bool {
    std::env::var_os("IPC_TLS_ALONE").is_some()
}

/// Runs one test in a process of its own, with these variables.
fn alone(test: &str, variables: &[(&str, std::ffi::OsString)]) {
    let this = std::env::current_exe().expect("a program");
    let mut process = std::process::Command::new(this);
    process.args(["--exact", test, "--nocapture"]).env("IPC_TLS_ALONE", "1");
    process.envs(variables.iter().map(|(name, value)| (name, value)));
    let output = process.output().expect("started");
    let text = [output.stdout, output.stderr].concat();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&text));
}
