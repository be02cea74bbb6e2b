//! The loop around one stream: read, decode, dispatch, flush, close.
//!
//! One task polls a [`Pump`] and nobody else touches its socket. After every read all answers leave in one write. It
//! knows neither client nor server: what a received event means is for its [`Dispatch`], what is to be sent for its
//! [`Link`].

use crate::counters::{Received as Report, Tally};
use crate::error::ConnectionError;
use crate::link::{CloseOrder, IDLE_BUFFER, Link};
use crate::patience::Patience;
use crate::runtime::{Runtime, Timer};
use crate::scratch;
use crate::transport::Transport;
use bytes::Buf;
use futures_io::{AsyncRead, AsyncWrite};
use ipc_proto::{Inbound, Received, Transmit};
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

/// Takes what a connection receives.
pub(crate) trait Dispatch {
    /// Whether there is room for another event. While pending, nothing is decoded and soon nothing is read.
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<()>;

    /// A run of events is about to come.
    fn begin(&mut self);

    /// Takes one event.
    fn received(&mut self, received: Received<'_>);

    /// Ready when nothing is worked on whose answer is still to be sent.
    fn poll_answered(&mut self, cx: &mut Context<'_>) -> Poll<()>;

    /// What has become of the events so far.
    fn tally(&self) -> Tally;
}

/// Why a connection ended.
#[derive(Debug)]
pub(crate) enum Why {
    /// The peer ended it.
    PeerClosed,
    /// We ended it and everything queued was written.
    Flushed,
    /// We ended it at once, or the time to flush was over.
    Aborted,
    /// The peer did not read, and `slowConsumer` says to end the connection for it.
    TooSlow { pending: usize, limit: usize },
    /// The operating system reported an error.
    Io(io::Error),
    /// The peer broke the protocol; the report has been dispatched.
    Protocol,
}

impl Why {
    /// What is to be reported, beyond what was.
    pub(crate) fn into_error(self) -> Option<ConnectionError> {
        match self {
            Self::Io(error) => Some(ConnectionError::Io(Arc::new(error))),
            Self::TooSlow { pending, limit } => Some(ConnectionError::TooSlow { pending, limit }),
            Self::PeerClosed | Self::Flushed | Self::Aborted | Self::Protocol => None,
        }
    }
}

/// After so many rounds of reading, or of writing, something else has its turn.
const ROUNDS_IN_A_ROW: usize = 32;

/// Slices given to one vectored write.
const SLICES: usize = 16;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Open,
    /// Writing what is queued, until then at most; then the stream ends.
    Draining {
        until: Instant,
    },
    /// Our side is shut down; waiting for the peer to end its own, so that what it has not read is not destroyed.
    Lingering {
        until: Instant,
    },
}

pub(crate) struct Pump<R: Runtime> {
    runtime: R,
    /// When it was made.
    made: Instant,
    stream: Transport<R::Stream>,
    inbound: Inbound,
    transmit: Transmit,
    timer: R::Timer,
    armed: Option<Instant>,
    phase: Phase,
    /// The last order followed.
    ordered: CloseOrder,
    /// The last order seen.
    latest: CloseOrder,
    /// The queue takes nothing more.
    sealed: bool,
    /// The peer has ended its side.
    eof: bool,
    /// `inbound` holds input that could not be dispatched, or was told that reading pauses.
    deferred: bool,
    /// Writing failed. What has arrived before is still read.
    broken: Option<io::Error>,
    patience: Patience,
    unflushed: bool,
    /// Something was counted that the link does not know.
    unreported: bool,
    sync: bool,
}

impl<R: Runtime> Pump<R> {
    pub(crate) fn new(runtime: R, stream: Transport<R::Stream>, inbound: Inbound, sync: bool) -> Self {
        Self {
            timer: runtime.timer(),
            made: runtime.now(),
            runtime,
            stream,
            inbound,
            transmit: Transmit::new(),
            armed: None,
            phase: Phase::Open,
            ordered: CloseOrder::Open,
            latest: CloseOrder::Open,
            sealed: false,
            eof: false,
            deferred: false,
            broken: None,
            patience: Patience::default(),
            unflushed: false,
            unreported: false,
            sync,
        }
    }

    /// What was taken from the queue and not written, and what was counted.
    pub(crate) fn end(self, dispatch: &impl Dispatch) -> (Transmit, Report) {
        let report = Report { inbound: self.inbound.counters(), tally: dispatch.tally() };
        (self.transmit, report)
    }

