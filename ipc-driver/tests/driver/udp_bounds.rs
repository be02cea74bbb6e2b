//! UDP servers under pressure: crowds, full queues, full streams, errors of the system. Memory stays bounded, nothing
//! spins, and the socket lives on.

use crate::journal::warnings;
use crate::udp::*;
use crate::world::*;
use ipc_driver::fake::{Fake, Weather};
use ipc_driver::runtime::Runtime;
use ipc_driver::{EmitError, PeerRemoval, UdpEvent, UdpPeer};
use serde::{Serialize, Serializer};
use std::net::{Ipv4Addr, SocketAddr};

/// Of the operating system. On this fake one they are numbers like any other.
const NO_NETWORK: i32 = if cfg!(windows) { 10_051 } else { 101 };
const NOT_PERMITTED: i32 = if cfg!(windows) { 10_013 } else { 1 };
const REFUSED: i32 = if cfg!(windows) { 10_061 } else { 111 };
const RESET: i32 = if cfg!(windows) { 10_054 } else { 104 };
const OUT_OF_MEMORY: i32 = 12;

fn exchange(runtime: &Fake) -> ipc_driver::fake::Task {
    runtime.tasks().into_iter().find(|task| task.name.contains("Exchange<")).unwrap()
}

#[test]
fn a_spoofed_crowd_grows_nothing_past_the_cap() {
    let runtime = Fake::new(1);
    let server = serve_udp(&runtime, config().max_udp_peers(100).max_pending_bytes(10_000));
    let kept = SocketAddr::from(([10, 0, 0, 1], 1));
    server.add_peer(kept).unwrap();
    let log = Log::default();
    let to = log.clone();
    server.on_lifecycle(move |event| {
        if let UdpEvent::PeerRemoved { reason: PeerRemoval::CrowdedOut, .. } = event {
            to.push(());
        }
    });
    for number in 0..100_000_u32 {
        let from = SocketAddr::from((Ipv4Addr::from(0x0B00_0000 + number), 1 + (number % 60_000) as u16));
        // The beginning of a message whose rest never comes.
        runtime.ether().carry(
            from,
            here(),
            b"{\"type\":\"hundred bytes of a beginning\",\"data\":\"xxxxxxxxxxxxxxxxxxxxxxxxxx",
        );
        if number % 500 == 0 {
            runtime.run();
            assert!(server.len() <= 100);
        }
    }
    runtime.run();
    let received = server.counters().received;
    assert_eq!(received.datagrams + runtime.ether().lost() as u64, 100_000);
    assert_eq!(server.len(), 100);
    assert!(server.peers().contains(&server.peer(kept)));
    assert_eq!(received.peers_crowded_out, log.len() as u64);
    assert_eq!(received.peers_added, 100 + received.peers_crowded_out);
    // What is held of unfinished messages, for a hundred senders and in 10,000 bytes.
    assert!(received.datagrams - received.unfinished_dropped <= 100);
    runtime.advance(6 * SECOND);
    runtime.advance(60 * SECOND);
    assert_eq!(server.peers(), [server.peer(kept)]);
}

#[test]
fn a_full_queue_refuses_and_send_waits_for_room() {
    let runtime = Fake::new(2);
    let server = serve_udp(&runtime, config().max_pending_bytes(1000));
    let mut end = socket(&runtime);
    runtime.ether().hold(true);
    let peer = server.peer(whereabouts(&end));
    let mut taken = 0;
    let error = loop {
        match peer.emit("n", &taken) {
            Ok(()) => taken += 1,
            Err(error) => break error,
        }
    };
    assert!(matches!(error, EmitError::Full { limit: 1000, .. }) && error.is_temporary(), "{error:?}");
    assert_eq!(server.broadcast("n", &0).unwrap().queued, 0);
    assert!(server.pending() <= 1000);
    let order = Log::default();
    for n in 0..3 {
        let (peer, order) = (peer.clone(), order.clone());
        runtime.spawn(async move {
            peer.send("late", &n).await.unwrap();
            order.push(n);
        });
    }
    runtime.run();
    // Given up while it waits: queues nothing, and keeps nobody waiting.
    assert!(poll_once(peer.send("never", &1)).is_pending());
    assert_eq!(order.len(), 0);
    runtime.ether().hold(false);
    let texts = arrived(&runtime, &mut end);
    assert_eq!(order.take().len(), 3);
    assert_eq!(texts.len(), taken + 3);
    assert!(texts.iter().all(|text| !text.contains("never")));
    assert_eq!(server.pending(), 0);
}

