//! Errors that nobody listens for: they go to the log, once in a while. A peer can make as many as it sends bytes, and they
//! must not become as many lines.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// One is logged in so long, with the number of those in between.
const LOG_EVERY: Duration = Duration::from_secs(1);

/// What was logged lately of one server or client.
#[derive(Debug, Default)]
pub(crate) struct Unheard(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    logged: Option<Instant>,
    unlogged: u64,
}

impl Unheard {
    /// Counts an error. `Some` if it is to be logged: how many have not been since the last.
    pub(crate) fn count(&self, now: Instant) -> Option<u64> {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if state.logged.is_some_and(|logged| now.saturating_duration_since(logged) < LOG_EVERY) {
            state.unlogged += 1;
            return None;
        }
        state.logged = Some(now);
        Some(std::mem::take(&mut state.unlogged))
    }
}
