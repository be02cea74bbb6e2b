//! The two times that every line carries. The only place of the protocol that reads a clock.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// When something happened.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Stamp {
    /// Milliseconds since the peer started.
    pub since_start: f64,
    /// Milliseconds since 1970.
    pub since_1970: f64,
}

/// A clock that never goes back: the time of day at the start, plus what has passed since.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    start: Instant,
    start_since_1970: f64,
}

impl Clock {
    /// Starts the clock.
    pub fn start() -> Self {
        let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self { start: Instant::now(), start_since_1970: since_1970.as_secs_f64() * 1_000.0 }
    }

    /// The time now.
    pub fn now(&self) -> Stamp {
        let since_start = self.start.elapsed().as_secs_f64() * 1_000.0;
        Stamp { since_start, since_1970: self.start_since_1970 + since_start }
    }
}
