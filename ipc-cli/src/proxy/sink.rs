//! Where what a proxy sees goes: to stdout, or into a recording.

use crate::exit::{Exit, Failure, Outcome};
use crate::glob::{Glob, wanted};
use crate::output::{Output, Traffic, What};
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::Notify;

/// Takes what is seen, in order.
#[derive(Clone)]
pub(crate) enum Sink {
    Shown(Box<Output>, Arc<[Glob]>),
    Recorded(Arc<Recording>),
}

impl Sink {
    pub(crate) async fn take(&self, traffic: Traffic<'_>) -> Outcome {
        match self {
            Self::Shown(output, filter) => {
                if let What::Event { name_json, .. } = &traffic.what {
                    let name = serde_json::from_str::<String>(name_json).unwrap_or_default();
                    if !wanted(filter, &name) {
                        return Ok(());
                    }
                }
                traffic.write(output).await
            }
            Self::Recorded(recording) => recording.write(&traffic),
        }
    }
}

/// A file of lines as `--format json` writes them to stdout.
pub(crate) struct Recording {
    path: PathBuf,
    /// Protects the order of lines.
    state: Mutex<State>,
    events: AtomicU64,
    /// Told when nothing more is taken.
    full: Notify,
}

struct State {
    file: File,
    /// How many more events, or pieces of raw data, are taken.
    left: Option<u64>,
}

impl Recording {
    /// A new file, for this user alone: payloads may be confidential.
    pub(crate) fn create(path: &Path, overwrite: bool, count: Option<u64>) -> Outcome<Arc<Self>> {
        let mut options = OpenOptions::new();
        options.write(true);
        if overwrite {
            options.create(true).truncate(true)
        } else {
            options.create_new(true)
        };
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let file = options.open(path).map_err(|error| {
            let failure = Failure::new(Exit::Failed, format!("cannot make the recording {}", path.display()), &error);
            match error.kind() {
                io::ErrorKind::AlreadyExists => failure.help("choose another name, or replace it with --overwrite"),
                _ => failure.help("is the directory there, and may you write to it?"),
            }
        })?;
        let state = Mutex::new(State { file, left: count });
        Ok(Arc::new(Self { path: path.to_owned(), state, events: AtomicU64::new(0), full: Notify::new() }))
    }

    /// Writes it down, unless the recording is full.
    pub(crate) fn write(&self, traffic: &Traffic<'_>) -> Outcome {
        let mut line = traffic.json();
        line.push('\n');
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.left == Some(0) {
            return Ok(());
        }
        // One write a line, so that what is there when we are killed are whole lines.
        state.file.write_all(line.as_bytes()).map_err(|error| {
            Failure::new(Exit::Failed, format!("cannot write to the recording {}", self.path.display()), error)
                .help("is the disk full?")
        })?;
        if matches!(traffic.what, What::Event { .. }) {
            self.events.fetch_add(1, Ordering::Relaxed);
        }
        if let (Some(left), What::Event { .. } | What::Data(_)) = (&mut state.left, &traffic.what) {
            *left -= 1;
            if *left == 0 {
                self.full.notify_one();
            }
        }
        Ok(())
    }

    /// Ready when as many events are recorded as were asked for. For one who waits.
    pub(crate) async fn full(&self) {
        self.full.notified().await;
    }

    pub(crate) fn events(&self) -> u64 {
        self.events.load(Ordering::Relaxed)
    }
}
