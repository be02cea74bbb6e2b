//! The UDP handle: a socket that receives from anybody and sends to any address.
//!
//! Over UDP every process is a server, as in node-ipc. One task owns the socket. Who was heard stands behind a lock that is
//! taken before and after a datagram is looked at, never while a handler runs or the system is called.

mod event;
mod peer;
mod task;

pub use event::{UdpCounters, UdpEvent};
pub use peer::UdpPeer;

use crate::counters::{Linked, Tally};
use crate::error::{ConnectionError, ServeError};
use crate::handlers::{HandlerId, Handlers};
use crate::hear::handler_methods;
use crate::link::{CloseOrder, Link};
use crate::log::{Log, Logger, SetLogger, note};
use crate::runtime::{Ambient, DatagramSocket, Runtime};
use crate::server::Broadcast;
use crate::slot::{Slot, Socket};
use crate::stream::{Events, Outlet};
use bytes::Bytes;
use ipc_proto::{
    Config, DatagramError, DatagramOutbound, Datagrams, EmitError, Endpoint, Frame, IpFamily, PeerRemoval, Settings,
    Unsent,
};
use serde::Serialize;
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use task::Exchange;

/// A UDP socket that speaks events: it receives from anybody, answers the sender, emits to any address, and broadcasts to
/// everybody heard lately. Cheap to clone; when the last clone is dropped it sends what is queued and closes the socket.
///
/// Register handlers before [`start`](Self::start), so that no event of a quick peer comes too early.
///
/// A sender is remembered until `udpPeerExpiry` (60 s) after its last datagram; of more than `maxUdpPeers` (1024) the one
/// heard longest ago is forgotten. While the event stream is full, or answers fill the queue, the socket is not read; what
/// arrives meanwhile the operating system keeps, as far as it has room, and then drops.
///
/// A handler reaches everybody with [`UdpPeer::broadcast`]. One that holds a clone of the server keeps it alive, which would be a
/// circle: such a server ends when it is told to, and not by being dropped.
pub struct UdpServer<R: Runtime> {
    shared: Arc<Shared>,
    /// Dropped with the last handle.
    _alive: Arc<Alive>,
    runtime: R,
}

struct Shared {
    /// Apart, so that a peer that a handler keeps does not keep the handlers.
    air: Arc<Air>,
    slot: Slot<Unsent>,
    handlers: Handlers<UdpPeer, UdpEvent>,
    outlet: Outlet<UdpEvent>,
    /// Where the socket is, or was last. The lock protects nothing else.
    address: Mutex<Option<SocketAddr>>,
    counted: Counted,
    log: Log,
}

/// Who is known, and what is to be sent: all that it takes to emit.
struct Air {
    settings: Settings,
    family: IpFamily,
    core: Mutex<Datagrams>,
    link: Link<DatagramOutbound>,
}

impl Air {
    fn lock_core(&self) -> MutexGuard<'_, Datagrams> {
        self.core.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn peer(self: &Arc<Self>, address: SocketAddr) -> UdpPeer {
        UdpPeer { address, air: Arc::clone(self) }
    }

    fn addresses(&self) -> Vec<SocketAddr> {
        self.lock_core().peers().collect()
    }

    fn broadcast(&self, frame: &Frame) -> Result<Broadcast, EmitError> {
        let addresses = self.addresses();
        let mut queued = 0;
        let emit = |outbound: &mut DatagramOutbound| {
            queued = outbound.broadcast(frame, &addresses)?;
            Ok(())
        };
        self.link.emit(emit).unwrap_or_else(|| self.link.refuse())?;
        Ok(Broadcast { queued, full: addresses.len() - queued, ..Broadcast::default() })
    }
}

/// What the task counts, without a lock.
#[derive(Debug, Default)]
struct Counted {
    sent: AtomicU64,
    sent_bytes: AtomicU64,
    failed: AtomicU64,
    unsent: AtomicU64,
    unreachable: AtomicU64,
}

struct Alive(Arc<Shared>);

impl Drop for Alive {
    fn drop(&mut self) {
        self.0.stop(CloseOrder::Flush(crate::CLOSE_WITHIN));
        self.0.outlet.close();
    }
}

