//! What the machines count: however input is cut and a queue is written, the numbers are those of the bytes.

use crate::common::seeds;
use ipc_proto::bytes::Buf;
use ipc_proto::{
    Client, ClientAction, Config, DatagramOutbound, DatagramSendCounters, EmitError, Endpoint, Frame, Host, Inbound,
    InboundCounters, IpFamily, Loss, Lost, MalformedCounters, Offline, OnMalformed, Outbound, OutboundCounters,
    Platform, Received, RefuseReason, RefusedEmits, Server, Settings, SplitMix64, Transmit,
};
use std::time::{Duration, Instant};

fn settings(config: Config) -> Settings {
    config.build(&Host::new("pluto", Platform::Linux)).expect("settings")
}

fn config() -> Config {
    Config::new("world")
}

#[expect(clippy::disallowed_methods, reason = "a test begins at some time")]
fn start() -> Instant {
    Instant::now()
}

/// Feeds pieces of chosen sizes, some by way of `read_buffer`, some deferred; gives how many bytes were fed.
fn feed(inbound: &mut Inbound, mut bytes: &[u8], rng: &mut SplitMix64, most: u64) -> u64 {
    let (now, fed) = (start(), bytes.len() as u64);
    while !bytes.is_empty() {
        let size = (1 + rng.next_u64() % most).min(bytes.len() as u64) as usize;
        let (mut piece, rest) = bytes.split_at(size);
        bytes = rest;
        if let Some(room) = inbound.read_buffer() {
            let count = room.len().min(piece.len());
            room[..count].copy_from_slice(&piece[..count]);
            inbound.read_done(count);
            piece = &piece[count..];
            while inbound.poll_event(now, &mut &[][..]).is_some() {}
        }
        let stop_after = rng.next_u64() % 4;
        let mut events = 0;
        while inbound.poll_event(now, &mut piece).is_some() {
            events += 1;
            if events == stop_after {
                inbound.defer(piece);
                piece = &[];
            }
        }
    }
    while inbound.poll_event(now, &mut &[][..]).is_some() {}
    fed
}

#[test]
fn all_bytes_are_counted_however_they_come_and_whatever_they_break() {
    for delimiter in ["\u{c}", "||||"] {
        for malformed in [OnMalformed::Report, OnMalformed::Close] {
            for seed in seeds(400) {
                let mut rng = SplitMix64::new(seed);
                let mut inbound = Inbound::new(&settings(
                    config().delimiter(delimiter).malformed(malformed).max_message_size(40_000),
                ));
                let mut text = String::new();
                for _ in 0..12 {
                    let padding = "x".repeat((rng.next_u64() % 60) as usize);
                    text += &match rng.next_u64() % 8 {
                        0 if seed % 2 == 0 => format!("{{no {padding}"),
                        1 if seed % 3 == 0 => "x".repeat(39_900 + (rng.next_u64() % 200) as usize),
                        2 => format!("{{\"type\":\"n\",\"data\":\"{}\"}}", "y".repeat(30_000)),
                        _ => format!("{{\"type\":\"n\",\"data\":\"{padding}\"}}"),
                    };
                    text += delimiter;
                }
                text += "{\"type\":";
                let most = [3, 50, 5_000, 100_000][(seed % 4) as usize];
                let fed = feed(&mut inbound, text.as_bytes(), &mut rng, most);
                let counters = inbound.counters();
                assert_eq!(counters.bytes, fed, "seed {seed}: {counters:?}");
                if !inbound.has_failed() {
                    assert_eq!((counters.unframed(), counters.failed), (8, 0), "seed {seed}");
                    assert_eq!(inbound.unfinished(), 8);
                    assert_eq!(counters.events + counters.malformed.total(), 12, "seed {seed}");
                }
                assert_eq!(counters.failed, u64::from(inbound.has_failed()), "seed {seed}");
            }
        }
    }
}

