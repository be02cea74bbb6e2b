//! A peer that speaks the line protocol: `peer '<json options>'`.

#![allow(clippy::print_stderr, reason = "a program, not a library")]

use std::process::ExitCode;

fn main() -> ExitCode {
    let argument = std::env::args().nth(1).unwrap_or_else(|| "{}".to_owned());
    match ipc_conformance::peer::run(&argument) {
        Ok(never) => match never {},
        Err(error) => {
            eprintln!("peer: {error}");
            ExitCode::from(64)
        }
    }
}