impl<R: Runtime> Clone for UdpServer<R> {
    fn clone(&self) -> Self {
        Self { shared: Arc::clone(&self.shared), _alive: Arc::clone(&self._alive), runtime: self.runtime.clone() }
    }
}

impl<R: Runtime> std::fmt::Debug for UdpServer<R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("UdpServer").field("endpoint", self.shared.slot.endpoint()).field("peers", &self.len()).finish()
    }
}

impl<R: Ambient> UdpServer<R> {
    /// A server over IPv4 (`ipc.serveNet(host, port, 'udp4')`), not started yet. `None` stands for `networkHost` and
    /// `networkPort`; with port 0 the system chooses one, see [`local_endpoint`](Self::local_endpoint). The host `::1`
    /// becomes `127.0.0.1`, as in node-ipc 9.2.1, 12.0.0 and 14.0.0.
    ///
    /// # Errors
    ///
    /// [`ServeError`]: the configuration is refused, or there is no runtime here. Nothing is opened.
    pub fn udp4(host: Option<&str>, port: Option<u16>, config: Config) -> Result<Self, ServeError> {
        let settings = crate::host::build(config)?;
        let endpoint = Endpoint::udp4(&settings, host, port)?;
        Self::at(settings, endpoint)
    }

    /// A server over IPv6 (`ipc.serveNet(host, port, 'udp6')`), not started yet. `None` stands for `networkHost`, or `::1`
    /// where that is not set, and for `networkPort`.
    ///
    /// # Errors
    ///
    /// As [`udp4`](Self::udp4).
    ///
    /// ```
    /// # use ipc_driver::{Config, EmitError, fake::Fake};
    /// # type UdpServer = ipc_driver::UdpServer<Fake>;
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let runtime = Fake::new(1);
    /// # let (told, heard) = std::sync::mpsc::channel();
    /// # runtime.block_on(async {
    /// let world = UdpServer::udp6(None, Some(0), Config::new("world"))?;
    /// world.on("message", |peer, text: String| peer.emit("message", &format!("{text} world!")));
    /// world.start().await?;
    /// let address = world.local_address().ok_or("it is started")?;
    /// assert_eq!(world.local_endpoint().to_string(), format!("udp6:[::1]:{}", address.port()));
    ///
    /// let hello = UdpServer::udp6(None, Some(0), Config::new("hello"))?;
    /// hello.on("message", move |peer, text: String| told.send((peer.address(), text)));
    /// hello.start().await?;
    /// hello.emit_to(address, "message", "hello")?;
    /// # runtime.sleep(std::time::Duration::from_secs(1)).await;
    /// assert_eq!(heard.try_recv()?, (address, "hello world!".to_owned())); // when the answer has come
    ///
    /// let error = hello.emit_to("127.0.0.1:8000".parse()?, "message", "hello").unwrap_err();
    /// assert!(matches!(error, EmitError::Address { .. }), "{error}"); // of the other family
    /// # Ok(())
    /// # })
    /// # }
    /// ```
    pub fn udp6(host: Option<&str>, port: Option<u16>, config: Config) -> Result<Self, ServeError> {
        let settings = crate::host::build(config)?;
        let endpoint = Endpoint::udp6(&settings, host, port)?;
        Self::at(settings, endpoint)
    }

    /// A server at an endpoint of UDP, not started yet.
    ///
    /// # Errors
    ///
    /// As [`udp4`](Self::udp4).
    pub fn at(settings: Settings, endpoint: Endpoint) -> Result<Self, ServeError> {
        Self::with_runtime(R::ambient().map_err(ServeError::Runtime)?, settings, endpoint)
    }
}

