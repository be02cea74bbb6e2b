//! Fuzz targets for `ipc-proto`: each is a module with `run(&[u8])`, which panics where something that is promised does
//! not hold. `fuzz_targets/` hands them to libFuzzer; `tests/replay.rs` runs them on a stable compiler over the seeds and over
//! what was found once.
//!
//! What a target knows of the right answer is written here a second time, slowly and plainly, or comes from `serde_json`.

#![forbid(unsafe_code)]

mod canonical;
pub mod client;
pub mod config;
pub mod datagrams;
pub mod decode;
pub mod encode_decode;
pub mod envelope;
mod input;
mod json_text;
mod names;
pub mod raw_encodings;
mod recorded;
pub mod seeds;
pub mod server;
mod sockets;

/// What runs one input, of any bytes.
pub type Run = fn(&[u8]);

/// Every target by its name.
pub const TARGETS: [(&str, Run); 8] = [
    ("decode", decode::run),
    ("envelope", envelope::run),
    ("encode_decode", encode_decode::run),
    ("raw_encodings", raw_encodings::run),
    ("client", client::run),
    ("server", server::run),
    ("datagrams", datagrams::run),
    ("config", config::run),
];

/// Runs a target over the files that are named on the command line, or over the standard input. It is what the programs of the
/// targets do where libFuzzer is not linked in: a crash can be looked at with a stable compiler and a debugger.
pub fn replay_arguments(run: Run) {
    use std::io::Read;
    let mut files = std::env::args().skip(1).peekable();
    if files.peek().is_none() {
        let mut data = Vec::new();
        std::io::stdin().read_to_end(&mut data).expect("the standard input can be read");
        run(&data);
    }
    for file in files {
        run(&std::fs::read(&file).unwrap_or_else(|error| panic!("{file}: {error}")));
    }
}

/// Makes the program of a target: for libFuzzer under `cargo fuzz`, else one that replays files.
#[macro_export]
macro_rules! target {
    ($name:ident) => {
        #[cfg(fuzzing)]
        libfuzzer_sys::fuzz_target!(|data: &[u8]| $crate::$name::run(data));

        #[cfg(not(fuzzing))]
        fn main() {
            $crate::replay_arguments($crate::$name::run);
        }
    };
}
