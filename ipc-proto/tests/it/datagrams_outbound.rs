//! What is to be sent over UDP: the queue of addressed datagrams, its bounds and what it refuses.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should panic")]

use std::net::SocketAddr;

use ipc_proto::{
    Config, DatagramError, DatagramOutbound, DatagramTransmit, EmitError, Frame, Host, IpFamily, MAX_DATAGRAM,
    Platform, Settings,
};

fn settings(config: Config) -> Settings {
    config.build(&Host::new("h", Platform::Linux)).unwrap()
}

fn outbound(config: Config) -> DatagramOutbound {
    DatagramOutbound::new(&settings(config), IpFamily::V4)
}

fn peer(number: u16) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], number))
}

/// Everything queued: port and text.
fn drain(outbound: &mut DatagramOutbound) -> Vec<(u16, String)> {
    let mut transmit = DatagramTransmit::new();
    let mut all = Vec::new();
    while outbound.poll_transmit(&mut transmit) {
        while let Some((to, bytes)) = transmit.first() {
            all.push((to.port(), String::from_utf8(bytes.to_vec()).unwrap()));
            transmit.advance();
        }
    }
    all
}

#[test]
fn datagrams_leave_one_for_each_event_in_the_order_of_the_emits() {
    let mut udp = outbound(Config::v9());
    udp.to(peer(1)).emit("a", &1).unwrap();
    udp.to(peer(2)).emit_json("b", Some("[2]")).unwrap();
    udp.to(peer(1)).emit_envelope(Some("5"), None).unwrap();
    let frame = Frame::new(&settings(Config::v9()), "c", &3).unwrap();
    udp.to(peer(3)).emit_frame(&frame).unwrap();
    let expected = [
        (1, "{\"type\":\"a\",\"data\":1}\u{c}"),
        (2, "{\"type\":\"b\",\"data\":[2]}\u{c}"),
        (1, "{\"type\":5}\u{c}"),
        (3, "{\"type\":\"c\",\"data\":3}\u{c}"),
    ];
    assert_eq!(drain(&mut udp), expected.map(|(to, text)| (to, text.to_owned())));
    assert_eq!(udp.pending(), 0);
    assert!(!udp.wants_transmit());
}

#[test]
fn what_is_larger_than_a_datagram_is_refused_and_nothing_is_queued() {
    let mut udp = outbound(Config::v9());
    // `{"type":"m","data":"…"}` and a form feed: 23 bytes beside the text.
    let text = "x".repeat(MAX_DATAGRAM - 23);
    udp.to(peer(1)).emit("m", &text).unwrap();
    assert_eq!(drain(&mut udp)[0].1.len(), MAX_DATAGRAM);
    let error = udp.to(peer(1)).emit("m", &(text + "x")).unwrap_err();
    assert!(matches!(error, EmitError::TooLarge { length: 65_508, limit: MAX_DATAGRAM }), "{error:?}");
    assert!(!error.is_temporary());
    assert_eq!(
        error.to_string(),
        "the event takes 65508 bytes and a datagram holds 65507; send less at a time, or use TCP"
    );
    let frame = Frame::new(&settings(Config::v9()), "m", &"x".repeat(70_000)).unwrap();
    assert!(matches!(udp.to(peer(1)).emit_frame(&frame), Err(EmitError::TooLarge { .. })));
    assert!(matches!(udp.broadcast(&frame, &[peer(1), peer(2)]), Err(EmitError::TooLarge { .. })));
    assert_eq!((udp.pending(), drain(&mut udp)), (0, Vec::new()));
}

