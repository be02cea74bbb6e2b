//! A connected pipe as a stream: what an end of stream is, how much is written at once, and how it ends without losing
//! what was written.
//!
//! A pipe cannot be closed in one direction. So our end waits until the peer has read everything, then a little longer for
//! what the peer has to say to that, and only then is it closed.

use super::claim::Claim;
use super::flush::{Flush, Job};
use super::{BUFFER, raw, sys};
use crate::runtime::Timer;
use futures_io::{AsyncRead, AsyncWrite};
use std::io::{self, IoSlice};
use std::os::windows::io::AsHandle;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};
use windows_sys::Win32::Foundation::ERROR_PIPE_NOT_CONNECTED;

/// How long the peer may be silent, once it has read everything we wrote, before our end is closed: time to answer what
/// it read last. Node waits as long.
const SILENCE: Duration = Duration::from_millis(50);

/// The most that is handed to the system at once: what fits into an empty pipe leaves at once, whatever becomes of the
/// connection afterwards.
pub(super) const WRITE_AT_MOST: usize = BUFFER as usize;

/// Slices of one vectored write.
const SLICES: usize = 16;

/// A peer may write nothing at all, which reads like the end; after so many in a row others have their turn.
const EMPTY_IN_A_ROW: usize = 16;

/// A connected end of a pipe. `P` is the runtime's pipe, `T` its timer.
///
/// [`poll_close`](AsyncWrite::poll_close) is ready when the peer has read everything and has then been silent for 50 ms, or
/// has ended; from then on reading, by the same task, gives the end of the stream. Dropping it before gives up what is not yet in the system's
/// buffer. The peer can read what is there in either case.
#[derive(Debug)]
pub struct PipeStream<P: AsHandle, T> {
    pipe: P,
    timer: T,
    /// Runs a job on a thread that may be blocked.
    blocking: fn(Job),
    ending: Ending,
    /// The peer has ended.
    eof: bool,
    _claim: Option<Claim>,
}

#[derive(Debug)]
enum Ending {
    /// Not yet.
    Open,
    /// Waiting for the peer to read.
    Flushing(Flush),
    /// Waiting for the peer to answer, or to end.
    Silence,
    Ended,
}

impl<P: AsHandle, T: Timer> PipeStream<P, T> {
    /// A pipe that is connected. `timer` is one that is not set; `blocking` runs a job on a thread that may be blocked, and
    /// is called from within the runtime. A server's has a `claim` to its name.
    pub fn new(pipe: P, timer: T, blocking: fn(Job), claim: Option<Claim>) -> Self {
        Self { pipe, timer, blocking, ending: Ending::Open, eof: false, _claim: claim }
    }

    fn wait_for_silence(&mut self) {
        self.ending = Ending::Silence;
        self.timer.set(Some(Instant::now() + SILENCE));
    }
}

impl<P: AsHandle + AsyncRead + Unpin, T: Timer> AsyncRead for PipeStream<P, T> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        let this = &mut *self;
        if this.eof || buffer.is_empty() || matches!(this.ending, Ending::Ended) {
            return Poll::Ready(Ok(0));
        }
        for _ in 0..EMPTY_IN_A_ROW {
            match ready!(Pin::new(&mut this.pipe).poll_read(cx, buffer)) {
                Ok(0) if !sys::is_over(this.pipe.as_handle()) => {}
                Ok(0) => {
                    this.eof = true;
                    return Poll::Ready(Ok(0));
                }
                Ok(count) => {
                    if matches!(this.ending, Ending::Silence) {
                        this.wait_for_silence();
                    }
                    return Poll::Ready(Ok(count));
                }
                // The peer broke the pipe, or the server disconnected it.
                Err(error) if is_gone(&error) => {
                    this.eof = true;
                    return Poll::Ready(Ok(0));
                }
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

impl<P: AsHandle + AsyncWrite + Unpin, T: Timer> AsyncWrite for PipeStream<P, T> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        // Writing nothing would look like an end to some peers.
        if bytes.is_empty() {
            return Poll::Ready(Ok(0));
        }
        let bytes = &bytes[..bytes.len().min(WRITE_AT_MOST)];
        Pin::new(&mut self.pipe).poll_write(cx, bytes).map_err(gone)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let mut room = WRITE_AT_MOST;
        let mut some = [IoSlice::new(&[]); SLICES];
        let mut filled = 0;
        for slice in slices.iter().filter(|slice| !slice.is_empty()) {
            if room == 0 || filled == SLICES {
                break;
            }
            let part = &slice[..slice.len().min(room)];
            room -= part.len();
            some[filled] = IoSlice::new(part);
            filled += 1;
        }
        if filled == 0 {
            return Poll::Ready(Ok(0));
        }
        Pin::new(&mut self.pipe).poll_write_vectored(cx, &some[..filled]).map_err(gone)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.pipe).poll_flush(cx)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        loop {
            if this.eof {
                // Nobody is left to read anything.
                this.ending = Ending::Ended;
            }
            match &this.ending {
                Ending::Open => {
                    let (flush, job) = Flush::new(this.pipe.as_handle())?;
                    (this.blocking)(job);
                    this.ending = Ending::Flushing(flush);
                }
                Ending::Flushing(flush) => {
                    ready!(flush.poll(cx));
                    this.wait_for_silence();
                }
                Ending::Silence => {
                    ready!(this.timer.poll_expired(cx));
                    this.ending = Ending::Ended;
                    // Reading has something to say now: the end.
                    cx.waker().wake_by_ref();
                }
                Ending::Ended => return Poll::Ready(Ok(())),
            }
        }
    }
}

impl<P: AsHandle, T> Drop for PipeStream<P, T> {
    fn drop(&mut self) {
        // Else what waits for a peer that does not read would keep the pipe open, and the peer would not learn of the end.
        sys::cancel(self.pipe.as_handle());
    }
}

/// Whether the error says that the other end is gone.
pub(super) fn is_gone(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::BrokenPipe || raw(error) == Some(ERROR_PIPE_NOT_CONNECTED)
}

/// One kind for all that say so.
fn gone(error: io::Error) -> io::Error {
    if is_gone(&error) && error.kind() != io::ErrorKind::BrokenPipe {
        return io::Error::new(io::ErrorKind::BrokenPipe, error);
    }
    error
}
