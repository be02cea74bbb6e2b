//! A server on the simulated network: an [`ipc_proto::Server`], a connection for each peer, and an [`App`] above them.

use std::collections::BTreeMap;
use std::fmt;
use std::time::{Duration, Instant};

use ipc_proto::{Endpoint, Server, ServerEvent, Settings};

use crate::app::{App, Control, Happening, Machine, Peer};
use crate::channel::{Channel, Channels};
use crate::client::ROUNDS;
use crate::failure::Invariant;
use crate::ledger::Ending;
use crate::network::StreamId;
use crate::node::{Context, Input, Node};

/// A server: listens from the start, and lets an [`App`] talk to its peers.
pub struct ServerNode<A> {
    settings: Settings,
    endpoint: Endpoint,
    server: Server,
    channels: Channels,
    /// Who was announced as connected, and what they call themselves.
    announced: BTreeMap<u64, Option<Box<str>>>,
    listening: bool,
    app: A,
}

impl<A: App> ServerNode<A> {
    /// A server with these settings, to be found at `endpoint`.
    #[must_use]
    pub fn new(settings: Settings, endpoint: Endpoint, app: A) -> Self {
        let server = Server::new(settings.clone());
        let channels = Channels::new(settings.clone());
        Self { settings, endpoint, server, channels, announced: BTreeMap::new(), listening: false, app }
    }

    /// The program above it.
    #[must_use]
    pub fn app(&self) -> &A {
        &self.app
    }

    /// The same, to be changed; what it should do about the change it does at its next event.
    pub fn app_mut(&mut self) -> &mut A {
        &mut self.app
    }

    /// The machine.
    #[must_use]
    pub fn server(&self) -> &Server {
        &self.server
    }

