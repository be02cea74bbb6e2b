//! Tokio's sockets as futures-io streams, vectored writes included.

#[cfg(windows)]
use crate::pipe::Pipe;
#[cfg(unix)]
use crate::unix::UnixStream;
use futures_io::{AsyncRead, AsyncWrite};
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead as _, AsyncWrite as _, ReadBuf};
use tokio::net::TcpStream;

/// A connected stream of any transport.
#[derive(Debug)]
pub enum Stream {
    /// A Unix socket.
    #[cfg(unix)]
    Unix(UnixStream),
    /// A named pipe.
    #[cfg(windows)]
    Pipe(Pipe),
    /// TCP.
    Tcp(TcpStream),
}

/// Runs an expression on whichever socket it is: `$run` on one of Tokio's, `$ours` on what is a futures-io stream already.
macro_rules! on_socket {
    ($stream:expr, $socket:ident => $run:expr, $ours:expr) => {
        match $stream.get_mut() {
            #[cfg(unix)]
            Stream::Unix($socket) => $ours,
            #[cfg(windows)]
            Stream::Pipe($socket) => $ours,
            Stream::Tcp($socket) => $run,
        }
    };
    ($stream:expr, $socket:ident => $run:expr) => {
        on_socket!($stream, $socket => $run, $run)
    };
}
impl AsyncRead for Stream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &mut [u8]) -> Poll<io::Result<usize>> {
        on_socket!(
            self,
            socket => {
                let mut buffer = ReadBuf::new(bytes);
                ready!(Pin::new(socket).poll_read(cx, &mut buffer))?;
                Poll::Ready(Ok(buffer.filled().len()))
            },
            Pin::new(socket).poll_read(cx, bytes)
        )
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        on_socket!(self, socket => Pin::new(socket).poll_write(cx, bytes))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        on_socket!(self, socket => Pin::new(socket).poll_write_vectored(cx, slices))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        on_socket!(self, socket => Pin::new(socket).poll_flush(cx))
    }

    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        on_socket!(self, socket => Pin::new(socket).poll_shutdown(cx), Pin::new(socket).poll_close(cx))
    }
}
