//! Raw bytes instead of events (`rawBuffer`), as the README of node-ipc shows them: a text, an array of bytes, and integers of
//! both byte orders in a buffer of six bytes.
//!
//! ```text
//! cargo run --release -p ipc-tokio --example raw
//! ```
//!
//! A server here gets them from a client of ours, then from real node-ipc 9.2.1 and 14.0.0 where Node is present. Raw bytes
//! have no borders: the server takes six bytes at a time out of what arrives, however it was cut on the way.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a program, not a library")]

use ipc_testkit::node::{NodeIpc, Version};
use ipc_testkit::running::Running;
use ipc_tokio::{Client, Config, Encoding, Peer, PeerId, Server};
use std::collections::HashMap;
use std::error::Error;
use std::ffi::OsStr;
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::mpsc::unbounded_channel;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

const PATIENCE: Duration = Duration::from_secs(20);

/// A 16-bit and a 32-bit integer.
const RECORD: usize = 6;

fn config(id: &str) -> Config {
    // 9.2.1 receives raw bytes as text of this encoding; hex loses nothing.
    Config::new(id).raw_buffer(true).encoding(Encoding::Hex)
}

#[tokio::main]
async fn main() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("raw").display().to_string();
    let server = Server::at_path(&path, config("world"))?;
    let unfinished: Mutex<HashMap<PeerId, Vec<u8>>> = Mutex::default();
    server.on_data(move |peer: &Peer, bytes: &[u8]| {
        let mut unfinished = unfinished.lock().unwrap_or_else(PoisonError::into_inner);
        let buffer = unfinished.entry(peer.id()).or_default();
        buffer.extend_from_slice(bytes);
        while let Some((record, rest)) = buffer.split_first_chunk::<RECORD>() {
            let [a, b, c, d, e, f] = *record;
            let (small, large) = (u16::from_be_bytes([a, b]), u32::from_be_bytes([c, d, e, f]));
            println!("peer {} sends {small} and {large}, big-endian", peer.id());
            // The same numbers, little-endian.
            peer.emit_raw(&[small.to_le_bytes().as_slice(), &large.to_le_bytes()].concat())?;
            *buffer = rest.to_vec();
        }
        Ok::<(), ipc_tokio::EmitError>(())
    });
    server.start().await?;

    let client = Client::at_path(&path, config("hello"))?;
    let (sender, mut answers) = unbounded_channel();
    client.on_data(move |bytes: &[u8]| sender.send(bytes.to_vec()));
    client.connect().await?;
    client.emit_raw(&2_u16.to_be_bytes())?;
    client.emit_raw(&16_772_812_u32.to_be_bytes())?;
    let mut answer = Vec::new();
    while answer.len() < RECORD {
        answer.extend(tokio::time::timeout(PATIENCE, answers.recv()).await?.ok_or("no answer")?);
    }
    println!("the answer, as hex: {}", Encoding::Hex.decode(&answer));
    if answer != Encoding::Hex.encode("0200cceeff00") {
        return Err("another answer".into());
    }
    client.close().await?;

    for version in [Version::V9_2_1, Version::V14_0_0] {
        match NodeIpc::find(version) {
            Ok(found) => node(&found, &path).await?,
            Err(missing) => eprintln!("*** node-ipc {version} takes no part: {missing} ***"),
        }
    }
    server.shutdown(PATIENCE).await;
    Ok(())
}

async fn node(found: &NodeIpc, path: &str) -> Result<()> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/node/raw.mjs");
    let package = found.package();
    let args: [&OsStr; 3] = [script.as_ref(), package.as_ref(), path.as_ref()];
    let mut client = Running::start(&format!("node-ipc {}", found.version()), found.node(), &args)?;
    let done = tokio::task::spawn_blocking(move || client.finish("2 and 16772812").map_err(|error| error.to_string()));
    Ok(done.await??)
}
