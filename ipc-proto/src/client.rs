//! The client: connect, lose, wait, retry, give up.
//!
//! A [`Client`] decides when to dial and when to stop; its caller dials. The stream itself is a
//! [`Connection`], which the client hands out and the caller gives back when it ends. Transitions stand in one place
//! ([`Client::end_of_connection`] and the `handle_*` methods); there is no socket and no clock.

use crate::SplitMix64;
use crate::config::LONGEST_TIMER;
use crate::outbound::Unsent;
use crate::transmit::Transmit;
use crate::{
    ClientCounters, Connection, EmitError, Endpoint, Offline, Outbound, OutboundCounters, Settings, StopRetrying,
};
use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// What happened to a client. These are not wire events: nothing a peer sends can look like one.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ClientEvent {
    /// A connection is up (node-ipc's `connect`).
    Connected,
    /// A connection ended or an attempt failed (node-ipc's `disconnect`, which 9.2.1 and 14.0.0 also publish after an
    /// attempt that never connected).
    Disconnected {
        /// How long until the next attempt; `None` if there is none.
        retry_in: Option<Duration>,
        /// Events that were queued and are lost, by the offline policy or torn in the middle.
        unsent: Unsent,
    },
    /// The client has given up or was told to: no attempt will follow (node-ipc's `destroy`). It is the last event.
    Destroyed,
}

/// What the caller must do for a client.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ClientAction {
    /// Dial this endpoint, then call [`Client::handle_connected`] or [`Client::handle_connect_failed`].
    Connect(Endpoint),
    /// Give up the attempt under way, or close the connection, without waiting. Then call
    /// [`Client::handle_disconnected`], or [`Client::handle_connect_failed`] for an attempt.
    Close,
}

/// As Node's timers have it.
const SHORTEST_WAIT: Duration = Duration::from_millis(1);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Not told to connect yet.
    Idle,
    /// An attempt is wanted (`dialled: false`) or under way.
    Connecting { dialled: bool },
    /// The caller has a connection.
    Connected,
    /// The next attempt starts then.
    Waiting { until: Instant },
    /// Told to disconnect; the caller still has the connection or attempt, and `told` that it must end.
    Closing { told: bool },
    /// Nothing will happen any more.
    Destroyed,
}

/// The life of one client, whatever its transport.
///
/// Getters are nouns. `handle_*` methods take what happened: [`handle_connected`](Self::handle_connected),
/// [`handle_connect_failed`](Self::handle_connect_failed), [`handle_disconnected`](Self::handle_disconnected),
/// [`handle_timeout`](Self::handle_timeout). Commands are plain verbs: [`connect`](Self::connect),
/// [`disconnect`](Self::disconnect), [`set_stop_retrying`](Self::set_stop_retrying), [`set_retry`](Self::set_retry).
/// After each of them drain [`poll_action`](Self::poll_action) and [`poll_event`](Self::poll_event), and wait no longer
/// than [`poll_timeout`](Self::poll_timeout).
#[derive(Debug)]
pub struct Client {
    settings: Settings,
    endpoint: Endpoint,
    state: State,
    stop_retrying: StopRetrying,
    max_retries: Option<u32>,
    /// The first wait.
    retry: Duration,
    /// Attempts since the last connection; before there was one, those behind the very first.
    attempts: u32,
    rng: SplitMix64,
    /// The queue, while no connection has it.
    outbound: Option<Outbound>,
    dropped: Unsent,
    /// What was lost by the end of the client itself.
    unsent: Unsent,
    events: VecDeque<ClientEvent>,
    counters: ClientCounters,
}

