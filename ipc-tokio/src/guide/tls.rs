//! Keys, certificates, whom to trust.
//!
//! # TLS
//!
//! With the option [`tls`](field@Config::tls) TCP becomes TLS 1.3 or 1.2: `connect` comes after the handshake, and a handshake that
//! fails is a failed attempt of the client. The options are node-ipc's, files of PEM by name or their text, and are looked
//! at when a handle is made: a file that is missing, swapped, encrypted, expired, or whose key belongs to another certificate
//! is a [`TlsError`] that names it, before anything is opened.
//!
//! | option | [`TlsOptions`] | |
//! |---|---|---|
//! | `private`, `public` | [`private`](TlsOptions::private), [`public`](TlsOptions::public) | files of the private key and of the certificate chain. A server needs them; a client has them if servers ask for a certificate |
//! | `trustedConnections` | [`trusted_connection`](TlsOptions::trusted_connection), [`trusted_connections`](fn@TlsOptions::trusted_connections) | files of the certificates to trust. None: a client trusts the authorities of the system, a server asks clients for nothing |
//! | `key`, `cert`, `ca` | [`key`](TlsOptions::key), [`cert`](TlsOptions::cert), [`ca`](TlsOptions::ca) | the same as text |
//! | `requestCert` | [`request_cert`](TlsOptions::request_cert) | whether a server asks for a certificate: if it has some to trust, unless this says otherwise |
//! | `rejectUnauthorized` | [`danger_accept_any_certificate`](TlsOptions::danger_accept_any_certificate) | `false`: whoever answers is taken for the peer that was meant |
//! | `servername` | [`server_name`](TlsOptions::server_name) | the name that the server's certificate must carry: the host connected to, unless this says otherwise |
//! | `handshakeTimeout` | [`handshake_timeout`](TlsOptions::handshake_timeout) | ms that a handshake may take: 10,000 |
//! | `dhparam` | [`dhparam`](TlsOptions::dhparam) | read and not used: keys are agreed on by elliptic curves |
//!
//! A certificate to trust is that of an authority, which vouches for others, or the peer's own: then it is trusted **by
//! exact match**, whoever signed it and whatever name it carries. For two programs that know each other this is all it takes:
//!
//! ```
//! use ipc_tokio::{Client, Config, Server, TlsOptions};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let folder = tempfile::tempdir()?;
//! # for name in ["server", "client"] {
//! #     let made = rcgen::generate_simple_self_signed([name.to_owned()])?;
//! #     std::fs::write(folder.path().join(name).with_extension("key"), made.key_pair.serialize_pem())?;
//! #     std::fs::write(folder.path().join(name).with_extension("pub"), made.cert.pem())?;
//! # }
//! # let path = |name| folder.path().join(name);
//! // openssl req -x509 -newkey ed25519 -nodes -subj /CN=server -keyout server.key -out server.pub
//! let tls = TlsOptions::new().private(path("server.key")).public(path("server.pub")).trusted_connection(path("client.pub"));
//! let server = Server::net(Some("127.0.0.1"), Some(0), Config::new("world").tls(tls))?;
//! server.on("message", |peer, text: String| {
//!     assert_eq!(peer.remote().certificates.len(), 1); // the client has shown the one we trust
//!     peer.emit("message", &format!("{text} world!"))
//! });
//! server.start().await?;
//!
//! let tls = TlsOptions::new().private(path("client.key")).public(path("client.pub")).trusted_connection(path("server.pub"));
//! let client = Client::net(Some("127.0.0.1"), server.local_endpoint().port(), Config::new("hello").tls(tls))?;
//! client.connect().await?;
//! client.emit("message", "hello")?;
//! # let (sender, mut answer) = tokio::sync::mpsc::unbounded_channel();
//! # client.on("message", move |text: String| sender.send(text));
//! # assert_eq!(answer.recv().await.as_deref(), Some("hello world!"));
//! # Ok(())
//! # }
//! ```
//!
//! [`Client::set_tls`] and [`Server::set_tls`] take ready-made configurations of `rustls` instead, also while a handle lives:
//! that is how a server gets a new certificate without a pause. [`Peer::remote`] tells the version of TLS and the
//! certificates that a client has shown, in DER: to know one again compare its bytes with those of a certificate that you
//! have; to read the name in it takes a parser of X.509, such as the crate `x509-parser`.
//!
//! A server greets clients beside its connections: a handshake holds no place among `maxConnections`, is cut after
//! `handshakeTimeout`, and when more than `maxConnections` (but from 128 to 1024) are under way the oldest is cut. One that fails
//! is a [`ServerEvent::Refused`] and a warning in the log; one that talks in clear to a TLS port, or the reverse, is told what is
//! wrong on both sides. With TLS 1.3 a server looks at a client's certificate when the client is connected already: one that is
//! refused sees `connect`, an error that says why, `disconnect`, and tries again, as in node-ipc. Each of these attempts counts as a
//! connection, which refills the retries, so [`max_retries`](field@Config::max_retries) does not end it: look at the error in
//! [`on_error`](Client::on_error) and call [`disconnect`](Emitter::disconnect) of an [`Emitter`]. `docs/tls.md` in the repository has the
//! program.
//!
//! A peer may end its stream without TLS's farewell, as Node often does: a message cut short is noticed by its missing end.
//! Raw bytes have none: there, say in your own protocol where something ends.
//! Sessions are resumed on both sides; a resumed one is not verified again, for half a day at most by a server.
//! The feature `tls`, on by default, brings rustls and ring; without it, a configuration with `tls` is refused.

#[allow(unused_imports, reason = "for the links")]
use crate::*;
