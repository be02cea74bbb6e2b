//! The server handle: listen, accept, know who is there, broadcast, stop.
//!
//! Every accepted connection runs in a task of its own; the book of peers is locked when one comes or goes, never to
//! move data.

use crate::error::{BoxError, ConnectionError, ServeError};
use crate::handlers::{HandlerId, Handlers, Outcome, Seen, extract};
use crate::latch::Latch;
use crate::link::CloseOrder;
use crate::peer::Peer;
use crate::pump::{Dispatch, Pump, Why};
use crate::runtime::{Ambient, Listener, Remote, Runtime, Timer};
use crate::stream::{Events, Outlet, Tap};
use bytes::Bytes;
use ipc_proto::{
    Config, EmitError, Endpoint, Event, Frame, FromEvent, Inbound, Message, PeerId, Received, Settings, Unsent,
};
use serde::Serialize;
use std::collections::BTreeMap;
use std::future::{Future, poll_fn};
use std::marker::PhantomData;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::task::{Context, Poll};
use std::time::Duration;

/// What a server's event stream gives. Lifecycle and wire events are different variants: an event that a peer calls
/// `connect` arrives as a [`Message`](Self::Message) of that name.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum ServerEvent {
    /// The server listens there (`start` in node-ipc).
    Started(Endpoint),
    /// A peer connected (`connect`).
    Connected(Peer),
    /// A peer sent an event that no handler took.
    Message(Peer, Message),
    /// A raw peer sent bytes that no handler took (`data`). They have no message borders.
    Data(Peer, Bytes),
    /// Something went wrong with a peer's connection (`error`); it may go on.
    Error(Peer, ConnectionError),
    /// A peer's connection has ended (`socket.disconnected` and `close`). Its last event.
    Disconnected {
        /// Whose.
        peer: Peer,
        /// JSON text of the id it claimed, see [`Peer::claimed_id`].
        claimed_id: Option<Arc<str>>,
        /// Whether an error ended it.
        had_error: bool,
        /// What was queued for it and not sent.
        unsent: Unsent,
    },
    /// The server listens no more. Connections may still be open.
    Stopped,
}

/// What became of a broadcast.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Broadcast {
    /// Peers it was queued for.
    pub queued: usize,
    /// Peers whose queue was full, and who will not get it.
    pub full: usize,
    /// Peers whose connection was ending.
    pub closed: usize,
}

/// What [`Server::shutdown`] achieved.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ShutdownReport {
    /// Connections that ended with everything sent.
    pub clean: usize,
    /// Connections that ended with events unsent.
    pub cut: usize,
    /// What was not sent.
    pub unsent: Unsent,
}

/// A server of any transport. Cheap to clone; when the last clone is dropped it stops and its connections are flushed
/// and closed.
///
/// Register handlers before [`start`](Self::start), so that no event of a quick peer comes too early.
pub struct Server<R: Runtime> {
    shared: Arc<Shared>,
    /// Dropped with the last handle.
    _alive: Arc<Alive>,
    runtime: R,
    marker: PhantomData<R>,
}

pub(crate) struct Shared {
    settings: Settings,
    endpoint: Endpoint,
    core: Mutex<ipc_proto::Server>,
    peers: RwLock<BTreeMap<PeerId, Peer>>,
    handlers: Handlers<Peer, ServerEvent>,
    outlet: Outlet<ServerEvent>,
    /// The order to stop listening, while it listens, and where.
    listening: Mutex<Option<Listening>>,
}

struct Listening {
    endpoint: Endpoint,
    stop: Arc<Latch<()>>,
    /// Set when the socket is closed and its file gone.
    stopped: Arc<Latch<()>>,
}

struct Alive(Arc<Shared>);

impl Drop for Alive {
    fn drop(&mut self) {
        self.0.stop();
        self.0.close_all(CloseOrder::Flush(crate::CLOSE_WITHIN));
        self.0.outlet.close();
    }
}

impl<R: Runtime> Clone for Server<R> {
    fn clone(&self) -> Self {
        Self {
            shared: Arc::clone(&self.shared),
            _alive: Arc::clone(&self._alive),
            runtime: self.runtime.clone(),
            marker: PhantomData,
        }
    }
}

impl<R: Runtime> std::fmt::Debug for Server<R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Server").field("endpoint", &self.shared.endpoint).field("peers", &self.len()).finish()
    }
}

