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
