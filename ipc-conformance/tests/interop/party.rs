//! Who stands at one end of a wire.

use std::net::{TcpListener, UdpSocket};
use std::process::Command;
use std::time::Duration;

use ipc_conformance::certificates;
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

/// What the two ends talk over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Over {
    Unix,
    Tcp,
    /// TLS over TCP; the client trusts the authority of the server's certificate.
    Tls,
    /// The same, and the server wants a certificate of the client.
    MutualTls,
}

/// Where the two ends meet: a folder of its own, removed afterwards, and a port if they talk over a network.
pub(crate) struct Place {
    folder: tempfile::TempDir,
    over: Over,
    port: u16,
}

impl Place {
    pub(crate) fn new(over: Over) -> Self {
        let folder = tempfile::Builder::new().prefix("ipc").tempdir().expect("temporary folder");
        if matches!(over, Over::Tls | Over::MutualTls) {
            certificates::make(folder.path()).expect("certificates");
        }
        Self { folder, over, port: if over == Over::Unix { 0 } else { free_tcp_port() } }
    }

    /// The options of an end: where, and these members.
    pub(crate) fn options(&self, role: &str, more: Value) -> Value {
        let mut options = json!({"role": role, "config": {"retry": 50}});
        if self.over == Over::Unix {
            options["path"] = json!(self.folder.path().join("s"));
        } else {
            merge(&mut options, json!({"transport": "tcp", "host": "127.0.0.1", "port": self.port}));
        }
        if let Some(tls) = self.tls(role) {
            options["config"]["tls"] = tls;
        }
        merge(&mut options, more);
        options
    }

    fn tls(&self, role: &str) -> Option<Value> {
        let file = |name: &str| self.folder.path().join(name);
        let identity = json!({"private": file(&format!("{role}.key")), "public": file(&format!("{role}.crt"))});
        let trust = json!({"trustedConnections": [file("ca.crt")], "rejectUnauthorized": true});
        let (mut tls, more) = match (self.over, role) {
            (Over::Unix | Over::Tcp, _) => return None,
            (Over::Tls, "server") => (identity, json!({})),
            (Over::MutualTls, "server") => (identity, merged(trust, json!({"requestCert": true}))),
            (Over::Tls, _) => (trust, json!({})),
            (Over::MutualTls, _) => (identity, trust),
        };
        merge(&mut tls, more);
        Some(tls)
    }
}

fn merged(mut one: Value, other: Value) -> Value {
    merge(&mut one, other);
    one
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

/// Two UDP ports of an address that were free a moment ago.
pub(crate) fn free_udp_ports(host: &str) -> (u16, u16) {
    let sockets = [(); 2].map(|()| UdpSocket::bind((host, 0)).expect("a free port"));
    let [one, two] = sockets.map(|socket| socket.local_addr().expect("an address").port());
    (one, two)
}
