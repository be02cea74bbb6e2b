//! One received datagram, handed out message by message without copying.

use std::fmt;
use std::net::SocketAddr;
use std::time::Instant;

use super::{DatagramCounters, Datagrams, Learnt, PeerEvent, PeerRemoval};
use crate::{Decoder, Event, Malformed, OnMalformed, Settings};

/// What is in a datagram, or came of it. `Debug` shows names and sizes, never a payload.
#[derive(Clone)]
#[non_exhaustive]
pub enum DatagramEvent<'a> {
    /// The set of known senders changed.
    Peer(PeerEvent),
    /// A message.
    Event(Event<'a>),
    /// Something that breaks the protocol. With [`OnMalformed::Close`] the rest of the datagram is
    /// discarded and its sender forgotten. What is larger than `maxMessageSize` has no text here.
    Malformed(Malformed<'a>),
    /// The whole datagram, in raw mode.
    Data(&'a [u8]),
}

impl fmt::Debug for DatagramEvent<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Peer(event) => event.fmt(f),
            Self::Event(event) => event.fmt(f),
            Self::Malformed(report) => report.fmt(f),
            Self::Data(bytes) => f.debug_struct("Data").field("bytes", &bytes.len()).finish(),
        }
    }
}

/// A datagram that is being looked at, apart from its bytes and from the [`Datagrams`] that gave it: for who shares those
/// under a lock and hands messages out without it. Others have [`Datagrams::handle_datagram`].
///
/// It comes from [`Datagrams::begin`] and goes back with [`Datagrams::end`]. One that does not go back is lost with the
/// beginning of a message it may hold; what it has counted is lost too.
pub struct Arrival {
    from: SocketAddr,
    settings: Settings,
    learnt: Learnt,
    /// `None` in raw mode.
    decoder: Option<Decoder>,
    /// When the message began that the decoder holds the beginning of.
    since: Instant,
    now: Instant,
    state: State,
    /// Whether the length of the datagram is in `counted`.
    measured: bool,
    counted: DatagramCounters,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// There may be more.
    Open,
    /// A malformed message was handed out and its sender is to be forgotten.
    Closing,
    /// The decoder takes no more.
    Broken,
    /// That was all.
    Done,
}

impl Arrival {
    /// Who sent it.
    #[must_use]
    pub fn sender(&self) -> SocketAddr {
        self.from
    }

    /// The next thing in the datagram, of which `input` is what was not looked at yet; `None` at its end. Then give
    /// arrival and input to [`Datagrams::end`].
    pub fn next<'d, 'i: 'd>(&'d mut self, input: &mut &'i [u8]) -> Option<DatagramEvent<'d>> {
        self.measure(input);
        if let Some(removed) = self.learnt.removed.take() {
            let event = PeerEvent::Removed(removed, PeerRemoval::CrowdedOut);
            return Some(DatagramEvent::Peer(event));
        }
        if let Some(added) = self.learnt.added.take() {
            return Some(DatagramEvent::Peer(PeerEvent::Added(added)));
        }
        if self.state != State::Open {
            return None;
        }
        let Some(decoder) = &mut self.decoder else {
            self.state = State::Done;
            self.counted.messages += 1;
            return Some(DatagramEvent::Data(std::mem::take(input)));
        };
        let bad = self.settings.config().malformed;
        match decoder.next_frame(input) {
            Ok(None) => {
                self.state = State::Done;
                None
            }
            Ok(Some(frame)) => {
                // Whatever follows began in this datagram.
                self.since = self.now;
                match Event::parse(frame, self.settings.rules()) {
                    Ok(event) => {
                        self.counted.messages += 1;
                        Some(DatagramEvent::Event(event))
                    }
                    Err(malformed) => {
                        self.counted.malformed += 1;
                        if bad == OnMalformed::Close {
                            self.state = State::Closing;
                        }
                        Some(DatagramEvent::Malformed(malformed))
                    }
                }
            }
            Err(error) => {
                self.counted.malformed += 1;
                self.state = match bad {
                    OnMalformed::Close => State::Closing,
                    OnMalformed::Report => State::Broken,
                };
                let malformed = Malformed::without_frame(error);
                Some(DatagramEvent::Malformed(malformed))
            }
        }
    }

    fn measure(&mut self, whole: &[u8]) {
        if !std::mem::replace(&mut self.measured, true) {
            self.counted.bytes += whole.len() as u64;
        }
    }

    /// Counts and drops the whole messages that are left, and what is behind them.
    fn discard(&mut self, mut rest: &[u8]) {
        let Some(mut decoder) = self.decoder.take() else {
            return;
        };
        while let Ok(Some(_)) = decoder.next_frame(&mut rest) {
            self.counted.discarded += 1;
        }
        if !decoder.is_empty() {
            self.counted.unfinished_dropped += 1;
        }
    }
}

