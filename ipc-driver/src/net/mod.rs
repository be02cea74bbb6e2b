//! Sockets of the operating system, made ready for an adapter to wrap.
//!
//! Everything here is blocking and quick, and no async runtime is known. Who may touch the file of a Unix socket is for
//! `unix` and `file` to say; which of several addresses is tried when is for `dial`.

#[cfg(unix)]
mod credentials;
#[cfg(unix)]
mod file;
#[cfg(unix)]
mod inherited;
mod listening;
#[cfg(windows)]
pub mod pipe;
#[cfg(unix)]
mod rights;
mod tcp;
mod udp;
#[cfg(unix)]
mod unix;

#[cfg(unix)]
pub use credentials::peer_credentials;
#[cfg(unix)]
pub use file::SocketFile;
#[cfg(unix)]
pub use inherited::{Inherited, inherited};
pub use listening::{Listening, listen};
pub use tcp::{bind_tcp, prepare_accepted, tcp_socket};
pub use udp::{bind_udp, is_report_of_sending};
#[cfg(target_os = "linux")]
pub use udp::{max_burst, send_burst};
#[cfg(unix)]
pub use unix::{bind_local, local_path};

#[cfg(unix)]
pub(crate) use file::{FileId, Ownership, lock_directory};
#[cfg(unix)]
pub(crate) use rights::{receive_fd, send_fd};
#[cfg(unix)]
pub(crate) use unix::{bind_control, control_address};

use ipc_proto::{Endpoint, Settings};
use std::io;
use std::net::SocketAddr;

/// The first success of `attempt` over `addresses`.
///
/// # Errors
///
/// The last failure; [`io::ErrorKind::NotFound`] if there is no address.
pub fn first_of<T>(addresses: &[SocketAddr], mut attempt: impl FnMut(SocketAddr) -> io::Result<T>) -> io::Result<T> {
    let mut last = io::Error::new(io::ErrorKind::NotFound, "the host name has no address");
    for &address in addresses {
        match attempt(address) {
            Ok(done) => return Ok(done),
            Err(error) => last = error,
        }
    }
    Err(last)
}

/// The error of a transport that an adapter cannot do.
#[must_use]
pub fn unsupported(what: impl std::fmt::Display) -> io::Error {
    io::Error::new(io::ErrorKind::Unsupported, format!("{what} is not supported on this platform by this adapter"))
}

/// What `endpoint` with `settings` would need and nothing here can do yet.
pub(crate) fn missing(settings: &Settings, endpoint: &Endpoint) -> Option<&'static str> {
    match endpoint {
        // Never in clear what was meant to be encrypted.
        Endpoint::Tcp { .. } if settings.config().tls.is_some() && !cfg!(feature = "tls") => {
            Some("TLS without the feature `tls`")
        }
        _ => None,
    }
}

fn backlog(settings: &Settings) -> i32 {
    i32::try_from(settings.config().accept_backlog).unwrap_or(i32::MAX)
}
