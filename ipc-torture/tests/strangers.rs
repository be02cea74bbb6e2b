//! Processes of another user at a Unix socket: kept out by its mode, and where that is open to all, by the accept filter.

#![cfg(target_os = "linux")]

use ipc_torture::child::Plan;
use ipc_torture::needs;
use ipc_torture::place::{Over, Place};
use serde_json::json;
use std::fs;
use std::os::unix::fs::PermissionsExt;

const PROGRAM: &str = env!("CARGO_BIN_EXE_ipc-torture");

fn stranger(place: &Place, endpoint: &str) -> Plan {
    let plan = place.client(Over::Unix, endpoint).program(place.path("program"));
    plan.under(["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"])
}

#[test]
fn another_user_is_kept_out_by_mode_and_by_filter_and_let_in_where_both_allow_it() {
    if !needs::root_and(&["setpriv"], "another user at the socket") {
        return;
    }
    let place = Place::new(PROGRAM);
    fs::set_permissions(place.path(""), fs::Permissions::from_mode(0o755)).expect("open to all");
    fs::copy(PROGRAM, place.path("program")).expect("a program that others may run");

    let mut closed = place.server(Over::Unix).start();
    let mut one = stranger(&place, &closed.endpoint).start();
    one.await_count("connect", 2);
    let error = one.ask(json!({"cmd": "counts"}))["last_error"].to_string();
    assert!(error.contains("Permission denied"), "{error}");
    assert_eq!((one.count("connected"), closed.count("connected"), closed.count("turned_away")), (0, 0, 0));
    closed.ask(json!({"cmd": "shutdown"}));
    drop(one);

    let open_to_all = json!({"readableAll": true, "writableAll": true});
    let filtered = place.server(Over::Unix).config(open_to_all.clone()).option("own_user_only", true);
    let mut filtered = filtered.start();
    let mut one = stranger(&place, &filtered.endpoint).start();
    filtered.await_count("turned_away", 1);
    assert_eq!(filtered.count("connected"), 0);
    let error = filtered.ask(json!({"cmd": "counts"}))["last_error"].to_string();
    assert!(error.contains("user 65534"), "{error}");
    // It is told nothing, but that the connection ends.
    one.await_count("disconnected", 1);
    let mut own = place.client(Over::Unix, &filtered.endpoint).start();
    filtered.await_count("connected", 1);
    own.await_count("connected", 1);
    filtered.ask(json!({"cmd": "shutdown"}));
    drop((one, own));

    // The test itself: where mode and filter let it in, the stranger comes in.
    let mut open = place.server(Over::Unix).config(open_to_all).start();
    let _one = stranger(&place, &open.endpoint).start();
    open.await_count("connected", 1);
}
