//! Commands carried out on the handles of the library.

use super::tls;
use super::world::{ClientEntry, Handle, Instance, ServerEntry, World, endpoint, refused};
use crate::js::{Js, JsError, JsObject, JsString, to_text, truthy};
use crate::protocol::{
    Call, Command, Emit, EmitterId, Family, Handler, NodeConfig, Reply, Resolved, Source, Target, envelope, io_error,
    raw_bytes,
};
use ipc_driver::api::{ConnectError, EmitError, Peer, ServeError, StopRetrying};
use ipc_driver::runtime::Runtime;
use ipc_driver::{Client, Server};

use std::io::ErrorKind;

impl<R: Runtime> World<R> {
    /// Carries out a command.
    pub(super) fn perform(&self, call: &Call) -> Reply {
        match &call.command {
            Ok(command) => self.carry_out(call.instance, command),
            Err(error) => error.clone().into(),
        }
    }

    pub(super) fn carry_out(&self, instance: usize, command: &Command) -> Reply {
        if instance >= self.lock().instances.len() {
            return JsError::type_error("there is no such instance").into();
        }
        match command {
            Command::Emit(emit) => self.emit(instance, emit),
            Command::EmitMany(emits) => {
                for emit in emits {
                    let reply = self.emit(instance, emit);
                    if !matches!(reply, Reply::Value(_)) {
                        return reply;
                    }
                }
                Reply::DONE
            }
            Command::Batch(calls) => {
                let replies: Vec<Reply> = calls.iter().map(|call| self.perform(call)).collect();
                self.tell(|dispatcher, _| Reply::batch(&replies, dispatcher.numbers()))
            }
            Command::Broadcast { event, data } => self.broadcast(instance, event, data.clone()),
            Command::Disconnect(id) => self.disconnect(instance, id.as_ref()),
            Command::Start => self.start(instance),
            Command::Stop => self.stop(instance),
            Command::SetConfig(members) => self.set_config(instance, members),
            Command::ConnectTo(args) => {
                let resolved = args.resolve(&self.lock().instances[instance].config);
                self.connect(instance, "connectTo", resolved)
            }
            Command::ConnectToNet(args) => {
                let resolved = args.resolve(&self.lock().instances[instance].config);
                self.connect(instance, "connectToNet", resolved)
            }
            Command::Serve(args) => {
                let resolved = args.resolve(&self.lock().instances[instance].config);
                self.serve(instance, resolved)
            }
            Command::ServeNet(args) => {
                let resolved = args.resolve(&self.lock().instances[instance].config);
                self.serve(instance, resolved)
            }
            Command::On(handler) => self.with_emitter(instance, handler, |world, emitter| {
                world.lock().dispatcher.on(emitter, handler);
            }),
            Command::Off(handler) => self.with_emitter(instance, handler, |world, emitter| {
                world.lock().dispatcher.off(emitter, &handler.event);
            }),
            Command::DestroySocket(target) => self.with_peer(target, Peer::abort),
            Command::EndSocket(target) => self.with_peer(target, |peer| {
                let peer = peer.clone();
                self.runtime().spawn(async move {
                    // What was cut is told by the event that ends the connection.
                    let _ = peer.close().await;
                });
            }),
            Command::PushSocket(target) => {
                let to = self.lock().dispatcher.target(target);
                self.push_socket(instance, to)
            }
            Command::SetSocketId(target, id) => {
                let mut state = self.lock();
                match state.dispatcher.target(target) {
                    Some(Js::Socket(socket)) => {
                        state.socket_ids.insert(socket.key, id.clone());
                        Reply::DONE
                    }
                    _ => no_such("socket"),
                }
            }
            Command::NewInstance(members) => {
                let mut state = self.lock();
                let mut config = NodeConfig::new(self.options().preset(), ipc_driver::api::host());
                config.assign(members);
                state.instances.push(Instance::new(config));
                Reply::Value(Js::Number((state.instances.len() - 1) as f64))
            }
            Command::SleepBlock(time) => {
                std::thread::sleep(*time);
                Reply::DONE
            }
            Command::State => self.state(instance),
            Command::Config => {
                let values = self.lock().instances[instance].config.values().clone();
                let described = values.iter().map(|(name, value)| (name.clone(), self.describe(value)));
                Reply::Facts(Js::Object(described.collect()))
            }
            Command::PublishStart => {
                let Some(server) = self.lock().instances[instance].server.clone() else { return no_such("server") };
                self.event(instance, server.emitter, &Js::text("start"), &[Js::Undefined]);
                if server.resolved.callback {
                    self.server_callback(instance);
                }
                Reply::DONE
            }
            Command::Now => Reply::DONE,
            Command::Exit => std::process::exit(0),
            _ => Reply::Unsupported,
        }
    }