impl<R: Runtime> UdpServer<R> {
    /// A server on a given runtime, not started yet.
    ///
    /// # Errors
    ///
    /// [`ServeError`]: the endpoint does not go with the settings, or is not of UDP. Nothing is opened.
    pub fn with_runtime(runtime: R, settings: Settings, endpoint: Endpoint) -> Result<Self, ServeError> {
        settings.check_serving(&endpoint)?;
        let family = match &endpoint {
            Endpoint::Udp4 { .. } => IpFamily::V4,
            Endpoint::Udp6 { .. } => IpFamily::V6,
            _ => {
                let advice = "UdpServer serves on udp4 and udp6 only, Server elsewhere";
                return Err(ServeError::Transport { endpoint, advice });
            }
        };
        let log = Log::new("udp", &endpoint, &settings);
        let shared = Arc::new(Shared {
            air: Arc::new(Air {
                core: Mutex::new(Datagrams::new(settings.clone())),
                settings,
                family,
                link: Link::default(),
            }),
            slot: Slot::new(endpoint),
            handlers: Handlers::default(),
            outlet: Outlet::default(),
            address: Mutex::default(),
            counted: Counted::default(),
            log,
        });
        Ok(Self { _alive: Arc::new(Alive(Arc::clone(&shared))), shared, runtime })
    }

    /// Binds the socket, and receives from now on (`ipc.server.start()`). After a [`stop`](Self::stop) it may be started
    /// again; who was heard before is still known.
    ///
    /// Cancel safe: a dropped call has either not bound a socket or started the server.
    ///
    /// # Errors
    ///
    /// [`ServeError::Listen`] if the host has no address of the family, or the operating system refuses all of them;
    /// [`ServeError::AlreadyListening`].
    pub async fn start(&self) -> Result<(), ServeError> {
        let shared = &self.shared;
        let starting = shared.slot.begin().await?;
        let endpoint = shared.slot.endpoint().clone();
        let (socket, address) =
            self.bind(&endpoint).await.map_err(|source| ServeError::Listen { endpoint: endpoint.clone(), source })?;
        let endpoint = endpoint.with_port(address.port());
        *shared.address.lock().unwrap_or_else(PoisonError::into_inner) = Some(address);
        shared.air.link.reopen(DatagramOutbound::new(&shared.air.settings, shared.air.family));
        let place = Socket::new(endpoint.clone());
        starting.done(place.clone());
        shared.log.at(&endpoint);
        note!(shared.log, info, %endpoint, "receiving");
        // Before handlers run: should one panic, it sees to it that the server has stopped.
        let exchange = Exchange::new(self.runtime.clone(), Arc::clone(shared), socket, place);
        shared.lifecycle(&UdpEvent::Started(endpoint));
        self.runtime.spawn(exchange.run());
        Ok(())
    }

    async fn bind(&self, endpoint: &Endpoint) -> io::Result<(R::Datagrams, SocketAddr)> {
        let addresses = crate::dial::addresses(&self.runtime, endpoint).await?;
        let socket = self.runtime.bind(&addresses, &self.shared.air.settings)?;
        let address = socket.local_address()?;
        Ok((socket, address))
    }

    /// Where it receives, with the real port; where it would if it is not started.
    #[must_use]
    pub fn local_endpoint(&self) -> Endpoint {
        self.shared.slot.local_endpoint()
    }

