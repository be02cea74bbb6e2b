//! A connected socket as a stream, and how one is connected.

#[cfg(windows)]
use super::Timer;
use super::{Way, poll_io};
#[cfg(windows)]
use crate::net::pipe::{Overlapped, PipeStream};
use ::async_io::Async;
use futures_io::{AsyncRead, AsyncWrite};
use std::io::{self, IoSlice, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
#[cfg(unix)]
use std::os::unix::net::UnixStream;
#[cfg(unix)]
use std::path::Path;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

/// A connected stream of any transport.
#[derive(Debug)]
pub struct Stream(Transport);

#[derive(Debug)]
enum Transport {
    Socket(Connected),
    #[cfg(windows)]
    Pipe(Box<PipeStream<Overlapped, Timer>>),
}

/// A connected socket.
#[derive(Debug)]
struct Connected {
    socket: Socket,
    /// The last read gave less than there was room for: nothing is left, and trying again would only cost a system call.
    /// The reactor reports levels, not edges, so what came since is not missed by waiting.
    drained: bool,
}

#[derive(Debug)]
enum Socket {
    #[cfg(unix)]
    Unix(Async<UnixStream>),
    Tcp(Async<TcpStream>),
}

/// Runs an expression on whichever socket it is.
macro_rules! on_socket {
    ($connected:expr, $socket:ident => $run:expr) => {
        match &$connected.socket {
            #[cfg(unix)]
            Socket::Unix($socket) => $run,
            Socket::Tcp($socket) => $run,
        }
    };
}

/// Runs an expression on whichever transport it is.
macro_rules! on_transport {
    ($stream:expr, $transport:ident => $run:expr) => {
        match &mut $stream.get_mut().0 {
            Transport::Socket($transport) => $run,
            #[cfg(windows)]
            Transport::Pipe($transport) => $run,
        }
    };
}

impl Stream {
    #[cfg(unix)]
    pub(super) fn unix(stream: UnixStream) -> io::Result<Self> {
        Connected::unix(stream).map(Self::of)
    }

    pub(super) fn tcp(stream: TcpStream) -> io::Result<Self> {
        Connected::tcp(stream).map(Self::of)
    }

    #[cfg(windows)]
    pub(super) fn pipe(pipe: PipeStream<Overlapped, Timer>) -> Self {
        Self(Transport::Pipe(Box::new(pipe)))
    }

    fn of(connected: Connected) -> Self {
        Self(Transport::Socket(connected))
    }

    #[cfg(unix)]
    pub(super) async fn connect_unix(path: &Path) -> io::Result<Self> {
        let socket = socket2::Socket::new(socket2::Domain::UNIX, socket2::Type::STREAM, None)?;
        socket.set_nonblocking(true)?;
        begin(&socket, &socket2::SockAddr::unix(path)?)?;
        Connected::unix(socket.into())?.finish().await.map(Self::of)
    }

    /// Connects a socket that is non-blocking and may be bound.
    pub(super) async fn connect_tcp(socket: socket2::Socket, address: SocketAddr) -> io::Result<Self> {
        begin(&socket, &address.into())?;
        Connected::tcp(socket.into())?.finish().await.map(Self::of)
    }
}

impl Connected {
    #[cfg(unix)]
    fn unix(stream: UnixStream) -> io::Result<Self> {
        Ok(Self { socket: Socket::Unix(Async::new(stream)?), drained: false })
    }

    fn tcp(stream: TcpStream) -> io::Result<Self> {
        // Answers leave in one write anyway; waiting for more would only delay them.
        let _best_effort = stream.set_nodelay(true);
        Ok(Self { socket: Socket::Tcp(Async::new(stream)?), drained: false })
    }

    /// Waits for a connection that was begun.
    async fn finish(self) -> io::Result<Self> {
        let error = on_socket!(self, socket => {
            socket.writable().await?;
            socket.get_ref().take_error()?
        });
        error.map_or(Ok(self), Err)
    }
}

/// Begins to connect a non-blocking socket. A Unix socket whose server has its backlog full fails (`WouldBlock`): there is
/// nothing to wait for then.
fn begin(socket: &socket2::Socket, address: &socket2::SockAddr) -> io::Result<()> {
    match socket.connect(address) {
        #[cfg(unix)]
        Err(error) if error.raw_os_error() == Some(rustix::io::Errno::INPROGRESS.raw_os_error()) => Ok(()),
        #[cfg(windows)]
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(()),
        done => done,
    }
}

impl AsyncRead for Stream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        on_transport!(self, transport => Pin::new(transport).poll_read(cx, buffer))
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        on_transport!(self, transport => Pin::new(transport).poll_write(cx, bytes))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        on_transport!(self, transport => Pin::new(transport).poll_write_vectored(cx, slices))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        on_transport!(self, transport => Pin::new(transport).poll_flush(cx))
    }

    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        on_transport!(self, transport => Pin::new(transport).poll_close(cx))
    }
}

impl AsyncRead for Connected {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        if self.drained {
            ready!(on_socket!(self, socket => socket.poll_readable(cx)))?;
            self.drained = false;
        }
        let read = on_socket!(self, socket => poll_io(socket, Way::Read, cx, |mut socket| socket.read(buffer)));
        let count = ready!(read)?;
        self.drained = 0 < count && count < buffer.len();
        Poll::Ready(Ok(count))
    }
}

impl AsyncWrite for Connected {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        on_socket!(self, socket => poll_io(socket, Way::Write, cx, |mut socket| socket.write(bytes)))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        on_socket!(self, socket => poll_io(socket, Way::Write, cx, |mut socket| socket.write_vectored(slices)))
    }

    fn poll_flush(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_close(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(match on_socket!(self, socket => socket.get_ref().shutdown(Shutdown::Write)) {
            // The peer has ended the connection as a whole: so has our side.
            Err(error) if error.kind() == io::ErrorKind::NotConnected => Ok(()),
            done => done,
        })
    }
}
