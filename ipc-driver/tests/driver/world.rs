//! What every test here needs: a fake runtime, a server and clients on it, raw sockets, and a log.

use ipc_driver::fake::{Fake, Stream};
use ipc_driver::runtime::{Address, Runtime};
use ipc_driver::{
    Client, Config, ConnectionCounters, Endpoint, Events, Host, Peer, Platform, Server, ServerCounters, ServerEvent,
    Settings,
};
use std::fmt::Debug;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

pub(crate) type FakeClient = Client<Fake>;
pub(crate) type FakeServer = Server<Fake>;

pub(crate) const SECOND: Duration = Duration::from_secs(1);
pub(crate) const MILLISECOND: Duration = Duration::from_millis(1);

pub(crate) fn settings(config: Config) -> Settings {
    config.build(&Host::new("pluto", Platform::Linux)).unwrap()
}

/// Where everything here listens.
pub(crate) fn endpoint() -> Endpoint {
    Endpoint::Tcp { host: "127.0.0.1".into(), port: 8000 }
}

/// The same, for a raw socket.
pub(crate) fn address() -> Address {
    Address::Tcp(SocketAddr::from(([127, 0, 0, 1], 8000)))
}

pub(crate) fn config() -> Config {
    Config::new("world")
}

pub(crate) fn server(runtime: &Fake, config: Config) -> FakeServer {
    Server::with_runtime(runtime.clone(), settings(config), endpoint()).expect("a server")
}

pub(crate) fn client(runtime: &Fake, config: Config) -> FakeClient {
    Client::with_runtime(runtime.clone(), settings(config), endpoint()).expect("a client")
}

/// A server that has started.
pub(crate) fn serve(runtime: &Fake, config: Config) -> FakeServer {
    let server = server(runtime, config);
    runtime.block_on(server.start()).unwrap();
    server
}

/// A client that is connected.
pub(crate) fn connect(runtime: &Fake, config: Config) -> FakeClient {
    let client = client(runtime, config);
    runtime.block_on(client.connect()).unwrap();
    runtime.run();
    client
}

/// A raw socket connected to the server.
pub(crate) fn dial(runtime: &Fake) -> Stream {
    let stream = runtime.block_on(runtime.connect(&address(), &settings(config()))).unwrap();
    runtime.run();
    stream
}

/// A raw listener in place of a server.
pub(crate) fn listen(runtime: &Fake) -> ipc_driver::fake::Listener {
    runtime.block_on(runtime.listen(&endpoint(), &[], &settings(config()))).unwrap()
}

/// One frame on the wire.
pub(crate) fn frame(name: &str, data: impl Debug) -> String {
    format!("{{\"type\":{name:?},\"data\":{data:?}}}\u{c}")
}

/// The `data` numbers of the frames in `bytes`. The tail of an unfinished frame is ignored.
pub(crate) fn numbers(bytes: &[u8]) -> Vec<u64> {
    let whole = bytes.iter().rposition(|byte| *byte == 0xC).map_or(0, |at| at + 1);
    let frames = bytes[..whole].split_inclusive(|byte| *byte == 0xC);
    let number = |frame: &[u8]| {
        let value: serde_json::Value = serde_json::from_slice(&frame[..frame.len() - 1]).unwrap();
        value["data"].as_u64().or_else(|| value["data"][0].as_u64()).unwrap()
    };
    frames.map(number).collect()
}

/// Reads until the end of the stream or an error.
pub(crate) async fn drain(stream: &mut Stream) -> (Vec<u8>, Option<io::Error>) {
    let mut all = Vec::new();
    loop {
        match stream.receive().await {
            Ok(bytes) if bytes.is_empty() => return (all, None),
            Ok(bytes) => all.extend(bytes),
            Err(error) => return (all, Some(error)),
        }
    }
}

/// What handlers saw, in order.
#[derive(Debug)]
pub(crate) struct Log<T>(Arc<Mutex<Vec<T>>>);

impl<T> Default for Log<T> {
    fn default() -> Self {
        Self(Arc::default())
    }
}

impl<T> Clone for Log<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T> Log<T> {
    pub(crate) fn push(&self, entry: T) {
        self.0.lock().unwrap().push(entry);
    }

    pub(crate) fn len(&self) -> usize {
        self.0.lock().unwrap().len()
    }

