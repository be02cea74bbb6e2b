//! TLS and UDP, with certificates made for the occasion.
#![cfg(unix)]

mod common;

use common::{Place, Program, port_in};
use serde_json::json;
use std::net::UdpSocket;
use std::time::Duration;

/// A place with certificates: `ca.crt`, `server.crt`, `client.crt`, `expired.crt` and so on, each with its key.
fn place() -> Place {
    let place = Place::new();
    ipc_testkit::certificates::make(place.path()).expect("certificates");
    place
}

fn listening(place: &Place, args: &[&str]) -> (Program, u16) {
    let program = Program::start(place.command(args));
    let port = port_in(&program.said_on_stderr(|line| line.starts_with("listening at")));
    (program, port)
}

const SERVER: [&str; 6] = ["listen", "tls:127.0.0.1:0", "--cert", "server.crt", "--key", "server.key"];

#[test]
fn events_go_through_tls_to_whom_is_trusted_only() {
    let place = place();
    let (listener, port) = listening(&place, &common::args(&SERVER, &["--echo"]));
    let address = format!("tls:localhost:{port}");
    let answer = place.run(&["send", &address, "x", "1", "--await", "x", "--ca", "ca.crt"]).expect(0);
    assert_eq!(answer.lines()[0]["data"], 1);
    assert_eq!(listener.line()["type"], "x");
    // By exact match of the server's own certificate, too.
    place.run(&["send", &address, "x", "--ca", "server.crt"]).expect(0);
    let wrong = place.run(&["send", &address, "x", "--ca", "otherca.crt"]).expect(3);
    wrong.says(&["cannot connect to tls:localhost", "UnknownIssuer", "--ca", "ipc doctor"]);
    let name = ["send", &address, "x", "--ca", "ca.crt", "--server-name", "elsewhere.example"];
    place.run(&name).expect(3).says(&["certificate"]);
    place.run(&["send", &address, "x", "--danger-accept-any-certificate"]).expect(0);
    place.run(&["send", &address, "x", "--insecure"]).expect(2);
}

#[test]
fn clients_show_certificates_where_the_server_asks_for_them() {
    let place = place();
    let (_listener, port) = listening(&place, &common::args(&SERVER, &["--echo", "--ca", "ca.crt"]));
    let address = format!("tls:localhost:{port}");
    let head = ["send", &address, "x", "--await", "x", "--ca", "ca.crt"];
    place.run(&common::args(&head, &["--cert", "client.crt", "--key", "client.key"])).expect(0);
    let refused = place.run(&head);
    assert!(matches!(refused.code, Some(3 | 6)), "{refused:?}");
    refused.says(&["help:"]);
}

#[test]
fn flags_of_tls_in_the_wrong_place_and_files_that_are_wrong_are_named() {
    let place = place();
    let ended = place.run(&["send", "unix:world", "x", "--ca", "ca.crt"]).expect(2);
    ended.says(&["addresses that begin with tls:"]);
    place.run(&["listen", "tls:127.0.0.1:0"]).expect(2).says(&["private key", "--cert FILE"]);
    let swapped = ["listen", "tls:127.0.0.1:0", "--cert", "server.key", "--key", "server.crt"];
    place.run(&swapped).expect(2).says(&["server.crt", "private key"]);
    place.run(&["send", "tls:127.0.0.1:1", "x", "--ca", "nowhere.crt"]).expect(2).says(&["nowhere.crt"]);
}

#[test]
fn a_tap_opens_tls_on_either_side() {
    let place = place();
    let (_listener, port) = listening(&place, &common::args(&SERVER, &["--echo"]));
    let target = format!("tls:localhost:{port}");
    let (plain, clear) = listening(&place, &["tap", "tcp:127.0.0.1:0", &target, "--ca", "ca.crt"]);
    let clear = format!("tcp:{clear}");
    place.run(&["send", &clear, "in the clear", "1", "--await", "in the clear"]).expect(0);
    assert_eq!(plain.line_of("event")["type"], "in the clear");
    let both = ["tap", "tls:127.0.0.1:0", &target, "--ca", "ca.crt", "--cert", "server.crt", "--key", "server.key"];
    let (tap, port) = listening(&place, &both);
    let address = format!("tls:localhost:{port}");
    place.run(&["send", &address, "x", "2", "--await", "x", "--ca", "ca.crt"]).expect(0);
    let (there, back) = (tap.line_of("event"), tap.line_of("event"));
    assert_eq!((&there["from"], &back["from"]), (&json!("client"), &json!("server")));
    assert_eq!((&there["data"], &back["data"]), (&json!(2), &json!(2)));
    // Who does not speak TLS is told of, and the tap goes on.
    place.run(&["send", &format!("tcp:{port}"), "x", "--await", "y", "--timeout", "5"]).expect(6);
    let close = loop {
        let close = tap.line_of("close");
        if close.get("error").is_some() {
            break close;
        }
    };
    assert!(close["error"].as_str().is_some_and(|error| error.contains("TLS handshake")), "{close}");
}

