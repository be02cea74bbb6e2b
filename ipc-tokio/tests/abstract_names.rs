//! Abstract names of Linux with real node-ipc. (Among ourselves: the behaviour suite.)

#![cfg(target_os = "linux")]

#[path = "common/child.rs"]
mod child;
mod common;

use child::Running;
use common::soon;
use ipc_testkit::node::{NodeIpc, Version, or_skip};
use ipc_tokio::{Client, Config, Endpoint, Server, Settings};
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
