//! The receiving half: what comes out, what is kept for later, and the clock of an unfinished message.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should panic")]

use std::time::Duration;

use crate::common::{MS, in_words, receive, settings, start};
use ipc_proto::{Code, Config, Connection, Inbound, OnMalformed, ProtocolError, Received};
use proptest::prelude::*;

fn inbound(config: Config) -> Inbound {
    Connection::new(&settings(config)).inbound
}

fn timed(config: Config) -> Inbound {
    inbound(config.message_timeout(Duration::from_secs(30)))
}

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn whole_frames_come_out_at_once_and_a_tail_waits_for_its_rest() {
    let mut inbound = inbound(Config::v9());
    let now = start();
    let first = receive(&mut inbound, now, b"{\"type\":\"a\",\"data\":1}\x0c{\"type\":\"b\"}\x0c{\"type\":");
    assert_eq!(first, ["a=1", "b="]);
    assert_eq!(inbound.unfinished(), 8);
    assert_eq!(receive(&mut inbound, now, b"\"c\",\"data\":[]}\x0c"), ["c=[]"]);
    assert_eq!(inbound.unfinished(), 0);
}

#[test]
fn lifecycle_names_from_the_wire_are_plain_events() {
    let mut inbound = inbound(Config::v9());
    for name in ["error", "connect", "disconnect", "destroy", "close", "socket.disconnected"] {
        let frame = format!("{{\"type\":\"{name}\",\"data\":0}}\x0c");
        assert_eq!(receive(&mut inbound, start(), frame.as_bytes()), [format!("{name}=0")]);
    }
}

#[test]
fn a_malformed_frame_is_reported_and_the_next_one_comes_out() {
    let mut inbound = inbound(Config::v9());
    let input = b"{\x0c5\x0c{\"type\":5}\x0c\x0c{\"type\":\"a\"}\x0c";
    let expected = [
        "malformed ERR_IPC_INVALID_JSON",
        "malformed ERR_IPC_INVALID_MESSAGE",
        "malformed ERR_IPC_INVALID_EVENT",
        "malformed ERR_IPC_INVALID_JSON",
        "a=",
    ];
    assert_eq!(receive(&mut inbound, start(), input), expected);
    assert!(!inbound.has_failed());
}

#[test]
fn under_close_the_first_malformed_frame_is_the_last_thing_to_come_out() {
    let mut inbound = timed(Config::v14_fast());
    let input = b"{\"type\":\"a\"}\x0cnope\x0c{\"type\":\"b\"}\x0c{\"type\"";
    assert_eq!(receive(&mut inbound, start(), input), ["a=", "failed ERR_IPC_INVALID_JSON"]);
    assert!(inbound.has_failed());
    assert_eq!(receive(&mut inbound, start(), b"{\"type\":\"c\"}\x0c"), [""; 0]);
    inbound.defer(b"{\"type\":\"d\"}\x0c");
    assert_eq!(receive(&mut inbound, start(), b""), [""; 0], "nothing is kept either");
    assert_eq!((inbound.poll_timeout(), inbound.handle_timeout(start() + 99 * SECOND)), (None, None));
}

#[test]
fn a_frame_too_large_ends_the_connection_whatever_malformed_says() {
    for malformed in [OnMalformed::Report, OnMalformed::Close] {
        let mut inbound = inbound(Config::v9().malformed(malformed).max_message_size(20));
        assert_eq!(receive(&mut inbound, start(), b"{\"type\":\"abcdefg\"}"), [""; 0]);
        assert_eq!(receive(&mut inbound, start(), b"   "), ["failed ERR_IPC_FRAME_TOO_LARGE"]);
        assert_eq!(receive(&mut inbound, start(), b"\x0c{\"type\":\"a\"}\x0c"), [""; 0]);
        assert_eq!(inbound.unfinished(), 0, "and its memory is given back");
        assert!(inbound.read_buffer().is_none());
    }
}

#[test]
fn deferred_input_comes_out_first_and_in_order() {
    let mut inbound = inbound(Config::v9());
    let now = start();
    let mut input = &b"{\"type\":\"a\"}\x0c{\"type\":\"b\"}\x0c{\"type\":\"c\"}\x0c{\"ty"[..];
    let first = inbound.poll_event(now, &mut input).map(|received| in_words(&received));
    assert_eq!(first.as_deref(), Some("a="));
    inbound.defer(input);
    assert_eq!(receive(&mut inbound, now, b"")[..1], ["b="]);

    let mut input = &b"pe\":\"d\"}\x0c{\"type\":\"e\"}\x0c"[..];
    let fourth = inbound.poll_event(now, &mut input).map(|received| in_words(&received));
    assert_eq!(fourth.as_deref(), Some("d="));
    inbound.defer(input);
    inbound.defer(b"{\"type\":\"f\"}\x0c");
    assert_eq!(receive(&mut inbound, now, b"{\"type\":\"g\"}\x0c"), ["e=", "f=", "g="]);
}

