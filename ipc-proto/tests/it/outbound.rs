//! The sending half: bounds, what a refused emit leaves behind, what is handed out, `sync`, and counting.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should panic")]

use std::io::IoSlice;

use crate::common::{sent, settings, start, written};
use bytes::Buf;
use ipc_proto::{
    Code, Config, Connection, EmitError, EncodeError, Frame, Message, Outbound, Received, Transmit, Unsent,
};
use proptest::prelude::*;

fn outbound(config: Config) -> Outbound {
    Connection::new(&settings(config)).outbound
}

/// The length of `emit("m", &text)` on the wire, for a text of `length` letters.
const fn frame_of(length: usize) -> usize {
    r#"{"type":"m","data":""}"#.len() + length + 1
}

fn unsent(messages: usize, bytes: usize) -> Unsent {
    let mut unsent = Unsent::default();
    (unsent.messages, unsent.bytes) = (messages, bytes);
    unsent
}

#[test]
fn each_way_to_emit_writes_the_frame_it_says() {
    let mut out = outbound(Config::v9());
    out.emit("a", &[1, 2]).unwrap();
    out.emit_json("b", Some(r#"{"x":1.0}"#)).unwrap();
    out.emit_json("c", None).unwrap();
    out.emit_envelope(Some("5"), Some("null")).unwrap();
    out.emit_message(&Message::new("d", "text").unwrap()).unwrap();
    out.emit_frame(&Frame::from_envelope(&settings(Config::v9()), None, Some("1")).unwrap()).unwrap();
    let mut inbound = Connection::new(&settings(Config::v9())).inbound;
    let mut input = &b"{ \"data\" : 1e2, \"type\":\"e\" }\x0c"[..];
    let Some(Received::Event(event)) = inbound.poll_event(start(), &mut input) else { panic!() };
    out.emit_event(&event).unwrap();
    let expected = [
        r#"{"type":"a","data":[1,2]}"#,
        r#"{"type":"b","data":{"x":1.0}}"#,
        r#"{"type":"c"}"#,
        r#"{"type":5,"data":null}"#,
        r#"{"type":"d","data":"text"}"#,
        r#"{"data":1}"#,
        r#"{"type":"e","data":1e2}"#,
    ];
    assert_eq!(sent(&mut out).split_terminator('\x0c').collect::<Vec<_>>(), expected);
}

#[test]
fn a_full_queue_refuses_and_says_by_how_much() {
    let mut out = outbound(Config::v9().max_pending_bytes(2 * frame_of(10)));
    out.emit("m", &"x".repeat(10)).unwrap();
    assert!(out.has_room(frame_of(10)) && !out.has_room(frame_of(11)));
    let refusal = out.emit("m", &"x".repeat(11)).unwrap_err();
    assert!(refusal.is_temporary());
    let EmitError::Full { pending, length, limit, .. } = refusal else { panic!("{refusal}") };
    assert_eq!((pending, length, limit), (frame_of(10), frame_of(11), 2 * frame_of(10)));
    out.emit("m", &"y".repeat(10)).unwrap();
    assert_eq!(out.pending(), out.limit());
}

#[test]
fn what_is_refused_leaves_the_queue_as_it_was() {
    struct Fails;
    impl serde::Serialize for Fails {
        fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            let mut sequence = serializer.serialize_seq(None)?;
            serde::ser::SerializeSeq::serialize_element(&mut sequence, "half")?;
            Err(serde::ser::Error::custom("no"))
        }
    }
    let config = || Config::v14_guarded().max_pending_bytes(100).max_message_size(200);
    let mut large = config();
    large.max_message_size = 100_000;
    let frame = Frame::new(&settings(large), "m", &"z".repeat(5000)).unwrap();
    for before in [0, 1] {
        let mut out = outbound(config());
        for _ in 0..before {
            out.emit("m", "queued").unwrap();
        }
        let pending = out.pending();
        let message = Message::new("m", &"x".repeat(300)).unwrap();
        assert!(matches!(out.emit("m", &Fails), Err(EmitError::Encode(EncodeError::Serialize(_)))));
        let too_large = out.emit_message(&message).unwrap_err();
        assert!(matches!(too_large, EmitError::Encode(error) if error.code() == Some(Code::FrameTooLarge)));
        assert!(matches!(out.emit("", &1), Err(EmitError::Encode(EncodeError::EmptyEvent))));
        assert!(matches!(out.emit_json("m", Some("[1")), Err(EmitError::Encode(EncodeError::InvalidJson { .. }))));
        assert!(matches!(out.emit_envelope(Some("5"), None), Err(EmitError::Encode(EncodeError::InvalidEvent { .. }))));
        assert!(matches!(out.emit_raw(b"bytes"), Err(EmitError::WrongMode { .. })));
        if before > 0 {
            assert!(matches!(out.emit("m", &"x".repeat(90)), Err(EmitError::Full { .. })));
            assert!(matches!(out.emit_frame(&frame), Err(EmitError::Full { .. })));
        }
        assert_eq!(out.pending(), pending);
        assert_eq!(out.wants_transmit(), before > 0);
        assert_eq!(
            sent(&mut out),
            r#"{"type":"m","data":"queued"}"#.to_owned().repeat(before) + &"\x0c".repeat(before)
        );
    }
}

#[test]
fn an_empty_queue_takes_one_event_of_any_size_and_then_no_other() {
    let mut out = outbound(Config::v9().max_pending_bytes(1));
    for _ in 0..3 {
        out.emit("m", &"x".repeat(1000)).unwrap();
        assert!(matches!(out.emit("m", ""), Err(EmitError::Full { limit: 1, .. })));
        assert_eq!(written(&mut out).len(), frame_of(1000));
    }
}

#[test]
fn what_is_on_its_way_counts_until_the_socket_has_taken_it() {
    let mut out = outbound(Config::v9().max_pending_bytes(100));
    let mut transmit = Transmit::new();
    out.emit("m", &"x".repeat(60)).unwrap();
    assert!(out.poll_transmit(&mut transmit));
    assert_eq!((out.pending(), out.wants_transmit()), (frame_of(60), false));
    assert!(matches!(out.emit("m", &"x".repeat(60)), Err(EmitError::Full { .. })));
    transmit.advance(50);
    assert!(out.poll_transmit(&mut transmit), "a rest has still to be written");
    assert_eq!(out.pending(), frame_of(60) - 50);
    out.emit("m", &"y".repeat(40)).unwrap();
    assert!(out.poll_transmit(&mut transmit));
    assert_eq!(transmit.remaining(), frame_of(60) - 50 + frame_of(40));
    transmit.advance(transmit.remaining());
    assert!(!out.poll_transmit(&mut transmit));
    assert_eq!(out.pending(), 0);
}

#[test]
fn a_limit_that_is_lowered_refuses_but_takes_nothing_away() {
    let mut out = outbound(Config::v9());
    out.emit("m", &"x".repeat(500)).unwrap();
    out.set_limit(10);
    assert!(matches!(out.emit("m", ""), Err(EmitError::Full { limit: 10, .. })));
    assert_eq!(written(&mut out).len(), frame_of(500));
}

#[test]
fn a_broadcast_frame_is_encoded_once_and_large_ones_are_shared() {
    let settings = settings(Config::v9());
    let small = Frame::new(&settings, "m", "small").unwrap();
    let large = Frame::from_message(&settings, &Message::new("m", &"x".repeat(100_000)).unwrap()).unwrap();
    let mut everybody: Vec<_> = (0..3).map(|_| Connection::new(&settings).outbound).collect();
    for out in &mut everybody {
        out.emit("m", "mine").unwrap();
        out.emit_frame(&small).unwrap();
        out.emit_frame(&large).unwrap();
        out.emit_frame(&small).unwrap();
    }
    for out in &mut everybody {
        let mut transmit = Transmit::new();
        assert!(out.poll_transmit(&mut transmit));
        let mut slices = [IoSlice::new(&[]); 8];
        assert_eq!(transmit.chunks_vectored(&mut slices), 3, "own and small together, shared, small");
        assert_eq!(slices[1].as_ptr(), large.as_bytes().as_ptr(), "not copied");
        let all = transmit.copy_to_bytes(transmit.remaining());
        let first = [b"{\"type\":\"m\",\"data\":\"mine\"}\x0c", small.as_bytes(), large.as_bytes(), small.as_bytes()];
        assert_eq!(all, first.concat());
    }
}

#[test]
fn a_frame_is_refused_where_it_would_not_be_understood() {
    let framed = settings(Config::v9());
    let raw = settings(Config::v9().raw_buffer(true));
    let bars = settings(Config::v9().delimiter("||"));
    let bar = settings(Config::v9().delimiter("|"));
    let frames = [
        Frame::new(&framed, "m", &1).unwrap(),
        Frame::raw(&raw, &b"\x0c"[..]).unwrap(),
        Frame::new(&bars, "m", &1).unwrap(),
    ];
    for (which, frame) in frames.iter().enumerate() {
        for (own, settings) in [(0, &framed), (1, &raw), (2, &bars), (3, &bar)] {
            let mut out = Connection::new(settings).outbound;
            match out.emit_frame(frame) {
                Ok(()) => assert_eq!(own, which),
                Err(EmitError::WrongMode { .. }) => assert_ne!(own, which),
                Err(other) => panic!("{other}"),
            }
        }
    }
    assert!(matches!(Frame::new(&raw, "m", &1), Err(EmitError::WrongMode { .. })));
    assert!(matches!(Frame::raw(&framed, &b"x"[..]), Err(EmitError::WrongMode { .. })));
}

#[test]
fn debug_text_shows_no_payload() {
    let shows_nothing = |debug: String| assert!(!debug.contains("115, 101") && !debug.contains("secret"), "{debug}");
    for config in [Config::v9(), Config::v9().sync(true), Config::v9().raw_buffer(true)] {
        let settings = settings(config);
        let mut out = Outbound::new(&settings, settings.config().sync);
        let mut inbound = Connection::new(&settings).inbound;
        let mut transmit = Transmit::new();
        let now = start();
        for _ in 0..2 {
            let emitted = if settings.is_raw() { out.emit_raw(b"secret") } else { out.emit("m", "secret") };
            emitted.unwrap();
        }
        let queue = format!("{out:?}");
        assert!(queue.starts_with("Outbound {"), "{queue}");
        shows_nothing(queue);
        out.poll_transmit(&mut transmit);
        let handed_out = format!("{transmit:?}");
        assert!(handed_out.starts_with("Transmit {"), "{handed_out}");
        shows_nothing(handed_out);
        let wire = transmit.copy_to_bytes(transmit.remaining());
        for (wire, framed) in [(&wire[..], "Event {"), (b"{\"secret\"}\x0c", "Malformed(InvalidJson")] {
            let received = format!("{:?}", inbound.poll_event(now, &mut &wire[..]).unwrap());
            assert!(received.starts_with(if settings.is_raw() { "Raw { bytes: " } else { framed }), "{received}");
            shows_nothing(received);
        }
        inbound.defer(b"secret");
        let half = format!("{inbound:?}");
        assert!(half.starts_with("Inbound {"), "{half}");
        shows_nothing(half);
        if !settings.is_raw() {
            let frame = format!("{:?}", Frame::new(&settings, "m", "secret").unwrap());
            assert!(frame.starts_with("Frame"), "{frame}");
            shows_nothing(frame);
        }
    }
}

#[test]
fn a_raw_connection_sends_bytes_as_they_are_and_no_events() {
    let mut out = outbound(Config::v9().raw_buffer(true).max_pending_bytes(10));
    out.emit_raw(b"\x00\xff").unwrap();
    out.emit_raw(b"").unwrap();
    out.emit_raw(b"\x0c").unwrap();
    assert!(matches!(out.emit_raw(b"12345678"), Err(EmitError::Full { pending: 3, length: 8, limit: 10, .. })));
    assert!(matches!(out.emit("m", &1), Err(EmitError::WrongMode { .. })));
    assert_eq!(written(&mut out), b"\x00\xff\x0c");
}

#[test]
fn a_closed_queue_refuses_everything_and_sends_what_it_has() {
    let mut out = outbound(Config::v9());
    out.emit("m", "last").unwrap();
    out.close();
    assert!(out.is_closed());
    let refusal = out.emit("m", "late").unwrap_err();
    assert!(matches!(refusal, EmitError::Closed) && !refusal.is_temporary());
    let frame = Frame::new(&settings(Config::v9()), "m", &"x".repeat(9000)).unwrap();
    assert!(matches!(out.emit_frame(&frame), Err(EmitError::Closed)));
    assert_eq!(sent(&mut out), "{\"type\":\"m\",\"data\":\"last\"}\x0c");

    let mut raw = outbound(Config::v9().raw_buffer(true));
    raw.close();
    assert!(matches!(raw.emit_raw(b""), Err(EmitError::Closed)));
}

#[test]
fn discard_and_end_count_messages_by_their_delimiters() {
    for delimiter in ["\u{c}", "||"] {
        let frame = frame_of(4) - 1 + delimiter.len();
        let mut out = outbound(Config::v9().delimiter(delimiter));
        // The text is escaped, so that it cannot be taken for a border.
        let with_delimiter = frame_of("\\u007c\\u007c".len()) - 1 + delimiter.len();
        out.emit("m", "text").unwrap();
        out.emit("m", "||").unwrap();
        let second = out.pending() - frame;
        assert!(second <= with_delimiter);
        assert_eq!(out.discard(), unsent(2, frame + second));
        assert_eq!((out.discard(), out.pending()), (Unsent::default(), 0));

        out.emit("m", "text").unwrap();
        out.emit("m", "text").unwrap();
        let mut transmit = Transmit::new();
        out.poll_transmit(&mut transmit);
        transmit.advance(1);
        out.emit("m", "text").unwrap();
        assert_eq!(out.end(transmit), unsent(3, 3 * frame - 1));
        assert!(out.is_closed());
        assert_eq!(out.pending(), 0);
    }
}

#[test]
fn of_raw_bytes_only_their_number_is_counted() {
    let mut out = outbound(Config::v9().raw_buffer(true));
    out.emit_raw(b"\x0c\x0c\x0c").unwrap();
    let lost = out.discard();
    assert_eq!(lost, unsent(0, 3));
    assert!(!lost.is_empty());
}

fn sync_outbound(config: Config) -> Outbound {
    Outbound::new(&settings(config), true)
}

fn numbers(text: &str) -> Vec<u32> {
    let frames = text.split_terminator('\x0c');
    frames
        .map(|frame| frame.trim_start_matches("{\"type\":\"m\",\"data\":").trim_end_matches('}').parse().unwrap())
        .collect()
}

#[test]
fn sync_sends_the_next_message_after_an_answer() {
    let mut out = sync_outbound(Config::v9());
    for number in 1..=3 {
        out.emit("m", &number).unwrap();
    }
    assert_eq!((out.held(), numbers(&sent(&mut out))), (2, vec![1]));
    assert!(!out.wants_transmit());
    out.handle_answer();
    assert_eq!(numbers(&sent(&mut out)), [2]);
    out.handle_answer();
    assert_eq!((out.held(), numbers(&sent(&mut out))), (0, vec![3]));
    out.handle_answer();
    out.handle_answer();
    out.emit("m", &4).unwrap();
    out.emit("m", &5).unwrap();
    assert_eq!(numbers(&sent(&mut out)), [4], "an answer too many is not saved up");
}

#[test]
fn sync_counts_what_it_holds_against_the_bound() {
    let mut out = sync_outbound(Config::v9().max_pending_bytes(60));
    out.emit("m", &1).unwrap();
    out.emit("m", &2).unwrap();
    assert!(matches!(out.emit("m", &3), Err(EmitError::Full { .. })));
    assert_eq!((out.held(), out.pending()), (1, 44));
    assert_eq!(numbers(&sent(&mut out)), [1]);
    out.emit("m", &4).unwrap();
    for expected in [2, 4] {
        out.handle_answer();
        assert_eq!(numbers(&sent(&mut out)), [expected]);
    }
}

#[test]
fn sync_holds_frames_raw_bytes_and_refuses_what_it_cannot_encode() {
    let config = Config::v9();
    let mut out = sync_outbound(config.clone());
    let large = Frame::new(&settings(config), "m", &"x".repeat(9000)).unwrap();
    out.emit_frame(&large).unwrap();
    out.emit_frame(&large).unwrap();
    assert!(matches!(out.emit_json("m", Some("{")), Err(EmitError::Encode(_))));
    assert_eq!(out.held(), 1);
    assert_eq!(written(&mut out), large.as_bytes());

    let mut raw = sync_outbound(Config::v9().raw_buffer(true));
    raw.emit_raw(b"").unwrap();
    raw.emit_raw(b"one").unwrap();
    raw.emit_raw(b"").unwrap();
    raw.emit_raw(b"two").unwrap();
    assert_eq!((raw.held(), written(&mut raw)), (1, b"one".to_vec()), "no bytes wait for no answer");
}

#[test]
fn closing_releases_what_sync_holds() {
    let mut out = sync_outbound(Config::v9());
    for number in 1..=3 {
        out.emit("m", &number).unwrap();
    }
    out.close();
    assert_eq!((out.held(), numbers(&sent(&mut out))), (0, vec![1, 2, 3]));
    out.handle_answer();
    assert!(!out.wants_transmit());

    let mut out = sync_outbound(Config::v9());
    out.emit("m", &1).unwrap();
    assert_eq!(numbers(&sent(&mut out)), [1], "on its way");
    out.emit("m", &2).unwrap();
    out.close();
    assert_eq!(numbers(&sent(&mut out)), [2]);
}

#[test]
fn discarding_empties_the_sync_queue_and_starts_it_afresh() {
    let mut out = sync_outbound(Config::v9());
    for number in 1..=3 {
        out.emit("m", &number).unwrap();
    }
    assert_eq!(out.discard().messages, 3);
    assert_eq!((out.held(), out.pending()), (0, 0));
    out.emit("m", &4).unwrap();
    assert_eq!(numbers(&sent(&mut out)), [4]);
}

#[test]
fn a_shrunk_queue_goes_on_as_before() {
    let mut out = outbound(Config::v9());
    let mut transmit = Transmit::new();
    out.emit("m", &1).unwrap();
    out.shrink();
    assert!(out.wants_transmit(), "what is queued is not idle");
    assert!(out.poll_transmit(&mut transmit));
    transmit.shrink();
    assert_eq!(transmit.remaining(), out.pending(), "nor what is on its way");
    transmit.advance(transmit.remaining());
    out.poll_transmit(&mut transmit);
    out.shrink();
    transmit.shrink();
    out.emit("m", &2).unwrap();
    assert_eq!(numbers(&sent(&mut out)), [2]);
}

#[test]
fn a_buffer_is_lent_to_an_empty_queue_and_taken_back_from_one_if_it_is_large() {
    let mut out = outbound(Config::v9());
    assert!(out.give_buffer(Vec::with_capacity(1000)).is_none());
    assert!(out.take_buffer(1000).is_none(), "it is no larger");
    assert_eq!(out.give_buffer(Vec::with_capacity(10)).unwrap().capacity(), 10, "there is one");
    out.emit("m", &1).unwrap();
    assert!(out.take_buffer(0).is_none(), "it is in use");
    assert_eq!(numbers(&sent(&mut out)), [1]);
    assert!(out.give_buffer(Vec::with_capacity(500)).is_none(), "the other one went with the event");
    assert_eq!(out.take_buffer(499).unwrap().capacity(), 500);
    assert!(out.take_buffer(0).is_none(), "it has none any more");

    let mut transmit = Transmit::new();
    assert!(!transmit.has_spare());
    transmit.give_spare(Vec::with_capacity(1000));
    transmit.shrink();
    assert!(!transmit.has_spare());
    transmit.give_spare(Vec::with_capacity(1000));
    assert!(transmit.has_spare());
    assert!(transmit.take_buffer(1000).is_none());
    assert_eq!(transmit.take_buffer(999).unwrap().capacity(), 1000);
    assert!(!transmit.has_spare());
}

proptest! {
    /// However emits, broadcasts and writes are interleaved, the wire carries every accepted frame in order, and the
    /// bound holds.
    #[test]
    fn the_wire_carries_what_was_taken_in_order(
        steps in prop::collection::vec((0_u8..4, 0_usize..6000), 1..60),
        limit in 1_usize..20_000,
    ) {
        let settings = settings(Config::v9().max_pending_bytes(limit));
        let mut out = Connection::new(&settings).outbound;
        let mut transmit = Transmit::new();
        let (mut expected, mut wire) = (Vec::new(), Vec::new());
        for (what, size) in steps {
            let text = "x".repeat(size);
            let frame = Frame::new(&settings, "m", &text).unwrap();
            let before = out.pending();
            match what {
                0 | 1 => {
                    let outcome = if what == 0 { out.emit("m", &text) } else { out.emit_frame(&frame) };
                    let fits = before == 0 || before + frame.as_bytes().len() <= limit;
                    prop_assert_eq!(outcome.is_ok(), fits);
                    if fits {
                        expected.extend_from_slice(frame.as_bytes());
                    }
                    prop_assert_eq!(out.pending(), before + if fits { frame.as_bytes().len() } else { 0 });
                }
                2 => {
                    let writable = out.poll_transmit(&mut transmit);
                    prop_assert_eq!(writable, !transmit.is_empty());
                    prop_assert_eq!(out.pending(), transmit.remaining());
                }
                _ => {
                    let mut slices = [IoSlice::new(&[]); 3];
                    let filled = transmit.chunks_vectored(&mut slices);
                    let mut left = size.min(transmit.remaining());
                    let mut count = 0;
                    for slice in &slices[..filled] {
                        let taken = left.min(slice.len());
                        wire.extend_from_slice(&slice[..taken]);
                        (left, count) = (left - taken, count + taken);
                    }
                    transmit.advance(count);
                }
            }
        }
        while out.poll_transmit(&mut transmit) {
            wire.extend_from_slice(transmit.chunk());
            transmit.advance(transmit.chunk().len());
        }
        prop_assert_eq!(wire, expected);
        prop_assert_eq!(out.pending(), 0);
    }
}

#[test]
fn an_idle_connection_costs_little() {
    // 10,000 of them are a few megabytes. A larger type may be right; then say so here: some 330 bytes are counters.
    let halves = size_of::<Outbound>() + size_of::<ipc_proto::Inbound>();
    assert!(halves <= 688, "{halves} bytes");
    assert!(size_of::<Transmit>() <= 112);
}

#[test]
fn what_was_refused_leaves_no_large_buffer_behind() {
    let mut out = outbound(Config::v9().max_message_size(1000));
    out.emit("m", &"x".repeat(1_000_000)).unwrap_err();
    assert!(out.take_buffer(64 * 1024).is_none());
    out.emit("m", &1).unwrap();
    assert_eq!(numbers(&sent(&mut out)), [1]);
}

#[test]
fn more_is_wanted_while_a_part_is_on_its_way() {
    let mut out = outbound(Config::v9());
    let mut transmit = Transmit::new();
    out.emit("m", &1).unwrap();
    assert!(out.wants_transmit() && out.poll_transmit(&mut transmit) && !out.wants_transmit());
    out.emit("m", &2).unwrap();
    assert!(out.wants_transmit());
    assert!(Unsent::default().is_empty() && !unsent(0, 1).is_empty());
}
