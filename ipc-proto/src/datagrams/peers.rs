//! Which senders are known, in the order they were last heard.
//!
//! A slab with a doubly linked list through it, so that hearing a peer, forgetting the one heard
//! longest ago and looking one up all take constant time. What a peer is known for, and when it is
//! forgotten, is decided by [`Datagrams`](super::Datagrams).

use std::collections::HashMap;
use std::net::SocketAddr;
use std::time::Instant;

use crate::Decoder;

/// The beginning of a message whose rest is to come in another datagram.
#[derive(Debug)]
pub(super) struct Unfinished {
    pub(super) decoder: Decoder,
    /// When the first byte of it came.
    pub(super) since: Instant,
}

/// One known sender.
#[derive(Debug)]
pub(super) struct Peer {
    pub(super) address: SocketAddr,
    pub(super) heard: Instant,
    /// Added by the user: stays until the user removes it, and is in no list.
    pub(super) pinned: bool,
    pub(super) unfinished: Option<Unfinished>,
    links: Links,
}

#[derive(Clone, Copy, Debug, Default)]
struct Links {
    older: Option<usize>,
    newer: Option<usize>,
}

/// All known senders.
#[derive(Debug, Default)]
pub(super) struct Peers {
    // std's hasher is keyed at random: chosen addresses cannot make it slow. Its order is never used.
    slots_by_address: HashMap<SocketAddr, usize>,
    slots: Vec<Option<Peer>>,
    free: Vec<usize>,
    oldest: Option<usize>,
    newest: Option<usize>,
}

impl Peers {
    pub(super) fn len(&self) -> usize {
        self.slots_by_address.len()
    }

    pub(super) fn addresses(&self) -> impl Iterator<Item = SocketAddr> {
        self.slots.iter().flatten().map(|peer| peer.address)
    }

    pub(super) fn contains(&self, address: SocketAddr) -> bool {
        self.slots_by_address.contains_key(&address)
    }

    pub(super) fn get_mut(&mut self, address: SocketAddr) -> Option<&mut Peer> {
        let slot = *self.slots_by_address.get(&address)?;
        self.slots.get_mut(slot)?.as_mut()
    }

    /// The unpinned peer that was heard longest ago.
    pub(super) fn oldest(&self) -> Option<&Peer> {
        self.slots.get(self.oldest?)?.as_ref()
    }

    /// Adds a peer that is not known yet.
    pub(super) fn insert(&mut self, address: SocketAddr, heard: Instant, pinned: bool) {
        let peer = Peer { address, heard, pinned, unfinished: None, links: Links::default() };
        let slot = match self.free.pop() {
            Some(slot) => {
                self.slots[slot] = Some(peer);
                slot
            }
            None => {
                self.slots.push(Some(peer));
                self.slots.len() - 1
            }
        };
        self.slots_by_address.insert(address, slot);
        if !pinned {
            self.link_newest(slot);
        }
    }

    /// Marks a peer as heard now; says whether it is known.
    pub(super) fn hear(&mut self, address: SocketAddr, now: Instant) -> bool {
        let Some(&slot) = self.slots_by_address.get(&address) else {
            return false;
        };
        let Some(peer) = self.slots[slot].as_mut() else {
            return false;
        };
        peer.heard = now;
        if !peer.pinned && self.newest != Some(slot) {
            self.unlink(slot);
            self.link_newest(slot);
        }
        true
    }

    /// Makes a known peer stay until it is removed.
    pub(super) fn pin(&mut self, address: SocketAddr) {
        let Some(&slot) = self.slots_by_address.get(&address) else {
            return;
        };
        if let Some(peer) = self.slots[slot].as_mut().filter(|peer| !peer.pinned) {
            peer.pinned = true;
            self.unlink(slot);
        }
    }

    pub(super) fn remove(&mut self, address: SocketAddr) -> Option<Peer> {
        let slot = self.slots_by_address.remove(&address)?;
        if self.slots[slot].as_ref().is_some_and(|peer| !peer.pinned) {
            self.unlink(slot);
        }
        self.free.push(slot);
        self.slots[slot].take()
    }

    fn link_newest(&mut self, slot: usize) {
        let links = Links { older: self.newest, newer: None };
        self.set_links(slot, |own| *own = links);
        match self.newest {
            Some(newest) => self.set_links(newest, |links| links.newer = Some(slot)),
            None => self.oldest = Some(slot),
        }
        self.newest = Some(slot);
    }

    fn unlink(&mut self, slot: usize) {
        let Some(Links { older, newer }) = self.slots[slot].as_ref().map(|peer| peer.links) else {
            return;
        };
        match older {
            Some(older) => self.set_links(older, |links| links.newer = newer),
            None => self.oldest = newer,
        }
        match newer {
            Some(newer) => self.set_links(newer, |links| links.older = older),
            None => self.newest = older,
        }
    }

    fn set_links(&mut self, slot: usize, set: impl FnOnce(&mut Links)) {
        if let Some(peer) = self.slots.get_mut(slot).and_then(Option::as_mut) {
            set(&mut peer.links);
        }
    }
}
