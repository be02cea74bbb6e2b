//! Servers over UDP: what they do, and what they tell. Over UDP there are no clients.

use super::events::{is_unresolved, message, problem};
use super::world::{Handle, ServerEntry, World, endpoint};
use crate::js::{Js, JsError, Rinfo, to_number, to_text, truthy};
use crate::protocol::{EmitterId, Family, Reply, envelope, io_error, raw_bytes};
use ipc_driver::UdpServer;
use ipc_driver::api::{ConnectionError, EmitError, Frame, ServeError, UdpEvent, UdpPeer};
use ipc_driver::runtime::Runtime;
use std::net::{IpAddr, SocketAddr};

impl<R: Runtime> World<R> {
    /// `ipc.server.start()` of a UDP server.
    pub(super) fn start_datagrams(&self, instance: usize, entry: &ServerEntry<R>, family: Family) -> Reply {
        let server = match &entry.handle {
            Some(Handle::Datagrams(server)) => {
                server.stop();
                server.clone()
            }
            _ => {
                let made = endpoint(&entry.resolved, &entry.settings).and_then(|endpoint| {
                    UdpServer::with_runtime(self.runtime().clone(), entry.settings.clone(), endpoint)
                        .map_err(|error| super::commands::thrown(&error))
                });
                let server = match made {
                    Ok(server) => server,
                    Err(reply) => return reply,
                };
                self.listen_to_datagrams(instance, entry.emitter, family, &server);
                if let Some(entry) = &mut self.lock().instances[instance].server {
                    entry.handle = Some(Handle::Datagrams(server.clone()));
                }
                server
            }
        };
        // 9.2.1 says that it has started before it knows.
        let early = family == Family::V9 && {
            let port = entry.resolved.port.clone().unwrap_or_default();
            let place = Js::object([("address", entry.resolved.path.clone()), ("port", port)]);
            self.event(instance, entry.emitter, &Js::text("start"), &[place]);
            if entry.resolved.callback {
                self.server_callback(instance);
            }
            std::mem::take(&mut self.lock().ready_on_start)
        };
        let world = self.clone();
        let emitter = entry.emitter;
        self.runtime().spawn(async move {
            if let Err(error) = server.start().await {
                let error = match error {
                    ServeError::Listen { source, .. } if is_unresolved(&source) => {
                        JsError::with_code("Error", "ENOTFOUND", source.to_string().as_str())
                    }
                    ServeError::Listen { source, .. } => io_error(&source),
                    other => JsError::new("Error", other.to_string().as_str()),
                };
                world.event(instance, emitter, &Js::text("error"), &[error.into()]);
            }
            if early {
                world.ready([]);
            }
        });
        Reply::DONE
    }

    /// `ipc.server.stop()` of a UDP server.
    pub(super) fn stop_datagrams(
        &self,
        instance: usize,
        emitter: EmitterId,
        server: &UdpServer<R>,
        family: Family,
    ) -> Reply {
        if !server.is_listening() {
            return not_running();
        }
        server.stop();
        if family == Family::V9 {
            let world = self.clone();
            self.runtime().spawn(async move {
                let gone = [Js::Datagram, Js::Bool(false)];
                world.event(instance, emitter, &Js::text("socket.disconnected"), &gone);
                world.event(instance, emitter, &Js::text("close"), &[Js::Undefined]);
            });
        }
        Reply::DONE
    }

    fn listen_to_datagrams(&self, instance: usize, emitter: EmitterId, family: Family, server: &UdpServer<R>) {
        let world = self.clone();
        server.on_any(move |peer, event| {
            if let Some((event, data)) = message(event) {
                world.event(instance, emitter, &event, &[data, sender(peer)]);
            }
        });
        let world = self.clone();
        server.on_data(move |peer, bytes| {
            let bytes = Js::Buffer(bytes.to_vec().into());
            world.event(instance, emitter, &Js::text("data"), &[bytes, sender(peer)]);
        });
        let world = self.clone();
        server.on_lifecycle(move |event| match event {
            UdpEvent::Started(_) => {
                world.event(instance, emitter, &Js::text("connect"), &[Js::Datagram]);
                if family == Family::V14 {
                    world.started_with(instance, emitter, Js::Datagram);
                }
            }
            UdpEvent::Error { peer, error } => {
                let (event, mut args) = problem(family, error);
                if family == Family::V9 && matches!(error, ConnectionError::Protocol { .. }) {
                    args.extend(peer.as_ref().map(sender));
                }
                world.event(instance, emitter, &event, &args);
            }
            _ => {}
        });
    }

