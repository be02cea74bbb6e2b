//! The option `slowConsumer`: what a full queue does, and that nothing is lost without being counted.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should panic")]

use std::collections::VecDeque;
use std::time::Instant;

use bytes::Buf;
use ipc_proto::{
    Client, ClientAction, Config, EmitError, Endpoint, EndpointError, Frame, Host, Loss, Offline, Outbound, Platform,
    Settings, SlowConsumer, SplitMix64, Transmit,
};

use crate::common::seeds;

const ALL: [SlowConsumer; 4] =
    [SlowConsumer::Refuse, SlowConsumer::DropOldest, SlowConsumer::DropNewest, SlowConsumer::Disconnect];

fn settings(config: Config) -> Settings {
    config.build(&Host::new("pluto", Platform::Linux)).unwrap()
}

/// Room for ten events of 30 bytes.
fn small(policy: SlowConsumer) -> Settings {
    settings(Config::new("world").max_pending_bytes(300).slow_consumer(policy))
}

#[expect(clippy::disallowed_methods, reason = "a test begins at some time")]
fn start() -> Instant {
    Instant::now()
}

/// 30 bytes on the wire.
fn emit(outbound: &mut Outbound, number: u32) -> Result<(), EmitError> {
    outbound.emit("n", &format!("{number:07}"))
}

fn balanced(outbound: &Outbound) {
    let counters = outbound.counters();
    assert_eq!(counters.bytes, counters.written + counters.pending + counters.lost.total().bytes, "{counters:?}");
    assert_eq!(counters.pending, outbound.pending() as u64);
}

/// Everything that is queued, taken and written.
fn drain(outbound: &mut Outbound, transmit: &mut Transmit) -> String {
    let mut written = Vec::new();
    while outbound.poll_transmit(transmit) {
        let chunk = transmit.chunk().to_vec();
        transmit.advance(chunk.len());
        written.extend(chunk);
    }
    String::from_utf8(written).unwrap()
}

fn numbers(written: &str) -> Vec<u32> {
    let events = written.split_terminator('\u{c}');
    events.map(|event| event[20..27].parse().unwrap_or_else(|_| panic!("torn: {event:?}"))).collect()
}

/// A queue in which ten events wait, none of them handed out.
fn full(policy: SlowConsumer) -> Outbound {
    let mut outbound = Outbound::new(&small(policy), false);
    for number in 0..10 {
        emit(&mut outbound, number).unwrap();
    }
    assert_eq!(outbound.pending(), 300);
    outbound
}

#[test]
fn refuse_is_the_default_and_takes_nothing() {
    assert_eq!(settings(Config::v9()).config().slow_consumer, SlowConsumer::Refuse);
    let mut outbound = full(SlowConsumer::Refuse);
    assert!(matches!(emit(&mut outbound, 10), Err(EmitError::Full { pending: 300, length: 30, limit: 300, .. })));
    assert_eq!((outbound.counters().refused.full, outbound.counters().lost.total()), (1, Loss::default()));
    assert_eq!(numbers(&drain(&mut outbound, &mut Transmit::new())), (0..10).collect::<Vec<_>>());
}

#[test]
fn drop_oldest_keeps_the_newest_in_order() {
    let mut outbound = full(SlowConsumer::DropOldest);
    for number in 10..1000 {
        emit(&mut outbound, number).unwrap();
        balanced(&outbound);
        assert_eq!(outbound.pending(), 300);
    }
    let counters = outbound.counters();
    assert_eq!((counters.lost.dropped_oldest.events, counters.lost.dropped_oldest.bytes), (990, 990 * 30));
    assert_eq!((counters.events, counters.refused.total(), counters.pending_max), (1000, 0, 300));
    assert_eq!(numbers(&drain(&mut outbound, &mut Transmit::new())), (990..1000).collect::<Vec<_>>());
    balanced(&outbound);
}

#[test]
fn drop_oldest_never_tears_what_is_being_written() {
    let mut outbound = full(SlowConsumer::DropOldest);
    let mut transmit = Transmit::new();
    assert!(outbound.poll_transmit(&mut transmit));
    // A quarter of the bound is handed out; the socket takes half of an event.
    assert_eq!(transmit.remaining(), 90);
    let torn = String::from_utf8(transmit.chunk()[..15].to_vec()).unwrap();
    transmit.advance(15);
    assert!(outbound.poll_transmit(&mut transmit) && !outbound.wants_transmit());
    for number in 10..100 {
        emit(&mut outbound, number).unwrap();
        balanced(&outbound);
    }
    let mut written = torn;
    written.push_str(&drain(&mut outbound, &mut transmit));
    let written = numbers(&written);
    assert_eq!(written[..3], [0, 1, 2], "what was handed out leaves whole");
    assert_eq!(written[3..], (93..100).collect::<Vec<_>>());
}

