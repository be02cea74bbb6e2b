//! `ipc-conformance`: the suite of record, and the peer it drives.

use std::process::ExitCode;

fn main() -> ExitCode {
    ipc_conformance::matrix::cli::main(std::env::args().skip(1))
}
