//! Socket files: who may open them, what is removed and what is left alone.
#![cfg(unix)]

#[path = "common/child.rs"]
mod child;
mod common;

use common::{Place, soon};
use ipc_tokio::{Config, ServeError, Server};
use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::path::Path;

fn mode(path: &Path) -> u32 {
    fs::symlink_metadata(path).expect("it is there").permissions().mode() & 0o7777
}

/// What a dead server leaves. It never listened: a program that another test is about to start holds a copy of every
/// descriptor for a moment, and a copy of a listener would be alive.
fn stale(path: &Path) {
    tokio::net::UnixSocket::new_stream().expect("a socket").bind(path).expect("bound");
}

async fn refused(config: Config) -> std::io::Error {
    match Server::new(config).expect("a server").start().await.expect_err("refused") {
        ServeError::Listen { source, .. } => source,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_socket_file_is_for_its_owner_unless_the_configuration_opens_it() {
    for (readable, writable, expected) in
        [(false, false, 0o600), (true, false, 0o644), (false, true, 0o622), (true, true, 0o666)]
    {
        let place = Place::new();
        let server = Server::new(place.config().readable_all(readable).writable_all(writable)).expect("a server");
        server.start().await.expect("started");
        assert_eq!(mode(&place.socket()), expected);
    }
}

#[tokio::test]
async fn a_socket_file_has_the_mode_and_the_group_that_are_asked_for() {
    for asked in [0o600, 0o660, 0o620, 0o777, 0o400, 0o000] {
        let place = Place::new();
        let server = Server::new(place.config().socket_mode(asked)).expect("a server");
        server.start().await.expect("started");
        assert_eq!(mode(&place.socket()), asked);
    }
    let place = Place::new();
    // Our own group, by its number; root may give the file to any, by its name too.
    let own = fs::metadata(place.path("")).expect("our folder");
    let mut groups = vec![(own.gid().to_string(), own.gid())];
    if own.uid() == 0 {
        groups.push(("4242".into(), 4242));
        groups.push(("daemon".into(), group_number("daemon")));
    }
    for (asked, expected) in groups {
        let server = Server::new(place.config().socket_mode(0o660).socket_group(asked)).expect("a server");
        server.start().await.expect("started");
        let metadata = fs::symlink_metadata(place.socket()).expect("there");
        assert_eq!((metadata.gid(), metadata.uid(), mode(&place.socket())), (expected, own.uid(), 0o660));
        server.shutdown(std::time::Duration::from_secs(1)).await;
    }
    let error = refused(place.config().socket_group("no-such-group")).await;
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    assert!(error.to_string().contains("no group \"no-such-group\""), "{error}");
    assert!(!place.socket().exists(), "nothing was made");
}

/// The number of a group by `/etc/group`.
fn group_number(name: &str) -> u32 {
    let groups = fs::read_to_string("/etc/group").expect("groups");
    let line = groups.lines().find(|line| line.split(':').next() == Some(name)).expect("that group");
    line.split(':').nth(2).expect("a number").parse().expect("a number")
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

#[tokio::test]
async fn a_missing_socket_root_is_made_for_us_alone() {
    let place = Place::new();
    let root = place.path("missing/root");
    let config = || Config::new("world").socket_root(format!("{}/", root.display()));
    let server = Server::new(config()).expect("a server");
    server.start().await.expect("started");
    assert_eq!((mode(&root), mode(&place.path("missing"))), (0o700, 0o700));
    server.shutdown(std::time::Duration::from_secs(1)).await;
    assert!(root.exists(), "the directory stays");

    // One that is there is left as it is, and a path of one's own is one's own business.
    fs::set_permissions(&root, fs::Permissions::from_mode(0o755)).expect("opened");
    Server::new(config()).expect("a server").start().await.expect("started");
    assert_eq!(mode(&root), 0o755);
    let elsewhere = place.path("elsewhere/socket");
    let server = Server::at_path(&elsewhere.display().to_string(), config()).expect("a server");
    let ServeError::Listen { source, .. } = server.start().await.expect_err("no such directory") else { panic!() };
    assert_eq!(source.kind(), ErrorKind::NotFound);

    fs::write(place.path("file"), "").expect("written");
    let error = refused(Config::new("world").socket_root(format!("{}/file/x/", place.path("").display()))).await;
    assert!(error.to_string().contains("socketRoot"), "{error}");
}

#[tokio::test]
async fn the_socket_of_a_dead_server_is_replaced_and_that_of_a_live_one_is_not() {
    let place = Place::new();
    stale(&place.socket());
    assert!(place.socket().exists(), "a stale socket file");
    let server = place.server();
    server.start().await.expect("a stale file is no hindrance");

    let error = refused(place.config()).await;
    assert_eq!(error.kind(), ErrorKind::AddrInUse);
    assert!(error.to_string().contains("live server"), "{error}");
    let client = place.client();
    soon("connect", client.connect()).await.expect("the first server is unharmed");

    let thief = Server::new(place.config().take_over(true)).expect("a server");
    thief.start().await.expect("told to take over");
    server.stop();
    drop(server);
    tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    assert!(place.socket().exists(), "a server removes only its own file");
    let client = place.client();
    soon("connect", client.connect()).await.expect("the new server is there");
}

#[tokio::test]
async fn only_sockets_are_ever_removed() {
    let place = Place::new();
    fs::write(place.socket(), "precious").expect("written");
    let error = refused(place.config()).await;
    assert_eq!(error.kind(), ErrorKind::AlreadyExists);
    assert!(error.to_string().contains("ERR_IPC_UNLINK_NOT_SOCKET"), "{error}");
    assert_eq!(fs::read_to_string(place.socket()).expect("still there"), "precious");

    let link = Place::new();
    std::os::unix::fs::symlink(place.socket(), link.socket()).expect("linked");
    assert_eq!(refused(link.config()).await.kind(), ErrorKind::AlreadyExists);
    assert!(link.socket().is_symlink());
}

#[tokio::test]
async fn without_unlink_nothing_is_removed_before_serving() {
    let place = Place::new();
    stale(&place.socket());
    assert_eq!(refused(place.config().unlink(false)).await.kind(), ErrorKind::AddrInUse);
    assert!(fs::symlink_metadata(place.socket()).expect("still there").file_type().is_socket());
}

#[tokio::test]
async fn a_secure_socket_root_is_made_for_us_alone() {
    let place = Place::new();
    let root = place.path("root");
    let config = |root: &Path| Config::v14_fast().id("world").socket_root(format!("{}/", root.display()));
    let server = Server::new(config(&root)).expect("a server");
    server.start().await.expect("started");
    assert_eq!(mode(&root), 0o700);
    assert_eq!(mode(&root.join("app.world")), 0o600);
    drop(server);

    let elsewhere = place.path("elsewhere");
    std::os::unix::fs::symlink(&root, &elsewhere).expect("linked");
    let error = refused(config(&elsewhere)).await;
    assert!(error.to_string().contains("ERR_IPC_SOCKET_ROOT"), "{error}");
}

#[tokio::test]
async fn a_path_that_is_too_long_is_refused_with_the_limit() {
    let place = Place::new();
    let error = Server::new(place.config().id("x".repeat(200))).expect_err("too long");
    assert!(error.to_string().contains("107"), "{error}");
}

// Elsewhere a listener without room refuses, as if it were dead.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_server_too_busy_to_answer_is_alive_and_holds_up_nobody() {
    let place = Place::new();
    let socket = tokio::net::UnixSocket::new_stream().expect("a socket");
    socket.bind(place.socket()).expect("bound");
    // It accepts nobody; as many as it has room for wait.
    let _busy = socket.listen(1).expect("listening");
    let mut waiting = Vec::new();
    while let Ok(stream) = tokio::net::UnixStream::connect(place.socket()).await {
        waiting.push(stream);
        assert!(waiting.len() < 16, "there is room without end");
    }
    // A connect that blocks would never return.
    let error = refused(place.config()).await;
    assert_eq!(error.kind(), ErrorKind::AddrInUse);
    assert!(error.to_string().contains("too busy"), "{error}");
    assert!(place.socket().exists());
}

#[test]
fn of_servers_that_start_at_once_on_the_socket_of_a_dead_one_exactly_one_listens() {
    use std::sync::{Arc, Barrier};
    let place = Place::new();
    for round in 0..100 {
        stale(&place.socket());
        let (start, end) = (Arc::new(Barrier::new(3)), Arc::new(Barrier::new(3)));
        let threads: Vec<_> = (0..3)
            .map(|_| {
                let (config, start, end) = (place.config(), Arc::clone(&start), Arc::clone(&end));
                std::thread::spawn(move || {
                    let runtime =
                        tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
                    runtime.block_on(async {
                        let server = Server::new(config).expect("a server");
                        start.wait();
                        let started = server.start().await.is_ok();
                        end.wait();
                        server.shutdown(std::time::Duration::from_secs(1)).await;
                        started
                    })
                })
            })
            .collect();
        let started = threads.into_iter().filter_map(|thread| thread.join().ok()).filter(|started| *started).count();
        assert_eq!(started, 1, "round {round}");
        assert!(!place.socket().exists(), "round {round}");
    }
}
