//! Groups of peers: who is in which, kept as long as they are connected.
//!
//! One table for a server, locked when somebody joins or leaves and for the look at who is in a group, never while something
//! is sent. A group is there as long as somebody is in it. What is sent to groups is `audience`'s business.

use super::audience::Audience;
use super::crowd::Crowd;
use crate::peer::Peer;
use ipc_proto::PeerId;
use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Bytes that the name of a group may have.
pub const MAX_GROUP_NAME: usize = 1024;

/// A peer was not taken into a group.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum JoinError {
    /// It is in as many groups as it may be.
    #[error("the peer is in as many groups as maxGroups allows ({limit}); let it leave one, or raise the option")]
    TooMany {
        /// `maxGroups`.
        limit: usize,
    },
    /// The name is too long.
    #[error("the name of the group has {length} bytes, and {limit} is the most; choose a shorter one")]
    NameTooLong {
        /// Its bytes.
        length: usize,
        /// [`MAX_GROUP_NAME`].
        limit: usize,
    },
    /// Its connection has ended, and its membership in all groups with it.
    #[error("the connection of this peer has ended, so that it can be in no group")]
    Closed,
}

/// The groups of one server.
#[derive(Debug)]
pub(crate) struct Groups {
    /// For one peer.
    limit: usize,
    table: Mutex<HashMap<Arc<str>, Members>>,
}

#[derive(Debug, Default)]
struct Members {
    peers: BTreeMap<PeerId, Peer>,
    /// All of them, made when it is asked for and kept until somebody joins or leaves.
    all: Option<Arc<[Peer]>>,
}

/// The groups of one peer. Where both locks are taken, that of the table comes first.
pub(crate) struct Membership {
    crowd: Arc<Crowd>,
    own: Mutex<Own>,
}

#[derive(Debug, Default)]
struct Own {
    /// In the order of joining. Once the connection has ended, as it was then.
    names: Vec<Arc<str>>,
    ended: bool,
}

impl Groups {
    pub(super) fn new(limit: usize) -> Self {
        Self { limit, table: Mutex::default() }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Arc<str>, Members>> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Who is in a group, in order of connection. The list is as it was at this moment.
    pub(super) fn members(&self, name: &str) -> Arc<[Peer]> {
        let mut table = self.lock();
        let Some(members) = table.get_mut(name) else { return Arc::default() };
        if let Some(all) = &members.all {
            return Arc::clone(all);
        }
        let all: Arc<[Peer]> = members.peers.values().cloned().collect();
        members.all = Some(Arc::clone(&all));
        all
    }

    /// The names of all groups that somebody is in.
    pub(super) fn names(&self) -> Vec<Arc<str>> {
        self.lock().keys().cloned().collect()
    }
}

impl Membership {
    pub(crate) fn new(crowd: Arc<Crowd>) -> Self {
        Self { crowd, own: Mutex::default() }
    }

    fn own(&self) -> MutexGuard<'_, Own> {
        self.own.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn join(&self, name: &str, peer: &Peer) -> Result<(), JoinError> {
        if name.len() > MAX_GROUP_NAME {
            return Err(JoinError::NameTooLong { length: name.len(), limit: MAX_GROUP_NAME });
        }
        let mut table = self.crowd.groups.lock();
        let mut own = self.own();
        if own.ended {
            return Err(JoinError::Closed);
        }
        if own.names.iter().any(|known| **known == *name) {
            return Ok(());
        }
        if own.names.len() >= self.crowd.groups.limit {
            return Err(JoinError::TooMany { limit: self.crowd.groups.limit });
        }
        // The name is there once, however many are in the group.
        let name = table.get_key_value(name).map_or_else(|| Arc::from(name), |(known, _)| Arc::clone(known));
        let members = table.entry(Arc::clone(&name)).or_default();
        own.names.push(name);
        members.peers.insert(peer.id(), peer.clone());
        let replaced = members.all.take();
        drop((own, table));
        // Without the lock: it may be the last to hold a peer that has gone, and what a user has put into that.
        drop(replaced);
        Ok(())
    }

    fn leave(&self, name: &str, peer: PeerId) -> bool {
        let mut table = self.crowd.groups.lock();
        let mut own = self.own();
        let Some(place) = own.names.iter().position(|known| **known == *name).filter(|_| !own.ended) else {
            return false;
        };
        own.names.remove(place);
        let left = remove(&mut table, name, peer);
        drop((own, table));
        drop(left);
        true
    }

    /// The connection has ended: takes the peer out of all groups, for good. It still knows which those were.
    fn end(&self, peer: PeerId) {
        let mut table = self.crowd.groups.lock();
        let mut own = self.own();
        own.ended = true;
        let left: Vec<_> = own.names.iter().map(|name| remove(&mut table, name, peer)).collect();
        drop((own, table));
        drop(left);
    }
}

/// What is to be dropped without the lock.
type Left = (Option<Peer>, Option<Arc<[Peer]>>);

fn remove(table: &mut HashMap<Arc<str>, Members>, name: &str, peer: PeerId) -> Left {
    let Some(members) = table.get_mut(name) else { return (None, None) };
    let left = (members.peers.remove(&peer), members.all.take());
    if members.peers.is_empty() {
        table.remove(name);
    }
    left
}

impl Peer {
    /// Takes it into a group, until it [`leave`](Self::leave)s or its connection ends. Nothing happens if it is in already.
    ///
    /// A group needs no making, and is gone when nobody is in it any more. [`group`](Self::group) and
    /// [`Server::group`](crate::Server::group) reach it.
    /// Names are your program's to choose. Should a peer choose them, it can be in no more than `maxGroups`, and its names are
    /// [`MAX_GROUP_NAME`] bytes long at most.
    ///
    /// # Errors
    ///
    /// [`JoinError`]; then it is in no further group.
    pub fn join(&self, group: impl AsRef<str>) -> Result<(), JoinError> {
        self.inner.membership.join(group.as_ref(), self)
    }

    /// Takes it out of a group. `false` if it was not in.
    pub fn leave(&self, group: impl AsRef<str>) -> bool {
        self.inner.membership.leave(group.as_ref(), self.id())
    }

    /// Everybody who is connected to its server, itself included: [`Server::all`](crate::Server::all) for handlers.
    /// `peer.all().except(peer)` is everybody else.
    pub fn all(&self) -> Audience {
        Audience::new(&self.inner.membership.crowd, None)
    }

    /// The peers of its server that have [joined](Self::join) a group, whether it has or not:
    /// [`Server::group`](crate::Server::group) for handlers.
    pub fn group(&self, name: impl AsRef<str>) -> Audience {
        Audience::new(&self.inner.membership.crowd, Some(name.as_ref()))
    }

    /// The groups it is in, in the order of joining; once its connection has ended, those it was in then.
    #[must_use]
    pub fn groups(&self) -> Vec<Arc<str>> {
        self.inner.membership.own().names.clone()
    }

    /// Takes it out of all groups, as its connection has ended.
    pub(super) fn leave_groups(&self) {
        self.inner.membership.end(self.id());
    }
}