#[test]
fn an_address_that_the_socket_cannot_send_to_is_refused_with_advice() {
    let (four, six): (SocketAddr, SocketAddr) = ("127.0.0.1:1".parse().unwrap(), "[::1]:1".parse().unwrap());
    let mapped: SocketAddr = "[::ffff:127.0.0.1]:1".parse().unwrap();
    let config = settings(Config::v9());
    for (family, good, bad) in [(IpFamily::V4, four, six), (IpFamily::V6, six, four), (IpFamily::V6, mapped, four)] {
        let mut udp = DatagramOutbound::new(&config, family);
        udp.to(good).emit("m", &1).unwrap();
        let error = udp.to(bad).emit("m", &1).unwrap_err();
        assert!(matches!(error, EmitError::Address { to, .. } if to == bad), "{error:?}");
        assert!(error.to_string().contains("serve on udp"), "{error}");
        assert!(matches!(DatagramOutbound::check(family, bad), Err(DatagramError::Address { to, .. }) if to == bad));
        assert!(DatagramOutbound::check(family, good).is_ok());
        assert_eq!(drain(&mut udp).len(), 1);
    }
    let error = outbound(Config::v9()).to(peer(0)).emit("m", &1).unwrap_err();
    assert_eq!(error.to_string(), "cannot send to 127.0.0.1:0: nobody receives on port 0");
}

#[test]
fn the_queue_counts_every_datagram_and_an_empty_one_takes_any() {
    let mut udp = outbound(Config::v9().raw_buffer(true).max_pending_bytes(200));
    assert!(!udp.wants_transmit());
    udp.to(peer(1)).emit_raw(b"").unwrap();
    udp.to(peer(1)).emit_raw(b"12345678").unwrap();
    assert_eq!(udp.pending(), 64 + 72);
    let error = udp.to(peer(1)).emit_raw(b"1").unwrap_err();
    assert!(matches!(error, EmitError::Full { pending: 136, length: 65, limit: 200, .. }), "{error:?}");
    assert_eq!(drain(&mut udp), [(1, String::new()), (1, "12345678".into())]);
    udp.to(peer(1)).emit_raw(&[b'x'; 1000]).unwrap();
    assert!(matches!(udp.to(peer(1)).emit_raw(b""), Err(EmitError::Full { .. })));
}

#[test]
fn what_is_being_sent_counts_until_it_is_sent() {
    let mut udp = outbound(Config::v9().raw_buffer(true).max_pending_bytes(200));
    let mut transmit = DatagramTransmit::new();
    for byte in [b"1", b"2", b"3"] {
        udp.to(peer(1)).emit_raw(byte).unwrap();
    }
    assert!(udp.wants_transmit());
    assert!(udp.poll_transmit(&mut transmit));
    assert!(matches!(udp.to(peer(1)).emit_raw(b"4"), Err(EmitError::Full { pending: 195, .. })));
    transmit.advance();
    assert!(udp.poll_transmit(&mut transmit));
    assert_eq!((udp.pending(), udp.counters().pending), (130, 2));
    assert_eq!(format!("{transmit:?}"), "DatagramTransmit { left: 2, .. }");
    udp.to(peer(1)).emit_raw(b"4").unwrap();
    assert_eq!((udp.counters().pending, udp.counters().datagrams), (3, 4));
    assert!(!udp.wants_transmit(), "not before the others are sent");
    let unsent = udp.end(transmit);
    assert_eq!((unsent.messages, unsent.bytes), (3, 3));
    assert!(matches!(udp.to(peer(1)).emit_raw(b"5"), Err(EmitError::Closed)));
}

