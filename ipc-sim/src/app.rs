//! What a program does above a client or server: reacts to events, emits, ends.
//!
//! An [`App`] is the part that an application author writes; [`Control`] is what it can do. Every emit goes through the
//! books, so that order and accounting are checked for any traffic.

use std::fmt;
use std::time::{Duration, Instant};

use ipc_proto::{
    Client, EmitError, Event, Frame, Malformed, Message, Offline, Outbound, Server, Settings, SlowConsumer,
    StopRetrying,
};

use crate::channel::Channels;
use crate::failure::Invariant;
use crate::ledger::{Emitted, Room, SenderId, Verdict};
use crate::node::Context;
use crate::random::Random;
use crate::trace::digest;
use crate::watch::ClientWatch;

/// The other end of a connection, as the one who has it calls it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Peer(pub(crate) u64);

impl Peer {
    /// What a client calls its server.
    pub const SERVER: Self = Self(0);
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "peer {}", self.0)
    }
}

/// What an [`App`] is told.
#[derive(Debug)]
#[non_exhaustive]
pub enum Happening<'a> {
    /// The node was put on the network, or a server was started again.
    Started,
    /// A connection is up.
    Connected(Peer),
    /// An event has come.
    Event(Peer, &'a Event<'a>),
    /// Bytes have come, on a raw connection.
    Bytes(Peer, &'a [u8]),
    /// A frame has come that is no event. If that ends the connection, [`Disconnected`](Self::Disconnected) follows.
    Malformed(Peer, &'a Malformed<'a>),
    /// A connection has ended; to a client also: an attempt has failed.
    Disconnected(Peer),
    /// The client has come to its end. Nothing follows but timeouts.
    Destroyed,
    /// [`App::poll_timeout`] is due.
    Timeout,
}

/// A program above a client or a server. Closures that take the same are one.
pub trait App: 'static {
    /// Takes what happened.
    fn handle(&mut self, happening: Happening<'_>, control: &mut Control<'_, '_>);

    /// When [`Happening::Timeout`] is due.
    fn poll_timeout(&self) -> Option<Instant> {
        None
    }
}

impl<F: FnMut(Happening<'_>, &mut Control<'_, '_>) + 'static> App for F {
    fn handle(&mut self, happening: Happening<'_>, control: &mut Control<'_, '_>) {
        self(happening, control);
    }
}

/// A client with what is known about it from outside.
#[derive(Debug)]
pub(crate) struct ClientSide {
    pub(crate) client: Client,
    pub(crate) watch: ClientWatch,
    pub(crate) sender: SenderId,
    /// Once its connection has ended, the client ends.
    pub(crate) ends_with_connection: bool,
}

pub(crate) enum Machine<'a> {
    Client(&'a mut ClientSide),
    Server(&'a mut Server),
}

impl Machine<'_> {
    pub(crate) fn reborrow(&mut self) -> Machine<'_> {
        match self {
            Self::Client(side) => Machine::Client(side),
            Self::Server(server) => Machine::Server(server),
        }
    }

    pub(crate) fn is_ending(&self) -> bool {
        matches!(self, Self::Client(side) if side.client.is_closing())
    }
}

/// What an [`App`] can do.
pub struct Control<'a, 'c> {
    pub(crate) machine: Machine<'a>,
    pub(crate) channels: &'a mut Channels,
    pub(crate) context: &'a mut Context<'c>,
}

