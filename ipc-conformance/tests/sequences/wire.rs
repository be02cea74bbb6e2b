//! Servers and clients that know bytes only. One thread looks at all sockets of a script; what a script does to them
//! happens at once, on the caller's thread.
//!
//! They say what Node's sockets say, in the same order: `end` when the other side has ended, which ends ours as well, `error` with a
//! code, and `close` last.

use crate::sockets::{Listener, Stream, code};
use ipc_conformance::protocol::Clock;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// How often the sockets are looked at. Far below what the comparison of times forgives.
const TURN: Duration = Duration::from_millis(1);

/// All byte-level servers and clients of one script.
pub(crate) struct Wires {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

struct Shared {
    clock: Clock,
    /// Protects all sockets, and what they saw. Held to act, never to wait.
    state: Mutex<State>,
    over: AtomicBool,
}

#[derive(Default)]
struct State {
    actors: BTreeMap<String, Actor>,
    /// Lines of the timeline.
    seen: Vec<Value>,
}

#[derive(Default)]
struct Actor {
    listener: Option<Listener>,
    /// Whether it says who connects.
    shows_remote: bool,
    connections: Vec<Connection>,
    datagrams: Option<UdpSocket>,
}

struct Connection {
    /// Nothing when it is closed.
    stream: Option<Stream>,
    /// Its number, if a server accepted it.
    number: Option<usize>,
}

/// Ways to get rid of a connection.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Leave {
    /// End our side, and wait for the other.
    End,
    /// Close at once.
    Destroy,
    /// Close so that the other side sees a reset.
    Reset,
}

impl Leave {
    /// As scripts call it.
    pub(crate) fn named(name: &str) -> Self {
        match name {
            "end" => Self::End,
            "destroy" => Self::Destroy,
            "rst" => Self::Reset,
            other => panic!("unknown way to leave: {other}"),
        }
    }
}

impl Wires {
    pub(crate) fn new(clock: Clock) -> Self {
        let shared = Arc::new(Shared { clock, state: Mutex::default(), over: AtomicBool::new(false) });
        let looking = Arc::clone(&shared);
        let thread = thread::spawn(move || {
            while !looking.over.load(Ordering::Relaxed) {
                looking.turn();
                thread::sleep(TURN);
            }
        });
        Self { shared, thread: Some(thread) }
    }

    /// Lines of what was seen so far.
    pub(crate) fn seen(&self) -> Vec<Value> {
        self.shared.lock().seen.clone()
    }

    /// A socket for datagrams. It is bound when this returns.
    pub(crate) fn bind(&self, who: &str, at: &Value) {
        let ip = if at["type"] == "udp6" { "::1" } else { "127.0.0.1" };
        let port = at["port"].as_u64().and_then(|port| u16::try_from(port).ok()).expect("a port");
        let socket = UdpSocket::bind((ip, port)).expect("the port is free");
        socket.set_nonblocking(true).expect("set");
        self.shared.lock().actors.insert(who.to_owned(), Actor { datagrams: Some(socket), ..Actor::default() });
    }

    pub(crate) fn send_datagram(&self, who: &str, bytes: &[u8], to: &Value) {
        let port = to.as_u64().and_then(|port| u16::try_from(port).ok()).expect("a port");
        let state = self.shared.lock();
        let socket = state.actors[who].datagrams.as_ref().expect("a socket for datagrams");
        let sent = socket.send_to(bytes, SocketAddr::from((Ipv4Addr::LOCALHOST, port))).expect("sent");
        assert_eq!(sent, bytes.len());
    }

    /// A server at a path or port, with TLS if `tls` names its files. It listens when this returns; if it cannot, that is in
    /// the lines.
    pub(crate) fn listen(&self, who: &str, at: &Value, tls: &Value, shows_remote: bool) {
        let listener = Listener::bind(at, tls);
        let mut state = self.shared.lock();
        if let Err(error) = &listener {
            state.see(&self.shared.clock, who, None, json!({"saw": "server_error", "code": code(error)}));
        }
        state.actors.insert(who.to_owned(), Actor { listener: listener.ok(), shows_remote, ..Actor::default() });
    }

    /// A client. It is connected when this returns, or has failed.
    pub(crate) fn connect(&self, who: &str, to: &Value) {
        let stream = Stream::connect(to);
        let mut state = self.shared.lock();
        let stream = match stream {
            Ok(stream) => {
                state.see(&self.shared.clock, who, None, json!({"saw": "connected"}));
                Some(stream)
            }
            Err(error) => {
                state.see(&self.shared.clock, who, None, json!({"saw": "error", "code": code(&error)}));
                state.see(&self.shared.clock, who, None, json!({"saw": "close"}));
                None
            }
        };
        let connections = vec![Connection { stream, number: None }];
        state.actors.insert(who.to_owned(), Actor { connections, ..Actor::default() });
    }

    /// Whether an actor has a connection of this number, now or before.
    pub(crate) fn has(&self, who: &str, connection: usize) -> bool {
        self.shared.lock().actors.get(who).is_some_and(|actor| actor.connections.len() > connection)
    }

