//! A network that is cut and mended under a TCP connection.
//!
//! What is promised: a cut is not noticed by itself. TCP sends again what was not confirmed, so that whatever was emitted arrives,
//! in order, when the network is back; and a connection on which nothing is sent does not even know. Linux gives up on what it
//! cannot send after some 15 minutes (`net.ipv4.tcp_retries2`), and on a connection that is idle only with `tcpKeepAlive`. What
//! notices too is `messageTimeout`, where a frame has begun and does not go on.

#![cfg(target_os = "linux")]

use ipc_torture::child::Child;
use ipc_torture::netns::{FAR, Wire};
use ipc_torture::place::{Over, Place};
use serde_json::{Value, json};
use std::thread::sleep;
use std::time::{Duration, Instant};

const PROGRAM: &str = env!("CARGO_BIN_EXE_ipc-torture");

/// Longer than `messageTimeout` here.
const CUT: Duration = Duration::from_secs(2);

fn pair(place: &Place, wire: &Wire, config: &Value) -> (Child, Child) {
    let server = place.server_at(Over::Tcp, &format!("tcp:{FAR}:0")).config(config.clone()).under(wire.far());
    let mut server = server.start();
    let mut client = place.client(Over::Tcp, &server.endpoint).config(config.clone()).under(wire.near()).start();
    client.await_count("connected", 1);
    server.await_count("connected", 1);
    (server, client)
}

fn emit(subject: &mut Child, size: usize, count: u64) {
    let said = subject.ask(json!({"cmd": "emit", "size": size, "count": count}));
    assert_eq!(said["accepted"], count, "{said}");
}

#[test]
fn what_is_emitted_while_the_network_is_cut_arrives_in_order_when_it_is_back() {
    let Some(wire) = Wire::lay("a network that is cut") else { return };
    let place = Place::new(PROGRAM);
    let (mut server, mut client) = pair(&place, &wire, &json!({"messageTimeout": 500}));
    emit(&mut client, 100, 10);
    server.await_count("numbers", 10);

    wire.set_up_far(false);
    emit(&mut client, 100, 50);
    emit(&mut server, 100, 50);
    sleep(CUT);
    assert_eq!((server.count("numbers"), client.count("numbers")), (10, 0), "nothing comes through");
    assert_eq!((server.count("disconnected"), client.count("disconnected")), (0, 0), "and nobody notices");
    wire.set_up_far(true);
    let began = Instant::now();
    server.await_count("numbers", 60);
    client.await_count("numbers", 50);
    println!("all of it {:.1?} after the network was back", began.elapsed());
    assert_eq!((server.count("gaps"), client.count("gaps")), (0, 0));
    assert_eq!((server.count("disconnected"), client.count("disconnected")), (0, 0));

    // The address itself goes and comes.
    wire.set_near_address(false);
    emit(&mut client, 100, 50);
    sleep(Duration::from_millis(500));
    assert_eq!(server.count("numbers"), 60);
    wire.set_near_address(true);
    server.await_count("numbers", 110);
    assert_eq!((server.count("gaps"), client.count("disconnected")), (0, 0));
}

#[test]
fn a_frame_that_does_not_go_on_is_cut_at_the_message_timeout_and_the_client_comes_back() {
    let Some(wire) = Wire::lay("a network that is cut in mid-frame") else { return };
    let place = Place::new(PROGRAM);
    let (mut server, mut client) = pair(&place, &wire, &json!({"messageTimeout": 500}));
    // The server reads a part of it before the wire is cut.
    server.watched().stop().expect("stopped");
    emit(&mut client, 12 << 20, 1);
    sleep(Duration::from_millis(300));
    wire.set_up_far(false);
    server.watched().go_on().expect("goes on");
    server.await_count("ERR_IPC_MESSAGE_TIMEOUT", 1);
    server.await_count("disconnected", 1);
    assert_eq!((server.count("messages"), client.count("disconnected")), (0, 0), "the client cannot know yet");
    wire.set_up_far(true);
    // The next that it sends is answered by a reset.
    client.await_count("disconnected", 1);
    client.await_count("connected", 2);
    server.await_count("connected", 2);
}

#[test]
fn with_keep_alive_both_sides_of_an_idle_connection_notice_a_cut_and_the_client_comes_back() {
    let Some(wire) = Wire::lay("a network that is cut in silence") else { return };
    let place = Place::new(PROGRAM);
    let (mut server, mut client) = pair(&place, &wire, &json!({"tcpKeepAlive": 1000}));
    // Questions that are answered end nothing.
    sleep(CUT + CUT);
    assert_eq!((server.count("disconnected"), client.count("disconnected")), (0, 0));
    wire.set_up_far(false);
    let began = Instant::now();
    server.await_count("disconnected", 1);
    client.await_count("disconnected", 1);
    println!("noticed after {:.1?}", began.elapsed());
    wire.set_up_far(true);
    client.await_count("connected", 2);
    server.await_count("connected", 2);
}

#[test]
fn a_client_dials_until_the_network_is_there() {
    let Some(wire) = Wire::lay("a network that is not there") else { return };
    let place = Place::new(PROGRAM);
    let server = place.server_at(Over::Tcp, &format!("tcp:{FAR}:0")).under(wire.far());
    let mut server = server.start();
    wire.set_near_address(false);
    let mut client = place.client(Over::Tcp, &server.endpoint).under(wire.near()).start();
    client.await_count("connect", 2);
    let error = client.ask(json!({"cmd": "counts"}))["last_error"].to_string();
    assert!(error.contains("unreachable"), "{error}");
    wire.set_near_address(true);
    server.await_count("connected", 1);
}
