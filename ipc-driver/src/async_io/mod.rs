//! A whole [`Runtime`] on top of [async-io](https://docs.rs/async-io), but for one thing: where tasks run.
//!
//! smol, async-std and many an executor of one's own share async-io's reactor. Whoever has such an executor implements
//! [`Spawn`] and has a runtime. The reactor needs no set-up: a thread of its own drives it where nobody else does.
//!
//! Sockets are made by [`net`], as for every adapter; what is here waits for them.

mod datagrams;
mod listener;
mod stream;
mod timer;

pub use datagrams::Datagrams;
pub use listener::Listener;
pub use stream::Stream;
pub use timer::Timer;

use crate::net;
use crate::runtime::{Address, Runtime};
use ipc_proto::{Endpoint, Settings};
use std::future::Future;
use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::task::{Context, Poll, ready};
#[cfg(windows)]
use std::time::Instant;

/// An executor beside async-io's reactor. Cheap to clone; a clone is the same executor.
///
/// ```
/// use ipc_driver::async_io::Spawn;
/// use std::sync::Arc;
///
/// #[derive(Clone)]
/// struct Own(Arc<async_executor::Executor<'static>>);
///
/// impl Spawn for Own {
///     fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
///         self.0.spawn(task).detach();
///     }
/// }
///
/// type Client = ipc_driver::Client<Own>;
/// # use std::future::Future;
/// # fn is_used(_: &Client) {}
/// ```
pub trait Spawn: Clone + Send + Sync + 'static {
    /// Runs `task` to its end in the background.
    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static);
}

impl<S: Spawn> Runtime for S {
    type Stream = Stream;
    type Listener = Listener;
    type Datagrams = Datagrams;
    type Timer = Timer;

    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        Spawn::spawn(self, task);
    }

    fn timer(&self) -> Timer {
        Timer::new()
    }

    async fn resolve(&self, host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        let host = host.to_owned();
        blocking::unblock(move || (host, port).to_socket_addrs().map(Iterator::collect)).await
    }

    async fn connect(&self, address: &Address, settings: &Settings) -> io::Result<Stream> {
        match address {
            #[cfg(unix)]
            Address::Local(address) => Stream::connect_unix(&net::local_path(address)?).await,
            #[cfg(windows)]
            Address::Local(address) => {
                Ok(Stream::pipe(net::pipe::connect(address, Timer::new(), Instant::now, detach).await?))
            }
            Address::Tcp(address) => Stream::connect_tcp(net::tcp_socket(*address, settings)?, *address).await,
        }
    }

    async fn listen(&self, endpoint: &Endpoint, addresses: &[SocketAddr], settings: &Settings) -> io::Result<Listener> {
        #[cfg(windows)]
        if let Endpoint::Local(address) = endpoint {
            let pipe = net::pipe::OverlappedListener::bind(address, settings, Timer::new, Instant::now, detach).await?;
            return Ok(Listener::pipe(pipe, endpoint.clone()));
        }
        let (listening, endpoint) = net::listen(endpoint, addresses, settings)?;
        self.adopt(listening, endpoint)
    }

    fn adopt(&self, listening: net::Listening, endpoint: Endpoint) -> io::Result<Listener> {
        Listener::new(listening, endpoint)
    }

    fn bind(&self, addresses: &[SocketAddr], _settings: &Settings) -> io::Result<Datagrams> {
        Datagrams::new(net::bind_udp(addresses)?)
    }
}

/// Runs a job on the threads that may be blocked. (The reactor cannot wait for pipes; `net::pipe` waits for them itself.)
#[cfg(windows)]
fn detach(job: net::pipe::Job) {
    blocking::unblock(job).detach();
}

/// Which way to wait for.
#[derive(Clone, Copy)]
enum Way {
    Read,
    Write,
}

/// Tries an operation on a non-blocking socket until it is done or has to wait.
fn poll_io<T, R>(
    socket: &::async_io::Async<T>,
    way: Way,
    cx: &mut Context<'_>,
    mut operation: impl FnMut(&T) -> io::Result<R>,
) -> Poll<io::Result<R>> {
    loop {
        match operation(socket.get_ref()) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            done => return Poll::Ready(done),
        }
        ready!(match way {
            Way::Read => socket.poll_readable(cx),
            Way::Write => socket.poll_writable(cx),
        })?;
    }
}
