//! What the driver asks of an async runtime: sockets, a timer, a task.
//!
//! An adapter implements [`Runtime`] in about 250 lines and exports the handles with it filled in. Framing, retry and
//! events are none of its business.

use crate::net::Listening;
use bytes::Bytes;
use futures_io::{AsyncRead, AsyncWrite};
use ipc_proto::{Endpoint, LocalAddress, Settings};
use std::fmt;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Instant;

/// An async runtime with its sockets. Cheap to clone; a clone is the same runtime.
pub trait Runtime: Clone + Send + Sync + 'static {
    /// A connected byte stream of any transport.
    type Stream: AsyncRead + AsyncWrite + Send + Unpin + 'static;
    /// A listening socket.
    type Listener: Listener<Stream = Self::Stream>;
    /// A UDP socket.
    type Datagrams: DatagramSocket;
    /// A timer.
    type Timer: Timer;

    /// The time. A test runtime may have a clock of its own.
    fn now(&self) -> Instant {
        Instant::now()
    }

    /// A number for the jitter of one client's retries. A test runtime may have numbers that repeat.
    fn seed(&self) -> u64 {
        crate::host::seed()
    }

    /// Runs `task` to its end in the background.
    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static);

    /// Wakes the calling task once others have had their turn; it returns `Pending` then. A task that has more to do than
    /// it should do in one go calls this.
    ///
    /// The default wakes it at once. A runtime that looks at sockets and timers only after many turns of tasks, while there
    /// is one to be run, has a better way: else one busy peer would keep all others waiting for seconds.
    fn give_way(&self, cx: &mut Context<'_>) {
        cx.waker().wake_by_ref();
    }

    /// A timer that is not set.
    fn timer(&self) -> Self::Timer;

    /// The addresses of a host name, each with `port`, in the order of the system's resolver. Never asked for what is an
    /// address already.
    fn resolve(&self, host: &str, port: u16) -> impl Future<Output = io::Result<Vec<SocketAddr>>> + Send;

    /// Connects to one address. Dropping the future gives the attempt up.
    ///
    /// [`net::tcp_socket`](crate::net::tcp_socket) makes the socket for TCP, bound as the settings ask.
    fn connect(&self, address: &Address, settings: &Settings) -> impl Future<Output = io::Result<Self::Stream>> + Send;

    /// Listens at `endpoint`, whose host has these `addresses` (none for a local one). [`net::listen`](crate::net::listen)
    /// has the listening sockets for real adapters, and looks after their files.
    fn listen(
        &self,
        endpoint: &Endpoint,
        addresses: &[SocketAddr],
        settings: &Settings,
    ) -> impl Future<Output = io::Result<Self::Listener>> + Send;

    /// Listens on a socket that listens already, opened by another process or another part of this one. It is
    /// non-blocking.
    ///
    /// # Errors
    ///
    /// That of the operating system; [`io::ErrorKind::Unsupported`] from a runtime that has no such sockets, as is the
    /// default.
    fn adopt(&self, listening: Listening, endpoint: Endpoint) -> io::Result<Self::Listener> {
        drop(listening);
        Err(crate::net::unsupported(format_args!("a listening socket that was opened elsewhere, at {endpoint},")))
    }

    /// A UDP socket bound to the first of `addresses` that works; they are of one family.
    /// [`net::bind_udp`](crate::net::bind_udp) has it for real adapters.
    ///
    /// # Errors
    ///
    /// That of the last address.
    fn bind(&self, addresses: &[SocketAddr], settings: &Settings) -> io::Result<Self::Datagrams>;
}

/// A runtime that can be had without an argument: the one the caller runs in.
pub trait Ambient: Runtime {
    /// The runtime of the calling thread or task.
    ///
    /// # Errors
    ///
    /// If there is none.
    fn ambient() -> io::Result<Self>;
}

/// One address to connect to.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Address {
    /// A Unix socket, or a named pipe of Windows.
    Local(LocalAddress),
    /// TCP.
    Tcp(SocketAddr),
}

/// A listening socket.
pub trait Listener: Send + Unpin + 'static {
    /// What it accepts.
    type Stream;

    /// The next connection.
    fn poll_accept(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<(Self::Stream, Remote)>>;

    /// Where it listens, with the real port where port 0 was asked for.
    fn local_endpoint(&self) -> Endpoint;

    /// Another descriptor of the same socket, for another process to listen on.
    ///
    /// # Errors
    ///
    /// If there is no descriptor left; [`io::ErrorKind::Unsupported`] where there are none, as is the default.
    #[cfg(unix)]
    fn duplicate(&self) -> io::Result<std::os::fd::OwnedFd> {
        Err(crate::net::unsupported("handing a listening socket to another process"))
    }

    /// The file of a Unix socket, if it has one that is looked after here.
    #[cfg(unix)]
    fn file(&self) -> Option<&crate::net::SocketFile> {
        None
    }
}

