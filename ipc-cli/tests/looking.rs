//! `ls` and `doctor` over local sockets.
#![cfg(unix)]

mod common;

use common::Place;
use serde_json::{Value, json};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;

fn findings(place: &Place, args: &[&str], code: i32) -> Vec<Value> {
    place.run(&common::args(&["doctor"], args)).expect(code).lines()
}

#[track_caller]
fn has(all: &[Value], level: &str, about: &str, text: &str) {
    let is_it = |line: &&Value| {
        line["level"] == level && line["about"] == about && line["text"].as_str().is_some_and(|it| it.contains(text))
    };
    let found = all.iter().find(is_it).unwrap_or_else(|| panic!("no {level} about {about} with {text:?} in {all:#?}"));
    assert!(matches!(level, "good" | "note") || found["help"].is_string(), "{found}");
}

#[test]
fn sockets_are_listed_with_what_they_are_and_whose() {
    let place = Place::new();
    let listener = place.start(&["listen", "live", "--socket-root", &place.root(), "--lifecycle"]);
    drop(UnixListener::bind(place.of("app.stale")).expect("bound"));
    std::fs::write(place.of("app.file"), "no socket").expect("written");
    std::fs::set_permissions(place.of("app.stale"), PermissionsExt::from_mode(0o640)).expect("set");
    let ended = place.run(&["ls", &place.root()]).expect(0);
    let [live, stale] = &ended.lines()[..] else { panic!("{ended:?}") };
    let uid = rustix::process::getuid().as_raw();
    assert_eq!(
        (&live["path"], &live["id"], &live["state"]),
        (&json!(place.of("app.live")), &json!("live"), &json!("live"))
    );
    assert_eq!((&live["mode"], &live["uid"]), (&json!("0600"), &json!(uid)));
    if cfg!(target_os = "linux") {
        assert_eq!((&live["pid"], &live["command"]), (&json!(listener.pid()), &json!("ipc")));
    }
    assert_eq!((&stale["id"], &stale["state"], &stale["mode"]), (&json!("stale"), &json!("stale"), &json!("0640")));
    assert_eq!(stale.get("pid"), None);

    let only = |flag| place.run(&["ls", "--socket-root", &place.root(), flag]).expect(0).lines();
    assert_eq!(only("--live").iter().map(|line| line["state"].clone()).collect::<Vec<_>>(), ["live"]);
    assert_eq!(only("--stale").iter().map(|line| line["state"].clone()).collect::<Vec<_>>(), ["stale"]);
    let text = place.run(&["ls", &place.root(), "--format", "text"]).expect(0).stdout;
    assert!(text.starts_with("STATE   MODE OWNER"), "{text}");
    assert!(text.lines().nth(1).is_some_and(|line| line.starts_with("live ") && line.ends_with("app.live")), "{text}");
    // Where the system has a table, the server has seen nothing of it.
    listener.interrupt();
    let seen = listener.end().expect(0).stdout;
    assert!(!cfg!(target_os = "linux") || seen.is_empty(), "{seen}");
}

#[test]
fn a_directory_that_is_not_there_is_an_error_if_it_was_asked_for() {
    let place = Place::new();
    place.run(&["ls", &place.of("nowhere")]).expect(1).says(&["cannot list", "help:"]);
    place.run(&["ls", "--preset", "v14-fast"]).expect(0).says(&["no sockets in "]);
}

#[test]
fn a_healthy_server_is_found_healthy() {
    let place = Place::new();
    let _listener = place.start(&["listen", &place.of("s")]);
    let found = findings(&place, &[&place.of("s")], 0);
    has(&found, "good", "mode", "only the owner");
    has(&found, "good", "answer", "stays connected");
    has(&found, "good", "listener", "somebody listens");
    has(&found, "good", "length", "of ");
    has(&found, "note", "version", "cannot be told");
    has(&findings(&place, &[&place.of("s"), "--probe"], 0), "note", "version", "node-ipc 9 to 12");
    let _strict = place.start(&["listen", &place.of("strict"), "--preset", "v14-fast"]);
    has(&findings(&place, &[&place.of("strict"), "--probe"], 0), "note", "version", "node-ipc 14");
}

#[test]
fn each_thing_that_may_be_wrong_is_a_finding_with_what_to_do() {
    let place = Place::new();
    has(&findings(&place, &[&place.of("none")], 1), "problem", "file", "no socket");
    has(&findings(&place, &[&place.of("no/where")], 1), "problem", "directory", "no directory");
    std::fs::write(place.of("file"), "").expect("written");
    has(&findings(&place, &[&place.of("file")], 1), "problem", "file", "there is a file");
    drop(UnixListener::bind(place.of("stale")).expect("bound"));
    has(&findings(&place, &[&place.of("stale")], 1), "problem", "listener", "nobody listens");
    let open = UnixListener::bind(place.of("open")).expect("bound");
    std::fs::set_permissions(place.of("open"), PermissionsExt::from_mode(0o666)).expect("set");
    has(&findings(&place, &[&place.of("open")], 0), "warning", "mode", "every user");
    drop(open);
    std::os::unix::fs::symlink(place.of("open"), place.of("link")).expect("linked");
    has(&findings(&place, &[&place.of("link")], 1), "warning", "file", "symbolic link");
    let long = place.of(&"x".repeat(200));
    let told = place.run(&["doctor", &long]).expect(2);
    told.says(&["the socket path", "bytes"]);
    assert!(!told.stderr.contains(&"x".repeat(100)), "{told:?}");
    let text = place.run(&["doctor", &place.of("stale"), "--format", "text"]).expect(1).stdout;
    assert!(text.contains("problem  listener") && text.contains("→ start the server again"), "{text}");
}