    /// Takes what is queued, and reports what was counted.
    fn poll_transmit(&mut self, link: &Link, tally: Tally) -> bool {
        let Self { inbound, transmit, unreported, latest: order, .. } = self;
        if !transmit.has_spare() {
            if let Some(spare) = scratch::take_write_buffer() {
                transmit.give_spare(spare);
            }
        }
        link.poll_transmit(|all| report(all, inbound, unreported, tally), order, transmit)
    }

    /// Goes to sleep, unless there is something to do. Only where nothing is half done: one look at the queue instead of two.
    fn rest(&mut self, cx: &Context<'_>, link: &Link, tally: Tally) -> bool {
        let Self { inbound, transmit, unreported, latest: order, .. } = self;
        link.rest(cx, |all| report(all, inbound, unreported, tally), *order, transmit)
    }

    /// Whether nothing is half done, ordered, or a matter of time, and reading does not pause for the queue.
    fn is_quiet(&self, link: &Link) -> bool {
        let open = self.latest == CloseOrder::Open && self.phase == Phase::Open && self.broken.is_none();
        let written = self.transmit.is_empty() && !self.unflushed && self.patience.is_untried();
        open && written && !self.inbound.is_timed() && !link.is_congested()
    }

    /// Ready when the connection has ended; the stream is to be dropped then.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>, link: &Link, dispatch: &mut impl Dispatch) -> Poll<Why> {
        self.latest = link.unpark();
        for _ in 0..ROUNDS_IN_A_ROW {
            let order = self.latest;
            if order != CloseOrder::Open {
                if let Some(why) = self.follow(cx, link, dispatch, order) {
                    return Poll::Ready(why);
                }
            }
            self.ordered = order;
            let read = match self.poll_read(cx, link, dispatch) {
                Poll::Ready(Err(why)) => return Poll::Ready(why),
                Poll::Ready(Ok(())) => true,
                Poll::Pending => false,
            };
            if !read && self.is_quiet(link) {
                if let Some(buffer) = self.inbound.take_buffer() {
                    scratch::keep_spare(buffer);
                }
                if self.rest(cx, link, dispatch.tally()) {
                    self.patience.taken_all();
                    self.give_back();
                    return Poll::Pending;
                }
            }
            let congested = self.is_congested(link);
            if self.broken.is_some() {
                if let Some(why) = self.after_break(link, dispatch, read) {
                    return Poll::Ready(why);
                }
            } else {
                match self.poll_write(cx, link, dispatch.tally(), read) {
                    Poll::Ready(Ok(false)) => {}
                    Poll::Ready(Ok(true)) => {
                        self.patience.taken_all();
                        if let Poll::Ready(why) = self.poll_end(cx, order) {
                            return Poll::Ready(why);
                        }
                    }
                    Poll::Ready(Err(error)) => {
                        self.broken = Some(error);
                        continue;
                    }
                    Poll::Pending => {}
                }
            }
            self.patience.look(link.is_congested(), || self.runtime.now());
            if let Poll::Ready(why) = self.poll_timer(cx, dispatch) {
                return Poll::Ready(why);
            }
            if !read {
                if let Some(buffer) = self.inbound.take_buffer() {
                    scratch::keep_spare(buffer);
                }
                // Reading that paused for the queue goes on when the queue has room: nobody else would wake us.
                let resumes = congested && !self.is_congested(link);
                if !resumes && link.park(cx, order) {
                    self.give_back();
                    return Poll::Pending;
                }
            }
        }
        self.runtime.give_way(cx);
        Poll::Pending
    }

    /// Gives the thread its buffer back.
    fn give_back(&mut self) {
        if let Some(spare) = self.transmit.take_buffer(IDLE_BUFFER) {
            scratch::keep_write_buffer(spare);
        }
    }

    /// Does what was ordered, if anything is to be done at once.
    #[cold]
    fn follow(
        &mut self,
        cx: &mut Context<'_>,
        link: &Link,
        dispatch: &mut impl Dispatch,
        order: CloseOrder,
    ) -> Option<Why> {
        match order {
            CloseOrder::Open => {}
            CloseOrder::Abort => {
                // What the socket takes at once still leaves, as with `destroy` in Node; nothing is waited for.
                if self.broken.is_none() {
                    let _best_effort = self.poll_write(cx, link, dispatch.tally(), false);
                }
                return Some(Why::Aborted);
            }
            CloseOrder::TooSlow => {
                let (pending, limit) = link.fullness();
                return Some(Why::TooSlow { pending, limit });
            }
            CloseOrder::Flush(within) => {
                if self.ordered != order {
                    self.end_within(within);
                }
                // A peer that has ended its side reads on or not: it does not hold us up.
                if !self.sealed && (self.eof || dispatch.poll_answered(cx).is_ready()) {
                    link.seal();
                    self.sealed = true;
                }
            }
        }
        None
    }

