//! The book of a server under any sequence of arrivals, claims and ends, beside a plain map.
//!
//! Input: what `arbitrary` makes a [`Case`] of.

use crate::setup;
use arbitrary::{Arbitrary, Unstructured};
use ipc_proto::{MAX_CLAIMED_ID, PeerId, RefuseReason, Server, ServerEvent};
use std::collections::{BTreeMap, VecDeque};

#[derive(Debug, Arbitrary)]
struct Case {
    max_connections: u8,
    steps: Vec<Step>,
}

#[derive(Debug, Arbitrary)]
enum Step {
    Start,
    Stop,
    Accept,
    /// A look before a handshake, and no more.
    Check,
    /// One of those who came, whether it is still there or not.
    Gone(u8),
    Claims(u8, Claim),
    Find(String),
}

#[derive(Debug, Arbitrary)]
enum Claim {
    Text(String),
    Json(String),
    /// A name about as long as one may be.
    Long(i8),
}

impl Claim {
    fn json(&self) -> String {
        match self {
            Self::Text(text) => serde_json::to_string(text).expect("a string"),
            Self::Json(json) => json.clone(),
            Self::Long(more) => format!("\"{}\"", "i".repeat(MAX_CLAIMED_ID.saturating_add_signed((*more).into()))),
        }
    }
}

/// Checks one input.
pub fn check(data: &[u8]) {
    let Ok(case) = Case::arbitrary(&mut Unstructured::new(data)) else { return };
    let limit = usize::from(case.max_connections % 6);
    let mut server = Server::new(setup::settings(setup::config(0).max_connections(limit)));
    let mut listening = false;
    let mut came: Vec<PeerId> = Vec::new();
    let mut peers: BTreeMap<PeerId, Option<String>> = BTreeMap::new();
    let (mut refused, mut full, mut stopped, mut ended) = (0, 0, 0, 0);
    let mut expected: VecDeque<ServerEvent> = VecDeque::new();
    for step in case.steps {
        match step {
            Step::Start => {
                server.start();
                if !listening {
                    expected.push_back(ServerEvent::Started);
                }
                listening = true;
            }
            Step::Stop => {
                server.stop();
                if listening {
                    expected.push_back(ServerEvent::Stopped);
                }
                listening = false;
            }
            Step::Accept | Step::Check => {
                let reason = match (listening, peers.len() >= limit) {
                    (false, _) => Some(RefuseReason::Stopped),
                    (true, true) => Some(RefuseReason::Full { limit }),
                    (true, false) => None,
                };
                let outcome = match step {
                    Step::Check => server.check_accept().map(|()| None),
                    _ => server.handle_accept().map(|(peer, _)| Some(peer)),
                };
                match (outcome, reason) {
                    (Ok(Some(peer)), None) => {
                        assert!(came.last().is_none_or(|last| *last < peer), "ids only grow");
                        came.push(peer);
                        peers.insert(peer, None);
                        expected.push_back(ServerEvent::Connected(peer));
                    }
                    (Ok(None), None) => {}
                    (Err(found), Some(reason)) => {
                        assert_eq!(found, reason);
                        refused += 1;
                        *(if reason == RefuseReason::Stopped { &mut stopped } else { &mut full }) += 1;
                    }
                    (outcome, reason) => panic!("{outcome:?}, not {reason:?}"),
                }
            }
            Step::Gone(which) => {
                let Some(peer) = came.get(usize::from(which)) else { continue };
                server.handle_disconnected(*peer);
                if let Some(claimed) = peers.remove(peer) {
                    ended += 1;
                    let claimed_id = claimed.map(Into::into);
                    expected.push_back(ServerEvent::Disconnected { peer: *peer, claimed_id });
                }
            }
            Step::Claims(which, claim) => {
                let Some(peer) = came.get(usize::from(which)) else { continue };
                let json = claim.json();
                server.handle_claimed_id(*peer, &json);
                if let Some(claimed) = peers.get_mut(peer).filter(|_| json.len() <= MAX_CLAIMED_ID) {
                    *claimed = Some(json);
                }
            }
            Step::Find(name) => {
                let claims = |json: &String| serde_json::from_str::<String>(json).is_ok_and(|claimed| claimed == name);
                let theirs = peers.iter().filter(|(_, claimed)| claimed.as_ref().is_some_and(claims));
                assert!(server.find(&name).eq(theirs.map(|(peer, _)| *peer)));
            }
        }
        while let Some(event) = server.poll_event() {
            assert_eq!(Some(event), expected.pop_front());
        }
        assert!(expected.is_empty(), "{expected:?} did not come");
        assert!(server.peers().eq(peers.keys().copied()));
        assert_eq!((server.len(), server.is_listening(), server.refused()), (peers.len(), listening, refused));
        assert!(server.len() <= limit);
        let counters = server.counters();
        assert_eq!((counters.accepted, counters.ended), (came.len() as u64, ended));
        assert_eq!((counters.full, counters.stopped), (full, stopped));
        for peer in &came {
            assert_eq!(server.contains(*peer), peers.contains_key(peer));
            assert_eq!(server.claimed_id(*peer), peers.get(peer).and_then(Option::as_deref));
        }
    }
}
