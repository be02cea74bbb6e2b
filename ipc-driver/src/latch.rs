//! A value that is set once and that any number of tasks may wait for.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Mutex, PoisonError};
use std::task::{Context, Poll, Waker};

#[derive(Debug)]
pub(crate) struct Latch<T> {
    /// The value, or who waits for it.
    state: Mutex<Result<T, Vec<Waker>>>,
}

impl<T> Default for Latch<T> {
    fn default() -> Self {
        Self { state: Mutex::new(Err(Vec::new())) }
    }
}

impl<T: Clone> Latch<T> {
    /// Sets the value unless it is set.
    pub(crate) fn set(&self, value: T) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if let Err(waiting) = &mut *state {
            let waiting = std::mem::take(waiting);
            *state = Ok(value);
            drop(state);
            waiting.into_iter().for_each(Waker::wake);
        }
    }

    pub(crate) fn get(&self) -> Option<T> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).as_ref().ok().cloned()
    }

    pub(crate) fn poll(&self, cx: &Context<'_>) -> Poll<T> {
        match &mut *self.state.lock().unwrap_or_else(PoisonError::into_inner) {
            Ok(value) => Poll::Ready(value.clone()),
            Err(waiting) => {
                if !waiting.iter().any(|waker| waker.will_wake(cx.waker())) {
                    waiting.push(cx.waker().clone());
                }
                Poll::Pending
            }
        }
    }

    /// Waits for the value. Cancel safe.
    pub(crate) fn wait(&self) -> Wait<'_, T> {
        Wait(self)
    }
}

pub(crate) struct Wait<'a, T>(&'a Latch<T>);

impl<T: Clone> Future for Wait<'_, T> {
    type Output = T;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<T> {
        self.0.poll(cx)
    }
}
