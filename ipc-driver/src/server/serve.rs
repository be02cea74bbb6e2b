//! The task of one accepted connection, from its entry in the book of peers to its leaving.

use super::refuse::refuse;
use super::{ServerEvent, Shared};
use crate::counters::Tally;
use crate::error::{BoxError, ConnectionError};
use crate::handlers::Seen;
use crate::log::note;
use crate::peer::Peer;
use crate::printable::Printable;
use crate::pump::{Dispatch, Pump, Why};
use crate::requests::decline;
use crate::runtime::{Remote, Runtime};
use crate::stream::Tap;
use crate::transport::Transport;
use bytes::Bytes;
use ipc_proto::{Event, Failure, IncomingRequest, MAX_CLAIMED_ID, Received, Unsent};
use std::future::{Future, poll_fn};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll, ready};

pub(super) fn admit<R: Runtime>(runtime: &R, stream: Transport<R::Stream>, remote: Remote, shared: &Arc<Shared>) {
    if let Err(reason) = shared.door.ask(&remote) {
        return refuse(runtime, shared, remote, ConnectionError::Refused(reason));
    }
    let (peer, inbound) = {
        let mut core = shared.lock_core();
        match core.handle_accept() {
            Ok((id, connection)) => {
                let _reported_by_the_peers_own_task = core.poll_event();
                let (inbound, outbound) = connection.split();
                let peer = Peer::new(id, remote, outbound, Arc::clone(&shared.common), Arc::clone(&shared.crowd));
                // Entered under the lock of the core, so that whoever sees the count also finds the peer.
                shared.crowd.peers.insert(peer.clone());
                (peer, inbound)
            }
            Err(reason) => {
                drop(core);
                return refuse(runtime, shared, remote, ConnectionError::Refused(reason.into()));
            }
        }
    };
    let dispatch = ServerDispatch {
        seen: Seen::default(),
        tap: shared.outlet.tap(),
        identify: shared.settings.config().identify_peer,
        runtime: runtime.clone(),
        tally: Tally::default(),
        peer,
        shared: Arc::clone(shared),
    };
    let pump = Some(Pump::new(runtime.clone(), stream, inbound, false));
    let serving = Serving { dispatch, pump, unsent: Unsent::default(), left: false };
    runtime.spawn(serving.run());
}

/// The life of one accepted connection. However its task ends, by a panic of a handler or dropped by the runtime, the
/// peer leaves the book and nobody waits for it in vain.
struct Serving<R: Runtime> {
    dispatch: ServerDispatch<R>,
    /// Absent once the connection has ended.
    pump: Option<Pump<R>>,
    unsent: Unsent,
    /// It is not in the book of peers any more.
    left: bool,
}

impl<R: Runtime> Serving<R> {
    /// An `async fn` would hold what it is called with twice, once as its argument and once where it lives on: as much again for
    /// each connection as there is.
    #[allow(clippy::manual_async_fn, reason = "its future would be twice as large")]
    fn run(mut self) -> impl Future<Output = ()> + Send {
        async move {
            let peer = self.dispatch.peer.clone();
            let link = &peer.inner.link;
            let span = self.dispatch.shared.log.connection(Some(peer.id()));
            span.in_scope(|| {
                note!(self.dispatch.shared.log, debug, peer = %peer.id(), "connected");
                link.dispatch(|| self.dispatch.lifecycle(ServerEvent::Connected(peer.clone())));
            });
            let Self { pump, dispatch, .. } = &mut self;
            let why = poll_fn(|cx| match pump {
                Some(pump) => span.in_scope(|| pump.poll(cx, link, dispatch)),
                None => Poll::Ready(Why::Aborted),
            })
            .await;
            self.end();
            let error = why.into_error();
            let had_error = error.is_some();
            span.in_scope(|| {
                if let Some(error) = error {
                    self.dispatch.lifecycle(ServerEvent::Error(peer.clone(), error));
                }
                if let Some(gone) = self.leave(had_error) {
                    self.dispatch.lifecycle(gone);
                }
            });
            peer.inner.ended.set(self.unsent);
            // The last events of a peer wait for room in the stream like all others.
            let _leaving = Leaving::new(Arc::clone(&self.dispatch.shared));
            poll_fn(|cx| self.dispatch.poll_ready(cx)).await;
        }
    }

