//! Streams in memory: bounded buffers, latency, pieces, refusals, cuts, half-open connections.
//!
//! A stream has two ends with the numbers 2n (who dialled) and 2n + 1. What one end writes goes into the inbox of the
//! other, where it *arrives* later. The network keeps the promises of a stream, order and completeness up to a reset,
//! unless it is told to break one ([`Sabotage`]); what bytes mean is not known here.

use std::ops::RangeInclusive;
use std::time::Duration;

use ipc_proto::Endpoint;

use crate::clock::Clock;
use crate::node::Input;
use crate::random::{Random, nanos};

/// One end of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StreamId(pub(crate) u32);

impl StreamId {
    pub(crate) fn index(self) -> usize {
        self.0 as usize
    }

    pub(crate) fn other(self) -> Self {
        Self(self.0 ^ 1)
    }
}

/// How streams behave while nothing is broken, and how often small things go wrong. Probabilities are from 0 to 1.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Wire {
    /// How long bytes and everything else travel. Default 20 µs to 2 ms.
    pub latency: RangeInclusive<Duration>,
    /// Bytes that one direction of a stream holds, drawn for each stream. Default 4 KiB to 64 KiB.
    pub buffer: RangeInclusive<u64>,
    /// How likely it is that what is written at once arrives in two or three pieces. Default 0.2.
    pub split: f64,
    /// How likely it is that a read or write takes only a part of what it could. Default 0.1.
    pub short: f64,
    /// How likely it is that a dial is refused although somebody listens. Default 0.
    pub refuse: f64,
    /// How likely it is that a dial is answered by nobody and fails after [`dial_timeout`](Self::dial_timeout). Default 0.
    pub unanswered: f64,
    /// How long a dial waits for an answer. Default 2 s.
    pub dial_timeout: Duration,
    /// How likely it is, per read, that the reader takes a few events, defers the rest and pauses. Default 0.
    pub stall: f64,
    /// How long such a pause is. Default 1 ms to 300 ms.
    pub stall_for: RangeInclusive<Duration>,
}

impl Default for Wire {
    fn default() -> Self {
        Self {
            latency: Duration::from_micros(20)..=Duration::from_millis(2),
            buffer: 4 * 1024..=64 * 1024,
            split: 0.2,
            short: 0.1,
            refuse: 0.0,
            unanswered: 0.0,
            dial_timeout: Duration::from_secs(2),
            stall: 0.0,
            stall_for: Duration::from_millis(1)..=Duration::from_millis(300),
        }
    }
}

impl Wire {
    /// The same without anything that goes wrong.
    #[must_use]
    pub fn calmed(&self) -> Self {
        Self { refuse: 0.0, unanswered: 0.0, stall: 0.0, ..self.clone() }
    }
}

/// A promise of streams that the network can be told to break once, to see that the checks notice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Sabotage {
    /// What was written arrives twice.
    Duplicate,
    /// What was written never arrives, and what comes after it does.
    Lose,
    /// The second half of what was written arrives before the first.
    Reorder,
    /// One bit is another.
    Flip,
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Event {
    Dial(StreamId),
    DialFailed(StreamId),
    Established(StreamId),
    /// Bytes up to this one, counted from the first of the stream, have arrived.
    Arrive(StreamId, u64),
    Fin(StreamId),
    Reset(StreamId),
    Room(StreamId),
    Wake(u32),
}

/// What reading gave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Read {
    /// So many bytes were appended to the buffer.
    Bytes(usize),
    /// There are none yet; [`Input::Ready`] comes when there are.
    Blocked,
    /// The other end has shut down: no bytes follow.
    End,
    /// The stream is broken: no bytes follow, and some may be lost.
    Reset,
}

/// What writing gave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Write {
    /// So many bytes were taken, at least one.
    Taken(usize),
    /// There is no room; [`Input::Ready`] comes when there is.
    Blocked,
    /// The stream is broken, or this end was shut down.
    Broken,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Dialling,
    Open,
    /// Its owner has closed it, or it never came up.
    Closed,
}

#[derive(Debug)]
struct End {
    node: u32,
    state: State,
    /// What comes in.
    bytes: Vec<u8>,
    /// How many bytes of the stream came before the first of `bytes`.
    base: u64,
    /// `bytes` before this were read.
    read: usize,
    /// How many bytes of the stream have arrived.
    arrived: u64,
    /// When the last thing on its way arrives: nothing overtakes.
    last_arrival: u64,
    capacity: usize,
    shut_down: bool,
    fin_arrived: bool,
    was_reset: bool,
    wants_room: bool,
    /// Nothing that is written here arrives, from now on.
    severed: bool,
}

