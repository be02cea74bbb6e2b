//! The behaviour suite: what a client and a server do over the real sockets of an adapter, whatever its runtime is.
//!
//! Every behaviour is an async function, generic over the runtime, that is given a [`Stage`]: a folder of its own, an
//! endpoint that nobody else has, and handles that find each other there. It knows no runtime. Tasks and timers are those of the
//! adapter under test; that a behaviour hangs is noticed by a thread of the suite itself ([`soon`]).
//!
//! An adapter is tested by saying how it runs a future, in [`Subject`], and naming that in one line:
//!
//! ```
//! use ipc_conformance::behaviour::Subject;
//! use ipc_tokio::Tokio;
//!
//! struct CurrentThread(tokio::runtime::Runtime);
//!
//! impl Subject for CurrentThread {
//!     type Runtime = Tokio;
//!
//!     fn runtime(&self) -> Tokio {
//!         self.0.handle().clone().into()
//!     }
//!
//!     fn block_on<F: Future>(&self, future: F) -> F::Output {
//!         self.0.block_on(future)
//!     }
//! }
//!
//! // In a file under `tests/`: one `#[test]` for each behaviour, on a runtime of its own.
//! ipc_conformance::behaviour_tests!(CurrentThread(
//!     tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime")
//! ));
//! ```
//!
//! What is of one runtime only, and what takes a process of its own, is tested by the adapter itself.

mod channel;
mod list;
mod stage;
mod tasks;
mod watchdog;

#[cfg(target_os = "linux")]
pub mod abstract_names;
pub mod accounts;
pub mod addresses;
pub mod admission;
pub mod backpressure;
pub mod contract;
pub mod crowd;
pub mod ending;
pub mod exchange;
pub mod formats;
pub mod groups;
#[cfg(unix)]
pub mod handover;
pub mod instances;
pub mod life;
#[cfg(unix)]
pub mod listeners;
pub mod protocol;
pub mod requests;
pub mod secure;
pub mod shutdown;
pub mod slow_consumers;
#[cfg(unix)]
pub mod socket_files;
pub mod states;
pub mod udp;

pub use channel::{Closed, Receiver, Sender, channel};
pub use stage::{Stage, Transport};
pub use tasks::{Either, Joined, block_on, first_of, spawn, unblock, within};
pub use watchdog::soon;

use ipc_driver::runtime::Ambient;
use std::future::Future;
use std::io::Write;

/// An adapter under test: its runtime, and how one runs a future there from a thread that has no runtime yet.
pub trait Subject {
    /// The adapter's runtime.
    type Runtime: Ambient;

    /// This runtime.
    fn runtime(&self) -> Self::Runtime;

    /// Runs a future to its end on the calling thread. While it runs, [`Ambient::ambient`] gives this runtime, and what was
    /// spawned on it goes on.
    fn block_on<F: Future>(&self, future: F) -> F::Output;

    /// Why a transport is not to be had on this platform: its behaviours are left out then, by name, on the standard
    /// error.
    fn cannot(&self, transport: Transport) -> Option<&'static str> {
        let _ = transport;
        None
    }
}

/// Runs one behaviour. [`behaviour_tests!`](crate::behaviour_tests) makes tests that call this.
pub fn run<S: Subject, F: Future<Output = ()>>(
    subject: &S,
    name: &str,
    transport: Transport,
    behaviour: impl FnOnce(Stage<S::Runtime>) -> F,
) {
    if let Some(why) = subject.cannot(transport) {
        not_tested(format_args!("{name}: {why}"));
        return;
    }
    subject.block_on(behaviour(Stage::new(subject.runtime(), transport)));
}

/// Says that something could not be tested here, past the test harness, which hides what tests print.
fn not_tested(what: impl std::fmt::Display) {
    let _nobody_listens = writeln!(std::io::stderr(), "\n*** NOT TESTED: {what} ***\n");
}

/// As [`not_tested`], for what every CI machine must have.
fn not_here(what: impl std::fmt::Display) {
    not_tested(&what);
    assert!(std::env::var_os("CI").is_none(), "{what} must be tested where CI is set");
}
