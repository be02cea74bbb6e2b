//! The requests of a client, its handlers that answer those of its server, and those that are async.
//!
//! A handler holds its client weakly: it is in the table that the client holds.

use super::{Client, Emitter};
use crate::handlers::{HandlerId, Outcome};
use crate::requests::{Asker, IntoReply, Order, PendingRequest, handle, handle_async, hear_async};
use crate::runtime::Runtime;
use ipc_proto::{FromEvent, RequestCounters, RequestOptions};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::future::Future;
use std::sync::Arc;

impl<R: Runtime> Client<R> {
    /// Asks the server for something: `client.request::<f64>("sum", &[1, 2]).await`. Nothing is sent until that is awaited; see
    /// [`PendingRequest`].
    ///
    /// It fails at once when the connection ends, also if the client connects again. Without a connection it is refused, or,
    /// with [`Offline::Buffer`](crate::Offline::Buffer), waits for one within its deadline. Do not await it in a handler that
    /// runs inline: the reply could not be read. [`on_async`](Self::on_async) and
    /// [`on_request_async`](Self::on_request_async) may, with an [`Emitter`].
    pub fn request<T>(&self, name: &str, params: &(impl Serialize + ?Sized)) -> PendingRequest<T> {
        PendingRequest::new(Asker::Client(self.emitter()), name, params)
    }

    /// What became of its requests since the client was made.
    #[must_use]
    pub fn request_counters(&self) -> RequestCounters {
        self.shared().session.counters()
    }

    /// Answers requests of the server of a name: `client.on_request("name", |(): ()| Ok::<_, &str>("maria"))`.
    ///
    /// One handler for each name: a later one replaces it. It runs inline, as those of [`on`](Self::on), and what it returns is
    /// the reply: a result, or an error, see [`IntoReply`]. Params that are not what it takes, and a panic, become a reply that
    /// says so, and go to [`on_error`](Self::on_error) too. An event of that name that is no request passes it by.
    ///
    /// Requests that no handler answers are refused with [`Failure::NO_HANDLER`](crate::Failure::NO_HANDLER), unless there are
    /// no handlers of requests at all and a [stream](Self::events) takes them.
    pub fn on_request<T, O, F>(&self, name: &str, handler: F) -> HandlerId
    where
        T: DeserializeOwned,
        O: IntoReply,
        F: Fn(T) -> O + Send + Sync + 'static,
    {
        let weak = Arc::downgrade(self.shared());
        self.shared().handlers.on_request(name, move |(), request| {
            let shared = weak.upgrade()?;
            handle(&shared.link, request, &handler)
        })
    }

    /// Like [`on_request`](Self::on_request), with a future that runs in a task of its own and may wait for whatever it likes.
    ///
    /// [`RequestOptions::max_under_way`] of them run at a time; one more request is refused with
    /// [`Failure::BUSY`](crate::Failure::BUSY). A future is dropped when its connection ends, wherever it waits just then.
    pub fn on_request_async<T, O, Fut, F>(&self, name: &str, handler: F) -> HandlerId
    where
        T: DeserializeOwned + Send + 'static,
        O: IntoReply,
        Fut: Future<Output = O> + Send + 'static,
        F: Fn(T) -> Fut + Send + Sync + 'static,
    {
        let (weak, runtime, handler) = (Arc::downgrade(self.shared()), self.runtime.clone(), Arc::new(handler));
        self.shared().handlers.on_request(name, move |(), request| {
            let (emitter, handler) = (Emitter { shared: weak.upgrade()? }, Arc::clone(&handler));
            handle_async(emitter, &runtime, request, move |_: &Emitter, params| handler(params))
        })
    }

    /// Like [`on`](Self::on), with a future that runs in a task of its own: they run side by side, and end in any order. What a
    /// future returns as an error goes to [`on_error`](Self::on_error).
    ///
    /// [`RequestOptions::max_under_way`] of them run at a time; then the connection is not read until one has ended. So while
    /// all of them wait for something of the server they wait in vain. A future is dropped when its connection ends.
    pub fn on_async<T, O, Fut, F>(&self, name: &str, handler: F) -> HandlerId
    where
        T: FromEvent + Send + 'static,
        O: Outcome,
        Fut: Future<Output = O> + Send + 'static,
        F: Fn(T) -> Fut + Send + Sync + 'static,
    {
        self.on_future(name, Order::Any, handler)
    }

    /// Like [`on_async`](Self::on_async), one after the other: the handler of an event is called when the future before it has
    /// ended, of all such handlers. Those that wait count as under way.
    pub fn on_async_in_order<T, O, Fut, F>(&self, name: &str, handler: F) -> HandlerId
    where
        T: FromEvent + Send + 'static,
        O: Outcome,
        Fut: Future<Output = O> + Send + 'static,
        F: Fn(T) -> Fut + Send + Sync + 'static,
    {
        self.on_future(name, Order::InTurn, handler)
    }

    fn on_future<T, O, Fut, F>(&self, name: &str, order: Order, handler: F) -> HandlerId
    where
        T: FromEvent + Send + 'static,
        O: Outcome,
        Fut: Future<Output = O> + Send + 'static,
        F: Fn(T) -> Fut + Send + Sync + 'static,
    {
        let (weak, runtime, handler) = (Arc::downgrade(self.shared()), self.runtime.clone(), Arc::new(handler));
        self.shared().handlers.on(name, false, move |(), event| {
            let (emitter, handler) = (Emitter { shared: weak.upgrade()? }, Arc::clone(&handler));
            hear_async(emitter, &runtime, order, event, move |_: &Emitter, payload| handler(payload))
        })
    }

    /// Changes the deadline of requests and the bounds of requests and async handlers, from the next one on.
    pub fn set_request_options(&self, options: RequestOptions) {
        self.shared().session.common.set_options(options);
    }
}
