//! Which pipe names this process serves. Windows refuses a second server of a name as long as *any* instance of the name is
//! open, a connection of a server that has stopped too; here it is known which instances are our own.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Protects the names of this process that have listeners or connections, and how many. Held for a look-up only.
static NAMES: Mutex<BTreeMap<String, Count>> = Mutex::new(BTreeMap::new());

#[derive(Clone, Copy, Debug, Default)]
struct Count {
    listeners: usize,
    connections: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Listener,
    Connection,
}

/// A share in a pipe name that this process serves. The name is given up with the last one.
#[derive(Debug)]
pub struct Claim {
    /// In lower case: names of pipes have none.
    name: String,
    kind: Kind,
    first: bool,
}

impl Claim {
    /// The share of a server. Refused if a server of this process listens there, unless told to share the name with it.
    pub(super) fn listener(name: &str, share: bool) -> io::Result<Self> {
        let key = name.to_lowercase();
        let first = {
            let mut names = lock();
            let count = names.entry(key.clone()).or_default();
            let first = count.listeners + count.connections == 0;
            if count.listeners > 0 && !share {
                drop(names);
                return Err(in_use(name, "a server of this process listens there"));
            }
            count.listeners += 1;
            first
        };
        Ok(Self { name: key, kind: Kind::Listener, first })
    }

    /// Another share, that of a connection.
    pub(super) fn connection(&self) -> Self {
        if let Some(count) = lock().get_mut(&self.name) {
            count.connections += 1;
        }
        Self { name: self.name.clone(), kind: Kind::Connection, first: false }
    }

    /// Whether this process had no share before.
    pub(super) fn is_first(&self) -> bool {
        self.first
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        let mut names = lock();
        let Some(count) = names.get_mut(&self.name) else { return };
        match self.kind {
            Kind::Listener => count.listeners -= 1,
            Kind::Connection => count.connections -= 1,
        }
        if count.listeners + count.connections == 0 {
            names.remove(&self.name);
        }
    }
}

pub(super) fn in_use(name: &str, why: &str) -> io::Error {
    let text = format!("{name} is in use: {why}; stop that server, choose another path, or set takeOver");
    io::Error::new(io::ErrorKind::AddrInUse, text)
}

fn lock() -> MutexGuard<'static, BTreeMap<String, Count>> {
    NAMES.lock().unwrap_or_else(PoisonError::into_inner)
}
