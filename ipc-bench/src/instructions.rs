//! A guard against getting slower: instructions are counted by callgrind, which gives the same number on a busy machine, and
//! compared with those on record.
//!
//! A path is run with some number of events and with twice as many; the difference is what its events cost.

use crate::hot::PATHS;
use crate::options::{Options, Outcome};
use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};

/// By how much a path may grow.
const TOLERANCE: f64 = 1.05;

fn record() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("instructions.txt")
}

pub(crate) fn main(args: Vec<String>) -> Outcome {
    let options = Options::parse(args, &["--record"])?;
    let compiler = compiler()?;
    if Command::new("valgrind").arg("--version").stdout(Stdio::null()).status().is_err() {
        return Err("valgrind is needed: on Debian, apt-get install valgrind".into());
    }
    let counted =
        PATHS.iter().map(|&(name, events)| Ok((name, per_event(name, events)?))).collect::<Outcome<Vec<_>>>()?;
    if options.record {
        let mut text =
            format!("# Instructions for each event, counted by `ipc-bench instructions --record`.\n# {compiler}\n");
        for (name, count) in &counted {
            text += &format!("{count:>8}  {name}\n");
        }
        print!("{text}");
        return Ok(fs::write(record(), text)?);
    }
    let text = fs::read_to_string(record())?;
    let known: BTreeMap<&str, u64> = text
        .lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| line.trim().split_once("  "))
        .filter_map(|(count, name)| Some((name, count.parse().ok()?)))
        .collect();
    let same = text.lines().any(|line| line.strip_prefix("# ") == Some(compiler.as_str()));
    let mut grown = Vec::new();
    println!("| path | on record | now | |\n|---|---:|---:|---:|");
    for (name, now) in counted {
        let Some(&before) = known.get(name) else { return Err(format!("{name:?} is not on record").into()) };
        let ratio = now as f64 / before as f64;
        println!("| {name} | {before} | {now} | {:+.1} % |", (ratio - 1.0) * 100.0);
        if ratio > TOLERANCE {
            grown.push(name);
        }
    }
    if grown.is_empty() {
        return Ok(());
    }
    if !same {
        println!("\n*** not judged: these were counted with another compiler than {compiler} ***");
        return Ok(());
    }
    Err(format!(
        "more instructions than on record, by over 5 %: {}. If that is meant, `ipc-bench instructions --record` writes the new \
         numbers, to be committed with the change",
        grown.join("; ")
    )
    .into())
}

/// The compiler and where it compiles for: other ones give other numbers.
fn compiler() -> Outcome<String> {
    let said = Command::new(std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into())).arg("-vV").output()?;
    let text = String::from_utf8(said.stdout)?;
    let of = |key: &str| text.lines().find_map(|line| line.strip_prefix(key)).unwrap_or("?").trim().to_owned();
    Ok(format!("rustc {} {}", of("release:"), of("host:")))
}

fn per_event(name: &str, events: usize) -> Outcome<u64> {
    let (once, twice) = (count(name, events)?, count(name, 2 * events)?);
    Ok(twice.saturating_sub(once) / events as u64)
}

fn count(name: &str, events: usize) -> Outcome<u64> {
    let folder = tempfile::tempdir()?;
    let out = folder.path().join("out");
    let said = Command::new("valgrind")
        .args(["--tool=callgrind", &format!("--callgrind-out-file={}", out.display())])
        .arg(std::env::current_exe()?)
        .args(["hot", name, &events.to_string()])
        .output()?;
    if !said.status.success() {
        return Err(format!("{name:?} failed: {}", String::from_utf8_lossy(&said.stderr)).into());
    }
    let text = fs::read_to_string(&out)?;
    let totals = text.lines().find_map(|line| line.strip_prefix("totals:").or_else(|| line.strip_prefix("summary:")));
    Ok(totals.and_then(|totals| totals.split_whitespace().next()).ok_or("callgrind gave no total")?.parse()?)
}
