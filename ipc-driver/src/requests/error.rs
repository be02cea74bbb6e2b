//! Why a request brought no result.

use crate::printable::Printable;
use ipc_proto::{DataError, EmitError, Failure};
use std::error::Error;
use std::fmt;
use std::time::Duration;

/// A request brought no result. Whether the peer has seen or done what was asked is certain only where it says so.
#[non_exhaustive]
pub enum RequestError {
    /// No reply came in time. A peer that knows nothing of requests answers none; one that comes later is dropped.
    TimedOut {
        /// What was asked for.
        event: Box<str>,
        /// How long it was waited for.
        after: Duration,
    },
    /// The connection ended, was closed or broke before a reply came.
    Disconnected {
        /// What was asked for.
        event: Box<str>,
    },
    /// The peer says why there is no result.
    Remote {
        /// What was asked for.
        event: Box<str>,
        /// Code, message and data, as the peer gave them. `Display` shows control characters escaped.
        failure: Failure,
    },
    /// The result is not what was expected. Its [`source`](std::error::Error::source) says what was found, and
    /// may quote it.
    Reply {
        /// What was asked for.
        event: Box<str>,
        /// What serde said.
        source: DataError,
    },
    /// The request was not sent.
    Emit {
        /// What was asked for.
        event: Box<str>,
        /// Why: full, not connected, closed, or the params cannot be encoded.
        source: EmitError,
    },
    /// The request was not sent, as too many wait for a reply.
    TooMany {
        /// What was asked for.
        event: Box<str>,
        /// How many may wait.
        limit: usize,
    },
}

impl fmt::Display for RequestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TimedOut { event, after } => write!(
                f,
                "no reply to request {event:?} within {after:?}; the peer is slow, or does not answer requests of that name"
            ),
            Self::Disconnected { event } => write!(
                f,
                "the connection ended before a reply to request {event:?} came; whether the peer has done it is not known"
            ),
            Self::Remote { event, failure } => write!(f, "request {event:?} failed: {}", Printable(failure)),
            Self::Reply { event, source } => {
                write!(f, "the reply to request {event:?} does not fit the requested type")?;
                source.expected().map_or(Ok(()), |what| write!(f, ": {what}"))
            }
            Self::Emit { event, source } => write!(f, "request {event:?} was not sent: {source}"),
            Self::TooMany { event, limit } => write!(
                f,
                "request {event:?} was not sent: as many wait for a reply as RequestOptions::max_pending allows ({limit}); \
                 wait for one of them, or raise it"
            ),
        }
    }
}

impl Error for RequestError {
    /// What lies below the errors that `Display` shows already.
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Reply { source, .. } => source.source(),
            Self::Emit { source, .. } => source.source(),
            _ => None,
        }
    }
}

crate::error::debug_as_display!(RequestError);

impl RequestError {
    /// What was asked for.
    #[must_use]
    pub fn event(&self) -> &str {
        match self {
            Self::TimedOut { event, .. }
            | Self::Disconnected { event }
            | Self::Remote { event, .. }
            | Self::Reply { event, .. }
            | Self::Emit { event, .. }
            | Self::TooMany { event, .. } => event,
        }
    }

    /// What the peer says, if it is that.
    #[must_use]
    pub fn failure(&self) -> Option<&Failure> {
        match self {
            Self::Remote { failure, .. } => Some(failure),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_peer_says_stays_on_its_line() {
        let failure = Failure::new("ERR_X", "one\ntwo \u{1b}[31m");
        let error = RequestError::Remote { event: "a".into(), failure };
        assert_eq!(error.to_string(), "request \"a\" failed: one\\ntwo \\u{1b}[31m (ERR_X)");
        assert!(error.source().is_none());
        assert_eq!(error.failure().map(Failure::message), Some("one\ntwo \u{1b}[31m"));
    }

    #[test]
    fn what_was_found_in_a_reply_is_below_what_was_expected() {
        let message = ipc_proto::Message::new("a", "secret").unwrap();
        let error = RequestError::Reply { event: "a".into(), source: message.data::<u8>().unwrap_err() };
        let told = error.to_string();
        assert!(told.starts_with("the reply to request \"a\" does not fit the requested type: expected u8"), "{told}");
        assert!(!told.contains("secret"), "{told}");
        assert!(error.source().unwrap().to_string().starts_with("invalid type: string \"secret\""));
    }
    #[test]
    fn every_error_names_what_was_asked_for() {
        let event = || Box::<str>::from("sum");
        let message = ipc_proto::Message::new("sum", "secret").unwrap();
        for error in [
            RequestError::TimedOut { event: event(), after: Duration::from_secs(1) },
            RequestError::Disconnected { event: event() },
            RequestError::Remote { event: event(), failure: Failure::new("ERR_X", "no") },
            RequestError::Reply { event: event(), source: message.data::<u8>().unwrap_err() },
            RequestError::Emit { event: event(), source: EmitError::Closed },
            RequestError::TooMany { event: event(), limit: 1 },
        ] {
            assert_eq!(error.event(), "sum");
            assert!(error.to_string().contains("request \"sum\""), "{error}");
        }
    }
}