    /// The address its socket is bound to, or was last; `None` before the first start.
    #[must_use]
    pub fn local_address(&self) -> Option<SocketAddr> {
        *self.shared.address.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether it has a socket and was not told to stop.
    #[must_use]
    pub fn is_listening(&self) -> bool {
        self.shared.slot.socket().is_some_and(|socket| socket.stop.get().is_none())
    }

    /// What it was made with.
    #[must_use]
    pub fn settings(&self) -> &Settings {
        &self.shared.air.settings
    }

    /// Receives nothing any more, sends what is queued, within 5 s, and closes the socket (`ipc.server.stop()`). Returns at
    /// once; [`shutdown`](Self::shutdown) also waits. Does nothing if it is not started.
    pub fn stop(&self) {
        self.shared.stop(CloseOrder::Flush(crate::CLOSE_WITHIN));
    }

    /// Receives nothing any more, sends what is queued, closes the socket, and reports what could not be sent within
    /// `deadline`.
    ///
    /// Cancel safe: a dropped call leaves the socket closing, with the deadline.
    pub async fn shutdown(&self, deadline: Duration) -> Unsent {
        let socket = self.shared.slot.socket();
        self.shared.stop(CloseOrder::Flush(deadline));
        match socket {
            Some(socket) => socket.stopped.wait().await,
            None => Unsent::default(),
        }
    }

    /// Closes the socket at once. What is queued and the system does not take at once is lost.
    pub fn abort(&self) {
        self.shared.stop(CloseOrder::Abort);
    }

    /// The ways to emit to an address, whoever is there: `server.peer(address).emit("hello", &1)`.
    #[must_use]
    pub fn peer(&self, address: SocketAddr) -> UdpPeer {
        self.shared.air.peer(address)
    }

    /// Queues an event for an address (`ipc.server.emit({address, port}, name, data)`): [`peer`](Self::peer) and
    /// [`UdpPeer::emit`].
    ///
    /// # Errors
    ///
    /// As [`UdpPeer::emit`].
    pub fn emit_to<T: Serialize + ?Sized>(&self, to: SocketAddr, name: &str, data: &T) -> Result<(), EmitError> {
        self.peer(to).emit(name, data)
    }

    /// The address of a host, of this server's family: the first that the system's resolver gives. Emits take addresses
    /// only, so that they need not wait; `::1` becomes `127.0.0.1` over IPv4, as where a server is bound.
    ///
    /// Cancel safe.
    ///
    /// # Errors
    ///
    /// Of the kind [`NotFound`](io::ErrorKind::NotFound) if it has none, with [`UnresolvedHost`](crate::UnresolvedHost)
    /// inside; [`InvalidInput`](io::ErrorKind::InvalidInput) for what is no host.
    pub async fn resolve(&self, host: &str, port: u16) -> io::Result<SocketAddr> {
        let endpoint = match self.shared.air.family {
            IpFamily::V4 => Endpoint::udp4(&self.shared.air.settings, Some(host), Some(port)),
            IpFamily::V6 => Endpoint::udp6(&self.shared.air.settings, Some(host), Some(port)),
        };
        let endpoint = endpoint.map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))?;
        let addresses = crate::dial::addresses(&self.runtime, &endpoint).await?;
        addresses
            .first()
            .copied()
            .ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, "the host name has no address"))
    }

    /// Who was heard lately, or was added, in no order to rely on.
    #[must_use]
    pub fn peers(&self) -> Vec<UdpPeer> {
        self.shared.air.addresses().into_iter().map(|address| self.peer(address)).collect()
    }

    /// How many peers are known.
    #[must_use]
    pub fn len(&self) -> usize {
        self.shared.air.lock_core().peer_count()
    }

    /// Whether no peer is known.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Remembers an address for good, heard or not, so that broadcasts go there too (`ipc.server.sockets.push(…)` in
    /// programs for node-ipc 9). Whoever must make room for it is reported as [`UdpEvent::PeerRemoved`].
    ///
    /// # Errors
    ///
    /// [`DatagramError::TooManyPeers`] when `maxUdpPeers` were added already; [`DatagramError::Address`] for an address that
    /// this server cannot send to.
    pub fn add_peer(&self, address: SocketAddr) -> Result<(), DatagramError> {
        DatagramOutbound::check(self.shared.air.family, address)?;
        let now = self.runtime.now();
        let removed = self.shared.air.lock_core().add_peer(now, address)?;
        if let Some(removed) = removed {
            let peer = self.peer(removed);
            self.shared.lifecycle(&UdpEvent::PeerRemoved { peer, reason: PeerRemoval::CrowdedOut });
        }
        Ok(())
    }

    /// Forgets an address, heard or added, and says whether it was known. It is learnt again when it is heard again.
    pub fn remove_peer(&self, address: SocketAddr) -> bool {
        self.shared.air.lock_core().remove_peer(address)
    }

    /// Queues an event for everybody who is known (`ipc.server.broadcast(name, data)`). It is encoded once.
    ///
    /// # Errors
    ///
    /// [`EmitError`] if it cannot be encoded, is larger than a datagram, or there is no socket: then nobody gets it. Those
    /// for whom there is no room in the queue are counted in the outcome.
    pub fn broadcast<T: Serialize + ?Sized>(&self, name: &str, data: &T) -> Result<Broadcast, EmitError> {
        self.broadcast_frame(&Frame::new(&self.shared.air.settings, name, data)?)
    }

    /// Queues bytes for everybody who is known to a raw server.
    ///
    /// # Errors
    ///
    /// As [`broadcast`](Self::broadcast); [`EmitError::WrongMode`] on a framed server.
    pub fn broadcast_raw(&self, bytes: impl Into<Bytes>) -> Result<Broadcast, EmitError> {
        self.broadcast_frame(&Frame::raw(&self.shared.air.settings, bytes)?)
    }

    /// Queues an encoded frame for everybody who is known.
    ///
    /// # Errors
    ///
    /// As [`broadcast`](Self::broadcast).
    pub fn broadcast_frame(&self, frame: &Frame) -> Result<Broadcast, EmitError> {
        self.shared.air.broadcast(frame)
    }

    /// Bytes queued and not yet taken by the operating system, and 64 more for each datagram: what `maxPendingBytes` bounds.
    #[must_use]
    pub fn pending(&self) -> usize {
        self.shared.air.link.pending()
    }

    /// What was counted since the server was made.
    #[must_use]
    pub fn counters(&self) -> UdpCounters {
        self.shared.counters()
    }

    handler_methods!(UdpPeer);

    /// Gives what the server says of itself to `logger`, a line at a time, as the option `logger` of node-ipc: who is heard
    /// and forgotten, what goes wrong, and what is received. It replaces an earlier one, and is called inline: it should be quick.
    ///
    /// `silent` turns it off. With `logPayloads` received payloads are shown, as deep as `logDepth` says; else only names and
    /// sizes. With `logInColor`, the default, there are colours in the text.
    pub fn set_logger(&self, logger: impl Fn(&str) + Send + Sync + 'static) {
        self.shared.log.set(Arc::new(logger));
    }

    /// Registers a handler for lifecycle events; it never gets [`UdpEvent::Message`] or [`UdpEvent::Data`].
    pub fn on_lifecycle(&self, handler: impl Fn(&UdpEvent) + Send + Sync + 'static) -> HandlerId {
        self.shared.handlers.on_lifecycle(handler)
    }

    /// Registers a handler for errors (`error`), with the peer if it is about one.
    pub fn on_error(&self, handler: impl Fn(Option<&UdpPeer>, &ConnectionError) + Send + Sync + 'static) -> HandlerId {
        self.on_lifecycle(move |event| {
            if let UdpEvent::Error { peer, error } = event {
                handler(peer.as_ref(), error);
            }
        })
    }

    /// Opens the stream of events that no handler takes, lifecycle events included. It holds `eventQueue` events; while
    /// it is full the socket is not read, and what the operating system has no room for is lost. A later call replaces the
    /// stream.
    #[must_use]
    pub fn events(&self) -> Events<UdpEvent> {
        self.shared.outlet.open(self.shared.air.settings.config().event_queue)
    }
}

