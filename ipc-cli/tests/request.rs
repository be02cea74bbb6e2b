//! `ipc request`, against `ipc listen --reply` and against peers that answer otherwise or not at all.
#![cfg(unix)]

mod common;

use common::Place;
use serde_json::{Value, json};
use std::io::{Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};

#[test]
fn the_result_is_on_stdout_as_it_came() {
    let place = Place::new();
    let listener = place.start(&["listen", &place.of("s"), "--reply", "sum=6.50"]);
    let ended = place.run(&["request", &place.of("s"), "sum", "[1, 2, 3.50]"]).expect(0);
    assert_eq!((ended.stdout.as_str(), ended.stderr.as_str()), ("6.50\n", ""));
    let line = listener.line();
    assert_eq!(line["type"], "sum");
    assert_eq!(line["data"]["params"], json!([1, 2, 3.5]));
    // 64 bits that nobody guesses, and the number of the request.
    let token = line["data"]["$request"].as_str().expect("a token");
    assert!(token.len() == 18 && token.ends_with("-0"), "{token}");
    // Another one of the same name, that is no request, is answered as an event.
    let ended = place.run(&["send", &place.of("s"), "sum", "--await", "sum"]).expect(0);
    assert_eq!(ended.lines()[0]["data"], 6.5);
}

#[test]
fn a_listener_that_answers_some_requests_refuses_the_others() {
    let place = Place::new();
    let _listener = place.start(&["listen", &place.of("s"), "--reply", "sum=6"]);
    place.run(&["request", &place.of("s"), "product"]).expect(5).says(&["ERR_IPC_NO_HANDLER", "product"]);
    let _silent = place.start(&["listen", &place.of("silent")]);
    place.run(&["request", &place.of("silent"), "product", "--timeout", "0.2"]).expect(4);
    place
        .run(&["request", &place.of("silent"), "product", "--timeout", "-1"])
        .expect(2)
        .says(&["a number of seconds from 0"]);
}

#[test]
fn replies_that_contradict_each_other_or_have_no_name_are_refused() {
    let place = Place::new();
    let listen = |reply: &[&str]| place.run(&common::args(&["listen", &place.of("s")], reply)).expect(2);
    listen(&["--reply", "a=1", "--reply", "a=2"]).says(&["--reply a is given twice"]);
    listen(&["--reply", "=1"]).says(&["there is no name"]);
    listen(&["--reply", "a=x"]).says(&["the data of --reply a is no JSON"]);
}

/// As of a process that is stopped: the system takes the connection and what is sent.
#[test]
fn an_answer_that_is_waited_for_in_vain_is_not_waited_for_again_at_the_end() {
    let place = Place::new();
    let _silent = UnixListener::bind(place.of("s")).expect("bound");
    let began = std::time::Instant::now();
    let ended = place.run(&["send", &place.of("s"), "x", "--await", "x", "--timeout", "0.3"]).expect(4);
    ended.says(&["none came within 0.3 s", "ipc doctor"]);
    assert!(began.elapsed().as_secs_f64() < 4.5, "5 s are for what is to arrive: {:?}", began.elapsed());
}

#[test]
fn an_echoing_listener_answers_with_the_params() {
    let place = Place::new();
    let _listener = place.start(&["listen", &place.of("s"), "--echo"]);
    assert_eq!(place.run(&["request", &place.of("s"), "any", "-t", "x y"]).expect(0).stdout, "\"x y\"\n");
    assert_eq!(place.run(&["request", &place.of("s"), "any"]).expect(0).stdout, "null\n");
}

/// Answers each frame by `answer`, whatever it gives, on one connection.
fn server(path: &str, answer: impl Fn(&Value) -> Vec<u8> + Send + 'static) -> std::thread::JoinHandle<()> {
    let listener = UnixListener::bind(path).expect("bound");
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("a client");
        let request = frame(&mut stream);
        stream.write_all(&answer(&request)).expect("written");
        let mut rest = Vec::new();
        let _until_it_leaves = stream.read_to_end(&mut rest);
    })
}

fn frame(stream: &mut UnixStream) -> Value {
    let mut frame = Vec::new();
    let mut byte = [0];
    while stream.read(&mut byte).expect("read") == 1 && byte[0] != 0x0c {
        frame.push(byte[0]);
    }
    serde_json::from_slice(&frame).expect("JSON")
}

fn reply(data: &Value) -> Vec<u8> {
    format!("{}\x0c", json!({"type": "$reply", "data": data})).into_bytes()
}

#[test]
fn an_error_of_the_peer_is_told_on_stderr_with_its_code() {
    let place = Place::new();
    let _server = server(&place.of("s"), |request| {
        let error = json!({"code": "E_NO\u{1b}", "message": "not today", "data": {"n": 1}});
        reply(&json!({"$reply": request["data"]["$request"], "error": error}))
    });
    let ended = place.run(&["request", &place.of("s"), "sum", "1"]).expect(5);
    ended.says(&["requesting sum of unix:", "E_NO\\u{1b}", "not today", "help:", "data: {\"n\":1}"]);
    assert_eq!(ended.stdout, "");
    assert!(!ended.stderr.contains('\u{1b}'), "{}", ended.stderr);
}

#[test]
fn other_events_and_answers_to_others_are_not_taken_for_the_answer() {
    let place = Place::new();
    let _server = server(&place.of("s"), |request| {
        let token = &request["data"]["$request"];
        let mut all = b"{\"type\":\"sum\",\"data\":1}\x0cgarbage\x0c".to_vec();
        all.extend(reply(&json!({"$reply": "another", "result": 2})));
        all.extend(reply(&json!({"$reply": token, "result": 3})));
        all
    });
    let ended = place.run(&["request", &place.of("s"), "sum"]).expect(0);
    assert_eq!(ended.stdout, "3\n");
    ended.says(&["broke the protocol"]);
}

#[test]
fn a_peer_that_does_not_answer_or_hangs_up_has_codes_of_its_own() {
    let place = Place::new();
    let _listener = place.start(&["listen", &place.of("s")]);
    let ended = place.run(&["request", &place.of("s"), "sum", "--timeout", "0.1"]).expect(4);
    ended.says(&["requesting sum of unix:", "0.1 s", "help:", "--await"]);
    let listener = UnixListener::bind(place.of("t")).expect("bound");
    let hanging_up = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("a client");
        frame(&mut stream);
    });
    place.run(&["request", &place.of("t"), "sum"]).expect(6).says(&["waiting for the answer to sum", "help:"]);
    hanging_up.join().expect("done");
}

#[test]
fn requests_go_over_udp_and_tcp_as_well() {
    let place = Place::new();
    for scheme in ["udp", "tcp"] {
        let address = format!("{scheme}:127.0.0.1:0");
        let listener = common::Program::start(place.command(&["listen", &address, "--reply", "sum=6"]));
        let port = common::port_in(&listener.said_on_stderr(|line| line.starts_with("listening at")));
        let ended = place.run(&["request", &format!("{scheme}:{port}"), "sum", "[1,5]"]).expect(0);
        assert_eq!(ended.stdout, "6\n");
    }
}
