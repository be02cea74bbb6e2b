//! How the program ends, what it says alone, and that its documentation says the same as it does.
#![cfg(unix)]

mod common;

use common::{PATIENCE, Place, Program};
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixListener;
use std::process::{Command, Stdio};
use std::time::Instant;

const COMMANDS: [&str; 12] =
    ["listen", "send", "request", "sub", "tap", "record", "replay", "bench", "ls", "doctor", "completions", "man"];

fn document() -> String {
    std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/cli.md")).expect("docs/cli.md")
}

#[test]
fn alone_it_gives_a_short_help_with_three_examples() {
    let place = Place::new();
    let ended = place.run(&[]).expect(2);
    assert_eq!(ended.stdout, "");
    assert_eq!(ended.stderr.lines().filter(|line| line.starts_with("  ipc ")).count(), 3, "{}", ended.stderr);
    ended.says(&["ipc help"]);
}

#[test]
fn every_command_has_examples_and_a_page() {
    let place = Place::new();
    let whole = place.run(&["help"]).expect(0).stdout;
    let document = document();
    for command in COMMANDS {
        assert!(whole.contains(&format!("  {command} ")), "{command} is not in: {whole}");
        for help in [&[command, "--help"][..], &["help", command], &[command, "-h"]] {
            let text = place.run(help).expect(0).stdout;
            assert!(text.contains("Examples:") && text.contains(&format!("ipc {command}")), "{help:?}: {text}");
            let examples = text.split("Examples:").nth(1).unwrap_or_default();
            let wide = examples.lines().find(|line| line.chars().count() > 80);
            assert_eq!(wide, None, "an example of {command} is wider than a terminal");
        }
        let page = place.run(&["man", command]).expect(0).stdout;
        assert!(page.contains(&format!("ipc\\-{command}")) && page.contains("Examples:"), "{page}");
        let synopsis = page.split(".SH ").find(|part| part.starts_with("SYNOPSIS")).expect("a synopsis");
        assert!(synopsis.contains(&format!("\nipc {command} [OPTIONS]")), "{synopsis}");
        assert!(document.contains(&format!("## `ipc {command}")), "docs/cli.md has no section on {command}");
    }
    assert!(place.run(&["--help"]).expect(0).stdout.contains("abstract:name"));
    assert!(place.run(&["--version"]).expect(0).stdout.starts_with("ipc "));
    let version = concat!("ipc ", env!("CARGO_PKG_VERSION"));
    for args in [&["man"][..], &["man", "listen"]] {
        let page = place.run(args).expect(0).stdout;
        let title = page.lines().find(|line| line.starts_with(".TH")).expect("a title");
        assert!(title.contains(&format!("{version:?}")), "{title}");
    }
    place.run(&["man", "nothing"]).expect(2).says(&["no command \"nothing\""]);
}

#[test]
fn the_manual_and_the_documentation_list_the_exit_codes() {
    let place = Place::new();
    let page = place.run(&["man"]).expect(0).stdout;
    let document = document();
    for (code, start) in [
        (0, "done"),
        (1, "something failed"),
        (2, "the command line"),
        (3, "nobody could be connected"),
        (4, "it took longer"),
        (5, "the peer answered"),
        (6, "the connection was lost"),
        (130, "interrupted"),
    ] {
        assert!(page.contains(start), "{start}: {page}");
        assert!(document.contains(&format!("| {code} |")), "{code} is not in docs/cli.md");
    }
}

#[test]
fn completions_are_scripts_that_their_shells_take() {
    let place = Place::new();
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let script = place.run(&["completions", shell]).expect(0).stdout;
        assert!(script.contains("danger-accept-any-certificate") && script.contains("replay"), "{shell}");
        if shell == "bash" && common::has("bash") {
            let mut bash = Command::new("bash").arg("-n").stdin(Stdio::piped()).spawn().expect("bash");
            bash.stdin.take().expect("a pipe").write_all(script.as_bytes()).expect("written");
            assert!(bash.wait().expect("it ends").success());
        }
    }
    place.run(&["completions", "csh"]).expect(2).says(&["csh", "bash"]);
}

#[test]
fn a_wrong_command_line_is_told_on_stderr_with_code_2() {
    let place = Place::new();
    for args in [
        &["lisen", "x"][..],
        &["listen"],
        &["send"],
        &["sub", "x", "--count", "many"],
        &["sub", "x", "-n", "0"],
        &["send", "localhost:8000", "x"],
        &["request", "x", "y", "--timeout", "-1"],
        &["record", "file"],
        &["record", "file", "--listen", "x"],
        &["listen", "x", "--reply", "name"],
        &["listen", "x", "--reply", "name={"],
        &["tap", "unix:x", "unix:x"],
        &["tap", "unix:x", "unix:y", "-n", "0"],
        &["record", "file", "--from", "x", "-n", "0"],
    ] {
        let ended = place.run(args).expect(2);
        assert!(ended.stdout.is_empty() && !ended.stderr.is_empty(), "{args:?}: {ended:?}");
    }
    assert!(!place.path().join("file").exists(), "nothing was made");
    place.run(&["tap", "unix:x", "unix:x"]).expect(2).says(&["would connect to itself"]);
    let reply = place.run(&["listen", "x", "--reply", "name={"]).expect(2);
    assert!(!reply.stderr.contains("--text"), "{reply:?}");
    std::fs::write(place.of("plain"), "").expect("written");
    place.run(&["send", &place.of("plain"), "x"]).expect(3).says(&["that is no socket"]);
}