impl Client {
    /// A client that does nothing until [`connect`](Self::connect). `seed` feeds the jitter of an exponential
    /// backoff, and nothing else; give every client another one.
    #[must_use]
    pub fn new(settings: Settings, endpoint: Endpoint, seed: u64) -> Self {
        let mut outbound = Outbound::new(&settings, settings.config().sync);
        outbound.set_limit(offline_limit(&settings));
        outbound.connected = false;
        Self {
            endpoint,
            state: State::Idle,
            stop_retrying: settings.config().stop_retrying,
            max_retries: settings.config().max_retries,
            retry: settings.retry(),
            attempts: 0,
            rng: SplitMix64::new(seed),
            outbound: Some(outbound),
            dropped: Unsent::default(),
            unsent: Unsent::default(),
            events: VecDeque::new(),
            counters: ClientCounters::default(),
            settings,
        }
    }

    /// Where it connects to.
    #[must_use]
    pub fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// What it was made with.
    #[must_use]
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Whether the caller has a connection.
    #[must_use]
    pub fn is_connected(&self) -> bool {
        self.state == State::Connected
    }

    /// Whether it waits to try again.
    #[must_use]
    pub fn is_waiting(&self) -> bool {
        matches!(self.state, State::Waiting { .. })
    }

    /// Whether it was not told to connect yet.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.state == State::Idle
    }

    /// Attempts that have followed the last connection, or the very first attempt where there was none yet, that which is waited
    /// for included.
    #[must_use]
    pub fn retries(&self) -> u32 {
        self.attempts
    }

    /// Whether it has come to its end: no event follows.
    #[must_use]
    pub fn is_destroyed(&self) -> bool {
        self.state == State::Destroyed
    }

    /// Whether it is on its way to its end or there: [`disconnect`](Self::disconnect) was called, or it gave up.
    #[must_use]
    pub fn is_closing(&self) -> bool {
        matches!(self.state, State::Closing { .. } | State::Destroyed)
    }

    /// Retries left before it gives up, `None` for no limit. Refilled by every connection, as in node-ipc 9.2.1 and
    /// 14.0.0: a server that accepts and closes at once is retried for ever.
    #[must_use]
    pub fn retries_remaining(&self) -> Option<u32> {
        let budget = self.budget()?;
        Some(budget.saturating_sub(self.attempts))
    }

    /// Events that were taken and then lost or dropped by the offline policy, since the client was made.
    #[must_use]
    pub fn dropped(&self) -> Unsent {
        self.dropped
    }

    /// Events that were queued when the client came to its end, and are lost with it.
    #[must_use]
    pub fn unsent(&self) -> Unsent {
        self.unsent
    }

    /// What was counted since the client was made.
    #[must_use]
    pub fn counters(&self) -> ClientCounters {
        self.counters
    }

    /// What its queue has counted, while no connection has the queue.
    #[must_use]
    pub fn queue_counters(&self) -> Option<OutboundCounters> {
        self.outbound.as_ref().map(Outbound::counters)
    }

    /// Messages in the queue that `sync` holds back, while no connection has the queue.
    #[must_use]
    pub fn held(&self) -> usize {
        self.outbound.as_ref().map_or(0, Outbound::held)
    }

    /// Starts connecting. Does nothing unless the client is new.
    pub fn connect(&mut self) {
        if self.state == State::Idle {
            self.state = State::Connecting { dialled: false };
        }
    }

    /// Ends the client for good. A connection or attempt must be closed ([`ClientAction::Close`]); once it is,
    /// [`Disconnected`](ClientEvent::Disconnected) and [`Destroyed`](ClientEvent::Destroyed) come, as typed handlers
    /// saw them in node-ipc 9.2.1 and 12.0.0 (14.0.0 publishes neither). A client that waits to retry ends without an
    /// event (all versions), and so does one that never connected. Unsent events are lost and counted in
    /// [`dropped`](Self::dropped); to send them first, close the connection gracefully and then call this.
    pub fn disconnect(&mut self) {
        self.state = match self.state {
            State::Connected | State::Connecting { dialled: true } => State::Closing { told: false },
            State::Connecting { dialled: false } => {
                self.finish(Unsent::default());
                return;
            }
            State::Idle | State::Waiting { .. } => {
                self.unsent = self.discard_queue();
                State::Destroyed
            }
            ended => ended,
        };
    }

    /// Changes `stopRetrying` now. A client that waits for a retry which is no longer allowed gives up at once and
    /// publishes [`Destroyed`](ClientEvent::Destroyed) alone, as the README of node-ipc promises (14.0.0 gives up when
    /// the wait is over; 9.2.1 tries once more). An attempt under way goes on, and a connection stays.
    pub fn set_stop_retrying(&mut self, stop: StopRetrying) {
        self.stop_retrying = stop;
        // The retry that is waited for is counted already.
        let forbidden = self.budget().is_some_and(|budget| self.attempts > budget);
        if forbidden && matches!(self.state, State::Waiting { .. }) {
            self.counters.exhausted += 1;
            self.unsent = self.discard_queue();
            self.state = State::Destroyed;
            self.events.push_back(ClientEvent::Destroyed);
        }
    }

    /// Changes `retry` from the next wait on; the one under way keeps its length (node-ipc 9.2.1, 12.0.0 and 14.0.0).
    /// At least 1 ms, at most 2,147,483,647 ms; a longer one is cut to that.
    pub fn set_retry(&mut self, retry: Duration) {
        self.retry = retry.clamp(SHORTEST_WAIT, LONGEST_TIMER);
    }

    /// Queues an event while no connection has the queue, as the offline policy allows: `emit` is given the queue. While
    /// connected, emit into the connection's own [`Outbound`] instead.
    ///
    /// # Errors
    ///
    /// [`EmitError::NotConnected`] under [`Offline::Refuse`], [`EmitError::Closed`] once the client ends,
    /// and whatever `emit` says. Under [`Offline::Drop`] an event that has no connection to wait for is counted in
    /// [`dropped`](Self::dropped) and `Ok`.
    pub fn emit_offline(&mut self, emit: impl FnOnce(&mut Outbound) -> Result<(), EmitError>) -> Result<(), EmitError> {
        let refuse = self.settings.config().offline == Offline::Refuse;
        let outbound = match &mut self.outbound {
            _ if matches!(self.state, State::Closing { .. } | State::Destroyed) => Err(EmitError::Closed),
            Some(outbound) if !refuse => Ok(outbound),
            _ => Err(EmitError::NotConnected),
        };
        let outbound = outbound.inspect_err(|refusal| self.counters.refused.count(refusal))?;
        // While an attempt is under way node-ipc keeps what is emitted, and so does the policy `drop`.
        if self.settings.config().offline == Offline::Drop && matches!(self.state, State::Waiting { .. }) {
            self.dropped += outbound.emit_and_drop(&self.settings, emit)?;
            return Ok(());
        }
        emit(outbound)
    }

    /// The attempt succeeded (with TLS: the handshake is done). The connection holds what was queued while offline.
    ///
    /// Returns `None` if the client was told to end meanwhile: close the stream and call
    /// [`handle_connect_failed`](Self::handle_connect_failed).
    pub fn handle_connected(&mut self, _now: Instant) -> Option<Connection> {
        if self.state != (State::Connecting { dialled: true }) {
            return None;
        }
        let mut outbound = self.outbound.take()?;
        outbound.set_limit(self.settings.max_pending_bytes());
        outbound.connected = true;
        outbound.resume();
        self.state = State::Connected;
        self.attempts = 0;
        self.counters.connections += 1;
        self.events.push_back(ClientEvent::Connected);
        Some(Connection::with_outbound(&self.settings, outbound))
    }

    /// The attempt failed.
    pub fn handle_connect_failed(&mut self, now: Instant) {
        if matches!(self.state, State::Connecting { .. } | State::Closing { .. }) {
            self.counters.failed +=
                u64::from(self.counters.attempts > self.counters.connections + self.counters.failed);
            self.end_of_connection(now, Unsent::default(), true);
        }
    }

    /// The connection ended, by whichever side and reason. Give back its queue and what was being written. `retry` is
    /// false if the peer broke the protocol: then the client ends, as in node-ipc 14.0.0.
    pub fn handle_disconnected(&mut self, now: Instant, mut outbound: Outbound, transmit: Transmit, retry: bool) {
        if !matches!(self.state, State::Connected | State::Closing { .. }) {
            return;
        }
        let torn = outbound.take_back(transmit);
        outbound.set_limit(offline_limit(&self.settings));
        outbound.connected = false;
        self.outbound = Some(outbound);
        self.end_of_connection(now, torn, retry);
    }

    /// The time is `now`.
    pub fn handle_timeout(&mut self, now: Instant) {
        if matches!(self.state, State::Waiting { until } if until <= now) {
            self.state = State::Connecting { dialled: false };
        }
    }

    /// When to call [`handle_timeout`](Self::handle_timeout).
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        match self.state {
            State::Waiting { until } => Some(until),
            _ => None,
        }
    }

    /// What to do next, until `None`.
    pub fn poll_action(&mut self) -> Option<ClientAction> {
        match &mut self.state {
            State::Connecting { dialled } if !*dialled => {
                *dialled = true;
                self.counters.attempts += 1;
                Some(ClientAction::Connect(self.endpoint.clone()))
            }
            State::Closing { told } if !*told => {
                *told = true;
                Some(ClientAction::Close)
            }
            _ => None,
        }
    }

    /// What happened, in order, until `None`.
    pub fn poll_event(&mut self) -> Option<ClientEvent> {
        self.events.pop_front()
    }

    /// The one place where it is decided whether another attempt follows.
    fn end_of_connection(&mut self, now: Instant, torn: Unsent, retry: bool) {
        self.dropped += torn;
        let closing = matches!(self.state, State::Closing { .. });
        let exhausted = self.budget().is_some_and(|budget| self.attempts >= budget);
        if closing || exhausted || !retry {
            self.counters.exhausted += u64::from(exhausted && retry && !closing);
            self.finish(torn);
            return;
        }
        let mut unsent = torn;
        if self.settings.config().offline != Offline::Buffer {
            unsent += self.drop_queued();
        }
        let backoff = self.settings.config().backoff;
        let delay = backoff.delay(self.attempts, self.retry, &mut self.rng).max(SHORTEST_WAIT);
        self.attempts = self.attempts.saturating_add(1);
        // An `Instant` that cannot hold a few weeks more is at its end: rather too early than a panic.
        let until = now.checked_add(delay).unwrap_or(now);
        self.state = State::Waiting { until };
        self.events.push_back(ClientEvent::Disconnected { retry_in: Some(delay), unsent });
    }

    fn finish(&mut self, torn: Unsent) {
        let mut unsent = torn;
        unsent += self.discard_queue();
        self.unsent = unsent;
        self.state = State::Destroyed;
        self.events.push_back(ClientEvent::Disconnected { retry_in: None, unsent });
        self.events.push_back(ClientEvent::Destroyed);
    }

    fn drop_queued(&mut self) -> Unsent {
        let unsent = self.outbound.as_mut().map_or_else(Unsent::default, Outbound::drop_queued);
        self.dropped += unsent;
        unsent
    }

    fn discard_queue(&mut self) -> Unsent {
        let unsent = self.outbound.as_mut().map_or_else(Unsent::default, Outbound::discard);
        self.dropped += unsent;
        unsent
    }

    /// How many retries follow one another at most: `maxRetries`, and `stopRetrying` as the README documents it.
    fn budget(&self) -> Option<u32> {
        let stop = match self.stop_retrying {
            StopRetrying::No => None,
            StopRetrying::Yes => Some(0),
            StopRetrying::After(retries) => Some(retries),
        };
        match (self.max_retries, stop) {
            (Some(max), Some(stop)) => Some(max.min(stop)),
            (max, stop) => max.or(stop),
        }
    }
}

fn offline_limit(settings: &Settings) -> usize {
    match settings.config().offline {
        Offline::Buffer => settings.config().max_offline_bytes,
        _ => settings.max_pending_bytes(),
    }
}
