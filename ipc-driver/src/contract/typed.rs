//! The methods of every handle that speak a contract. They are written with the public ones that take names and payloads, and
//! know nothing of queues or tables.

use crate::contract::{Contract, ContractError, EventName, Request};
use crate::error::BoxError;
use crate::handlers::Outcome;
use crate::requests::PendingRequest;
use crate::runtime::Runtime;
use crate::{
    Audience, Broadcast, Client, EmitError, Emitter, Event, FromEvent, HandlerId, Peer, Server, UdpPeer, UdpServer,
};
use std::sync::Arc;

/// Reads the event and runs the handler; the error goes where those of other handlers go.
fn run<C: Contract, O: Outcome>(event: &Event<'_>, handler: impl FnOnce(C) -> O) -> Result<(), BoxError> {
    match event.decode() {
        Ok(event) => handler(event).into_error().map_or(Ok(()), Err),
        // As `on` reports it, whatever the handler was.
        Err(ContractError::Data(error)) => Err(error.into()),
        Err(error) => Err(error.into()),
    }
}

macro_rules! emit_typed {
    () => {
        /// Queues an event of a contract and returns at once, as [`emit`](Self::emit) does.
        ///
        /// # Errors
        ///
        /// As [`emit`](Self::emit).
        pub fn emit_typed<C: Contract>(&self, event: &C) -> Result<(), EmitError> {
            self.emit(event.name(), &event.data())
        }

        /// Like [`emit_typed`](Self::emit_typed), but waits for room in the queue. Cancel safe, as [`send`](Self::send) is.
        ///
        /// # Errors
        ///
        /// As [`send`](Self::send).
        pub async fn send_typed<C: Contract>(&self, event: &C) -> Result<(), EmitError> {
            self.send(event.name(), &event.data()).await
        }
    };
}

macro_rules! request_typed {
    () => {
        /// Asks a question of a contract, whose type says under which name and what the answer is; otherwise as
        /// [`request`](Self::request).
        pub fn request_typed<Q: Request>(&self, question: &Q) -> PendingRequest<Q::Reply> {
            self.request(Q::NAME, question)
        }
    };
}

/// For handles whose handlers are given the peer.
macro_rules! hear_typed {
    ($peer:ty) => {
        /// Registers one handler for all events of a contract: `server.on_typed(|peer, event: Chat| …)`.
        ///
        /// It runs as a handler of [`on`](Self::on) does, one registration for each name; the ids are in the order of
        /// [`Contract::NAMES`]. Events that the contract does not have go where they would go without it. A payload that does
        /// not fit goes to [`on_error`](Self::on_error).
        pub fn on_typed<C, O, F>(&self, handler: F) -> Vec<HandlerId>
        where
            C: Contract,
            O: Outcome,
            F: Fn(&$peer, C) -> O + Send + Sync + 'static,
        {
            let handler = Arc::new(handler);
            let register = |name: &&str| {
                let handler = Arc::clone(&handler);
                self.on_event(name, move |peer, event| run(event, |event| handler(peer, event)))
            };
            C::NAMES.iter().map(register).collect()
        }

        /// Registers a handler for one event of a contract: `server.on_variant(Chat::JOINED, |peer, who| …)`. The name
        /// knows what the payload is; otherwise it is as [`on`](Self::on).
        pub fn on_variant<T, O, F>(&self, name: EventName<T>, handler: F) -> HandlerId
        where
            T: FromEvent,
            O: Outcome,
            F: Fn(&$peer, T) -> O + Send + Sync + 'static,
        {
            self.on(name.as_str(), handler)
        }
    };
}

impl<R: Runtime> Client<R> {
    emit_typed!();
    request_typed!();

    /// Answers questions of a contract: `client.on_request_typed(|question: Sum| …)`, where what is answered is checked when
    /// the program is compiled. Otherwise as [`on_request`](Self::on_request).
    pub fn on_request_typed<Q, E, F>(&self, handler: F) -> HandlerId
    where
        Q: Request,
        E: Into<BoxError>,
        F: Fn(Q) -> Result<Q::Reply, E> + Send + Sync + 'static,
    {
        self.on_request(Q::NAME, handler)
    }

