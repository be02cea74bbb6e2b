//! The client handle: connect, emit, hear, reconnect, close.
//!
//! One task owns a client's socket and its life (`task`); [`ipc_proto::Client`] decides. Emitting
//! from any thread goes through the [`Link`] while connected and through the core's offline policy while not. Where both
//! locks are taken, the core's comes first.

mod emitter;
mod requests;
mod secure;
mod shared;
mod state;
mod task;

pub use emitter::Emitter;
pub use state::{ConnectionState, EndReason, States};

use crate::counters::ClientCounters;
use crate::dial::{Lookup, LookupFn};
use crate::emit::emit_methods;
use crate::error::{BoxError, CloseError, ConnectError, ConnectionError};
use crate::handlers::{HandlerId, Handlers, Outcome, extract};
use crate::latch::Latch;
use crate::link::Link;
use crate::log::{Log, Logger, SetLogger};
use crate::peer::unsent;
use crate::requests::{Common, Session};
use crate::runtime::{Ambient, Runtime};
use crate::stream::{Events, Outlet};
use crate::tls::Connector;
use crate::wakers::Ticket;
use bytes::Bytes;
use ipc_proto::{Config, EmitError, Endpoint, Event, FromEvent, Message, Outbound, Settings, StopRetrying, Unsent};
use shared::Shared;
use state::Status;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;
use task::Running;

/// What a client's event stream gives. Lifecycle and wire events are different variants: an event that the server calls
/// `connect` arrives as a [`Message`](Self::Message) of that name.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum ClientEvent {
    /// A connection is up (`connect` in node-ipc).
    Connected,
    /// The server sent an event that no handler took.
    Message(Message),
    /// A raw connection brought bytes that no handler took (`data`). They have no message borders.
    Data(Bytes),
    /// Something went wrong (`error`): an attempt failed, a connection broke, the server sent what is no event, or a
    /// handler failed.
    Error(ConnectionError),
    /// A connection ended or an attempt failed (`disconnect`).
    Disconnected {
        /// How long until the next attempt; `None` if there is none.
        retry_in: Option<Duration>,
        /// What was queued and is lost.
        unsent: Unsent,
    },
    /// The client has come to its end (`destroy`); the stream ends too.
    Destroyed,
}

/// A client of any transport, reconnecting by itself. Cheap to clone; when the last clone is dropped it sends what is
/// queued and closes.
///
/// Register handlers before [`connect`](Self::connect), so that no event of a quick server comes too early. A handler
/// that wants to emit takes an [`Emitter`], which does not keep the client alive.
pub struct Client<R: Runtime> {
    emitter: Emitter,
    /// Dropped with the last handle.
    _alive: Arc<Alive>,
    runtime: R,
}

struct Alive(Arc<Shared>);

impl Drop for Alive {
    fn drop(&mut self) {
        self.0.begin_close(crate::CLOSE_WITHIN);
    }
}

impl<R: Runtime> Clone for Client<R> {
    fn clone(&self) -> Self {
        Self { emitter: self.emitter.clone(), _alive: Arc::clone(&self._alive), runtime: self.runtime.clone() }
    }
}

impl<R: Runtime> std::fmt::Debug for Client<R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client")
            .field("endpoint", self.endpoint())
            .field("connected", &self.is_connected())
            .finish_non_exhaustive()
    }
}

impl<R: Ambient> Client<R> {
    /// A client of the local service `id`, at `socketRoot` + `appspace` + `id` (`ipc.connectTo(id)`), not connecting yet.
    /// `config.id` is our own id, not the service's.
    ///
    /// # Errors
    ///
    /// [`ConnectError`]: the configuration is refused, or there is no runtime here. Nothing is opened.
    pub fn new(id: &str, config: Config) -> Result<Self, ConnectError> {
        let settings = crate::host::build(config)?;
        let endpoint = Endpoint::local(&settings, Some(id))?;
        Self::at(settings, endpoint)
    }

    /// A client of the local socket at `path` (`ipc.connectTo(id, path)`), not connecting yet.
    ///
    /// # Errors
    ///
    /// As [`new`](Self::new).
    pub fn at_path(path: &str, config: Config) -> Result<Self, ConnectError> {
        let settings = crate::host::build(config)?;
        let endpoint = Endpoint::at_path(&settings, path)?;
        Self::at(settings, endpoint)
    }

    /// A TCP client (`ipc.connectToNet(id, host, port)`), not connecting yet. `None` stands for `networkHost` and
    /// `networkPort`.
    ///
    /// # Errors
    ///
    /// As [`new`](Self::new).
    pub fn net(host: Option<&str>, port: Option<u16>, config: Config) -> Result<Self, ConnectError> {
        let settings = crate::host::build(config)?;
        let endpoint = Endpoint::net(&settings, host, port)?;
        Self::at(settings, endpoint)
    }

