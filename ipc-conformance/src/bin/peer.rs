//! A peer that speaks the line protocol: `peer '<json options>'`.

use std::process::ExitCode;

fn main() -> ExitCode {
    ipc_conformance::matrix::cli::peer(std::env::args().nth(1))
}
