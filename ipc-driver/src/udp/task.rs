//! The task that owns the socket: receive, decode, run handlers, send, forget who is silent, close.
//!
//! What a datagram means is for [`ipc_proto::Datagrams`], what is to be sent for the link.

use super::{Shared, UdpEvent, UdpPeer};
use crate::counters::Tally;
use crate::error::{BoxError, ConnectionError};
use crate::handlers::Seen;
use crate::link::CloseOrder;
use crate::log::note;
use crate::net::is_report_of_sending;
use crate::printable::Printable;
use crate::runtime::{DatagramSocket, Runtime, Timer};
use crate::scratch;
use crate::slot::Socket;
use crate::stream::Tap;
use crate::unheard::Unheard;
use bytes::{Buf, Bytes};
use ipc_proto::{Arrival, DatagramBurst, DatagramEvent, DatagramTransmit, PeerEvent, ProtocolError, Unsent};
use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

/// Datagrams received before the answers to them are sent, and datagrams sent before the queue is looked at again.
const BATCH: usize = 64;

/// Datagrams of more bytes are sent one by one: those of a burst must fit into a packet of the way, and all ways of IPv6 take this
/// much.
const BURST_LENGTH: usize = 1_200;

/// Datagrams of fewer bytes are not what a burst has failed for.
const SHORTEST_BURST: usize = 64;

/// After so many batches in a row other tasks have their turn.
const BATCHES_IN_A_ROW: usize = 16;

/// After so many bytes received other tasks have their turn too: a datagram may hold tens of thousands of messages.
const BYTES_IN_A_ROW: usize = 256 * 1024;

/// After an error of receiving the task waits so long instead of spinning.
const RECEIVE_PAUSE: Duration = Duration::from_millis(50);

/// The life of a socket. However its task ends, by a panic of a handler or dropped by the runtime, nobody waits for it in
/// vain.
pub(super) struct Exchange<R: Runtime> {
    runtime: R,
    /// Absent once it is closed.
    socket: Option<R::Datagrams>,
    place: Socket<Unsent>,
    hearing: Hearing,
    /// A datagram whose rest could not be dispatched.
    deferred: Option<Deferred>,
    transmit: DatagramTransmit,
    bursts: Bursts,
    timer: R::Timer,
    armed: Option<Instant>,
    /// Bytes received since other tasks had their turn.
    taken: usize,
    /// Nothing is received before.
    pause: Option<Instant>,
    /// What is queued is sent until then at most.
    until: Option<Instant>,
    /// The last order seen.
    ordered: CloseOrder,
    unsent: Unsent,
}

struct Deferred {
    arrival: Arrival,
    rest: Bytes,
}

impl<R: Runtime> Exchange<R> {
    pub(super) fn new(runtime: R, shared: Arc<Shared>, socket: R::Datagrams, place: Socket<Unsent>) -> Self {
        Self {
            timer: runtime.timer(),
            bursts: Bursts::new(socket.max_burst()),
            socket: Some(socket),
            place,
            hearing: Hearing {
                seen: Seen::default(),
                tap: shared.outlet.tap(),
                unheard: Unheard::default(),
                now: runtime.now(),
                tally: Tally::default(),
                shared,
            },
            runtime,
            deferred: None,
            transmit: DatagramTransmit::new(),
            armed: None,
            taken: 0,
            pause: None,
            until: None,
            ordered: CloseOrder::Open,
            unsent: Unsent::default(),
        }
    }

    pub(super) async fn run(mut self) {
        poll_fn(|cx| self.poll(cx)).await;
        self.end();
        self.hearing.lifecycle(UdpEvent::Stopped);
        self.place.stopped.set(self.unsent);
        // The last events wait for room in the stream like all others.
        poll_fn(|cx| self.hearing.poll_ready(cx)).await;
    }