#[test]
fn the_doctor_reads_certificates_and_says_what_is_wrong() {
    let place = place();
    let findings = |args: &[&str], code: i32| {
        let ended = place.run(&common::args(&["doctor"], args)).expect(code);
        ended
            .lines()
            .into_iter()
            .map(|line| (line["level"].clone(), line["about"].clone(), line["text"].to_string()))
            .collect::<Vec<_>>()
    };
    let has = |all: &[(serde_json::Value, serde_json::Value, String)], level: &str, about: &str, text: &str| {
        let found = all.iter().any(|(l, a, t)| l == level && a == about && t.contains(text));
        assert!(found, "no {level} about {about} with {text:?} in {all:#?}");
    };
    let (_good, port) = listening(&place, &SERVER);
    let address = format!("tls:localhost:{port}");
    let good = findings(&[&address, "--ca", "ca.crt"], 0);
    has(&good, "good", "certificate", "CN=localhost issued by CN=interop test CA, valid from");
    has(&good, "good", "certificate", "for localhost, 127.0.0.1, ::1");
    has(&good, "good", "tls", "TLS 1.3");
    has(&good, "good", "answer", "stays connected");
    let untrusted = findings(&[&address], 1);
    has(&untrusted, "problem", "answer", "UnknownIssuer");
    let wrong_name = findings(&[&address, "--ca", "ca.crt", "--server-name", "elsewhere.example"], 1);
    has(&wrong_name, "warning", "name", "does not carry the name elsewhere.example");

    let in_clear = findings(&[&address.replace("tls:", "tcp:"), "--probe"], 1);
    has(&in_clear, "problem", "tls", "that port is encrypted");
    let (_plain, port) = listening(&place, &["listen", "tcp:127.0.0.1:0"]);
    has(&findings(&[&format!("tcp:localhost:{port}"), "--probe"], 0), "note", "version", "node-ipc 9 to 12");
    let clear = findings(&[&format!("tls:localhost:{port}"), "--ca", "ca.crt"], 1);
    has(&clear, "problem", "tls", "there is no handshake");
    has(&findings(&[&format!("tcp:127.0.0.1:{}", common::free_port())], 1), "problem", "port", "nobody listens");
}

#[test]
fn events_go_over_udp_and_through_a_tap() {
    let place = Place::new();
    let (listener, port) = listening(&place, &["listen", "udp:127.0.0.1:0", "--echo"]);
    let target = format!("udp:127.0.0.1:{port}");
    let answer = place.run(&["send", &target, "x", "[1]", "--await", "x"]).expect(0);
    assert_eq!(answer.lines()[0]["data"], json!([1]));
    let line = listener.line();
    assert_eq!((&line["type"], &line["data"]), (&json!("x"), &json!([1])));
    assert!(line["address"].as_str().is_some_and(|address| address.starts_with("127.0.0.1:")), "{line}");

    let (tap, port) = listening(&place, &["tap", "udp:127.0.0.1:0", &target]);
    place.run(&["send", &format!("udp:127.0.0.1:{port}"), "y", "2", "--await", "y"]).expect(0);
    let lines = [tap.line(), tap.line(), tap.line()];
    assert_eq!(lines.each_ref().map(|line| line["kind"].clone()), ["open", "event", "event"]);
    assert_eq!((&lines[1]["from"], &lines[2]["from"]), (&json!("client"), &json!("server")));

    // A datagram passes as it is, whatever it is.
    let socket = UdpSocket::bind("127.0.0.1:0").expect("bound");
    socket.set_read_timeout(Some(Duration::from_secs(10))).expect("set");
    let server = UdpSocket::bind("127.0.0.1:0").expect("bound");
    let target = format!("udp:{}", server.local_addr().expect("bound"));
    let (tap, port) = listening(&place, &["tap", "udp:127.0.0.1:0", &target]);
    let bytes = b"\xff\x00 no \x0c event";
    socket.send_to(bytes, ("127.0.0.1", port)).expect("sent");
    let mut got = [0; 100];
    let (length, from) = server.recv_from(&mut got).expect("received");
    assert_eq!(&got[..length], bytes);
    server.send_to(b"back", from).expect("sent");
    assert_eq!(socket.recv(&mut got).expect("received"), 4);
    assert_eq!([tap.line_of("malformed")["bytes"].clone(), tap.line_of("unfinished")["bytes"].clone()], [6, 6]);
}

#[test]
fn what_has_no_meaning_over_udp_is_refused() {
    let place = Place::new();
    for command in ["sub", "bench"] {
        place.run(&[command, "udp:127.0.0.1:9"]).expect(2).says(&["over UDP there are no connections", "ipc listen"]);
    }
    place.run(&["tap", "udp:127.0.0.1:0", "tcp:9"]).expect(2).says(&["datagrams and streams"]);
    place.run(&["doctor", "udp:127.0.0.1:9"]).expect(0);
}
