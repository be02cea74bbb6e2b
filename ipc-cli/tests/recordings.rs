//! `record`, `replay` and `bench`.
#![cfg(unix)]

mod common;

use common::{Place, Program, json};
use serde_json::{Value, json};
use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;
use std::time::{Duration, Instant};

fn recorded(path: &str) -> Vec<Value> {
    std::fs::read_to_string(path).expect("a recording").lines().map(json).collect()
}

/// An event of a recording, so many microseconds after its beginning.
fn event(micros: u32, connection: u64, from: &str, data: u32) -> String {
    let time = format!("2026-01-01T00:00:{:02}.{:06}Z", micros / 1_000_000, micros % 1_000_000);
    let line = json!({
        "time": time, "kind": "event", "connection": connection, "from": from, "bytes": 1, "type": "x", "data": data,
    });
    format!("{line}\n")
}

#[test]
fn what_passes_is_recorded_and_played_again_on_as_many_connections() {
    let place = Place::new();
    let listener = place.start(&["listen", &place.of("s"), "--echo", "--lifecycle"]);
    let file = place.of("day.ndjson");
    let recorder = place.start(&["record", &file, "--listen", &place.of("t"), "--to", &place.of("s")]);
    for data in ["1.50", "[2]"] {
        place.run(&["send", &place.of("t"), "x", data, "--await", "x"]).expect(0);
    }
    // The end of a connection is recorded when both sides are over.
    for _ in 0..2 {
        listener.line_of("close");
    }
    recorder.interrupt();
    let ended = recorder.end().expect(0);
    ended.says(&["4 events in"]);
    assert_eq!(ended.stdout, "");
    assert_eq!(std::fs::metadata(&file).expect("a file").permissions().mode() & 0o777, 0o600);
    let lines = recorded(&file);
    let of_clients = lines.iter().filter(|line| line["from"] == "client").map(|line| line["data"].clone());
    assert_eq!(of_clients.collect::<Vec<_>>(), [json!(1.5), json!([2])]);

    let ended = place.run(&["replay", &file, &place.of("s"), "--speed", "max"]).expect(0);
    ended.says(&["2 events sent, 2 heard"]);
    assert_eq!(ended.stdout, "");
    let mut kinds = Vec::new();
    while kinds.len() < 6 {
        let line = listener.line();
        kinds.push((line["kind"].as_str().map(str::to_owned), line["connection"].as_u64()));
    }
    for connection in [2, 3] {
        let of_it: Vec<_> =
            kinds.iter().filter(|(_, of)| *of == Some(connection)).filter_map(|(kind, _)| kind.as_deref()).collect();
        assert_eq!(of_it, ["open", "event", "close"]);
    }
    let again = place.run(&["record", &file, "--from", &place.of("s")]).expect(1);
    again.says(&["cannot make the recording", "exists", "--overwrite"]);
}

#[test]
fn what_cannot_be_recorded_leaves_no_file_and_keeps_the_one_that_was_there() {
    let place = Place::new();
    let (file, nobody) = (place.of("x.ndjson"), place.of("nobody"));
    for _ in 0..2 {
        let ended = place.run(&["record", &file, "--from", &nobody]).expect(3);
        assert!(!ended.stderr.contains("events in"), "{ended:?}");
    }
    let taken = place.start(&["listen", &place.of("taken")]);
    place.run(&["record", &file, "--listen", &place.of("taken"), "--to", &nobody]).expect(3);
    assert!(!place.path().join("x.ndjson").exists());
    std::fs::write(&file, "kept").expect("written");
    place.run(&["record", &file, "--from", &nobody]).expect(1).says(&["exists", "--overwrite"]);
    place.run(&["record", &file, "--from", &nobody, "--overwrite"]).expect(3);
    assert_eq!(std::fs::read_to_string(&file).expect("a file"), "kept");
    drop(taken);
    // A recording without an event is one: somebody was there.
    let server = UnixListener::bind(place.of("silent")).expect("bound");
    let recorder = Program::start(place.command(&["record", &file, "--from", &place.of("silent"), "--overwrite"]));
    drop(server.accept().expect("the recorder"));
    recorder.end().expect(0).says(&["0 events in"]);
    let listener = place.start(&["listen", &place.of("l")]);
    std::fs::write(place.of("one"), event(0, 0, "client", 1)).expect("written");
    place.run(&["replay", &place.of("one"), &place.of("l")]).expect(0).says(&["1 event sent, 0 heard"]);
    drop(listener);
    assert_eq!(recorded(&file), Vec::<Value>::new());
    // What is to be recorded is not said: both ways to say it are told.
    place.run(&["record", "y"]).expect(2).says(&["--from <ADDRESS>", "--listen <ADDRESS>"]);
    place.run(&["record", "y", "--from", "a", "--listen", "b", "--to", "c"]).expect(2).says(&["cannot be used with"]);
}