impl<R: Ambient> Server<R> {
    /// A server on the default local socket, `socketRoot` + `appspace` + `id` (`ipc.serve()`), not started yet.
    ///
    /// # Errors
    ///
    /// [`ServeError`]: the configuration is refused, or there is no runtime here. Nothing is opened.
    pub fn new(config: Config) -> Result<Self, ServeError> {
        let settings = crate::host::build(config)?;
        let endpoint = Endpoint::local(&settings, None)?;
        Self::at(settings, endpoint)
    }

    /// A server on the local socket at `path` (`ipc.serve(path)`), not started yet.
    ///
    /// # Errors
    ///
    /// As [`new`](Self::new).
    pub fn at_path(path: &str, config: Config) -> Result<Self, ServeError> {
        let settings = crate::host::build(config)?;
        let endpoint = Endpoint::at_path(&settings, path)?;
        Self::at(settings, endpoint)
    }

    /// A TCP server (`ipc.serveNet(host, port)`), not started yet. `None` stands for `networkHost` and `networkPort`; with
    /// port 0 the system chooses one, see [`local_endpoint`](Self::local_endpoint).
    ///
    /// # Errors
    ///
    /// As [`new`](Self::new).
    pub fn net(host: Option<&str>, port: Option<u16>, config: Config) -> Result<Self, ServeError> {
        let settings = crate::host::build(config)?;
        let endpoint = Endpoint::net(&settings, host, port)?;
        Self::at(settings, endpoint)
    }

    /// A server at any endpoint, not started yet.
    ///
    /// # Errors
    ///
    /// As [`new`](Self::new).
    pub fn at(settings: Settings, endpoint: Endpoint) -> Result<Self, ServeError> {
        settings.check_serving(&endpoint)?;
        if let Some(what) = crate::net::missing(&settings, &endpoint) {
            return Err(ServeError::Unsupported { what, endpoint });
        }
        Ok(Self::with_runtime(R::ambient().map_err(ServeError::Runtime)?, settings, endpoint))
    }

    /// Serves on the default local socket: [`new`](Self::new) and [`start`](Self::start). Events that come before a
    /// handler is registered go to nobody; to register handlers first, use `new`.
    ///
    /// # Errors
    ///
    /// [`ServeError`].
    pub async fn serve(config: Config) -> Result<Self, ServeError> {
        let server = Self::new(config)?;
        server.start().await?;
        Ok(server)
    }

    /// Serves over TCP: [`net`](Self::net) and [`start`](Self::start).
    ///
    /// # Errors
    ///
    /// [`ServeError`].
    pub async fn serve_net(host: Option<&str>, port: Option<u16>, config: Config) -> Result<Self, ServeError> {
        let server = Self::net(host, port, config)?;
        server.start().await?;
        Ok(server)
    }
}

impl<R: Runtime> Server<R> {
    /// A server on a given runtime, not started yet.
    pub fn with_runtime(runtime: R, settings: Settings, endpoint: Endpoint) -> Self {
        let shared = Arc::new(Shared {
            core: Mutex::new(ipc_proto::Server::new(settings.clone())),
            settings,
            endpoint,
            peers: RwLock::default(),
            handlers: Handlers::default(),
            outlet: Outlet::default(),
            listening: Mutex::new(None),
        });
        Self { _alive: Arc::new(Alive(Arc::clone(&shared))), shared, runtime, marker: PhantomData }
    }

    /// Listens, and accepts peers from now on (`ipc.server.start()`). After a [`stop`](Self::stop) it may be started
    /// again.
    ///
    /// Cancel safe: a dropped call has either not listened at all or started the server.
    ///
    /// # Errors
    ///
    /// [`ServeError::Listen`] if the operating system refuses, or a live server answers on the socket already;
    /// [`ServeError::AlreadyListening`].
    pub async fn start(&self) -> Result<(), ServeError> {
        let shared = &self.shared;
        shared.settings.check_serving(&shared.endpoint)?;
        let before =
            shared.lock_listening().as_ref().map(|it| (it.endpoint.clone(), it.stop.get(), Arc::clone(&it.stopped)));
        match before {
            Some((endpoint, None, _)) => return Err(ServeError::AlreadyListening { endpoint }),
            // A stop is under way: its socket must be gone before another takes its place.
            Some((_, Some(()), stopped)) => stopped.wait().await,
            None => {}
        }
        let endpoint = shared.endpoint.clone();
        let listener = self
            .runtime
            .listen(&endpoint, &shared.settings)
            .await
            .map_err(|source| ServeError::Listen { endpoint, source })?;
        let endpoint = listener.local_endpoint();
        let (stop, stopped) = (Arc::new(Latch::default()), Arc::new(Latch::default()));
        *shared.lock_listening() =
            Some(Listening { endpoint: endpoint.clone(), stop: Arc::clone(&stop), stopped: Arc::clone(&stopped) });
        tracing::info!(target: "ipc", %endpoint, "listening");
        shared.lifecycle(ipc_proto::Server::start, || ServerEvent::Started(endpoint.clone()));
        let accept = accept(self.runtime.clone(), listener, Arc::clone(shared), stop);
        self.runtime.spawn(async move {
            accept.await;
            stopped.set(());
        });
        Ok(())
    }