    pub(crate) fn send(&self, who: &str, connection: usize, bytes: &[u8]) {
        let mut state = self.shared.lock();
        let Some(stream) = state.stream(who, connection) else { return };
        // A few bytes always fit into the buffer of the socket; and a failure shows when it is read.
        let _shows_later = stream.write_all(bytes);
    }

    pub(crate) fn leave(&self, who: &str, connection: usize, how: Leave) {
        let mut state = self.shared.lock();
        state.leave(&self.shared.clock, who, connection, how);
    }

    /// Stops listening and leaves every connection. After [`Leave::End`] it waits until the other sides have ended.
    pub(crate) fn close(&self, who: &str, how: Leave) {
        self.shared.turn();
        let count = {
            let mut state = self.shared.lock();
            let Some(actor) = state.actors.get_mut(who) else { return };
            actor.listener = None;
            actor.connections.len()
        };
        (0..count).for_each(|connection| self.leave(who, connection, how));
        let open = || self.shared.lock().actors[who].connections.iter().any(|it| it.stream.is_some());
        for _ in 0..2_000 {
            if !open() {
                return;
            }
            thread::sleep(TURN);
        }
    }
}

impl Drop for Wires {
    fn drop(&mut self) {
        self.shared.over.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _a_panic_was_printed = thread.join();
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no panic while locked")
    }

    /// Accepts and reads all there is.
    fn turn(&self) {
        let mut state = self.lock();
        let names: Vec<String> = state.actors.keys().cloned().collect();
        for who in names {
            while let Some(stream) = state.actors[&who].listener.as_ref().and_then(Listener::accept) {
                let actor = state.actors.get_mut(&who).expect("it is there");
                let number = Some(actor.connections.len());
                let mut conn = json!({"saw": "conn"});
                if let Some(remote) = stream.remote().filter(|_| actor.shows_remote) {
                    conn["remote"] = json!({"address": remote.ip().to_string(), "port": remote.port()});
                }
                actor.connections.push(Connection { stream: Some(stream), number });
                state.see(&self.clock, &who, number, conn);
            }
            let mut buffer = [0; 65_536];
            while let Some(length) = state.actors[&who].datagrams.as_ref().and_then(|it| it.recv(&mut buffer).ok()) {
                state.see(&self.clock, &who, None, json!({"saw": "datagram", "bytes": shown(&buffer[..length])}));
            }
            for connection in 0..state.actors[&who].connections.len() {
                state.read(&self.clock, &who, connection);
            }
        }
    }
}

impl State {
    fn see(&mut self, clock: &Clock, who: &str, number: Option<usize>, mut what: Value) {
        what["t"] = json!(clock.now().since_1970);
        what["who"] = json!(who);
        if let Some(number) = number {
            what["conn"] = json!(number);
        }
        self.seen.push(what);
    }

    fn connection(&mut self, who: &str, connection: usize) -> Option<&mut Connection> {
        self.actors.get_mut(who)?.connections.get_mut(connection)
    }

    fn stream(&mut self, who: &str, connection: usize) -> Option<&mut Stream> {
        self.connection(who, connection)?.stream.as_mut()
    }

    fn leave(&mut self, clock: &Clock, who: &str, connection: usize, how: Leave) {
        // What has arrived counts as seen.
        self.read(clock, who, connection);
        let Some(connection) = self.connection(who, connection) else { return };
        let Some(stream) = &connection.stream else { return };
        if how == Leave::End {
            let _seen_when_read = stream.shutdown();
            return;
        }
        if how == Leave::Reset {
            stream.reset_when_dropped();
        }
        connection.stream = None;
        let number = connection.number;
        self.see(clock, who, number, json!({"saw": "close"}));
    }

    fn read(&mut self, clock: &Clock, who: &str, connection: usize) {
        let mut buffer = [0; 65_536];
        loop {
            let Some(connection) = self.connection(who, connection) else { return };
            let number = connection.number;
            let Some(stream) = &mut connection.stream else { return };
            match stream.read(&mut buffer) {
                Ok(0) => {
                    connection.stream = None;
                    self.see(clock, who, number, json!({"saw": "end"}));
                    self.see(clock, who, number, json!({"saw": "close"}));
                }
                Ok(read) => {
                    self.see(clock, who, number, json!({"saw": "bytes", "bytes": {"hex": hex(&buffer[..read])}}));
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => {
                    connection.stream = None;
                    self.see(clock, who, number, json!({"saw": "error", "code": code(&error)}));
                    self.see(clock, who, number, json!({"saw": "close"}));
                }
            }
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A datagram as the recordings show it.
fn shown(bytes: &[u8]) -> Value {
    if bytes.len() <= 4096 {
        json!({"hex": hex(bytes), "length": bytes.len()})
    } else {
        json!({"length": bytes.len(), "sha256": hex(&Sha256::digest(bytes))})
    }
}
