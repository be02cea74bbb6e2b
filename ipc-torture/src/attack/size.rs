//! Frames that are too large, never end, are too deep, or are too many.

use super::{Outcome, Scale, check, words};
use crate::child::Child;
use crate::place::{Over, Place};
use crate::raw::{Raw, frame, nested};
use crate::watch::{until, until_within};
use serde_json::json;
use std::io::Write;
use std::net::TcpListener;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

const MIB: usize = 1024 * 1024;

/// What a victim with a limit of 1 MiB may grow by: the limit, its growth by doubling, read buffers, and what is by the way.
const MAY_GROW: u64 = 16 * MIB as u64;

/// How much the memory of the victim grew at its highest while `attack` went on.
fn growth(victim: &Child, attack: impl FnOnce() -> Result<(), String>) -> Result<u64, String> {
    let watched = victim.watched();
    watched.forget_peak().map_err(words)?;
    let before = watched.memory().map_err(words)?;
    attack()?;
    Ok(watched.peak().map_err(words)?.saturating_sub(before))
}

fn pour(raw: &mut Raw, bytes: usize) -> std::io::Result<()> {
    let piece = vec![b'a'; MIB];
    (0..bytes / MIB).try_for_each(|_| raw.write_all(&piece))
}

/// A frame of 1 GiB (64 MiB in the quick form) against a limit of 1 MiB: it is cut at the limit, however much is poured after.
///
/// # Errors
///
/// What the victim did not withstand.
pub fn huge_frame(program: &Path, scale: Scale) -> Outcome {
    let size = scale.pick(64 * MIB, 1024 * MIB);
    let place = Place::new(program);
    let mut shown = Vec::new();
    for (over, parser) in [(Over::Unix, "fast"), (Over::Tcp, "guarded")] {
        let mut victim = place.server(over).config(json!({"maxMessageSize": MIB, "parser": parser})).start();
        let mut guest = Raw::connect(&victim.endpoint).map_err(words)?;
        let mut largest = Raw::connect(&victim.endpoint).map_err(words)?;
        let grown = growth(&victim, || {
            let mut raw = Raw::connect(&victim.endpoint).map_err(words)?;
            raw.write_all(b"{\"type\":\"echo\",\"data\":\"").map_err(words)?;
            check(pour(&mut raw, size).is_err(), || "all of it was taken".to_owned())?;
            guest.round_trip().map_err(words).map(drop)
        })?;
        check(victim.count("ERR_IPC_FRAME_TOO_LARGE") == 1, || format!("{}", victim.ask(json!({"cmd": "counts"}))))?;
        check(grown < MAY_GROW, || format!("it grew by {grown} bytes"))?;
        // The limit is where it says: a frame just below it passes.
        largest.write_all(&frame("a", &format!("{:?}", "x".repeat(MIB - 100)))).map_err(words)?;
        let before = victim.count("messages");
        largest.round_trip().map_err(|error| format!("after a frame within the limit: {error}"))?;
        check(victim.count("messages") > before, || "a frame within the limit did not arrive".to_owned())?;
        shown.push(format!("{} KiB grown ({parser})", grown / 1024));
    }
    Ok(format!("{} MiB against a limit of 1 MiB: {}", size / MIB, shown.join(", ")))
}

/// Frames without an end, again and again for 10 s (1 s in the quick form), while somebody else is served.
///
/// # Errors
///
/// What the victim did not withstand.
pub fn endless_frame(program: &Path, scale: Scale) -> Outcome {
    let time = scale.pick(Duration::from_secs(1), Duration::from_secs(10));
    let place = Place::new(program);
    let mut victim = place.server(Over::Unix).config(json!({"maxMessageSize": MIB})).start();
    let (mut frames, mut longest) = (0_u64, Duration::ZERO);
    let grown = growth(&victim, || {
        let over = Arc::new(AtomicBool::new(false));
        let (end, endpoint) = (Arc::clone(&over), victim.endpoint.clone());
        let pouring = thread::spawn(move || {
            let mut frames = 0;
            while !end.load(Ordering::SeqCst) {
                let mut raw = Raw::connect(&endpoint)?;
                while pour(&mut raw, MIB).is_ok() {}
                frames += 1;
            }
            Ok::<u64, std::io::Error>(frames)
        });
        let mut other = Raw::connect(&victim.endpoint).map_err(words)?;
        let began = Instant::now();
        while began.elapsed() < time {
            longest = longest.max(other.round_trip().map_err(words)?);
        }
        over.store(true, Ordering::SeqCst);
        frames = pouring.join().map_err(|_| "the attacker panicked")?.map_err(words)?;
        Ok(())
    })?;
    let cut = victim.count("ERR_IPC_FRAME_TOO_LARGE");
    check(cut == frames && frames > 10, || format!("{cut} of {frames} were cut"))?;
    check(grown < MAY_GROW, || format!("it grew by {grown} bytes"))?;
    check(longest < Duration::from_secs(1), || format!("another client waited {longest:?}"))?;
    Ok(format!(
        "{frames} in {time:?}: {} KiB grown, the longest round trip of another took {longest:.1?}",
        grown / 1024
    ))
}