#[test]
fn raw_bytes_come_out_as_they_came_and_deferred_ones_first() {
    let mut inbound = timed(Config::v9().raw_buffer(true));
    let now = start();
    assert_eq!(receive(&mut inbound, now, b"\x00\x0c\xff"), [r"raw \x00\x0c\xff"]);
    inbound.defer(b"one");
    inbound.defer(b"two");
    assert_eq!(receive(&mut inbound, now, b"three"), ["raw onetwo", "raw three"]);

    inbound.defer(b"four");
    let mut input = &b"five"[..];
    let lent = inbound.poll_event(now, &mut input).map(|received| in_words(&received));
    assert_eq!((lent.as_deref(), input), (Some("raw four"), &b"five"[..]));
    inbound.defer(input);
    assert_eq!(receive(&mut inbound, now, b""), ["raw five"], "what was lent is not lent again");
    assert_eq!((inbound.unfinished(), inbound.poll_timeout()), (0, None), "raw bytes are never unfinished");
    assert!(inbound.read_buffer().is_none() && inbound.take_buffer().is_none());
}

#[test]
fn an_unfinished_message_times_out() {
    let mut inbound = timed(Config::v9());
    let now = start();
    assert_eq!(inbound.poll_timeout(), None);
    assert_eq!(receive(&mut inbound, now, b"{\"type\":\"a\"}\x0c"), ["a="]);
    assert_eq!(inbound.poll_timeout(), None, "nothing is unfinished");
    receive(&mut inbound, now + SECOND, b"{\"ty");
    receive(&mut inbound, now + 20 * SECOND, b"pe\":");
    assert_eq!(inbound.poll_timeout(), Some(now + 31 * SECOND), "more of it does not buy time");
    assert_eq!(inbound.handle_timeout(now + 31 * SECOND - MS), None);
    let report = inbound.handle_timeout(now + 31 * SECOND).unwrap();
    assert_eq!(report.error(), &ProtocolError::MessageTimeout { after: 30 * SECOND });
    assert_eq!(report.error().code(), Code::MessageTimeout);
    assert!(inbound.has_failed());
    assert_eq!((inbound.poll_timeout(), inbound.handle_timeout(now + 99 * SECOND)), (None, None));
    assert_eq!(receive(&mut inbound, now, b"\"b\"}\x0c"), [""; 0]);
}

#[test]
fn every_whole_message_starts_the_clock_afresh() {
    let mut inbound = timed(Config::v9());
    let now = start();
    for step in 0..100 {
        // Always a tail, and always a message that becomes whole: node-ipc 14.0.0 would end this after 30 s.
        let now = now + step * 20 * SECOND;
        receive(&mut inbound, now, if step == 0 { b"{\"type\"" } else { b":\"a\"}\x0c{\"type\"" });
        assert_eq!(inbound.poll_timeout(), Some(now + 30 * SECOND));
        assert_eq!(inbound.handle_timeout(now + 20 * SECOND), None);
    }
}

#[test]
fn without_a_timeout_an_unfinished_message_may_stay() {
    let mut inbound = inbound(Config::v9());
    receive(&mut inbound, start(), b"{\"ty");
    assert_eq!(inbound.poll_timeout(), None);
    assert_eq!(inbound.handle_timeout(start() + Duration::from_secs(1_000_000)), None);
}

#[test]
fn the_peer_is_not_blamed_while_its_messages_are_deferred() {
    let mut inbound = timed(Config::v9());
    let now = start();
    receive(&mut inbound, now, b"{\"type\":");
    let mut input = &b"\"a\"}\x0c{\"type\":\"b\"}\x0c{\"ty"[..];
    let first = inbound.poll_event(now + SECOND, &mut input).map(|received| in_words(&received));
    assert_eq!(first.as_deref(), Some("a="));
    inbound.defer(input);
    assert_eq!(inbound.poll_timeout(), None);
    assert_eq!(inbound.handle_timeout(now + 500 * SECOND), None);
    assert_eq!(receive(&mut inbound, now + 500 * SECOND, b""), ["b="]);
    assert_eq!(inbound.poll_timeout(), Some(now + 530 * SECOND));
}

#[test]
fn a_large_message_is_read_straight_into_its_place() {
    let mut inbound = timed(Config::v9());
    let now = start();
    let text = "x".repeat(300_000);
    let frame = format!("{{\"type\":\"large\",\"data\":\"{text}\"}}\x0c{{\"type\":\"next\"}}\x0c{{");
    let mut rest = frame.as_bytes();
    assert!(inbound.read_buffer().is_none(), "nothing has begun");
    let (head, tail) = rest.split_at(20_000);
    rest = tail;
    receive(&mut inbound, now, head);
    let mut words = Vec::new();
    let mut reads = 0;
    while !rest.is_empty() {
        let count = match inbound.read_buffer() {
            Some(room) => {
                let count = room.len().min(rest.len());
                room[..count].copy_from_slice(&rest[..count]);
                inbound.read_done(count);
                count
            }
            None => panic!("there is room until the message is whole"),
        };
        rest = &rest[count..];
        reads += 1;
        words.extend(receive(&mut inbound, now + reads * SECOND, b""));
    }
    assert_eq!(words, [format!("large=\"{text}\""), "next=".to_owned()]);
    assert!(reads < 8, "the room grows with what has come: {reads} reads");
    assert_eq!(inbound.unfinished(), 1);
    assert_eq!(inbound.poll_timeout(), Some(now + (reads + 30) * SECOND));
}