    /// Registers one handler for all events of a contract: `client.on_typed(|event: Chat| …)`.
    ///
    /// It runs as a handler of [`on`](Self::on) does, one registration for each name; the ids are in the order of
    /// [`Contract::NAMES`]. Events that the contract does not have go where they would go without it. A payload that does not
    /// fit goes to [`on_error`](Self::on_error).
    pub fn on_typed<C, O, F>(&self, handler: F) -> Vec<HandlerId>
    where
        C: Contract,
        O: Outcome,
        F: Fn(C) -> O + Send + Sync + 'static,
    {
        let handler = Arc::new(handler);
        let register = |name: &&str| {
            let handler = Arc::clone(&handler);
            self.on_event(name, move |event| run(event, |event| handler(event)))
        };
        C::NAMES.iter().map(register).collect()
    }

    /// Registers a handler for one event of a contract: `client.on_variant(Chat::JOINED, |who| …)`. The name knows what the
    /// payload is; otherwise it is as [`on`](Self::on).
    pub fn on_variant<T, O, F>(&self, name: EventName<T>, handler: F) -> HandlerId
    where
        T: FromEvent,
        O: Outcome,
        F: Fn(T) -> O + Send + Sync + 'static,
    {
        self.on(name.as_str(), handler)
    }
}

impl Emitter {
    emit_typed!();
    request_typed!();
}

impl Peer {
    emit_typed!();
    request_typed!();
}

impl UdpPeer {
    emit_typed!();

    /// Queues an event of a contract for everybody whom its server knows, as [`broadcast`](Self::broadcast) does.
    ///
    /// # Errors
    ///
    /// As [`broadcast`](Self::broadcast).
    pub fn broadcast_typed<C: Contract>(&self, event: &C) -> Result<Broadcast, EmitError> {
        self.broadcast(event.name(), &event.data())
    }
}

impl<R: Runtime> Server<R> {
    hear_typed!(Peer);

    /// Answers questions of a contract: `server.on_request_typed(|peer, question: Sum| …)`, where what is answered is checked
    /// when the program is compiled. Otherwise as [`on_request`](Self::on_request).
    pub fn on_request_typed<Q, E, F>(&self, handler: F) -> HandlerId
    where
        Q: Request,
        E: Into<BoxError>,
        F: Fn(&Peer, Q) -> Result<Q::Reply, E> + Send + Sync + 'static,
    {
        self.on_request(Q::NAME, handler)
    }

    /// Queues an event of a contract for every peer, encoding it once, as [`broadcast`](Self::broadcast) does.
    ///
    /// # Errors
    ///
    /// As [`broadcast`](Self::broadcast).
    pub fn broadcast_typed<C: Contract>(&self, event: &C) -> Result<Broadcast, EmitError> {
        self.broadcast(event.name(), &event.data())
    }
}

impl Audience {
    /// Queues an event of a contract for each of them, encoding it once, as [`emit`](Self::emit) does.
    ///
    /// # Errors
    ///
    /// As [`emit`](Self::emit).
    pub fn emit_typed<C: Contract>(&self, event: &C) -> Result<Broadcast, EmitError> {
        self.emit(event.name(), &event.data())
    }

    /// Waits for each of them to have room for an event of a contract, as [`send`](Self::send) does. Cancel safe as that.
    ///
    /// # Errors
    ///
    /// As [`send`](Self::send).
    pub async fn send_typed<C: Contract>(&self, event: &C) -> Result<Broadcast, EmitError> {
        self.send(event.name(), &event.data()).await
    }
}

impl<R: Runtime> UdpServer<R> {
    hear_typed!(UdpPeer);

    /// Queues an event of a contract for every peer, as [`broadcast`](Self::broadcast) does.
    ///
    /// # Errors
    ///
    /// As [`broadcast`](Self::broadcast).
    pub fn broadcast_typed<C: Contract>(&self, event: &C) -> Result<Broadcast, EmitError> {
        self.broadcast(event.name(), &event.data())
    }
}