#[test]
fn what_a_server_sends_is_recorded_until_it_closes() {
    let place = Place::new();
    let server = UnixListener::bind(place.of("s")).expect("bound");
    let file = place.of("news.ndjson");
    let recorder = Program::start(place.command(&["record", &file, "--from", &place.of("s")]));
    let (mut stream, _) = server.accept().expect("the recorder");
    stream.write_all(b"{\"type\":\"a\",\"data\":1}\x0c{\"type\":\"b\"}\x0c").expect("written");
    drop(stream);
    recorder.end().expect(0).says(&["2 events in"]);
    let lines = recorded(&file);
    let names: Vec<_> = lines.iter().map(|line| (line["type"].clone(), line["from"].clone())).collect();
    assert_eq!(names, [(json!("a"), json!("server")), (json!("b"), json!("server"))]);
    // Played, it says whose events they are.
    let listener = place.start(&["listen", &place.of("l")]);
    place.run(&["replay", &file, &place.of("l")]).expect(2).says(&["nothing to play", "--of server"]);
    place.run(&["replay", &file, &place.of("l"), "--of", "server"]).expect(0).says(&["2 events sent"]);
    assert_eq!(listener.line()["type"], "a");
}

#[test]
fn times_are_kept_and_scaled() {
    let place = Place::new();
    let listener = place.start(&["listen", &place.of("s")]);
    let file = place.of("r");
    let lines = [event(0, 0, "client", 0), event(10, 0, "server", 9), event(400_000, 0, "client", 1)];
    std::fs::write(&file, lines.concat()).expect("written");
    for (speed, least) in [("1", 400), ("2", 200)] {
        let begun = Instant::now();
        place.run(&["replay", &file, &place.of("s"), "--speed", speed]).expect(0).says(&["2 events sent"]);
        // It may be late, and never early.
        assert!(begun.elapsed() >= Duration::from_millis(least), "{:?} at speed {speed}", begun.elapsed());
        assert_eq!([listener.line(), listener.line()].map(|line| line["data"].clone()), [json!(0), json!(1)]);
    }
}

#[test]
fn what_is_no_recording_is_told_by_its_line_before_anything_is_opened() {
    let place = Place::new();
    let file = place.of("r");
    for (text, expected) in [
        ("", "nothing to play"),
        ("\n{\"time\":\"x\",\"kind\":\"event\",\"type\":\"a\"}\n", "line 2 of"),
        ("nonsense\n", "line 1 of"),
        (&event(0, 0, "client", 1).replace("\"type\"", "\"tipe\""), "\"type\""),
    ] {
        std::fs::write(&file, text).expect("written");
        place.run(&["replay", &file, &place.of("nobody")]).expect(2).says(&[expected, "help:"]);
    }
    place.run(&["replay", &place.of("nowhere"), &place.of("nobody")]).expect(2).says(&["cannot read the recording"]);
    std::fs::write(&file, event(0, 0, "client", 1)).expect("written");
    place.run(&["replay", &file, &place.of("nobody")]).expect(3).says(&["cannot connect"]);
    place.run(&["replay", &file, &place.of("nobody"), "--speed", "0"]).expect(2).says(&["a number above 0"]);
}

