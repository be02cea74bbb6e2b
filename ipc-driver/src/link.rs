//! The part of a connection that everybody may touch: its outbound queue and the order to close.
//!
//! One task pumps the socket; any thread emits here. The lock of a [`Link`] protects the queue and the flags beside it.
//! It is held while an event is encoded, never across a system call, a handler or an await. The task is woken at most
//! once between two of its runs.

use crate::wakers::{Ticket, Wakers};
use ipc_proto::{EmitError, Outbound, Transmit};
use std::cell::Cell;
use std::ptr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

/// How a connection is to be closed. Later values override earlier ones.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd)]
pub(crate) enum CloseOrder {
    /// Not at all.
    #[default]
    Open,
    /// Send what is queued, then end; after so long at the latest.
    Flush(Duration),
    /// Now.
    Abort,
}

#[derive(Debug, Default)]
pub(crate) struct Link {
    state: Mutex<State>,
    /// The answers of our own handlers have filled the queue. Written under the lock, read without it between two
    /// events.
    congested: AtomicBool,
}

#[derive(Debug, Default)]
struct State {
    /// Absent while a client has no connection.
    outbound: Option<Outbound>,
    order: CloseOrder,
    /// The task waits and wants to be woken when something is queued or ordered.
    parked: bool,
    waker: Option<Waker>,
    /// Who waits for room in the queue.
    waiting: Wakers,
}

thread_local! {
    /// The link whose handlers run on this thread just now.
    static DISPATCHING: Cell<*const Link> = const { Cell::new(ptr::null()) };
}

