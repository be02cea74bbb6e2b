//! With real node-ipc 9.2.1 and 14.0.0 at the other end, as clients and as servers.
#![cfg(unix)]

mod common;

use common::Place;
use ipc_testkit::node::{Version, node_peer};
use ipc_testkit::process::PeerProcess;
use serde_json::{Value, json};

const VERSIONS: [Version; 2] = [Version::V9_2_1, Version::V14_0_0];

fn server(version: Version, path: &str, echo: bool) -> Option<PeerProcess> {
    node_peer(version, json!({"role": "server", "path": path, "echo": echo}))
}

fn client(version: Version, path: &str) -> Option<PeerProcess> {
    node_peer(version, json!({"role": "client", "id": "world", "path": path, "config": {"retry": 20}}))
}

#[test]
fn listen_shows_and_answers_what_node_clients_send() {
    for version in VERSIONS {
        let place = Place::new();
        let listener = place.start(&["listen", &place.of("s"), "--echo", "--lifecycle"]);
        let Some(mut node) = client(version, &place.of("s")) else { return };
        node.event("connect").expect("connected");
        assert_eq!(listener.line()["kind"], "open");
        node.command(json!({"cmd": "emit", "id": "world", "type": "message", "data": {"text": "hello é", "n": 1.5}}))
            .expect("emitted");
        let line = listener.line();
        assert_eq!((&line["type"], &line["data"]), (&json!("message"), &json!({"text": "hello é", "n": 1.5})));
        let answer = node.event("message").expect("an answer");
        assert_eq!(answer["args"][0], json!({"text": "hello é", "n": 1.5}), "{version}");
        node.command(json!({"cmd": "disconnect", "id": "world"})).expect("disconnected");
        assert_eq!(listener.line_of("close")["connection"], 0);
    }
}

#[test]
fn send_reaches_node_servers_and_shows_their_answer() {
    for version in VERSIONS {
        let place = Place::new();
        let Some(node) = server(version, &place.of("s"), true) else { return };
        let ended = place.run(&["send", &place.of("s"), "message", "[1, \"é\"]", "--await", "message"]).expect(0);
        assert_eq!(ended.lines()[0]["data"], json!([1, "é"]));
        assert_eq!(node.event("message").expect("the event")["args"][0], json!([1, "é"]), "{version}");
        let lines: String = (0..200).map(|n| format!("{}\n", json!({"type": "n", "data": n}))).collect();
        place.run_with(&["send", &place.of("s")], &lines).expect(0);
        let last = |line: &Value| line["ev"] == "event" && line["type"] == "n" && line["args"][0] == 199;
        node.wait_for(0, "the last event", last).expect("all of them");
        let numbers: Vec<Value> =
            node.events().into_iter().filter(|(name, _)| name == "n").map(|(_, args)| args[0].clone()).collect();
        assert_eq!(numbers, (0..200).collect::<Vec<_>>());
    }
}

#[test]
fn sub_shows_what_node_servers_broadcast() {
    for version in VERSIONS {
        let place = Place::new();
        let Some(mut node) = server(version, &place.of("s"), false) else { return };
        let sub = place.start(&["sub", &place.of("s"), "--filter", "news.*"]);
        node.event("connect").expect("a client");
        for (name, data) in [("other", json!(0)), ("news.a", json!({"x": [1]})), ("news.b", json!("text"))] {
            node.command(json!({"cmd": "broadcast", "type": name, "data": data})).expect("broadcast");
        }
        let (a, b) = (sub.line(), sub.line());
        assert_eq!((&a["type"], &a["data"]), (&json!("news.a"), &json!({"x": [1]})), "{version}");
        assert_eq!((&b["type"], &b["data"]), (&json!("news.b"), &json!("text")));
        sub.interrupt();
        sub.end().expect(0);
        node.event("socket.disconnected").expect("it is gone");
    }
}

#[test]
fn a_tap_stands_between_node_clients_and_node_servers() {
    for (client_is, server_is) in [(VERSIONS[0], VERSIONS[1]), (VERSIONS[1], VERSIONS[0])] {
        let place = Place::new();
        let Some(server) = server(server_is, &place.of("s"), true) else { return };
        let tap = place.start(&["tap", &place.of("t"), &place.of("s")]);
        let Some(mut node) = client(client_is, &place.of("t")) else { return };
        node.event("connect").expect("connected");
        node.command(json!({"cmd": "emit", "id": "world", "type": "message", "data": "through"})).expect("emitted");
        assert_eq!(node.event("message").expect("an answer")["args"][0], "through");
        assert_eq!(server.event("message").expect("the event")["args"][0], "through");
        assert_eq!(tap.line()["kind"], "open");
        for from in ["client", "server"] {
            let line = tap.line();
            assert_eq!(
                (&line["from"], &line["type"], &line["data"]),
                (&json!(from), &json!("message"), &json!("through"))
            );
        }
        node.command(json!({"cmd": "disconnect", "id": "world"})).expect("disconnected");
        let close = tap.line_of("close");
        assert_eq!(close["clientBytes"], close["serverBytes"], "{client_is} and {server_is}");
    }
}

#[test]
fn the_doctor_tells_9_from_14_by_what_they_do() {
    for (version, expected) in [(VERSIONS[0], "node-ipc 9 to 12"), (VERSIONS[1], "node-ipc 14")] {
        let place = Place::new();
        let Some(_node) = server(version, &place.of("s"), false) else { return };
        let ended = place.run(&["doctor", &place.of("s"), "--probe"]).expect(0);
        let lines = ended.lines();
        let guess = lines.iter().rfind(|line| line["about"] == "version").expect("a guess");
        assert!(guess["text"].as_str().is_some_and(|text| text.contains(expected)), "{version}: {guess}");
        let listener = lines.iter().find(|line| line["about"] == "listener").expect("a listener");
        assert!(listener["text"].as_str().is_some_and(|text| text.contains("(node")), "{listener}");
    }
}

#[test]
fn a_node_server_is_measured_and_a_recording_of_its_clients_is_played_to_it() {
    let place = Place::new();
    let Some(node) = server(VERSIONS[1], &place.of("s"), true) else { return };
    let ended = place.run(&["bench", &place.of("s"), "-n", "50", "-c", "2"]).expect(0);
    assert_eq!(ended.lines()[0]["answers"], 50);
    // The answers are in it, so that they are waited for.
    let line = |micros: u32, from: &str, data: u32| {
        let time = format!("2026-01-01T00:00:00.{micros:06}Z");
        format!("{}\n", json!({"time": time, "kind": "event", "from": from, "type": "played", "data": data}))
    };
    let lines = [line(0, "client", 1), line(500, "server", 1), line(1000, "client", 2), line(1500, "server", 2)];
    std::fs::write(place.of("r"), lines.concat()).expect("written");
    place.run(&["replay", &place.of("r"), &place.of("s")]).expect(0).says(&["2 events sent, 2 heard"]);
    let played = node.events().into_iter().filter(|(name, _)| name == "played").map(|(_, args)| args[0].clone());
    assert_eq!(played.collect::<Vec<_>>(), [1, 2]);
}