#[test]
fn a_bench_counts_exactly_and_its_percentiles_are_in_order() {
    let place = Place::new();
    let _listener = place.start(&["listen", &place.of("s"), "--echo", "-f", "none"]);
    let bench = ["bench", &place.of("s"), "-n", "501", "-c", "2", "--depth", "3", "--size", "100"];
    let line = place.run(&bench).expect(0).lines().remove(0);
    assert_eq!((&line["kind"], &line["answers"], &line["unanswered"]), (&json!("bench"), &json!(501), &json!(0)));
    assert_eq!((&line["connections"], &line["depth"]), (&json!(2), &json!(3)));
    let latency = |name: &str| line["latency"][name].as_f64().expect("a number");
    let order = ["min", "p50", "p90", "p99", "p999", "max"].map(latency);
    assert!(order.is_sorted() && order[0] > 0.0, "{line}");
    let text = place.run(&common::args(&bench, &["--format", "text"])).expect(0).stdout;
    assert!(text.contains("501 answers") && text.contains("p99.9") && text.contains('█'), "{text}");
}

#[test]
fn what_a_bench_measures_begins_with_its_first_event_and_ends_with_its_last_answer() {
    let place = Place::new();
    let _listener = place.start(&["listen", &place.of("s"), "--echo", "-f", "none"]);
    let bench = |count: &str| place.run(&["bench", &place.of("s"), "-n", count]).expect(0).lines().remove(0);
    let one = bench("1");
    let of = |line: &Value, name: &str| line["latency"][name].as_f64().expect("a number");
    // One answer is the fastest and the slowest, up to the third digit, and nothing of what came before it counts.
    let [min, mean, max] = ["min", "mean", "max"].map(|name| of(&one, name));
    assert!(min <= mean && mean <= max && max - min <= max / 500.0, "{one}");
    // With one event under way the answers lie one behind the other, with little in between: a busy machine may pause there, and
    // hardly each time.
    let is_tight = || {
        let ten = bench("10");
        let seconds = ten["seconds"].as_f64().expect("a number");
        let answering = of(&ten, "mean") * 10.0 / 1e6;
        assert!(seconds >= answering * 0.9, "{ten}");
        seconds < answering + 0.002
    };
    assert!((0..20).any(|_| is_tight()), "the time of a bench holds more than its answers");
    place.run(&["bench", &place.of("s"), "-n", "0"]).expect(2).says(&["--count 0 measures nothing"]);
    place.run(&["bench", &place.of("s"), "--duration", "0"]).expect(2).says(&["--duration 0 measures nothing"]);
}

#[test]
fn a_server_that_is_no_echo_is_not_measured() {
    let place = Place::new();
    let _listener = place.start(&["listen", &place.of("s"), "--reply", "q=1"]);
    place.run(&["bench", &place.of("s"), "-n", "10", "--name", "q"]).expect(0);
    let ended = place.run(&["bench", &place.of("s"), "-n", "10"]).expect(4);
    ended.says(&["no event message came in answer to an event message", "--echo", "--name", "--answer"]);
    assert_eq!(ended.stdout, "");
}

#[test]
fn a_bench_counts_answers_and_no_other_events() {
    let place = Place::new();
    let listener = UnixListener::bind(place.of("s")).expect("bound");
    let serving = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("a client");
        let (mut asked, mut bytes) = (0, [0; 4096]);
        loop {
            match stream.read(&mut bytes).expect("read") {
                0 => return asked,
                count => {
                    for _ in bytes[..count].iter().filter(|byte| **byte == 0x0c) {
                        asked += 1;
                        let news = "{\"type\":\"tick\",\"data\":0}\x0c".repeat(3);
                        let answer = "{\"type\":\"pong\",\"data\":0}\x0c";
                        stream.write_all(format!("{news}{answer}").as_bytes()).expect("written");
                    }
                }
            }
        }
    });
    let ended = place.run(&["bench", &place.of("s"), "-n", "20", "--name", "ping", "--answer", "pong"]).expect(0);
    assert_eq!(ended.lines()[0]["answers"], 20);
    // One before the measurement.
    assert_eq!(serving.join().expect("served"), 21);
}

#[test]
fn a_server_that_goes_away_while_it_is_measured_is_lost() {
    let place = Place::new();
    let listener = place.start(&["listen", &place.of("s"), "--echo", "-n", "200"]);
    let ended = place.run(&["bench", &place.of("s"), "--duration", "20"]);
    assert!(matches!(ended.code, Some(6 | 1)), "{ended:?}");
    ended.says(&["help:"]);
    drop(listener);
    // And one that is interrupted has measured nothing.
    let listener = place.start(&["listen", &place.of("t"), "--echo", "-f", "none", "--lifecycle"]);
    let bench = Program::start(place.command(&["bench", &place.of("t"), "--duration", "inf"]));
    assert_eq!(listener.line()["kind"], "open");
    bench.interrupt();
    bench.end().expect(130);
}

