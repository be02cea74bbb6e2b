//! Unix sockets that are waited for as their task waits for them.
//!
//! [`tokio::net::UnixStream`] has the system tell whenever there is something to read *or room to write*. On a Unix socket
//! there is room again whenever the peer has read something: each answer would wake the runtime once more, for nothing. So here
//! a socket is registered for reading alone until it has no room for the first time.

use futures_io::{AsyncRead, AsyncWrite};
use ipc_driver::Credentials;
use ipc_driver::net::peer_credentials;
use std::io::{self, ErrorKind, IoSlice, Read, Write};
use std::net::Shutdown;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::os::unix::net;
use std::path::Path;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// The constructor is deprecated since Tokio 1.54 because a type might close its descriptor, or change it. The sockets of the
/// standard library do neither, and what replaces it is unsafe.
#[allow(deprecated)]
fn register<S: AsRawFd>(socket: S, interest: Interest) -> Result<AsyncFd<S>, (S, io::Error)> {
    AsyncFd::try_with_interest(socket, interest).map_err(tokio::io::unix::AsyncFdTryNewError::into_parts)
}

/// A connected Unix socket, for a task of Tokio's which both reads and writes: one that waits to read in another task is not woken
/// any more once the socket has had no room.
#[derive(Debug)]
pub struct UnixStream {
    /// Absent after its registration has failed twice.
    socket: Option<AsyncFd<net::UnixStream>>,
    waits_for_room: bool,
}

impl UnixStream {
    pub(crate) async fn connect(path: impl AsRef<Path>) -> io::Result<Self> {
        Self::new(tokio::net::UnixStream::connect(path).await?.into_std()?)
    }

    /// Of a socket that does not block.
    fn new(socket: net::UnixStream) -> io::Result<Self> {
        let socket = register(socket, Interest::READABLE).map_err(|(_closed, error)| error)?;
        Ok(Self { socket: Some(socket), waits_for_room: false })
    }

    fn socket(&self) -> io::Result<&AsyncFd<net::UnixStream>> {
        self.socket.as_ref().ok_or_else(|| ErrorKind::NotConnected.into())
    }

    /// Who is at the other end, where the system tells.
    pub(crate) fn peer_credentials(&self) -> Option<Credentials> {
        peer_credentials(self.socket().ok()?.get_ref()).ok()
    }

    /// From now on it is registered for both, since it is written to faster than its peer reads.
    #[cold]
    fn wait_for_room(&mut self, cx: &Context<'_>) -> io::Result<()> {
        // Who waited to read was known to the old registration only; it is the same task.
        cx.waker().wake_by_ref();
        let Some(socket) = self.socket.take() else { return Ok(()) };
        match register(socket.into_inner(), Interest::READABLE | Interest::WRITABLE) {
            Ok(socket) => {
                self.socket = Some(socket);
                self.waits_for_room = true;
                Ok(())
            }
            Err((socket, error)) => {
                // Nothing more can be written; what has arrived before is still read.
                self.socket = register(socket, Interest::READABLE).ok();
                Err(error)
            }
        }
    }

    fn poll_write_with(
        &mut self,
        cx: &mut Context<'_>,
        write: impl Fn(&mut &net::UnixStream) -> io::Result<usize>,
    ) -> Poll<io::Result<usize>> {
        if !self.waits_for_room {
            match write(&mut self.socket()?.get_ref()) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => self.wait_for_room(cx)?,
                outcome => return Poll::Ready(outcome),
            }
        }
        let socket = self.socket()?;
        loop {
            let mut room = ready!(socket.poll_write_ready(cx))?;
            if let Ok(outcome) = room.try_io(|socket| write(&mut socket.get_ref())) {
                return Poll::Ready(outcome);
            }
        }
    }
}

impl AsyncRead for UnixStream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &mut [u8]) -> Poll<io::Result<usize>> {
        let socket = self.socket()?;
        loop {
            let mut readable = ready!(socket.poll_read_ready(cx))?;
            match socket.get_ref().read(bytes) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => readable.clear_ready(),
                outcome => {
                    // Less than was asked for: nothing is left, and the system tells when something comes. (As Tokio has it. Linux
                    // also stops at a descriptor that is sent along, or at urgent data, which no peer of ours sends: what is
                    // behind them is read with the next that comes.)
                    if matches!(outcome, Ok(count) if 0 < count && count < bytes.len()) {
                        readable.clear_ready();
                    }
                    return Poll::Ready(outcome);
                }
            }
        }
    }
}

impl AsyncWrite for UnixStream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.get_mut().poll_write_with(cx, |socket| socket.write(bytes))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.get_mut().poll_write_with(cx, |socket| socket.write_vectored(slices))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(self.socket()?.get_ref().shutdown(Shutdown::Write))
    }
}

/// A listening Unix socket.
#[derive(Debug)]
pub(crate) struct UnixListener(AsyncFd<net::UnixListener>);

impl UnixListener {
    /// Of a socket that does not block.
    pub(crate) fn new(socket: net::UnixListener) -> io::Result<Self> {
        register(socket, Interest::READABLE).map(Self).map_err(|(_closed, error)| error)
    }

