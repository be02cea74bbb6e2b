//! Ten thousand connections leave nothing behind, and a storm of clients is served in the end.

#![cfg(target_os = "linux")]
#![allow(clippy::print_stdout, reason = "figures, for who asks for them")]

use ipc_torture::storm::{come_and_go, storm};
use ipc_torture::watch::raise_descriptors;

const PROGRAM: &str = env!("CARGO_BIN_EXE_ipc-torture");
const MIB: u64 = 1024 * 1024;

fn ten_thousand(endpoint: &str) {
    let folder = tempfile::tempdir().expect("a folder");
    let endpoint = endpoint.replace("{}", &folder.path().display().to_string());
    // Each connection has two ends, and one of them is in this process.
    let wave = if raise_descriptors() > 1200 { 500 } else { 100 };
    let outcome = come_and_go(PROGRAM.as_ref(), &endpoint, 10_000, wave).expect("all came and went");
    println!("{outcome:?}");
    assert_eq!(outcome.connections, 10_000);
    assert_eq!(outcome.descriptors_after, outcome.descriptors_before);
    assert!(outcome.descriptors_most >= wave, "they were all there at once: {outcome:?}");
    assert!(outcome.memory_after < outcome.memory_before + 4 * MIB, "it grows: {outcome:?}");
}

#[test]
fn ten_thousand_connections_over_a_unix_socket_leave_nothing_behind() {
    ten_thousand("unix:{}/socket");
}

#[test]
fn ten_thousand_connections_over_tcp_leave_nothing_behind() {
    ten_thousand("tcp:127.0.0.1:0");
}

#[test]
fn five_hundred_clients_at_once_are_all_served_a_hundred_at_a_time() {
    raise_descriptors();
    let folder = tempfile::tempdir().expect("a folder");
    for endpoint in ["unix:{}/socket", "tcp:127.0.0.1:0"] {
        let endpoint = endpoint.replace("{}", &folder.path().display().to_string());
        let outcome = storm(PROGRAM.as_ref(), &endpoint, 500, 100).expect("all are served");
        println!("{endpoint}: {outcome:?}");
        assert_eq!(outcome.answered, 500);
        assert!(outcome.turned_away > 0, "there was no storm: {outcome:?}");
        // Those who are turned away have a descriptor for a moment.
        assert!(outcome.descriptors_most < 200, "{outcome:?}");
    }
}
