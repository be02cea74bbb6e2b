//! What can be wrong with a message, and the `ERR_IPC_…` codes that say so.
//!
//! Two sides, two types: a [`ProtocolError`] means the remote broke the protocol, an [`EncodeError`] means this program asked
//! for something that cannot be sent. Errors of configuration and of lifecycle live with what they are about.

use std::fmt;
use std::time::Duration;

use crate::json::JsonKind;

/// The error codes of node-ipc 14.0.0 (`error.code`), which this crate shares.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Code {
    /// `ERR_IPC_INVALID_JSON`: a frame is not JSON.
    InvalidJson,
    /// `ERR_IPC_INVALID_MESSAGE`: a frame is JSON but not an object.
    InvalidMessage,
    /// `ERR_IPC_INVALID_EVENT`: the event name is missing, not a string, empty, or one the rules call unsafe.
    InvalidEvent,
    /// `ERR_IPC_EVENT_TOO_LARGE`: the event name is longer than `maxEventNameLength`.
    EventTooLarge,
    /// `ERR_IPC_RESERVED_EVENT`: the event name is one of node-ipc's own.
    ReservedEvent,
    /// `ERR_IPC_EVENT_NOT_ALLOWED`: the event name is not in `allowedEvents`.
    EventNotAllowed,
    /// `ERR_IPC_FRAME_TOO_LARGE`: the message is larger than `maxMessageSize`.
    FrameTooLarge,
    /// `ERR_IPC_BACKPRESSURE`: more than `maxPendingBytes` wait to be sent.
    Backpressure,
    /// `ERR_IPC_MESSAGE_TIMEOUT`: a message stayed unfinished for `messageTimeout`.
    MessageTimeout,
    /// `ERR_IPC_ASSURED_TRANSPORT`: the assured preset does not allow this transport.
    AssuredTransport,
    /// `ERR_IPC_ASSURED_TLS`: the assured preset requires mutual TLS.
    AssuredTls,
    /// `ERR_IPC_TLS_CONFIGURATION`: the TLS options contradict each other or are incomplete.
    TlsConfiguration,
    /// `ERR_IPC_SOCKET_ROOT`: the socket directory is not one this process may trust.
    SocketRoot,
    /// `ERR_IPC_UNLINK_NOT_SOCKET`: the file at the socket path is no socket and is left alone.
    UnlinkNotSocket,
}

impl Code {
    /// The code as node-ipc 14.0.0 writes it, such as `ERR_IPC_INVALID_JSON`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::InvalidJson => "ERR_IPC_INVALID_JSON",
            Self::InvalidMessage => "ERR_IPC_INVALID_MESSAGE",
            Self::InvalidEvent => "ERR_IPC_INVALID_EVENT",
            Self::EventTooLarge => "ERR_IPC_EVENT_TOO_LARGE",
            Self::ReservedEvent => "ERR_IPC_RESERVED_EVENT",
            Self::EventNotAllowed => "ERR_IPC_EVENT_NOT_ALLOWED",
            Self::FrameTooLarge => "ERR_IPC_FRAME_TOO_LARGE",
            Self::Backpressure => "ERR_IPC_BACKPRESSURE",
            Self::MessageTimeout => "ERR_IPC_MESSAGE_TIMEOUT",
            Self::AssuredTransport => "ERR_IPC_ASSURED_TRANSPORT",
            Self::AssuredTls => "ERR_IPC_ASSURED_TLS",
            Self::TlsConfiguration => "ERR_IPC_TLS_CONFIGURATION",
            Self::SocketRoot => "ERR_IPC_SOCKET_ROOT",
            Self::UnlinkNotSocket => "ERR_IPC_UNLINK_NOT_SOCKET",
        }
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The remote broke the protocol.
///
/// Event names inside are shortened to 64 characters, and escaped when displayed, so that a peer cannot write log lines.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ProtocolError {
    /// The frame is not JSON text.
    #[error(
        "received message is not valid JSON: expected {expected} at byte {offset}; \
         do both sides have the same delimiter and encoding?"
    )]
    InvalidJson {
        /// Where it goes wrong, in bytes from the start of the frame (of its text, once invalid UTF-8 is replaced).
        offset: usize,
        /// What should have been there.
        expected: &'static str,
    },
    /// The frame is JSON, but not an object.
    #[error("received message must be a JSON object, not {found}")]
    InvalidMessage {
        /// What it is.
        found: JsonKind,
    },
    /// The object has no `type`, or one that is no string.
    #[error("event type must be a string, but {}", TypeFound(*.found))]
    InvalidEvent {
        /// What the `type` is; `None` when there is no such key.
        found: Option<JsonKind>,
    },
    /// The event name is empty, which the guarded presets refuse.
    #[error("event type must be a non-empty string")]
    EmptyEvent,
    /// The event name is a property of JavaScript's `Object.prototype`, which the guarded presets refuse.
    #[error("event type {name:?} is not safe for JavaScript peers; the sender has to choose another")]
    UnsafeEvent {
        /// The name, shortened.
        name: Box<str>,
    },
    /// The event name is longer than `maxEventNameLength`.
    #[error(
        "event type of {length} UTF-16 units exceeds maxEventNameLength ({limit}); \
         the sender has to choose a shorter one, or raise it here"
    )]
    EventTooLarge {
        /// Its length in UTF-16 units.
        length: usize,
        /// The limit in UTF-16 units.
        limit: usize,
    },
    /// The event name belongs to node-ipc's own lifecycle, which the guarded presets refuse.
    #[error("event type {name:?} is reserved for local lifecycle events; the sender has to choose another")]
    ReservedEvent {
        /// The name, shortened.
        name: Box<str>,
    },
    /// The event name is not in `allowedEvents`.
    #[error("event type {name:?} is not in allowedEvents; add it there if it may pass")]
    EventNotAllowed {
        /// The name, shortened.
        name: Box<str>,
    },
    /// The message is larger than `maxMessageSize`.
    #[error(
        "message of {length} bytes or more exceeds maxMessageSize ({limit}); \
         the sender has to send less at a time, or raise it here"
    )]
    FrameTooLarge {
        /// The bytes it has at least, without delimiter.
        length: usize,
        /// The limit in bytes.
        limit: usize,
    },
    /// A message was begun and not finished in time.
    #[error(
        "incomplete message exceeded messageTimeout ({after:?}); \
         its sender stalls, or ends its messages with another delimiter"
    )]
    MessageTimeout {
        /// How long it was waited for.
        after: Duration,
    },
}

