//! The command `ipc-conformance`: `matrix` plays the suite, `peer` is our own peer. Arguments are read here and nowhere else.

#![allow(clippy::print_stderr, clippy::print_stdout, reason = "a program, not a library")]

use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::thread::available_parallelism;

use super::run::{Played, Verdict};
use super::subject::{OwnPeer, Subject};
use super::summary::Summary;
use super::{cells, junit, report, run, scenarios};
use crate::node::in_ci;

const USAGE: &str = "\
usage: ipc-conformance matrix [options]     plays every scenario with every pair of subjects
       ipc-conformance peer '<json>'        our own peer, which speaks the line protocol

  --quick                    a representative part
  --filter TEXT              only cells whose name scenario/transport/server/client contains it; may be repeated
  --subjects A,B             only these of the built-in subjects
  --subject NAME=COMMAND     one more subject; the JSON options become the last argument of the command
  --jobs N                   how many cells at a time (default: twice the number of processors)
  --list                     names what would be played, and plays nothing
  --verbose                  shows what the peers of each failing cell said
  --json FILE                where the result goes as JSON (default: conformance.json in the target directory)
  --junit FILE               also as JUnit's XML
  --report FILE              where the page goes (default: docs/conformance.md, after a full run only)
";

#[derive(Debug, Default)]
struct Arguments {
    quick: bool,
    list: bool,
    verbose: bool,
    filters: Vec<String>,
    chosen: Option<Vec<String>>,
    more: Vec<Subject>,
    jobs: Option<usize>,
    json: Option<PathBuf>,
    junit: Option<PathBuf>,
    report: Option<PathBuf>,
}

impl Arguments {
    fn read(mut words: impl Iterator<Item = String>) -> Result<Self, String> {
        let mut read = Self::default();
        while let Some(word) = words.next() {
            let mut value = || words.next().ok_or_else(|| format!("{word} wants a value"));
            match word.as_str() {
                "--quick" => read.quick = true,
                "--list" => read.list = true,
                "--verbose" => read.verbose = true,
                "--filter" => read.filters.push(value()?),
                "--subjects" => read.chosen = Some(value()?.split(',').map(|name| name.trim().to_owned()).collect()),
                "--subject" => {
                    let text = value()?;
                    let subject = Subject::parse(&text).ok_or_else(|| {
                        format!("--subject wants NAME=COMMAND, with a NAME of letters, digits and -_., not {text:?}")
                    })?;
                    read.more.push(subject);
                }
                "--jobs" => {
                    let text = value()?;
                    let jobs = text.parse().ok().filter(|jobs| (1..=256).contains(jobs));
                    read.jobs = Some(jobs.ok_or_else(|| format!("--jobs wants a number from 1 to 256, not {text:?}"))?);
                }
                "--json" => read.json = Some(value()?.into()),
                "--junit" => read.junit = Some(value()?.into()),
                "--report" => read.report = Some(value()?.into()),
                other => return Err(format!("{other:?} is no option")),
            }
        }
        Ok(read)
    }

    /// Whether nothing is left out or added.
    fn is_full(&self) -> bool {
        !self.quick && self.filters.is_empty() && self.chosen.is_none() && self.more.is_empty()
    }
}

/// Runs the command. `words` are its arguments, without its own name.
pub fn main(words: impl Iterator<Item = String>) -> ExitCode {
    let mut words = words.peekable();
    match words.next().as_deref() {
        Some("peer") => peer(words.next()),
        Some("--help" | "help") => help(),
        Some("matrix") if words.peek().is_some_and(|word| word == "--help") => help(),
        Some("matrix") => match Arguments::read(words) {
            Ok(arguments) => matrix(arguments).unwrap_or_else(|error| {
                eprintln!("ipc-conformance: {error}");
                ExitCode::FAILURE
            }),
            Err(error) => {
                eprintln!("ipc-conformance: {error}\n\n{USAGE}");
                ExitCode::from(64)
            }
        },
        _ => {
            eprint!("{USAGE}");
            ExitCode::from(64)
        }
    }
}

fn help() -> ExitCode {
    print!("{USAGE}");
    ExitCode::SUCCESS
}

/// Our own peer.
pub fn peer(options: Option<String>) -> ExitCode {
    match crate::peer::run(&options.unwrap_or_else(|| "{}".to_owned())) {
        Ok(never) => match never {},
        Err(error) => {
            eprintln!("peer: {error}");
            ExitCode::from(64)
        }
    }
}

