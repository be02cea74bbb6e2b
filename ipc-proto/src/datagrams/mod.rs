//! UDP: who was heard, what they said, and what is to be sent to them.
//!
//! Addresses and bytes come in, events go out; the socket is the caller's. Names are not resolved.

mod incoming;
mod outgoing;
mod peers;

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use serde::Serialize;

pub use incoming::{Arrival, Datagram, DatagramEvent};
pub use outgoing::{Addressed, DatagramBurst, DatagramOutbound, DatagramTransmit};

use crate::{Decoder, EncodeError, Encoder, Message, Settings};
use peers::{Peer, Peers};

/// The most bytes that one datagram holds: 65,535 less the headers of IPv4 and UDP. It is the limit over IPv6 too, where
/// systems take 20 bytes more, so that what one peer can send every peer can pass on.
pub const MAX_DATAGRAM: usize = 65_507;

/// How long the beginning of a message waits for its rest if `messageTimeout` is not set.
const UNFINISHED_TIMEOUT: Duration = Duration::from_secs(5);

/// Everything a process does with one UDP socket, except for the socket itself.
///
/// Over UDP every process is a server: it receives on a port of its own and answers the address a
/// message came from. Senders are remembered, so that a broadcast reaches everybody who was heard
/// lately. Like node-ipc 14.0.0, and other than 9.2.1 and 12.0.0, a message split over several
/// datagrams is put together for each sender by itself.
///
/// The methods are of four kinds: getters; `handle_*` takes input; `poll_*` gives output; the rest
/// are commands. After `handle_datagram` call [`Datagram::next`] until it gives `None`; after
/// `handle_timeout` call [`poll_event`](Self::poll_event) until it gives `None`; then ask
/// [`poll_timeout`](Self::poll_timeout) how long to wait. Time never goes back.
///
/// ```
/// use std::net::SocketAddr;
/// use std::time::Instant;
/// use ipc_proto::{Config, DatagramEvent, Datagrams, Host, Platform};
///
/// # let now = Instant::now();
/// let settings = Config::v9().build(&Host::new("pluto", Platform::Linux))?;
/// let mut datagrams = Datagrams::new(settings);
/// let peer: SocketAddr = "127.0.0.1:8001".parse()?;
///
/// // What the socket received, with its sender.
/// let mut received = datagrams.handle_datagram(now, peer, b"{\"type\":\"hi\",\"data\":1}\x0c");
/// while let Some(event) = received.next() {
///     match event {
///         DatagramEvent::Event(event) => assert_eq!(event.data::<u8>()?, 1),
///         other => println!("{other:?}"),
///     }
/// }
/// drop(received);
///
/// // A broadcast: encoded once, sent to everybody who was heard.
/// let mut frame = Vec::new();
/// datagrams.encode("news", "for all", &mut frame)?;
/// for address in datagrams.peers() {
///     assert_eq!(address, peer); // socket.send_to(&frame, address)
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// Bounds: `maxUdpPeers` senders, each forgotten `udpPeerExpiry` after its last datagram; when there
/// are too many the one heard longest ago makes room. Unfinished messages of all senders together
/// take `maxPendingBytes`; each is dropped after `messageTimeout`, or 5 s if that is not set.
/// (node-ipc 14.0.0 forgets nothing: made-up senders fill its memory.)
#[derive(Debug)]
pub struct Datagrams {
    settings: Settings,
    encoder: Encoder,
    peers: Peers,
    /// When each unfinished message was begun, and by whom.
    unfinished: BTreeSet<(Instant, SocketAddr)>,
    /// Bytes of all unfinished messages.
    unfinished_bytes: usize,
    /// A decoder that holds nothing, for the next datagram.
    spare: Option<Decoder>,
    now: Option<Instant>,
    counters: DatagramCounters,
}

