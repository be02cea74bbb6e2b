//! The server handle: listen, accept, know who is there, broadcast, stop.
//!
//! Every accepted connection runs in a task of its own; the book of peers is locked when one comes or goes, never to
//! move data.

mod accept;
mod audience;
mod book;
mod broadcast;
mod crowd;
mod given;
mod groups;
#[cfg(unix)]
mod handing;
mod handshakes;
mod refuse;
mod requests;
mod serve;

use crate::counters::ServerCounters;
use crate::error::{ConnectionError, ServeError};
use crate::handlers::{HandlerId, Handlers};
use crate::hear::handler_methods;
use crate::link::CloseOrder;
use crate::log::{Log, Logger, SetLogger, note};
use crate::peer::Peer;
use crate::requests::Common;
use crate::runtime::{Ambient, Listener, Remote, Runtime};
use crate::slot::{Slot, Socket};
use crate::stream::{Events, Outlet};
use crate::tls::Acceptor;
use crate::unheard::Unheard;
use accept::Accepting;
use bytes::Bytes;
use futures_channel::oneshot;
use given::Gift;
#[cfg(unix)]
use handing::Handing;
use handshakes::Handshakes;
use ipc_proto::{Config, EmitError, Endpoint, Frame, Message, PeerId, Settings, Unsent};
use refuse::Door;
use serde::Serialize;
use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

pub use audience::Audience;
pub use broadcast::Broadcast;
pub(crate) use crowd::Crowd;
pub(crate) use groups::Membership;
pub use groups::{JoinError, MAX_GROUP_NAME};
pub use refuse::{Verdict, same_user_or_root};

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
    /// A connection was accepted and has not become a peer: there was no room, the accept filter said no, or its TLS
    /// handshake failed. (node-ipc shows nothing.)
    Refused {
        /// Whose.
        remote: Remote,
        /// Why.
        error: ConnectionError,
    },
    /// The server listens no more. Connections may still be open.
    Stopped,
}

/// What [`Server::shutdown`] achieved, by what was sent: every connection is either `clean` or `cut`.
///
/// It does not say who ended a connection. One that the deadline ended, since its peer did not end its side or a handler was still
/// at work on a request, is `clean` if everything that was queued for it had been written; that request has no reply, and is
/// `unanswered`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ShutdownReport {
    /// Connections that ended with everything written that was queued for them, by whom and when ever they were ended.
    pub clean: usize,
    /// Connections that ended with events unsent.
    pub cut: usize,
    /// What was not sent.
    pub unsent: Unsent,
    /// Requests of peers whose handler, a future, had queued no reply when their connection ended: it was still at work, or waited
    /// for room, and is dropped. Whoever asked hears of it as the end of the connection; one that has given up meanwhile counts as
    /// well, as nobody tells that a deadline has passed.
    ///
    /// A reply that was queued and not sent is in `unsent`. What the server itself had asked of its peers is not counted: each of
    /// those requests has ended with an error where it was asked.
    pub unanswered: usize,
}

/// A server of any transport. Cheap to clone; when the last clone is dropped it stops and its connections are flushed
/// and closed.
///
/// Register handlers before [`start`](Self::start), so that no event of a quick peer comes too early.
///
/// A handler reaches others by way of its peer, [`Peer::all`] and [`Peer::group`], or with an [`Audience`]; neither keeps the
/// server alive. One that holds a clone of the server does, which would be a circle: such a server ends when it is told to, and
/// not by being dropped.
pub struct Server<R: Runtime> {
    shared: Arc<Shared>,
    /// Dropped with the last handle.
    _alive: Arc<Alive>,
    runtime: R,
}

pub(crate) struct Shared {
    settings: Settings,
    core: Mutex<ipc_proto::Server>,
    crowd: Arc<Crowd>,
    handlers: Handlers<Peer, ServerEvent>,
    common: Arc<Common>,
    outlet: Outlet<ServerEvent>,
    slot: Slot,
    /// Absent where connections are in clear.
    tls: Mutex<Option<Acceptor>>,
    handshakes: Handshakes,
    /// Connections that have ended and whose last events wait for room in the stream.
    leaving: AtomicUsize,
    door: Door,
    /// How often accepting failed, and how often because the connection was gone.
    accept_errors: AtomicU64,
    aborted: AtomicU64,
    unheard: Unheard,
    pub(crate) log: Log,
    /// Whether those who wait in the backlog are accepted before the socket is closed.
    drains: AtomicBool,
    gift: Gift,
    #[cfg(unix)]
    handing: Handing,
}

/// Ends a server and its connections when it is dropped.
struct End<'a> {
    shared: &'a Shared,
    deadline: Duration,
}