#[test]
fn frames_are_counted_to_the_byte_up_to_the_one_that_is_too_large() {
    for cut in 1..80 {
        let mut inbound = Inbound::new(&settings(config().delimiter("||").max_message_size(30)));
        let good = "{\"type\":\"n\",\"data\":1}||";
        let all = [good, good, &"x".repeat(31), "||", good].concat();
        let mut rest = all.as_bytes();
        while !rest.is_empty() {
            let (mut piece, later) = rest.split_at(cut.min(rest.len()));
            rest = later;
            while inbound.poll_event(start(), &mut piece).is_some() {}
        }
        let counters = inbound.counters();
        assert_eq!((counters.events, counters.malformed.frame_too_large, counters.failed), (2, 1, 1), "cut at {cut}");
        assert_eq!(counters.frame_bytes, 2 * good.len() as u64, "cut at {cut}");
        assert_eq!(counters.bytes, all.len() as u64, "cut at {cut}");
    }
}

#[test]
fn raw_bytes_are_counted_once_though_they_are_deferred() {
    let mut inbound = Inbound::new(&settings(config().raw_buffer(true)));
    inbound.defer(b"one ");
    assert_eq!((inbound.counters().bytes, inbound.counters().unframed()), (4, 4));
    inbound.defer(b"two");
    assert!(matches!(inbound.poll_event(start(), &mut &[][..]), Some(Received::Raw(b"one two"))));
    assert!(matches!(inbound.poll_event(start(), &mut &b"three"[..]), Some(Received::Raw(b"three"))));
    assert!(inbound.poll_event(start(), &mut &[][..]).is_none());
    let counters = inbound.counters();
    assert_eq!((counters.bytes, counters.frame_bytes, counters.events), (12, 12, 2));
}

#[test]
fn a_message_timeout_is_counted_and_ends_the_counting_of_frames() {
    let mut inbound = Inbound::new(&settings(config().message_timeout(Duration::from_secs(1))));
    let now = start();
    assert!(inbound.poll_event(now, &mut &b"{\"type"[..]).is_none());
    assert!(inbound.handle_timeout(now + Duration::from_secs(2)).is_some());
    assert!(inbound.poll_event(now, &mut &b"late"[..]).is_none());
    let counters = inbound.counters();
    assert_eq!((counters.malformed.message_timeout, counters.malformed.total(), counters.failed), (1, 1, 1));
    assert_eq!((counters.bytes, counters.frame_bytes), (10, 0));
}

fn balanced(outbound: &Outbound) {
    let counters = outbound.counters();
    assert_eq!(counters.bytes, counters.written + counters.pending + counters.lost.total().bytes, "{counters:?}");
    assert_eq!(counters.pending, outbound.pending() as u64);
}

#[test]
fn a_queue_balances_after_every_step_of_any_run() {
    for seed in seeds(300) {
        let mut rng = SplitMix64::new(seed);
        let settings = settings(config().max_pending_bytes(300));
        let frame = Frame::new(&settings, "n", &"x".repeat(3_000)).unwrap();
        let mut outbound = Outbound::new(&settings, seed % 3 == 0);
        let mut transmit = Transmit::new();
        let (mut taken, mut refused, mut written) = (0, 0, 0);
        for _ in 0..200 {
            let length = (rng.next_u64() % 100) as usize;
            let outcome = match rng.next_u64() % 8 {
                0 => outbound.emit_frame(&frame),
                1 => outbound.emit_raw(b"bytes"),
                2 => outbound.emit_json("n", Some("no JSON")),
                3 | 4 => outbound.emit("n", &"x".repeat(length)),
                5 => {
                    outbound.poll_transmit(&mut transmit);
                    let count = transmit.remaining().min(length * 10);
                    transmit.advance(count);
                    written += count as u64;
                    outbound.poll_transmit(&mut transmit);
                    assert_eq!(outbound.counters().written, written, "seed {seed}");
                    continue;
                }
                6 => {
                    outbound.handle_answer();
                    continue;
                }
                _ => {
                    balanced(&outbound);
                    continue;
                }
            };
            match outcome {
                Ok(()) => taken += 1,
                Err(_) => refused += 1,
            }
            balanced(&outbound);
        }
        let unsent = outbound.end(transmit);
        balanced(&outbound);
        assert!(matches!(outbound.emit("n", &1), Err(EmitError::Closed)));
        let counters = outbound.counters();
        assert_eq!((counters.events, counters.refused.total()), (taken, refused + 1), "seed {seed}");
        assert_eq!((counters.pending, counters.written), (0, written), "seed {seed}");
        let lost = counters.lost.total();
        assert_eq!((lost.events, lost.bytes), (unsent.messages as u64, unsent.bytes as u64), "seed {seed}");
    }
}

