//! A peer that speaks the line protocol: `peer [--runtime tokio|smol|async-std] '<json options>'`.

#![allow(clippy::print_stderr, reason = "a program, not a library")]

use std::process::ExitCode;

fn main() -> ExitCode {
    let mut args = std::env::args().skip(1).peekable();
    let runtime = args.next_if_eq("--runtime").and_then(|_| args.next());
    let argument = args.next().unwrap_or_else(|| "{}".to_owned());
    match ipc_conformance::peer::run_on(runtime.as_deref(), &argument) {
        Ok(never) => match never {},
        Err(error) => {
            eprintln!("peer: {error}");
            ExitCode::from(64)
        }
    }
}
