//! How long a client waits before it tries again.
//!
//! Only the length of one wait is computed here; when to try and when to give up is the client's.

use std::time::Duration;

use crate::SplitMix64;

/// How the wait grows with the number of failed attempts in a row.
///
/// The option `retry` is the first wait. node-ipc 9.2.1 and 14.0.0 know [`Backoff::Fixed`] only.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[non_exhaustive]
pub enum Backoff {
    /// Every wait is `retry`. The default.
    #[default]
    Fixed,
    /// Every wait is `factor` times the one before, up to `max`, shortened by chance.
    Exponential {
        /// What each wait is multiplied by; at least 1.
        factor: f64,
        /// The longest wait; at least `retry`.
        max: Duration,
        /// The share of a wait that chance may take off, from 0 (none) to 1 (all of it), so that a
        /// crowd of clients does not return in step.
        jitter: f64,
    },
}

impl Backoff {
    /// Doubling, up to 30 seconds, with up to half of each wait taken off by chance.
    #[must_use]
    pub const fn exponential() -> Self {
        Self::Exponential { factor: 2.0, max: Duration::from_secs(30), jitter: 0.5 }
    }

    /// The wait before retry number `attempt`, counted from 0 since the last success.
    ///
    /// `base` is the option `retry`. Only a jitter above 0 draws from `rng`.
    ///
    /// ```
    /// use std::time::Duration;
    /// use ipc_proto::{Backoff, SplitMix64};
    ///
    /// let base = Duration::from_millis(500);
    /// let backoff = Backoff::Exponential { factor: 2.0, max: Duration::from_secs(3), jitter: 0.0 };
    /// let mut rng = SplitMix64::new(1);
    /// let waits: Vec<_> = (0..4).map(|n| backoff.delay(n, base, &mut rng).as_millis()).collect();
    /// assert_eq!(waits, [500, 1000, 2000, 3000]);
    /// ```
    pub fn delay(&self, attempt: u32, base: Duration, rng: &mut SplitMix64) -> Duration {
        match *self {
            Self::Fixed => base,
            Self::Exponential { factor, max, jitter } => {
                let power = i32::try_from(attempt).unwrap_or(i32::MAX);
                // The product may be infinite or, with a factor nobody validated, not a number:
                // both end at `max`.
                let grown = base.as_secs_f64() * factor.powi(power);
                let wait = Duration::try_from_secs_f64(grown).map_or(max, |wait| wait.min(max));
                if jitter > 0.0 {
                    let kept = 1.0 - jitter.min(1.0) * rng.next_fraction();
                    wait.mul_f64(kept)
                } else {
                    wait
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fixed_wait_never_draws_from_the_generator() {
        let mut rng = SplitMix64::new(3);
        let base = Duration::from_millis(500);
        assert!((0..50).all(|attempt| Backoff::Fixed.delay(attempt, base, &mut rng) == base));
        assert_eq!(rng, SplitMix64::new(3));
    }

    #[test]
    fn jitter_only_shortens_and_no_attempt_overflows() {
        let mut rng = SplitMix64::new(3);
        let base = Duration::from_millis(100);
        for attempt in [0, 1, 7, 100, 5000, u32::MAX] {
            let backoff = Backoff::exponential();
            let whole = (0.1 * 2_f64.powi(attempt.min(1000) as i32)).min(30.0);
            let wait = backoff.delay(attempt, base, &mut rng).as_secs_f64();
            assert!(wait <= whole + 1e-9 && wait >= whole * 0.5 - 1e-9, "{attempt}: {wait}");
        }
    }

    #[test]
    fn a_factor_that_is_not_a_number_waits_the_longest() {
        let max = Duration::from_secs(9);
        let backoff = Backoff::Exponential { factor: f64::NAN, max, jitter: 0.0 };
        assert_eq!(backoff.delay(3, Duration::from_secs(1), &mut SplitMix64::new(0)), max);
    }
}
