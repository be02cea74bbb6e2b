//! `decode`: any bytes, cut anywhere and handed over in every way, through [`Inbound`].
//!
//! However the stream is cut, whether it is given as input, read straight into the buffer or deferred, what comes out is what a
//! plain model makes of the whole: events and errors, the same bytes of each. Nothing comes after a failure, what is kept is
//! bounded, and the time of an unfinished message is the one at which it began.
//!
//! The first choices of an input are the settings, then the cuts, then the stream, in which four bytes stand for others so that
//! every delimiter and large frames are within reach of a mutation: see `stream`.

use std::time::{Duration, Instant};

use ipc_proto::{Event, Inbound, OnMalformed, ProtocolError, Received, Settings};

use crate::input::{Input, MOST, settings, start};

/// Something that came out, in owned words.
#[derive(Clone, Debug, PartialEq)]
enum Out {
    Event { name: String, name_json: String, data_json: Option<String>, frame: String },
    Malformed(ProtocolError, String),
    Failed(ProtocolError, String),
}

/// How a piece is handed over.
#[derive(Clone, Copy, Debug)]
enum Way {
    /// As input, until it is all taken.
    Whole,
    /// Read straight into the buffer as far as there is room, the rest as input.
    Direct,
    /// Deferred before anything of it is looked at.
    Deferred,
    /// As input, and deferred after this many events.
    DeferredAfter(usize),
    /// As input, with a foreign buffer lent before it and the empty one taken away behind it.
    LentBuffer,
}

/// Runs one input.
pub fn run(data: &[u8]) {
    let mut input = Input::new(data);
    let config = input.config();
    let count = input.below(24);
    let pieces: Vec<(usize, Way)> = (0..count)
        .map(|_| {
            let way = match input.below(6) {
                0 | 1 => Way::Whole,
                2 => Way::Direct,
                3 => Way::Deferred,
                4 => Way::DeferredAfter(input.below(4)),
                _ => Way::LentBuffer,
            };
            (input.size().max(1), way)
        })
        .collect();
    let settings = settings(config);
    let stream = stream(input.rest(), settings.delimiter().as_bytes());
    if settings.is_raw() {
        return raw(&settings, &stream, &pieces);
    }
    let expected = model(&settings, &stream);
    assert_eq!(feed(&settings, &stream, &[(stream.len().max(1), Way::Whole)]), expected, "as one piece");
    assert_eq!(feed(&settings, &stream, &pieces), expected, "as {pieces:?}");
    // Byte by byte costs a call each.
    if stream.len() <= 8192 {
        assert_eq!(feed(&settings, &stream, &[(1, Way::Whole)]), expected, "byte by byte");
    }
}

/// `0x01` stands for the delimiter, `0x02` for its head, `0x03` and a byte for a run of that many times 128 letters, `0x04` for a
/// small event.
fn stream(short: &[u8], delimiter: &[u8]) -> Vec<u8> {
    let mut long = Vec::new();
    let mut bytes = short.iter().copied();
    while let Some(byte) = bytes.next() {
        match byte {
            1 => long.extend_from_slice(delimiter),
            2 => long.extend_from_slice(&delimiter[..delimiter.len() - 1]),
            3 => {
                let letters = usize::from(bytes.next().unwrap_or_default()) * 128;
                long.resize(long.len() + letters, b'a');
            }
            4 => long.extend_from_slice(br#"{"type":"message","data":{"a":[1,"b"]}}"#),
            itself => long.push(itself),
        }
        if long.len() > MOST {
            break;
        }
    }
    long.truncate(MOST);
    long
}

/// What should come out of a stream: it is cut with the simplest search there is.
fn model(settings: &Settings, stream: &[u8]) -> Vec<Out> {
    let delimiter = settings.delimiter().as_bytes();
    let limit = settings.max_message_size();
    let too_large = || Out::Failed(ProtocolError::FrameTooLarge { length: limit + 1, limit }, String::new());
    let mut outs = Vec::new();
    let mut rest = stream;
    while let Some(length) = (0..rest.len()).find(|&at| rest[at..].starts_with(delimiter)) {
        if length > limit {
            outs.push(too_large());
            return outs;
        }
        match Event::parse(&rest[..length], settings.rules()) {
            Ok(event) => outs.push(of_event(&event)),
            Err(report) => {
                let (error, frame) = report.into_parts();
                if settings.config().malformed == OnMalformed::Close {
                    outs.push(Out::Failed(error, frame.into_owned()));
                    return outs;
                }
                outs.push(Out::Malformed(error, frame.into_owned()));
            }
        }
        rest = &rest[length + delimiter.len()..];
    }
    // All but what may be the head of a delimiter is certain to belong to the frame.
    if rest.len().saturating_sub(delimiter.len() - 1) > limit {
        outs.push(too_large());
    }
    outs
}

fn of_event(event: &Event<'_>) -> Out {
    Out::Event {
        name: event.name().to_owned(),
        name_json: event.name_json().to_owned(),
        data_json: event.data_json().map(str::to_owned),
        frame: event.frame().to_owned(),
    }
}

/// One receiver, its clock and what came out of it.
struct Receiver<'s> {
    settings: &'s Settings,
    inbound: Inbound,
    now: Instant,
    outs: Vec<Out>,
    /// When the unfinished message began; `None` while that is not known from outside, after a deferral.
    began: Option<Instant>,
}