    fn set_config(&self, instance: usize, members: &JsObject) -> Reply {
        let (clients, retry) = {
            let mut state = self.lock();
            let instance = &mut state.instances[instance];
            instance.config.assign(members);
            let clients: Vec<Client<R>> = instance.of.iter().filter_map(|(_, entry)| entry.handle.clone()).collect();
            (clients, instance.config.retry())
        };
        // The options that node-ipc reads again while a client lives.
        if members.get(&"retry".into()).is_some() {
            let Ok(retry) = retry else { return Reply::Unsupported };
            clients.iter().for_each(|client| client.set_retry(retry));
        }
        if let Some(stop) = members.get(&"stopRetrying".into()) {
            clients.iter().for_each(|client| client.set_stop_retrying(StopRetrying::from(truthy(stop))));
        }
        Reply::DONE
    }

    fn connect(&self, instance: usize, what: &str, resolved: Result<Option<Resolved>, JsError>) -> Reply {
        let resolved = match resolved {
            Ok(Some(resolved)) => resolved,
            Ok(None) => return Reply::DONE,
            Err(error) => return error.into(),
        };
        let id = match to_text(resolved.id.as_ref().unwrap_or(&Js::Undefined)) {
            Ok(id) => id,
            Err(error) => return error.into(),
        };
        let existing = self.lock().instances[instance].client(&id).and_then(|entry| entry.handle.clone());
        if let Some(existing) = existing.filter(|client| !client.is_destroyed()) {
            if !existing.is_waiting() {
                if resolved.callback {
                    self.tell(|dispatcher, now| dispatcher.callback(what, Some(&id), 0, now));
                }
                return Reply::DONE;
            }
            // As 14.0.0: the old one gives up. (In 9.2.1 it goes on beside the new one.)
            existing.disconnect();
        }
        let settings = match self.lock().instances[instance].settings() {
            Ok(settings) => settings,
            Err(reply) => return reply,
        };
        let made = endpoint(&resolved, &settings).and_then(|endpoint| {
            Client::with_runtime(self.runtime().clone(), settings, endpoint).map_err(client_thrown)
        });
        let (made, failure) = match made {
            Ok(client) => (Some(client), None),
            Err(reply) => (None, Some(reply)),
        };
        let (emitter, family) = {
            let mut state = self.lock();
            let emitter = state.dispatcher.attach(Source::Client(id.clone()));
            let entry = ClientEntry { resolved: resolved.clone(), emitter, handle: made.clone() };
            let instance = &mut state.instances[instance];
            instance.of.retain(|(name, _)| *name != id);
            instance.of.push((id.clone(), entry));
            (emitter, instance.family())
        };
        if resolved.callback {
            self.tell(|dispatcher, now| dispatcher.callback(what, Some(&id), 1, now));
        }
        if let Some(client) = made {
            self.listen_to_client(instance, emitter, family, &client);
            client.start();
        }
        match resolved.throws {
            Some(error) => error.into(),
            None => failure.unwrap_or(Reply::DONE),
        }
    }

