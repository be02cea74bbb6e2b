//! The handle that emits and does not keep its client alive.

use super::shared::Shared;
use crate::emit::emit_methods;
use crate::link::Link;
use crate::requests::{Asker, PendingRequest, Session};
use crate::wakers::Ticket;
use ipc_proto::{EmitError, Outbound};
use std::sync::Arc;
use std::task::{Context, Poll};

/// Emits through a client without keeping it alive: for handlers and for tasks that end with it.
///
/// ```
/// # use ipc_driver::{Client, Config, Endpoint, Server, fake::Fake};
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let runtime = Fake::new(1);
/// # let settings = ipc_driver::build(Config::new("world"))?;
/// # let endpoint = Endpoint::net(&settings, None, None)?;
/// # let server = Server::with_runtime(runtime.clone(), settings.clone(), endpoint.clone())?;
/// # let client = Client::with_runtime(runtime.clone(), settings, endpoint)?;
/// let emitter = client.emitter();
/// client.on("count", move |number: u32| emitter.emit("counted", &(number + 1)));
/// # let (told, heard) = std::sync::mpsc::channel();
/// # server.on_connect(|peer| drop(peer.emit("count", &0)));
/// # server.on("counted", move |_, number: u32| told.send(number));
/// # runtime.block_on(server.start())?;
/// # runtime.block_on(client.connect())?;
/// # runtime.run();
/// # assert_eq!(heard.try_recv(), Ok(1));
/// # let left = client.emitter();
/// # drop(client); // none of them keeps it
/// # runtime.advance(std::time::Duration::from_secs(10));
/// # assert!(matches!(left.emit("counted", &2), Err(ipc_driver::EmitError::Closed)));
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Emitter {
    pub(super) shared: Arc<Shared>,
}

impl std::fmt::Debug for Emitter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Emitter").field("endpoint", &self.shared.endpoint).finish_non_exhaustive()
    }
}

impl Emitter {
    emit_methods!();

    pub(crate) fn link(&self) -> &Link {
        &self.shared.link
    }

    pub(crate) fn session(&self) -> &Session {
        &self.shared.session
    }

    /// Asks the server for something, as [`Client::request`](super::Client::request).
    pub fn request<T>(&self, name: &str, params: &(impl serde::Serialize + ?Sized)) -> PendingRequest<T> {
        PendingRequest::new(Asker::Client(self.clone()), name, params)
    }

    fn emit_with(&self, emit: impl FnMut(&mut Outbound) -> Result<(), EmitError>) -> Result<(), EmitError> {
        self.shared.emit(emit)
    }

    fn poll_emit_with(
        &self,
        cx: &mut Context<'_>,
        ticket: &mut Ticket,
        emit: impl FnMut(&mut Outbound) -> Result<(), EmitError>,
    ) -> Poll<Result<(), EmitError>> {
        self.shared.poll_emit(cx, ticket, emit)
    }

    /// Ends the client at once, as [`Client::disconnect`](super::Client::disconnect).
    pub fn disconnect(&self) {
        self.shared.disconnect();
    }
}