/// What became of datagrams and senders, counted since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct DatagramCounters {
    /// Datagrams received.
    pub datagrams: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Messages (raw: datagrams) handed out.
    pub messages: u64,
    /// Messages that broke the protocol.
    pub malformed: u64,
    /// Messages not looked at: behind a malformed one of [`OnMalformed::Close`], or because the
    /// caller dropped the [`Datagram`].
    ///
    /// [`OnMalformed::Close`]: crate::OnMalformed::Close
    pub discarded: u64,
    /// Beginnings of messages dropped: their rest did not come in time, their sender was forgotten,
    /// or there was no room for them.
    pub unfinished_dropped: u64,
    /// Senders remembered.
    pub peers_added: u64,
    /// Senders forgotten after `udpPeerExpiry`.
    pub peers_expired: u64,
    /// Senders forgotten to make room, or not remembered because every place is taken for good.
    pub peers_crowded_out: u64,
}

/// A change of the set of known senders, or a message that will not be whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PeerEvent {
    /// A sender is heard for the first time, or again after it was forgotten.
    Added(SocketAddr),
    /// A sender is forgotten, and its unfinished message with it.
    Removed(SocketAddr, PeerRemoval),
    /// The rest of a message did not come in time; its beginning is dropped.
    MessageTimeout {
        /// Its sender.
        peer: SocketAddr,
        /// How many bytes of it had come.
        bytes: usize,
        /// How long it was waited for.
        after: Duration,
    },
}

/// Why a sender was forgotten.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PeerRemoval {
    /// Nothing came from it for `udpPeerExpiry`.
    Expired,
    /// It made room for another, being the one heard longest ago.
    CrowdedOut,
    /// It sent a malformed message, and `malformed` is `close`.
    Malformed,
}

/// A datagram cannot be made. The output is as it was before.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DatagramError {
    /// The message cannot be encoded.
    #[error(transparent)]
    Encode(#[from] EncodeError),
    /// The message does not fit into one datagram.
    #[error("the message takes {length} bytes and a datagram holds {limit}; send less at a time, or use TCP")]
    TooLarge {
        /// Its length in bytes, delimiter included.
        length: usize,
        /// [`MAX_DATAGRAM`].
        limit: usize,
    },
    /// There are `maxUdpPeers` peers already that were added by hand.
    #[error("as many peers have been added as maxUdpPeers allows ({limit}); remove one, or raise it")]
    TooManyPeers {
        /// The value of `maxUdpPeers`.
        limit: usize,
    },
    /// An address that the socket cannot send to.
    #[error("cannot send to {to}: {reason}")]
    Address {
        /// The address.
        to: SocketAddr,
        /// Why, and what to do.
        reason: &'static str,
    },
}

