//! A server or client of ours as a process of its own: `ipc-torture subject '<json options>'`.
//!
//! It speaks in JSON lines as `ipc-testkit`'s `PeerProcess` wants them: a ready line, and one result for every command. Unlike the peer of
//! `ipc-conformance` it can do what faults need: emit until it is refused, count in place of telling, write down what was
//! delivered.

mod all;
mod client;
mod counts;
mod datagrams;
mod logs;
mod server;

use crate::adapters::{Adapter, Job};
use counts::Counts;
use ipc_conformance::behaviour::{block_on, within};
use ipc_driver::runtime::Runtime;
use ipc_driver::{Config, Endpoint, Settings};
use serde::Deserialize;
use serde_json::{Value, json};
use std::io::{self, BufRead, Write};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

#[derive(Deserialize)]
struct Options {
    role: String,
    endpoint: String,
    config: Value,
    /// Whether it starts by itself; otherwise the command `start` tells what came of it.
    start: bool,
    adapter: Option<String>,
    /// Where deliveries are written down.
    record: Option<PathBuf>,
    /// Where the log goes, as the product gives it.
    log: Option<PathBuf>,
    /// Only these users are let in: the accept filter `same_user_or_root`.
    #[serde(default)]
    own_user_only: bool,
    /// Bytes that are lost with every broadcast, to see that a leak is noticed.
    #[serde(default)]
    leak: usize,
    /// The handler of numbered events rests for a millisecond after so many (0: never): the sockets fill meanwhile.
    #[serde(default)]
    rest_every: u64,
    /// Nobody listens for errors: they go to the log.
    #[serde(default)]
    unheard: bool,
    /// How many handlers with names of their own there are beside the usual ones.
    #[serde(default)]
    handlers: usize,
}

/// What a subject can be told, whichever of both it is.
trait Subject {
    fn start(&self) -> Result<()>;
    fn endpoint(&self) -> String;
    fn counts(&self) -> &Counts;
    /// Emits one event to whoever is there.
    fn emit(&self, name: &str, number: u64, padding: &str) -> Result<()>;
    /// Emits an event of that many bytes to everybody who is there.
    fn broadcast(&self, padding: &str) -> Result<()>;
    /// Bytes that wait to be written.
    fn pending(&self) -> usize;
    /// Who is there: peers, or senders that are known.
    fn len(&self) -> usize;
    /// Ends it in order, within so long.
    fn shutdown(&self, within_ms: u64) -> Value;
}

/// Runs the subject of these options until its standard input ends.
///
/// # Errors
///
/// What is wrong with the options, or why it does not start.
pub fn run(options: &str) -> Result<()> {
    let options: Options = serde_json::from_str(options)?;
    if let Some(path) = &options.log {
        logs::write_to(path)?;
    }
    let adapter = options.adapter.as_deref().map_or(Ok(Adapter::default()), Adapter::named)?;
    adapter.run(Live(options))?
}

struct Live(Options);

impl Job for Live {
    type Output = Result<()>;

    fn run<R: Runtime>(self, runtime: R) -> Result<()> {
        let Self(options) = self;
        // What the runtime opens on first use: a process that is starved of descriptors before that has no runtime.
        block_on(within(&runtime, Duration::from_millis(1), std::future::pending::<()>()));
        let counts = Arc::new(Counts::new(options.record.as_deref())?);
        let subject: Box<dyn Subject> = if options.role == "all" {
            Box::new(all::All::new(&runtime, &options, &counts)?)
        } else {
            make(runtime, &options, &options.role, &options.config, &options.endpoint, counts)?
        };
        if options.start {
            subject.start()?;
        }
        say(&json!({"ready": true, "endpoint": subject.endpoint()}))?;
        obey(&*subject)
    }
}

fn make<R: Runtime>(
    runtime: R,
    options: &Options,
    role: &str,
    config: &Value,
    endpoint: &str,
    counts: Arc<Counts>,
) -> Result<Box<dyn Subject>> {
    let mut config = Config::new("world").with_json(&config.to_string())?;
    config.id.get_or_insert_with(|| "world".into());
    let settings: Settings = ipc_driver::host::build(config)?;
    let endpoint: Endpoint = endpoint.parse()?;
    Ok(match role {
        "server" => Box::new(server::Serving::new(runtime, settings, endpoint, counts, options)?),
        "client" => Box::new(client::Calling::new(runtime, settings, endpoint, counts, options)?),
        "udp" => Box::new(datagrams::Receiving::new(runtime, settings, endpoint, counts)?),
        other => return Err(format!("no role is called {other:?}: server, client, udp or all").into()),
    })
}

fn say(line: &Value) -> io::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{line}")?;
    out.flush()
}

fn obey(subject: &dyn Subject) -> Result<()> {
    let mut emitted = 0;
    for line in io::stdin().lock().lines() {
        let command: Value = serde_json::from_str(&line?)?;
        let n = &command["n"];
        say(&match perform(subject, &command, &mut emitted) {
            Ok(value) => json!({"ev": "result", "n": n, "ok": true, "value": value}),
            Err(error) => json!({"ev": "result", "n": n, "ok": false, "error": error.to_string()}),
        })?;
    }
    Ok(())
}

fn perform(subject: &dyn Subject, command: &Value, emitted: &mut u64) -> Result<Value> {
    match command["cmd"].as_str().unwrap_or_default() {
        "start" => subject.start().map(|()| json!(subject.endpoint())),
        "counts" => Ok(subject.counts().show()),
        "broadcast" => {
            let size = command["size"].as_u64().unwrap_or(0) as usize;
            subject.broadcast(&crate::numbers::Numbered::padding(size)).map(|()| Value::Null)
        }
        "pending" => Ok(json!(subject.pending())),
        "len" => Ok(json!(subject.len())),
        "shutdown" => Ok(subject.shutdown(command["within_ms"].as_u64().unwrap_or(5000))),
        // So many numbered events at once; ends at the first that is refused.
        "emit" => {
            let padding = crate::numbers::Numbered::padding(command["size"].as_u64().unwrap_or(0) as usize);
            let name = command["name"].as_str().unwrap_or(crate::numbers::NAME);
            let mut accepted = 0;
            for _ in 0..command["count"].as_u64().unwrap_or(1) {
                match subject.emit(name, *emitted, &padding) {
                    Ok(()) => (accepted, *emitted) = (accepted + 1, *emitted + 1),
                    Err(error) => return Ok(json!({"accepted": accepted, "refused": error.to_string()})),
                }
            }
            Ok(json!({"accepted": accepted}))
        }
        other => Err(format!("no command is called {other:?}").into()),
    }
}