impl End {
    fn new(node: u32, capacity: usize) -> Self {
        Self {
            node,
            state: State::Dialling,
            bytes: Vec::new(),
            base: 0,
            read: 0,
            arrived: 0,
            last_arrival: 0,
            capacity,
            shut_down: false,
            fin_arrived: false,
            was_reset: false,
            wants_room: false,
            severed: false,
        }
    }

    fn readable(&self) -> usize {
        usize::try_from(self.arrived - self.base).unwrap_or(0) - self.read
    }

    fn unread(&self) -> usize {
        self.bytes.len() - self.read
    }

    /// Forgets what has not arrived yet.
    fn sever(&mut self) {
        let arrived = usize::try_from(self.arrived - self.base).unwrap_or(0);
        self.bytes.truncate(arrived);
        self.severed = true;
    }

    /// As [`sever`](Self::sever), without the blame: the other end has closed.
    fn sever_unarrived(&mut self) {
        let severed = self.severed;
        self.sever();
        self.severed = severed;
    }

    fn clear(&mut self) {
        self.base += self.bytes.len() as u64;
        self.arrived = self.arrived.max(self.base);
        self.bytes = Vec::new();
        self.read = 0;
    }

    /// Gives room back that was read.
    fn compact(&mut self) {
        if self.read == self.bytes.len() || self.read > 8 * 1024 {
            self.bytes.drain(..self.read);
            self.base += self.read as u64;
            self.read = 0;
        }
    }
}

#[derive(Debug)]
pub(crate) struct Network {
    pub(crate) wire: Wire,
    ends: Vec<End>,
    /// Where each stream was dialled to, as an index of `places`.
    dialled: Vec<usize>,
    places: Vec<(Endpoint, Option<u32>)>,
    /// The dialling ends of streams that are up.
    live: Vec<StreamId>,
    random: Random,
    sabotage: Option<(Sabotage, u64)>,
    pub(crate) refused: u64,
}

impl Network {
    pub(crate) fn new(wire: Wire, random: Random) -> Self {
        let (ends, dialled, places, live) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        Self { wire, ends, dialled, places, live, random, sabotage: None, refused: 0 }
    }

    pub(crate) fn sabotage(&mut self, what: Sabotage, after_writes: u64) {
        self.sabotage = Some((what, after_writes));
    }

    pub(crate) fn listen(&mut self, endpoint: &Endpoint, node: Option<u32>) {
        let place = self.place(endpoint);
        self.places[place].1 = node;
    }

    fn place(&mut self, endpoint: &Endpoint) -> usize {
        let known = self.places.iter().position(|(known, _)| known == endpoint);
        known.unwrap_or_else(|| {
            self.places.push((endpoint.clone(), None));
            self.places.len() - 1
        })
    }

    pub(crate) fn live(&self) -> &[StreamId] {
        &self.live
    }

    pub(crate) fn is_cut(&self, stream: StreamId) -> bool {
        self.ends[stream.index()].severed
    }

    fn travel(&mut self) -> u64 {
        nanos(self.random.duration(&self.wire.latency))
    }

    pub(crate) fn dial(&mut self, clock: &mut Clock, endpoint: &Endpoint, node: u32) -> StreamId {
        let stream = StreamId(u32::try_from(self.ends.len()).unwrap_or(u32::MAX - 1));
        let place = self.place(endpoint);
        self.dialled.push(place);
        for node in [node, u32::MAX] {
            let capacity = usize::try_from(self.random.within(&self.wire.buffer)).unwrap_or(usize::MAX).max(1);
            self.ends.push(End::new(node, capacity));
        }
        if self.random.chance(self.wire.unanswered) {
            self.refused += 1;
            clock.plan(clock.now() + nanos(self.wire.dial_timeout), Event::DialFailed(stream));
        } else {
            let at = clock.now() + self.travel();
            clock.plan(at, Event::Dial(stream));
        }
        stream
    }

