//! One queue of the books, over all the connections that it has one after the other.
//!
//! Frames leave in the order of emits. With `sync` all but one are held until an answer comes.

use std::collections::VecDeque;

use ipc_proto::{Offline, SlowConsumer, Unsent};

use super::{accounting, order};
use crate::account::{Account, Loss, Tally};
use crate::failure::Violation;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SenderId(pub(super) usize);

/// What was taken by one emit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Emitted {
    pub(crate) number: u64,
    /// On the wire, delimiter included.
    pub(crate) bytes: usize,
    /// Of the frame without delimiter.
    pub(crate) digest: u64,
    /// 1, or 0 on a raw connection.
    pub(crate) events: u64,
}

impl Emitted {
    pub(super) fn tally(self) -> Tally {
        Tally::of(self.events, self.bytes)
    }
}

/// What decides whether a queue has room.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Room {
    pub(crate) limit: usize,
    pub(crate) policy: SlowConsumer,
    /// There is a connection that could be ended.
    pub(crate) connected: bool,
    pub(crate) closed: bool,
}

/// What a queue must do with an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Takes,
    MakesRoom,
    DropsIt,
    Refuses,
    GivesUp,
    IsClosed,
}

#[derive(Debug)]
pub(super) struct Sender {
    pub(super) raw: bool,
    pub(super) account: Account,
    /// What the machine has reported as lost, or must have.
    pub(super) reported: Tally,
    /// May leave, and has not wholly.
    queue: VecDeque<Emitted>,
    /// Bytes of the first of them that were written on this connection.
    begun: usize,
    queued: usize,
    /// The bytes of `queue`, on a raw connection.
    bytes: VecDeque<u8>,
    sync: bool,
    waits_for_answer: bool,
    held: VecDeque<(Emitted, Vec<u8>)>,
    held_bytes: usize,
    /// Bytes at the head of `queue` that were handed out, and not written.
    pub(super) handed_out: usize,
    /// The connection was given up, because the queue was full.
    pub(super) too_slow: bool,
    /// Of what was torn, the receiver has a part.
    pub(super) longest_torn: usize,
}

impl Sender {
    pub(super) fn new(sync: bool, raw: bool) -> Self {
        Self {
            raw,
            account: Account::default(),
            reported: Tally::default(),
            queue: VecDeque::new(),
            begun: 0,
            queued: 0,
            bytes: VecDeque::new(),
            sync,
            waits_for_answer: false,
            held: VecDeque::new(),
            held_bytes: 0,
            handed_out: 0,
            too_slow: false,
            longest_torn: 0,
        }
    }

    pub(super) fn emit(&mut self, emitted: Emitted, raw: &[u8]) {
        self.account.emitted += emitted.tally();
        if self.sync && self.waits_for_answer {
            self.held_bytes += emitted.bytes;
            self.held.push_back((emitted, raw.to_vec()));
        } else {
            self.waits_for_answer = self.sync;
            self.enqueue(emitted, raw);
        }
    }

    pub(super) fn drop_at_once(&mut self, emitted: Emitted) {
        self.account.emitted += emitted.tally();
        self.account.lose(Loss::Offline, emitted.tally());
        self.reported += emitted.tally();
    }

    pub(super) fn verdict(&self, bytes: usize, room: &Room) -> Verdict {
        let (pending, _) = self.pending();
        // What cannot be dropped: with `sync`, whatever has had its turn.
        let stays = if self.sync { pending - self.held_bytes } else { self.handed_out };
        match room.policy {
            _ if room.closed => Verdict::IsClosed,
            _ if pending == 0 || pending + bytes <= room.limit => Verdict::Takes,
            SlowConsumer::DropOldest if stays == 0 || stays + bytes <= room.limit => Verdict::MakesRoom,
            SlowConsumer::DropNewest => Verdict::DropsIt,
            SlowConsumer::Disconnect if room.connected => Verdict::GivesUp,
            _ => Verdict::Refuses,
        }
    }

    pub(super) fn make_room(&mut self, bytes: usize, room: &Room) {
        while self.verdict(bytes, room) == Verdict::MakesRoom {
            let dropped = if self.sync {
                self.held.pop_front().map(|(emitted, _)| emitted)
            } else {
                let (mut covered, mut first) = (0, 0);
                while covered < self.handed_out {
                    covered += self.queue[first].bytes - if first == 0 { self.begun } else { 0 };
                    first += 1;
                }
                self.queue.remove(first)
            };
            let Some(dropped) = dropped else { return };
            if self.sync {
                self.held_bytes -= dropped.bytes;
            } else {
                self.queued -= dropped.bytes;
            }
            self.account.lose(Loss::DroppedOldest, dropped.tally());
        }
    }

    pub(super) fn drop_newest(&mut self, emitted: Emitted) {
        self.account.emitted += emitted.tally();
        self.account.lose(Loss::DroppedNewest, emitted.tally());
    }

    fn enqueue(&mut self, emitted: Emitted, raw: &[u8]) {
        self.queued += emitted.bytes;
        self.queue.push_back(emitted);
        self.bytes.extend(raw);
    }

    pub(super) fn answer(&mut self) {
        self.waits_for_answer = false;
        if let Some((emitted, raw)) = self.held.pop_front() {
            self.waits_for_answer = true;
            self.held_bytes -= emitted.bytes;
            self.enqueue(emitted, &raw);
        }
    }

    pub(super) fn resume(&mut self) {
        if self.queue.is_empty() {
            self.answer();
        }
    }

