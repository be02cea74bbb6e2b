//! `ipc-bench`: what events cost. `ipc-bench help` says what it can do; `docs/performance.md` what came out.

#![forbid(unsafe_code)]
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "it is a program")]
#![allow(clippy::disallowed_methods, reason = "a benchmark looks at the clock")]

#[cfg(target_os = "linux")]
mod by_hand;
#[cfg(target_os = "linux")]
mod chart;
#[cfg(target_os = "linux")]
mod clients;
#[cfg(target_os = "linux")]
mod datagrams;
#[cfg(target_os = "linux")]
mod hot;
#[cfg(target_os = "linux")]
mod instructions;
#[cfg(target_os = "linux")]
mod load;
#[cfg(target_os = "linux")]
mod options;
#[cfg(target_os = "linux")]
mod process;
#[cfg(target_os = "linux")]
mod scale;
#[cfg(target_os = "linux")]
mod servers;
#[cfg(target_os = "linux")]
mod subject;

use std::process::ExitCode;

#[cfg(target_os = "linux")]
const HELP: &str = "\
ipc-bench servers [--quick] [--only WORD] [--json FILE] [--svg FILE]
    Servers of every adapter beside one that only echoes: processor time per message, rates, round trips, memory.
ipc-bench scale [--quick] [--svg FILE]
    How the cost of a message grows with connections, size, event names and cores.
ipc-bench clients [--quick]
    The client's side: from emit to the answer, by handler and by stream, and a thousand clients in one process.
ipc-bench instructions [--record]
    Counts the instructions of the hot paths (takes valgrind) and compares them with ipc-bench/instructions.txt; with
    --record it writes that file.
ipc-bench help";

#[cfg(target_os = "linux")]
fn main() -> ExitCode {
    let mut args: Vec<String> = std::env::args().skip(1).collect();
    let command = if args.is_empty() { "help".to_owned() } else { args.remove(0) };
    let outcome = match command.as_str() {
        "servers" => servers::main(args),
        "scale" => scale::main(args),
        "clients" => clients::main(args),
        "instructions" => instructions::main(args),
        // These two are called by the others.
        "serve" => subject::serve(args),
        "hot" => hot::main(&args),
        "help" | "--help" | "-h" => {
            println!("{HELP}");
            Ok(())
        }
        other => Err(format!("unknown command {other:?}\n\n{HELP}").into()),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("ipc-bench: {error}");
            ExitCode::FAILURE
        }
    }
}

#[cfg(not(target_os = "linux"))]
fn main() -> ExitCode {
    eprintln!("ipc-bench looks at processes by /proc, as Linux has it");
    ExitCode::FAILURE
}
