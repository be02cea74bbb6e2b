//! The inputs that fuzzing starts from, made of the recordings of node-ipc and of fixed random numbers: the same in every run.
//!
//! The example `seed` writes them to `corpus/`, and a test says that they are what stands there.

use std::collections::BTreeSet;

use ipc_proto::{Config, SplitMix64};

use crate::config::OPTIONS;
use crate::input::DELIMITERS;
use crate::recorded::{READ, WRITTEN, chunks, vectors};

/// An input of a target, with the name of its file.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Seed {
    /// The name of the target.
    pub target: &'static str,
    /// The name of the file.
    pub name: String,
    /// What is in it.
    pub bytes: Vec<u8>,
}

/// A longer recording is left out: mutations of it take long and show nothing new.
const LONGEST: usize = 600;

/// The most seeds that one theme gives.
const MOST: usize = 40;

/// All of them, in order.
#[must_use]
pub fn all() -> Vec<Seed> {
    let mut seeds = Vec::new();
    for theme in ["framing", "json", "types", "utf8", "delimiters", "data-id", "v14-guarded"] {
        of_streams(&format!("inbound-{theme}"), &mut seeds);
    }
    of_envelopes(&mut seeds);
    of_raw(&mut seeds);
    of_steps(&mut seeds);
    of_options(&mut seeds);
    seeds.sort();
    seeds
}

/// What was sent to node-ipc, as streams and frame by frame.
fn of_streams(theme: &str, seeds: &mut Vec<Seed>) {
    let (mut streams, mut frames) = (BTreeSet::new(), BTreeSet::new());
    for vector in vectors(theme) {
        let Some(chunks) = chunks(&vector).filter(|chunks| chunks.concat().len() <= LONGEST) else { continue };
        let delimiter = vector["config"]["delimiter"].as_str().unwrap_or("\u{c}");
        let Some(number) = DELIMITERS.iter().position(|known| *known == delimiter) else { continue };
        let number = u8::try_from(number).unwrap_or_default();
        let preset = match (theme.ends_with("guarded"), vector["node_ipc"].as_str()) {
            (true, _) => 3,
            (false, Some("14.0.0")) => 2,
            _ => 0,
        };
        let head = [preset, number, 0];
        let sizes: Vec<_> = chunks.iter().map(Vec::len).collect();
        let stream = chunks.concat();
        let pieces = delimiter.as_bytes();
        let mut at = 0;
        while let Some(length) = stream[at..].windows(pieces.len()).position(|window| window == pieces) {
            frames.insert([&head[..], &stream[at..at + length]].concat());
            at += length + pieces.len();
        }
        streams.insert(stream_input(&head, &sizes, &stream));
    }
    push("decode", theme, streams, seeds);
    push("envelope", theme, frames, seeds);
}

