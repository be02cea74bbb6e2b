//! Counters: both ends of a connection count the same, and what is counted is what happened, also while it happens.
#![allow(missing_docs, reason = "the name of a behaviour says what it is")]

use super::{Stage, channel, soon, unblock};
use ipc_driver::runtime::Runtime;
use ipc_driver::{ConnectionCounters, Peer};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// What is emitted is written, waits or is lost; what comes is in frames or left over.
#[track_caller]
fn balanced(traffic: &ConnectionCounters) {
    let (sent, received) = (traffic.sent, traffic.received);
    assert_eq!(sent.bytes, sent.written + sent.pending + sent.lost.total().bytes, "{sent:?}");
    assert_eq!(received.bytes, received.frame_bytes + received.unframed(), "{received:?}");
}

pub async fn both_ends_count_the_same<R: Runtime>(stage: Stage<R>) {
    let server = stage.server();
    server.on_event("n", Peer::emit_event);
    server.start().await.expect("started");
    let client = stage.client();
    let (sender, mut echoes) = channel();
    client.on("n", move |(n, _): (usize, String)| sender.send(n));
    soon("connect", client.connect()).await.expect("connected");
    for n in 0..500 {
        soon("send", client.send("n", &(n, "x".repeat(n * 7)))).await.expect("sent");
    }
    for n in 0..500 {
        assert_eq!(echoes.next("an echo").await, n);
    }
    soon("close", client.close()).await.expect("everything was sent");
    let report = soon("shutdown", server.shutdown(Duration::from_secs(20))).await;
    assert!(report.unsent.is_empty());
    let (here, there) = (client.counters(), server.counters());
    assert_eq!((here.connections, there.accepted, there.connected), (1, 1, 0));
    for (from, to) in [(here.traffic, there.traffic), (there.traffic, here.traffic)] {
        balanced(&from);
        assert_eq!((from.sent.events, from.sent.lost.total().events), (500, 0));
        assert_eq!((to.received.events, to.received.malformed.total(), to.received.unframed()), (500, 0, 0));
        assert_eq!((from.sent.bytes, from.sent.written), (to.received.bytes, to.received.frame_bytes));
    }
}

/// Read by another thread all the while, the totals of a server miss nobody and count nobody twice.
pub async fn totals_never_go_back_while_peers_come_and_go<R: Runtime>(stage: Stage<R>) {
    const CLIENTS: u64 = 4;
    const ROUNDS: u64 = 15;
    const EVENTS: u64 = 20;
    let server = stage.server();
    server.on_event("n", Peer::emit_event);
    server.start().await.expect("started");
    let done = Arc::new(AtomicBool::new(false));
    let reading = unblock({
        let (server, done) = (server.clone(), Arc::clone(&done));
        move || {
            let mut before = server.counters();
            let mut looks = 0_u64;
            while !done.load(Ordering::Relaxed) {
                let now = server.counters();
                balanced(&now.traffic);
                let rising = |counters: &ipc_driver::ServerCounters| {
                    let (sent, received) = (counters.traffic.sent, counters.traffic.received);
                    [counters.accepted, sent.events, sent.bytes, sent.written, received.events, received.bytes]
                };
                let (old, new) = (rising(&before), rising(&now));
                assert!(old.iter().zip(new).all(|(old, new)| *old <= new), "{before:?}\nthen {now:?}");
                before = now;
                looks += 1;
            }
            looks
        }
    });
    let stage = Arc::new(stage);
    let clients: Vec<_> = (0..CLIENTS)
        .map(|_| {
            let own = Arc::clone(&stage);
            stage.spawn(async move {
                let mut written = 0;
                for _ in 0..ROUNDS {
                    let client = own.client();
                    let (sender, mut echoes) = channel();
                    client.on("n", move |n: u64| sender.send(n));
                    soon("connect", client.connect()).await.expect("connected");
                    for n in 0..EVENTS {
                        client.emit("n", &n).expect("there is room");
                    }
                    for n in 0..EVENTS {
                        assert_eq!(echoes.next("an echo").await, n);
                    }
                    soon("close", client.close()).await.expect("everything was sent");
                    written += client.counters().traffic.sent.written;
                }
                written
            })
        })
        .collect();
    let mut written = 0;
    for client in clients {
        written += soon("a client", client.join()).await;
    }
    soon("shutdown", server.shutdown(Duration::from_secs(20))).await;
    done.store(true, Ordering::Relaxed);
    assert!(soon("the reader", reading.join()).await > 0);
    let counters = server.counters();
    assert_eq!((counters.accepted, counters.connected), (CLIENTS * ROUNDS, 0));
    assert_eq!(counters.traffic.received.events, CLIENTS * ROUNDS * EVENTS);
    assert_eq!((counters.traffic.received.bytes, counters.traffic.sent.written), (written, written));
}
