//! Socket files: who may open them, what is removed and what is left alone.
#![cfg(unix)]

mod common;

use common::{Place, soon};
use ipc_tokio::{Config, ServeError, Server};
use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::path::Path;

fn mode(path: &Path) -> u32 {
    fs::symlink_metadata(path).expect("it is there").permissions().mode() & 0o7777
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
async fn the_socket_of_a_dead_server_is_replaced_and_that_of_a_live_one_is_not() {
    let place = Place::new();
    drop(std::os::unix::net::UnixListener::bind(place.socket()).expect("bound"));
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
    drop(std::os::unix::net::UnixListener::bind(place.socket()).expect("bound"));
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
        drop(std::os::unix::net::UnixListener::bind(place.socket()).expect("bound"));
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
