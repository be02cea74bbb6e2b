//! A listening socket of any transport, before an adapter has wrapped it for its runtime.

use super::bind_tcp;
#[cfg(unix)]
use super::{SocketFile, bind_local};
use ipc_proto::{Endpoint, Settings};
use std::io;
use std::net::{SocketAddr, TcpListener};
#[cfg(unix)]
use std::os::unix::net::UnixListener;

/// A listening socket, non-blocking, with its endpoint.
#[derive(Debug)]
#[non_exhaustive]
pub enum Listening {
    /// A Unix socket.
    #[cfg(unix)]
    Unix {
        /// Removes the file when it is dropped; to be dropped before the socket.
        file: Option<SocketFile>,
        /// The socket.
        socket: UnixListener,
    },
    /// TCP.
    Tcp(TcpListener),
}

/// Listens at `endpoint`, whose host has these `addresses`. Gives the endpoint with its real port.
///
/// # Errors
///
/// Those of [`bind_tcp`] and `bind_local`; [`io::ErrorKind::Unsupported`] for what is no stream here.
pub fn listen(endpoint: &Endpoint, addresses: &[SocketAddr], settings: &Settings) -> io::Result<(Listening, Endpoint)> {
    match endpoint {
        #[cfg(unix)]
        Endpoint::Local(address) => {
            let (socket, file) = bind_local(address, settings)?;
            Ok((Listening::Unix { file: Some(file), socket }, endpoint.clone()))
        }
        Endpoint::Tcp { .. } => {
            let socket = bind_tcp(addresses, settings)?;
            let endpoint = endpoint.clone().with_port(socket.local_addr()?.port());
            Ok((Listening::Tcp(socket), endpoint))
        }
        other => Err(super::unsupported(other)),
    }
}
