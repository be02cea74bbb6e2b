//! The part of a connection that everybody may touch: its outbound queue and the order to close.
//!
//! One task pumps the socket; any thread emits here. The lock of a [`Link`] protects the queue and the flags beside it.
//! It is held while an event is encoded, never across a system call, a handler or an await. The task is woken at most
//! once between two of its runs. The queue is that of a stream, or that of a UDP socket.

use crate::counters::{Linked, Received, Tally};
use crate::scratch;
use crate::sync::{AtomicBool, Mutex, MutexGuard, Ordering};
use crate::wakers::{Ticket, Wakers, Woken};
use ipc_proto::{
    DatagramOutbound, DatagramSendCounters, DatagramTransmit, EmitError, Outbound, OutboundCounters, Transmit,
};
use std::cell::Cell;
use std::fmt;
use std::ops::AddAssign;
use std::ptr;
use std::sync::PoisonError;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

/// How a connection is to be closed. Later values override earlier ones.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd)]
pub(crate) enum CloseOrder {
    /// Not at all.
    #[default]
    Open,
    /// Now, as if it had broken: the policy `disconnect` of `slowConsumer` has given it up.
    TooSlow,
    /// Send what is queued, then end; after so long at the latest.
    Flush(Duration),
    /// Now.
    Abort,
}

impl CloseOrder {
    /// Whether what was asked before is still answered.
    fn takes_answers(self) -> bool {
        matches!(self, Self::Open | Self::Flush(_))
    }
}

/// What a link needs to know of a queue.
pub(crate) trait Queue {
    /// What was taken out of it to be written.
    type Transmit;
    /// What it counts.
    type Counters: Copy + Default + AddAssign + fmt::Debug;
    /// What the task counts that looks after it.
    type Report: Copy + Default + AddAssign + fmt::Debug;

    fn counters(&self) -> Self::Counters;
    fn limit(&self) -> usize;
    fn set_limit(&mut self, limit: usize);
    fn pending(&self) -> usize;
    fn wants_transmit(&self) -> bool;
    fn poll_transmit(&mut self, transmit: &mut Self::Transmit) -> bool;
    fn close(&mut self);

    /// Lends it a buffer to encode into; gives back what it has no use for.
    fn give_buffer(&mut self, spare: Vec<u8>) -> Option<Vec<u8>> {
        Some(spare)
    }

    /// Takes back a buffer that it does not need just now.
    fn take_buffer(&mut self) -> Option<Vec<u8>> {
        None
    }
}

/// What a connection may hold for its next events while it is idle. A broadcast of small events finds this room.
pub(crate) const IDLE_BUFFER: usize = 256;

/// From how many bytes on that wait, and that its task has not looked at yet, a sender that waits for room anyway lets others
/// have a turn first: a loop of sends shall not fill a queue up to its limit before the first byte of it leaves.
const TURN: usize = 16 * 1024;

/// Both kinds of queue have these methods by themselves.
macro_rules! queue {
    ($queue:ty, $transmit:ty, $counters:ty, $report:ty; $($more:tt)*) => {
        impl Queue for $queue {
            type Transmit = $transmit;
            type Counters = $counters;
            type Report = $report;

            fn counters(&self) -> $counters {
                self.counters()
            }

            fn limit(&self) -> usize {
                self.limit()
            }

            fn set_limit(&mut self, limit: usize) {
                self.set_limit(limit);
            }

            fn pending(&self) -> usize {
                self.pending()
            }

            fn wants_transmit(&self) -> bool {
                self.wants_transmit()
            }

            fn poll_transmit(&mut self, transmit: &mut $transmit) -> bool {
                self.poll_transmit(transmit)
            }

            fn close(&mut self) {
                self.close();
            }

            $($more)*
        }
    };
}
queue! {
    Outbound, Transmit, OutboundCounters, Received;

    fn give_buffer(&mut self, spare: Vec<u8>) -> Option<Vec<u8>> {
        self.give_buffer(spare)
    }

    fn take_buffer(&mut self) -> Option<Vec<u8>> {
        self.take_buffer(IDLE_BUFFER)
    }
}
queue!(DatagramOutbound, DatagramTransmit, DatagramSendCounters, Tally;);

