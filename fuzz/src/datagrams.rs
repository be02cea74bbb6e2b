//! A UDP socket under any datagrams of any senders at any moment: what is remembered stays within its bounds, what was
//! counted adds up, and what is queued leaves whole or is counted.
//!
//! Input: what `arbitrary` makes a [`Case`] of. Time is virtual.

use crate::setup;
use arbitrary::{Arbitrary, Unstructured};
use ipc_proto::{
    DatagramError, DatagramEvent, DatagramOutbound, DatagramTransmit, Datagrams, EmitError, Frame, IpFamily, PeerEvent,
    PeerRemoval, Settings,
};
use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

#[derive(Debug, Arbitrary)]
struct Case {
    preset: u8,
    delimiter: u8,
    max_peers: u8,
    max_pending: u16,
    max_message: u16,
    expiry: u16,
    steps: Vec<Step>,
}

#[derive(Debug, Arbitrary)]
enum Step {
    /// A datagram of a sender; whether all of it is looked at.
    Datagram(u8, Bytes, bool),
    Wait(u16),
    WaitForTimeout,
    Add(u8),
    Remove(u8),
    Emit(u8, u16),
    Broadcast(u16),
    Send(u8),
}

#[derive(Debug, Arbitrary)]
enum Bytes {
    Any(Vec<u8>),
    /// Whole messages and the beginning of one.
    Messages(u8, u16),
}

impl Bytes {
    fn make(&self, settings: &Settings) -> Vec<u8> {
        match self {
            Self::Any(bytes) => bytes.clone(),
            Self::Messages(whole, begun) => {
                let mut bytes = Vec::new();
                for _ in 0..whole % 8 {
                    let _refused = settings.encoder().encode("m", "text", &mut bytes);
                }
                bytes.extend(b"{\"type\":\"m\",\"data\":\"".iter().cycle().take(usize::from(*begun) % 3000));
                bytes
            }
        }
    }
}

fn address(which: u8) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, which % 16 + 1], 8000))
}

/// Follows what is said of the senders.
#[derive(Default)]
struct Known {
    peers: BTreeSet<SocketAddr>,
    pinned: BTreeSet<SocketAddr>,
}

impl Known {
    fn hear(&mut self, event: PeerEvent) {
        match event {
            PeerEvent::Added(peer) => assert!(self.peers.insert(peer), "{peer} was known"),
            PeerEvent::Removed(peer, why) => {
                assert!(self.peers.remove(&peer), "{peer} was not known");
                assert!(!self.pinned.remove(&peer) || why == PeerRemoval::Malformed, "{peer} was to stay");
            }
            PeerEvent::MessageTimeout { bytes, .. } => assert!(bytes > 0),
            other => panic!("unknown: {other:?}"),
        }
    }
}

/// Sends up to `most` datagrams: how many, and their bytes.
fn send(queue: &mut DatagramOutbound, transmit: &mut DatagramTransmit, most: usize) -> (u64, u64) {
    let (mut count, mut bytes) = (0, 0);
    while count < most as u64 && queue.poll_transmit(transmit) {
        while let Some((_, datagram)) = transmit.first().filter(|_| count < most as u64) {
            bytes += datagram.len() as u64;
            count += 1;
            transmit.advance();
        }
    }
    (count, bytes)
}