#[test]
fn a_client_counts_attempts_and_their_ends_in_any_order_of_orders() {
    for seed in seeds(300) {
        let mut rng = SplitMix64::new(seed);
        let offline = [Offline::Refuse, Offline::Buffer, Offline::Drop][(seed % 3) as usize];
        let settings = settings(config().offline(offline).max_retries(3));
        let endpoint = Endpoint::net(&settings, None, None).unwrap();
        let mut client = Client::new(settings, endpoint, seed);
        let (mut now, mut attempts, mut connections) = (start(), 0, 0);
        let (mut taken, mut refused) = (0, 0);
        client.connect();
        for _ in 0..40 {
            let mut emit = |client: &mut Client| match client.emit_offline(|outbound| outbound.emit("n", &1)) {
                Ok(()) => taken += 1,
                Err(_) => refused += 1,
            };
            emit(&mut client);
            match client.poll_action() {
                Some(ClientAction::Connect(_)) => {
                    attempts += 1;
                    emit(&mut client);
                    if rng.next_u64() % 3 == 0 {
                        if let Some(connection) = client.handle_connected(now) {
                            connections += 1;
                            client.handle_disconnected(now, connection.outbound, Transmit::new(), true);
                        }
                    } else {
                        client.handle_connect_failed(now);
                    }
                }
                Some(_) => client.handle_connect_failed(now),
                None => {
                    now += Duration::from_secs(60);
                    client.handle_timeout(now);
                }
            }
            let counters = client.counters();
            assert_eq!((counters.attempts, counters.connections), (attempts, connections), "seed {seed}");
            assert_eq!(counters.attempts, counters.connections + counters.failed, "seed {seed}");
            assert_eq!(counters.exhausted, u64::from(client.is_destroyed()), "seed {seed}");
        }
        let queue = client.queue_counters().unwrap();
        assert_eq!((queue.events, client.counters().refused.total()), (taken, refused), "seed {seed}");
        assert_eq!(queue.bytes, queue.written + queue.pending + queue.lost.total().bytes, "seed {seed}");
        let lost = queue.lost.total();
        assert_eq!((lost.events, lost.bytes), (client.dropped().messages as u64, client.dropped().bytes as u64));
    }
}

#[test]
fn a_server_counts_who_came_who_went_and_who_was_sent_away() {
    let mut server = Server::new(settings(config().max_connections(2)));
    assert_eq!(server.handle_accept().unwrap_err(), RefuseReason::Stopped);
    server.start();
    let (first, _connection) = server.handle_accept().unwrap();
    server.handle_accept().unwrap();
    assert!(server.handle_accept().is_err() && server.check_accept().is_err());
    server.handle_disconnected(first);
    server.handle_disconnected(first);
    let counters = server.counters();
    assert_eq!((counters.accepted, counters.ended, counters.full, counters.stopped), (2, 1, 2, 1));
    assert_eq!(server.refused(), 3);
    assert_eq!(counters.accepted - counters.ended, server.len() as u64);
}