/// How long a victim takes until it has seen an event with data so deep, forwarded and parsed.
fn deep(raw: &mut Raw, victim: &mut Child, depth: usize) -> Result<Duration, String> {
    let began = Instant::now();
    let (messages, handler) = (victim.count("messages"), victim.count("handler"));
    let echo = frame("echo", &nested(depth));
    let mut answer = vec![0; echo.len()];
    let mut writing = raw.again().map_err(words)?;
    let sent = echo.clone();
    let writer = thread::spawn(move || writing.write_all(&sent));
    std::io::Read::read_exact(raw, &mut answer).map_err(|error| format!("no echo of depth {depth}: {error}"))?;
    writer.join().map_err(|_| "the writer panicked")?.map_err(words)?;
    check(answer == echo, || format!("another echo of depth {depth}"))?;
    raw.write_all(&frame("value", &nested(depth))).map_err(words)?;
    // `serde_json` goes 128 levels deep: the handler that parses is told of an error, and not called.
    let seen = until(|| victim.count("messages") == messages + 2 && victim.count("handler") == handler + 1);
    check(seen, || format!("depth {depth}: {}", victim.ask(json!({"cmd": "counts"}))))?;
    Ok(began.elapsed())
}

/// JSON nested 1,000,000 deep, and a quarter of that, echoed and parsed by `serde_json`: no overflow, and time in proportion.
///
/// # Errors
///
/// What the victim did not withstand.
pub fn deep_json(program: &Path, _scale: Scale) -> Outcome {
    let place = Place::new(program);
    let mut victim = place.server(Over::Unix).start();
    let mut raw = Raw::connect(&victim.endpoint).map_err(words)?;
    let quarter = deep(&mut raw, &mut victim, 250_000)?;
    let whole = deep(&mut raw, &mut victim, 1_000_000)?;
    // Four times as much; sixteen times would be quadratic. The fixed costs are for noise.
    check(whole < quarter * 10 + Duration::from_millis(200), || {
        format!("{quarter:?} for a quarter, {whole:?} for all")
    })?;
    raw.round_trip().map_err(words)?;
    Ok(format!("250,000 levels in {quarter:.1?}, 1,000,000 in {whole:.1?}; the connection lives on"))
}

/// The same from a hostile server to a client whose handler parses.
///
/// # Errors
///
/// What the victim did not withstand.
pub fn deep_json_from_a_server(program: &Path, _scale: Scale) -> Outcome {
    let place = Place::new(program);
    let listener = TcpListener::bind("127.0.0.1:0").map_err(words)?;
    let endpoint = format!("tcp:{}", listener.local_addr().map_err(words)?);
    let mut victim = place.client(Over::Tcp, &endpoint).start();
    let (mut stream, _) = listener.accept().map_err(words)?;
    stream.write_all(&frame("value", &nested(1_000_000))).map_err(words)?;
    stream.write_all(&frame("value", "1")).map_err(words)?;
    check(until(|| victim.count("values") == 1 && victim.count("handler") == 1), || {
        format!("{}", victim.ask(json!({"cmd": "counts"})))
    })?;
    Ok("1,000,000 levels are refused by the handler that parses; the next event arrives".into())
}

/// A million frames of 13 bytes (200,000 in the quick form) while somebody else asks and is answered.
///
/// # Errors
///
/// What the victim did not withstand.
pub fn tiny_frames(program: &Path, scale: Scale) -> Outcome {
    let count = scale.pick(200_000, 1_000_000);
    let place = Place::new(program);
    let mut victim = place.server(Over::Unix).start();
    let mut raw = Raw::connect(&victim.endpoint).map_err(words)?;
    let mut other = Raw::connect(&victim.endpoint).map_err(words)?;
    let began = Instant::now();
    let flooding = thread::spawn(move || raw.write_all(&b"{\"type\":\"a\"}\x0c".repeat(count)).map(|()| raw));
    let (mut trips, mut longest) = (0_u64, Duration::ZERO);
    while !flooding.is_finished() {
        longest = longest.max(other.round_trip().map_err(words)?);
        trips += 1;
    }
    let _open = flooding.join().map_err(|_| "the attacker panicked")?.map_err(words)?;
    let all = until_within(Duration::from_secs(60), || victim.count("messages") == count as u64 + trips);
    check(all, || format!("{} of {count} and {trips} came", victim.count("messages")))?;
    let took = began.elapsed();
    check(longest < Duration::from_secs(1), || format!("another client waited {longest:?}"))?;
    check(trips > 0, || "nobody else was served".to_owned())?;
    Ok(format!("{count} frames in {took:.1?}; meanwhile {trips} round trips of another, the longest {longest:.1?}"))
}
