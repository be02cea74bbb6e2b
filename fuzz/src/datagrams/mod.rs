//! `datagrams`: any datagrams from any addresses in virtual time through [`Datagrams`], and any emits to any address through a
//! [`DatagramOutbound`](ipc_proto::DatagramOutbound).
//!
//! What a sender says comes out as one stream, however it is put into datagrams. The set of senders is kept a second time from
//! what is told of it, with the time each was heard; counters are compared with what was handed out; what is remembered is bounded
//! and forgotten in time. Of the queue every datagram is followed by its place: it leaves once and in order, or is counted as
//! unsent.

mod queue;
mod streams;

use std::collections::BTreeMap;
use std::net::{Ipv6Addr, SocketAddr};
use std::time::{Duration, Instant};

use ipc_proto::{
    Arrival, DatagramCounters, DatagramError, DatagramEvent, Datagrams, MAX_DATAGRAM, OnMalformed, PeerEvent,
    PeerRemoval, ProtocolError, Settings,
};

use streams::Streams;

use crate::input::{Input, settings, start};

/// Steps that one input may take.
const MOST_STEPS: usize = 300;

/// Runs one input: the first choice says which half.
pub fn run(data: &[u8]) {
    let mut input = Input::new(data);
    let outgoing = input.flag();
    let mut config = input.config();
    config.max_udp_peers = input.choose(&[1, 2, 3, 5, 8, 1024]);
    config.udp_peer_expiry = input.time().max(Duration::from_nanos(1));
    let settings = settings(config);
    if outgoing {
        return queue::run(&settings, &mut input);
    }
    let mut world = World {
        datagrams: Datagrams::new(settings.clone()),
        now: start(),
        peers: BTreeMap::new(),
        arrivals: Vec::new(),
        seen: Seen::default(),
        streams: Streams::new(&settings),
        settings,
    };
    for _ in 0..MOST_STEPS {
        if input.is_empty() {
            break;
        }
        world.step(&mut input);
        world.check();
    }
    world.end();
}

fn address(input: &mut Input<'_>) -> SocketAddr {
    let choice = input.byte();
    match choice {
        // A made-up sender, to whom nobody can answer.
        15 => SocketAddr::from(([127, 0, 0, 1], 0)),
        14 => SocketAddr::from((Ipv6Addr::LOCALHOST, 9)),
        13 => SocketAddr::from((Ipv6Addr::LOCALHOST, 0)),
        // As a listener for both families writes an address of IPv4.
        12 => SocketAddr::from(([0, 0, 0, 0, 0, 0xFFFF, 0x7F00, 1], 1)),
        few @ 0..12 => SocketAddr::from(([127, 0, 0, 1], 1 + u16::from(few))),
        many => SocketAddr::from(([10, 0, 0, many], 1)),
    }
}

#[derive(Clone, Copy, Debug)]
struct Known {
    heard: Instant,
    pinned: bool,
}

/// What the target has seen.
#[derive(Debug, Default)]
struct Seen {
    counted: DatagramCounters,
    /// Frames that ended, where that can be known: a delimiter of one byte, and nothing too large.
    frames: u64,
    too_large: bool,
    /// Peers that were not remembered for want of a place.
    turned_away: u64,
}

struct World {
    datagrams: Datagrams,
    settings: Settings,
    now: Instant,
    peers: BTreeMap<SocketAddr, Known>,
    /// Datagrams that are being looked at.
    arrivals: Vec<(Arrival, Vec<u8>, usize)>,
    seen: Seen,
    streams: Streams,
}

impl World {
    fn step(&mut self, input: &mut Input<'_>) {
        match input.below(12) {
            0..=3 => self.whole(input),
            4 => self.begin(input),
            5 => self.next(input),
            6 => self.finish(input),
            7 => {
                let address = address(input);
                match self.datagrams.add_peer(self.now, address) {
                    Ok(removed) => {
                        if let Some(removed) = removed {
                            self.removed(removed, PeerRemoval::CrowdedOut);
                        }
                        let added = Known { heard: self.now, pinned: true };
                        self.seen.counted.peers_added += u64::from(!self.peers.contains_key(&address));
                        self.peers.entry(address).or_insert(added).pinned = true;
                    }
                    Err(error) => {
                        assert!(matches!(error, DatagramError::TooManyPeers { .. }));
                        assert!(self.is_full_of_pinned() && !self.peers.contains_key(&address));
                    }
                }
            }
            8 => {
                let address = address(input);
                self.streams.forget(address);
                assert_eq!(self.datagrams.remove_peer(address), self.peers.remove(&address).is_some());
            }
            9 | 10 => self.pass(input.time()),
            _ => {
                if let Some(at) = self.datagrams.poll_timeout() {
                    self.pass(at.saturating_duration_since(self.now));
                }
            }
        }
    }

    fn is_full_of_pinned(&self) -> bool {
        self.peers.len() >= self.settings.config().max_udp_peers && self.peers.values().all(|peer| peer.pinned)
    }

