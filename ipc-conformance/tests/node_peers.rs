//! The instruments themselves: the installed node-ipc peers speak the line protocol, and the process driver hears them.

use std::time::Duration;

use ipc_conformance::node::{Version, node_peer};
use ipc_conformance::process::ProcessError;
use serde_json::json;

fn a_server_and_a_client_talk(version: Version) {
    let folder = tempfile::tempdir().expect("temporary folder");
    let path = folder.path().join("s");
    let Some(mut server) = node_peer(version, json!({"role": "server", "path": path, "echo": true})) else {
        return;
    };
    let client = json!({"role": "client", "path": path, "id": "w", "config": {"retry": 100}});
    let Some(mut client) = node_peer(version, client) else {
        return;
    };
    client.event("connect").expect("connected");
    let data = json!({"a": [1, "é😀", null]});
    client.command(json!({"cmd": "emit", "id": "w", "type": "message", "data": data})).expect("emitted");
    let echoed = client.event("message").expect("echoed");
    assert_eq!(echoed["args"][0], data);
    assert_eq!(echoed["data_json"], r#"{"a":[1,"é😀",null]}"#);

    client.say_line("this is not JSON").expect("written");
    client.wait_for(0, "answer to a bad line", |line| line["ev"] == "result" && line["ok"] == false).expect("refused");
    server.command(json!({"cmd": "broadcast", "type": "news", "data": 0})).expect("broadcast");
    assert_eq!(client.event("news").expect("news")["args"][0], json!(0));
    assert_eq!(server.command(json!({"cmd": "state"})).expect("state")["server"]["sockets"], 1);
    let refused = client.command(json!({"cmd": "no such command"}));
    assert!(matches!(refused, Err(ProcessError::Refused { .. })), "{refused:?}");

    client.command(json!({"cmd": "disconnect", "id": "w"})).expect("disconnected");
    server.event("socket.disconnected").expect("seen");
    assert!(client.close().expect("ends").success());
    assert!(server.close().expect("ends").success());
}

#[test]
fn node_ipc_9_2_1_talks() {
    a_server_and_a_client_talk(Version::V9_2_1);
}

#[test]
fn node_ipc_12_0_0_talks() {
    a_server_and_a_client_talk(Version::V12_0_0);
}

#[test]
fn node_ipc_14_0_0_talks() {
    a_server_and_a_client_talk(Version::V14_0_0);
}

#[test]
fn waiting_ends_when_nothing_comes_and_when_the_peer_is_gone() {
    let Some(mut peer) = node_peer(Version::V9_2_1, json!({})) else {
        return;
    };
    let nothing = peer.wait_within(0, "a miracle", Duration::from_millis(50), |_| false);
    assert!(matches!(nothing, Err(ProcessError::Timeout { .. })), "{nothing:?}");
    peer.kill();
    let nothing = peer.wait_for(0, "a miracle", |_| false);
    assert!(matches!(nothing, Err(ProcessError::Ended { .. })), "{nothing:?}");
}
