//! Which runtime a subject runs on: the same code on each.

use ipc_async_std::AsyncStd;
use ipc_driver::runtime::Runtime;
use ipc_smol::Smol;
use ipc_tokio::Tokio;
use std::io;

/// An adapter by its name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Adapter {
    /// `ipc-tokio`, with two worker threads.
    #[default]
    Tokio,
    /// `ipc-smol`, on the global executor.
    Smol,
    /// `ipc-async-std`.
    AsyncStd,
}

impl Adapter {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Tokio, Self::Smol, Self::AsyncStd];

    /// As it is named on the command line.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Tokio => "tokio",
            Self::Smol => "smol",
            Self::AsyncStd => "async-std",
        }
    }

    /// The adapter of a name.
    ///
    /// # Errors
    ///
    /// Says which names there are.
    pub fn named(name: &str) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|adapter| adapter.name() == name);
        found.ok_or_else(|| format!("no adapter is called {name:?}: tokio, smol or async-std"))
    }

    /// Does a job on that adapter's runtime, which runs on threads of its own; the job may block this one.
    ///
    /// # Errors
    ///
    /// If there is no runtime to be had.
    pub fn run<J: Job>(self, job: J) -> io::Result<J::Output> {
        match self {
            Self::Tokio => {
                let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
                Ok(job.run(Tokio::from(runtime.handle().clone())))
            }
            Self::Smol => Ok(job.run(Smol::global())),
            Self::AsyncStd => Ok(job.run(AsyncStd)),
        }
    }
}

/// What is to be done on a runtime that is chosen while the program runs.
pub trait Job {
    /// What comes of it.
    type Output;

    /// Does it. The calling thread may be blocked.
    fn run<R: Runtime>(self, runtime: R) -> Self::Output;
}
