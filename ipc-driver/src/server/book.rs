//! The book of connected peers. It is locked when one comes or goes or is looked up, never while something is sent.

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

    pub(super) fn remove(&self, peer: PeerId) {
        let mut entries = self.lock();
        entries.all = None;
        entries.peers.remove(&peer);
    }

    pub(super) fn get(&self, peer: PeerId) -> Option<Peer> {
        self.lock().peers.get(&peer).cloned()
    }

    pub(super) fn len(&self) -> usize {
        self.lock().peers.len()
    }

    /// Everybody, in order of connection. The list is as it was at this moment.
    pub(super) fn all(&self) -> Arc<[Peer]> {
        let mut entries = self.lock();
        if let Some(all) = &entries.all {
            return Arc::clone(all);
        }
        let all: Arc<[Peer]> = entries.peers.values().cloned().collect();
        entries.all = Some(Arc::clone(&all));
        all
    }
}
