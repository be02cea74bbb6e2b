//! A [`Connection`] on a simulated stream: written when there is room, read as the reader likes, ended in every way.
//!
//! This is the event loop that a user of `ipc-proto` writes, with the backpressure of `ipc-driver`: a connection whose queue
//! is over its bound with answers is not read unless the other end takes none of them for long, and answers given from a
//! handler have twice the room. After each step the machine is compared with the books.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use ipc_proto::bytes::Buf;
use ipc_proto::{Code, Connection, Event, Inbound, Malformed, Outbound, Received, Rules, Settings, Transmit};

use crate::app::{App, Control, Happening, Machine, Peer};
use crate::failure::{Invariant, Violation};
use crate::ledger::{Ending, SenderId};
use crate::network::{Read, StreamId, Write};
use crate::node::Context;
use crate::trace::digest;

/// How long a close waits for the other end, as in `ipc-driver`.
pub(crate) const LINGER: Duration = Duration::from_secs(5);

/// How long a peer that takes none of the answers is not read, as in `ipc-driver`.
pub(crate) const STANDSTILL: Duration = Duration::from_secs(10);

/// The same, once that was so, as long as there is something to write.
const NEXT_STANDSTILL: Duration = Duration::from_millis(100);

/// Bytes that are read at once, at most.
const AT_ONCE: usize = 16 * 1024;

/// The connections of one node.
#[derive(Debug)]
pub(crate) struct Channels {
    pub(crate) settings: Settings,
    pub(crate) list: BTreeMap<u64, Channel>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Closing {
    No,
    /// What is queued is still to be written.
    Draining,
    ShutDown,
}

#[derive(Debug)]
pub(crate) struct Channel {
    pub(crate) stream: StreamId,
    pub(crate) sender: SenderId,
    /// Absent while an event is lent out of it.
    inbound: Option<Inbound>,
    pub(crate) outbound: Outbound,
    pub(crate) transmit: Transmit,
    /// Its reader pauses until then.
    stalled: Option<Instant>,
    /// The answers of its own handlers have filled the queue.
    congested: bool,
    /// While that is so and the stream takes nothing: until when nothing is read.
    standstill: Option<Instant>,
    /// That was long enough: it is read until the stream takes something.
    reads_on: bool,
    /// That was so, and there has been something to write since.
    tried: bool,
    /// It has deferred input, to go on with before it reads.
    deferred: bool,
    closing: Closing,
    linger_until: Option<Instant>,
    /// The other end has shut down.
    ended: bool,
    broken: bool,
    pub(crate) aborted: bool,
    /// When the message that is not whole yet began to arrive.
    unfinished_since: Option<Instant>,
}

impl Channel {
    pub(crate) fn new(stream: StreamId, connection: Connection, sender: SenderId, context: &mut Context<'_>) -> Self {
        context.core.ledger.connected(sender, stream.other());
        let (inbound, outbound) = connection.split();
        Self {
            stream,
            sender,
            inbound: Some(inbound),
            outbound,
            transmit: Transmit::new(),
            stalled: None,
            congested: false,
            standstill: None,
            reads_on: false,
            tried: false,
            deferred: false,
            closing: Closing::No,
            linger_until: None,
            ended: false,
            broken: false,
            aborted: false,
            unfinished_since: None,
        }
    }

    /// Takes no more events; once everything has left, this side is shut down.
    pub(crate) fn close(&mut self, context: &mut Context<'_>) {
        if self.closing == Closing::No {
            context.trace("begins to close stream {a}", self.stream.0.into(), 0);
            self.closing = Closing::Draining;
            self.linger_until = Some(context.now() + LINGER);
            self.outbound.close();
            context.core.ledger.closing(self.sender);
        }
    }

    pub(crate) fn is_closing(&self) -> bool {
        self.closing != Closing::No
    }

    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        let unfinished = self.inbound.as_ref().and_then(Inbound::poll_timeout);
        [unfinished, self.stalled, self.linger_until, self.standstill].into_iter().flatten().min()
    }

    /// Whether something was queued or ordered that could be done at once.
    pub(crate) fn wants_turn(&self) -> bool {
        let drained = self.closing == Closing::Draining && self.outbound.pending() == 0;
        self.aborted || !self.broken && (drained || self.outbound.wants_transmit())
    }

