//! async-std as a runtime of the driver: where its tasks run. Its sockets and timers are async-io's, which the driver knows.

use ipc_driver::async_io::Spawn;
use ipc_driver::runtime::Ambient;
use std::future::Future;
use std::io;

/// async-std's executor, of which there is one in a process. Its threads start with the first task; their number is that of
/// the environment variable `ASYNC_STD_THREAD_COUNT`, by default one for each processor.
#[derive(Clone, Copy, Debug, Default)]
pub struct AsyncStd;

impl Ambient for AsyncStd {
    fn ambient() -> io::Result<Self> {
        Ok(Self)
    }
}

impl Spawn for AsyncStd {
    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        // Dropping the join handle lets the task run on.
        drop(async_std::task::spawn(task));
    }
}
