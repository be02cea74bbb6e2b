//! An instance of node-ipc: its configuration, the clients it has by id, and its server.
//!
//! For programs that are translated line by line; [`Client`] and [`Server`] by themselves do the same.

use crate::client::Client;
use crate::error::{ConnectError, ServeError};
use crate::log::{Logger, SetLogger};
use crate::runtime::{Ambient, Runtime};
use crate::server::Server;
use crate::udp::UdpServer;
use ipc_proto::{Config, Endpoint, EndpointError, Inspect, Settings};
use std::collections::HashMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// `ipc.config`, `ipc.of` and `ipc.server` in one value. Several live side by side. Cheap to clone.
pub struct Ipc<R: Runtime> {
    runtime: Where<R>,
    inner: Arc<Mutex<Inner<R>>>,
}

/// What clients and servers run on.
#[derive(Clone)]
enum Where<R> {
    Given(R),
    /// The runtime of whoever asks for a client or a server.
    Ambient(fn() -> io::Result<R>),
}

impl<R: Runtime> Where<R> {
    fn runtime(&self) -> io::Result<R> {
        match self {
            Self::Given(runtime) => Ok(runtime.clone()),
            Self::Ambient(ambient) => ambient(),
        }
    }
}

struct Inner<R: Runtime> {
    config: Config,
    of: HashMap<String, Client<R>>,
    server: Option<Server<R>>,
    udp_server: Option<UdpServer<R>>,
    logger: Option<Logger>,
}

impl<R: Runtime> Clone for Ipc<R> {
    fn clone(&self) -> Self {
        Self { runtime: self.runtime.clone(), inner: Arc::clone(&self.inner) }
    }
}

impl<R: Runtime> std::fmt::Debug for Ipc<R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let inner = self.lock();
        let mut shown = f.debug_struct("Ipc");
        shown.field("of", &inner.of).field("server", &inner.server).field("udp_server", &inner.udp_server);
        shown.finish_non_exhaustive()
    }
}

impl<R: Ambient> Ipc<R> {
    /// An instance with this configuration (`new ipc.IPC`). Its clients and servers run on the runtime in which they are
    /// asked for.
    #[must_use]
    pub fn new(config: Config) -> Self {
        Self::on(Where::Ambient(R::ambient), config)
    }
}

impl<R: Runtime> Ipc<R> {
    /// An instance whose clients and servers run on a given runtime, wherever they are asked for.
    #[must_use]
    pub fn with_runtime(runtime: R, config: Config) -> Self {
        Self::on(Where::Given(runtime), config)
    }

    fn on(runtime: Where<R>, config: Config) -> Self {
        let inner = Inner { config, of: HashMap::new(), server: None, udp_server: None, logger: None };
        Self { runtime, inner: Arc::new(Mutex::new(inner)) }
    }

    fn lock(&self) -> MutexGuard<'_, Inner<R>> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A copy of the configuration.
    #[must_use]
    pub fn config(&self) -> Config {
        self.lock().config.clone()
    }

    /// Changes the configuration. Clients and servers made before keep theirs, with two exceptions: a changed
    /// `stopRetrying` reaches every client at once, as the README of node-ipc promises, and a changed `retry` from its
    /// next wait on, as in node-ipc 9.2.1, 12.0.0 and 14.0.0.
    pub fn configure(&self, change: impl FnOnce(&mut Config)) {
        let mut inner = self.lock();
        let before = (inner.config.stop_retrying, inner.config.retry);
        change(&mut inner.config);
        let (stop, retry) = (inner.config.stop_retrying, inner.config.retry);
        if stop != before.0 {
            inner.of.values().for_each(|client| client.set_stop_retrying(stop));
        }
        if retry != before.1 {
            inner.of.values().for_each(|client| client.set_retry(retry));
        }
    }

