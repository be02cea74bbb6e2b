//! The task of a client: dials, runs the connection, reports, and sees to the end. What to do next is for
//! [`ipc_proto::Client`] to say.

use super::ClientEvent;
use super::shared::Shared;
use super::state::EndReason;
use crate::counters::Tally;
use crate::error::{BoxError, ConnectionError};
use crate::handlers::Seen;
use crate::link::CloseOrder;
use crate::log::note;
use crate::printable::Printable;
use crate::pump::{Dispatch, Pump, Why};
use crate::requests::decline;
use crate::runtime::{Runtime, Timer};
use crate::stream::Tap;
use crate::unheard::Unheard;
use bytes::Bytes;
use ipc_proto::{ClientAction, Connection, Endpoint, Event, Failure, IncomingRequest, Received};
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::{Arc, PoisonError};
use std::task::{Context, Poll, ready};

/// The life of a client, from `start` to its end. However its task ends, by a panic of a handler or dropped by the
/// runtime, the client has ended too and nobody waits for it in vain.
pub(super) struct Running<R: Runtime> {
    runtime: R,
    dispatch: ClientDispatch<R>,
    /// Present while connected.
    pump: Option<Pump<R>>,
    /// The server has, on the last connection.
    broke_protocol: bool,
    ended: bool,
}

impl<R: Runtime> Running<R> {
    pub(super) fn new(runtime: R, shared: Arc<Shared>) -> Self {
        let dispatch = ClientDispatch {
            seen: Seen::default(),
            tap: shared.outlet.tap(),
            unheard: Unheard::default(),
            told: false,
            runtime: runtime.clone(),
            tally: Tally::default(),
            shared,
        };
        Self { runtime, dispatch, pump: None, broke_protocol: false, ended: false }
    }

    #[allow(clippy::manual_async_fn, reason = "its future would hold what it is called with twice")]
    pub(super) fn run(mut self) -> impl Future<Output = ()> + Send {
        async move {
            let shared = Arc::clone(&self.dispatch.shared);
            let mut timer = self.runtime.timer();
            loop {
                self.dispatch.report();
                if shared.lock_core().is_destroyed() {
                    break;
                }
                // Lifecycle events wait for room in the stream like all others; a client that nobody hears makes no new ones.
                wait(&shared, |cx| self.dispatch.poll_ready(cx)).await;
                let (action, timeout) = {
                    let mut core = shared.lock_core();
                    (core.poll_action(), core.poll_timeout())
                };
                match action {
                    Some(ClientAction::Connect(endpoint)) => self.attempt(&shared, &endpoint).await,
                    // Told to end between two attempts.
                    Some(_) => self.connect_failed(&shared),
                    None => {
                        timer.set(timeout);
                        wait(&shared, |cx| timer.poll_expired(cx)).await;
                        let now = self.runtime.now();
                        shared.change(now, |core| core.handle_timeout(now));
                    }
                }
            }
            self.ended = true;
            shared.end(self.reason(&shared));
            poll_fn(|cx| self.dispatch.poll_ready(cx)).await;
        }
    }