impl Shared {
    fn counters(&self) -> UdpCounters {
        let Counted { sent, sent_bytes, failed, unsent, unreachable } = &self.counted;
        let Linked { sent: mut queued, report: Tally { unhandled, handler_errors, rejected }, closed, waits } =
            self.air.link.counters();
        queued.refused.closed += closed;
        queued.refused.full = queued.refused.full.saturating_sub(waits);
        UdpCounters {
            received: self.air.lock_core().counters(),
            queued,
            waits,
            unhandled,
            handler_errors,
            rejected,
            sent_bytes: sent_bytes.load(Ordering::Relaxed),
            sent: sent.load(Ordering::Relaxed),
            failed: failed.load(Ordering::Relaxed),
            unsent: unsent.load(Ordering::Relaxed),
            unreachable: unreachable.load(Ordering::Relaxed),
        }
    }

    /// Reports an event that is not the task's.
    fn lifecycle(&self, event: &UdpEvent) {
        self.log.udp(event);
        self.handlers.lifecycle(event);
        self.outlet.send_now(event.clone());
    }

    fn stop(&self, order: CloseOrder) {
        if let Some(socket) = self.slot.socket() {
            socket.stop.set(());
            self.air.link.close(order);
        }
    }
}

impl<R: Runtime> SetLogger for UdpServer<R> {
    fn set_logger_shared(&self, logger: Logger) {
        self.shared.log.set(logger);
    }
}
