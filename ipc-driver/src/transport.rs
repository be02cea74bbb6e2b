//! The stream of a connection: the runtime's own, or TLS on top of it.

use crate::tls;
use futures_io::{AsyncRead, AsyncWrite};
use ipc_proto::{Endpoint, Settings};
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};

/// A connected stream, in clear or not.
#[derive(Debug)]
pub(crate) enum Transport<S> {
    /// As the runtime gave it.
    Plain {
        stream: S,
        /// Nothing has been read yet, and what TLS begins with cannot be meant.
        wary: bool,
    },
    /// Encrypted, after the handshake.
    Tls(Box<tls::Stream<S>>),
}

impl<S> Transport<S> {
    /// A stream in clear. Over TCP, a peer that speaks TLS is told from one that sends events.
    pub(crate) fn plain(stream: S, endpoint: &Endpoint, settings: &Settings) -> Self {
        let wary = matches!(endpoint, Endpoint::Tcp { .. }) && !settings.config().raw_buffer;
        Self::Plain { stream, wary }
    }

    pub(crate) fn tls(stream: tls::Stream<S>) -> Self {
        Self::Tls(Box::new(stream))
    }
}

/// Whether these are the first bytes of a handshake or an alert. No event begins so, JSON having no such characters.
fn is_tls(bytes: &[u8]) -> bool {
    matches!(bytes, [0x15 | 0x16, 0x03, ..])
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for Transport<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        match &mut *self {
            Self::Plain { stream, wary } => {
                let outcome = Pin::new(stream).poll_read(cx, buffer);
                if let (true, Poll::Ready(Ok(count))) = (*wary, &outcome) {
                    *wary = false;
                    if is_tls(&buffer[..*count]) {
                        let error = "the peer speaks TLS, and the option tls is not set here";
                        return Poll::Ready(Err(io::Error::new(io::ErrorKind::InvalidData, error)));
                    }
                }
                outcome
            }
            Self::Tls(stream) => Pin::new(stream).poll_read(cx, buffer),
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Transport<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match &mut *self {
            Self::Plain { stream, .. } => Pin::new(stream).poll_write(cx, bytes),
            Self::Tls(stream) => Pin::new(stream).poll_write(cx, bytes),
        }
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match &mut *self {
            Self::Plain { stream, .. } => Pin::new(stream).poll_write_vectored(cx, slices),
            Self::Tls(stream) => Pin::new(stream).poll_write_vectored(cx, slices),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut *self {
            Self::Plain { stream, .. } => Pin::new(stream).poll_flush(cx),
            Self::Tls(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut *self {
            Self::Plain { stream, .. } => Pin::new(stream).poll_close(cx),
            Self::Tls(stream) => Pin::new(stream).poll_close(cx),
        }
    }
}
