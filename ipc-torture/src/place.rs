//! Where a test takes place: a folder of its own, an endpoint of each transport there, certificates where it takes some.

use crate::child::Plan;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

/// What streams go over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Over {
    /// A Unix socket.
    Unix,
    /// TCP on loopback.
    Tcp,
    /// TLS over it.
    Tls,
}

impl Over {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Unix, Self::Tcp, Self::Tls];
}

/// A folder for sockets, certificates and records, removed at the end.
#[derive(Debug)]
pub struct Place {
    folder: tempfile::TempDir,
    program: PathBuf,
}

impl Place {
    /// An empty one, for subjects of the program `ipc-torture` at `program`.
    ///
    /// # Panics
    ///
    /// If there can be none.
    #[must_use]
    pub fn new(program: impl AsRef<Path>) -> Self {
        let folder = tempfile::Builder::new().prefix("ipc").tempdir().expect("a temporary folder");
        ipc_testkit::certificates::make(folder.path()).expect("certificates");
        Self { folder, program: program.as_ref().to_owned() }
    }

    /// A file in it.
    #[must_use]
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn file(&self, name: &str) -> Value {
        self.path(name).display().to_string().into()
    }

    /// A server: at the socket `world` of this folder, or a port that the system chooses.
    #[must_use]
    pub fn server(&self, over: Over) -> Plan {
        match over {
            Over::Unix => self.server_at(over, &format!("unix:{}", self.path("world").display())),
            Over::Tcp | Over::Tls => self.server_at(over, "tcp:127.0.0.1:0"),
        }
    }

    /// A server where another one was.
    #[must_use]
    pub fn server_at(&self, over: Over, endpoint: &str) -> Plan {
        let plan = Plan::new(&self.program, "server", endpoint);
        match over {
            Over::Unix | Over::Tcp => plan,
            Over::Tls => {
                plan.config(json!({"tls": {"public": self.file("server.crt"), "private": self.file("server.key")}}))
            }
        }
    }

    /// A client that comes back 20 ms after it was cut.
    #[must_use]
    pub fn client(&self, over: Over, endpoint: &str) -> Plan {
        let plan = Plan::new(&self.program, "client", endpoint).config(json!({"retry": 20}));
        match over {
            Over::Unix | Over::Tcp => plan,
            Over::Tls => plan.config(json!({"tls": {"trustedConnections": self.file("ca.crt")}})),
        }
    }
}
