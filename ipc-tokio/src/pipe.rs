//! Tokio's named pipes as what the driver takes for a pipe, and as a listener.

use crate::runtime::Timer;
use crate::stream::Stream;
use futures_io::{AsyncRead, AsyncWrite};
use ipc_driver::net::pipe::{Job, PipeListener, PipeServer, PipeStream};
use ipc_driver::runtime::Remote;
use std::future::Future;
use std::io::{self, IoSlice};
use std::os::windows::io::{AsHandle, BorrowedHandle, IntoRawHandle, OwnedHandle, RawHandle};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead as _, AsyncWrite as _, ReadBuf};
use tokio::net::windows::named_pipe::{NamedPipeClient, NamedPipeServer};
use tokio::runtime::Handle;

/// A connected pipe.
pub(crate) type Pipe = PipeStream<End, Timer>;

/// One end of a pipe.
#[derive(Debug)]
pub enum End {
    /// An instance of a server.
    Server(NamedPipeServer),
    /// A client's.
    Client(NamedPipeClient),
}

/// Runs an expression on whichever end it is.
macro_rules! on_end {
    ($end:expr, $pipe:ident => $run:expr) => {
        match $end {
            End::Server($pipe) => $run,
            End::Client($pipe) => $run,
        }
    };
}

impl AsHandle for End {
    fn as_handle(&self) -> BorrowedHandle<'_> {
        on_end!(self, pipe => pipe.as_handle())
    }
}

impl AsyncRead for End {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        let mut buffer = ReadBuf::new(buffer);
        ready!(on_end!(self.get_mut(), pipe => Pin::new(pipe).poll_read(cx, &mut buffer)))?;
        Poll::Ready(Ok(buffer.filled().len()))
    }
}

impl AsyncWrite for End {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        on_end!(self.get_mut(), pipe => Pin::new(pipe).poll_write(cx, bytes))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        on_end!(self.get_mut(), pipe => Pin::new(pipe).poll_write_vectored(cx, slices))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        on_end!(self.get_mut(), pipe => Pin::new(pipe).poll_flush(cx))
    }

    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        on_end!(self.get_mut(), pipe => Pin::new(pipe).poll_shutdown(cx))
    }
}

/// Runs a job on this runtime's blocking threads.
fn blocking(job: Job) {
    drop(Handle::current().spawn_blocking(job));
}

/// A client's end that is open. To be called from within the runtime.
pub(crate) fn client(pipe: OwnedHandle, timer: Timer) -> io::Result<Stream> {
    let end = End::Client(wrap(pipe, NamedPipeClient::from_raw_handle)?);
    Ok(Stream::Pipe(PipeStream::new(end, timer, blocking, None)))
}

/// A server's instance that is waiting for its client.
type Waiting = Pin<Box<dyn Future<Output = io::Result<NamedPipeServer>> + Send>>;

/// The instances of a pipe that wait for clients.
#[derive(Debug)]
pub(crate) struct Listener {
    instances: PipeListener<Waiting>,
    handle: Handle,
}

impl Listener {
    /// To be called from within the runtime.
    pub(crate) fn new(server: PipeServer, first: OwnedHandle, handle: Handle) -> io::Result<Self> {
        Ok(Self { instances: PipeListener::new(server, first, wait)?, handle })
    }

    pub(crate) fn poll_accept(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<(Stream, Remote)>> {
        let (pipe, claim, remote) = ready!(self.instances.poll_accept(cx))?;
        let timer = Timer::new(self.handle.clone());
        Poll::Ready(Ok((Stream::Pipe(PipeStream::new(End::Server(pipe), timer, blocking, Some(claim))), remote)))
    }
}

/// Waits for the client of an instance.
fn wait(instance: OwnedHandle) -> io::Result<Waiting> {
    let instance = wrap(instance, NamedPipeServer::from_raw_handle)?;
    Ok(Box::pin(async move {
        instance.connect().await?;
        Ok(instance)
    }))
}

/// Gives a pipe to Tokio.
#[allow(unsafe_code, reason = "Tokio takes handles in no other way")]
fn wrap<T>(pipe: OwnedHandle, from: unsafe fn(RawHandle) -> io::Result<T>) -> io::Result<T> {
    // SAFETY: the handle is that of a pipe, opened for overlapped use and owned by nobody else; Tokio closes it, also if it
    // fails.
    unsafe { from(pipe.into_raw_handle()) }
}
