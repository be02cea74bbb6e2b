//! Who is connected to a server, and who of them is in which group: what an audience looks at.
//!
//! It knows nothing of the server, neither its handlers nor its socket. So a handler may hold an audience, and a peer may know
//! the others, without keeping the server alive or in memory.

use super::book::Book;
use super::groups::Groups;
use ipc_proto::Settings;
use std::sync::Arc;

pub(crate) struct Crowd {
    /// For encoding what goes to all of them.
    pub(super) settings: Settings,
    pub(super) peers: Book,
    pub(super) groups: Groups,
}

impl Crowd {
    pub(super) fn new(settings: &Settings) -> Arc<Self> {
        let groups = Groups::new(settings.config().max_groups);
        Arc::new(Self { settings: settings.clone(), peers: Book::default(), groups })
    }
}
