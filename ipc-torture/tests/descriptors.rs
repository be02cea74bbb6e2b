//! No descriptors left: nothing spins, nothing dies, and it goes on by itself once there are some again.

#![cfg(target_os = "linux")]
#![allow(clippy::print_stdout, reason = "figures, for who asks for them")]

use ipc_torture::adapters::Adapter;
use ipc_torture::child::Plan;
use ipc_torture::raw::Raw;
use ipc_torture::watch::until;
use serde_json::json;
use std::fs;
use std::time::Duration;

const PROGRAM: &str = env!("CARGO_BIN_EXE_ipc-torture");

/// What an idle wait may use of a processor: a try every 50 ms costs less than a thousandth, a loop that spins all of one.
const IDLE: f64 = 0.2;

/// No number is below the standard ones that is free: nothing more can be opened. What is open stays so.
const NONE_LEFT: u64 = 3;

fn server_without_descriptors(adapter: Adapter, endpoint: &str) {
    let folder = tempfile::tempdir().expect("a folder");
    let endpoint = endpoint.replace("{}", &folder.path().display().to_string());
    let log = folder.path().join("log");
    let plan = Plan::new(PROGRAM, "server", &endpoint).adapter(adapter);
    let mut server = plan.option("log", log.display().to_string()).start();
    let mut old = Raw::connect(&server.endpoint).expect("connected");
    old.round_trip().expect("an answer");

    server.watched().limit_descriptors(NONE_LEFT).expect("limited");
    // The system takes them in; the server cannot.
    let mut waiting: Vec<Raw> = (0..5).map(|_| Raw::connect(&server.endpoint).expect("in the backlog")).collect();
    let load = server.watched().load_during(Duration::from_secs(1)).expect("its processor time");
    println!("{} at {endpoint}: load {load:.3} without descriptors", adapter.name());
    assert!(load < IDLE, "{} spins at {endpoint}: {load}", adapter.name());
    old.round_trip().expect("who is in is served");
    assert_eq!(server.count("connected"), 1);

    server.watched().limit_descriptors(1024).expect("limited");
    for raw in &mut waiting {
        raw.round_trip().expect("let in once there are descriptors");
    }
    drop((old, waiting));
    server.await_count("disconnected", 6);
    let log = fs::read_to_string(&log).expect("a log");
    let complaints = log.matches("cannot accept a connection").count();
    assert!((1..=4).contains(&complaints), "some 20 attempts make {complaints} lines in the log");
}

#[test]
fn a_server_without_descriptors_waits_and_lets_in_who_has_waited() {
    for adapter in Adapter::ALL {
        server_without_descriptors(adapter, "unix:{}/socket");
        server_without_descriptors(adapter, "tcp:127.0.0.1:0");
    }
}

#[test]
fn a_client_without_descriptors_tries_again_and_gets_connected_once_there_are_some() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut server = Plan::new(PROGRAM, "server", &format!("unix:{}/socket", folder.path().display())).start();
    for adapter in Adapter::ALL {
        let plan = Plan::new(PROGRAM, "client", &server.endpoint).adapter(adapter).option("start", false);
        let mut client = plan.config(json!({"retry": 50})).start();
        client.watched().limit_descriptors(NONE_LEFT).expect("limited");
        client.ask(json!({"cmd": "start"}));
        client.await_count("connect", 1);
        let before = client.count("connect");
        let load = client.watched().load_during(Duration::from_secs(1)).expect("its processor time");
        let tries = client.count("connect") - before;
        println!("{}: {tries} tries, load {load:.3}", adapter.name());
        assert!(load < IDLE, "{} spins: {load}", adapter.name());
        assert!((5..=21).contains(&tries), "{}: {tries} tries in a second, 50 ms apart", adapter.name());
        let error = client.ask(json!({"cmd": "counts"}))["last_error"].to_string();
        assert!(error.contains("Too many open files"), "{error}");
        client.watched().limit_descriptors(1024).expect("limited");
        client.await_count("connected", 1);
    }
    assert!(until(|| server.count("connected") == 3));
}

#[test]
fn a_loop_that_spins_would_be_noticed() {
    // The measure itself: this process, spinning.
    let spinning = std::thread::spawn(|| {
        let began = std::time::Instant::now();
        while began.elapsed() < Duration::from_secs(2) {
            std::hint::spin_loop();
        }
    });
    let load = ipc_torture::watch::Watched::this().load_during(Duration::from_secs(1)).expect("our processor time");
    assert!(load > IDLE * 2.0, "{load}");
    spinning.join().expect("ended");
}
