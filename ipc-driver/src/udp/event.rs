//! What a UDP server tells: its events, and what it has counted.

use super::UdpPeer;
use crate::error::ConnectionError;
use bytes::Bytes;
use ipc_proto::{DatagramCounters, DatagramSendCounters, Endpoint, Message, PeerRemoval};
use serde::Serialize;

/// What the event stream of a UDP server gives. There are no connections: a peer is an address that was heard. Lifecycle
/// and wire events are different variants: an event that a peer calls `close` arrives as a [`Message`](Self::Message) of
/// that name.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum UdpEvent {
    /// The server has its socket, there (`start` and `connect` in node-ipc).
    Started(Endpoint),
    /// Somebody was heard for the first time, or again after having been forgotten. From now on broadcasts go there too.
    PeerAdded(UdpPeer),
    /// Somebody was forgotten: broadcasts do not go there any more.
    PeerRemoved {
        /// Who.
        peer: UdpPeer,
        /// Why.
        reason: PeerRemoval,
    },
    /// An event that no handler took.
    Message(UdpPeer, Message),
    /// Bytes of a raw server that no handler took (`data`): one datagram.
    Data(UdpPeer, Bytes),
    /// Something went wrong (`error`); the socket lives on.
    ///
    /// Errors of sending, of which there may be one for each datagram, are always counted and told to handlers, but not put
    /// into a stream that is full.
    Error {
        /// With whom, if it was somebody: who broke the protocol, or could not be sent to.
        peer: Option<UdpPeer>,
        /// What.
        error: ConnectionError,
    },
    /// The server has no socket any more.
    Stopped,
}

/// What became of datagrams, counted since the server was made.
///
/// `queued.datagrams` is `sent`, `failed`, `unsent` and `queued.pending` together, once the task that sends has had its turn.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct UdpCounters {
    /// What was received.
    pub received: DatagramCounters,
    /// What was emitted. `queued.refused` does not count a `send` that waits for room.
    pub queued: DatagramSendCounters,
    /// How often a `send` found no room and had to wait.
    pub waits: u64,
    /// Datagrams that the operating system took.
    pub sent: u64,
    /// Their bytes.
    pub sent_bytes: u64,
    /// Datagrams that it refused: they are lost, and each was reported as [`ConnectionError::Send`].
    pub failed: u64,
    /// Datagrams that were queued when the socket was closed.
    pub unsent: u64,
    /// Reports of the operating system that nobody listens where a datagram was sent. It does not say which it was.
    pub unreachable: u64,
    /// Events that no handler took while there was no stream of events.
    pub unhandled: u64,
    /// Events whose handler failed, or whose payload was not what it takes; once for each such handler.
    pub handler_errors: u64,
    /// Events that a gate (`before_event`) kept from all handlers.
    pub rejected: u64,
}
