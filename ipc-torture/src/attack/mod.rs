//! Hostile peers against a server or client of ours in a process of its own.
//!
//! Each attack is a function: it starts its victim, attacks, looks at the victim from outside, and returns a line of figures, or what
//! the victim did not withstand. [`LIST`] has all of them for the command; the tests call them one by one with smaller numbers.

pub mod crowd;
pub mod names;
pub mod size;
pub mod slow;
pub mod tls;

use crate::child::Child;
use crate::raw::Raw;
use std::path::Path;
use std::time::Duration;

/// A line of figures, or what went wrong.
pub type Outcome = Result<String, String>;

/// How large an attack is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scale {
    /// Seconds for all of them together.
    Quick,
    /// As large as it says in their descriptions.
    Full,
}

impl Scale {
    fn pick<T>(self, quick: T, full: T) -> T {
        match self {
            Self::Quick => quick,
            Self::Full => full,
        }
    }
}

/// An attack: the program of the victim, and how large it is to be.
pub type Attack = fn(&Path, Scale) -> Outcome;

/// Every attack by name.
pub const LIST: [(&str, Attack); 15] = [
    ("slow frames", slow::frames),
    ("slow handshakes", slow::handshakes),
    ("a slow server", slow::server),
    ("a huge frame", size::huge_frame),
    ("an endless frame", size::endless_frame),
    ("deep JSON", size::deep_json),
    ("deep JSON from a server", size::deep_json_from_a_server),
    ("a million tiny frames", size::tiny_frames),
    ("names nobody handles", names::unhandled),
    ("names among many handlers", names::among_handlers),
    ("ids claimed without end", names::claimed_ids),
    ("datagrams from everywhere", crowd::datagrams),
    ("bytes that are no TLS", tls::garbage),
    ("a server that speaks no TLS", tls::server),
    ("renegotiation of TLS", tls::renegotiation),
];

/// An error in words.
fn words(error: impl std::fmt::Display) -> String {
    error.to_string()
}

/// `Ok` if it is so.
fn check(so: bool, otherwise: impl FnOnce() -> String) -> Result<(), String> {
    if so { Ok(()) } else { Err(otherwise()) }
}

/// A newcomer is served. How long its round trip took.
fn still_serves(victim: &Child) -> Result<Duration, String> {
    let mut newcomer = Raw::connect(&victim.endpoint).map_err(|error| format!("nobody gets in any more: {error}"))?;
    newcomer.round_trip().map_err(|error| format!("a newcomer gets no answer: {error}"))
}
