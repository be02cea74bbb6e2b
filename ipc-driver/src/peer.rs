//! A connected client, as its server sees it.

use crate::counters::ConnectionCounters;
use crate::emit::emit_methods;
use crate::error::CloseError;
use crate::latch::Latch;
use crate::link::{CloseOrder, Link};
use crate::runtime::Remote;
use crate::server::{Groups, Membership};
use crate::wakers::Ticket;
use ipc_proto::{EmitError, Frame, Outbound, PeerId, Unsent};
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

/// One connection of a server. Cheap to clone; clones are the same peer, and comparing them compares that.
///
/// A `Peer` may be kept after its connection has ended: then emits are refused with
/// [`EmitError::Closed`](crate::EmitError::Closed). It does not keep the server alive.
#[derive(Clone)]
pub struct Peer {
    pub(crate) inner: Arc<Inner>,
}

pub(crate) struct Inner {
    id: PeerId,
    remote: Remote,
    pub(crate) link: Link,
    /// JSON text of `data.id`. The lock protects nothing else.
    claimed: Mutex<Option<Arc<str>>>,
    pub(crate) membership: Membership,
    /// What was left unsent when the connection ended.
    pub(crate) ended: Latch<Unsent>,
}

impl Peer {
    pub(crate) fn new(id: PeerId, remote: Remote, outbound: Outbound, groups: Arc<Groups>) -> Self {
        Self {
            inner: Arc::new(Inner {
                id,
                remote,
                link: Link::new(outbound),
                claimed: Mutex::new(None),
                membership: Membership::new(groups),
                ended: Latch::default(),
            }),
        }
    }

    /// Its number, never used twice by a server.
    #[must_use]
    pub fn id(&self) -> PeerId {
        self.inner.id
    }

    /// Where it comes from.
    #[must_use]
    pub fn remote(&self) -> &Remote {
        &self.inner.remote
    }

    /// The id the peer gave itself with a truthy `data.id` (`socket.id` in node-ipc), as JSON text. Anybody may claim any
    /// id: do not trust it. Only looked for where `identifyPeer` is on, which node-ipc 9.2.1 always has.
    #[must_use]
    pub fn claimed_id(&self) -> Option<Arc<str>> {
        self.inner.claimed.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Notes a claimed id; `false` if it is the one known already.
    pub(crate) fn claim(&self, id: &str) -> bool {
        let mut claimed = self.inner.claimed.lock().unwrap_or_else(PoisonError::into_inner);
        let new = claimed.as_deref() != Some(id);
        if new {
            *claimed = Some(id.into());
        }
        new
    }

    /// Whether the connection has ended.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.inner.ended.get().is_some()
    }

    /// Bytes queued for it and not yet taken by the operating system.
    #[must_use]
    pub fn pending(&self) -> usize {
        self.inner.link.pending()
    }

    /// What was counted since it connected; once it has ended, how it stood at the end. Emits that are refused later are
    /// not counted.
    #[must_use]
    pub fn counters(&self) -> ConnectionCounters {
        self.inner.link.counters().into()
    }

    emit_methods!();

    fn link(&self) -> &Link {
        &self.inner.link
    }

    fn emit_with(&self, emit: impl FnOnce(&mut Outbound) -> Result<(), EmitError>) -> Result<(), EmitError> {
        self.inner.link.emit(emit).unwrap_or(Err(EmitError::Closed))
    }

    /// Queues a frame; `false` if the policy of its queue has dropped it.
    pub(crate) fn offer_frame(&self, frame: &Frame) -> Result<bool, EmitError> {
        let mut taken = true;
        self.emit_with(|outbound| {
            let dropped = outbound.dropped_newest();
            outbound.emit_frame(frame)?;
            taken = outbound.dropped_newest() == dropped;
            Ok(())
        })?;
        Ok(taken)
    }

    fn poll_emit_with(
        &self,
        cx: &mut Context<'_>,
        ticket: &mut Ticket,
        emit: impl FnOnce(&mut Outbound) -> Result<(), EmitError>,
    ) -> Poll<Result<(), EmitError>> {
        self.inner
            .link
            .poll_emit(cx, ticket, |outbound| outbound.patiently(emit))
            .map(|outcome| outcome.unwrap_or(Err(EmitError::Closed)))
    }

    /// Sends what is queued, ends the connection, and waits until the peer has ended its side too, 5 seconds at most.
    /// Further emits are refused from now on.
    ///
    /// Cancel safe: the connection is closed whether or not this is awaited to the end.
    ///
    /// # Errors
    ///
    /// [`CloseError`] says how much was not sent.
    pub async fn close(&self) -> Result<(), CloseError> {
        self.inner.link.close(CloseOrder::Flush(crate::CLOSE_WITHIN));
        unsent(self.inner.ended.wait().await)
    }

    /// Ends the connection at once. What is queued and the socket does not take at once is lost, as with
    /// `socket.destroy()` in Node.
    pub fn abort(&self) {
        self.inner.link.close(CloseOrder::Abort);
    }
}

pub(crate) fn unsent(unsent: Unsent) -> Result<(), CloseError> {
    if unsent.is_empty() { Ok(()) } else { Err(CloseError { unsent }) }
}

impl PartialEq for Peer {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.inner, &other.inner)
    }
}

impl Eq for Peer {}

impl fmt::Debug for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Peer").field("id", &self.inner.id.get()).field("remote", &self.inner.remote.address).finish()
    }
}
