//! The ways to emit, the same on every handle.

/// Writes the emitting methods of a handle, which has `emit_with` (encode into the queue or say why not) and
/// `poll_emit_with` (the same, waiting for room at a place in the queue of its `link`).
macro_rules! emit_methods {
    () => {
        /// Queues an event and returns at once: it never blocks. On the wire it is `{"type":name,"data":data}`.
        ///
        /// Events of one handle leave in the order in which they were emitted, whichever threads emit. `data` is
        /// serialised under the lock of the queue: its `Serialize` must not emit on the same handle.
        ///
        /// # Errors
        ///
        /// [`EmitError`](crate::EmitError): full, closed, not connected, or the event cannot be encoded. Then nothing
        /// was queued; [`send`](Self::send) waits for room instead.
        pub fn emit<T: serde::Serialize + ?Sized>(&self, name: &str, data: &T) -> Result<(), crate::EmitError> {
            self.emit_with(|outbound| outbound.emit(name, data))
        }

        /// Queues an event without data, as JavaScript's `emit(name)`: node-ipc 9.2.1 and 14.0.0 write `"data":{}`.
        ///
        /// # Errors
        ///
        /// As [`emit`](Self::emit).
        pub fn signal(&self, name: &str) -> Result<(), crate::EmitError> {
            self.emit(name, &crate::Empty)
        }

        /// Queues a received event as it is: name and payload are copied, not parsed.
        ///
        /// # Errors
        ///
        /// As [`emit`](Self::emit).
        pub fn emit_event(&self, event: &crate::Event<'_>) -> Result<(), crate::EmitError> {
            self.emit_with(|outbound| outbound.emit_event(event))
        }

        /// Queues a message.
        ///
        /// # Errors
        ///
        /// As [`emit`](Self::emit).
        pub fn emit_message(&self, message: &crate::Message) -> Result<(), crate::EmitError> {
            self.emit_with(|outbound| outbound.emit_message(message))
        }

        /// Queues an event whose payload is JSON text already; `None` leaves the key `data` out.
        ///
        /// # Errors
        ///
        /// As [`emit`](Self::emit); text that is not JSON is refused.
        pub fn emit_json(&self, name: &str, data_json: Option<&str>) -> Result<(), crate::EmitError> {
            self.emit_with(|outbound| outbound.emit_json(name, data_json))
        }

        /// Queues an envelope from exact JSON texts, for what JavaScript may send and a Rust string cannot hold: a
        /// `type` that is no string, or one with a lone surrogate. `None` leaves the key out.
        ///
        /// # Errors
        ///
        /// As [`emit_json`](Self::emit_json).
        pub fn emit_envelope(&self, type_json: Option<&str>, data_json: Option<&str>) -> Result<(), crate::EmitError> {
            self.emit_with(|outbound| outbound.emit_envelope(type_json, data_json))
        }

        /// Queues bytes on a raw connection (`rawBuffer`). They go out as they are, without borders.
        ///
        /// # Errors
        ///
        /// As [`emit`](Self::emit); [`EmitError::WrongMode`](crate::EmitError::WrongMode) on a framed connection.
        pub fn emit_raw(&self, bytes: &[u8]) -> Result<(), crate::EmitError> {
            self.emit_with(|outbound| outbound.emit_raw(bytes))
        }

        /// Queues a frame that was encoded once for many receivers.
        ///
        /// # Errors
        ///
        /// As [`emit`](Self::emit).
        pub fn emit_frame(&self, frame: &crate::Frame) -> Result<(), crate::EmitError> {
            self.emit_with(|outbound| outbound.emit_frame(frame))
        }

        /// Like [`emit`](Self::emit), but waits for room in the queue: a slow peer slows the sender. A loop of these lets other
        /// tasks have a turn from 16 KiB on that wait, so that what is queued leaves.
        ///
        /// Cancel safe: a call dropped before it is ready has queued nothing. Do not await it inside a handler that a
        /// connection runs inline; handlers `emit`.
        ///
        /// # Errors
        ///
        /// As [`emit`](Self::emit), never [`EmitError::Full`](crate::EmitError::Full).
        pub async fn send<T: serde::Serialize + ?Sized>(&self, name: &str, data: &T) -> Result<(), crate::EmitError> {
            let mut place = self.link().place();
            std::future::poll_fn(|cx| self.poll_emit_with(cx, &mut place.ticket, |outbound| outbound.emit(name, data)))
                .await
        }

        /// Like [`emit_message`](Self::emit_message), but waits for room. Cancel safe.
        ///
        /// # Errors
        ///
        /// As [`send`](Self::send).
        pub async fn send_message(&self, message: &crate::Message) -> Result<(), crate::EmitError> {
            let mut place = self.link().place();
            std::future::poll_fn(|cx| {
                self.poll_emit_with(cx, &mut place.ticket, |outbound| outbound.emit_message(message))
            })
            .await
        }

        /// Like [`emit_raw`](Self::emit_raw), but waits for room. Cancel safe.
        ///
        /// # Errors
        ///
        /// As [`send`](Self::send).
        pub async fn send_raw(&self, bytes: &[u8]) -> Result<(), crate::EmitError> {
            let mut place = self.link().place();
            std::future::poll_fn(|cx| self.poll_emit_with(cx, &mut place.ticket, |outbound| outbound.emit_raw(bytes)))
                .await
        }

        /// Like [`emit_frame`](Self::emit_frame), but waits for room. Cancel safe.
        ///
        /// # Errors
        ///
        /// As [`send`](Self::send).
        pub async fn send_frame(&self, frame: &crate::Frame) -> Result<(), crate::EmitError> {
            let mut place = self.link().place();
            std::future::poll_fn(|cx| self.poll_emit_with(cx, &mut place.ticket, |outbound| outbound.emit_frame(frame)))
                .await
        }
    };
}
pub(crate) use emit_methods;
