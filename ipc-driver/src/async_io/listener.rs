//! Listening sockets.

#[cfg(windows)]
use super::Timer;
use super::{Stream, Way, poll_io};
use crate::net;
#[cfg(windows)]
use crate::net::pipe::OverlappedListener;
use crate::runtime::{Listener as Listen, Remote};
use ::async_io::Async;
use ipc_proto::Endpoint;
use std::io;
use std::net::TcpListener;
#[cfg(unix)]
use std::os::fd::{AsFd, OwnedFd};
#[cfg(unix)]
use std::os::unix::net::UnixListener;
use std::task::{Context, Poll, ready};

/// A listening socket of any transport.
#[derive(Debug)]
pub struct Listener {
    socket: Socket,
    endpoint: Endpoint,
}

#[derive(Debug)]
enum Socket {
    #[cfg(unix)]
    Unix {
        /// Removes the file when the listener is dropped, before the socket is closed.
        file: Option<net::SocketFile>,
        socket: Async<UnixListener>,
    },
    #[cfg(windows)]
    Pipe(OverlappedListener<Timer>),
    Tcp(Async<TcpListener>),
}

impl Listener {
    #[cfg(windows)]
    pub(super) fn pipe(pipe: OverlappedListener<Timer>, endpoint: Endpoint) -> Self {
        Self { socket: Socket::Pipe(pipe), endpoint }
    }

    pub(super) fn new(listening: net::Listening, endpoint: Endpoint) -> io::Result<Self> {
        let socket = match listening {
            #[cfg(unix)]
            net::Listening::Unix { file, socket } => Socket::Unix { file, socket: Async::new(socket)? },
            net::Listening::Tcp(socket) => Socket::Tcp(Async::new(socket)?),
        };
        Ok(Self { socket, endpoint })
    }
}

impl Listen for Listener {
    type Stream = Stream;

    fn poll_accept(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<(Stream, Remote)>> {
        match &mut self.socket {
            #[cfg(unix)]
            Socket::Unix { socket, .. } => {
                let (stream, _) = ready!(poll_io(socket, Way::Read, cx, UnixListener::accept))?;
                // Where the system does not tell, an accept filter sees that nothing is known.
                let remote = Remote::with_credentials(net::peer_credentials(&stream).ok());
                Poll::Ready(Stream::unix(stream).map(|stream| (stream, remote)))
            }
            #[cfg(windows)]
            Socket::Pipe(pipe) => pipe.poll_accept(cx).map_ok(|(pipe, remote)| (Stream::pipe(pipe), remote)),
            Socket::Tcp(socket) => {
                let (stream, address) = ready!(poll_io(socket, Way::Read, cx, TcpListener::accept))?;
                net::prepare_accepted(socket.get_ref(), &stream);
                Poll::Ready(Stream::tcp(stream).map(|stream| (stream, Remote::at(address))))
            }
        }
    }

    fn local_endpoint(&self) -> Endpoint {
        self.endpoint.clone()
    }

    #[cfg(unix)]
    fn duplicate(&self) -> io::Result<OwnedFd> {
        match &self.socket {
            Socket::Unix { socket, .. } => socket.as_fd().try_clone_to_owned(),
            Socket::Tcp(socket) => socket.as_fd().try_clone_to_owned(),
        }
    }

    #[cfg(unix)]
    fn file(&self) -> Option<&net::SocketFile> {
        match &self.socket {
            Socket::Unix { file, .. } => file.as_ref(),
            Socket::Tcp(_) => None,
        }
    }
}
