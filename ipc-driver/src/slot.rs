//! Whether a server has its socket, and the way from one start to the next.
//!
//! Kept alike for streams and for UDP. What a socket does is for its task.

use crate::error::ServeError;
use crate::latch::Latch;
use crate::sync::{Mutex, MutexGuard};
use ipc_proto::Endpoint;
use std::sync::{Arc, PoisonError};

/// The place of a server's socket. `T` is what its task leaves behind.
#[derive(Debug)]
pub(crate) struct Slot<T = ()> {
    /// What was asked for.
    endpoint: Endpoint,
    listening: Mutex<Listening<T>>,
}

/// Whether a server listens.
#[derive(Debug)]
enum Listening<T> {
    No,
    /// A call of `start` is under way.
    Starting,
    /// It does, or did last.
    At(Socket<T>),
}

#[derive(Debug)]
pub(crate) struct Socket<T = ()> {
    pub(crate) endpoint: Endpoint,
    /// The order to stop.
    pub(crate) stop: Arc<Latch<()>>,
    /// Set when the socket is closed and its file gone.
    pub(crate) stopped: Arc<Latch<T>>,
}

impl<T> Clone for Socket<T> {
    fn clone(&self) -> Self {
        let Self { endpoint, stop, stopped } = self;
        Self { endpoint: endpoint.clone(), stop: Arc::clone(stop), stopped: Arc::clone(stopped) }
    }
}

impl<T> Socket<T> {
    pub(crate) fn new(endpoint: Endpoint) -> Self {
        Self { endpoint, stop: Arc::default(), stopped: Arc::default() }
    }
}

impl<T> Listening<T> {
    fn socket(&self) -> Option<&Socket<T>> {
        match self {
            Self::At(socket) => Some(socket),
            _ => None,
        }
    }
}

impl<T: Clone> Slot<T> {
    pub(crate) fn new(endpoint: Endpoint) -> Self {
        Self { endpoint, listening: Mutex::new(Listening::No) }
    }

    fn lock(&self) -> MutexGuard<'_, Listening<T>> {
        self.listening.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins to start. Ready once the socket of the last start is gone.
    ///
    /// # Errors
    ///
    /// [`ServeError::AlreadyListening`].
    pub(crate) async fn begin(&self) -> Result<Starting<'_, T>, ServeError> {
        let starting = self.take_turn()?;
        if let Some(socket) = starting.before.as_ref().and_then(Listening::socket) {
            // A stop is under way: its socket must be gone before another takes its place.
            socket.stopped.wait().await;
        }
        Ok(starting)
    }

    fn take_turn(&self) -> Result<Starting<'_, T>, ServeError> {
        let mut listening = self.lock();
        let busy = match &*listening {
            Listening::No => None,
            Listening::Starting => Some(self.endpoint.clone()),
            Listening::At(socket) => socket.stop.get().is_none().then(|| socket.endpoint.clone()),
        };
        match busy {
            Some(endpoint) => Err(ServeError::AlreadyListening { endpoint }),
            None => {
                let before = std::mem::replace(&mut *listening, Listening::Starting);
                Ok(Starting { slot: self, before: Some(before) })
            }
        }
    }

    /// What was asked for.
    pub(crate) fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// The socket there is, or was last.
    pub(crate) fn socket(&self) -> Option<Socket<T>> {
        self.lock().socket().cloned()
    }

    /// Where the server listens, or would.
    pub(crate) fn local_endpoint(&self) -> Endpoint {
        self.lock().socket().map_or_else(|| self.endpoint.clone(), |socket| socket.endpoint.clone())
    }

    /// Orders the socket to stop.
    pub(crate) fn stop(&self) {
        if let Some(socket) = self.socket() {
            socket.stop.set(());
        }
    }
}

/// A call of `start`. Dropped before its end, it leaves everything as it was.
pub(crate) struct Starting<'a, T: Clone> {
    slot: &'a Slot<T>,
    before: Option<Listening<T>>,
}

impl<T: Clone> Starting<'_, T> {
    pub(crate) fn done(mut self, socket: Socket<T>) {
        self.before = Some(Listening::At(socket));
    }
}

impl<T: Clone> Drop for Starting<'_, T> {
    fn drop(&mut self) {
        if let Some(listening) = self.before.take() {
            *self.slot.lock() = listening;
        }
    }
}
