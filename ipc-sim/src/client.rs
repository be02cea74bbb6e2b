//! A client on the simulated network: an [`ipc_proto::Client`] with its stream and an [`App`] above it.

use std::fmt;
use std::time::Instant;

use ipc_proto::{Client, ClientAction, ClientEvent, Endpoint, Settings};

use crate::app::{App, ClientSide, Control, Happening, Machine, Peer};
use crate::channel::{Channel, Channels};
use crate::failure::Invariant;
use crate::ledger::Ending;
use crate::network::StreamId;
use crate::node::{Context, Input, Node};
use crate::watch::ClientWatch;

/// So many rounds at one instant; one or two are usual.
pub(crate) const ROUNDS: usize = 1000;

/// A client: connects at the start, retries as its settings say, and lets an [`App`] use its connection.
pub struct ClientNode<A> {
    settings: Settings,
    endpoint: Endpoint,
    /// Absent until it was put on the network.
    side: Option<ClientSide>,
    channels: Channels,
    dial: Option<StreamId>,
    app: A,
}

impl<A: App> ClientNode<A> {
    /// A client with these settings, for the server at `endpoint`.
    #[must_use]
    pub fn new(settings: Settings, endpoint: Endpoint, app: A) -> Self {
        let channels = Channels::new(settings.clone());
        Self { settings, endpoint, side: None, channels, dial: None, app }
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

    /// The machine; `None` before it was put on a network.
    #[must_use]
    pub fn client(&self) -> Option<&Client> {
        self.side.as_ref().map(|side| &side.client)
    }

    /// Whether it is connected and has nothing to send or to take any more.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        !self.channels.list.is_empty() && self.channels.list.values().all(Channel::is_idle)
    }

    pub(crate) fn stream(&self) -> Option<StreamId> {
        self.channels.list.get(&0).map(|channel| channel.stream)
    }

    /// Lets the program, or a test, use what it can do.
    pub fn control(&mut self, context: &mut Context<'_>, act: impl FnOnce(&mut A, &mut Control<'_, '_>)) {
        if let Some(side) = &mut self.side {
            let machine = Machine::Client(side);
            act(&mut self.app, &mut Control { machine, channels: &mut self.channels, context });
            self.drive(context);
        }
    }

    fn tell(&mut self, happening: Happening<'_>, context: &mut Context<'_>) {
        if let Some(side) = &mut self.side {
            let mut machine = Machine::Client(side);
            self.channels.tell(&mut machine, &mut self.app, context, happening);
        }
    }

    /// Does whatever can be done now, until there is nothing more.
    fn drive(&mut self, context: &mut Context<'_>) {
        for _ in 0..ROUNDS {
            if context.core.violation.is_some() {
                return;
            }
            let busy = self.drain_events(context) | self.drain_actions(context);
            let ended = self.pump(context);
            if !busy && !ended {
                return self.check(context);
            }
        }
        context
            .violate(Invariant::Progress, format!("{ROUNDS} rounds at one instant, and something is still to be done"));
    }

    fn drain_events(&mut self, context: &mut Context<'_>) -> bool {
        let mut busy = false;
        while let Some(event) = self.side.as_mut().and_then(|side| side.client.poll_event()) {
            busy = true;
            let Some(side) = &mut self.side else { break };
            let outcome = side.watch.event(&event, context.now());
            context.check(outcome);
            let happening = match event {
                ClientEvent::Connected => {
                    context.trace("is connected", 0, 0);
                    Happening::Connected(Peer::SERVER)
                }
                ClientEvent::Disconnected { retry_in, unsent } => {
                    let wait = retry_in.map_or(0, crate::random::nanos);
                    context.trace(
                        "is disconnected, {a} events unsent, tries again in {b} ns",
                        unsent.messages as u64,
                        wait,
                    );
                    let offline = self.settings.config().offline;
                    let ledger = &mut context.core.ledger;
                    let outcome = ledger.disconnected(side.sender, retry_in.is_none(), offline, unsent);
                    context.check(outcome);
                    Happening::Disconnected(Peer::SERVER)
                }
                ClientEvent::Destroyed => {
                    context.trace("is destroyed", 0, 0);
                    Happening::Destroyed
                }
                other => {
                    context.violate(Invariant::Lifecycle, format!("an event that is not known here: {other:?}"));
                    break;
                }
            };
            self.tell(happening, context);
        }
        busy
    }

