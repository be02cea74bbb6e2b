//! What the tests of the state machines share: a clock that only the test moves, settings, and ways to drain outputs.

#![allow(dead_code, reason = "every test uses a part of it")]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should panic")]

use std::ops::Range;
use std::time::{Duration, Instant};

use bytes::Buf;
use ipc_proto::{
    Client, ClientAction, ClientEvent, Config, Connection, Endpoint, Host, Inbound, Outbound, Platform, Received,
    Settings, Transmit,
};

pub(crate) const MS: Duration = Duration::from_millis(1);

/// The seeds of so many runs; of a few under Miri, where each takes as long as hundreds.
pub(crate) fn seeds(count: u64) -> Range<u64> {
    0..if cfg!(miri) { 4 } else { count }
}

#[allow(clippy::disallowed_methods, reason = "an Instant has no other beginning; only differences to it matter")]
pub(crate) fn start() -> Instant {
    Instant::now()
}

pub(crate) fn settings(config: Config) -> Settings {
    config.build(&Host::new("h", Platform::Linux)).unwrap()
}

/// Everything that waits to be written, as if the socket took it at once.
pub(crate) fn written(outbound: &mut Outbound) -> Vec<u8> {
    let mut transmit = Transmit::new();
    let mut bytes = Vec::new();
    while outbound.poll_transmit(&mut transmit) {
        bytes.extend_from_slice(transmit.chunk());
        transmit.advance(transmit.chunk().len());
    }
    bytes
}

/// The same as text.
pub(crate) fn sent(outbound: &mut Outbound) -> String {
    String::from_utf8(written(outbound)).unwrap()
}

/// What comes out of `input`, in words.
pub(crate) fn receive(inbound: &mut Inbound, now: Instant, mut input: &[u8]) -> Vec<String> {
    let mut words = Vec::new();
    while let Some(received) = inbound.poll_event(now, &mut input) {
        words.push(in_words(&received));
    }
    assert!(input.is_empty(), "all of the input was taken");
    words
}

pub(crate) fn in_words(received: &Received<'_>) -> String {
    match received {
        Received::Event(event) => format!("{}={}", event.name(), event.data_json().unwrap_or("")),
        Received::Raw(bytes) => format!("raw {}", bytes.escape_ascii()),
        Received::Malformed(report) => format!("malformed {}", report.error().code()),
        Received::Failed(report) => format!("failed {}", report.error().code()),
        other => panic!("{other:?}"),
    }
}

/// A client and the hands of its caller: what it is told is in [`Driven::events`] afterwards.
pub(crate) struct Driven {
    pub(crate) client: Client,
    pub(crate) now: Instant,
    pub(crate) connection: Option<Connection>,
    pub(crate) transmit: Transmit,
    /// Attempts asked for since the beginning.
    pub(crate) attempts: u32,
    /// An attempt is under way.
    pub(crate) dialling: bool,
}

impl Driven {
    pub(crate) fn new(config: Config) -> Self {
        Self::with_seed(config, 7)
    }

    pub(crate) fn with_seed(config: Config, seed: u64) -> Self {
        let settings = settings(config);
        let endpoint = Endpoint::local(&settings, Some("world")).unwrap();
        Self {
            client: Client::new(settings, endpoint, seed),
            now: start(),
            connection: None,
            transmit: Transmit::new(),
            attempts: 0,
            dialling: false,
        }
    }

    /// Does what the client asks for; a connection or attempt to be closed is closed at once.
    pub(crate) fn obey(&mut self) {
        while let Some(action) = self.client.poll_action() {
            match action {
                ClientAction::Connect(endpoint) => {
                    assert_eq!(&endpoint, self.client.endpoint());
                    assert!(!self.dialling && self.connection.is_none(), "one attempt or connection at a time");
                    self.attempts += 1;
                    self.dialling = true;
                }
                ClientAction::Close if self.connection.is_some() => self.lose(true),
                ClientAction::Close => self.fail(),
                other => panic!("{other:?}"),
            }
        }
    }

    pub(crate) fn connect(&mut self) {
        self.client.connect();
        self.obey();
    }

    pub(crate) fn fail(&mut self) {
        assert!(std::mem::take(&mut self.dialling), "an attempt is under way");
        self.client.handle_connect_failed(self.now);
        self.obey();
    }

    pub(crate) fn succeed(&mut self) -> &mut Connection {
        assert!(std::mem::take(&mut self.dialling), "an attempt is under way");
        let connection = self.client.handle_connected(self.now).unwrap();
        self.connection.insert(connection)
    }

    /// The connection ends; what `transmit` has not written was not written.
    pub(crate) fn lose(&mut self, retry: bool) {
        let (_, outbound) = self.connection.take().unwrap().split();
        let transmit = std::mem::take(&mut self.transmit);
        self.client.handle_disconnected(self.now, outbound, transmit, retry);
        self.obey();
    }

    pub(crate) fn pass(&mut self, time: Duration) {
        self.now += time;
        self.client.handle_timeout(self.now);
        self.obey();
    }

    /// Waits as long as the client wants to.
    pub(crate) fn wait(&mut self) {
        let until = self.client.poll_timeout().unwrap();
        self.pass(until - self.now);
    }

    pub(crate) fn events(&mut self) -> Vec<ClientEvent> {
        std::iter::from_fn(|| self.client.poll_event()).collect()
    }

    /// Events by name, as node-ipc names them.
    pub(crate) fn names(&mut self) -> Vec<&'static str> {
        self.events().iter().map(name).collect()
    }
}

pub(crate) fn name(event: &ClientEvent) -> &'static str {
    match event {
        ClientEvent::Connected => "connect",
        ClientEvent::Disconnected { .. } => "disconnect",
        ClientEvent::Destroyed => "destroy",
        other => panic!("{other:?}"),
    }
}