#[test]
fn drop_oldest_refuses_what_cannot_fit_beside_what_is_being_written() {
    let mut outbound = full(SlowConsumer::DropOldest);
    let mut transmit = Transmit::new();
    outbound.poll_transmit(&mut transmit);
    let before = outbound.counters();
    assert!(matches!(outbound.emit("n", &"x".repeat(250)), Err(EmitError::Full { .. })));
    assert_eq!(outbound.counters().lost, before.lost, "nothing was dropped for it");
    outbound.emit("n", &"x".repeat(180)).unwrap();
    balanced(&outbound);
    assert_eq!(outbound.counters().lost.dropped_oldest.events, 7);
}

#[test]
fn drop_oldest_makes_room_for_an_event_larger_than_the_bound_if_nothing_is_being_written() {
    let mut outbound = full(SlowConsumer::DropOldest);
    outbound.emit("n", &"x".repeat(5000)).unwrap();
    balanced(&outbound);
    assert_eq!(outbound.counters().lost.dropped_oldest.events, 10);
    let mut transmit = Transmit::new();
    let written = drain(&mut outbound, &mut transmit);
    assert_eq!(written.len(), outbound.counters().written as usize);
    assert!(written.ends_with("x\"}\u{c}") && written.starts_with("{\"type\":\"n\",\"data\":\"x"));
}

#[test]
fn drop_oldest_drops_shared_frames_and_copied_ones_alike() {
    let settings = settings(Config::new("world").max_pending_bytes(40_000).slow_consumer(SlowConsumer::DropOldest));
    let mut outbound = Outbound::new(&settings, false);
    let (large, little) = ("x".repeat(5_000), "y".repeat(100));
    for round in 0..200 {
        let frame = Frame::new(&settings, "n", if round % 3 == 0 { &large } else { &little }).unwrap();
        outbound.emit_frame(&frame).unwrap();
        balanced(&outbound);
        assert!(outbound.pending() <= 40_000);
    }
    let written = drain(&mut outbound, &mut Transmit::new());
    assert!(written.split_terminator('\u{c}').all(|event| event.ends_with("x\"}") || event.ends_with("y\"}")));
    assert!(outbound.counters().lost.dropped_oldest.events > 100);
}

#[test]
fn drop_newest_succeeds_and_drops() {
    let mut outbound = full(SlowConsumer::DropNewest);
    for number in 10..50 {
        emit(&mut outbound, number).unwrap();
        balanced(&outbound);
    }
    let counters = outbound.counters();
    assert_eq!((counters.lost.dropped_newest.events, counters.lost.dropped_newest.bytes), (40, 40 * 30));
    assert_eq!((counters.events, counters.refused.total(), counters.pending_max), (50, 0, 300));
    assert_eq!(numbers(&drain(&mut outbound, &mut Transmit::new())), (0..10).collect::<Vec<_>>());
}

#[test]
fn disconnect_gives_the_connection_up_once() {
    let mut outbound = full(SlowConsumer::Disconnect);
    assert!(!outbound.has_overflowed());
    assert!(matches!(emit(&mut outbound, 10), Err(EmitError::TooSlow { pending: 300, length: 30, limit: 300, .. })));
    assert!(outbound.has_overflowed() && outbound.is_closed());
    assert!(matches!(emit(&mut outbound, 11), Err(EmitError::Closed)));
    let unsent = outbound.end(Transmit::new());
    assert_eq!((unsent.messages, unsent.bytes), (10, 300));
    balanced(&outbound);
    let counters = outbound.counters();
    assert_eq!((counters.refused.too_slow, counters.refused.closed), (1, 1));
    assert_eq!((counters.lost.too_slow.events, counters.lost.unsent.events), (10, 0));
    assert_eq!(counters.lost.to_slowness(), counters.lost.total());
}

