//! What a peer sends never reaches the log raw: no control character, however it is sent, so no line can be forged and no terminal be driven.

#![cfg(target_os = "linux")]

use ipc_torture::place::{Over, Place};
use ipc_torture::raw::{Raw, frame};
use ipc_torture::watch::until;
use serde_json::{Value, json};
use std::fs;
use std::io::Write;
use std::net::TcpListener;
use std::path::Path;
use std::thread::sleep;
use std::time::Duration;

const PROGRAM: &str = env!("CARGO_BIN_EXE_ipc-torture");

/// A new line with a level, a colour, a title, DEL, CSI as one character, a line separator, and text that runs backwards.
const EVIL: &str = "a\r\nERROR forged\u{1b}[31m\u{1b}]0;title\u{7}\0\u{7f}\u{9b}31m\u{85}\u{2028}\u{202e}z";

fn inputs() -> Vec<(&'static str, Vec<u8>)> {
    let text = Value::from(EVIL).to_string();
    vec![
        ("a name nobody handles", frame(EVIL, "1")),
        ("an id", frame("a", &format!("{{\"id\":{text}}}"))),
        ("a payload that does not fit", frame("number", &text)),
        ("an error of a handler", frame("complain", &text)),
        ("no JSON", [EVIL.as_bytes(), b"\x0c"].concat()),
        ("JSON with more after it", [&b"{\"type\":\"a\"} "[..], EVIL.as_bytes(), b"\x0c"].concat()),
        ("a key", format!("{{\"type\":\"a\",{text}:1}}\x0c").into_bytes()),
        ("a type that is none", format!("{{\"type\":[{text}]}}\x0c").into_bytes()),
        ("no UTF-8", [&b"{\"type\":\"\xff\x1b[31m"[..], EVIL.as_bytes(), b"\"}\x0c"].concat()),
        ("a name that is too long", frame(&EVIL.repeat(10_000), "1")),
    ]
}

/// The log, if nothing in it is raw.
fn check(log: &Path, name: &str) -> String {
    let text = fs::read_to_string(log).expect("a log, all of it text");
    for line in text.split('\0') {
        let raw = line.chars().find(|character| {
            // Line and paragraph separators, and what turns text around, beside the control characters.
            character.is_control()
                || matches!(character, '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
        });
        assert!(raw.is_none(), "{name}: {raw:?} is raw in {line:?}");
    }
    text
}

fn lines(log: &Path) -> usize {
    fs::read(log).map_or(0, |text| text.split(|byte| *byte == 0).count())
}

#[test]
fn what_a_client_sends_reaches_the_log_of_a_server_in_escapes_only() {
    let mut all = String::new();
    for (number, (name, bytes)) in inputs().into_iter().enumerate() {
        for config in [json!({}), json!({"parser": "guarded"}), json!({"logPayloads": true, "silent": false})] {
            // A server each: errors that nobody hears are logged once a second.
            let place = Place::new(PROGRAM);
            let log = place.path("log");
            let plan = place.server(Over::Unix).config(config).option("unheard", true);
            let server = plan.option("log", log.display().to_string()).start();
            let mut raw = Raw::connect(&server.endpoint).expect("connected");
            let at_first = lines(&log);
            raw.write_all(&bytes).expect("written");
            raw.finish().expect("ended");
            let _rest = raw.to_the_end().expect("it hangs up");
            // At least that it has gone.
            assert!(until(|| lines(&log) > at_first), "{number}");
            sleep(Duration::from_millis(20));
            all += &check(&log, name);
        }
    }
    // The test itself: all of this was logged, in other words.
    for part in ["forged", "nobody handles this event", "unheard error", "cannot do", "disconnected"] {
        assert!(all.contains(part), "{part:?} was never logged:\n{}", all.replace('\0', "\n"));
    }
}

#[test]
fn what_a_server_sends_reaches_the_log_of_a_client_in_escapes_only() {
    for (name, bytes) in inputs() {
        let place = Place::new(PROGRAM);
        let log = place.path("log");
        let listener = TcpListener::bind("127.0.0.1:0").expect("a listener");
        let endpoint = format!("tcp:{}", listener.local_addr().expect("its address"));
        let plan = place.client(Over::Tcp, &endpoint).option("unheard", true);
        let _client = plan.option("log", log.display().to_string()).start();
        let (mut stream, _) = listener.accept().expect("a connection");
        stream.write_all(&bytes).expect("written");
        drop(stream);
        let text = || fs::read_to_string(&log).unwrap_or_default();
        assert!(until(|| text().contains("disconnected")), "{name}");
        sleep(Duration::from_millis(20));
        check(&log, name);
    }
}

#[test]
fn what_is_no_tls_reaches_the_log_in_escapes_only() {
    let place = Place::new(PROGRAM);
    let log = place.path("log");
    let server = place.server(Over::Tls).option("log", log.display().to_string()).start();
    let mut raw = Raw::connect(&server.endpoint).expect("connected");
    raw.write_all(EVIL.repeat(100).as_bytes()).expect("written");
    let _alert = raw.to_the_end().expect("it hangs up");
    assert!(until(|| fs::read_to_string(&log).is_ok_and(|text| text.contains("refused a connection"))));
    check(&log, "no TLS");
}