    /// One attempt to connect, and the connection if it succeeds.
    async fn attempt(&mut self, shared: &Shared, endpoint: &Endpoint) {
        let mut outcome = None;
        {
            let mut connecting = pin!(shared.connect(&self.runtime, endpoint));
            wait(shared, |cx| connecting.as_mut().poll(cx).map(|done| outcome = Some(done))).await;
        }
        let stream = match outcome {
            Some(Ok(stream)) => stream,
            Some(Err(error)) => {
                let source = Arc::new(error);
                *shared.last_error.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(&source));
                let endpoint = endpoint.clone();
                self.dispatch.lifecycle(ClientEvent::Error(ConnectionError::Connect { endpoint, source }));
                return self.connect_failed(shared);
            }
            // Told to end.
            None => return self.connect_failed(shared),
        };
        {
            let mut core = shared.lock_core();
            let Some(connection) = core.handle_connected(self.runtime.now()) else {
                drop(core);
                return self.connect_failed(shared);
            };
            shared.status.look(&core, self.runtime.now());
            let Connection { inbound, outbound, .. } = connection;
            shared.link.attach(outbound);
            self.pump = Some(Pump::new(self.runtime.clone(), stream, inbound, shared.settings.config().sync));
        }
        let span = shared.log.connection(None::<&str>);
        span.in_scope(|| {
            note!(shared.log, debug, %endpoint, "connected");
            shared.first.set(true);
            shared.link.dispatch(|| self.dispatch.report());
        });
        let Self { pump, dispatch, .. } = self;
        let why = poll_fn(|cx| match pump {
            Some(pump) => span.in_scope(|| pump.poll(cx, &shared.link, dispatch)),
            None => Poll::Ready(Why::Aborted),
        })
        .await;
        let retry = !matches!(why, Why::Protocol);
        self.broke_protocol = !retry;
        let ours = matches!(why, Why::Flushed | Why::Aborted);
        span.in_scope(|| note!(shared.log, debug, %endpoint, ?why, "disconnected"));
        if let Some(error) = why.into_error() {
            self.dispatch.lifecycle(ClientEvent::Error(error));
        }
        self.disconnected(retry, ours);
    }

    fn connect_failed(&self, shared: &Shared) {
        let now = self.runtime.now();
        shared.change(now, |core| core.handle_connect_failed(now));
    }

    fn reason(&self, shared: &Shared) -> EndReason {
        match () {
            () if self.broke_protocol => EndReason::Protocol,
            () if shared.lock_core().counters().exhausted > 0 => EndReason::GaveUp,
            () => EndReason::Closed,
        }
    }

    /// The connection has ended; `ours` if that was our wish.
    fn disconnected(&mut self, retry: bool, ours: bool) {
        let Some(pump) = self.pump.take() else { return };
        let shared = Arc::clone(&self.dispatch.shared);
        if !std::thread::panicking() {
            // Before the last report, so that it counts them.
            shared.session.disconnected(|event, error| self.dispatch.failed(event, error));
        }
        let (transmit, report) = pump.end(&self.dispatch);
        // The next connection counts from the start.
        self.dispatch.tally = Tally::default();
        let shared = &self.dispatch.shared;
        let mut core = shared.lock_core();
        if let Some(outbound) = shared.link.detach(report) {
            if ours || shared.link.order() != CloseOrder::Open {
                core.disconnect();
            }
            core.handle_disconnected(self.runtime.now(), outbound, transmit, retry);
            shared.status.look(&core, self.runtime.now());
            drop(core);
            // With the queue gone, so that none is queued any more that nobody would end.
            shared.session.hang_up();
            note!(shared.log, debug, endpoint = %shared.endpoint, counters = ?shared.counters(), "counted so far");
        }
    }
}

impl<R: Runtime> Drop for Running<R> {
    fn drop(&mut self) {
        if self.ended {
            return;
        }
        self.disconnected(false, true);
        let shared = Arc::clone(&self.dispatch.shared);
        {
            let mut core = shared.lock_core();
            core.disconnect();
            core.handle_connect_failed(self.runtime.now());
        }
        let mut rest = Vec::new();
        while let Some(event) = self.dispatch.next_lifecycle() {
            shared.outlet.send_now(event.clone());
            rest.push(event);
        }
        if std::thread::panicking() {
            // Handlers are told too, but not while the stack unwinds: another panic would end the process.
            self.runtime.spawn(async move {
                let _ended = End(&shared);
                for event in &rest {
                    shared.handlers.lifecycle(event);
                }
            });
        } else {
            shared.end(EndReason::Aborted);
        }
    }
}

/// Ends a client when it is dropped.
struct End<'a>(&'a Shared);

impl Drop for End<'_> {
    fn drop(&mut self) {
        self.0.end(EndReason::Aborted);
    }
}

