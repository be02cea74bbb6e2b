//! A peer that does not take our answers is not read, and two sides that answer each other do not wait for each other for good.

use crate::backpressure::{narrow, to_client};
use crate::world::*;
use ipc_driver::Peer;
use ipc_driver::fake::Fake;
use ipc_driver::runtime::Runtime;

#[test]
fn an_echo_to_a_peer_that_never_reads_stops_reading_and_is_bounded() {
    let runtime = Fake::new(5);
    runtime.network().set_script(narrow(500));
    let limit = 2000;
    let server = serve(&runtime, config().max_pending_bytes(limit));
    let refused = Log::default();
    let to = refused.clone();
    server.on_event("n", move |peer, event| {
        if let Err(error) = peer.emit_event(event) {
            to.push(error.to_string());
        }
    });
    let mut end = dial(&runtime);
    let peer = server.peers().remove(0);
    let all: String = (0..5000).map(|n| frame("n", n)).collect();
    let traffic = end.connection().clone();
    runtime.spawn(async move { end.send(all.as_bytes()).await.unwrap() });
    runtime.advance(SECOND * 9);
    assert!(peer.pending() <= 2 * limit, "{}", peer.pending());
    let read = traffic.to_server().read;
    assert!(read < 3 * limit, "the server reads on: {read}");
    assert_eq!(refused.take(), [""; 0]);
    // A peer that has taken nothing for 10 seconds may itself wait for us to read.
    runtime.advance(SECOND * 2);
    assert!(traffic.to_server().read > 5 * limit);
    assert!(peer.pending() <= 2 * limit, "{}", peer.pending());
    let refused = refused.take();
    assert!(refused.len() > 100 && refused[0].contains("bytes"), "{refused:?}");
    let polls = || runtime.tasks().iter().map(|task| task.polls).sum::<usize>();
    let before = polls();
    runtime.advance(SECOND * 3600);
    assert!(polls() - before < 10, "{} polls in an hour without traffic", polls() - before);
}

#[test]
fn a_peer_that_takes_something_every_few_seconds_loses_no_answer() {
    let runtime = Fake::new(17);
    let server = serve(&runtime, config().max_pending_bytes(2000));
    server.on_event("n", Peer::emit_event);
    let errors = Log::default();
    let to = errors.clone();
    server.on_error(move |_, error| to.push(error.to_string()));
    let mut end = dial(&runtime);
    end.connection().set_script(to_client(500));
    let all: String = (0..2000).map(|n| frame("n", n)).collect();
    runtime.block_on(end.send(all.as_bytes())).unwrap();
    let mut got = Vec::new();
    while numbers(&got).len() < 2000 {
        runtime.advance(SECOND * 9);
        got.extend(runtime.block_on(end.receive()).unwrap());
    }
    assert_eq!(numbers(&got), (0..2000).collect::<Vec<_>>());
    assert_eq!(errors.take(), [""; 0]);
}

#[test]
fn two_sides_that_answer_faster_than_either_reads_come_to_rest() {
    for seed in 0..4 {
        let runtime = Fake::new(seed);
        runtime.network().set_script(narrow(500));
        let server = serve(&runtime, config().max_pending_bytes(2000));
        let client = connect(&runtime, config().max_pending_bytes(2000));
        // Each answer is larger, until there have been enough: neither side can have sent it all before it reads.
        server.on("n", move |peer, (n, _): (u64, String)| {
            if n < 60 {
                let _may_be_refused = peer.emit("n", &(n + 1, "x".repeat(n as usize * 10)));
            }
        });
        let emitter = client.emitter();
        client.on("n", move |(n, _): (u64, String)| {
            if n < 60 {
                let _may_be_refused = emitter.emit("n", &(n + 1, "x".repeat(n as usize * 10)));
            }
        });
        let flood = client.clone();
        runtime.spawn(async move {
            for n in 0..200_u64 {
                flood.send("n", &(n % 30, "x".repeat(40))).await.unwrap();
            }
        });
        let peer = server.peers().remove(0);
        for _ in 0..200 {
            let _may_be_full = peer.emit("n", &(1_u64, ""));
        }
        runtime.advance(SECOND * 600);
        assert_eq!((client.pending(), peer.pending()), (0, 0), "seed {seed}: they wait for each other");
        let last = Log::default();
        let to = last.clone();
        server.on("last", move |_, n: u64| to.push(n));
        client.emit("last", &1).unwrap();
        runtime.run();
        assert_eq!(last.take(), [1]);
    }
}