#[test]
fn who_waits_for_room_is_told_when_the_server_stops() {
    let runtime = Fake::new(3);
    let server = serve_udp(&runtime, config().max_pending_bytes(100));
    runtime.ether().hold(true);
    server.emit_to(here(), "n", &1).unwrap();
    let peer = server.peer(here());
    let outcome = Log::default();
    let to = outcome.clone();
    runtime.spawn(async move { to.push(peer.send("n", &2).await.is_err_and(|error| !error.is_temporary())) });
    runtime.run();
    assert_eq!(outcome.len(), 0);
    server.abort();
    runtime.run();
    assert_eq!(outcome.take(), [true]);
    assert_eq!(server.counters().unsent, 1);
}

#[test]
fn while_the_system_takes_nothing_the_task_sleeps_whatever_is_emitted() {
    let runtime = Fake::new(4);
    let server = serve_udp(&runtime, config());
    runtime.ether().hold(true);
    server.emit_to(here(), "n", &1).unwrap();
    runtime.run();
    let before = exchange(&runtime);
    for n in 0..100 {
        server.emit_to(here(), "n", &n).unwrap();
    }
    runtime.run();
    assert_eq!(exchange(&runtime).wakes, before.wakes + 1);
    assert_eq!(exchange(&runtime).polls, before.polls + 1);
    server.on("n", |_, _: u64| ());
    runtime.ether().hold(false);
    runtime.run();
    assert_eq!(server.counters().received.messages, 101);
}

#[test]
fn events_of_one_tick_wake_the_task_once() {
    let runtime = Fake::new(5);
    let server = serve_udp(&runtime, config());
    let mut end = socket(&runtime);
    let before = exchange(&runtime);
    (0..50).for_each(|n| server.emit_to(whereabouts(&end), "n", &n).unwrap());
    assert_eq!(exchange(&runtime).wakes, before.wakes + 1);
    assert_eq!(arrived(&runtime, &mut end).len(), 50);
    assert_eq!(exchange(&runtime).polls, before.polls + 1);
    server.on_event("n", UdpPeer::emit_event);
    let before = exchange(&runtime);
    tell(&runtime, &mut end, frame("n", 1));
    assert_eq!(arrived(&runtime, &mut end).len(), 1);
    assert_eq!(exchange(&runtime).wakes, before.wakes + 1, "an answer wakes nobody");
}

#[test]
fn a_broadcast_is_encoded_once() {
    struct Counted<'a>(&'a Log<()>);
    impl Serialize for Counted<'_> {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            self.0.push(());
            serializer.serialize_u64(7)
        }
    }
    let runtime = Fake::new(6);
    let server = serve_udp(&runtime, config());
    for number in 1..=100 {
        server.add_peer(SocketAddr::from(([10, 0, 0, 1], number))).unwrap();
    }
    let encoded = Log::default();
    let outcome = server.broadcast("n", &Counted(&encoded)).unwrap();
    assert_eq!((outcome.queued, encoded.len()), (100, 1));
    assert!(server.pending() < 100 * 64 + 100, "and its bytes are there once");
}

#[test]
fn while_the_stream_is_full_the_socket_is_not_read_and_nothing_taken_is_lost() {
    let runtime = Fake::new(7);
    runtime.ether().set_weather(Weather::default().room(50));
    let server = serve_udp(&runtime, config().event_queue(4));
    let mut events = server.events();
    let mut end = socket(&runtime);
    runtime.block_on(async {
        for n in 0..100_u64 {
            // Two frames a datagram: the stream may be full between them.
            end.send((frame("n", 2 * n) + &frame("n", 2 * n + 1)).as_bytes(), here()).await.unwrap();
        }
    });
    runtime.run();
    assert_eq!(runtime.ether().lost(), 50, "what the system has no room for");
    assert!(runtime.ether().waiting_at(here()).unwrap() > 40);
    let polls = exchange(&runtime).polls;
    runtime.advance(SECOND);
    assert_eq!(exchange(&runtime).polls, polls, "nothing spins");
    let mut heard = Vec::new();
    runtime.block_on(async {
        while heard.len() < 100 {
            if let Some(UdpEvent::Message(_, message)) = events.recv().await {
                heard.push(message.data::<u64>().unwrap());
            }
        }
    });
    assert_eq!(heard, (0..100).collect::<Vec<_>>());
}

