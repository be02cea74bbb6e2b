//! A long run under mixed load: memory and descriptors of the servers' process, and of the clients', must be flat.
//!
//! Servers of every transport live in one process, clients of many kinds in another ([`mod@load`]); this one samples both by `/proc`, broadcasts in
//! between, and judges in the end ([`judge`]).

mod actors;
pub mod judge;
pub mod load;
pub mod plot;
pub mod sample;

use crate::adapters::Adapter;
use crate::child::{Child, Plan};
use crate::place::Place;
use crate::watch::{Watched, raise_descriptors, until};
use ipc_testkit::process::{PATIENCE, PeerProcess};
use judge::{DESCRIPTORS, Flat, MEMORY, MEMORY_SHORT};
use sample::{Process, Sample};
use serde_json::json;
use std::fmt;
use std::path::PathBuf;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

/// Bytes of what is broadcast, at each sample.
const BROADCAST: u64 = 10_000;

/// What is to be done.
#[derive(Clone, Debug)]
pub struct Soak {
    /// The program `ipc-torture`.
    pub program: PathBuf,
    /// What servers and clients run on.
    pub adapter: Adapter,
    /// For how long.
    pub time: Duration,
    /// Bytes that the servers lose with every broadcast, to see that this is noticed.
    pub leak: usize,
}

/// What was seen.
#[derive(Clone, Debug)]
pub struct Run {
    /// All samples.
    pub samples: Vec<Sample>,
    /// Questions that were answered.
    pub answered: u64,
    /// The servers' descriptors before the first client, and after the last.
    pub descriptors: (usize, usize),
}

/// A flat run in figures.
#[derive(Clone, Copy, Debug)]
pub struct Verdict {
    /// Of the servers: memory and descriptors.
    pub server: (Flat, Flat),
    /// Of the clients: the same.
    pub clients: (Flat, Flat),
}

impl Soak {
    /// Does it.
    ///
    /// # Errors
    ///
    /// What a client did not get, or what ended before its time.
    pub fn run(&self) -> Result<Run, String> {
        raise_descriptors();
        let place = Place::new(&self.program);
        let path = |name: &str| place.path(name).display().to_string();
        let endpoints =
            format!("unix:{} tcp:127.0.0.1:0 tls:127.0.0.1:0 udp4:127.0.0.1:0 raw:{}", path("world"), path("raw"));
        let plan = Plan::new(&self.program, "all", &endpoints).adapter(self.adapter).option("leak", self.leak);
        let config =
            json!({"maxConnections": 1000, "tls": {"public": path("server.crt"), "private": path("server.key")}});
        let mut server = plan.config(config).start();
        let at_rest = server.watched().descriptors().map_err(|error| error.to_string())?;
        let mut command = Command::new(&self.program);
        // The actors are threads, and a pool of memory for each would be most of what is seen of their process.
        command.arg("load").env("MALLOC_ARENA_MAX", "1");
        let options = json!({"adapter": self.adapter.name(), "endpoints": server.endpoint, "ca": path("ca.crt")});
        let mut clients = PeerProcess::start(command, &options, PATIENCE).map_err(|error| error.to_string())?;
        let samples = self.sample(&mut server, &mut clients)?;
        let said = clients.command(json!({"cmd": "counts"})).map_err(|error| error.to_string())?;
        let status = clients.close().map_err(|error| error.to_string())?;
        if !status.success() {
            return Err(format!("the clients ended with {status}"));
        }
        // UDP knows its senders for a while; all others are gone.
        if !until(|| server.watched().descriptors().is_ok_and(|now| now <= at_rest)) {
            return Err(format!("descriptors are left: {:?}, and {at_rest} at first", server.watched().descriptors()));
        }
        let after = server.watched().descriptors().map_err(|error| error.to_string())?;
        server.ask(json!({"cmd": "shutdown"}));
        Ok(Run { samples, answered: said["done"].as_u64().unwrap_or(0), descriptors: (at_rest, after) })
    }

    fn sample(&self, server: &mut Child, clients: &mut PeerProcess) -> Result<Vec<Sample>, String> {
        let period = (self.time / 300).clamp(Duration::from_millis(100), Duration::from_secs(5));
        let load = Watched::new(clients.pid());
        let (began, mut samples) = (Instant::now(), Vec::new());
        while began.elapsed() < self.time {
            let said = clients.command(json!({"cmd": "counts"})).map_err(|error| error.to_string())?;
            if let Some(failure) = said["failure"].as_str() {
                return Err(failure.to_owned());
            }
            server.ask(json!({"cmd": "broadcast", "size": BROADCAST}));
            let messages = server.count("messages");
            let ended = |error: std::io::Error| format!("a process has ended: {error}");
            samples.push(Sample {
                at: began.elapsed(),
                server: Process::now(server.watched()).map_err(ended)?,
                clients: Process::now(load).map_err(ended)?,
                messages,
            });
            thread::sleep(period);
        }
        Ok(samples)
    }
}

impl Run {
    /// Whether it was flat.
    ///
    /// # Errors
    ///
    /// What grew.
    pub fn verdict(&self) -> Result<Verdict, String> {
        let time = self.samples.last().map_or(Duration::ZERO, |last| last.at);
        let memory = if time < Duration::from_secs(290) { MEMORY_SHORT } else { MEMORY };
        let of = |who: &str, process: fn(&Sample) -> &Process| {
            let named = |error: String| format!("{who}: {error}");
            let series = |value: fn(&Process) -> f64| -> Vec<f64> {
                self.samples.iter().map(|sample| value(process(sample))).collect()
            };
            let memory = memory.judge(&series(|process| process.memory as f64)).map_err(named)?;
            let descriptors = DESCRIPTORS.judge(&series(|process| process.descriptors as f64)).map_err(named)?;
            Ok::<_, String>((memory, descriptors))
        };
        Ok(Verdict {
            server: of("server", |sample| &sample.server)?,
            clients: of("clients", |sample| &sample.clients)?,
        })
    }

    /// Events that the servers received in a second, on average.
    #[must_use]
    pub fn rate(&self) -> f64 {
        self.samples.last().map_or(0.0, |last| last.messages as f64 / last.at.as_secs_f64().max(1e-9))
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (who, (memory, descriptors)) in [("server", self.server), ("clients", self.clients)] {
            let mib = |bytes: f64| bytes / (1024.0 * 1024.0);
            writeln!(
                f,
                "{who:>8}: memory {:.1} MiB, rise {:+.2} MiB, step {:+.2} MiB (slack {:.1}); \
                 descriptors {}, rise {:+.1}, step {:+.1} (slack {:.1})",
                mib(memory.median),
                mib(memory.rise),
                mib(memory.step),
                mib(memory.slack),
                descriptors.median,
                descriptors.rise,
                descriptors.step,
                descriptors.slack
            )?;
        }
        Ok(())
    }
}
