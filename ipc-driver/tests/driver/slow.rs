//! The option `slowConsumer`: what a peer that does not read costs, whom, and that it is counted.

use crate::world::*;
use ipc_driver::fake::{Fake, Script, Wire};
use ipc_driver::runtime::Runtime;
use ipc_driver::{Client, Config, ConnectionError, EmitError, Offline, Peer, SlowConsumer};
use std::future::Future;

const ROOM: usize = 2_000;

/// Streams that take 300 bytes and no more before the other end reads.
fn narrow(seed: u64) -> Fake {
    let runtime = Fake::new(seed);
    runtime.network().set_script(Script::both(Wire::default().capacity(300)));
    runtime
}

fn policy(policy: SlowConsumer) -> Config {
    config().max_pending_bytes(ROOM).slow_consumer(policy)
}

/// A server and a peer of it that does not read by itself.
fn slow(runtime: &Fake, how: SlowConsumer) -> (FakeServer, Peer, ipc_driver::fake::Stream) {
    let server = serve(runtime, policy(how));
    let end = dial(runtime);
    let peer = server.peers().remove(0);
    (server, peer, end)
}

/// Runs it, and keeps what it came to.
fn in_background<T: Send + 'static>(runtime: &Fake, task: impl Future<Output = T> + Send + 'static) -> Log<T> {
    let log = Log::default();
    let to = log.clone();
    runtime.spawn(async move { to.push(task.await) });
    log
}

#[test]
fn drop_oldest_gives_a_slow_peer_the_newest_events_whole_and_in_order() {
    for seed in 0..20 {
        let runtime = narrow(seed);
        let (server, peer, mut end) = slow(&runtime, SlowConsumer::DropOldest);
        for n in 0..5_000_u64 {
            peer.emit("n", &n).unwrap();
            assert!(peer.pending() <= ROOM);
            if n % 7 == 0 {
                runtime.run();
            }
            assert_balanced(&peer.counters());
        }
        let closing = peer.clone();
        let closed = in_background(&runtime, async move { closing.close().await });
        let (bytes, error) = runtime.block_on(drain(&mut end));
        assert!(error.is_none());
        drop(end);
        runtime.run();
        assert_eq!(closed.take(), [Ok(())]);
        let seen = numbers(&bytes);
        assert_eq!(bytes.last(), Some(&0xC), "nothing is torn");
        assert!(seen.is_sorted_by(|one, next| one < next));
        assert!(seen.ends_with(&(4_950..5_000).collect::<Vec<_>>()), "seed {seed}: {seen:?}");
        let sent = server.counters().traffic.sent;
        assert_eq!(sent.lost.dropped_oldest.events, 5_000 - seen.len() as u64);
        assert_eq!((sent.events, sent.refused.total(), sent.written), (5_000, 0, bytes.len() as u64));
        assert_balanced(&server.counters().traffic);
    }
}

#[test]
fn drop_newest_gives_a_slow_peer_the_oldest_events() {
    let runtime = narrow(1);
    let (server, peer, mut end) = slow(&runtime, SlowConsumer::DropNewest);
    for n in 0..500_u64 {
        peer.emit("n", &n).unwrap();
        runtime.run();
    }
    let closing = peer.clone();
    let closed = in_background(&runtime, async move { closing.close().await });
    let seen = numbers(&runtime.block_on(drain(&mut end)).0);
    drop(end);
    runtime.run();
    assert_eq!(closed.take(), [Ok(())]);
    assert_eq!(seen, (0..seen.len() as u64).collect::<Vec<_>>());
    let sent = server.counters().traffic.sent;
    assert_eq!(sent.lost.dropped_newest.events, 500 - seen.len() as u64);
    assert!(sent.lost.dropped_newest.events > 300);
    assert_balanced(&server.counters().traffic);
}