    /// Where it listens, with the real port; where it would listen if it does not.
    #[must_use]
    pub fn local_endpoint(&self) -> Endpoint {
        self.shared.lock_listening().as_ref().map_or_else(|| self.shared.endpoint.clone(), |it| it.endpoint.clone())
    }

    /// Whether it accepts peers.
    #[must_use]
    pub fn is_listening(&self) -> bool {
        self.shared.lock_core().is_listening()
    }

    /// What it was made with.
    #[must_use]
    pub fn settings(&self) -> &Settings {
        &self.shared.settings
    }

    /// Accepts nobody any more and removes the socket file; connections live on (`ipc.server.stop()` in node-ipc 9.2.1).
    /// Returns at once; [`shutdown`](Self::shutdown) also ends the connections and waits.
    pub fn stop(&self) {
        self.shared.stop();
    }

    /// Stops accepting, sends what is queued to every peer, ends the connections, and reports.
    ///
    /// After `deadline` what is left is cut. Cancel safe: a dropped call leaves the connections closing, with the
    /// deadline.
    pub async fn shutdown(&self, deadline: Duration) -> ShutdownReport {
        let listening = self.shared.lock_listening().as_ref().map(|listening| Arc::clone(&listening.stopped));
        self.shared.stop();
        let peers = self.peers();
        self.shared.close_all(CloseOrder::Flush(deadline));
        let mut report = ShutdownReport::default();
        for peer in peers {
            let unsent = peer.inner.ended.wait().await;
            report.unsent += unsent;
            if unsent.is_empty() {
                report.clean += 1;
            } else {
                report.cut += 1;
            }
        }
        if let Some(stopped) = listening {
            stopped.wait().await;
        }
        report
    }

    /// Stops accepting and ends every connection at once; what is queued is lost (`stop()` in node-ipc 14.0.0).
    pub fn abort(&self) {
        self.shared.stop();
        self.shared.close_all(CloseOrder::Abort);
    }

    /// The connected peers, in order of connection.
    #[must_use]
    pub fn peers(&self) -> Vec<Peer> {
        self.shared.read_peers(|peers| peers.values().cloned().collect())
    }

    /// A connected peer by its number.
    #[must_use]
    pub fn peer(&self, id: PeerId) -> Option<Peer> {
        self.shared.read_peers(|peers| peers.get(&id).cloned())
    }

    /// How many peers are connected.
    #[must_use]
    pub fn len(&self) -> usize {
        self.shared.read_peers(BTreeMap::len)
    }

    /// Whether nobody is connected.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Queues an event for one peer (`ipc.server.emit(socket, name, data)`).
    ///
    /// # Errors
    ///
    /// As [`Peer::emit`].
    pub fn emit<T: Serialize + ?Sized>(&self, peer: &Peer, name: &str, data: &T) -> Result<(), EmitError> {
        peer.emit(name, data)
    }

    /// Queues an event for every connected peer (`ipc.server.broadcast(name, data)`). It is encoded once.
    ///
    /// # Errors
    ///
    /// [`EmitError`] if it cannot be encoded: then nobody gets it. A peer that cannot take it is counted in the
    /// outcome.
    pub fn broadcast<T: Serialize + ?Sized>(&self, name: &str, data: &T) -> Result<Broadcast, EmitError> {
        Ok(self.broadcast_frame(&Frame::new(&self.shared.settings, name, data)?))
    }

    /// Queues bytes for every peer of a raw server.
    ///
    /// # Errors
    ///
    /// [`EmitError::WrongMode`] on a framed server.
    pub fn broadcast_raw(&self, bytes: impl Into<Bytes>) -> Result<Broadcast, EmitError> {
        Ok(self.broadcast_frame(&Frame::raw(&self.shared.settings, bytes)?))
    }