    /// Closes the stream and counts what was not sent, unless that was done before.
    fn end(&mut self) {
        let Some(pump) = self.pump.take() else { return };
        let peer = self.dispatch.peer.clone();
        if !std::thread::panicking() {
            // Before the last report, so that it counts them.
            peer.inner.session.disconnected(|event, error| self.dispatch.failed(event, error));
        }
        let (transmit, report) = pump.end(&self.dispatch);
        self.unsent = peer.inner.link.finish(report, |outbound| outbound.end(transmit)).unwrap_or_default();
        // A request that was made until then was queued, and has ended too.
        peer.inner.session.finish();
    }

    /// Takes the peer out of the book and gives what is to be said of it, unless that was done before.
    fn leave(&mut self, had_error: bool) -> Option<ServerEvent> {
        (!std::mem::replace(&mut self.left, true)).then(|| self.dispatch.leave(had_error, self.unsent))
    }
}

impl<R: Runtime> Drop for Serving<R> {
    fn drop(&mut self) {
        self.end();
        if let Some(gone) = self.leave(true) {
            self.dispatch.shared.outlet.send_now(gone.clone());
            if std::thread::panicking() {
                // Handlers are told too, but not while the stack unwinds: another panic would end the process.
                let shared = Arc::clone(&self.dispatch.shared);
                self.dispatch.runtime.spawn(async move {
                    shared.handlers.lifecycle(&gone);
                });
            }
        }
        self.dispatch.peer.inner.ended.set(self.unsent);
    }
}

/// One connection more, as long as this lives, that has ended and whose last events wait for room in the stream.
pub(super) struct Leaving(Arc<Shared>);

impl Leaving {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        shared.leaving.fetch_add(1, Ordering::Relaxed);
        Self(shared)
    }
}

impl Drop for Leaving {
    fn drop(&mut self) {
        self.0.leaving.fetch_sub(1, Ordering::Relaxed);
    }
}

struct ServerDispatch<R> {
    runtime: R,
    peer: Peer,
    shared: Arc<Shared>,
    seen: Seen<Peer, ServerEvent>,
    tap: Tap<ServerEvent>,
    identify: bool,
    tally: Tally,
}

impl<R: Runtime> ServerDispatch<R> {
    /// Reports a lifecycle event: to its handlers, and to the stream.
    fn lifecycle(&mut self, event: ServerEvent) {
        self.shared.log.server(&event);
        let heard = self.shared.handlers.lifecycle(&event);
        self.tap.refresh(&self.shared.outlet);
        if let ServerEvent::Error(peer, error) = &event {
            if !heard && !self.tap.is_open() {
                if let Some(unlogged) = self.shared.unheard.count(self.runtime.now()) {
                    note!(self.shared.log, warn, peer = %peer.id(), error = %Printable(error), unlogged, "unheard error");
                }
            }
        }
        self.tap.push(event);
    }

    /// Takes the peer out of the book, and says so.
    fn leave(&self, had_error: bool, unsent: Unsent) -> ServerEvent {
        let peer = self.peer.clone();
        peer.leave_groups();
        // They change no more.
        let counters = peer.counters();
        {
            let mut core = self.shared.lock_core();
            self.shared.crowd.peers.remove(peer.id(), counters);
            core.handle_disconnected(peer.id());
            let _reported_by_the_caller = core.poll_event();
        }
        note!(self.shared.log, debug, peer = %peer.id(), had_error, unsent = unsent.messages, ?counters, "disconnected");
        let claimed_id = peer.claimed_id();
        ServerEvent::Disconnected { peer, claimed_id, had_error, unsent }
    }

