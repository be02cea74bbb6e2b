//! Many seeds of many scenarios, on several threads.
//!
//! Each run is alone in its world, so nothing is shared but the number of the next one and the sums.

use std::ops::Range;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use crate::failure::Failure;
use crate::report::Summary;
use crate::scenario::Scenario;
use crate::simulation::Simulation;

/// A campaign ends early once so many runs have failed.
const FAILURES: usize = 5;

/// Every seed of a range with every scenario of a list.
#[derive(Clone, Debug)]
pub struct Campaign {
    /// What is played.
    pub scenarios: Vec<Scenario>,
    /// With which seeds.
    pub seeds: Range<u64>,
    /// On how many threads.
    pub jobs: usize,
}

/// What came of a [`Campaign`].
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct Outcome {
    /// The sum of all runs that went well.
    pub summary: Summary,
    /// Those that did not, the first few.
    pub failures: Vec<Box<Failure>>,
}

impl Campaign {
    /// How many runs it has.
    #[must_use]
    pub fn runs(&self) -> u64 {
        (self.seeds.end.saturating_sub(self.seeds.start)).saturating_mul(self.scenarios.len() as u64)
    }

    /// Plays everything, and ends early after a few failures. `progress` is called every second with the number of
    /// runs done and of those that failed.
    pub fn run(&self, mut progress: impl FnMut(u64, usize)) -> Outcome {
        let (next, done, stop) = (AtomicU64::new(0), AtomicU64::new(0), AtomicBool::new(false));
        // Protects the sums, which a worker adds to when it ends and when a run fails.
        let outcome = Mutex::new(Outcome::default());
        std::thread::scope(|scope| {
            let workers: Vec<_> = (0..self.jobs.max(1))
                .map(|_| {
                    scope.spawn(|| {
                        let mut summary = Summary::default();
                        while !stop.load(Ordering::Relaxed) {
                            let number = next.fetch_add(1, Ordering::Relaxed);
                            let Some(mut simulation) = self.nth(number) else { break };
                            match simulation.run() {
                                Ok(report) => summary.add(&report),
                                Err(failure) => add_failure(&outcome, &stop, failure),
                            }
                            done.fetch_add(1, Ordering::Relaxed);
                        }
                        with(&outcome, |outcome| outcome.summary.merge(&summary));
                    })
                })
                .collect();
            let mut ticks = 0_u32;
            while workers.iter().any(|worker| !worker.is_finished()) {
                std::thread::sleep(Duration::from_millis(20));
                ticks += 1;
                if ticks % 50 == 0 {
                    let failed = with(&outcome, |outcome| outcome.failures.len());
                    progress(done.load(Ordering::Relaxed), failed);
                }
            }
        });
        outcome.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// Run number `number`: all scenarios with the first seed, then with the next.
    fn nth(&self, number: u64) -> Option<Simulation> {
        let count = self.scenarios.len() as u64;
        if number >= self.runs() {
            return None;
        }
        let scenario = self.scenarios.get(usize::try_from(number % count).ok()?)?;
        Some(Simulation::new(self.seeds.start + number / count, scenario))
    }
}

fn with<R>(outcome: &Mutex<Outcome>, act: impl FnOnce(&mut Outcome) -> R) -> R {
    act(&mut outcome.lock().unwrap_or_else(std::sync::PoisonError::into_inner))
}

fn add_failure(outcome: &Mutex<Outcome>, stop: &AtomicBool, failure: Box<Failure>) {
    with(outcome, |outcome| {
        outcome.failures.push(failure);
        if outcome.failures.len() >= FAILURES {
            stop.store(true, Ordering::Relaxed);
        }
    });
}
