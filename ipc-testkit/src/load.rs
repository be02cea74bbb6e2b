//! A server to be measured, on any runtime: echo, sink or publish, with the default configuration but for the number of
//! connections.
//!
//! `echo` sends every `message` back to its sender. `sink` counts them and answers `count` with the number since the
//! last time. `publish` echoes, and on `go` {count, size} broadcasts that many messages `{"n":…,"p":…}`, numbered from
//! 1,000,000,000.

#![allow(clippy::print_stderr, reason = "a part of programs")]

use ipc_driver::api::{Config, Endpoint, Frame, Peer, Settings, TlsOptions, UdpPeer};
use ipc_driver::runtime::Runtime;
use ipc_driver::{Server, UdpServer};
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

/// What the server is to do, from the arguments of its program.
#[derive(Debug)]
pub struct Load {
    listen: Endpoint,
    tls: Option<TlsOptions>,
    role: String,
    /// Threads of the runtime.
    pub threads: usize,
    /// How many event names an echo answers.
    names: usize,
}

impl Load {
    /// Reads the arguments of the program, as [`parse`](Self::parse) does.
    ///
    /// # Errors
    ///
    /// What was expected.
    pub fn from_args() -> Result<Self, Box<dyn Error>> {
        Self::parse(std::env::args().skip(1))
    }

    /// Reads `--listen ADDRESS`, `--role ROLE`, `--cert FILE`, `--key FILE`, `--runtime-threads N`, and `--names N`, which makes an
    /// echo answer the events `message-1` to `message-N-1` too, each by a handler of its own.
    ///
    /// # Errors
    ///
    /// What was expected.
    pub fn parse(args: impl IntoIterator<Item = String>) -> Result<Self, Box<dyn Error>> {
        let mut args = args.into_iter();
        let (mut listen, mut role, mut threads, mut names) = (None, String::from("echo"), 1, 1);
        let (mut cert, mut key) = (None, None);
        while let Some(name) = args.next() {
            let value = args.next().ok_or_else(|| format!("{name} needs a value"))?;
            match name.as_str() {
                "--listen" => listen = Some(value),
                "--cert" => cert = Some(value),
                "--key" => key = Some(value),
                "--role" => role = value,
                "--runtime-threads" => threads = value.parse()?,
                "--names" => names = value.parse()?,
                _ => return Err(format!("unknown option {name}").into()),
            }
        }
        let listen = listen.ok_or("--listen unix:PATH, tcp:HOST:PORT, tls:HOST:PORT or udp:HOST:PORT is missing")?;
        let tls = match (listen.starts_with("tls:"), cert, key) {
            (true, Some(cert), Some(key)) => Some(TlsOptions::new().public(cert).private(key)),
            (false, None, None) => None,
            (true, ..) => return Err("tls: needs --cert FILE and --key FILE".into()),
            (false, ..) => return Err("--cert and --key are for tls: only".into()),
        };
        Ok(Self { listen: endpoint(&listen)?, tls, role, threads, names })
    }

    /// Where it is to listen, if that is a path.
    #[must_use]
    pub fn path(&self) -> Option<std::path::PathBuf> {
        self.listen.to_string().strip_prefix("unix:").map(Into::into)
    }

    /// Where it is to receive, if that is over UDP at an address of this machine.
    #[must_use]
    pub fn udp(&self) -> Option<SocketAddr> {
        match &self.listen {
            Endpoint::Udp4 { host, port } | Endpoint::Udp6 { host, port } => {
                host.parse().ok().map(|host: std::net::IpAddr| SocketAddr::from((host, *port)))
            }
            _ => None,
        }
    }

    /// Whether it is to count only.
    #[must_use]
    pub fn is_sink(&self) -> bool {
        self.role == "sink"
    }

    /// Serves for ever.
    ///
    /// # Errors
    ///
    /// Why it cannot, in words for the one who started the program.
    pub async fn serve<R: Runtime>(self, runtime: R) -> Result<(), Box<dyn Error>> {
        let mut config = Config::new("load").max_connections(usize::MAX).take_over(true);
        config.tls = self.tls.clone();
        let settings = ipc_driver::host::build(config)?;
        if self.listen.is_udp() {
            let _server = self.serve_datagrams(runtime, settings).await?;
            return std::future::pending().await;
        }
        let server = Server::with_runtime(runtime.clone(), settings, self.listen)?;
        match self.role.as_str() {
            "echo" => {
                server.on_event("message", Peer::emit_event);
                for number in 1..self.names {
                    server.on_event(&format!("message-{number}"), Peer::emit_event);
                }
            }
            "sink" => {
                server.on_event("message", |peer, _| COUNTS.add(peer.id().get()));
                server.on_event("count", |peer, _| peer.emit("count", &COUNTS.take(&peer.id().get())));
            }
            "publish" => {
                server.on_event("message", Peer::emit_event);
                publish(runtime, &server);
            }
            role => return Err(format!("unknown role {role}: echo, sink or publish").into()),
        }
        server.start().await?;
        std::future::pending().await
    }

    async fn serve_datagrams<R: Runtime>(self, runtime: R, settings: Settings) -> Result<UdpServer<R>, Box<dyn Error>> {
        let server = UdpServer::with_runtime(runtime, settings, self.listen)?;
        match self.role.as_str() {
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
}

/// Reads an address; `udp:` alone leaves the family to the host, and `tls:` is TCP with more on top.
fn endpoint(text: &str) -> Result<Endpoint, Box<dyn Error>> {
    if let Some(rest) = text.strip_prefix("tls:") {
        return Ok(format!("tcp:{rest}").parse()?);
    }
    let Some(rest) = text.strip_prefix("udp:") else { return Ok(text.parse()?) };
    let family = if rest.starts_with('[') { "udp6" } else { "udp4" };
    Ok(format!("{family}:{rest}").parse()?)
}

/// How many messages came from whom since they last asked. Those in a row from one are counted without a look at the map.
struct Counts<K>(Mutex<Counted<K>>);

struct Counted<K> {
    last: Option<(K, u64)>,
    others: Option<HashMap<K, u64>>,
}

static COUNTS: Counts<u64> = Counts(Mutex::new(Counted { last: None, others: None }));
static UDP_COUNTS: Counts<SocketAddr> = Counts(Mutex::new(Counted { last: None, others: None }));

impl<K: Eq + Hash> Counts<K> {
    fn add(&self, who: K) {
        let mut counted = self.0.lock().expect("no handler panics");
        match &mut counted.last {
            Some((last, count)) if *last == who => *count += 1,
            last => {
                if let Some((other, count)) = last.replace((who, 1)) {
                    *counted.others.get_or_insert_default().entry(other).or_default() += count;
                }
            }
        }
    }

    fn take(&self, who: &K) -> Count {
        let mut counted = self.0.lock().expect("no handler panics");
        let last = counted.last.take_if(|(last, _)| last == who).map_or(0, |(_, count)| count);
        let before = counted.others.as_mut().and_then(|others| others.remove(who)).unwrap_or(0);
        Count { count: before + last }
    }
}

fn publish<R: Runtime>(runtime: R, server: &Server<R>) {
    // A server handle in its own handler would keep it alive for ever, which is what this program wants.
    let handle = server.clone();
    server.on("go", move |_, go: Go| {
        let server = handle.clone();
        runtime.spawn(async move {
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
