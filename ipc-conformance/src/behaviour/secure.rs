//! TLS: names and addresses, trust and its absence, certificates of clients, a configuration of rustls, peers that break off.
#![allow(missing_docs, reason = "the name of a behaviour says what it is")]

use super::{Receiver, Stage, Transport, channel, soon, unblock};
use ipc_driver::runtime::Runtime;
use ipc_driver::{
    Client, Config, ConnectionError, Endpoint, HandshakeError, Peer, Server, ServerEvent, TlsOptions, TlsVersion,
    build, rustls,
};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::time::Duration;

fn at<R: Runtime>(stage: &Stage<R>, host: &str, config: Config) -> Server<R> {
    let endpoint = Endpoint::Tcp { host: host.into(), port: 0 };
    let settings = build(config).expect("settings");
    Server::with_runtime(stage.runtime().clone(), settings, endpoint).expect("a server")
}

fn echo<R: Runtime>(stage: &Stage<R>, host: &str, config: Config) -> Server<R> {
    let server = at(stage, host, config);
    server.on_event("message", Peer::emit_event);
    server
}

fn client_of<R: Runtime>(
    stage: &Stage<R>,
    server: &Server<R>,
    host: &str,
    config: Config,
) -> (Client<R>, Receiver<String>) {
    let port = server.local_endpoint().port().expect("a port");
    let client = stage.client_at(Endpoint::Tcp { host: host.into(), port }, config);
    let (sender, received) = channel();
    client.on("message", move |text: String| sender.send(text));
    (client, received)
}

fn refusals<R: Runtime>(server: &Server<R>) -> Receiver<String> {
    let (sender, received) = channel();
    server.on_lifecycle(move |event| {
        if let ServerEvent::Refused { error, .. } = event {
            sender.tell(error.to_string());
        }
    });
    received
}

pub async fn events_go_both_ways_by_name_and_by_address<R: Runtime>(stage: Stage<R>) {
    for host in ["localhost", "127.0.0.1", "::1"] {
        if host == "::1" && TcpListener::bind("[::1]:0").is_err() {
            continue;
        }
        let server = echo(&stage, host, stage.config());
        server.start().await.expect("started");
        let (client, mut received) = client_of(&stage, &server, host, stage.client_config());
        soon("connect", client.connect()).await.expect("connected");
        client.emit("message", "é\u{c}").expect("emitted");
        assert_eq!(received.next("the answer").await, "é\u{c}");
        assert_eq!(server.peers()[0].remote().tls, Some(TlsVersion::V1_3));
        soon("close", client.close()).await.expect("everything was sent");
        assert_eq!(soon("shutdown", server.shutdown(Duration::from_secs(5))).await.cut, 0);
    }
}

fn certificate(pem: &str) -> CertificateDer<'static> {
    CertificateDer::from_pem_slice(pem.as_bytes()).expect("a certificate")
}

pub async fn configurations_of_rustls_take_the_place_of_options<R: Runtime>(stage: Stage<R>) {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let key = PrivateKeyDer::from_pem_slice(stage.pem("server.key").as_bytes()).expect("a key");
    let config = rustls::ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_protocol_versions(&[&rustls::version::TLS12])
        .expect("versions")
        .with_no_client_auth()
        .with_single_cert(vec![certificate(&stage.pem("server.crt"))], key)
        .expect("a configuration");
    let server = echo(&stage, "127.0.0.1", Config::new("world"));
    server.set_tls(config).expect("TCP");
    server.start().await.expect("started");

    let mut roots = rustls::RootCertStore::empty();
    roots.add(certificate(&stage.pem("ca.crt"))).expect("a certificate");
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_root_certificates(roots)
        .with_no_client_auth();
    let (client, mut received) = client_of(&stage, &server, "127.0.0.1", Config::new("hello"));
    client.set_tls(config).expect("TCP");
    soon("connect", client.connect()).await.expect("connected");
    client.emit("message", "hello").expect("emitted");
    assert_eq!(received.next("the answer").await, "hello");
    assert_eq!(server.peers()[0].remote().tls, Some(TlsVersion::V1_2));
}