#[test]
fn an_ended_connection_that_was_not_full_counts_as_before() {
    let mut outbound = Outbound::new(&small(SlowConsumer::Disconnect), false);
    emit(&mut outbound, 1).unwrap();
    outbound.end(Transmit::new());
    assert_eq!((outbound.counters().lost.unsent.events, outbound.counters().refused.too_slow), (1, 0));
}

#[test]
fn who_waits_for_room_is_told_full_whatever_the_policy() {
    for policy in ALL {
        let mut outbound = full(policy);
        let outcome = outbound.patiently(|outbound| emit(outbound, 10));
        assert!(matches!(outcome, Err(EmitError::Full { .. })), "{policy:?}");
        assert!(!outbound.is_closed() && outbound.counters().lost.total() == Loss::default());
        drain(&mut outbound, &mut Transmit::new());
        outbound.patiently(|outbound| emit(outbound, 10)).unwrap();
        for number in 0..9 {
            emit(&mut outbound, number).unwrap();
        }
        // The patience has ended with the call.
        assert_eq!(
            emit(&mut outbound, 9).is_ok(),
            matches!(policy, SlowConsumer::DropOldest | SlowConsumer::DropNewest)
        );
    }
}

#[test]
fn with_sync_only_what_waits_for_its_turn_is_dropped() {
    let mut outbound = Outbound::new(&small(SlowConsumer::DropOldest), true);
    for number in 0..100 {
        emit(&mut outbound, number).unwrap();
        balanced(&outbound);
    }
    let mut transmit = Transmit::new();
    let mut written = String::new();
    for _ in 0..20 {
        written.push_str(&drain(&mut outbound, &mut transmit));
        outbound.handle_answer();
    }
    let written = numbers(&written);
    assert_eq!(written[0], 0, "the one whose answer is waited for");
    assert_eq!(written[1..], (91..100).collect::<Vec<_>>());

    let mut outbound = Outbound::new(&small(SlowConsumer::DropNewest), true);
    for number in 0..100 {
        emit(&mut outbound, number).unwrap();
    }
    let mut written = String::new();
    for _ in 0..20 {
        written.push_str(&drain(&mut outbound, &mut transmit));
        outbound.handle_answer();
    }
    assert_eq!(numbers(&written), (0..10).collect::<Vec<_>>());
}

#[test]
fn the_policy_holds_for_events_that_wait_for_a_connection_and_disconnect_refuses_there() {
    for policy in ALL {
        let config = Config::new("me").offline(Offline::Buffer).max_offline_bytes(300).slow_consumer(policy);
        let settings = settings(config.max_pending_bytes(300));
        let endpoint = Endpoint::net(&settings, None, None).unwrap();
        let mut client = Client::new(settings, endpoint, 1);
        let outcomes: Vec<bool> =
            (0..20).map(|number| client.emit_offline(|outbound| emit(outbound, number)).is_ok()).collect();
        let expected = match policy {
            SlowConsumer::DropOldest => (10..20).collect::<Vec<_>>(),
            SlowConsumer::Disconnect => vec![21],
            _ => (0..10).collect(),
        };
        let succeeds = matches!(policy, SlowConsumer::DropOldest | SlowConsumer::DropNewest);
        assert!(outcomes[..10].iter().all(|&ok| ok) && outcomes[10..].iter().all(|&ok| ok == succeeds), "{policy:?}");

        client.connect();
        assert!(matches!(client.poll_action(), Some(ClientAction::Connect(_))));
        let mut connection = client.handle_connected(start()).unwrap();
        if policy == SlowConsumer::Disconnect {
            // Now there is a connection to end; the client connects again, and begins afresh.
            assert!(matches!(emit(&mut connection.outbound, 20), Err(EmitError::TooSlow { .. })));
            client.handle_disconnected(start(), connection.outbound, Transmit::new(), true);
            assert!(client.is_waiting());
            assert_eq!((client.dropped().messages, client.queue_counters().unwrap().lost.too_slow.events), (10, 10));
            client.handle_timeout(client.poll_timeout().unwrap());
            client.poll_action();
            connection = client.handle_connected(start()).unwrap();
            assert!(!connection.outbound.has_overflowed() && !connection.outbound.is_closed());
            emit(&mut connection.outbound, 21).unwrap();
        }
        assert_eq!(numbers(&drain(&mut connection.outbound, &mut Transmit::new())), expected);
        balanced(&connection.outbound);
    }
}

