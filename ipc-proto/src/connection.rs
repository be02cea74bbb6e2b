//! One stream between two processes, as a pair of halves.
//!
//! The halves share nothing, so that one task may own the receiving half while any thread emits into the sending half
//! under a lock. Whether the stream is a client's or was accepted by a server makes no difference here.

use crate::{Inbound, Outbound, Settings};

/// One stream: a decoder of what comes in and a bounded queue of what goes out.
///
/// Feed what was read to [`Inbound::poll_event`]; write what [`Outbound::poll_transmit`] gives; call
/// [`Inbound::handle_timeout`] when [`Inbound::poll_timeout`] says so. After every input drain the output. Time never
/// goes back.
#[derive(Debug)]
#[non_exhaustive]
pub struct Connection {
    /// What comes in.
    pub inbound: Inbound,
    /// What goes out.
    pub outbound: Outbound,
}

impl Connection {
    /// A connection accepted by a server, which sends as it likes: node-ipc applies `sync` to clients only.
    #[must_use]
    pub fn new(settings: &Settings) -> Self {
        Self { inbound: Inbound::new(settings), outbound: Outbound::new(settings, false) }
    }

    pub(crate) fn with_outbound(settings: &Settings, outbound: Outbound) -> Self {
        Self { inbound: Inbound::new(settings), outbound }
    }

    /// The two halves, to be owned by different parts of a program.
    #[must_use]
    pub fn split(self) -> (Inbound, Outbound) {
        (self.inbound, self.outbound)
    }
}
