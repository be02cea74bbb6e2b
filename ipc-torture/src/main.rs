//! `ipc-torture`: the long forms of the fault and attack tests, and the soak.

#![forbid(unsafe_code)]

use std::process::ExitCode;

#[cfg(target_os = "linux")]
fn main() -> ExitCode {
    ipc_torture::cli::main(std::env::args().skip(1).collect())
}

#[cfg(not(target_os = "linux"))]
#[allow(clippy::print_stderr, reason = "it is a program")]
fn main() -> ExitCode {
    eprintln!("ipc-torture looks at processes by /proc, as Linux has it");
    ExitCode::FAILURE
}
