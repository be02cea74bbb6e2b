//! What a simulation is made of: who takes part, how the network behaves, what goes wrong and how often.

use std::ops::RangeInclusive;
use std::time::Duration;

use ipc_proto::{Config, ConfigError, Host, Platform, Settings};

use crate::network::Wire;

/// Clients and servers with their configurations, a network, and faults. Every seed draws another course from it.
///
/// [`Scenario::all`] has the ones that the command `ipc-sim` runs; start from [`Scenario::new`] for your own.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Scenario {
    /// Its name.
    pub name: String,
    /// What it is about, in a line.
    pub about: &'static str,
    /// How many servers there are, each at an endpoint of its own. Default 1.
    pub servers: RangeInclusive<u64>,
    /// How many clients there are, each of one of the servers. Default 1 to 5.
    pub clients: RangeInclusive<u64>,
    /// How many peers there are that send garbage to the servers. Default 0.
    pub vandals: RangeInclusive<u64>,
    /// How long faults last. After that everything must come right. Default 2 s.
    pub trouble: Duration,
    /// The network.
    pub wire: Wire,
    /// What clients and servers say to each other.
    pub traffic: Traffic,
    /// What goes wrong.
    pub faults: Faults,
    /// Configurations that fit together; each seed draws one.
    pub deployments: Vec<Deployment>,
    pub(crate) built_in: bool,
}

/// How much clients and servers say.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Traffic {
    /// How long each client waits from one emit to the next. Default 5 ms to 60 ms.
    pub client_every: RangeInclusive<Duration>,
    /// The same of each server, which broadcasts or emits to one peer. Default 20 ms to 200 ms.
    pub server_every: RangeInclusive<Duration>,
    /// How many events are emitted at once, at most. Default 3.
    pub burst: u64,
    /// Characters of a payload; most are in the lower tenth of it. Default 0 to 1,500.
    pub size: RangeInclusive<u64>,
    /// How likely it is that a server answers an event. Default 0.5. With `sync` every event is answered, whatever this is.
    pub answers: f64,
    /// The same of a client. Default 0. With this the number of events may grow without end, if neither `answers` is below 1.
    pub client_answers: f64,
}

impl Default for Traffic {
    fn default() -> Self {
        Self {
            client_every: Duration::from_millis(5)..=Duration::from_millis(60),
            server_every: Duration::from_millis(20)..=Duration::from_millis(200),
            burst: 3,
            size: 0..=1500,
            answers: 0.5,
            client_answers: 0.0,
        }
    }
}

/// What goes wrong, as the mean time from one to the next; `None`, the default, is never.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Faults {
    /// A stream is cut, and both ends learn of it soon.
    pub cut: Option<Duration>,
    /// A stream is cut, and one end or both learn of it only after [`half_open_for`](Self::half_open_for).
    pub half_open: Option<Duration>,
    /// How long a half-open stream goes unnoticed. Default 50 ms to 2 s.
    pub half_open_for: RangeInclusive<Duration>,
    /// A server stops for a while, and closes its connections or keeps them.
    pub stop: Option<Duration>,
    /// A server's process dies, and is started again later.
    pub crash: Option<Duration>,
    /// How long a server is gone. Default 10 ms to 800 ms.
    pub down_for: RangeInclusive<Duration>,
    /// Time leaps.
    pub leap: Option<Duration>,
    /// How far it leaps. Default 1 ms to 5 s.
    pub leap_by: RangeInclusive<Duration>,
    /// A client is told to disconnect, or to close.
    pub disconnect: Option<Duration>,
    /// A client's `stopRetrying` or `retry` is changed.
    pub change: Option<Duration>,
    /// A server ends the connection of a peer, at once or gracefully.
    pub dismiss: Option<Duration>,
}

impl Default for Faults {
    fn default() -> Self {
        Self {
            cut: None,
            half_open: None,
            half_open_for: Duration::from_millis(50)..=Duration::from_secs(2),
            stop: None,
            crash: None,
            down_for: Duration::from_millis(10)..=Duration::from_millis(800),
            leap: None,
            leap_by: Duration::from_millis(1)..=Duration::from_secs(5),
            disconnect: None,
            change: None,
            dismiss: None,
        }
    }
}

/// Configurations of servers and clients that are to understand each other.
#[derive(Clone, Debug)]
pub struct Deployment {
    pub(crate) server: Settings,
    pub(crate) clients: Vec<Settings>,
}

impl Deployment {
    /// Every server has the configuration `server`; each client draws one of `clients`, or has the server's if there are
    /// none.
    ///
    /// # Errors
    ///
    /// A configuration is not valid.
    pub fn new(server: &Config, clients: &[Config]) -> Result<Self, ConfigError> {
        let host = Host::new("sim", Platform::Linux);
        let server = server.clone().build(&host)?;
        let mut built = clients.iter().map(|client| client.clone().build(&host)).collect::<Result<Vec<_>, _>>()?;
        if built.is_empty() {
            built.push(server.clone());
        }
        Ok(Self { server, clients: built })
    }
}

impl Scenario {
    /// A scenario without faults, with the default configuration.
    #[must_use]
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            about: "",
            servers: 1..=1,
            clients: 1..=5,
            vandals: 0..=0,
            trouble: Duration::from_secs(2),
            wire: Wire::default(),
            traffic: Traffic::default(),
            faults: Faults::default(),
            deployments: Vec::new(),
            built_in: false,
        }
    }

    /// The built-in scenario of that name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::all().into_iter().find(|scenario| scenario.name == name)
    }

    /// Adds configurations that fit together.
    ///
    /// # Errors
    ///
    /// A configuration is not valid.
    pub fn deploy(mut self, server: &Config, clients: &[Config]) -> Result<Self, ConfigError> {
        self.deployments.push(Deployment::new(server, clients)?);
        Ok(self)
    }

    /// How long it may take at most until everybody is connected again, once nothing goes wrong any more: what is
    /// half open must be noticed, a dial without an answer must fail, a close must have waited for the other end, an
    /// unfinished message must have run out, two sides must have waited for each other to read, and then the longest wait between two attempts must have passed.
    #[must_use]
    pub fn settles_within(&self) -> Duration {
        let longest = |of: fn(&Settings) -> Duration| {
            let all = self.deployments.iter().flat_map(|one| one.clients.iter().chain([&one.server]));
            all.map(of).max().unwrap_or_default()
        };
        let wait = longest(|settings| match settings.config().backoff {
            ipc_proto::Backoff::Exponential { max, .. } => max.max(settings.retry()),
            _ => settings.retry(),
        });
        let unfinished = longest(|settings| settings.message_timeout().unwrap_or_default());
        let linger = crate::channel::LINGER;
        let pause = *self.wire.stall_for.end();
        // Each side may have waited for the other, again and again while there are answers to answers.
        let standstill =
            if self.traffic.client_answers > 0.0 { 12 * crate::channel::STANDSTILL } else { Duration::ZERO };
        let rounds = 20 * *self.wire.latency.end();
        *self.faults.half_open_for.end()
            + self.wire.dial_timeout
            + linger
            + unfinished
            + pause
            + 2 * wait
            + rounds
            + standstill
    }
}
