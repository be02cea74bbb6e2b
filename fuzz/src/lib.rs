//! What holds for any input, one module for each fuzz target.
//!
//! A target is a function of bytes that panics where something does not hold. The programs in `fuzz_targets` hand it to
//! libFuzzer; `tests/replay.rs` runs it on any compiler, over the seeds, over what was once found, and over random input.
//! How an input is laid out stands in each module, with the function that makes seeds of it.

#![forbid(unsafe_code)]

pub mod client;
pub mod config;
pub mod datagrams;
pub mod decode;
pub mod encode_decode;
pub mod envelope;
pub mod raw_encodings;
pub mod seeds;
pub mod server;
pub mod setup;
pub mod vectors;

/// A target: its name, and what it checks.
pub type Target = (&'static str, fn(&[u8]));

/// All targets.
pub const TARGETS: [Target; 8] = [
    ("decode", decode::check),
    ("envelope", envelope::check),
    ("encode_decode", encode_decode::check),
    ("raw_encodings", raw_encodings::check),
    ("client", client::check),
    ("server", server::check),
    ("datagrams", datagrams::check),
    ("config", config::check),
];