    /// Ready when the socket is to be closed.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let shared = Arc::clone(&self.hearing.shared);
        self.taken = 0;
        for _ in 0..BATCHES_IN_A_ROW {
            self.hearing.now = self.runtime.now();
            let order = shared.air.link.unpark();
            if order == CloseOrder::Abort {
                let _best_effort = self.poll_send(cx);
                return Poll::Ready(());
            }
            if let CloseOrder::Flush(within) = order {
                if self.ordered != order {
                    self.end_within(within);
                }
            }
            self.ordered = order;
            let open = order == CloseOrder::Open;
            let received = open && shared.air.link.dispatch(|| self.poll_receive(cx)).is_ready();
            let congested = shared.air.link.is_congested();
            if self.poll_send(cx).is_ready() && !open {
                return Poll::Ready(());
            }
            let due = self.poll_timer(cx).is_ready();
            if self.until.is_some_and(|until| until <= self.runtime.now()) {
                return Poll::Ready(());
            }
            // Receiving that paused for the queue goes on when the queue has room: nobody else would wake us.
            let resumes = congested && !shared.air.link.is_congested();
            if !(received || due || resumes) && shared.air.link.park(cx, order) {
                return Poll::Pending;
            }
            if self.taken >= BYTES_IN_A_ROW {
                break;
            }
        }
        self.runtime.give_way(cx);
        Poll::Pending
    }

    /// Closes the socket after so long at the latest.
    fn end_within(&mut self, within: Duration) {
        self.hearing.shared.air.link.seal();
        // Nothing is received any more; a pause that is over would only keep the timer expired.
        self.pause = None;
        let now = self.runtime.now();
        // An addition that overflows means "not in this life".
        let until = now.checked_add(within).unwrap_or_else(|| now + Duration::from_secs(u64::from(u32::MAX)));
        self.until = Some(self.until.map_or(until, |sooner| sooner.min(until)));
    }

    /// Whether another event can be dispatched.
    fn poll_dispatch(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let ready = self.hearing.poll_ready(cx).is_ready() && !self.hearing.shared.air.link.is_congested();
        if ready { Poll::Ready(()) } else { Poll::Pending }
    }

    /// Receives a batch and dispatches it. Ready if there may be more.
    fn poll_receive(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.hearing.begin();
        if let Some(Deferred { arrival, mut rest }) = self.deferred.take() {
            let input = rest.clone();
            if let Some((arrival, left)) = self.deliver(cx, arrival, &input) {
                rest.advance(rest.len() - left);
                self.deferred = Some(Deferred { arrival, rest });
                return Poll::Pending;
            }
        }
        if self.pause.is_some_and(|until| until > self.runtime.now()) {
            return Poll::Pending;
        }
        self.pause = None;
        // It has room for any datagram, so none is cut.
        scratch::with_read_buffer(|buffer| {
            for _ in 0..BATCH {
                ready!(self.poll_dispatch(cx));
                let Some(socket) = &mut self.socket else { return Poll::Pending };
                let (count, from) = match ready!(socket.poll_recv(cx, buffer)) {
                    Ok(received) => received,
                    Err(error) if is_report_of_sending(&error) => {
                        note!(self.hearing.shared.log, debug, %error, "a datagram did not arrive");
                        self.hearing.shared.counted.unreachable.fetch_add(1, Ordering::Relaxed);
                        continue;
                    }
                    Err(error) => {
                        self.pause = Some(self.runtime.now() + RECEIVE_PAUSE);
                        self.hearing.failed(None, ConnectionError::Receive(Arc::new(error)));
                        return Poll::Pending;
                    }
                };
                let input = &buffer[..count.min(buffer.len())];
                self.taken += input.len();
                let arrival = self.hearing.shared.air.lock_core().begin(self.runtime.now(), from);
                if let Some((arrival, left)) = self.deliver(cx, arrival, input) {
                    let rest = Bytes::copy_from_slice(&input[input.len() - left..]);
                    self.deferred = Some(Deferred { arrival, rest });
                    return Poll::Pending;
                }
                if self.taken >= BYTES_IN_A_ROW {
                    break;
                }
            }
            Poll::Ready(())
        })
    }

    /// Dispatches what is in a datagram. If there is no room for all of it, gives back the arrival, and how many bytes were
    /// not looked at.
    fn deliver(&mut self, cx: &mut Context<'_>, mut arrival: Arrival, mut input: &[u8]) -> Option<(Arrival, usize)> {
        let peer = self.hearing.shared.air.peer(arrival.sender());
        loop {
            if self.poll_dispatch(cx).is_pending() {
                return Some((arrival, input.len()));
            }
            let Some(event) = arrival.next(&mut input) else { break };
            self.hearing.received(&peer, event);
        }
        let removed = self.hearing.shared.air.lock_core().end(arrival, input);
        if let Some(event) = removed {
            self.hearing.peer_event(event);
        }
        None
    }

    /// Sends what is queued. Ready once nothing is left.
    fn poll_send(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        for _ in 0..BATCHES_IN_A_ROW {
            // Also tells the link what was sent, so that whoever waits for room is woken.
            if !self.hearing.shared.air.link.poll_transmit(
                |report| *report = self.hearing.tally,
                &mut CloseOrder::Open,
                &mut self.transmit,
            ) {
                return Poll::Ready(());
            }
            let mut sent = 0;
            while sent < BATCH {
                let Some(burst) = self.transmit.first_burst(self.bursts.most(), self.bursts.longest) else { break };
                let Some(socket) = &mut self.socket else { return Poll::Ready(()) };
                let DatagramBurst { to, bytes, length, count, .. } = burst;
                let outcome = match u16::try_from(length) {
                    Ok(length) if count > 1 => socket.poll_send_burst(cx, bytes, length, to),
                    _ => socket.poll_send(cx, bytes, to),
                };
                match outcome {
                    Poll::Ready(Err(error)) if error.kind() == io::ErrorKind::Interrupted => {}
                    Poll::Ready(Err(error)) if count > 1 => {
                        note!(self.hearing.shared.log, debug, %error, count, "not sent as a burst");
                        self.bursts.failed(count, length);
                    }
                    Poll::Ready(outcome) => {
                        let length = bytes.len();
                        self.bursts.sent(count, outcome.is_ok());
                        self.transmit.advance_by(count);
                        sent += count;
                        self.sent(cx, to, count, outcome.map(|()| length));
                    }
                    Poll::Pending => {
                        self.hearing.shared.air.link.poll_transmit(
                            |report| *report = self.hearing.tally,
                            &mut CloseOrder::Open,
                            &mut self.transmit,
                        );
                        return Poll::Pending;
                    }
                }
            }
        }
        // Somebody refills the queue as fast as it is sent: receiving has its turn first.
        self.runtime.give_way(cx);
        Poll::Pending
    }

    /// So many datagrams, of so many bytes together, have left, or one could not be sent.
    fn sent(&mut self, cx: &mut Context<'_>, to: SocketAddr, count: usize, outcome: io::Result<usize>) {
        let counted = &self.hearing.shared.counted;
        match outcome {
            Ok(length) => {
                counted.sent.fetch_add(count as u64, Ordering::Relaxed);
                counted.sent_bytes.fetch_add(length as u64, Ordering::Relaxed);
            }
            Err(source) => {
                counted.failed.fetch_add(1, Ordering::Relaxed);
                let peer = self.hearing.shared.air.peer(to);
                let error = ConnectionError::Send { to, source: Arc::new(source) };
                // A queue full of datagrams for a cut network must not become as many events.
                if self.hearing.poll_ready(cx).is_ready() {
                    self.hearing.failed(Some(peer), error);
                } else {
                    self.hearing.tell(&UdpEvent::Error { peer: Some(peer), error });
                }
            }
        }
    }

    /// Forgets who is silent, when the time has come. Ready if the earliest of all deadlines has passed. The timer is left
    /// alone while it is set early enough.
    fn poll_timer(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        // Reports need room; when there is some, the stream wakes us.
        let room = self.hearing.poll_ready(cx).is_ready();
        let silence = if room { self.hearing.shared.air.lock_core().poll_timeout() } else { None };
        let deadline = [silence, self.pause, self.until].into_iter().flatten().min();
        let Some(deadline) = deadline else { return Poll::Pending };
        if self.armed.is_none_or(|armed| deadline < armed) {
            self.timer.set(Some(deadline));
            self.armed = Some(deadline);
        }
        ready!(self.timer.poll_expired(cx));
        self.armed = None;
        self.timer.set(None);
        self.hearing.shared.air.lock_core().handle_timeout(self.runtime.now());
        while self.hearing.poll_ready(cx).is_ready() {
            let event = self.hearing.shared.air.lock_core().poll_event();
            let Some(event) = event else { break };
            self.hearing.peer_event(event);
        }
        Poll::Ready(())
    }

    /// Closes the socket and counts what was not sent. `false` if that was done before.
    fn end(&mut self) -> bool {
        let Some(socket) = self.socket.take() else { return false };
        drop(socket);
        let shared = &self.hearing.shared;
        if let Some(Deferred { arrival, rest }) = self.deferred.take() {
            let _not_reported = shared.air.lock_core().end(arrival, &rest);
        }
        // A peer that is kept keeps the book, but not what can never be whole.
        shared.air.lock_core().abandon_unfinished();
        let transmit = std::mem::take(&mut self.transmit);
        if let Some(unsent) = shared.air.link.finish(self.hearing.tally, |outbound| outbound.end(transmit)) {
            self.unsent = unsent;
            shared.counted.unsent.fetch_add(self.unsent.messages as u64, Ordering::Relaxed);
        }
        // If nobody ordered it: the runtime has ended, or a handler of ours panicked.
        self.place.stop.set(());
        note!(shared.log, debug, endpoint = %self.place.endpoint, unsent = self.unsent.messages, counters = ?shared.counters(), "stopped");
        true
    }
}

