//! The command line: the long forms.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a part of a program")]

use crate::adapters::Adapter;
use crate::attack::{self, Scale};
use crate::restart::Restarts;
use crate::soak::{Soak, plot, sample};
use crate::storm::{come_and_go, storm};
use crate::watch::raise_descriptors;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

const HELP: &str = "\
ipc-torture: the long forms of the fault and attack tests, and the soak

  soak --minutes N [--adapter tokio|smol|async-std] [--svg FILE] [--csv FILE]
           mixed load for N minutes (60); memory and descriptors must be flat
  restart [--full]
           a server killed and stopped by turns, 100 times under 100 clients; every event is accounted for
  storm [--full]
           connections that come and go, 100,000 of them, and 500 clients at once where 100 may be in
  attack [--full] [NAME]
           hostile peers; NAME picks those whose name contains it
  all [--full] [--minutes N]
           restart, storm, attack and a soak of N minutes (1; 10 with --full)

Without --full the sizes are those of `cargo test`. Ends with a status other than 0 if something did not hold.
";

/// The values of options, and what else there is.
struct Args {
    full: bool,
    minutes: Option<f64>,
    adapter: Adapter,
    svg: Option<PathBuf>,
    csv: Option<PathBuf>,
    rest: Vec<String>,
}

impl Args {
    fn read(args: impl Iterator<Item = String>) -> Result<Self> {
        let mut read =
            Self { full: false, minutes: None, adapter: Adapter::default(), svg: None, csv: None, rest: Vec::new() };
        let mut args = args.peekable();
        while let Some(name) = args.next() {
            let mut value = || args.next().ok_or_else(|| format!("{name} needs a value"));
            match name.as_str() {
                "--full" => read.full = true,
                "--minutes" => {
                    let minutes: f64 = value()?.parse()?;
                    if !(minutes > 0.0 && minutes < 1e6) {
                        return Err(format!("--minutes {minutes}: how long is that?").into());
                    }
                    read.minutes = Some(minutes);
                }
                "--adapter" => read.adapter = Adapter::named(&value()?)?,
                "--svg" => read.svg = Some(value()?.into()),
                "--csv" => read.csv = Some(value()?.into()),
                option if option.starts_with('-') => return Err(format!("no option {option}; see --help").into()),
                _ => read.rest.push(name),
            }
        }
        Ok(read)
    }

    fn scale(&self) -> Scale {
        if self.full { Scale::Full } else { Scale::Quick }
    }
}

/// Runs the command with its arguments.
#[must_use]
pub fn main(args: Vec<String>) -> ExitCode {
    match obey(args.into_iter()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn obey(mut args: impl Iterator<Item = String>) -> Result<()> {
    let command = args.next().unwrap_or_default();
    match command.as_str() {
        // The processes that this one starts.
        "subject" => return crate::subject::run(&args.next().unwrap_or_default()),
        "load" => return crate::soak::load::run(&args.next().unwrap_or_default()),
        "" | "help" | "-h" | "--help" => {
            print!("{HELP}");
            return Ok(());
        }
        _ => {}
    }
    let program = std::env::current_exe()?;
    let args = Args::read(args)?;
    if command != "attack" && !args.rest.is_empty() {
        return Err(format!("what is {:?}? See --help", args.rest[0]).into());
    }
    raise_descriptors();
    match command.as_str() {
        "soak" => soak(&program, &args, 60.0),
        "restart" => restart(&program, &args),
        "storm" => crowds(&program, &args),
        "attack" => attacks(&program, &args),
        "all" => {
            restart(&program, &args)?;
            crowds(&program, &args)?;
            attacks(&program, &args)?;
            soak(&program, &args, if args.full { 10.0 } else { 1.0 })
        }
        other => Err(format!("no command is called {other:?}; see --help").into()),
    }
}

fn restart(program: &Path, args: &Args) -> Result<()> {
    let (clients, restarts) = if args.full { (100, 100) } else { (20, 10) };
    for (tcp, early) in [(false, false), (true, false), (false, true)] {
        let folder = tempfile::tempdir()?;
        let began = Instant::now();
        let plan = Restarts { program: program.into(), folder: folder.path().into(), tcp, clients, restarts, early };
        let account = plan.run()?;
        let over = if tcp { "TCP" } else { "a Unix socket" };
        let when = if early { ", ended while clients still came" } else { "" };
        println!("{restarts} restarts under {clients} clients over {over}{when}, {:.1?}:", began.elapsed());
        println!("  {account:?}");
    }
    Ok(())
}

fn crowds(program: &Path, args: &Args) -> Result<()> {
    let total = if args.full { 100_000 } else { 10_000 };
    let folder = tempfile::tempdir()?;
    for endpoint in [format!("unix:{}/socket", folder.path().display()), "tcp:127.0.0.1:0".to_owned()] {
        println!("{:?}", come_and_go(program, &endpoint, total, 500)?);
        let endpoint = endpoint.replace("/socket", "/storm");
        println!("{:?}", storm(program, &endpoint, 500, 100)?);
    }
    Ok(())
}

fn attacks(program: &Path, args: &Args) -> Result<()> {
    let wanted = args.rest.first().map_or("", String::as_str);
    let mut failed = Vec::new();
    for (name, attack) in attack::LIST.iter().filter(|(name, _)| name.contains(wanted)) {
        let began = Instant::now();
        match attack(program, args.scale()) {
            Ok(figures) => println!("{name}: {figures} [{:.1?}]", began.elapsed()),
            Err(error) => {
                println!("{name}: NOT WITHSTOOD: {error}");
                failed.push(*name);
            }
        }
    }
    if failed.is_empty() { Ok(()) } else { Err(format!("not withstood: {}", failed.join(", ")).into()) }
}

fn soak(program: &Path, args: &Args, minutes: f64) -> Result<()> {
    let minutes = args.minutes.unwrap_or(minutes);
    let (adapter, time) = (args.adapter, Duration::from_secs_f64(minutes * 60.0));
    let run = Soak { program: program.into(), adapter, time, leak: 0 }.run()?;
    if let Some(path) = &args.csv {
        std::fs::write(path, sample::csv(&run.samples))?;
    }
    if let Some(path) = &args.svg {
        let title = format!("ipc-torture soak: {} for {minutes} minutes, {:.0} events/s", adapter.name(), run.rate());
        std::fs::write(path, plot::svg(&title, &run.samples))?;
    }
    println!(
        "{} for {minutes} minutes: {} questions answered, {:.0} events/s at the servers, descriptors {} before and {} after",
        adapter.name(),
        run.answered,
        run.rate(),
        run.descriptors.0,
        run.descriptors.1
    );
    print!("{}", run.verdict()?);
    Ok(())
}
