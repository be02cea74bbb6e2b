//! The command `ipc-sim`: seeds of the built-in scenarios, by the thousand, or one with its whole trace.

#![allow(clippy::print_stderr, clippy::print_stdout, reason = "a program, not a library")]

use std::io::{IsTerminal, Write};
use std::ops::Range;
use std::process::ExitCode;
use std::time::Instant;

use ipc_sim::{Campaign, Scenario, Simulation};

const USAGE: &str = "\
usage: cargo run --release -p ipc-sim -- [options]

  --seeds A..B       the seeds from A up to, but without, B (default: 0..1000)
  --seed N           this seed only
  --scenario NAME    this scenario only; may be repeated (default: all)
  --jobs N           how many threads (default: one for each processor)
  --trace            shows everything that happens; wants one seed and one scenario
  --list             names the scenarios, and plays nothing
";

/// Nothing was played that could have failed, because the arguments are wrong.
const BAD_USAGE: u8 = 64;

#[derive(Debug)]
struct Arguments {
    seeds: Range<u64>,
    scenarios: Vec<Scenario>,
    jobs: usize,
    trace: bool,
    list: bool,
    help: bool,
}

impl Arguments {
    fn read(mut words: impl Iterator<Item = String>) -> Result<Self, String> {
        let jobs = std::thread::available_parallelism().map_or(1, usize::from);
        let (seeds, scenarios) = (0..1000, Vec::new());
        let mut read = Self { seeds, scenarios, jobs, trace: false, list: false, help: false };
        while let Some(word) = words.next() {
            let mut value = || words.next().ok_or_else(|| format!("{word} wants a value"));
            match word.as_str() {
                "--seeds" => {
                    let text = value()?;
                    let range = text.split_once("..").and_then(|(from, to)| Some(from.parse().ok()?..to.parse().ok()?));
                    let range = range.filter(|range| !range.is_empty());
                    read.seeds = range.ok_or_else(|| format!("--seeds wants two numbers, as 0..1000, not {text:?}"))?;
                }
                "--seed" => {
                    let text = value()?;
                    let seed = text.parse::<u64>().ok().filter(|seed| *seed < u64::MAX);
                    let seed = seed.ok_or_else(|| format!("--seed wants a number, not {text:?}"))?;
                    read.seeds = seed..seed + 1;
                }
                "--scenario" => {
                    let name = value()?;
                    let known = || Scenario::all().iter().map(|one| one.name.clone()).collect::<Vec<_>>().join(", ");
                    let named = Scenario::named(&name);
                    read.scenarios.push(named.ok_or_else(|| format!("--scenario knows {}, not {name:?}", known()))?);
                }
                "--jobs" => {
                    let text = value()?;
                    let jobs = text.parse().ok().filter(|jobs| (1..=256).contains(jobs));
                    read.jobs = jobs.ok_or_else(|| format!("--jobs wants a number from 1 to 256, not {text:?}"))?;
                }
                "--trace" => read.trace = true,
                "--list" => read.list = true,
                "--help" => read.help = true,
                other => return Err(format!("{other:?} is no option")),
            }
        }
        if read.trace && (read.scenarios.len() != 1 || read.seeds.end - read.seeds.start != 1) {
            return Err("--trace wants one --seed and one --scenario".to_owned());
        }
        if read.scenarios.is_empty() {
            read.scenarios = Scenario::all();
        }
        Ok(read)
    }
}

fn main() -> ExitCode {
    match Arguments::read(std::env::args().skip(1)) {
        Err(error) => {
            eprintln!("ipc-sim: {error}\n\n{USAGE}");
            ExitCode::from(BAD_USAGE)
        }
        Ok(Arguments { help: true, .. }) => {
            print!("{USAGE}");
            ExitCode::SUCCESS
        }
        Ok(Arguments { list: true, scenarios, .. }) => {
            scenarios.iter().for_each(|scenario| println!("{:12} {}", scenario.name, scenario.about));
            ExitCode::SUCCESS
        }
        Ok(arguments) if arguments.trace => show(&arguments),
        Ok(arguments) => play(arguments),
    }
}