/// A UDP socket. One task uses it, for both directions.
pub trait DatagramSocket: Send + Unpin + 'static {
    /// Receives a datagram into `buffer`, which has room for any: its length and its sender.
    fn poll_recv(&mut self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<(usize, SocketAddr)>>;

    /// Sends a datagram.
    fn poll_send(&mut self, cx: &mut Context<'_>, bytes: &[u8], to: SocketAddr) -> Poll<io::Result<()>>;

    /// How many datagrams [`poll_send_burst`](Self::poll_send_burst) takes at most. The default is 1: it is not called.
    fn max_burst(&self) -> usize {
        1
    }

    /// Sends datagrams that lie one after another in `bytes`, each of `length` bytes but for the last, which may be shorter,
    /// with one call of the system. An error means that none was sent; they are sent one by one then, and if that works, only
    /// shorter ones are sent like this again, and in the end none.
    ///
    /// `net::send_burst` has it for Linux.
    fn poll_send_burst(
        &mut self,
        cx: &mut Context<'_>,
        bytes: &[u8],
        length: u16,
        to: SocketAddr,
    ) -> Poll<io::Result<()>> {
        let _ = (cx, bytes, length, to);
        Poll::Ready(Err(io::ErrorKind::Unsupported.into()))
    }

    /// Where it is bound, with the real port.
    ///
    /// # Errors
    ///
    /// Those of the operating system.
    fn local_address(&self) -> io::Result<SocketAddr>;
}

/// Who is at the other end of an accepted stream. `Debug` shows of certificates only how long they are.
#[derive(Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Remote {
    /// Its address over TCP.
    pub address: Option<SocketAddr>,
    /// Who it is over a local socket, as the operating system says.
    pub credentials: Option<Credentials>,
    /// Over TLS, the certificates it has shown: its own first, DER. Empty if it was not asked for one or has shown none.
    /// It has the key of the first; the others are no more than what it sent. With `tls.rejectUnauthorized` off nobody has
    /// looked who issued them: whoever wants a certificate with a certain name in it makes one.
    pub certificates: Arc<[Bytes]>,
    /// The version of TLS, `None` where the connection is in clear.
    pub tls: Option<TlsVersion>,
}

/// What the operating system knows about the process at the other end of a local socket, as it was when it connected.
///
/// | | `uid`, `gid` | `pid` |
/// |---|---|---|
/// | Linux, macOS | yes | yes, unless it lives in another pid namespace |
/// | FreeBSD and the other BSDs | yes | no |
/// | Windows | no | no |
///
/// A pid is for logs: by the time one looks, the process may have ended and its number have gone to another.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Credentials {
    /// The effective user id.
    pub uid: Option<u32>,
    /// The effective group id.
    pub gid: Option<u32>,
    /// The process id.
    pub pid: Option<u32>,
}

/// A version of TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum TlsVersion {
    /// TLS 1.2.
    V1_2,
    /// TLS 1.3.
    V1_3,
}

impl fmt::Debug for Remote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let certificates: Vec<_> = self.certificates.iter().map(|certificate| Length(certificate.len())).collect();
        f.debug_struct("Remote")
            .field("address", &self.address)
            .field("credentials", &self.credentials)
            .field("certificates", &certificates)
            .field("tls", &self.tls)
            .finish()
    }
}

struct Length(usize);

impl fmt::Debug for Length {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes", self.0)
    }
}

impl Remote {
    /// A peer at a network address.
    #[must_use]
    pub fn at(address: SocketAddr) -> Self {
        Self { address: Some(address), ..Self::default() }
    }

    /// A process at the other end of a local socket.
    #[must_use]
    pub fn with_credentials(credentials: impl Into<Option<Credentials>>) -> Self {
        Self { credentials: credentials.into(), ..Self::default() }
    }

    /// Who it is, for logs.
    pub(crate) fn name(&self) -> String {
        match (self.address, self.credentials) {
            (Some(address), _) => address.to_string(),
            (None, Some(Credentials { uid, pid, .. })) => {
                let known = [("uid", uid), ("pid", pid)];
                let known = known.into_iter().filter_map(|(name, number)| Some(format!("{name} {}", number?)));
                known.collect::<Vec<_>>().join(", ")
            }
            (None, None) => String::from("a local process"),
        }
    }
}

/// A timer that can be set again and again.
pub trait Timer: Send + Unpin + 'static {
    /// Sets it to `deadline`, or stops it.
    fn set(&mut self, deadline: Option<Instant>);

    /// Ready once the deadline has passed; pending for ever while stopped.
    fn poll_expired(&mut self, cx: &mut Context<'_>) -> Poll<()>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_certificates_only_the_length_is_shown() {
        let mut remote = Remote::at(SocketAddr::from(([127, 0, 0, 1], 9)));
        remote.certificates = Arc::new([Bytes::from_static(b"secret")]);
        let shown = "Remote { address: Some(127.0.0.1:9), credentials: None, certificates: [6 bytes], tls: None }";
        assert_eq!(format!("{remote:?}"), shown);
    }
}