    /// Something planned happens. Tells who must know.
    pub(crate) fn happen(&mut self, clock: &mut Clock, event: Event) -> Option<(u32, Input)> {
        match event {
            Event::Wake(node) => Some((node, Input::Timeout)),
            Event::Dial(stream) => self.knock(clock, stream),
            Event::DialFailed(stream) => {
                let end = &mut self.ends[stream.index()];
                let waits = end.state == State::Dialling;
                end.state = State::Closed;
                waits.then_some((end.node, Input::ConnectFailed(stream)))
            }
            Event::Established(stream) => {
                let end = &mut self.ends[stream.index()];
                if end.state != State::Dialling {
                    return None;
                }
                end.state = State::Open;
                Some((end.node, Input::Connected(stream)))
            }
            Event::Arrive(stream, upto) => {
                let end = &mut self.ends[stream.index()];
                if end.severed || end.was_reset || upto <= end.arrived {
                    return None;
                }
                if end.state == State::Closed {
                    // Nobody is there to take them.
                    end.clear();
                    self.reset(clock, stream.other());
                    return None;
                }
                end.arrived = upto;
                self.ready(stream)
            }
            Event::Fin(stream) => {
                let end = &mut self.ends[stream.index()];
                end.fin_arrived = !end.severed;
                self.ready(stream)
            }
            Event::Reset(stream) => {
                let end = &mut self.ends[stream.index()];
                if std::mem::replace(&mut end.was_reset, true) {
                    return None;
                }
                end.sever_unarrived();
                // Some systems let what has arrived be read, and some do not.
                if self.random.chance(0.5) {
                    self.ends[stream.index()].clear();
                }
                self.ready(stream)
            }
            Event::Room(stream) => self.ready(stream),
        }
    }

    fn ready(&self, stream: StreamId) -> Option<(u32, Input)> {
        let end = &self.ends[stream.index()];
        (end.state == State::Open).then_some((end.node, Input::Ready(stream)))
    }

    /// A dial has arrived where it was meant for.
    fn knock(&mut self, clock: &mut Clock, stream: StreamId) -> Option<(u32, Input)> {
        let server = self.places[self.dialled[stream.index() / 2]].1;
        let at = clock.now() + self.travel();
        let refused = self.random.chance(self.wire.refuse);
        self.refused += u64::from(refused);
        let Some(server) = server.filter(|_| !refused) else {
            clock.plan(at, Event::DialFailed(stream));
            return None;
        };
        let accepted = stream.other();
        let end = &mut self.ends[accepted.index()];
        (end.node, end.state) = (server, State::Open);
        // What the server sends must not overtake the news that it is there.
        self.ends[stream.index()].last_arrival = at;
        clock.plan(at, Event::Established(stream));
        self.live.push(stream);
        if self.ends[stream.index()].state == State::Closed {
            // Who dialled has gone meanwhile; the server learns it as of any other stream.
            self.fin(clock, accepted);
        }
        Some((server, Input::Accepted(accepted)))
    }

    pub(crate) fn read(&mut self, clock: &mut Clock, stream: StreamId, into: &mut Vec<u8>, at_most: usize) -> Read {
        let short = self.random.chance(self.wire.short);
        let end = &mut self.ends[stream.index()];
        if end.state != State::Open {
            return Read::Reset;
        }
        let mut count = end.readable().min(at_most);
        if count == 0 {
            return if end.was_reset {
                Read::Reset
            } else if end.fin_arrived && end.unread() == 0 {
                Read::End
            } else {
                Read::Blocked
            };
        }
        if short {
            count = 1 + usize::try_from(self.random.below(count as u64)).unwrap_or(0);
        }
        let end = &mut self.ends[stream.index()];
        into.extend_from_slice(&end.bytes[end.read..end.read + count]);
        end.read += count;
        end.compact();
        let severed = end.severed;
        if std::mem::take(&mut self.ends[stream.other().index()].wants_room) && !severed {
            let at = clock.now() + self.travel();
            clock.plan(at, Event::Room(stream.other()));
        }
        Read::Bytes(count)
    }

    pub(crate) fn write(&mut self, clock: &mut Clock, stream: StreamId, bytes: &[u8]) -> Write {
        let own = &self.ends[stream.index()];
        if own.state != State::Open || own.was_reset || own.shut_down {
            return Write::Broken;
        }
        let to = &self.ends[stream.other().index()];
        let room = to.capacity.saturating_sub(to.unread());
        let mut count = room.min(bytes.len());
        if count == 0 {
            self.ends[stream.index()].wants_room = true;
            return Write::Blocked;
        }
        if self.random.chance(self.wire.short) {
            count = 1 + usize::try_from(self.random.below(count as u64)).unwrap_or(0);
        }
        let bytes = &bytes[..count];
        if self.ends[stream.other().index()].severed {
            // They fill the buffer and go nowhere.
            self.ends[stream.other().index()].bytes.extend_from_slice(bytes);
            return Write::Taken(count);
        }
        let before = self.ends[stream.other().index()].bytes.len();
        self.put(stream.other(), bytes);
        let put = self.ends[stream.other().index()].bytes.len() - before;
        self.send(clock, stream.other(), put);
        Write::Taken(count)
    }

