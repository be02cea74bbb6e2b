//! `kill -9` of either side, in the middle of a frame and in the middle of a TLS handshake.

#![cfg(target_os = "linux")]

use ipc_torture::child::Child;
use ipc_torture::place::{Over, Place};
use serde_json::json;
use std::thread::sleep;
use std::time::Duration;

const PROGRAM: &str = env!("CARGO_BIN_EXE_ipc-torture");
/// More than sockets hold, so that it is on its way for as long as nobody reads.
const LARGE: u64 = 8 * 1024 * 1024;

fn emit(subject: &mut Child, size: u64) {
    let said = subject.ask(json!({"cmd": "emit", "size": size}));
    assert_eq!(said["accepted"], 1, "{said}");
}

/// Emits a large event that is written in part only, because the other side is stopped.
fn emit_half(subject: &mut Child) {
    emit(subject, LARGE);
    sleep(Duration::from_millis(200));
    let pending = subject.ask(json!({"cmd": "pending"})).as_u64().unwrap_or(0);
    assert!(pending > 0, "all of it is written");
}

#[test]
fn a_server_killed_in_mid_frame_is_noticed_and_its_successor_found() {
    for over in Over::ALL {
        let place = Place::new(PROGRAM);
        let mut server = place.server(over).start();
        let mut client = place.client(over, &server.endpoint).start();
        client.await_count("connected", 1);
        server.await_count("connected", 1);
        client.watched().stop().expect("stopped");
        emit_half(&mut server);
        server.kill();
        client.watched().go_on().expect("goes on");
        client.await_count("disconnected", 1);
        assert_eq!(client.count("messages"), 0, "{over:?}: nothing half is delivered");

        if over == Over::Unix {
            assert!(place.path("world").exists(), "a killed server leaves its socket file");
        }
        let mut successor = place.server_at(over, &server.endpoint).start();
        client.await_count("connected", 2);
        successor.await_count("connected", 1);
        emit(&mut successor, 10);
        client.await_count("numbers", 1);
        assert_eq!((client.count("gaps"), client.count("torn")), (0, 0));
    }
}

#[test]
fn a_client_killed_in_mid_frame_is_noticed_and_others_are_served() {
    for over in Over::ALL {
        let place = Place::new(PROGRAM);
        let mut server = place.server(over).start();
        let mut client = place.client(over, &server.endpoint).start();
        client.await_count("connected", 1);
        server.await_count("connected", 1);
        server.watched().stop().expect("stopped");
        emit_half(&mut client);
        client.kill();
        server.watched().go_on().expect("goes on");
        server.await_count("disconnected", 1);
        assert_eq!(server.count("messages"), 0, "{over:?}: nothing half is delivered");

        let mut other = place.client(over, &server.endpoint).start();
        other.await_count("connected", 1);
        emit(&mut other, 10);
        server.await_count("numbers", 1);
        assert_eq!((server.count("gaps"), server.count("torn")), (0, 0));
    }
}

#[test]
fn a_server_killed_in_mid_handshake_is_noticed_and_its_successor_found() {
    let place = Place::new(PROGRAM);
    let mut server = place.server(Over::Tls).start();
    // The system takes the connection and the beginning of the handshake for it.
    server.watched().stop().expect("stopped");
    let mut client = place.client(Over::Tls, &server.endpoint).start();
    sleep(Duration::from_millis(300));
    assert_eq!((client.count("connected"), client.count("connect")), (0, 0), "it waits for an answer");
    server.kill();
    client.await_count("connect", 1);
    assert_eq!(client.count("connected"), 0);
    let mut successor = place.server_at(Over::Tls, &server.endpoint).start();
    client.await_count("connected", 1);
    emit(&mut client, 10);
    successor.await_count("numbers", 1);
}

#[test]
fn a_client_killed_in_mid_handshake_is_noticed_and_never_was_a_peer() {
    let place = Place::new(PROGRAM);
    let mut server = place.server(Over::Tls).start();
    let at_rest = server.watched().descriptors().expect("its descriptors");
    server.watched().stop().expect("stopped");
    let mut client = place.client(Over::Tls, &server.endpoint).start();
    sleep(Duration::from_millis(300));
    client.kill();
    server.watched().go_on().expect("goes on");
    server.await_count("turned_away", 1);
    assert_eq!((server.count("connected"), server.count("handshake")), (0, 1));
    assert!(ipc_torture::watch::until(|| server.watched().descriptors().is_ok_and(|now| now == at_rest)));
    let mut other = place.client(Over::Tls, &server.endpoint).start();
    other.await_count("connected", 1);
}
