//! What happened, line by line: the last lines always, all of them on request, and a hash over everything.
//!
//! A line is numbers and a fixed text until somebody wants to read it, so that it costs almost nothing.

use std::collections::VecDeque;
use std::fmt;
use std::time::Duration;

/// How many lines are kept for a failure.
const KEPT: usize = 60;

#[derive(Clone, Debug)]
struct Line {
    at: u64,
    node: Option<u32>,
    text: Text,
}

#[derive(Clone, Debug)]
enum Text {
    /// `{a}` and `{b}` in the text stand for the numbers.
    Fixed(&'static str, u64, u64),
    Free(Box<str>),
}

#[derive(Debug)]
pub(crate) struct Trace {
    kept: VecDeque<Line>,
    /// Everything, if that was asked for.
    full: Option<String>,
    hash: u64,
    lines: u64,
}

impl Trace {
    pub(crate) fn new() -> Self {
        Self { kept: VecDeque::with_capacity(KEPT), full: None, hash: 0x243F_6A88_85A3_08D3, lines: 0 }
    }

    pub(crate) fn keep_all(&mut self) {
        if self.full.is_none() {
            self.full = Some(self.kept.iter().map(|line| format!("{line}\n")).collect());
        }
    }

    pub(crate) fn line(&mut self, at: u64, node: Option<u32>, text: &'static str, a: u64, b: u64) {
        self.push(Line { at, node, text: Text::Fixed(text, a, b) });
    }

    pub(crate) fn free(&mut self, at: u64, node: Option<u32>, text: String) {
        self.push(Line { at, node, text: Text::Free(text.into()) });
    }

    fn push(&mut self, line: Line) {
        self.lines += 1;
        self.mix(line.at);
        self.mix(line.node.map_or(u64::MAX, u64::from));
        match &line.text {
            Text::Fixed(text, a, b) => {
                // Enough to tell the few fixed texts apart.
                self.hash = digest(self.hash, &text.as_bytes()[..text.len().min(16)]);
                self.mix(*a);
                self.mix(*b);
            }
            Text::Free(text) => self.hash = digest(self.hash, text.as_bytes()),
        }
        if let Some(full) = &mut self.full {
            full.push_str(&format!("{line}\n"));
        }
        if self.kept.len() == KEPT {
            self.kept.pop_front();
        }
        self.kept.push_back(line);
    }

    fn mix(&mut self, number: u64) {
        self.hash = mix(self.hash, number);
    }

    pub(crate) fn hash(&self) -> u64 {
        self.hash
    }

    pub(crate) fn lines(&self) -> u64 {
        self.lines
    }

    pub(crate) fn last(&self) -> Vec<String> {
        self.kept.iter().map(ToString::to_string).collect()
    }

    pub(crate) fn full(&self) -> Option<&str> {
        self.full.as_deref()
    }
}

fn mix(hash: u64, number: u64) -> u64 {
    (hash ^ number).wrapping_mul(0x9E37_79B9_7F4A_7C15).rotate_left(29)
}

/// A hash of `bytes` that goes on from `hash`. Not for secrets.
pub(crate) fn digest(mut hash: u64, bytes: &[u8]) -> u64 {
    let mut words = bytes.chunks_exact(8);
    for word in &mut words {
        hash = mix(hash, word.iter().fold(0, |number, &byte| number << 8 | u64::from(byte)));
    }
    let rest = words.remainder();
    mix(hash, rest.iter().fold(rest.len() as u64, |number, &byte| number << 8 | u64::from(byte)))
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:>14.6}", Duration::from_nanos(self.at).as_secs_f64())?;
        match self.node {
            Some(node) => write!(f, " node {node:<2} ")?,
            None => f.write_str(" network ")?,
        }
        match &self.text {
            Text::Free(text) => f.write_str(text),
            Text::Fixed(text, a, b) => f.write_str(&text.replace("{a}", &a.to_string()).replace("{b}", &b.to_string())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_lines_are_kept_and_every_line_counts_in_the_hash() {
        let mut trace = Trace::new();
        let mut hashes = vec![trace.hash()];
        for number in 0..100 {
            trace.line(number * 1_000, Some(1), "wrote {a} bytes to stream {b}", number, 2);
            assert!(!hashes.contains(&trace.hash()));
            hashes.push(trace.hash());
        }
        let last = trace.last();
        assert_eq!(last.len(), KEPT);
        assert_eq!(last[KEPT - 1].trim_start(), "0.000099 node 1  wrote 99 bytes to stream 2");
        assert_eq!(trace.full(), None);
    }

    #[test]
    fn a_digest_sees_every_byte_and_the_length() {
        let whole = digest(0, b"0123456789");
        assert_ne!(whole, digest(0, b"0123456788"));
        assert_ne!(whole, digest(0, b"1123456789"));
        assert_ne!(digest(0, b""), digest(0, b"\0"));
    }
}
