//! One question at a time (`sync`): a client that emits everything at once, and whose connection sends the next event only when
//! something has come back.
//!
//! ```text
//! cargo run --release -p ipc-tokio --example sync
//! ```
//!
//! Our client asks our server, then clients of real node-ipc 9.2.1 and 14.0.0 ask it and ours asks theirs, where Node is present.
//! Each server takes its time, and fails if a question comes before the last one is answered. Exits 0 if none did.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a program, not a library")]

use ipc_testkit::node::{NodeIpc, Version};
use ipc_testkit::running::Running;
use ipc_tokio::{Client, Config, Server};
use std::error::Error;
use std::ffi::OsStr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::sync::mpsc::unbounded_channel;
use tokio::time::timeout;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

const PATIENCE: Duration = Duration::from_secs(20);

#[tokio::main]
async fn main() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("world").display().to_string();

    let server = Server::at_path(&path, Config::new("world"))?;
    let asked = Arc::new(AtomicBool::new(false));
    let open = Arc::clone(&asked);
    server.on("question", move |peer, number: u32| {
        if open.swap(true, Ordering::SeqCst) {
            return Err("a question came before the last one was answered");
        }
        println!("asked about {number}");
        // An answer that takes a while is a task's work: a handler must not block.
        let (peer, open) = (peer.clone(), Arc::clone(&open));
        tokio::spawn(async move {
            tokio::time::sleep(Duration::from_millis(10)).await;
            open.store(false, Ordering::SeqCst);
            if let Err(error) = peer.emit("answer", &(number * 2)) {
                eprintln!("nobody waits for the answer: {error}");
            }
        });
        Ok(())
    });
    let failed = Arc::new(AtomicBool::new(false));
    let fail = Arc::clone(&failed);
    server.on_error(move |_, error| {
        eprintln!("{error}");
        fail.store(true, Ordering::SeqCst);
    });
    server.start().await?;

    ask(&path).await?;
    for version in [Version::V9_2_1, Version::V14_0_0] {
        let found = match NodeIpc::find(version) {
            Ok(found) => found,
            Err(missing) => {
                eprintln!("*** node-ipc {version} takes no part: {missing} ***");
                continue;
            }
        };
        let mut client = node(&found, "client", &path)?;
        tokio::task::spawn_blocking(move || client.finish("all answered: 2,4,6").map_err(|error| error.to_string()))
            .await??;

        let path = folder.path().join(format!("world-{version}")).display().to_string();
        let mut world = node(&found, "server", &path)?;
        world.wait_for("listening")?;
        ask(&path).await?;
        tokio::task::spawn_blocking(move || world.finish("one at a time").map_err(|error| error.to_string())).await??;
    }
    server.shutdown(PATIENCE).await;
    if failed.load(Ordering::SeqCst) {
        return Err("a client did not wait".into());
    }
    println!("one at a time, everywhere");
    Ok(())
}

/// Emits three questions at once; they leave one by one.
async fn ask(path: &str) -> Result<()> {
    let client = Client::at_path(path, Config::new("hello").sync(true).retry(Duration::from_millis(50)))?;
    let (sender, mut answers) = unbounded_channel();
    client.on("answer", move |number: u32| sender.send(number));
    timeout(PATIENCE, client.connect()).await??;
    for number in 1..=3 {
        client.emit("question", &number)?;
    }
    println!("three questions are asked, {} of them held", client.held());
    for expected in [2, 4, 6] {
        let answer = timeout(PATIENCE, answers.recv()).await?.ok_or("no answer")?;
        if answer != expected {
            return Err(format!("{answer} instead of {expected}").into());
        }
    }
    client.close().await?;
    Ok(())
}

fn node(found: &NodeIpc, role: &str, path: &str) -> Result<Running> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/node/sync.mjs");
    let package = found.package();
    let args: [&OsStr; 4] = [script.as_ref(), package.as_ref(), role.as_ref(), path.as_ref()];
    Running::start(&format!("node-ipc {}", found.version()), found.node(), &args)
}
