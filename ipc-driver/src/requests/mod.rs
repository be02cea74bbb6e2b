//! Requests and async handlers: what a connection has of them, and how the machines of `ipc-proto` are driven.
//!
//! A connection that never asks and whose handlers are all inline has two empty cells here and nothing else.

mod answer;
mod ask;
mod error;
mod hear;
mod pending;
mod tasks;

pub use answer::IntoReply;
pub use ask::PendingRequest;
pub use error::RequestError;

pub(crate) use answer::{decline, handle, handle_async};
pub(crate) use ask::Asker;
pub(crate) use hear::{Order, hear_async};
use tasks::Tasks;

use crate::client::Emitter;
use crate::error::BoxError;
use crate::link::Link;
use crate::peer::Peer;
use crate::runtime::{Runtime, Timer};
use ipc_proto::{Event, REPLY_EVENT, Reply, RequestCounters, RequestOptions, Settings};
use pending::Pending;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering, fence};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::task::{Context, Poll};
use std::time::Instant;

/// A runtime whose type is forgotten, for handles that do not name it.
trait Engine: Send + Sync {
    fn now(&self) -> Instant;
    fn seed(&self) -> u64;
    fn timer(&self) -> Box<dyn Timer>;
    fn spawn(&self, task: Pin<Box<dyn Future<Output = ()> + Send>>);
}

struct On<R>(R);

impl<R: Runtime> Engine for On<R> {
    fn now(&self) -> Instant {
        self.0.now()
    }

    fn seed(&self) -> u64 {
        self.0.seed()
    }

    fn timer(&self) -> Box<dyn Timer> {
        Box::new(self.0.timer())
    }

    fn spawn(&self, task: Pin<Box<dyn Future<Output = ()> + Send>>) {
        self.0.spawn(task);
    }
}

/// What all connections of a handle have in common.
pub(crate) struct Common {
    engine: Box<dyn Engine>,
    pub(crate) settings: Settings,
    /// The lock protects nothing else.
    options: Mutex<RequestOptions>,
}

impl Common {
    pub(crate) fn new<R: Runtime>(runtime: R, settings: Settings) -> Arc<Self> {
        Arc::new(Self { engine: Box::new(On(runtime)), settings, options: Mutex::default() })
    }

    pub(crate) fn options(&self) -> RequestOptions {
        *self.options.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// From the next request on.
    pub(crate) fn set_options(&self, options: RequestOptions) {
        *self.options.lock().unwrap_or_else(PoisonError::into_inner) = options;
    }
}

/// Where requests and events come from and replies go to: a peer, or a client by its emitter.
pub(crate) trait Party: Send + Sync + 'static {
    fn link(&self) -> &Link;
    fn session(&self) -> &Session;
}

impl Party for Peer {
    fn link(&self) -> &Link {
        &self.inner.link
    }

    fn session(&self) -> &Session {
        &self.inner.session
    }
}

impl Party for Emitter {
    fn link(&self) -> &Link {
        self.link()
    }

    fn session(&self) -> &Session {
        self.session()
    }
}

/// The requests and async handlers of one peer, or of one client in all its connections.
pub(crate) struct Session {
    pub(crate) common: Arc<Common>,
    /// Present once something was asked.
    pending: OnceLock<Arc<Pending>>,
    /// Present once an async handler was run.
    tasks: OnceLock<Arc<Tasks>>,
    /// There will be no connection any more.
    finished: AtomicBool,
}

impl Session {
    pub(crate) fn new(common: Arc<Common>) -> Self {
        Self { common, pending: OnceLock::new(), tasks: OnceLock::new(), finished: AtomicBool::new(false) }
    }

    fn pending(&self) -> &Arc<Pending> {
        let pending = self.pending.get_or_init(|| Pending::new(self.common.engine.seed()));
        // Whoever comes too late finishes it: of the two that look, one sees what the other has written before.
        fence(Ordering::SeqCst);
        if self.finished.load(Ordering::Relaxed) {
            pending.finish();
        }
        pending
    }

    fn tasks(&self) -> &Arc<Tasks> {
        self.tasks.get_or_init(Arc::default)
    }

    /// Gives a reply to whoever waits for it. `false` if the event is none: then it is for handlers.
    #[inline]
    pub(crate) fn takes_reply(&self, event: &Event<'_>) -> bool {
        let Some(pending) = self.pending.get() else { return false };
        if event.name() != REPLY_EVENT {
            return false;
        }
        let Some(reply) = Reply::parse(event) else { return false };
        if !pending.take(reply) && !self.common.settings.config().silent {
            tracing::debug!(target: "ipc", "dropped a reply that nobody waits for");
        }
        true
    }

    /// Whether [`poll_room`](Self::poll_room) has something to say.
    #[inline]
    pub(crate) fn has_news(&self) -> bool {
        self.tasks.get().is_some_and(|tasks| tasks.has_news())
    }

    /// Ready unless as many async handlers of events are under way as may. Tells `failed` of those that have ended with an
    /// error.
    pub(crate) fn poll_room(&self, cx: &mut Context<'_>, failed: impl FnMut(&str, BoxError)) -> Poll<()> {
        self.tasks.get().map_or(Poll::Ready(()), |tasks| tasks.poll_room(cx, failed))
    }

    /// Ready when no async handler of a request is under way.
    pub(crate) fn poll_answered(&self, cx: &Context<'_>) -> Poll<()> {
        self.tasks.get().map_or(Poll::Ready(()), |tasks| tasks.poll_answered(cx))
    }

    /// How many requests of the other side had no answer when their connection ended.
    pub(crate) fn unanswered(&self) -> usize {
        self.tasks.get().map_or(0, |tasks| tasks.unanswered())
    }

    /// The connection was told to close, or has ended: no reply will be waited for. The next one begins afresh.
    pub(crate) fn hang_up(&self) {
        if let Some(pending) = self.pending.get() {
            pending.hang_up();
        }
    }

    /// The connection has ended: requests fail, and the futures of its handlers are dropped. Tells `failed` of those that
    /// ended with an error before.
    pub(crate) fn disconnected(&self, failed: impl FnMut(&str, BoxError)) {
        self.hang_up();
        if let Some(tasks) = self.tasks.get() {
            tasks.cancel(failed);
        }
    }

    /// There will be no connection any more.
    pub(crate) fn finish(&self) {
        self.finished.store(true, Ordering::Relaxed);
        fence(Ordering::SeqCst);
        if let Some(pending) = self.pending.get() {
            pending.finish();
        }
        if let Some(tasks) = self.tasks.get() {
            tasks.cancel(|_, _| {});
        }
    }

    pub(crate) fn counters(&self) -> RequestCounters {
        self.pending.get().map(|pending| pending.counters()).unwrap_or_default()
    }
}
