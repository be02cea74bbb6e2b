//! What the machines have counted: plain numbers, copied out at any time.
//!
//! Each machine counts what it decides itself, into memory that it owns. Numbers only grow, apart from `pending`; they
//! never say what was in a message. Adding the counters of several machines is done with `+=`.

use crate::{Code, EmitError, ProtocolError, Unsent};
use serde::Serialize;

/// Adds every field; does not compile when one is forgotten.
macro_rules! sum_of {
    ($counters:ident { $($field:ident),* $(,)? }) => {
        impl std::ops::AddAssign for $counters {
            fn add_assign(&mut self, other: Self) {
                let Self { $($field),* } = other;
                $(self.$field += $field;)*
            }
        }
    };
}

/// What an [`Inbound`](crate::Inbound) has received.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct InboundCounters {
    /// Bytes taken from the peer.
    pub bytes: u64,
    /// Bytes of the frames that were looked at, delimiters included. On a raw connection, bytes handed out.
    pub frame_bytes: u64,
    /// Events handed out. On a raw connection, pieces of bytes.
    pub events: u64,
    /// What was no event, by what was wrong with it.
    pub malformed: MalformedCounters,
    /// Connections that came to their end because the peer broke the protocol.
    pub failed: u64,
}

impl InboundCounters {
    /// Bytes that belong to no frame: the beginning of an unfinished message, what was kept because nobody could take
    /// it yet, and what came when the protocol was broken for good. Of a connection that has ended, these are lost.
    #[must_use]
    pub fn unframed(&self) -> u64 {
        self.bytes.saturating_sub(self.frame_bytes)
    }
}

sum_of!(InboundCounters { bytes, frame_bytes, events, malformed, failed });

/// How often a peer broke the protocol, by the [`Code`] of the error.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct MalformedCounters {
    /// [`Code::InvalidJson`].
    pub invalid_json: u64,
    /// [`Code::InvalidMessage`].
    pub invalid_message: u64,
    /// [`Code::InvalidEvent`].
    pub invalid_event: u64,
    /// [`Code::EventTooLarge`].
    pub event_too_large: u64,
    /// [`Code::ReservedEvent`].
    pub reserved_event: u64,
    /// [`Code::EventNotAllowed`].
    pub event_not_allowed: u64,
    /// [`Code::FrameTooLarge`].
    pub frame_too_large: u64,
    /// [`Code::MessageTimeout`].
    pub message_timeout: u64,
}

impl MalformedCounters {
    #[cold]
    pub(crate) fn count(&mut self, error: &ProtocolError) {
        let count = match error {
            ProtocolError::InvalidJson { .. } => &mut self.invalid_json,
            ProtocolError::InvalidMessage { .. } => &mut self.invalid_message,
            ProtocolError::InvalidEvent { .. } | ProtocolError::EmptyEvent | ProtocolError::UnsafeEvent { .. } => {
                &mut self.invalid_event
            }
            ProtocolError::EventTooLarge { .. } => &mut self.event_too_large,
            ProtocolError::ReservedEvent { .. } => &mut self.reserved_event,
            ProtocolError::EventNotAllowed { .. } => &mut self.event_not_allowed,
            ProtocolError::FrameTooLarge { .. } => &mut self.frame_too_large,
            ProtocolError::MessageTimeout { .. } => &mut self.message_timeout,
        };
        *count += 1;
    }

    /// Each code with its number.
    #[must_use]
    pub fn by_code(&self) -> [(Code, u64); 8] {
        [
            (Code::InvalidJson, self.invalid_json),
            (Code::InvalidMessage, self.invalid_message),
            (Code::InvalidEvent, self.invalid_event),
            (Code::EventTooLarge, self.event_too_large),
            (Code::ReservedEvent, self.reserved_event),
            (Code::EventNotAllowed, self.event_not_allowed),
            (Code::FrameTooLarge, self.frame_too_large),
            (Code::MessageTimeout, self.message_timeout),
        ]
    }

    /// All together.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.by_code().iter().map(|(_, count)| count).sum()
    }
}

sum_of!(MalformedCounters {
    invalid_json,
    invalid_message,
    invalid_event,
    event_too_large,
    reserved_event,
    event_not_allowed,
    frame_too_large,
    message_timeout,
});

/// What became of the events that an [`Outbound`](crate::Outbound) was given.
///
/// At any time `bytes == written + pending + lost.total().bytes`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct OutboundCounters {
    /// Events taken.
    pub events: u64,
    /// Their bytes, delimiters included.
    pub bytes: u64,
    /// Bytes that were written.
    pub written: u64,
    /// Bytes that wait now: queued, held by `sync`, or handed out and not known to be written. Of several queues, the sum.
    pub pending: u64,
    /// The most bytes that have waited at once, when an event was taken. Of several queues, that of the fullest.
    pub pending_max: u64,
    /// Events refused, by reason.
    pub refused: RefusedEmits,
    /// Events taken and not sent, by reason.
    pub lost: Lost,
}

impl OutboundCounters {
    /// An event is taken while `pending` bytes wait.
    #[inline]
    pub(crate) fn take(&mut self, length: usize, pending: usize) {
        self.events += 1;
        self.bytes += length as u64;
        self.pending_max = self.pending_max.max(pending.saturating_add(length) as u64);
    }
}

impl std::ops::AddAssign for OutboundCounters {
    fn add_assign(&mut self, other: Self) {
        let Self { events, bytes, written, pending, pending_max, refused, lost } = other;
        self.events += events;
        self.bytes += bytes;
        self.written += written;
        self.pending += pending;
        self.pending_max = self.pending_max.max(pending_max);
        self.refused += refused;
        self.lost += lost;
    }
}