    fn disconnect(&self, instance: usize, id: Option<&JsString>) -> Reply {
        let entry = {
            let mut state = self.lock();
            let id = id.unwrap_or(&self.options().id);
            let clients = &mut state.instances[instance].of;
            let at = clients.iter().position(|(name, _)| name == id);
            let entry = at.map(|at| clients.remove(at).1);
            let family = state.instances[instance].family();
            match (&entry, family) {
                // 14.0.0 forgets all handlers first, so that nobody hears of the end; the older ones those of any event.
                (Some(entry), Family::V14) => state.dispatcher.reset(entry.emitter),
                (Some(entry), Family::V9) => state.dispatcher.off(entry.emitter, &"*".into()),
                (None, _) => {}
            }
            entry
        };
        if let Some(client) = entry.and_then(|entry| entry.handle) {
            client.disconnect();
        }
        Reply::DONE
    }

    fn serve(&self, instance: usize, resolved: Result<Resolved, JsError>) -> Reply {
        let resolved = match resolved {
            Ok(resolved) => resolved,
            Err(error) => return error.into(),
        };
        let mut state = self.lock();
        let settings = match state.instances[instance].settings() {
            Ok(settings) => settings,
            Err(reply) => return reply,
        };
        let emitter = state.dispatcher.attach(Source::Server);
        state.instances[instance].server =
            Some(ServerEntry { resolved, emitter, settings, handle: None, pushed: 0, stopped: false });
        Reply::DONE
    }

    fn start(&self, instance: usize) -> Reply {
        let (entry, family) = {
            let mut state = self.lock();
            let family = state.instances[instance].family();
            let Some(entry) = &mut state.instances[instance].server else { return no_such("server") };
            entry.stopped = false;
            (entry.clone(), family)
        };
        if entry.resolved.udp4 || entry.resolved.udp6 {
            return self.start_datagrams(instance, &entry, family);
        }
        let server = match entry.handle {
            Some(Handle::Streams(server)) => {
                // node-ipc listens anew, whether or not it was stopped.
                server.stop();
                server
            }
            _ => {
                let made = endpoint(&entry.resolved, &entry.settings).and_then(|endpoint| {
                    Server::with_runtime(self.runtime().clone(), entry.settings.clone(), endpoint)
                        .map_err(server_thrown)
                });
                let server = match made {
                    Ok(server) => server,
                    Err(reply) => return reply,
                };
                self.listen_to_server(instance, entry.emitter, family, &server);
                if let Some(entry) = &mut self.lock().instances[instance].server {
                    entry.handle = Some(Handle::Streams(server.clone()));
                }
                server
            }
        };
        let world = self.clone();
        self.runtime().spawn(async move {
            if let Err(error) = server.start().await {
                let error = match error {
                    // libuv's word for a directory that is not there.
                    ServeError::Listen { source, .. } if source.kind() == ErrorKind::NotFound => {
                        JsError::with_code("Error", "EACCES", source.to_string().as_str())
                    }
                    ServeError::Listen { source, .. } => io_error(&source),
                    other => JsError::new("Error", other.to_string().as_str()),
                };
                world.event(instance, entry.emitter, &Js::text("error"), &[error.into()]);
            }
        });
        Reply::DONE
    }

    fn stop(&self, instance: usize) -> Reply {
        let (handle, emitter, family) = {
            let mut state = self.lock();
            let family = state.instances[instance].family();
            let Some(entry) = &mut state.instances[instance].server else { return no_such("server") };
            entry.stopped = true;
            (entry.handle.clone(), entry.emitter, family)
        };
        match (handle, family) {
            (Some(Handle::Datagrams(server)), family) => {
                return self.stop_datagrams(instance, emitter, &server, family);
            }
            // 14.0.0 destroys the connections; 9.2.1 lets them live.
            (Some(Handle::Streams(server)), Family::V14) => server.abort(),
            (Some(Handle::Streams(server)), Family::V9) => server.stop(),
            (None, Family::V9) => return no_such("net.Server before start"),
            (None, Family::V14) => {}
        }
        Reply::DONE
    }

