//! A server to be measured: echo, sink or publish, with the default configuration but for the number of connections.
//!
//! ```text
//! cargo run --release -p ipc-tokio --example load_server -- --listen unix:/tmp/load.sock --role echo
//! ```
//!
//! `echo` sends every `message` back to its sender. `sink` counts them and answers `count` with the number since the
//! last time. `publish` echoes, and on `go` {count, size} broadcasts that many messages `{"n":…,"p":…}`, numbered from
//! 1,000,000,000. `--runtime-threads N` (default 1) takes a multi-thread runtime for N > 1.
//!
//! It listens on `unix:PATH`, `tcp:HOST:PORT` or `udp:HOST:PORT` (`udp4:` and `udp6:` name the family). Over UDP there are
//! `echo`, and `sink`, which counts for each address.

#![allow(clippy::print_stderr, reason = "a program, not a library")]

use ipc_tokio::{Config, Endpoint, Frame, Peer, Server, Settings, UdpPeer, UdpServer};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::error::Error;
use std::hash::Hash;
use std::net::SocketAddr;
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
                "--listen" => listen = Some(endpoint(&value)?),
                "--role" => role = value,
                "--runtime-threads" => threads = value.parse()?,
                _ => return Err(format!("unknown option {name}").into()),
            }
        }
        let listen = listen.ok_or("--listen unix:PATH, tcp:HOST:PORT or udp:HOST:PORT is missing")?;
        Ok(Self { listen, role, threads })
    }
}

/// Reads an address; `udp:` alone leaves the family to the host.
fn endpoint(text: &str) -> Result<Endpoint, Box<dyn Error>> {
    let Some(rest) = text.strip_prefix("udp:") else { return Ok(text.parse()?) };
    let family = if rest.starts_with('[') { "udp6" } else { "udp4" };
    Ok(format!("{family}:{rest}").parse()?)
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
    let settings = ipc_tokio::build(Config::new("load").max_connections(usize::MAX).take_over(true))?;
    if options.listen.is_udp() {
        let _server = serve_datagrams(settings, options).await?;
        return std::future::pending().await;
    }
    let server = Server::at(settings, options.listen)?;
    match options.role.as_str() {
        "echo" => {
            server.on_event("message", Peer::emit_event);
        }
        "sink" => {
            server.on_event("message", |peer, _| COUNTS.add(peer.id().get()));
            server.on_event("count", |peer, _| peer.emit("count", &COUNTS.take(&peer.id().get())));
        }
        "publish" => {
            server.on_event("message", Peer::emit_event);
            publish(&server);
        }
        role => return Err(format!("unknown role {role}: echo, sink or publish").into()),
    }
    server.start().await?;
    std::future::pending().await
}

async fn serve_datagrams(settings: Settings, options: Options) -> Result<UdpServer, Box<dyn Error>> {
    let server = UdpServer::at(settings, options.listen)?;
    match options.role.as_str() {
        "echo" => {
            server.on_event("message", UdpPeer::emit_event);
        }
        "sink" => {
            server.on_event("message", |peer, _| UDP_COUNTS.add(peer.address()));
            server.on_event("count", |peer, _| peer.emit("count", &UDP_COUNTS.take(&peer.address())));
        }
        role => return Err(format!("unknown role {role} over UDP: echo or sink").into()),
    }
    server.start().await?;
    Ok(server)
}

/// How many messages came from whom since they last asked.
struct Counts<K>(Mutex<Option<HashMap<K, u64>>>);

static COUNTS: Counts<u64> = Counts(Mutex::new(None));
static UDP_COUNTS: Counts<SocketAddr> = Counts(Mutex::new(None));

impl<K: Eq + Hash> Counts<K> {
    fn add(&self, who: K) {
        *self.0.lock().expect("no handler panics").get_or_insert_default().entry(who).or_default() += 1;
    }

    fn take(&self, who: &K) -> Count {
        let count = self.0.lock().expect("no handler panics").get_or_insert_default().remove(who);
        Count { count: count.unwrap_or(0) }
    }
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