    /// A client of any endpoint, not connecting yet.
    ///
    /// # Errors
    ///
    /// As [`new`](Self::new).
    pub fn at(settings: Settings, endpoint: Endpoint) -> Result<Self, ConnectError> {
        Self::with_runtime(R::ambient().map_err(ConnectError::Runtime)?, settings, endpoint)
    }

    /// Connects to the local service `id` and waits for the first connection: [`new`](Self::new) and
    /// [`connect`](Self::connect). Events that come before a handler is registered go to nobody; to register handlers
    /// first, use `new`.
    ///
    /// # Errors
    ///
    /// [`ConnectError`].
    pub async fn connect_to(id: &str, config: Config) -> Result<Self, ConnectError> {
        let client = Self::new(id, config)?;
        client.connect().await?;
        Ok(client)
    }

    /// Connects over TCP and waits for the first connection: [`net`](Self::net) and [`connect`](Self::connect).
    ///
    /// # Errors
    ///
    /// [`ConnectError`].
    pub async fn connect_to_net(host: Option<&str>, port: Option<u16>, config: Config) -> Result<Self, ConnectError> {
        let client = Self::net(host, port, config)?;
        client.connect().await?;
        Ok(client)
    }
}

impl<R: Runtime> Client<R> {
    /// A client on a given runtime, not connecting yet.
    ///
    /// # Errors
    ///
    /// [`ConnectError`]: the endpoint does not go with the settings, or needs what is not supported yet. Nothing is opened.
    pub fn with_runtime(runtime: R, settings: Settings, endpoint: Endpoint) -> Result<Self, ConnectError> {
        settings.check(&endpoint)?;
        if endpoint.is_udp() {
            let advice = "over UDP every process is a server: UdpServer emits to it";
            return Err(ConnectError::Transport { endpoint, advice });
        }
        if let Some(what) = crate::net::missing(&settings, &endpoint) {
            return Err(ConnectError::Unsupported { what, endpoint });
        }
        let tls = Connector::of(&settings, &endpoint)?;
        let seed = runtime.seed();
        let session = Session::new(Common::new(runtime.clone(), settings.clone()));
        let log = Log::new("client", &endpoint, &settings);
        let shared = Arc::new(Shared {
            session,
            core: Mutex::new(ipc_proto::Client::new(settings.clone(), endpoint.clone(), seed)),
            settings,
            endpoint,
            link: Link::default(),
            handlers: Handlers::default(),
            outlet: Outlet::default(),
            lookup: Mutex::new(None),
            tls: Mutex::new(tls),
            started: AtomicBool::new(false),
            first: Latch::default(),
            last_error: Mutex::new(None),
            ended: Latch::default(),
            status: Status::default(),
            log,
        });
        Ok(Self { _alive: Arc::new(Alive(Arc::clone(&shared))), emitter: Emitter { shared }, runtime })
    }

    fn shared(&self) -> &Arc<Shared> {
        &self.emitter.shared
    }

    /// Starts connecting, and goes on by itself; returns at once. A second call does nothing.
    pub fn start(&self) {
        let shared = self.shared();
        if !shared.started.swap(true, Ordering::Relaxed) {
            shared.change(self.runtime.now(), ipc_proto::Client::connect);
            let running = Running::new(self.runtime.clone(), Arc::clone(shared));
            self.runtime.spawn(running.run());
        }
    }

    /// Starts connecting and waits for the first connection; later calls return at once, also while the client reconnects
    /// ([`states`](Self::states) tells of that). Attempts follow one another as `retry` and `maxRetries`
    /// say, by default for ever: put a time limit around it if you want one. A connection that was made and has ended again
    /// meanwhile was one: it gives `Ok`, and [`is_destroyed`](Self::is_destroyed) tells whether the client has ended with it.
    ///
    /// Cancel safe: the client goes on connecting.
    ///
    /// # Errors
    ///
    /// [`ConnectError::GaveUp`] if no attempt succeeded and none is left; [`ConnectError::Ended`] of a client that has ended
    /// otherwise, or does while it waits. A client that has ended does not connect again, whether it was connected or not.
    pub async fn connect(&self) -> Result<(), ConnectError> {
        // Asked before it starts, after which another thread may do all of it: connect, and end.
        let has_ended = matches!(self.state(), ConnectionState::Closing | ConnectionState::Ended { .. });
        self.start();
        let shared = self.shared();
        if shared.first.wait().await && !has_ended {
            return Ok(());
        }
        let endpoint = shared.endpoint.clone();
        match self.state() {
            ConnectionState::Ended { reason: EndReason::GaveUp, .. } => {
                let last = shared.last_error.lock().unwrap_or_else(PoisonError::into_inner).clone();
                Err(ConnectError::GaveUp { endpoint, last })
            }
            ConnectionState::Ended { reason, .. } => Err(ConnectError::Ended { endpoint, reason }),
            _ => Err(ConnectError::Ended { endpoint, reason: EndReason::Closed }),
        }
    }