impl Link {
    pub(crate) fn new(outbound: Outbound) -> Self {
        let state = State { outbound: Some(outbound), ..State::default() };
        Self { state: Mutex::new(state), congested: AtomicBool::new(false) }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // A panic while encoding cannot leave the queue half written: it is truncated or complete.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Emits through `emit`; `None` if there is no connection.
    ///
    /// A handler that answers its own peer may fill the queue to twice `maxPendingBytes`: its connection reads nothing
    /// more while the queue is above the limit, so that answers are not refused for what the peer has not yet read.
    pub(crate) fn emit(
        &self,
        emit: impl FnOnce(&mut Outbound) -> Result<(), EmitError>,
    ) -> Option<Result<(), EmitError>> {
        let inline = ptr::eq(DISPATCHING.get(), self);
        let mut state = self.lock();
        if state.order != CloseOrder::Open {
            return Some(Err(EmitError::Closed));
        }
        let outbound = state.outbound.as_mut()?;
        let outcome = if inline { self.emit_inline(outbound, emit) } else { emit(outbound) };
        if outcome.is_ok() {
            Self::wake(state);
        }
        Some(outcome)
    }

    fn emit_inline(
        &self,
        outbound: &mut Outbound,
        emit: impl FnOnce(&mut Outbound) -> Result<(), EmitError>,
    ) -> Result<(), EmitError> {
        /// Puts the limit back, also when a payload panics while it is encoded.
        struct Raised<'a>(&'a mut Outbound, usize);
        impl Drop for Raised<'_> {
            fn drop(&mut self) {
                self.0.set_limit(self.1);
            }
        }
        let limit = outbound.limit();
        outbound.set_limit(limit.saturating_mul(2));
        let raised = Raised(outbound, limit);
        emit(raised.0)?;
        if raised.0.pending() > limit {
            self.congested.store(true, Ordering::Relaxed);
        }
        Ok(())
    }

    /// Whether reading should pause, because the peer does not read our answers.
    pub(crate) fn is_congested(&self) -> bool {
        self.congested.load(Ordering::Relaxed)
    }

    /// Like [`emit`](Self::emit), but waits for room: registers the task if the queue is full.
    pub(crate) fn poll_emit(
        &self,
        cx: &mut Context<'_>,
        ticket: &mut Ticket,
        emit: impl FnOnce(&mut Outbound) -> Result<(), EmitError>,
    ) -> Poll<Option<Result<(), EmitError>>> {
        let mut state = self.lock();
        if state.order != CloseOrder::Open {
            return Poll::Ready(Some(Err(EmitError::Closed)));
        }
        let Some(outbound) = state.outbound.as_mut() else { return Poll::Ready(None) };
        match emit(outbound) {
            Err(EmitError::Full { .. }) => {
                state.waiting.register(ticket, cx);
                Poll::Pending
            }
            outcome => {
                if outcome.is_ok() {
                    Self::wake(state);
                }
                Poll::Ready(Some(outcome))
            }
        }
    }

    /// Registers a task that waits for room while there is no connection.
    pub(crate) fn wait(&self, cx: &Context<'_>, ticket: &mut Ticket) {
        self.lock().waiting.register(ticket, cx);
    }

    /// A place among those who wait for room, given back when it is dropped.
    pub(crate) fn place(&self) -> Place<'_> {
        Place { link: self, ticket: Ticket::default() }
    }

    pub(crate) fn pending(&self) -> usize {
        self.lock().outbound.as_ref().map_or(0, Outbound::pending)
    }

    pub(crate) fn held(&self) -> Option<usize> {
        self.lock().outbound.as_ref().map(Outbound::held)
    }

    pub(crate) fn order(&self) -> CloseOrder {
        self.lock().order
    }

    /// Orders the connection to close. An order already given is only made stricter.
    pub(crate) fn close(&self, order: CloseOrder) {
        let mut state = self.lock();
        let stricter = match (state.order, order) {
            (CloseOrder::Flush(old), CloseOrder::Flush(new)) => new < old,
            (old, new) => new > old,
        };
        if stricter {
            state.order = order;
        }
        let waiting = state.waiting.take();
        Self::wake(state);
        waiting.wake();
    }

    /// Wakes the task without an order, to let it look at something else.
    pub(crate) fn nudge(&self) {
        Self::wake(self.lock());
    }

    fn wake(mut state: MutexGuard<'_, State>) {
        if std::mem::take(&mut state.parked) {
            let waker = state.waker.clone();
            drop(state);
            if let Some(waker) = waker {
                waker.wake();
            }
        }
    }

    /// For the task: gives the link a queue, when a client has connected.
    pub(crate) fn attach(&self, outbound: Outbound) {
        let mut state = self.lock();
        state.outbound = Some(outbound);
    }

    /// For the task: takes the queue out, when the connection has ended. Whoever waits for room is woken.
    pub(crate) fn detach(&self) -> Option<Outbound> {
        let mut state = self.lock();
        let outbound = state.outbound.take();
        let waiting = state.waiting.take();
        self.congested.store(false, Ordering::Relaxed);
        drop(state);
        waiting.wake();
        outbound
    }

    /// For the task: moves what is queued to `transmit`, wakes who waits for room, and tells whether there is something
    /// to write.
    pub(crate) fn poll_transmit(&self, transmit: &mut Transmit) -> bool {
        let mut state = self.lock();
        let Some(outbound) = state.outbound.as_mut() else { return false };
        let writable = outbound.poll_transmit(transmit);
        let (pending, limit) = (outbound.pending(), outbound.limit());
        if pending <= limit {
            self.congested.store(false, Ordering::Relaxed);
        }
        if pending <= limit / 2 {
            let waiting = state.waiting.take();
            drop(state);
            waiting.wake();
        }
        writable
    }

    /// For the task: in `sync` mode an answer has come.
    pub(crate) fn answered(&self) {
        if let Some(outbound) = self.lock().outbound.as_mut() {
            outbound.handle_answer();
        }
    }

    /// For the task: no emit is taken any more; what is queued stays.
    pub(crate) fn seal(&self) {
        if let Some(outbound) = self.lock().outbound.as_mut() {
            outbound.close();
        }
    }

    /// For the task: it runs, so nobody needs to wake it; and how it is to end.
    pub(crate) fn unpark(&self) -> CloseOrder {
        let mut state = self.lock();
        state.parked = false;
        state.order
    }

    /// For the task: goes to sleep, unless something was queued or ordered since `seen`; then `false`.
    pub(crate) fn park(&self, cx: &Context<'_>, seen: CloseOrder) -> bool {
        let mut state = self.lock();
        if state.order != seen || state.outbound.as_ref().is_some_and(Outbound::wants_transmit) {
            return false;
        }
        if !state.waker.as_ref().is_some_and(|waker| waker.will_wake(cx.waker())) {
            state.waker = Some(cx.waker().clone());
        }
        state.parked = true;
        true
    }

    /// Runs handlers of this connection: emits they make to their own peer are recognised by [`emit`](Self::emit).
    pub(crate) fn dispatch<T>(&self, handlers: impl FnOnce() -> T) -> T {
        struct Restore(*const Link);
        impl Drop for Restore {
            fn drop(&mut self) {
                DISPATCHING.set(self.0);
            }
        }
        let _restore = Restore(DISPATCHING.replace(self));
        handlers()
    }
}

/// See [`Link::place`].
pub(crate) struct Place<'a> {
    link: &'a Link,
    pub(crate) ticket: Ticket,
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let forgotten = self.link.lock().waiting.forget(&self.ticket);
        // Without the lock: a waker may be the last to hold its task.
        drop(forgotten);
    }
}
