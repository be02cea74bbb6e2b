//! Why a request brought no result.

use ipc_proto::{DataError, EmitError, Failure};
use std::time::Duration;

/// A request brought no result. Whether the peer has seen or done what was asked is certain only where it says so.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum RequestError {
    /// No reply came in time. A peer that knows nothing of requests answers none; one that comes later is dropped.
    #[error("no reply to request {event:?} within {after:?}")]
    TimedOut {
        /// What was asked for.
        event: Box<str>,
        /// How long it was waited for.
        after: Duration,
    },
    /// The connection ended, was closed or broke before a reply came.
    #[error("the connection ended before a reply to request {event:?} came")]
    Disconnected {
        /// What was asked for.
        event: Box<str>,
    },
    /// The peer says why there is no result.
    #[error("request {event:?} failed: {failure}")]
    Remote {
        /// What was asked for.
        event: Box<str>,
        /// Code, message and data, as the peer gave them.
        #[source]
        failure: Failure,
    },
    /// The result is not what was expected. The source of this source says what was found, and may quote it.
    #[error("the reply to request {event:?} does not fit the requested type{}", source.expected().map(|what| format!(": {what}")).unwrap_or_default())]
    Reply {
        /// What was asked for.
        event: Box<str>,
        /// What serde said.
        #[source]
        source: DataError,
    },
    /// The request was not sent.
    #[error("request {event:?} was not sent: {source}")]
    Emit {
        /// What was asked for.
        event: Box<str>,
        /// Why: full, not connected, closed, or the params cannot be encoded.
        #[source]
        source: EmitError,
    },
    /// The request was not sent, as too many wait for a reply.
    #[error("request {event:?} was not sent: {limit} wait for a reply already, see RequestOptions::max_pending")]
    TooMany {
        /// What was asked for.
        event: Box<str>,
        /// How many may wait.
        limit: usize,
    },
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
