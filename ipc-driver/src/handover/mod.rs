//! A listening socket goes from one process to the next, so that a restart refuses nobody.
//!
//! The old process makes an [`offer`] at a control socket, the new one [`claim`]s it. What they say, over a Unix socket
//! that only this user can connect to:
//!
//! ```text
//! new → old   a greeting with the version
//! old → new   the listening socket (SCM_RIGHTS), then where it listens and which file it has
//!             both could accept now; only the old one does
//! new → old   READY: it has the socket in its runtime
//! old → new   YOURS, and stops accepting; or WITHDRAWN, and goes on
//! ```
//!
//! The old process alone decides. Until it says YOURS it serves, and whatever becomes of the new one changes nothing. If the
//! new one finds the connection ended without a word, the old process is dead, and the socket is free. While neither
//! accepts, new connections wait in the backlog of the socket, which both hold.
//!
//! All of this blocks, and runs on a thread of its own; every wait has an end. What a server does with it is for
//! `server`.

mod claim;
mod offer;
#[cfg(test)]
mod tests;
mod wire;

pub(crate) use claim::{Claim, claim};
pub(crate) use offer::{Offer, Outcome, offer};
pub(crate) use wire::Facts;

use futures_channel::oneshot;
use std::io;
use std::time::Duration;

/// How long either side may take for one step of the conversation.
const STEP: Duration = Duration::from_secs(5);
/// How long the new process may take from getting the socket to being ready.
const READY_WITHIN: Duration = Duration::from_secs(60);
/// How long the new process waits for the answer. Longer than any server is busy, unless it hangs.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);

/// Runs `work`, which blocks, on a thread of its own.
pub(crate) async fn on_thread<T: Send + 'static>(
    name: &str,
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    let (sender, receiver) = oneshot::channel();
    let run = move || {
        // Nobody may be waiting any more.
        let _unheard = sender.send(work());
    };
    drop(std::thread::Builder::new().name(name.to_owned()).spawn(run)?);
    receiver.await.map_err(|_| io::Error::other("the thread of a handover has panicked"))?
}
