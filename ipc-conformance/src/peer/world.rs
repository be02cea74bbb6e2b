//! What a peer has: instances with their clients and servers, sockets by key, and the dispatcher that tells about them.
//!
//! One lock protects it all. It is never held while a handle of the library is called, for that may run handlers, which
//! come back here.

use crate::js::{Js, JsError, JsString, describe, to_number, to_text};
use crate::protocol::{
    Clock, Dispatcher, EmitterId, Family, Lines, NodeConfig, Options, Reply, Resolved, Stamp, Step, Unsupported,
};
use ipc_driver::api::{Code, Endpoint, Peer, Settings};
use ipc_driver::runtime::Runtime;
use ipc_driver::{Client, Server, UdpServer};
use std::collections::HashMap;
use std::io::{self, Stdout};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

pub(super) type Teller = Dispatcher<Stdout>;

/// The peer. Cheap to clone.
#[derive(Clone)]
pub(super) struct World<R: Runtime> {
    inner: Arc<Inner<R>>,
}

struct Inner<R: Runtime> {
    runtime: R,
    options: Options,
    clock: Clock,
    state: Mutex<State<R>>,
}

pub(super) struct State<R: Runtime> {
    pub(super) dispatcher: Teller,
    pub(super) instances: Vec<Instance<R>>,
    /// Every connection a server ever had, by the key that events show.
    pub(super) peers: HashMap<u64, Peer>,
    /// `socket.id` where a program has set it.
    pub(super) socket_ids: HashMap<u64, Js>,
    /// Whether the next `start` is followed by the ready line.
    pub(super) ready_on_start: bool,
}

/// One `ipc` of the program.
pub(super) struct Instance<R: Runtime> {
    pub(super) config: NodeConfig,
    /// `ipc.of`, in the order of `connectTo`.
    pub(super) of: Vec<(JsString, ClientEntry<R>)>,
    pub(super) server: Option<ServerEntry<R>>,
}

/// A client of `ipc.of`. One whose address node-ipc refused stays there without a handle.
#[derive(Clone)]
pub(super) struct ClientEntry<R: Runtime> {
    pub(super) resolved: Resolved,
    pub(super) emitter: EmitterId,
    pub(super) handle: Option<Client<R>>,
}

/// `ipc.server`: set up, and with a handle once it was started.
#[derive(Clone)]
pub(super) struct ServerEntry<R: Runtime> {
    pub(super) resolved: Resolved,
    pub(super) emitter: EmitterId,
    pub(super) settings: Settings,
    pub(super) handle: Option<Handle<R>>,
    /// How many addresses the program has put into `sockets` of a UDP server.
    pub(super) pushed: usize,
    /// node-ipc 14.0.0 publishes `close` but no `socket.disconnected` for the sockets that `stop` destroys.
    pub(super) stopped: bool,
}

/// A server of either kind.
#[derive(Clone)]
pub(super) enum Handle<R: Runtime> {
    Streams(Server<R>),
    Datagrams(UdpServer<R>),
}

impl<R: Runtime> World<R> {
    pub(super) fn new(runtime: R, options: Options, clock: Clock) -> Self {
        let dispatcher = Dispatcher::new(&options, Lines::new(io::stdout()));
        let config = options.instance(ipc_driver::api::host());
        let state = State {
            dispatcher,
            instances: vec![Instance::new(config)],
            peers: HashMap::new(),
            socket_ids: HashMap::new(),
            ready_on_start: false,
        };
        Self { inner: Arc::new(Inner { runtime, options, clock, state: Mutex::new(state) }) }
    }

    pub(super) fn runtime(&self) -> &R {
        &self.inner.runtime
    }