#[derive(Debug)]
pub(crate) struct Link<Q: Queue = Outbound> {
    state: Mutex<State<Q>>,
    /// The answers of our own handlers have filled the queue. Written under the lock, read without it between two
    /// events.
    congested: AtomicBool,
}

/// What an emit touches stands together, as in the queue itself.
#[derive(Debug)]
#[repr(C)]
struct State<Q: Queue> {
    /// The task waits and wants to be woken when something is queued or ordered.
    parked: bool,
    /// It is to look at something else, and has been told so while it ran.
    nudged: bool,
    order: CloseOrder,
    waker: Option<Waker>,
    /// Absent while a client has no connection, or a UDP server no socket.
    outbound: Option<Q>,
    /// Who waits for room in the queue.
    waiting: Wakers,
    /// Emits that were refused because there was no connection any more, or it was told to end.
    closed: u64,
    /// How often somebody had to wait for room.
    waits: u64,
    /// What the task of the connection that is there has counted.
    report: Q::Report,
    /// What queues and tasks have counted that are gone. (Apart, as most links outlive none.)
    past: Option<Box<(Q::Counters, Q::Report)>>,
}

impl<Q: Queue> Default for Link<Q> {
    fn default() -> Self {
        let state = State {
            outbound: None,
            order: CloseOrder::Open,
            parked: false,
            nudged: false,
            waker: None,
            waiting: Wakers::default(),
            closed: 0,
            waits: 0,
            report: Q::Report::default(),
            past: None,
        };
        Self { state: Mutex::new(state), congested: AtomicBool::new(false) }
    }
}

#[cfg(not(ipc_loom))]
thread_local! {
    /// The link whose handlers run on this thread just now.
    static DISPATCHING: Cell<*const ()> = const { Cell::new(ptr::null()) };
}
#[cfg(ipc_loom)]
loom::thread_local! {
    static DISPATCHING: Cell<*const ()> = Cell::new(ptr::null());
}

impl<Q: Queue> Link<Q> {
    pub(crate) fn new(outbound: Q) -> Self {
        let link = Self::default();
        link.attach(outbound);
        link
    }

    fn address(&self) -> *const () {
        ptr::from_ref(self).cast()
    }

    fn lock(&self) -> MutexGuard<'_, State<Q>> {
        // A panic while encoding cannot leave the queue half written: it is truncated or complete.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Emits through `emit`; `None` if there is no connection.
    ///
    /// A handler that answers its own peer may fill the queue to twice `maxPendingBytes`: its connection reads nothing
    /// more while the queue is above the limit, so that answers are not refused for what the peer has not yet read, unless
    /// the peer takes nothing for long.
    pub(crate) fn emit(&self, emit: impl FnOnce(&mut Q) -> Result<(), EmitError>) -> Option<Result<(), EmitError>> {
        self.emit_while(|order| order == CloseOrder::Open, emit)
    }

    /// Emits the answer to a request: also while the connection is told to end, until its queue is sealed.
    pub(crate) fn answer(&self, emit: impl FnOnce(&mut Q) -> Result<(), EmitError>) -> Option<Result<(), EmitError>> {
        self.emit_while(CloseOrder::takes_answers, emit)
    }

    fn emit_while(
        &self,
        may: impl FnOnce(CloseOrder) -> bool,
        emit: impl FnOnce(&mut Q) -> Result<(), EmitError>,
    ) -> Option<Result<(), EmitError>> {
        let inline = ptr::eq(DISPATCHING.with(Cell::get), self.address());
        let mut guard = self.lock();
        let state = &mut *guard;
        let outbound = state.outbound.as_mut()?;
        if !may(state.order) {
            state.closed += 1;
            return Some(Err(EmitError::Closed));
        }
        let outcome = if inline { self.emit_inline(outbound, emit) } else { emit(outbound) };
        match outcome {
            Ok(()) => Self::wake(guard),
            // A connection that is told to end does so in its own time: the answer is refused, and that is all.
            Err(EmitError::TooSlow { .. }) if state.order == CloseOrder::Open => {
                state.order = CloseOrder::TooSlow;
                Self::wake(guard);
            }
            Err(_) => {}
        }
        Some(outcome)
    }