#[test]
fn room_to_read_into_ends_at_the_largest_message() {
    let mut inbound = inbound(Config::v9().max_message_size(50_000));
    let now = start();
    receive(&mut inbound, now, &[b'1'; 20_000]);
    let mut given = 20_000;
    while let Some(room) = inbound.read_buffer() {
        room.fill(b'1');
        let count = room.len();
        given += count;
        inbound.read_done(count);
        if let Some(word) = receive(&mut inbound, now, b"").pop() {
            assert_eq!(word, "failed ERR_IPC_FRAME_TOO_LARGE");
            break;
        }
    }
    assert_eq!(given, 50_001, "the message and its delimiter");
    assert!(inbound.has_failed());
}

#[test]
fn an_idle_connection_gives_its_buffer_away_and_takes_another() {
    let mut inbound = inbound(Config::v9());
    let now = start();
    assert!(inbound.take_buffer().is_none(), "a new one has none");
    receive(&mut inbound, now, b"{\"type\":");
    assert!(inbound.take_buffer().is_none(), "it is in use");
    receive(&mut inbound, now, b"\"a\"}\x0c");
    let buffer = inbound.take_buffer().unwrap();
    assert!(inbound.take_buffer().is_none());
    inbound.give_buffer(buffer);
    receive(&mut inbound, now, b"{\"type\":");
    assert_eq!(receive(&mut inbound, now, b"\"b\"}\x0c"), ["b="]);
}

proptest! {
    /// However the bytes are cut, deferred and read into place, the same events come out.
    #[test]
    fn cuts_and_deferrals_change_nothing(
        texts in prop::collection::vec("[a-z\u{c}|é\"\\\\]{0,12}", 0..12),
        cuts in prop::collection::vec((1_usize..40, any::<bool>(), any::<bool>()), 1..60),
        delimiter in prop_oneof![Just("\u{c}"), Just("||"), Just("\r\n")],
        raw in any::<bool>(),
    ) {
        let settings = settings(Config::v9().delimiter(delimiter).raw_buffer(raw));
        let mut wire = Vec::new();
        for text in &texts {
            if raw {
                wire.extend_from_slice(text.as_bytes());
            } else {
                settings.encoder().encode("m", text, &mut wire).unwrap();
            }
        }
        let mut inbound = Connection::new(&settings).inbound;
        let now = start();
        let mut came: Vec<Vec<u8>> = Vec::new();
        let keep = |received: Received<'_>, came: &mut Vec<Vec<u8>>| match received {
            Received::Event(event) => came.push(event.data::<String>().unwrap().into_bytes()),
            Received::Raw(bytes) => came.push(bytes.to_vec()),
            other => panic!("{other:?}"),
        };
        let mut rest = &wire[..];
        for (length, stop, wait) in cuts.into_iter().cycle() {
            if rest.is_empty() {
                break;
            }
            let (mut input, tail) = rest.split_at(length.min(rest.len()));
            rest = tail;
            if wait {
                inbound.defer(input);
                continue;
            }
            while let Some(received) = inbound.poll_event(now, &mut input) {
                keep(received, &mut came);
                if stop {
                    inbound.defer(input);
                    break;
                }
            }
        }
        while let Some(received) = inbound.poll_event(now, &mut &[][..]) {
            keep(received, &mut came);
        }
        let sent = texts.iter().map(String::as_bytes);
        if raw {
            prop_assert_eq!(came.concat(), sent.collect::<Vec<_>>().concat());
        } else {
            prop_assert_eq!(came, sent.collect::<Vec<_>>());
        }
        prop_assert_eq!(inbound.unfinished(), 0);
    }
}

#[test]
fn a_buffer_that_was_lent_is_the_one_that_is_used() {
    let mut inbound = inbound(Config::v9());
    inbound.give_buffer(Vec::with_capacity(5000));
    receive(&mut inbound, start(), b"{\"type\":");
    receive(&mut inbound, start(), b"\"a\"}\x0c");
    assert_eq!(inbound.take_buffer().unwrap().capacity(), 5000);
}

#[test]
fn it_says_whether_it_looks_at_the_time() {
    assert!(timed(Config::v9()).is_timed());
    assert!(!inbound(Config::v9()).is_timed());
}
