//! One received datagram, handed out message by message without copying.

use std::fmt;
use std::net::SocketAddr;
use std::time::Instant;

use super::{Datagrams, Learnt, PeerEvent, PeerRemoval};
use crate::{Decoder, Event, Malformed, OnMalformed};

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

/// A received datagram; see [`Datagrams::handle_datagram`].
///
/// What is not taken from it before it is dropped is discarded, except for the beginning of a
/// message whose rest is still to come.
pub struct Datagram<'a> {
    datagrams: &'a mut Datagrams,
    from: SocketAddr,
    input: &'a [u8],
    learnt: Learnt,
    /// `None` in raw mode.
    decoder: Option<Decoder>,
    /// When the message began that the decoder holds the beginning of.
    since: Instant,
    now: Instant,
    state: State,
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

impl<'a> Datagram<'a> {
    pub(super) fn new(
        datagrams: &'a mut Datagrams,
        now: Instant,
        from: SocketAddr,
        input: &'a [u8],
        learnt: Learnt,
    ) -> Self {
        let raw = datagrams.settings.is_raw();
        let unfinished = datagrams.take_unfinished(from);
        let (decoder, since) = match unfinished {
            Some((decoder, since)) => (Some(decoder), since),
            None if raw => (None, now),
            None => {
                let spare = datagrams.spare.take();
                let decoder = spare.unwrap_or_else(|| datagrams.settings.decoder());
                (Some(decoder), now)
            }
        };
        Self { datagrams, from, input, learnt, decoder, since, now, state: State::Open }
    }

    /// Who sent it.
    #[must_use]
    pub fn sender(&self) -> SocketAddr {
        self.from
    }

    /// The next thing in the datagram; `None` at its end.
    #[expect(clippy::should_implement_trait, reason = "an Iterator cannot lend from itself")]
    pub fn next(&mut self) -> Option<DatagramEvent<'_>> {
        if let Some(removed) = self.learnt.removed.take() {
            let event = PeerEvent::Removed(removed, PeerRemoval::CrowdedOut);
            return Some(DatagramEvent::Peer(event));
        }
        if let Some(added) = self.learnt.added.take() {
            return Some(DatagramEvent::Peer(PeerEvent::Added(added)));
        }
        match self.state {
            State::Open => {}
            State::Closing => return self.close().map(DatagramEvent::Peer),
            State::Broken | State::Done => return None,
        }
        let Some(decoder) = &mut self.decoder else {
            self.state = State::Done;
            self.datagrams.counters.messages += 1;
            return Some(DatagramEvent::Data(std::mem::take(&mut self.input)));
        };
        let bad = self.datagrams.settings.config().malformed;
        match decoder.next_frame(&mut self.input) {
            Ok(None) => {
                self.state = State::Done;
                None
            }
            Ok(Some(frame)) => {
                // Whatever follows began in this datagram.
                self.since = self.now;
                match Event::parse(frame, self.datagrams.settings.rules()) {
                    Ok(event) => {
                        self.datagrams.counters.messages += 1;
                        Some(DatagramEvent::Event(event))
                    }
                    Err(malformed) => {
                        self.datagrams.counters.malformed += 1;
                        if bad == OnMalformed::Close {
                            self.state = State::Closing;
                        }
                        Some(DatagramEvent::Malformed(malformed))
                    }
                }
            }
            Err(error) => {
                self.datagrams.counters.malformed += 1;
                self.state = match bad {
                    OnMalformed::Close => State::Closing,
                    OnMalformed::Report => State::Broken,
                };
                let malformed = Malformed::new(error, "".into());
                Some(DatagramEvent::Malformed(malformed))
            }
        }
    }

    /// Forgets the sender after a malformed message, unless the user added it.
    fn close(&mut self) -> Option<PeerEvent> {
        self.discard();
        let pinned = |peer: &mut super::Peer| peer.pinned;
        if self.datagrams.peers.get_mut(self.from).is_none_or(pinned) {
            return None;
        }
        self.datagrams.forget(self.from);
        Some(PeerEvent::Removed(self.from, PeerRemoval::Malformed))
    }

    /// Counts and drops the whole messages that are left, and what is behind them.
    fn discard(&mut self) {
        self.state = State::Broken;
        let Some(mut decoder) = self.decoder.take() else {
            return;
        };
        while let Ok(Some(_)) = decoder.next_frame(&mut self.input) {
            self.datagrams.counters.discarded += 1;
        }
        if !decoder.is_empty() {
            self.datagrams.counters.unfinished_dropped += 1;
        }
    }
}

impl Drop for Datagram<'_> {
    fn drop(&mut self) {
        if self.state == State::Closing {
            self.close();
        }
        let Some(mut decoder) = self.decoder.take() else {
            if self.state == State::Open && self.datagrams.settings.is_raw() {
                self.datagrams.counters.discarded += 1;
            }
            return;
        };
        if self.state == State::Broken {
            return;
        }
        loop {
            match decoder.next_frame(&mut self.input) {
                Ok(Some(_)) => {
                    self.datagrams.counters.discarded += 1;
                    self.since = self.now;
                }
                Ok(None) => break,
                Err(_) => {
                    self.datagrams.counters.malformed += 1;
                    return;
                }
            }
        }
        if decoder.is_empty() {
            // A large message must not leave its room behind.
            decoder.take_buffer();
            self.datagrams.spare = Some(decoder);
        } else {
            self.datagrams.keep_unfinished(self.from, decoder, self.since);
        }
    }
}

impl fmt::Debug for Datagram<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Datagram")
            .field("from", &self.from)
            .field("bytes_left", &self.input.len())
            .field("state", &self.state)
            .finish()
    }
}
