//! Pipes for runtimes that have none: overlapped operations that wake a task of any runtime when they have ended.
//!
//! Reading starts with an operation that reads nothing and ends when there is something to read (as libuv does it). Then
//! the caller's buffer is filled at once, so a connection that waits has no buffer, and nothing is copied. Writing copies
//! into a buffer that belongs to the operation, because whoever writes may go away while the system still reads from it.

use super::stream::{WRITE_AT_MOST, is_gone};
use super::sys::port::{Operation, Pipe};
use super::{Job, PipeListener, PipeServer, PipeStream, raw, sys};
use crate::runtime::{Remote, Timer};
use futures_io::{AsyncRead, AsyncWrite};
use ipc_proto::{LocalAddress, Settings};
use std::fmt;
use std::future::Future;
use std::io::{self, IoSlice};
use std::os::windows::io::{AsHandle, BorrowedHandle, OwnedHandle};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Instant;
use windows_sys::Win32::Foundation::ERROR_OPERATION_ABORTED;

/// So often in a row reading may find nothing although something was announced, before others have their turn.
const NOTHING_IN_A_ROW: usize = 16;

/// A connected end of a byte pipe, of no runtime: it wakes whichever task waits, from a thread of its own that all of them
/// share, `ipc-pipes`.
///
/// One task reads and one writes; they may be the same. Writing is ready as soon as a copy is taken, of 64 KiB at most;
/// what becomes of it is said by the next write, and by [`poll_flush`](AsyncWrite::poll_flush), which is ready when all of it
/// is in the system's buffer or with the peer. [`poll_close`](AsyncWrite::poll_close) does no more than that, since a pipe
/// has no half-close; see [`PipeStream`]. Dropping it calls off what is being written. Reading is cancel safe: a future
/// that is dropped before it is ready has taken nothing out of the pipe.
#[derive(Debug)]
pub struct Overlapped {
    pipe: Pipe,
    /// Told when reading at once has ended, which only matters if it did not.
    event: OwnedHandle,
    reading: Operation,
    writing: Operation,
    /// Bytes of the buffer that is being written that are written.
    written: usize,
}

impl Overlapped {
    /// Takes a connected pipe that was opened with `FILE_FLAG_OVERLAPPED` and reads bytes, not messages.
    ///
    /// # Errors
    ///
    /// [`io::ErrorKind::InvalidInput`] if it was opened otherwise, or if a runtime has it; those of the system, the first time
    /// also that of making a thread.
    pub fn new(pipe: OwnedHandle) -> io::Result<Self> {
        let event = sys::event()?;
        let pipe = Pipe::register(pipe)?;
        Ok(Self { pipe, event, reading: Operation::new(), writing: Operation::new(), written: 0 })
    }

    /// Takes an instance of a server, opened as for [`new`](Self::new), and waits for its client.
    ///
    /// # Errors
    ///
    /// As [`new`](Self::new).
    pub fn accept(instance: OwnedHandle) -> io::Result<Connecting> {
        let mut pipe = Self::new(instance)?;
        pipe.reading.connect(&pipe.pipe)?;
        Ok(Connecting { pipe: Some(pipe) })
    }

    /// Whether memory of an operation is left, to be asked when it is dropped.
    #[cfg(test)]
    pub(super) fn watch(&self) -> impl Fn() -> bool + use<> {
        let (reading, writing) = (self.reading.watch(), self.writing.watch());
        move || reading() || writing()
    }

    /// Waits until nothing is being written.
    fn poll_written(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while let Some(result) = ready!(self.writing.poll(cx)) {
            self.advance(result)?;
        }
        Poll::Ready(Ok(()))
    }

    /// A write has ended: goes on with what it has left over.
    fn advance(&mut self, result: io::Result<usize>) -> io::Result<()> {
        let outcome = match result {
            Ok(0) => Err(io::ErrorKind::WriteZero.into()),
            Ok(count) => {
                self.written += count;
                if self.written < self.writing.filled() {
                    self.writing.write(&self.pipe, self.written)
                } else {
                    self.forget_written();
                    Ok(())
                }
            }
            Err(error) => Err(error),
        };
        if outcome.is_err() {
            self.forget_written();
        }
        outcome
    }

    fn forget_written(&mut self) {
        self.writing.clear();
        self.written = 0;
    }
}

impl AsHandle for Overlapped {
    fn as_handle(&self) -> BorrowedHandle<'_> {
        self.pipe.as_handle()
    }
}