    /// Whether nothing is queued and nothing kept back.
    pub(crate) fn is_idle(&self) -> bool {
        self.outbound.pending() == 0 && !self.deferred
    }

    /// Writes what there is room for.
    fn flush(&mut self, context: &mut Context<'_>) {
        while !self.broken && self.outbound.poll_transmit(&mut self.transmit) {
            let chunk = self.transmit.chunk();
            match context.write(self.stream, chunk) {
                Write::Taken(count) => {
                    let outcome = context.core.ledger.written(self.sender, self.stream.other(), &chunk[..count]);
                    context.check(outcome);
                    self.transmit.advance(count);
                    self.standstill = None;
                    self.reads_on = false;
                }
                Write::Blocked => break,
                Write::Broken => self.broken = true,
            }
        }
        context.core.ledger.handed_out(self.sender, self.transmit.remaining());
        let booked = context.core.ledger.pending(self.sender);
        let found = (self.outbound.pending(), self.outbound.held());
        if booked != found {
            let message = format!("(bytes pending, events held) are {found:?}, where they should be {booked:?}");
            context.violate(Invariant::Accounting, message);
        }
        let empty = self.transmit.is_empty() && !self.outbound.wants_transmit();
        if self.closing == Closing::Draining && empty {
            self.closing = Closing::ShutDown;
            context.shut_down(self.stream);
        }
    }

    /// Reads once: straight to where a large unfinished message is, if there is one, else into `bytes`.
    fn read(&mut self, bytes: &mut Vec<u8>, context: &mut Context<'_>) -> Read {
        let Some(inbound) = &mut self.inbound else { return Read::Blocked };
        let Some(room) = inbound.read_buffer() else { return context.read(self.stream, bytes, AT_ONCE) };
        let read = context.read(self.stream, bytes, room.len());
        if let Read::Bytes(count) = read {
            room[..count].copy_from_slice(bytes);
            bytes.clear();
            inbound.read_done(count);
        }
        read
    }

    /// Whether it is over, apart from what is to be read.
    fn over(&self, now: Instant) -> Option<Ending> {
        if self.aborted || self.linger_until.is_some_and(|until| until <= now) {
            return Some(Ending::Closed);
        }
        match (self.ended, self.broken) {
            (true, true) => Some(Ending::Reset),
            (true, false) if self.closing == Closing::ShutDown => Some(Ending::End),
            _ => None,
        }
    }

    /// Whether so many answers wait for room in the stream that nothing more should be read. What a broken stream still
    /// has is read whatever waits, for that will never leave; and what `sync` holds waits for something to be read.
    fn is_congested(&mut self, max_pending: usize) -> bool {
        let waits_for_room = self.outbound.wants_transmit() || !self.transmit.is_empty();
        self.congested &= waits_for_room && self.outbound.pending() > max_pending;
        self.congested && !self.broken && !self.reads_on
    }

    /// As [`is_congested`](Self::is_congested), until that has lasted for long and the stream has taken nothing.
    fn pauses(&mut self, now: Instant, max_pending: usize) -> bool {
        if !self.is_congested(max_pending) {
            self.standstill = None;
            self.reads_on &= self.congested;
            self.tried &= self.outbound.pending() > 0;
            return false;
        }
        let within = if self.tried { NEXT_STANDSTILL } else { STANDSTILL };
        if *self.standstill.get_or_insert(now + within) > now {
            return true;
        }
        self.standstill = None;
        self.reads_on = true;
        self.tried = true;
        false
    }

    fn may_read(&mut self, now: Instant, max_pending: usize) -> bool {
        self.stalled = self.stalled.filter(|until| *until > now);
        let pauses = self.pauses(now, max_pending);
        !self.ended && self.stalled.is_none() && !pauses
    }

