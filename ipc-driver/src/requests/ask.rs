//! The asker's side: one request, as a future.

use super::pending::{Outcome, Pending, Refused};
use super::{Party, RequestError, Session};
use crate::client::Emitter;
use crate::peer::Peer;
use futures_channel::oneshot;
use ipc_proto::{EmitError, EncodeError, JsonText, REPLY_EVENT, ReplyError, RequestBody, RequestEnd, RequestId};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::fmt;
use std::future::Future;
use std::marker::PhantomData;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

/// Whom a request goes to.
#[derive(Clone)]
pub(crate) enum Asker {
    Client(Emitter),
    Peer(Peer),
}

impl Asker {
    fn session(&self) -> &Session {
        match self {
            Self::Client(emitter) => Party::session(emitter),
            Self::Peer(peer) => Party::session(peer),
        }
    }

    fn emit(&self, name: &str, body: &RequestBody<'_, JsonText>) -> Result<(), EmitError> {
        match self {
            Self::Client(emitter) => emitter.emit(name, body),
            Self::Peer(peer) => peer.emit(name, body),
        }
    }
}

/// A request: a future of the reply, read as a `T`.
///
/// Nothing is sent until it is first polled; then the request is queued as [`emit`](crate::Peer::emit) does it, and the
/// deadline runs: [`RequestOptions::timeout`](crate::RequestOptions::timeout), or what [`within`](Self::within) says. It ends
/// in time whatever the peer does.
///
/// Dropping it before it is ready gives the request up: a reply that comes later is dropped. The peer is not told, and may do
/// what was asked. It does not keep its client or server alive, and may be awaited in any runtime or none.
#[must_use = "a request is sent when it is awaited"]
pub struct PendingRequest<T> {
    asker: Asker,
    name: Box<str>,
    within: Option<Duration>,
    stage: Stage,
    reply: PhantomData<fn() -> T>,
}

enum Stage {
    Unsent(Result<JsonText, EncodeError>),
    Waiting { after: Duration, receiver: oneshot::Receiver<Outcome>, entry: Entry },
    Done,
}

/// A place in the table, given back when it is dropped.
struct Entry {
    pending: Arc<Pending>,
    id: RequestId,
}

impl Drop for Entry {
    fn drop(&mut self) {
        self.pending.cancel(self.id);
    }
}

impl<T> PendingRequest<T> {
    pub(crate) fn new<P: Serialize + ?Sized>(asker: Asker, name: &str, params: &P) -> Self {
        let stage = Stage::Unsent(JsonText::new(params));
        Self { asker, name: name.into(), within: None, stage, reply: PhantomData }
    }

    /// Waits for the reply for `limit` at most, in place of the default. Without effect once the request was polled.
    pub fn within(mut self, limit: Duration) -> Self {
        self.within = Some(limit);
        self
    }

    fn send(&self, params: Result<JsonText, EncodeError>) -> Result<Stage, RequestError> {
        let event = || self.name.clone();
        let refused = |source| RequestError::Emit { event: event(), source };
        let params = params.map_err(|error| refused(error.into()))?;
        let session = self.asker.session();
        let common = &session.common;
        // Where `allowedEvents` lacks it the reply would break the protocol.
        common.settings.rules().check(REPLY_EVENT).map_err(|refusal| refused(EncodeError::from(refusal).into()))?;
        let after = self.within.unwrap_or_else(|| common.options().timeout);
        // An addition that overflows means "not in this life".
        let deadline = common.engine.now().checked_add(after);
        let pending = Arc::clone(session.pending());
        let (id, receiver) = pending.begin(common, deadline).map_err(|error| match error {
            Refused::TooMany(error) => RequestError::TooMany { event: event(), limit: error.limit },
            Refused::Finished => refused(EmitError::Closed),
        })?;
        let entry = Entry { pending, id };
        self.asker.emit(&self.name, &RequestBody::new(id, &params)).map_err(refused)?;
        Ok(Stage::Waiting { after, receiver, entry })
    }
}

impl<T: DeserializeOwned> Future for PendingRequest<T> {
    type Output = Result<T, RequestError>;

    /// # Panics
    ///
    /// If it is polled after it was ready.
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        loop {
            match std::mem::replace(&mut this.stage, Stage::Done) {
                Stage::Unsent(params) => this.stage = this.send(params)?,
                Stage::Waiting { after, mut receiver, entry } => {
                    let Poll::Ready(outcome) = Pin::new(&mut receiver).poll(cx) else {
                        this.stage = Stage::Waiting { after, receiver, entry };
                        return Poll::Pending;
                    };
                    let event = this.name.clone();
                    return Poll::Ready(match outcome {
                        Ok(Ok(reply)) => reply.into_result(&event).map_err(|error| match error {
                            ReplyError::Failure(failure) => RequestError::Remote { event, failure },
                            ReplyError::Data(source) => RequestError::Reply { event, source },
                        }),
                        Ok(Err(RequestEnd::TimedOut)) => Err(RequestError::TimedOut { event, after }),
                        Ok(Err(RequestEnd::Disconnected)) | Err(oneshot::Canceled) => {
                            Err(RequestError::Disconnected { event })
                        }
                    });
                }
                Stage::Done => panic!("a request was polled after its end"),
            }
        }
    }
}

impl<T> fmt::Debug for PendingRequest<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PendingRequest")
            .field("event", &self.name)
            .field("within", &self.within)
            .finish_non_exhaustive()
    }
}
