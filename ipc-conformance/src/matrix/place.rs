//! Where two ends meet: a folder that is removed afterwards, and ports that nobody else is given.

use serde_json::{Value, json};
use std::net::{TcpListener, UdpSocket};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use super::failure::{Failure, Outcome};
use super::scenario::Transport;
use crate::certificates;

/// A place for one cell.
#[derive(Debug)]
pub struct Place {
    folder: tempfile::TempDir,
    transport: Transport,
    ports: [u16; 2],
}

impl Place {
    /// A new one.
    ///
    /// # Errors
    ///
    /// If the machine has no room for it: files, certificates, ports.
    pub fn new(transport: Transport) -> Outcome<Self> {
        let folder = tempfile::Builder::new().prefix("ipc").tempdir()?;
        if matches!(transport, Transport::Tls | Transport::MutualTls) {
            certificates::make(folder.path()).map_err(|error| Failure::new(format!("no certificates: {error}")))?;
        }
        let ports = if transport == Transport::Unix { [0, 0] } else { [free_port(transport)?, free_port(transport)?] };
        Ok(Self { folder, transport, ports })
    }

    /// The path of the local socket.
    pub fn path(&self) -> PathBuf {
        self.folder.path().join("s")
    }

    /// A file in the folder, such as a certificate.
    pub fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The server's port; over UDP the client's is the second.
    pub fn ports(&self) -> [u16; 2] {
        self.ports
    }

    /// The options that bring an end of this role here.
    pub fn options(&self, role: &str) -> Value {
        if self.transport.is_udp() {
            let port = self.ports[usize::from(role == "client")];
            let (name, host) = (self.transport.as_str(), self.transport.host());
            return json!({"role": "server", "transport": name, "host": host, "port": port, "config": {}});
        }
        let mut options = json!({"role": role, "config": {"retry": 50}});
        if self.transport == Transport::Unix {
            options["path"] = json!(self.path());
        } else {
            merge(&mut options, json!({"transport": "tcp", "host": "127.0.0.1", "port": self.ports[0]}));
        }
        if let Some(tls) = self.tls(role) {
            options["config"]["tls"] = tls;
        }
        options
    }

    /// The certificate and key of this name, as members of `tls`.
    pub fn identity(&self, name: &str) -> Value {
        json!({"private": self.file(&format!("{name}.key")), "public": self.file(&format!("{name}.crt"))})
    }

    fn tls(&self, role: &str) -> Option<Value> {
        let trust = json!({"trustedConnections": [self.file("ca.crt")], "rejectUnauthorized": true});
        let mut tls = match (self.transport, role) {
            (Transport::Tls, "server") => self.identity("server"),
            (Transport::Tls, _) => trust,
            (Transport::MutualTls, _) => {
                let mut both = self.identity(role);
                merge(&mut both, trust);
                both
            }
            _ => return None,
        };
        if (self.transport, role) == (Transport::MutualTls, "server") {
            tls["requestCert"] = json!(true);
        }
        Some(tls)
    }
}

/// Members of objects are merged, everything else is replaced.
pub fn merge(into: &mut Value, from: Value) {
    match (into, from) {
        (Value::Object(into), Value::Object(from)) => {
            for (key, value) in from {
                merge(into.entry(key).or_insert(Value::Null), value);
            }
        }
        (into, from) => *into = from,
    }
}

/// A port that is free, and that this process gives nobody else. It lies below those that systems give to clients, so that no
/// connection takes it meanwhile.
fn free_port(transport: Transport) -> Outcome<u16> {
    const FIRST: u32 = 12_000;
    const COUNT: u32 = 20_000;
    static NEXT: AtomicU32 = AtomicU32::new(0);
    // Processes that run at the same time begin at different ones.
    let begin = std::process::id().wrapping_mul(7_919);
    for _ in 0..COUNT {
        let port = (FIRST + begin.wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed)) % COUNT) as u16;
        let at = (transport.host(), port);
        let free = if transport.is_udp() { UdpSocket::bind(at).is_ok() } else { TcpListener::bind(at).is_ok() };
        if free {
            return Ok(port);
        }
    }
    Err(Failure::new("no port is free"))
}
