//! What a queue does with an event it has no room for: the option `slowConsumer`.
//!
//! Everything here happens only while a queue is full. Whole events are dropped, never one that was handed out to be
//! written, and with `sync` never the one whose answer is waited for.

use super::{Outbound, Segment};
use crate::transmit::Transmit;
use crate::{EmitError, Loss, SlowConsumer};

/// The most that a queue hands out at once if it may have to drop its oldest events: what is handed out, it cannot drop any
/// more.
const PORTION: usize = 64 * 1024;

/// How much a queue hands out at once, and how long its buffers grow: all of it, unless it drops the oldest.
pub(super) fn portion(policy: SlowConsumer, limit: usize) -> usize {
    match policy {
        SlowConsumer::DropOldest => (limit / 4).clamp(1, PORTION),
        _ => usize::MAX,
    }
}

impl Outbound {
    /// What becomes of events that it has no room for.
    #[must_use]
    pub fn slow_consumer(&self) -> SlowConsumer {
        self.policy
    }

    /// Events that [`SlowConsumer::DropNewest`] has dropped: whether an emit that succeeded was one of them.
    #[must_use]
    pub fn dropped_newest(&self) -> u64 {
        self.counters.lost.dropped_newest.events
    }

    /// Emits for somebody who will wait: where there is no room [`EmitError::Full`] says so, and the policy is not asked.
    pub fn patiently<T>(&mut self, emit: impl FnOnce(&mut Self) -> T) -> T {
        /// Ends the patience, also when a payload panics while it is encoded.
        struct Patient<'a>(&'a mut Outbound, bool);
        impl Drop for Patient<'_> {
            fn drop(&mut self) {
                self.0.patient = self.1;
            }
        }
        let before = std::mem::replace(&mut self.patient, true);
        let patient = Patient(self, before);
        emit(patient.0)
    }

    /// Whether the policy [`SlowConsumer::Disconnect`] has given the connection up: the caller is to end it at once.
    #[must_use]
    pub fn has_overflowed(&self) -> bool {
        self.overflowed
    }

    /// There is no room for an event of `length` bytes. Says whether it is taken all the same, because others have made room,
    /// or dropped.
    #[cold]
    pub(super) fn overflow(&mut self, length: usize) -> Result<bool, EmitError> {
        let (pending, limit) = (self.pending(), self.limit);
        let option = if self.connected { "maxPendingBytes" } else { "maxOfflineBytes" };
        let full = EmitError::Full { pending, length, limit, option };
        match self.policy {
            _ if self.patient => Err(full),
            SlowConsumer::DropOldest => self.make_room(length).then_some(true).ok_or(full),
            SlowConsumer::DropNewest => {
                self.counters.events += 1;
                self.counters.bytes += length as u64;
                self.counters.lost.dropped_newest += Loss { events: 1, bytes: length as u64 };
                Ok(false)
            }
            SlowConsumer::Disconnect if self.connected => {
                self.closed = true;
                self.overflowed = true;
                Err(EmitError::TooSlow { pending, length, limit })
            }
            SlowConsumer::Refuse | SlowConsumer::Disconnect => Err(full),
        }
    }

    /// Drops the oldest events until there is room, unless even that would not do.
    fn make_room(&mut self, length: usize) -> bool {
        let held = self.sync.as_ref().map_or(0, |sync| sync.held_bytes);
        let stays = if self.sync.is_some() { self.pending() - held } else { self.in_flight };
        let enough = stays == 0 || stays.saturating_add(length) <= self.limit;
        // Raw bytes have no borders; such a configuration is refused.
        if !enough || self.raw {
            return false;
        }
        while !self.has_room(length) {
            let dropped = if self.sync.is_some() { self.drop_first_held() } else { self.drop_first_queued() };
            let Some(bytes) = dropped else { return false };
            self.counters.lost.dropped_oldest += Loss { events: 1, bytes: bytes as u64 };
        }
        true
    }

    fn drop_first_held(&mut self) -> Option<usize> {
        let sync = self.sync.as_mut()?;
        let dropped = sync.held.pop_front()?.len();
        sync.held_bytes -= dropped;
        Some(dropped)
    }

    /// Drops one event; `None` if nothing is queued. Behind what is queued there may be an event that is not yet counted.
    fn drop_first_queued(&mut self) -> Option<usize> {
        if self.queued == 0 {
            return None;
        }
        let segment = self.queue.front().map_or(self.tail.as_slice(), Segment::as_slice);
        let rest = &segment[self.skipped..];
        let delimiter = self.encoder.delimiter();
        let end = delimiter.find(rest).map_or(rest.len(), |at| at + delimiter.as_bytes().len());
        self.skipped += end;
        if self.skipped == segment.len() {
            self.skipped = 0;
            if self.queue.pop_front().is_none() {
                self.tail.clear();
            }
        }
        self.queued -= end;
        Some(end)
    }

    /// Cuts off what was dropped of the first buffer.
    pub(super) fn settle(&mut self) {
        let skipped = std::mem::take(&mut self.skipped);
        if skipped == 0 {
            return;
        }
        match self.queue.front_mut() {
            Some(Segment::Own(front)) => drop(front.drain(..skipped)),
            // One event, which is dropped whole.
            Some(Segment::Shared(_)) => {}
            None => drop(self.tail.drain(..skipped)),
        }
    }

    /// Hands out a portion to an empty `transmit`, at least one buffer.
    pub(super) fn hand_out(&mut self, transmit: &mut Transmit) {
        self.settle();
        let mut given = 0_usize;
        let fits = |given: usize, length: usize| given == 0 || given.saturating_add(length) <= self.portion;
        while let Some(length) = self.queue.front().map(|front| front.as_slice().len()) {
            if !fits(given, length) {
                break;
            }
            given += length;
            if let Some(segment) = self.queue.pop_front() {
                transmit.push(segment);
            }
        }
        if self.queue.is_empty() && !self.tail.is_empty() && fits(given, self.tail.len()) {
            given += self.tail.len();
            // The buffer that was written last is filled next.
            let full = std::mem::replace(&mut self.tail, transmit.take_spare());
            transmit.push(Segment::Own(full));
        }
        self.queued -= given;
    }
}
