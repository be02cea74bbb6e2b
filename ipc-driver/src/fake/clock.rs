//! The virtual clock and its timers. It moves only when the executor says so.

use super::lock;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

#[derive(Debug)]
pub(super) struct Clock {
    start: Instant,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    now: Instant,
    /// Who waits, by the time waited for and the timer's number.
    timers: BTreeMap<(Instant, u64), Waker>,
    next: u64,
}

impl Clock {
    pub(super) fn new() -> Self {
        let start = Instant::now();
        Self { start, state: Mutex::new(State { now: start, timers: BTreeMap::new(), next: 0 }) }
    }

    pub(super) fn now(&self) -> Instant {
        lock(&self.state).now
    }

    pub(super) fn elapsed(&self) -> Duration {
        self.now() - self.start
    }

    /// How many timers are waited for.
    pub(super) fn waiting(&self) -> usize {
        lock(&self.state).timers.len()
    }

    /// The earliest time that somebody waits for.
    pub(super) fn next(&self) -> Option<Instant> {
        lock(&self.state).timers.keys().next().map(|(at, _)| *at)
    }

    /// Moves on to `to` and wakes whoever waited for that or less.
    pub(super) fn advance_to(&self, to: Instant) {
        let mut state = lock(&self.state);
        state.now = state.now.max(to);
        let later = state.timers.split_off(&(to, u64::MAX));
        let due = std::mem::replace(&mut state.timers, later);
        drop(state);
        due.into_values().for_each(Waker::wake);
    }
}

/// A timer of the virtual clock.
#[derive(Debug)]
pub struct Timer {
    clock: Arc<Clock>,
    id: u64,
    deadline: Option<Instant>,
}

impl Timer {
    pub(super) fn new(clock: Arc<Clock>) -> Self {
        let mut state = lock(&clock.state);
        state.next += 1;
        let id = state.next;
        drop(state);
        Self { clock, id, deadline: None }
    }
}

impl crate::runtime::Timer for Timer {
    fn set(&mut self, deadline: Option<Instant>) {
        if let Some(old) = std::mem::replace(&mut self.deadline, deadline) {
            if self.deadline != Some(old) {
                lock(&self.clock.state).timers.remove(&(old, self.id));
            }
        }
    }

    fn poll_expired(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Some(deadline) = self.deadline else { return Poll::Pending };
        let mut state = lock(&self.clock.state);
        if deadline <= state.now {
            return Poll::Ready(());
        }
        state.timers.insert((deadline, self.id), cx.waker().clone());
        Poll::Pending
    }
}

impl Drop for Timer {
    fn drop(&mut self) {
        crate::runtime::Timer::set(self, None);
    }
}