    /// Nothing can be written any more; what has arrived before is still read.
    #[cold]
    fn after_break(&mut self, link: &Link, dispatch: &mut impl Dispatch, read: bool) -> Option<Why> {
        // Counted as unsent in the end; in the queue it would keep us from going to sleep.
        self.poll_transmit(link, dispatch.tally());
        let is_over = !self.deferred && (self.eof || !read && !self.awaits_end());
        is_over.then(|| self.why_broken())
    }

    /// Ends the connection after so long at the latest.
    fn end_within(&mut self, within: Duration) {
        let now = self.runtime.now();
        // An addition that overflows means "not in this life".
        let until = now.checked_add(within).unwrap_or_else(|| now + Duration::from_secs(u64::from(u32::MAX)));
        self.phase = match self.phase {
            Phase::Open => Phase::Draining { until },
            Phase::Draining { until: sooner } => Phase::Draining { until: until.min(sooner) },
            Phase::Lingering { until: sooner } => Phase::Lingering { until: until.min(sooner) },
        };
    }

    /// Whether events can be dispatched now. If not, the clock of an unfinished message stands still.
    fn poll_dispatch(&mut self, cx: &mut Context<'_>, link: &Link, dispatch: &mut impl Dispatch) -> Poll<()> {
        if dispatch.poll_ready(cx).is_ready() && !self.is_congested(link) {
            return Poll::Ready(());
        }
        if !self.deferred {
            self.defer(&[]);
        }
        Poll::Pending
    }

    /// Keeps what cannot be dispatched now.
    #[cold]
    fn defer(&mut self, input: &[u8]) {
        self.inbound.defer(input);
        self.deferred = true;
    }

    fn is_congested(&self, link: &Link) -> bool {
        link.is_congested() && self.broken.is_none() && !self.patience.is_over()
    }

    /// Reads once and dispatches what came.
    fn poll_read(&mut self, cx: &mut Context<'_>, link: &Link, dispatch: &mut impl Dispatch) -> Poll<Result<(), Why>> {
        ready!(self.poll_dispatch(cx, link, dispatch));
        if self.deferred {
            self.deferred = false;
            self.deliver(cx, link, dispatch, &[])?;
            if self.deferred {
                return Poll::Pending;
            }
        }
        if self.eof {
            return Poll::Pending;
        }
        let count = if let Some(room) = self.inbound.read_buffer() {
            let count = match ready!(Pin::new(&mut self.stream).poll_read(cx, room)) {
                Ok(count) => count,
                Err(error) => return self.read_failed(error),
            };
            self.inbound.read_done(count);
            self.deliver(cx, link, dispatch, &[])?;
            count
        } else {
            let outcome =
                scratch::with_read_buffer(|buffer| match ready!(Pin::new(&mut self.stream).poll_read(cx, buffer)) {
                    Ok(count) => {
                        let delivered = self.deliver(cx, link, dispatch, &buffer[..count]);
                        Poll::Ready(Ok(delivered.map(|()| count)))
                    }
                    Err(error) => Poll::Ready(Err(error)),
                });
            match ready!(outcome) {
                Ok(delivered) => delivered?,
                Err(error) => return self.read_failed(error),
            }
        };
        if count == 0 {
            self.eof = true;
            if self.phase == Phase::Open {
                // What was queued is still sent: a peer may end its side and wait for the answers.
                self.end_within(crate::CLOSE_WITHIN);
            }
        }
        Poll::Ready(Ok(()))
    }

    #[cold]
    fn read_failed(&mut self, error: io::Error) -> Poll<Result<(), Why>> {
        if error.kind() == io::ErrorKind::Interrupted {
            return Poll::Ready(Ok(()));
        }
        Poll::Ready(Err(self.why(error)))
    }

    /// A peer that is gone while we are ending anyway is no error. One that says that it has understood nothing, as TLS does by
    /// an alert, has lost what was sent.
    fn why(&self, error: io::Error) -> Why {
        use io::ErrorKind::{InvalidData, PermissionDenied};
        match self.phase {
            _ if self.eof => Why::PeerClosed,
            // Of these kinds are an alert of TLS, and one that refuses us (`HandshakeError`); of a socket itself never.
            Phase::Lingering { .. } if matches!(error.kind(), InvalidData | PermissionDenied) => Why::Io(error),
            Phase::Lingering { .. } => Why::Flushed,
            Phase::Open | Phase::Draining { .. } => Why::Io(error),
        }
    }

