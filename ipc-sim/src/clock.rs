//! Virtual time, and what is to happen when.
//!
//! Time is nanoseconds since the start. What is due at the same time happens in the order in which it was planned.

use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;
use std::time::{Duration, Instant};

use crate::network::Event;
use crate::random::nanos;

#[derive(Debug)]
pub(crate) struct Clock {
    /// Only differences to it are ever looked at, so it does not matter when it is.
    origin: Instant,
    now: u64,
    planned: BinaryHeap<Reverse<Planned>>,
    sequence: u64,
}

#[derive(Debug)]
struct Planned {
    at: u64,
    sequence: u64,
    event: Event,
}

impl Clock {
    pub(crate) fn new() -> Self {
        Self { origin: Instant::now(), now: 0, planned: BinaryHeap::with_capacity(64), sequence: 0 }
    }

    pub(crate) fn now(&self) -> u64 {
        self.now
    }

    pub(crate) fn instant(&self) -> Instant {
        self.origin + Duration::from_nanos(self.now)
    }

    /// The same in nanoseconds; what lies before the start is the start.
    pub(crate) fn nanos_at(&self, instant: Instant) -> u64 {
        nanos(instant.saturating_duration_since(self.origin))
    }

    pub(crate) fn plan(&mut self, at: u64, event: Event) {
        self.sequence += 1;
        self.planned.push(Reverse(Planned { at: at.max(self.now), sequence: self.sequence, event }));
    }

    pub(crate) fn next_at(&self) -> Option<u64> {
        self.planned.peek().map(|Reverse(planned)| planned.at)
    }

    /// The next thing to happen, and when it was due; time goes on to then unless it has leapt over it.
    pub(crate) fn next(&mut self) -> Option<(u64, Event)> {
        let Reverse(planned) = self.planned.pop()?;
        self.now = self.now.max(planned.at);
        Some((planned.at, planned.event))
    }

    pub(crate) fn advance_to(&mut self, at: u64) {
        self.now = self.now.max(at);
    }
}

impl PartialEq for Planned {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Planned {}

impl PartialOrd for Planned {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Planned {
    fn cmp(&self, other: &Self) -> Ordering {
        (self.at, self.sequence).cmp(&(other.at, other.sequence))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_due_together_happens_in_the_order_it_was_planned_in_and_time_never_goes_back() {
        let mut clock = Clock::new();
        clock.plan(20, Event::Wake(1));
        clock.plan(10, Event::Wake(2));
        clock.plan(20, Event::Wake(3));
        clock.advance_to(15);
        let order: Vec<_> = std::iter::from_fn(|| clock.next().map(|(due, event)| (due, event, clock.now()))).collect();
        assert_eq!(order, [(10, Event::Wake(2), 15), (20, Event::Wake(1), 20), (20, Event::Wake(3), 20)]);
    }
}