/// Three times every number, but for high-water marks.
fn tripled(value: &serde_json::Value, name: &str) -> serde_json::Value {
    use serde_json::Value;
    match value {
        Value::Object(members) => members.iter().map(|(name, value)| (name.clone(), tripled(value, name))).collect(),
        Value::Number(_) if name == "pending_max" => value.clone(),
        number => (3 * number.as_u64().expect("a counter")).into(),
    }
}

fn adds<T: Copy + std::ops::AddAssign + serde::Serialize>(counters: T) {
    let mut sum = counters;
    sum += counters;
    sum += counters;
    let [once, thrice] = [counters, sum].map(|it| serde_json::to_value(it).expect("JSON"));
    assert!(!once.to_string().contains(":0"), "every part is counted: {once}");
    assert_eq!(thrice, tripled(&once, ""));
}

#[test]
fn sums_have_every_part() {
    let mut refused = RefusedEmits::default();
    (refused.full, refused.too_slow, refused.encode, refused.not_connected) = (1, 2, 4, 8);
    (refused.closed, refused.wrong_mode, refused.too_large, refused.address) = (16, 32, 64, 128);
    assert_eq!(refused.total(), 255);

    let loss = |events| {
        let mut loss = Loss::default();
        (loss.events, loss.bytes) = (events, 100 * events);
        loss
    };
    let mut lost = Lost::default();
    (lost.unsent, lost.torn, lost.offline) = (loss(1), loss(2), loss(4));
    (lost.dropped_oldest, lost.dropped_newest, lost.too_slow) = (loss(8), loss(16), loss(32));
    assert_eq!((lost.total(), lost.to_slowness()), (loss(63), loss(56)));

    let mut out = OutboundCounters::default();
    (out.events, out.bytes, out.written, out.pending, out.pending_max) = (3, 50, 20, 7, 9);
    (out.refused, out.lost) = (refused, lost);
    adds(out);

    let mut datagrams = DatagramSendCounters::default();
    (datagrams.datagrams, datagrams.bytes, datagrams.pending, datagrams.pending_max) = (3, 50, 2, 700);
    datagrams.refused = refused;
    adds(datagrams);

    let mut malformed = MalformedCounters::default();
    (malformed.invalid_json, malformed.invalid_message, malformed.invalid_event) = (1, 2, 4);
    (malformed.event_too_large, malformed.reserved_event, malformed.event_not_allowed) = (8, 16, 32);
    (malformed.frame_too_large, malformed.message_timeout) = (64, 128);
    assert_eq!(malformed.total(), 255);
    assert_eq!(malformed.by_code().map(|(_, count)| count), [1, 2, 4, 8, 16, 32, 64, 128]);
    let mut inbound = InboundCounters::default();
    (inbound.bytes, inbound.frame_bytes, inbound.events, inbound.malformed, inbound.failed) = (9, 8, 7, malformed, 1);
    adds(inbound);
}

#[test]
fn of_two_high_water_marks_the_higher_is_kept() {
    let with = |most| {
        let mut datagrams = DatagramSendCounters::default();
        let mut stream = OutboundCounters::default();
        (datagrams.pending_max, stream.pending_max) = (most, most);
        (datagrams, stream)
    };
    for (one, other) in [(5, 9), (9, 5)] {
        let (mut datagrams, mut stream) = with(one);
        datagrams += with(other).0;
        stream += with(other).1;
        assert_eq!((datagrams.pending_max, stream.pending_max), (9, 9));
    }
}

