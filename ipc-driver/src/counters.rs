//! What connections, clients and servers have counted, and how it comes together.
//!
//! A connection counts into memory of its own: its task what it receives, its queue what it takes. The task lays its part
//! beside the queue whenever it looks at the queue anyway, so that counting takes no lock and shares no cache line. When a
//! connection has ended, its counters are added to its server's once, as it leaves the book of peers.

use ipc_proto::{InboundCounters, OutboundCounters};
use serde::Serialize;
use std::ops::AddAssign;

/// What one connection has counted, or several together: [`Peer::counters`](crate::Peer::counters).
///
/// What was received is counted per read: a handler does not see the read yet that its event came with. The counters of a
/// connection that has ended stay as they were at its end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct ConnectionCounters {
    /// What came in.
    pub received: InboundCounters,
    /// What was emitted. `sent.refused` does not count a `send` that waits for room.
    pub sent: OutboundCounters,
    /// How often a `send` found no room and had to wait.
    pub waits: u64,
    /// Events that no handler took while there was no stream of events.
    pub unhandled: u64,
    /// Events whose handler failed, or whose payload was not what it takes; once for each such handler.
    pub handler_errors: u64,
    /// Events that a gate (`before_event`) kept from all handlers.
    pub rejected: u64,
}

impl AddAssign for ConnectionCounters {
    fn add_assign(&mut self, other: Self) {
        let Self { received, sent, waits, unhandled, handler_errors, rejected } = other;
        self.received += received;
        self.sent += sent;
        self.waits += waits;
        self.unhandled += unhandled;
        self.handler_errors += handler_errors;
        self.rejected += rejected;
    }
}

/// What a client has counted since it was made: [`Client::counters`](crate::Client::counters).
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
    /// 1 if it gave up, because `maxRetries` or `stopRetrying` allowed no further attempt.
    pub exhausted: u64,
    /// What all its connections, and its queue while there was none, have counted together.
    pub traffic: ConnectionCounters,
}

/// What a server has counted since it was made: [`Server::counters`](crate::Server::counters).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct ServerCounters {
    /// Connections that became peers.
    pub accepted: u64,
    /// Those of them that have not ended.
    pub connected: u64,
    /// Connections that were accepted by the system and did not become peers, by reason.
    pub refused: RefusedConnections,
    /// How often accepting failed: no descriptors left, most often. The connection waits and is tried again.
    pub accept_errors: u64,
    /// Connections that were gone before they could be accepted.
    pub aborted: u64,
    /// What all connections have counted together, present and past. `sent.pending_max` is that of the fullest queue.
    pub traffic: ConnectionCounters,
}

/// Why connections did not become peers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct RefusedConnections {
    /// As many peers were connected as `maxConnections` allows.
    pub full: u64,
    /// The accept filter said no.
    pub filter: u64,
    /// The TLS handshake failed.
    pub handshake: u64,
    /// The TLS handshake took longer than `tls.handshakeTimeout`.
    pub handshake_timeout: u64,
    /// The TLS handshake was cut to make room for others.
    pub handshake_crowded: u64,
    /// The server had stopped, or stopped during the TLS handshake.
    pub stopped: u64,
}

impl RefusedConnections {
    /// All together.
    #[must_use]
    pub fn total(&self) -> u64 {
        let Self { full, filter, handshake, handshake_timeout, handshake_crowded, stopped } = self;
        full + filter + handshake + handshake_timeout + handshake_crowded + stopped
    }
}

/// What became of received events, as the task that dispatches them counts.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Tally {
    pub(crate) unhandled: u64,
    pub(crate) handler_errors: u64,
    pub(crate) rejected: u64,
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        self.unhandled += other.unhandled;
        self.handler_errors += other.handler_errors;
        self.rejected += other.rejected;
    }
}

/// What the task of a stream counts by itself.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Received {
    pub(crate) inbound: InboundCounters,
    pub(crate) tally: Tally,
}

impl AddAssign for Received {
    fn add_assign(&mut self, other: Self) {
        self.inbound += other.inbound;
        self.tally += other.tally;
    }
}

/// What a link knows: its queues, its task, and what never got as far as a queue.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Linked<Sent, Report> {
    pub(crate) sent: Sent,
    pub(crate) report: Report,
    /// Emits refused because the connection was told to close.
    pub(crate) closed: u64,
    /// Emits that the queue refused as full and that wait.
    pub(crate) waits: u64,
}

impl From<Linked<OutboundCounters, Received>> for ConnectionCounters {
    fn from(linked: Linked<OutboundCounters, Received>) -> Self {
        let Linked { mut sent, report, closed, waits } = linked;
        sent.refused.closed += closed;
        sent.refused.full = sent.refused.full.saturating_sub(waits);
        let Tally { unhandled, handler_errors, rejected } = report.tally;
        Self { received: report.inbound, sent, waits, unhandled, handler_errors, rejected }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_total_of_those_refused_counts_every_reason() {
        let refused = RefusedConnections {
            full: 1,
            filter: 10,
            handshake: 100,
            handshake_timeout: 1_000,
            handshake_crowded: 10_000,
            stopped: 100_000,
        };
        assert_eq!(refused.total(), 111_111);
    }

    #[test]
    fn counters_that_are_added_up_lose_none() {
        let one =
            ConnectionCounters { waits: 1, unhandled: 10, handler_errors: 100, rejected: 1_000, ..Default::default() };
        let mut sum = one;
        sum += one;
        assert_eq!((sum.waits, sum.unhandled, sum.handler_errors, sum.rejected), (2, 20, 200, 2_000));
    }
}
