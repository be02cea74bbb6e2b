//! What a simulation says when something that must hold does not.

use std::fmt;
use std::time::Duration;

/// What must hold at every step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Invariant {
    /// What comes out of a connection is what was put in: in order, without gaps, duplicates and changes, and nobody who
    /// keeps to the protocol is told that he does not.
    Order,
    /// Every emit ends as delivered, refused, or lost for a reason, and the machines count as the simulation does.
    Accounting,
    /// Events and actions come in an order that makes sense, and none after the last.
    Lifecycle,
    /// Retries are as many as allowed, and as far apart.
    Attempts,
    /// Every buffer and book keeps its bound.
    Bounds,
    /// Once nothing is broken any more, everybody who may gets connected, and everything is delivered.
    Convergence,
    /// At every instant there is an end of what is to be done.
    Progress,
    /// Nothing panics.
    Panic,
    /// One of your own ([`Context::fail`](crate::Context::fail)).
    Custom,
}

impl fmt::Display for Invariant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Order => "order",
            Self::Accounting => "accounting",
            Self::Lifecycle => "lifecycle",
            Self::Attempts => "attempts",
            Self::Bounds => "bounds",
            Self::Convergence => "convergence",
            Self::Progress => "progress",
            Self::Panic => "no panic",
            Self::Custom => "custom",
        })
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Violation {
    pub(crate) invariant: Invariant,
    pub(crate) message: String,
}

impl Violation {
    pub(crate) fn new(invariant: Invariant, message: impl Into<String>) -> Self {
        Self { invariant, message: message.into() }
    }
}

/// An invariant did not hold. `Display` shows everything that is needed to look into it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Failure {
    /// The seed of the world.
    pub seed: u64,
    /// The virtual time since the start.
    pub at: Duration,
    /// What did not hold.
    pub invariant: Invariant,
    /// How it showed.
    pub message: String,
    /// The last lines of the trace, the newest at the end.
    pub trace: Vec<String>,
    /// A command that does it again, where there is one.
    pub replay: Option<String>,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { seed, at, invariant, message, trace, replay } = self;
        writeln!(f, "seed {seed}, {at:?} after the start: the invariant `{invariant}` is broken")?;
        writeln!(f, "  {message}")?;
        writeln!(f, "the last {} lines of the trace:", trace.len())?;
        trace.iter().try_for_each(|line| writeln!(f, "{line}"))?;
        match replay {
            Some(command) => write!(f, "again: {command}"),
            None => write!(f, "again: the same seed gives the same world"),
        }
    }
}

impl std::error::Error for Failure {}
