//! Servers on sockets that were opened elsewhere in this process. Those of a parent, and of systemd, take processes of their own.
#![allow(missing_docs, reason = "the name of a behaviour says what it is")]

use super::{Stage, channel, soon};
use ipc_driver::runtime::{Ambient, Runtime};
use ipc_driver::{Config, Endpoint, Listening, ServeError, Server};
use socket2::{Domain, SockAddr, Socket, Type};
use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::os::unix::fs::FileTypeExt;
use std::os::unix::net::{UnixDatagram, UnixListener, UnixStream};
use std::path::Path;
use std::time::Duration;

fn answering<R: Runtime>(server: &Server<R>) {
    server.on("who", |peer, _: u64| peer.emit("pid", &std::process::id()));
}

/// Asks who serves there.
async fn ask<R: Runtime>(stage: &Stage<R>, endpoint: &Endpoint) -> u32 {
    let client = stage.client_at(endpoint.clone(), Config::new("hello").max_retries(0));
    let (sender, mut answer) = channel();
    client.on("pid", move |pid: u32| sender.send(pid));
    soon("connect", client.connect()).await.expect("connected");
    client.emit("who", &0).expect("emitted");
    let pid = answer.next("an answer").await;
    soon("close", client.close()).await.expect("closed");
    pid
}

pub async fn a_unix_listener_of_the_standard_library_is_served_and_its_file_left_alone<R: Ambient>(stage: Stage<R>) {
    let listener = UnixListener::bind(stage.socket()).expect("bound");
    let server = Server::<R>::from_listener(listener, stage.config()).expect("a server");
    assert_eq!(server.local_endpoint().to_string(), format!("unix:{}", stage.socket().display()));
    answering(&server);
    server.start().await.expect("started");
    assert_eq!(ask(&stage, &server.local_endpoint()).await, std::process::id());
    server.shutdown(Duration::from_secs(5)).await;
    assert!(std::fs::symlink_metadata(stage.socket()).expect("still there").file_type().is_socket());
    assert!(UnixStream::connect(stage.socket()).is_err(), "and nobody listens");

    let error = server.start().await.expect_err("the socket is gone");
    assert!(matches!(&error, ServeError::Used { .. }), "{error}");
    assert!(error.to_string().contains("new server"), "{error}");
}

pub async fn a_file_that_is_asked_for_is_removed<R: Ambient>(stage: Stage<R>) {
    let listener = Listening::from(UnixListener::bind(stage.socket()).expect("bound")).owning_file().expect("a file");
    let server = Server::<R>::from_listener(listener, stage.config()).expect("a server");
    server.start().await.expect("started");
    server.shutdown(Duration::from_secs(5)).await;
    assert!(!stage.socket().exists());
}

pub async fn a_tcp_listener_of_the_standard_library_is_served<R: Ambient>(stage: Stage<R>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("bound");
    let port = listener.local_addr().expect("an address").port();
    let server = Server::<R>::from_listener(listener, Config::new("world")).expect("a server");
    assert_eq!(server.local_endpoint().port(), Some(port));
    answering(&server);
    server.start().await.expect("started");
    assert_eq!(ask(&stage, &server.local_endpoint()).await, std::process::id());
}

pub async fn a_descriptor_is_what_it_turns_out_to_be<R: Ambient>(stage: Stage<R>) {
    let tcp = OwnedFd::from(TcpListener::bind("[::1]:0").or_else(|_| TcpListener::bind("127.0.0.1:0")).expect("bound"));
    let server = Server::<R>::from_fd(tcp, Config::new("world")).expect("a server");
    answering(&server);
    server.start().await.expect("started");
    assert_eq!(ask(&stage, &server.local_endpoint()).await, std::process::id());

    let refused = |fd: OwnedFd| match Server::<R>::from_fd(fd, Config::new("world")).expect_err("no listener") {
        ServeError::Given(error) => error.to_string(),
        other => panic!("{other:?}"),
    };
    let file = std::fs::File::create(stage.path("file")).expect("a file");
    assert!(refused(file.into()).contains("no socket"));
    let (one, _other) = UnixStream::pair().expect("a pair");
    assert!(refused(one.into()).contains("does not listen"));
    let datagrams = UnixDatagram::bind(stage.path("datagrams")).expect("bound");
    assert!(refused(datagrams.into()).contains("SOCK_STREAM"));
    // Its address is what it is bound to, not what it may be used for.
    let bound = socket_that_does_not_listen(&stage.path("bound"));
    assert!(refused(bound).contains("does not listen"));
}

fn socket_that_does_not_listen(path: &Path) -> OwnedFd {
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None).expect("a socket");
    socket.bind(&SockAddr::unix(path).expect("an address")).expect("bound");
    socket.into()
}
