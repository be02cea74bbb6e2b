//! Abstract names of Linux: sockets without a file, among ourselves and with real node-ipc.

#![cfg(target_os = "linux")]

#[path = "common/child.rs"]
mod child;
mod common;

use child::Running;
use common::soon;
use ipc_testkit::node::{NodeIpc, Version, or_skip};
use ipc_tokio::{Client, Config, Endpoint, ServeError, Server, Settings};
use std::process::{Command, Stdio};
use std::time::Duration;

/// A name that no other test has.
fn name(of: &str) -> String {
    format!("ipc-test/{}/{of}", std::process::id())
}

fn settings() -> Settings {
    ipc_tokio::build(Config::new("world").retry(Duration::from_millis(20))).expect("settings")
}

fn endpoint(of: &str) -> Endpoint {
    Endpoint::abstract_name(&settings(), &name(of)).expect("an endpoint")
}

fn server(at: &Endpoint) -> Server {
    let server = Server::at(settings(), at.clone()).expect("a server");
    server.on("message", |peer, text: String| peer.emit("message", &format!("{text} world!")));
    server
}

async fn ask(at: &Endpoint) -> String {
    let client = Client::at(settings(), at.clone()).expect("a client");
    let (sender, mut answer) = tokio::sync::mpsc::unbounded_channel();
    client.on("message", move |text: String| sender.send(text));
    soon("connect", client.connect()).await.expect("connected");
    client.emit("message", "hello").expect("emitted");
    let text = soon("an answer", answer.recv()).await.expect("an answer");
    soon("close", client.close()).await.expect("closed");
    text
}

#[tokio::test]
async fn a_name_without_a_file_is_served_and_free_again_when_its_server_stops() {
    let at = endpoint("plain");
    let first = server(&at);
    first.start().await.expect("started");
    assert_eq!(first.local_endpoint(), at);
    assert_eq!(ask(&at).await, "hello world!");
    assert!(!std::path::Path::new(&name("plain")).exists());
    let seen = first.refused();
    assert_eq!(seen, 0);

    let ServeError::Listen { source, .. } = server(&at).start().await.expect_err("taken") else { panic!() };
    assert_eq!(source.kind(), std::io::ErrorKind::AddrInUse);

    first.shutdown(Duration::from_secs(5)).await;
    // A program that another test is about to start holds a copy of every descriptor for a moment.
    soon("free again", async {
        while server(&at).start().await.is_err() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    })
    .await;
}

#[tokio::test]
async fn a_filter_stands_in_for_the_mode_that_a_name_does_not_have() {
    let at = endpoint("filtered");
    let server = server(&at);
    server.accept_if(ipc_tokio::same_user_or_root);
    server.start().await.expect("started");
    assert_eq!(ask(&at).await, "hello world!");
}

#[tokio::test]
async fn a_listener_on_a_name_is_served_under_that_name() {
    use std::os::linux::net::SocketAddrExt;
    let address = std::os::unix::net::SocketAddr::from_abstract_name(name("given")).expect("a name");
    let listener = std::os::unix::net::UnixListener::bind_addr(&address).expect("bound");
    let server = Server::from_listener(listener, Config::new("world")).expect("a server");
    assert_eq!(server.local_endpoint(), endpoint("given"));
}

/// node-ipc 14.0.0, which runs on Node 22. (Node 20 fills a name up with NULs to the whole length of an address, and
/// finds nobody else's.)
fn node(role: &str, of: &str) -> Option<Running> {
    let found = or_skip("abstract names with node-ipc 14.0.0", NodeIpc::find(Version::V14_0_0))?;
    let script = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/abstract.mjs");
    let mut command = Command::new(found.node());
    command.arg(script).arg(role).arg(found.package()).arg(name(of));
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    Some(Running::start(&mut command))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_of_node_ipc_finds_our_server_by_its_name() {
    let server = server(&endpoint("ours"));
    server.start().await.expect("started");
    let Some(node) = node("client", "ours") else { return };
    let (_node, answer) = node.hear_soon("answer ").await;
    assert_eq!(answer, "hello world!");
}

#[tokio::test(flavor = "multi_thread")]
async fn our_client_finds_a_server_of_node_ipc_by_its_name() {
    let Some(node) = node("server", "theirs") else { return };
    let (_node, _) = node.hear_soon("serving").await;
    assert_eq!(ask(&endpoint("theirs")).await, "hello world!");
}
