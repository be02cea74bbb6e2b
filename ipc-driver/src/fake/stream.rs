//! A connected pair of streams, and the handle by which a test looks at it and breaks it.

use super::clock::Clock;
use super::lock;
use super::pipe::{End, Pipe, Traffic};
use super::script::Script;
use futures_io::{AsyncRead, AsyncWrite};
use ipc_proto::SplitMix64;
use std::future::poll_fn;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

#[derive(Debug)]
struct Pipes {
    to_server: Pipe,
    to_client: Pipe,
    /// Ends that somebody holds.
    ends: usize,
}

/// A connection as a test sees it: what went through, and the power to break it. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Connection {
    pipes: Arc<Mutex<Pipes>>,
}

impl Connection {
    pub(super) fn new(script: Script, clock: &Arc<Clock>, rng: &mut SplitMix64) -> Self {
        let to_server = Pipe::new(script.to_server, clock, rng.next_u64());
        let to_client = Pipe::new(script.to_client, clock, rng.next_u64());
        Self { pipes: Arc::new(Mutex::new(Pipes { to_server, to_client, ends: 2 })) }
    }

    pub(super) fn streams(&self) -> (Stream, Stream) {
        (Stream { connection: self.clone(), client: true }, Stream { connection: self.clone(), client: false })
    }

    /// How many of its ends somebody holds, 2 at most.
    #[must_use]
    pub fn ends(&self) -> usize {
        lock(&self.pipes).ends
    }

    /// What went from client to server.
    #[must_use]
    pub fn to_server(&self) -> Traffic {
        lock(&self.pipes).to_server.traffic()
    }

    /// What went from server to client.
    #[must_use]
    pub fn to_client(&self) -> Traffic {
        lock(&self.pipes).to_client.traffic()
    }

    /// Changes how it behaves from now on.
    pub fn set_script(&self, script: Script) {
        let mut pipes = lock(&self.pipes);
        pipes.to_server.set_wire(script.to_server);
        pipes.to_client.set_wire(script.to_client);
    }

    /// Breaks it: both ends get `ECONNRESET` at once, and what is under way is lost.
    pub fn reset(&self) {
        let mut pipes = lock(&self.pipes);
        pipes.to_server.reset();
        pipes.to_client.reset();
    }
}

/// One end of a connection.
///
/// Dropping it closes it as the system does: the other end reads what is under way and then sees the end of the stream,
/// or `ECONNRESET` if this end left bytes unread.
#[derive(Debug)]
pub struct Stream {
    connection: Connection,
    client: bool,
}

impl Stream {
    fn incoming<T>(&self, use_pipe: impl FnOnce(&mut Pipe) -> T) -> T {
        let mut pipes = lock(&self.connection.pipes);
        use_pipe(if self.client { &mut pipes.to_client } else { &mut pipes.to_server })
    }

    fn outgoing<T>(&self, use_pipe: impl FnOnce(&mut Pipe) -> T) -> T {
        let mut pipes = lock(&self.connection.pipes);
        use_pipe(if self.client { &mut pipes.to_server } else { &mut pipes.to_client })
    }

    /// The connection it is an end of.
    #[must_use]
    pub fn connection(&self) -> &Connection {
        &self.connection
    }

    /// Writes all of `bytes`.
    ///
    /// # Errors
    ///
    /// As a write to a socket.
    pub async fn send(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            let count = poll_fn(|cx| Pin::new(&mut *self).poll_write(cx, bytes)).await?;
            bytes = &bytes[count..];
        }
        Ok(())
    }

    /// Waits for bytes and gives those that one read brings, 64 KiB at most; none at the end of the stream.
    ///
    /// # Errors
    ///
    /// As a read from a socket.
    pub async fn receive(&mut self) -> io::Result<Vec<u8>> {
        let mut buffer = vec![0; 64 * 1024];
        let count = poll_fn(|cx| Pin::new(&mut *self).poll_read(cx, &mut buffer)).await?;
        buffer.truncate(count);
        Ok(buffer)
    }

    /// Everything up to the end of the stream.
    ///
    /// # Errors
    ///
    /// As a read from a socket.
    pub async fn receive_all(&mut self) -> io::Result<Vec<u8>> {
        let mut all = Vec::new();
        loop {
            let bytes = self.receive().await?;
            if bytes.is_empty() {
                return Ok(all);
            }
            all.extend(bytes);
        }
    }

    /// Says that nothing follows from this end; it may still read.
    pub fn finish(&self) {
        self.outgoing(|pipe| pipe.finish(End::Eof));
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        lock(&self.connection.pipes).ends -= 1;
        let unread = self.incoming(Pipe::leave);
        self.outgoing(|pipe| pipe.finish(if unread { End::Reset } else { End::Eof }));
    }
}

impl AsyncRead for Stream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        self.incoming(|pipe| pipe.poll_read(cx, buffer))
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.outgoing(|pipe| pipe.poll_write(cx, &[IoSlice::new(bytes)]))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.outgoing(|pipe| pipe.poll_write(cx, slices))
    }

    fn poll_flush(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_close(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.finish();
        Poll::Ready(Ok(()))
    }
}