    /// Whether it has nothing to send or to take any more.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.channels.list.values().all(Channel::is_idle)
    }

    pub(crate) fn has_stream(&self, stream: StreamId) -> bool {
        self.channels.key_of(stream).is_some()
    }

    /// Lets the program, or a test, use what it can do.
    pub fn control(&mut self, context: &mut Context<'_>, act: impl FnOnce(&mut A, &mut Control<'_, '_>)) {
        let machine = Machine::Server(&mut self.server);
        act(&mut self.app, &mut Control { machine, channels: &mut self.channels, context });
        self.drive(context);
    }

    /// Listens, also again.
    pub fn start(&mut self, context: &mut Context<'_>) {
        self.server.start();
        context.listen(&self.endpoint);
        self.tell(Happening::Started, context);
        self.drive(context);
    }

    /// Accepts nobody any more. With `close` every connection is closed once what is queued has left; else they stay.
    pub fn stop(&mut self, close: bool, context: &mut Context<'_>) {
        self.server.stop();
        context.stop_listening(&self.endpoint);
        if close {
            self.channels.list.values_mut().for_each(|channel| channel.close(context));
        }
        self.drive(context);
    }

    /// The process is gone, with everything in it. The peers learn of it at once, or after that time if the machine
    /// it ran on has gone with it.
    pub fn crash(&mut self, unnoticed_for: Option<Duration>, context: &mut Context<'_>) {
        context.trace("crashes", 0, 0);
        context.stop_listening(&self.endpoint);
        for channel in std::mem::take(&mut self.channels.list).into_values() {
            context.core.ledger.crashed(channel.sender);
            if let Some(time) = unnoticed_for {
                context.cut(channel.stream, Duration::ZERO, time);
            }
            context.end(channel.stream, Ending::Crashed);
        }
        self.server = Server::new(self.settings.clone());
        self.announced.clear();
        self.listening = false;
    }

    fn tell(&mut self, happening: Happening<'_>, context: &mut Context<'_>) {
        let mut machine = Machine::Server(&mut self.server);
        self.channels.tell(&mut machine, &mut self.app, context, happening);
    }

    fn accept(&mut self, stream: StreamId, context: &mut Context<'_>) {
        match self.server.handle_accept() {
            Ok((peer, connection)) => {
                let sender = context.core.ledger.add_sender(false, self.settings.is_raw());
                let channel = Channel::new(stream, connection, sender, context);
                self.channels.list.insert(peer.get(), channel);
                context.trace("accepts stream {a} as peer {b}", stream.0.into(), peer.get());
            }
            Err(_) => {
                context.trace("refuses stream {a}", stream.0.into(), 0);
                context.close(stream);
            }
        }
    }

    /// Does whatever can be done now with every connection.
    fn drive(&mut self, context: &mut Context<'_>) {
        let all = self.channels.list.keys().copied().collect();
        self.drive_some(all, context);
    }

    /// Does whatever can be done now with these connections, and with those that their handlers write to.
    fn drive_some(&mut self, mut due: Vec<u64>, context: &mut Context<'_>) {
        self.drain_events(context);
        for _ in 0..ROUNDS {
            if due.is_empty() || context.core.violation.is_some() {
                return self.check(context);
            }
            for key in due {
                let mut machine = Machine::Server(&mut self.server);
                if let Some(ending) = self.channels.pump(key, &mut machine, &mut self.app, context) {
                    self.end(key, ending, context);
                }
                self.drain_events(context);
            }
            // Those that had their turn before a handler of another one wrote to them.
            let wants = |(key, channel): (&u64, &Channel)| channel.wants_turn().then_some(*key);
            due = self.channels.list.iter().filter_map(wants).collect();
        }
        context
            .violate(Invariant::Progress, format!("{ROUNDS} rounds at one instant, and something is still to be done"));
    }

    fn end(&mut self, key: u64, ending: Ending, context: &mut Context<'_>) {
        let Some(mut channel) = self.channels.list.remove(&key) else { return };
        context.end(channel.stream, ending);
        let unsent = channel.outbound.end(channel.transmit);
        let policy = ipc_proto::Offline::Refuse;
        let outcome = context.core.ledger.disconnected(channel.sender, true, policy, unsent);
        context.check(outcome);
        if !channel.outbound.is_closed() || channel.outbound.pending() > 0 {
            context.violate(Invariant::Lifecycle, "a queue that has ended still takes or has something".to_owned());
        }
        let peer = self.server.peers().find(|peer| peer.get() == key);
        let claimed = peer.and_then(|peer| self.server.claimed_id(peer)).map(Into::into);
        self.announced.entry(key).and_modify(|known| *known = claimed);
        if let Some(peer) = peer {
            self.server.handle_disconnected(peer);
        } else {
            context.violate(Invariant::Lifecycle, format!("{} is not in the book", Peer(key)));
        }
    }

    fn drain_events(&mut self, context: &mut Context<'_>) {
        while let Some(event) = self.server.poll_event() {
            let (sound, happening) = match &event {
                ServerEvent::Started => (!std::mem::replace(&mut self.listening, true), None),
                ServerEvent::Stopped => (std::mem::take(&mut self.listening), None),
                ServerEvent::Connected(peer) => {
                    let peer = peer.get();
                    let newest = self.announced.keys().next_back().is_none_or(|last| *last < peer);
                    self.announced.insert(peer, None);
                    (newest, Some(Happening::Connected(Peer(peer))))
                }
                ServerEvent::Disconnected { peer, claimed_id } => {
                    let known = self.announced.remove(&peer.get());
                    (known.as_ref() == Some(claimed_id), Some(Happening::Disconnected(Peer(peer.get()))))
                }
                _ => (false, None),
            };
            if !sound {
                context.violate(Invariant::Lifecycle, format!("a server says {event:?} out of order"));
            }
            if let Some(happening) = happening {
                self.tell(happening, context);
            }
        }
    }

    fn check(&mut self, context: &mut Context<'_>) {
        let (book, limit) = (self.server.len(), self.settings.config().max_connections);
        if book > limit {
            context.violate(Invariant::Bounds, format!("{book} peers are connected where {limit} may be"));
        }
        if book != self.channels.list.len()
            || book != self.announced.len()
            || self.listening != self.server.is_listening()
        {
            let (connections, announced) = (self.channels.list.len(), self.announced.len());
            let message =
                format!("{book} peers are in the book, {connections} have a connection, {announced} announced");
            context.violate(Invariant::Lifecycle, message);
        }
    }
}

impl<A: App> Node for ServerNode<A> {
    fn handle(&mut self, input: Input, context: &mut Context<'_>) {
        match input {
            Input::Started => return self.start(context),
            Input::Accepted(stream) => self.accept(stream, context),
            Input::Timeout if self.app.poll_timeout().is_some_and(|at| at <= context.now()) => {
                self.tell(Happening::Timeout, context);
            }
            Input::Ready(stream) => {
                let key = self.channels.key_of(stream);
                return self.drive_some(key.into_iter().collect(), context);
            }
            _ => {}
        }
        self.drive(context);
    }

    fn poll_timeout(&self) -> Option<Instant> {
        [self.channels.poll_timeout(), self.app.poll_timeout()].into_iter().flatten().min()
    }
}

impl<A> fmt::Debug for ServerNode<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerNode").field("server", &self.server).finish_non_exhaustive()
    }
}
