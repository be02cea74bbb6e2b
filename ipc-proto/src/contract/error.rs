//! Why an event is none of a contract's.

use super::Contract;
use crate::error::shortened;
use crate::event::DataError;
use std::fmt;

/// A received event cannot be read as one of a contract.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ContractError {
    /// The contract has no event of this name. The peer may speak a newer version of it, or another one beside it.
    #[error("the contract has no event {name:?}, only {}", Names(.expected))]
    UnknownEvent {
        /// The name, shortened to 64 characters.
        name: Box<str>,
        /// Those that the contract has.
        expected: &'static [&'static str],
    },
    /// The contract has this event, and its payload is another.
    #[error(transparent)]
    Data(#[from] DataError),
}

impl ContractError {
    pub(super) fn unknown<C: Contract>(name: &str) -> Self {
        Self::UnknownEvent { name: shortened(name), expected: C::NAMES }
    }

    /// Whether it is the name that the contract does not have.
    #[must_use]
    pub fn is_unknown_event(&self) -> bool {
        matches!(self, Self::UnknownEvent { .. })
    }
}

/// At most eight of them: an error is read by people.
struct Names<'a>(&'a [&'static str]);

impl fmt::Display for Names<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const SHOWN: usize = 8;
        for (index, name) in self.0.iter().take(SHOWN).enumerate() {
            write!(f, "{}{name:?}", if index == 0 { "" } else { ", " })?;
        }
        match self.0.len() {
            0 => f.write_str("none at all"),
            all if all > SHOWN => write!(f, " and {} more", all - SHOWN),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_eight_names_are_told_and_how_many_more_there_are() {
        let names = ["a", "b", "c", "d", "e", "f", "g", "h", "i"];
        assert_eq!(Names(&[]).to_string(), "none at all");
        assert_eq!(Names(&names[..2]).to_string(), r#""a", "b""#);
        assert_eq!(Names(&names[..8]).to_string(), r#""a", "b", "c", "d", "e", "f", "g", "h""#);
        assert_eq!(Names(&names).to_string(), r#""a", "b", "c", "d", "e", "f", "g", "h" and 1 more"#);
    }
}