#[test]
fn disconnect_ends_a_slow_peer_and_says_why() {
    let runtime = narrow(2);
    let (server, peer, mut end) = slow(&runtime, SlowConsumer::Disconnect);
    let log = Log::default();
    let to = log.clone();
    server.on_lifecycle(move |event| to.push(server_event(event)));
    let mut taken = 0;
    let error = loop {
        match peer.emit("n", &taken) {
            Ok(()) => taken += 1,
            Err(error) => break error,
        }
        runtime.run();
    };
    assert!(matches!(error, EmitError::TooSlow { limit: ROOM, .. }), "{error}");
    assert!(matches!(peer.emit("n", &1), Err(EmitError::Closed)));
    runtime.run();
    assert!(peer.is_closed() && server.is_empty());
    let log = log.take();
    assert!(log[0].starts_with("error #0 the peer read too slowly: "), "{log:?}");
    assert!(log[1].starts_with("disconnected #0 by an error, "), "{log:?}");
    let (bytes, _) = runtime.block_on(drain(&mut end));
    let sent = server.counters().traffic.sent;
    let whole = numbers(&bytes).len() as u64;
    assert_eq!(sent.refused.too_slow, 1);
    assert_eq!(whole + sent.lost.too_slow.events + sent.lost.torn.events, taken);
    assert!(sent.lost.too_slow.events > 0);
    assert_balanced(&server.counters().traffic);
}

#[test]
fn a_client_with_disconnect_connects_again_as_after_any_loss() {
    for offline in [Offline::Refuse, Offline::Buffer] {
        let runtime = narrow(3);
        let mut listener = listen(&runtime);
        let client = client(&runtime, policy(SlowConsumer::Disconnect).offline(offline));
        let log = client_lifecycle(&client);
        runtime.block_on(client.connect()).unwrap();
        let first = runtime.block_on(listener.accept()).unwrap();
        while client.emit("n", &1).is_ok() {
            runtime.run();
        }
        runtime.run();
        let lines = log.take();
        assert!(lines[1].starts_with("error the peer read too slowly"), "{lines:?}");
        assert!(lines[2].starts_with("disconnected, again in 500ms"), "{lines:?}");
        assert!(!client.is_connected() && !client.is_destroyed());
        drop(first);
        runtime.advance(SECOND);
        let mut second = runtime.block_on(listener.accept()).unwrap();
        assert!(client.is_connected());
        client.emit("again", &7).unwrap();
        let closing = client.clone();
        let closed = in_background(&runtime, async move { closing.close().await });
        let seen = numbers(&runtime.block_on(drain(&mut second)).0);
        drop(second);
        runtime.run();
        assert_eq!(closed.take(), [Ok(())]);
        assert_eq!(seen, [7], "what was queued is lost, also with `buffer`");
        let counters = client.counters();
        assert_balanced(&counters.traffic);
        assert_eq!((counters.connections, counters.traffic.sent.refused.too_slow), (2, 1));
    }
}

#[test]
fn who_sends_waits_whatever_the_policy_and_nothing_is_dropped() {
    for how in [SlowConsumer::Refuse, SlowConsumer::DropOldest, SlowConsumer::DropNewest, SlowConsumer::Disconnect] {
        let runtime = narrow(4);
        let (server, peer, mut end) = slow(&runtime, how);
        let sending = peer.clone();
        let sent = in_background(&runtime, async move {
            for n in 0..1_000_u64 {
                sending.send("n", &n).await.unwrap();
            }
            sending.close().await
        });
        runtime.run();
        assert!(peer.pending() <= ROOM && !peer.is_closed(), "{how:?}");
        let seen = numbers(&runtime.block_on(drain(&mut end)).0);
        drop(end);
        runtime.run();
        assert_eq!(sent.take(), [Ok(())]);
        assert_eq!(seen, (0..1_000).collect::<Vec<_>>(), "{how:?}");
        let traffic = server.counters().traffic;
        assert_eq!((traffic.sent.lost.total().events, traffic.sent.refused.total()), (0, 0), "{how:?}");
    }
}