impl Datagrams {
    /// The state of one UDP socket that nothing was heard on yet.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        Self {
            encoder: settings.encoder(),
            settings,
            peers: Peers::default(),
            unfinished: BTreeSet::new(),
            unfinished_bytes: 0,
            spare: None,
            now: None,
            counters: DatagramCounters::default(),
        }
    }

    /// The settings given to [`new`](Self::new).
    #[must_use]
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The addresses of all known senders, in no order to rely on: whom a broadcast goes to.
    pub fn peers(&self) -> impl Iterator<Item = SocketAddr> {
        self.peers.addresses()
    }

    /// How many senders are known.
    #[must_use]
    pub fn peer_count(&self) -> usize {
        self.peers.len()
    }

    /// Whether this address is that of a known sender.
    #[must_use]
    pub fn is_peer(&self, address: SocketAddr) -> bool {
        self.peers.contains(address)
    }

    /// Bytes held of unfinished messages.
    #[must_use]
    pub fn unfinished_bytes(&self) -> usize {
        self.unfinished_bytes
    }

    /// What was counted since the start.
    #[must_use]
    pub fn counters(&self) -> DatagramCounters {
        self.counters
    }

    /// Takes a datagram and its sender. Drain the result; what is left in it when it is dropped is
    /// discarded and counted.
    #[must_use = "the messages of the datagram are in the result"]
    pub fn handle_datagram<'a>(&'a mut self, now: Instant, from: SocketAddr, bytes: &'a [u8]) -> Datagram<'a> {
        Datagram::new(self, now, from, bytes)
    }

    /// Says what time it is. To be called at [`poll_timeout`](Self::poll_timeout), and then
    /// [`poll_event`](Self::poll_event) until it gives `None`.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.advance(now);
    }

    /// One thing that time has changed; `None` when there is no more.
    pub fn poll_event(&mut self) -> Option<PeerEvent> {
        let now = self.now?;
        if let Some(&(since, peer)) = self.unfinished.first() {
            if self.unfinished_deadline(since).is_some_and(|deadline| deadline <= now) {
                let bytes = self.abandon(peer);
                return Some(PeerEvent::MessageTimeout { peer, bytes, after: self.unfinished_timeout() });
            }
        }
        let oldest = self.peers.oldest()?;
        let address = oldest.address;
        if self.expiry(oldest)? > now {
            return None;
        }
        self.forget(address);
        self.counters.peers_expired += 1;
        Some(PeerEvent::Removed(address, PeerRemoval::Expired))
    }

    /// When [`handle_timeout`](Self::handle_timeout) is due; `None` as long as nothing waits.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        let expiry = self.peers.oldest().and_then(|peer| self.expiry(peer));
        let first = self.unfinished.first();
        let unfinished = first.and_then(|&(since, _)| self.unfinished_deadline(since));
        expiry.into_iter().chain(unfinished).min()
    }

    /// Remembers an address for good, heard or not, so that broadcasts go there too. Gives the
    /// sender that was forgotten to make room, if one was.
    ///
    /// (Users of node-ipc push such an address to `ipc.server.sockets`.)
    ///
    /// # Errors
    ///
    /// [`DatagramError::TooManyPeers`] when all `maxUdpPeers` places are taken for good.
    pub fn add_peer(&mut self, now: Instant, address: SocketAddr) -> Result<Option<SocketAddr>, DatagramError> {
        let now = self.advance(now);
        if self.peers.contains(address) {
            self.peers.pin(address);
            return Ok(None);
        }
        let (room, removed) = self.make_room();
        if !room {
            let limit = self.settings.config().max_udp_peers;
            return Err(DatagramError::TooManyPeers { limit });
        }
        self.peers.insert(address, now, true);
        self.counters.peers_added += 1;
        Ok(removed)
    }

    /// Forgets a sender, however it became known; says whether it was known.
    pub fn remove_peer(&mut self, address: SocketAddr) -> bool {
        self.forget(address)
    }

    /// Gives up the beginnings of messages of all senders, and gives back their memory: for when the socket is closed, since
    /// their ends cannot come any more. They are counted as [`unfinished_dropped`](DatagramCounters::unfinished_dropped). Who is
    /// known stays known.
    pub fn abandon_unfinished(&mut self) {
        while let Some((_, address)) = self.unfinished.pop_first() {
            self.abandon(address);
        }
        self.spare = None;
    }

    /// Appends a message as one datagram and gives its length.
    ///
    /// Send it to one address, or to all of [`peers`](Self::peers) for a broadcast; node-ipc takes
    /// an `emit` without address for a broadcast.
    ///
    /// # Errors
    ///
    /// [`DatagramError`] for what cannot be encoded or has more than [`MAX_DATAGRAM`] bytes.
    /// (Observed: a longer one ends the process of node-ipc 9.2.1 and 12.0.0, and is lost in silence
    /// in 14.0.0.)
    pub fn encode<T: Serialize + ?Sized>(
        &self,
        name: &str,
        data: &T,
        out: &mut Vec<u8>,
    ) -> Result<usize, DatagramError> {
        let length = self.encoder.encode(name, data, out)?;
        cut_to_fit(length, out)
    }

    /// As [`encode`](Self::encode), for a message that is encoded already.
    ///
    /// # Errors
    ///
    /// As [`encode`](Self::encode).
    pub fn encode_message(&self, message: &Message, out: &mut Vec<u8>) -> Result<usize, DatagramError> {
        let length = self.encoder.encode_message(message, out)?;
        cut_to_fit(length, out)
    }

    /// Checks that bytes of raw mode fit into one datagram.
    ///
    /// # Errors
    ///
    /// [`DatagramError::TooLarge`].
    pub fn check_raw(&self, bytes: &[u8]) -> Result<(), DatagramError> {
        fits(bytes.len())
    }

    fn advance(&mut self, now: Instant) -> Instant {
        let now = self.now.map_or(now, |before| before.max(now));
        self.now = Some(now);
        now
    }

    /// Remembers a sender that is not known.
    fn learn(&mut self, from: SocketAddr, now: Instant) -> Learnt {
        if from.port() == 0 {
            // A made-up sender: nobody could be answered there.
            return Learnt::default();
        }
        let (room, removed) = self.make_room();
        if !room {
            self.counters.peers_crowded_out += 1;
            return Learnt::default();
        }
        self.peers.insert(from, now, false);
        self.counters.peers_added += 1;
        Learnt { removed, added: Some(from) }
    }

    /// Makes a place for one more peer if it can, and says who had to go.
    fn make_room(&mut self) -> (bool, Option<SocketAddr>) {
        if self.peers.len() < self.settings.config().max_udp_peers {
            return (true, None);
        }
        let Some(address) = self.peers.oldest().map(|peer| peer.address) else {
            return (false, None);
        };
        self.forget(address);
        self.counters.peers_crowded_out += 1;
        (true, Some(address))
    }

    fn forget(&mut self, address: SocketAddr) -> bool {
        self.abandon(address);
        self.peers.remove(address).is_some()
    }

    /// Drops the beginning of a message, if there is one, and gives its length.
    fn abandon(&mut self, address: SocketAddr) -> usize {
        let Some(decoder) = self.take_unfinished(address).map(|(decoder, _)| decoder) else {
            return 0;
        };
        self.counters.unfinished_dropped += 1;
        decoder.buffered()
    }

    /// The decoder that holds the beginning of a message of this sender, and when that came.
    fn take_unfinished(&mut self, address: SocketAddr) -> Option<(Decoder, Instant)> {
        let peer = self.peers.get_mut(address)?;
        let unfinished = peer.unfinished.take()?;
        self.unfinished.remove(&(unfinished.since, address));
        self.unfinished_bytes -= unfinished.decoder.buffered();
        Some((unfinished.decoder, unfinished.since))
    }

    /// Keeps the beginning of a message, if its sender is known and there is room for it.
    fn keep_unfinished(&mut self, address: SocketAddr, decoder: Decoder, since: Instant) {
        // Of two datagrams that were looked at side by side, the one that ends last leaves its tail.
        self.abandon(address);
        let bytes = decoder.buffered();
        let room = self.settings.max_pending_bytes().saturating_sub(self.unfinished_bytes);
        match self.peers.get_mut(address) {
            Some(peer) if bytes <= room => {
                peer.unfinished = Some(peers::Unfinished { decoder, since });
                self.unfinished.insert((since, address));
                self.unfinished_bytes += bytes;
            }
            _ => self.counters.unfinished_dropped += 1,
        }
    }

    fn expiry(&self, peer: &Peer) -> Option<Instant> {
        peer.heard.checked_add(self.settings.config().udp_peer_expiry)
    }

    fn unfinished_deadline(&self, since: Instant) -> Option<Instant> {
        since.checked_add(self.unfinished_timeout())
    }

    fn unfinished_timeout(&self) -> Duration {
        self.settings.message_timeout().unwrap_or(UNFINISHED_TIMEOUT)
    }
}

/// What hearing a sender did to the set of known ones.
#[derive(Clone, Copy, Debug, Default)]
struct Learnt {
    removed: Option<SocketAddr>,
    added: Option<SocketAddr>,
}

fn fits(length: usize) -> Result<(), DatagramError> {
    if length > MAX_DATAGRAM {
        let limit = MAX_DATAGRAM;
        return Err(DatagramError::TooLarge { length, limit });
    }
    Ok(())
}

/// Takes the last `length` bytes of `out` back if they are too many for a datagram.
fn cut_to_fit(length: usize, out: &mut Vec<u8>) -> Result<usize, DatagramError> {
    fits(length).inspect_err(|_| out.truncate(out.len().saturating_sub(length)))?;
    Ok(length)
}
