//! The receiving half of a connection: bytes in, events out.
//!
//! Events are lent from the caller's own read buffer, so a small event costs no allocation and no copy. The clock is
//! used for one thing, the time an unfinished message may take. It sends nothing and knows no peer.

use crate::{Decoder, Event, InboundCounters, Malformed, OnMalformed, ProtocolError, Rules, Settings, envelope};
use std::fmt;
use std::time::{Duration, Instant};

/// What came out of received bytes. `Debug` shows names and sizes, never a payload.
#[non_exhaustive]
pub enum Received<'a> {
    /// An event of the peer. Its name may be any text, also `error` or `connect`: it never stands for a lifecycle event.
    Event(Event<'a>),
    /// Bytes of a raw connection (`rawBuffer`), as the operating system delivered them: they have no message borders.
    Raw(&'a [u8]),
    /// The peer sent a frame that is not an event; the connection goes on with the next one
    /// ([`OnMalformed::Report`], node-ipc 9.2.1).
    Malformed(Malformed<'a>),
    /// The peer broke the protocol and the connection must be closed ([`OnMalformed::Close`], node-ipc 14.0.0; an
    /// oversized frame and a message timeout always end here). Nothing more comes out.
    Failed(Malformed<'a>),
}

/// The receiving half of a connection. The [front page](crate) has a loop around it.
///
/// `Debug` shows sizes, never what was received.
pub struct Inbound {
    framing: Framing,
    timeout: Option<Duration>,
    /// When the unfinished message in the decoder, if there is one, began to arrive. `None` while input is deferred: the
    /// peer is not to blame for what we do not read.
    started: Option<Instant>,
    failed: bool,
    /// Apart from `bytes` and `frame_bytes`, which are put together when they are asked for.
    counters: InboundCounters,
    /// Bytes of the frames that were looked at, without delimiters; of a raw connection, bytes handed out.
    text_bytes: u64,
    /// Frames that were no events.
    bad_frames: u64,
    /// Bytes that came when the protocol was broken for good.
    skipped: u64,
}

enum Framing {
    Raw { deferred: Vec<u8>, lent: bool },
    Framed { decoder: Decoder, rules: Rules, malformed: OnMalformed },
}

impl Inbound {
    /// A receiver for a new connection.
    #[must_use]
    pub fn new(settings: &Settings) -> Self {
        let framing = if settings.is_raw() {
            Framing::Raw { deferred: Vec::new(), lent: false }
        } else {
            Framing::Framed {
                decoder: settings.decoder(),
                rules: settings.rules().clone(),
                malformed: settings.config().malformed,
            }
        };
        Self {
            framing,
            timeout: settings.message_timeout(),
            started: None,
            failed: false,
            counters: InboundCounters::default(),
            text_bytes: 0,
            bad_frames: 0,
            skipped: 0,
        }
    }

    /// The next event out of `input`, which is advanced past what was used.
    ///
    /// Call it until it returns `None`: then all of `input` has been taken, an unfinished tail included, and the buffer
    /// may be read into again. To stop earlier, because nobody can take more events, keep what is left of `input` with
    /// [`defer`](Self::defer) and come back with an empty `input` later. After [`Received::Failed`] it takes
    /// everything and returns nothing.
    pub fn poll_event<'s, 'i: 's>(&'s mut self, now: Instant, input: &mut &'i [u8]) -> Option<Received<'s>> {
        let counters = &mut self.counters;
        if self.failed {
            self.skipped += input.len() as u64;
            *input = &[];
            return None;
        }
        match &mut self.framing {
            Framing::Raw { deferred, lent } => {
                if std::mem::take(lent) {
                    *deferred = Vec::new();
                }
                *lent = !deferred.is_empty();
                let bytes = if *lent { deferred } else { std::mem::take(input) };
                if bytes.is_empty() {
                    return None;
                }
                self.text_bytes += bytes.len() as u64;
                counters.events += 1;
                Some(Received::Raw(bytes))
            }
            Framing::Framed { decoder, rules, malformed } => {
                if decoder.buffered() == 0 || self.started.is_none() {
                    // Whatever stays unfinished after this call began to arrive now.
                    self.started = Some(now);
                }
                let frame = match decoder.next_frame(input) {
                    Ok(frame) => frame?,
                    Err(error) => {
                        self.failed = true;
                        self.skipped += input.len() as u64;
                        *input = &[];
                        counters.failed += 1;
                        counters.malformed.count(&error);
                        return Some(Received::Failed(Malformed::without_frame(error)));
                    }
                };
                self.started = Some(now);
                self.text_bytes += frame.len() as u64;
                Some(match envelope::parse(frame, rules) {
                    Ok(event) => {
                        counters.events += 1;
                        Received::Event(event)
                    }
                    Err(report) => {
                        self.bad_frames += 1;
                        counters.malformed.count(report.error());
                        if *malformed == OnMalformed::Report {
                            return Some(Received::Malformed(report));
                        }
                        counters.failed += 1;
                        self.failed = true;
                        self.skipped += input.len() as u64;
                        *input = &[];
                        Received::Failed(report)
                    }
                })
            }
        }
    }

    /// Keeps unread input for later, when events cannot be taken now. Until the next call of
    /// [`poll_event`](Self::poll_event), read nothing more: what is kept here has no other bound, and the time an
    /// unfinished message may take stands still.
    pub fn defer(&mut self, input: &[u8]) {
        if self.failed {
            self.skipped += input.len() as u64;
            return;
        }
        self.started = None;
        match &mut self.framing {
            Framing::Framed { decoder, .. } => decoder.defer(input),
            Framing::Raw { deferred, lent } => {
                if std::mem::take(lent) {
                    deferred.clear();
                }
                deferred.extend_from_slice(input);
            }
        }
    }

    /// Room to read straight into while a large message is unfinished, which saves a copy. Report what was read with
    /// [`read_done`](Self::read_done), then go on with an empty `input`.
    pub fn read_buffer(&mut self) -> Option<&mut [u8]> {
        match &mut self.framing {
            Framing::Framed { decoder, .. } if !self.failed => decoder.read_buffer(),
            _ => None,
        }
    }

    /// `count` bytes were read into [`read_buffer`](Self::read_buffer).
    pub fn read_done(&mut self, count: usize) {
        if let Framing::Framed { decoder, .. } = &mut self.framing {
            decoder.read_done(count);
        }
    }

    /// Takes the buffer for unfinished messages if it is empty, so that an idle connection holds none.
    pub fn take_buffer(&mut self) -> Option<Vec<u8>> {
        match &mut self.framing {
            Framing::Framed { decoder, .. } => decoder.take_buffer(),
            Framing::Raw { .. } => None,
        }
    }

    /// Lends a buffer for unfinished messages, to save an allocation. What is in it is never given out as received, but
    /// [`read_buffer`](Self::read_buffer) may show it as room.
    pub fn give_buffer(&mut self, buffer: Vec<u8>) {
        if let Framing::Framed { decoder, .. } = &mut self.framing {
            decoder.give_buffer(buffer);
        }
    }

    /// Bytes of a message that is not whole yet. When the peer ends the connection they are lost: a final frame without
    /// delimiter is never delivered (node-ipc 9.2.1, 12.0.0 and 14.0.0).
    #[must_use]
    pub fn unfinished(&self) -> usize {
        match &self.framing {
            Framing::Framed { decoder, .. } => decoder.buffered(),
            Framing::Raw { .. } => 0,
        }
    }

    /// Whether `messageTimeout` is set. If not, [`poll_event`](Self::poll_event) does not look at the time it is given, and any
    /// will do.
    #[must_use]
    pub fn is_timed(&self) -> bool {
        self.timeout.is_some()
    }

    /// When to call [`handle_timeout`](Self::handle_timeout): `messageTimeout` after an unfinished message began.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        if self.failed || self.unfinished() == 0 {
            return None;
        }
        self.started?.checked_add(self.timeout?)
    }

    /// The time is `now`. Reports a message that has been unfinished for too long; the connection must then be closed.
    pub fn handle_timeout(&mut self, now: Instant) -> Option<Malformed<'static>> {
        let after = self.timeout?;
        if self.poll_timeout()? > now {
            return None;
        }
        self.failed = true;
        let error = ProtocolError::MessageTimeout { after };
        self.counters.failed += 1;
        self.counters.malformed.count(&error);
        Some(Malformed::without_frame(error))
    }

    /// What was counted since the connection began.
    #[must_use]
    pub fn counters(&self) -> InboundCounters {
        let mut counters = InboundCounters::default();
        self.update(&mut counters);
        counters
    }

    /// Brings a copy of the counters of this connection up to date, which costs less than to make one: what no peer does
    /// that keeps to the protocol is not copied again.
    pub fn update(&self, counters: &mut InboundCounters) {
        let (delimiter, kept) = match &self.framing {
            Framing::Framed { decoder, .. } => (decoder.delimiter_length(), decoder.buffered() + decoder.lost()),
            Framing::Raw { deferred, lent: false } => (0, deferred.len()),
            Framing::Raw { .. } => (0, 0),
        };
        let frame_bytes = self.text_bytes + (self.counters.events + self.bad_frames) * delimiter as u64;
        counters.bytes = frame_bytes + kept as u64 + self.skipped;
        counters.frame_bytes = frame_bytes;
        counters.events = self.counters.events;
        if self.failed || self.bad_frames > 0 {
            counters.malformed = self.counters.malformed;
            counters.failed = self.counters.failed;
        }
    }

    /// Whether the peer broke the protocol, so that nothing more will come out.
    #[must_use]
    pub fn has_failed(&self) -> bool {
        self.failed
    }
}

impl fmt::Debug for Inbound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inbound")
            .field("raw", &matches!(self.framing, Framing::Raw { .. }))
            .field("unfinished", &self.unfinished())
            .field("failed", &self.failed)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Received<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Event(event) => event.fmt(f),
            Self::Raw(bytes) => f.debug_struct("Raw").field("bytes", &bytes.len()).finish(),
            Self::Malformed(report) => f.debug_tuple("Malformed").field(report.error()).finish(),
            Self::Failed(report) => f.debug_tuple("Failed").field(report.error()).finish(),
        }
    }
}
