//! What stands in the place of TLS where the feature `tls` is off: types of which there are no values. A configuration
//! that asks for TLS is refused before it could need one.

use crate::runtime::{Remote, Runtime};
use futures_io::{AsyncRead, AsyncWrite};
use ipc_proto::{Endpoint, Settings};
use std::convert::Infallible;
use std::io;
use std::marker::PhantomData;
use std::pin::Pin;
use std::task::{Context, Poll};

#[derive(Clone)]
pub(crate) struct Connector(Infallible);

#[derive(Clone)]
pub(crate) struct Acceptor(Infallible);

#[derive(Debug)]
pub(crate) struct Stream<S>(Infallible, PhantomData<fn() -> S>);

impl Connector {
    pub(crate) fn of(_settings: &Settings, _endpoint: &Endpoint) -> Result<Option<Self>, crate::error::ConnectError> {
        Ok(None)
    }

    pub(crate) async fn connect<R: Runtime>(&self, _runtime: &R, _stream: R::Stream) -> io::Result<Stream<R::Stream>> {
        match self.0 {}
    }
}

impl Acceptor {
    pub(crate) fn of(_settings: &Settings, _endpoint: &Endpoint) -> Result<Option<Self>, crate::error::ServeError> {
        Ok(None)
    }

    pub(crate) async fn accept<R: Runtime>(&self, _runtime: &R, _stream: R::Stream) -> io::Result<Stream<R::Stream>> {
        match self.0 {}
    }
}

impl<S> Stream<S> {
    pub(crate) fn describe(&self, _remote: &mut Remote) {
        match self.0 {}
    }
}

impl<S> AsyncRead for Stream<S> {
    fn poll_read(self: Pin<&mut Self>, _cx: &mut Context<'_>, _buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        match self.0 {}
    }
}

impl<S> AsyncWrite for Stream<S> {
    fn poll_write(self: Pin<&mut Self>, _cx: &mut Context<'_>, _bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self.0 {}
    }

    fn poll_flush(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.0 {}
    }

    fn poll_close(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.0 {}
    }
}
