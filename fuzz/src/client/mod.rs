//! `client`: any sequence of commands and happenings in virtual time, over a [`Client`] and the connection it hands out.
//!
//! A model that knows the documented life of a client, and nothing of queues, says what every step leads to: the events, the
//! action that is asked for, how many retries are left, until when the client waits. A second book is kept of every message by
//! its number: each one that was taken is delivered, once and in order, or waits, or is counted as lost; and so is every byte.

mod books;
mod model;

use std::time::{Duration, Instant};

use ipc_proto::bytes::Buf;
use ipc_proto::{
    Backoff, Client, ClientAction, ClientEvent, Connection, Endpoint, Offline, Outbound, Settings, StopRetrying,
    Transmit,
};

use books::Amount;
use model::{Life, Model};

use crate::input::{Input, settings, start};
use crate::sockets::{flush, write};

/// Steps that one input may take.
const MOST_STEPS: usize = 600;

struct World {
    settings: Settings,
    client: Client,
    model: Model,
    now: Instant,
    connection: Option<(Connection, Transmit)>,
    /// What was written on the connections, one after another.
    wire: Vec<u8>,
    /// Numbers of the messages that arrived whole on earlier connections.
    delivered: Vec<u32>,
    /// Bytes written on earlier connections.
    written: usize,
    accepted: Amount,
    next: u32,
    /// What the events have told of losses, and what the policy `drop` took.
    told_lost: Amount,
    last: Option<ClientEvent>,
    /// Whether the last connection ended within a message.
    torn: bool,
    /// Whether what can leave leaves before the end.
    flushes: bool,
}

/// Runs one input.
pub fn run(data: &[u8]) {
    let mut input = Input::new(data);
    let mut config = input.config().sync(input.flag());
    // Names are of no interest here.
    config.allowed_events = config.allowed_events.map(|_| ["message".to_owned()].into());
    config.max_event_name_length = config.max_event_name_length.max(7);
    config.offline = input.choose(&[Offline::Refuse, Offline::Buffer, Offline::Drop]);
    config.max_offline_bytes = input.size().max(1);
    config.max_retries = input.choose(&[None, Some(0), Some(1), Some(2), Some(5), None]);
    config.stop_retrying = stop_retrying(&mut input);
    config.retry = input.time();
    if input.flag() {
        let factor = 1.0 + f64::from(input.byte()) / 16.0;
        let max = config.retry + input.time();
        config.backoff = Backoff::Exponential { factor, max, jitter: f64::from(input.below(5) as u8) / 4.0 };
    }
    let model = Model {
        life: Life::Idle,
        max_retries: config.max_retries,
        stop: config.stop_retrying,
        retry: config.retry.max(Duration::from_millis(1)),
        retries: 0,
    };
    let settings = settings(config);
    let endpoint = Endpoint::local(&settings, Some("world")).expect("a short path");
    let mut world = World {
        client: Client::new(settings.clone(), endpoint, u64::from(input.byte())),
        settings,
        model,
        now: start(),
        connection: None,
        wire: Vec::new(),
        delivered: Vec::new(),
        written: 0,
        accepted: Amount::default(),
        next: 0,
        told_lost: Amount::default(),
        last: None,
        torn: false,
        flushes: input.flag(),
    };
    for _ in 0..MOST_STEPS {
        if input.is_empty() {
            break;
        }
        world.step(&mut input);
        world.check();
    }
    world.end();
}

fn stop_retrying(input: &mut Input<'_>) -> StopRetrying {
    match input.below(8) {
        0 => StopRetrying::Yes,
        few @ 1..4 => StopRetrying::After(u32::try_from(few - 1).unwrap_or_default()),
        _ => StopRetrying::No,
    }
}

impl World {
    fn step(&mut self, input: &mut Input<'_>) {
        match input.below(16) {
            0 => {
                self.client.connect();
                if self.model.life == Life::Idle {
                    self.model.life = Life::Connecting { dialled: false };
                }
            }
            1 | 2 => self.connected(),
            3 => self.connect_failed(),
            4 => self.lose(input.below(4) != 3),
            5 => self.pass(input.time()),
            6 => {
                if let Some(until) = self.client.poll_timeout() {
                    self.pass(until - self.now);
                }
            }
            7 if input.below(8) == 0 => self.disconnect(),
            8 => self.stop(input),
            9 => {
                let retry = input.time();
                self.client.set_retry(retry);
                self.model.retry = retry.clamp(Duration::from_millis(1), Duration::from_millis(i32::MAX as u64));
            }
            10 => self.write(input),
            11 => {
                if let Some((connection, _)) = &mut self.connection {
                    connection.outbound.handle_answer();
                }
            }
            12 if input.below(8) == 0 => {
                if let Some((connection, _)) = &mut self.connection {
                    connection.outbound.close();
                }
            }
            _ => self.emit(input),
        }
        // Drained after every step, but for some, so that a command may follow a command.
        if input.below(8) != 7 {
            self.actions();
            self.events(Vec::new());
        }
    }

