//! What is emitted leaves in order, in as few writes and wake-ups as can be.

use crate::world::*;
use ipc_driver::fake::{Fake, Script, Sizes, Wire};
use ipc_driver::runtime::Runtime;
use ipc_driver::{EmitError, Frame, Peer};
use serde::{Serialize, Serializer};
use std::panic::{AssertUnwindSafe, catch_unwind};

#[test]
fn events_of_many_tasks_arrive_in_the_order_in_which_they_were_emitted() {
    let runtime = Fake::new(1);
    let server = serve(&runtime, config());
    let mut peer_end = dial(&runtime);
    let peer = server.peers().remove(0);
    let order = Log::default();
    for task in 0..10_u32 {
        let (peer, order, timer) = (peer.clone(), order.clone(), runtime.clone());
        runtime.spawn(async move {
            for step in 0..20 {
                peer.emit("n", &(task * 100 + step)).unwrap();
                order.push(task * 100 + step);
                timer.sleep(MILLISECOND * (1 + (task * 7 + step) % 5)).await;
            }
        });
    }
    runtime.advance(SECOND);
    let bytes = runtime.block_on(peer_end.receive()).unwrap();
    assert_eq!(numbers(&bytes), order.take().into_iter().map(u64::from).collect::<Vec<_>>());
}

#[test]
fn events_emitted_inside_handlers_keep_their_place_among_the_others() {
    let runtime = Fake::new(2);
    runtime.network().set_script(Script::both(Wire::default().reads(Sizes::Random(40)).writes(Sizes::Random(7))));
    let server = serve(&runtime, config());
    server.on("n", |peer, n: u64| {
        peer.emit("n", &(n * 10))?;
        peer.emit("n", &(n * 10 + 1))
    });
    let mut peer_end = dial(&runtime);
    runtime.block_on(async {
        for n in 0..50_u64 {
            peer_end.send(frame("n", n).as_bytes()).await.unwrap();
        }
        peer_end.finish();
        let (bytes, error) = drain(&mut peer_end).await;
        assert!(error.is_none(), "{error:?}");
        let expected: Vec<u64> = (0..50).flat_map(|n| [n * 10, n * 10 + 1]).collect();
        assert_eq!(numbers(&bytes), expected);
    });
}

#[test]
fn all_answers_to_one_read_leave_in_one_write() {
    let runtime = Fake::new(3);
    let server = serve(&runtime, config());
    server.on_event("n", Peer::emit_event);
    let mut peer_end = dial(&runtime);
    let hundred: String = (0..100).map(|n| frame("n", n)).collect();
    runtime.block_on(peer_end.send(hundred.as_bytes())).unwrap();
    runtime.run();
    let traffic = peer_end.connection().to_client();
    assert_eq!((traffic.writes, traffic.written), (1, hundred.len()));
}

#[test]
fn events_of_one_tick_leave_in_one_write_and_wake_the_connection_once() {
    let runtime = Fake::new(4);
    let server = serve(&runtime, config());
    let mut peer_end = dial(&runtime);
    let peer = server.peers().remove(0);
    let serving = |runtime: &Fake| runtime.tasks().into_iter().find(|task| task.name.contains("Serving<")).unwrap();
    let before = serving(&runtime);
    (0..100).for_each(|n| peer.emit("n", &n).unwrap());
    assert_eq!(serving(&runtime).wakes, before.wakes + 1);
    runtime.run();
    assert_eq!(peer_end.connection().to_client().writes, 1);
    assert_eq!(serving(&runtime).polls, before.polls + 1);
    assert_eq!(numbers(&runtime.block_on(peer_end.receive()).unwrap()).len(), 100);
}

#[test]
fn an_answer_made_in_a_handler_wakes_nobody() {
    let runtime = Fake::new(5);
    let server = serve(&runtime, config());
    server.on_event("n", Peer::emit_event);
    let mut peer_end = dial(&runtime);
    let serving = |runtime: &Fake| runtime.tasks().into_iter().find(|task| task.name.contains("Serving<")).unwrap();
    let before = serving(&runtime);
    for round in 1..=10 {
        runtime.block_on(peer_end.send(frame("n", round).as_bytes())).unwrap();
        runtime.run();
        runtime.block_on(peer_end.receive()).unwrap();
        runtime.run();
        let now = serving(&runtime);
        assert_eq!((now.polls - before.polls, now.wakes - before.wakes), (round, round));
    }
}

