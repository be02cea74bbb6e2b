//! The log of a subject as its product gives it: every field of every event as text, unaltered, in a file.
//!
//! No formatter of a logging crate is in between: what the product lets through is what is to be seen.

use std::fmt::{self, Debug, Write as _};
use std::fs::File;
use std::io::{self, Write};
use std::path::Path;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

/// Sends the log of this process, all levels, to a file: one write for each event, ended by a NUL.
pub(super) fn write_to(path: &Path) -> io::Result<()> {
    let log = Log(File::options().create(true).append(true).open(path)?);
    tracing::subscriber::set_global_default(log).map_err(io::Error::other)
}

struct Log(File);

impl Subscriber for Log {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target().starts_with("ipc")
    }

    fn new_span(&self, _span: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _span: &Id, _values: &Record<'_>) {}

    fn record_follows_from(&self, _span: &Id, _follows: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut line = Line(event.metadata().level().to_string());
        event.record(&mut line);
        line.0.push('\0');
        // A log that is full is no reason to fail.
        let _lost = (&self.0).write_all(line.0.as_bytes());
    }

    fn enter(&self, _span: &Id) {}

    fn exit(&self, _span: &Id) {}
}

struct Line(String);

impl Visit for Line {
    fn record_str(&mut self, field: &Field, value: &str) {
        let _infallible = write!(self.0, " {}={value}", field.name());
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        let _infallible: fmt::Result = write!(self.0, " {}={value:?}", field.name());
    }
}
