//! The ways to hear received events by a handler, the same on every server's handle.

/// Writes the methods that register handlers of received events and take them out. The handle has `shared.handlers`, whose
/// context is the peer.
macro_rules! handler_methods {
    ($peer:ty) => {
        /// Registers a handler for the events of a name: `server.on("message", |peer, text: String| …)`.
        ///
        /// The payload is extracted by serde, or taken as a [`Message`](crate::Message). Handlers of one connection, or
        /// of one UDP socket, run one at a time, in order, inline on its task: they should be quick. An error, or a
        /// payload of another shape, goes to [`on_error`](Self::on_error).
        pub fn on<T, O, F>(&self, name: &str, handler: F) -> crate::HandlerId
        where
            T: crate::FromEvent,
            O: crate::Outcome,
            F: Fn(&$peer, T) -> O + Send + Sync + 'static,
        {
            self.shared
                .handlers
                .on(name, false, move |peer, event| crate::handlers::extract(event, |payload| handler(peer, payload)))
        }

        /// Like [`on`](Self::on), for the first such event only, of whichever peer.
        pub fn once<T, O, F>(&self, name: &str, handler: F) -> crate::HandlerId
        where
            T: crate::FromEvent,
            O: crate::Outcome,
            F: Fn(&$peer, T) -> O + Send + Sync + 'static,
        {
            self.shared
                .handlers
                .on(name, true, move |peer, event| crate::handlers::extract(event, |payload| handler(peer, payload)))
        }

        /// Registers a handler that sees the event in the read buffer, without a copy: the quickest way to look at or
        /// forward a payload.
        pub fn on_event<O, F>(&self, name: &str, handler: F) -> crate::HandlerId
        where
            O: crate::Outcome,
            F: Fn(&$peer, &crate::Event<'_>) -> O + Send + Sync + 'static,
        {
            self.shared.handlers.on(name, false, move |peer, event| handler(peer, event).into_error())
        }

        /// Registers a handler for wire events of every name (`*` in node-ipc). It runs before the handlers of a name, as
        /// in node-ipc 12.0.0 and 14.0.0, and does not count as taking the event.
        pub fn on_any<O, F>(&self, handler: F) -> crate::HandlerId
        where
            O: crate::Outcome,
            F: Fn(&$peer, &crate::Event<'_>) -> O + Send + Sync + 'static,
        {
            self.shared.handlers.on_any(move |peer, event| handler(peer, event).into_error())
        }

        /// Registers a handler for raw bytes (`data` in node-ipc, where `rawBuffer` is set).
        pub fn on_data<O, F>(&self, handler: F) -> crate::HandlerId
        where
            O: crate::Outcome,
            F: Fn(&$peer, &[u8]) -> O + Send + Sync + 'static,
        {
            self.shared.handlers.on_data(move |peer, bytes| handler(peer, bytes).into_error())
        }

        /// Registers a gate, which is asked about every event before any handler or stream gets it, in order of registration.
        /// An error keeps the event from all of them: it is counted (`rejected`), goes to [`on_error`](Self::on_error) as
        /// [`ConnectionError::Rejected`](crate::ConnectionError::Rejected), and answers a request with
        /// [`Failure::REJECTED`](crate::Failure::REJECTED) and what it displays. The place for who may say what, and for a log
        /// of all that comes; who may connect is a matter of [`accept_if`](crate::Server::accept_if).
        ///
        /// Replies to requests that were made here do not pass it, nor do raw bytes.
        pub fn before_event<E, F>(&self, gate: F) -> crate::HandlerId
        where
            E: Into<crate::BoxError>,
            F: Fn(&$peer, &crate::Event<'_>) -> Result<(), E> + Send + Sync + 'static,
        {
            self.shared.handlers.before_event(move |peer, event| gate(peer, event).err().map(Into::into))
        }

        /// Registers a handler for events that nobody took: no handler of their name, no stream, and no answer if they are
        /// requests. They are counted (`unhandled`) and logged at the level `debug` in any case.
        pub fn on_unhandled<O, F>(&self, handler: F) -> crate::HandlerId
        where
            O: crate::Outcome,
            F: Fn(&$peer, &crate::Event<'_>) -> O + Send + Sync + 'static,
        {
            self.shared.handlers.on_unhandled(move |peer, event| handler(peer, event).into_error())
        }

        /// Takes a handler out. `false` if it is not registered.
        pub fn off(&self, handler: crate::HandlerId) -> bool {
            self.shared.handlers.off(handler)
        }

        /// Takes out all handlers of an event name (`off(name, '*')` in node-ipc), that of requests included.
        pub fn off_all(&self, name: &str) {
            self.shared.handlers.off_all(name);
        }
    };
}
pub(crate) use handler_methods;