    pub(crate) fn all(&self) -> Vec<T>
    where
        T: Clone,
    {
        self.0.lock().unwrap().clone()
    }

    pub(crate) fn take(&self) -> Vec<T> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

/// What must hold of the counters of connections at any moment.
#[track_caller]
pub(crate) fn assert_balanced(counters: &ConnectionCounters) {
    let ConnectionCounters { received, sent, .. } = counters;
    assert_eq!(sent.bytes, sent.written + sent.pending + sent.lost.total().bytes, "{sent:?}");
    assert!(received.bytes >= received.frame_bytes, "{received:?}");
    assert!(received.failed <= received.malformed.total(), "{received:?}");
}

/// All of them together.
pub(crate) fn sum(all: impl IntoIterator<Item = ConnectionCounters>) -> ConnectionCounters {
    all.into_iter().fold(ConnectionCounters::default(), |mut sum, one| {
        sum += one;
        sum
    })
}

/// Every peer that a server ever has, in order.
pub(crate) fn every_peer(server: &FakeServer) -> Log<Peer> {
    let log = Log::default();
    let to = log.clone();
    server.on_connect(move |peer| to.push(peer.clone()));
    log
}

/// What a server has counted, which must be what its peers, present and past, have counted one by one.
#[track_caller]
pub(crate) fn assert_summed(server: &FakeServer, peers: &Log<Peer>) -> ServerCounters {
    let (peers, counters) = (peers.all(), server.counters());
    for counters in peers.iter().map(Peer::counters) {
        assert_balanced(&counters);
        assert!(counters.sent.pending <= counters.sent.pending_max, "{:?}", counters.sent);
    }
    assert_eq!(counters.traffic, sum(peers.iter().map(Peer::counters)));
    assert_eq!(counters.accepted, peers.len() as u64);
    assert_eq!(counters.connected, peers.iter().filter(|peer| !peer.is_closed()).count() as u64);
    assert_balanced(&counters.traffic);
    counters
}

/// Polls once, with a waker that nobody listens to.
pub(crate) fn poll_once<F: Future>(future: F) -> Poll<F::Output> {
    pin!(future).poll(&mut Context::from_waker(Waker::noop()))
}

/// How the lifecycle of a client is written down here.
pub(crate) fn client_lifecycle(client: &FakeClient) -> Log<String> {
    let log = Log::default();
    let to = log.clone();
    client.on_lifecycle(move |event| to.push(client_event(event)));
    log
}

pub(crate) fn client_event(event: &ipc_driver::ClientEvent) -> String {
    use ipc_driver::ClientEvent::{Connected, Destroyed, Disconnected, Error, Message};
    match event {
        Connected => "connected".into(),
        Message(message) => format!("message {}", message.name()),
        Error(error) => format!("error {error}"),
        Disconnected { retry_in: Some(wait), unsent } => {
            format!("disconnected, again in {wait:?}, {} unsent", unsent.messages)
        }
        Disconnected { retry_in: None, unsent } => format!("disconnected, {} unsent", unsent.messages),
        Destroyed => "destroyed".into(),
        other => format!("{other:?}"),
    }
}

/// The numbers that one peer sent, taken from the stream, and how its end was told.
pub(crate) fn numbers_until_the_end(runtime: &Fake, events: &mut Events<ServerEvent>) -> (Vec<u64>, String) {
    let mut got = Vec::new();
    loop {
        match runtime.block_on(events.recv()) {
            Some(ServerEvent::Message(_, message)) => got.push(message.data::<u64>().unwrap()),
            Some(event @ ServerEvent::Disconnected { .. }) => return (got, server_event(&event)),
            _ => {}
        }
    }
}

pub(crate) fn server_event(event: &ServerEvent) -> String {
    use ServerEvent::{Connected, Disconnected, Error, Message, Started, Stopped};
    match event {
        Started(_) => "started".into(),
        Connected(peer) => format!("connected {}", peer.id()),
        Message(peer, message) => format!("message {} {}", peer.id(), message.name()),
        Error(peer, error) => format!("error {} {error}", peer.id()),
        Disconnected { peer, had_error, unsent, .. } => {
            format!(
                "disconnected {}{}, {} unsent",
                peer.id(),
                if *had_error { " by an error" } else { "" },
                unsent.messages
            )
        }
        Stopped => "stopped".into(),
        other => format!("{other:?}"),
    }
}
