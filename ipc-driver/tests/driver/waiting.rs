//! Calls that wait may be dropped at any point: what they had to do happens once or not at all, and nothing of them stays.

use crate::world::*;
use ipc_driver::fake::{Fake, Script, Wire};
use ipc_driver::runtime::Runtime;
use ipc_driver::{EmitError, Offline, ShutdownReport};
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};

struct Nobody;

impl Wake for Nobody {
    fn wake(self: Arc<Self>) {}
}

#[test]
fn a_dropped_send_has_sent_its_message_once_or_not_at_all() {
    for polls in 0..6 {
        for seed in 0..10 {
            let runtime = Fake::new(seed);
            let wire = Wire::default().capacity(60).hiccups(30);
            runtime.network().set_script(Script::both(wire));
            let server = serve(&runtime, config().max_pending_bytes(60));
            let mut end = dial(&runtime);
            let peer = server.peers().remove(0);
            let mut done = Vec::new();
            let mut got = Vec::new();
            for n in 0..40_u64 {
                let mut send = pin!(peer.send("n", &n));
                for _ in 0..polls {
                    if let Poll::Ready(outcome) = send.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
                        outcome.unwrap();
                        done.push(n);
                        break;
                    }
                    runtime.run();
                    if seed % 2 == 0 || n % 3 == 0 {
                        got.extend(runtime.block_on(end.receive()).unwrap());
                    }
                }
            }
            drop(server);
            got.extend(runtime.block_on(drain(&mut end)).0);
            assert_eq!(numbers(&got), done, "{polls} polls, seed {seed}");
            drop(end);
            runtime.run();
            assert_eq!(runtime.tasks(), []);
        }
    }
}

#[test]
fn a_loop_of_sends_lets_what_it_has_queued_leave() {
    const EVENTS: u64 = 20_000;
    for to_all in [false, true] {
        let runtime = Fake::new(1);
        let server = serve(&runtime, config());
        let clients = [(); 2].map(|()| connect(&runtime, config()));
        let heard = clients.each_ref().map(|client| {
            let heard = Log::default();
            let to = heard.clone();
            client.on("n", move |n: u64| to.push(n));
            heard
        });
        let sender = server.clone();
        runtime.spawn(async move {
            let peers = sender.peers();
            for n in 0..EVENTS {
                if to_all {
                    let frame = ipc_driver::Frame::new(sender.settings(), "n", &n).unwrap();
                    assert_eq!(sender.send_to_all(&frame).await.queued, 2);
                } else {
                    for peer in &peers {
                        peer.send("n", &n).await.unwrap();
                    }
                }
            }
        });
        runtime.run();
        for peer in server.peers() {
            let counters = peer.counters();
            assert_eq!((counters.sent.events, counters.waits), (EVENTS, 0), "nothing was full");
            let most = counters.sent.pending_max;
            assert!((16_000..17_000).contains(&most), "{most} bytes waited at once");
        }
        for heard in heard {
            assert_eq!(heard.take(), (0..EVENTS).collect::<Vec<_>>());
        }
    }
}

