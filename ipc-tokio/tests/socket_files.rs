//! Socket files, with another umask and for other users: processes of their own.
#![cfg(unix)]

#[path = "common/child.rs"]
mod child;
mod common;

use common::Place;
#[cfg(target_os = "linux")]
use common::soon;
use ipc_tokio::{Config, Server};
use std::fs;
#[cfg(target_os = "linux")]
use std::os::unix::fs::MetadataExt;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

fn mode(path: &Path) -> u32 {
    fs::symlink_metadata(path).expect("it is there").permissions().mode() & 0o7777
}

/// Not a test: a server with the umask of a test.
#[tokio::test]
async fn role() {
    let Some(role) = child::role() else { return };
    let path = std::env::var("IPC_TEST_PATH").expect("a path");
    if role == "client" {
        let config = Config::new("me").max_retries(0);
        let client = ipc_tokio::Client::at_path(&path, config).expect("a client");
        let mut events = client.events();
        let connected = client.connect().await;
        if let Err(error) = connected {
            return child::say(format_args!("outside {error}"));
        }
        // Refused, it may be cut already.
        let _cut = client.emit("hello", &1);
        while let Some(event) = events.recv().await {
            match event {
                ipc_tokio::ClientEvent::Message(_) => return child::say("inside"),
                ipc_tokio::ClientEvent::Disconnected { .. } => return child::say("cut"),
                _ => {}
            }
        }
        return;
    }
    let config = Config::new("world").socket_mode(u32::from_str_radix(&role, 8).expect("a mode"));
    let server = Server::at_path(&path, config).expect("a server");
    server.start().await.expect("started");
    child::say("serving");
    std::future::pending::<()>().await;
}

#[tokio::test]
async fn whatever_the_umask_is_the_mode_is_the_one_asked_for() {
    for umask in ["000", "022", "077", "777"] {
        for asked in ["600", "666", "620"] {
            let place = Place::new();
            let program = child::Running::command(asked);
            let mut command = std::process::Command::new("sh");
            command.args(["-c", &format!("umask {umask}; exec \"$0\" \"$@\"")]);
            command.arg(program.get_program()).args(program.get_args()).env(child::ROLE, asked);
            command.env("IPC_TEST_PATH", place.socket());
            command.stdin(std::process::Stdio::null()).stdout(std::process::Stdio::null());
            command.stderr(std::process::Stdio::piped());
            let (_server, _) = child::Running::start(&mut command).hear_soon("serving").await;
            assert_eq!(format!("{:o}", mode(&place.socket())), asked, "umask {umask}");
        }
    }
}

/// A client that runs as `nobody`: what it says of its attempt.
#[cfg(target_os = "linux")]
async fn as_nobody(place: &Place) -> Option<String> {
    use std::io::Write;
    if fs::metadata("/proc/self").expect("ourselves").uid() != 0 {
        let _ = writeln!(std::io::stderr(), "\n*** NOT TESTED: connections of other users: it takes root ***\n");
        assert!(
            !ipc_testkit::node::in_ci(),
            "connections of other users must be tested where CI is set: it takes root"
        );
        return None;
    }
    // A copy that `nobody` may run, wherever this program lies.
    let copy = place.path("client");
    // By another process: one that is started while this one writes to the file cannot run it.
    let program = std::env::current_exe().expect("this program");
    assert!(std::process::Command::new("cp").arg(program).arg(&copy).status().expect("cp").success());
    let program = child::Running::command("client");
    let mut command = std::process::Command::new("setpriv");
    command.args(["--reuid", "65534", "--regid", "65534", "--clear-groups"]).arg(copy).args(program.get_args());
    command.env(child::ROLE, "client").env("IPC_TEST_PATH", place.socket());
    command.stdin(std::process::Stdio::null()).stdout(std::process::Stdio::null());
    command.stderr(std::process::Stdio::piped());
    Some(child::Running::start(&mut command).hear_line().await.1)
}

#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread")]
async fn another_user_comes_in_only_where_the_mode_and_the_filter_let_him() {
    let place = Place::new();
    fs::set_permissions(place.path(""), fs::Permissions::from_mode(0o755)).expect("open to all");
    for (asked, filtered, expected) in
        [(0o600, false, "outside"), (0o622, false, "inside"), (0o622, true, "cut"), (0o644, false, "outside")]
    {
        let server = Server::new(place.config().socket_mode(asked)).expect("a server");
        server.on("hello", |peer, _: u32| peer.emit("hello", &1));
        if filtered {
            server.accept_if(ipc_tokio::same_user_or_root);
        }
        let (sender, mut reasons) = tokio::sync::mpsc::unbounded_channel();
        server.on_refused(move |remote, error| drop(sender.send((remote.credentials, error.to_string()))));
        server.start().await.expect("started");
        let Some(said) = as_nobody(&place).await else { return };
        assert!(said.starts_with(expected), "{asked:o} {filtered}: {said}");
        if filtered {
            let (credentials, reason) = soon("a reason", reasons.recv()).await.expect("a reason");
            assert_eq!(credentials.and_then(|peer| peer.uid), Some(65534));
            assert!(reason.contains("user 65534"), "{reason}");
        }
        server.shutdown(std::time::Duration::from_secs(1)).await;
    }
}