impl ProtocolError {
    /// The code node-ipc 14.0.0 gives this error.
    pub const fn code(&self) -> Code {
        match self {
            Self::InvalidJson { .. } => Code::InvalidJson,
            Self::InvalidMessage { .. } => Code::InvalidMessage,
            Self::InvalidEvent { .. } | Self::EmptyEvent | Self::UnsafeEvent { .. } => Code::InvalidEvent,
            Self::EventTooLarge { .. } => Code::EventTooLarge,
            Self::ReservedEvent { .. } => Code::ReservedEvent,
            Self::EventNotAllowed { .. } => Code::EventNotAllowed,
            Self::FrameTooLarge { .. } => Code::FrameTooLarge,
            Self::MessageTimeout { .. } => Code::MessageTimeout,
        }
    }
}

/// This program asked for a message that cannot be sent. Nothing was written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EncodeError {
    /// The payload could not be serialised: its `Serialize` failed, or it has a map key that is no string.
    #[error("the payload cannot be written as JSON: {0}")]
    Serialize(serde_json::Error),
    /// JSON text given as it is turned out not to be JSON.
    #[error("the given text is not valid JSON: expected {expected} at byte {offset}")]
    InvalidJson {
        /// Where it goes wrong, in bytes.
        offset: usize,
        /// What should have been there.
        expected: &'static str,
    },
    /// The event name is no string, or absent, which the guarded presets refuse.
    #[error("event type must be a string, but {}", TypeFound(*.found))]
    InvalidEvent {
        /// What the `type` is; `None` when it is absent.
        found: Option<JsonKind>,
    },
    /// The event name is empty, which the guarded presets refuse.
    #[error("event type must be a non-empty string")]
    EmptyEvent,
    /// The event name is a property of JavaScript's `Object.prototype`, which the guarded presets refuse.
    #[error(
        "event type {name:?} is not safe for JavaScript peers, whose objects have a property of that name; choose another"
    )]
    UnsafeEvent {
        /// The name, shortened.
        name: Box<str>,
    },
    /// The event name is longer than `maxEventNameLength`.
    #[error("event type of {length} UTF-16 units exceeds maxEventNameLength ({limit}); choose a shorter name")]
    EventTooLarge {
        /// Its length in UTF-16 units.
        length: usize,
        /// The limit in UTF-16 units.
        limit: usize,
    },
    /// The event name belongs to node-ipc's own lifecycle, which the guarded presets refuse.
    #[error("event type {name:?} is reserved for local lifecycle events; choose another name")]
    ReservedEvent {
        /// The name, shortened.
        name: Box<str>,
    },
    /// The event name is not in `allowedEvents`.
    #[error("event type {name:?} is not in allowedEvents; add it there, on both sides")]
    EventNotAllowed {
        /// The name, shortened.
        name: Box<str>,
    },
    /// The message is larger than `maxMessageSize`.
    #[error(
        "message of {length} bytes exceeds maxMessageSize ({limit}); send less at a time, or raise it on both sides"
    )]
    FrameTooLarge {
        /// Its length in bytes, without delimiter.
        length: usize,
        /// The limit in bytes.
        limit: usize,
    },
    /// The message contains the delimiter and cannot be written in a way that does not.
    #[error(
        "the message contains the delimiter {delimiter}, which would cut it in two for the receiver; \
         choose another delimiter, on both sides"
    )]
    ContainsDelimiter {
        /// The delimiter, escaped.
        delimiter: Box<str>,
    },
}

