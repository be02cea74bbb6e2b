//! A listening socket of any transport, before an adapter has wrapped it for its runtime: made here, or handed to this
//! process by another.

use super::bind_tcp;
#[cfg(unix)]
use super::{SocketFile, bind_local};
use ipc_proto::{Endpoint, Settings};
use std::io;
use std::net::{SocketAddr, TcpListener, ToSocketAddrs};
#[cfg(unix)]
use std::os::fd::{AsFd, OwnedFd};
#[cfg(unix)]
use std::os::unix::net::UnixListener;

/// A listening socket, to be given to a server here ([`Server::from_listener`](crate::Server::from_listener)) or to
/// other processes.
///
/// [`bind`](Self::bind) makes one without accepting anybody. The file of a socket that it made is removed when it is
/// dropped; that of one that came from elsewhere is not, unless [`owning_file`](Self::owning_file) asks for it.
///
/// ```
/// use ipc_driver::{Config, Endpoint, Listening};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let settings = ipc_driver::build(Config::new("world"))?;
/// let (listening, endpoint) = Listening::bind(&Endpoint::net(&settings, Some("127.0.0.1"), Some(0))?, &settings)?;
/// assert_ne!(endpoint.port(), Some(0));
/// assert_eq!(listening.endpoint(&settings)?, endpoint);
/// # #[cfg(unix)]
/// # {
/// // Another descriptor of the same socket: for a second server, or, by `to_stdio`, for a child.
/// let another = Listening::from_fd(listening.duplicate()?)?;
/// drop(listening);
/// assert_eq!(another.endpoint(&settings)?, endpoint); // it listens on
///
/// // What does not listen is none.
/// let (one, _other) = std::os::unix::net::UnixStream::pair()?;
/// assert!(Listening::from_fd(one.into()).is_err());
/// # }
/// # Ok(())
/// # }
/// ```
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

impl From<TcpListener> for Listening {
    fn from(socket: TcpListener) -> Self {
        Self::Tcp(socket)
    }
}

#[cfg(unix)]
impl From<UnixListener> for Listening {
    fn from(socket: UnixListener) -> Self {
        Self::Unix { file: None, socket }
    }
}

