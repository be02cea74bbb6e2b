//! The answerer's side: from a request among the received events to the reply.

use super::tasks::{Kind, Ran};
use super::{Party, RequestError};
use crate::error::BoxError;
use crate::link::{CloseOrder, Link};
use crate::runtime::Runtime;
use ipc_proto::{EmitError, Failure, Frame, IncomingRequest, Outbound, REPLY_EVENT, ReplyBody};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// What a handler of requests returns: a result that serde can write, or why there is none.
///
/// An error that is a [`Failure`] reaches the asker with its code and data, and so does that of a [`RequestError`] which another
/// peer has answered with; any other with the code [`Failure::HANDLER`] and **what it displays**. Do not let errors through that
/// say what the peer must not know.
#[diagnostic::on_unimplemented(
    message = "a handler of requests returns a `Result`, not `{Self}`",
    note = "return `Ok(value)`, where `value` is what serde can write, or `Err(Failure::new(code, message))`",
    note = "where no error is possible, say so: `Ok::<_, Failure>(value)`",
    note = "an async handler is registered by `on_request_async`"
)]
pub trait IntoReply {
    /// The result.
    type Value: Serialize;

    /// The result, or what the asker is told.
    ///
    /// # Errors
    ///
    /// What the asker is told.
    fn into_reply(self) -> Result<Self::Value, Failure>;
}

impl<T: Serialize, E: Into<BoxError>> IntoReply for Result<T, E> {
    type Value = T;

    fn into_reply(self) -> Result<T, Failure> {
        self.map_err(|error| failure(error.into()))
    }
}

fn failure(error: BoxError) -> Failure {
    let error = match error.downcast::<Failure>() {
        Ok(failure) => return *failure,
        Err(error) => error,
    };
    match error.downcast::<RequestError>() {
        Ok(error) => match *error {
            RequestError::Remote { failure, .. } => failure,
            other => Failure::new(Failure::HANDLER, other.to_string()),
        },
        Err(error) => Failure::new(Failure::HANDLER, error.to_string()),
    }
}

const PANICKED: &str = "the handler panicked";

fn panicked() -> Failure {
    Failure::new(Failure::HANDLER, PANICKED)
}

fn closed<T>(outcome: Option<Result<T, EmitError>>) -> Result<T, EmitError> {
    outcome.unwrap_or(Err(EmitError::Closed))
}

/// Says why there is no result.
pub(crate) fn decline(link: &Link, token: &str, failure: &Failure) -> Result<(), EmitError> {
    closed(link.answer(|outbound| outbound.emit(REPLY_EVENT, &ReplyBody::error(token, failure))))
}

/// What the asker is told when the result cannot be sent.
fn unsendable(error: &EmitError) -> Failure {
    Failure::new(Failure::RESULT, format!("the result cannot be sent: {error}"))
}

/// Runs a handler inline and queues its reply. What it gives is for `on_error`: params that do not fit, a panic, a reply that
/// cannot be sent.
pub(crate) fn handle<T, O>(link: &Link, request: &IncomingRequest<'_>, run: impl FnOnce(T) -> O) -> Option<BoxError>
where
    T: DeserializeOwned,
    O: IntoReply,
{
    let token = request.token();
    let params = match request.params() {
        Ok(params) => params,
        Err(error) => return misfit(link, request, error),
    };
    let outcome = match catch_unwind(AssertUnwindSafe(|| run(params))) {
        Ok(outcome) => outcome.into_reply(),
        Err(_panic) => {
            let _asker_has_gone = decline(link, token, &panicked());
            return Some(PANICKED.into());
        }
    };
    let sent = match outcome {
        Ok(value) => closed(link.answer(|outbound| outbound.emit(REPLY_EVENT, &ReplyBody::result(token, &value)))),
        Err(failure) => decline(link, token, &failure),
    };
    let error = sent.err()?;
    if matches!(error, EmitError::Encode(_)) {
        let _asker_has_gone = decline(link, token, &unsendable(&error));
    }
    Some(error.into())
}

fn misfit(link: &Link, request: &IncomingRequest<'_>, error: ipc_proto::DataError) -> Option<BoxError> {
    let _asker_has_gone = decline(link, request.token(), &Failure::invalid_params(request.name(), &error));
    Some(error.into())
}

/// Runs a handler's future in a task of its own, and sends its reply when there is room for it.
pub(crate) fn handle_async<P, R, T, O, F>(
    party: P,
    runtime: &R,
    request: &IncomingRequest<'_>,
    run: impl FnOnce(&P, T) -> F + Send + 'static,
) -> Option<BoxError>
where
    P: Party,
    R: Runtime,
    T: DeserializeOwned + Send + 'static,
    O: IntoReply,
    F: Future<Output = O> + Send + 'static,
{
    let params: T = match request.params() {
        Ok(params) => params,
        Err(error) => return misfit(party.link(), request, error),
    };
    let session = party.session();
    if party.link().order() != CloseOrder::Open {
        // The connection waits for what is under way, and for no more.
        let closing = Failure::new(Failure::CLOSING, "the connection is being closed; ask again on another");
        let _asker_has_gone = decline(party.link(), request.token(), &closing);
        return None;
    }
    let limit = session.common.options().max_under_way;
    let Some(mut slot) = session.tasks().slot(Kind::Request, limit) else {
        let busy = Failure::new(Failure::BUSY, format!("{limit} requests of this peer are under way; ask again later"));
        return decline(party.link(), request.token(), &busy).err().map(Into::into);
    };
    let (name, token): (Box<str>, Box<str>) = (request.name().into(), request.token().into());
    runtime.spawn(async move {
        let frame = |outcome: Result<O::Value, Failure>| {
            let settings = &party.session().common.settings;
            match outcome {
                Ok(value) => Frame::new(settings, REPLY_EVENT, &ReplyBody::result(&token, &value)),
                Err(failure) => Frame::new(settings, REPLY_EVENT, &ReplyBody::error(&token, &failure)),
            }
        };
        let (encoded, mut error) = match slot.run(async { run(&party, params).await }).await {
            Ran::Cancelled => return,
            Ran::Panicked => (frame(Err(panicked())), Some(BoxError::from(PANICKED))),
            Ran::Done(outcome) => match frame(outcome.into_reply()) {
                Ok(encoded) => (Ok(encoded), None),
                Err(error) => (frame(Err(unsendable(&error))), Some(error.into())),
            },
        };
        let sent = match encoded {
            Ok(frame) => {
                let link = party.link();
                let mut place = link.place();
                let emit = |outbound: &mut Outbound| {
                    // Under the lock of the link: the next connection of a client has not asked.
                    if slot.is_live() { outbound.emit_frame(&frame) } else { Err(EmitError::Closed) }
                };
                closed(poll_fn(|cx| link.poll_answer(cx, &mut place.ticket, emit)).await)
            }
            Err(error) => Err(error),
        };
        if let Err(unsent) = sent {
            error.get_or_insert(unsent.into());
        }
        if let Some(error) = error {
            slot.fail(&name, error);
            party.link().nudge();
        }
    });
    None
}
