//! A runtime without an operating system: tasks on one thread, a virtual clock, sockets in memory.
//!
//! The same driver code runs on it as on a real runtime. Nothing sleeps: when every task waits, the clock jumps to the
//! next timer. All chance (which task runs next, how reads and writes are cut) comes from one seed, so that a failing
//! seed replays. What a network does to a connection is said by a [`Script`], what it does to an attempt to connect by a
//! [`Dial`], and what it does to datagrams by a [`Weather`].
//!
//! ```
//! use ipc_driver::fake::Fake;
//! use ipc_driver::{Client, Config, Endpoint, Server};
//!
//! let runtime = Fake::new(7);
//! let settings = ipc_driver::build(Config::new("world"))?;
//! let endpoint = Endpoint::local(&settings, None)?;
//! let server = Server::with_runtime(runtime.clone(), settings.clone(), endpoint.clone())?;
//! server.on("hello", |peer, name: String| peer.emit("hello", &format!("{name} too")));
//! let client = Client::with_runtime(runtime.clone(), settings, endpoint)?;
//! let mut events = client.events();
//! runtime.block_on(async {
//!     server.start().await?;
//!     client.connect().await?;
//!     client.emit("hello", "you")?;
//!     while let Some(event) = events.recv().await {
//!         if let ipc_driver::ClientEvent::Message(message) = event {
//!             assert_eq!(message.data::<String>()?, "you too");
//!             break;
//!         }
//!     }
//!     Ok::<(), Box<dyn std::error::Error>>(())
//! })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod clock;
mod datagrams;
mod executor;
mod network;
mod pipe;
mod script;
mod stream;

pub use clock::Timer;
pub use datagrams::{Datagrams, Ether, Weather};
pub use executor::Task;
pub use network::{Listener, Network};
pub use pipe::Traffic;
pub use script::{Dial, Script, Sizes, Wire};
pub use stream::{Connection, Stream};

use crate::runtime::{Address, Ambient, Runtime, Timer as _};
use clock::Clock;
use executor::Executor;
use ipc_proto::{Endpoint, Settings, SplitMix64};
use std::cell::RefCell;
use std::fmt;
use std::future::{Future, poll_fn};
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// The runtime. Cheap to clone; a clone is the same runtime.
#[derive(Clone)]
pub struct Fake {
    inner: Arc<Inner>,
}

struct Inner {
    clock: Arc<Clock>,
    executor: Executor,
    network: Network,
    ether: Ether,
    seed: Mutex<SplitMix64>,
}

thread_local! {
    static CURRENT: RefCell<Option<Fake>> = const { RefCell::new(None) };
}

