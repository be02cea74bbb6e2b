//! Abstract names of Linux: sockets without a file.
#![allow(missing_docs, reason = "the name of a behaviour says what it is")]

use super::{Stage, channel, soon};
use ipc_driver::runtime::Runtime;
use ipc_driver::{Client, Config, Endpoint, ServeError, Server, Settings, build, same_user_or_root};
use std::time::Duration;

/// A name that no other test has.
fn name<R: Runtime>(stage: &Stage<R>, of: &str) -> String {
    format!("ipc-test{}/{of}", stage.path("").display())
}

fn settings() -> Settings {
    build(Config::new("world").retry(Duration::from_millis(20))).expect("settings")
}

fn endpoint<R: Runtime>(stage: &Stage<R>, of: &str) -> Endpoint {
    Endpoint::abstract_name(&settings(), &name(stage, of)).expect("an endpoint")
}

fn server<R: Runtime>(stage: &Stage<R>, at: &Endpoint) -> Server<R> {
    let server = Server::with_runtime(stage.runtime().clone(), settings(), at.clone()).expect("a server");
    server.on("message", |peer, text: String| peer.emit("message", &format!("{text} world!")));
    server
}

async fn ask<R: Runtime>(stage: &Stage<R>, at: &Endpoint) -> String {
    let client = Client::with_runtime(stage.runtime().clone(), settings(), at.clone()).expect("a client");
    let (sender, mut answer) = channel();
    client.on("message", move |text: String| sender.send(text));
    soon("connect", client.connect()).await.expect("connected");
    client.emit("message", "hello").expect("emitted");
    let text = answer.next("an answer").await;
    soon("close", client.close()).await.expect("closed");
    text
}

pub async fn a_name_without_a_file_is_served_and_free_again_when_its_server_stops<R: Runtime>(stage: Stage<R>) {
    let at = endpoint(&stage, "plain");
    let first = server(&stage, &at);
    first.start().await.expect("started");
    assert_eq!(first.local_endpoint(), at);
    assert_eq!(ask(&stage, &at).await, "hello world!");
    assert!(!std::path::Path::new(&name(&stage, "plain")).exists());
    let seen = first.refused();
    assert_eq!(seen, 0);

    let ServeError::Listen { source, .. } = server(&stage, &at).start().await.expect_err("taken") else { panic!() };
    assert_eq!(source.kind(), std::io::ErrorKind::AddrInUse);

    first.shutdown(Duration::from_secs(5)).await;
    // A program that another test is about to start holds a copy of every descriptor for a moment.
    soon("free again", async {
        while server(&stage, &at).start().await.is_err() {
            stage.sleep(Duration::from_millis(1)).await;
        }
    })
    .await;
}

pub async fn a_filter_stands_in_for_the_mode_that_a_name_does_not_have<R: Runtime>(stage: Stage<R>) {
    let at = endpoint(&stage, "filtered");
    let server = server(&stage, &at);
    server.accept_if(same_user_or_root);
    server.start().await.expect("started");
    assert_eq!(ask(&stage, &at).await, "hello world!");
}

pub async fn a_listener_on_a_name_is_served_under_that_name<R: Runtime>(stage: Stage<R>) {
    use std::os::linux::net::SocketAddrExt;
    let address = std::os::unix::net::SocketAddr::from_abstract_name(name(&stage, "given")).expect("a name");
    let listener = std::os::unix::net::UnixListener::bind_addr(&address).expect("bound");
    let server = Server::with_listener(stage.runtime().clone(), settings(), listener.into()).expect("a server");
    assert_eq!(server.local_endpoint(), endpoint(&stage, "given"));
}
