//! What is counted: every event ends as written, waiting or lost, every refusal has its reason, and a server's totals are
//! those of its peers. `soak` has the same under random traffic.

use crate::world::*;
use ipc_driver::fake::{Dial, Fake, Script, Sizes, Wire};
use ipc_driver::{EmitError, Frame, Loss, Offline, OnMalformed, Peer};
use std::io::ErrorKind;
use std::pin::pin;
use std::task::{Context, Waker};

#[test]
fn events_and_bytes_are_counted_on_both_sides_alike() {
    let runtime = Fake::new(1);
    runtime.network().set_script(Script::both(Wire::default().reads(Sizes::Random(30)).writes(Sizes::Random(30))));
    let server = serve(&runtime, config());
    server.on_event("n", Peer::emit_event);
    let client = connect(&runtime, config());
    client.on("n", |_: u64| {});
    (0..100_u64).for_each(|n| client.emit("n", &n).unwrap());
    runtime.run();
    let (here, there) = (client.counters(), server.counters());
    let bytes: usize = (0..100).map(|n| frame("n", n).len()).sum();
    assert_eq!((here.attempts, here.connections, here.failed, here.exhausted), (1, 1, 0, 0));
    assert_eq!((there.accepted, there.connected, there.refused.total()), (1, 1, 0));
    for traffic in [here.traffic, there.traffic] {
        assert_eq!((traffic.sent.events, traffic.received.events), (100, 100));
        assert_eq!((traffic.sent.written, traffic.received.frame_bytes), (bytes as u64, bytes as u64));
        assert_eq!((traffic.sent.pending, traffic.received.unframed()), (0, 0));
        assert_eq!((traffic.sent.refused.total(), traffic.unhandled, traffic.handler_errors), (0, 0, 0));
        assert_balanced(&traffic);
    }
    assert_eq!(here.traffic.sent.pending_max, bytes as u64, "all of it waited for its first turn");
    let json = serde_json::to_value(there).unwrap();
    assert_eq!((&json["accepted"], &json["traffic"]["received"]["events"]), (&1.into(), &100.into()));
}

#[test]
fn what_waits_is_counted_as_pending_until_it_is_written_or_lost() {
    let runtime = Fake::new(2);
    runtime.network().set_script(Script::both(Wire::default().capacity(100)));
    let server = serve(&runtime, config());
    let peers = every_peer(&server);
    let mut end = dial(&runtime);
    let peer = server.peers().remove(0);
    (100..150).for_each(|n| peer.emit("n", &n).unwrap());
    runtime.run();
    let sent = assert_summed(&server, &peers).traffic.sent;
    // What the socket took of the write that waits is not told yet.
    assert_eq!((sent.events, sent.pending as usize), (50, peer.pending()));
    peer.abort();
    runtime.run();
    let sent = assert_summed(&server, &peers).traffic.sent;
    let (bytes, _) = runtime.block_on(drain(&mut end));
    let whole = numbers(&bytes).len() as u64;
    assert_eq!((sent.pending, sent.written), (0, 100));
    // The one that was cut in two, and those behind it.
    assert_eq!((sent.lost.torn.events, sent.lost.unsent.events), (1, 50 - whole - 1));
    assert_eq!(sent.events, whole + sent.lost.total().events);
}

#[test]
fn a_connection_that_has_ended_counts_no_more() {
    let runtime = Fake::new(3);
    let server = serve(&runtime, config());
    let peers = every_peer(&server);
    let end = dial(&runtime);
    let peer = server.peers().remove(0);
    peer.emit("n", &1).unwrap();
    runtime.run();
    let link = peer.clone();
    // Told to close and not closed yet, it refuses and counts.
    assert!(poll_once(link.close()).is_pending());
    assert!(matches!(peer.emit("n", &2), Err(EmitError::Closed)));
    assert_eq!(peer.counters().sent.refused.closed, 1);
    drop(end);
    runtime.run();
    assert!(peer.is_closed());
    let last = peer.counters();
    assert!(matches!(peer.emit("n", &3), Err(EmitError::Closed)));
    assert_eq!(peer.counters(), last);
    assert_eq!(assert_summed(&server, &peers).connected, 0);
    assert_eq!(server.counters().traffic, last);
}