impl Drop for End<'_> {
    fn drop(&mut self) {
        self.shared.stop();
        self.shared.close_all(CloseOrder::Flush(self.deadline));
    }
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
        Self { shared: Arc::clone(&self.shared), _alive: Arc::clone(&self._alive), runtime: self.runtime.clone() }
    }
}

impl<R: Runtime> std::fmt::Debug for Server<R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Server").field("endpoint", self.shared.slot.endpoint()).field("peers", &self.len()).finish()
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
        Self::with_runtime(R::ambient().map_err(ServeError::Runtime)?, settings, endpoint)
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
    ///
    /// # Errors
    ///
    /// [`ServeError`]: the endpoint does not go with the settings, or needs what is not supported yet. Nothing is opened.
    pub fn with_runtime(runtime: R, settings: Settings, endpoint: Endpoint) -> Result<Self, ServeError> {
        settings.check_serving(&endpoint)?;
        if endpoint.is_udp() {
            return Err(ServeError::Transport { endpoint, advice: "UdpServer serves over UDP" });
        }
        if let Some(what) = crate::net::missing(&settings, &endpoint) {
            return Err(ServeError::Unsupported { what, endpoint });
        }
        let tls = Acceptor::of(&settings, &endpoint)?;
        let log = Log::new("server", &endpoint, &settings);
        let shared = Arc::new(Shared {
            core: Mutex::new(ipc_proto::Server::new(settings.clone())),
            common: Common::new(runtime.clone(), settings.clone()),
            crowd: Crowd::new(&settings),
            settings,
            handlers: Handlers::default(),
            outlet: Outlet::default(),
            slot: Slot::new(endpoint),
            tls: Mutex::new(tls),
            handshakes: Handshakes::default(),
            leaving: AtomicUsize::new(0),
            door: Door::default(),
            accept_errors: AtomicU64::new(0),
            aborted: AtomicU64::new(0),
            unheard: Unheard::default(),
            log,
            drains: AtomicBool::new(false),
            gift: Gift::default(),
            #[cfg(unix)]
            handing: Handing::default(),
        });
        Ok(Self { _alive: Arc::new(Alive(Arc::clone(&shared))), shared, runtime })
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
        if !self.shared.gift.is_claimed() {
            return self.start_now().await;
        }
        // Another process stops for us: what is begun must come to its end, whether or not anybody waits for it.
        let (sender, receiver) = oneshot::channel();
        let server = self.clone();
        self.runtime.spawn(async move {
            let _unheard = sender.send(server.start_now().await);
        });
        receiver.await.map_err(|_| ServeError::Runtime(io::Error::other("the runtime has ended")))?
    }

    async fn start_now(&self) -> Result<(), ServeError> {
        let shared = &self.shared;
        let starting = shared.slot.begin().await?;
        let listener = self.listen(shared.slot.endpoint().clone()).await?;
        let endpoint = listener.local_endpoint();
        let socket = Socket::new(endpoint.clone());
        shared.drains.store(false, Ordering::SeqCst);
        starting.done(socket.clone());
        shared.log.at(&endpoint);
        note!(shared.log, info, %endpoint, "listening");
        #[cfg(unix)]
        let requests = shared.handing.begin(&listener);
        // Before handlers run: should one panic, it sees to it that the server has stopped.
        let accepting = Accepting::new(self.runtime.clone(), Arc::clone(shared), socket);
        shared.lifecycle(ipc_proto::Server::start, || ServerEvent::Started(endpoint));
        #[cfg(unix)]
        let accepting = accepting.answering(requests);
        self.runtime.spawn(accepting.run(listener));
        Ok(())
    }

    /// Where it listens, with the real port; where it would listen if it does not.
    #[must_use]
    pub fn local_endpoint(&self) -> Endpoint {
        self.shared.slot.local_endpoint()
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

    /// Stops accepting, sends what is queued to every peer, ends the connections, and reports. TLS handshakes under way are cut.
    /// Whoever has connected by then is still accepted, and what it has sent is delivered; unless the listening socket was given to the
    /// server, when others may listen on it too. Requests under way are answered; new ones are refused ([`Failure::CLOSING`]), unless
    /// their handler is no future.
    ///
    /// [`Failure::CLOSING`]: crate::Failure::CLOSING
    ///
    /// After `deadline` what is left is cut. Called several times at once, the shortest deadline counts for all, and each call reports
    /// the same; once all connections have ended there is nothing left to report. A handler cannot wait for it, since its own
    /// connection is one of those that are waited for: let it spawn a task that does. Cancel safe: a dropped call leaves the connections closing, with the
    /// deadline.
    pub async fn shutdown(&self, deadline: Duration) -> ShutdownReport {
        let socket = self.shared.slot.socket();
        let guests = self.shared.crowd.peers.all();
        let end = End { shared: &self.shared, deadline };
        if let Some(socket) = socket.as_ref().filter(|_| self.shared.gift.is_nothing()) {
            // First the socket, then the book: who has connected by now is still let in.
            self.shared.drains.store(true, Ordering::SeqCst);
            socket.stop.set(());
            socket.stopped.wait().await;
        }
        self.shared.stop();
        let now = self.shared.crowd.peers.all();
        drop(end);
        let last = guests.last().map(Peer::id);
        let newcomers = now.iter().filter(|peer| last.is_none_or(|last| peer.id() > last));
        let mut report = ShutdownReport::default();
        for peer in guests.iter().chain(newcomers) {
            let unsent = peer.inner.ended.wait().await;
            report.unsent += unsent;
            report.unanswered += peer.inner.session.unanswered();
            if unsent.is_empty() {
                report.clean += 1;
            } else {
                report.cut += 1;
            }
        }
        if let Some(socket) = socket {
            socket.stopped.wait().await;
        }
        self.shared.handshakes.idle().await;
        // A program that ends after this leaves no control socket behind.
        #[cfg(unix)]
        self.shared.handing.withdrawn().await;
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
        self.shared.crowd.peers.all().to_vec()
    }

    /// A connected peer by its number.
    #[must_use]
    pub fn peer(&self, id: PeerId) -> Option<Peer> {
        self.shared.crowd.peers.get(id)
    }

    /// How many peers are connected.
    #[must_use]
    pub fn len(&self) -> usize {
        self.shared.crowd.peers.len()
    }

    /// Whether nobody is connected.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// What was counted since the server was made, by itself and by all its connections, present and past. Each connection
    /// is in it once, whenever it ends.
    #[must_use]
    pub fn counters(&self) -> ServerCounters {
        let shared = &self.shared;
        let (ipc_proto::ServerCounters { accepted, ended, .. }, (mut traffic, peers)) = {
            let core = shared.lock_core();
            (core.counters(), shared.crowd.peers.counted())
        };
        for peer in &*peers {
            traffic += peer.counters();
        }
        ServerCounters {
            accepted,
            connected: accepted - ended,
            refused: shared.door.refused(),
            accept_errors: shared.accept_errors.load(Ordering::Relaxed),
            aborted: shared.aborted.load(Ordering::Relaxed),
            traffic,
        }
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
        Broadcast::emit(&*self.shared.crowd.peers.all(), frame)
    }

    /// Like [`broadcast_frame`](Self::broadcast_frame), but waits for every peer to have room: the slowest sets the
    /// pace. Cancel safe in that no event is torn; peers not yet served when the call is dropped do not get it.
    pub async fn send_to_all(&self, frame: &Frame) -> Broadcast {
        Broadcast::send(&*self.shared.crowd.peers.all(), frame).await
    }

    /// Everybody who is connected, as an audience: `server.all().except(peer).emit(…)` is for all but one.
    pub fn all(&self) -> Audience {
        Audience::new(&self.shared.crowd, None)
    }

    /// The peers that have [joined](Peer::join) a group. It need not exist: then nobody is in it.
    pub fn group(&self, name: impl AsRef<str>) -> Audience {
        Audience::new(&self.shared.crowd, Some(name.as_ref()))
    }

    /// The names of the groups that somebody is in, in no order.
    #[must_use]
    pub fn groups(&self) -> Vec<Arc<str>> {
        self.shared.crowd.groups.names()
    }

    handler_methods!(Peer);

    /// Gives what the server says of itself to `logger`, a line at a time, as the option `logger` of node-ipc: who comes and
    /// goes, what goes wrong, and what is received. It replaces an earlier one, and is called inline: it should be quick.
    ///
    /// `silent` turns it off. With `logPayloads` received payloads are shown, as deep as `logDepth` says; else only names and
    /// sizes. With `logInColor`, the default, there are colours in the text.
    pub fn set_logger(&self, logger: impl Fn(&str) + Send + Sync + 'static) {
        self.shared.log.set(Arc::new(logger));
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

    /// Whether as many connections as the stream holds events have ended, and their last events wait for room in it. To
    /// accept more would let peers that come and go fill the memory.
    fn is_unheard(&self) -> bool {
        self.leaving.load(Ordering::Relaxed) >= self.settings.config().event_queue.max(1)
    }

    fn close_all(&self, order: CloseOrder) {
        self.crowd.peers.all().iter().for_each(|peer| peer.order(order));
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
            self.log.server(&event);
            self.handlers.lifecycle(&event);
            self.outlet.send_now(event);
        }
    }

    fn stop(&self) {
        self.slot.stop();
        self.lifecycle(ipc_proto::Server::stop, || ServerEvent::Stopped);
        self.handshakes.stop();
    }
}

impl<R: Runtime> SetLogger for Server<R> {
    fn set_logger_shared(&self, logger: Logger) {
        self.shared.log.set(logger);
    }
}
