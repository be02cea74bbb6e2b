//! Who waits for something, in the order in which they came.
//!
//! A future that waits holds a ticket and gives it back when it is dropped, so that a wait given up leaves nothing behind.

use std::collections::BTreeMap;
use std::task::{Context, Waker};

/// The place of one future in the queue; empty until it first waits.
#[derive(Debug, Default)]
pub(crate) struct Ticket {
    place: Option<u64>,
    /// Whether it has let others have a turn.
    pub(crate) gave_way: bool,
}

impl Ticket {
    /// Whether it has ever waited in the queue.
    pub(crate) fn is_some(&self) -> bool {
        self.place.is_some()
    }
}

#[derive(Debug, Default)]
pub(crate) struct Wakers {
    waiting: BTreeMap<u64, Waker>,
    next: u64,
}

impl Wakers {
    /// Enters the task; a future that waits again keeps its place.
    pub(crate) fn register(&mut self, ticket: &mut Ticket, cx: &Context<'_>) {
        let place = *ticket.place.get_or_insert_with(|| {
            self.next += 1;
            self.next
        });
        self.waiting
            .entry(place)
            .and_modify(|waker| waker.clone_from(cx.waker()))
            .or_insert_with(|| cx.waker().clone());
    }

    pub(crate) fn forget(&mut self, ticket: &Ticket) -> Option<Waker> {
        self.waiting.remove(&ticket.place?)
    }

    /// Takes everybody out, to be woken without the lock.
    pub(crate) fn take(&mut self) -> Woken {
        Woken(std::mem::take(&mut self.waiting))
    }

    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }
}

/// Those taken out of the queue.
#[must_use]
pub(crate) struct Woken(BTreeMap<u64, Waker>);

impl Woken {
    pub(crate) fn wake(self) {
        self.0.into_values().for_each(Waker::wake);
    }
}