#[test]
fn the_bytes_of_a_broadcast_are_queued_once_and_it_goes_as_far_as_there_is_room() {
    let config = settings(Config::v9().max_pending_bytes(10_000));
    let mut udp = DatagramOutbound::new(&config, IpFamily::V4);
    let frame = Frame::new(&config, "m", &"x".repeat(4000)).unwrap();
    let everybody: Vec<_> = (1..=1000).map(peer).collect();
    let length = frame.as_bytes().len();
    let room = (10_000 - length) / 64;
    assert_eq!(udp.broadcast(&frame, &everybody).unwrap(), room);
    assert_eq!(udp.pending(), length + room * 64);
    assert_eq!(udp.broadcast(&frame, &everybody).unwrap(), 0);
    let sent = drain(&mut udp);
    assert_eq!(sent.len(), room);
    assert!(sent.iter().all(|(_, text)| text.as_bytes() == frame.as_bytes()));
    assert_eq!(udp.broadcast(&frame, &[]).unwrap(), 0);
    let mixed = ["[::1]:9".parse().unwrap(), peer(0), peer(1), peer(0), peer(2)];
    assert_eq!(udp.broadcast(&frame, &mixed).unwrap(), 2, "who cannot be reached stops nobody else");
    assert_eq!(drain(&mut udp).iter().map(|(to, _)| *to).collect::<Vec<_>>(), [1, 2]);
}

#[test]
fn events_and_bytes_are_not_mixed() {
    let raw = settings(Config::v9().raw_buffer(true));
    let mut framed = outbound(Config::v9());
    assert!(matches!(framed.to(peer(1)).emit_raw(b"x"), Err(EmitError::WrongMode { .. })));
    let bytes = Frame::raw(&raw, &b"x"[..]).unwrap();
    assert!(matches!(framed.broadcast(&bytes, &[peer(1)]), Err(EmitError::WrongMode { .. })));
    let mut udp = DatagramOutbound::new(&raw, IpFamily::V4);
    assert!(matches!(udp.to(peer(1)).emit("m", &1), Err(EmitError::WrongMode { .. })));
    udp.to(peer(1)).emit_frame(&bytes).unwrap();
    assert_eq!(drain(&mut udp), [(1, "x".to_owned())]);
}

#[test]
fn a_payload_that_panics_leaves_nothing_in_the_queue() {
    struct Panics;
    impl serde::Serialize for Panics {
        fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            serde::ser::SerializeSeq::serialize_element(&mut serializer.serialize_seq(None)?, "some of it")?;
            panic!("no more of it");
        }
    }
    let mut udp = outbound(Config::v9());
    udp.to(peer(1)).emit("a", &1).unwrap();
    let pending = udp.pending();
    let mut target = udp.to(peer(1));
    assert!(std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| target.emit("b", &Panics))).is_err());
    assert_eq!(udp.pending(), pending);
    udp.to(peer(1)).emit("c", &2).unwrap();
    let texts: Vec<_> = drain(&mut udp).into_iter().map(|(_, text)| text).collect();
    assert_eq!(texts, ["{\"type\":\"a\",\"data\":1}\u{c}", "{\"type\":\"c\",\"data\":2}\u{c}"]);
}

/// What leaves with each call, as `to: length xcount = bytes`.
fn bursts(outbound: &mut DatagramOutbound, most: usize, longest: usize) -> Vec<String> {
    let mut transmit = DatagramTransmit::new();
    outbound.poll_transmit(&mut transmit);
    let mut left = Vec::new();
    while let Some(burst) = transmit.first_burst(most, longest) {
        let text = String::from_utf8_lossy(burst.bytes);
        left.push(format!("{}: {}x{} = {text}", burst.to.port(), burst.length, burst.count));
        let count = burst.count;
        transmit.advance_by(count);
    }
    assert!(transmit.is_empty() && !outbound.poll_transmit(&mut transmit));
    assert_eq!(outbound.pending(), 0);
    left
}

#[test]
fn what_goes_to_one_address_in_datagrams_of_one_length_may_leave_together() {
    let mut outbound = outbound(Config::v9().raw_buffer(true));
    let mut emit = |to, bytes: &str| outbound.to(peer(to)).emit_raw(bytes.as_bytes()).unwrap();
    // A shorter one ends a burst and belongs to it; a longer one begins another.
    for (to, bytes) in [(1, "aa"), (1, "bb"), (1, "c"), (1, "d"), (1, "eee"), (2, "ff"), (2, "gg"), (1, "hh")] {
        emit(to, bytes);
    }
    assert_eq!(
        bursts(&mut outbound, 64, 1000),
        ["1: 2x3 = aabbc", "1: 1x1 = d", "1: 3x1 = eee", "2: 2x2 = ffgg", "1: 2x1 = hh"]
    );
}

