//! `tap` over Unix sockets and TCP, as processes.
#![cfg(unix)]

mod common;

use common::{Place, Program, port_in, speaker};
use serde_json::json;
use std::io::{Read, Write};
use std::net::Shutdown;
use std::os::unix::net::{UnixListener, UnixStream};

#[test]
fn a_tap_shows_what_was_begun_before_a_connection_broke() {
    let place = Place::new();
    let _listener = place.start(&["listen", "tcp:127.0.0.1:0"]);
    let server = speaker(&place.of("s"), b"");
    let tap = Program::start(place.command(&["tap", "tcp:127.0.0.1:0", &place.of("s")]));
    let port = port_in(&tap.said_on_stderr(|line| line.starts_with("listening at")));
    let mut client = std::net::TcpStream::connect(("127.0.0.1", port)).expect("connected");
    let _server_side = server.join().expect("served");
    client.write_all(b"{\"type\":\"half").expect("written");
    std::thread::sleep(std::time::Duration::from_millis(200));
    rustix::net::sockopt::set_socket_linger(&client, Some(std::time::Duration::ZERO)).expect("set");
    drop(client);
    assert_eq!(tap.line_of("unfinished")["bytes"], 13);
    let error = tap.line_of("close")["error"].clone();
    assert!(error.as_str().is_some_and(|error| error.starts_with("client side: ")), "{error}");
}

/// Numbers without order, the same every time.
fn noise(length: usize, mut state: u64) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(length);
    for _ in 0..length {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        bytes.push((state >> 56) as u8);
    }
    bytes
}

#[test]
fn a_tap_passes_every_byte_on_as_it_came_both_ways_and_each_end_for_itself() {
    let place = Place::new();
    let server = UnixListener::bind(place.of("s")).expect("bound");
    let tap = place.start(&["tap", &place.of("t"), &place.of("s")]);
    let (there, back) = (noise(700_000, 1), noise(900_000, 2));
    let (expected, answer) = (there.clone(), back.clone());
    let serving = std::thread::spawn(move || {
        let (mut stream, _) = server.accept().expect("the tap");
        let mut got = Vec::new();
        // The client ends its side first, and is answered all the same.
        stream.read_to_end(&mut got).expect("read");
        assert!(got == expected, "{} of {} bytes", got.len(), expected.len());
        stream.write_all(&answer).expect("written");
    });
    let mut client = UnixStream::connect(place.of("t")).expect("the tap");
    client.write_all(&there).expect("written");
    client.shutdown(Shutdown::Write).expect("open");
    let mut got = Vec::new();
    client.read_to_end(&mut got).expect("read");
    serving.join().expect("the server");
    assert!(got == back, "{} of {} bytes", got.len(), back.len());
    let close = tap.line_of("close");
    assert_eq!((&close["clientBytes"], &close["serverBytes"]), (&json!(700_000), &json!(900_000)));
    tap.interrupt();
    let ended = tap.end().expect(0);
    assert!(ended.lines().iter().any(|line| line["kind"] == "malformed"));
    assert!(!place.path().join("t").exists());
}

#[test]
fn a_tap_shows_direction_number_size_and_time_and_what_is_malformed() {
    let place = Place::new();
    let _listener = place.start(&["listen", &place.of("s"), "--reply", "q=\"a\""]);
    let tap = place.start(&["tap", &place.of("t"), &place.of("s")]);
    for number in 0..2 {
        place.run(&["send", &place.of("t"), "q", "7", "--await", "q"]).expect(0);
        let lines = [tap.line(), tap.line(), tap.line(), tap.line()];
        let kinds: Vec<_> = lines.iter().map(|line| line["kind"].as_str().unwrap_or_default()).collect();
        assert_eq!(kinds, ["open", "event", "event", "close"]);
        assert!(lines.iter().all(|line| line["connection"] == number));
        assert_eq!(
            (&lines[1]["from"], &lines[1]["data"], &lines[1]["bytes"]),
            (&json!("client"), &json!(7), &json!(21))
        );
        assert_eq!((&lines[2]["from"], &lines[2]["data"]), (&json!("server"), &json!("a")));
        assert!(lines[0]["time"].as_str() <= lines[3]["time"].as_str());
    }
    let mut client = UnixStream::connect(place.of("t")).expect("the tap");
    client.write_all(b"{\"type\":5}\x0c{\"type\":\"half").expect("written");
    drop(client);
    let malformed = tap.line_of("malformed");
    assert_eq!((&malformed["from"], &malformed["code"]), (&json!("client"), &json!("ERR_IPC_INVALID_EVENT")));
    assert_eq!(malformed["frame"], "{\"type\":5}");
    assert_eq!(tap.line_of("unfinished")["bytes"], 13);
}