#[test]
fn a_recording_ends_after_its_count_and_what_it_has_passes_on() {
    let place = Place::new();
    let listener = place.start(&["listen", &place.of("s"), "--echo"]);
    let file = place.of("three.ndjson");
    let recorder = place.start(&["record", &file, "--listen", &place.of("t"), "--to", &place.of("s"), "-n", "3"]);
    place.run(&["send", &place.of("t"), "x", "1", "--await", "x"]).expect(0);
    place.run(&["send", &place.of("t"), "x", "2", "--await", "x"]).expect(0);
    recorder.end().expect(0).says(&["3 events in"]);
    assert_eq!([listener.line()["data"].clone(), listener.line()["data"].clone()], [1, 2]);
    assert_eq!(recorded(&file).iter().filter(|line| line["kind"] == "event").count(), 3);

    let server = UnixListener::bind(place.of("news")).expect("bound");
    let file = place.of("two.ndjson");
    let recorder = Program::start(place.command(&["record", &file, "--from", &place.of("news"), "--count", "2"]));
    let (mut stream, _) = server.accept().expect("the recorder");
    stream.write_all(b"{\"type\":\"a\"}\x0cnonsense\x0c{\"type\":\"b\"}\x0c{\"type\":\"c\"}\x0c").expect("written");
    recorder.end().expect(0).says(&["2 events in"]);
    let kinds: Vec<_> = recorded(&file).iter().map(|line| line["kind"].clone()).collect();
    assert_eq!(kinds, ["event", "malformed", "event"]);
}

#[test]
fn a_disk_that_is_full_is_told_and_leaves_whole_lines() {
    let place = Place::new();
    let server = UnixListener::bind(place.of("s")).expect("bound");
    let file = place.of("r.ndjson");
    let recorder = place.command(&["record", &file, "--from", &place.of("s")]);
    // A file may have 4 KiB at most, in the middle of a line.
    let mut limited = std::process::Command::new("sh");
    limited.args(["-c", "trap '' XFSZ; ulimit -f 8; exec \"$@\"", "sh"]).arg(recorder.get_program());
    limited.args(recorder.get_args()).current_dir(place.path());
    limited.envs(recorder.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let recorder = Program::start(limited);
    let (mut stream, _) = server.accept().expect("the recorder");
    for _ in 0..99 {
        // It may be gone by now.
        let _gone = stream.write_all(b"{\"type\":\"a\",\"data\":1}\x0c");
    }
    let ended = recorder.end().expect(1);
    ended.says(&["cannot write to the recording", "r.ndjson: File too large", "help:", "whole"]);
    let text = std::fs::read_to_string(&file).expect("a recording");
    assert!(text.ends_with("}\n"), "{text}");
    ended.says(&[&format!("{} events in", recorded(&file).len())]);
}

#[test]
fn a_server_that_goes_away_during_a_replay_is_told_with_how_far_it_came() {
    let place = Place::new();
    let server = UnixListener::bind(place.of("s")).expect("bound");
    let file = place.of("r");
    let text: String = (0..9).map(|n| event(n * 200_000, 0, "client", n)).collect();
    std::fs::write(&file, text).expect("written");
    let replay = Program::start(place.command(&["replay", &file, &place.of("s")]));
    let (mut stream, _) = server.accept().expect("a client");
    stream.read_exact(&mut [0]).expect("the first event");
    drop((stream, server));
    let ended = replay.end().expect(6);
    ended.says(&["playing to unix:", "of 9 events were sent", "help:"]);
}

#[test]
fn stdout_is_no_recording() {
    let place = Place::new();
    let ended = place.run(&["record", "-", "--from", &place.of("s")]).expect(2);
    ended.says(&["goes into a file", "`ipc sub`", "./-"]);
    assert!(!std::path::Path::new(&place.of("-")).exists());
}

#[test]
fn a_directory_is_no_recording() {
    let place = Place::new();
    let _listener = place.start(&["listen", &place.of("s")]);
    let directory = place.of("");
    let ended = place.run(&["record", &directory, "--overwrite", "--from", &place.of("s")]).expect(1);
    ended.says(&["it is a directory", "help: name a file"]);
}