    /// Compares what is unfinished, and until when it may be, with what is known.
    fn check_inbound(&mut self, progress: bool, settings: &Settings, context: &mut Context<'_>) {
        let Some(inbound) = &self.inbound else { return };
        let unfinished = inbound.unfinished();
        if self.deferred || unfinished == 0 || inbound.has_failed() {
            self.unfinished_since = None;
            return;
        }
        if progress || self.unfinished_since.is_none() {
            self.unfinished_since = Some(context.now());
        }
        let bound = settings.max_message_size().saturating_add(2 * settings.delimiter().as_bytes().len());
        if unfinished > bound {
            let message = format!("{unfinished} bytes of an unfinished message are kept, more than {bound}");
            context.violate(Invariant::Bounds, message);
        }
        let until = self.unfinished_since.zip(settings.message_timeout()).map(|(since, timeout)| since + timeout);
        if inbound.poll_timeout() != until {
            let message = "an unfinished message is not given messageTimeout from when it began".to_owned();
            context.violate(Invariant::Bounds, message);
        }
    }
}

impl Channels {
    pub(crate) fn new(settings: Settings) -> Self {
        Self { settings, list: BTreeMap::new() }
    }

    pub(crate) fn key_of(&self, stream: StreamId) -> Option<u64> {
        self.list.iter().find(|(_, channel)| channel.stream == stream).map(|(key, _)| *key)
    }

    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        self.list.values().filter_map(Channel::poll_timeout).min()
    }

    /// Does with one connection whatever can be done now. Tells if and how it has ended.
    pub(crate) fn pump(
        &mut self,
        key: u64,
        machine: &mut Machine<'_>,
        app: &mut impl App,
        context: &mut Context<'_>,
    ) -> Option<Ending> {
        let max_pending = self.settings.max_pending_bytes();
        loop {
            let now = context.now();
            let channel = self.list.get_mut(&key)?;
            channel.flush(context);
            if let Some(ending) = channel.over(now) {
                return Some(ending);
            }
            if context.core.violation.is_some() {
                return None;
            }
            if !channel.may_read(now, max_pending) {
                break;
            }
            let mut bytes = std::mem::take(&mut context.core.scratch);
            bytes.clear();
            let mut read = Read::Bytes(0);
            if !std::mem::take(&mut channel.deferred) {
                read = channel.read(&mut bytes, context);
            }
            let mut ending = None;
            match read {
                Read::Bytes(_) => ending = self.take(key, &bytes, machine, app, context),
                Read::End => {
                    channel.ended = true;
                    // What is queued is still sent: the other end may wait for answers.
                    channel.close(context);
                }
                Read::Reset => ending = Some(Ending::Reset),
                Read::Blocked => {}
            }
            context.core.scratch = bytes;
            if ending.is_some() || machine.is_ending() {
                return ending;
            }
            if read == Read::Blocked {
                break;
            }
        }
        let channel = self.list.get_mut(&key)?;
        let report = channel.inbound.as_mut()?.handle_timeout(context.now())?;
        context.trace("stream {a}: a message was unfinished for too long", channel.stream.0.into(), 0);
        self.tell(machine, app, context, Happening::Malformed(Peer(key), &report));
        Some(Ending::Failed)
    }

    /// Takes the events out of what was read, and of what was deferred.
    fn take(
        &mut self,
        key: u64,
        mut input: &[u8],
        machine: &mut Machine<'_>,
        app: &mut impl App,
        context: &mut Context<'_>,
    ) -> Option<Ending> {
        let now = context.now();
        let stall = context.core.network.wire.stall;
        let mut budget = if context.random().chance(stall) { context.random().below(4) } else { u64::MAX };
        let channel = self.list.get_mut(&key)?;
        let (stream, sender) = (channel.stream, channel.sender);
        let mut inbound = channel.inbound.take()?;
        let (mut ending, mut progress) = (None, false);
        loop {
            let channel = self.list.get_mut(&key)?;
            if channel.aborted || machine.is_ending() || context.core.violation.is_some() {
                break;
            }
            let congested = channel.is_congested(self.settings.max_pending_bytes());
            if budget == 0 || congested {
                inbound.defer(input);
                channel.deferred = true;
                if !congested {
                    let pause = context.core.network.wire.stall_for.clone();
                    channel.stalled = Some(now + context.random().duration(&pause));
                }
                context.trace("stream {a}: defers {b} bytes", stream.0.into(), input.len() as u64);
                break;
            }
            budget -= 1;
            let taken = channel.outbound.counters().events;
            let Some(received) = inbound.poll_event(now, &mut input) else { break };
            progress = true;
            match received {
                Received::Event(event) => {
                    context.trace(
                        "stream {a}: gets an event of {b} bytes",
                        stream.0.into(),
                        event.frame().len() as u64,
                    );
                    let outcome = context.core.ledger.delivered(stream, digest(0, event.frame().as_bytes()), false);
                    context.check(outcome);
                    self.answered(key, sender, context);
                    if let (Machine::Server(server), Some(id)) = (&mut *machine, event.sender_id()) {
                        if server.settings().config().identify_peer {
                            claim(server, key, id);
                        }
                    }
                    self.tell(machine, app, context, Happening::Event(Peer(key), &event));
                }
                Received::Raw(bytes) => {
                    context.trace("stream {a}: gets {b} bytes", stream.0.into(), bytes.len() as u64);
                    let outcome = context.core.ledger.delivered_raw(stream, bytes);
                    context.check(outcome);
                    self.answered(key, sender, context);
                    self.tell(machine, app, context, Happening::Bytes(Peer(key), bytes));
                }
                Received::Malformed(report) | Received::Failed(report) => {
                    context.trace("stream {a}: gets a malformed message", stream.0.into(), 0);
                    let outcome = self.judge(stream, &report, context);
                    context.check(outcome);
                    self.tell(machine, app, context, Happening::Malformed(Peer(key), &report));
                }
                other => context.violate(Invariant::Order, format!("something that is not known here: {other:?}")),
            }
            if let Some(channel) = self.list.get_mut(&key) {
                let answered = channel.outbound.counters().events > taken;
                channel.congested |= answered && channel.outbound.pending() > self.settings.max_pending_bytes();
            }
            if inbound.has_failed() {
                ending = Some(Ending::Failed);
                break;
            }
        }
        let settings = &self.settings;
        let channel = self.list.get_mut(&key)?;
        channel.inbound = Some(inbound);
        channel.outbound.set_limit(settings.max_pending_bytes());
        channel.check_inbound(progress, settings, context);
        ending
    }

    fn answered(&mut self, key: u64, sender: SenderId, context: &mut Context<'_>) {
        if let Some(channel) = self.list.get_mut(&key) {
            channel.outbound.handle_answer();
            // What the handler answers has twice the room.
            channel.outbound.set_limit(self.settings.max_pending_bytes().saturating_mul(2));
            context.core.ledger.answered(sender);
        }
    }

    pub(crate) fn tell(
        &mut self,
        machine: &mut Machine<'_>,
        app: &mut impl App,
        context: &mut Context<'_>,
        happening: Happening<'_>,
    ) {
        app.handle(happening, &mut Control { machine: machine.reborrow(), channels: self, context });
    }

    /// Whether a receiver may say that of a peer that keeps the books, and so keeps to the protocol.
    fn judge(&self, stream: StreamId, report: &Malformed<'_>, context: &mut Context<'_>) -> Result<(), Violation> {
        let ledger = &mut context.core.ledger;
        if !ledger.knows(stream) {
            return Ok(());
        }
        let wrong = || {
            let message = format!("stream {}: a good message is said to be bad: {}", stream.0, report.error());
            Err(Violation::new(Invariant::Order, message))
        };
        match report.error().code() {
            Code::FrameTooLarge => {
                let length = ledger.due_length(stream).unwrap_or(0);
                let limit = self.settings.max_message_size() + self.settings.delimiter().as_bytes().len();
                if length > limit { Ok(()) } else { wrong() }
            }
            Code::EventNotAllowed | Code::ReservedEvent | Code::InvalidEvent | Code::EventTooLarge => {
                let frame = report.frame().as_bytes();
                let refused = Event::parse(frame, &Rules::default())
                    .is_ok_and(|event| self.settings.rules().check(event.name()).is_err());
                if refused { ledger.delivered(stream, digest(0, frame), true) } else { wrong() }
            }
            _ => wrong(),
        }
    }
}

fn claim(server: &mut ipc_proto::Server, key: u64, id: &str) {
    let peer = server.peers().find(|peer| peer.get() == key);
    if let Some(peer) = peer {
        server.handle_claimed_id(peer, id);
    }
}