    /// Looks host names up by `lookup` instead of the runtime's resolver, from the next attempt on (`interface.lookup` in
    /// node-ipc). Not asked for what is an address already. What it gives is filtered by `interface.family` and tried in
    /// its order, the families taking turns; the first 64 of them.
    ///
    /// ```
    /// # fn example<R: ipc_driver::runtime::Runtime>(client: &ipc_driver::Client<R>) {
    /// use std::net::SocketAddr;
    /// client.set_lookup(|query| async move { Ok(vec![SocketAddr::from(([10, 0, 0, 7], query.port))]) });
    /// # }
    /// ```
    pub fn set_lookup<F, L>(&self, lookup: L)
    where
        F: Future<Output = io::Result<Vec<SocketAddr>>> + Send + 'static,
        L: Fn(Lookup) -> F + Send + Sync + 'static,
    {
        let lookup: LookupFn = Arc::new(move |query| Box::pin(lookup(query)));
        let replaced = self.shared().lookup.lock().unwrap_or_else(PoisonError::into_inner).replace(lookup);
        // Without the lock: what it holds may do anything when it is dropped.
        drop(replaced);
    }

    /// Where it connects to.
    #[must_use]
    pub fn endpoint(&self) -> &Endpoint {
        &self.shared().endpoint
    }

    /// What it was made with.
    #[must_use]
    pub fn settings(&self) -> &Settings {
        &self.shared().settings
    }

    /// What it is doing at the moment.
    #[must_use]
    pub fn state(&self) -> ConnectionState {
        self.shared().status.get()
    }

    /// What it is doing, as a stream that a user interface can show: the state there is, then each change, the latest only.
    ///
    /// ```
    /// # async fn example<R: ipc_driver::runtime::Runtime>(client: ipc_driver::Client<R>) {
    /// use ipc_driver::ConnectionState::{Connected, Waiting};
    ///
    /// let mut states = client.states();
    /// while let Some(state) = states.recv().await {
    ///     match state {
    ///         Connected => println!("online"),
    ///         Waiting { attempt, retry_in, .. } => println!("offline, attempt {attempt} follows in {retry_in:?}"),
    ///         other => println!("{other:?}"),
    ///     }
    /// }
    /// # }
    /// ```
    #[must_use]
    pub fn states(&self) -> States {
        self.shared().status.states()
    }

    /// Whether it is connected at the moment.
    #[must_use]
    pub fn is_connected(&self) -> bool {
        self.shared().lock_core().is_connected()
    }

    /// Whether it waits to try again.
    #[must_use]
    pub fn is_waiting(&self) -> bool {
        self.shared().lock_core().is_waiting()
    }

    /// Whether it has come to its end.
    #[must_use]
    pub fn is_destroyed(&self) -> bool {
        self.shared().lock_core().is_destroyed()
    }

    /// Retries left before it gives up, without the one that is waited for or under way; `None` for no limit.
    #[must_use]
    pub fn retries_remaining(&self) -> Option<u32> {
        self.shared().lock_core().retries_remaining()
    }

    /// What was taken and then lost while offline, since the client was made.
    #[must_use]
    pub fn dropped(&self) -> Unsent {
        self.shared().lock_core().dropped()
    }

    /// What was counted since the client was made. All of it is of one moment, except that what was received is counted
    /// per read.
    #[must_use]
    pub fn counters(&self) -> ClientCounters {
        self.shared().counters()
    }

    /// Bytes queued and not yet taken by the operating system.
    #[must_use]
    pub fn pending(&self) -> usize {
        self.shared().link.pending()
    }

    /// Messages that `sync` holds back until an answer comes.
    #[must_use]
    pub fn held(&self) -> usize {
        let core = self.shared().lock_core();
        self.shared().link.held().unwrap_or_else(|| core.held())
    }

    /// Changes `stopRetrying` now (`ipc.config.stopRetrying = true`). [`StopRetrying::Yes`] ends a client that waits to
    /// retry at once.
    pub fn set_stop_retrying(&self, stop: impl Into<StopRetrying>) {
        self.shared().change(self.runtime.now(), |core| core.set_stop_retrying(stop.into()));
        self.shared().link.nudge();
    }

