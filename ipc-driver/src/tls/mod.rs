//! TLS over the streams of any runtime: from node-ipc's options, or a rustls configuration, to an encrypted stream.
//!
//! Configurations are made where handles are made, so that a wrong file is an error before anything is opened.
//!
//! - `pem`: reads keys and certificates, and says what is wrong with a file that holds something else
//! - `config`: options to rustls configurations
//! - `verify`: who is trusted: by authority, by exact match, or anybody
//! - `handshake`: from a stream to a [`Stream`] of TLS, within a time limit
//! - `stream`, `ahead`: the encrypted stream, and reading from its socket in large pieces

mod ahead;
mod config;
mod error;
mod handshake;
mod pem;
mod stream;
mod verify;

pub use error::{HandshakeError, TlsError, TlsSource};
pub(crate) use handshake::{Acceptor, Connector};
pub(crate) use stream::Stream;

use ipc_proto::TlsOptions;

/// The rustls configuration that a client with these options connects with: to be changed and given to
/// [`Client::set_tls`](crate::Client::set_tls), or for TLS over streams of one's own that trusts whom this crate trusts.
///
/// ```
/// use ipc_driver::{TlsOptions, tls_client_config};
///
/// let mut config = tls_client_config(&TlsOptions::new().danger_accept_any_certificate())?;
/// config.alpn_protocols = vec![b"events".to_vec()];
/// # Ok::<(), ipc_driver::TlsError>(())
/// ```
///
/// # Errors
///
/// [`TlsError`] names the option, and the file, that is wrong.
pub fn tls_client_config(options: &TlsOptions) -> Result<rustls::ClientConfig, TlsError> {
    config::client(options)
}

/// The rustls configuration that a server with these options accepts with; see [`tls_client_config`].
///
/// # Errors
///
/// As [`tls_client_config`], and if there is no key or certificate.
pub fn tls_server_config(options: &TlsOptions) -> Result<rustls::ServerConfig, TlsError> {
    config::server(options)
}