#[test]
fn a_waiting_connection_is_not_polled() {
    let runtime = Fake::new(6);
    let _server = serve(&runtime, config());
    let _client = connect(&runtime, config());
    let polls = |runtime: &Fake| runtime.tasks().iter().map(|task| task.polls).sum::<usize>();
    let before = polls(&runtime);
    runtime.advance(SECOND * 3600);
    assert_eq!(polls(&runtime), before);
}

#[test]
fn a_broadcast_is_encoded_once_and_reaches_everybody() {
    struct Counted<'a>(&'a Log<()>);
    impl Serialize for Counted<'_> {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            self.0.push(());
            serializer.serialize_u64(7)
        }
    }
    let runtime = Fake::new(7);
    let server = serve(&runtime, config());
    let mut ends: Vec<_> = (0..5).map(|_| dial(&runtime)).collect();
    let encoded = Log::default();
    let outcome = server.broadcast("n", &Counted(&encoded)).unwrap();
    assert_eq!((outcome.queued, outcome.full, outcome.closed, encoded.len()), (5, 0, 0, 1));
    for end in &mut ends {
        assert_eq!(numbers(&runtime.block_on(end.receive()).unwrap()), [7]);
    }
}

#[test]
fn a_large_shared_frame_keeps_its_place_among_small_ones() {
    let runtime = Fake::new(8);
    runtime.network().set_script(Script::both(Wire::default().capacity(500).writes(Sizes::Random(300))));
    let server = serve(&runtime, config());
    let mut peer_end = dial(&runtime);
    let peer = server.peers().remove(0);
    let large = Frame::new(server.settings(), "n", &(1, "x".repeat(10_000))).unwrap();
    peer.emit("n", &0).unwrap();
    peer.emit_frame(&large).unwrap();
    peer.emit("n", &2).unwrap();
    drop(server);
    let (bytes, _) = runtime.block_on(drain(&mut peer_end));
    assert_eq!(numbers(&bytes), [0, 1, 2]);
}

#[test]
fn a_payload_that_panics_while_it_is_encoded_leaves_no_trace_on_the_wire() {
    struct Panics;
    impl Serialize for Panics {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            use serde::ser::SerializeSeq;
            let mut seq = serializer.serialize_seq(None)?;
            seq.serialize_element("some of it")?;
            panic!("no more of it");
        }
    }
    let runtime = Fake::new(9);
    let server = serve(&runtime, config().max_pending_bytes(100));
    let mut peer_end = dial(&runtime);
    let peer = server.peers().remove(0);
    peer.emit("n", &1).unwrap();
    assert!(catch_unwind(AssertUnwindSafe(|| peer.emit("n", &Panics))).is_err());
    peer.emit("n", &2).unwrap();
    assert!(catch_unwind(AssertUnwindSafe(|| Frame::new(server.settings(), "n", &Panics))).is_err());
    runtime.run();
    assert_eq!(numbers(&runtime.block_on(peer_end.receive()).unwrap()), [1, 2]);
    assert!(matches!(peer.emit("n", &"x".repeat(90)), Ok(())));
    assert!(matches!(peer.emit("n", &"x".repeat(90)), Err(EmitError::Full { limit: 100, .. })));
}

#[test]
fn the_limit_doubled_for_a_handler_is_as_before_after_a_panic() {
    struct Panics;
    impl Serialize for Panics {
        fn serialize<S: Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
            panic!("not to be encoded");
        }
    }
    let runtime = Fake::new(10);
    let server = serve(&runtime, config().max_pending_bytes(100));
    server.on("n", |peer, (): ()| {
        assert!(catch_unwind(AssertUnwindSafe(|| peer.emit("n", &Panics))).is_err());
    });
    let mut peer_end = dial(&runtime);
    runtime.block_on(peer_end.send(b"{\"type\":\"n\"}\x0c")).unwrap();
    runtime.run();
    let peer = server.peers().remove(0);
    peer.emit("n", &"x".repeat(70)).unwrap();
    assert!(matches!(peer.emit("n", &"x".repeat(70)), Err(EmitError::Full { limit: 100, .. })));
}
