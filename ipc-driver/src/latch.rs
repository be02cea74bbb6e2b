//! A value that is set once and that any number of tasks may wait for.

use crate::sync::{Mutex, MutexGuard};
use crate::wakers::{Ticket, Wakers};
use std::future::Future;
use std::pin::Pin;
use std::sync::PoisonError;
use std::task::{Context, Poll};

#[derive(Debug)]
pub(crate) struct Latch<T> {
    /// The value, or who waits for it.
    state: Mutex<Result<T, Wakers>>,
}

impl<T> Default for Latch<T> {
    fn default() -> Self {
        Self { state: Mutex::new(Err(Wakers::default())) }
    }
}

impl<T> Latch<T> {
    fn lock(&self) -> MutexGuard<'_, Result<T, Wakers>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T: Clone> Latch<T> {
    /// Sets the value unless it is set.
    pub(crate) fn set(&self, value: T) {
        let mut state = self.lock();
        if let Err(waiting) = &mut *state {
            let waiting = waiting.take();
            *state = Ok(value);
            drop(state);
            waiting.wake();
        }
    }

    pub(crate) fn get(&self) -> Option<T> {
        self.lock().as_ref().ok().cloned()
    }

    /// Waits for the value. Cancel safe: a wait given up leaves nothing behind.
    pub(crate) fn wait(&self) -> Wait<'_, T> {
        Wait { latch: self, ticket: Ticket::default() }
    }
}

pub(crate) struct Wait<'a, T> {
    latch: &'a Latch<T>,
    ticket: Ticket,
}

impl<T: Clone> Future for Wait<'_, T> {
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<T> {
        let Self { latch, ticket } = &mut *self;
        match &mut *latch.lock() {
            Ok(value) => Poll::Ready(value.clone()),
            Err(waiting) => {
                waiting.register(ticket, cx);
                Poll::Pending
            }
        }
    }
}

impl<T> Drop for Wait<'_, T> {
    fn drop(&mut self) {
        let forgotten = self.latch.lock().as_mut().err().and_then(|waiting| waiting.forget(&self.ticket));
        // Without the lock: a waker may be the last to hold its task.
        drop(forgotten);
    }
}