    fn drain_actions(&mut self, context: &mut Context<'_>) -> bool {
        let mut busy = false;
        while let Some(action) = self.side.as_mut().and_then(|side| side.client.poll_action()) {
            busy = true;
            let Some(side) = &mut self.side else { break };
            let outcome = side.watch.action(&action, context.now());
            context.check(outcome);
            match action {
                ClientAction::Connect(endpoint) => self.dial = Some(context.connect(&endpoint)),
                _ => match self.dial.take() {
                    Some(dial) => {
                        context.close(dial);
                        side.client.handle_connect_failed(context.now());
                    }
                    None => self.end(Ending::Closed, context),
                },
            }
        }
        busy
    }

    /// Runs the connection, if there is one. Says whether it has ended.
    fn pump(&mut self, context: &mut Context<'_>) -> bool {
        let Some(side) = &mut self.side else { return false };
        let mut machine = Machine::Client(side);
        match self.channels.pump(0, &mut machine, &mut self.app, context) {
            None => false,
            Some(ending) => {
                self.end(ending, context);
                true
            }
        }
    }

    fn end(&mut self, ending: Ending, context: &mut Context<'_>) {
        let (Some(channel), Some(side)) = (self.channels.list.remove(&0), &mut self.side) else { return };
        context.end(channel.stream, ending);
        if side.ends_with_connection && !side.client.is_closing() {
            side.watch.told_to_disconnect(&side.client);
            side.client.disconnect();
        }
        let failed = ending == Ending::Failed;
        side.watch.failed |= failed;
        side.client.handle_disconnected(context.now(), channel.outbound, channel.transmit, !failed);
    }

    fn check(&mut self, context: &mut Context<'_>) {
        let Some(side) = &mut self.side else { return };
        let has_connection = !self.channels.list.is_empty();
        let outcome = side.watch.check(&side.client, has_connection, context.now());
        context.check(outcome);
        if side.watch.is_ended() {
            // It may have ended without an event: what it says it has lost since is all that was left.
            let left = context.core.ledger.ended(side.sender, side.client.unsent());
            context.check(left);
        }
        let outcome = context.core.ledger.check_dropped(side.sender, side.client.dropped());
        context.check(outcome);
        if !has_connection && context.core.ledger.pending(side.sender).1 != side.client.held() {
            context.violate(Invariant::Accounting, "`sync` holds other events than it should".to_owned());
        }
    }
}

impl<A: App> Node for ClientNode<A> {
    fn handle(&mut self, input: Input, context: &mut Context<'_>) {
        let now = context.now();
        match input {
            Input::Started => {
                let config = self.settings.config();
                let sender = context.core.ledger.add_sender(config.sync, self.settings.is_raw());
                let seed = context.random().next_u64();
                let mut client = Client::new(self.settings.clone(), self.endpoint.clone(), seed);
                let watch = ClientWatch::new(&self.settings);
                client.connect();
                self.side = Some(ClientSide { client, watch, sender, ends_with_connection: false });
                self.tell(Happening::Started, context);
            }
            Input::Connected(stream) if self.dial == Some(stream) => {
                self.dial = None;
                let Some(side) = &mut self.side else { return };
                match side.client.handle_connected(now) {
                    Some(connection) => {
                        let channel = Channel::new(stream, connection, side.sender, context);
                        self.channels.list.insert(0, channel);
                    }
                    None => {
                        context.close(stream);
                        side.client.handle_connect_failed(now);
                    }
                }
            }
            Input::ConnectFailed(stream) if self.dial == Some(stream) => {
                context.trace("cannot connect, stream {a}", stream.0.into(), 0);
                self.dial = None;
                if let Some(side) = &mut self.side {
                    side.client.handle_connect_failed(now);
                }
            }
            Input::Timeout => {
                if let Some(side) = &mut self.side {
                    side.client.handle_timeout(now);
                }
                if self.app.poll_timeout().is_some_and(|at| at <= now) {
                    self.tell(Happening::Timeout, context);
                }
            }
            _ => {}
        }
        self.drive(context);
    }

    fn poll_timeout(&self) -> Option<Instant> {
        let client = self.side.as_ref().and_then(|side| side.client.poll_timeout());
        [client, self.channels.poll_timeout(), self.app.poll_timeout()].into_iter().flatten().min()
    }
}

impl<A> fmt::Debug for ClientNode<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientNode").field("side", &self.side).field("dial", &self.dial).finish_non_exhaustive()
    }
}
