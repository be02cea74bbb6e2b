//! What a client should be like: its life as the documentation has it, without a queue and without an action.

use std::time::{Duration, Instant};

use ipc_proto::{Backoff, StopRetrying};

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Life {
    Idle,
    /// The caller is to dial, or dials.
    Connecting {
        dialled: bool,
    },
    Connected,
    Waiting {
        until: Instant,
    },
    Closing {
        told: bool,
    },
    Destroyed,
}

/// What a client should be like.
pub(super) struct Model {
    pub(super) life: Life,
    pub(super) max_retries: Option<u32>,
    pub(super) stop: StopRetrying,
    pub(super) retry: Duration,
    pub(super) retries: u32,
}

impl Model {
    pub(super) fn budget(&self) -> Option<u32> {
        let stop = match self.stop {
            StopRetrying::Yes => 0,
            StopRetrying::After(retries) => retries,
            _ => return self.max_retries,
        };
        Some(self.max_retries.map_or(stop, |max| max.min(stop)))
    }

    /// Checks the wait before retry number `attempt`.
    pub(super) fn check_wait(&self, backoff: Backoff, attempt: u32, wait: Duration) {
        let shortest = Duration::from_millis(1);
        assert!(wait >= shortest);
        match backoff {
            Backoff::Exponential { factor, max, jitter } => {
                let whole = (self.retry.as_secs_f64() * factor.powf(f64::from(attempt))).min(max.as_secs_f64());
                let whole = Duration::from_secs_f64(whole).max(shortest);
                let most = whole.as_secs_f64() * 1.000_001 + 1e-6;
                let least = (whole.as_secs_f64() * (1.0 - jitter) * 0.999_999 - 1e-6).max(0.0);
                assert!((least..=most).contains(&wait.as_secs_f64()), "{wait:?} of {whole:?}");
            }
            _ => assert_eq!(wait, self.retry),
        }
    }
}
