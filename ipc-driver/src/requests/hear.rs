//! Async handlers of events: futures that run beside the connection, or one after the other.

use super::Party;
use super::tasks::{Kind, Ran};
use crate::error::BoxError;
use crate::handlers::Outcome;
use crate::runtime::Runtime;
use ipc_proto::{Event, FromEvent};
use std::future::Future;

/// When the future of an event may run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    /// At once.
    Any,
    /// After those before it of the same connection.
    InTurn,
}

/// Takes an event for an async handler. What it gives is for `on_error`, and so is what the future returns later.
pub(crate) fn hear_async<P, R, T, O, F>(
    party: P,
    runtime: &R,
    order: Order,
    event: &Event<'_>,
    run: impl FnOnce(&P, T) -> F + Send + 'static,
) -> Option<BoxError>
where
    P: Party,
    R: Runtime,
    T: FromEvent + Send + 'static,
    O: Outcome,
    F: Future<Output = O> + Send + 'static,
{
    let payload = match T::from_event(event) {
        Ok(payload) => payload,
        Err(error) => return Some(error.into()),
    };
    let session = party.session();
    let tasks = session.tasks().clone();
    let mut slot = tasks.slot(Kind::Event, session.common.options().max_under_way)?;
    let name: Box<str> = event.name().into();
    let task = async move {
        let ran = slot.run(async { run(&party, payload).await.into_error() }).await;
        let error = match ran {
            Ran::Cancelled => None,
            Ran::Panicked => Some("the handler panicked".into()),
            Ran::Done(error) => error,
        };
        if let Some(error) = error {
            slot.fail(&name, error);
            party.link().nudge();
        }
    };
    match order {
        Order::Any => runtime.spawn(task),
        Order::InTurn => {
            if let Some(worker) = tasks.enqueue(Box::pin(task)) {
                runtime.spawn(worker);
            }
        }
    }
    None
}
