//! Sockets as the driver wants them: streams, listeners, datagrams. [`ipc_driver::net`] makes them, all of them non-blocking.

use super::reactor::{Direction, Reactor, Source};
use futures_io::{AsyncRead, AsyncWrite};
use ipc_driver::net::{self, Listening};
use ipc_driver::runtime::{DatagramSocket, Listener as Listen, Remote};
use ipc_driver::{Endpoint, Settings};
use socket2::Socket;
use std::future::poll_fn;
use std::io::{self, IoSlice, Read, Write};
use std::net::{Shutdown, SocketAddr, UdpSocket};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

/// A connected stream, TCP or Unix: to the system they are alike.
pub(crate) struct Stream(Source<Socket>);

/// Connects to a Unix socket.
#[cfg(unix)]
pub(crate) async fn connect_local(reactor: &Arc<Reactor>, path: &std::path::Path) -> io::Result<Stream> {
    let address = socket2::SockAddr::unix(path)?;
    let socket = Socket::new(socket2::Domain::UNIX, socket2::Type::STREAM, None)?;
    socket.set_nonblocking(true)?;
    connect(reactor, socket, &address).await
}

/// Connects over TCP, from where the option `interface` says.
pub(crate) async fn connect_tcp(
    reactor: &Arc<Reactor>,
    address: SocketAddr,
    settings: &Settings,
) -> io::Result<Stream> {
    let stream = connect(reactor, net::tcp_socket(address, settings)?, &address.into()).await?;
    // Answers leave in one write anyway; waiting for more would only delay them.
    let _best_effort = stream.0.socket().set_tcp_nodelay(true);
    Ok(stream)
}

async fn connect(reactor: &Arc<Reactor>, socket: Socket, address: &socket2::SockAddr) -> io::Result<Stream> {
    match socket.connect(address) {
        Ok(()) => return Ok(Stream(Source::new(reactor, socket)?)),
        Err(error) if is_under_way(&error) => {}
        Err(error) => return Err(error),
    }
    // It becomes writable when it is connected, or when that has failed. Dropped meanwhile, this gives the attempt up.
    let source = Source::new(reactor, socket)?;
    let connected = |socket: &Socket| match socket.take_error()? {
        Some(error) => Err(error),
        None => socket.peer_addr().map(drop).map_err(|_| io::ErrorKind::WouldBlock.into()),
    };
    poll_fn(|cx| source.poll_io(cx, Direction::Write, connected)).await?;
    Ok(Stream(source))
}

fn is_under_way(error: &io::Error) -> bool {
    #[cfg(unix)]
    {
        error.raw_os_error() == Some(rustix::io::Errno::INPROGRESS.raw_os_error())
    }
    #[cfg(not(unix))]
    {
        error.kind() == io::ErrorKind::WouldBlock
    }
}

impl AsyncRead for Stream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &mut [u8]) -> Poll<io::Result<usize>> {
        self.0.poll_io(cx, Direction::Read, |mut socket| socket.read(bytes))
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.0.poll_io(cx, Direction::Write, |mut socket| socket.write(bytes))
    }

    // All answers to what one read brought leave in one of these.
    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.0.poll_io(cx, Direction::Write, |mut socket| socket.write_vectored(slices))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    // Our side only: the driver still reads what the peer sends, up to its end.
    fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.0.socket().shutdown(Shutdown::Write) {
            // The peer was quicker.
            Err(error) if error.kind() == io::ErrorKind::NotConnected => Poll::Ready(Ok(())),
            outcome => Poll::Ready(outcome),
        }
    }
}

/// A listening socket.
pub(crate) struct Listener {
    /// Removes the file when it is dropped, before the socket is closed.
    #[cfg(unix)]
    file: Option<net::SocketFile>,
    source: Source<Socket>,
    endpoint: Endpoint,
    reactor: Arc<Reactor>,
}

impl Listener {
    pub(crate) fn new(reactor: &Arc<Reactor>, listening: Listening, endpoint: Endpoint) -> io::Result<Self> {
        #[cfg(unix)]
        let (file, socket) = match listening {
            Listening::Unix { file, socket } => (file, Socket::from(socket)),
            Listening::Tcp(socket) => (None, Socket::from(socket)),
            other => return Err(net::unsupported(format_args!("{other:?}"))),
        };
        #[cfg(not(unix))]
        let socket = match listening {
            Listening::Tcp(socket) => Socket::from(socket),
            other => return Err(net::unsupported(format_args!("{other:?}"))),
        };
        let source = Source::new(reactor, socket)?;
        Ok(Self {
            #[cfg(unix)]
            file,
            source,
            endpoint,
            reactor: Arc::clone(reactor),
        })
    }
}

impl Listen for Listener {
    type Stream = Stream;

    // An error goes to the driver as it is: it knows which ones concern one connection only, and when to try again.
    fn poll_accept(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<(Stream, Remote)>> {
        let (socket, address) = ready!(self.source.poll_io(cx, Direction::Read, Socket::accept))?;
        socket.set_nonblocking(true)?;
        let remote = match address.as_socket() {
            Some(address) => {
                let _best_effort = socket.set_tcp_nodelay(true);
                Remote::at(address)
            }
            #[cfg(unix)]
            None => Remote::with_credentials(net::peer_credentials(&socket).ok()),
            #[cfg(not(unix))]
            None => Remote::default(),
        };
        Poll::Ready(Ok((Stream(Source::new(&self.reactor, socket)?), remote)))
    }

    fn local_endpoint(&self) -> Endpoint {
        self.endpoint.clone()
    }

    #[cfg(unix)]
    fn duplicate(&self) -> io::Result<std::os::fd::OwnedFd> {
        self.source.socket().try_clone().map(Into::into)
    }

    #[cfg(unix)]
    fn file(&self) -> Option<&net::SocketFile> {
        self.file.as_ref()
    }
}

/// A UDP socket.
pub(crate) struct Datagrams(Source<UdpSocket>);

impl Datagrams {
    pub(crate) fn new(reactor: &Arc<Reactor>, socket: UdpSocket) -> io::Result<Self> {
        Source::new(reactor, socket).map(Self)
    }
}

impl DatagramSocket for Datagrams {
    fn poll_recv(&mut self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<(usize, SocketAddr)>> {
        self.0.poll_io(cx, Direction::Read, |socket| socket.recv_from(buffer))
    }

    fn poll_send(&mut self, cx: &mut Context<'_>, bytes: &[u8], to: SocketAddr) -> Poll<io::Result<()>> {
        // It takes a datagram whole or not at all.
        self.0.poll_io(cx, Direction::Write, |socket| socket.send_to(bytes, to)).map_ok(drop)
    }

    fn local_address(&self) -> io::Result<SocketAddr> {
        self.0.socket().local_addr()
    }
}
