//! The server's book: who is connected, who may be, and what to call them.
//!
//! A [`Server`] hands out a [`Connection`] per accepted peer and does not keep it, so that a threaded caller runs
//! every connection in a task of its own and takes no common lock to move data; a single-threaded one keeps them in a
//! map. It accepts nothing and writes nothing itself.

use crate::{Connection, ServerCounters, Settings};
use std::borrow::Cow;
use std::collections::{BTreeMap, VecDeque};
use std::fmt;

/// Names a connection of a server for as long as the server lives; never used twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PeerId(u64);

impl PeerId {
    /// The number: 0 for the first connection, then rising.
    #[must_use]
    pub fn get(self) -> u64 {
        self.0
    }
}

impl fmt::Display for PeerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "#{}", self.0)
    }
}

/// The longest id that a peer may claim, in bytes of JSON text: 4096.
pub const MAX_CLAIMED_ID: usize = 4096;

/// What happened to a server. These are not wire events: nothing a peer sends can look like one.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ServerEvent {
    /// It listens (node-ipc's `start`).
    Started,
    /// A peer connected (node-ipc's `connect`).
    Connected(PeerId),
    /// A peer's connection has ended (node-ipc's `socket.disconnected` and `close`).
    Disconnected {
        /// Whose.
        peer: PeerId,
        /// The id the peer gave itself in `data.id`, as JSON text; `None` where node-ipc says `false`. Anybody may
        /// claim any id: do not trust it.
        claimed_id: Option<Box<str>>,
    },
    /// It no longer listens; connections may still be open.
    Stopped,
}

/// Why a stream was not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RefuseReason {
    /// As many peers are connected as `maxConnections` allows.
    #[error("as many peers are connected as maxConnections allows ({limit}); raise it to take more")]
    Full {
        /// `maxConnections`.
        limit: usize,
    },
    /// The server does not listen any more.
    #[error("the server has stopped")]
    Stopped,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Idle,
    Listening,
    Stopped,
}

/// The registry of a server, whatever its transport.
///
/// Getters are nouns; `handle_*` methods take what happened; [`start`](Self::start) and [`stop`](Self::stop) are
/// commands; [`poll_event`](Self::poll_event) tells what came of it.
#[derive(Debug)]
pub struct Server {
    settings: Settings,
    state: State,
    next: u64,
    /// The id each peer claims, if any.
    peers: BTreeMap<PeerId, Option<Box<str>>>,
    counters: ServerCounters,
    events: VecDeque<ServerEvent>,
}

impl Server {
    /// A server that does not listen yet.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        Self {
            settings,
            state: State::Idle,
            next: 0,
            peers: BTreeMap::new(),
            counters: ServerCounters::default(),
            events: VecDeque::new(),
        }
    }

    /// What it was made with.
    #[must_use]
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The caller listens now; also after a stop.
    pub fn start(&mut self) {
        if self.state != State::Listening {
            self.state = State::Listening;
            self.events.push_back(ServerEvent::Started);
        }
    }

    /// Accepts nobody any more. Connections live on until they end or the caller closes them, as in node-ipc 9.2.1
    /// (14.0.0 destroys them).
    pub fn stop(&mut self) {
        if self.state == State::Listening {
            self.events.push_back(ServerEvent::Stopped);
        }
        self.state = State::Stopped;
    }

    /// Whether it accepts peers.
    #[must_use]
    pub fn is_listening(&self) -> bool {
        self.state == State::Listening
    }

    /// Whether a stream would be accepted now: for those who have something costly to do with it first, a TLS handshake.
    /// A refusal is counted, as one by [`handle_accept`](Self::handle_accept).
    ///
    /// # Errors
    ///
    /// [`RefuseReason`]: close the stream.
    pub fn check_accept(&mut self) -> Result<(), RefuseReason> {
        let limit = self.settings.config().max_connections;
        if !self.is_listening() {
            self.counters.stopped += 1;
            Err(RefuseReason::Stopped)
        } else if self.peers.len() >= limit {
            self.counters.full += 1;
            Err(RefuseReason::Full { limit })
        } else {
            Ok(())
        }
    }

    /// A stream was accepted by the operating system.
    ///
    /// # Errors
    ///
    /// [`RefuseReason`]: close the stream. The peer sees its connection succeed and end, as with node-ipc.
    pub fn handle_accept(&mut self) -> Result<(PeerId, Connection), RefuseReason> {
        self.check_accept()?;
        let id = PeerId(self.next);
        self.next += 1;
        self.counters.accepted += 1;
        self.peers.insert(id, None);
        self.events.push_back(ServerEvent::Connected(id));
        Ok((id, Connection::new(&self.settings)))
    }

    /// A peer named itself in `data.id` (JSON text, see [`Event::sender_id`](crate::Event::sender_id)). The last name
    /// counts, as in node-ipc 9.2.1. A text of more than [`MAX_CLAIMED_ID`] bytes is ignored: a name as long as a
    /// message may be would be kept as long as the connection lasts.
    pub fn handle_claimed_id(&mut self, peer: PeerId, id: &str) {
        let Some(claimed) = self.peers.get_mut(&peer) else { return };
        // Peers that name themselves do it in every message.
        if id.len() <= MAX_CLAIMED_ID && claimed.as_deref() != Some(id) {
            *claimed = Some(id.into());
        }
    }

    /// A connection has ended, by whichever side. A peer that is not in the book is ignored.
    pub fn handle_disconnected(&mut self, peer: PeerId) {
        if let Some(claimed_id) = self.peers.remove(&peer) {
            self.counters.ended += 1;
            self.events.push_back(ServerEvent::Disconnected { peer, claimed_id });
        }
    }

    /// The connected peers, in order of connection: the targets of a broadcast.
    pub fn peers(&self) -> impl Iterator<Item = PeerId> + '_ {
        self.peers.keys().copied()
    }

    /// How many peers are connected.
    #[must_use]
    pub fn len(&self) -> usize {
        self.peers.len()
    }

    /// Whether nobody is connected.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.peers.is_empty()
    }

    /// Whether a peer is connected.
    #[must_use]
    pub fn contains(&self, peer: PeerId) -> bool {
        self.peers.contains_key(&peer)
    }

    /// The id a peer claims, as JSON text.
    #[must_use]
    pub fn claimed_id(&self, peer: PeerId) -> Option<&str> {
        self.peers.get(&peer)?.as_deref()
    }

    /// The peers that claim this id (a string), in order of connection; several may. Looks at every peer.
    pub fn find<'a>(&'a self, id: &'a str) -> impl Iterator<Item = PeerId> + 'a {
        let claims = move |claimed: &str| {
            // Peers escape differently, so texts that differ may mean the same.
            claimed.starts_with('"') && serde_json::from_str::<Cow<'_, str>>(claimed).is_ok_and(|claimed| claimed == id)
        };
        self.peers.iter().filter(move |(_, claimed)| claimed.as_deref().is_some_and(claims)).map(|(peer, _)| *peer)
    }

    /// Streams refused since the server was made.
    #[must_use]
    pub fn refused(&self) -> u64 {
        self.counters.full + self.counters.stopped
    }

    /// What was counted since the server was made.
    #[must_use]
    pub fn counters(&self) -> ServerCounters {
        self.counters
    }

    /// What happened, in order, until `None`.
    pub fn poll_event(&mut self) -> Option<ServerEvent> {
        self.events.pop_front()
    }
}
