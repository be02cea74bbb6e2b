//! smol as a runtime of the driver: where its tasks run. Its sockets and timers are async-io's, which the driver knows.

use ipc_driver::async_io::Spawn;
use ipc_driver::runtime::Ambient;
use smol::Executor;
use std::fmt;
use std::future::Future;
use std::io;
use std::sync::{Arc, Weak};

/// An executor for tasks: smol's global one, or one of your own.
///
/// One of your own is not kept alive. When it is dropped its tasks are dropped with it, connections end, and handles say so
/// (`EmitError::Closed`), as they do when a Tokio runtime is shut down.
///
/// ```
/// use ipc_smol::{Config, Endpoint, Server, Smol};
/// use std::sync::Arc;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let executor = Arc::new(smol::Executor::new());
/// let settings = ipc_smol::build(Config::new("world"))?;
/// let endpoint = Endpoint::net(&settings, Some("127.0.0.1"), Some(0))?;
/// let server = Server::with_runtime(Smol::from(&executor), settings, endpoint)?;
/// // Its tasks run while somebody runs the executor, here this thread.
/// smol::block_on(executor.run(server.start()))?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Smol {
    executor: Where,
}

#[derive(Clone)]
enum Where {
    Global,
    /// Its tasks have this in them: holding it would keep both for ever.
    Shared(Weak<Executor<'static>>),
    Static(&'static Executor<'static>),
}

impl Smol {
    /// smol's global executor, whose threads start with the first task; their number is that of the environment variable
    /// `SMOL_THREADS`, by default one.
    #[must_use]
    pub fn global() -> Self {
        Self { executor: Where::Global }
    }
}

impl From<&Arc<Executor<'static>>> for Smol {
    fn from(executor: &Arc<Executor<'static>>) -> Self {
        Self { executor: Where::Shared(Arc::downgrade(executor)) }
    }
}

impl From<&'static Executor<'static>> for Smol {
    fn from(executor: &'static Executor<'static>) -> Self {
        Self { executor: Where::Static(executor) }
    }
}

impl fmt::Debug for Smol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.executor {
            Where::Global => "Smol(global)",
            Where::Shared(_) | Where::Static(_) => "Smol(an executor of the program)",
        })
    }
}

impl Ambient for Smol {
    /// [`Smol::global`], which is there everywhere.
    fn ambient() -> io::Result<Self> {
        Ok(Self::global())
    }
}

impl Spawn for Smol {
    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        match &self.executor {
            Where::Global => smol::spawn(task).detach(),
            Where::Shared(executor) => match executor.upgrade() {
                Some(executor) => executor.spawn(task).detach(),
                // As if it had been spawned just before.
                None => drop(task),
            },
            Where::Static(executor) => executor.spawn(task).detach(),
        }
    }
}