    /// Changes `retry` from the next wait on, the one under way keeps its length (`ipc.config.retry = 50` in node-ipc
    /// 9.2.1, 12.0.0 and 14.0.0). From 1 ms to 2,147,483,647 ms; others are taken as the nearest of these.
    pub fn set_retry(&self, retry: Duration) {
        self.shared().lock_core().set_retry(retry);
    }

    /// Sends what is queued, ends the connection, and waits until the server has ended its side too, 5 seconds at most.
    /// Further emits are refused from now on, and no reconnection follows. Requests of the server that are under way are answered.
    ///
    /// Cancel safe: the client closes whether or not this is awaited to the end.
    ///
    /// # Errors
    ///
    /// [`CloseError`] says how much was not sent.
    pub async fn close(&self) -> Result<(), CloseError> {
        self.close_within(crate::CLOSE_WITHIN).await
    }

    /// Like [`close`](Self::close), with another time limit.
    ///
    /// # Errors
    ///
    /// As [`close`](Self::close).
    pub async fn close_within(&self, limit: Duration) -> Result<(), CloseError> {
        let shared = self.shared();
        shared.begin_close(limit);
        if !shared.started.load(Ordering::Relaxed) {
            return unsent(shared.lock_core().unsent());
        }
        unsent(shared.ended.wait().await)
    }

    /// Ends the client at once (`ipc.disconnect(id)`): what is queued and the socket does not take at once is lost, as in
    /// node-ipc 9.2.1 and 14.0.0, and no reconnection follows. [`close`](Self::close) sends it first.
    pub fn disconnect(&self) {
        self.shared().disconnect();
    }

    /// Waits until the client has come to its end, by itself or by [`disconnect`](Self::disconnect). Cancel safe.
    pub async fn destroyed(&self) {
        self.shared().ended.wait().await;
    }

    /// A handle to emit with that does not keep the client alive.
    #[must_use]
    pub fn emitter(&self) -> Emitter {
        self.emitter.clone()
    }

    /// Registers a handler for the events of a name: `client.on("message", |text: String| …)`.
    ///
    /// The payload is extracted by serde, or taken as a [`Message`]. Handlers run one at a time, in order, inline on
    /// the client's task: they should be quick. An error, or a payload of another shape, goes to
    /// [`on_error`](Self::on_error).
    pub fn on<T, O, F>(&self, name: &str, handler: F) -> HandlerId
    where
        T: FromEvent,
        O: Outcome,
        F: Fn(T) -> O + Send + Sync + 'static,
    {
        self.shared().handlers.on(name, false, move |(), event| extract(event, &handler))
    }

    /// Like [`on`](Self::on), for the first such event only.
    pub fn once<T, O, F>(&self, name: &str, handler: F) -> HandlerId
    where
        T: FromEvent,
        O: Outcome,
        F: Fn(T) -> O + Send + Sync + 'static,
    {
        self.shared().handlers.on(name, true, move |(), event| extract(event, &handler))
    }

