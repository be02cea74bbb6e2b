//! What the network does to connections and to attempts to make one. Only data; the pipes and the network obey it.

use ipc_proto::SplitMix64;
use std::io;
use std::time::Duration;

/// How many bytes one call moves at most.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Sizes {
    /// As many as there are.
    #[default]
    All,
    /// This many.
    UpTo(usize),
    /// From 1 to this many, by chance.
    Random(usize),
}

impl Sizes {
    pub(super) fn draw(self, rng: &mut SplitMix64) -> usize {
        match self {
            Self::All => usize::MAX,
            Self::UpTo(most) => most.max(1),
            Self::Random(most) => 1 + (rng.next_u64() % most.max(1) as u64) as usize,
        }
    }
}

/// One direction of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Wire {
    /// Bytes written and not yet read that it holds; a writer that wants more waits. Default 64 KiB.
    pub capacity: usize,
    /// How long a byte is under way. Default 0.
    pub latency: Duration,
    /// What one write takes.
    pub writes: Sizes,
    /// What one read gives.
    pub reads: Sizes,
    /// The chance, in percent, that a read or write that could be done is not: it is pending, and woken at once. Default
    /// 0.
    pub hiccups: u8,
}

impl Default for Wire {
    fn default() -> Self {
        Self { capacity: 64 * 1024, latency: Duration::ZERO, writes: Sizes::All, reads: Sizes::All, hiccups: 0 }
    }
}

impl Wire {
    /// Sets [`capacity`](field@Self::capacity).
    #[must_use]
    pub fn capacity(mut self, bytes: usize) -> Self {
        self.capacity = bytes;
        self
    }

    /// Sets [`latency`](field@Self::latency).
    #[must_use]
    pub fn latency(mut self, latency: Duration) -> Self {
        self.latency = latency;
        self
    }

    /// Sets [`writes`](field@Self::writes).
    #[must_use]
    pub fn writes(mut self, sizes: Sizes) -> Self {
        self.writes = sizes;
        self
    }

    /// Sets [`reads`](field@Self::reads).
    #[must_use]
    pub fn reads(mut self, sizes: Sizes) -> Self {
        self.reads = sizes;
        self
    }

    /// Sets [`hiccups`](field@Self::hiccups).
    #[must_use]
    pub fn hiccups(mut self, percent: u8) -> Self {
        self.hiccups = percent;
        self
    }
}

/// Both directions of a connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Script {
    /// From whoever connected to whoever accepted.
    pub to_server: Wire,
    /// From whoever accepted to whoever connected.
    pub to_client: Wire,
}

impl Script {
    /// The same for both directions.
    #[must_use]
    pub fn both(wire: Wire) -> Self {
        Self { to_server: wire, to_client: wire }
    }

    /// Sets the direction from client to server.
    #[must_use]
    pub fn to_server(mut self, wire: Wire) -> Self {
        self.to_server = wire;
        self
    }

    /// Sets the direction from server to client.
    #[must_use]
    pub fn to_client(mut self, wire: Wire) -> Self {
        self.to_client = wire;
        self
    }
}

/// What becomes of one attempt to connect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Dial {
    /// It succeeds if somebody listens, and is refused if not.
    Normal,
    /// It fails.
    Fail(io::ErrorKind),
    /// It never comes to an end.
    Hang,
    /// So much later it goes on as [`Normal`](Self::Normal).
    After(Duration),
}
