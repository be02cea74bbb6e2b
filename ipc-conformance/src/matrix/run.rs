//! Plays cells, several at a time, and judges what came of them.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use super::cells::Cell;
use super::defects::{self, Defect};
use super::failure::{Failure, Outcome};
use super::scenario::Transport;
use super::stage::Stage;
use super::subject::Subject;
use crate::wine::skip_under_wine;

/// How long a cell waits for what must come.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long one waits that is expected to wait in vain.
const SHORT: Duration = Duration::from_secs(1);
/// How often an expected defect must be missed to be believed gone.
const MISSES: usize = 3;
/// What Wine cannot do: seen with programs that use Tokio alone.
const KILLED: &str = "the end of a TCP connection whose process is killed is not always reported there";

/// What came of a cell.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Verdict {
    /// All was as it must be.
    Passed,
    /// It failed as this defect of node-ipc makes it fail.
    Defect(&'static Defect, Failure),
    /// A subject says that it cannot do it.
    Unsupported(Failure),
    /// Not played on this system, which was said.
    Skipped,
    /// It passed, every time, although a defect is listed.
    Mended(&'static Defect),
    /// It failed.
    Failed(Failure),
}

impl Verdict {
    /// Whether the run as a whole fails for it.
    pub fn is_bad(&self) -> bool {
        matches!(self, Self::Mended(_) | Self::Failed(_))
    }

    /// A word for it.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Defect(..) => "expected defect",
            Self::Unsupported(_) => "unsupported",
            Self::Skipped => "not tested",
            Self::Mended(_) => "no longer a defect",
            Self::Failed(_) => "FAILED",
        }
    }

    /// What there is to say beyond the word.
    pub fn detail(&self) -> String {
        match self {
            Self::Passed | Self::Skipped => String::new(),
            Self::Defect(_, failure) | Self::Failed(failure) | Self::Unsupported(failure) => failure.to_string(),
            Self::Mended(defect) => format!("it passed {MISSES} times, though this is listed: {}", defect.fact),
        }
    }
}

/// A cell that was played.
#[derive(Clone, Debug)]
pub struct Played {
    /// Which.
    pub cell: Cell,
    /// What came of it.
    pub verdict: Verdict,
    /// How long it took.
    pub took: Duration,
    /// What its peers said, if it failed.
    pub transcript: String,
}

/// Plays all cells, `jobs` at a time. `tell` is called for each as it ends. The result is in the order of the cells.
pub fn play(cells: &[Cell], subjects: &[Subject], jobs: usize, tell: impl Fn(usize, &Played) + Sync) -> Vec<Played> {
    let next = AtomicUsize::new(0);
    // Protects what was played, with its place; held only to add to it, and while one is told.
    let played = Mutex::new(Vec::with_capacity(cells.len()));
    thread::scope(|scope| {
        for _ in 0..jobs.clamp(1, cells.len().max(1)) {
            scope.spawn(|| {
                while let Some((at, cell)) = take(cells, &next) {
                    let one = play_one(*cell, subjects);
                    let mut played = played.lock().unwrap_or_else(PoisonError::into_inner);
                    played.push((at, one));
                    if let Some((_, one)) = played.last() {
                        tell(played.len(), one);
                    }
                }
            });
        }
    });
    let mut played = played.into_inner().unwrap_or_else(PoisonError::into_inner);
    played.sort_by_key(|(at, _)| *at);
    played.into_iter().map(|(_, one)| one).collect()
}

fn take<'a>(cells: &'a [Cell], next: &AtomicUsize) -> Option<(usize, &'a Cell)> {
    let at = next.fetch_add(1, Ordering::Relaxed);
    cells.get(at).map(|cell| (at, cell))
}

/// Plays one cell.
pub fn play_one(cell: Cell, subjects: &[Subject]) -> Played {
    let began = Instant::now();
    let (verdict, transcript) = judge(cell, subjects);
    Played { cell, verdict, took: began.elapsed(), transcript }
}

fn judge(cell: Cell, subjects: &[Subject]) -> (Verdict, String) {
    if cell.scenario.kills && cell.transport != Transport::Unix && skip_under_wine(KILLED) {
        return (Verdict::Skipped, String::new());
    }
    let known = defects::of(&cell, subjects);
    let (outcome, transcript) = once(cell, subjects, if known.is_some() { SHORT } else { PATIENCE });
    match (outcome, known) {
        (Err(failure @ Failure::Unsupported { .. }), _) => (Verdict::Unsupported(failure), String::new()),
        (Ok(()), None) => (Verdict::Passed, String::new()),
        (Err(failure), None) => (Verdict::Failed(failure), transcript),
        (Err(failure), Some(defect)) if defect.explains(&failure) => (Verdict::Defect(defect, failure), String::new()),
        (Err(failure), Some(_)) => (Verdict::Failed(failure), transcript),
        (Ok(()), Some(defect)) if defect.flaky => (Verdict::Passed, String::new()),
        (Ok(()), Some(defect)) => {
            for _ in 1..MISSES {
                if let (Err(failure), _) = once(cell, subjects, SHORT) {
                    return (Verdict::Defect(defect, failure), String::new());
                }
            }
            (Verdict::Mended(defect), transcript)
        }
    }
}

fn once(cell: Cell, subjects: &[Subject], patience: Duration) -> (Outcome, String) {
    let stage = match Stage::new(&subjects[cell.server], &subjects[cell.client], cell.transport, patience) {
        Ok(stage) => stage,
        Err(failure) => return (Err(failure), String::new()),
    };
    // A scenario that panics is a mistake in the suite; the other cells go on.
    let outcome = catch_unwind(AssertUnwindSafe(|| (cell.scenario.play)(&stage)));
    let outcome = outcome.unwrap_or_else(|_| Err(Failure::new("the scenario itself panicked")));
    let transcript = if outcome.is_err() { stage.transcript() } else { String::new() };
    (outcome, transcript)
}