#[test]
fn every_refusal_of_an_emit_has_its_reason_and_a_send_that_waits_is_none() {
    let runtime = Fake::new(4);
    runtime.network().set_script(Script::both(Wire::default().capacity(10)));
    let _listener = listen(&runtime);
    let client = connect(&runtime, config().max_pending_bytes(100));
    let long = "x".repeat(90);
    client.emit("n", &long).unwrap();
    runtime.run();
    assert!(matches!(client.emit("n", &long), Err(EmitError::Full { .. })));
    assert!(matches!(client.emit_json("n", Some("no JSON")), Err(EmitError::Encode(_))));
    assert!(matches!(client.emit_raw(b"bytes"), Err(EmitError::WrongMode { .. })));
    let other = Frame::new(&settings(config().delimiter("\n")), "n", &1).unwrap();
    assert!(matches!(client.emit_frame(&other), Err(EmitError::WrongMode { .. })));
    {
        let mut waiting = pin!(client.send("n", &long));
        let mut cx = Context::from_waker(Waker::noop());
        assert!(waiting.as_mut().poll(&mut cx).is_pending() && waiting.as_mut().poll(&mut cx).is_pending());
    }
    let traffic = client.counters().traffic;
    let refused = traffic.sent.refused;
    assert_eq!((refused.full, refused.encode, refused.wrong_mode, refused.total()), (1, 1, 2, 4));
    assert_eq!(traffic.waits, 2, "it looked twice");
    assert_eq!(traffic.sent.events, 1);
    client.disconnect();
    assert!(matches!(client.emit("n", &1), Err(EmitError::Closed)));
    runtime.run();
    assert!(matches!(client.emit("n", &1), Err(EmitError::Closed)));
    assert_eq!(client.counters().traffic.sent.refused.closed, 2, "of a client also after its end");
    assert_balanced(&client.counters().traffic);
}

#[test]
fn attempts_and_what_came_of_them_are_counted() {
    let runtime = Fake::new(5);
    let refused = || Dial::Fail(ErrorKind::ConnectionRefused);
    runtime.network().dial(&endpoint(), [refused(), refused()]);
    let server = serve(&runtime, config());
    let client = client(&runtime, config().max_retries(2));
    runtime.block_on(client.connect()).unwrap();
    let counters = client.counters();
    assert_eq!((counters.attempts, counters.connections, counters.failed), (3, 1, 2));
    runtime.network().dial(&endpoint(), [refused(), refused(), refused()]);
    server.peers()[0].abort();
    runtime.block_on(client.destroyed());
    let counters = client.counters();
    assert_eq!((counters.attempts, counters.connections, counters.failed, counters.exhausted), (5, 1, 4, 1));
}

#[test]
fn an_attempt_that_is_called_off_has_failed_and_the_client_has_not_given_up() {
    let runtime = Fake::new(6);
    runtime.network().dial(&endpoint(), [Dial::Hang]);
    let client = client(&runtime, config());
    client.start();
    runtime.run();
    assert_eq!((client.counters().attempts, client.counters().failed), (1, 0), "one is under way");
    client.disconnect();
    runtime.run();
    let counters = client.counters();
    assert_eq!((counters.attempts, counters.failed, counters.exhausted), (1, 1, 0));
}

#[test]
fn a_client_accounts_for_events_under_every_offline_policy() {
    for offline in [Offline::Refuse, Offline::Buffer, Offline::Drop] {
        let runtime = Fake::new(7);
        let client = client(&runtime, config().offline(offline));
        client.start();
        runtime.run();
        assert!(client.is_waiting());
        let taken = (0..5).filter(|n| client.emit("n", n).is_ok()).count() as u64;
        let server = serve(&runtime, config());
        let got = Log::default();
        let to = got.clone();
        server.on("n", move |_, n: u64| to.push(n));
        runtime.advance(SECOND * 5);
        client.emit("n", &9_u64).unwrap();
        runtime.run();
        let sent = client.counters().traffic.sent;
        assert_balanced(&client.counters().traffic);
        assert_eq!(sent.events, taken + 1, "{offline:?}");
        assert_eq!(sent.events, got.len() as u64 + sent.lost.total().events, "{offline:?}");
        assert_eq!(sent.refused.not_connected, 5 - taken, "{offline:?}");
        let dropped = Loss::from(client.dropped());
        assert_eq!(sent.lost.offline, dropped, "{offline:?}");
        let expected = match offline {
            Offline::Refuse => (1, 0),
            Offline::Buffer => (6, 0),
            _ => (1, 5),
        };
        assert_eq!((got.len() as u64, dropped.events), expected, "{offline:?}");
    }
}

