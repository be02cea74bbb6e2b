//! What is sampled in a soak, and its table.

use crate::watch::Watched;
use std::fmt::Write as _;
use std::io;
use std::time::Duration;

/// A process at one moment.
#[derive(Clone, Copy, Debug, Default)]
pub struct Process {
    /// Memory in RAM, bytes.
    pub memory: u64,
    /// Open descriptors.
    pub descriptors: usize,
    /// Processor time since its start.
    pub processor: Duration,
}

impl Process {
    /// Looks at it now.
    ///
    /// # Errors
    ///
    /// If it has ended.
    pub fn now(watched: Watched) -> io::Result<Self> {
        Ok(Self { memory: watched.memory()?, descriptors: watched.descriptors()?, processor: watched.processor()? })
    }
}

/// One moment of a soak.
#[derive(Clone, Copy, Debug)]
pub struct Sample {
    /// Since the beginning.
    pub at: Duration,
    /// The process with the servers.
    pub server: Process,
    /// The process with the clients.
    pub clients: Process,
    /// Events that the servers have received so far.
    pub messages: u64,
}

/// A line for each sample, with a heading.
#[must_use]
pub fn csv(samples: &[Sample]) -> String {
    let mut text = String::from(
        "seconds,server_rss_bytes,server_descriptors,server_cpu_seconds,\
         clients_rss_bytes,clients_descriptors,clients_cpu_seconds,messages\n",
    );
    for Sample { at, server, clients, messages } in samples {
        let at = at.as_secs_f64();
        // Writing to a string does not fail.
        let _infallible = write!(text, "{at:.1}");
        for Process { memory, descriptors, processor } in [server, clients] {
            let _infallible = write!(text, ",{memory},{descriptors},{:.2}", processor.as_secs_f64());
        }
        let _infallible = writeln!(text, ",{messages}");
    }
    text
}

/// Messages in a second, between each sample and the one before.
#[must_use]
pub fn rates(samples: &[Sample]) -> Vec<f64> {
    let between = |pair: &[Sample]| {
        let [before, after] = pair else { return 0.0 };
        (after.messages - before.messages) as f64 / (after.at - before.at).as_secs_f64()
    };
    samples.windows(2).map(between).collect()
}
