//! What a client is doing, for a user interface: its state now, and each change.
//!
//! The state is read off [`ipc_proto::Client`] under its lock, whenever that may have changed, so that two threads cannot tell
//! of two changes in the wrong order.

use crate::error::ConnectionError;
use crate::watch::{Watch, Watcher};
use futures_core::Stream;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

/// What a client is doing: [`Client::state`](crate::Client::state).
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum ConnectionState {
    /// It was not told to connect yet.
    Idle,
    /// An attempt is under way.
    Connecting {
        /// Its number since the last connection, or since the client was started, from 1.
        attempt: u32,
    },
    /// It is connected.
    Connected,
    /// It waits to try again.
    Waiting {
        /// The number of the attempt that follows, since the last connection or since the client was started, from 1: it is 1
        /// when a connection was just lost, and 2 when the very first attempt has failed.
        attempt: u32,
        /// How long it waits, from the moment when it began to.
        retry_in: Duration,
        /// Why there is no connection; `None` if the server has just ended it.
        last_error: Option<ConnectionError>,
    },
    /// It was told to end, and is sending what is queued.
    Closing,
    /// It has come to its end. Its last state.
    Ended {
        /// Why.
        reason: EndReason,
        /// What went wrong last, if anything did since it was connected.
        last_error: Option<ConnectionError>,
    },
}

impl ConnectionState {
    /// Whether it is [`Connected`](Self::Connected).
    #[must_use]
    pub fn is_connected(&self) -> bool {
        matches!(self, Self::Connected)
    }

    /// Whether it is [`Ended`](Self::Ended).
    #[must_use]
    pub fn is_ended(&self) -> bool {
        matches!(self, Self::Ended { .. })
    }

    /// Whether a user would see no difference. One attempt follows another only after a wait, and one wait another only after an
    /// attempt.
    fn is_like(&self, other: &Self) -> bool {
        std::mem::discriminant(self) == std::mem::discriminant(other)
    }
}

/// Why a client has come to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum EndReason {
    /// It was closed, disconnected, or its last handle was dropped.
    Closed,
    /// `maxRetries` or `stopRetrying` allowed no further attempt.
    GaveUp,
    /// The server broke the protocol in a way that ends the client.
    Protocol,
    /// Its task was ended: a handler has panicked, or the runtime has ended.
    Aborted,
}

impl EndReason {
    pub(crate) fn words(self) -> &'static str {
        match self {
            Self::Closed => "as it was closed",
            Self::GaveUp => "as maxRetries or stopRetrying allowed no further attempt",
            Self::Protocol => "as the server broke the protocol",
            Self::Aborted => "as a handler has panicked or its runtime has ended",
        }
    }
}

/// The states of a client, the latest only: [`Client::states`](crate::Client::states).
///
/// A stream that begins with the state there is, and gives another one whenever it has changed since; who looks rarely misses
/// what was in between. It ends behind [`ConnectionState::Ended`]. The client never waits for it and is not kept alive by it.
/// Clones go on from where they were cloned.
///
/// ```
/// # use ipc_driver::{Client, Config, Endpoint, Server, fake::Fake};
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let runtime = Fake::new(1);
/// # let settings = ipc_driver::build(Config::new("world"))?;
/// # let endpoint = Endpoint::net(&settings, None, None)?;
/// # let server = Server::with_runtime(runtime.clone(), settings.clone(), endpoint.clone())?;
/// # let client = Client::with_runtime(runtime.clone(), settings, endpoint)?;
/// use ipc_driver::ConnectionState;
///
/// let mut states = client.states();
/// # runtime.block_on(async {
/// # server.start().await?;
/// assert!(matches!(states.recv().await, Some(ConnectionState::Idle)));
/// client.start();
/// states.wait_for(ConnectionState::is_connected).await.ok_or("it has ended")?;
/// client.disconnect();
/// states.wait_for(ConnectionState::is_ended).await.ok_or("it has ended before")?;
/// assert!(states.recv().await.is_none());
/// # Ok::<_, Box<dyn std::error::Error>>(())
/// # })?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct States(Watcher<ConnectionState>);