    /// Bytes that are likely to be frames and parts of frames.
    fn bytes(&self, input: &mut Input<'_>) -> Vec<u8> {
        let delimiter = self.settings.delimiter().as_bytes();
        let mut bytes = Vec::new();
        let parts = input.below(6);
        for _ in 0..parts {
            match input.below(8) {
                0 | 1 => bytes.extend_from_slice(br#"{"type":"message","data":1}"#),
                2..=4 => bytes.extend_from_slice(delimiter),
                5 => bytes.extend_from_slice(br#"{"type":"#),
                6 => bytes.extend(std::iter::repeat_n(b'a', input.size())),
                _ => bytes.extend_from_slice(input.bytes()),
            }
        }
        bytes.truncate(MAX_DATAGRAM);
        bytes
    }

    fn arrives(&mut self, bytes: &[u8], from: SocketAddr) {
        self.streams.comes(bytes);
        self.seen.counted.datagrams += 1;
        if let [delimiter] = self.settings.delimiter().as_bytes() {
            self.seen.frames += bytes.iter().filter(|byte| *byte == delimiter).count() as u64;
        }
        if !self.peers.contains_key(&from) && from.port() != 0 && self.is_full_of_pinned() {
            self.seen.turned_away += 1;
        }
        // To be heard it has to be known; if it is not, an event will say so.
        if let Some(peer) = self.peers.get_mut(&from) {
            peer.heard = self.now;
        }
    }

    /// A datagram, looked at to its end or dropped before.
    fn whole(&mut self, input: &mut Input<'_>) {
        let from = address(input);
        let bytes = self.bytes(input);
        let most = match input.byte() {
            few @ 0..4 => usize::from(few),
            _ => usize::MAX,
        };
        self.arrives(&bytes, from);
        let mut datagrams = std::mem::replace(&mut self.datagrams, Datagrams::new(self.settings.clone()));
        let mut datagram = datagrams.handle_datagram(self.now, from, &bytes);
        assert_eq!(datagram.sender(), from);
        self.streams.says(from, &bytes);
        let mut ended = false;
        let mut looked_at = 0;
        while looked_at < most {
            let Some(event) = datagram.next() else {
                ended = true;
                break;
            };
            looked_at += 1;
            self.event(&event, from);
            match &event {
                DatagramEvent::Peer(PeerEvent::Added(_)) => self.streams.begins(from, &bytes),
                DatagramEvent::Event(event) => self.streams.heard(from, event.frame()),
                DatagramEvent::Malformed(report) => self.streams.heard(from, report.frame()),
                _ => {}
            }
        }
        assert!(!ended || datagram.next().is_none(), "the end is the end");
        drop(datagram);
        self.datagrams = datagrams;
        if !ended {
            self.streams.forget(from);
            self.learn_the_rest();
        }
    }

    fn begin(&mut self, input: &mut Input<'_>) {
        let from = address(input);
        let bytes = self.bytes(input);
        self.arrives(&bytes, from);
        self.streams.forget(from);
        let arrival = self.datagrams.begin(self.now, from);
        assert_eq!(arrival.sender(), from);
        self.arrivals.push((arrival, bytes, 0));
        self.learn_the_rest();
    }

    /// The next thing in one of the datagrams that are being looked at.
    fn next(&mut self, input: &mut Input<'_>) {
        if self.arrivals.is_empty() {
            return;
        }
        let number = input.below(self.arrivals.len().min(256));
        let (mut arrival, bytes, at) = self.arrivals.swap_remove(number);
        let mut rest = &bytes[at..];
        let from = arrival.sender();
        if let Some(event) = arrival.next(&mut rest) {
            // The book is the one of `begin`; what it learnt then is known already.
            if !matches!(event, DatagramEvent::Peer(_)) {
                self.event(&event, from);
            }
        }
        let at = bytes.len() - rest.len();
        self.arrivals.push((arrival, bytes, at));
    }

    fn finish(&mut self, input: &mut Input<'_>) {
        if !self.arrivals.is_empty() {
            let number = input.below(self.arrivals.len().min(256));
            let (arrival, bytes, at) = self.arrivals.swap_remove(number);
            // Its tail takes the place of the one that is there.
            self.streams.forget(arrival.sender());
            if let Some(event) = self.datagrams.end(arrival, &bytes[at..]) {
                self.peer_event(event);
            }
            self.learn_the_rest();
        }
    }

    fn event(&mut self, event: &DatagramEvent<'_>, from: SocketAddr) {
        match event {
            DatagramEvent::Peer(event) => self.peer_event(*event),
            DatagramEvent::Event(event) => {
                self.seen.counted.messages += 1;
                assert!(event.frame().len() <= self.settings.max_message_size());
            }
            DatagramEvent::Data(_) => {
                assert!(self.settings.is_raw());
                self.seen.counted.messages += 1;
            }
            DatagramEvent::Malformed(report) => {
                self.seen.counted.malformed += 1;
                self.seen.too_large |= matches!(report.error(), ProtocolError::FrameTooLarge { .. });
            }
            other => panic!("{other:?} from {from}"),
        }
    }

    fn peer_event(&mut self, event: PeerEvent) {
        match event {
            PeerEvent::Added(address) => {
                let known = Known { heard: self.now, pinned: false };
                assert!(self.peers.insert(address, known).is_none(), "{address} is added twice");
                assert_ne!(address.port(), 0);
                self.seen.counted.peers_added += 1;
            }
            PeerEvent::Removed(address, why) => self.removed(address, why),
            PeerEvent::MessageTimeout { peer, bytes, after } => {
                self.streams.forget(peer);
                assert!(bytes > 0);
                assert_eq!(after, self.settings.message_timeout().unwrap_or(Duration::from_secs(5)));
            }
            other => panic!("{other:?}"),
        }
    }

    fn removed(&mut self, address: SocketAddr, why: PeerRemoval) {
        self.streams.forget(address);
        let peer = self.peers.remove(&address).expect("only who is known is forgotten");
        assert!(!peer.pinned, "{address} was to stay");
        let oldest = self.peers.values().filter(|peer| !peer.pinned).map(|peer| peer.heard).min();
        let is_oldest = oldest.is_none_or(|oldest| peer.heard <= oldest);
        match why {
            PeerRemoval::Expired => {
                assert!(is_oldest && peer.heard + self.settings.config().udp_peer_expiry <= self.now);
                self.seen.counted.peers_expired += 1;
            }
            PeerRemoval::CrowdedOut => {
                assert!(is_oldest, "the one heard longest ago makes room");
                self.seen.counted.peers_crowded_out += 1;
            }
            PeerRemoval::Malformed => assert_eq!(self.settings.config().malformed, OnMalformed::Close),
            other => panic!("{other:?}"),
        }
    }

    /// What an event would have told of the book, had it been taken.
    fn learn_the_rest(&mut self) {
        let known: BTreeMap<_, _> = self.datagrams.peers().map(|peer| (peer, ())).collect();
        let gone: Vec<_> = self.peers.keys().filter(|peer| !known.contains_key(peer)).copied().collect();
        for peer in gone {
            self.streams.forget(peer);
            let peer = self.peers.remove(&peer).expect("a key");
            assert!(!peer.pinned);
        }
        for peer in known.into_keys() {
            self.peers.entry(peer).or_insert(Known { heard: self.now, pinned: false });
        }
        // Those counters cannot be told apart from here any more.
        let counters = self.datagrams.counters();
        self.seen.counted.peers_added = counters.peers_added;
        self.seen.counted.peers_crowded_out = counters.peers_crowded_out - self.seen.turned_away;
    }

    fn pass(&mut self, time: Duration) {
        self.now += time;
        self.datagrams.handle_timeout(self.now);
        while let Some(event) = self.datagrams.poll_event() {
            self.peer_event(event);
        }
        assert!(self.datagrams.poll_timeout().is_none_or(|at| at > self.now), "no deadline in the past");
        let expiry = self.settings.config().udp_peer_expiry;
        assert!(
            self.peers.values().all(|peer| peer.pinned || peer.heard + expiry > self.now),
            "nobody is kept too long"
        );
    }

    fn check(&self) {
        let Self { datagrams, settings, peers, seen, .. } = self;
        assert!(datagrams.peer_count() <= settings.config().max_udp_peers);
        assert_eq!(datagrams.peer_count(), peers.len());
        assert!(datagrams.peers().all(|peer| peers.contains_key(&peer)));
        assert!(peers.keys().all(|peer| datagrams.is_peer(*peer)));
        assert!(datagrams.unfinished_bytes() <= settings.max_pending_bytes());
        let counters = datagrams.counters();
        assert_eq!(counters.datagrams, seen.counted.datagrams);
        assert_eq!(counters.peers_added, seen.counted.peers_added);
        assert_eq!(counters.peers_expired, seen.counted.peers_expired);
        assert_eq!(counters.peers_crowded_out, seen.counted.peers_crowded_out + seen.turned_away);
        if self.arrivals.is_empty() {
            assert_eq!(counters.messages, seen.counted.messages, "what was handed out is counted");
            // One that is dropped may find something too large in what was not looked at.
            assert!(counters.malformed >= seen.counted.malformed);
            let exact = !settings.is_raw()
                && settings.delimiter().as_bytes().len() == 1
                && settings.max_message_size() > 4 * MAX_DATAGRAM;
            if exact && !seen.too_large && counters.malformed == seen.counted.malformed {
                assert_eq!(
                    counters.messages + counters.malformed + counters.discarded,
                    seen.frames,
                    "every frame is counted"
                );
            }
        }
    }

    /// Everybody is silent until all is forgotten but what was to stay.
    fn end(mut self) {
        self.streams.check(&self.settings);
        while let Some((arrival, bytes, at)) = self.arrivals.pop() {
            self.datagrams.end(arrival, &bytes[at..]);
        }
        self.learn_the_rest();
        self.check();
        while let Some(at) = self.datagrams.poll_timeout() {
            self.pass(at.saturating_duration_since(self.now));
        }
        self.check();
        assert_eq!(self.datagrams.unfinished_bytes(), 0);
        assert!(self.peers.values().all(|peer| peer.pinned));
    }
}