#[test]
fn what_cannot_drop_is_refused_when_it_is_configured() {
    for config in [Config::v9().raw_buffer(true), Config::v9().parser(ipc_proto::Parser::Raw)] {
        for policy in ALL {
            let drops = matches!(policy, SlowConsumer::DropOldest | SlowConsumer::DropNewest);
            let outcome = config.clone().slow_consumer(policy).validate();
            assert_eq!(outcome.is_err(), drops, "{policy:?}");
            if let Err(error) = outcome {
                assert!(error.to_string().contains("borders"), "{error}");
            }
        }
    }
    for policy in ALL {
        let settings = small(policy);
        let udp: Endpoint = "udp4:127.0.0.1:8001".parse().unwrap();
        let expected = if policy == SlowConsumer::Refuse { Ok(()) } else { Err(EndpointError::SlowConsumerOverUdp) };
        assert_eq!(settings.check(&udp), expected);
    }
}

/// A queue as one would write it without a thought for speed, for framed events of known lengths.
#[derive(Default)]
struct Model {
    /// Number and bytes of each event that is queued and not handed out.
    queue: VecDeque<(u32, usize)>,
    handed_out: VecDeque<(u32, usize)>,
    /// Bytes of the first of those that were written.
    begun: usize,
    written: Vec<u32>,
    dropped: u64,
}

impl Model {
    fn in_flight(&self) -> usize {
        self.handed_out.iter().map(|event| event.1).sum::<usize>() - self.begun
    }

    fn queued(&self) -> usize {
        self.queue.iter().map(|event| event.1).sum()
    }

    /// What an emit must come to under `dropOldest`: `false` if it is refused.
    fn emit(&mut self, number: u32, length: usize, limit: usize) -> bool {
        let in_flight = self.in_flight();
        if in_flight > 0 && in_flight + length > limit {
            return in_flight + self.queued() == 0;
        }
        while in_flight + self.queued() > 0 && in_flight + self.queued() + length > limit {
            self.queue.pop_front();
            self.dropped += 1;
        }
        self.queue.push_back((number, length));
        true
    }

    /// So many bytes were handed out: whole events.
    fn hand_out(&mut self, mut bytes: usize) {
        while bytes > 0 {
            let event = self.queue.pop_front().expect("more is handed out than is queued");
            bytes = bytes.checked_sub(event.1).expect("an event is handed out in part");
            self.handed_out.push_back(event);
        }
    }

    fn write(&mut self, bytes: usize) {
        self.begun += bytes;
        while let Some(&(number, length)) = self.handed_out.front().filter(|event| event.1 <= self.begun) {
            self.begun -= length;
            self.handed_out.pop_front();
            self.written.push(number);
        }
    }
}

#[test]
fn of_any_run_of_drop_oldest_a_plain_model_says_the_same() {
    for seed in seeds(400) {
        let mut rng = SplitMix64::new(seed);
        let mut below = |bound: u64| (rng.next_u64() % bound) as usize;
        let limit = 200 + below(20_000);
        let settings = settings(Config::new("world").max_pending_bytes(limit).slow_consumer(SlowConsumer::DropOldest));
        let mut outbound = Outbound::new(&settings, false);
        let mut transmit = Transmit::new();
        let mut model = Model::default();
        let mut wire = Vec::new();
        for number in 0..600 {
            if below(3) > 0 {
                let longest = if below(20) == 0 { 6_000 } else { 120 };
                let data = format!("{number:07}{}", "x".repeat(below(longest)));
                let length = data.len() + 23;
                let outcome = if below(2) == 0 {
                    outbound.emit("n", &data)
                } else {
                    outbound.emit_frame(&Frame::new(&settings, "n", &data).unwrap())
                };
                assert_eq!(outcome.is_ok(), model.emit(number, length, limit), "seed {seed}, event {number}");
            } else {
                let before = transmit.remaining();
                outbound.poll_transmit(&mut transmit);
                model.hand_out(transmit.remaining() - before);
                let mut count = transmit.remaining().min(below(2_000));
                model.write(count);
                while count > 0 {
                    let chunk = transmit.chunk();
                    let taken = count.min(chunk.len());
                    wire.extend_from_slice(&chunk[..taken]);
                    transmit.advance(taken);
                    count -= taken;
                }
                let before = transmit.remaining();
                outbound.poll_transmit(&mut transmit);
                model.hand_out(transmit.remaining() - before);
            }
            balanced(&outbound);
            assert_eq!(outbound.pending(), model.in_flight() + model.queued(), "seed {seed}, event {number}");
            assert_eq!(outbound.counters().lost.dropped_oldest.events, model.dropped, "seed {seed}, event {number}");
        }
        wire.extend(drain(&mut outbound, &mut transmit).into_bytes());
        let rest: Vec<(u32, usize)> = model.handed_out.drain(..).chain(model.queue.drain(..)).collect();
        let expected: Vec<u32> = model.written.into_iter().chain(rest.into_iter().map(|event| event.0)).collect();
        assert_eq!(numbers(std::str::from_utf8(&wire).unwrap()), expected, "seed {seed}");
    }
}