#[cfg(target_os = "linux")]
#[test]
fn a_stopped_process_is_not_healthy_though_the_system_takes_connections() {
    use rustix::process::Signal;
    let place = Place::new();
    let local = place.start(&["listen", &place.of("s")]);
    let port = common::free_port();
    let network = place.start(&["listen", &format!("tcp:{port}")]);
    for (listener, address) in [(&local, place.of("s")), (&network, format!("tcp:{port}"))] {
        has(&findings(&place, &[&address], 0), "good", "answer", "whether the process reads");
        listener.signal(Signal::STOP);
        let found = findings(&place, &[&address, "--probe"], 1);
        has(&found, "problem", "process", "is stopped");
        assert!(found.iter().all(|line| line["about"] != "answer" && line["about"] != "version"), "{found:#?}");
        if address.starts_with('/') {
            let listed = place.run(&["ls", &place.root()]).expect(0).lines();
            assert_eq!((&listed[0]["state"], &listed[0]["stopped"]), (&json!("live"), &json!(true)));
            let text = place.run(&["ls", &place.root(), "--format", "text"]).expect(0).stdout;
            assert!(text.contains("(ipc), stopped"), "{text}");
            let waited = place.run(&["send", &address, "x"]).expect(0);
            waited.says(&["waiting until", "is it stopped"]);
        }
        listener.signal(Signal::CONT);
        has(&findings(&place, &[&address, "--probe"], 0), "note", "version", "or as a process that does not read");
    }
}

#[test]
fn a_socket_in_the_place_of_another_version_is_pointed_at() {
    let place = Place::new();
    let id = format!("elsewhere-{}", std::process::id());
    let _listener = place.start(&["listen", &id, "--preset", "v14-fast"]);
    let found = findings(&place, &[&id], 1);
    let file = found.iter().find(|line| line["about"] == "file").expect("a finding");
    let help = file["help"].as_str().expect("help");
    assert!(help.contains(&place.of(&format!("run/node-ipc/app.{id}"))) && help.contains("--preset"), "{help}");
}

#[test]
fn a_full_server_is_said_to_close_connections() {
    let place = Place::new();
    let _listener = place.start(&["listen", &place.of("s"), "-o", "maxConnections=0"]);
    has(&findings(&place, &[&place.of("s")], 1), "problem", "answer", "closed at once");
}

#[cfg(target_os = "linux")]
#[test]
fn abstract_names_are_served_and_examined() {
    let place = Place::new();
    let address = format!("abstract:ipc-cli-{}", std::process::id());
    let listener = place.start(&["listen", &address]);
    place.run(&["send", &address, "x"]).expect(0);
    assert_eq!(listener.line()["type"], "x");
    has(&findings(&place, &[&address], 0), "warning", "access", "no owner");
    let nobody = place.run(&["send", &format!("{address}-nobody"), "x"]).expect(3);
    nobody.says(&["nobody listens at that abstract name"]);
    assert!(!nobody.stderr.contains("is gone"), "{nobody:?}");
}

#[test]
fn who_may_not_connect_is_told_who_may_and_which_option_says_so() {
    let place = Place::new();
    let _listener = place.start(&["listen", &place.of("s")]);
    // The owner may not either, unless that is root.
    std::fs::set_permissions(place.of("s"), PermissionsExt::from_mode(0o000)).expect("set");
    let doctor = ["doctor", &place.of("s")];
    let command = place.command_of_nobody(&doctor).unwrap_or_else(|| place.command(&doctor));
    let ended = common::Program::start(command).end().expect(1);
    let answer = ended.lines().into_iter().find(|line| line["level"] == "problem").expect("a problem");
    let help = answer["help"].as_str().expect("help");
    for text in ["only root may connect", "socketMode", "socketGroup"] {
        assert!(help.contains(text), "{answer}");
    }
    assert!(!help.contains("log"), "{answer}");
}

#[test]
fn the_directory_that_a_server_makes_itself_is_not_to_be_made() {
    let place = Place::new();
    let id = format!("missing-{}", std::process::id());
    let help = |args: &[&str]| {
        let found = findings(&place, args, 1);
        let directory = found.into_iter().find(|line| line["about"] == "directory").expect("a finding");
        directory["help"].as_str().expect("help").to_owned()
    };
    let by_default = help(&[&id, "--preset", "v14-fast"]);
    assert!(by_default.contains("it makes the directory itself"), "{by_default}");
    let named = help(&[&id, "--socket-root", &place.of("no/where/")]);
    assert!(named.starts_with("make it"), "{named}");
}