    pub(super) fn options(&self) -> &Options {
        &self.inner.options
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State<R>> {
        self.inner.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn now(&self) -> Stamp {
        self.inner.clock.now()
    }

    /// Writes lines.
    pub(super) fn tell<T>(&self, tell: impl FnOnce(&mut Teller, Stamp) -> T) -> T {
        let mut state = self.lock();
        // Under the lock, so that times never go back from line to line.
        tell(&mut state.dispatcher, self.now())
    }

    /// Tells an event, then does what handlers ask for.
    pub(super) fn event(&self, instance: usize, emitter: EmitterId, event: &Js, args: &[Js]) {
        let steps = self.tell(|dispatcher, now| dispatcher.event(emitter, event, args, now));
        for step in steps {
            match step {
                Step::Command { when, call } => {
                    let reply = self.perform(&call);
                    self.tell(|dispatcher, now| dispatcher.when(&when, &call, &reply, now));
                }
                Step::Echo { event, data, to } => self.echo(instance, emitter, &event, Some(data), to),
                Step::EchoRaw { data, to } => self.echo(instance, emitter, &data, None, to),
            }
        }
    }

    fn echo(&self, instance: usize, emitter: EmitterId, event: &Js, data: Option<Js>, to: Option<Js>) {
        let reply = match to {
            Some(to) => self.emit_to(instance, Some(to), event, data),
            None => self.emit_from(instance, emitter, event, data),
        };
        if let Reply::Threw(error) = reply {
            self.tell(|dispatcher, now| dispatcher.echo_error(&error, now));
        }
    }

    pub(super) fn ready(&self, more: impl IntoIterator<Item = (&'static str, Js)>) {
        let options = &self.inner.options;
        self.tell(|dispatcher, now| dispatcher.ready(options, more, now));
    }

    pub(super) fn ready_on_start(&self) {
        self.lock().ready_on_start = true;
    }

    pub(super) fn describe(&self, value: &Js) -> Js {
        describe(value, self.lock().dispatcher.numbers())
    }
}

impl<R: Runtime> Instance<R> {
    pub(super) fn new(config: NodeConfig) -> Self {
        Self { config, of: Vec::new(), server: None }
    }

    pub(super) fn client(&self, id: &JsString) -> Option<&ClientEntry<R>> {
        self.of.iter().find(|(name, _)| name == id).map(|(_, entry)| entry)
    }

    pub(super) fn family(&self) -> Family {
        self.config.family()
    }

    /// Settings for a new client or server, as node-ipc reads its configuration at that moment.
    pub(super) fn settings(&self) -> Result<Settings, Reply> {
        let config = match self.config.to_config() {
            Ok(config) => config,
            Err(Unsupported::Option(_)) => return Err(Reply::Unsupported),
            Err(Unsupported::Throws(error)) => return Err(error.into()),
        };
        // What is emitted while the socket is down is lost, as everywhere in node-ipc.
        let config = config.offline(ipc_driver::api::Offline::Drop);
        ipc_driver::api::build(config).map_err(|error| JsError::type_error(error.to_string().as_str()).into())
    }
}

/// The endpoint that a resolved call means.
pub(super) fn endpoint(resolved: &Resolved, settings: &Settings) -> Result<Endpoint, Reply> {
    let invalid = |error: ipc_driver::api::EndpointError| refused(error.code(), &error);
    let path = to_text(&resolved.path)?.to_text();
    match &resolved.port {
        None => Endpoint::at_path(settings, &path).map_err(invalid),
        Some(port) => {
            let number = to_number(port)?;
            if !(0.0..=65_535.0).contains(&number) || number.fract() != 0.0 {
                let message = "options.port should be >= 0 and < 65536";
                return Err(JsError::with_code("RangeError", "ERR_SOCKET_BAD_PORT", message).into());
            }
            let (host, port) = (Some(path.as_str()), Some(number as u16));
            match (resolved.udp4, resolved.udp6) {
                (true, _) => Endpoint::udp4(settings, host, port),
                (_, true) => Endpoint::udp6(settings, host, port),
                _ => Endpoint::net(settings, host, port),
            }
            .map_err(invalid)
        }
    }
}

/// An error thrown at the program: one of node-ipc 14.0.0's if it has a code.
pub(super) fn refused(code: Option<Code>, error: &dyn std::error::Error) -> Reply {
    let text = error.to_string();
    match code {
        Some(code) => JsError::with_code("IPCProtocolError", code.as_str(), text.as_str()).into(),
        None => JsError::type_error(text.as_str()).into(),
    }
}
