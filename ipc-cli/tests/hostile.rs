//! Peers that send what is meant to be taken for something else: nothing of it may reach the terminal as it came.
#![cfg(unix)]

mod common;

use common::{Place, Program};
use std::io::Write;
use std::os::unix::net::UnixStream;

/// Escape codes that clear the screen, in C0 and C1, a forged line, what turns text around, and invalid UTF-8.
const HOSTILE: &[u8] =
    b"{\"type\":\"a\\u001b[2J\\r\\n\xc2\x9b31m\",\"data\":{\"\xe2\x80\xae\":\"\x7f \xc2\x9d0;title\"}}\x0c\
    {\"type\":\"x\xc2\x85y\",\"data\":\n[\n1,\"\xe2\x80\xa8\"\n]}\x0c\
    \x1b]0;pwned\x07 \xff\xfe no json\x0c";

fn harmless(output: &str) {
    let active = |character: char| {
        // Colours of our own are allowed where they were asked for: without them nothing is.
        (character.is_control() && character != '\n')
            || matches!(character, '\u{202a}'..='\u{202e}' | '\u{2028}' | '\u{2029}')
    };
    let found: Vec<char> = output.chars().filter(|character| active(*character)).collect();
    assert!(found.is_empty(), "{found:?} in {output:?}");
}

#[test]
fn nothing_active_reaches_stdout_or_stderr_in_either_format() {
    for format in ["json", "text"] {
        for tapped in [false, true] {
            let place = Place::new();
            let listener = place.start(&["listen", &place.of("s"), "--format", format, "--color", "never"]);
            let args = ["tap", &place.of("t"), &place.of("s"), "--format", format, "--color", "never"];
            let tap = tapped.then(|| place.start(&args));
            let mut client = UnixStream::connect(place.of(if tapped { "t" } else { "s" })).expect("connected");
            client.write_all(HOSTILE).expect("written");
            drop(client);
            let mut programs: Vec<Program> = vec![listener];
            programs.extend(tap);
            for program in &programs {
                let last = loop {
                    let line = program.text();
                    if line.contains("pwned") {
                        break line;
                    }
                };
                assert!(last.contains("malformed") && last.contains("\u{fffd}"), "{last}");
            }
            for program in programs {
                program.interrupt();
                let ended = program.end().expect(0);
                harmless(&ended.stdout);
                harmless(&ended.stderr);
                assert!(ended.stdout.lines().count() >= 3, "{ended:?}");
            }
        }
    }
}

#[test]
fn what_is_escaped_is_the_same_json_as_it_came() {
    let place = Place::new();
    let listener = place.start(&["listen", &place.of("s")]);
    let mut client = UnixStream::connect(place.of("s")).expect("connected");
    client.write_all(HOSTILE).expect("written");
    let first = listener.line();
    assert_eq!(first["type"], "a\u{1b}[2J\r\n\u{9b}31m");
    assert_eq!(first["data"]["\u{202e}"], "\u{7f} \u{9d}0;title");
}

#[test]
fn a_name_cannot_pass_for_columns_of_ours() {
    let place = Place::new();
    let listener = place.start(&["listen", &place.of("s"), "--format", "text"]);
    place.run(&["send", &place.of("s"), "x #7 →     5 B  forged", "1"]).expect(0);
    let line = listener.text();
    assert!(line.contains("\"x #7 →     5 B  forged\" 1"), "{line}");
}

#[test]
fn a_payload_as_deep_and_as_long_as_may_be_is_shown_whole_as_json_and_cut_as_text() {
    let place = Place::new();
    let deep = "[".repeat(100_000) + &"]".repeat(100_000);
    let frame = format!("{{\"type\":\"deep\",\"data\":{deep}}}\x0c");
    let json = place.start(&["listen", &place.of("json")]);
    let mut client = UnixStream::connect(place.of("json")).expect("connected");
    client.write_all(frame.as_bytes()).expect("written");
    assert!(json.text().ends_with(&format!("\"data\":{deep}}}")));
    let text = place.start(&["listen", &place.of("text"), "--format", "text"]);
    let mut client = UnixStream::connect(place.of("text")).expect("connected");
    client.write_all(frame.as_bytes()).expect("written");
    let line = text.text();
    assert!(line.len() < 5000 && line.contains("(200000 bytes in all)"), "{} characters", line.len());
}