impl AsyncRead for Overlapped {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        let this = &mut *self;
        if buffer.is_empty() {
            return Poll::Ready(Ok(0));
        }
        for _ in 0..NOTHING_IN_A_ROW {
            let found = match ready!(this.reading.poll(cx)) {
                None => this.reading.wait_for_data(&this.pipe).map(|()| None),
                Some(Ok(_)) => sys::read_now(this.pipe.as_handle(), this.event.as_handle(), buffer),
                // Somebody has called off all that happens on the pipe. This loses nothing and goes on.
                Some(Err(error)) if raw(&error) == Some(ERROR_OPERATION_ABORTED) => Ok(None),
                Some(Err(error)) => Err(error),
            };
            match found {
                // Who writes nothing at all seems to have written something.
                Ok(None | Some(0)) => {}
                Ok(Some(count)) => return Poll::Ready(Ok(count)),
                Err(error) if is_gone(&error) => return Poll::Ready(Ok(0)),
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

impl AsyncWrite for Overlapped {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(cx, &[IoSlice::new(bytes)])
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = &mut *self;
        ready!(this.poll_written(cx))?;
        let count = this.writing.fill(slices, WRITE_AT_MOST);
        if count == 0 {
            // Writing nothing would wake the peer for nothing.
            return Poll::Ready(Ok(0));
        }
        if let Err(error) = this.writing.write(&this.pipe, 0) {
            this.forget_written();
            return Poll::Ready(Err(error));
        }
        // What fits into the pipe is there already.
        while let Some(result) = this.writing.finished() {
            this.advance(result)?;
        }
        Poll::Ready(Ok(count))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_written(cx)
    }

    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_flush(cx)
    }
}

impl Drop for Overlapped {
    fn drop(&mut self) {
        // Else they would end only with the last handle of the pipe, which may not be ours.
        self.reading.cancel(&self.pipe);
        self.writing.cancel(&self.pipe);
    }
}

/// An instance of a server that waits for its client. Gives the pipe once the client is there, also if it has gone again;
/// dropping it closes the instance.
#[derive(Debug)]
pub struct Connecting {
    /// Until it is connected.
    pipe: Option<Overlapped>,
}

#[cfg(test)]
impl Connecting {
    pub(super) fn watch(&self) -> impl Fn() -> bool + use<> {
        self.pipe.as_ref().expect("not connected yet").watch()
    }
}

impl Future for Connecting {
    type Output = io::Result<Overlapped>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<Overlapped>> {
        if let Some(pipe) = &mut self.pipe {
            if let Some(Err(error)) = ready!(pipe.reading.poll(cx)) {
                return Poll::Ready(Err(error));
            }
        }
        Poll::Ready(self.pipe.take().ok_or_else(|| io::ErrorKind::NotConnected.into()))
    }
}

/// Connects to a pipe as a client, where all instances are busy after a while; see [`open`](super::open), whose errors it
/// has. `timer` is one of the runtime and `blocking` as in [`PipeStream::new`]. Dropping the future gives it up.
///
/// # Errors
///
/// Those of [`open`](super::open) and of [`Overlapped::new`].
pub async fn connect<T: Timer>(
    address: &LocalAddress,
    mut timer: T,
    now: impl Fn() -> Instant,
    blocking: fn(Job),
) -> io::Result<PipeStream<Overlapped, T>> {
    let pipe = super::open(address, &mut timer, now).await?;
    timer.set(None);
    Ok(PipeStream::new(Overlapped::new(pipe)?, timer, blocking, None))
}

/// A server of a pipe, of no runtime: the instances that wait for clients, and streams made of those that have one.
pub struct OverlappedListener<T> {
    listener: PipeListener<Connecting>,
    timer: fn() -> T,
    blocking: fn(Job),
}

impl<T: Timer> OverlappedListener<T> {
    /// Takes the name; see [`PipeServer::bind`]. `timer` makes one of the runtime that is not set, `blocking` is as in
    /// [`PipeStream::new`].
    ///
    /// # Errors
    ///
    /// Those of [`PipeServer::bind`] and of [`Overlapped::accept`].
    pub async fn bind(
        address: &LocalAddress,
        settings: &Settings,
        timer: fn() -> T,
        now: impl Fn() -> Instant,
        blocking: fn(Job),
    ) -> io::Result<Self> {
        let (server, first) = PipeServer::bind(address, settings, &mut timer(), now).await?;
        let listener = PipeListener::new(server, first, Overlapped::accept)?;
        Ok(Self { listener, timer, blocking })
    }

    /// The next client, and who it is.
    ///
    /// # Errors
    ///
    /// As [`PipeListener::poll_accept`].
    pub fn poll_accept(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<(PipeStream<Overlapped, T>, Remote)>> {
        let (pipe, claim, remote) = ready!(self.listener.poll_accept(cx))?;
        Poll::Ready(Ok((PipeStream::new(pipe, (self.timer)(), self.blocking, Some(claim)), remote)))
    }
}

impl<T> fmt::Debug for OverlappedListener<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("OverlappedListener").field(&self.listener).finish()
    }
}
