//! What the codec costs: nanoseconds and allocations per frame, decoding and encoding, next to `serde_json` with `RawValue`.
//!
//! Run with `cargo bench -p ipc-proto`. It fails when a well-formed frame costs an allocation; times are printed, not judged.

#![allow(clippy::disallowed_methods, reason = "a benchmark measures time")]
#![allow(clippy::print_stdout, reason = "a benchmark prints its result")]
#![allow(unsafe_code, reason = "counting allocations takes a global allocator")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::hint::black_box;
use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use ipc_proto::{Decoder, Delimiter, Encoder, Event, Rules};
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};

struct Counting;

static ALLOCATIONS: AtomicU64 = AtomicU64::new(0);

// SAFETY: every call is passed on to the system's allocator unchanged; counting has no effect on it.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        // SAFETY: the caller keeps the contract of `alloc`, which is the same here.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller keeps the contract of `dealloc`, and `pointer` came from `System`.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        // SAFETY: the caller keeps the contract of `realloc`, and `pointer` came from `System`.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Time and allocations of one call.
struct Cost {
    time: Duration,
    allocations: f64,
}

/// Calls `work` for about half a second, in a hundred parts of which the fastest counts: the others were disturbed.
fn measure(mut work: impl FnMut()) -> Cost {
    let start = Instant::now();
    let mut calls = 0u32;
    while start.elapsed() < Duration::from_millis(5) {
        work();
        calls += 1;
    }
    let before = ALLOCATIONS.load(Ordering::Relaxed);
    let fastest = (0..100).map(|_| {
        let start = Instant::now();
        (0..calls).for_each(|_| work());
        start.elapsed()
    });
    let fastest = fastest.min().unwrap_or_default();
    let allocations = ALLOCATIONS.load(Ordering::Relaxed) - before;
    Cost { time: fastest.div_f64(calls.into()), allocations: allocations as f64 / (100.0 * f64::from(calls)) }
}

/// What one would write without this crate.
#[derive(Deserialize)]
struct Envelope<'a> {
    r#type: &'a str,
    #[serde(borrow)]
    data: &'a RawValue,
}

/// A string payload such that the frame has `length` bytes.
fn text_of_frame(length: usize) -> Value {
    let around = r#"{"type":"message","data":""}"#.len();
    Value::String("a".repeat(length - around))
}

fn payloads() -> Vec<(&'static str, Value)> {
    let person = |id: i32| {
        json!({"id": id, "name": "Grace Hopper", "tags": ["navy", "compiler"], "at": {"lat": 38.88, "lon": -77.07},
               "active": true, "manager": null, "scores": [1, 22, 333, 4444, 55_555]})
    };
    vec![
        ("64 B text", text_of_frame(64)),
        ("1 KiB text", text_of_frame(1024)),
        ("64 KiB text", text_of_frame(65_536)),
        ("1 KiB umlauts", Value::String("äöü ".repeat(142))),
        ("1 KiB quotes", Value::String("\"ab\" ".repeat(142))),
        ("one object", person(7)),
        ("array of 300 objects", (0..300).map(person).collect()),
        ("array of 10000 numbers", (0..10_000).map(|n| json!(n * 7919)).collect()),
        ("array of 10000 floats", (0..10_000).map(|n| json!(f64::from(n) * 0.123_456_789)).collect()),
        ("nested 60 deep", (0..30).fold(json!(1), |inner, _| json!({"k": [inner]}))),
    ]
}

fn main() -> ExitCode {
    let encoder = Encoder::new(Delimiter::default(), usize::MAX, Rules::default());
    let rules = Rules { max_event_name: Some(65_536), ..Rules::default() };
    let mut allocating = Vec::new();
    println!("{:24} {:>9} {:>22} {:>22} {:>22}", "payload", "bytes", "decode", "encode", "serde_json RawValue");
    for (name, payload) in payloads() {
        let mut stream = Vec::new();
        encoder.encode("message", &payload, &mut stream).expect("a value is serialisable");

        let mut decoder = Decoder::new(Delimiter::default(), usize::MAX);
        let decode = measure(|| {
            let mut input = black_box(&stream[..]);
            let frame = decoder.next_frame(&mut input).expect("no limit").expect("a frame");
            black_box(Event::parse(frame, &rules).expect("well-formed").data_json());
        });
        let mut out = Vec::with_capacity(2 * stream.len());
        let encode = measure(|| {
            out.clear();
            encoder.encode("message", black_box(&payload), &mut out).expect("a value is serialisable");
            black_box(&out);
        });
        let text = &stream[..stream.len() - 1];
        let comparison = measure(|| {
            let envelope: Envelope<'_> = serde_json::from_slice(black_box(text)).expect("well-formed");
            black_box((envelope.r#type, envelope.data.get()));
        });

        println!(
            "{name:24} {:9} {} {} {}",
            stream.len(),
            shown(&decode, &stream),
            shown(&encode, &stream),
            shown(&comparison, &stream)
        );
        for (what, cost) in [("decode", decode), ("encode", encode)] {
            if cost.allocations > 0.0 {
                allocating.push(format!("{what} {name}: {} allocations per message", cost.allocations));
            }
        }
    }
    if allocating.is_empty() {
        println!("no allocation in decode or encode");
        return ExitCode::SUCCESS;
    }
    println!("{}", allocating.join("\n"));
    ExitCode::FAILURE
}

fn shown(cost: &Cost, stream: &[u8]) -> String {
    let nanos = cost.time.as_secs_f64() * 1e9;
    format!("{nanos:10.1} ns {:5.2} GB/s", stream.len() as f64 / nanos)
}