fn feed(settings: &Settings, stream: &[u8], pieces: &[(usize, Way)]) -> Vec<Out> {
    let inbound = Inbound::new(settings);
    let mut receiver = Receiver { settings, inbound, now: start(), outs: Vec::new(), began: None };
    let mut rest = stream;
    let mut turns = if pieces.is_empty() { [(1, Way::Whole)].iter().cycle() } else { pieces.iter().cycle() };
    while let Some((length, way)) = turns.next().filter(|_| !rest.is_empty()) {
        let (piece, behind) = rest.split_at(rest.len().min(*length));
        rest = behind;
        receiver.now += Duration::from_millis(1);
        receiver.take(piece, *way);
    }
    receiver.end();
    receiver.outs
}

impl Receiver<'_> {
    fn take(&mut self, piece: &[u8], way: Way) {
        let already = self.outs.len();
        let kept = self.inbound.unfinished();
        match way {
            Way::Whole => self.poll(piece, usize::MAX),
            Way::LentBuffer => {
                self.inbound.give_buffer(Vec::with_capacity(64));
                self.poll(piece, usize::MAX);
                if let Some(mut buffer) = self.inbound.take_buffer() {
                    assert_eq!(self.inbound.unfinished(), 0);
                    // What is in a lent buffer is of no account.
                    buffer.fill(b'x');
                    self.inbound.give_buffer(buffer);
                }
            }
            Way::Direct => {
                let mut left = piece;
                while let Some(room) = self.inbound.read_buffer().filter(|_| !left.is_empty()) {
                    let count = room.len().min(left.len());
                    room[..count].copy_from_slice(&left[..count]);
                    self.inbound.read_done(count);
                    left = &left[count..];
                    self.poll(&[], usize::MAX);
                }
                self.poll(left, usize::MAX);
            }
            Way::Deferred => {
                self.inbound.defer(piece);
                assert_eq!(self.inbound.poll_timeout(), None, "the time of what is deferred stands still");
                self.poll(&[], usize::MAX);
            }
            Way::DeferredAfter(events) => {
                let left = self.poll_some(piece, events);
                self.inbound.defer(left);
                self.poll(&[], usize::MAX);
            }
        }
        self.check_bounds();
        // The model of time: a message begins with the first byte that comes after the one before.
        let deferred = matches!(way, Way::Deferred | Way::DeferredAfter(_));
        if kept == 0 || self.outs.len() > already || deferred {
            self.began = Some(self.now);
        }
        let due = self.settings.message_timeout().zip(self.began).map(|(after, began)| began + after);
        let waits = self.inbound.unfinished() > 0 && !self.inbound.has_failed();
        assert_eq!(self.inbound.poll_timeout(), due.filter(|_| waits), "{way:?}");
    }

    /// All that comes out of `piece`.
    fn poll(&mut self, piece: &[u8], most: usize) {
        let left = self.poll_some(piece, most);
        assert!(left.is_empty(), "all of the input is taken");
    }

    fn poll_some<'i>(&mut self, mut piece: &'i [u8], most: usize) -> &'i [u8] {
        let mut calls = 0;
        let most_calls = self.inbound.unfinished() + piece.len() + 1;
        while calls < most {
            let failed = self.inbound.has_failed();
            let Some(received) = self.inbound.poll_event(self.now, &mut piece) else { break };
            assert!(!failed, "nothing comes after a failure");
            self.outs.push(match received {
                Received::Event(event) => of_event(&event),
                Received::Malformed(report) => Out::Malformed(report.error().clone(), report.frame().to_owned()),
                Received::Failed(report) => Out::Failed(report.error().clone(), report.frame().to_owned()),
                other => panic!("{other:?} of a framed connection"),
            });
            calls += 1;
            assert!(calls <= most_calls, "every call takes a delimiter at least");
        }
        piece
    }

    fn check_bounds(&mut self) {
        let delimiter = self.settings.delimiter().as_bytes().len();
        let bound = self.settings.max_message_size().saturating_add(2 * delimiter);
        // (What was deferred when the connection failed is kept to its end.)
        if !self.inbound.has_failed() {
            assert!(self.inbound.unfinished() <= bound, "no more than a message and two delimiters is kept");
        }
        if let Some(room) = self.inbound.read_buffer() {
            let length = room.len();
            assert!(self.inbound.unfinished() + length <= bound.max(MOST * 2));
        }
        if self.inbound.has_failed() {
            assert_eq!(self.inbound.read_buffer(), None);
        }
    }

    /// The peer sends no more: an unfinished message ends in time, and then nothing goes on.
    fn end(&mut self) {
        let failed = self.inbound.has_failed();
        assert_eq!(failed, matches!(self.outs.last(), Some(Out::Failed(..))));
        match self.inbound.poll_timeout() {
            Some(due) => {
                assert!(self.inbound.handle_timeout(due - Duration::from_nanos(1)).is_none(), "not before it is due");
                let report = self.inbound.handle_timeout(due).expect("a message that took too long");
                let after = self.settings.message_timeout().expect("a limit of time");
                assert_eq!(*report.error(), ProtocolError::MessageTimeout { after });
                assert!(self.inbound.has_failed());
            }
            None => assert!(self.inbound.handle_timeout(self.now + Duration::from_secs(1 << 30)).is_none()),
        }
        if self.inbound.has_failed() {
            let mut more = &b"{\"type\":\"more\"}\x0c"[..];
            assert!(self.inbound.poll_event(self.now, &mut more).is_none());
            assert!(more.is_empty());
            self.inbound.defer(b"\x0c\x0c");
            assert!(self.inbound.poll_event(self.now, &mut more).is_none());
            assert_eq!(self.inbound.poll_timeout(), None);
            assert!(self.inbound.handle_timeout(self.now + Duration::from_secs(1 << 30)).is_none());
        }
    }
}

/// Of raw bytes the sequence counts; pieces are handed on as they came.
fn raw(settings: &Settings, stream: &[u8], pieces: &[(usize, Way)]) {
    let mut inbound = Inbound::new(settings);
    let now = start();
    let mut out = Vec::new();
    let mut rest = stream;
    let mut turns = pieces.iter().cycle();
    while let Some((length, way)) = turns.next().filter(|_| !rest.is_empty()) {
        let (mut piece, behind) = rest.split_at(rest.len().min(*length));
        rest = behind;
        if !matches!(way, Way::Whole) {
            inbound.defer(piece);
            piece = &[];
        }
        while let Some(received) = inbound.poll_event(now, &mut piece) {
            match received {
                Received::Raw(bytes) => out.extend_from_slice(bytes),
                other => panic!("{other:?} of a raw connection"),
            }
        }
        assert!(piece.is_empty() && inbound.read_buffer().is_none() && inbound.unfinished() == 0);
    }
    assert_eq!(out, stream[..stream.len() - rest.len()]);
}