impl<R: Runtime> Drop for Exchange<R> {
    fn drop(&mut self) {
        if self.end() {
            self.hearing.shared.outlet.send_now(UdpEvent::Stopped);
            if std::thread::panicking() {
                // Handlers are told too, but not while the stack unwinds: another panic would end the process.
                let shared = Arc::clone(&self.hearing.shared);
                self.runtime.spawn(async move {
                    shared.handlers.lifecycle(&UdpEvent::Stopped);
                });
            }
        }
        self.place.stopped.set(self.unsent);
    }
}

/// How many datagrams leave with one call.
struct Bursts {
    /// What the socket takes; 1 once it has shown that it takes none.
    most: usize,
    /// How long each may be.
    longest: usize,
    /// A burst of so many, each of such a length, failed. They are sent one by one, which shows whether that was to blame.
    one_by_one: (usize, usize),
}

impl Bursts {
    fn new(most: usize) -> Self {
        Self { most, longest: BURST_LENGTH, one_by_one: (0, 0) }
    }

    fn most(&self) -> usize {
        if self.one_by_one.0 > 0 { 1 } else { self.most }
    }

    fn failed(&mut self, count: usize, length: usize) {
        self.one_by_one = (count, length);
    }

    fn sent(&mut self, count: usize, well: bool) {
        let (left, length) = self.one_by_one;
        if left == 0 {
            return;
        }
        self.one_by_one.0 = left.saturating_sub(count);
        if well {
            // Too long for the packets of that way, most likely; what is short fits every way.
            self.longest = self.longest.min(length / 2);
            if self.longest < SHORTEST_BURST {
                self.most = 1;
            }
        }
    }
}

