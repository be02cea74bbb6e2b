//! Events over TCP, both ways round: a server here with a client in Node, and a server in Node with a client here.
//!
//! ```text
//! cargo run --release -p ipc-tokio --example tcp
//! ```
//!
//! The peers in Node are real node-ipc 9.2.1 and 14.0.0. Without Node only Rust speaks to Rust. Exits 0 if everybody got an
//! answer.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a program, not a library")]

use ipc_testkit::node::{NodeIpc, Version};
use ipc_testkit::running::Running;
use ipc_tokio::{Client, Config, Server};
use std::error::Error;
use std::ffi::OsStr;
use std::net::TcpListener;
use std::path::Path;
use std::time::Duration;
use tokio::sync::mpsc::unbounded_channel;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

const PATIENCE: Duration = Duration::from_secs(20);

#[tokio::main]
async fn main() -> Result<()> {
    // Port 0: the system chooses one.
    let server = Server::net(Some("127.0.0.1"), Some(0), Config::new("world"))?;
    server.on("message", |peer, text: String| {
        println!("got a message from {:?}: {text}", peer.remote().address);
        peer.emit("message", &format!("{text} world!"))
    });
    server.start().await?;
    let port = server.local_endpoint().port().ok_or("TCP has a port")?;
    println!("listening at {}", server.local_endpoint());

    ask(port).await?;
    for version in [Version::V9_2_1, Version::V14_0_0] {
        let found = match NodeIpc::find(version) {
            Ok(found) => found,
            Err(missing) => {
                eprintln!("*** node-ipc {version} takes no part: {missing} ***");
                continue;
            }
        };
        // Its client at our server.
        let mut client = node(&found, "client", port)?;
        tokio::task::spawn_blocking(move || {
            client.finish("got a message from world: hello world!").map_err(|error| error.to_string())
        })
        .await??;
        // Our client at its server. It connects as soon as that listens.
        let port = free_port()?;
        let _server = node(&found, "server", port)?;
        ask(port).await?;
    }
    println!("everybody got an answer; {:?}", server.shutdown(PATIENCE).await);
    Ok(())
}

/// Says hello to the server at `port` and waits for its answer.
async fn ask(port: u16) -> Result<()> {
    let client = Client::net(Some("127.0.0.1"), Some(port), Config::new("hello").retry(Duration::from_millis(50)))?;
    let (sender, mut answers) = unbounded_channel();
    client.on("message", move |text: String| sender.send(text));
    tokio::time::timeout(PATIENCE, client.connect()).await??;
    client.emit("message", "hello")?;
    let answer = tokio::time::timeout(PATIENCE, answers.recv()).await?.ok_or("no answer")?;
    println!("got a message from the server at port {port}: {answer}");
    client.close().await?;
    if answer == "hello world!" { Ok(()) } else { Err(format!("another answer: {answer}").into()) }
}

fn node(found: &NodeIpc, role: &str, port: u16) -> Result<Running> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/node/tcp.mjs");
    let (package, port) = (found.package(), port.to_string());
    let args: [&OsStr; 4] = [script.as_ref(), package.as_ref(), role.as_ref(), port.as_ref()];
    Running::start(&format!("node-ipc {}", found.version()), found.node(), &args)
}

/// node-ipc takes port 0 for its default, 8000, so one is chosen for it.
fn free_port() -> Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}