    /// Puts bytes where they are to arrive, as they are unless that is to be sabotaged now.
    fn put(&mut self, to: StreamId, bytes: &[u8]) {
        let inbox = &mut self.ends[to.index()].bytes;
        let (first, second) = bytes.split_at(bytes.len() / 2);
        let now = match &mut self.sabotage {
            // Two halves that are alike would arrive as if nothing had happened.
            Some((what, 0)) if !first.is_empty() && (*what != Sabotage::Reorder || first != second) => *what,
            Some((_, writes)) => {
                *writes = writes.saturating_sub(1);
                return inbox.extend_from_slice(bytes);
            }
            None => return inbox.extend_from_slice(bytes),
        };
        self.sabotage = None;
        match now {
            Sabotage::Lose => {}
            Sabotage::Duplicate => {
                inbox.extend_from_slice(bytes);
                inbox.extend_from_slice(bytes);
            }
            Sabotage::Reorder => {
                inbox.extend_from_slice(second);
                inbox.extend_from_slice(first);
            }
            Sabotage::Flip => {
                let at = inbox.len() + bytes.len() / 2;
                inbox.extend_from_slice(bytes);
                inbox[at] ^= 1;
            }
        }
    }

    /// The last `count` bytes in the inbox of `to` are on their way.
    fn send(&mut self, clock: &mut Clock, to: StreamId, count: usize) {
        let end = &self.ends[to.index()];
        let upto = end.base + end.bytes.len() as u64;
        let mut sent = upto - count as u64;
        let mut pieces = if self.random.chance(self.wire.split) { 2 + self.random.below(2) } else { 1 };
        while sent < upto {
            pieces = pieces.saturating_sub(1);
            sent = if pieces == 0 { upto } else { sent + 1 + self.random.below(upto - sent) };
            let at = self.arrival(clock, to);
            clock.plan(at, Event::Arrive(to, sent));
        }
    }

    /// When what leaves now arrives at `to`: later than everything before it, or together with it.
    fn arrival(&mut self, clock: &Clock, to: StreamId) -> u64 {
        let at = clock.now() + self.travel();
        let end = &mut self.ends[to.index()];
        end.last_arrival = end.last_arrival.max(at);
        end.last_arrival
    }

    fn fin(&mut self, clock: &mut Clock, to: StreamId) {
        let at = self.arrival(clock, to);
        clock.plan(at, Event::Fin(to));
    }

    fn reset(&mut self, clock: &mut Clock, to: StreamId) {
        let at = self.arrival(clock, to);
        clock.plan(at, Event::Reset(to));
    }

    /// Nothing more is written here; what was written still arrives.
    pub(crate) fn shut_down(&mut self, clock: &mut Clock, stream: StreamId) {
        let end = &mut self.ends[stream.index()];
        if end.state == State::Open && !std::mem::replace(&mut end.shut_down, true) {
            self.fin(clock, stream.other());
        }
    }

    /// Its owner is done with it: as the end of a process, what was written still arrives, unless there was something to
    /// be read.
    pub(crate) fn close(&mut self, clock: &mut Clock, stream: StreamId) {
        let end = &mut self.ends[stream.index()];
        let was_open = end.state == State::Open;
        if end.state == State::Closed {
            return;
        }
        end.state = State::Closed;
        let unread = end.unread() > 0;
        let shut_down = std::mem::replace(&mut end.shut_down, true);
        if was_open && unread {
            self.reset(clock, stream.other());
        } else if was_open && !shut_down {
            self.fin(clock, stream.other());
        }
        let dialling = StreamId(stream.0 & !1);
        if self.ends[stream.other().index()].state == State::Closed {
            self.live.retain(|live| *live != dialling);
            self.ends[stream.index()].clear();
            self.ends[stream.other().index()].clear();
        }
    }

    /// The stream is cut: what is on its way is lost. Each end that is named learns of it after that time; no time is at
    /// once.
    pub(crate) fn cut(&mut self, clock: &mut Clock, stream: StreamId, learns: Duration, other_learns: Duration) {
        for (end, after) in [(stream, learns), (stream.other(), other_learns)] {
            self.ends[end.index()].sever();
            let at = clock.now() + nanos(after) + self.travel();
            clock.plan(at, Event::Reset(end));
        }
        let dialling = StreamId(stream.0 & !1);
        self.live.retain(|live| *live != dialling);
    }
}