pub async fn a_handshake_that_is_broken_off_is_told_and_leaves_nothing<R: Runtime>(stage: Stage<R>) {
    let server = echo(&stage, "127.0.0.1", stage.config());
    let mut refused = refusals(&server);
    server.start().await.expect("started");
    let address = SocketAddr::from(([127, 0, 0, 1], server.local_endpoint().port().expect("a port")));

    // One that speaks in clear gets an alert and the end.
    let plain = unblock(move || {
        let mut plain = TcpStream::connect(address).expect("connected");
        plain.write_all(b"{\"type\":\"message\",\"data\":1}\x0c").expect("written");
        let mut answer = Vec::new();
        plain.read_to_end(&mut answer).expect("no reset");
        answer
    });
    assert_eq!(soon("the end", plain.join()).await[..2], [0x15, 3]);
    let error = refused.next("the error").await;
    assert_eq!(error, HandshakeError::NotTls.to_string());

    // One that goes without a word, and one that is killed in the middle of its hello.
    drop(TcpStream::connect(address).expect("connected"));
    let error = refused.next("the error").await;
    assert_eq!(error, HandshakeError::Closed.to_string());
    // Windows gives nobody a connection that was reset before it was accepted.
    if !cfg!(windows) {
        let mut killed = TcpStream::connect(address).expect("connected");
        killed.write_all(&[0x16, 3, 1, 2, 0, 1]).expect("written");
        socket2::SockRef::from(&killed).set_linger(Some(Duration::ZERO)).expect("a socket");
        drop(killed);
        refused.next("the error").await;
    }

    // Those under way end with the server.
    let mut stalled = TcpStream::connect(address).expect("connected");
    let (client, mut received) = client_of(&stage, &server, "127.0.0.1", stage.client_config());
    soon("connect", client.connect()).await.expect("connected, though another stalls");
    client.emit("message", "hello").expect("emitted");
    received.next("the answer").await;
    soon("shutdown", server.shutdown(Duration::from_secs(5))).await;
    let end = unblock(move || stalled.read(&mut [0; 8]));
    assert_eq!(soon("the end", end.join()).await.expect("no reset"), 0);
    // The stalled one came to nothing too.
    let refused = server.counters().refused;
    assert_eq!((refused.handshake, refused.stopped), (if cfg!(windows) { 2 } else { 3 }, 1));
    assert_eq!(server.refused(), refused.total());
}

pub async fn both_sides_of_a_misunderstanding_are_told<R: Runtime>(stage: Stage<R>) {
    // Plain client, TLS server.
    let server = echo(&stage, "127.0.0.1", stage.config());
    let mut refused = refusals(&server);
    server.start().await.expect("started");
    let (client, _received) = client_of(&stage, &server, "127.0.0.1", Config::new("hello"));
    let (sender, mut errors) = channel();
    client.on_error(move |error| sender.tell(error.to_string()));
    soon("connect", client.connect()).await.expect("TCP is connected");
    client.emit("message", "in clear").expect("queued");
    let error = errors.next("the client's error").await;
    assert!(error.contains("the peer speaks TLS"), "{error}");
    let error = refused.next("the server's error").await;
    assert!(error.contains("the peer does not speak TLS"), "{error}");
    client.disconnect();

    // TLS client, plain server.
    let server = echo(&stage, "127.0.0.1", Config::new("world"));
    let (sender, mut errors) = channel();
    server.on_error(move |_, error| sender.tell(error.to_string()));
    server.start().await.expect("started");
    let (client, _received) = client_of(&stage, &server, "127.0.0.1", stage.client_config().max_retries(0));
    let error = soon("giving up", client.connect()).await.expect_err("it gave up").to_string();
    assert!(error.contains("TLS handshake"), "{error}");
    let error = errors.next("the server's error").await;
    assert!(error.contains("the peer speaks TLS"), "{error}");
}

/// Why a client gave up, and what its server was told.
async fn refused<R: Runtime>(stage: &Stage<R>, server: Config, client: Config) -> (String, String) {
    let server = echo(stage, "127.0.0.1", server);
    let mut refused = refusals(&server);
    server.start().await.expect("started");
    let (client, _received) = client_of(stage, &server, "127.0.0.1", client.max_retries(0));
    let error = soon("giving up", client.connect()).await.expect_err("it gave up").to_string();
    (error, refused.next("what the server is told").await)
}

