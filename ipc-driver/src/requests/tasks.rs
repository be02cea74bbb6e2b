//! The futures of async handlers that one session has under way: how many, in which order, and their end with the connection.
//!
//! A future runs in a task of its own and holds a [`Slot`]. One that fails keeps its slot until the connection's task has told
//! `on_error`, so that errors are bounded as the futures are. The lock is held for nothing but counting.

use crate::error::BoxError;
use crate::wakers::{Ticket, Wakers};
use std::collections::VecDeque;
use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

/// What a future answers to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Event,
    Request,
}

pub(super) type Job = Pin<Box<dyn Future<Output = ()> + Send>>;

#[derive(Default)]
pub(crate) struct Tasks {
    /// The connection's task has to look: there is no room, or something has failed.
    news: AtomicBool,
    /// How many connections have ended. A future of an earlier one is cancelled.
    epoch: AtomicU64,
    /// Requests without an answer when their connection ended.
    unanswered: AtomicUsize,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// Slots of events and of requests.
    events: usize,
    requests: usize,
    /// How many there may be of either.
    limit: usize,
    /// What waits for its turn, and whether a task takes it out.
    queue: VecDeque<Job>,
    in_turn: bool,
    /// Told to nobody yet; each has its slot.
    failures: Vec<(Kind, Box<str>, BoxError)>,
    /// The connection's task, which waits for room.
    room: Option<Waker>,
    /// And when it waits for the last request to be answered.
    answered: Option<Waker>,
    /// Those that run.
    running: Wakers,
}

impl State {
    fn count(&mut self, kind: Kind) -> &mut usize {
        match kind {
            Kind::Event => &mut self.events,
            Kind::Request => &mut self.requests,
        }
    }
}

impl Tasks {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A place for one future more. A request gets none if `limit` are under way; an event always does, and when they are
    /// `limit` the connection is not read.
    pub(super) fn slot(self: &Arc<Self>, kind: Kind, limit: usize) -> Option<Slot> {
        let mut state = self.lock();
        state.limit = limit.max(1);
        if kind == Kind::Request && state.requests >= state.limit {
            return None;
        }
        *state.count(kind) += 1;
        if state.events >= state.limit {
            self.news.store(true, Ordering::Relaxed);
        }
        let epoch = self.epoch.load(Ordering::Relaxed);
        Some(Slot { tasks: Arc::clone(self), epoch, kind, ticket: Ticket::default(), kept: false })
    }

    /// Lets a job wait for its turn. `Some` is to be run, for as long as anything waits.
    pub(super) fn enqueue(self: &Arc<Self>, job: Job) -> Option<impl Future<Output = ()> + Send + use<>> {
        let mut state = self.lock();
        state.queue.push_back(job);
        if std::mem::replace(&mut state.in_turn, true) {
            return None;
        }
        let (tasks, epoch) = (Arc::clone(self), self.epoch.load(Ordering::Relaxed));
        Some(async move {
            while let Some(job) = tasks.next(epoch) {
                job.await;
            }
        })
    }

    fn next(&self, epoch: u64) -> Option<Job> {
        let mut state = self.lock();
        // Of another connection: that has its own.
        if self.epoch.load(Ordering::Relaxed) != epoch {
            return None;
        }
        let job = state.queue.pop_front();
        state.in_turn = job.is_some();
        job
    }

    pub(super) fn has_news(&self) -> bool {
        self.news.load(Ordering::Relaxed)
    }

    /// Tells of failures, and waits for room.
    pub(super) fn poll_room(&self, cx: &mut Context<'_>, mut failed: impl FnMut(&str, BoxError)) -> Poll<()> {
        let (failures, full, answered) = {
            let mut state = self.lock();
            let failures = std::mem::take(&mut state.failures);
            for &(kind, ..) in &failures {
                *state.count(kind) -= 1;
            }
            let full = state.events >= state.limit;
            if full {
                state.room = Some(cx.waker().clone());
            }
            self.news.store(full, Ordering::Relaxed);
            let answered = if state.requests == 0 { state.answered.take() } else { None };
            (failures, full, answered)
        };
        if let Some(task) = answered {
            task.wake();
        }
        for (_, event, error) in failures {
            failed(&event, error);
        }
        if full { Poll::Pending } else { Poll::Ready(()) }
    }

    /// Ready when no request is under way.
    pub(super) fn poll_answered(&self, cx: &Context<'_>) -> Poll<()> {
        let mut state = self.lock();
        if state.requests == 0 {
            return Poll::Ready(());
        }
        state.answered = Some(cx.waker().clone());
        Poll::Pending
    }

