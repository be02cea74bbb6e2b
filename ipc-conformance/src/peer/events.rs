//! What happens at clients and servers, told as node-ipc tells its handlers.

use super::tls::handshake_error;
use super::world::World;
use crate::js::{Js, JsError, Socket};
use crate::protocol::{EmitterId, Family, incoming, io_error, malformed, untyped_v9};
use ipc_driver::api::{ClientEvent, ConnectionError, Event, Peer, ServerEvent, UnresolvedHost};
use ipc_driver::runtime::Runtime;
use ipc_driver::{Client, Server};

impl<R: Runtime> World<R> {
    /// Tells everything that happens at a client.
    pub(super) fn listen_to_client(&self, instance: usize, emitter: EmitterId, family: Family, client: &Client<R>) {
        let world = self.clone();
        client.on_any(move |event| {
            if let Some((event, data)) = message(event) {
                world.event(instance, emitter, &event, &[data]);
            }
        });
        let world = self.clone();
        client.on_data(move |bytes| {
            world.event(instance, emitter, &Js::text("data"), &[Js::Buffer(bytes.to_vec().into())]);
        });
        let world = self.clone();
        client.on_lifecycle(move |event| {
            let (event, args) = match event {
                ClientEvent::Connected => (Js::text("connect"), Vec::new()),
                ClientEvent::Disconnected { .. } => (Js::text("disconnect"), Vec::new()),
                ClientEvent::Destroyed => (Js::text("destroy"), Vec::new()),
                ClientEvent::Error(error) => problem(family, error),
                _ => return,
            };
            world.event(instance, emitter, &event, &args);
        });
    }

    /// Tells everything that happens at a server.
    pub(super) fn listen_to_server(&self, instance: usize, emitter: EmitterId, family: Family, server: &Server<R>) {
        let world = self.clone();
        server.on_any(move |peer, event| {
            if let Some((event, data)) = message(event) {
                let socket = world.socket(instance, peer);
                world.event(instance, emitter, &event, &[data, socket]);
            }
        });
        let world = self.clone();
        server.on_data(move |peer, bytes| {
            let socket = world.socket(instance, peer);
            world.event(instance, emitter, &Js::text("data"), &[Js::Buffer(bytes.to_vec().into()), socket]);
        });
        let world = self.clone();
        server.on_lifecycle(move |event| match event {
            ServerEvent::Started(_) => world.started(instance, emitter, family),
            ServerEvent::Connected(peer) => {
                let socket = world.socket(instance, peer);
                world.event(instance, emitter, &Js::text("connect"), &[socket]);
            }
            ServerEvent::Error(peer, error) => {
                let (event, mut args) = problem(family, error);
                // What came off the wire has the socket; errors of sockets and of 14.0.0's parsers have not.
                if family == Family::V9 && matches!(error, ConnectionError::Protocol { .. }) {
                    args.push(world.socket(instance, peer));
                }
                world.event(instance, emitter, &event, &args);
            }
            ServerEvent::Disconnected { peer, had_error, .. } => {
                world.left(instance, emitter, family, peer, *had_error);
            }
            _ => {}
        });
    }

    fn started(&self, instance: usize, emitter: EmitterId, family: Family) {
        self.started_with(instance, emitter, if family == Family::V14 { Js::NetServer } else { Js::Undefined });
    }

    /// Tells `start` with its argument, runs the callback, and says that the peer is ready if that was waited for.
    pub(super) fn started_with(&self, instance: usize, emitter: EmitterId, argument: Js) {
        let (callback, ready) = {
            let mut state = self.lock();
            let callback = state.instances[instance].server.as_ref().is_some_and(|server| server.resolved.callback);
            (callback, std::mem::take(&mut state.ready_on_start))
        };
        self.event(instance, emitter, &Js::text("start"), &[argument]);
        if callback {
            self.server_callback(instance);
        }
        if ready {
            self.ready([]);
        }
    }

    /// The callback given to `serve` or `serveNet` is a handler of `start`.
    pub(super) fn server_callback(&self, instance: usize) {
        let net = {
            let state = self.lock();
            state.instances[instance].server.as_ref().is_some_and(|server| server.resolved.port.is_some())
        };
        let what = if net { "serveNet" } else { "serve" };
        self.tell(|dispatcher, now| dispatcher.callback(what, None, 0, now));
    }

    fn left(&self, instance: usize, emitter: EmitterId, family: Family, peer: &Peer, had_error: bool) {
        let socket = self.socket(instance, peer);
        let id = match &socket {
            Js::Socket(socket) if !socket.id.is_undefined() => socket.id.clone(),
            _ => Js::Bool(false),
        };
        let stopped = self.lock().instances[instance].server.as_ref().is_some_and(|server| server.stopped);
        if !(stopped && family == Family::V14) {
            self.event(instance, emitter, &Js::text("socket.disconnected"), &[socket.clone(), id]);
        }
        let argument = if family == Family::V14 { socket } else { Js::Bool(had_error) };
        self.event(instance, emitter, &Js::text("close"), &[argument]);
    }

    /// A server's connection as an argument of an event.
    fn socket(&self, instance: usize, peer: &Peer) -> Js {
        let key = (instance as u64) << 48 | peer.id().get();
        let mut state = self.lock();
        state.peers.entry(key).or_insert_with(|| peer.clone());
        let set = state.socket_ids.get(&key).cloned();
        let claimed = || peer.claimed_id().and_then(|json| crate::js::parse(&json).ok());
        let id = set.or_else(claimed).unwrap_or_default();
        Js::Socket(Socket { key, id }.into())
    }
}

pub(super) fn message(event: &Event<'_>) -> Option<(Js, Js)> {
    // The decoder has made sure that both are JSON.
    incoming(event.name_json(), event.data_json()).ok()
}

/// The event that node-ipc publishes when something goes wrong.
pub(super) fn problem(family: Family, error: &ConnectionError) -> (Js, Vec<Js>) {
    match error {
        ConnectionError::Protocol { error, frame, .. } => {
            if family == Family::V9 {
                // 9.2.1 publishes a frame without a string for a type under whatever its type is.
                if let Some((event, data)) = untyped_v9(frame) {
                    return (event, vec![data]);
                }
            }
            (Js::text("error"), vec![malformed(family, error, frame)])
        }
        other => {
            let error = match other.io() {
                Some(error) if is_unresolved(error) => JsError::with_code("Error", "ENOTFOUND", "the name is unknown"),
                Some(error) => handshake_error(error).unwrap_or_else(|| io_error(error)),
                None => JsError::new("Error", other.to_string().as_str()),
            };
            (Js::text("error"), vec![error.into()])
        }
    }
}

/// Whether a name was not found.
pub(super) fn is_unresolved(error: &std::io::Error) -> bool {
    error.get_ref().is_some_and(<dyn std::error::Error + Send + Sync>::is::<UnresolvedHost>)
}