fn matrix(arguments: Arguments) -> io::Result<ExitCode> {
    let full = arguments.is_full();
    let program = std::env::current_exe()?;
    let own = OwnPeer { program: program.clone(), arguments: vec!["peer".to_owned()] };
    let mut candidates = Subject::built_in(&own);
    if let Some(chosen) = &arguments.chosen {
        if let Some(unknown) = chosen.iter().find(|name| !candidates.iter().any(|subject| subject.name == **name)) {
            let names: Vec<&str> = candidates.iter().map(|subject| subject.name.as_str()).collect();
            return Err(io::Error::other(format!("--subjects knows {}, not {unknown:?}", names.join(", "))));
        }
        candidates.retain(|subject| chosen.contains(&subject.name));
    }
    candidates.extend(arguments.more);
    let mut summary = Summary { subjects: Vec::new(), described: Vec::new(), absent: Vec::new(), played: Vec::new() };
    for mut subject in candidates {
        match subject.probe() {
            Ok(described) => {
                summary.described.push(described);
                summary.subjects.push(subject);
            }
            Err(absent) => {
                eprintln!("\n*** NOT TESTED: {}: {} ***\n", absent.name, absent.why);
                summary.absent.push(absent);
            }
        }
    }
    let subjects = summary.subjects.clone();
    let mut cells = if arguments.quick { cells::quick(&subjects) } else { cells::all(&subjects) };
    if !arguments.filters.is_empty() {
        cells.retain(|cell| arguments.filters.iter().any(|text| cell.name(&subjects).contains(text.as_str())));
    }
    if arguments.list {
        for scenario in scenarios::all() {
            let count = cells.iter().filter(|cell| cell.scenario.name == scenario.name).count();
            println!("{:12} {:36} {count:5} cells  {}", scenario.group, scenario.name, scenario.about);
        }
        println!("{} cells", cells.len());
        return Ok(ExitCode::SUCCESS);
    }
    let jobs = arguments.jobs.unwrap_or_else(|| 2 * available_parallelism().map_or(2, usize::from));
    let names: Vec<&str> = subjects.iter().map(|subject| subject.name.as_str()).collect();
    println!("{} cells, {jobs} at a time: {}", cells.len(), names.join(", "));
    let verbose = arguments.verbose;
    let terminal = io::stdout().is_terminal();
    summary.played = run::play(&cells, &subjects, jobs, |done, one| {
        progress(terminal, done, cells.len(), one, &subjects, verbose);
    });
    if terminal {
        print!("\r\x1b[K");
    }
    println!("\n{}", report::table(&summary));
    list_failures(&summary);
    let json = arguments.json.unwrap_or_else(|| target(&program).join("conformance.json"));
    std::fs::write(&json, format!("{:#}\n", summary.to_json()))?;
    if let Some(file) = &arguments.junit {
        std::fs::write(file, junit::xml(&summary))?;
    }
    let complete = full && summary.absent.is_empty();
    let page = arguments.report.or_else(|| complete.then(page_of_record));
    if let Some(file) = page {
        std::fs::write(&file, report::page(&summary, complete))?;
        println!("written: {}", file.display());
    }
    println!("written: {}", json.display());
    for absent in &summary.absent {
        eprintln!("*** NOT TESTED: {}: {} ***", absent.name, absent.why);
    }
    let incomplete = in_ci() && !summary.absent.is_empty();
    if incomplete {
        eprintln!("where CI is set, every subject must be tested");
    }
    let bad = summary.tally().failed > 0 || incomplete || cells.is_empty();
    Ok(if bad { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

fn progress(terminal: bool, done: usize, all: usize, one: &Played, subjects: &[Subject], verbose: bool) {
    /// A plain line comes as often as this.
    const PLAIN: usize = 200;
    let mut out = io::stdout().lock();
    let clear = if terminal { "\r\x1b[K" } else { "" };
    if one.verdict.is_bad() {
        let _ = writeln!(out, "{clear}{}: {}: {}", one.verdict.word(), one.cell.name(subjects), one.verdict.detail());
        if verbose {
            let _ = writeln!(out, "{}\n", one.transcript);
        }
    }
    if terminal {
        let _ = write!(out, "{clear}[{done}/{all}] {}", one.cell.name(subjects));
    } else if done % PLAIN == 0 || done == all {
        let _ = writeln!(out, "[{done}/{all}]");
    }
    let _ = out.flush();
}

fn list_failures(summary: &Summary) {
    for one in &summary.played {
        if matches!(one.verdict, Verdict::Failed(_) | Verdict::Mended(_)) {
            println!("{}: {}: {}", one.verdict.word(), one.cell.name(&summary.subjects), one.verdict.detail());
        }
    }
}

/// The target directory: the program lies in a folder of it.
fn target(program: &Path) -> PathBuf {
    program.parent().and_then(Path::parent).map_or_else(std::env::temp_dir, Path::to_path_buf)
}

fn page_of_record() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).with_file_name("docs").join("conformance.md")
}

#[cfg(test)]
mod tests {
    use super::Arguments;

    fn read(line: &str) -> Result<Arguments, String> {
        Arguments::read(line.split_whitespace().map(str::to_owned))
    }

    #[test]
    fn only_a_run_of_everything_is_full() {
        assert!(read("--jobs 3 --verbose --json x").is_ok_and(|arguments| arguments.is_full()));
        for part in ["--quick", "--filter tls", "--subjects rust-tokio", "--subject other=./peer"] {
            assert!(read(part).is_ok_and(|arguments| !arguments.is_full()), "{part}");
        }
    }

    #[test]
    fn mistakes_are_named() {
        for (line, word) in
            [("--jobs", "wants a value"), ("--jobs 0", "1 to 256"), ("--subject x", "NAME=COMMAND"), ("--all", "--all")]
        {
            assert!(read(line).is_err_and(|error| error.contains(word)), "{line}");
        }
    }
}