/// How often an event was refused, by the [`EmitError`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct RefusedEmits {
    /// [`EmitError::Full`].
    pub full: u64,
    /// [`EmitError::TooSlow`]: once for each connection that was ended for it.
    pub too_slow: u64,
    /// [`EmitError::Encode`].
    pub encode: u64,
    /// [`EmitError::NotConnected`].
    pub not_connected: u64,
    /// [`EmitError::Closed`].
    pub closed: u64,
    /// [`EmitError::WrongMode`].
    pub wrong_mode: u64,
    /// [`EmitError::TooLarge`], over UDP.
    pub too_large: u64,
    /// [`EmitError::Address`], over UDP.
    pub address: u64,
}

impl RefusedEmits {
    #[cold]
    pub(crate) fn count(&mut self, error: &EmitError) {
        let count = match error {
            EmitError::Full { .. } => &mut self.full,
            EmitError::TooSlow { .. } => &mut self.too_slow,
            EmitError::Encode(_) => &mut self.encode,
            EmitError::NotConnected => &mut self.not_connected,
            EmitError::Closed => &mut self.closed,
            EmitError::WrongMode { .. } => &mut self.wrong_mode,
            EmitError::TooLarge { .. } => &mut self.too_large,
            EmitError::Address { .. } => &mut self.address,
        };
        *count += 1;
    }

    /// All together.
    #[must_use]
    pub fn total(&self) -> u64 {
        let Self { full, too_slow, encode, not_connected, closed, wrong_mode, too_large, address } = self;
        full + too_slow + encode + not_connected + closed + wrong_mode + too_large + address
    }
}

sum_of!(RefusedEmits { full, too_slow, encode, not_connected, closed, wrong_mode, too_large, address });

/// Events that were taken and not sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Loss {
    /// How many; 0 on a raw connection, which has no message borders.
    pub events: u64,
    /// Their bytes that were not written.
    pub bytes: u64,
}

impl From<Unsent> for Loss {
    fn from(unsent: Unsent) -> Self {
        Self { events: unsent.messages as u64, bytes: unsent.bytes as u64 }
    }
}

sum_of!(Loss { events, bytes });

/// Events that were taken and not sent, by reason.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Lost {
    /// Still queued at the end of the connection, of a client at its own end.
    pub unsent: Loss,
    /// Begun, and cut by the end of the connection.
    pub torn: Loss,
    /// Dropped by the offline policy of a client.
    pub offline: Loss,
    /// Dropped by the policy `dropOldest` of `slowConsumer`, to make room for a newer event.
    pub dropped_oldest: Loss,
    /// Dropped by the policy `dropNewest` of `slowConsumer`, instead of being queued.
    pub dropped_newest: Loss,
    /// Still queued for a peer that the policy `disconnect` of `slowConsumer` has ended.
    pub too_slow: Loss,
}

impl Lost {
    /// All together.
    #[must_use]
    pub fn total(&self) -> Loss {
        let Self { unsent, torn, offline, dropped_oldest, dropped_newest, too_slow } = *self;
        let mut total = unsent;
        [torn, offline, dropped_oldest, dropped_newest, too_slow].into_iter().for_each(|loss| total += loss);
        total
    }

    /// What the option `slowConsumer` has cost.
    #[must_use]
    pub fn to_slowness(&self) -> Loss {
        let mut total = self.dropped_oldest;
        total += self.dropped_newest;
        total += self.too_slow;
        total
    }
}

sum_of!(Lost { unsent, torn, offline, dropped_oldest, dropped_newest, too_slow });

/// What a [`Client`](crate::Client) has decided. Its connections count for themselves.
///
/// At any time `attempts` is `connections` and `failed` together, and one more while an attempt is under way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct ClientCounters {
    /// Attempts to connect.
    pub attempts: u64,
    /// Those that succeeded; all but the first of them are reconnections.
    pub connections: u64,
    /// Those that failed or were called off.
    pub failed: u64,
    /// 1 if the client gave up, because `maxRetries` or `stopRetrying` allowed no further attempt.
    pub exhausted: u64,
    /// Events refused while no connection had the queue, other than by the queue.
    pub refused: RefusedEmits,
}

/// What a [`Server`](crate::Server) has decided. Its connections count for themselves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct ServerCounters {
    /// Streams that became connections.
    pub accepted: u64,
    /// Connections that have ended.
    pub ended: u64,
    /// Streams refused because of `maxConnections`.
    pub full: u64,
    /// Streams refused because the server did not listen.
    pub stopped: u64,
}

/// What became of the events that a [`DatagramOutbound`](crate::DatagramOutbound) was given.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct DatagramSendCounters {
    /// Datagrams taken, of a broadcast one for each receiver.
    pub datagrams: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Datagrams that wait now: queued, or handed out and not known to be sent.
    pub pending: u64,
    /// The most that has waited at once, as [`DatagramOutbound::pending`](crate::DatagramOutbound::pending) measures it: in
    /// bytes, and 64 more for each datagram.
    pub pending_max: u64,
    /// Events refused, by reason; of a broadcast, one for each receiver there was no room for.
    pub refused: RefusedEmits,
}

impl DatagramSendCounters {
    /// A datagram is taken, after which `pending` bytes wait.
    pub(crate) fn take(&mut self, length: usize, pending: usize) {
        self.datagrams += 1;
        self.bytes += length as u64;
        self.pending_max = self.pending_max.max(pending as u64);
    }
}

impl std::ops::AddAssign for DatagramSendCounters {
    fn add_assign(&mut self, other: Self) {
        let Self { datagrams, bytes, pending, pending_max, refused } = other;
        self.datagrams += datagrams;
        self.bytes += bytes;
        self.pending += pending;
        self.pending_max = self.pending_max.max(pending_max);
        self.refused += refused;
    }
}