    /// Queues an encoded frame for every connected peer.
    pub fn broadcast_frame(&self, frame: &Frame) -> Broadcast {
        self.shared.read_peers(|peers| {
            let mut outcome = Broadcast::default();
            for peer in peers.values() {
                match peer.emit_frame(frame) {
                    Ok(()) => outcome.queued += 1,
                    Err(EmitError::Full { .. }) => outcome.full += 1,
                    Err(_) => outcome.closed += 1,
                }
            }
            outcome
        })
    }

    /// Like [`broadcast_frame`](Self::broadcast_frame), but waits for every peer to have room: the slowest sets the
    /// pace. Cancel safe in that no event is torn; peers not yet served when the call is dropped do not get it.
    pub async fn send_to_all(&self, frame: &Frame) -> Broadcast {
        let mut outcome = Broadcast::default();
        for peer in self.peers() {
            match peer.send_frame(frame).await {
                Ok(()) => outcome.queued += 1,
                Err(_) => outcome.closed += 1,
            }
        }
        outcome
    }

    /// Registers a handler for the events of a name: `server.on("message", |peer, text: String| …)`.
    ///
    /// The payload is extracted by serde, or taken as a [`Message`]. Handlers of a connection run one at a time, in
    /// order, inline on its task: they should be quick. An error, or a payload of another shape, goes to
    /// [`on_error`](Self::on_error).
    pub fn on<T, O, F>(&self, name: &str, handler: F) -> HandlerId
    where
        T: FromEvent,
        O: Outcome,
        F: Fn(&Peer, T) -> O + Send + Sync + 'static,
    {
        self.shared.handlers.on(name, false, move |peer, event| extract(event, |payload| handler(peer, payload)))
    }

    /// Like [`on`](Self::on), for the first such event only, of whichever peer.
    pub fn once<T, O, F>(&self, name: &str, handler: F) -> HandlerId
    where
        T: FromEvent,
        O: Outcome,
        F: Fn(&Peer, T) -> O + Send + Sync + 'static,
    {
        self.shared.handlers.on(name, true, move |peer, event| extract(event, |payload| handler(peer, payload)))
    }