    /// Whether the end of the stream is on its way, after writing has failed. A peer that has ended is found out by a
    /// socket both ways at once; by a pipe of Windows first by writing, while what the peer wrote before is still to be read.
    fn awaits_end(&mut self) -> bool {
        let gone = self.broken.as_ref().is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe);
        if gone && self.phase == Phase::Open {
            self.end_within(crate::CLOSE_WITHIN);
        }
        gone
    }

    fn awaits_taker(&self) -> bool {
        self.broken.is_some() && self.ordered == CloseOrder::Open
    }

    fn why_broken(&mut self) -> Why {
        let error = self.broken.take();
        self.why(error.unwrap_or_else(|| io::ErrorKind::BrokenPipe.into()))
    }

    /// Decodes and dispatches; keeps what cannot be taken now.
    fn deliver(
        &mut self,
        cx: &mut Context<'_>,
        link: &Link,
        dispatch: &mut impl Dispatch,
        mut input: &[u8],
    ) -> Result<(), Why> {
        if self.inbound.unfinished() == 0 {
            if let Some(spare) = scratch::take_spare() {
                self.inbound.give_buffer(spare);
            }
        }
        // To ask for the time costs more than all the rest of this.
        let now = if self.inbound.is_timed() { self.runtime.now() } else { self.made };
        self.unreported = true;
        link.dispatch(|| {
            dispatch.begin();
            loop {
                if dispatch.poll_ready(cx).is_pending() || self.is_congested(link) {
                    self.defer(input);
                    return Ok(());
                }
                let Some(received) = self.inbound.poll_event(now, &mut input) else { return Ok(()) };
                let failed = matches!(received, Received::Failed(_));
                if self.sync {
                    link.answered();
                }
                dispatch.received(received);
                if failed {
                    return Err(Why::Protocol);
                }
            }
        })
    }

    /// Writes what is queued. Ready once that is done: with `true` if nothing is left, and with `false` if this was not
    /// looked at again, because there will be another round anyway.
    fn poll_write(
        &mut self,
        cx: &mut Context<'_>,
        link: &Link,
        tally: Tally,
        another_round: bool,
    ) -> Poll<io::Result<bool>> {
        let outcome = self.poll_write_all(cx, link, tally, another_round);
        if outcome.is_pending() && self.unflushed {
            // What has left makes room for others, though the rest still waits.
            self.poll_transmit(link, tally);
        }
        outcome
    }

    fn poll_write_all(
        &mut self,
        cx: &mut Context<'_>,
        link: &Link,
        tally: Tally,
        another_round: bool,
    ) -> Poll<io::Result<bool>> {
        for _ in 0..ROUNDS_IN_A_ROW {
            let writable = self.poll_transmit(link, tally);
            while !self.transmit.is_empty() {
                let chunk = self.transmit.chunk();
                let written = if chunk.len() == self.transmit.remaining() {
                    ready!(Pin::new(&mut self.stream).poll_write(cx, chunk))
                } else {
                    ready!(write_vectored(Pin::new(&mut self.stream), cx, &self.transmit))
                };
                match written {
                    Ok(count) if count > 0 => {
                        self.transmit.advance(count);
                        self.patience.taken();
                        self.unflushed = true;
                    }
                    failed => write_failed(failed)?,
                }
            }
            if self.unflushed {
                ready!(Pin::new(&mut self.stream).poll_flush(cx))?;
                self.unflushed = false;
            }
            if another_round || !writable {
                return Poll::Ready(Ok(!writable));
            }
        }
        // Somebody refills the queue as fast as it is written: reading has its turn first.
        self.runtime.give_way(cx);
        Poll::Pending
    }

    /// Everything is written: ends the stream if that is what was waited for.
    #[inline]
    fn poll_end(&mut self, cx: &mut Context<'_>, order: CloseOrder) -> Poll<Why> {
        if self.phase == Phase::Open { Poll::Pending } else { self.poll_ending(cx, order) }
    }

    #[cold]
    fn poll_ending(&mut self, cx: &mut Context<'_>, order: CloseOrder) -> Poll<Why> {
        if matches!(order, CloseOrder::Flush(_)) && !self.sealed {
            return Poll::Pending;
        }
        if let Phase::Draining { until } = self.phase {
            if let Err(error) = ready!(Pin::new(&mut self.stream).poll_close(cx)) {
                return Poll::Ready(self.why(error));
            }
            self.phase = Phase::Lingering { until };
        }
        match self.phase {
            Phase::Lingering { .. } if self.eof => {
                Poll::Ready(if order == CloseOrder::Open { Why::PeerClosed } else { Why::Flushed })
            }
            _ => Poll::Pending,
        }
    }

    fn poll_timer(&mut self, cx: &mut Context<'_>, dispatch: &mut impl Dispatch) -> Poll<Why> {
        let is_timed = self.inbound.is_timed() || self.phase != Phase::Open || !self.patience.is_untried();
        if is_timed { self.poll_deadline(cx, dispatch) } else { Poll::Pending }
    }

    /// The earliest of what time ends.
    fn deadline(&self) -> Option<Instant> {
        let ending = match self.phase {
            Phase::Open => None,
            Phase::Draining { until } | Phase::Lingering { until } => Some(until),
        };
        [self.inbound.poll_timeout(), ending, self.patience.poll_timeout()].into_iter().flatten().min()
    }

    /// Looks at the clock when the earliest deadline has come. The timer is left alone while it is set early enough.
    #[inline(never)]
    fn poll_deadline(&mut self, cx: &mut Context<'_>, dispatch: &mut impl Dispatch) -> Poll<Why> {
        loop {
            let Some(deadline) = self.deadline() else { return Poll::Pending };
            if self.armed.is_none_or(|armed| deadline < armed) {
                self.timer.set(Some(deadline));
                self.armed = Some(deadline);
            }
            ready!(self.timer.poll_expired(cx));
            self.armed = None;
            self.timer.set(None);
            let now = self.runtime.now();
            self.patience.handle_timeout(now);
            if let Some(report) = self.inbound.handle_timeout(now) {
                dispatch.received(Received::Failed(report));
                return Poll::Ready(Why::Protocol);
            }
            match self.phase {
                // The peer answered our end with silence: everything was written all the same.
                Phase::Lingering { until } if until <= now => return Poll::Ready(Why::Flushed),
                // What the peer wrote before it ended waits for somebody to take it.
                Phase::Draining { until } if until <= now && self.deferred && self.awaits_taker() => {
                    self.phase = Phase::Draining { until: now + crate::CLOSE_WITHIN };
                }
                Phase::Draining { until } if until <= now => {
                    return Poll::Ready(match self.ordered {
                        _ if self.broken.is_some() => self.why_broken(),
                        // It is the peer that ended the connection; it did not read what was still to be sent.
                        CloseOrder::Open => Why::PeerClosed,
                        _ => Why::Aborted,
                    });
                }
                _ => {}
            }
        }
    }
}