#[test]
fn a_burst_has_its_bounds_and_an_empty_datagram_is_one_for_itself() {
    let queue = |bytes: &[&str]| {
        let mut outbound = outbound(Config::v9().raw_buffer(true));
        for bytes in bytes {
            outbound.to(peer(1)).emit_raw(bytes.as_bytes()).unwrap();
        }
        outbound
    };
    let many = ["aa", "bb", "cc", "dd", "ee"];
    assert_eq!(bursts(&mut queue(&many), 2, 1000), ["1: 2x2 = aabb", "1: 2x2 = ccdd", "1: 2x1 = ee"]);
    assert_eq!(bursts(&mut queue(&many[..2]), 64, 1), ["1: 2x1 = aa", "1: 2x1 = bb"], "too long for a burst");
    assert_eq!(bursts(&mut queue(&many[..2]), 0, 1000), ["1: 2x1 = aa", "1: 2x1 = bb"], "one at least");
    assert_eq!(bursts(&mut queue(&["", "", "a", ""]), 64, 1000), ["1: 0x1 = ", "1: 0x1 = ", "1: 1x1 = a", "1: 0x1 = "]);
    // As many bytes as a datagram may have.
    let long = "x".repeat(30_000);
    let sizes: Vec<_> = bursts(&mut queue(&[&long, &long, &long]), 64, 40_000).iter().map(String::len).collect();
    assert_eq!(sizes.len(), 2);
    assert!(sizes[0] > 60_000 && sizes[1] < 31_000, "{sizes:?}");
}

#[test]
fn a_broadcast_is_no_burst_and_more_than_there_are_cannot_be_sent() {
    let mut outbound = outbound(Config::v9());
    let frame = Frame::new(&settings(Config::v9()), "m", &1).unwrap();
    assert_eq!(outbound.broadcast(&frame, &[peer(1), peer(1), peer(2)]).unwrap(), 3);
    let mut transmit = DatagramTransmit::new();
    outbound.poll_transmit(&mut transmit);
    assert_eq!(transmit.first_burst(64, 1000).map(|burst| burst.count), Some(1));
    transmit.advance_by(usize::MAX);
    assert!(transmit.is_empty() && transmit.first_burst(64, 1000).is_none());
}

#[test]
fn a_closed_queue_sends_what_it_has_and_takes_nothing_more() {
    let mut udp = outbound(Config::v9().raw_buffer(true));
    udp.to(peer(1)).emit_raw(b"secret").unwrap();
    udp.close();
    assert!(matches!(udp.to(peer(1)).emit_raw(b"more"), Err(EmitError::Closed)));
    let mut transmit = DatagramTransmit::new();
    assert!(udp.poll_transmit(&mut transmit));
    let shown = format!("{:?}", transmit.first_burst(64, 1000).unwrap());
    assert_eq!(shown, "DatagramBurst { to: 127.0.0.1:1, length: 6, count: 1, .. }");
    transmit.advance();
    assert_eq!((udp.poll_transmit(&mut transmit), udp.counters().refused.closed), (false, 1));
}

#[test]
fn received_events_and_messages_are_sent_on_as_they_are() {
    let mut udp = outbound(Config::v9());
    let text = r#"{"data":{"a":1e2},"type":"there"}"#;
    let event = ipc_proto::Event::parse(text.as_bytes(), &ipc_proto::Rules::default()).unwrap();
    udp.to(peer(1)).emit_event(&event).unwrap();
    udp.to(peer(2)).emit_message(&event.to_message()).unwrap();
    let expected = "{\"type\":\"there\",\"data\":{\"a\":1e2}}\u{c}".to_owned();
    assert_eq!(drain(&mut udp), [(1, expected.clone()), (2, expected)]);
}

