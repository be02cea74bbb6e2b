//! An event encoded once for many queues, and why a queue may refuse an event.
//!
//! Queues are in `outbound` and `datagrams`.

use crate::{Delimiter, EncodeError, Encoder, Message, Settings};
use bytes::Bytes;
use serde::Serialize;
use std::fmt;
use std::net::SocketAddr;

/// Why an emit was refused. Nothing of it was queued.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum EmitError {
    /// The event cannot be sent as it is.
    #[error(transparent)]
    Encode(#[from] EncodeError),
    /// The queue is full: the peer reads more slowly than we write (node-ipc 14's `ERR_IPC_BACKPRESSURE`). Wait for
    /// room, drop the event, or raise the `option`.
    #[error(
        "the outbound queue is full: {pending} bytes wait, this event has {length}, {option} allows {limit}; wait for room, as `send` does, or raise it"
    )]
    Full {
        /// Bytes queued and not yet taken by the operating system.
        pending: usize,
        /// Bytes of the refused frame.
        length: usize,
        /// What the option allows; twice that in a handler that answers its own peer.
        limit: usize,
        /// `maxPendingBytes`, or `maxOfflineBytes` of a client that is not connected.
        option: &'static str,
    },
    /// The queue was full, and the policy [`SlowConsumer::Disconnect`](crate::SlowConsumer::Disconnect) has ended the
    /// connection for it.
    #[error(
        "the peer reads too slowly and is disconnected: {pending} bytes wait, this event has {length}, maxPendingBytes allows {limit}, and slowConsumer is \"disconnect\"; raise the one or change the other"
    )]
    TooSlow {
        /// Bytes queued and not yet taken by the operating system.
        pending: usize,
        /// Bytes of the refused frame.
        length: usize,
        /// `maxPendingBytes`.
        limit: usize,
    },
    /// There is no connection at the moment, and the offline policy is to refuse.
    #[error(
        "not connected: emit once `connect()` has returned, and not while the connection is lost, or set the option `offline` to \"buffer\" to have events wait"
    )]
    NotConnected,
    /// The connection or client has ended; it takes no more events. Over UDP: the server has no socket, as it is not started
    /// or has stopped.
    #[error(
        "closed: this end takes no events, as it has ended for good, or is a server that was not started; make a new client, or start the server"
    )]
    Closed,
    /// A framed event on a raw connection, bytes on a framed one, or a frame made for another delimiter.
    #[error("this connection is {mode}: {advice}")]
    WrongMode {
        /// What the connection is.
        mode: &'static str,
        /// What to call instead.
        advice: &'static str,
    },
    /// Over UDP: the event does not fit into one datagram.
    #[error("the event takes {length} bytes and a datagram holds {limit}; send less at a time, or use TCP")]
    TooLarge {
        /// Its length in bytes, delimiter included.
        length: usize,
        /// [`MAX_DATAGRAM`](crate::MAX_DATAGRAM).
        limit: usize,
    },
    /// Over UDP: an address that this socket cannot send to.
    #[error("cannot send to {to}: {reason}")]
    Address {
        /// The address.
        to: SocketAddr,
        /// Why, and what to do.
        reason: &'static str,
    },
}

impl EmitError {
    /// Whether the same event may be taken later: the queue was full, or the client is between two connections.
    #[must_use]
    pub fn is_temporary(&self) -> bool {
        matches!(self, Self::Full { .. } | Self::NotConnected)
    }
}

/// A frame encoded once and shared by every connection it is sent to: clones share its bytes.
///
/// ```
/// use ipc_proto::{Config, Frame, Host, Message, Platform};
///
/// let settings = Config::new("world").build(&Host::new("pluto", Platform::Linux))?;
/// let frame = Frame::new(&settings, "price", &7)?;
/// assert_eq!(frame.as_bytes(), b"{\"type\":\"price\",\"data\":7}\x0c");
/// let same = Frame::from_message(&settings, &Message::new("price", &7)?)?;
/// assert_eq!(same.as_bytes(), frame.as_bytes());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// `Debug` shows its length, never its bytes.
#[derive(Clone)]
pub struct Frame {
    pub(crate) bytes: Bytes,
    /// What it ends in; `None` for raw bytes.
    delimiter: Option<Delimiter>,
}

