//! The command line.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a part of a program")]

use std::process::ExitCode;

/// Runs the command with its arguments.
#[must_use]
pub fn main(args: Vec<String>) -> ExitCode {
    let outcome = match args.first().map(String::as_str) {
        Some("subject") => crate::subject::run(args.get(1).map_or("", String::as_str)),
        _ => Err("see --help".into()),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}