#[test]
fn answers_may_fill_the_queue_twice_and_then_the_socket_waits() {
    let runtime = Fake::new(8);
    let server = serve_udp(&runtime, config().max_pending_bytes(1000));
    let log = udp_lifecycle(&server);
    let mut end = socket(&runtime);
    server.on("n", |peer, _: u64| peer.emit("answer", &"x".repeat(300)));
    runtime.ether().hold(true);
    let many: String = (0..20).map(|n| frame("n", n)).collect();
    runtime.ether().carry(whereabouts(&end), here(), many.as_bytes());
    runtime.ether().carry(whereabouts(&end), here(), frame("n", 20).as_bytes());
    runtime.run();
    assert!(server.pending() > 1000 && server.pending() <= 2000, "{}", server.pending());
    assert_eq!(runtime.ether().waiting_at(here()), Some(1));
    let polls = exchange(&runtime).polls;
    runtime.advance(SECOND);
    assert_eq!(exchange(&runtime).polls, polls, "nothing spins");
    runtime.ether().hold(false);
    assert_eq!(arrived(&runtime, &mut end).len(), 21);
    assert_eq!(log.take().len(), 1, "no answer was refused");
}

#[test]
fn errors_of_sending_are_counted_and_reported_and_end_nothing() {
    let runtime = Fake::new(9);
    let server = serve_udp(&runtime, config().event_queue(2));
    let log = udp_lifecycle(&server);
    let mut events = server.events();
    let mut end = socket(&runtime);
    let (far, forbidden) = ("10.0.0.1:9".parse().unwrap(), "10.0.0.2:9".parse().unwrap());
    runtime.ether().fail_sends(far, NO_NETWORK);
    runtime.ether().fail_sends(forbidden, NOT_PERMITTED);
    server.emit_to(far, "n", &1).unwrap();
    server.emit_to(forbidden, "n", &1).unwrap();
    server.emit_to(whereabouts(&end), "n", &1).unwrap();
    runtime.run();
    assert_eq!(arrived(&runtime, &mut end).len(), 1);
    let told = log.take();
    assert!(told[0].starts_with("error Some(9) cannot send to 10.0.0.1:9: "), "{told:?}");
    assert!(told[1].starts_with("error Some(9) cannot send to 10.0.0.2:9: "), "{told:?}");
    assert_eq!((server.counters().failed, server.counters().sent), (2, 1));
    for n in 0..1000 {
        server.emit_to(far, "n", &n).unwrap();
    }
    runtime.run();
    assert_eq!((server.counters().failed, log.take().len()), (1002, 1000));
    server.stop();
    runtime.run();
    drop(server);
    let mut heard = 0;
    runtime.block_on(async {
        while events.recv().await.is_some() {
            heard += 1;
        }
    });
    assert!(heard < 10, "{heard} events: the stream is bounded");
}

#[test]
fn reports_of_what_did_not_arrive_neither_end_nor_spin_the_socket() {
    let runtime = Fake::new(10);
    let server = serve_udp(&runtime, config());
    let log = udp_lifecycle(&server);
    for error in [REFUSED, RESET, REFUSED] {
        runtime.ether().fail_receive(here(), error);
    }
    runtime.run();
    assert_eq!(server.counters().unreachable, 3);
    for _ in 0..10_000 {
        runtime.ether().fail_receive(here(), RESET);
    }
    let before = exchange(&runtime).polls;
    runtime.run();
    assert!(exchange(&runtime).polls < before + 20);
    assert_eq!(log.len(), 0);
    server.on_event("n", UdpPeer::emit_event);
    let mut end = socket(&runtime);
    tell(&runtime, &mut end, frame("n", 1));
    assert_eq!(arrived(&runtime, &mut end).len(), 1);
}

