//! Socket files: their modes and groups, what is removed and what is left alone. Other users and other umasks take processes of
//! their own, and are the adapters' to test.
#![allow(missing_docs, reason = "the name of a behaviour says what it is")]

use super::{Stage, block_on, soon, unblock};
use ipc_driver::runtime::Runtime;
use ipc_driver::{Config, Endpoint, ServeError, Server, build};
use socket2::{Domain, SockAddr, Socket, Type};
use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::path::Path;
use std::sync::{Arc, Barrier};
use std::time::Duration;

fn mode(path: &Path) -> u32 {
    fs::symlink_metadata(path).expect("it is there").permissions().mode() & 0o7777
}

/// What a dead server leaves. It never listened: a program that another test is about to start holds a copy of every
/// descriptor for a moment, and a copy of a listener would be alive.
fn stale(path: &Path) {
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None).expect("a socket");
    socket.bind(&SockAddr::unix(path).expect("an address")).expect("bound");
}

/// A server whose place follows from its configuration.
fn server_of<R: Runtime>(stage: &Stage<R>, config: Config) -> Result<Server<R>, ServeError> {
    let settings = build(config)?;
    let endpoint = Endpoint::local(&settings, None)?;
    Server::with_runtime(stage.runtime().clone(), settings, endpoint)
}

fn at_path<R: Runtime>(stage: &Stage<R>, path: &Path, config: Config) -> Server<R> {
    let settings = build(config).expect("settings");
    let endpoint = Endpoint::at_path(&settings, &path.display().to_string()).expect("an endpoint");
    Server::with_runtime(stage.runtime().clone(), settings, endpoint).expect("a server")
}

async fn refused<R: Runtime>(stage: &Stage<R>, config: Config) -> std::io::Error {
    match server_of(stage, config).expect("a server").start().await.expect_err("refused") {
        ServeError::Listen { source, .. } => source,
        other => panic!("{other:?}"),
    }
}

pub async fn a_socket_file_is_for_its_owner_unless_the_configuration_opens_it<R: Runtime>(stage: Stage<R>) {
    for (readable, writable, expected) in
        [(false, false, 0o600), (true, false, 0o644), (false, true, 0o622), (true, true, 0o666)]
    {
        let stage = stage.another();
        let server = server_of(&stage, stage.config().readable_all(readable).writable_all(writable)).expect("a server");
        server.start().await.expect("started");
        assert_eq!(mode(&stage.socket()), expected);
    }
}

pub async fn a_socket_file_has_the_mode_and_the_group_that_are_asked_for<R: Runtime>(stage: Stage<R>) {
    for asked in [0o600, 0o660, 0o620, 0o777, 0o400, 0o000] {
        let stage = stage.another();
        let server = server_of(&stage, stage.config().socket_mode(asked)).expect("a server");
        server.start().await.expect("started");
        assert_eq!(mode(&stage.socket()), asked);
    }
    // Our own group, by its number; root may give the file to any, by its name too.
    let own = fs::metadata(stage.path("")).expect("our folder");
    let mut groups = vec![(own.gid().to_string(), own.gid())];
    if own.uid() == 0 {
        groups.push(("4242".into(), 4242));
        groups.push(("daemon".into(), group_number("daemon")));
    }
    for (asked, expected) in groups {
        let server = server_of(&stage, stage.config().socket_mode(0o660).socket_group(asked)).expect("a server");
        server.start().await.expect("started");
        let metadata = fs::symlink_metadata(stage.socket()).expect("there");
        assert_eq!((metadata.gid(), metadata.uid(), mode(&stage.socket())), (expected, own.uid(), 0o660));
        server.shutdown(Duration::from_secs(1)).await;
    }
    let error = refused(&stage, stage.config().socket_group("no-such-group")).await;
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    assert!(error.to_string().contains("no group \"no-such-group\""), "{error}");
    assert!(!stage.socket().exists(), "nothing was made");
}

/// The number of a group by `/etc/group`.
fn group_number(name: &str) -> u32 {
    let groups = fs::read_to_string("/etc/group").expect("groups");
    let line = groups.lines().find(|line| line.split(':').next() == Some(name)).expect("that group");
    line.split(':').nth(2).expect("a number").parse().expect("a number")
}

pub async fn a_missing_socket_root_is_made_for_us_alone<R: Runtime>(stage: Stage<R>) {
    let root = stage.path("missing/root");
    let config = || Config::new("world").socket_root(format!("{}/", root.display()));
    let server = server_of(&stage, config()).expect("a server");
    server.start().await.expect("started");
    assert_eq!((mode(&root), mode(&stage.path("missing"))), (0o700, 0o700));
    server.shutdown(Duration::from_secs(1)).await;
    assert!(root.exists(), "the directory stays");

    // One that is there is left as it is, and a path of one's own is one's own business.
    fs::set_permissions(&root, fs::Permissions::from_mode(0o755)).expect("opened");
    server_of(&stage, config()).expect("a server").start().await.expect("started");
    assert_eq!(mode(&root), 0o755);
    let elsewhere = stage.path("elsewhere/socket");
    let server = at_path(&stage, &elsewhere, config());
    let ServeError::Listen { source, .. } = server.start().await.expect_err("no such directory") else { panic!() };
    assert_eq!(source.kind(), ErrorKind::NotFound);

    fs::write(stage.path("file"), "").expect("written");
    let error =
        refused(&stage, Config::new("world").socket_root(format!("{}/file/x/", stage.path("").display()))).await;
    assert!(error.to_string().contains("socketRoot"), "{error}");
}

