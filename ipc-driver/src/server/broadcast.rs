//! One event for many peers: encoded once, queued for each, and what became of it.
//!
//! Who they are is for the server or the group to say.

use crate::peer::Peer;
use ipc_proto::{EmitError, Frame};

/// What became of a broadcast, or of an event for a group.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Broadcast {
    /// Peers it was queued for.
    pub queued: usize,
    /// Peers whose queue was full, and who will not get it.
    pub full: usize,
    /// Peers for whom it was dropped, because their queue was full and [`SlowConsumer::DropNewest`](crate::SlowConsumer)
    /// is the policy.
    pub dropped: usize,
    /// Peers whose connection was ending, or was ended for its slowness by
    /// [`SlowConsumer::Disconnect`](crate::SlowConsumer).
    pub closed: usize,
}

impl Broadcast {
    /// Queues a frame for each of these. Takes the lock of one queue after the other, and waits for nobody.
    pub(super) fn emit<'a>(peers: impl IntoIterator<Item = &'a Peer>, frame: &Frame) -> Self {
        let mut outcome = Self::default();
        for peer in peers {
            match peer.offer_frame(frame) {
                Ok(true) => outcome.queued += 1,
                Ok(false) => outcome.dropped += 1,
                Err(EmitError::Full { .. }) => outcome.full += 1,
                Err(_) => outcome.closed += 1,
            }
        }
        outcome
    }

    /// Queues a frame for each of these once there is room, one after the other.
    pub(super) async fn send<'a>(peers: impl IntoIterator<Item = &'a Peer>, frame: &Frame) -> Self {
        let mut outcome = Self::default();
        for peer in peers {
            match peer.send_frame(frame).await {
                Ok(()) => outcome.queued += 1,
                Err(_) => outcome.closed += 1,
            }
        }
        outcome
    }
}
