//! Who trusts whom: node-ipc's four levels of security, exact match, and certificates that must not pass.

use crate::certs::{HOST, Identity, authority, self_signed};
use crate::world::{Log, MILLISECOND, client, config, endpoint, serve, settings};
use ipc_driver::fake::{Fake, Script, Wire};
use ipc_driver::{Client, ConnectError, Endpoint, ServeError, Server, TlsError, TlsOptions};
use rustls::ServerConfig;
use std::sync::Arc;

/// What a server and a client make of each other: what the server saw of the client, or an error of either.
struct Outcome {
    /// `Ok` if the client got and kept its connection.
    client: Result<(), String>,
    /// How many certificates each peer showed.
    peers: Vec<usize>,
    refused: Vec<String>,
}

impl Outcome {
    fn is_connected(&self) -> bool {
        self.client.is_ok() && self.peers.len() == 1 && self.refused.is_empty()
    }
}

fn meet(server: TlsOptions, client: TlsOptions) -> Outcome {
    meet_with(server, client, |_| {})
}

fn meet_with(server: TlsOptions, options: TlsOptions, change: impl FnOnce(&Server<Fake>)) -> Outcome {
    let runtime = Fake::new(1);
    let server = serve(&runtime, config().tls(server));
    change(&server);
    let refused = Log::default();
    let to = refused.clone();
    server.on_lifecycle(move |event| {
        if let ipc_driver::ServerEvent::Refused { error, .. } = event {
            to.push(error.to_string());
        }
    });
    let client = client(&runtime, config().tls(options).max_retries(0).retry(MILLISECOND));
    let errors = Log::default();
    let to = errors.clone();
    client.on_error(move |error| {
        to.push(error.to_string());
    });
    client.start();
    client.set_stop_retrying(true);
    runtime.advance(MILLISECOND);
    let outcome = errors.take().pop().map_or(Ok(()), Err);
    let peers = server.peers().iter().map(|peer| peer.remote().certificates.len()).collect();
    Outcome { client: outcome, peers, refused: refused.take() }
}

#[track_caller]
fn refused(outcome: &Outcome, by_client: &str) {
    let error = outcome.client.as_ref().unwrap_err();
    assert!(error.contains(by_client), "{error}");
    assert!(outcome.peers.is_empty());
}

fn any() -> TlsOptions {
    TlsOptions::new().danger_accept_any_certificate()
}

fn trusting(identity: &Identity) -> TlsOptions {
    TlsOptions::new().ca(identity.cert())
}

#[test]
fn the_four_levels_of_node_ipcs_examples() {
    let authority = authority();
    let (server, client) = (authority.issue("localhost"), authority.issue("client"));

    // Local only, and basic: encrypted, and the client takes whoever answers.
    assert!(meet(server.options(), any()).is_connected());

    // More secure: certificates are exchanged, and nobody is refused.
    let either = |own: &Identity| own.options().ca(authority.cert()).danger_accept_any_certificate();
    let more = meet(either(&server).request_cert(true), either(&client));
    assert!(more.is_connected());
    assert_eq!(more.peers, [1]);
    let nameless = meet(either(&server).request_cert(true), any());
    assert!(nameless.is_connected());
    assert_eq!(nameless.peers, [0]);

    // Most secure: both sides are verified.
    let both = |own: &Identity| own.options().ca(authority.cert()).server_name("localhost");
    let most = meet(both(&server).request_cert(true), both(&client));
    assert!(most.is_connected());
    assert_eq!(most.peers, [1]);
}

#[test]
fn a_server_of_an_unknown_authority_is_refused() {
    let stranger = self_signed("another").issue(HOST);
    let outcome = meet(stranger.options(), trusting(&authority()));
    refused(&outcome, "the certificate is not trusted, nor is who issued it (UnknownIssuer)");
    assert_eq!(
        outcome.refused,
        [
            "the peer refused the TLS handshake: it does not trust our certificate: name that, or its issuer, in tls.trustedConnections or tls.ca there (alert UnknownCA)"
        ]
    );
}

#[test]
fn a_server_of_an_authority_that_only_has_the_same_name_is_refused() {
    let outcome = meet(authority().issue(HOST).options(), trusting(&authority()));
    refused(&outcome, "not signed by the authority that it names, or");
}