pub async fn the_socket_of_a_dead_server_is_replaced_and_that_of_a_live_one_is_not<R: Runtime>(stage: Stage<R>) {
    stale(&stage.socket());
    assert!(stage.socket().exists(), "a stale socket file");
    let server = stage.server();
    server.start().await.expect("a stale file is no hindrance");

    let error = refused(&stage, stage.config()).await;
    assert_eq!(error.kind(), ErrorKind::AddrInUse);
    assert!(error.to_string().contains("a server listens there"), "{error}");
    let client = stage.client();
    soon("connect", client.connect()).await.expect("the first server is unharmed");

    let thief = server_of(&stage, stage.config().take_over(true)).expect("a server");
    thief.start().await.expect("told to take over");
    server.stop();
    drop(server);
    stage.sleep(Duration::from_millis(50)).await;
    assert!(stage.socket().exists(), "a server removes only its own file");
    let client = stage.client();
    soon("connect", client.connect()).await.expect("the new server is there");
}

pub async fn only_sockets_are_ever_removed<R: Runtime>(stage: Stage<R>) {
    fs::write(stage.socket(), "precious").expect("written");
    let error = refused(&stage, stage.config()).await;
    assert_eq!(error.kind(), ErrorKind::AlreadyExists);
    assert!(error.to_string().contains("ERR_IPC_UNLINK_NOT_SOCKET"), "{error}");
    assert_eq!(fs::read_to_string(stage.socket()).expect("still there"), "precious");

    let link = stage.another();
    std::os::unix::fs::symlink(stage.socket(), link.socket()).expect("linked");
    assert_eq!(refused(&link, link.config()).await.kind(), ErrorKind::AlreadyExists);
    assert!(link.socket().is_symlink());
}

pub async fn without_unlink_nothing_is_removed_before_serving<R: Runtime>(stage: Stage<R>) {
    stale(&stage.socket());
    assert_eq!(refused(&stage, stage.config().unlink(false)).await.kind(), ErrorKind::AddrInUse);
    assert!(fs::symlink_metadata(stage.socket()).expect("still there").file_type().is_socket());
}

pub async fn a_secure_socket_root_is_made_for_us_alone<R: Runtime>(stage: Stage<R>) {
    let root = stage.path("root");
    let config = |root: &Path| Config::v14_fast().id("world").socket_root(format!("{}/", root.display()));
    let server = server_of(&stage, config(&root)).expect("a server");
    server.start().await.expect("started");
    assert_eq!(mode(&root), 0o700);
    assert_eq!(mode(&root.join("app.world")), 0o600);
    drop(server);

    let elsewhere = stage.path("elsewhere");
    std::os::unix::fs::symlink(&root, &elsewhere).expect("linked");
    let error = refused(&stage, config(&elsewhere)).await;
    assert!(error.to_string().contains("ERR_IPC_SOCKET_ROOT"), "{error}");
}

pub async fn a_path_that_is_too_long_is_refused_with_the_limit<R: Runtime>(stage: Stage<R>) {
    let error = server_of(&stage, stage.config().id("x".repeat(200))).expect_err("too long");
    assert!(error.to_string().contains("107"), "{error}");
}

// Elsewhere a listener without room refuses, as if it were dead.
#[cfg(target_os = "linux")]
pub async fn a_server_too_busy_to_answer_is_alive_and_holds_up_nobody<R: Runtime>(stage: Stage<R>) {
    let address = SockAddr::unix(stage.socket()).expect("an address");
    let busy = Socket::new(Domain::UNIX, Type::STREAM, None).expect("a socket");
    busy.bind(&address).expect("bound");
    // It accepts nobody; as many as it has room for wait.
    busy.listen(1).expect("listening");
    let mut waiting = Vec::new();
    loop {
        let socket = Socket::new(Domain::UNIX, Type::STREAM, None).expect("a socket");
        socket.set_nonblocking(true).expect("a socket option");
        if socket.connect(&address).is_err() {
            break;
        }
        waiting.push(socket);
        assert!(waiting.len() < 16, "there is room without end");
    }
    // A connect that blocks would never return.
    let error = refused(&stage, stage.config()).await;
    assert_eq!(error.kind(), ErrorKind::AddrInUse);
    assert!(error.to_string().contains("too busy"), "{error}");
    assert!(stage.socket().exists());
}

pub async fn of_servers_that_start_at_once_on_the_socket_of_a_dead_one_exactly_one_listens<R: Runtime>(
    stage: Stage<R>,
) {
    for round in 0..100 {
        stale(&stage.socket());
        let (start, end) = (Arc::new(Barrier::new(3)), Arc::new(Barrier::new(3)));
        let threads: Vec<_> = (0..3)
            .map(|_| {
                let (server, start, end) = (stage.server(), Arc::clone(&start), Arc::clone(&end));
                unblock(move || {
                    start.wait();
                    let started = block_on(server.start()).is_ok();
                    end.wait();
                    (server, started)
                })
            })
            .collect();
        let mut servers = Vec::new();
        for thread in threads {
            servers.push(soon("a server", thread.join()).await);
        }
        let started = servers.iter().filter(|(_, started)| *started).count();
        assert_eq!(started, 1, "round {round}");
        for (server, _) in servers {
            soon("shutdown", server.shutdown(Duration::from_secs(1))).await;
        }
        assert!(!stage.socket().exists(), "round {round}");
    }
}
