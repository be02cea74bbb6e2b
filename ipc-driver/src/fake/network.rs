//! Who listens where, and who gets through. One network per runtime.

use super::clock::Clock;
use super::lock;
use super::script::{Dial, Script};
use super::stream::{Connection, Stream};
use crate::runtime::Remote;
use ipc_proto::{Endpoint, SplitMix64};
use std::collections::{HashMap, VecDeque};
use std::future::poll_fn;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

/// The network of a fake runtime. Cheap to clone; a clone is the same network.
#[derive(Clone, Debug)]
pub struct Network {
    state: Arc<Mutex<State>>,
}

#[derive(Debug)]
struct State {
    clock: Arc<Clock>,
    rng: SplitMix64,
    script: Script,
    listeners: HashMap<Endpoint, Listening>,
    dials: HashMap<Endpoint, VecDeque<Dial>>,
    names: HashMap<String, Vec<IpAddr>>,
    /// Errors that `accept` is still to give.
    failures: VecDeque<i32>,
    failed: usize,
    connections: Vec<Connection>,
    ports: u16,
    listen_delay: Duration,
}

#[derive(Debug, Default)]
struct Listening {
    backlog: VecDeque<Stream>,
    limit: usize,
    waker: Option<Waker>,
}

impl Network {
    pub(super) fn new(clock: Arc<Clock>, seed: u64) -> Self {
        let state = State {
            clock,
            rng: SplitMix64::new(seed),
            script: Script::default(),
            listeners: HashMap::new(),
            dials: HashMap::new(),
            names: HashMap::from([("localhost".to_owned(), vec![IpAddr::from(Ipv4Addr::LOCALHOST)])]),
            failures: VecDeque::new(),
            failed: 0,
            connections: Vec::new(),
            ports: 49_152,
            listen_delay: Duration::ZERO,
        };
        Self { state: Arc::new(Mutex::new(state)) }
    }

    /// Says how connections behave that are made from now on.
    pub fn set_script(&self, script: Script) {
        lock(&self.state).script = script;
    }

    /// Says what becomes of the next attempts to connect to `endpoint`; those after them are [`Dial::Normal`].
    pub fn dial(&self, endpoint: &Endpoint, dials: impl IntoIterator<Item = Dial>) {
        lock(&self.state).dials.entry(endpoint.clone()).or_default().extend(dials);
    }

    /// Gives a host name its addresses; with none it is known and has none. At first `localhost` is `127.0.0.1`, and no
    /// other name is known.
    pub fn set_name(&self, host: &str, addresses: impl IntoIterator<Item = IpAddr>) {
        lock(&self.state).names.insert(host.to_owned(), addresses.into_iter().collect());
    }

    pub(super) fn resolve(&self, host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        match lock(&self.state).names.get(host) {
            Some(addresses) => Ok(addresses.iter().map(|&address| SocketAddr::new(address, port)).collect()),
            None => Err(io::Error::new(io::ErrorKind::NotFound, format!("nobody knows the host {host}"))),
        }
    }

    /// Lets the next `times` calls of `accept` that find a connection fail with this error of the operating system, the
    /// connection staying where it is: 24, `EMFILE`, for instance.
    pub fn fail_accepts(&self, os_error: i32, times: usize) {
        lock(&self.state).failures.extend(std::iter::repeat_n(os_error, times));
    }

    /// Lets it take so long to begin to listen.
    pub fn delay_listening(&self, delay: Duration) {
        lock(&self.state).listen_delay = delay;
    }

    pub(super) fn listen_delay(&self) -> Duration {
        lock(&self.state).listen_delay
    }

    /// How many calls of `accept` have failed.
    #[must_use]
    pub fn failed_accepts(&self) -> usize {
        lock(&self.state).failed
    }

    /// All connections ever made, in order.
    #[must_use]
    pub fn connections(&self) -> Vec<Connection> {
        lock(&self.state).connections.clone()
    }

    /// How many sockets there are: ends of connections, waiting in a backlog or held by somebody, and listeners.
    #[must_use]
    pub fn sockets(&self) -> usize {
        let state = lock(&self.state);
        state.connections.iter().map(Connection::ends).sum::<usize>() + state.listeners.len()
    }

    pub(super) fn next_dial(&self, endpoint: &Endpoint) -> Option<Dial> {
        lock(&self.state).dials.get_mut(endpoint)?.pop_front()
    }

    pub(super) fn connect(&self, endpoint: &Endpoint) -> io::Result<Stream> {
        let mut state = lock(&self.state);
        let State { clock, rng, script, listeners, connections, .. } = &mut *state;
        let listening = listeners.get_mut(endpoint).filter(|listening| listening.backlog.len() < listening.limit);
        let Some(listening) = listening else { return Err(io::ErrorKind::ConnectionRefused.into()) };
        let connection = Connection::new(*script, clock, rng);
        let (client, server) = connection.streams();
        connections.push(connection);
        listening.backlog.push_back(server);
        listening.waker.take().into_iter().for_each(Waker::wake);
        Ok(client)
    }

    pub(super) fn listen(&self, endpoint: &Endpoint, backlog: usize) -> io::Result<Listener> {
        let mut state = lock(&self.state);
        let mut endpoint = endpoint.clone();
        if endpoint.port() == Some(0) {
            state.ports += 1;
            endpoint = endpoint.with_port(state.ports);
        }
        if state.listeners.contains_key(&endpoint) {
            return Err(io::ErrorKind::AddrInUse.into());
        }
        state.listeners.insert(endpoint.clone(), Listening { limit: backlog, ..Listening::default() });
        Ok(Listener { network: self.clone(), endpoint })
    }
}

/// A listening socket. Dropping it frees its endpoint and ends the connections that nobody accepted.
#[derive(Debug)]
pub struct Listener {
    network: Network,
    endpoint: Endpoint,
}

impl Listener {
    /// The next connection.
    ///
    /// # Errors
    ///
    /// Those of [`Network::fail_accepts`].
    pub async fn accept(&mut self) -> io::Result<Stream> {
        poll_fn(|cx| crate::runtime::Listener::poll_accept(self, cx)).await.map(|(stream, _)| stream)
    }
}

impl crate::runtime::Listener for Listener {
    type Stream = Stream;

    fn poll_accept(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<(Stream, Remote)>> {
        let mut state = lock(&self.network.state);
        let State { listeners, failures, failed, ports, .. } = &mut *state;
        let Some(listening) = listeners.get_mut(&self.endpoint) else { return Poll::Pending };
        if listening.backlog.is_empty() {
            listening.waker = Some(cx.waker().clone());
            return Poll::Pending;
        }
        if let Some(code) = failures.pop_front() {
            *failed += 1;
            return Poll::Ready(Err(io::Error::from_raw_os_error(code)));
        }
        let Some(stream) = listening.backlog.pop_front() else { return Poll::Pending };
        let remote = match self.endpoint.port() {
            Some(_) => {
                *ports += 1;
                Remote::at(SocketAddr::from((Ipv4Addr::LOCALHOST, *ports)))
            }
            None => Remote::default(),
        };
        Poll::Ready(Ok((stream, remote)))
    }

    fn local_endpoint(&self) -> Endpoint {
        self.endpoint.clone()
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        let listening = lock(&self.network.state).listeners.remove(&self.endpoint);
        drop(listening);
    }
}