#[test]
fn a_client_that_may_not_retry_any_more_is_counted_as_exhausted_once() {
    let new = |config: Config| {
        let settings = settings(config.stop_retrying(true));
        let mut client = Client::new(settings.clone(), Endpoint::net(&settings, None, None).unwrap(), 1);
        client.connect();
        client
    };
    let counted = |client: &Client| (client.counters().failed, client.counters().exhausted, client.is_destroyed());
    let dial = |client: &mut Client| assert!(matches!(client.poll_action(), Some(ClientAction::Connect(_))));

    let mut unasked = new(config());
    unasked.handle_connect_failed(start());
    assert_eq!(counted(&unasked), (0, 1, true), "no attempt had begun");

    let mut failed = new(config());
    dial(&mut failed);
    failed.handle_connect_failed(start());
    assert_eq!(counted(&failed), (1, 1, true));

    let mut closing = new(config());
    dial(&mut closing);
    closing.disconnect();
    closing.handle_connect_failed(start());
    assert_eq!(counted(&closing), (1, 0, true), "its user wished it to end");

    let mut broken = new(config());
    dial(&mut broken);
    let connection = broken.handle_connected(start()).unwrap();
    broken.handle_disconnected(start(), connection.outbound, Transmit::new(), false);
    assert_eq!(counted(&broken), (0, 0, true), "its peer broke the protocol");

    let mut waiting = new(config().stop_retrying(false));
    waiting.set_stop_retrying(false.into());
    dial(&mut waiting);
    waiting.handle_connect_failed(start());
    assert_eq!(counted(&waiting), (1, 0, false));
    waiting.set_stop_retrying(true.into());
    assert_eq!(counted(&waiting), (1, 1, true), "the retry that it waited for is forbidden");
}

/// `bytes` counts what a peer has sent after the end as well: nobody could tell otherwise why a connection was full of it.
#[test]
fn what_follows_the_end_of_a_broken_connection_is_counted_as_bytes() {
    let broken = b"no JSON\x0c";
    for (malformed, limit, mut input) in [
        (OnMalformed::Close, 100, [&broken[..], b"and more"].concat()),
        (OnMalformed::Report, 4, b"too long and more".to_vec()),
    ] {
        let mut inbound = Inbound::new(&settings(config().malformed(malformed).max_message_size(limit)));
        let mut unread = &input[..];
        let received = inbound.poll_event(start(), &mut unread);
        assert!(matches!(received, Some(Received::Failed(_))), "{received:?}");
        inbound.defer(unread);
        inbound.defer(b"ten bytes!");
        let mut late = &b"late"[..];
        assert!(inbound.poll_event(start(), &mut late).is_none());
        input.extend_from_slice(b"ten bytes!late");
        assert_eq!(inbound.counters().bytes, input.len() as u64);
        assert!(inbound.read_buffer().is_none());
    }
}

#[test]
fn an_update_brings_malformed_frames_along_however_many_there_were() {
    let mut inbound = Inbound::new(&settings(config()));
    let mut counters = InboundCounters::default();
    for number in 1..4 {
        let received = inbound.poll_event(start(), &mut &b"no JSON\x0c"[..]);
        assert!(matches!(received, Some(Received::Malformed(_))), "{received:?}");
        inbound.update(&mut counters);
        assert_eq!((counters.malformed.total(), counters.bytes), (number, 8 * number));
    }
    let mut failed = Inbound::new(&settings(config().max_message_size(4)));
    assert!(matches!(failed.poll_event(start(), &mut &b"too long"[..]), Some(Received::Failed(_))));
    let mut counters = InboundCounters::default();
    failed.update(&mut counters);
    assert_eq!((counters.malformed.total(), counters.failed), (1, 1));
}

#[test]
fn counters_of_datagrams_sent_add_up_from_one_to_the_next() {
    let mut udp = DatagramOutbound::new(&settings(config()), IpFamily::V4);
    let [one, other] = [1, 2].map(|port| std::net::SocketAddr::from(([127, 0, 0, 1], port)));
    let frame = Frame::new(&settings(config()), "m", &"four").unwrap();
    let length = frame.as_bytes().len() as u64;
    udp.to(one).emit_frame(&frame).unwrap();
    udp.to(other).emit_frame(&frame).unwrap();
    assert_eq!(udp.broadcast(&frame, &[one, other]).unwrap(), 2);
    let counters = udp.counters();
    assert_eq!((counters.datagrams, counters.bytes, counters.pending), (4, 4 * length, 4));
    assert_eq!(counters.pending_max, udp.pending() as u64);
}