#[test]
fn the_totals_of_a_client_go_on_over_its_connections() {
    let runtime = Fake::new(8);
    let server = serve(&runtime, config());
    let peers = every_peer(&server);
    server.on_event("n", Peer::emit_event);
    let client = connect(&runtime, config());
    for round in 1..=5_u64 {
        // A handler of the client's is missing: nobody takes the answer.
        client.emit("n", &round).unwrap();
        runtime.run();
        let counters = client.counters();
        assert_eq!((counters.connections, counters.traffic.sent.events), (round, round));
        assert_eq!((counters.traffic.received.events, counters.traffic.unhandled), (round, round));
        assert_eq!(counters.traffic.received.bytes, counters.traffic.sent.written);
        runtime.network().connections().pop().unwrap().reset();
        runtime.advance(SECOND * 5);
        assert_summed(&server, &peers);
    }
}

#[test]
fn what_breaks_the_protocol_is_counted_by_code() {
    let runtime = Fake::new(9);
    let server = serve(&runtime, config().max_message_size(100).max_event_name_length(5).message_timeout(SECOND));
    let peers = every_peer(&server);
    server.on("n", |_, _: u64| {});
    let mut end = dial(&runtime);
    let mut late = dial(&runtime);
    let mut large = dial(&runtime);
    let frames = "{no\u{c}[1]\u{c}{\"type\":1}\u{c}{\"type\":\"longer\"}\u{c}{\"type\":\"n\",\"data\":1}\u{c}{\"type";
    runtime.block_on(end.send(frames.as_bytes())).unwrap();
    runtime.block_on(late.send(b"{\"type\":")).unwrap();
    runtime.block_on(large.send(&[b'x'; 300])).unwrap();
    runtime.run();
    let first = peers.all()[0].counters().received;
    assert_eq!((first.events, first.malformed.total(), first.failed), (1, 4, 0));
    assert_eq!((first.bytes, first.unframed()), (frames.len() as u64, 6));
    runtime.advance(SECOND * 2);
    let received = assert_summed(&server, &peers).traffic.received;
    let counts: Vec<u64> = received.malformed.by_code().iter().map(|(_, count)| *count).collect();
    assert_eq!(counts, [1, 1, 1, 1, 0, 0, 1, 2], "{received:?}");
    assert_eq!((received.failed, received.events), (3, 1));
    assert_eq!(received.bytes, (frames.len() + 8 + 300) as u64);
    assert_eq!(received.unframed(), 6 + 8 + 300);
}

#[test]
fn a_frame_that_ends_the_connection_is_counted_with_what_follows_it() {
    let runtime = Fake::new(10);
    let server = serve(&runtime, config().malformed(OnMalformed::Close));
    let peers = every_peer(&server);
    let mut end = dial(&runtime);
    let bytes = ["{no\u{c}", &frame("n", 1), &frame("n", 2)].concat();
    runtime.block_on(end.send(bytes.as_bytes())).unwrap();
    runtime.run();
    let received = assert_summed(&server, &peers).traffic.received;
    assert_eq!((received.malformed.invalid_json, received.failed, received.events), (1, 1, 0));
    assert_eq!((received.bytes, received.frame_bytes), (bytes.len() as u64, 4));
}

#[test]
fn events_without_a_taker_and_handlers_that_fail_are_counted() {
    let runtime = Fake::new(11);
    let server = serve(&runtime, config());
    server.on("n", |_, _: u64| {});
    server.on("fails", |_, (): ()| Err::<(), _>("as told"));
    let mut end = dial(&runtime);
    let send = |end: &mut ipc_driver::fake::Stream, text: &str| {
        runtime.block_on(end.send(text.as_bytes())).unwrap();
        runtime.run();
    };
    send(
        &mut end,
        &[frame("n", 1), frame("nobody", 1), frame("n", "text"), "{\"type\":\"fails\"}\u{c}".into()].concat(),
    );
    let counters = server.counters().traffic;
    assert_eq!((counters.received.events, counters.unhandled, counters.handler_errors), (4, 1, 2));
    let _events = server.events();
    send(&mut end, &frame("nobody", 2));
    let counters = server.counters().traffic;
    assert_eq!((counters.received.events, counters.unhandled), (5, 1), "the stream takes it");
}