#[test]
fn a_peer_that_took_nothing_once_has_ten_seconds_again_when_it_has_taken_everything() {
    let runtime = Fake::new(22);
    let server = serve(&runtime, config().max_pending_bytes(2000));
    let refused = Log::default();
    let to = refused.clone();
    server.on_event("n", move |peer, event| {
        if let Err(error) = peer.emit_event(event) {
            to.push(error.to_string());
        }
    });
    server.on("quiet", |_, _: u64| {});
    let mut end = dial(&runtime);
    let peer = server.peers().remove(0);
    let connection = end.connection().clone();
    connection.set_script(to_client(500));
    let all: String = (0..300).map(|n| frame("n", n)).collect();
    runtime.block_on(end.send(all.as_bytes())).unwrap();
    runtime.advance(SECOND * 11);
    assert!(!refused.take().is_empty(), "it took nothing for ten seconds");
    while peer.pending() > 1100 {
        runtime.block_on(end.receive()).unwrap();
        runtime.run();
    }
    assert!(peer.pending() > 0);
    refused.take();
    // It takes all the rest, and says something before the task looks.
    connection.set_script(to_client(64 * 1024));
    assert!(poll_once(end.send(frame("quiet", 1).as_bytes())).is_ready());
    runtime.run();
    assert_eq!(peer.pending(), 0);
    runtime.advance(SECOND * 3600);
    runtime.block_on(end.receive()).unwrap();
    // Now a second is not too long.
    connection.set_script(to_client(500));
    runtime.block_on(end.send(all.as_bytes())).unwrap();
    runtime.advance(SECOND);
    assert_eq!(refused.take(), [""; 0]);
}

#[test]
fn a_part_that_is_written_ends_the_pause_in_reading_when_it_brings_the_queue_below_its_bound() {
    let runtime = Fake::new(23);
    let server = serve(&runtime, config().max_pending_bytes(1000));
    let handled = Log::default();
    let to = handled.clone();
    server.on_event("n", move |peer, event| {
        to.push(());
        peer.emit_event(event)
    });
    let mut end = dial(&runtime);
    end.connection().set_script(to_client(600));
    let all: String = (100..900).map(|n| frame("n", n)).collect();
    runtime.block_on(end.send(all.as_bytes())).unwrap();
    runtime.run();
    runtime.block_on(end.receive()).unwrap();
    runtime.advance(SECOND * 9);
    let waits = handled.len() * frame("n", 100).len() - end.connection().to_client().written;
    assert!(waits > 1000, "{waits} bytes wait, fewer than may, and nothing is read");
}

#[cfg(feature = "tls")]
#[test]
fn what_tls_has_taken_does_not_stop_the_reading() {
    let (for_server, for_client) = crate::certs::pair();
    let runtime = Fake::new(26);
    runtime.network().set_script(to_client(1000));
    let server = serve(&runtime, for_server.max_pending_bytes(4000));
    let handled = Log::default();
    let to = handled.clone();
    server.on("n", move |peer, n: u64| {
        to.push(n);
        peer.emit("m", &"x".repeat(500))
    });
    let client = connect(&runtime, for_client.event_queue(1));
    let _unread = client.events();
    for n in 0..60_u64 {
        client.emit("n", &n).unwrap();
    }
    // Their 30 KB of answers fit into what TLS keeps.
    runtime.advance(SECOND * 9);
    assert_eq!(handled.len(), 60);
}

#[test]
fn two_sides_that_send_each_other_more_than_the_limit_do_not_wait_for_ever() {
    let runtime = Fake::new(15);
    runtime.network().set_script(narrow(100));
    let server = serve(&runtime, config().max_pending_bytes(500));
    let client = connect(&runtime, config().max_pending_bytes(500));
    let got = Log::default();
    let (one, two) = (got.clone(), got.clone());
    server.on("n", move |_, (n, _): (u64, String)| one.push(n));
    client.on("n", move |(n, _): (u64, String)| two.push(n));
    client.emit("n", &(1, "x".repeat(5000))).unwrap();
    server.broadcast("n", &(2, "x".repeat(5000))).unwrap();
    runtime.run();
    let mut got = got.take();
    got.sort_unstable();
    assert_eq!(got, [1, 2]);
}
