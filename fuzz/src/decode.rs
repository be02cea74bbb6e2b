//! Bytes to events: however a stream is cut, read and deferred, the same comes out of it, within bounds.
//!
//! Input: delimiter, preset, limit of a message (2 bytes, low one first), seed of the cuts (4 bytes), and the stream.

use crate::setup;
use ipc_proto::{Inbound, Received, Settings, SplitMix64};
use std::time::Instant;

/// Bytes before the stream.
const HEADER: usize = 8;

/// Makes an input of a stream.
pub fn seed(delimiter: u8, preset: u8, limit: u16, cuts: u32, stream: &[u8]) -> Vec<u8> {
    let [low, high] = limit.to_le_bytes();
    [&[delimiter, preset, low, high][..], &cuts.to_le_bytes(), stream].concat()
}

/// What came out.
#[derive(Debug, PartialEq)]
enum Seen {
    Event { name: String, name_json: String, data_json: Option<String>, frame: String },
    Raw(Vec<u8>),
    Malformed { error: String, frame: String },
    Failed { error: String, frame: String },
}

impl Seen {
    fn of(received: Received<'_>) -> Self {
        match received {
            Received::Event(event) => Self::Event {
                name: event.name().to_owned(),
                name_json: event.name_json().to_owned(),
                data_json: event.data_json().map(str::to_owned),
                frame: event.frame().to_owned(),
            },
            Received::Raw(bytes) => Self::Raw(bytes.to_vec()),
            Received::Malformed(report) => {
                Self::Malformed { error: report.error().to_string(), frame: report.frame().to_owned() }
            }
            Received::Failed(report) => {
                Self::Failed { error: report.error().to_string(), frame: report.frame().to_owned() }
            }
            other => panic!("unknown: {other:?}"),
        }
    }
}

/// Everything that comes out of `input`; pieces of raw bytes have no borders, so they are put together.
fn drain(inbound: &mut Inbound, now: Instant, mut input: &[u8], most: usize, seen: &mut Vec<Seen>) -> bool {
    for _ in 0..most {
        match inbound.poll_event(now, &mut input) {
            Some(received) => match (seen.last_mut(), Seen::of(received)) {
                (Some(Seen::Raw(so_far)), Seen::Raw(more)) => so_far.extend(more),
                (_, other) => seen.push(other),
            },
            None => {
                assert!(input.is_empty(), "all of the input is taken");
                return true;
            }
        }
    }
    inbound.defer(input);
    false
}

fn read(inbound: &mut Inbound, now: Instant, stream: &[u8], cuts: u64, settings: &Settings) -> Vec<Seen> {
    let mut cuts = SplitMix64::new(cuts);
    let mut below = |limit: usize| (cuts.next_u64() % limit as u64) as usize;
    let bound = settings.max_message_size() + 2 * settings.delimiter().as_bytes().len();
    let (mut seen, mut rest) = (Vec::new(), stream);
    while !rest.is_empty() {
        let length = match below(4) {
            0 => 1,
            1 => 1 + below(8),
            2 => 1 + below(200),
            _ => 1 + below(rest.len()),
        };
        let (piece, behind) = rest.split_at(length.min(rest.len()));
        let (piece, behind) = match inbound.read_buffer() {
            Some(room) if below(2) == 0 => {
                assert!(!room.is_empty(), "room to read into");
                let length = room.len().min(piece.len());
                room[..length].copy_from_slice(&piece[..length]);
                inbound.read_done(length);
                (&[][..], &rest[length..])
            }
            _ => (piece, behind),
        };
        rest = behind;
        let most = if below(3) == 0 { below(3) } else { usize::MAX };
        let mut done = drain(inbound, now, piece, most, &mut seen);
        while !done {
            done = drain(inbound, now, &[], 1 + below(3), &mut seen);
        }
        // What was deferred stays where it is when the stream fails, and goes with the connection.
        let kept = inbound.unfinished();
        assert!(inbound.has_failed() || kept <= bound, "{kept} bytes kept, {bound} allowed");
        if let Some(buffer) = (below(8) == 0).then(|| inbound.take_buffer()).flatten() {
            inbound.give_buffer(buffer);
        }
    }
    seen
}

/// Checks one input.
pub fn check(data: &[u8]) {
    let Some((header, stream)) = data.split_at_checked(HEADER) else { return };
    let limit = usize::from(u16::from_le_bytes([header[2], header[3]])).max(1);
    let cuts = u32::from_le_bytes([header[4], header[5], header[6], header[7]]);
    let config = setup::config(header[1]).delimiter(setup::delimiter(header[0])).max_message_size(limit);
    let Some(settings) = setup::build(config) else { return };
    let now = Instant::now();

    let mut at_once = Inbound::new(&settings);
    let mut whole = Vec::new();
    assert!(drain(&mut at_once, now, stream, usize::MAX, &mut whole));
    let mut in_pieces = Inbound::new(&settings);
    let split = read(&mut in_pieces, now, stream, cuts.into(), &settings);

    assert_eq!(whole, split, "the cuts matter");
    assert_eq!(at_once.has_failed(), in_pieces.has_failed());
    let failures = whole.iter().filter(|seen| matches!(seen, Seen::Failed { .. })).count();
    assert_eq!(failures, usize::from(at_once.has_failed()));
    assert!(failures == 0 || matches!(whole.last(), Some(Seen::Failed { .. })), "nothing comes after the end");
    if failures == 0 {
        assert_eq!(at_once.unfinished(), in_pieces.unfinished());
    }
    let (one, other) = (at_once.counters(), in_pieces.counters());
    assert_eq!((one.frame_bytes, one.malformed, one.failed), (other.frame_bytes, other.malformed, other.failed));
    if settings.is_raw() {
        assert_eq!(
            whole.iter().map(|seen| if let Seen::Raw(bytes) = seen { bytes.len() } else { 0 }).sum::<usize>(),
            stream.len()
        );
    } else {
        let events = whole.iter().filter(|seen| matches!(seen, Seen::Event { .. })).count();
        assert_eq!((one.events, other.events), (events as u64, events as u64));
        assert!(failures > 0 || one.bytes == stream.len() as u64);
        assert!(one.frame_bytes <= stream.len() as u64);
    }
}
