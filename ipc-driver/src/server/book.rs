//! The book of connected peers. It is locked when one comes or goes or is looked up, never while something is sent.

use crate::counters::ConnectionCounters;
use crate::peer::Peer;
use ipc_proto::PeerId;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

#[derive(Debug, Default)]
pub(super) struct Book {
    entries: Mutex<Entries>,
}

#[derive(Debug, Default)]
struct Entries {
    peers: BTreeMap<PeerId, Peer>,
    /// All of them, made when it is asked for and kept until somebody comes or goes: broadcasts follow one another.
    all: Option<Arc<[Peer]>>,
    /// What those have counted together who have left.
    past: ConnectionCounters,
}

impl Entries {
    fn all(&mut self) -> Arc<[Peer]> {
        if let Some(all) = &self.all {
            return Arc::clone(all);
        }
        let all: Arc<[Peer]> = self.peers.values().cloned().collect();
        self.all = Some(Arc::clone(&all));
        all
    }
}

impl Book {
    fn lock(&self) -> MutexGuard<'_, Entries> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn insert(&self, peer: Peer) {
        let mut entries = self.lock();
        entries.all = None;
        entries.peers.insert(peer.id(), peer);
    }

    /// Takes one out that has ended, and keeps what it has counted.
    pub(super) fn remove(&self, peer: PeerId, counters: ConnectionCounters) {
        let mut entries = self.lock();
        let left = entries.peers.remove(&peer);
        if left.is_some() {
            entries.all = None;
            entries.past += counters;
        }
        drop(entries);
        // Without the lock: it may be the last to hold what a user has put into it.
        drop(left);
    }

    /// What those have counted who have left, and everybody else: each peer is in one of the two.
    pub(super) fn counted(&self) -> (ConnectionCounters, Arc<[Peer]>) {
        let mut entries = self.lock();
        (entries.past, entries.all())
    }

    pub(super) fn get(&self, peer: PeerId) -> Option<Peer> {
        self.lock().peers.get(&peer).cloned()
    }

    pub(super) fn len(&self) -> usize {
        self.lock().peers.len()
    }

    /// Everybody, in order of connection. The list is as it was at this moment.
    pub(super) fn all(&self) -> Arc<[Peer]> {
        self.lock().all()
    }
}
