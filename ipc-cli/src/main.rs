//! `ipc`: a command for the events of node-ipc. What each part does is told by `ipc help`, and in `docs/cli.md`.
//!
//! - `commands`: one file for each subcommand
//! - `options`, `address`: what the user said, to settings and an endpoint
//! - `client`: connecting, the same for every command that does
//! - `near`: what was perhaps meant
//! - `output`, `escape`, `clock`: what is shown, and how it is made safe to show
//! - `exit`, `signal`: how the program ends
//! - `proxy`: standing between clients and a server
//! - `sockets`: what the system knows of Unix sockets
//! - `tls`: which flags put right what is wrong with TLS

#![forbid(unsafe_code)]

mod address;
mod client;
mod clock;
mod commands;
mod escape;
mod exit;
mod glob;
mod near;
mod options;
mod output;
mod payload;
mod proxy;
mod signal;
#[cfg(unix)]
mod sockets;
mod tls;

use clap::Parser;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use commands::{Cli, Command};
use exit::{Exit, Failure, Outcome};
use options::{Common, Options};
use output::{Color, Output, say};
use signal::Interrupt;
use std::process::ExitCode;

/// What every command is given.
#[derive(Clone)]
pub(crate) struct Context {
    pub(crate) options: Options,
    pub(crate) output: Output,
    pub(crate) interrupt: Interrupt,
}

fn main() -> ExitCode {
    let parsed = Cli::try_parse();
    if !parsed.as_ref().is_err_and(has_the_last_word) {
        if let Some(failure) = client::wait_apart(std::env::args_os().skip(1)) {
            return end(&failure);
        }
    }
    let cli = match parsed {
        Ok(cli) => cli,
        Err(error) => return usage(&error),
    };
    let Some(command) = cli.command else {
        say(commands::SHORT);
        return ExitCode::from(Exit::Usage as u8);
    };
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return end(&Failure::new(Exit::Failed, "cannot start threads", error)),
    };
    let outcome = runtime.block_on(run(command, cli.common));
    // Whoever still reads stdin or looks up a name is not waited for.
    runtime.shutdown_background();
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => end(&failure),
    }
}

/// Whether there is nothing to add to what is said of a command line: help was asked for, or the command has no `--wait`.
fn has_the_last_word(error: &clap::Error) -> bool {
    let has_no_wait = matches!(error.get(ContextKind::InvalidArg), Some(ContextValue::String(arg)) if arg == "--wait");
    has_no_wait || matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion)
}

/// Help goes to stdout if it was asked for; what was wrong goes to stderr.
fn usage(error: &clap::Error) -> ExitCode {
    let code = match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => ExitCode::SUCCESS,
        _ => ExitCode::from(Exit::Usage as u8),
    };
    // A closed pipe is no failure of ours.
    let _nobody_reads = error.print();
    code
}

fn end(failure: &Failure) -> ExitCode {
    let text = failure.show();
    if !text.is_empty() {
        say(&text);
    }
    failure.code()
}

async fn run(command: Command, common: Common) -> Outcome {
    let configured = command.needs_options();
    let color = match common.color {
        Some(color) => color,
        None if configured => color()?,
        None => Color::Auto,
    };
    let output = Output::new(common.format, color, common.quiet);
    log(common.verbose);
    let options = if configured { Options::gather(&common)? } else { Options::none() };
    if let Some(unreadable) = &options.unreadable {
        output.warn(unreadable);
    }
    if let Some(root) = options.root_without_slash() {
        output.warn(format_args!("socketRoot {root} is put before the name as it is: did you mean {root}/ ?"));
    }
    let context = Context { options, output, interrupt: Interrupt::listen() };
    let outcome = tokio::select! {
        outcome = command.run(context.clone()) => outcome,
        () = context.too_late() => Err(Failure::silent(context.interrupt.told().await)),
    };
    match outcome {
        Ok(()) => tokio::select! {
            finished = context.output.finish() => finished,
            // Who was told to end does not wait for a reader who does not read.
            () = context.enough() => Ok(()),
        },
        Err(failure) => {
            context.output.finish_soon().await;
            Err(failure)
        }
    }
}

impl Context {
    /// Ready a moment after the program has been told to end.
    async fn enough(&self) {
        self.interrupt.told().await;
        tokio::time::sleep(output::LAST_WORDS).await;
    }

    /// Ready when the program has been told to end and has not ended by itself within the time that closing may take.
    async fn too_late(&self) {
        self.interrupt.told().await;
        tokio::time::sleep(commands::CLOSE_WITHIN + std::time::Duration::from_secs(1)).await;
    }
}

fn color() -> Outcome<Color> {
    let Some(text) = std::env::var_os("IPC_COLOR").filter(|text| !text.is_empty()) else { return Ok(Color::Auto) };
    let text = text.to_string_lossy();
    <Color as clap::ValueEnum>::from_str(&text, true)
        .map_err(|_| Failure::usage(format!("environment variable IPC_COLOR: {text:?} is not auto, always or never")))
}

/// The library's log on stderr; warnings are always shown.
fn log(verbose: u8) {
    use tracing_subscriber::filter::LevelFilter;
    let level = match verbose {
        0 => return,
        1 => LevelFilter::INFO,
        2 => LevelFilter::DEBUG,
        _ => LevelFilter::TRACE,
    };
    let subscriber = tracing_subscriber::fmt().with_max_level(level).with_writer(std::io::stderr).with_ansi(false);
    subscriber.init();
}