#[test]
fn a_changed_limit_holds_for_what_follows() {
    let mut udp = outbound(Config::v9());
    let of = |udp: &mut DatagramOutbound| udp.to(peer(1)).emit("m", &1);
    udp.set_limit(150);
    assert_eq!(udp.limit(), 150);
    of(&mut udp).unwrap();
    assert!(matches!(of(&mut udp), Err(EmitError::Full { pending: 86, length: 86, limit: 150, .. })));
    udp.set_limit(172);
    of(&mut udp).unwrap();
    assert_eq!(udp.pending(), 172);
}

#[test]
fn a_broadcast_fills_the_queue_to_its_bound_and_counts_whom_it_left_out() {
    let config = settings(Config::v9());
    let frame = Frame::new(&config, "m", &1).unwrap();
    assert_eq!(frame.as_bytes().len(), 22);
    let mut udp = DatagramOutbound::new(&config, IpFamily::V4);
    udp.set_limit(22 + 2 * 64);
    let three = [1, 2, 3].map(peer);
    assert_eq!(udp.broadcast(&frame, &three).unwrap(), 2);
    let counters = udp.counters();
    assert_eq!((counters.refused.full, counters.pending_max), (1, 22 + 2 * 64));
    assert_eq!(udp.broadcast(&frame, &three).unwrap(), 0);
    assert_eq!(udp.counters().refused.full, 4);
}

#[test]
fn what_is_sent_is_done_with_before_the_next_is_handed_out() {
    let mut udp = outbound(Config::v9().raw_buffer(true));
    let mut transmit = DatagramTransmit::new();
    udp.to(peer(1)).emit_raw(b"first").unwrap();
    assert!(udp.poll_transmit(&mut transmit));
    udp.to(peer(2)).emit_raw(b"second").unwrap();
    assert!(!udp.wants_transmit() && udp.poll_transmit(&mut transmit));
    assert_eq!(transmit.first(), Some((peer(1), &b"first"[..])), "what was handed out stays");
    transmit.advance();
    assert!(udp.poll_transmit(&mut transmit));
    assert_eq!(transmit.first(), Some((peer(2), &b"second"[..])));
    transmit.advance();
    assert!(!udp.poll_transmit(&mut transmit) && transmit.is_empty());
}

#[test]
fn a_burst_may_be_as_large_as_a_datagram_wherever_in_the_queue_it_begins() {
    let mut udp = outbound(Config::v9().raw_buffer(true));
    let half = vec![b'x'; MAX_DATAGRAM / 2];
    udp.set_limit(usize::MAX);
    udp.to(peer(1)).emit_raw(&vec![b'y'; MAX_DATAGRAM]).unwrap();
    for _ in 0..2 {
        udp.to(peer(1)).emit_raw(&half).unwrap();
    }
    udp.to(peer(1)).emit_raw(b"z").unwrap();
    let mut transmit = DatagramTransmit::new();
    udp.poll_transmit(&mut transmit);
    let counts = std::iter::from_fn(|| {
        let count = transmit.first_burst(64, MAX_DATAGRAM)?.count;
        transmit.advance_by(count);
        Some(count)
    });
    // 65,507 is odd: a last byte fits.
    assert_eq!(counts.collect::<Vec<_>>(), [1, 3]);
}

#[test]
fn debug_text_shows_no_payload() {
    let mut udp = outbound(Config::v9());
    udp.to(peer(1)).emit("m", "secret").unwrap();
    let queue = format!("{udp:?}");
    assert!(queue.contains("queued: 1") && queue.contains("pending: 93"), "{queue}");
    let mut transmit = DatagramTransmit::new();
    udp.poll_transmit(&mut transmit);
    let handed_out = format!("{transmit:?}");
    assert!(handed_out.contains("left: 1"), "{handed_out}");
    assert!(!format!("{queue} {handed_out}").contains("secret"));
}