    /// Gives what is logged to `logger` (`ipc.config.logger`): what [`log`](Self::log) is given, and what every client and
    /// server of this instance says of itself, those made later included. See [`Server::set_logger`].
    pub fn set_logger(&self, logger: impl Fn(&str) + Send + Sync + 'static) {
        let logger: Logger = Arc::new(logger);
        let mut inner = self.lock();
        let replaced = inner.logger.replace(Arc::clone(&logger));
        let clients: Vec<Client<R>> = inner.of.values().cloned().collect();
        let (server, udp_server) = (inner.server.clone(), inner.udp_server.clone());
        // Without the lock: what they hold may do anything when it is dropped.
        drop(inner);
        drop(replaced);
        clients.iter().for_each(|client| client.set_logger_shared(Arc::clone(&logger)));
        server.iter().for_each(|server| server.set_logger_shared(Arc::clone(&logger)));
        udp_server.iter().for_each(|server| server.set_logger_shared(Arc::clone(&logger)));
    }

    /// Logs a line (`ipc.log(…)`): to the logger, or as an event of `tracing` at the level info where there is none. With the
    /// option `silent` nothing happens, and `what` is not put into words.
    ///
    /// ```
    /// # fn example<R: ipc_driver::runtime::Runtime>(ipc: &ipc_driver::Ipc<R>, data: &serde_json::Value) {
    /// ipc.log(format_args!("got a message: {}", ipc.inspect().value(data)));
    /// # }
    /// ```
    pub fn log(&self, what: impl std::fmt::Display) {
        let (silent, logger) = {
            let inner = self.lock();
            (inner.config.silent, inner.logger.clone())
        };
        match logger {
            _ if silent => {}
            Some(logger) => logger(&what.to_string()),
            None => tracing::info!(target: "ipc", "{what}"),
        }
    }

    /// How [`log`](Self::log) is to show values: as `logDepth` and `logInColor` say.
    #[must_use]
    pub fn inspect(&self) -> Inspect {
        crate::log::inspect(&self.lock().config)
    }

    /// A client of the local service `id`, kept in [`of`](Self::of) (`ipc.connectTo(id)`). It does not connect before
    /// [`Client::start`] or [`Client::connect`], so that handlers can be registered first. If there is one that has not
    /// come to its end, that one is given.
    ///
    /// # Errors
    ///
    /// [`ConnectError`].
    pub fn connect_to(&self, id: &str) -> Result<Client<R>, ConnectError> {
        self.client(id, |settings| Endpoint::local(settings, Some(id)))
    }

    /// Like [`connect_to`](Self::connect_to), at `path` (`ipc.connectTo(id, path)`).
    ///
    /// # Errors
    ///
    /// [`ConnectError`].
    pub fn connect_to_path(&self, id: &str, path: &str) -> Result<Client<R>, ConnectError> {
        self.client(id, |settings| Endpoint::at_path(settings, path))
    }

    /// Like [`connect_to`](Self::connect_to), over TCP (`ipc.connectToNet(id, host, port)`).
    ///
    /// # Errors
    ///
    /// [`ConnectError`].
    pub fn connect_to_net(&self, id: &str, host: Option<&str>, port: Option<u16>) -> Result<Client<R>, ConnectError> {
        self.client(id, |settings| Endpoint::net(settings, host, port))
    }

    fn client(
        &self,
        id: &str,
        endpoint: impl FnOnce(&Settings) -> Result<Endpoint, EndpointError>,
    ) -> Result<Client<R>, ConnectError> {
        let mut inner = self.lock();
        if let Some(client) = inner.of.get(id).filter(|client| !client.is_destroyed()) {
            return Ok(client.clone());
        }
        let settings = crate::host::build(inner.config.clone())?;
        let endpoint = endpoint(&settings)?;
        let runtime = self.runtime.runtime().map_err(ConnectError::Runtime)?;
        let client = Client::with_runtime(runtime, settings, endpoint)?;
        if let Some(logger) = &inner.logger {
            client.set_logger_shared(Arc::clone(logger));
        }
        let replaced = inner.of.insert(id.to_owned(), client.clone());
        // Its handlers go with it, and what they hold may do anything when it is dropped: not under the lock.
        drop(inner);
        drop(replaced);
        Ok(client)
    }