    /// Registers a handler that sees the event in the read buffer, without a copy.
    pub fn on_event<O, F>(&self, name: &str, handler: F) -> HandlerId
    where
        O: Outcome,
        F: Fn(&Event<'_>) -> O + Send + Sync + 'static,
    {
        self.shared().handlers.on(name, false, move |(), event| handler(event).into_error())
    }

    /// Registers a handler for wire events of every name (`*` in node-ipc). It runs before the handlers of a name, as in
    /// node-ipc 12.0.0 and 14.0.0, and does not count as taking the event.
    pub fn on_any<O, F>(&self, handler: F) -> HandlerId
    where
        O: Outcome,
        F: Fn(&Event<'_>) -> O + Send + Sync + 'static,
    {
        self.shared().handlers.on_any(move |(), event| handler(event).into_error())
    }

    /// Registers a handler for the bytes of a raw connection (`data` in node-ipc).
    pub fn on_data<O, F>(&self, handler: F) -> HandlerId
    where
        O: Outcome,
        F: Fn(&[u8]) -> O + Send + Sync + 'static,
    {
        self.shared().handlers.on_data(move |(), bytes| handler(bytes).into_error())
    }

    /// Gives what the client says of itself to `logger`, a line at a time, as the option `logger` of node-ipc: when it connects
    /// and loses it, what goes wrong, and what is received. It replaces an earlier one, and is called inline: it should be quick.
    ///
    /// `silent` turns it off. With `logPayloads` received payloads are shown, as deep as `logDepth` says; else only names and
    /// sizes. With `logInColor`, the default, there are colours in the text.
    pub fn set_logger(&self, logger: impl Fn(&str) + Send + Sync + 'static) {
        self.shared().log.set(Arc::new(logger));
    }

    /// Registers a handler for lifecycle events; it never gets [`ClientEvent::Message`] or [`ClientEvent::Data`].
    pub fn on_lifecycle(&self, handler: impl Fn(&ClientEvent) + Send + Sync + 'static) -> HandlerId {
        self.shared().handlers.on_lifecycle(handler)
    }

    /// Registers a handler for every connection that comes up (`connect`). What it emits is sent first.
    pub fn on_connect(&self, handler: impl Fn() + Send + Sync + 'static) -> HandlerId {
        self.on_lifecycle(move |event| {
            if matches!(event, ClientEvent::Connected) {
                handler();
            }
        })
    }

    /// Registers a handler for lost connections and failed attempts (`disconnect`), with the time until the next attempt.
    pub fn on_disconnect(&self, handler: impl Fn(Option<Duration>) + Send + Sync + 'static) -> HandlerId {
        self.on_lifecycle(move |event| {
            if let ClientEvent::Disconnected { retry_in, .. } = event {
                handler(*retry_in);
            }
        })
    }

    /// Registers a handler for the end of the client (`destroy`).
    pub fn on_destroy(&self, handler: impl Fn() + Send + Sync + 'static) -> HandlerId {
        self.on_lifecycle(move |event| {
            if matches!(event, ClientEvent::Destroyed) {
                handler();
            }
        })
    }

    /// Registers a handler for errors (`error`).
    pub fn on_error(&self, handler: impl Fn(&ConnectionError) + Send + Sync + 'static) -> HandlerId {
        self.on_lifecycle(move |event| {
            if let ClientEvent::Error(error) = event {
                handler(error);
            }
        })
    }

    /// Registers a gate, which is asked about every event before any handler or stream gets it, in order of registration. An
    /// error keeps the event from all of them: it is counted (`rejected`), goes to [`on_error`](Self::on_error) as
    /// [`ConnectionError::Rejected`], and answers a request with [`Failure::REJECTED`](crate::Failure::REJECTED) and what it
    /// displays.
    ///
    /// Replies to requests that were made here do not pass it, nor do raw bytes.
    pub fn before_event<E, F>(&self, gate: F) -> HandlerId
    where
        E: Into<BoxError>,
        F: Fn(&Event<'_>) -> Result<(), E> + Send + Sync + 'static,
    {
        self.shared().handlers.before_event(move |(), event| gate(event).err().map(Into::into))
    }

    /// Registers a handler for events that nobody took: no handler of their name, no stream, and no answer if they are requests.
    /// They are counted (`unhandled`) and logged at the level `debug` in any case.
    pub fn on_unhandled<O, F>(&self, handler: F) -> HandlerId
    where
        O: Outcome,
        F: Fn(&Event<'_>) -> O + Send + Sync + 'static,
    {
        self.shared().handlers.on_unhandled(move |(), event| handler(event).into_error())
    }

    /// Takes a handler out. `false` if it is not registered.
    pub fn off(&self, handler: HandlerId) -> bool {
        self.shared().handlers.off(handler)
    }

    /// Takes out all handlers of an event name (`off(name, '*')` in node-ipc), that of requests included.
    pub fn off_all(&self, name: &str) {
        self.shared().handlers.off_all(name);
    }

    /// Opens the stream of events that no handler takes, lifecycle events included. It holds `eventQueue` events; while
    /// it is full the connection is not read, nor another one made. A later call replaces the stream.
    #[must_use]
    pub fn events(&self) -> Events<ClientEvent> {
        self.shared().outlet.open(self.shared().settings.config().event_queue)
    }

    emit_methods!();

    fn link(&self) -> &Link {
        &self.shared().link
    }

    fn emit_with(&self, emit: impl FnMut(&mut Outbound) -> Result<(), EmitError>) -> Result<(), EmitError> {
        self.shared().emit(emit)
    }

    fn poll_emit_with(
        &self,
        cx: &mut Context<'_>,
        ticket: &mut Ticket,
        emit: impl FnMut(&mut Outbound) -> Result<(), EmitError>,
    ) -> Poll<Result<(), EmitError>> {
        self.shared().poll_emit(cx, ticket, emit)
    }
}

impl<R: Runtime> SetLogger for Client<R> {
    fn set_logger_shared(&self, logger: Logger) {
        self.shared().log.set(logger);
    }
}
