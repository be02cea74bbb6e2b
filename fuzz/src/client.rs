//! A client under any sequence of commands, inputs and moments: its life is a legal one, it dials no more often than it may,
//! and every event it took was delivered, is queued, or is counted as lost.
//!
//! Input: what `arbitrary` makes a [`Case`] of. Time is virtual.

use crate::setup;
use arbitrary::{Arbitrary, Unstructured};
use ipc_proto::bytes::Buf;
use ipc_proto::{
    Backoff, Client, ClientAction, ClientEvent, Connection, EmitError, Endpoint, Offline, Settings, StopRetrying,
    Transmit,
};
use std::time::{Duration, Instant};

#[derive(Debug, Arbitrary)]
struct Case {
    sync: bool,
    offline: u8,
    max_retries: Option<u8>,
    stop_retrying: Option<u8>,
    backoff: bool,
    retry: u16,
    max_pending: u16,
    max_offline: u16,
    seed: u64,
    steps: Vec<Step>,
}

#[derive(Debug, Arbitrary)]
enum Step {
    Connect,
    Disconnect,
    /// The attempt under way succeeds or fails.
    Attempt(bool),
    /// The connection ends; whether the peer kept to the protocol.
    Lost(bool),
    Emit(u8),
    Write(u16),
    Answer,
    Wait(u16),
    /// As long as it says.
    WaitForTimeout,
    StopRetrying(Option<u8>),
    Retry(u16),
}

/// What is known beside the client.
struct Book {
    settings: Settings,
    now: Instant,
    /// A connection and what was taken out of its queue.
    connection: Option<(Connection, Transmit)>,
    dialling: bool,
    /// Told to close.
    close: bool,
    connected: bool,
    destroyed: bool,
    /// Dials since it was last connected.
    dials: u32,
    /// The policy was changed on the way.
    changed: bool,
    next_dial: Option<Instant>,
    accepted: (usize, usize),
    written: usize,
    delivered: usize,
    /// As the events say.
    unsent: usize,
}

impl Book {
    fn drain(&mut self, client: &mut Client) {
        for round in 0.. {
            assert!(round < 10, "outputs come to an end");
            let mut idle = true;
            while let Some(action) = client.poll_action() {
                idle = false;
                assert!(!self.destroyed, "nothing is to be done after the end");
                match action {
                    ClientAction::Connect(_) => {
                        assert!(!self.dialling && self.connection.is_none());
                        assert!(self.next_dial.is_none_or(|at| self.now >= at), "not before its time");
                        self.dialling = true;
                        self.dials += 1;
                        let most =
                            match (client.settings().config().max_retries, client.settings().config().stop_retrying) {
                                (_, StopRetrying::Yes) => Some(0),
                                (max, StopRetrying::After(stop)) => Some(max.unwrap_or(stop).min(stop)),
                                (max, _) => max,
                            };
                        let allowed = most.is_none_or(|most| self.dials <= most.saturating_add(1));
                        assert!(self.changed || allowed, "{} dials, {most:?} retries", self.dials);
                    }
                    ClientAction::Close => {
                        assert!(self.dialling || self.connection.is_some());
                        self.close = true;
                    }
                    other => panic!("unknown: {other:?}"),
                }
            }
            while let Some(event) = client.poll_event() {
                idle = false;
                assert!(!self.destroyed, "{event:?} after the end");
                match event {
                    ClientEvent::Connected => {
                        assert!(!self.connected);
                        (self.connected, self.dials, self.next_dial) = (true, 0, None);
                    }
                    ClientEvent::Disconnected { retry_in, unsent } => {
                        self.connected = false;
                        self.unsent += unsent.messages;
                        if let Some(wait) = retry_in {
                            assert!(wait >= Duration::from_millis(1));
                            assert_eq!(client.poll_timeout(), Some(self.now + wait));
                            self.next_dial = client.poll_timeout();
                        }
                    }
                    ClientEvent::Destroyed => self.destroyed = true,
                    other => panic!("unknown: {other:?}"),
                }
            }
            if idle {
                break;
            }
        }
        assert!(client.poll_timeout().is_none_or(|at| at > self.now), "no wake-up in the past");
        assert_eq!(client.is_connected(), self.connection.is_some() && !client.is_closing());
        self.balance(client);
    }

    fn balance(&self, client: &Client) {
        let counters = match &self.connection {
            Some((connection, _)) => connection.outbound.counters(),
            None => client.queue_counters().expect("the queue is in one of the two"),
        };
        let (messages, bytes) = self.accepted;
        assert_eq!((counters.events, counters.bytes), (messages as u64, bytes as u64));
        assert_eq!(counters.bytes, counters.written + counters.pending + counters.lost.total().bytes);
        assert_eq!(counters.lost.total().events, client.dropped().messages as u64);
        let (limit, pending) = match &self.connection {
            Some((connection, _)) => (self.settings.max_pending_bytes(), connection.outbound.pending()),
            None if self.settings.config().offline == Offline::Buffer => return,
            None => (self.settings.max_pending_bytes(), 0),
        };
        // What was taken while offline may be more than a connection would take.
        let offline = self.settings.config().max_offline_bytes;
        assert!(pending <= limit.max(offline).max(300), "{pending} bytes pending, {limit} allowed");
    }

