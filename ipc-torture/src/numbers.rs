//! Numbered events: what was emitted is known from what arrives, and what arrives is written down where a killed process cannot lose it.

use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;
use std::sync::{Mutex, PoisonError};

/// The event that carries them.
pub const NAME: &str = "number";

/// One numbered event.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Numbered {
    /// Which client emitted it.
    pub client: u64,
    /// On which of its connections, from 0.
    pub connection: u64,
    /// The how manyeth on that connection it is, from 0.
    pub number: u64,
    /// Makes it larger: nothing but `x`.
    pub padding: String,
}

impl Numbered {
    /// Padding of so many bytes.
    #[must_use]
    pub fn padding(size: usize) -> String {
        "x".repeat(size)
    }
}

/// What is wrong about the numbers that came.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Wrong {
    /// Numbers that were not the one after the last of their source.
    pub gaps: u64,
    /// Payloads with something else in them than was emitted.
    pub torn: u64,
}

/// Looks whether the numbers of each source follow one another, and writes them down if there is a file for it.
#[derive(Debug, Default)]
pub struct Order {
    /// Protects the next number of each source, and what was wrong so far.
    state: Mutex<State>,
    record: Option<File>,
}

#[derive(Debug, Default)]
struct State {
    next: HashMap<u64, u64>,
    wrong: Wrong,
}

impl Order {
    /// One that appends what comes to a file, a line each, before anything else happens to it.
    ///
    /// # Errors
    ///
    /// If the file cannot be opened.
    pub fn recording(path: &Path) -> io::Result<Self> {
        let record = OpenOptions::new().create(true).append(true).open(path)?;
        Ok(Self { record: Some(record), ..Self::default() })
    }

    /// One came from `source`.
    ///
    /// # Errors
    ///
    /// If it cannot be written down.
    pub fn take(&self, source: u64, event: &Numbered) -> io::Result<()> {
        if let Some(mut record) = self.record.as_ref() {
            // One write each: whole lines, whoever else writes, and whenever the process is killed.
            record.write_all(format!("{} {} {}\n", event.client, event.connection, event.number).as_bytes())?;
        }
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let next = state.next.entry(source).or_insert(0);
        let follows = *next == event.number;
        *next = event.number + 1;
        state.wrong.gaps += u64::from(!follows);
        state.wrong.torn += u64::from(event.padding.bytes().any(|byte| byte != b'x'));
        Ok(())
    }

    /// The numbers of this source start anew.
    pub fn forget(&self, source: u64) {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).next.remove(&source);
    }

    /// What was wrong so far.
    #[must_use]
    pub fn wrong(&self) -> Wrong {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).wrong
    }
}

/// Reads what was written down: how many of each client and connection, which have to follow one another from 0.
///
/// # Errors
///
/// The first line that is not the next of its connection.
pub fn read_record(text: &str) -> Result<HashMap<(u64, u64), u64>, String> {
    let mut delivered = HashMap::new();
    for line in text.lines() {
        let mut fields = line.split(' ').map(str::parse::<u64>);
        let (Some(Ok(client)), Some(Ok(connection)), Some(Ok(number))) = (fields.next(), fields.next(), fields.next())
        else {
            return Err(format!("no record: {line:?}"));
        };
        let count = delivered.entry((client, connection)).or_insert(0);
        if *count != number {
            return Err(format!("client {client}, connection {connection}: {number} came where {count} was due"));
        }
        *count += 1;
    }
    Ok(delivered)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_with_a_gap_is_refused() {
        assert_eq!(read_record("0 0 0\n1 0 0\n0 0 1\n0 1 0\n").unwrap()[&(0, 0)], 2);
        for wrong in ["0 0 1\n", "0 0 0\n0 0 2\n", "0 0 0\n0 0 0\n", "0 0\n"] {
            read_record(wrong).expect_err(wrong);
        }
    }

    #[test]
    fn a_gap_and_a_torn_payload_are_counted() {
        let order = Order::default();
        let event = |number, padding: &str| Numbered { number, padding: padding.into(), ..Numbered::default() };
        for event in [event(0, "xx"), event(1, ""), event(3, "x"), event(4, "xy")] {
            order.take(7, &event).unwrap();
        }
        assert_eq!(order.wrong(), Wrong { gaps: 1, torn: 1 });
    }
}