    fn emit(&self, instance: usize, emit: &Emit) -> Reply {
        let (server, to, client) = {
            let state = self.lock();
            let entry = &state.instances[instance];
            let server = emit.is_server(entry.server.is_some(), !entry.of.is_empty());
            let id = emit.id.as_ref().unwrap_or(&self.options().id);
            (server, state.dispatcher.target(&emit.to), entry.client(id).map(|entry| entry.emitter))
        };
        if server {
            return self.emit_to(instance, to, &emit.event, Some(emit.data()));
        }
        match client {
            Some(emitter) => self.emit_from(instance, emitter, &emit.event, Some(emit.data())),
            None => no_such("client"),
        }
    }

    /// A client's emit.
    pub(super) fn emit_from(&self, instance: usize, emitter: EmitterId, event: &Js, data: Option<Js>) -> Reply {
        let (client, family, encoding) = {
            let state = self.lock();
            let instance = &state.instances[instance];
            let entry = instance.of.iter().find(|(_, entry)| entry.emitter == emitter);
            let client = entry.and_then(|(_, entry)| entry.handle.clone());
            (client, instance.family(), instance.config.get("encoding"))
        };
        // A client that was forgotten meanwhile: its socket is gone, and what is written to it as well.
        let Some(client) = client else { return Reply::DONE };
        if client.settings().is_raw() {
            return match raw_bytes(event, &encoding) {
                Ok(bytes) => sent(client.emit_raw(&bytes)),
                Err(error) => error.into(),
            };
        }
        match envelope(family, event, &data.unwrap_or_default()) {
            Ok(envelope) => sent(client.emit_envelope(envelope.event.as_deref(), envelope.data.as_deref())),
            Err(error) => error.into(),
        }
    }

    /// A server's emit.
    pub(super) fn emit_to(&self, instance: usize, to: Option<Js>, event: &Js, data: Option<Js>) -> Reply {
        let (server, family, encoding) = {
            let state = self.lock();
            let instance = &state.instances[instance];
            (instance.server.clone(), instance.family(), instance.config.get("encoding"))
        };
        let Some(server) = server else { return no_such("server") };
        if let Some(Handle::Datagrams(socket)) = &server.handle {
            return self.emit_datagram(instance, (&server, socket), to, event, data);
        }
        let peer = match to {
            Some(Js::Socket(socket)) => self.lock().peers.get(&socket.key).cloned(),
            Some(_) => return Reply::Unsupported,
            None => None,
        };
        let Some(peer) = peer else { return no_such("socket") };
        if server.settings.is_raw() {
            return match raw_bytes(event, &encoding) {
                Ok(bytes) => sent(peer.emit_raw(&bytes)),
                Err(error) => error.into(),
            };
        }
        match envelope(family, event, &data.unwrap_or_default()) {
            Ok(envelope) => sent(peer.emit_envelope(envelope.event.as_deref(), envelope.data.as_deref())),
            Err(error) => error.into(),
        }
    }

    fn broadcast(&self, instance: usize, event: &Js, data: Option<Js>) -> Reply {
        let Some(entry) = self.lock().instances[instance].server.clone() else { return no_such("server") };
        if let Some(Handle::Datagrams(socket)) = &entry.handle {
            return self.emit_datagram(instance, (&entry, socket), None, event, data);
        }
        match self.frame(instance, &entry, event, data) {
            Ok(frame) => {
                if let Some(Handle::Streams(server)) = &entry.handle {
                    server.broadcast_frame(&frame);
                }
                Reply::DONE
            }
            Err(reply) => reply,
        }
    }