/// What the recordings have little of: members written in other ways, ids that JavaScript takes for true and for false, texts that
/// serde_json refuses and that are JSON.
fn of_envelopes(seeds: &mut Vec<Seed>) {
    let deep = |levels: usize| format!(r#"{{"type":"deep","data":{}1{}}}"#, "[".repeat(levels), "]".repeat(levels));
    let ids = [
        "\"0\"",
        "\"\"",
        "\"\\u0000\"",
        "0",
        "-0",
        "0.0e9",
        "1e-400",
        "1e400",
        "null",
        "false",
        "true",
        "[]",
        "{}",
        "\" \"",
    ];
    let ids = ids.map(|id| format!(r#"{{"type":"a","data":{{"id":{id}}}}}"#));
    let others = [
        r#" { "data" : [ 1 , 2 ] , "x" : {} , "type" : "a" } "#,
        r#"{"\u0074ype":"a","d\u0061ta":{"\u0069d":7}}"#,
        r#"{"type":"a","data":1,"type":"b","data":2}"#,
        r#"{"type":"\ud83d\ude00 \ud83d \ude00","data":"\udc00\ud800"}"#,
        r#"{"type":"a","data":[1e999,-1e999,123456789012345678901234567890]}"#,
        r#"{"type":"__proto__","data":{"type":"x"}}"#,
        r#"{"type":"socket.disconnected"}"#,
        "\u{feff}{\"type\":\"a\"}",
    ];
    let texts =
        ids.into_iter().chain(others.map(str::to_owned)).chain([deep(64), deep(65), deep(127), deep(128), deep(300)]);
    let inputs = texts.flat_map(|text| [0, 3].map(|preset| [&[preset, 0, 0], text.as_bytes()].concat()));
    push("envelope", "written", inputs.collect(), seeds);
}

/// As the target `decode` reads it: settings, how the stream is cut, the stream.
fn stream_input(head: &[u8; 3], sizes: &[usize], stream: &[u8]) -> Vec<u8> {
    let sizes = &sizes[..sizes.len().min(23)];
    let mut bytes = head.to_vec();
    bytes.push(u8::try_from(sizes.len()).unwrap_or_default());
    for (number, size) in sizes.iter().enumerate() {
        // Every way to hand a piece over is there; the one that stops after some events says after how many.
        let way = u8::try_from(number % 6).unwrap_or_default();
        bytes.push(way);
        bytes.extend((way == 4).then_some(1));
        bytes.push(u8::try_from(*size).unwrap_or(254).min(254));
    }
    bytes.extend_from_slice(stream);
    bytes
}

/// The recordings by their number, and what they say as text and bytes of an encoding.
fn of_raw(seeds: &mut Vec<Seed>) {
    let mut inputs = BTreeSet::new();
    let encoding = |encoding| crate::raw_encodings::ENCODINGS.iter().position(|known| *known == encoding);
    for written in WRITTEN.iter().filter(|written| written.units.len() <= 64) {
        let number = encoding(written.encoding).and_then(|number| u8::try_from(number).ok()).unwrap_or_default();
        let units = written.units.iter().flat_map(|unit| unit.to_le_bytes());
        inputs.insert([number, 0, 0, 0].into_iter().chain(units).collect());
    }
    for read in READ.iter().filter(|read| read.wire.len() <= 64) {
        let number = encoding(read.encoding).and_then(|number| u8::try_from(number).ok()).unwrap_or_default();
        inputs.insert([&[number, 2, 0, 0], &read.wire[..]].concat());
    }
    push("raw_encodings", "recorded", inputs, seeds);
    let numbers = (0..WRITTEN.len().max(READ.len())).step_by(29);
    let numbers = numbers.filter_map(|number| Some([&[0, 3], &u16::try_from(number).ok()?.to_le_bytes()[..]].concat()));
    push("raw_encodings", "number", numbers.collect(), seeds);
}

/// Sequences of steps: every sequence is one, so fixed random numbers serve as well as any.
fn of_steps(seeds: &mut Vec<Seed>) {
    for (target, seed) in [("encode_decode", 1), ("client", 2), ("server", 3), ("datagrams", 4)] {
        let mut rng = SplitMix64::new(seed);
        let lengths = [8, 16, 32, 64, 64, 128, 128, 256, 256, 512, 512, 1024];
        let mut sequence = |length: usize| -> Vec<u8> {
            (0..length)
                .map(|_| {
                    let number = rng.next_u64().to_le_bytes();
                    // Small choices more often, so that there are few long texts.
                    if number[1] < 160 { number[0] % 16 } else { number[0] }
                })
                .collect()
        };
        push(target, "steps", lengths.map(&mut sequence).into(), seeds);
    }
}

/// Whole configurations, and every option with what the README of node-ipc sets it to.
fn of_options(seeds: &mut Vec<Seed>) {
    let texts = [Config::v9(), Config::v14_fast(), Config::v14_guarded(), Config::v14_assured(["message"])];
    let whole = texts.iter().filter_map(|config| serde_json::to_string(config).ok());
    let more = [
        r#"{"tls":{"private":"/a","public":"/b","trustedConnections":["/c"],"rejectUnauthorized":false}}"#,
        r#"{"interfaces":{"localAddress":"::1","localPort":1,"family":6,"hints":0}}"#,
        r#"{"backoff":{"factor":1.5,"max":30000,"jitter":0.25},"retry":0.5,"messageTimeout":1.5}"#,
        r#"{"parser":"assured","allowedEvents":["message"],"socketMode":"0660","socketGroup":100}"#,
        r#"{"maxConections":10}"#,
        r#"{"logger":false,"maxRetries":"Infinity","stopRetrying":3,"networkHost":"::1"}"#,
    ];
    let texts = whole.chain(more.map(str::to_owned)).map(|text| [b"\0", text.as_bytes()].concat());
    push("config", "text", texts.collect(), seeds);
    let option = |number: usize| {
        let number = u8::try_from(number).unwrap_or_default();
        (0..4u8).flat_map(|turn| [number, 0, number.wrapping_mul(7).wrapping_add(turn * 11) % 40]).collect::<Vec<_>>()
    };
    let options = (0..OPTIONS.len()).map(|number| [&[1], &option(number)[..]].concat());
    push("config", "options", options.collect(), seeds);
}

fn push(target: &'static str, name: &str, inputs: BTreeSet<Vec<u8>>, seeds: &mut Vec<Seed>) {
    // Of many, some from everywhere.
    let step = inputs.len().div_ceil(MOST).max(1);
    for (number, bytes) in inputs.into_iter().enumerate().step_by(step) {
        seeds.push(Seed { target, name: format!("{name}-{number:03}"), bytes });
    }
}
