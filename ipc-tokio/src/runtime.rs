//! Tokio as a runtime of the driver: sockets, timer, tasks. Nothing here knows an event.

#[cfg(windows)]
use crate::pipe;
use crate::stream::Stream;
#[cfg(unix)]
use crate::unix::{UnixListener, UnixStream};
use ipc_driver::net;
use ipc_driver::runtime::{Address, Ambient, DatagramSocket, Listener as Listen, Remote, Runtime, Timer as Time};
use ipc_driver::{Endpoint, Settings};
use std::future::Future;
use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
#[cfg(unix)]
use std::os::fd::{AsFd, OwnedFd};
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};
use std::time::Instant;
use tokio::io::ReadBuf;
use tokio::net::{TcpListener, TcpSocket, UdpSocket};
use tokio::runtime::Handle;

/// A Tokio runtime, current-thread or multi-thread, with I/O and time enabled.
///
/// [`Ambient::ambient`] is the runtime of the calling task; `Tokio::from(handle)` names another:
///
/// ```
/// use ipc_tokio::{Config, Endpoint, Server, Tokio};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let runtime = tokio::runtime::Runtime::new()?;
/// // This thread is none of the runtime's.
/// let settings = ipc_tokio::build(Config::new("world"))?;
/// let endpoint = Endpoint::net(&settings, Some("127.0.0.1"), Some(0))?;
/// let server = Server::with_runtime(Tokio::from(runtime.handle().clone()), settings, endpoint)?;
/// runtime.block_on(server.start())?;
/// assert!(server.is_listening());
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Tokio {
    handle: Handle,
}

impl From<Handle> for Tokio {
    fn from(handle: Handle) -> Self {
        Self { handle }
    }
}

impl Ambient for Tokio {
    fn ambient() -> io::Result<Self> {
        let handle = Handle::try_current()
            .map_err(|error| io::Error::other(format!("{error}; call this from within a Tokio runtime")))?;
        Ok(Self { handle })
    }
}

impl Runtime for Tokio {
    type Stream = Stream;
    type Listener = Listener;
    type Datagrams = Datagrams;
    type Timer = Timer;

    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        // Dropping the join handle lets the task run on.
        drop(self.handle.spawn(task));
    }

    fn give_way(&self, cx: &mut Context<'_>) {
        // Polled once, it sees to the wake-up after sockets and timers were looked at. Dropped then, it takes nothing back.
        let _pending = pin!(tokio::task::yield_now()).poll(cx);
    }

    fn timer(&self) -> Timer {
        Timer::new(self.handle.clone())
    }

    async fn resolve(&self, host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        let host = host.to_owned();
        // On this runtime's blocking threads.
        let lookup = self.handle.spawn_blocking(move || (host, port).to_socket_addrs().map(Iterator::collect));
        lookup.await.map_err(io::Error::other)?
    }

    async fn connect(&self, address: &Address, settings: &Settings) -> io::Result<Stream> {
        match address {
            #[cfg(unix)]
            Address::Local(address) => Ok(Stream::Unix(UnixStream::connect(net::local_path(address)?).await?)),
            #[cfg(windows)]
            Address::Local(address) => {
                let pipe = net::pipe::open(address, &mut self.timer(), Instant::now).await?;
                let _entered = self.handle.enter();
                pipe::client(pipe, self.timer())
            }
            Address::Tcp(address) => {
                let socket = net::tcp_socket(*address, settings)?;
                let stream = TcpSocket::from_std_stream(socket.into()).connect(*address).await?;
                // Answers leave in one write anyway; waiting for more would only delay them.
                let _best_effort = stream.set_nodelay(true);
                Ok(Stream::Tcp(stream))
            }
            other => Err(net::unsupported(format_args!("{other:?}"))),
        }
    }

    async fn listen(&self, endpoint: &Endpoint, addresses: &[SocketAddr], settings: &Settings) -> io::Result<Listener> {
        #[cfg(windows)]
        if let Endpoint::Local(address) = endpoint {
            let (server, first) =
                net::pipe::PipeServer::bind(address, settings, &mut self.timer(), Instant::now).await?;
            let _entered = self.handle.enter();
            let socket = Socket::Pipe(pipe::Listener::new(server, first, self.handle.clone())?);
            return Ok(Listener { socket, endpoint: endpoint.clone() });
        }
        let (listening, endpoint) = net::listen(endpoint, addresses, settings)?;
        self.adopt(listening, endpoint)
    }

    fn adopt(&self, listening: net::Listening, endpoint: Endpoint) -> io::Result<Listener> {
        let _entered = self.handle.enter();
        let socket = match listening {
            #[cfg(unix)]
            net::Listening::Unix { file, socket } => Socket::Unix { file, socket: UnixListener::new(socket)? },
            net::Listening::Tcp(socket) => Socket::Tcp(TcpListener::from_std(socket)?),
            other => return Err(net::unsupported(format_args!("{other:?}"))),
        };
        Ok(Listener { socket, endpoint })
    }

    fn bind(&self, addresses: &[SocketAddr], _settings: &Settings) -> io::Result<Datagrams> {
        let socket = net::bind_udp(addresses)?;
        let _entered = self.handle.enter();
        Ok(Datagrams {
            #[cfg(target_os = "linux")]
            max_burst: net::max_burst(&socket),
            socket: UdpSocket::from_std(socket)?,
        })
    }
}