impl Frame {
    /// Encodes an event as `settings` want it.
    ///
    /// # Errors
    ///
    /// As [`Outbound::emit`](crate::Outbound::emit), except for the state of a queue.
    pub fn new<T: Serialize + ?Sized>(settings: &Settings, name: &str, data: &T) -> Result<Self, EmitError> {
        Self::encode(settings, |encoder, out| encoder.encode(name, data, out))
    }

    /// Encodes a message.
    ///
    /// # Errors
    ///
    /// As [`Frame::new`].
    pub fn from_message(settings: &Settings, message: &Message) -> Result<Self, EmitError> {
        Self::encode(settings, |encoder, out| encoder.encode_message(message, out))
    }

    /// Encodes an envelope from exact JSON texts, see
    /// [`Outbound::emit_envelope`](crate::Outbound::emit_envelope).
    ///
    /// # Errors
    ///
    /// As [`Frame::new`].
    pub fn from_envelope(
        settings: &Settings,
        type_json: Option<&str>,
        data_json: Option<&str>,
    ) -> Result<Self, EmitError> {
        Self::encode(settings, |encoder, out| encoder.encode_envelope(type_json, data_json, out))
    }

    /// Wraps bytes for a raw connection.
    ///
    /// # Errors
    ///
    /// [`EmitError::WrongMode`] where `settings` are framed.
    pub fn raw(settings: &Settings, bytes: impl Into<Bytes>) -> Result<Self, EmitError> {
        if settings.is_raw() { Ok(Self { bytes: bytes.into(), delimiter: None }) } else { Err(FRAMED) }
    }

    fn encode(
        settings: &Settings,
        encode: impl FnOnce(&Encoder, &mut Vec<u8>) -> Result<usize, EncodeError>,
    ) -> Result<Self, EmitError> {
        if settings.is_raw() {
            return Err(RAW);
        }
        let mut out = Vec::with_capacity(128);
        encode(&settings.encoder(), &mut out)?;
        Ok(Self { bytes: out.into(), delimiter: Some(settings.delimiter().clone()) })
    }

    /// Whether it may be sent where frames end in `delimiter`, or bytes are sent.
    pub(crate) fn check(&self, raw: bool, delimiter: &Delimiter) -> Result<(), EmitError> {
        match &self.delimiter {
            None if !raw => Err(FRAMED),
            Some(_) if raw => Err(RAW),
            Some(own) if own != delimiter => Err(OTHER_DELIMITER),
            _ => Ok(()),
        }
    }

    /// Bytes on the wire, delimiter included.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }
}

impl fmt::Debug for Frame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Frame").field("bytes", &self.bytes.len()).finish()
    }
}

pub(crate) const RAW: EmitError = EmitError::WrongMode { mode: "raw (rawBuffer)", advice: "emit bytes with emit_raw" };
pub(crate) const FRAMED: EmitError =
    EmitError::WrongMode { mode: "framed", advice: "emit events, or set rawBuffer to exchange bytes" };
const OTHER_DELIMITER: EmitError = EmitError::WrongMode {
    mode: "framed by another delimiter",
    advice: "encode the frame with the settings of this connection",
};

crate::error::debug_as_display!(EmitError);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refused_event_is_told_with_numbers_and_what_to_do() {
        let (pending, length, limit) = (969, 323, 1000);
        for (error, told) in [
            (
                EmitError::Full { pending, length, limit, option: "maxPendingBytes" },
                "the outbound queue is full: 969 bytes wait, this event has 323, maxPendingBytes allows 1000; wait for room, \
                 as `send` does, or raise it",
            ),
            (
                EmitError::TooSlow { pending, length, limit },
                "the peer reads too slowly and is disconnected: 969 bytes wait, this event has 323, maxPendingBytes allows \
                 1000, and slowConsumer is \"disconnect\"; raise the one or change the other",
            ),
            (
                EmitError::Closed,
                "closed: this end takes no events, as it has ended for good, or is a server that was not started; make a new client, or start the server",
            ),
        ] {
            assert_eq!(error.to_string(), told);
        }
    }
}