    /// The client of that id (`ipc.of[id]`).
    #[must_use]
    pub fn of(&self, id: &str) -> Option<Client<R>> {
        self.lock().of.get(id).cloned()
    }

    /// Ends the client of that id and forgets it (`ipc.disconnect(id)`). `false` if there is none.
    pub fn disconnect(&self, id: &str) -> bool {
        let client = self.lock().of.remove(id);
        client.as_ref().map(Client::disconnect).is_some()
    }

    /// Sets up the server on the default local socket (`ipc.serve()`); [`Server::start`] starts it. A server set up
    /// before is dropped, which stops it.
    ///
    /// # Errors
    ///
    /// [`ServeError`].
    pub fn serve(&self) -> Result<Server<R>, ServeError> {
        self.set_up(|settings| Endpoint::local(settings, None), Server::with_runtime, |inner| &mut inner.server)
    }

    /// Like [`serve`](Self::serve), at `path` (`ipc.serve(path)`).
    ///
    /// # Errors
    ///
    /// [`ServeError`].
    pub fn serve_path(&self, path: &str) -> Result<Server<R>, ServeError> {
        self.set_up(|settings| Endpoint::at_path(settings, path), Server::with_runtime, |inner| &mut inner.server)
    }

    /// Like [`serve`](Self::serve), over TCP (`ipc.serveNet(host, port)`).
    ///
    /// # Errors
    ///
    /// [`ServeError`].
    pub fn serve_net(&self, host: Option<&str>, port: Option<u16>) -> Result<Server<R>, ServeError> {
        self.set_up(|settings| Endpoint::net(settings, host, port), Server::with_runtime, |inner| &mut inner.server)
    }

    /// Sets up the UDP server over IPv4 (`ipc.serveNet(host, port, 'udp4')`); [`UdpServer::start`] starts it. It stands
    /// beside the server for streams; a UDP server set up before, of either family, is dropped, which stops it.
    ///
    /// # Errors
    ///
    /// [`ServeError`].
    pub fn serve_udp4(&self, host: Option<&str>, port: Option<u16>) -> Result<UdpServer<R>, ServeError> {
        self.set_up(
            |settings| Endpoint::udp4(settings, host, port),
            UdpServer::with_runtime,
            |inner| &mut inner.udp_server,
        )
    }

    /// Like [`serve_udp4`](Self::serve_udp4), over IPv6 (`ipc.serveNet(host, port, 'udp6')`).
    ///
    /// # Errors
    ///
    /// [`ServeError`].
    pub fn serve_udp6(&self, host: Option<&str>, port: Option<u16>) -> Result<UdpServer<R>, ServeError> {
        self.set_up(
            |settings| Endpoint::udp6(settings, host, port),
            UdpServer::with_runtime,
            |inner| &mut inner.udp_server,
        )
    }

    /// Makes a server and keeps it in its place.
    fn set_up<S: Clone + SetLogger>(
        &self,
        endpoint: impl FnOnce(&Settings) -> Result<Endpoint, EndpointError>,
        at: impl FnOnce(R, Settings, Endpoint) -> Result<S, ServeError>,
        place: impl FnOnce(&mut Inner<R>) -> &mut Option<S>,
    ) -> Result<S, ServeError> {
        let mut inner = self.lock();
        let settings = crate::host::build(inner.config.clone())?;
        let endpoint = endpoint(&settings)?;
        let runtime = self.runtime.runtime().map_err(ServeError::Runtime)?;
        let server = at(runtime, settings, endpoint)?;
        if let Some(logger) = &inner.logger {
            server.set_logger_shared(Arc::clone(logger));
        }
        let replaced = place(&mut inner).replace(server.clone());
        // It stops and tells its handlers so: not under the lock.
        drop(inner);
        drop(replaced);
        Ok(server)
    }

    /// The server set up last (`ipc.server`).
    #[must_use]
    pub fn server(&self) -> Option<Server<R>> {
        self.lock().server.clone()
    }

    /// The UDP server set up last.
    #[must_use]
    pub fn udp_server(&self) -> Option<UdpServer<R>> {
        self.lock().udp_server.clone()
    }
}