pub async fn certificates_that_are_not_trusted_are_refused_with_the_reason<R: Runtime>(stage: Stage<R>) {
    let own = |name: &str| {
        let (key, cert) = (stage.path(&format!("{name}.key")), stage.path(&format!("{name}.crt")));
        stage.config().tls(TlsOptions::new().private(key).public(cert))
    };
    let trust = |file: &str| stage.client_config().tls(TlsOptions::new().trusted_connection(stage.path(file)));
    for (server, client, reason) in
        [("server", trust("otherca.crt"), "trusted"), ("wrongname", trust("ca.crt"), "elsewhere.example")]
    {
        let (error, told) = refused(&stage, own(server), client).await;
        assert!(error.contains(reason) && error.contains("certificate"), "{server}: {error}");
        assert!(!told.is_empty(), "{server}");
    }
    // One's own that nobody would take is not even served with.
    let expired = build(own("expired")).expect("settings");
    let endpoint = Endpoint::Tcp { host: "127.0.0.1".into(), port: 0 };
    let error = Server::with_runtime(stage.runtime().clone(), expired, endpoint).expect_err("nobody would take it");
    assert!(error.to_string().contains("expired"), "{error}");
    // Whoever names the certificate itself trusts it, and it alone.
    let server = echo(&stage, "127.0.0.1", own("server"));
    server.start().await.expect("started");
    let (client, mut received) = client_of(&stage, &server, "127.0.0.1", trust("server.crt"));
    soon("connect", client.connect()).await.expect("pinned");
    client.emit("message", "hello").expect("emitted");
    assert_eq!(received.next("the answer").await, "hello");
    // And whoever says so in these words takes any.
    let careless = stage.client_config().tls(TlsOptions::new().danger_accept_any_certificate());
    let (client, _received) = client_of(&stage, &server, "127.0.0.1", careless);
    soon("connect", client.connect()).await.expect("nobody looks");
}

pub async fn a_server_that_asks_for_certificates_knows_its_clients_by_them<R: Runtime>(stage: Stage<R>) {
    let asking = || {
        let own = TlsOptions::new().private(stage.path("server.key")).public(stage.path("server.crt"));
        stage.config().tls(own.request_cert(true).trusted_connection(stage.path("ca.crt")))
    };
    let with = |name: &str| {
        let own = TlsOptions::new().trusted_connection(stage.path("ca.crt"));
        let (key, cert) = (stage.path(&format!("{name}.key")), stage.path(&format!("{name}.crt")));
        stage.client_config().tls(own.private(key).public(cert))
    };
    let server = echo(&stage, "127.0.0.1", asking());
    let mut refused = refusals(&server);
    server.start().await.expect("started");
    let (client, mut received) = client_of(&stage, &server, "127.0.0.1", with("client"));
    soon("connect", client.connect()).await.expect("connected");
    client.emit("message", "hello").expect("emitted");
    assert_eq!(received.next("the answer").await, "hello");
    let peers = server.peers();
    assert_eq!(peers[0].remote().certificates[0], *certificate(&stage.pem("client.crt")));
    // In TLS 1.3 a client is connected before its server has looked: it is cut then.
    for (name, config) in [("another authority", with("otherclient")), ("none", stage.client_config())] {
        let (stranger, mut received) = client_of(&stage, &server, "127.0.0.1", config.stop_retrying(true));
        let (sender, mut errors) = channel();
        stranger.on_error(move |error: &ConnectionError| sender.tell(error.to_string()));
        stranger.start();
        assert!(refused.next("a refusal").await.contains("certificate"), "{name}");
        soon("the end", stranger.destroyed()).await;
        assert!(errors.next("the client's error").await.contains("certificate"), "{name}");
        assert_eq!(received.try_next(), None);
    }
    assert_eq!((server.len(), server.refused()), (1, 2));
    assert_eq!(stage.transport(), Transport::Tls);
}
