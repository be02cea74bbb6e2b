//! How long a peer is not read that does not take our answers.
//!
//! While the answers of our own handlers fill the queue, nothing is read, so that the peer stops asking. But it may itself be
//! waiting for us to read, because its handlers answer too: then each side would wait for the other for good.

use std::time::{Duration, Instant};

/// How long a peer that takes none of our answers is not read.
const STANDSTILL: Duration = Duration::from_secs(10);

/// The same, once that was so, as long as there is something to write.
const NEXT_STANDSTILL: Duration = Duration::from_millis(100);

/// With one connection.
#[derive(Debug, Default)]
pub(crate) struct Patience {
    wait: Wait,
    /// The peer was found to take nothing, and there has been something to write since.
    tried: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Wait {
    /// There is nothing to wait for, or it has just taken something.
    #[default]
    Untried,
    /// Nothing is read until then, unless it takes something.
    Until(Instant),
    /// It is read on, and answers for which there is no room are refused, until it takes something.
    Over,
}

impl Patience {
    /// Nothing is waited for.
    #[inline]
    pub(crate) fn is_untried(&self) -> bool {
        self.wait == Wait::Untried
    }

    /// Reading goes on, though the queue is full.
    #[inline]
    pub(crate) fn is_over(&self) -> bool {
        self.wait == Wait::Over
    }

    /// The peer has taken something.
    #[inline]
    pub(crate) fn taken(&mut self) {
        self.wait = Wait::Untried;
    }

    /// The peer has taken everything.
    #[inline]
    pub(crate) fn taken_all(&mut self) {
        self.tried = false;
    }

    /// Whether our answers fill the queue now.
    #[inline]
    pub(crate) fn look(&mut self, congested: bool, now: impl FnOnce() -> Instant) {
        if !congested {
            self.wait = Wait::Untried;
        } else if self.wait == Wait::Untried {
            let within = if self.tried { NEXT_STANDSTILL } else { STANDSTILL };
            self.wait = Wait::Until(now() + within);
        }
    }

    /// When it ends, if the peer takes nothing until then.
    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        match self.wait {
            Wait::Until(until) => Some(until),
            Wait::Untried | Wait::Over => None,
        }
    }

    /// The time is `now`.
    pub(crate) fn handle_timeout(&mut self, now: Instant) {
        if matches!(self.wait, Wait::Until(until) if until <= now) {
            (self.wait, self.tried) = (Wait::Over, true);
        }
    }
}

#[cfg(all(test, not(ipc_loom)))]
mod tests {
    use super::*;

    #[test]
    fn it_is_short_from_the_first_standstill_on_until_everything_is_taken() {
        let start = Instant::now();
        let mut patience = Patience::default();
        let begins = |patience: &mut Patience, within: Duration| {
            patience.look(true, || start);
            assert_eq!(patience.poll_timeout(), Some(start + within));
        };
        begins(&mut patience, STANDSTILL);
        patience.handle_timeout(start + STANDSTILL - Duration::from_nanos(1));
        assert!(!patience.is_over() && !patience.is_untried());
        patience.handle_timeout(start + STANDSTILL);
        assert!(patience.is_over() && patience.poll_timeout().is_none());
        patience.look(true, || start);
        assert!(patience.is_over(), "until the peer takes something");
        patience.taken();
        begins(&mut patience, NEXT_STANDSTILL);
        patience.look(false, || start);
        assert!(patience.is_untried());
        begins(&mut patience, NEXT_STANDSTILL);
        patience.taken();
        patience.taken_all();
        begins(&mut patience, STANDSTILL);
    }
}