impl Fake {
    /// A runtime whose every choice follows from `seed`.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        let mut seeds = SplitMix64::new(seed);
        let clock = Arc::new(Clock::new());
        let executor = Executor::new(Arc::clone(&clock), seeds.next_u64());
        let network = Network::new(Arc::clone(&clock), seeds.next_u64());
        let ether = Ether::new(Arc::clone(&clock), seeds.next_u64());
        Self { inner: Arc::new(Inner { clock, executor, network, ether, seed: Mutex::new(seeds) }) }
    }

    /// Runs `main` and every task beside it until `main` is done. When all of them wait, time moves on to the next timer.
    ///
    /// # Panics
    ///
    /// If all wait and no timer is set, if `main` takes more than a day of virtual time, if tasks are polled a million
    /// times, or if `main` panics. A panic of another task ends that task only, see [`panics`](Self::panics).
    pub fn block_on<T>(&self, main: impl Future<Output = T>) -> T {
        let _entered = self.enter();
        self.inner.executor.block_on(main)
    }

    /// Runs what can run now; time stands still.
    pub fn run(&self) {
        let _entered = self.enter();
        self.inner.executor.run();
    }

    /// Lets `time` pass, and runs what becomes ready on the way.
    pub fn advance(&self, time: Duration) {
        let _entered = self.enter();
        self.inner.executor.advance(time);
    }

    /// The time since the runtime was made.
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        self.inner.clock.elapsed()
    }

    /// Waits.
    pub async fn sleep(&self, time: Duration) {
        let mut timer = self.timer();
        timer.set(Some(self.now() + time));
        poll_fn(|cx| timer.poll_expired(cx)).await;
    }

    /// The tasks that have not come to their end, in the order of their start.
    #[must_use]
    pub fn tasks(&self) -> Vec<Task> {
        self.inner.executor.tasks()
    }

    /// How many timers are waited for.
    #[must_use]
    pub fn timers(&self) -> usize {
        self.inner.clock.waiting()
    }

    /// What the tasks said that panicked.
    #[must_use]
    pub fn panics(&self) -> Vec<String> {
        self.inner.executor.panics()
    }

    /// Drops every task as it stands, as a runtime does that is shut down.
    pub fn drop_tasks(&self) {
        self.inner.executor.drop_tasks();
    }

    /// The network of this runtime.
    #[must_use]
    pub fn network(&self) -> &Network {
        &self.inner.network
    }

    /// What carries the datagrams of this runtime.
    #[must_use]
    pub fn ether(&self) -> &Ether {
        &self.inner.ether
    }

    fn enter(&self) -> impl Drop {
        struct Restore(Option<Fake>);
        impl Drop for Restore {
            fn drop(&mut self) {
                CURRENT.set(self.0.take());
            }
        }
        Restore(CURRENT.replace(Some(self.clone())))
    }
}

impl fmt::Debug for Fake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fake").field("elapsed", &self.elapsed()).field("tasks", &self.tasks()).finish()
    }
}

impl Runtime for Fake {
    type Stream = Stream;
    type Listener = Listener;
    type Datagrams = Datagrams;
    type Timer = Timer;

    fn now(&self) -> Instant {
        self.inner.clock.now()
    }

    fn seed(&self) -> u64 {
        lock(&self.inner.seed).next_u64()
    }

    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.inner.executor.spawn(task);
    }

    fn timer(&self) -> Timer {
        Timer::new(Arc::clone(&self.inner.clock))
    }

    async fn resolve(&self, host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        self.inner.network.resolve(host, port)
    }

    async fn connect(&self, address: &Address, _settings: &Settings) -> io::Result<Stream> {
        let endpoint = &match address {
            Address::Local(address) => Endpoint::Local(address.clone()),
            Address::Tcp(address) => Endpoint::Tcp { host: address.ip().to_string(), port: address.port() },
        };
        match self.inner.network.next_dial(endpoint) {
            Some(Dial::Fail(kind)) => return Err(kind.into()),
            Some(Dial::Hang) => std::future::pending().await,
            Some(Dial::After(time)) => self.sleep(time).await,
            Some(Dial::Normal) | None => {}
        }
        self.inner.network.connect(endpoint)
    }

    async fn listen(&self, endpoint: &Endpoint, addresses: &[SocketAddr], settings: &Settings) -> io::Result<Listener> {
        let delay = self.inner.network.listen_delay();
        if delay > Duration::ZERO {
            self.sleep(delay).await;
        }
        let endpoint = match addresses.first() {
            Some(address) => Endpoint::Tcp { host: address.ip().to_string(), port: address.port() },
            None => endpoint.clone(),
        };
        self.inner.network.listen(&endpoint, settings.config().accept_backlog as usize)
    }

    fn bind(&self, addresses: &[SocketAddr], _settings: &Settings) -> io::Result<Datagrams> {
        crate::net::first_of(addresses, |address| self.inner.ether.bind(address))
    }
}

impl Ambient for Fake {
    fn ambient() -> io::Result<Self> {
        CURRENT.with_borrow(Clone::clone).ok_or_else(|| io::Error::other("no fake runtime runs on this thread"))
    }
}

/// Locks, whatever panicked before: a test that panics on purpose goes on.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