    fn actions(&mut self) {
        while let Some(action) = self.client.poll_action() {
            match (action, &mut self.model.life) {
                (ClientAction::Connect(endpoint), Life::Connecting { dialled }) if !*dialled => {
                    assert_eq!(&endpoint, self.client.endpoint());
                    *dialled = true;
                }
                (ClientAction::Close, Life::Closing { told }) if !*told => {
                    *told = true;
                }
                (action, life) => panic!("{action:?} while {life:?}"),
            }
        }
        assert!(!matches!(self.model.life, Life::Connecting { dialled: false } | Life::Closing { told: false }));
    }

    /// What happened, beside what is `expected` to have happened; in the order of a life.
    fn events(&mut self, expected: Vec<&str>) -> Vec<ClientEvent> {
        let events: Vec<_> = std::iter::from_fn(|| self.client.poll_event()).collect();
        let names: Vec<_> = events.iter().map(name).collect();
        assert_eq!(names, expected);
        for event in &events {
            match (&self.last, event) {
                (Some(ClientEvent::Destroyed), _) => panic!("{event:?} after the end"),
                (Some(ClientEvent::Connected), ClientEvent::Connected) => panic!("connected twice"),
                (Some(ClientEvent::Disconnected { retry_in: None, .. }), ClientEvent::Destroyed) => {}
                (Some(ClientEvent::Disconnected { retry_in: None, .. }), _) => {
                    panic!("{event:?} after the last attempt")
                }
                (Some(ClientEvent::Connected), ClientEvent::Destroyed) => panic!("destroyed while connected"),
                _ => {}
            }
            if let ClientEvent::Disconnected { unsent, .. } = event {
                self.told_lost += (*unsent).into();
            }
            self.last = Some(event.clone());
        }
        events
    }

    fn connected(&mut self) {
        let connection = self.client.handle_connected(self.now);
        let expected = self.model.life == (Life::Connecting { dialled: true });
        assert_eq!(connection.is_some(), expected, "{:?}", self.model.life);
        let Some(connection) = connection else { return };
        assert_eq!(connection.outbound.limit(), self.settings.max_pending_bytes());
        self.connection = Some((connection, Transmit::new()));
        self.model.life = Life::Connected;
        self.model.retries = 0;
        self.events(vec!["connect"]);
    }

    fn connect_failed(&mut self) {
        if self.connection.is_some() && matches!(self.model.life, Life::Closing { .. }) {
            // The caller's mistake: it has a connection, and no attempt to fail.
            return;
        }
        self.client.handle_connect_failed(self.now);
        if matches!(self.model.life, Life::Connecting { .. } | Life::Closing { .. }) {
            self.over(true);
        }
    }

    fn lose(&mut self, retry: bool) {
        let Some((connection, transmit)) = self.connection.take() else {
            // Nothing happens to a client without a connection.
            if !matches!(self.model.life, Life::Connected | Life::Closing { .. }) {
                let foreign = Outbound::new(&self.settings, false);
                self.client.handle_disconnected(self.now, foreign, Transmit::new(), retry);
            }
            return;
        };
        let (_, outbound) = connection.split();
        let torn_or_waiting = outbound.pending() + transmit.remaining();
        self.client.handle_disconnected(self.now, outbound, transmit, retry);
        let lost = self.client.dropped().bytes;
        assert!(lost <= self.told_lost.bytes + torn_or_waiting, "no more is lost than waited");
        self.arrived();
        self.over(retry);
    }

