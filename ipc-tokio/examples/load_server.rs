//! A server to be measured: echo, sink or publish, with the default configuration but for the number of connections.
//!
//! ```text
//! cargo run --release -p ipc-tokio --example load_server -- --listen unix:/tmp/load.sock --role echo
//! ```
//!
//! `echo` sends every `message` back to its sender. `sink` counts them and answers `count` with the number since the
//! last time. `publish` echoes, and on `go` {count, size} broadcasts that many messages `{"n":…,"p":…}`, numbered from
//! 1,000,000,000. `--runtime-threads N` (default 1) takes a multi-thread runtime for N > 1.

#![allow(clippy::print_stderr, reason = "a program, not a library")]

use ipc_tokio::{Config, Endpoint, Frame, Peer, Server};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::error::Error;
use std::sync::Mutex;

#[derive(Serialize)]
struct Count {
    count: u64,
}

#[derive(Deserialize)]
struct Go {
    count: u64,
    size: usize,
}

#[derive(Serialize)]
struct Published<'a> {
    n: u64,
    p: &'a str,
}

const FIRST: u64 = 1_000_000_000;
const TEXT: &str = "The quick brown fox jumps over the lazy dog 0123456789. ";

struct Options {
    listen: Endpoint,
    role: String,
    threads: usize,
}

impl Options {
    fn parse(mut args: impl Iterator<Item = String>) -> Result<Self, Box<dyn Error>> {
        let (mut listen, mut role, mut threads) = (None, String::from("echo"), 1);
        while let Some(name) = args.next() {
            let value = args.next().ok_or_else(|| format!("{name} needs a value"))?;
            match name.as_str() {
                "--listen" => listen = Some(value.parse()?),
                "--role" => role = value,
                "--runtime-threads" => threads = value.parse()?,
                _ => return Err(format!("unknown option {name}").into()),
            }
        }
        let listen = listen.ok_or("--listen unix:PATH or tcp:HOST:PORT is missing")?;
        Ok(Self { listen, role, threads })
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let options = Options::parse(std::env::args().skip(1))?;
    let runtime = if options.threads > 1 {
        tokio::runtime::Builder::new_multi_thread().worker_threads(options.threads).enable_all().build()?
    } else {
        tokio::runtime::Builder::new_current_thread().enable_all().build()?
    };
    runtime.block_on(serve(options))
}

async fn serve(options: Options) -> Result<(), Box<dyn Error>> {
    let config = Config::new("load").max_connections(usize::MAX).take_over(true);
    let server = Server::at(ipc_tokio::build(config)?, options.listen)?;
    match options.role.as_str() {
        "echo" => {
            server.on_event("message", Peer::emit_event);
        }
        "sink" => sink(&server),
        "publish" => {
            server.on_event("message", Peer::emit_event);
            publish(&server);
        }
        role => return Err(format!("unknown role {role}: echo, sink or publish").into()),
    }
    server.start().await?;
    std::future::pending().await
}

fn sink(server: &Server) {
    static COUNTED: Mutex<Option<HashMap<u64, u64>>> = Mutex::new(None);
    server.on_event("message", |peer, _| {
        let mut counted = COUNTED.lock().expect("no handler panics");
        *counted.get_or_insert_default().entry(peer.id().get()).or_default() += 1;
    });
    server.on_event("count", |peer, _| {
        let count = COUNTED.lock().expect("no handler panics").get_or_insert_default().remove(&peer.id().get());
        peer.emit("count", &Count { count: count.unwrap_or(0) })
    });
}

fn publish(server: &Server) {
    // A server handle in its own handler would keep it alive for ever, which is what this program wants.
    let handle = server.clone();
    server.on("go", move |_, go: Go| {
        let server = handle.clone();
        tokio::spawn(async move {
            let text: String = TEXT.chars().cycle().take(go.size.saturating_sub(2)).collect();
            for n in FIRST..FIRST + go.count {
                match Frame::new(server.settings(), "message", &Published { n, p: &text }) {
                    Ok(frame) => drop(server.send_to_all(&frame).await),
                    Err(error) => eprintln!("cannot publish: {error}"),
                }
            }
        });
    });
}