    fn with_emitter(&self, instance: usize, handler: &Handler, act: impl FnOnce(&Self, EmitterId)) -> Reply {
        let emitter = {
            let state = self.lock();
            let instance = &state.instances[instance];
            if handler.is_server(instance.server.is_some()) {
                instance.server.as_ref().map(|server| server.emitter)
            } else {
                instance.client(handler.id.as_ref().unwrap_or(&self.options().id)).map(|client| client.emitter)
            }
        };
        match emitter {
            Some(emitter) => {
                act(self, emitter);
                Reply::DONE
            }
            None => no_such("emitter"),
        }
    }

    fn with_peer(&self, target: &Target, act: impl FnOnce(&Peer)) -> Reply {
        let peer = {
            let state = self.lock();
            match state.dispatcher.target(target) {
                Some(Js::Socket(socket)) => state.peers.get(&socket.key).cloned(),
                _ => None,
            }
        };
        match peer {
            Some(peer) => {
                act(&peer);
                Reply::DONE
            }
            None => no_such("socket"),
        }
    }

    fn state(&self, instance: usize) -> Reply {
        let count = |number: usize| Js::Number(number as f64);
        let (clients, server, family) = {
            let state = self.lock();
            let instance = &state.instances[instance];
            (instance.of.clone(), instance.server.clone(), instance.family())
        };
        let place = |resolved: &Resolved| {
            let port = resolved.port.clone().unwrap_or_default();
            [("path", self.describe(&resolved.path)), ("port", self.describe(&port))]
        };
        let of = clients.iter().map(|(name, entry)| {
            let queued = ("queued", count(entry.handle.as_ref().map_or(0, Client::held)));
            let id = ("id", self.describe(entry.resolved.id.as_ref().unwrap_or(&Js::Undefined)));
            (name.clone(), Js::object(place(&entry.resolved).into_iter().chain([queued, id])))
        });
        let of = Js::Object(of.collect());
        let server = server.map_or(Js::Bool(false), |entry| {
            let (sockets, listening) = match &entry.handle {
                Some(Handle::Streams(server)) => (server.len(), Js::Bool(server.is_listening())),
                // 9.2.1 has the server's own socket in the list, and who was heard is not.
                Some(Handle::Datagrams(server)) if family == Family::V9 => {
                    (usize::from(server.is_listening()) + entry.pushed, Js::Null)
                }
                Some(Handle::Datagrams(server)) => (server.len(), Js::Null),
                None => (0, Js::Bool(false)),
            };
            let limit = entry.settings.config().max_connections;
            let more = [
                ("udp4", Js::Bool(entry.resolved.udp4)),
                ("udp6", Js::Bool(entry.resolved.udp6)),
                ("sockets", count(sockets)),
                ("listening", listening),
                ("maxConnections", if limit == usize::MAX { Js::Null } else { count(limit) }),
            ];
            Js::object(place(&entry.resolved).into_iter().chain(more))
        });
        Reply::Facts(Js::object([("of", of), ("server", server)]))
    }
}

fn no_such(what: &str) -> Reply {
    JsError::type_error(format!("there is no {what}").as_str()).into()
}

pub(super) fn thrown(error: &dyn std::error::Error) -> Reply {
    refused(None, error)
}

fn client_thrown(error: ConnectError) -> Reply {
    match error {
        ConnectError::Tls(error) => tls::thrown(&error),
        error => thrown(&error),
    }
}

fn server_thrown(error: ServeError) -> Reply {
    match error {
        ServeError::Tls(error) => tls::thrown(&error),
        error => thrown(&error),
    }
}

/// What the caller of node-ipc's `emit` is told: of a message it refuses, but not of a socket that is gone.
pub(super) fn sent(outcome: Result<(), EmitError>) -> Reply {
    match outcome {
        Err(EmitError::Encode(error)) => refused(error.code(), &error),
        Err(EmitError::NotConnected | EmitError::Closed) | Ok(()) => Reply::DONE,
        Err(error) => thrown(&error),
    }
}