    /// A connection or an attempt has ended, and the client was told.
    fn over(&mut self, retry: bool) {
        let closing = matches!(self.model.life, Life::Closing { .. });
        let exhausted = self.model.budget().is_some_and(|budget| self.model.retries >= budget);
        if closing || exhausted || !retry {
            self.model.life = Life::Destroyed;
            let events = self.events(vec!["disconnect", "destroy"]);
            let Some(ClientEvent::Disconnected { retry_in, unsent, .. }) = events.first() else { unreachable!() };
            assert_eq!((*retry_in, *unsent), (None, self.client.unsent()));
            return;
        }
        let attempt = self.model.retries;
        self.model.retries += 1;
        let events = self.events(vec!["disconnect"]);
        let Some(ClientEvent::Disconnected { retry_in: Some(wait), .. }) = events.first() else {
            panic!("{events:?} with retries left");
        };
        self.check_losses();
        self.model.check_wait(self.settings.config().backoff, attempt, *wait);
        self.model.life = Life::Waiting { until: self.now + *wait };
    }

    fn pass(&mut self, time: Duration) {
        self.now += time;
        self.client.handle_timeout(self.now);
        if matches!(self.model.life, Life::Waiting { until } if until <= self.now) {
            self.model.life = Life::Connecting { dialled: false };
        }
        assert!(self.client.poll_timeout().is_none_or(|at| at > self.now), "no deadline in the past");
    }

    fn disconnect(&mut self) {
        self.client.disconnect();
        self.model.life = match self.model.life {
            Life::Connected | Life::Connecting { dialled: true } => Life::Closing { told: false },
            Life::Connecting { dialled: false } => {
                self.model.life = Life::Destroyed;
                self.events(vec!["disconnect", "destroy"]);
                Life::Destroyed
            }
            Life::Idle | Life::Waiting { .. } => {
                self.told_lost += self.client.unsent().into();
                Life::Destroyed
            }
            ended => ended,
        };
    }

    fn stop(&mut self, input: &mut Input<'_>) {
        let stop = stop_retrying(input);
        self.client.set_stop_retrying(stop);
        self.model.stop = stop;
        // The retry that is waited for has been counted.
        let forbidden = self.model.budget().is_some_and(|budget| self.model.retries > budget);
        if forbidden && matches!(self.model.life, Life::Waiting { .. }) {
            self.model.life = Life::Destroyed;
            self.told_lost += self.client.unsent().into();
            self.events(vec!["destroy"]);
        }
    }

    /// The socket takes something.
    fn write(&mut self, input: &mut Input<'_>) {
        let share = input.below(5);
        let Some((connection, transmit)) = &mut self.connection else { return };
        connection.outbound.poll_transmit(transmit);
        let count = if share == 4 { input.size() } else { transmit.remaining() * share / 3 };
        write(transmit, count, &mut self.wire);
    }

    fn check(&mut self) {
        let Self { client, model, .. } = self;
        let life = model.life;
        assert_eq!(client.is_connected(), life == Life::Connected);
        assert_eq!(client.is_waiting(), matches!(life, Life::Waiting { .. }));
        assert_eq!(client.is_destroyed(), life == Life::Destroyed);
        assert_eq!(client.is_closing(), matches!(life, Life::Closing { .. } | Life::Destroyed));
        let until = if let Life::Waiting { until } = life { Some(until) } else { None };
        assert_eq!(client.poll_timeout(), until);
        assert_eq!(client.retries_remaining(), model.budget().map(|budget| budget.saturating_sub(model.retries)));
        assert_eq!(Amount::from(self.client.dropped()), self.told_lost, "every loss is told");
        self.balance();
    }

    /// The client is ended by force, and the books are closed.
    fn end(mut self) {
        self.actions();
        self.events(Vec::new());
        if let (true, Some((connection, transmit))) = (self.flushes, &mut self.connection) {
            flush(&mut connection.outbound, transmit, &mut self.wire);
        }
        self.disconnect();
        self.actions();
        if self.connection.is_some() {
            self.lose(true);
        } else if !self.client.is_destroyed() {
            self.connect_failed();
        }
        assert!(self.client.is_destroyed());
        self.check();
        assert!(self.client.poll_action().is_none() && self.client.poll_event().is_none());
        let lost = self.client.dropped();
        assert_eq!(self.accepted.messages, self.delivered.len() + lost.messages);
        assert_eq!(self.accepted.bytes, self.written + lost.bytes);
    }
}

fn name(event: &ClientEvent) -> &'static str {
    match event {
        ClientEvent::Connected => "connect",
        ClientEvent::Disconnected { .. } => "disconnect",
        ClientEvent::Destroyed => "destroy",
        other => panic!("{other:?}"),
    }
}