#[test]
fn a_connection_that_breaks_under_drop_oldest_keeps_whole_events_only() {
    for seed in seeds(200) {
        let mut rng = SplitMix64::new(seed);
        let config = Config::new("me").offline(Offline::Buffer).slow_consumer(SlowConsumer::DropOldest);
        let settings = settings(config.max_pending_bytes(600).max_offline_bytes(300));
        let endpoint = Endpoint::net(&settings, None, None).unwrap();
        let mut client = Client::new(settings, endpoint, seed);
        let now = start();
        client.connect();
        client.poll_action();
        let mut outbound = client.handle_connected(now).unwrap().outbound;
        let mut transmit = Transmit::new();
        for number in 0..200 {
            emit(&mut outbound, number).unwrap();
            if rng.next_u64() % 4 == 0 {
                outbound.poll_transmit(&mut transmit);
                let taken = transmit.remaining().min((rng.next_u64() % 100) as usize);
                transmit.advance(taken);
            }
        }
        client.handle_disconnected(now, outbound, transmit, true);
        for number in 200..205 {
            client.emit_offline(|outbound| emit(outbound, number)).unwrap();
        }
        client.handle_timeout(client.poll_timeout().unwrap());
        client.poll_action();
        let mut outbound = client.handle_connected(now).unwrap().outbound;
        balanced(&outbound);
        let written = numbers(&drain(&mut outbound, &mut Transmit::new()));
        assert!(written.is_sorted() && written.ends_with(&[200, 201, 202, 203, 204]), "seed {seed}: {written:?}");
        assert!(written.len() <= 10, "seed {seed}: {written:?}");
    }
}

#[test]
fn a_queue_balances_after_every_step_of_any_run_with_any_policy() {
    for seed in seeds(400) {
        let mut rng = SplitMix64::new(seed);
        let policy = ALL[(seed % 4) as usize];
        let settings = small(policy);
        let frame = Frame::new(&settings, "n", &"x".repeat(3_000)).unwrap();
        let mut outbound = Outbound::new(&settings, seed % 3 == 0);
        let mut transmit = Transmit::new();
        let (mut taken, mut refused, mut written) = (0, 0, 0);
        for _ in 0..200 {
            let length = (rng.next_u64() % 100) as usize;
            let outcome = match rng.next_u64() % 8 {
                0 => outbound.emit_frame(&frame),
                1 => outbound.patiently(|outbound| outbound.emit("n", &length)),
                2 => outbound.emit_json("n", Some("no JSON")),
                3..=5 => outbound.emit("n", &"x".repeat(length)),
                6 => {
                    outbound.poll_transmit(&mut transmit);
                    let count = transmit.remaining().min(length * 10);
                    transmit.advance(count);
                    written += count as u64;
                    outbound.poll_transmit(&mut transmit);
                    assert_eq!(outbound.counters().written, written, "seed {seed}");
                    continue;
                }
                _ => {
                    outbound.handle_answer();
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
        outbound.end(transmit);
        balanced(&outbound);
        let counters = outbound.counters();
        assert_eq!((counters.events, counters.refused.total()), (taken, refused), "seed {seed}");
        assert_eq!((counters.pending, counters.written), (0, written), "seed {seed}");
    }
}

#[test]
fn a_queue_tells_its_policy_and_how_many_events_it_dropped() {
    for policy in ALL {
        let mut outbound = full(policy);
        assert_eq!((outbound.slow_consumer(), outbound.dropped_newest()), (policy, 0));
        for _ in 0..3 {
            let _ = emit(&mut outbound, 10);
        }
        let dropped = if policy == SlowConsumer::DropNewest { 3 } else { 0 };
        assert_eq!(outbound.dropped_newest(), dropped, "{policy:?}");
    }
}