    /// `ipc.server.emit(to, event, data)` of a UDP server: to everybody if there is no address.
    pub(super) fn emit_datagram(
        &self,
        instance: usize,
        (entry, server): (&ServerEntry<R>, &UdpServer<R>),
        to: Option<Js>,
        event: &Js,
        data: Option<Js>,
    ) -> Reply {
        let frame = match self.frame(instance, entry, event, data) {
            Ok(frame) => frame,
            Err(reply) => return reply,
        };
        let (address, port) = match to {
            Some(Js::Rinfo(rinfo)) => (Js::text(&rinfo.address), Js::Number(f64::from(rinfo.port))),
            Some(Js::Object(to)) => {
                let member = |name: &str| to.get(&name.into()).cloned().unwrap_or_default();
                (member("address"), member("port"))
            }
            _ => (Js::Undefined, Js::Undefined),
        };
        if !truthy(&address) || !truthy(&port) {
            return sent(server.broadcast_frame(&frame).map(|_| ()));
        }
        let (host, port) = match (to_text(&address), to_number(&port)) {
            (Ok(host), Ok(port)) => (host.to_text(), port),
            (Err(error), _) | (_, Err(error)) => return error.into(),
        };
        if !(1.0..=65_535.0).contains(&port) || port.fract() != 0.0 {
            let message = "Port should be > 0 and < 65536";
            return JsError::with_code("RangeError", "ERR_SOCKET_BAD_PORT", message).into();
        }
        let port = port as u16;
        if let Ok(ip) = host.parse::<IpAddr>() {
            return sent(server.peer(SocketAddr::new(ip, port)).emit_frame(&frame));
        }
        let (world, server, emitter) = (self.clone(), server.clone(), entry.emitter);
        self.runtime().spawn(async move {
            match server.resolve(&host, port).await {
                Ok(address) => {
                    let _as_every_datagram_it_may_be_lost = server.peer(address).emit_frame(&frame);
                }
                Err(error) => {
                    let error = JsError::with_code("Error", "ENOTFOUND", error.to_string().as_str());
                    world.event(instance, emitter, &Js::text("error"), &[error.into()]);
                }
            }
        });
        Reply::DONE
    }

    /// What an emit of a server sends.
    pub(super) fn frame(
        &self,
        instance: usize,
        entry: &ServerEntry<R>,
        event: &Js,
        data: Option<Js>,
    ) -> Result<Frame, Reply> {
        let (family, encoding) = {
            let state = self.lock();
            let instance = &state.instances[instance];
            (instance.family(), instance.config.get("encoding"))
        };
        let frame = if entry.settings.is_raw() {
            Frame::raw(&entry.settings, raw_bytes(event, &encoding)?)
        } else {
            let it = envelope(family, event, &data.unwrap_or_default())?;
            Frame::from_envelope(&entry.settings, it.event.as_deref(), it.data.as_deref())
        };
        frame.map_err(|error| super::commands::sent(Err(error)))
    }

    /// `ipc.server.sockets.push({address, port})`.
    pub(super) fn push_socket(&self, instance: usize, to: Option<Js>) -> Reply {
        let entry = self.lock().instances[instance].server.clone();
        let Some(Handle::Datagrams(server)) = entry.and_then(|entry| entry.handle) else { return Reply::Unsupported };
        let Some(Js::Object(to)) = to else { return Reply::Unsupported };
        let member = |name: &str| to.get(&name.into()).cloned().unwrap_or_default();
        let host = to_text(&member("address")).ok().and_then(|host| host.to_text().parse::<IpAddr>().ok());
        let port = to_number(&member("port")).ok().filter(|port| (1.0..=65_535.0).contains(port));
        let (Some(ip), Some(port)) = (host, port) else { return Reply::Unsupported };
        if let Err(error) = server.add_peer(SocketAddr::new(ip, port as u16)) {
            return super::commands::thrown(&error);
        }
        let mut state = self.lock();
        if let Some(entry) = &mut state.instances[instance].server {
            entry.pushed += 1;
        }
        Reply::DONE
    }
}

/// The sender of an event.
fn sender(peer: &UdpPeer) -> Js {
    let address = peer.address();
    let family = if address.is_ipv4() { "IPv4" } else { "IPv6" };
    Js::Rinfo(
        Rinfo {
            address: address.ip().to_string(),
            port: address.port(),
            family: Some(family.into()),
            size: None,
            id: Js::Undefined,
        }
        .into(),
    )
}

fn sent(outcome: Result<(), EmitError>) -> Reply {
    match outcome {
        Err(EmitError::Closed) => not_running(),
        other => super::commands::sent(other),
    }
}

fn not_running() -> Reply {
    JsError::with_code("Error", "ERR_SOCKET_DGRAM_NOT_RUNNING", "Not running").into()
}