#[test]
fn a_send_that_is_dropped_while_others_have_a_turn_has_queued_nothing() {
    let runtime = Fake::new(1);
    runtime.network().set_script(Script::both(Wire::default().capacity(10)));
    let server = serve(&runtime, config());
    let _end = dial(&runtime);
    let peer = server.peers().remove(0);
    peer.emit("n", &"x".repeat(20_000)).unwrap();
    let events = peer.counters().sent.events;
    {
        let mut send = pin!(peer.send("n", &1));
        assert!(send.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
    }
    assert_eq!(peer.counters().sent.events, events);
    // The others have had it, and there is room.
    let mut send = pin!(peer.send("n", &1));
    assert!(send.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
    assert!(send.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_ready());
    assert_eq!(peer.counters().sent.events, events + 1);
}

#[test]
fn a_dropped_send_leaves_no_waker_behind() {
    let runtime = Fake::new(1);
    runtime.network().set_script(Script::both(Wire::default().capacity(10)));
    let server = serve(&runtime, config().max_pending_bytes(50));
    let _end = dial(&runtime);
    let peer = server.peers().remove(0);
    while peer.emit("n", &1).is_ok() {}
    let nobody = Arc::new(Nobody);
    for _ in 0..100 {
        let waker = Waker::from(Arc::new(Nobody));
        assert!(pin!(peer.send("n", &1)).poll(&mut Context::from_waker(&waker)).is_pending());
    }
    let waker = Waker::from(nobody.clone());
    assert!(pin!(peer.send("n", &1)).poll(&mut Context::from_waker(&waker)).is_pending());
    drop(waker);
    assert_eq!(Arc::strong_count(&nobody), 1);
}

#[test]
fn a_dropped_send_of_a_client_that_is_offline_leaves_no_waker_behind() {
    let runtime = Fake::new(2);
    let client = client(&runtime, config().offline(Offline::Buffer).max_offline_bytes(50));
    while client.emit("n", &1).is_ok() {}
    let nobody = Arc::new(Nobody);
    let waker = Waker::from(nobody.clone());
    assert!(pin!(client.send("n", &1)).poll(&mut Context::from_waker(&waker)).is_pending());
    drop(waker);
    assert_eq!(Arc::strong_count(&nobody), 1);
}

#[test]
fn a_dropped_wait_for_an_end_leaves_no_waker_behind() {
    let runtime = Fake::new(3);
    let server = serve(&runtime, config());
    let client = connect(&runtime, config());
    let nobody = Arc::new(Nobody);
    let waker = Waker::from(nobody.clone());
    let mut cx = Context::from_waker(&waker);
    assert!(pin!(client.destroyed()).poll(&mut cx).is_pending());
    assert!(pin!(server.shutdown(SECOND)).poll(&mut cx).is_pending());
    drop(waker);
    assert_eq!(Arc::strong_count(&nobody), 1);
}

#[test]
fn all_who_wait_for_room_are_served_and_those_left_at_the_end_are_told() {
    let runtime = Fake::new(4);
    runtime.network().set_script(Script::both(Wire::default().capacity(30)));
    let server = serve(&runtime, config().max_pending_bytes(60));
    let mut end = dial(&runtime);
    let peer = server.peers().remove(0);
    let told = Log::default();
    let crowd = |from: u64| {
        for n in from..from + 50 {
            let (peer, to) = (peer.clone(), told.clone());
            runtime.spawn(async move { to.push(peer.send("n", &n).await.is_ok()) });
        }
        runtime.run();
    };
    crowd(0);
    assert!(told.len() < 10);
    let mut got = Vec::new();
    while numbers(&got).len() < 50 {
        got.extend(runtime.block_on(end.receive()).unwrap());
    }
    runtime.run();
    assert_eq!(told.take(), [true; 50]);
    let mut got = numbers(&got);
    got.sort_unstable();
    assert_eq!(got, (0..50).collect::<Vec<_>>());
    crowd(100);
    drop(server);
    runtime.run();
    let told = told.take();
    let sent = numbers(&runtime.block_on(drain(&mut end)).0).len();
    assert_eq!((told.len(), told.iter().filter(|ok| **ok).count()), (50, sent));
    drop(end);
    runtime.run();
    assert_eq!(runtime.tasks(), []);
}

#[test]
fn a_dropped_send_of_a_client_is_safe_across_a_lost_connection() {
    for polls in 0..4 {
        for seed in 0..10 {
            let runtime = Fake::new(seed);
            runtime.network().set_script(Script::both(Wire::default().capacity(80).hiccups(30)));
            let server = serve(&runtime, config());
            let got = Log::default();
            let to = got.clone();
            server.on("n", move |_, n: u64| to.push(n));
            let client =
                connect(&runtime, config().max_pending_bytes(60).max_offline_bytes(60).offline(Offline::Buffer));
            let mut done = Vec::new();
            for n in 0..40_u64 {
                if n == 20 {
                    // Everything sent so far has arrived, so that the cut itself loses nothing.
                    runtime.advance(SECOND);
                    server.abort();
                    runtime.run();
                    runtime.block_on(server.start()).unwrap();
                }
                let mut send = pin!(client.send("n", &n));
                for _ in 0..polls {
                    if send.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_ready() {
                        done.push(n);
                        break;
                    }
                    runtime.advance(MILLISECOND * 20);
                }
            }
            drop(client);
            runtime.advance(SECOND);
            // A client dropped while it is offline cannot send what it has buffered.
            let got = got.take();
            assert!(done.starts_with(&got), "{polls} polls, seed {seed}: {got:?} of {done:?}");
            assert_eq!(runtime.tasks().len(), 1, "{:?}", runtime.tasks());
        }
    }
}

#[test]
fn a_dropped_connect_goes_on_connecting_and_a_dropped_close_goes_on_closing() {
    let runtime = Fake::new(5);
    let client = client(&runtime, config());
    assert!(poll_once(client.connect()).is_pending());
    let server = serve(&runtime, config());
    runtime.advance(SECOND);
    assert!(client.is_connected());
    assert!(poll_once(client.close()).is_pending());
    runtime.run();
    assert!(client.is_destroyed() && server.is_empty());
}

#[test]
fn a_dropped_recv_loses_no_event() {
    let runtime = Fake::new(6);
    let server = serve(&runtime, config().event_queue(1));
    let mut events = server.events();
    let client = connect(&runtime, config());
    (0..50_u64).for_each(|n| client.emit("n", &n).unwrap());
    let mut got = Vec::new();
    while got.len() < 50 {
        // Every second call is dropped after one poll.
        let event = match poll_once(events.recv()) {
            Poll::Ready(event) => event,
            Poll::Pending => runtime.block_on(events.recv()),
        };
        if let Some(ipc_driver::ServerEvent::Message(_, message)) = event {
            got.push(message.data::<u64>().unwrap());
        }
    }
    assert_eq!(got, (0..50).collect::<Vec<_>>());
    let _report: ShutdownReport = runtime.block_on(server.shutdown(SECOND));
}

#[test]
fn a_dropped_send_over_udp_leaves_no_waker_behind() {
    let runtime = Fake::new(9);
    let server = crate::udp::serve_udp(&runtime, config().max_pending_bytes(100));
    runtime.ether().hold(true);
    let peer = server.peer(crate::udp::here());
    while peer.emit("n", &1).is_ok() {}
    let nobody = Arc::new(Nobody);
    let waker = Waker::from(nobody.clone());
    assert!(pin!(peer.send("n", &1)).poll(&mut Context::from_waker(&waker)).is_pending());
    drop(waker);
    assert_eq!(Arc::strong_count(&nobody), 1);
}

#[test]
fn a_send_that_waits_is_refused_and_counted_when_its_connection_is_told_to_end() {
    let runtime = Fake::new(10);
    runtime.network().set_script(Script::both(Wire::default().capacity(10)));
    let server = serve(&runtime, config().max_pending_bytes(50));
    let _end = dial(&runtime);
    let peer = server.peers().remove(0);
    while peer.emit("n", &1).is_ok() {}
    let mut send = pin!(peer.send("n", &1));
    assert!(poll_once(send.as_mut()).is_pending());
    assert!(poll_once(peer.close()).is_pending());
    assert!(matches!(poll_once(send.as_mut()), Poll::Ready(Err(EmitError::Closed))));
    assert_eq!((peer.counters().waits, peer.counters().sent.refused.closed), (1, 1));
}