    fn emit(&mut self, client: &mut Client, length: u8) {
        let text = "x".repeat(length.into());
        let mut size = 0;
        let mut put = |outbound: &mut ipc_proto::Outbound| {
            let before = outbound.counters().bytes;
            let outcome = outbound.emit("n", &text);
            size = (outbound.counters().bytes - before) as usize;
            outcome
        };
        let outcome = match &mut self.connection {
            Some((connection, _)) if !client.is_closing() => put(&mut connection.outbound),
            Some(_) => return,
            None => client.emit_offline(put),
        };
        match outcome {
            Ok(()) => {
                self.accepted.0 += 1;
                self.accepted.1 += size;
            }
            Err(EmitError::Full { pending, length, limit }) => {
                assert!(pending > 0 && pending + length > limit, "{pending} + {length} fit into {limit}");
            }
            Err(EmitError::NotConnected) => assert_eq!(self.settings.config().offline, Offline::Refuse),
            Err(EmitError::Closed) => assert!(client.is_closing()),
            Err(other) => panic!("{other}"),
        }
    }

    fn write(&mut self, mut length: usize) {
        let Some((connection, transmit)) = &mut self.connection else { return };
        while connection.outbound.poll_transmit(transmit) && length > 0 {
            let chunk = transmit.chunk();
            let taken = chunk.len().min(length);
            assert!(taken > 0, "there is something to write");
            self.delivered += chunk[..taken].iter().filter(|byte| **byte == b'\n').count();
            transmit.advance(taken);
            self.written += taken;
            length -= taken;
        }
    }

    fn lose(&mut self, client: &mut Client, retry: bool) {
        let Some((connection, transmit)) = self.connection.take() else { return };
        client.handle_disconnected(self.now, connection.outbound, transmit, retry);
        self.close = false;
    }

    fn step(&mut self, client: &mut Client, step: Step) {
        match step {
            Step::Connect => client.connect(),
            Step::Disconnect => client.disconnect(),
            Step::Attempt(succeeds) if self.dialling => {
                self.dialling = false;
                self.close = false;
                match succeeds.then(|| client.handle_connected(self.now)).flatten() {
                    Some(connection) => self.connection = Some((connection, Transmit::new())),
                    None => client.handle_connect_failed(self.now),
                }
            }
            Step::Lost(retry) => self.lose(client, retry),
            Step::Emit(length) => self.emit(client, length),
            Step::Write(length) => self.write(length.into()),
            Step::Answer => {
                if let Some((connection, _)) = &mut self.connection {
                    connection.outbound.handle_answer();
                }
            }
            Step::Wait(milliseconds) => {
                self.now += Duration::from_millis(milliseconds.into());
                client.handle_timeout(self.now);
            }
            Step::WaitForTimeout => {
                if let Some(at) = client.poll_timeout() {
                    self.now = at;
                    client.handle_timeout(self.now);
                    assert_eq!(client.poll_timeout(), None);
                }
            }
            Step::StopRetrying(after) => {
                self.changed = true;
                client.set_stop_retrying(after.map_or(StopRetrying::No, |after| StopRetrying::After(after.into())));
            }
            Step::Retry(milliseconds) => client.set_retry(Duration::from_millis(milliseconds.into())),
            Step::Attempt(_) => {}
        }
        self.obey(client);
        self.drain(client);
        if self.close {
            self.obey(client);
            self.drain(client);
            assert!(!self.close, "told once");
        }
    }

    /// Told to close, whoever holds the stream or dials gives up.
    fn obey(&mut self, client: &mut Client) {
        if std::mem::take(&mut self.close) {
            self.lose(client, true);
            if std::mem::take(&mut self.dialling) {
                client.handle_connect_failed(self.now);
            }
        }
    }
}

/// Checks one input.
pub fn check(data: &[u8]) {
    let Ok(case) = Case::arbitrary(&mut Unstructured::new(data)) else { return };
    let offline = [Offline::Buffer, Offline::Drop, Offline::Refuse][usize::from(case.offline) % 3];
    let stop = case.stop_retrying.map_or(StopRetrying::No, |after| StopRetrying::After(after.into()));
    let backoff = if case.backoff { Backoff::exponential() } else { Backoff::Fixed };
    let config = setup::config(0)
        .delimiter("\n")
        .sync(case.sync)
        .offline(offline)
        .max_retries(case.max_retries.map(u32::from))
        .stop_retrying(stop)
        .backoff(backoff)
        .retry(Duration::from_millis(case.retry.into()))
        .max_pending_bytes(usize::from(case.max_pending).max(1))
        .max_offline_bytes(usize::from(case.max_offline).max(1));
    let Some(settings) = setup::build(config) else { return };
    let endpoint = Endpoint::local(&settings, Some("world")).expect("an endpoint");
    let mut client = Client::new(settings.clone(), endpoint, case.seed);
    let mut book = Book {
        settings,
        now: Instant::now(),
        connection: None,
        dialling: false,
        close: false,
        connected: false,
        destroyed: false,
        dials: 0,
        changed: false,
        next_dial: None,
        accepted: (0, 0),
        written: 0,
        delivered: 0,
        unsent: 0,
    };
    for step in case.steps {
        book.step(&mut client, step);
    }
    // The end: nothing may be missing.
    book.step(&mut client, Step::Disconnect);
    assert!(client.is_destroyed() && book.connection.is_none());
    let (accepted, _) = book.accepted;
    assert_eq!(accepted, book.delivered + client.dropped().messages, "{} delivered", book.delivered);
    assert!(book.unsent <= client.dropped().messages);
    assert_eq!(client.queue_counters().expect("the queue").written, book.written as u64);
    client.connect();
    client.disconnect();
    assert_eq!((client.poll_action(), client.poll_event(), client.poll_timeout()), (None, None, None));
    let closed = client.emit_offline(|_| panic!("a client at its end takes nothing"));
    assert!(matches!(closed, Err(EmitError::Closed)));
}
