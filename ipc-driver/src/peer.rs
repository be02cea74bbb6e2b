//! A connected client, as its server sees it.

use crate::counters::ConnectionCounters;
use crate::emit::emit_methods;
use crate::error::CloseError;
use crate::extensions::Extensions;
use crate::latch::Latch;
use crate::link::{CloseOrder, Link};
use crate::requests::{Asker, Common, PendingRequest, Session};
use crate::runtime::Remote;
use crate::server::{Crowd, Membership};
use crate::wakers::Ticket;
use ipc_proto::{EmitError, Frame, Outbound, PeerId, RequestCounters, Unsent};
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
    pub(crate) session: Session,
    kept: Extensions,
}

impl Peer {
    pub(crate) fn new(id: PeerId, remote: Remote, outbound: Outbound, common: Arc<Common>, crowd: Arc<Crowd>) -> Self {
        Self {
            inner: Arc::new(Inner {
                id,
                remote,
                link: Link::new(outbound),
                claimed: Mutex::new(None),
                membership: Membership::new(crowd),
                ended: Latch::default(),
                session: Session::new(common),
                kept: Extensions::default(),
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
    ///
    /// ```
    /// # use ipc_driver::{Client, Config, Endpoint, Server, fake::Fake};
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let runtime = Fake::new(1);
    /// # let settings = ipc_driver::build(Config::new("world"))?;
    /// # let endpoint = Endpoint::net(&settings, None, None)?;
    /// # let server = Server::with_runtime(runtime.clone(), settings.clone(), endpoint.clone())?;
    /// # let client = Client::with_runtime(runtime.clone(), settings, endpoint)?;
    /// # runtime.block_on(server.start())?;
    /// # runtime.block_on(client.connect())?;
    /// client.emit("hello", &serde_json::json!({ "id": "maria" }))?;
    /// # runtime.run();
    /// // When that has come:
    /// assert_eq!(server.peers()[0].claimed_id().as_deref(), Some("\"maria\""));
    /// # Ok(())
    /// # }
    /// ```
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
        self.order(CloseOrder::Flush(crate::CLOSE_WITHIN));
        unsent(self.inner.ended.wait().await)
    }

    /// Ends the connection at once. What is queued and the socket does not take at once is lost, as with
    /// `socket.destroy()` in Node.
    pub fn abort(&self) {
        self.order(CloseOrder::Abort);
    }

    /// Orders the connection to close. Whoever waits for a reply need not wait for that.
    pub(crate) fn order(&self, order: CloseOrder) {
        self.inner.link.close(order);
        self.inner.session.hang_up();
    }

    /// Asks the peer for something: `peer.request::<u32>("sum", &[1, 2]).await`. Nothing is sent until that is awaited; see
    /// [`PendingRequest`].
    ///
    /// It fails at once when the connection ends. Do not await it in a handler that runs inline: the reply could not be read.
    /// [`Server::on_async`](crate::Server::on_async) and [`Server::on_request_async`](crate::Server::on_request_async) may.
    pub fn request<T>(&self, name: &str, params: &(impl serde::Serialize + ?Sized)) -> PendingRequest<T> {
        PendingRequest::new(Asker::Peer(self.clone()), name, params)
    }

    /// What became of the requests that were made to it.
    #[must_use]
    pub fn request_counters(&self) -> RequestCounters {
        self.inner.session.counters()
    }

    /// Keeps a value with this peer, one of each type, for as long as the peer: who has logged in, what it subscribed to.
    /// Gives back what it replaces.
    ///
    /// ```
    /// # use ipc_driver::{Client, Config, Endpoint, Server, fake::Fake};
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let runtime = Fake::new(1);
    /// # let settings = ipc_driver::build(Config::new("world"))?;
    /// # let endpoint = Endpoint::net(&settings, None, None)?;
    /// # let server = Server::with_runtime(runtime.clone(), settings.clone(), endpoint.clone())?;
    /// # let client = Client::with_runtime(runtime.clone(), settings, endpoint)?;
    /// struct User(String);
    ///
    /// server.on("login", |peer, name: String| drop(peer.set(User(name))));
    /// server.on_request("whoami", |peer, (): ()| match peer.get::<User>() {
    ///     Some(user) => Ok(user.0.clone()),
    ///     None => Err("log in first"),
    /// });
    /// # runtime.block_on(async {
    /// # server.start().await?;
    /// # client.connect().await?;
    /// assert!(client.request::<String>("whoami", &()).await.is_err());
    /// client.emit("login", "maria")?;
    /// assert_eq!(client.request::<String>("whoami", &()).await?, "maria");
    /// # Ok::<_, Box<dyn std::error::Error>>(())
    /// # })?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn set<T: Send + Sync + 'static>(&self, value: T) -> Option<Arc<T>> {
        self.inner.kept.set(value)
    }

    /// The value of that type which was kept with this peer.
    #[must_use]
    pub fn get<T: Send + Sync + 'static>(&self) -> Option<Arc<T>> {
        self.inner.kept.get()
    }

    /// Takes the value of that type away from this peer.
    pub fn take<T: Send + Sync + 'static>(&self) -> Option<Arc<T>> {
        self.inner.kept.take()
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