impl From<serde_json::Error> for EncodeError {
    fn from(error: serde_json::Error) -> Self {
        Self::Serialize(error)
    }
}

impl EncodeError {
    /// The code node-ipc 14.0.0 gives this error, if it has one.
    pub const fn code(&self) -> Option<Code> {
        match self {
            Self::Serialize(_) | Self::ContainsDelimiter { .. } => None,
            Self::InvalidJson { .. } => Some(Code::InvalidJson),
            Self::InvalidEvent { .. } | Self::EmptyEvent | Self::UnsafeEvent { .. } => Some(Code::InvalidEvent),
            Self::EventTooLarge { .. } => Some(Code::EventTooLarge),
            Self::ReservedEvent { .. } => Some(Code::ReservedEvent),
            Self::EventNotAllowed { .. } => Some(Code::EventNotAllowed),
            Self::FrameTooLarge { .. } => Some(Code::FrameTooLarge),
        }
    }
}

/// Ends the sentence "event type must be a string, but …".
struct TypeFound(Option<JsonKind>);

impl fmt::Display for TypeFound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            None => f.write_str("there is none"),
            Some(kind) => write!(f, "it is {kind}"),
        }
    }
}

/// A name as errors keep it: at most 64 characters, the cut marked by `…`.
pub(crate) fn shortened(name: &str) -> Box<str> {
    const KEPT: usize = 64;
    match name.char_indices().nth(KEPT) {
        None => name.into(),
        Some((end, _)) => [&name[..end], "…"].concat().into(),
    }
}

/// `Debug` says what `Display` says. An error that ends `main`, or an `unwrap`, is for people, and `Debug` is what they see.
macro_rules! debug_as_display {
    ($($error:ty),*) => {
        $(impl std::fmt::Debug for $error {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                std::fmt::Display::fmt(self, f)
            }
        })*
    };
}
pub(crate) use debug_as_display;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_is_spelt_as_node_ipc_spells_it() {
        assert_eq!(Code::InvalidJson.to_string(), "ERR_IPC_INVALID_JSON");
        assert_eq!(Code::UnlinkNotSocket.as_str(), "ERR_IPC_UNLINK_NOT_SOCKET");
    }

    #[test]
    fn names_in_messages_are_cut_to_64_characters_and_escaped() {
        let name = "é\n".repeat(100);
        let text = ProtocolError::ReservedEvent { name: shortened(&name) }.to_string();
        assert!(!text.contains('\n'), "{text}");
        assert_eq!(text.matches("\\n").count(), 32);
        assert!(text.contains('…'));
        assert_eq!(&*shortened("short"), "short");
    }

    #[test]
    fn what_a_peer_did_wrong_is_told_with_what_to_do() {
        let name = || shortened("connect");
        let errors = [
            ProtocolError::InvalidJson { offset: 0, expected: "an object" },
            ProtocolError::UnsafeEvent { name: name() },
            ProtocolError::EventTooLarge { length: 300, limit: 256 },
            ProtocolError::ReservedEvent { name: name() },
            ProtocolError::EventNotAllowed { name: name() },
            ProtocolError::FrameTooLarge { length: 2, limit: 1 },
            ProtocolError::MessageTimeout { after: Duration::from_secs(10) },
        ];
        for error in errors {
            let text = error.to_string();
            let (happened, advice) = text.split_once("; ").expect("advice");
            assert!(!happened.is_empty() && !advice.ends_with('.') && !text.contains("  "), "{text}");
        }
    }

    #[test]
    fn what_serde_said_is_told_once() {
        let error = EncodeError::from(serde_json::from_str::<u8>("x").unwrap_err());
        assert!(error.to_string().starts_with("the payload cannot be written as JSON: "), "{error}");
        assert!(std::error::Error::source(&error).is_none());
    }

    #[test]
    fn messages_say_what_came_instead() {
        let missing = ProtocolError::InvalidEvent { found: None };
        assert_eq!(missing.to_string(), "event type must be a string, but there is none");
        let number = ProtocolError::InvalidEvent { found: Some(JsonKind::Number) };
        assert_eq!(number.to_string(), "event type must be a string, but it is a number");
    }
}
