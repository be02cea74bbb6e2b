//! Options from flags, the environment and files, and which has the last word.
#![cfg(unix)]

mod common;

use common::{Ended, Place, Program};
use serde_json::json;
use std::fs;

/// Where `ipc doctor` finds the service `world`, with these variables and flags.
fn resolved(place: &Place, variables: &[(&str, &str)], flags: &[&str]) -> Result<String, Ended> {
    let mut command = place.command(&common::args(&["doctor", "world"], flags));
    command.envs(variables.iter().copied());
    let ended = Program::start(command).end();
    if ended.code == Some(2) {
        return Err(ended);
    }
    let text = ended.lines()[0]["text"].as_str().expect("a text").to_owned();
    Ok(text.rsplit(' ').next().expect("an address").to_owned())
}

#[test]
fn flags_win_over_the_environment_which_wins_over_the_file_which_wins_over_the_preset() {
    let place = Place::new();
    let at = |variables: &[(&str, &str)], flags: &[&str]| resolved(&place, variables, flags).expect("good options");
    assert_eq!(at(&[], &[]), "unix:/tmp/app.world");
    assert_eq!(at(&[], &["--preset", "v14-fast"]), format!("unix:{}/node-ipc/app.world", place.of("run")));
    fs::create_dir_all(place.of("config/ipc")).expect("made");
    fs::write(place.of("config/ipc/config.toml"), "preset = \"v14-fast\"\nappspace = \"file.\"\n").expect("written");
    assert_eq!(at(&[], &[]), format!("unix:{}/node-ipc/file.world", place.of("run")));
    let variables = [("IPC_APPSPACE", "variable."), ("IPC_SOCKET_ROOT", "/v/")];
    assert_eq!(at(&variables, &[]), "unix:/v/variable.world");
    assert_eq!(at(&variables, &["--appspace", "flag."]), "unix:/v/flag.world");
    assert_eq!(at(&variables, &["-o", "socketRoot=/o/", "-o", "appspace="]), "unix:/o/world");
    assert_eq!(at(&[("IPC_PRESET", "v9")], &[]), "unix:/tmp/file.world");
    // Another file takes the place of the usual one.
    fs::write(place.of("other.json"), r#"{"appspace": "other."}"#).expect("written");
    assert_eq!(at(&[], &["--config", "other.json"]), "unix:/tmp/other.world");
    assert_eq!(at(&[("IPC_CONFIG", "other.json")], &[]), "unix:/tmp/other.world");
}

#[test]
fn a_misspelt_option_is_named_with_its_place_and_the_right_one() {
    let place = Place::new();
    fs::write(place.of("bad.toml"), "[tls]\ntrustedConections = \"x\"\n").expect("written");
    let told = |variables: &[(&str, &str)], flags: &[&str], expected: &[&str]| {
        resolved(&place, variables, flags).expect_err("a mistake").says(expected);
    };
    told(&[], &["--config", "bad.toml"], &["config file bad.toml", "did you mean \"tls.trustedConnections\"?"]);
    told(&[], &["--config", "none.toml"], &["config file none.toml", "cannot be read", "help:"]);
    told(&[("IPC_PRESTE", "v9")], &[], &["IPC_PRESTE", "did you mean IPC_PRESET?", "unset"]);
    told(&[("IPC_CA", "x")], &[], &["IPC_CA", "did you mean IPC_TLS_TRUSTED_CONNECTIONS?"]);
    told(&[("IPC_SOKET_ROOT", "/x/")], &[], &["IPC_SOKET_ROOT", "did you mean IPC_SOCKET_ROOT?", "unset"]);
    told(&[], &["-o", "maxConections=1"], &["-o maxConections=1", "did you mean \"maxConnections\"?"]);
    told(&[], &["-o", "retry=soon"], &["-o retry=soon", "milliseconds"]);
    told(&[], &["-o", "retry"], &["there is no `=`", "help:"]);
    told(&[("IPC_PRESET", "v8")], &[], &["IPC_PRESET", "v14-guarded"]);
    told(&[("IPC_COLOR", "blue")], &[], &["IPC_COLOR", "auto, always or never"]);
    told(&[], &["--preset", "v8"], &["v8", "v14-guarded"]);
}

#[test]
fn options_are_those_of_the_server_and_of_the_client() {
    let place = Place::new();
    let listener = place.start(&["listen", &place.of("s"), "-o", "delimiter=\"\\n\"", "-o", "socketMode=0660"]);
    let mode = fs::metadata(place.of("s")).map(|it| std::os::unix::fs::PermissionsExt::mode(&it.permissions()));
    assert_eq!(mode.expect("a socket") & 0o777, 0o660);
    let mut command = place.command(&["send", &place.of("s"), "x", "1"]);
    command.env("IPC_DELIMITER", "\n");
    Program::start(command).end().expect(0);
    assert_eq!(listener.line()["data"], 1);
    let limited = place.run(&["send", &place.of("s"), "x", "\"long enough\"", "-o", "maxMessageSize=20"]).expect(1);
    limited.says(&["cannot send the event x", "maxMessageSize"]);
}

#[test]
fn the_assured_preset_lets_only_its_names_pass() {
    let place = Place::new();
    let listener = place.start(&[
        "listen",
        "world",
        "--socket-root",
        &place.root(),
        "--preset",
        "v14-assured",
        "-o",
        "allowedEvents=[\"good\"]",
    ]);
    let send = ["send", &place.of("app.world")];
    place.run(&common::args(&send, &["good"])).expect(0);
    place.run(&common::args(&send, &["bad"])).expect(0);
    assert_eq!(listener.line()["type"], "good");
    let malformed = listener.line();
    assert_eq!((&malformed["kind"], &malformed["code"]), (&json!("malformed"), &json!("ERR_IPC_EVENT_NOT_ALLOWED")));
}

#[test]
fn raw_bytes_are_shown_as_such_and_events_refused() {
    let place = Place::new();
    let listener = place.start(&["listen", &place.of("s"), "-o", "rawBuffer=true", "--echo"]);
    let mut client = std::os::unix::net::UnixStream::connect(place.of("s")).expect("connected");
    std::io::Write::write_all(&mut client, b"\x00\xff").expect("written");
    let line = listener.line();
    assert_eq!((&line["kind"], &line["hex"], &line["bytes"]), (&json!("data"), &json!("00ff"), &json!(2)));
    let mut echoed = [0; 2];
    std::io::Read::read_exact(&mut client, &mut echoed).expect("an echo");
    assert_eq!(echoed, [0, 0xff]);
    place
        .run(&["send", &place.of("s"), "x", "-o", "rawBuffer=true"])
        .expect(2)
        .says(&["raw connections have no events"]);
}

#[test]
fn colours_are_there_when_they_were_asked_for_and_never_else() {
    let place = Place::new();
    drop(std::os::unix::net::UnixListener::bind(place.of("s")).expect("bound"));
    let text = |variables: &[(&str, &str)], flags: &[&str]| {
        let mut command = place.command(&common::args(&["ls", &place.root(), "--format", "text"], flags));
        command.envs(variables.iter().copied());
        Program::start(command).end().expect(0).stdout
    };
    assert!(!text(&[], &[]).contains('\u{1b}'), "stdout is no terminal");
    assert!(text(&[], &["--color", "always"]).contains('\u{1b}'));
    assert!(text(&[("IPC_COLOR", "always")], &[]).contains('\u{1b}'));
    assert!(!text(&[("IPC_COLOR", "always")], &["--color", "never"]).contains('\u{1b}'));
    // Who asks for colour by CLICOLOR_FORCE and against it by NO_COLOR gets none.
    assert!(text(&[("CLICOLOR_FORCE", "1")], &[]).contains('\u{1b}'));
    assert!(!text(&[("CLICOLOR_FORCE", "1"), ("NO_COLOR", "1")], &[]).contains('\u{1b}'));
}

#[test]
fn a_file_that_is_no_toml_is_shown_line_by_line() {
    let place = Place::new();
    fs::write(place.of("bad.toml"), "id = \"x\"\nretry = = 2\n").expect("written");
    let ended = resolved(&place, &[], &["--config", "bad.toml"]).expect_err("a mistake");
    assert!(ended.stderr.lines().any(|line| line == "  2 | retry = = 2"), "{ended:?}");
    assert!(!ended.stderr.contains("\\n"), "{ended:?}");
}

#[test]
fn a_file_that_holds_another_kind_of_json_is_told_without_what_it_holds() {
    let place = Place::new();
    fs::write(place.path().join("c.json"), "\"secret\"").expect("written");
    let ended = place.run(&["ls", "--config", &place.of("c.json"), "/"]).expect(2);
    ended.says(&["is no JSON object", "maxRetries"]);
    assert!(!ended.stderr.contains("secret"), "{ended:?}");
}

#[test]
fn a_broken_configuration_breaks_nothing_that_needs_none() {
    let place = Place::new();
    fs::create_dir_all(place.of("config/ipc")).expect("made");
    fs::write(place.of("config/ipc/config.toml"), "nonsense").expect("written");
    for args in [&["completions", "bash"][..], &["man"], &["man", "send"], &["help"], &["--version"]] {
        let mut command = place.command(args);
        command.envs([("IPC_PRESET", "v8"), ("IPC_COLOR", "blue")]);
        let ended = Program::start(command).end().expect(0);
        assert_eq!(ended.stderr, "", "{args:?}");
    }
    place.run(&["ls"]).expect(2).says(&["config file"]);
}

#[test]
fn a_file_that_nobody_named_and_nobody_may_read_is_left_out_with_a_warning() {
    let place = Place::new();
    let file = place.of("config/ipc/config.toml");
    fs::create_dir_all(place.of("config/ipc")).expect("made");
    fs::write(&file, "appspace = \"file.\"\n").expect("written");
    fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(0o000)).expect("set");
    let run = |args: &[&str]| {
        let command = place.command_of_nobody(args).unwrap_or_else(|| place.command(args));
        Program::start(command).end()
    };
    let ended = run(&["ls", &place.root()]).expect(0);
    ended.says(&["warning: config file", "cannot be read, and is left out", "--config"]);
    run(&["ls", &place.root(), "--config", &file]).expect(2).says(&["config file", "cannot be read"]);
    // Where a directory is in the place of the file, too.
    fs::remove_file(&file).expect("removed");
    fs::create_dir(&file).expect("made");
    place.run(&["ls", &place.root()]).expect(0).says(&["warning: config file"]);
}

#[test]
fn a_socket_root_without_its_closing_slash_is_warned_of_once() {
    let place = Place::new();
    let root = place.path().display().to_string();
    let warning = format!("warning: socketRoot {root} is put before the name as it is: did you mean {root}/ ?");
    let warned = |ended: &Ended| ended.stderr.matches(&warning).count();
    let ended = place.run(&["send", "unix:world", "x", "--socket-root", &root]).expect(3);
    assert_eq!(warned(&ended), 1, "{ended:?}");
    ended.says(&[&format!("unix:{root}app.world")]);
    let mut command = place.command(&["send", "unix:world", "x"]);
    command.env("IPC_SOCKET_ROOT", &root);
    assert_eq!(warned(&Program::start(command).end().expect(3)), 1);
    // A beginning of names that is no directory is meant so.
    for good in [place.root(), place.of("prefix-")] {
        let ended = place.run(&["send", "unix:world", "x", "--socket-root", &good]).expect(3);
        assert!(!ended.stderr.contains("socketRoot"), "{ended:?}");
    }
}