#[test]
fn a_server_of_another_name_is_refused() {
    let authority = authority();
    let options = || authority.issue("elsewhere.example").options();
    refused(
        &meet(options(), trusting(&authority)),
        "is not for \"127.0.0.1\", but for elsewhere.example (NotValidForName)",
    );
    assert!(meet(options(), trusting(&authority).server_name("elsewhere.example")).is_connected());
}

#[test]
fn an_expired_server_is_refused_even_by_those_who_know_it() {
    let authority = authority();
    let expired = authority.issue_expired(HOST);
    // Options would not let us serve it.
    let serve_it = |server: &Server<Fake>| server.set_tls(server_config(&expired)).unwrap();
    let outcome = meet_with(authority.issue(HOST).options(), trusting(&authority), serve_it);
    refused(&outcome, "expired");
    let both = trusting(&authority).ca(expired.cert());
    refused(&meet_with(authority.issue(HOST).options(), both, serve_it), "expired");
}

fn server_config(identity: &Identity) -> Arc<ServerConfig> {
    let key = rustls::pki_types::PrivateKeyDer::try_from(identity.key.serialize_der()).unwrap();
    let builder = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()));
    let builder = builder.with_safe_default_protocol_versions().unwrap().with_no_client_auth();
    Arc::new(builder.with_single_cert(vec![identity.certificate.der().clone()], key).unwrap())
}

#[test]
fn a_certificate_on_the_list_is_trusted_itself_whoever_signed_it_and_whatever_its_name() {
    let pinned = self_signed("elsewhere.example");
    assert!(meet(pinned.options(), trusting(&pinned)).is_connected());
    // That of an authority, as `openssl req -x509` makes them.
    let pinned = authority();
    assert!(meet(pinned.options(), trusting(&pinned)).is_connected());
    // One issued by somebody unknown.
    let pinned = authority().issue("elsewhere.example");
    assert!(meet(pinned.options(), trusting(&pinned)).is_connected());
    // Among others.
    let others = trusting(&authority()).ca(self_signed("a").cert() + &pinned.cert());
    assert!(meet(pinned.options(), others).is_connected());
    // Its twin, of the same name, is not.
    refused(
        &meet(self_signed("elsewhere.example").options(), trusting(&self_signed("elsewhere.example"))),
        "UnknownIssuer",
    );
}

#[test]
fn a_certificate_on_the_list_that_is_no_authority_vouches_for_nobody() {
    let pinned = self_signed(HOST);
    let forged = pinned.issue(HOST);
    refused(&meet(forged.options(), trusting(&pinned)), "UnknownIssuer");
    let server = authority();
    let asking = server.issue(HOST).options().ca(pinned.cert());
    let outcome = meet(asking, pinned.issue("client").options().ca(server.cert()));
    assert!(outcome.peers.is_empty());
    assert!(outcome.refused[0].contains("UnknownIssuer"), "{:?}", outcome.refused);
}

#[test]
fn a_client_without_a_certificate_is_refused_and_told_so() {
    let authority = authority();
    let server = || authority.issue(HOST).options().ca(authority.cert());
    let outcome = meet(server(), trusting(&authority));
    refused(&outcome, "it asks for a client certificate: set tls.private and tls.public");
    assert_eq!(
        outcome.refused,
        ["the client sent no certificate, which tls.requestCert asks for: set tls.private and tls.public there"]
    );
    // Not asked for.
    assert!(meet(server().request_cert(false), trusting(&authority)).is_connected());
}

/// With TLS 1.3 a client is done before the server has looked at its certificate: it may have closed by then.
#[test]
fn a_client_that_is_refused_is_told_though_it_is_closing() {
    let runtime = Fake::new(1);
    runtime.network().set_script(Script::both(Wire::default().latency(MILLISECOND)));
    let authority = authority();
    let _server = serve(&runtime, config().tls(authority.issue(HOST).options().ca(authority.cert())));
    let client = client(&runtime, config().tls(trusting(&authority)).max_retries(0));
    let errors = Log::default();
    let to = errors.clone();
    client.on_error(move |error| to.push(error.to_string()));
    runtime.block_on(client.connect()).unwrap();
    client.emit("n", &1).unwrap();
    runtime.block_on(client.close()).unwrap();
    let said = errors.take();
    assert!(said.len() == 1 && said[0].contains("it asks for a client certificate"), "{said:?}");
}