impl<'c> Control<'_, 'c> {
    /// The virtual time.
    #[must_use]
    pub fn now(&self) -> Instant {
        self.context.now()
    }

    /// The virtual time since the start.
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        self.context.elapsed()
    }

    /// Chance, from the seed of the world.
    pub fn random(&mut self) -> &mut Random {
        self.context.random()
    }

    /// The context of the node, for the trace and for invariants of your own.
    pub fn context(&mut self) -> &mut Context<'c> {
        self.context
    }

    /// Who is connected, in order of connection.
    pub fn peers(&self) -> impl Iterator<Item = Peer> + '_ {
        self.channels.list.keys().map(|key| Peer(*key))
    }

    /// The client, in a client.
    #[must_use]
    pub fn client(&self) -> Option<&Client> {
        match &self.machine {
            Machine::Client(side) => Some(&side.client),
            Machine::Server(_) => None,
        }
    }

    /// The server, in a server.
    #[must_use]
    pub fn server(&self) -> Option<&Server> {
        match &self.machine {
            Machine::Client(_) => None,
            Machine::Server(server) => Some(server),
        }
    }

    /// What the node was made with.
    #[must_use]
    pub fn settings(&self) -> &Settings {
        &self.channels.settings
    }

    /// Emits an event. A client that is not connected does what its offline policy says.
    ///
    /// # Errors
    ///
    /// [`EmitError`]: nothing was queued. It is counted.
    pub fn emit(&mut self, to: Peer, message: &Message) -> Result<(), EmitError> {
        self.send(to, Payload::Message(message))
    }

    /// Emits bytes on a raw connection.
    ///
    /// # Errors
    ///
    /// As [`emit`](Self::emit).
    pub fn emit_bytes(&mut self, to: Peer, bytes: &[u8]) -> Result<(), EmitError> {
        self.send(to, Payload::Bytes(bytes))
    }

    /// Emits an event to everybody who is connected. Those whose queue is full do not get it, which is counted.
    pub fn broadcast(&mut self, message: &Message) {
        let peers: Vec<Peer> = self.peers().collect();
        for peer in peers {
            let _counted = self.emit(peer, message);
        }
    }

    /// Closes a connection once everything that is queued has left, and waits for the other end. A client ends with it,
    /// and at once if it has none.
    pub fn close(&mut self, peer: Peer) {
        if let Machine::Client(side) = &mut self.machine {
            side.ends_with_connection = true;
        }
        match self.channels.list.get_mut(&peer.0) {
            Some(channel) => channel.close(self.context),
            None => self.disconnect(),
        }
    }

    /// Ends a connection without waiting. Of a client use [`disconnect`](Self::disconnect).
    pub fn abort(&mut self, peer: Peer) {
        if let Some(channel) = self.channels.list.get_mut(&peer.0) {
            channel.aborted = true;
        }
    }

    /// [`Client::disconnect`], in a client.
    pub fn disconnect(&mut self) {
        if let Machine::Client(side) = &mut self.machine {
            self.context.trace("is told to disconnect", 0, 0);
            side.watch.told_to_disconnect(&side.client);
            side.client.disconnect();
        }
    }

    /// [`Client::set_stop_retrying`], in a client.
    pub fn set_stop_retrying(&mut self, stop: StopRetrying) {
        if let Machine::Client(side) = &mut self.machine {
            self.context.trace("changes stopRetrying", 0, 0);
            side.watch.stop_retrying = stop;
            side.client.set_stop_retrying(stop);
        }
    }

    /// [`Client::set_retry`], in a client.
    pub fn set_retry(&mut self, retry: Duration) {
        if let Machine::Client(side) = &mut self.machine {
            side.watch.set_retry(retry);
            side.client.set_retry(retry);
        }
    }

    fn send(&mut self, to: Peer, payload: Payload<'_>) -> Result<(), EmitError> {
        if let Some(channel) = self.channels.list.get_mut(&to.0) {
            let sender = channel.sender;
            let closed = channel.is_closing() || channel.outbound.has_overflowed();
            if channel.outbound.is_closed() != closed {
                let message = format!("the queue of {to} takes events where it should not, or takes none");
                self.context.violate(Invariant::Lifecycle, message);
            }
            let outbound = &mut channel.outbound;
            let outcome = emit(outbound, &self.channels.settings, sender, payload, self.context, Whither::Connection);
            channel.aborted |= channel.outbound.has_overflowed();
            return outcome;
        }
        let Machine::Client(side) = &mut self.machine else { return Err(EmitError::Closed) };
        let (sender, before) = (side.sender, side.client.dropped());
        let drops = side.client.settings().config().offline == Offline::Drop && side.client.is_waiting();
        let settings = &self.channels.settings;
        let mut asked = false;
        let outcome = side.client.emit_offline(|outbound| {
            asked = true;
            let whither = if drops { Whither::Nowhere } else { Whither::Buffer };
            emit(outbound, settings, sender, payload, self.context, whither)
        });
        let refuses = side.client.settings().config().offline == Offline::Refuse;
        if asked && (refuses || side.client.is_closing()) {
            let message = "an event was taken offline by a client that must refuse it".to_owned();
            self.context.violate(Invariant::Accounting, message);
        }
        if let (Err(error), false) = (&outcome, asked) {
            self.context.core.ledger.refusals(sender).count(error);
        }
        if drops && outcome.is_ok() && side.client.dropped() == before {
            self.context.violate(Invariant::Accounting, "an event was dropped and not counted".to_owned());
        }
        outcome
    }
}