/// A server that says the same event for as long as somebody listens.
fn talker(path: &str) {
    let listener = UnixListener::bind(path).expect("bound");
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("a client");
        while stream.write_all(b"{\"type\":\"news\",\"data\":\"again and again\"}\x0c").is_ok() {}
    });
}

#[test]
fn a_reader_who_has_enough_ends_it_quietly() {
    let place = Place::new();
    talker(&place.of("s"));
    let mut command = place.command(&["sub", &place.of("s"), "-q"]);
    let mut child =
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("started");
    let mut line = String::new();
    BufReader::new(child.stdout.take().expect("a pipe")).read_line(&mut line).expect("a line");
    assert!(line.contains("again and again"));
    let output = child.wait_with_output().expect("it ends");
    assert_eq!((output.status.code(), String::from_utf8_lossy(&output.stderr).as_ref()), (Some(0), ""));
}

#[test]
fn it_is_noticed_that_nobody_reads_while_there_is_nothing_to_write() {
    let place = Place::new();
    for args in [&["listen", &place.of("l"), "-q"][..], &["tap", &place.of("t"), &place.of("l"), "-q"]] {
        let mut command = place.command(args);
        let mut child =
            command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("started");
        drop(child.stdout.take());
        let output = child.wait_with_output().expect("it ends");
        assert_eq!((output.status.code(), String::from_utf8_lossy(&output.stderr).as_ref()), (Some(0), ""), "{args:?}");
    }
    // What is to be sent is sent, whoever reads.
    let listener = place.start(&["listen", &place.of("m")]);
    let mut command = place.command(&["send", &place.of("m"), "x"]);
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().expect("started");
    drop(child.stdout.take());
    assert_eq!(child.wait().expect("it ends").code(), Some(0));
    assert_eq!(listener.line()["type"], "x");
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_told() {
    let place = Place::new();
    // It fails while it writes, or when it is done: both several times.
    for command in ["completions bash", "man", "completions fish"].into_iter().cycle().take(30) {
        full_disk(&place, &command.split(' ').collect::<Vec<_>>());
    }
}

#[cfg(target_os = "linux")]
fn full_disk(place: &Place, args: &[&str]) {
    let full = std::fs::File::create("/dev/full").expect("opened");
    let mut command = place.command(args);
    let output = command.stdin(Stdio::null()).stdout(full).stderr(Stdio::piped()).output().expect("it ends");
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    assert!(stderr.contains("cannot write to stdout") && stderr.contains("help:"), "{stderr}");
}

#[test]
fn a_reader_who_does_not_read_does_not_keep_it_from_ending() {
    let place = Place::new();
    talker(&place.of("s"));
    let mut command = place.command(&["sub", &place.of("s")]);
    let mut child =
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("started");
    let mut stdout = child.stdout.take().expect("a pipe");
    // Something is there, and nothing more is read: the pipe fills up.
    assert!(matches!(stdout.read(&mut [0; 10]), Ok(1..)));
    let began = Instant::now();
    let pid = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(pid, rustix::process::Signal::INT).expect("it is there");
    assert_eq!(child.wait().expect("it ends").code(), Some(0));
    assert!(began.elapsed() < PATIENCE);
    drop(stdout);
}

#[test]
fn the_second_signal_ends_it_at_once() {
    let place = Place::new();
    // It accepts and never reads, nor ends: a close has to wait for it.
    let listener = UnixListener::bind(place.of("s")).expect("bound");
    let sub = Program::start(place.command(&["sub", &place.of("s")]));
    let (_connection, _) = listener.accept().expect("a client");
    sub.said_on_stderr(|line| line.starts_with("connected to"));
    let began = Instant::now();
    sub.interrupt();
    // Two that come together are one to the system: the second is sent until it is felt.
    let pid = sub.pid();
    let again = std::thread::spawn(move || {
        let pid = rustix::process::Pid::from_raw(i32::try_from(pid).expect("a pid")).expect("a pid");
        for _ in 0..100 {
            std::thread::sleep(std::time::Duration::from_millis(10));
            if rustix::process::kill_process(pid, rustix::process::Signal::INT).is_err() {
                break;
            }
        }
    });
    let ended = sub.end();
    assert!(matches!(ended.code, Some(0 | 130)), "{ended:?}");
    assert!(began.elapsed().as_secs() < 4, "the close was waited for");
    again.join().expect("done");
}

#[test]
fn a_time_in_the_place_of_an_address_is_told_with_how_to_write_one() {
    let place = Place::new();
    for args in [
        &["send", "--wait", "1", "unix:world", "x"][..],
        &["send", "unix:world", "x", "--wait", "1"],
        &["sub", "unix:world", "--wait", "1"],
        &["sub", "--wait", "1"],
        &["send", "1", "x"],
    ] {
        place.run(args).expect(2).says(&["an address", "is expected", "for a time write --wait=1"]);
    }
    place.run(&["listen", "8000"]).expect(2).says(&["for a port write tcp:8000", "write unix:8000"]);
    let ended = place.run(&["ls", "--wait", "1"]).expect(2);
    assert!(!ended.stderr.contains("--wait=1"), "{ended:?}");
}
