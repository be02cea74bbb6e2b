//! Timers.

use crate::runtime::Timer as Time;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Instant;

/// A timer of the reactor; nothing of it is there until it is first waited for.
#[derive(Debug)]
pub struct Timer {
    timer: ::async_io::Timer,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Stopped,
    Running,
    Expired,
}

impl Timer {
    pub(super) fn new() -> Self {
        Self { timer: ::async_io::Timer::never(), state: State::Stopped }
    }
}

impl Time for Timer {
    fn set(&mut self, deadline: Option<Instant>) {
        match deadline {
            Some(deadline) => {
                self.timer.set_at(deadline);
                self.state = State::Running;
            }
            None => {
                self.timer.clear();
                self.state = State::Stopped;
            }
        }
    }

    fn poll_expired(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        match self.state {
            State::Stopped => return Poll::Pending,
            State::Running => {
                ready!(Pin::new(&mut self.timer).poll(cx));
                self.state = State::Expired;
            }
            State::Expired => {}
        }
        Poll::Ready(())
    }
}