    pub(super) fn release_all(&mut self) {
        while let Some((emitted, raw)) = self.held.pop_front() {
            self.enqueue(emitted, &raw);
        }
        self.held_bytes = 0;
    }

    pub(super) fn pending(&self) -> (usize, usize) {
        (self.queued - self.begun + self.held_bytes, self.held.len())
    }

    pub(super) fn head(&self) -> Option<usize> {
        self.queue.front().filter(|_| self.begun > 0).map(|emitted| emitted.bytes)
    }

    /// Some of `rest` bytes are written. Gives the frame that has left wholly with them.
    pub(super) fn write(&mut self, rest: &mut usize) -> Result<Option<Emitted>, Violation> {
        let Some(&head) = self.queue.front() else {
            return Err(order(format!("{rest} bytes were written that nobody had emitted, or that had to wait")));
        };
        let taken = (*rest).min(head.bytes - self.begun);
        *rest -= taken;
        self.begun += taken;
        if self.begun < head.bytes {
            return Ok(None);
        }
        (self.begun, self.queued) = (0, self.queued - head.bytes);
        self.queue.pop_front();
        Ok(Some(head))
    }

    pub(super) fn write_raw(&mut self, bytes: &[u8]) -> Result<(), Violation> {
        if self.bytes.len() < bytes.len() || !self.bytes.drain(..bytes.len()).eq(bytes.iter().copied()) {
            return Err(order(format!("{} bytes were written that are not those that are next", bytes.len())));
        }
        let mut rest = bytes.len();
        while rest > 0 {
            self.write(&mut rest)?;
        }
        Ok(())
    }

    /// The connection is gone. What is lost by the rules must be what is reported.
    pub(super) fn disconnect(&mut self, for_good: bool, offline: Offline, reported: Unsent) -> Result<(), Violation> {
        self.reported += reported.into();
        self.handed_out = 0;
        let too_slow = std::mem::take(&mut self.too_slow);
        let keeps = !for_good && !too_slow && offline == Offline::Buffer;
        if self.raw && keeps {
            return self.tear_raw(reported.bytes);
        }
        let mut expected = Tally::default();
        if self.begun > 0 {
            if let Some(torn) = self.queue.pop_front() {
                expected += Tally::of(torn.events, torn.bytes - self.begun);
                self.longest_torn = self.longest_torn.max(torn.bytes);
                // On a raw connection every byte counts for itself; what was written of an event counts with the event.
                let lost = if self.raw { torn.bytes - self.begun } else { torn.bytes };
                self.account.lose(Loss::Torn, Tally::of(torn.events, lost));
                self.queued -= torn.bytes;
            }
            self.begun = 0;
        }
        if !keeps {
            let loss = match () {
                () if too_slow => Loss::TooSlow,
                () if for_good => Loss::Ended,
                () => Loss::Offline,
            };
            let mut dropped = Tally::default();
            self.queue.drain(..).for_each(|emitted| dropped += emitted.tally());
            self.bytes.clear();
            self.queued = 0;
            if for_good || too_slow {
                self.held.drain(..).for_each(|(emitted, _)| dropped += emitted.tally());
                self.held_bytes = 0;
                self.waits_for_answer = false;
            }
            self.account.lose(loss, dropped);
            expected += dropped;
        }
        if expected == Tally::from(reported) {
            return Ok(());
        }
        Err(accounting(format!("{reported:?} is reported at the end of a connection, where it was {expected:?}")))
    }

    pub(super) fn end_silently(&mut self, unsent: Unsent) -> Result<(), Violation> {
        let (pending, _) = self.pending();
        if pending == 0 { Ok(()) } else { self.disconnect(true, Offline::Refuse, unsent) }
    }

    /// On a raw connection what was taken together with bytes that left is given up too. The machine says how much; it
    /// must end where an emit ends, and begin in what had begun to leave.
    fn tear_raw(&mut self, torn: usize) -> Result<(), Violation> {
        let begun = std::mem::take(&mut self.begun);
        if torn == 0 && begun > 0 {
            return Err(accounting(format!("{begun} bytes of an emit had left, and none are reported as torn")));
        }
        let mut rest = torn + begun;
        while rest > 0 {
            match self.queue.pop_front() {
                Some(emitted) if emitted.bytes <= rest => {
                    rest -= emitted.bytes;
                    self.queued -= emitted.bytes;
                }
                _ => {
                    return Err(accounting(format!("{torn} raw bytes are reported as torn, which is not whole emits")));
                }
            }
        }
        self.bytes.drain(..torn.min(self.bytes.len()));
        self.account.lose(Loss::Torn, Tally::of(0, torn));
        Ok(())
    }

    pub(super) fn lose_all(&mut self, loss: Loss) {
        let mut tally = Tally::default();
        self.queue.drain(..).for_each(|emitted| tally += emitted.tally());
        self.held.drain(..).for_each(|(emitted, _)| tally += emitted.tally());
        if self.raw {
            tally.bytes -= self.begun as u64;
        }
        self.account.lose(loss, tally);
        self.bytes.clear();
        (self.begun, self.queued, self.held_bytes, self.waits_for_answer) = (0, 0, 0, false);
        (self.handed_out, self.too_slow) = (0, false);
    }
}

#[cfg(test)]
pub(super) fn unsent(messages: usize, bytes: usize) -> Unsent {
    let mut unsent = Unsent::default();
    (unsent.messages, unsent.bytes) = (messages, bytes);
    unsent
}
