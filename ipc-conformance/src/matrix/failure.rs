//! Why a scenario did not come to a good end.

use serde_json::Value;
use std::fmt::Debug;
use std::io::ErrorKind;

use crate::process::ProcessError;

/// What a scenario gives back.
pub type Outcome<T = ()> = Result<T, Failure>;

/// Why a scenario ended early.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Failure {
    /// A peer said that it cannot do what was asked; that is neither right nor wrong.
    #[error("the {end} does not support {what}", end = if *server { "server" } else { "client" })]
    Unsupported {
        /// Whether it was the server's end.
        server: bool,
        /// What it was asked for.
        what: String,
    },
    /// Something else than what was expected happened.
    #[error("{0}")]
    Wrong(String),
}

impl Failure {
    /// Something else than expected.
    pub fn new(text: impl Into<String>) -> Self {
        Self::Wrong(text.into())
    }

    /// The same, with a word in front that says where.
    #[must_use]
    pub fn at(self, place: &str) -> Self {
        match self {
            Self::Wrong(text) => Self::Wrong(format!("{place}: {text}")),
            other @ Self::Unsupported { .. } => other,
        }
    }
}

impl From<ProcessError> for Failure {
    fn from(error: ProcessError) -> Self {
        match error {
            ProcessError::Refused { error } => Self::Wrong(format!("a command failed: {error}")),
            // Without the lines: the stage has them.
            ProcessError::Timeout { what, after, .. } => Self::Wrong(format!("no {what} within {after:?}")),
            ProcessError::Ended { what, .. } => Self::Wrong(format!("the peer ended before {what} came")),
            ProcessError::Spawn(error) if error.kind() == ErrorKind::BrokenPipe => {
                Self::Wrong("the peer ended before it could be told".to_owned())
            }
            ProcessError::Spawn(error) => Self::Wrong(format!("the peer is not reached: {error}")),
        }
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        Self::Wrong(format!("the runner's own socket: {error}"))
    }
}

/// Fails unless `found` is what was expected.
///
/// # Errors
///
/// [`Failure::Wrong`] that shows both.
pub fn same<T: PartialEq + Debug>(what: &str, found: &T, expected: &T) -> Outcome {
    if found == expected {
        return Ok(());
    }
    Err(Failure::Wrong(format!("{what}: expected {}, found {}", short(expected), short(found))))
}

/// Fails with `what` unless it holds.
///
/// # Errors
///
/// [`Failure::Wrong`].
pub fn holds(what: &str, it: bool) -> Outcome {
    if it { Ok(()) } else { Err(Failure::Wrong(format!("it does not hold that {what}"))) }
}

/// The first argument of an event line.
pub fn data(line: &Value) -> &Value {
    &line["args"][0]
}

fn short(value: &impl Debug) -> String {
    /// What is worth reading in a report, in characters.
    const MOST: usize = 300;
    let text = format!("{value:?}");
    if text.chars().count() <= MOST {
        return text;
    }
    format!("{}…", text.chars().take(MOST).collect::<String>())
}
