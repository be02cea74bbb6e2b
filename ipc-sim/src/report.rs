//! What a run was like, in figures, and the sum of many.

use std::fmt;
use std::time::Duration;

use crate::account::{Account, Loss, Tally};

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Fault {
    /// A stream was cut.
    Cut,
    /// A stream was cut, and not everybody knows.
    HalfOpen,
    /// A server stopped for a while.
    Stop,
    /// A server crashed and came back.
    Crash,
    /// Time leapt.
    Leap,
    /// A client was told to end.
    Disconnect,
    /// A client's `stopRetrying` or `retry` was changed.
    Change,
    /// A server ended the connection of a peer.
    Dismiss,
}

impl Fault {
    /// All of them.
    pub const ALL: [Self; 8] =
        [Self::Cut, Self::HalfOpen, Self::Stop, Self::Crash, Self::Leap, Self::Disconnect, Self::Change, Self::Dismiss];

    /// A short name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Cut => "cut",
            Self::HalfOpen => "half-open",
            Self::Stop => "server stop",
            Self::Crash => "server crash",
            Self::Leap => "time leap",
            Self::Disconnect => "client told to end",
            Self::Change => "retry options changed",
            Self::Dismiss => "peer dismissed",
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// How often each fault struck.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FaultCounts([u64; Fault::ALL.len()]);

impl FaultCounts {
    pub(crate) fn count(&mut self, fault: Fault) {
        self.0[fault as usize] += 1;
    }

    /// How often this one did.
    #[must_use]
    pub fn of(&self, fault: Fault) -> u64 {
        self.0[fault as usize]
    }
}

/// One run that went well.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Report {
    /// Its seed.
    pub seed: u64,
    /// The virtual time it took.
    pub elapsed: Duration,
    /// How many things happened.
    pub steps: u64,
    /// What became of everything emitted.
    pub account: Account,
    /// What went wrong.
    pub faults: FaultCounts,
    /// Dials that were refused or not answered by chance.
    pub refused_dials: u64,
    /// A hash over everything that happened: the same seed gives the same.
    pub trace_hash: u64,
}

/// The sum of many runs.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Summary {
    /// How many.
    pub runs: u64,
    /// Their virtual time.
    pub elapsed: Duration,
    /// Everything that happened.
    pub steps: u64,
    /// What became of everything emitted.
    pub account: Account,
    /// What went wrong.
    pub faults: FaultCounts,
    /// Dials that were refused or not answered by chance.
    pub refused_dials: u64,
}

impl Summary {
    /// Adds one run.
    pub fn add(&mut self, report: &Report) {
        self.runs += 1;
        self.elapsed += report.elapsed;
        self.steps += report.steps;
        self.account += &report.account;
        self.refused_dials += report.refused_dials;
        self.faults.0.iter_mut().zip(report.faults.0).for_each(|(sum, more)| *sum += more);
    }

    /// Adds what another one has.
    pub fn merge(&mut self, other: &Self) {
        self.runs += other.runs;
        self.elapsed += other.elapsed;
        self.steps += other.steps;
        self.account += &other.account;
        self.refused_dials += other.refused_dials;
        self.faults.0.iter_mut().zip(other.faults.0).for_each(|(sum, more)| *sum += more);
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { runs, elapsed, steps, account, faults, refused_dials } = self;
        writeln!(f, "{runs} runs, {steps} steps, {:.0} hours of virtual time", elapsed.as_secs_f64() / 3600.0)?;
        writeln!(
            f,
            "emitted {}, delivered {}, rejected {}",
            Shown(account.emitted),
            Shown(account.delivered),
            Shown(account.rejected)
        )?;
        f.write_str("lost:")?;
        for loss in Loss::ALL {
            let lost = account.lost_by(loss);
            if !lost.is_empty() {
                write!(f, " {loss} {};", Shown(lost))?;
            }
        }
        let refused = account.refused;
        write!(
            f,
            "\nrefused emits: full {}, too slow {}, not connected {}, ",
            refused.full, refused.too_slow, refused.not_connected
        )?;
        writeln!(f, "closed {}, not to be encoded {}", refused.closed, refused.other)?;
        write!(f, "faults: refused dial {refused_dials}")?;
        Fault::ALL.iter().try_for_each(|&fault| write!(f, ", {fault} {}", faults.of(fault)))
    }
}

struct Shown(Tally);

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} events ({:.1} MB)", self.0.messages, self.0.bytes as f64 / 1e6)
    }
}
