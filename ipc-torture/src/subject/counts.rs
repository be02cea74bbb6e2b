//! What a subject has seen, as numbers.

use crate::numbers::{Numbered, Order};
use ipc_driver::{ConnectionError, Unsent};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

#[derive(Debug, Default)]
pub(super) struct Counts {
    pub(super) order: Order,
    /// Protects all numbers.
    seen: Mutex<Seen>,
}

#[derive(Debug, Default)]
struct Seen {
    by_name: BTreeMap<&'static str, u64>,
    errors: BTreeMap<String, u64>,
    last_error: String,
}

impl Counts {
    pub(super) fn new(record: Option<&Path>) -> io::Result<Self> {
        let order = record.map_or_else(|| Ok(Order::default()), Order::recording)?;
        Ok(Self { order, seen: Mutex::default() })
    }

    fn with<T>(&self, work: impl FnOnce(&mut Seen) -> T) -> T {
        work(&mut self.seen.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub(super) fn add(&self, name: &'static str, more: u64) {
        self.with(|seen| *seen.by_name.entry(name).or_default() += more);
    }

    pub(super) fn unsent(&self, unsent: Unsent) {
        self.add("unsent", unsent.messages as u64);
    }

    pub(super) fn number(&self, source: u64, event: &Numbered) -> io::Result<()> {
        self.order.take(source, event)?;
        self.add("numbers", 1);
        Ok(())
    }

    /// Counts an error by its kind: node-ipc's code for one of the protocol.
    pub(super) fn error(&self, error: &ConnectionError) {
        let kind = match error {
            ConnectionError::Connect { .. } => "connect".to_owned(),
            ConnectionError::Refused(_) => "refused".to_owned(),
            ConnectionError::Io(_) => "io".to_owned(),
            ConnectionError::Handshake(_) => "handshake".to_owned(),
            ConnectionError::Protocol { error, .. } => error.code().to_string(),
            ConnectionError::Handler { .. } => "handler".to_owned(),
            _ => "other".to_owned(),
        };
        self.with(|seen| {
            *seen.errors.entry(kind).or_default() += 1;
            seen.last_error = error.to_string();
        });
    }

    pub(super) fn show(&self) -> Value {
        let wrong = self.order.wrong();
        self.with(|seen| {
            let mut shown = json!(seen.by_name);
            shown["gaps"] = json!(wrong.gaps);
            shown["torn"] = json!(wrong.torn);
            shown["errors"] = json!(seen.errors);
            shown["last_error"] = json!(seen.last_error);
            shown
        })
    }
}
