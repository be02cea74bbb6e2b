//! Events over UDP, where every process is a server: one answers who says hello, asks back, and says goodbye to everybody
//! it has heard.
//!
//! ```text
//! cargo run --release -p ipc-tokio --example udp
//! ```
//!
//! It speaks with another server of ours, then with real node-ipc 9.2.1 and 14.0.0 where Node is present, and exits 0 if
//! everybody was heard.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a program, not a library")]

use ipc_testkit::node::{NodeIpc, Version};
use ipc_testkit::running::Running;
use ipc_tokio::{Config, UdpServer};
use std::error::Error;
use std::ffi::OsStr;
use std::net::{SocketAddr, UdpSocket};
use std::path::Path;
use std::time::Duration;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// How long anything may take. What is lost on the way is lost: over UDP a program has to ask again, or do without.
const PATIENCE: Duration = Duration::from_secs(20);

#[tokio::main]
async fn main() -> Result<()> {
    let world = UdpServer::udp4(Some("127.0.0.1"), Some(0), Config::new("world"))?;
    world.on("message", |peer, text: String| {
        println!("got a message from {}: {text}", peer.address());
        peer.emit("message", &format!("{text} world!"))?;
        peer.emit("question", &21)
    });
    let (sender, mut answers) = unbounded_channel();
    world.on("answer", move |peer, number: u32| sender.send((peer.address(), number)));
    world.on_error(|peer, error| eprintln!("{peer:?}: {error}"));
    world.start().await?;
    println!("receiving at {}", world.local_endpoint());
    let address = world.local_address().ok_or("it is started")?;

    ourselves(&world, address, &mut answers).await?;
    for version in [Version::V9_2_1, Version::V14_0_0] {
        match NodeIpc::find(version) {
            Ok(found) => node(&found, &world, address, &mut answers).await?,
            Err(missing) => eprintln!("*** node-ipc {version} takes no part: {missing} ***"),
        }
    }
    println!("everybody was heard; {:?}", world.counters());
    world.shutdown(PATIENCE).await;
    Ok(())
}

/// The same conversation with a server of our own.
async fn ourselves(
    world: &UdpServer,
    address: SocketAddr,
    answers: &mut UnboundedReceiver<(SocketAddr, u32)>,
) -> Result<()> {
    let hello = UdpServer::udp4(Some("127.0.0.1"), Some(0), Config::new("hello"))?;
    let (sender, mut goodbye) = unbounded_channel();
    hello.on("message", |peer, text: String| println!("got a message from {}: {text}", peer.address()));
    hello.on("question", |peer, number: u32| peer.emit("answer", &(number * 2)));
    hello.on("goodbye", move |_, text: String| sender.send(text));
    hello.start().await?;
    hello.emit_to(address, "message", "hello")?;
    answered(world, answers).await?;
    tokio::time::timeout(PATIENCE, goodbye.recv()).await?.ok_or("no goodbye")?;
    Ok(())
}

async fn node(
    found: &NodeIpc,
    world: &UdpServer,
    address: SocketAddr,
    answers: &mut UnboundedReceiver<(SocketAddr, u32)>,
) -> Result<()> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/node/udp.mjs");
    let (own, other) = (free_port()?.to_string(), address.port().to_string());
    let package = found.package();
    let args: [&OsStr; 4] = [script.as_ref(), package.as_ref(), own.as_ref(), other.as_ref()];
    let mut process = Running::start(&format!("node-ipc {}", found.version()), found.node(), &args)?;
    answered(world, answers).await?;
    tokio::task::spawn_blocking(move || {
        process.wait_for("got a message from 127.0.0.1: hello world!").map_err(|error| error.to_string())?;
        process.finish("goodbye").map_err(|error| error.to_string())
    })
    .await??;
    Ok(())
}

/// Waits for the answer to our question, and says goodbye to everybody we know.
async fn answered(world: &UdpServer, answers: &mut UnboundedReceiver<(SocketAddr, u32)>) -> Result<()> {
    let (from, number) = tokio::time::timeout(PATIENCE, answers.recv()).await?.ok_or("no answer")?;
    println!("{from} says {number}");
    if number != 42 {
        return Err(format!("{from} calculates wrongly").into());
    }
    let outcome = world.broadcast("goodbye", "until next time")?;
    println!("said goodbye to {}", outcome.queued);
    world.remove_peer(from);
    Ok(())
}

/// node-ipc takes port 0 for its default, 8000, so one is chosen for it.
fn free_port() -> Result<u16> {
    Ok(UdpSocket::bind("127.0.0.1:0")?.local_addr()?.port())
}