/// Where received events go: to handlers, or to the stream.
struct Hearing {
    shared: Arc<Shared>,
    seen: Seen<UdpPeer, UdpEvent>,
    tap: Tap<UdpEvent>,
    unheard: Unheard,
    /// When the last batch began.
    now: Instant,
    tally: Tally,
}

impl Hearing {
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.tap.poll_ready(cx, &self.shared.outlet)
    }

    fn begin(&mut self) {
        self.tap.refresh(&self.shared.outlet);
    }

    /// Reports a lifecycle event: to its handlers, and to the stream.
    fn lifecycle(&mut self, event: UdpEvent) {
        self.tap.refresh(&self.shared.outlet);
        self.tell(&event);
        self.tap.push(event);
    }

    /// Reports a lifecycle event to its handlers only.
    fn tell(&self, event: &UdpEvent) {
        self.shared.log.udp(event);
        let heard = self.shared.handlers.lifecycle(event);
        if let (UdpEvent::Error { error, .. }, false, false) = (event, heard, self.tap.is_open()) {
            if let Some(unlogged) = self.unheard.count(self.now) {
                note!(self.shared.log, warn, error = %Printable(error), unlogged, "unheard error");
            }
        }
    }

    fn failed(&mut self, peer: Option<UdpPeer>, error: ConnectionError) {
        self.lifecycle(UdpEvent::Error { peer, error });
    }

    fn handler_failed(&mut self, peer: &UdpPeer, event: &str, errors: Vec<BoxError>) {
        self.tally.handler_errors += errors.len() as u64;
        for source in errors {
            let error = ConnectionError::Handler { event: event.into(), source: Arc::new(source) };
            self.failed(Some(peer.clone()), error);
        }
    }

    fn peer_event(&mut self, event: PeerEvent) {
        match event {
            PeerEvent::Added(address) => self.lifecycle(UdpEvent::PeerAdded(self.shared.air.peer(address))),
            PeerEvent::Removed(address, reason) => {
                let peer = self.shared.air.peer(address);
                self.lifecycle(UdpEvent::PeerRemoved { peer, reason });
            }
            PeerEvent::MessageTimeout { peer, after, .. } => {
                let error = ProtocolError::MessageTimeout { after };
                let error = ConnectionError::Protocol { error, frame: "".into(), wire_length: 0, fatal: false };
                self.failed(Some(self.shared.air.peer(peer)), error);
            }
            _ => {}
        }
    }

    fn received(&mut self, peer: &UdpPeer, event: DatagramEvent<'_>) {
        self.shared.handlers.refresh(&mut self.seen);
        let mut errors = Vec::new();
        match event {
            DatagramEvent::Event(event) => {
                self.shared.log.received(format_args!("from {}", peer.address()), &event);
                if let Err(source) = self.seen.gate(peer, &event) {
                    self.tally.rejected += 1;
                    let error = ConnectionError::Rejected { event: event.name().into(), source: Arc::new(source) };
                    return self.failed(Some(peer.clone()), error);
                }
                let _handling = self.shared.log.handling(event.name());
                let taken = self.seen.event(&self.shared.handlers, peer, &event, |error| errors.push(error));
                self.handler_failed(peer, event.name(), errors);
                if taken {
                } else if self.tap.is_open() {
                    self.tap.push(UdpEvent::Message(peer.clone(), event.into_message()));
                } else {
                    self.tally.unhandled += 1;
                    self.shared.log.unhandled(event.name());
                    let mut errors = Vec::new();
                    self.seen.unhandled(peer, &event, |error| errors.push(error));
                    self.handler_failed(peer, event.name(), errors);
                }
            }
            DatagramEvent::Data(bytes) => {
                let taken = self.seen.data(peer, bytes, |error| errors.push(error));
                self.handler_failed(peer, "data", errors);
                if taken {
                } else if self.tap.is_open() {
                    self.tap.push(UdpEvent::Data(peer.clone(), Bytes::copy_from_slice(bytes)));
                } else {
                    self.tally.unhandled += 1;
                }
            }
            DatagramEvent::Malformed(report) => {
                self.failed(Some(peer.clone()), crate::error::protocol(&report, false));
            }
            DatagramEvent::Peer(event) => self.peer_event(event),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bursts_grow_shorter_by_what_they_fail_for_until_none_is_worth_it() {
        let mut bursts = Bursts::new(64);
        let fails_and_goes_one_by_one = |bursts: &mut Bursts, length| {
            bursts.failed(2, length);
            assert_eq!(bursts.most(), 1);
            bursts.sent(1, true);
            assert_eq!(bursts.most(), 1);
            bursts.sent(1, true);
        };
        fails_and_goes_one_by_one(&mut bursts, 2 * SHORTEST_BURST);
        assert_eq!((bursts.most(), bursts.longest), (64, SHORTEST_BURST));
        fails_and_goes_one_by_one(&mut bursts, 2 * SHORTEST_BURST - 1);
        assert_eq!(bursts.most(), 1);
    }
}