#[test]
fn after_another_error_of_receiving_it_waits_before_it_tries_again() {
    let runtime = Fake::new(11);
    let server = serve_udp(&runtime, config());
    let log = udp_lifecycle(&server);
    server.on("n", |_, _: u64| ());
    for _ in 0..3 {
        runtime.ether().fail_receive(here(), OUT_OF_MEMORY);
    }
    let mut end = socket(&runtime);
    tell(&runtime, &mut end, frame("n", 1));
    assert_eq!(log.len(), 1);
    server.emit_to(whereabouts(&end), "n", &1).unwrap();
    assert_eq!(arrived(&runtime, &mut end).len(), 1, "sending goes on");
    runtime.advance(110 * MILLISECOND);
    let told = log.take();
    assert_eq!(told.len(), 3, "{told:?}");
    assert!(told.iter().all(|told| told.starts_with("error None cannot receive datagrams: ")), "{told:?}");
    assert_eq!(server.counters().received.messages, 0);
    runtime.advance(50 * MILLISECOND);
    assert_eq!(server.counters().received.messages, 1);
}

#[test]
fn a_stream_that_is_full_does_not_keep_the_server_from_stopping() {
    let runtime = Fake::new(12);
    let server = serve_udp(&runtime, config().event_queue(1));
    let mut events = server.events();
    let mut end = socket(&runtime);
    for n in 0..20 {
        tell(&runtime, &mut end, frame("n", n));
    }
    assert!(runtime.block_on(server.shutdown(SECOND)).is_empty());
    assert_eq!(runtime.ether().waiting_at(here()), None);
    runtime.block_on(server.start()).unwrap();
    drop(server);
    runtime.block_on(async { while events.recv().await.is_some() {} });
    runtime.run();
    assert!(runtime.tasks().is_empty(), "{:?}", runtime.tasks());
}

#[test]
fn a_crowd_of_errors_that_nobody_hears_is_a_line_in_the_log_and_not_a_flood() {
    let runtime = Fake::new(13);
    let server = serve_udp(&runtime, config());
    let mut end = socket(&runtime);
    let lines = warnings(|| {
        for _ in 0..10 {
            tell(&runtime, &mut end, "x\u{c}".repeat(1000));
        }
        runtime.advance(SECOND);
        tell(&runtime, &mut end, "x\u{c}");
    });
    assert_eq!(server.counters().received.malformed, 10_001);
    assert_eq!(lines.len(), 2, "{lines:?}");
    assert!(lines[0].contains("unheard error") && lines[0].contains("unlogged=0"), "{lines:?}");
    assert!(lines[1].contains("unlogged=9999"), "{lines:?}");
}

#[test]
fn a_stop_during_the_wait_after_an_error_does_not_spin() {
    let runtime = Fake::new(14);
    let server = serve_udp(&runtime, config());
    runtime.ether().hold(true);
    runtime.ether().fail_receive(here(), OUT_OF_MEMORY);
    server.emit_to(here(), "n", &1).unwrap();
    runtime.run();
    server.stop();
    runtime.advance(SECOND);
    assert!(!server.is_listening());
    runtime.advance(5 * SECOND);
    assert!(runtime.tasks().is_empty(), "{:?}", runtime.tasks());
}

#[test]
fn datagrams_full_of_messages_do_not_keep_other_tasks_from_their_turn() {
    let runtime = Fake::new(15);
    let server = serve_udp(&runtime, config());
    let mut end = socket(&runtime);
    let full = "x\u{c}".repeat(32_000);
    for _ in 0..50 {
        runtime.ether().carry(whereabouts(&end), here(), full.as_bytes());
    }
    let before = exchange(&runtime).polls;
    tell(&runtime, &mut end, "x\u{c}");
    assert_eq!(server.counters().received.malformed, 50 * 32_000 + 1);
    assert!(exchange(&runtime).polls - before >= 10, "5 datagrams of 64,000 bytes in a row at most");
}
