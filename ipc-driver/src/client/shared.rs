//! What the handles and the task of a client share, and the ways in which it comes to its end.
//!
//! Where both locks are taken, that of the core comes before that of the link.

use super::ClientEvent;
use super::state::{EndReason, Status};
use crate::counters::{ClientCounters, ConnectionCounters};
use crate::dial::LookupFn;
use crate::handlers::Handlers;
use crate::latch::Latch;
use crate::link::{CloseOrder, Link};
use crate::log::Log;
use crate::requests::Session;
use crate::stream::Outlet;
use crate::tls::Connector;
use crate::wakers::Ticket;
use ipc_proto::{EmitError, Endpoint, Outbound, Settings, Unsent};
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

pub(super) struct Shared {
    pub(super) settings: Settings,
    pub(super) endpoint: Endpoint,
    pub(super) core: Mutex<ipc_proto::Client>,
    pub(super) link: Link,
    pub(super) handlers: Handlers<(), ClientEvent>,
    pub(super) outlet: Outlet<ClientEvent>,
    pub(super) lookup: Mutex<Option<LookupFn>>,
    /// Absent where the connection is in clear.
    pub(super) tls: Mutex<Option<Connector>>,
    pub(super) started: AtomicBool,
    /// Whether the first connection came, or the end before it.
    pub(super) first: Latch<bool>,
    /// What the last attempt said.
    pub(super) last_error: Mutex<Option<Arc<io::Error>>>,
    pub(super) ended: Latch<Unsent>,
    pub(super) session: Session,
    pub(super) status: Status,
    pub(crate) log: Log,
}

impl Shared {
    pub(super) fn lock_core(&self) -> MutexGuard<'_, ipc_proto::Client> {
        self.core.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the core, and tells who watches the state of the client.
    pub(super) fn change<T>(&self, now: Instant, change: impl FnOnce(&mut ipc_proto::Client) -> T) -> T {
        let mut core = self.lock_core();
        let outcome = change(&mut core);
        self.status.look(&core, now);
        outcome
    }

    /// What was counted since the client was made.
    pub(super) fn counters(&self) -> ClientCounters {
        let core = self.lock_core();
        // The queue is in one of the two, and cannot change its place while the core is locked.
        let mut linked = self.link.counters();
        if let Some(queue) = core.queue_counters() {
            linked.sent += queue;
        }
        let ipc_proto::ClientCounters { attempts, connections, failed, exhausted, refused, .. } = core.counters();
        linked.sent.refused += refused;
        ClientCounters { attempts, connections, failed, exhausted, traffic: ConnectionCounters::from(linked) }
    }

    pub(super) fn lookup(&self) -> Option<LookupFn> {
        self.lookup.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn emit(&self, mut emit: impl FnMut(&mut Outbound) -> Result<(), EmitError>) -> Result<(), EmitError> {
        if let Some(outcome) = self.link.emit(&mut emit) {
            return outcome;
        }
        let mut core = self.lock_core();
        // A connection may have come up meanwhile; it cannot while the core is locked.
        match self.link.emit(&mut emit) {
            Some(outcome) => outcome,
            None => core.emit_offline(emit),
        }
    }

    pub(super) fn poll_emit(
        &self,
        cx: &mut Context<'_>,
        ticket: &mut Ticket,
        mut emit: impl FnMut(&mut Outbound) -> Result<(), EmitError>,
    ) -> Poll<Result<(), EmitError>> {
        let mut emit = |outbound: &mut Outbound| outbound.patiently(&mut emit);
        match self.link.poll_emit(cx, ticket, &mut emit) {
            Poll::Ready(Some(outcome)) => return Poll::Ready(outcome),
            Poll::Pending => return Poll::Pending,
            Poll::Ready(None) => {}
        }
        let mut core = self.lock_core();
        match self.link.poll_emit(cx, ticket, &mut emit) {
            Poll::Ready(Some(outcome)) => return Poll::Ready(outcome),
            Poll::Pending => return Poll::Pending,
            Poll::Ready(None) => {}
        }
        match core.emit_offline(emit) {
            Err(EmitError::Full { .. }) => {
                self.link.wait(cx, ticket);
                Poll::Pending
            }
            outcome => Poll::Ready(outcome),
        }
    }

    pub(super) fn disconnect(&self) {
        {
            let mut core = self.lock_core();
            core.disconnect();
            self.status.closing();
        }
        self.link.close(CloseOrder::Abort);
        self.session.hang_up();
        self.end_unstarted();
    }

    /// Flushes and closes if connected, ends at once if not.
    pub(super) fn begin_close(&self, within: Duration) {
        {
            let mut core = self.lock_core();
            self.status.closing();
            if core.is_connected() {
                // Under the lock of the core: the connection cannot end between the look and the order, which would then
                // be for the next one.
                self.link.close(CloseOrder::Flush(within));
            } else {
                core.disconnect();
                self.link.close(CloseOrder::Abort);
            }
        }
        // Whoever waits for a reply need not wait for that.
        self.session.hang_up();
        self.end_unstarted();
    }

    /// A client that was never started has no task to see to its end.
    pub(super) fn end_unstarted(&self) {
        if !self.started.load(Ordering::Relaxed) {
            self.end(EndReason::Closed);
        }
    }

    /// The very end.
    pub(super) fn end(&self, reason: EndReason) {
        self.link.close(CloseOrder::Abort);
        self.session.finish();
        let unsent = self.lock_core().unsent();
        self.status.end(reason);
        // Whoever waits for it looks at the reason.
        self.first.set(false);
        self.ended.set(unsent);
        self.outlet.close();
        // They may hold an emitter, which holds them.
        self.handlers.clear();
    }
}
