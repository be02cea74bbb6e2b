//! The requests of one session that wait for a reply, and the task that keeps their deadlines.
//!
//! The machine is [`ipc_proto::Requests`]. The task is there from the first request to the end of the session; it is woken when
//! a deadline comes that is earlier than the one it waits for. No waker is woken, and nothing is spawned, under the lock.

use super::Common;
use futures_channel::oneshot;
use ipc_proto::{Reply, RequestCounters, RequestEnd, RequestId, Requests, TooManyRequests};
use std::future::poll_fn;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Instant;

pub(super) type Outcome = Result<Reply, RequestEnd>;

pub(super) struct Pending {
    state: Mutex<State>,
}

struct State {
    machine: Requests<oneshot::Sender<Outcome>>,
    /// Whether there is a task.
    driven: bool,
    /// What the task waits for.
    armed: Option<Instant>,
    waker: Option<Waker>,
    /// There will be no connection any more.
    finished: bool,
}

/// Why a request was not entered.
pub(super) enum Refused {
    TooMany(TooManyRequests),
    Finished,
}

impl Pending {
    pub(super) fn new(seed: u64) -> Arc<Self> {
        let state = State { machine: Requests::new(seed, 0), driven: false, armed: None, waker: None, finished: false };
        Arc::new(Self { state: Mutex::new(state) })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Enters a request that ends at `deadline`.
    pub(super) fn begin(
        self: &Arc<Self>,
        common: &Arc<Common>,
        deadline: Option<Instant>,
    ) -> Result<(RequestId, oneshot::Receiver<Outcome>), Refused> {
        let limit = common.options().max_pending;
        let (sender, receiver) = oneshot::channel();
        let mut state = self.lock();
        if state.finished {
            return Err(Refused::Finished);
        }
        state.machine.set_limit(limit);
        let id = state.machine.begin(deadline, sender).map_err(Refused::TooMany)?;
        let undriven = !std::mem::replace(&mut state.driven, true);
        let sooner = deadline.is_some_and(|deadline| state.armed.is_none_or(|armed| deadline < armed));
        let waker = if sooner { state.waker.take() } else { None };
        drop(state);
        if undriven {
            let engine = &common.engine;
            // Made here, so that it is dropped even if the task never runs.
            let finish = Finish(Arc::clone(self));
            let (common, mut timer) = (Arc::clone(common), common.engine.timer());
            let task = async move { poll_fn(|cx| finish.0.poll(cx, || common.engine.now(), &mut *timer)).await };
            engine.spawn(Box::pin(task));
        } else if let Some(waker) = waker {
            waker.wake();
        }
        Ok((id, receiver))
    }

    /// Keeps the deadlines. Ready when the session is finished.
    fn poll(&self, cx: &mut Context<'_>, now: impl Fn() -> Instant, timer: &mut dyn crate::runtime::Timer) -> Poll<()> {
        loop {
            let mut ended = Vec::new();
            let (deadline, finished) = {
                let mut state = self.lock();
                state.machine.handle_timeout(now());
                while let Some(end) = state.machine.poll_ended() {
                    ended.push(end);
                }
                state.armed = state.machine.poll_timeout();
                if !state.waker.as_ref().is_some_and(|waker| waker.will_wake(cx.waker())) {
                    state.waker = Some(cx.waker().clone());
                }
                (state.armed, state.finished)
            };
            tell(ended);
            if finished {
                return Poll::Ready(());
            }
            timer.set(deadline);
            if timer.poll_expired(cx).is_pending() {
                return Poll::Pending;
            }
        }
    }

    /// `false` if nobody waits for it.
    pub(super) fn take(&self, reply: Reply) -> bool {
        let waits = self.lock().machine.handle_reply(reply.token());
        waits.is_some_and(|sender| sender.send(Ok(reply)).is_ok())
    }

    pub(super) fn cancel(&self, id: RequestId) {
        let cancelled = self.lock().machine.cancel(id);
        // Without the lock: a waker may be the last to hold its task.
        drop(cancelled);
    }

    fn end(&self, finished: bool) {
        let mut ended = Vec::new();
        let waker = {
            let mut state = self.lock();
            state.finished |= finished;
            state.machine.handle_disconnected();
            while let Some(end) = state.machine.poll_ended() {
                ended.push(end);
            }
            if finished { state.waker.take() } else { None }
        };
        tell(ended);
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// All that wait have ended with their connection.
    pub(super) fn hang_up(&self) {
        self.end(false);
    }

    pub(super) fn finish(&self) {
        self.end(true);
    }

    pub(super) fn counters(&self) -> RequestCounters {
        self.lock().machine.counters()
    }
}

fn tell(ended: Vec<(oneshot::Sender<Outcome>, RequestEnd)>) {
    for (sender, end) in ended {
        let _asker_has_given_up = sender.send(Err(end));
    }
}

/// Without its task there are no deadlines: then nobody may wait.
struct Finish(Arc<Pending>);

impl Drop for Finish {
    fn drop(&mut self) {
        self.0.finish();
    }
}