/// One run with its whole trace.
fn show(arguments: &Arguments) -> ExitCode {
    let Some(scenario) = arguments.scenarios.first() else { return ExitCode::from(BAD_USAGE) };
    let mut simulation = Simulation::new(arguments.seeds.start, scenario);
    simulation.keep_trace();
    let outcome = simulation.run();
    let mut out = std::io::stdout().lock();
    // Whoever reads may stop reading: then there is nobody to tell.
    let _told = write!(out, "{}", simulation.world().trace().unwrap_or_default());
    match outcome {
        Ok(report) => {
            let _told = writeln!(out, "{report:#?}");
            ExitCode::SUCCESS
        }
        Err(failure) => {
            eprintln!("\n{failure}");
            ExitCode::FAILURE
        }
    }
}

fn play(Arguments { seeds, scenarios, jobs, .. }: Arguments) -> ExitCode {
    let campaign = Campaign { scenarios, seeds, jobs };
    let runs = campaign.runs();
    let names: Vec<_> = campaign.scenarios.iter().map(|scenario| scenario.name.as_str()).collect();
    println!("{runs} runs on {jobs} threads: seeds {:?} of {}", campaign.seeds, names.join(", "));
    let begun = Instant::now();
    let terminal = std::io::stdout().is_terminal();
    let mut seconds = 0_u32;
    let outcome = campaign.run(|done, failed| {
        seconds += 1;
        let rate = done as f64 / begun.elapsed().as_secs_f64();
        if terminal {
            print!("\r[{done}/{runs}] {failed} failed, {rate:.0} runs/s ");
            let _told = std::io::stdout().flush();
        } else if seconds % 30 == 0 {
            println!("[{done}/{runs}] {failed} failed, {rate:.0} runs/s");
        }
    });
    let took = begun.elapsed();
    let rate = outcome.summary.runs as f64 / took.as_secs_f64();
    println!("{}{}", if terminal { "\r" } else { "" }, outcome.summary);
    println!("{:.1} s, {rate:.0} runs/s", took.as_secs_f64());
    for failure in &outcome.failures {
        eprintln!("\n{failure}");
    }
    if outcome.failures.is_empty() {
        println!("every invariant held");
        return ExitCode::SUCCESS;
    }
    eprintln!("\n{} runs FAILED:", outcome.failures.len());
    outcome.failures.iter().filter_map(|failure| failure.replay.as_deref()).for_each(|replay| eprintln!("  {replay}"));
    ExitCode::FAILURE
}

#[cfg(test)]
mod tests {
    use super::Arguments;

    fn read(line: &str) -> Result<Arguments, String> {
        Arguments::read(line.split_whitespace().map(str::to_owned))
    }

    #[test]
    fn the_line_that_a_failure_names_is_understood() {
        let arguments = read("--scenario cuts --seed 41 --trace").expect("arguments");
        assert_eq!(arguments.seeds, 41..42);
        assert!(arguments.trace);
        assert_eq!(arguments.scenarios[0].name, "cuts");
        assert!(read("").is_ok_and(|all| all.scenarios.len() > 10 && all.seeds == (0..1000)));
    }

    #[test]
    fn mistakes_are_named() {
        for (line, word) in [
            ("--seeds 5", "two numbers"),
            ("--seeds 5..5", "two numbers"),
            ("--seed x", "a number"),
            ("--seed", "wants a value"),
            ("--scenario nothing", "calm"),
            ("--jobs 0", "1 to 256"),
            ("--trace --seed 1", "one --scenario"),
            ("--all", "--all"),
        ] {
            assert!(read(line).is_err_and(|error| error.contains(word)), "{line}");
        }
    }
}