    /// Registers a handler that sees the event in the read buffer, without a copy: the quickest way to look at or forward
    /// a payload.
    pub fn on_event<O, F>(&self, name: &str, handler: F) -> HandlerId
    where
        O: Outcome,
        F: Fn(&Peer, &Event<'_>) -> O + Send + Sync + 'static,
    {
        self.shared.handlers.on(name, false, move |peer, event| handler(peer, event).into_error())
    }

    /// Registers a handler for wire events of every name (`*` in node-ipc). It runs before the handlers of a name, as in
    /// node-ipc 12.0.0 and 14.0.0, and does not count as taking the event.
    pub fn on_any<O, F>(&self, handler: F) -> HandlerId
    where
        O: Outcome,
        F: Fn(&Peer, &Event<'_>) -> O + Send + Sync + 'static,
    {
        self.shared.handlers.on_any(move |peer, event| handler(peer, event).into_error())
    }

    /// Registers a handler for the bytes of raw connections (`data` in node-ipc).
    pub fn on_data<O, F>(&self, handler: F) -> HandlerId
    where
        O: Outcome,
        F: Fn(&Peer, &[u8]) -> O + Send + Sync + 'static,
    {
        self.shared.handlers.on_data(move |peer, bytes| handler(peer, bytes).into_error())
    }

    /// Registers a handler for lifecycle events; it never gets [`ServerEvent::Message`] or [`ServerEvent::Data`].
    pub fn on_lifecycle(&self, handler: impl Fn(&ServerEvent) + Send + Sync + 'static) -> HandlerId {
        self.shared.handlers.on_lifecycle(handler)
    }

    /// Registers a handler for new peers (`connect`).
    pub fn on_connect(&self, handler: impl Fn(&Peer) + Send + Sync + 'static) -> HandlerId {
        self.on_lifecycle(move |event| {
            if let ServerEvent::Connected(peer) = event {
                handler(peer);
            }
        })
    }

    /// Registers a handler for peers that have gone (`socket.disconnected`), with the JSON text of the id they claimed.
    pub fn on_disconnect(&self, handler: impl Fn(&Peer, Option<&str>) + Send + Sync + 'static) -> HandlerId {
        self.on_lifecycle(move |event| {
            if let ServerEvent::Disconnected { peer, claimed_id, .. } = event {
                handler(peer, claimed_id.as_deref());
            }
        })
    }

    /// Registers a handler for errors (`error`).
    pub fn on_error(&self, handler: impl Fn(&Peer, &ConnectionError) + Send + Sync + 'static) -> HandlerId {
        self.on_lifecycle(move |event| {
            if let ServerEvent::Error(peer, error) = event {
                handler(peer, error);
            }
        })
    }

    /// Takes a handler out. `false` if it is not registered.
    pub fn off(&self, handler: HandlerId) -> bool {
        self.shared.handlers.off(handler)
    }

    /// Takes out all handlers of an event name (`off(name, '*')` in node-ipc).
    pub fn off_all(&self, name: &str) {
        self.shared.handlers.off_all(name);
    }

    /// Opens the stream of events that no handler takes, lifecycle events included. It holds `eventQueue` events; while
    /// it is full the connections are not read. A later call replaces the stream.
    #[must_use]
    pub fn events(&self) -> Events<ServerEvent> {
        self.shared.outlet.open(self.shared.settings.config().event_queue)
    }
}

impl Shared {
    fn lock_core(&self) -> MutexGuard<'_, ipc_proto::Server> {
        self.core.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lock_listening(&self) -> MutexGuard<'_, Option<Listening>> {
        self.listening.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn read_peers<T>(&self, read: impl FnOnce(&BTreeMap<PeerId, Peer>) -> T) -> T {
        read(&self.peers.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn close_all(&self, order: CloseOrder) {
        self.read_peers(|peers| peers.values().for_each(|peer| peer.inner.link.close(order)));
    }

    /// Starts or stops the core, and reports to handlers and stream if that made an event.
    fn lifecycle(&self, change: impl FnOnce(&mut ipc_proto::Server), report: impl FnOnce() -> ServerEvent) {
        let changed = {
            let mut core = self.lock_core();
            change(&mut core);
            core.poll_event().is_some()
        };
        if changed {
            let event = report();
            self.handlers.lifecycle(&event);
            self.outlet.send_now(event);
        }
    }

    fn stop(&self) {
        if let Some(listening) = &*self.lock_listening() {
            listening.stop.set(());
        }
        self.lifecycle(ipc_proto::Server::stop, || ServerEvent::Stopped);
    }
}

/// After an error of `accept` (no descriptors left, most often) the loop waits so long instead of spinning.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

async fn accept<R: Runtime>(runtime: R, mut listener: R::Listener, shared: Arc<Shared>, stop: Arc<Latch<()>>) {
    let mut pause = runtime.timer();
    let mut paused = false;
    loop {
        let accepted = poll_fn(|cx| {
            if stop.poll(cx).is_ready() {
                return Poll::Ready(None);
            }
            if paused && pause.poll_expired(cx).is_pending() {
                return Poll::Pending;
            }
            paused = false;
            listener.poll_accept(cx).map(Some)
        })
        .await;
        match accepted {
            None => return,
            Some(Ok((stream, remote))) => admit(&runtime, stream, remote, &shared),
            Some(Err(error)) => {
                tracing::warn!(target: "ipc", %error, "cannot accept a connection, trying again in 50 ms");
                pause.set(Some(runtime.now() + ACCEPT_PAUSE));
                paused = true;
            }
        }
    }
}

fn admit<R: Runtime>(runtime: &R, stream: R::Stream, remote: Remote, shared: &Arc<Shared>) {
    let (peer, inbound) = {
        let mut core = shared.lock_core();
        match core.handle_accept() {
            Ok((id, connection)) => {
                let _reported_by_the_peers_own_task = core.poll_event();
                let (inbound, outbound) = connection.split();
                let peer = Peer::new(id, remote, outbound);
                // Entered under the lock of the core, so that whoever sees the count also finds the peer.
                let mut peers = shared.peers.write().unwrap_or_else(PoisonError::into_inner);
                peers.insert(id, peer.clone());
                (peer, inbound)
            }
            Err(reason) => {
                tracing::warn!(target: "ipc", %reason, "refused a connection");
                return;
            }
        }
    };
    runtime.spawn(serve(runtime.clone(), stream, inbound, peer, Arc::clone(shared)));
}

/// The life of one accepted connection.
async fn serve<R: Runtime>(runtime: R, stream: R::Stream, inbound: Inbound, peer: Peer, shared: Arc<Shared>) {
    let mut dispatch = ServerDispatch {
        seen: Seen::default(),
        tap: shared.outlet.tap(),
        identify: shared.settings.config().identify_peer,
        peer: peer.clone(),
        shared,
    };
    let link = &peer.inner.link;
    tracing::debug!(target: "ipc", peer = %peer.id(), "connected");
    link.dispatch(|| dispatch.lifecycle(ServerEvent::Connected(peer.clone())));
    let mut pump = Pump::new(runtime, stream, inbound, false);
    let why = poll_fn(|cx| pump.poll(cx, link, &mut dispatch)).await;
    let mut unsent = Unsent::default();
    if let Some(mut outbound) = link.detach() {
        unsent = outbound.end(pump.into_transmit());
    }
    let had_error = matches!(why, Why::Io(_));
    if let Why::Io(error) = why {
        dispatch.lifecycle(ServerEvent::Error(peer.clone(), ConnectionError::Io(Arc::new(error))));
    }
    dispatch.leave(had_error, unsent);
    peer.inner.ended.set(unsent);
    // The last events of a peer wait for room in the stream like all others.
    let mut rest = pin!(poll_fn(|cx| dispatch.tap.poll_ready(cx)));
    poll_fn(|cx| rest.as_mut().poll(cx)).await;
}

struct ServerDispatch {
    peer: Peer,
    shared: Arc<Shared>,
    seen: Seen<Peer, ServerEvent>,
    tap: Tap<ServerEvent>,
    identify: bool,
}

impl ServerDispatch {
    /// Reports a lifecycle event: to its handlers, and to the stream.
    fn lifecycle(&mut self, event: ServerEvent) {
        let heard = self.shared.handlers.lifecycle(&event);
        self.tap.refresh(&self.shared.outlet);
        if let ServerEvent::Error(peer, error) = &event {
            if !heard && !self.tap.is_open() {
                tracing::warn!(target: "ipc", peer = %peer.id(), %error, "unheard error");
            }
        }
        self.tap.push(event);
    }

    fn leave(&mut self, had_error: bool, unsent: Unsent) {
        let peer = self.peer.clone();
        {
            let mut core = self.shared.lock_core();
            let mut peers = self.shared.peers.write().unwrap_or_else(PoisonError::into_inner);
            peers.remove(&peer.id());
            core.handle_disconnected(peer.id());
            let _reported_below = core.poll_event();
        }
        tracing::debug!(target: "ipc", peer = %peer.id(), had_error, unsent = unsent.messages, "disconnected");
        let claimed_id = peer.claimed_id();
        self.lifecycle(ServerEvent::Disconnected { peer, claimed_id, had_error, unsent });
    }

    fn failed(&mut self, event: &str, error: BoxError) {
        let error = ConnectionError::Handler { event: event.into(), source: Arc::new(error) };
        self.lifecycle(ServerEvent::Error(self.peer.clone(), error));
    }
}

impl Dispatch for ServerDispatch {
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.tap.poll_ready(cx)
    }

    fn begin(&mut self) {
        self.tap.refresh(&self.shared.outlet);
    }

    fn received(&mut self, received: Received<'_>) {
        self.shared.handlers.refresh(&mut self.seen);
        let mut errors = Vec::new();
        match received {
            Received::Event(event) => {
                if self.identify {
                    if let Some(id) = event.sender_id() {
                        if self.peer.claim(id) {
                            self.shared.lock_core().handle_claimed_id(self.peer.id(), id);
                        }
                    }
                }
                let taken = self.seen.event(&self.peer, &event, |error| errors.push(error));
                for error in errors {
                    self.failed(event.name(), error);
                }
                if !taken {
                    if self.tap.is_open() {
                        self.tap.push(ServerEvent::Message(self.peer.clone(), event.into_message()));
                    } else {
                        tracing::trace!(target: "ipc", event = ?event.name(), "nobody handles this event");
                    }
                }
            }
            Received::Raw(bytes) => {
                let taken = self.seen.data(&self.peer, bytes, |error| errors.push(error));
                for error in errors {
                    self.failed("data", error);
                }
                if !taken && self.tap.is_open() {
                    self.tap.push(ServerEvent::Data(self.peer.clone(), Bytes::copy_from_slice(bytes)));
                }
            }
            Received::Malformed(report) => {
                self.lifecycle(ServerEvent::Error(self.peer.clone(), crate::error::protocol(&report, false)));
            }
            Received::Failed(report) => {
                self.lifecycle(ServerEvent::Error(self.peer.clone(), crate::error::protocol(&report, true)));
            }
            _ => {}
        }
    }
}
