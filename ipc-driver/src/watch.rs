//! A value that changes and that any number of tasks may look at: each sees the latest, and none is waited for.
//!
//! Who looks rarely misses what was in between, and never sees an older value after a newer one. Unlike a
//! [`Latch`](crate::latch::Latch) it may be set many times; one of these is the last.

use crate::sync::{Mutex, MutexGuard};
use crate::wakers::{Ticket, Wakers};
use std::sync::{Arc, PoisonError};
use std::task::{Context, Poll};

#[derive(Debug)]
pub(crate) struct Watch<T> {
    state: Mutex<State<T>>,
}

#[derive(Debug)]
struct State<T> {
    value: T,
    /// How often it was set.
    version: u64,
    /// It does not change any more.
    last: bool,
    waiting: Wakers,
}

impl<T: Clone> Watch<T> {
    pub(crate) fn new(value: T) -> Self {
        Self { state: Mutex::new(State { value, version: 1, last: false, waiting: Wakers::default() }) }
    }

    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn get(&self) -> T {
        self.lock().value.clone()
    }

    /// Sets what `change` makes of the value; `None` leaves it, and nothing changes the last one.
    pub(crate) fn update(&self, last: bool, change: impl FnOnce(&T) -> Option<T>) {
        let mut state = self.lock();
        if state.last {
            return;
        }
        let Some(value) = change(&state.value) else { return };
        let replaced = std::mem::replace(&mut state.value, value);
        state.version += 1;
        state.last = last;
        let waiting = state.waiting.take();
        drop(state);
        // Without the lock: both may run what belongs to somebody else.
        drop(replaced);
        waiting.wake();
    }
}

/// One who looks. Dropped, it leaves nothing behind.
#[derive(Debug)]
pub(crate) struct Watcher<T: Clone> {
    watch: Arc<Watch<T>>,
    /// The version it saw last.
    seen: u64,
    ticket: Ticket,
}

impl<T: Clone> Watcher<T> {
    pub(crate) fn new(watch: Arc<Watch<T>>) -> Self {
        Self { watch, seen: 0, ticket: Ticket::default() }
    }

    /// The value once it is another than the one seen last; at first the one there is. `None` behind the last.
    pub(crate) fn poll_next(&mut self, cx: &Context<'_>) -> Poll<Option<T>> {
        let Self { watch, seen, ticket } = self;
        let mut state = watch.lock();
        if state.version != *seen {
            *seen = state.version;
            return Poll::Ready(Some(state.value.clone()));
        }
        if state.last {
            return Poll::Ready(None);
        }
        state.waiting.register(ticket, cx);
        Poll::Pending
    }
}

impl<T: Clone> Clone for Watcher<T> {
    fn clone(&self) -> Self {
        Self { watch: Arc::clone(&self.watch), seen: self.seen, ticket: Ticket::default() }
    }
}

impl<T: Clone> Drop for Watcher<T> {
    fn drop(&mut self) {
        let forgotten = self.watch.lock().waiting.forget(&self.ticket);
        // Without the lock: a waker may be the last to hold its task.
        drop(forgotten);
    }
}
