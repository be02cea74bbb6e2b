//! Several clients at one server, and what one says goes to all of them: node-ipc's multi-client example.
//!
//! ```text
//! cargo run --release -p ipc-tokio --example broadcast
//! ```
//!
//! Three clients of ours come, and those of real node-ipc 9.2.1 and 14.0.0 where Node is present. When all are there each says
//! `app.message`, and leaves when it has heard everybody, itself included. Exits 0 if everybody heard everybody.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a program, not a library")]

use ipc_testkit::node::{NodeIpc, Version};
use ipc_testkit::running::Running;
use ipc_tokio::{Client, Config, Server, ServerEvent};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::error::Error;
use std::ffi::OsStr;
use std::path::Path;
use std::time::Duration;
use tokio::sync::mpsc::unbounded_channel;
use tokio::time::timeout;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

const PATIENCE: Duration = Duration::from_secs(20);

/// What everybody says and hears.
#[derive(Debug, Deserialize, Serialize)]
struct AppMessage {
    id: String,
    message: String,
}

#[tokio::main]
async fn main() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("world").display().to_string();
    let server = Server::at_path(&path, Config::new("world"))?;
    // Whoever wants the server to act on an event takes events from the stream, beside the server. (A handler that held the
    // server would keep it alive for ever.)
    let mut events = server.events();
    server.start().await?;

    let nodes: Vec<NodeIpc> = [Version::V9_2_1, Version::V14_0_0]
        .into_iter()
        .filter_map(|version| match NodeIpc::find(version) {
            Ok(found) => Some(found),
            Err(missing) => {
                eprintln!("*** node-ipc {version} takes no part: {missing} ***");
                None
            }
        })
        .collect();
    let names = ["hello", "goodbye", "again"];
    let expected = names.len() + nodes.len();

    let ours: Vec<_> = names.map(|name| tokio::spawn(client(name, path.clone(), expected))).into();
    let mut theirs = Vec::new();
    for found in &nodes {
        theirs.push(node(found, &path, expected)?);
    }

    let (mut here, mut gone) = (0, 0);
    while gone < expected {
        match timeout(PATIENCE, events.recv()).await?.ok_or("the server has ended")? {
            ServerEvent::Connected(peer) => {
                here += 1;
                println!("peer {} is there: {here} of {expected}", peer.id());
                if here == expected {
                    server.broadcast("app.start", &ipc_tokio::Empty)?;
                }
            }
            ServerEvent::Message(peer, message) if message.name() == "app.message" => {
                let said: AppMessage = message.data()?;
                println!("peer {} calls itself {} and says {:?}", peer.id(), said.id, said.message);
                let outcome = server.broadcast("app.message", &said)?;
                println!("which goes to {} peers", outcome.queued);
            }
            ServerEvent::Disconnected { peer, .. } => {
                gone += 1;
                println!("peer {} has left", peer.id());
            }
            ServerEvent::Error(peer, error) => return Err(format!("peer {}: {error}", peer.id()).into()),
            _ => {}
        }
    }
    for client in ours {
        client.await??;
    }
    tokio::task::spawn_blocking(move || {
        theirs.iter_mut().try_for_each(|node| node.finish("heard everybody").map_err(|error| error.to_string()))
    })
    .await??;
    println!("everybody heard everybody");
    Ok(())
}

/// Says its word at the start, and leaves when it has heard `expected` others.
async fn client(name: &'static str, path: String, expected: usize) -> std::result::Result<(), String> {
    let run = async {
        let client = Client::at_path(&path, Config::new(name))?;
        let emitter = client.emitter();
        client.on("app.start", move |_: ipc_tokio::Empty| {
            emitter.emit("app.message", &AppMessage { id: name.to_owned(), message: format!("{name} world!") })
        });
        let (sender, mut heard) = unbounded_channel();
        client.on("app.message", move |said: AppMessage| sender.send(said.id));
        timeout(PATIENCE, client.connect()).await??;
        let mut all = BTreeSet::new();
        while all.len() < expected {
            all.insert(timeout(PATIENCE, heard.recv()).await?.ok_or("the client has ended")?);
        }
        println!("{name} has heard {all:?}");
        client.close().await?;
        Ok::<_, Box<dyn Error>>(())
    };
    run.await.map_err(|error| format!("{name}: {error}"))
}

fn node(found: &NodeIpc, path: &str, expected: usize) -> Result<Running> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/node/broadcast.mjs");
    let (package, expected) = (found.package(), expected.to_string());
    let args: [&OsStr; 4] = [script.as_ref(), package.as_ref(), path.as_ref(), expected.as_ref()];
    Running::start(&format!("node-ipc {}", found.version()), found.node(), &args)
}
