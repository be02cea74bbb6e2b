//! Where what a proxy sees goes: to stdout, or into a recording.

use crate::exit::{Exit, Failure, Outcome};
use crate::glob::{Glob, wanted};
use crate::output::{Output, Traffic, What};
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;

/// Takes what is seen, in order.
#[derive(Clone)]
pub(crate) enum Sink {
    Shown(Arc<Showing>),
    Recorded(Arc<Recording>),
}

impl Sink {
    /// There is somebody to hear from now.
    pub(crate) fn begin(&self) -> Outcome {
        match self {
            Self::Shown(..) => Ok(()),
            Self::Recorded(recording) => recording.begin(),
        }
    }

    pub(crate) async fn take(&self, traffic: Traffic<'_>) -> Outcome {
        match self {
            Self::Shown(showing) => showing.show(traffic).await,
            Self::Recorded(recording) => recording.write(&traffic),
        }
    }
}

/// Lines on stdout: all of them, or until so many events are shown.
pub(crate) struct Showing {
    output: Output,
    filter: Vec<Glob>,
    /// How many events, or pieces of raw data, are shown; `None` is as many as come.
    count: Option<u64>,
    /// How many were let through to be shown, and how many are: a reader who does not read has both directions wait in between.
    begun: AtomicU64,
    shown: AtomicU64,
    /// Told when the last one is shown.
    full: Notify,
}

impl Showing {
    pub(crate) fn new(output: Output, filter: Vec<Glob>, count: Option<u64>) -> Arc<Self> {
        let (begun, shown) = (AtomicU64::new(0), AtomicU64::new(0));
        Arc::new(Self { output, filter, count, begun, shown, full: Notify::new() })
    }

    async fn show(&self, traffic: Traffic<'_>) -> Outcome {
        if let What::Event { name_json, .. } = &traffic.what {
            let name = serde_json::from_str::<String>(name_json).unwrap_or_default();
            if !wanted(&self.filter, &name) {
                return Ok(());
            }
        }
        let counts = matches!(traffic.what, What::Event { .. } | What::Data(_));
        let before =
            if counts { self.begun.fetch_add(1, Ordering::Relaxed) } else { self.begun.load(Ordering::Relaxed) };
        if self.count.is_some_and(|count| before >= count) {
            return Ok(());
        }
        traffic.write(&self.output).await?;
        if counts && self.count == Some(self.shown.fetch_add(1, Ordering::Relaxed) + 1) {
            self.full.notify_one();
        }
        Ok(())
    }

    /// Ready when as many are shown as were asked for. For one who waits.
    pub(crate) async fn full(&self) {
        self.full.notified().await;
    }
}

/// A file of lines as `--format json` writes them to stdout.
pub(crate) struct Recording {
    path: PathBuf,
    overwrite: bool,
    /// Protects the order of lines.
    state: Mutex<State>,
    events: AtomicU64,
    /// Told when nothing more is taken.
    full: Notify,
}

struct State {
    /// `None` until it is begun.
    file: Option<File>,
    /// The bytes of the lines in it.
    length: u64,
    /// How many more events, or pieces of raw data, are taken.
    left: Option<u64>,
}

impl Recording {
    /// One that is to be made. The file is there once it has begun: until then nothing is lost that was in its place.
    pub(crate) fn new(path: &Path, overwrite: bool, count: Option<u64>) -> Outcome<Arc<Self>> {
        let state = Mutex::new(State { file: None, length: 0, left: count });
        let recording =
            Self { path: path.to_owned(), overwrite, state, events: AtomicU64::new(0), full: Notify::new() };
        if !overwrite && path.symlink_metadata().is_ok() {
            return Err(recording.not_made(&io::ErrorKind::AlreadyExists.into()));
        }
        Ok(Arc::new(recording))
    }

    /// Makes the file, if that is not done yet.
    pub(crate) fn begin(&self) -> Outcome {
        let mut state = self.state();
        if state.file.is_none() {
            state.file = Some(self.create()?);
        }
        Ok(())
    }

    /// Whether there is a file of ours.
    pub(crate) fn has_begun(&self) -> bool {
        self.state().file.is_some()
    }

    /// A new file, for this user alone: payloads may be confidential.
    fn create(&self) -> Outcome<File> {
        let mut options = OpenOptions::new();
        options.write(true);
        if self.overwrite {
            options.create(true).truncate(true)
        } else {
            options.create_new(true)
        };
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        options.open(&self.path).map_err(|error| self.not_made(&error))
    }

    fn not_made(&self, error: &io::Error) -> Failure {
        let tried = format!("cannot make the recording {}", self.path.display());
        match error.kind() {
            io::ErrorKind::AlreadyExists => Failure::new(Exit::Failed, tried, "it exists already")
                .help("choose another name, or replace it with --overwrite"),
            io::ErrorKind::IsADirectory => Failure::new(Exit::Failed, tried, "it is a directory")
                .help("name a file, which may be in that directory"),
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                Failure::new(Exit::Failed, tried, error).help("make room on that disk, or choose another")
            }
            _ => Failure::new(Exit::Failed, tried, error).help("is the directory there, and may you write to it?"),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes it down, unless the recording is full.
    pub(crate) fn write(&self, traffic: &Traffic<'_>) -> Outcome {
        let mut line = traffic.json();
        line.push('\n');
        let mut state = self.state();
        let State { file, length, left } = &mut *state;
        if *left == Some(0) {
            return Ok(());
        }
        let file = match file {
            Some(file) => file,
            none => none.insert(self.create()?),
        };
        // One write a line, so that what is there when we are killed are whole lines.
        if let Err(error) = file.write_all(line.as_bytes()) {
            // A disk that is full takes a part of a line. What is no file cannot be cut, and has no lines to keep.
            let _as_it_is = file.set_len(*length);
            *left = Some(0);
            let tried = format!("cannot write to the recording {}", self.path.display());
            return Err(Failure::new(Exit::Failed, tried, error)
                .help("make room on that disk, or record to another; the lines written until now are whole"));
        }
        *length += line.len() as u64;
        if matches!(traffic.what, What::Event { .. }) {
            self.events.fetch_add(1, Ordering::Relaxed);
        }
        if let (Some(left), What::Event { .. } | What::Data(_)) = (left, &traffic.what) {
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