    pub(crate) fn poll_accept(&self, cx: &mut Context<'_>) -> Poll<io::Result<UnixStream>> {
        loop {
            let mut readable = ready!(self.0.poll_read_ready(cx))?;
            if let Ok(accepted) = readable.try_io(|listener| listener.get_ref().accept()) {
                let (stream, _) = accepted?;
                stream.set_nonblocking(true)?;
                return Poll::Ready(UnixStream::new(stream));
            }
        }
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
    use std::thread;

    fn pair() -> (UnixStream, net::UnixStream) {
        let (ours, theirs) = net::UnixStream::pair().unwrap();
        ours.set_nonblocking(true).unwrap();
        (UnixStream::new(ours).unwrap(), theirs)
    }

    async fn read(stream: &mut UnixStream, bytes: &mut [u8]) -> io::Result<usize> {
        poll_fn(|cx| Pin::new(&mut *stream).poll_read(cx, bytes)).await
    }

    async fn write_all(stream: &mut UnixStream, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let half = [IoSlice::new(&bytes[..bytes.len() / 2]), IoSlice::new(&bytes[bytes.len() / 2..])];
            let count = poll_fn(|cx| Pin::new(&mut *stream).poll_write_vectored(cx, &half)).await.unwrap();
            bytes = &bytes[count..];
        }
    }

    /// Fills the socket: how many bytes it took.
    fn fill(stream: &mut UnixStream, cx: &mut Context<'_>) -> usize {
        let mut taken = 0;
        while let Poll::Ready(count) = Pin::new(&mut *stream).poll_write(cx, &[7; 10_000]) {
            taken += count.unwrap();
        }
        taken
    }

    #[tokio::test]
    async fn what_is_larger_than_the_socket_arrives_whole_in_both_directions() {
        let (mut ours, mut theirs) = pair();
        let sent: Vec<u8> = (0..3_000_000_u32).map(|number| number as u8).collect();
        let echo = thread::spawn(move || {
            let mut all = vec![0; 3_000_000];
            theirs.read_exact(&mut all).unwrap();
            theirs.write_all(&all).unwrap();
        });
        write_all(&mut ours, &sent).await;
        assert!(ours.waits_for_room);
        let (mut got, mut piece) = (Vec::new(), vec![0; 70_000]);
        loop {
            let count = read(&mut ours, &mut piece).await.unwrap();
            got.extend_from_slice(&piece[..count]);
            if count == 0 {
                break;
            }
        }
        assert!(got == sent);
        echo.join().unwrap();
    }

    #[tokio::test]
    async fn a_task_that_waits_for_room_is_woken_by_what_there_is_to_read_as_well() {
        let (mut ours, mut theirs) = pair();
        let (mut byte, mut taken, mut turns) = ([0], 0, 0);
        let read = poll_fn(|cx| {
            turns += 1;
            let read = Pin::new(&mut ours).poll_read(cx, &mut byte);
            if read.is_pending() {
                taken += fill(&mut ours, cx);
                if turns == 2 {
                    // It has seen nothing to read, and waits for both.
                    theirs.write_all(b"a").unwrap();
                }
            }
            read
        });
        assert_eq!((read.await.unwrap(), byte), (1, *b"a"));
        assert!(taken > 0 && ours.waits_for_room);
    }

    #[tokio::test]
    async fn room_wakes_who_waits_for_it_once_the_peer_has_read() {
        let (mut ours, mut theirs) = pair();
        let taken = poll_fn(|cx| Poll::Ready(fill(&mut ours, cx))).await;
        let reader = thread::spawn(move || {
            let mut all = vec![0; taken + 3];
            theirs.read_exact(&mut all).unwrap();
            all
        });
        write_all(&mut ours, b"end").await;
        assert!(reader.join().unwrap().ends_with(b"end"));
    }

    #[tokio::test]
    async fn a_peer_that_has_gone_is_the_end_and_a_broken_pipe() {
        let (mut ours, mut theirs) = pair();
        theirs.write_all(b"last").unwrap();
        drop(theirs);
        let mut bytes = [0; 100];
        assert_eq!(read(&mut ours, &mut bytes).await.unwrap(), 4);
        assert_eq!(read(&mut ours, &mut bytes).await.unwrap(), 0);
        let error = poll_fn(|cx| Pin::new(&mut ours).poll_write(cx, b"x")).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::BrokenPipe);
    }

    #[tokio::test]
    async fn closing_ends_one_side_only() {
        let (mut ours, mut theirs) = pair();
        write_all(&mut ours, b"last").await;
        poll_fn(|cx| Pin::new(&mut ours).poll_close(cx)).await.unwrap();
        let mut all = Vec::new();
        theirs.read_to_end(&mut all).unwrap();
        assert_eq!(all, b"last");
        theirs.write_all(b"answer").unwrap();
        let mut bytes = [0; 100];
        assert_eq!(read(&mut ours, &mut bytes).await.unwrap(), 6);
    }
}
