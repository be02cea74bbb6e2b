//! Tokio's own Unix sockets, on systems where it waits with `poll`.

use futures_io::{AsyncRead, AsyncWrite};
use ipc_driver::Credentials;
use ipc_driver::net::peer_credentials;
use std::io::{self, IoSlice};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net;
use std::path::Path;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead as _, AsyncWrite as _, ReadBuf};

/// A connected Unix socket.
#[derive(Debug)]
pub struct UnixStream(tokio::net::UnixStream);

impl UnixStream {
    pub(crate) async fn connect(path: impl AsRef<Path>) -> io::Result<Self> {
        tokio::net::UnixStream::connect(path).await.map(Self)
    }

    /// Who is at the other end, where the system tells.
    pub(crate) fn peer_credentials(&self) -> Option<Credentials> {
        peer_credentials(&self.0).ok()
    }
}

impl AsyncRead for UnixStream {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &mut [u8]) -> Poll<io::Result<usize>> {
        let mut buffer = ReadBuf::new(bytes);
        ready!(Pin::new(&mut self.0).poll_read(cx, &mut buffer))?;
        Poll::Ready(Ok(buffer.filled().len()))
    }
}

impl AsyncWrite for UnixStream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write_vectored(cx, slices)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}

/// A listening Unix socket.
#[derive(Debug)]
pub(crate) struct UnixListener(tokio::net::UnixListener);

impl UnixListener {
    /// Of a socket that does not block.
    pub(crate) fn new(socket: net::UnixListener) -> io::Result<Self> {
        tokio::net::UnixListener::from_std(socket).map(Self)
    }

    pub(crate) fn poll_accept(&self, cx: &mut Context<'_>) -> Poll<io::Result<UnixStream>> {
        self.0.poll_accept(cx).map_ok(|(stream, _)| UnixStream(stream))
    }
}

impl AsFd for UnixListener {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot go on should panic")]

    use super::*;
    use std::future::poll_fn;

    #[tokio::test]
    async fn what_is_written_arrives_and_the_end_after_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("s");
        let socket = net::UnixListener::bind(&path).unwrap();
        socket.set_nonblocking(true).unwrap();
        let listener = UnixListener::new(socket).unwrap();
        listener.as_fd().try_clone_to_owned().unwrap();
        let mut one = UnixStream::connect(&path).await.unwrap();
        let mut other = poll_fn(|cx| listener.poll_accept(cx)).await.unwrap();
        assert!(other.peer_credentials().is_some());
        let halves = [IoSlice::new(b"on"), IoSlice::new(b"e")];
        assert_eq!(poll_fn(|cx| Pin::new(&mut one).poll_write_vectored(cx, &halves)).await.unwrap(), 3);
        assert_eq!(poll_fn(|cx| Pin::new(&mut one).poll_write(cx, b"two")).await.unwrap(), 3);
        poll_fn(|cx| Pin::new(&mut one).poll_flush(cx)).await.unwrap();
        poll_fn(|cx| Pin::new(&mut one).poll_close(cx)).await.unwrap();
        let (mut all, mut bytes) = (Vec::new(), [0; 4]);
        loop {
            let count = poll_fn(|cx| Pin::new(&mut other).poll_read(cx, &mut bytes)).await.unwrap();
            all.extend_from_slice(&bytes[..count]);
            if count == 0 {
                break;
            }
        }
        assert_eq!(all, b"onetwo");
    }
}