    fn emit_inline(
        &self,
        outbound: &mut Q,
        emit: impl FnOnce(&mut Q) -> Result<(), EmitError>,
    ) -> Result<(), EmitError> {
        /// Puts the limit back, also when a payload panics while it is encoded.
        struct Raised<'a, Q: Queue>(&'a mut Q, usize);
        impl<Q: Queue> Drop for Raised<'_, Q> {
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
        emit: impl FnOnce(&mut Q) -> Result<(), EmitError>,
    ) -> Poll<Option<Result<(), EmitError>>> {
        self.poll_emit_while(|order| order == CloseOrder::Open, cx, ticket, emit)
    }

    /// Like [`answer`](Self::answer), but waits for room.
    pub(crate) fn poll_answer(
        &self,
        cx: &mut Context<'_>,
        ticket: &mut Ticket,
        emit: impl FnOnce(&mut Q) -> Result<(), EmitError>,
    ) -> Poll<Option<Result<(), EmitError>>> {
        self.poll_emit_while(CloseOrder::takes_answers, cx, ticket, emit)
    }

    fn poll_emit_while(
        &self,
        may: impl FnOnce(CloseOrder) -> bool,
        cx: &mut Context<'_>,
        ticket: &mut Ticket,
        emit: impl FnOnce(&mut Q) -> Result<(), EmitError>,
    ) -> Poll<Option<Result<(), EmitError>>> {
        let mut guard = self.lock();
        let state = &mut *guard;
        let Some(outbound) = state.outbound.as_mut() else { return Poll::Ready(None) };
        if !may(state.order) {
            state.closed += 1;
            return Poll::Ready(Some(Err(EmitError::Closed)));
        }
        if !state.parked && !ticket.gave_way && outbound.pending() >= TURN {
            ticket.gave_way = true;
            drop(guard);
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        match emit(outbound) {
            Err(EmitError::Full { .. }) => {
                state.waits += 1;
                state.waiting.register(ticket, cx);
                Poll::Pending
            }
            outcome => {
                if outcome.is_ok() {
                    Self::wake(guard);
                }
                Poll::Ready(Some(outcome))
            }
        }
    }

    /// Refuses an emit because there is no queue, where such emits are to be counted.
    pub(crate) fn refuse(&self) -> Result<(), EmitError> {
        self.lock().closed += 1;
        Err(EmitError::Closed)
    }

    /// Registers a task that waits for room while there is no connection.
    pub(crate) fn wait(&self, cx: &Context<'_>, ticket: &mut Ticket) {
        let mut state = self.lock();
        state.waits += 1;
        state.waiting.register(ticket, cx);
    }

    /// What was counted here since the link was made. A queue that was detached counts elsewhere.
    pub(crate) fn counters(&self) -> Linked<Q::Counters, Q::Report> {
        let state = self.lock();
        let (mut sent, mut report) = state.past.as_deref().copied().unwrap_or_default();
        if let Some(outbound) = &state.outbound {
            sent += outbound.counters();
        }
        report += state.report;
        Linked { sent, report, closed: state.closed, waits: state.waits }
    }

    /// A place among those who wait for room, given back when it is dropped.
    pub(crate) fn place(&self) -> Place<'_, Q> {
        Place { link: self, ticket: Ticket::default() }
    }

    pub(crate) fn pending(&self) -> usize {
        self.lock().outbound.as_ref().map_or(0, Q::pending)
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

    /// Wakes the task without an order, to let it look at something else. If it runs, it does not go to sleep before it has
    /// looked.
    pub(crate) fn nudge(&self) {
        let mut state = self.lock();
        state.nudged = !state.parked;
        Self::wake(state);
    }

    fn wake(mut state: MutexGuard<'_, State<Q>>) {
        if std::mem::take(&mut state.parked) {
            let waker = state.waker.clone();
            drop(state);
            if let Some(waker) = waker {
                waker.wake();
            }
        }
    }

    /// For the task: gives the link a queue, when a client has connected.
    pub(crate) fn attach(&self, outbound: Q) {
        let mut state = self.lock();
        state.outbound = Some(outbound);
    }

    /// Gives the link a queue, when a UDP server has a socket again: an order to close the last one is fulfilled.
    pub(crate) fn reopen(&self, outbound: Q) {
        let mut state = self.lock();
        state.outbound = Some(outbound);
        state.order = CloseOrder::Open;
    }

    /// For the task: takes the queue out, when the connection has ended, with its last report. Whoever waits for room is
    /// woken.
    pub(crate) fn detach(&self, report: Q::Report) -> Option<Q> {
        let mut state = self.lock();
        let outbound = state.outbound.take();
        if state.order == CloseOrder::TooSlow {
            // It was for that connection, and not for the client.
            state.order = CloseOrder::Open;
        }
        self.detached(state, report);
        outbound
    }

    /// For the task: ends the queue, when the connection has ended for good. What it has counted stays here.
    pub(crate) fn finish<T>(&self, report: Q::Report, end: impl FnOnce(&mut Q) -> T) -> Option<T> {
        let mut state = self.lock();
        let mut outbound = state.outbound.take();
        let ended = outbound.as_mut().map(|outbound| {
            let ended = end(outbound);
            state.past.get_or_insert_default().0 += outbound.counters();
            ended
        });
        self.detached(state, report);
        ended
    }

    fn detached(&self, mut state: MutexGuard<'_, State<Q>>, report: Q::Report) {
        state.report = Q::Report::default();
        state.past.get_or_insert_default().1 += report;
        let waiting = state.waiting.take();
        self.congested.store(false, Ordering::Relaxed);
        drop(state);
        waiting.wake();
    }

    /// For the task: moves what is queued to `transmit`, wakes who waits for room, and tells whether there is something to
    /// write. `report` brings what the task has counted up to date, where there is something new; `order` is what
    /// [`unpark`](Self::unpark) would say.
    pub(crate) fn poll_transmit(
        &self,
        report: impl FnOnce(&mut Q::Report),
        order: &mut CloseOrder,
        transmit: &mut Q::Transmit,
    ) -> bool {
        let mut state = self.lock();
        report(&mut state.report);
        *order = state.order;
        let (writable, roomy) = self.take(&mut state, transmit);
        if let Some(waiting) = roomy {
            drop(state);
            waiting.wake();
        }
        writable
    }

    /// Whether there is something to write, and who is to be woken, because there is room.
    #[inline]
    fn take(&self, state: &mut State<Q>, transmit: &mut Q::Transmit) -> (bool, Option<Woken>) {
        let Some(outbound) = state.outbound.as_mut() else { return (false, None) };
        let writable = outbound.poll_transmit(transmit);
        let (pending, limit) = (outbound.pending(), outbound.limit());
        // What `sync` holds waits for an answer, which has to be read, and not for the peer to read.
        if pending <= limit || !writable {
            self.congested.store(false, Ordering::Relaxed);
        }
        let roomy = pending <= limit / 2 && !state.waiting.is_empty();
        (writable, roomy.then(|| state.waiting.take()))
    }

    /// For the task: [`poll_transmit`](Self::poll_transmit), and, if there is nothing to write, [`park`](Self::park). `false`
    /// if it does not go to sleep.
    pub(crate) fn rest(
        &self,
        cx: &Context<'_>,
        report: impl FnOnce(&mut Q::Report),
        seen: CloseOrder,
        transmit: &mut Q::Transmit,
    ) -> bool {
        let mut state = self.lock();
        report(&mut state.report);
        let (writable, roomy) = self.take(&mut state, transmit);
        let rests = !writable && state.order == seen && !state.nudged;
        if rests {
            Self::sleep(state, cx);
        } else {
            drop(state);
        }
        if let Some(waiting) = roomy {
            waiting.wake();
        }
        rests
    }

    /// For the task: no emit is taken any more; what is queued stays.
    pub(crate) fn seal(&self) {
        if let Some(outbound) = self.lock().outbound.as_mut() {
            outbound.close();
        }
    }

    /// For the task: it runs, so nobody needs to wake it; and how it is to end. Meanwhile the queue has the thread's buffer to
    /// encode into.
    pub(crate) fn unpark(&self) -> CloseOrder {
        let spare = scratch::take_write_buffer();
        let mut state = self.lock();
        (state.parked, state.nudged) = (false, false);
        let order = state.order;
        let unused = match (&mut state.outbound, spare) {
            (Some(outbound), Some(spare)) => outbound.give_buffer(spare),
            (_, spare) => spare,
        };
        drop(state);
        if let Some(unused) = unused {
            scratch::keep_write_buffer(unused);
        }
        order
    }

    /// For the task: goes to sleep, unless something was queued or ordered since `seen`, or it was nudged; then `false`.
    pub(crate) fn park(&self, cx: &Context<'_>, seen: CloseOrder) -> bool {
        let mut state = self.lock();
        if std::mem::take(&mut state.nudged)
            || state.order != seen
            || state.outbound.as_ref().is_some_and(Q::wants_transmit)
        {
            return false;
        }
        Self::sleep(state, cx);
        true
    }

    #[inline]
    fn sleep(mut state: MutexGuard<'_, State<Q>>, cx: &Context<'_>) {
        if !state.waker.as_ref().is_some_and(|waker| waker.will_wake(cx.waker())) {
            state.waker = Some(cx.waker().clone());
        }
        state.parked = true;
        let unneeded = state.outbound.as_mut().and_then(Q::take_buffer);
        drop(state);
        if let Some(unneeded) = unneeded {
            scratch::keep_write_buffer(unneeded);
        }
    }

    /// Runs handlers of this connection: emits they make to their own peer are recognised by [`emit`](Self::emit).
    pub(crate) fn dispatch<T>(&self, handlers: impl FnOnce() -> T) -> T {
        struct Restore(*const ());
        impl Drop for Restore {
            fn drop(&mut self) {
                DISPATCHING.with(|dispatching| dispatching.set(self.0));
            }
        }
        let _restore = Restore(DISPATCHING.with(|dispatching| dispatching.replace(self.address())));
        handlers()
    }
}

impl Link {
    /// The bytes that wait, and how many may, for the error that says there were too many.
    pub(crate) fn fullness(&self) -> (usize, usize) {
        self.lock().outbound.as_ref().map_or((0, 0), |outbound| (outbound.pending(), outbound.limit()))
    }

    pub(crate) fn held(&self) -> Option<usize> {
        self.lock().outbound.as_ref().map(Outbound::held)
    }

    /// For the task: in `sync` mode an answer has come.
    pub(crate) fn answered(&self) {
        if let Some(outbound) = self.lock().outbound.as_mut() {
            outbound.handle_answer();
        }
    }
}

/// See [`Link::place`].
pub(crate) struct Place<'a, Q: Queue = Outbound> {
    link: &'a Link<Q>,
    pub(crate) ticket: Ticket,
}

impl<Q: Queue> Drop for Place<'_, Q> {
    fn drop(&mut self) {
        if !self.ticket.is_some() {
            return;
        }
        let forgotten = self.link.lock().waiting.forget(&self.ticket);
        // Without the lock: a waker may be the last to hold its task.
        drop(forgotten);
    }
}

#[cfg(all(test, not(ipc_loom)))]
mod tests;
