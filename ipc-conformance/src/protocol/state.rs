//! The answer to the command `state`: what a peer knows of its clients and its server.

use crate::js::{Js, JsObject, JsString};

/// One entry of `ipc.of`. What a peer does not know is left out of the line.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ClientState {
    /// The key in `ipc.of`.
    pub id: JsString,
    /// Messages that wait in the queue of `sync`.
    pub queued: usize,
    /// The local path, or the host.
    pub path: Option<String>,
    /// The port, for networks.
    pub port: Option<u16>,
}

/// `ipc.server`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ServerState {
    /// Connections, or remembered datagram senders.
    pub sockets: usize,
    /// Whether it accepts connections; nothing for UDP.
    pub listening: Option<bool>,
    /// The local path, or the host.
    pub path: Option<String>,
    /// The port, for networks.
    pub port: Option<u16>,
    /// Whether it is UDP over IPv4.
    pub udp4: bool,
    /// Whether it is UDP over IPv6.
    pub udp6: bool,
    /// The limit of connections.
    pub max_connections: Option<usize>,
}

/// The answer to the command `state`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct State {
    /// All clients, in the order in which they were made.
    pub of: Vec<ClientState>,
    /// The server, if one was set up.
    pub server: Option<ServerState>,
}

impl State {
    /// The facts of the result line.
    pub fn facts(&self) -> Js {
        let of: JsObject = self.of.iter().map(|client| (client.id.clone(), client.facts())).collect();
        let server = self.server.as_ref().map_or(Js::Bool(false), ServerState::facts);
        Js::object([("of", Js::Object(of)), ("server", server)])
    }
}

fn count(number: usize) -> Js {
    Js::Number(number as f64)
}

fn place(path: Option<&String>, port: Option<u16>) -> [(&'static str, Js); 2] {
    let undefined = || Js::object([("$t", Js::text("undefined"))]);
    [
        ("path", path.map_or_else(undefined, |path| Js::text(path))),
        ("port", port.map_or_else(undefined, |port| Js::Number(f64::from(port)))),
    ]
}

impl ClientState {
    fn facts(&self) -> Js {
        let queued = [("queued", count(self.queued))];
        Js::object(place(self.path.as_ref(), self.port).into_iter().chain(queued))
    }
}

impl ServerState {
    fn facts(&self) -> Js {
        let more = [
            ("udp4", Js::Bool(self.udp4)),
            ("udp6", Js::Bool(self.udp6)),
            ("sockets", count(self.sockets)),
            ("listening", self.listening.map_or(Js::Null, Js::Bool)),
            ("maxConnections", self.max_connections.map_or(Js::Null, count)),
        ];
        Js::object(place(self.path.as_ref(), self.port).into_iter().chain(more))
    }
}