impl Listening {
    /// Listens at `endpoint` and accepts nobody: for a parent whose workers will. Gives the endpoint with its real port.
    /// Blocks while a host name is resolved.
    ///
    /// # Errors
    ///
    /// As [`ServeError::Listen`](crate::ServeError::Listen) has them.
    pub fn bind(endpoint: &Endpoint, settings: &Settings) -> io::Result<(Self, Endpoint)> {
        settings.check_serving(endpoint).map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))?;
        let addresses = match (endpoint.host(), endpoint.port()) {
            (Some(host), Some(port)) => (host, port).to_socket_addrs()?.collect(),
            _ => Vec::new(),
        };
        listen(endpoint, &addresses, settings)
    }

    /// The listening socket that `fd` is.
    ///
    /// # Errors
    ///
    /// [`io::ErrorKind::InvalidInput`] says what it is instead: no socket, none for streams, none that listens, or one of
    /// another family than Unix, IPv4 and IPv6.
    #[cfg(unix)]
    pub fn from_fd(fd: OwnedFd) -> io::Result<Self> {
        let wrong = |what: String| io::Error::new(io::ErrorKind::InvalidInput, what);
        let socket = socket2::Socket::from(fd);
        let kind = socket.r#type().map_err(|error| wrong(format!("this descriptor is no socket: {error}")))?;
        if kind != socket2::Type::STREAM {
            return Err(wrong(format!("this socket is of {kind:?}, and a listener must be of SOCK_STREAM")));
        }
        // Apple's systems do not say whether a socket listens; there the first accept fails instead.
        #[cfg(not(target_vendor = "apple"))]
        if !rustix::net::sockopt::socket_acceptconn(&socket)? {
            return Err(wrong("this socket does not listen: it is connected, or `listen` was not called".into()));
        }
        let address = socket.local_addr()?;
        socket.set_cloexec(true)?;
        if address.is_unix() {
            Ok(Self::from(UnixListener::from(OwnedFd::from(socket))))
        } else if address.as_socket().is_some() {
            Ok(Self::from(TcpListener::from(OwnedFd::from(socket))))
        } else {
            let family = address.family();
            Err(wrong(format!("this socket is of address family {family}; a listener must be Unix, IPv4 or IPv6")))
        }
    }

    /// The listening socket that a parent gave this process as its standard input, as inetd does too. See
    /// [`to_stdio`](Self::to_stdio). The standard input is `/dev/null` from then on, so that nothing listens any more once
    /// this is dropped. In the repository `ipc-tokio/examples/worker.rs` is such a parent, with its child.
    ///
    /// # Errors
    ///
    /// As [`from_fd`](Self::from_fd); the standard input is left as it was.
    #[cfg(unix)]
    pub fn from_stdin() -> io::Result<Self> {
        let listening = Self::from_fd(io::stdin().as_fd().try_clone_to_owned()?)?;
        rustix::stdio::dup2_stdin(std::fs::File::open("/dev/null")?)?;
        Ok(listening)
    }

    /// Lets the file of a Unix socket that came from elsewhere be removed when this, or the server it is given to, stops
    /// listening. Without effect where there is no file.
    ///
    /// # Errors
    ///
    /// If the file is gone, or what stands there is no socket. A socket that somebody else has bound there meanwhile cannot be
    /// told apart: ask for the file before anybody could.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let folder = tempfile::tempdir()?;
    /// # let path = folder.path().join("world");
    /// use ipc_driver::Listening;
    /// use std::os::unix::net::UnixListener;
    ///
    /// drop(Listening::from(UnixListener::bind(&path)?));
    /// assert!(path.exists()); // it is for whoever bound it
    /// std::fs::remove_file(&path)?;
    ///
    /// drop(Listening::from(UnixListener::bind(&path)?).owning_file()?);
    /// assert!(!path.exists());
    /// # Ok(())
    /// # }
    /// ```
    #[cfg(unix)]
    pub fn owning_file(self) -> io::Result<Self> {
        match self {
            Self::Unix { file: None, socket } => {
                let address = socket.local_addr()?;
                let file = address.as_pathname().map(SocketFile::of).transpose()?;
                Ok(Self::Unix { file, socket })
            }
            other => Ok(other),
        }
    }

    /// Where it listens, by the socket itself: an address where there was a host name.
    ///
    /// # Errors
    ///
    /// That of the operating system; [`io::ErrorKind::InvalidInput`] for a Unix socket whose address is no text or too
    /// long for one.
    #[cfg_attr(not(unix), allow(unused_variables, reason = "only Unix sockets are bound to paths"))]
    pub fn endpoint(&self, settings: &Settings) -> io::Result<Endpoint> {
        match self {
            #[cfg(unix)]
            Self::Unix { socket, .. } => local_endpoint(socket, settings),
            Self::Tcp(socket) => {
                let address = socket.local_addr()?;
                Ok(Endpoint::Tcp { host: address.ip().to_string(), port: address.port() })
            }
        }
    }

    /// Another descriptor of the same socket. It is closed when a program is started.
    ///
    /// # Errors
    ///
    /// If there is no descriptor left.
    #[cfg(unix)]
    pub fn duplicate(&self) -> io::Result<OwnedFd> {
        match self {
            Self::Unix { socket, .. } => socket.as_fd().try_clone_to_owned(),
            Self::Tcp(socket) => socket.as_fd().try_clone_to_owned(),
        }
    }

    /// The same socket as the standard input of a child process, which calls
    /// [`Server::from_stdin`](crate::Server::from_stdin). In the repository `ipc-tokio/examples/worker.rs` does both.
    ///
    /// # Errors
    ///
    /// If there is no descriptor left.
    #[cfg(unix)]
    pub fn to_stdio(&self) -> io::Result<std::process::Stdio> {
        self.duplicate().map(Into::into)
    }

    /// As an adapter takes it.
    pub(crate) fn prepared(self, settings: &Settings) -> io::Result<Self> {
        match &self {
            #[cfg(unix)]
            Self::Unix { socket, .. } => socket.set_nonblocking(true)?,
            Self::Tcp(socket) => {
                socket.set_nonblocking(true)?;
                super::tcp::keep_alive(socket, settings)?;
            }
        }
        Ok(self)
    }
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
            Ok((Listening::Unix { file, socket }, endpoint.clone()))
        }
        Endpoint::Tcp { .. } => {
            let socket = bind_tcp(addresses, settings)?;
            let endpoint = endpoint.clone().with_port(socket.local_addr()?.port());
            Ok((Listening::Tcp(socket), endpoint))
        }
        other => Err(super::unsupported(other)),
    }
}

#[cfg(unix)]
fn local_endpoint(socket: &UnixListener, settings: &Settings) -> io::Result<Endpoint> {
    let refused = |error| io::Error::new(io::ErrorKind::InvalidInput, error);
    let no_text = || io::Error::new(io::ErrorKind::InvalidInput, "the address of this socket is no text");
    let address = socket.local_addr()?;
    if let Some(path) = address.as_pathname() {
        return Endpoint::at_path(settings, path.to_str().ok_or_else(no_text)?).map_err(refused);
    }
    #[cfg(target_os = "linux")]
    if let Some(name) = std::os::linux::net::SocketAddrExt::as_abstract_name(&address) {
        let name = std::str::from_utf8(name).map_err(|_| no_text())?;
        return Endpoint::abstract_name(settings, name).map_err(refused);
    }
    Err(no_text())
}
