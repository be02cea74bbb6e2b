//! Peers that are stopped (`SIGSTOP`) and go on later: in the middle of a frame, and while we send.

#![cfg(target_os = "linux")]

use ipc_torture::adapters::Adapter;
use ipc_torture::place::{Over, Place};
use serde_json::json;
use std::thread::sleep;
use std::time::{Duration, Instant};

const PROGRAM: &str = env!("CARGO_BIN_EXE_ipc-torture");
const MIB: u64 = 1024 * 1024;

#[test]
fn a_peer_stopped_in_mid_frame_for_longer_than_the_message_timeout_is_cut_and_comes_back() {
    for over in Over::ALL {
        let place = Place::new(PROGRAM);
        let mut server = place.server(over).config(json!({"messageTimeout": 500})).start();
        let mut client = place.client(over, &server.endpoint).start();
        client.await_count("connected", 1);
        server.await_count("connected", 1);
        // The frame is written as far as the sockets take it, and no further.
        server.watched().stop().expect("stopped");
        client.ask(json!({"cmd": "emit", "size": 8 * MIB}));
        sleep(Duration::from_millis(200));
        client.watched().stop().expect("stopped");
        server.watched().go_on().expect("goes on");
        let began = Instant::now();
        server.await_count("disconnected", 1);
        assert!(began.elapsed() < Duration::from_secs(3), "{over:?}: {:?}", began.elapsed());
        assert_eq!(server.count("ERR_IPC_MESSAGE_TIMEOUT"), 1, "{over:?}");
        assert_eq!(server.count("messages"), 0);

        client.watched().go_on().expect("goes on");
        client.await_count("disconnected", 1);
        client.await_count("connected", 2);
        server.await_count("connected", 2);
        // Its own numbers go on where they were; that of the half frame is the one that is missing.
        client.ask(json!({"cmd": "emit", "name": "echo", "size": 10}));
        client.await_count("messages", 1);
    }
}

#[test]
fn a_stopped_peer_fills_the_queue_to_its_bound_and_gets_everything_accepted_once_it_goes_on() {
    for (adapter, over) in [
        (Adapter::Tokio, Over::Unix),
        (Adapter::Tokio, Over::Tls),
        (Adapter::Smol, Over::Tcp),
        (Adapter::AsyncStd, Over::Unix),
    ] {
        let place = Place::new(PROGRAM);
        let plan = place.server(over).adapter(adapter);
        let mut server = plan.config(json!({"maxPendingBytes": 4 * MIB, "maxMessageSize": MIB})).start();
        let mut client = place.client(over, &server.endpoint).adapter(adapter).start();
        client.await_count("connected", 1);
        server.await_count("connected", 1);
        let before = server.watched().memory().expect("its memory");
        client.watched().stop().expect("stopped");

        // Until the sockets are full, each refusal is followed by a moment in which they take some.
        let (mut accepted, mut quiet) = (0, 0);
        while quiet < 5 {
            let said = server.ask(json!({"cmd": "emit", "size": 10_000, "count": 10_000}));
            let now = said["accepted"].as_u64().expect("a number");
            let refused = said["refused"].as_str().expect("refused at some point");
            assert!(refused.contains("maxPendingBytes"), "{refused}");
            accepted += now;
            quiet = if now == 0 { quiet + 1 } else { 0 };
            sleep(Duration::from_millis(50));
        }
        let pending = server.ask(json!({"cmd": "pending"})).as_u64().expect("a number");
        let grown = server.watched().peak().expect("its memory").saturating_sub(before);
        println!("{} over {over:?}: {accepted} accepted, {pending} bytes pending, {grown} bytes grown", adapter.name());
        assert!(pending <= 4 * MIB, "{pending}");
        assert!(accepted * 10_000 < 16 * MIB, "{accepted}: more than the queue and the sockets hold");
        assert!(grown < 16 * MIB, "{grown}");

        client.watched().go_on().expect("goes on");
        client.await_count("numbers", accepted);
        assert_eq!((client.count("numbers"), client.count("gaps"), client.count("torn")), (accepted, 0, 0));
    }
}