#[test]
fn a_broadcast_says_what_each_policy_made_of_it_and_fast_peers_get_everything() {
    for how in [SlowConsumer::Refuse, SlowConsumer::DropOldest, SlowConsumer::DropNewest, SlowConsumer::Disconnect] {
        let runtime = narrow(5);
        let (server, peer, end) = slow(&runtime, how);
        let seen = Log::default();
        let fast: Vec<FakeClient> = (0..3)
            .map(|_| {
                let client = connect(&runtime, config());
                let to = seen.clone();
                client.on("n", move |n: u64| to.push(n));
                client
            })
            .collect();
        let (mut queued, mut full, mut dropped, mut closed) = (0, 0, 0, 0);
        for n in 0..500_u64 {
            let outcome = server.broadcast("n", &n).unwrap();
            queued += outcome.queued;
            full += outcome.full;
            dropped += outcome.dropped;
            closed += outcome.closed;
            runtime.run();
        }
        let mut numbers = seen.take();
        numbers.sort_unstable();
        assert_eq!(numbers, (0..500).flat_map(|n| [n; 3]).collect::<Vec<_>>(), "{how:?}");
        let sent = peer.counters().sent;
        let to_the_slow = queued - 3 * 500;
        match how {
            SlowConsumer::Refuse => {
                assert!(full > 0 && dropped + closed == 0);
                assert_eq!(full as u64, sent.refused.full);
            }
            SlowConsumer::DropOldest => {
                assert_eq!((to_the_slow, full, dropped, closed), (500, 0, 0, 0));
                assert!(sent.lost.dropped_oldest.events > 300);
            }
            SlowConsumer::DropNewest => {
                assert!(full + closed == 0);
                assert_eq!(dropped as u64, sent.lost.dropped_newest.events);
                assert_eq!((to_the_slow + dropped) as u64, sent.events);
            }
            _ => {
                assert_eq!((full, dropped, closed), (0, 0, 1));
                assert!(peer.is_closed() && server.len() == 3);
            }
        }
        assert_balanced(&server.counters().traffic);
        drop((end, fast));
    }
}

#[test]
fn a_handler_that_answers_a_peer_that_does_not_read_ends_it_only_above_twice_the_bound() {
    let runtime = narrow(6);
    let server = serve(&runtime, policy(SlowConsumer::Disconnect));
    let errors = Log::default();
    let to = errors.clone();
    server.on_error(move |_, error| to.push(matches!(error, ConnectionError::TooSlow { .. })));
    server.on("flood", |peer, count: u64| {
        for n in 0..count {
            peer.emit("n", &n)?;
        }
        Ok::<_, EmitError>(())
    });
    let mut end = dial(&runtime);
    // 30 bytes each: twice the bound is 133 of them.
    runtime.block_on(end.send(frame("flood", 120).as_bytes())).unwrap();
    runtime.run();
    assert_eq!((errors.take(), server.len()), (vec![], 1));
    let mut end = dial(&runtime);
    runtime.block_on(end.send(frame("flood", 500).as_bytes())).unwrap();
    runtime.run();
    assert_eq!((errors.take(), server.len()), (vec![false, true], 1), "the handler's own error, and the end");
}

#[test]
fn udp_and_raw_connections_refuse_what_they_cannot_do() {
    let runtime = Fake::new(7);
    let settings = settings(policy(SlowConsumer::DropOldest));
    let udp = ipc_driver::Endpoint::Udp4 { host: "127.0.0.1".into(), port: 8000 };
    let error = ipc_driver::UdpServer::with_runtime(runtime.clone(), settings.clone(), udp).unwrap_err();
    assert!(error.to_string().contains("slowConsumer"), "{error}");
    assert!(Client::with_runtime(runtime, settings, endpoint()).is_ok());
}
