//! What the tests of real sockets share: a folder of their own, and a time limit for everything.

#![allow(dead_code, reason = "not every test file uses everything")]

use ipc_tokio::{Client, Config, Endpoint, Server};
use std::future::Future;
use std::time::Duration;
use tempfile::TempDir;

/// A folder for sockets, removed at the end.
pub(crate) struct Place {
    folder: TempDir,
}

impl Place {
    pub(crate) fn new() -> Self {
        Self { folder: tempfile::Builder::new().prefix("ipc").tempdir().expect("temporary folder") }
    }

    /// A configuration whose default paths lie in this folder.
    pub(crate) fn config(&self) -> Config {
        Config::new("world").socket_root(format!("{}/", self.folder.path().display())).retry(Duration::from_millis(20))
    }

    pub(crate) fn path(&self, name: &str) -> std::path::PathBuf {
        self.folder.path().join(name)
    }

    /// The path of the default socket of `world`.
    pub(crate) fn socket(&self) -> std::path::PathBuf {
        self.path("app.world")
    }

    /// Whether the default socket of `world` is there, for the system.
    pub(crate) fn is_served(&self) -> bool {
        if cfg!(unix) {
            return self.socket().exists();
        }
        // A pipe is looked for by opening it.
        let pipe = Endpoint::local(self.server().settings(), None).expect("an endpoint").to_string();
        let pipe = pipe.strip_prefix("pipe:").expect("a pipe");
        std::fs::OpenOptions::new().read(true).open(pipe).is_ok()
    }

    pub(crate) fn server(&self) -> Server {
        Server::new(self.config()).expect("a server")
    }

    pub(crate) fn client(&self) -> Client {
        Client::new("world", self.config().id("hello")).expect("a client")
    }
}

/// Fails a test that hangs.
pub(crate) async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(20), future).await.unwrap_or_else(|_| panic!("too late: {what}"))
}