/// Brings what is known of a connection's counters up to date.
fn report(all: &mut Report, inbound: &Inbound, unreported: &mut bool, tally: Tally) {
    if std::mem::take(unreported) {
        inbound.update(&mut all.inbound);
    }
    // Async handlers fail between two reads.
    all.tally = tally;
}

/// Writes several segments at once.
#[inline(never)]
fn write_vectored<S: AsyncWrite>(
    stream: Pin<&mut S>,
    cx: &mut Context<'_>,
    bytes: &Transmit,
) -> Poll<io::Result<usize>> {
    let mut slices = [IoSlice::new(&[]); SLICES];
    let filled = bytes.chunks_vectored(&mut slices);
    stream.poll_write_vectored(cx, &slices[..filled])
}

/// Nothing was written: an error, unless it was only interrupted.
#[cold]
fn write_failed(outcome: io::Result<usize>) -> io::Result<()> {
    match outcome {
        Ok(_) => Err(io::ErrorKind::WriteZero.into()),
        Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(()),
        Err(error) => Err(error),
    }
}

#[cfg(all(test, not(ipc_loom)))]
mod tests {
    use super::*;

    #[test]
    fn a_write_that_was_interrupted_is_tried_again_and_one_that_takes_nothing_is_not() {
        let failed = |outcome| write_failed(outcome).map_err(|error| error.kind());
        assert_eq!(failed(Err(io::ErrorKind::Interrupted.into())), Ok(()));
        assert_eq!(failed(Ok(0)), Err(io::ErrorKind::WriteZero));
        assert_eq!(failed(Err(io::ErrorKind::BrokenPipe.into())), Err(io::ErrorKind::BrokenPipe));
    }
}
