//! Why a configuration cannot be used, in words that name the option, what came and what is allowed.
//!
//! Values of secret options are not repeated. Errors of addresses live in `endpoint`.

use serde_json::Value;

/// The configuration is wrong. Nothing was opened.
#[derive(Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// An option has a value it cannot have.
    #[error("option {option} cannot be {value}; allowed is {allowed}")]
    Invalid {
        /// The option by its JSON name, such as `retry` or `interface.localPort`.
        option: String,
        /// The value, shortened to 64 characters; only its kind if it may be secret.
        value: String,
        /// What is allowed instead.
        allowed: String,
    },
    /// There is no option of this name.
    #[error("there is no option {option:?}{}", DidYouMean(nearest.as_deref()))]
    Unknown {
        /// The name that came, shortened to 64 characters.
        option: String,
        /// The option whose name is nearest, if any is near.
        nearest: Option<String>,
    },
    /// An option is there more than once, and which is meant cannot be known.
    #[error("option {option} is given twice{}; leave one of the two out", FirstAs { option, first })]
    Twice {
        /// The option as it is named the second time.
        option: String,
        /// The same where it came first: another name, if it has two.
        first: String,
    },
    /// Two options contradict each other, or one requires the other.
    #[error("options {option} and {other} do not go together: {reason}")]
    Conflict {
        /// One option by its JSON name.
        option: &'static str,
        /// The other option.
        other: &'static str,
        /// Why, and what to do.
        reason: &'static str,
    },
    /// An option is set, and another that it needs is not.
    #[error("option {option} is missing: {other} needs {reason}")]
    Missing {
        /// The missing option by its JSON name.
        option: &'static str,
        /// The option that needs it.
        other: &'static str,
        /// What it is needed as.
        reason: &'static str,
    },
    /// The text is not JSON, or not an object.
    #[error("options must be a JSON object: {reason}")]
    Json {
        /// What is wrong with it.
        reason: String,
    },
}

impl ConfigError {
    pub(crate) fn invalid(option: impl Into<String>, value: impl ToString, allowed: impl Into<String>) -> Self {
        Self::Invalid { option: option.into(), value: value.to_string(), allowed: allowed.into() }
    }

    /// The same about an option of the group `known`, which was written as `written`.
    pub(super) fn of_group(self, known: &str, written: &str) -> Self {
        let renamed = |option: String| match option.strip_prefix(known).filter(|rest| rest.starts_with('.')) {
            Some(rest) => format!("{written}{rest}"),
            None => option,
        };
        match self {
            Self::Invalid { option, value, allowed } => Self::Invalid { option: renamed(option), value, allowed },
            Self::Unknown { option, nearest } => {
                Self::Unknown { option: renamed(option), nearest: nearest.map(renamed) }
            }
            other => other,
        }
    }

    pub(super) const fn conflict(option: &'static str, other: &'static str, reason: &'static str) -> Self {
        Self::Conflict { option, other, reason }
    }
}

/// Ends the sentence "there is no option …".
struct DidYouMean<'a>(Option<&'a str>);

impl std::fmt::Display for DidYouMean<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0 {
            Some(name) => write!(f, "; did you mean {name:?}?"),
            None => Ok(()),
        }
    }
}

/// Tells the other name of an option, if it was given under both.
struct FirstAs<'a> {
    option: &'a str,
    first: &'a str,
}

impl std::fmt::Display for FirstAs<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.first {
            first if first == self.option => Ok(()),
            first => write!(f, ", first as {first}"),
        }
    }
}

/// A value as errors show it: short, and only its kind if it may be secret.
pub(super) fn shown(value: &Value, secret: bool) -> String {
    match value {
        Value::String(_) if secret => String::from("this text"),
        Value::Array(_) => String::from("a list"),
        Value::Object(_) => String::from("an object"),
        Value::String(text) => format!("{:?}", crate::error::shortened(text)),
        other => other.to_string(),
    }
}

crate::error::debug_as_display!(ConfigError);