#[test]
fn a_client_that_nobody_vouches_for_is_refused_and_told_so() {
    let authority = authority();
    let server = authority.issue(HOST).options().ca(authority.cert());
    let stranger = self_signed("client").options().ca(authority.cert());
    let outcome = meet(server, stranger);
    refused(
        &outcome,
        "it does not trust our certificate: name that, or its issuer, in tls.trustedConnections or tls.ca there (alert UnknownCA)",
    );
    assert!(outcome.refused[0].contains("UnknownIssuer"), "{:?}", outcome.refused);
}

#[test]
fn a_client_is_trusted_by_exact_match_too_and_the_server_sees_its_certificate() {
    let (server, client) = (self_signed("server"), self_signed("client"));
    let outcome = meet(server.options().ca(client.cert()), client.options().ca(server.cert()));
    assert!(outcome.is_connected(), "{:?}", outcome.client);
    assert_eq!(outcome.peers, [1]);
}

#[test]
fn an_intermediate_authority_is_found_in_the_chain_of_the_peer() {
    let root = authority();
    let mut params = rcgen::CertificateParams::new(["middle".to_owned()]).unwrap();
    params.distinguished_name.push(rcgen::DnType::CommonName, "middle");
    params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let key = rcgen::KeyPair::generate().unwrap();
    let middle = Identity { certificate: params.signed_by(&key, &root.certificate, &root.key).unwrap(), key };
    let server = middle.issue(HOST);
    let chain = TlsOptions::new().key(server.key()).cert(server.cert() + &middle.cert());
    assert!(meet(chain, trusting(&root)).is_connected());
    refused(&meet(server.options(), trusting(&root)), "UnknownIssuer");
}

#[test]
fn a_server_that_asks_for_certificates_and_could_accept_none_does_not_start() {
    let runtime = Fake::new(1);
    let options = self_signed(HOST).options().request_cert(true);
    let server = Server::with_runtime(runtime.clone(), settings(config().tls(options.clone())), endpoint());
    let Err(ServeError::Tls(error @ TlsError::Missing { option: "tls.trustedConnections", .. })) = server else {
        panic!("{server:?}")
    };
    assert_eq!(error.code(), Some(ipc_driver::Code::TlsConfiguration));
    let options = options.danger_accept_any_certificate();
    assert!(Server::with_runtime(runtime, settings(config().tls(options)), endpoint()).is_ok());
}

#[test]
fn a_server_without_a_key_does_not_start_and_there_is_no_built_in_one() {
    let server = Server::with_runtime(Fake::new(1), settings(config().tls(TlsOptions::new())), endpoint());
    let Err(error @ ServeError::Tls(TlsError::Missing { option: "tls.private", .. })) = server else {
        panic!("{server:?}")
    };
    assert!(error.to_string().contains("there is no built-in one"), "{error}");
}

#[test]
fn a_host_that_no_certificate_can_carry_needs_a_server_name() {
    let host = Endpoint::Tcp { host: "-not-a-name-".into(), port: 8000 };
    let client = |options: TlsOptions| {
        Client::with_runtime(Fake::new(1), settings(config().tls(options.ca(authority().cert()))), host.clone())
    };
    assert!(matches!(client(TlsOptions::new()), Err(ConnectError::Tls(TlsError::ServerName { .. }))));
    assert!(client(TlsOptions::new().server_name("a.example")).is_ok());
}

#[test]
fn a_new_certificate_counts_from_the_next_connection_on() {
    let (old, new) = (self_signed("old"), self_signed("new"));
    let rotate = |server: &Server<Fake>| server.set_tls(server_config(&new)).unwrap();
    assert!(meet_with(old.options(), trusting(&new), rotate).is_connected());
    refused(&meet_with(old.options(), trusting(&old), rotate), "UnknownIssuer");
}

#[test]
fn tls_is_for_tcp() {
    let local = Endpoint::at_path(&settings(config()), "/tmp/x").unwrap();
    let server = Server::with_runtime(Fake::new(1), settings(config()), local).unwrap();
    assert!(matches!(server.set_tls(server_config(&self_signed("a"))), Err(TlsError::Transport)));
    let local = Endpoint::at_path(&settings(config()), "/tmp/x").unwrap();
    let client = Client::with_runtime(Fake::new(1), settings(config()), local).unwrap();
    let any = rustls::ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(rustls::RootCertStore::empty())
        .with_no_client_auth();
    assert!(matches!(client.set_tls(any), Err(TlsError::Transport)));
}
