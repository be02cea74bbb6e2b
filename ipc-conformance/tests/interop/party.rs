//! Who stands at one end of a wire.

use std::net::{TcpListener, UdpSocket};
use std::process::Command;
use std::time::Duration;

use ipc_conformance::node::{Version, node_peer};
use ipc_conformance::process::PeerProcess;
use serde_json::{Value, json};

/// A kind of peer.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Party {
    /// Real node-ipc.
    Node(Version),
    /// Our own peer on Tokio, with this preset.
    Ours(&'static str),
}

impl Party {
    /// Starts a peer and waits until it is ready; nothing if it cannot be had on this machine, which was said loudly.
    pub(crate) fn start(self, options: Value) -> Option<PeerProcess> {
        match self {
            Self::Node(version) => node_peer(version, options),
            Self::Ours(preset) => {
                let mut options = options;
                options["preset"] = preset.into();
                let command = Command::new(env!("CARGO_BIN_EXE_peer"));
                let started = PeerProcess::start(command, &options, Duration::from_secs(20));
                Some(started.unwrap_or_else(|error| panic!("our own peer does not start: {error}")))
            }
        }
    }
}

/// Where the two ends meet: a folder of its own, removed afterwards.
pub(crate) struct Place {
    folder: tempfile::TempDir,
}

impl Place {
    pub(crate) fn new() -> Self {
        Self { folder: tempfile::Builder::new().prefix("ipc").tempdir().expect("temporary folder") }
    }

    /// The options of both ends: the path, and these members.
    pub(crate) fn options(&self, role: &str, more: Value) -> Value {
        let mut options = json!({
            "role": role,
            "path": self.folder.path().join("s"),
            "config": {"retry": 50},
        });
        merge(&mut options, more);
        options
    }
}

/// Members of objects are merged, everything else is replaced.
pub(crate) fn merge(into: &mut Value, from: Value) {
    match (into, from) {
        (Value::Object(into), Value::Object(from)) => {
            for (key, value) in from {
                merge(into.entry(key).or_insert(Value::Null), value);
            }
        }
        (into, from) => *into = from,
    }
}

/// A TCP port that was free a moment ago.
pub(crate) fn free_tcp_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("an address").port()
}

/// Two UDP ports that were free a moment ago.
pub(crate) fn free_udp_ports() -> (u16, u16) {
    let sockets = [(); 2].map(|()| UdpSocket::bind("127.0.0.1:0").expect("a free port"));
    let [one, two] = sockets.map(|socket| socket.local_addr().expect("an address").port());
    (one, two)
}