/// Checks one input.
pub fn check(data: &[u8]) {
    let Ok(case) = Case::arbitrary(&mut Unstructured::new(data)) else { return };
    let max_peers = usize::from(case.max_peers % 8).max(1);
    let config = setup::config(case.preset)
        .delimiter(setup::delimiter(case.delimiter))
        .max_udp_peers(max_peers)
        .max_pending_bytes(usize::from(case.max_pending).max(1))
        .max_message_size(usize::from(case.max_message).max(1))
        .udp_peer_expiry(Duration::from_millis(u64::from(case.expiry) + 1));
    let Some(settings) = setup::build(config) else { return };
    let mut now = Instant::now();
    let mut datagrams = Datagrams::new(settings.clone());
    let mut queue = DatagramOutbound::new(&settings, IpFamily::V4);
    let mut transmit = DatagramTransmit::new();
    let mut known = Known::default();
    // Of some datagram not everything was looked at.
    let mut partly = false;
    let (mut seen, mut received, mut queued, mut sent) = ((0, 0, 0), 0, (0, 0), (0, 0));
    for step in case.steps {
        match step {
            Step::Datagram(from, bytes, all) => {
                let bytes = bytes.make(&settings);
                received += bytes.len() as u64;
                let mut datagram = datagrams.handle_datagram(now, address(from), &bytes);
                seen.0 += 1;
                while let Some(event) = datagram.next() {
                    match event {
                        DatagramEvent::Peer(event) => known.hear(event),
                        DatagramEvent::Event(_) | DatagramEvent::Data(_) => seen.1 += 1,
                        DatagramEvent::Malformed(_) => seen.2 += 1,
                        other => panic!("unknown: {other:?}"),
                    }
                    if !all {
                        partly = true;
                        break;
                    }
                }
                drop(datagram);
                // Whoever does not look at all of a datagram does not hear all of its sender.
                known.peers = datagrams.peers().collect();
                known.pinned.retain(|peer| known.peers.contains(peer));
            }
            Step::Wait(milliseconds) => now += Duration::from_millis(milliseconds.into()),
            Step::WaitForTimeout => now = datagrams.poll_timeout().unwrap_or(now).max(now),
            Step::Add(which) => match datagrams.add_peer(now, address(which)) {
                Ok(removed) => {
                    if let Some(peer) = removed {
                        known.hear(PeerEvent::Removed(peer, PeerRemoval::CrowdedOut));
                    }
                    known.peers.insert(address(which));
                    known.pinned.insert(address(which));
                }
                Err(error) => {
                    assert!(matches!(error, DatagramError::TooManyPeers { limit } if limit == max_peers));
                    assert_eq!(known.pinned.len(), max_peers);
                }
            },
            Step::Remove(which) => {
                assert_eq!(datagrams.remove_peer(address(which)), known.peers.remove(&address(which)));
                known.pinned.remove(&address(which));
            }
            Step::Emit(which, length) => {
                let text = "x".repeat(length.into());
                let mut to = queue.to(address(which));
                let outcome = if settings.is_raw() { to.emit_raw(text.as_bytes()) } else { to.emit("m", &text) };
                match outcome {
                    Ok(()) => queued.0 += 1,
                    Err(EmitError::Full { pending, .. }) => assert!(pending > 0),
                    Err(EmitError::Encode(_) | EmitError::TooLarge { .. }) => {}
                    Err(other) => panic!("{other}"),
                }
            }
            Step::Broadcast(length) => {
                let text = "x".repeat(length.into());
                let frame =
                    if settings.is_raw() { Frame::raw(&settings, text) } else { Frame::new(&settings, "m", &text) };
                let Ok(frame) = frame else { continue };
                let peers: Vec<_> = datagrams.peers().collect();
                if let Ok(taken) = queue.broadcast(&frame, &peers) {
                    assert!(taken <= peers.len());
                    queued.0 += taken as u64;
                }
            }
            Step::Send(most) => {
                let (count, bytes) = send(&mut queue, &mut transmit, most.into());
                sent = (sent.0 + count, sent.1 + bytes);
            }
        }
        datagrams.handle_timeout(now);
        while let Some(event) = datagrams.poll_event() {
            known.hear(event);
        }
        assert!(datagrams.poll_timeout().is_none_or(|at| at > now), "no wake-up in the past");
        assert!(datagrams.peers().collect::<BTreeSet<_>>() == known.peers, "the events tell of all peers");
        assert!(datagrams.peer_count() <= max_peers);
        assert!(datagrams.unfinished_bytes() <= settings.max_pending_bytes());
        let counters = datagrams.counters();
        assert_eq!((counters.datagrams, counters.bytes), (seen.0, received));
        // A message that is too large breaks the protocol, whether it is looked at or not.
        let all_seen = if partly { counters.malformed >= seen.2 } else { counters.malformed == seen.2 };
        assert!(all_seen && counters.messages == seen.1, "{counters:?}, not {seen:?}");
        let out = queue.counters();
        queued.1 = out.bytes;
        assert_eq!(out.datagrams, queued.0);
        assert!(out.pending <= queued.0 - sent.0);
    }
    let rest = send(&mut queue, &mut transmit, usize::MAX);
    assert_eq!((sent.0 + rest.0, sent.1 + rest.1), queued, "each datagram leaves once");
    assert!(queue.end(transmit).is_empty());
}