#[test]
fn raw_bytes_are_counted_as_bytes_and_pieces() {
    let runtime = Fake::new(12);
    let server = serve(&runtime, config().raw_buffer(true));
    server.on_data(Peer::emit_raw);
    let mut end = dial(&runtime);
    runtime.block_on(end.send(b"some bytes")).unwrap();
    runtime.run();
    let traffic = server.counters().traffic;
    assert_eq!((traffic.received.bytes, traffic.received.frame_bytes, traffic.received.events), (10, 10, 1));
    assert_eq!((traffic.sent.written, traffic.sent.events), (10, 1));
    assert_balanced(&traffic);
}

#[test]
fn those_who_are_not_let_in_are_counted_by_reason() {
    let runtime = Fake::new(13);
    let server = serve(&runtime, config().max_connections(1));
    let _first = dial(&runtime);
    let _second = dial(&runtime);
    server.accept_if(|_| false);
    let _third = dial(&runtime);
    runtime.network().fail_accepts(24, 2);
    runtime.network().fail_accepts(if cfg!(windows) { 10_053 } else { 103 }, 1);
    let _fourth = dial(&runtime);
    runtime.advance(SECOND);
    let counters = server.counters();
    assert_eq!((counters.refused.full, counters.refused.filter, counters.refused.total()), (1, 2, 3));
    assert_eq!((counters.accept_errors, counters.aborted), (2, 1));
    assert_eq!((counters.accepted, server.refused()), (1, 3));
}

#[test]
fn a_panic_of_an_error_handler_leaves_no_peer_behind_and_its_counters_are_kept_once() {
    let runtime = Fake::new(14);
    let server = serve(&runtime, config());
    let peers = every_peer(&server);
    server.on_error(|_, _| panic!("as told"));
    let end = dial(&runtime);
    server.peers()[0].emit("n", &1).unwrap();
    runtime.run();
    end.connection().reset();
    runtime.run();
    assert_eq!(runtime.panics(), ["as told"]);
    assert!(server.is_empty() && peers.all()[0].is_closed());
    assert_eq!(assert_summed(&server, &peers).traffic.sent.events, 1);
}

#[test]
fn a_runtime_that_drops_its_tasks_leaves_balanced_books() {
    let runtime = Fake::new(15);
    runtime.network().set_script(Script::both(Wire::default().capacity(20)));
    let server = serve(&runtime, config());
    let peers = every_peer(&server);
    let client = connect(&runtime, config());
    (0..9).for_each(|n| client.emit("n", &n).unwrap());
    runtime.run();
    (0..9).for_each(|n| client.emit("n", &n).unwrap());
    (0..9).for_each(|n| server.peers()[0].emit("n", &n).unwrap());
    runtime.drop_tasks();
    let counters = assert_summed(&server, &peers);
    assert_eq!((counters.connected, counters.traffic.sent.pending), (0, 0));
    let sent = client.counters().traffic.sent;
    assert_balanced(&client.counters().traffic);
    assert_eq!((sent.events, sent.pending), (18, 0));
    assert_eq!((sent.lost.total().events, counters.traffic.sent.lost.total().events), (9, 9));
}

#[test]
fn broadcasts_are_counted_for_each_peer() {
    let runtime = Fake::new(16);
    runtime.network().set_script(Script::both(Wire::default().capacity(10)));
    let server = serve(&runtime, config().max_pending_bytes(200));
    let peers = every_peer(&server);
    let _ends: Vec<_> = (0..3).map(|_| dial(&runtime)).collect();
    let text = "x".repeat(150);
    assert_eq!(server.broadcast("n", &text).unwrap().queued, 3);
    assert_eq!(server.broadcast("n", &text).unwrap().full, 3);
    let sent = assert_summed(&server, &peers).traffic.sent;
    assert_eq!((sent.events, sent.refused.full), (3, 3));
    assert_eq!(sent.pending_max * 3, sent.bytes, "the fullest queue, not all queues together");
}

#[test]
fn counters_can_be_read_while_handlers_run() {
    let runtime = Fake::new(17);
    let server = serve(&runtime, config());
    let seen = Log::default();
    let to = seen.clone();
    server.on("n", move |peer, _: u64| to.push(peer.counters().received.events));
    let mut end = dial(&runtime);
    for n in 0..3 {
        runtime.block_on(end.send(frame("n", n).as_bytes())).unwrap();
        runtime.run();
    }
    assert_eq!(seen.take(), [0, 1, 2], "without the read that is being dispatched");
}