    /// The connection has ended: drops what waits, and wakes what runs so that it is dropped too.
    pub(super) fn cancel(&self, mut failed: impl FnMut(&str, BoxError)) {
        let ended = {
            let mut state = self.lock();
            self.epoch.fetch_add(1, Ordering::Relaxed);
            self.news.store(false, Ordering::Relaxed);
            std::mem::take(&mut *state)
        };
        let State { requests, queue, failures, mut running, .. } = ended;
        // What has failed keeps its place until that is told, and its asker has an answer.
        let answered = failures.iter().filter(|(kind, ..)| *kind == Kind::Request).count();
        self.unanswered.fetch_add(requests - answered, Ordering::Relaxed);
        running.take().wake();
        drop(queue);
        for (_, event, error) in failures {
            failed(&event, error);
        }
    }

    /// How many requests had no answer when their connection ended.
    pub(super) fn unanswered(&self) -> usize {
        self.unanswered.load(Ordering::Relaxed)
    }
}

/// The place of one future.
pub(super) struct Slot {
    tasks: Arc<Tasks>,
    epoch: u64,
    kind: Kind,
    ticket: Ticket,
    /// It is now that of a failure.
    kept: bool,
}

/// What became of a future.
pub(super) enum Ran<T> {
    Done(T),
    Panicked,
    /// Its connection has ended.
    Cancelled,
}

impl Slot {
    /// Whether the connection is the one that it was.
    pub(super) fn is_live(&self) -> bool {
        self.tasks.epoch.load(Ordering::Relaxed) == self.epoch
    }

    /// Runs a future for as long as the connection lives.
    pub(super) async fn run<F: Future>(&mut self, future: F) -> Ran<F::Output> {
        let mut future = pin!(future);
        poll_fn(|cx| {
            {
                let mut state = self.tasks.lock();
                if !self.is_live() {
                    return Poll::Ready(Ran::Cancelled);
                }
                state.running.register(&mut self.ticket, cx);
            }
            match catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(cx))) {
                Ok(polled) => polled.map(Ran::Done),
                Err(_panic) => Poll::Ready(Ran::Panicked),
            }
        })
        .await
    }

    /// Leaves an error for the connection's task, which is to be woken then.
    pub(super) fn fail(mut self, event: &str, error: BoxError) {
        let mut state = self.tasks.lock();
        if self.is_live() {
            state.failures.push((self.kind, event.into(), error));
            self.tasks.news.store(true, Ordering::Relaxed);
            drop(state);
            self.kept = true;
        }
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let mut state = self.tasks.lock();
        if !self.is_live() {
            return;
        }
        let forgotten = state.running.forget(&self.ticket);
        let mut waits = None;
        if !self.kept {
            *state.count(self.kind) -= 1;
            waits = match self.kind {
                Kind::Event => state.room.take(),
                Kind::Request if state.requests == 0 => state.answered.take(),
                Kind::Request => None,
            };
        }
        drop(state);
        drop(forgotten);
        if let Some(task) = waits {
            task.wake();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alarm::Alarm;

    #[test]
    fn who_waits_for_the_answers_is_woken_by_the_last_one_and_by_no_other() {
        let alarm = Arc::<Alarm>::default();
        let waker = Waker::from(Arc::clone(&alarm));
        let cx = Context::from_waker(&waker);
        let tasks = Arc::<Tasks>::default();
        let [one, event, other] = [Kind::Request, Kind::Event, Kind::Request].map(|kind| tasks.slot(kind, 9).unwrap());
        assert!(tasks.poll_answered(&cx).is_pending());
        drop(one);
        drop(event);
        assert_eq!(alarm.rings(), 0);
        drop(other);
        assert_eq!(alarm.rings(), 1);
        assert!(tasks.poll_answered(&cx).is_ready());
    }

    #[test]
    fn who_waits_for_the_answers_is_woken_when_the_last_one_has_failed_and_that_is_told() {
        let alarm = Arc::<Alarm>::default();
        let waker = Waker::from(Arc::clone(&alarm));
        let mut cx = Context::from_waker(&waker);
        let tasks = Arc::<Tasks>::default();
        let [one, other] = [(), ()].map(|()| tasks.slot(Kind::Request, 9).unwrap());
        assert!(tasks.poll_answered(&cx).is_pending());
        let mut told = Vec::new();
        let mut tell =
            |cx: &mut Context<'_>| tasks.poll_room(cx, |event, error| told.push(format!("{event}: {error}")));
        one.fail("one", "no".into());
        assert!(tell(&mut cx).is_ready());
        assert_eq!(alarm.rings(), 0);
        other.fail("other", "no".into());
        assert_eq!(alarm.rings(), 0, "the error is to be told first");
        assert!(tell(&mut cx).is_ready());
        assert_eq!(alarm.rings(), 1);
        assert_eq!(told, ["one: no", "other: no"]);
    }
}
