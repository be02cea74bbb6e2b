//! What became of what was emitted, in figures.

use std::fmt;
use std::ops::AddAssign;

use ipc_proto::{EmitError, Unsent};

/// So many events, and so many bytes with their delimiters. On raw connections bytes only, which have no events.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Events.
    pub messages: u64,
    /// Bytes on the wire.
    pub bytes: u64,
}

impl Tally {
    pub(crate) fn of(messages: u64, bytes: usize) -> Self {
        Self { messages, bytes: bytes as u64 }
    }

    /// Whether it is nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        self.messages += other.messages;
        self.bytes += other.bytes;
    }
}

impl From<Unsent> for Tally {
    fn from(unsent: Unsent) -> Self {
        Self::of(unsent.messages as u64, unsent.bytes)
    }
}

/// Why something was lost that had been taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Loss {
    /// The connection broke in the middle of it.
    Torn,
    /// Dropped by the offline policy, `refuse` or `drop`.
    Offline,
    /// Dropped by the policy `dropOldest` of `slowConsumer`.
    DroppedOldest,
    /// Dropped by the policy `dropNewest`.
    DroppedNewest,
    /// Queued for a peer that the policy `disconnect` has ended.
    TooSlow,
    /// Still queued when the client, or the server's connection, came to its end.
    Ended,
    /// Written, and on its way when the network cut the connection.
    Cut,
    /// Written, and on its way when the other end was closed in a way that breaks the connection.
    Reset,
    /// Written, and not taken by a receiver that had closed.
    ReceiverClosed,
    /// Written, and not taken by a receiver that had ended the connection because of a broken protocol.
    ReceiverFailed,
    /// The process that had it, or that it was for, crashed.
    Crashed,
    /// Written, and not yet delivered when the simulation was over.
    InFlight,
    /// Still queued when the simulation was over.
    Queued,
}

impl Loss {
    /// All of them.
    pub const ALL: [Self; 13] = [
        Self::Torn,
        Self::Offline,
        Self::DroppedOldest,
        Self::DroppedNewest,
        Self::TooSlow,
        Self::Ended,
        Self::Cut,
        Self::Reset,
        Self::ReceiverClosed,
        Self::ReceiverFailed,
        Self::Crashed,
        Self::InFlight,
        Self::Queued,
    ];

    /// A short name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Torn => "torn",
            Self::Offline => "offline policy",
            Self::DroppedOldest => "dropped as the oldest",
            Self::DroppedNewest => "dropped as the newest",
            Self::TooSlow => "receiver too slow",
            Self::Ended => "sender ended",
            Self::Cut => "cut",
            Self::Reset => "reset",
            Self::ReceiverClosed => "receiver closed",
            Self::ReceiverFailed => "receiver failed",
            Self::Crashed => "crashed",
            Self::InFlight => "in flight",
            Self::Queued => "queued",
        }
    }
}

impl fmt::Display for Loss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// How many emits were refused, by reason.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Refusals {
    /// [`EmitError::Full`].
    pub full: u64,
    /// [`EmitError::TooSlow`].
    pub too_slow: u64,
    /// [`EmitError::NotConnected`].
    pub not_connected: u64,
    /// [`EmitError::Closed`].
    pub closed: u64,
    /// Everything else.
    pub other: u64,
}

impl Refusals {
    /// Counts one more.
    pub fn count(&mut self, error: &EmitError) {
        match error {
            EmitError::Full { .. } => self.full += 1,
            EmitError::TooSlow { .. } => self.too_slow += 1,
            EmitError::NotConnected => self.not_connected += 1,
            EmitError::Closed => self.closed += 1,
            _ => self.other += 1,
        }
    }
}

impl AddAssign for Refusals {
    fn add_assign(&mut self, other: Self) {
        self.full += other.full;
        self.too_slow += other.too_slow;
        self.not_connected += other.not_connected;
        self.closed += other.closed;
        self.other += other.other;
    }
}

/// What became of everything that was emitted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Account {
    /// Taken by a queue.
    pub emitted: Tally,
    /// Given to the application at the other end.
    pub delivered: Tally,
    /// Read at the other end, and reported there as malformed by rules that the sender does not have.
    pub rejected: Tally,
    /// Lost, in the order of [`Loss::ALL`].
    pub lost: [Tally; Loss::ALL.len()],
    /// Not taken.
    pub refused: Refusals,
}

impl Account {
    /// What was lost for this reason.
    #[must_use]
    pub fn lost_by(&self, loss: Loss) -> Tally {
        self.lost[loss as usize]
    }

    pub(crate) fn lose(&mut self, loss: Loss, tally: Tally) {
        self.lost[loss as usize] += tally;
    }

    /// Whether everything emitted is delivered, rejected or lost.
    #[must_use]
    pub fn is_balanced(&self) -> bool {
        let mut sum = self.delivered;
        sum += self.rejected;
        self.lost.iter().for_each(|&lost| sum += lost);
        sum == self.emitted
    }
}

impl AddAssign<&Self> for Account {
    fn add_assign(&mut self, other: &Self) {
        self.emitted += other.emitted;
        self.delivered += other.delivered;
        self.rejected += other.rejected;
        self.lost.iter_mut().zip(other.lost).for_each(|(lost, more)| *lost += more);
        self.refused += other.refused;
    }
}