impl Datagrams {
    /// Takes in that a datagram of this sender has come. What [`handle_datagram`](Self::handle_datagram) does in one, in two
    /// steps: hand the messages out with [`Arrival::next`], then give the arrival back to [`end`](Self::end).
    #[must_use = "the messages of the datagram are in the result"]
    pub fn begin(&mut self, now: Instant, from: SocketAddr) -> Arrival {
        self.counters.datagrams += 1;
        let now = self.advance(now);
        let known = self.peers.hear(from, now);
        let learnt = if known { Learnt::default() } else { self.learn(from, now) };
        let (decoder, since) = match self.take_unfinished(from) {
            Some((decoder, since)) => (Some(decoder), since),
            None if self.settings.is_raw() => (None, now),
            None => {
                let spare = self.spare.take();
                (Some(spare.unwrap_or_else(|| self.settings.decoder())), now)
            }
        };
        let settings = self.settings.clone();
        Arrival {
            from,
            settings,
            learnt,
            decoder,
            since,
            now,
            state: State::Open,
            measured: false,
            counted: DatagramCounters::default(),
        }
    }

    /// Takes an arrival back, with what was not looked at of its datagram: that is discarded and counted, except for the
    /// beginning of a message whose rest is still to come. Gives the change this makes to the set of senders: with
    /// [`OnMalformed::Close`], a sender that broke the protocol is forgotten, unless the user added it.
    pub fn end(&mut self, mut arrival: Arrival, rest: &[u8]) -> Option<PeerEvent> {
        arrival.measure(rest);
        let removed = self.settle(&mut arrival, rest);
        let DatagramCounters { bytes, messages, malformed, discarded, unfinished_dropped, .. } = arrival.counted;
        self.counters.bytes += bytes;
        self.counters.messages += messages;
        self.counters.malformed += malformed;
        self.counters.discarded += discarded;
        self.counters.unfinished_dropped += unfinished_dropped;
        removed
    }

    fn settle(&mut self, arrival: &mut Arrival, mut rest: &[u8]) -> Option<PeerEvent> {
        match arrival.state {
            State::Closing => {
                arrival.discard(rest);
                let pinned = |peer: &mut super::Peer| peer.pinned;
                if self.peers.get_mut(arrival.from).is_none_or(pinned) {
                    return None;
                }
                self.forget(arrival.from);
                return Some(PeerEvent::Removed(arrival.from, PeerRemoval::Malformed));
            }
            State::Broken => return None,
            State::Open | State::Done => {}
        }
        let Some(mut decoder) = arrival.decoder.take() else {
            if arrival.state == State::Open {
                arrival.counted.discarded += 1;
            }
            return None;
        };
        loop {
            match decoder.next_frame(&mut rest) {
                Ok(Some(_)) => {
                    arrival.counted.discarded += 1;
                    arrival.since = arrival.now;
                }
                Ok(None) => break,
                Err(_) => {
                    arrival.counted.malformed += 1;
                    return None;
                }
            }
        }
        if decoder.is_empty() {
            // A large message must not leave its room behind.
            decoder.take_buffer();
            self.spare = Some(decoder);
        } else {
            self.keep_unfinished(arrival.from, decoder, arrival.since);
        }
        None
    }
}

impl fmt::Debug for Arrival {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Arrival").field("from", &self.from).field("state", &self.state).finish_non_exhaustive()
    }
}

/// A received datagram; see [`Datagrams::handle_datagram`].
///
/// What is not taken from it before it is dropped is discarded, except for the beginning of a
/// message whose rest is still to come.
pub struct Datagram<'a> {
    datagrams: &'a mut Datagrams,
    from: SocketAddr,
    input: &'a [u8],
    /// Absent once it was given back.
    arrival: Option<Arrival>,
}

impl<'a> Datagram<'a> {
    pub(super) fn new(datagrams: &'a mut Datagrams, now: Instant, from: SocketAddr, input: &'a [u8]) -> Self {
        let arrival = Some(datagrams.begin(now, from));
        Self { datagrams, from, input, arrival }
    }

    /// Who sent it.
    #[must_use]
    pub fn sender(&self) -> SocketAddr {
        self.from
    }

    /// The next thing in the datagram; `None` at its end.
    #[expect(clippy::should_implement_trait, reason = "an Iterator cannot lend from itself")]
    pub fn next(&mut self) -> Option<DatagramEvent<'_>> {
        if self.arrival.as_ref()?.state == State::Closing {
            return self.end().map(DatagramEvent::Peer);
        }
        self.arrival.as_mut()?.next(&mut self.input)
    }

    fn end(&mut self) -> Option<PeerEvent> {
        self.datagrams.end(self.arrival.take()?, self.input)
    }
}

impl Drop for Datagram<'_> {
    fn drop(&mut self) {
        self.end();
    }
}

impl fmt::Debug for Datagram<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Datagram")
            .field("bytes_left", &self.input.len())
            .field("from", &self.from)
            .field("arrival", &self.arrival)
            .finish()
    }
}
