//! Chance, all of it from one seed.
//!
//! The generator is `ipc-proto`'s; here are the questions a simulation asks of it.

use std::ops::RangeInclusive;
use std::time::Duration;

use ipc_proto::SplitMix64;

/// A deterministic source of chance: the same seed gives the same answers to the same questions.
#[derive(Clone, Debug)]
pub struct Random(SplitMix64);

impl Random {
    /// Starts from `seed`.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self(SplitMix64::new(seed))
    }

    /// The next number, uniform over all of `u64`.
    pub fn next_u64(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// A generator of its own, whose answers do not depend on how often this one is asked later.
    pub fn fork(&mut self) -> Self {
        Self::new(self.next_u64())
    }

    /// A number below `end`; 0 if `end` is 0.
    pub fn below(&mut self, end: u64) -> u64 {
        // The bias of the remainder is below 2⁻³² for every range that a simulation asks for.
        if end == 0 { 0 } else { self.next_u64() % end }
    }

    /// A number of `range`, ends included; its start if it is empty.
    pub fn within(&mut self, range: &RangeInclusive<u64>) -> u64 {
        let width = range.end().saturating_sub(*range.start());
        range.start() + self.below(width.saturating_add(1))
    }

    /// A duration of `range`, in whole nanoseconds; its start if it is empty.
    pub fn duration(&mut self, range: &RangeInclusive<Duration>) -> Duration {
        Duration::from_nanos(self.within(&(nanos(*range.start())..=nanos(*range.end()))))
    }

    /// A duration around `mean`, from none to twice as long.
    pub fn around(&mut self, mean: Duration) -> Duration {
        self.duration(&(Duration::ZERO..=mean.saturating_mul(2)))
    }

    /// True with this probability. 0 or less is never, and asks no question.
    pub fn chance(&mut self, probability: f64) -> bool {
        probability > 0.0 && self.0.next_fraction() < probability
    }

    /// One of `choices`; `None` if there are none.
    pub fn pick<'a, T>(&mut self, choices: &'a [T]) -> Option<&'a T> {
        let index = self.below(choices.len() as u64);
        choices.get(usize::try_from(index).unwrap_or(0))
    }
}

/// In nanoseconds, as the simulation counts; more than 584 years are cut to that.
pub(crate) fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_stay_within_what_was_asked_for() {
        let mut random = Random::new(1);
        for _ in 0..1000 {
            assert!(random.below(3) < 3);
            assert!((5..=7).contains(&random.within(&(5..=7))));
            let mean = Duration::from_millis(5);
            assert!(random.around(mean) <= 2 * mean);
        }
        assert_eq!(random.below(0), 0);
        assert!(!random.chance(0.0));
        assert!(random.chance(1.0));
        assert_eq!(random.pick::<u8>(&[]), None);
    }

    #[test]
    fn the_same_seed_gives_the_same_answers() {
        let answers = |seed| {
            let mut random = Random::new(seed);
            (0..20).map(|_| random.below(1000)).collect::<Vec<_>>()
        };
        assert_eq!(answers(4), answers(4));
        assert_ne!(answers(4), answers(5));
    }
}
