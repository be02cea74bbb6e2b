//! Reading from a socket in large pieces. The TLS library asks for 4 KiB at a time, which would be a system call for each.
//!
//! The buffer is lent by the thread and given back when it is used up, so that an idle connection holds none.

use crate::scratch;
use futures_io::{AsyncRead, AsyncWrite};
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};

/// What one read of the socket may bring: four records of TLS.
const PIECE: usize = 64 * 1024;

/// A stream that is read ahead.
#[derive(Debug)]
pub(crate) struct Ahead<S> {
    stream: S,
    /// Read from the socket and not yet asked for: `piece[taken..filled]`.
    piece: Vec<u8>,
    taken: usize,
    filled: usize,
}

impl<S> Ahead<S> {
    pub(super) fn new(stream: S) -> Self {
        Self { stream, piece: Vec::new(), taken: 0, filled: 0 }
    }

    /// Whether a read would be answered without the socket.
    pub(super) fn has_more(&self) -> bool {
        self.taken < self.filled
    }

    fn take(&mut self, buffer: &mut [u8]) -> usize {
        let count = buffer.len().min(self.filled - self.taken);
        buffer[..count].copy_from_slice(&self.piece[self.taken..self.taken + count]);
        self.taken += count;
        if !self.has_more() {
            scratch::keep_piece(std::mem::take(&mut self.piece));
            (self.taken, self.filled) = (0, 0);
        }
        count
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Ahead<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        let this = &mut *self;
        if !this.has_more() {
            if buffer.len() >= PIECE {
                return Pin::new(&mut this.stream).poll_read(cx, buffer);
            }
            let mut piece = scratch::take_piece(PIECE);
            let outcome = Pin::new(&mut this.stream).poll_read(cx, &mut piece);
            let Poll::Ready(Ok(count @ 1..)) = outcome else {
                scratch::keep_piece(piece);
                return outcome;
            };
            (this.piece, this.taken, this.filled) = (piece, 0, count);
        }
        Poll::Ready(Ok(this.take(buffer)))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Ahead<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, slices)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_close(cx)
    }
}