impl States {
    /// The state once it is another than the one given last; at first the one there is. `None` behind the last.
    ///
    /// Cancel safe: a dropped call loses nothing.
    pub async fn recv(&mut self) -> Option<ConnectionState> {
        std::future::poll_fn(|cx| self.0.poll_next(cx)).await
    }

    /// Waits for a state that is as wanted, and gives it; `None` if the client comes to its end without. Cancel safe.
    pub async fn wait_for(&mut self, mut wanted: impl FnMut(&ConnectionState) -> bool) -> Option<ConnectionState> {
        while let Some(state) = self.recv().await {
            if wanted(&state) {
                return Some(state);
            }
        }
        None
    }
}

impl Stream for States {
    type Item = ConnectionState;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<ConnectionState>> {
        self.0.poll_next(cx)
    }
}

/// Keeps the state of one client. Its locks come after that of the core.
#[derive(Debug)]
pub(super) struct Status {
    watch: Arc<Watch<ConnectionState>>,
    last_error: Mutex<Option<ConnectionError>>,
}

impl Default for Status {
    fn default() -> Self {
        Self { watch: Arc::new(Watch::new(ConnectionState::Idle)), last_error: Mutex::default() }
    }
}

impl Status {
    pub(super) fn get(&self) -> ConnectionState {
        self.watch.get()
    }

    pub(super) fn states(&self) -> States {
        States(Watcher::new(Arc::clone(&self.watch)))
    }

    fn last_error(&self) -> Option<ConnectionError> {
        self.last_error.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set_last_error(&self, error: Option<ConnectionError>) {
        let replaced = std::mem::replace(&mut *self.last_error.lock().unwrap_or_else(PoisonError::into_inner), error);
        drop(replaced);
    }

    /// Notes an error that is about to be reported, if it is one that costs a connection.
    pub(super) fn failed(&self, error: &ConnectionError) {
        use ConnectionError::{Connect, Io, Protocol, TooSlow};
        if matches!(error, Connect { .. } | Io(_) | TooSlow { .. } | Protocol { fatal: true, .. }) {
            self.set_last_error(Some(error.clone()));
        }
    }

    /// Looks at the core, which may have changed, and is locked.
    pub(super) fn look(&self, core: &ipc_proto::Client, now: Instant) {
        if core.is_destroyed() {
            // Why, is known at the very end, which follows.
            return;
        }
        // The very first attempt is none that follows a connection, and no retry either.
        let attempt = core.retries().saturating_add(u32::from(core.counters().connections == 0));
        let state = if core.is_closing() {
            ConnectionState::Closing
        } else if core.is_connected() {
            self.set_last_error(None);
            ConnectionState::Connected
        } else if core.is_waiting() {
            let retry_in = core.poll_timeout().map_or(Duration::ZERO, |until| until.saturating_duration_since(now));
            ConnectionState::Waiting { attempt, retry_in, last_error: self.last_error() }
        } else if core.is_idle() {
            ConnectionState::Idle
        } else {
            ConnectionState::Connecting { attempt }
        };
        // What was told to close does not come back.
        let may = |old: &ConnectionState| !old.is_like(&state) && !matches!(old, ConnectionState::Closing);
        self.watch.update(false, |old| may(old).then(|| state.clone()));
    }

    /// The client was told to end, and sends what is queued first. The core is locked.
    pub(super) fn closing(&self) {
        let closing = |old: &ConnectionState| !matches!(old, ConnectionState::Closing);
        self.watch.update(false, |old| closing(old).then_some(ConnectionState::Closing));
    }

    /// The very end.
    pub(super) fn end(&self, reason: EndReason) {
        let last_error = self.last_error();
        self.watch.update(true, |_| Some(ConnectionState::Ended { reason, last_error }));
    }
}