#[test]
fn a_tap_ends_after_as_many_events_as_were_asked_for_and_passes_the_last_one_on() {
    let place = Place::new();
    let listener = place.start(&["listen", &place.of("s"), "--reply", "q=\"a\""]);
    let tap = place.start(&["tap", &place.of("t"), &place.of("s"), "-n", "3", "-f", "q"]);
    let mut client = UnixStream::connect(place.of("t")).expect("the tap");
    // Neither what is malformed counts nor what the filter leaves out.
    client.write_all(b"{\"type\":5}\x0c{\"type\":\"other\"}\x0c{\"type\":\"q\"}\x0c").expect("written");
    assert_eq!((tap.line()["kind"].clone(), tap.line()["kind"].clone()), (json!("open"), json!("malformed")));
    assert_eq!((tap.line()["from"].clone(), tap.line()["from"].clone()), (json!("client"), json!("server")));
    client.write_all(b"{\"type\":\"q\",\"data\":3}\x0c").expect("written");
    let ended = tap.end().expect(0);
    let events = ended.lines().iter().filter(|line| line["kind"] == "event").count();
    assert_eq!((events, ended.lines().len()), (3, 5), "{}", ended.stdout);
    // What was shown was passed on, and so was its answer, which is not shown any more.
    let mut got = String::new();
    client.read_to_string(&mut got).expect("an end");
    assert_eq!(got.matches("\"a\"").count(), 2, "{got}");
    assert_eq!(listener.line_of("malformed")["frame"], "{\"type\":5}");
    while listener.line()["data"] != 3 {}
    assert!(!place.path().join("t").exists());
}

#[test]
fn a_tap_of_raw_bytes_and_of_datagrams_ends_after_as_many_as_well() {
    let place = Place::new();
    let mut server = UnixListener::bind(place.of("s")).map(Some).expect("bound");
    let raw = ["tap", &place.of("t"), &place.of("s"), "-n", "1", "-o", "rawBuffer=true"];
    let tap = place.start(&raw);
    let mut client = UnixStream::connect(place.of("t")).expect("the tap");
    client.write_all(b"bytes").expect("written");
    let (mut stream, _) = server.take().expect("a listener").accept().expect("the tap");
    let mut got = Vec::new();
    stream.read_to_end(&mut got).expect("read");
    assert_eq!(got, b"bytes");
    let kinds: Vec<_> = tap.end().expect(0).lines().iter().map(|line| line["kind"].clone()).collect();
    assert_eq!(kinds, ["open", "data"]);

    let listener = Program::start(place.command(&["listen", "udp:127.0.0.1:0"]));
    let port = port_in(&listener.said_on_stderr(|line| line.starts_with("listening at")));
    let tap = Program::start(place.command(&["tap", "udp:127.0.0.1:0", &format!("udp:127.0.0.1:{port}"), "-n", "2"]));
    let tapped = port_in(&tap.said_on_stderr(|line| line.starts_with("listening at")));
    for name in ["one", "two"] {
        place.run(&["send", &format!("udp:127.0.0.1:{tapped}"), name]).expect(0);
        assert_eq!(listener.line()["type"], name);
    }
    assert_eq!(tap.end().expect(0).lines().iter().filter(|line| line["kind"] == "event").count(), 2);
}

#[test]
fn a_tap_without_a_server_closes_the_connection_and_says_why() {
    let place = Place::new();
    let tap = place.start(&["tap", &place.of("t"), &place.of("s")]);
    let mut client = UnixStream::connect(place.of("t")).expect("the tap");
    let mut got = Vec::new();
    client.read_to_end(&mut got).expect("an end");
    assert!(got.is_empty());
    let close = tap.line_of("close");
    assert!(close["error"].as_str().is_some_and(|error| error.contains("cannot connect to unix:")), "{close}");
    // It goes on, and serves when the server is there.
    let _listener = place.start(&["listen", &place.of("s"), "--echo"]);
    place.run(&["send", &place.of("t"), "x", "--await", "x"]).expect(0);
}