/// A UDP socket.
#[derive(Debug)]
pub struct Datagrams {
    socket: UdpSocket,
    #[cfg(target_os = "linux")]
    max_burst: usize,
}

impl DatagramSocket for Datagrams {
    fn poll_recv(&mut self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<(usize, SocketAddr)>> {
        let mut buffer = ReadBuf::new(buffer);
        let from = ready!(self.socket.poll_recv_from(cx, &mut buffer))?;
        Poll::Ready(Ok((buffer.filled().len(), from)))
    }

    fn poll_send(&mut self, cx: &mut Context<'_>, bytes: &[u8], to: SocketAddr) -> Poll<io::Result<()>> {
        // It takes a datagram whole or not at all.
        self.socket.poll_send_to(cx, bytes, to).map_ok(drop)
    }

    #[cfg(target_os = "linux")]
    fn max_burst(&self) -> usize {
        self.max_burst
    }

    #[cfg(target_os = "linux")]
    fn poll_send_burst(
        &mut self,
        cx: &mut Context<'_>,
        bytes: &[u8],
        length: u16,
        to: SocketAddr,
    ) -> Poll<io::Result<()>> {
        loop {
            ready!(self.socket.poll_send_ready(cx))?;
            let send = || net::send_burst(&self.socket, bytes, length, to);
            match self.socket.try_io(tokio::io::Interest::WRITABLE, send) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                outcome => return Poll::Ready(outcome),
            }
        }
    }

    fn local_address(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }
}

/// A listening socket of any transport.
#[derive(Debug)]
pub struct Listener {
    socket: Socket,
    endpoint: Endpoint,
}

#[derive(Debug)]
enum Socket {
    #[cfg(unix)]
    Unix {
        /// Removes the file when the listener is dropped, before the socket is closed.
        file: Option<net::SocketFile>,
        socket: UnixListener,
    },
    #[cfg(windows)]
    Pipe(pipe::Listener),
    Tcp(TcpListener),
}

impl Listen for Listener {
    type Stream = Stream;

    fn poll_accept(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<(Stream, Remote)>> {
        match &mut self.socket {
            #[cfg(unix)]
            Socket::Unix { socket, .. } => {
                let stream = ready!(socket.poll_accept(cx))?;
                // Where the system does not tell, an accept filter sees that nothing is known.
                let remote = Remote::with_credentials(stream.peer_credentials());
                Poll::Ready(Ok((Stream::Unix(stream), remote)))
            }
            #[cfg(windows)]
            Socket::Pipe(pipe) => pipe.poll_accept(cx),
            Socket::Tcp(socket) => {
                let (stream, address) = ready!(socket.poll_accept(cx))?;
                net::prepare_accepted(&*socket, &stream);
                Poll::Ready(Ok((Stream::Tcp(stream), Remote::at(address))))
            }
        }
    }

    fn local_endpoint(&self) -> Endpoint {
        self.endpoint.clone()
    }

    #[cfg(unix)]
    fn duplicate(&self) -> io::Result<OwnedFd> {
        match &self.socket {
            Socket::Unix { socket, .. } => socket.as_fd().try_clone_to_owned(),
            Socket::Tcp(socket) => socket.as_fd().try_clone_to_owned(),
        }
    }

    #[cfg(unix)]
    fn file(&self) -> Option<&net::SocketFile> {
        match &self.socket {
            Socket::Unix { file, .. } => file.as_ref(),
            Socket::Tcp(_) => None,
        }
    }
}

/// A timer, allocated when it is first set.
#[derive(Debug)]
pub struct Timer {
    handle: Handle,
    deadline: Option<Instant>,
    sleep: Option<Pin<Box<tokio::time::Sleep>>>,
}

impl Timer {
    pub(crate) fn new(handle: Handle) -> Self {
        Self { handle, deadline: None, sleep: None }
    }
}

impl Time for Timer {
    fn set(&mut self, deadline: Option<Instant>) {
        self.deadline = deadline;
        let Some(deadline) = deadline else { return };
        match &mut self.sleep {
            Some(sleep) => sleep.as_mut().reset(deadline.into()),
            None => {
                let _entered = self.handle.enter();
                self.sleep = Some(Box::pin(tokio::time::sleep_until(deadline.into())));
            }
        }
    }

    fn poll_expired(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        match (&mut self.sleep, self.deadline) {
            (Some(sleep), Some(_)) => sleep.as_mut().poll(cx),
            _ => Poll::Pending,
        }
    }
}