#[derive(Clone, Copy)]
enum Payload<'a> {
    Message(&'a Message),
    Bytes(&'a [u8]),
}

/// Where what is emitted goes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Whither {
    Connection,
    /// It waits for a connection.
    Buffer,
    /// It is dropped at once.
    Nowhere,
}

/// Emits into a queue and into the books, and checks that the one bound on the queue was kept.
fn emit(
    outbound: &mut Outbound,
    settings: &Settings,
    sender: SenderId,
    payload: Payload<'_>,
    context: &mut Context<'_>,
    whither: Whither,
) -> Result<(), EmitError> {
    let (pending, limit, closed) = (outbound.pending(), outbound.limit(), outbound.is_closed());
    let frame = match payload {
        Payload::Message(message) => Frame::from_message(settings, message),
        Payload::Bytes(bytes) => Frame::raw(settings, bytes.to_vec()),
    };
    let frame = frame.inspect_err(|error| context.core.ledger.refusals(sender).count(error))?;
    let length = frame.as_bytes().len();
    if length == 0 {
        return Ok(());
    }
    let policy = settings.config().slow_consumer;
    // Somebody who would wait is never told anything but that there is no room.
    let patient = policy != SlowConsumer::Refuse && context.random().chance(0.1);
    let room = Room {
        limit,
        policy: if patient { SlowConsumer::Refuse } else { policy },
        connected: whither == Whither::Connection,
        closed,
    };
    let verdict = match whither {
        Whither::Nowhere => Verdict::Takes,
        _ => context.core.ledger.verdict(sender, length, &room),
    };
    let outcome = match payload {
        _ if patient => outbound.patiently(|outbound| outbound.emit_frame(&frame)),
        Payload::Message(message) if context.random().chance(0.5) => outbound.emit_message(message),
        Payload::Bytes(bytes) if context.random().chance(0.5) => outbound.emit_raw(bytes),
        _ => outbound.emit_frame(&frame),
    };
    let expected = match &outcome {
        Ok(()) => matches!(verdict, Verdict::Takes | Verdict::MakesRoom | Verdict::DropsIt),
        Err(EmitError::Full { .. }) => verdict == Verdict::Refuses,
        Err(EmitError::TooSlow { .. }) => verdict == Verdict::GivesUp,
        Err(EmitError::Closed) => verdict == Verdict::IsClosed,
        Err(_) => false,
    };
    if !expected {
        let message =
            format!("{length} bytes came to {outcome:?} where {pending} of {limit} waited ({room:?}: {verdict:?})");
        context.violate(Invariant::Bounds, message);
    }
    match &outcome {
        Ok(()) => {
            context.trace("emits {a} bytes, {b} waited", length as u64, pending as u64);
            let (raw, delimiter) = match payload {
                Payload::Message(_) => (&[][..], settings.delimiter().as_bytes().len()),
                Payload::Bytes(bytes) => (bytes, 0),
            };
            let emitted = Emitted {
                number: context.core.trace.lines(),
                bytes: length,
                digest: digest(0, &frame.as_bytes()[..length - delimiter]),
                events: u64::from(raw.is_empty()),
            };
            let ledger = &mut context.core.ledger;
            match (whither, verdict) {
                (Whither::Nowhere, _) => ledger.dropped(sender, emitted),
                (_, Verdict::DropsIt) => ledger.dropped_newest(sender, emitted),
                _ => {
                    ledger.make_room(sender, length, &room);
                    ledger.emitted(sender, emitted, raw);
                }
            }
        }
        Err(error) => {
            if verdict == Verdict::GivesUp {
                context.core.ledger.too_slow(sender);
            }
            context.core.ledger.refusals(sender).count(error);
        }
    }
    outcome
}
