//! TLS handshakes of a server: before a stream becomes a peer.
//!
//! A handshake holds no place among the peers. How many are under way is bounded: one more, and the oldest is cut, so that
//! clients which stall keep nobody out for longer than others take to arrive. Who would find no room anyway is refused
//! before a handshake is begun.

use super::serve::{Leaving, admit};
use super::{Server, ServerEvent, Shared};
use crate::error::ConnectionError;
use crate::latch::Latch;
use crate::runtime::{Remote, Runtime};
use crate::tls::Acceptor;
use crate::transport::Transport;
use std::collections::BTreeMap;
use std::future::{Future, poll_fn};
use std::io;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Poll;
use std::time::{Duration, Instant};

/// Handshakes under way at once, if `maxConnections` is not less.
const MOST: usize = 1024;

/// Failures are logged once in so long, with the number of those in between.
const LOG_EVERY: Duration = Duration::from_secs(1);

/// The handshakes of one server.
#[derive(Default)]
pub(super) struct Handshakes {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    next: u64,
    /// Those under way, the oldest first.
    running: BTreeMap<u64, Arc<Latch<Cut>>>,
    failed: u64,
    logged: Option<Instant>,
    unlogged: u64,
}

/// Why one is cut.
#[derive(Clone, Copy)]
enum Cut {
    Crowded(usize),
    Stopped,
}

impl Handshakes {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn begin(&self, most: usize) -> (u64, Arc<Latch<Cut>>) {
        let cut = Arc::default();
        let mut state = self.lock();
        let oldest = if state.running.len() >= most { state.running.pop_first() } else { None };
        let id = state.next;
        state.next += 1;
        state.running.insert(id, Arc::clone(&cut));
        drop(state);
        if let Some((_, oldest)) = oldest {
            oldest.set(Cut::Crowded(most));
        }
        (id, cut)
    }

    fn done(&self, id: u64) {
        self.lock().running.remove(&id);
    }

    /// Ends all that are under way: the server has stopped.
    pub(super) fn stop(&self) {
        let running = std::mem::take(&mut self.lock().running);
        running.into_values().for_each(|cut| cut.set(Cut::Stopped));
    }

    /// Counts one that failed. `Some` if it is to be logged: how many have not been since the last.
    fn count(&self, now: Instant) -> Option<u64> {
        let mut state = self.lock();
        state.failed += 1;
        if state.logged.is_some_and(|logged| now.saturating_duration_since(logged) < LOG_EVERY) {
            state.unlogged += 1;
            return None;
        }
        state.logged = Some(now);
        Some(std::mem::take(&mut state.unlogged))
    }
}

/// A handshake under way. However its task ends, it is no longer counted.
struct Running {
    id: u64,
    cut: Arc<Latch<Cut>>,
    shared: Arc<Shared>,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.shared.handshakes.done(self.id);
    }
}

/// Greets a client that has just connected, and admits it if the handshake succeeds.
pub(super) fn greet<R: Runtime>(
    runtime: &R,
    acceptor: Acceptor,
    stream: R::Stream,
    mut remote: Remote,
    shared: &Arc<Shared>,
) {
    if let Err(reason) = shared.lock_core().check_accept() {
        tracing::warn!(target: "ipc", %reason, "refused a connection");
        return;
    }
    let most = shared.settings.config().max_connections.clamp(1, MOST);
    let (id, cut) = shared.handshakes.begin(most);
    let running = Running { id, cut, shared: Arc::clone(shared) };
    let (runtime, shared) = (runtime.clone(), Arc::clone(shared));
    let task = runtime.clone();
    task.spawn(async move {
        let outcome = {
            let mut handshake = pin!(acceptor.accept(&runtime, stream));
            let mut cut = running.cut.wait();
            poll_fn(|cx| match handshake.as_mut().poll(cx) {
                Poll::Ready(outcome) => Poll::Ready(Ok(outcome)),
                Poll::Pending => pin!(&mut cut).poll(cx).map(Err),
            })
            .await
        };
        drop(running);
        let error = match outcome {
            Ok(Ok(stream)) => {
                stream.describe(&mut remote);
                return admit(&runtime, Transport::tls(stream), remote, &shared);
            }
            Ok(Err(error)) => error,
            Err(Cut::Crowded(most)) => crowded(most),
            // Nobody wonders.
            Err(Cut::Stopped) => return,
        };
        refused(&shared, runtime.now(), remote, error).await;
    });
}

/// Tells of a handshake that failed.
async fn refused(shared: &Arc<Shared>, now: Instant, remote: Remote, error: io::Error) {
    if let Some(before) = shared.handshakes.count(now) {
        tracing::warn!(target: "ipc", address = ?remote.address, %error, unlogged = before, "a TLS handshake failed");
    }
    let event = ServerEvent::Refused { remote, error: ConnectionError::Handshake(Arc::new(error)) };
    shared.handlers.lifecycle(&event);
    let mut tap = shared.outlet.tap();
    tap.push(event);
    // Like the last event of a peer, it waits for room in the stream, and while too many wait nobody is accepted.
    let _leaving = Leaving::new(Arc::clone(shared));
    poll_fn(|cx| tap.poll_settled(cx, &shared.outlet)).await;
}

#[cfg(feature = "tls")]
fn crowded(others: usize) -> io::Error {
    crate::tls::HandshakeError::Crowded(others).into()
}

#[cfg(not(feature = "tls"))]
fn crowded(_others: usize) -> io::Error {
    io::ErrorKind::ConnectionAborted.into()
}

impl<R: Runtime> Server<R> {
    /// Accepts with this rustls configuration instead of one made from the option `tls`, from the next connection on: for
    /// keys in hardware, several certificates by name, revocation lists, or a new certificate while the server goes on. Of
    /// the options, `tls.handshakeTimeout` still counts. A server without the option `tls` speaks TLS from then on; call this
    /// before [`start`](Self::start).
    ///
    /// # Errors
    ///
    /// [`TlsError::Transport`](crate::TlsError::Transport) if this server does not listen on TCP.
    #[cfg(feature = "tls")]
    pub fn set_tls(&self, config: impl Into<Arc<rustls::ServerConfig>>) -> Result<(), crate::TlsError> {
        let shared = &self.shared;
        let acceptor = Acceptor::with(config.into(), &shared.settings, shared.slot.endpoint())?;
        let replaced = shared.tls.lock().unwrap_or_else(PoisonError::into_inner).replace(acceptor);
        // It may hold what the user made: not under the lock.
        drop(replaced);
        Ok(())
    }

    /// Connections that were accepted and came to nothing, since the server was made: there was no room, or a TLS
    /// handshake failed.
    #[must_use]
    pub fn refused(&self) -> u64 {
        self.shared.lock_core().refused() + self.shared.handshakes.lock().failed
    }
}

impl Shared {
    pub(super) fn acceptor(&self) -> Option<Acceptor> {
        self.tls.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
