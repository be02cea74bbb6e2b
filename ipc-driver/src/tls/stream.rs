//! The encrypted stream of a connection, after its handshake.
//!
//! It ends as a plain one does: `poll_close` sends `close_notify` and shuts our side down, while the peer's can still be
//! read. A peer that ends its side without `close_notify`, as many do, has ended it: a message that was cut off is
//! noticed by the framing.

use super::ahead::Ahead;
use super::error::explain_later;
use crate::runtime::{Remote, TlsVersion};
use bytes::Bytes;
use futures_io::{AsyncRead, AsyncWrite};
use futures_rustls::TlsStream;
use rustls::ProtocolVersion;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

/// A stream of TLS over `S`.
#[derive(Debug)]
pub(crate) struct Stream<S> {
    tls: TlsStream<Ahead<S>>,
    /// Found while a read had brought something already; the next one says it.
    failed: Option<io::Error>,
    /// The peer has ended its side.
    eof: bool,
}

impl<S> Stream<S> {
    pub(super) fn new(tls: TlsStream<Ahead<S>>) -> Self {
        Self { tls, failed: None, eof: false }
    }

    /// Notes who is at the other end.
    pub(crate) fn describe(&self, remote: &mut Remote) {
        let certificates = self.session().peer_certificates().unwrap_or_default();
        remote.certificates = certificates.iter().map(|der| Bytes::copy_from_slice(der)).collect();
        remote.tls = match self.session().protocol_version() {
            Some(ProtocolVersion::TLSv1_2) => Some(TlsVersion::V1_2),
            _ => Some(TlsVersion::V1_3),
        };
    }

    pub(super) fn session(&self) -> &rustls::CommonState {
        self.tls.get_ref().1
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Stream<S> {
    /// One record's worth, and how it ends.
    fn poll_record(&mut self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        if let Some(error) = self.failed.take() {
            return Poll::Ready(Err(error));
        }
        if self.eof {
            return Poll::Ready(Ok(0));
        }
        let outcome = ready!(Pin::new(&mut self.tls).poll_read(cx, buffer));
        Poll::Ready(match outcome {
            Ok(0) if !buffer.is_empty() => {
                self.eof = true;
                Ok(0)
            }
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                self.eof = true;
                Ok(0)
            }
            Err(error) => Err(explain_later(error)),
            count => count,
        })
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for Stream<S> {
    /// Gives all records that one read of the socket has brought, not one at a time.
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        let mut count = ready!(self.poll_record(cx, buffer))?;
        while count > 0 && count < buffer.len() && self.tls.get_ref().0.has_more() {
            match self.poll_record(cx, &mut buffer[count..]) {
                Poll::Ready(Ok(more @ 1..)) => count += more,
                // Kept in `eof`.
                Poll::Ready(Ok(_)) => break,
                Poll::Ready(Err(error)) => {
                    self.failed = Some(error);
                    break;
                }
                Poll::Pending => break,
            }
        }
        Poll::Ready(Ok(count))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Stream<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.tls).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.tls).poll_write_vectored(cx, slices)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tls).poll_flush(cx)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tls).poll_close(cx)
    }
}