    /// No handler took the event: it is for the stream, or for nobody.
    fn not_taken(&mut self, event: Event<'_>) {
        let request = if self.tap.is_open() && !self.seen.answers() { None } else { IncomingRequest::parse(&event) };
        if self.tap.is_open() && request.is_none() {
            return self.tap.push(ServerEvent::Message(self.peer.clone(), event.into_message()));
        }
        self.tally.unhandled += 1;
        self.shared.log.unhandled(event.name());
        let mut errors = Vec::new();
        self.seen.unhandled(&self.peer, &event, |error| errors.push(error));
        let refused = request
            .map(|request| decline(&self.peer.inner.link, request.token(), &Failure::no_handler(request.name())));
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
            let _asker_has_gone = decline(&self.peer.inner.link, request.token(), &failure);
        }
        let error = ConnectionError::Rejected { event: event.name().into(), source: Arc::new(error) };
        self.lifecycle(ServerEvent::Error(self.peer.clone(), error));
    }

    fn failed(&mut self, event: &str, error: BoxError) {
        self.tally.handler_errors += 1;
        let error = ConnectionError::Handler { event: event.into(), source: Arc::new(error) };
        self.lifecycle(ServerEvent::Error(self.peer.clone(), error));
    }

    /// Sends on what waits for room in the stream, and tells of async handlers that have ended.
    #[cold]
    fn poll_room(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        ready!(self.tap.poll_ready(cx, &self.shared.outlet));
        if !self.peer.inner.session.has_news() {
            return Poll::Ready(());
        }
        let peer = self.peer.clone();
        let room = peer.inner.session.poll_room(cx, |event, error| self.failed(event, error));
        // What it told of waits for room in the stream too.
        ready!(self.tap.poll_ready(cx, &self.shared.outlet));
        room
    }
}

impl<R: Runtime> Dispatch for ServerDispatch<R> {
    fn tally(&self) -> Tally {
        self.tally
    }

    #[inline]
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.tap.is_idle() && !self.peer.inner.session.has_news() { Poll::Ready(()) } else { self.poll_room(cx) }
    }

    fn poll_answered(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.peer.inner.session.poll_answered(cx)
    }

    fn begin(&mut self) {
        self.tap.refresh(&self.shared.outlet);
    }

    fn received(&mut self, received: Received<'_>) {
        self.shared.handlers.refresh(&mut self.seen);
        let mut errors = Vec::new();
        match received {
            Received::Event(event) => {
                if self.identify {
                    if let Some(id) = event.sender_id() {
                        if id.len() <= MAX_CLAIMED_ID && self.peer.claim(id) {
                            self.shared.lock_core().handle_claimed_id(self.peer.id(), id);
                        }
                    }
                }
                self.shared.log.received(format_args!("from peer {}", self.peer.id()), &event);
                if self.peer.inner.session.takes_reply(&event) {
                    return;
                }
                if let Err(error) = self.seen.gate(&self.peer, &event) {
                    return self.rejected(&event, error);
                }
                let handling = self.shared.log.handling(event.name());
                let taken = self.seen.event(&self.shared.handlers, &self.peer, &event, |error| errors.push(error))
                    | self.seen.request(&self.peer, &event, |error| errors.push(error));
                drop(handling);
                for error in errors {
                    self.failed(event.name(), error);
                }
                if !taken {
                    self.not_taken(event);
                }
            }
            Received::Raw(bytes) => {
                let taken = self.seen.data(&self.peer, bytes, |error| errors.push(error));
                for error in errors {
                    self.failed("data", error);
                }
                if taken {
                } else if self.tap.is_open() {
                    self.tap.push(ServerEvent::Data(self.peer.clone(), Bytes::copy_from_slice(bytes)));
                } else {
                    self.tally.unhandled += 1;
                }
            }
            Received::Malformed(report) => {
                self.lifecycle(ServerEvent::Error(self.peer.clone(), crate::error::protocol(&report, false)));
            }
            Received::Failed(report) => {
                self.lifecycle(ServerEvent::Error(self.peer.clone(), crate::error::protocol(&report, true)));
            }
            _ => {}
        }
    }
}

#[cfg(all(test, feature = "fake"))]
mod tests {
    use super::*;
    use crate::fake::Fake;

    /// There are as many of these as connections.
    #[test]
    fn the_task_of_a_connection_is_hardly_larger_than_what_it_is_made_of() {
        fn size_of_made<T, O>(_: fn(T) -> O) -> usize {
            size_of::<O>()
        }
        let (made_of, task) = (size_of::<Serving<Fake>>(), size_of_made(Serving::<Fake>::run));
        assert!(task <= made_of + 200, "{task} bytes, made of {made_of}");
        assert!(task + size_of::<crate::peer::Inner>() <= 2048);
    }
}
