//! The handlers of a server that answer requests, and those that are async.

use super::Server;
use crate::handlers::{HandlerId, Outcome};
use crate::peer::Peer;
use crate::requests::{IntoReply, Order, handle, handle_async, hear_async};
use crate::runtime::Runtime;
use ipc_proto::{FromEvent, RequestOptions};
use serde::de::DeserializeOwned;
use std::future::Future;
use std::sync::Arc;

impl<R: Runtime> Server<R> {
    /// Answers requests of a name: `server.on_request("sum", |_, numbers: Vec<f64>| Ok::<_, &str>(numbers.iter().sum::<f64>()))`.
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
        F: Fn(&Peer, T) -> O + Send + Sync + 'static,
    {
        self.shared
            .handlers
            .on_request(name, move |peer, request| handle(&peer.inner.link, request, |params| handler(peer, params)))
    }

    /// Like [`on_request`](Self::on_request), with a future that runs in a task of its own and may wait for whatever it likes,
    /// requests to the same peer included.
    ///
    /// [`RequestOptions::max_under_way`] of them run for one peer at a time; one more request is refused with
    /// [`Failure::BUSY`](crate::Failure::BUSY). A future is dropped when its connection ends, wherever it waits just then.
    pub fn on_request_async<T, O, Fut, F>(&self, name: &str, handler: F) -> HandlerId
    where
        T: DeserializeOwned + Send + 'static,
        O: IntoReply,
        Fut: Future<Output = O> + Send + 'static,
        F: Fn(Peer, T) -> Fut + Send + Sync + 'static,
    {
        let (runtime, handler) = (self.runtime.clone(), Arc::new(handler));
        self.shared.handlers.on_request(name, move |peer, request| {
            let handler = Arc::clone(&handler);
            handle_async(peer.clone(), &runtime, request, move |peer: &Peer, params| handler(peer.clone(), params))
        })
    }

    /// Like [`on`](Self::on), with a future that runs in a task of its own: those of one connection run side by side, and end
    /// in any order. What a future returns as an error goes to [`on_error`](Self::on_error).
    ///
    /// [`RequestOptions::max_under_way`] of them run for one peer at a time; then its connection is not read until one has
    /// ended. So while all of them wait for something of their own peer they wait in vain. A future is dropped when its
    /// connection ends.
    pub fn on_async<T, O, Fut, F>(&self, name: &str, handler: F) -> HandlerId
    where
        T: FromEvent + Send + 'static,
        O: Outcome,
        Fut: Future<Output = O> + Send + 'static,
        F: Fn(Peer, T) -> Fut + Send + Sync + 'static,
    {
        self.on_future(name, Order::Any, handler)
    }

    /// Like [`on_async`](Self::on_async), one after the other: the handler of an event is called when the future before it has
    /// ended, of all such handlers and the same connection. Those that wait count as under way.
    pub fn on_async_in_order<T, O, Fut, F>(&self, name: &str, handler: F) -> HandlerId
    where
        T: FromEvent + Send + 'static,
        O: Outcome,
        Fut: Future<Output = O> + Send + 'static,
        F: Fn(Peer, T) -> Fut + Send + Sync + 'static,
    {
        self.on_future(name, Order::InTurn, handler)
    }

    fn on_future<T, O, Fut, F>(&self, name: &str, order: Order, handler: F) -> HandlerId
    where
        T: FromEvent + Send + 'static,
        O: Outcome,
        Fut: Future<Output = O> + Send + 'static,
        F: Fn(Peer, T) -> Fut + Send + Sync + 'static,
    {
        let (runtime, handler) = (self.runtime.clone(), Arc::new(handler));
        self.shared.handlers.on(name, false, move |peer, event| {
            let handler = Arc::clone(&handler);
            hear_async(peer.clone(), &runtime, order, event, move |peer: &Peer, payload| handler(peer.clone(), payload))
        })
    }

    /// Changes the deadline of requests and the bounds of requests and async handlers, for every peer, from the next one on.
    pub fn set_request_options(&self, options: RequestOptions) {
        self.shared.common.set_options(options);
    }
}