/// Waits for `ready`, or until the client is told to end.
async fn wait(shared: &Shared, mut ready: impl FnMut(&mut Context<'_>) -> Poll<()>) {
    poll_fn(|cx| {
        // Parked before the look, so that an end that comes after the look wakes us. There is no queue that could keep us awake.
        while !shared.link.park(cx, shared.link.unpark()) {}
        if shared.lock_core().is_closing() { Poll::Ready(()) } else { ready(cx) }
    })
    .await;
}

struct ClientDispatch<R> {
    runtime: R,
    shared: Arc<Shared>,
    seen: Seen<(), ClientEvent>,
    tap: Tap<ClientEvent>,
    unheard: Unheard,
    /// An attempt has failed since the last connection.
    told: bool,
    /// Of this connection.
    tally: Tally,
}

impl<R: Runtime> ClientDispatch<R> {
    /// Reports what the core has to tell.
    fn report(&mut self) {
        while let Some(event) = self.next_lifecycle() {
            self.lifecycle(event);
        }
    }

    fn next_lifecycle(&self) -> Option<ClientEvent> {
        Some(match self.shared.lock_core().poll_event()? {
            ipc_proto::ClientEvent::Connected => ClientEvent::Connected,
            ipc_proto::ClientEvent::Disconnected { retry_in, unsent } => ClientEvent::Disconnected { retry_in, unsent },
            _ => ClientEvent::Destroyed,
        })
    }

    /// Reports a lifecycle event: to its handlers, and to the stream.
    fn lifecycle(&mut self, event: ClientEvent) {
        if let ClientEvent::Error(error) = &event {
            self.shared.status.failed(error);
        }
        self.shared.log.client(&event);
        let heard = self.shared.handlers.lifecycle(&event);
        self.tap.refresh(&self.shared.outlet);
        if let ClientEvent::Connected = &event {
            self.told = false;
        }
        if let ClientEvent::Error(error) = &event {
            // Who waits to be connected does not look at the stream meanwhile: the first failure is for the log too.
            let first = matches!(error, ConnectionError::Connect { .. }) && !std::mem::replace(&mut self.told, true);
            if !heard && (first || !self.tap.is_open()) {
                if let Some(unlogged) = self.unheard.count(self.runtime.now()) {
                    note!(self.shared.log, warn, endpoint = %self.shared.endpoint, error = %Printable(error), unlogged, "unheard error");
                }
            }
        }
        self.tap.push(event);
    }

    /// No handler took the event: it is for the stream, or for nobody.
    fn not_taken(&mut self, event: Event<'_>) {
        let request = if self.tap.is_open() && !self.seen.answers() { None } else { IncomingRequest::parse(&event) };
        if self.tap.is_open() && request.is_none() {
            return self.tap.push(ClientEvent::Message(event.into_message()));
        }
        self.tally.unhandled += 1;
        self.shared.log.unhandled(event.name());
        let mut errors = Vec::new();
        self.seen.unhandled(&(), &event, |error| errors.push(error));
        let refused =
            request.map(|request| decline(&self.shared.link, request.token(), &Failure::no_handler(request.name())));
        errors.extend(refused.and_then(Result::err).map(Into::into));
        for error in errors {
            self.failed(event.name(), error);
        }
    }

    /// A gate has refused the event.
    fn rejected(&mut self, event: &Event<'_>, error: BoxError) {
        self.tally.rejected += 1;
        if let Some(request) = IncomingRequest::parse(event) {
            let failure = Failure::new(Failure::REJECTED, error.to_string());
            let _asker_has_gone = decline(&self.shared.link, request.token(), &failure);
        }
        let source = Arc::new(error);
        self.lifecycle(ClientEvent::Error(ConnectionError::Rejected { event: event.name().into(), source }));
    }

    fn failed(&mut self, event: &str, error: BoxError) {
        self.tally.handler_errors += 1;
        let source = Arc::new(error);
        self.lifecycle(ClientEvent::Error(ConnectionError::Handler { event: event.into(), source }));
    }

    /// Sends on what waits for room in the stream, and tells of async handlers that have ended.
    #[cold]
    fn poll_room(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        ready!(self.tap.poll_ready(cx, &self.shared.outlet));
        if !self.shared.session.has_news() {
            return Poll::Ready(());
        }
        let shared = Arc::clone(&self.shared);
        let room = shared.session.poll_room(cx, |event, error| self.failed(event, error));
        // What it told of waits for room in the stream too.
        ready!(self.tap.poll_ready(cx, &shared.outlet));
        room
    }
}

impl<R: Runtime> Dispatch for ClientDispatch<R> {
    fn tally(&self) -> Tally {
        self.tally
    }

    #[inline]
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.tap.is_idle() && !self.shared.session.has_news() { Poll::Ready(()) } else { self.poll_room(cx) }
    }

    fn poll_answered(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.shared.session.poll_answered(cx)
    }

    fn begin(&mut self) {
        self.tap.refresh(&self.shared.outlet);
    }

    fn received(&mut self, received: Received<'_>) {
        self.shared.handlers.refresh(&mut self.seen);
        let mut errors = Vec::new();
        match received {
            Received::Event(event) => {
                self.shared.log.received("from the server", &event);
                if self.shared.session.takes_reply(&event) {
                    return;
                }
                if let Err(error) = self.seen.gate(&(), &event) {
                    return self.rejected(&event, error);
                }
                let handling = self.shared.log.handling(event.name());
                let taken = self.seen.event(&self.shared.handlers, &(), &event, |error| errors.push(error))
                    | self.seen.request(&(), &event, |error| errors.push(error));
                drop(handling);
                for error in errors {
                    self.failed(event.name(), error);
                }
                if !taken {
                    self.not_taken(event);
                }
            }
            Received::Raw(bytes) => {
                let taken = self.seen.data(&(), bytes, |error| errors.push(error));
                for error in errors {
                    self.failed("data", error);
                }
                if taken {
                } else if self.tap.is_open() {
                    self.tap.push(ClientEvent::Data(Bytes::copy_from_slice(bytes)));
                } else {
                    self.tally.unhandled += 1;
                }
            }
            Received::Malformed(report) => {
                self.lifecycle(ClientEvent::Error(crate::error::protocol(&report, false)));
            }
            Received::Failed(report) => self.lifecycle(ClientEvent::Error(crate::error::protocol(&report, true))),
            _ => {}
        }
    }
}
