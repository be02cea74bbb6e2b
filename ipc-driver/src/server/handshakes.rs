//! TLS handshakes of a server: before a stream becomes a peer.
//!
//! A handshake holds no place among the peers. How many are under way is bounded: one more, and the oldest is cut, so that
//! clients which stall keep nobody out for longer than others take to arrive. Who would find no room anyway is refused
//! before a handshake is begun.

use super::refuse::refuse;
use super::serve::admit;
use super::{Server, Shared};
use crate::error::ConnectionError;
use crate::latch::Latch;
use crate::runtime::{Remote, Runtime};
use crate::tls::Acceptor;
use crate::transport::Transport;
use crate::wakers::{Ticket, Wakers};
use std::collections::BTreeMap;
use std::future::{Future, poll_fn};
use std::io;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Poll;

/// Handshakes under way at once: as many as `maxConnections`, between these. With fewer, a handful of connections a second
/// that stall would cut everybody whose handshake takes a few round trips.
const LEAST: usize = 128;
const MOST: usize = 1024;

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
    /// How many tasks there are, those that were cut and have not ended yet included.
    tasks: usize,
    /// Who waits until there are none.
    idle: Wakers,
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
        state.tasks += 1;
        state.running.insert(id, Arc::clone(&cut));
        drop(state);
        if let Some((_, oldest)) = oldest {
            oldest.set(Cut::Crowded(most));
        }
        (id, cut)
    }

    /// Cuts the older half of those under way: there are no descriptors left for those who come.
    pub(super) fn thin_out(&self) {
        let mut state = self.lock();
        let most = state.running.len();
        let cut: Vec<_> = (0..most.div_ceil(2)).map_while(|_| state.running.pop_first()).collect();
        drop(state);
        cut.into_iter().for_each(|(_, cut)| cut.set(Cut::Crowded(most)));
    }

    fn done(&self, id: u64) {
        let mut state = self.lock();
        state.running.remove(&id);
        state.tasks -= 1;
        if state.tasks == 0 {
            let idle = state.idle.take();
            drop(state);
            idle.wake();
        }
    }

    /// Waits until the task of none is left. Each has its time limit.
    pub(super) async fn idle(&self) {
        let mut ticket = Ticket::default();
        poll_fn(|cx| {
            let mut state = self.lock();
            if state.tasks == 0 {
                return Poll::Ready(());
            }
            state.idle.register(&mut ticket, cx);
            Poll::Pending
        })
        .await;
    }

    /// Ends all that are under way: the server has stopped.
    pub(super) fn stop(&self) {
        let running = std::mem::take(&mut self.lock().running);
        running.into_values().for_each(|cut| cut.set(Cut::Stopped));
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
    let room = shared.lock_core().check_accept();
    if let Err(reason) = room {
        return refuse(runtime, shared, remote, ConnectionError::Refused(reason.into()));
    }
    let most = shared.settings.config().max_connections.clamp(LEAST, MOST);
    let (id, cut) = shared.handshakes.begin(most);
    let running = Running { id, cut, shared: Arc::clone(shared) };
    if !shared.lock_core().is_listening() {
        // It has stopped since the look at its room, and perhaps before this one was on the list of those to end.
        shared.handshakes.stop();
    }
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
        // Until what came of it is settled, it is under way.
        let _running = running;
        let error = match outcome {
            Ok(Ok(stream)) => {
                stream.describe(&mut remote);
                return admit(&runtime, Transport::tls(stream), remote, &shared);
            }
            Ok(Err(error)) => error,
            Err(Cut::Crowded(most)) => crowded(most),
            // Nobody wonders.
            Err(Cut::Stopped) => return shared.door.count_stopped(),
        };
        refuse(&runtime, &shared, remote, ConnectionError::Handshake(Arc::new(error)));
    });
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
}

impl Shared {
    pub(super) fn acceptor(&self) -> Option<Acceptor> {
        self.tls.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

#[cfg(all(test, not(ipc_loom)))]
mod tests {
    use super::*;
    use std::task::{Context, Waker};

    #[test]
    fn who_waits_for_the_last_handshake_is_woken_by_its_end() {
        struct Rung(Mutex<usize>);
        impl std::task::Wake for Rung {
            fn wake(self: Arc<Self>) {
                *self.0.lock().unwrap() += 1;
            }
        }
        let rung = Arc::new(Rung(Mutex::new(0)));
        let waker = Waker::from(Arc::clone(&rung));
        let mut cx = Context::from_waker(&waker);
        let handshakes = Handshakes::default();
        let [(one, _), (other, _)] = [handshakes.begin(LEAST), handshakes.begin(LEAST)];
        let mut idle = pin!(handshakes.idle());
        assert!(idle.as_mut().poll(&mut cx).is_pending());
        handshakes.done(one);
        assert_eq!(*rung.0.lock().unwrap(), 0);
        handshakes.done(other);
        assert_eq!(*rung.0.lock().unwrap(), 1);
        assert!(idle.as_mut().poll(&mut cx).is_ready());
    }
}
