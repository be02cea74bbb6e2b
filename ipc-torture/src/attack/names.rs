//! Event names and ids that are chosen to be bad for tables.
//!
//! Handlers stand in a `HashMap` of the standard library: SipHash 1-3 with keys of its own for each table, which no peer knows. And
//! nothing that a peer sends becomes a key of it: names are looked up. So neither can an attacker aim at one bucket, nor make the table grow.

use super::{Outcome, Scale, check, words};
use crate::child::Child;
use crate::place::{Over, Place};
use crate::raw::Raw;
use crate::watch::until_within;
use serde_json::json;
use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant};

/// Memory that may come and go however little is kept.
const NOISE: u64 = 8 * 1024 * 1024;

/// Sends events made by `make`, and says how long they took until they were all seen.
fn send(raw: &mut Raw, victim: &mut Child, count: usize, make: impl Fn(usize) -> String) -> Result<Duration, String> {
    let bytes: String = (0..count).map(make).collect();
    let before = victim.count("messages");
    let began = Instant::now();
    raw.write_all(bytes.as_bytes()).map_err(words)?;
    let seen = until_within(Duration::from_secs(60), || victim.count("messages") == before + count as u64);
    check(seen, || format!("{} of {count} came", victim.count("messages") - before))?;
    Ok(began.elapsed())
}

/// Four rounds of events; the last must not take longer than the first, but for noise, nor memory grow.
fn four_rounds(
    victim: &mut Child,
    count: usize,
    make: impl Fn(usize) -> String,
) -> Result<(Duration, Duration, u64), String> {
    let mut raw = Raw::connect(&victim.endpoint).map_err(words)?;
    let first = send(&mut raw, victim, count, &make)?;
    let before = victim.watched().memory().map_err(words)?;
    let mut last = Duration::ZERO;
    for round in 1..4 {
        last = send(&mut raw, victim, count, |index| make(round * count + index))?;
    }
    let grown = victim.watched().memory().map_err(words)?.saturating_sub(before);
    check(last < first * 3 + Duration::from_millis(300), || {
        format!("{count} events took {first:?} at first and {last:?} in the end")
    })?;
    check(grown < NOISE, || format!("it grew by {grown} bytes"))?;
    Ok((first, last, grown))
}

fn shown(count: usize, (first, last, grown): (Duration, Duration, u64)) -> String {
    format!("{count} events in {first:.1?} at first, in {last:.1?} after {}; {} KiB grown", count * 3, grown / 1024)
}

/// Ever new names that nobody handles.
///
/// # Errors
///
/// What the victim did not withstand.
pub fn unhandled(program: &Path, scale: Scale) -> Outcome {
    let count = scale.pick(20_000, 250_000);
    let place = Place::new(program);
    let mut victim = place.server(Over::Unix).start();
    let figures = four_rounds(&mut victim, count, |index| format!("{{\"type\":\"name{index}\"}}\x0c"))?;
    Ok(shown(count, figures))
}

/// Ever new names, and the names of 1,000 handlers, looked up among them.
///
/// # Errors
///
/// What the victim did not withstand.
pub fn among_handlers(program: &Path, scale: Scale) -> Outcome {
    let count = scale.pick(20_000, 250_000);
    let place = Place::new(program);
    let mut few = place.server(Over::Unix).start();
    let mut many = place.server(Over::Tcp).option("handlers", 1000).start();
    let make = |index: usize| format!("{{\"type\":\"handler{}\"}}\x0c", index % 2000);
    let alone = four_rounds(&mut few, count, make)?;
    let figures = four_rounds(&mut many, count, make)?;
    check(figures.1 < alone.1 * 3 + Duration::from_millis(300), || {
        format!("{:?} with 1,000 handlers, {:?} with a few", figures.1, alone.1)
    })?;
    Ok(format!("with 1,000 handlers {}; with a few {:.1?}", shown(count, figures), alone.1))
}

/// A peer that claims another id with every event.
///
/// # Errors
///
/// What the victim did not withstand.
pub fn claimed_ids(program: &Path, scale: Scale) -> Outcome {
    let count = scale.pick(20_000, 250_000);
    let place = Place::new(program);
    let mut victim = place.server(Over::Unix).config(json!({"identifyPeer": true})).start();
    let make = |index: usize| format!("{{\"type\":\"a\",\"data\":{{\"id\":\"{index:0>200}\"}}}}\x0c");
    let figures = four_rounds(&mut victim, count, make)?;
    Ok(shown(count, figures))
}
