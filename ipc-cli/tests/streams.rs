//! `listen`, `send` and `sub` over Unix sockets and TCP, as processes.
#![cfg(unix)]

mod common;

use common::{Place, Program, port_in, speaker};
use rustix::process::Signal;
use serde_json::json;
use std::io::{Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::process::Stdio;

#[test]
fn what_is_sent_is_shown_by_the_listener_with_its_exact_data() {
    let place = Place::new();
    let listener = place.start(&["listen", &place.of("s")]);
    place.run(&["send", &place.of("s"), "message", r#"{"b": 1.50, "a": [1e3, null]}"#]).expect(0);
    let line = listener.text();
    assert!(line.contains(r#""type":"message","data":{"b":1.50,"a":[1e3,null]}}"#), "{line}");
    let line = common::json(&line);
    assert_eq!((&line["kind"], &line["connection"], &line["bytes"]), (&json!("event"), &json!(0), &json!(55)));

    place.run(&["send", &place.of("s"), "message", "--text", "it's \"quoted\""]).expect(0);
    let line = listener.line();
    assert_eq!((&line["connection"], &line["data"]), (&json!(1), &json!("it's \"quoted\"")));
    // Without data node-ipc sends an empty object.
    place.run(&["send", &place.of("s"), "ping"]).expect(0);
    assert_eq!(listener.line()["data"], json!({}));
    listener.interrupt();
    let ended = listener.end().expect(0);
    assert_eq!(ended.lines().len(), 3);
    assert!(!place.path().join("s").exists(), "the socket is removed at the end");
}

#[test]
fn data_comes_from_files_and_stdin_too() {
    let place = Place::new();
    std::fs::write(place.of("data.json"), " [1,\n 2]\n").expect("written");
    let listener = place.start(&["listen", &place.of("s")]);
    let send = ["send", &place.of("s"), "x"];
    place.run(&common::args(&send, &["@data.json"])).expect(0);
    assert!(listener.text().ends_with(r#""data":[1,2]}"#));
    place.run_with(&common::args(&send, &["-"]), "{\"a\":\n1}").expect(0);
    assert_eq!(listener.line()["data"], json!({"a": 1}));
    place.run_with(&common::args(&send, &["--text", "-"]), "two\nlines\n").expect(0);
    assert_eq!(listener.line()["data"], json!("two\nlines\n"));

    let wrong = place.run(&common::args(&send, &["hello"])).expect(2);
    wrong.says(&["is no JSON", "'\"hello\"'", "--text"]);
    assert_eq!(wrong.stdout, "");
    place.run(&common::args(&send, &["@nowhere.json"])).expect(2).says(&["nowhere.json"]);
}

#[test]
fn a_negative_number_is_data_and_no_flag() {
    let place = Place::new();
    let listener = place.start(&["listen", &place.of("s"), "--echo"]);
    let answer = place.run(&["send", &place.of("s"), "x", "-5", "--await", "x"]).expect(0);
    assert_eq!(answer.lines()[0]["data"], -5);
    place.run(&["send", &place.of("s"), "x", "-1.5e3", "-q"]).expect(0);
    assert_eq!((&listener.line()["data"], &listener.line()["data"]), (&json!(-5), &json!(-1500.0)));
    assert_eq!(place.run(&["request", &place.of("s"), "x", "-7"]).expect(0).stdout, "-7\n");
    // Flags are flags, there too.
    place.run(&["send", &place.of("s"), "x", "-x"]).expect(2);
}

#[test]
fn a_number_that_is_none_is_told_with_what_is_expected() {
    let place = Place::new();
    let path = place.of("s");
    for (command, rest) in [
        ("listen", &[][..]),
        ("sub", &[]),
        ("bench", &[]),
        ("tap", &["unix:world"]),
        ("record", &["--from", "unix:world"]),
    ] {
        for wrong in ["abc", "-1", "1.5"] {
            let args = common::args(&[command, &path, "-n", wrong], rest);
            place.run(&args).expect(2).says(&["it must be a whole number from 1"]);
        }
    }
    for wrong in ["abc", "0", "-1", "10001"] {
        let ended = place.run(&["bench", &place.of("s"), "-c", wrong]).expect(2);
        ended.says(&["it must be a whole number from 1 to 10000"]);
    }
}

#[test]
fn a_place_is_taken_over_only_where_there_is_one() {
    let place = Place::new();
    let udp = format!("udp:127.0.0.1:{}", common::free_port());
    let tcp = format!("tcp:127.0.0.1:{}", common::free_port());
    for address in [&udp, &tcp] {
        let ended = place.run(&["listen", address, "--take-over"]).expect(2);
        ended.says(&[address, "--take-over is for Unix sockets", "help: leave it out"]);
    }
    place.start(&["listen", &place.of("s"), "--take-over"]);
}

#[test]
fn many_who_are_not_let_in_are_a_line_a_second() {
    let place = Place::new();
    let listener = place.start(&["listen", &place.of("s"), "-o", "maxConnections=1", "--lifecycle"]);
    let let_in = UnixStream::connect(place.of("s")).expect("connected");
    assert_eq!(listener.line()["kind"], "open");
    let began = std::time::Instant::now();
    for _ in 0..60 {
        let mut refused = UnixStream::connect(place.of("s")).expect("connected");
        let _closed = refused.read(&mut [0]);
        assert_eq!(listener.line()["kind"], "refused");
    }
    // The first is told at once, and the rest within a second of it.
    listener.said_on_stderr(|line| line.contains("was not let in") && !line.contains("others"));
    listener.said_on_stderr(|line| line.contains("was not let in") && line.contains("others before it"));
    let seconds = began.elapsed().as_secs();
    drop(let_in);
    listener.interrupt();
    let said = listener.end().expect(0).stderr;
    let lines: Vec<_> = said.lines().filter(|line| line.contains("was not let in")).collect();
    assert!(lines.len() as u64 <= seconds + 2, "{said}");
    let others =
        lines.iter().filter_map(|line| line.split_once("; nor were ")?.1.split(' ').next()?.parse::<usize>().ok());
    assert_eq!(lines.len() + others.sum::<usize>(), 60, "{said}");
}

#[test]
fn lines_of_stdin_are_events_in_order_and_what_another_command_has_shown_is_sent_on() {
    let place = Place::new();
    let first = place.start(&["listen", &place.of("first"), "--lifecycle"]);
    let lines: String = (0..500).map(|n| format!("{{\"type\":\"n\",\"data\":{n}}}\n")).collect();
    place.run_with(&["send", &place.of("first")], &lines).expect(0);
    let open = first.line();
    assert!(open["peer"].as_str().is_some_and(|peer| peer.starts_with("uid ") && peer.contains("pid ")), "{open}");
    let mut shown = format!("{open}\n");
    for n in 0..500 {
        let line = first.line();
        assert_eq!(line["data"], n);
        shown.push_str(&format!("{line}\n"));
    }
    let second = place.start(&["listen", &place.of("second")]);
    place.run_with(&["send", &place.of("second")], &shown).expect(0);
    assert_eq!((0..500).map(|_| second.line()["data"].clone()).collect::<Vec<_>>(), (0..500).collect::<Vec<_>>());
}

#[test]
fn a_line_that_is_no_event_is_named_and_what_came_before_it_is_sent() {
    let place = Place::new();
    let listener = place.start(&["listen", &place.of("s")]);
    let lines = "{\"type\":\"good\",\"data\":null}\n\n{\"data\":1}\n{\"type\":\"late\"}\n";
    let ended = place.run_with(&["send", &place.of("s")], lines).expect(1);
    ended.says(&["line 3 of stdin", "\"type\"", "help:", "the event before it was sent"]);
    let junk = place.run_with(&["send", &place.of("s")], "junk").expect(1);
    junk.says(&["line 1 of stdin", "expected a value at byte 0", "nothing was sent"]);
    let line = listener.text();
    assert!(line.ends_with(r#""type":"good","data":null}"#), "{line}");
    listener.interrupt();
    assert_eq!(listener.end().expect(0).lines().len(), 1);
}

#[test]
fn a_name_that_some_peer_has_another_use_for_is_warned_of_once() {
    let place = Place::new();
    let listener = place.start(&["listen", &place.of("s")]);
    for (name, why) in [("", "refuse an empty name"), ("*", "every event"), ("connect", "node-ipc's own")] {
        let warning = format!("warning: the event \"{name}\": ");
        place.run(&["send", &place.of("s"), name, "1"]).expect(0).says(&[&warning, why]);
        assert_eq!(listener.line()["type"], name);
        place.run(&["request", &place.of("s"), name, "--timeout", "0.1"]).expect(4).says(&[&warning]);
        listener.line();
        let lines = format!("{{\"type\":\"{name}\"}}\n").repeat(3);
        let ended = place.run_with(&["send", &place.of("s")], &lines).expect(0);
        assert_eq!(ended.stderr.matches("warning: ").count(), 1, "{ended:?}");
        for _ in 0..3 {
            listener.line();
        }
    }
    let allowed = place.run(&["send", &place.of("s"), "connect", "-o", "allowReservedEvents=true"]).expect(0);
    assert_eq!(allowed.stderr, "");
    // What is refused is not warned of.
    let refused = place.run(&["send", &place.of("s"), "", "1", "--preset", "v14-guarded"]).expect(1);
    assert!(!refused.stderr.contains("warning"), "{refused:?}");
    refused.says(&["cannot send the event \"\" to"]);
}

#[test]
fn a_listener_echoes_and_replies_and_ends_after_its_count() {
    let place = Place::new();
    let listener = place.start(&["listen", &place.of("s"), "--echo", "--reply", "ping={\"pong\": 1}", "-n", "2"]);
    let answer = place.run(&["send", &place.of("s"), "ping", "--await", "ping"]).expect(0);
    assert_eq!(answer.lines()[0]["data"], json!({"pong": 1}));
    let answer = place.run(&["send", &place.of("s"), "x", "[5]", "--await", "x"]).expect(0);
    assert_eq!(answer.lines()[0]["data"], json!([5]));
    assert_eq!(answer.lines().len(), 1);
    assert_eq!(listener.end().expect(0).lines().len(), 2);
}

#[test]
fn an_answer_that_does_not_come_is_timed_out() {
    let place = Place::new();
    let _listener = place.start(&["listen", &place.of("s")]);
    let args = ["send", &place.of("s"), "x", "--await", "y", "--timeout", "0.1"];
    place.run(&args).expect(4).says(&["waiting for an event y", "0.1 s", "help:"]);
}

#[test]
fn filters_choose_what_is_shown_and_not_what_is_answered() {
    let place = Place::new();
    let listener = place.start(&["listen", &place.of("s"), "--echo", "--filter", "job.*", "-f", "?"]);
    for name in ["job.1", "other", "x"] {
        place.run(&["send", &place.of("s"), name, "--await", name]).expect(0);
    }
    assert_eq!([listener.line()["type"].clone(), listener.line()["type"].clone()], ["job.1", "x"]);
    listener.interrupt();
    assert_eq!(listener.end().expect(0).lines().len(), 2);
}

#[test]
fn sub_shows_what_a_server_says_and_ends_when_it_closes() {
    let place = Place::new();
    let server = speaker(&place.of("s"), b"{\"type\":\"a\",\"data\":1}\x0cnonsense\x0c{\"type\":\"b\"}\x0c");
    let sub = place.start(&["sub", &place.of("s")]);
    let (a, malformed, b) = (sub.line(), sub.line(), sub.line());
    assert_eq!((&a["type"], &a["data"]), (&json!("a"), &json!(1)));
    assert_eq!((&malformed["kind"], &malformed["code"]), (&json!("malformed"), &json!("ERR_IPC_INVALID_JSON")));
    assert_eq!((&malformed["frame"], &malformed["bytes"]), (&json!("nonsense"), &json!(8)));
    assert_eq!((&b["type"], b.get("data")), (&json!("b"), None));
    drop(server.join());
    let ended = sub.end().expect(0);
    assert_eq!(ended.stdout.lines().count(), 3);
}

#[test]
fn bytes_are_counted_as_they_came_though_they_are_no_text() {
    let place = Place::new();
    let frames = b"\xff\xfe\x0c{\"type\":\"a\",\"data\":\"\xff\"}\x0c";
    let listener = place.start(&["listen", &place.of("s")]);
    UnixStream::connect(place.of("s")).expect("connected").write_all(frames).expect("written");
    let server = speaker(&place.of("t"), frames);
    let sub = place.start(&["sub", &place.of("t"), "-n", "2"]);
    for line in [listener.line(), sub.line()] {
        assert_eq!((&line["kind"], &line["bytes"]), (&json!("malformed"), &json!(2)));
    }
    for line in [listener.line(), sub.line()] {
        assert_eq!((&line["type"], &line["bytes"]), (&json!("a"), &json!(23)));
    }
    drop(server.join());
}

#[test]
fn a_message_without_its_end_is_shown_when_the_connection_ends() {
    let place = Place::new();
    let head: &'static [u8] = b"{\"type\":\"a\"}\x0c{\"type\":\"half";
    let listener = place.start(&["listen", &place.of("s"), "--lifecycle"]);
    UnixStream::connect(place.of("s")).expect("connected").write_all(head).expect("written");
    let kinds = ["open", "event", "unfinished", "close"].map(|kind| (kind, listener.line()));
    assert!(kinds.iter().all(|(kind, line)| line["kind"] == *kind && line["connection"] == 0), "{kinds:?}");
    assert_eq!(kinds[2].1["bytes"], 13);
    // What ends with its delimiter has nothing unfinished.
    UnixStream::connect(place.of("s")).expect("connected").write_all(&head[..13]).expect("written");
    let kinds = ["open", "event", "close"].map(|kind| (kind, listener.line()));
    assert!(kinds.iter().all(|(kind, line)| line["kind"] == *kind), "{kinds:?}");

    let ended = |args: &[&str]| {
        let server = speaker(&place.of("t"), head);
        let program = place.start(args);
        drop(server.join());
        std::fs::remove_file(place.of("t")).expect("a socket");
        program.end().expect(0)
    };
    let lines = ended(&["sub", &place.of("t")]).lines();
    assert_eq!((&lines[1]["kind"], &lines[1]["bytes"], lines.len()), (&json!("unfinished"), &json!(13), 2));
    ended(&["record", "half.ndjson", "--from", &place.of("t")]);
    let recording = std::fs::read_to_string(place.of("half.ndjson")).expect("a recording");
    let lines: Vec<_> = recording.lines().map(common::json).collect();
    assert_eq!((&lines[1]["kind"], &lines[1]["from"], lines.len()), (&json!("unfinished"), &json!("server"), 2));
}

#[test]
fn an_unfinished_message_is_told_also_when_the_next_connection_is_up_before_it_is_looked_at() {
    let place = Place::new();
    let path = place.of("s");
    let server = UnixListener::bind(&path).expect("bound");
    let mut command = place.command(&["sub", &path, "--reconnect", "-o", "retry=1", "-n", "901"]);
    let mut sub = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("it starts");
    let (mut first, _) = server.accept().expect("a client");
    // More than a pipe holds that nobody reads, and less than waits in the stream of events.
    let padding = "x".repeat(200);
    let events: String = (0..900).map(|n| format!("{{\"type\":\"n\",\"data\":\"{n}{padding}\"}}\x0c")).collect();
    first.write_all(format!("{events}half").as_bytes()).expect("written");
    drop(first);
    let (mut second, _) = server.accept().expect("the client again");
    second.write_all(b"{\"type\":\"last\"}\x0c").expect("written");
    let mut shown = String::new();
    sub.stdout.take().expect("a pipe").read_to_string(&mut shown).expect("read");
    assert!(sub.wait().expect("it ends").success());
    let lines: Vec<_> = shown.lines().map(common::json).collect();
    assert_eq!((&lines[900]["kind"], &lines[900]["bytes"]), (&json!("unfinished"), &json!(4)));
    assert_eq!((&lines[901]["type"], lines.len()), (&json!("last"), 902));
}

#[test]
fn each_connection_of_sub_has_its_own_unfinished_message() {
    let place = Place::new();
    let listener = UnixListener::bind(place.of("s")).expect("bound");
    let serving = std::thread::spawn(move || {
        for says in [&b"{\"ty"[..], b"{\"type\":\"a\"}\x0c", b"{\"type\":"] {
            let (mut stream, _) = listener.accept().expect("a client");
            // The first connection too ends at once, which may be before `sub` has seen that there is one.
            stream.write_all(says).expect("written");
        }
    });
    let sub = place.start(&["sub", &place.of("s"), "--reconnect", "-o", "retry=1000"]);
    let lines = [sub.line(), sub.line(), sub.line()];
    serving.join().expect("served");
    assert_eq!((&lines[0]["kind"], &lines[0]["bytes"]), (&json!("unfinished"), &json!(4)));
    assert_eq!(lines[1]["type"], "a");
    assert_eq!((&lines[2]["kind"], &lines[2]["bytes"]), (&json!("unfinished"), &json!(8)));
    // From then on nobody is there: that no connection is lost by is not called so.
    sub.said_on_stderr(|line| line.starts_with("not connected yet; trying again in"));
    sub.interrupt();
    let said = sub.end().expect(0).stderr;
    assert_eq!(said.matches("connection lost; trying again in").count(), 3, "{said}");
}

/// A script that asks for so many can tell whether it has them.
#[test]
fn fewer_events_than_were_asked_for_are_an_error() {
    for command in ["sub", "record"] {
        let place = Place::new();
        let server = speaker(&place.of("s"), b"{\"type\":\"a\"}\x0c");
        let (address, file) = (place.of("s"), place.of("day.ndjson"));
        let ipc = if command == "sub" {
            place.start(&["sub", &address, "-n", "2"])
        } else {
            place.start(&["record", &file, "--from", &address, "-n", "2"])
        };
        drop(server.join().expect("served"));
        ipc.end().expect(6).says(&["the server closed the connection", "help:"]);
    }
}

#[test]
fn text_needs_something_to_be_the_text_of() {
    let place = Place::new();
    place.run(&["send", &place.of("s"), "hello", "--text"]).expect(2).says(&["<DATA>"]);
    place.run(&["replay", "day", &place.of("s"), "--speed", "-1"]).expect(2).says(&["above 0"]);
}

#[test]
fn sub_with_a_preset_of_node_ipc_14_ends_at_what_is_malformed() {
    let place = Place::new();
    let _server = speaker(&place.of("s"), b"{\"type\":\"a\"}\x0cnonsense\x0c{\"type\":\"b\"}\x0c");
    let ended = place.run(&["sub", &place.of("s"), "--preset", "v14-fast"]).expect(6);
    let kinds: Vec<_> = ended.lines().iter().map(|line| line["kind"].clone()).collect();
    assert_eq!(kinds, ["event", "malformed"]);
    ended.says(&["listening to unix:", "not valid JSON", "help:"]);
}

#[test]
fn sub_ends_after_its_count_and_its_time() {
    let place = Place::new();
    let _server = speaker(&place.of("s"), b"{\"type\":\"a\"}\x0c{\"type\":\"b\"}\x0c{\"type\":\"c\"}\x0c");
    let ended = place.run(&["sub", &place.of("s"), "-n", "1", "--filter", "b"]).expect(0);
    assert_eq!(ended.lines()[0]["type"], "b");
    let _silent = speaker(&place.of("silent"), b"");
    let ended = place.run(&["sub", &place.of("silent"), "--timeout", "0.1"]).expect(4);
    ended.says(&["none came within 0.1 s", "help:"]);
    assert_eq!(ended.stdout, "");
}

#[test]
fn sub_waits_for_a_server_and_comes_back_to_its_successor() {
    let place = Place::new();
    let path = place.of("s");
    let sub = Program::start(place.command(&["sub", &path, "--wait", "--reconnect", "-o", "retry=5"]));
    sub.said_on_stderr(|line| line.contains("waiting for"));
    for name in ["{\"type\":\"one\"}\x0c", "{\"type\":\"two\"}\x0c"] {
        let _gone = std::fs::remove_file(&path);
        let connection = speaker(&path, name.as_bytes());
        assert!(name.contains(sub.line()["type"].as_str().expect("a name")));
        drop(connection.join());
    }
    sub.interrupt();
    sub.end().expect(0);
}

#[test]
fn nobody_there_is_told_with_what_to_do() {
    let place = Place::new();
    let path = place.of("s");
    for args in [&["send", &path, "x"][..], &["sub", &path], &["request", &path, "x"], &["bench", &path]] {
        let ended = place.run(args).expect(3);
        ended.says(&["cannot connect to unix:", "No such file", "help:", "ipc ls", "--wait"]);
        assert_eq!(ended.stdout, "");
    }
    let ended = place.run(&["send", &place.of("no/where"), "x"]).expect(3);
    ended.says(&[&format!("there is no directory {}", place.of("no/"))]);
    assert!(!ended.stderr.contains("ipc ls") && !ended.stderr.contains("node-ipc"), "{ended:?}");
    let listener = UnixListener::bind(&path).expect("bound");
    drop(listener);
    place.run(&["send", &path, "x"]).expect(3).says(&["refused", "is gone"]);
    let ended = place.run(&["send", &place.of("t"), "x", "--wait=0.1"]).expect(4);
    ended.says(&["nobody was there within 0.1 s", "help:"]);
    // Where it is waited for is told once.
    let waiting = ended.stderr.lines().find(|line| line.starts_with("waiting for")).expect("it waits");
    assert_eq!(waiting.matches(&place.of("t")).count(), 1, "{waiting}");
}

#[test]
fn what_is_no_json_is_told_with_where_it_stands() {
    let place = Place::new();
    let ended = place.run(&["listen", &place.of("s"), "--reply", "ping={pong"]).expect(2);
    ended.says(&["--reply ping is no JSON: expected a string as key at byte 1", "help:"]);
    std::fs::write(place.path().join("r"), "x\n").expect("written");
    let ended = place.run(&["replay", &place.of("r"), &place.of("s")]).expect(2);
    ended.says(&["line 1 of ", "expected a value at byte 0", "help:"]);
}

#[test]
fn a_listener_does_not_take_the_place_of_another() {
    let place = Place::new();
    let first = place.start(&["listen", &place.of("s")]);
    let ended = place.run(&["listen", &place.of("s")]).expect(3);
    ended.says(&["cannot listen at unix:", "in use", "help:", "take its place with --take-over"]);
    assert!(!ended.stderr.contains("takeOver"), "{ended:?}");
    let tap = ["tap", &place.of("s"), &place.of("t")];
    place.run(&tap).expect(3).says(&["in use", "take its place with -o takeOver=true"]);
    let second = place.start(&["listen", &place.of("s"), "--take-over"]);
    place.run(&["send", &place.of("s"), "x"]).expect(0);
    assert_eq!(second.line()["type"], "x");
    drop(first);
    let listener = Program::start(place.command(&["listen", "tcp:127.0.0.1:0"]));
    let port = port_in(&listener.said_on_stderr(|line| line.starts_with("listening at tcp:")));
    let ended = place.run(&["listen", &format!("tcp:{port}")]).expect(3);
    ended.says(&["in use", "another program has that port"]);
    if cfg!(target_os = "linux") {
        ended.says(&["`ipc doctor ADDRESS` or `ss -tlnp` says which"]);
        let found = place.run(&["doctor", &format!("tcp:{port}")]).expect(0).stdout;
        assert!(found.contains(&format!(": process {} (ipc)", listener.pid())), "{found}");
    }
}

#[test]
fn where_one_may_not_listen_is_told_with_a_place_where_one_may() {
    let place = Place::new();
    if let Some(command) = place.command_of_nobody(&["listen", &place.of("s")]) {
        let ended = Program::start(command).end().expect(3);
        ended.says(&["another path", "--socket-root"]);
        assert!(!ended.stderr.contains("port"), "{ended:?}");
    }
    // Some systems let everybody have such a port.
    let everybody = std::fs::read_to_string("/proc/sys/net/ipv4/ip_unprivileged_port_start");
    if everybody.is_ok_and(|first| first.trim() == "1024") {
        let Some(command) = place.command_of_nobody(&["listen", "tcp:127.0.0.1:1"]) else { return };
        let ended = Program::start(command).end().expect(3);
        ended.says(&["choose one from 1024"]);
        assert!(!ended.stderr.contains("--socket-root"), "{ended:?}");
    }
}

#[test]
fn a_server_that_lets_nobody_in_is_warned_of() {
    let place = Place::new();
    for args in [&["listen", &place.of("s")][..], &["tap", &place.of("t"), &place.of("s")]] {
        let server = Program::start(place.command(&common::args(args, &["-o", "maxConnections=0"])));
        server.said_on_stderr(|line| line == "warning: maxConnections is 0: nobody is let in");
        server.said_on_stderr(|line| line.starts_with("listening at"));
    }
}

#[test]
fn everything_goes_over_tcp_as_well() {
    let place = Place::new();
    let listener = Program::start(place.command(&["listen", "tcp:127.0.0.1:0", "--echo"]));
    let port = port_in(&listener.said_on_stderr(|line| line.starts_with("listening at tcp:")));
    let address = format!("tcp:{port}");
    let tap = Program::start(place.command(&["tap", "tcp:127.0.0.1:0", &address]));
    let tapped = port_in(&tap.said_on_stderr(|line| line.starts_with("listening at tcp:")));
    let answer = place.run(&["send", &format!("tcp:localhost:{tapped}"), "x", "1", "--await", "x"]).expect(0);
    assert_eq!(answer.lines()[0]["data"], 1);
    assert!(listener.line()["connection"] == 0);
    let open = tap.line();
    assert!(open["peer"].as_str().is_some_and(|peer| peer.starts_with("127.0.0.1:")), "{open}");
    let wrong = place.run(&["send", &format!("tcp:127.0.0.1:{}", common::free_port()), "x"]).expect(3);
    wrong.says(&["refused", "nobody listens on that port"]);
}

#[test]
fn sigterm_ends_as_cleanly_as_sigint() {
    let place = Place::new();
    let listener = place.start(&["listen", &place.of("s")]);
    listener.signal(Signal::TERM);
    listener.end().expect(0);
    assert!(!place.path().join("s").exists());
    // One that has not done what it was to do says so.
    for (signal, code) in [(Signal::INT, 130), (Signal::TERM, 143)] {
        let path = place.of(&format!("silent{code}"));
        let server = UnixListener::bind(&path).expect("bound");
        let asking = Program::start(place.command(&["send", &path, "x", "--await", "y"]));
        let (mut connection, _) = server.accept().expect("a client");
        // Once its event is here it waits.
        assert!(matches!(connection.read(&mut [0; 100]), Ok(1..)));
        asking.signal(signal);
        asking.end().expect(code);
    }
}

#[test]
fn what_is_no_socket_and_whose_is_another_users_is_told_with_what_to_do() {
    let place = Place::new();
    place
        .run(&["send", &format!("unix:{}", place.path().display()), "x"])
        .expect(3)
        .says(&["that is a directory", "the id of a service (unix:world) or the path of a socket is expected"]);
    place.run(&["send", "unix:", "x"]).expect(2).says(&["empty", "for instance unix:world"]);
    place.run(&["send", "http://localhost:8000", "x"]).expect(2).says(&["did you mean tcp:localhost:8000?"]);
    let id = format!("nobody-{}", std::process::id());
    let newer = place.run(&["send", &id, "x", "--preset", "v14-fast"]).expect(3);
    newer.says(&["without the preset", "/tmp/", "ipc ls"]);
    assert!(!newer.stderr.contains("--preset v14-fast"), "{newer:?}");
    // The directory is not there, and so there is nothing to list.
    newer.says(&["there is no directory", "`ipc ls` alone"]);
    place.run(&["send", &id, "x"]).expect(3).says(&["--preset v14-fast"]);

    let _listener = place.start(&["listen", &place.of("s")]);
    let Some(command) = place.command_of_nobody(&["listen", &place.of("s")]) else { return };
    let ended = Program::start(command).end().expect(3);
    assert!(!ended.stderr.contains("takeOver"), "{ended:?}");
    ended.says(&["is there already, and belongs to the user root", "choose another id or path"]);
}
