//! The adapter: [`Own`] is a runtime for the driver, with its sockets in `sockets`.
//!
//! Two threads do everything. One runs tasks (`executor`), the other waits for sockets and timers and wakes tasks (`reactor`). Both end
//! when the last [`Own`] is gone, and every task of the driver has one.

mod executor;
mod reactor;
mod sockets;

use executor::Queue;
use ipc_driver::net::{self, Listening};
use ipc_driver::runtime::{Address, Ambient, Runtime};
use ipc_driver::{Endpoint, Settings};
use reactor::{Reactor, Timer};
use sockets::{Datagrams, Listener, Stream};
use std::cell::RefCell;
use std::future::Future;
use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::sync::{Arc, Weak};
use std::thread;

thread_local! {
    /// The runtime that this thread runs tasks of, or blocks on a future for.
    static CURRENT: RefCell<Weak<Core>> = const { RefCell::new(Weak::new()) };
}

/// A runtime. Clones are the same one.
#[derive(Clone)]
pub(crate) struct Own(Arc<Core>);

struct Core {
    queue: Arc<Queue>,
    reactor: Arc<Reactor>,
}

impl Drop for Core {
    fn drop(&mut self) {
        // On whichever thread this is: nobody waits for the end of another.
        self.queue.close();
        self.reactor.close();
    }
}

impl Own {
    /// Starts the two threads.
    pub(crate) fn start() -> io::Result<Self> {
        let core = Arc::new(Core { queue: Arc::default(), reactor: Arc::new(Reactor::new()?) });
        let (queue, weak) = (Arc::clone(&core.queue), Arc::downgrade(&core));
        thread::Builder::new().name("tasks".into()).spawn(move || {
            CURRENT.set(weak);
            queue.run();
        })?;
        let reactor = Arc::clone(&core.reactor);
        thread::Builder::new().name("sockets".into()).spawn(move || reactor.run())?;
        Ok(Self(core))
    }

    /// Runs a future on the calling thread. Tasks run on theirs meanwhile.
    pub(crate) fn block_on<F: Future>(&self, future: F) -> F::Output {
        let before = CURRENT.replace(Arc::downgrade(&self.0));
        let output = executor::block_on(future);
        CURRENT.set(before);
        output
    }
}

impl Ambient for Own {
    fn ambient() -> io::Result<Self> {
        let current = CURRENT.with_borrow(Weak::upgrade);
        current.map(Self).ok_or_else(|| io::Error::other("call this in a task of `Own` or within its `block_on`"))
    }
}

impl Runtime for Own {
    type Stream = Stream;
    type Listener = Listener;
    type Datagrams = Datagrams;
    type Timer = Timer;

    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.0.queue.spawn(task);
    }

    // `give_way` is the default, a wake-up at once: it puts the task behind all others in the queue, and the thread that looks at
    // sockets and timers goes on in any case.

    fn timer(&self) -> Timer {
        Timer::new(Arc::clone(&self.0.reactor))
    }

    async fn resolve(&self, host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        let host = host.to_owned();
        // The resolver of the system blocks, so never on the thread of the tasks.
        executor::on_thread(move || (host, port).to_socket_addrs().map(Iterator::collect)).await?
    }

    async fn connect(&self, address: &Address, settings: &Settings) -> io::Result<Stream> {
        match address {
            #[cfg(unix)]
            Address::Local(address) => sockets::connect_local(&self.0.reactor, &net::local_path(address)?).await,
            Address::Tcp(address) => sockets::connect_tcp(&self.0.reactor, *address, settings).await,
            other => Err(net::unsupported(format_args!("{other:?}"))),
        }
    }

    async fn listen(&self, endpoint: &Endpoint, addresses: &[SocketAddr], settings: &Settings) -> io::Result<Listener> {
        let (listening, endpoint) = net::listen(endpoint, addresses, settings)?;
        self.adopt(listening, endpoint)
    }

    fn adopt(&self, listening: Listening, endpoint: Endpoint) -> io::Result<Listener> {
        Listener::new(&self.0.reactor, listening, endpoint)
    }

    fn bind(&self, addresses: &[SocketAddr], _settings: &Settings) -> io::Result<Datagrams> {
        Datagrams::new(&self.0.reactor, net::bind_udp(addresses)?)
    }
}
