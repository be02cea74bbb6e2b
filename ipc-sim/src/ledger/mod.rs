//! The books: what is queued where, what is on which connection, and what has come out.
//!
//! It is a second, naive implementation of what an `Outbound` does between emit and write, kept beside the real one:
//! a list of frames with their lengths and digests. It never looks into the machine, and is compared with it after
//! every step: bytes pending, frames held by `sync`, what is reported as unsent, and every frame that is delivered.

use std::collections::VecDeque;

use ipc_proto::{Offline, Unsent};

use crate::account::{Account, Loss, Refusals, Tally};
use crate::failure::{Invariant, Violation};
use crate::network::StreamId;

mod sender;

use sender::Sender;
pub(crate) use sender::{Emitted, Room, SenderId, Verdict};

/// How a receiver ended its connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    /// It had read everything up to the end.
    End,
    Reset,
    Closed,
    Failed,
    Crashed,
}

/// One direction of one stream.
#[derive(Debug, Default)]
struct Flow {
    /// `None` if a node writes there that keeps no books.
    sender: Option<SenderId>,
    /// Wholly written, not delivered.
    expected: VecDeque<Emitted>,
    /// The same as bytes, on a raw connection.
    raw: VecDeque<u8>,
    /// Nothing is delivered any more, and that is why.
    done: Option<Loss>,
}

#[derive(Debug, Default)]
pub(crate) struct Ledger {
    senders: Vec<Sender>,
    /// By the end that receives.
    flows: Vec<Flow>,
    closed: bool,
}

fn order(message: String) -> Violation {
    Violation::new(Invariant::Order, message)
}

fn accounting(message: String) -> Violation {
    Violation::new(Invariant::Accounting, message)
}

impl Ledger {
    pub(crate) fn add_sender(&mut self, sync: bool, raw: bool) -> SenderId {
        self.senders.push(Sender::new(sync, raw));
        SenderId(self.senders.len() - 1)
    }

    fn flow(&mut self, to: StreamId) -> &mut Flow {
        if self.flows.len() <= to.index() {
            self.flows.resize_with(to.index() + 1, Flow::default);
        }
        &mut self.flows[to.index()]
    }

    /// An emit was taken: as a frame, or as bytes on a raw connection.
    pub(crate) fn emitted(&mut self, sender: SenderId, emitted: Emitted, raw: &[u8]) {
        self.senders[sender.0].emit(emitted, raw);
    }

    /// An emit was taken only to be dropped.
    pub(crate) fn dropped(&mut self, sender: SenderId, emitted: Emitted) {
        self.senders[sender.0].drop_at_once(emitted);
    }

    /// What a queue must do with an event of that many bytes.
    pub(crate) fn verdict(&self, sender: SenderId, bytes: usize, room: &Room) -> Verdict {
        self.senders[sender.0].verdict(bytes, room)
    }

    /// The oldest events have made room for one of that many bytes.
    pub(crate) fn make_room(&mut self, sender: SenderId, bytes: usize, room: &Room) {
        self.senders[sender.0].make_room(bytes, room);
    }

    /// An emit was taken only to be dropped, as the newest.
    pub(crate) fn dropped_newest(&mut self, sender: SenderId, emitted: Emitted) {
        self.senders[sender.0].drop_newest(emitted);
    }

    /// The connection is given up, because its queue was full.
    pub(crate) fn too_slow(&mut self, sender: SenderId) {
        self.senders[sender.0].too_slow = true;
    }

    /// So many bytes have been handed out by the queue, and are still to be written.
    pub(crate) fn handed_out(&mut self, sender: SenderId, bytes: usize) {
        self.senders[sender.0].handed_out = bytes;
    }

    pub(crate) fn refusals(&mut self, sender: SenderId) -> &mut Refusals {
        &mut self.senders[sender.0].account.refused
    }

    /// The queue has a connection now, which writes to `to`.
    pub(crate) fn connected(&mut self, sender: SenderId, to: StreamId) {
        self.flow(to).sender = Some(sender);
        self.senders[sender.0].resume();
    }

    pub(crate) fn answered(&mut self, sender: SenderId) {
        self.senders[sender.0].answer();
    }

    pub(crate) fn closing(&mut self, sender: SenderId) {
        self.senders[sender.0].release_all();
    }

    /// Bytes pending, and messages held by `sync`.
    pub(crate) fn pending(&self, sender: SenderId) -> (usize, usize) {
        self.senders[sender.0].pending()
    }

    /// The network has taken these bytes of what the machine gave out.
    pub(crate) fn written(&mut self, sender: SenderId, to: StreamId, bytes: &[u8]) -> Result<(), Violation> {
        self.flow(to);
        let flow = &mut self.flows[to.index()];
        let sender = &mut self.senders[sender.0];
        if sender.raw {
            sender.write_raw(bytes)?;
            match flow.done {
                Some(loss) => sender.account.lose(loss, Tally::of(0, bytes.len())),
                None => flow.raw.extend(bytes),
            }
            return Ok(());
        }
        let mut rest = bytes.len();
        while rest > 0 {
            let Some(whole) = sender.write(&mut rest)? else { break };
            match flow.done {
                Some(loss) => sender.account.lose(loss, whole.tally()),
                None => flow.expected.push_back(whole),
            }
        }
        Ok(())
    }

    /// A frame came out, as an event or as one that the receiver rejects.
    pub(crate) fn delivered(&mut self, to: StreamId, digest: u64, rejected: bool) -> Result<(), Violation> {
        let flow = self.flow(to);
        let Some(sender) = flow.sender else { return Ok(()) };
        let Some(expected) = flow.expected.pop_front() else {
            return Err(order(format!("stream {}: a frame came out that nobody had written", to.0)));
        };
        if expected.digest != digest {
            let what = if flow.expected.iter().any(|later| later.digest == digest) {
                "a later frame"
            } else {
                "another frame"
            };
            let number = expected.number;
            return Err(order(format!("stream {}: {what} came out where emit number {number} was due", to.0)));
        }
        let account = &mut self.senders[sender.0].account;
        let tally = if rejected { &mut account.rejected } else { &mut account.delivered };
        *tally += expected.tally();
        Ok(())
    }

    /// Bytes came out of a raw connection.
    pub(crate) fn delivered_raw(&mut self, to: StreamId, bytes: &[u8]) -> Result<(), Violation> {
        let flow = self.flow(to);
        let Some(sender) = flow.sender else { return Ok(()) };
        if flow.raw.len() < bytes.len() {
            return Err(order(format!("stream {}: more bytes came out than were written", to.0)));
        }
        if !flow.raw.drain(..bytes.len()).eq(bytes.iter().copied()) {
            return Err(order(format!("stream {}: other bytes came out than were written", to.0)));
        }
        self.senders[sender.0].account.delivered += Tally::of(0, bytes.len());
        Ok(())
    }

    /// The length of the frame that is due, or is being written: what a receiver may find too long.
    pub(crate) fn due_length(&mut self, to: StreamId) -> Option<usize> {
        let flow = self.flow(to);
        let sender = flow.sender?;
        let whole = flow.expected.front().map(|emitted| emitted.bytes);
        let sender = &self.senders[sender.0];
        whole.or_else(|| sender.head()).or(Some(sender.longest_torn))
    }

    /// Whether somebody writes there who keeps books.
    pub(crate) fn knows(&mut self, to: StreamId) -> bool {
        self.flow(to).sender.is_some()
    }

    /// Nothing will be delivered on this connection any more.
    pub(crate) fn receiver_done(&mut self, to: StreamId, ending: Ending, cut: bool) -> Result<(), Violation> {
        let flow = self.flow(to);
        if flow.done.is_some() {
            return Ok(());
        }
        let loss = match ending {
            _ if cut => Loss::Cut,
            Ending::End | Ending::Reset => Loss::Reset,
            Ending::Closed => Loss::ReceiverClosed,
            Ending::Failed => Loss::ReceiverFailed,
            Ending::Crashed => Loss::Crashed,
        };
        flow.done = Some(loss);
        let Some(sender) = flow.sender else { return Ok(()) };
        let vanished = flow.expected.len() + flow.raw.len();
        let mut tally = Tally::of(0, flow.raw.len());
        flow.raw.clear();
        flow.expected.drain(..).for_each(|emitted| tally += emitted.tally());
        self.senders[sender.0].account.lose(loss, tally);
        if ending == Ending::End && vanished > 0 && !cut {
            return Err(accounting(format!(
                "stream {}: its end was read, and {} events of {} bytes that were written before it never came out",
                to.0, tally.messages, tally.bytes
            )));
        }
        Ok(())
    }

    /// A client's connection or attempt has ended, and this was reported as unsent.
    pub(crate) fn disconnected(
        &mut self,
        sender: SenderId,
        for_good: bool,
        offline: Offline,
        reported: Unsent,
    ) -> Result<(), Violation> {
        self.senders[sender.0].disconnect(for_good, offline, reported)
    }

    /// A client is at its end, perhaps without an event: what is still in the books is what it says.
    pub(crate) fn ended(&mut self, sender: SenderId, unsent: Unsent) -> Result<(), Violation> {
        self.senders[sender.0].end_silently(unsent)
    }

    /// What the machine says it has lost since it was made, compared.
    pub(crate) fn check_dropped(&self, sender: SenderId, dropped: Unsent) -> Result<(), Violation> {
        let expected = self.senders[sender.0].reported;
        if expected == Tally::from(dropped) {
            return Ok(());
        }
        Err(accounting(format!("{dropped:?} are said to be dropped since the start, where it were {expected:?}")))
    }

    /// The process that had this queue is gone.
    pub(crate) fn crashed(&mut self, sender: SenderId) {
        self.senders[sender.0].lose_all(Loss::Crashed);
    }

    /// What was written on this connection and has not come out.
    pub(crate) fn in_flight(&self, to: StreamId) -> usize {
        self.flows.get(to.index()).map_or(0, |flow| flow.expected.len() + flow.raw.len())
    }

    /// The simulation is over: what is left is counted as that.
    pub(crate) fn close(&mut self) -> Result<(), Violation> {
        if std::mem::replace(&mut self.closed, true) {
            return Ok(());
        }
        for flow in &mut self.flows {
            let Some(sender) = flow.sender else { continue };
            let mut tally = Tally::of(0, flow.raw.len());
            flow.expected.drain(..).for_each(|emitted| tally += emitted.tally());
            flow.raw.clear();
            self.senders[sender.0].account.lose(Loss::InFlight, tally);
        }
        for (number, sender) in self.senders.iter_mut().enumerate() {
            sender.lose_all(Loss::Queued);
            if !sender.account.is_balanced() {
                return Err(accounting(format!("sender {number}: the sums do not balance: {:?}", sender.account)));
            }
        }
        Ok(())
    }

    pub(crate) fn account(&self) -> Account {
        let mut sum = Account::default();
        self.senders.iter().for_each(|sender| sum += &sender.account);
        sum
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TO: StreamId = StreamId(1);

    fn emitted(number: u64) -> Emitted {
        Emitted { number, bytes: 10, digest: number, events: 1 }
    }

    fn ledger(frames: u64) -> (Ledger, SenderId) {
        let mut ledger = Ledger::default();
        let sender = ledger.add_sender(false, false);
        ledger.connected(sender, TO);
        (0..frames).for_each(|number| ledger.emitted(sender, emitted(number), &[]));
        (ledger, sender)
    }

    fn broken(outcome: Result<(), Violation>) -> Option<Invariant> {
        outcome.err().map(|violation| violation.invariant)
    }

    #[test]
    fn a_gap_a_duplicate_and_a_frame_out_of_nowhere_are_seen() {
        for (came, fails_at) in [(&[0, 1, 2][..], None), (&[1], Some(0)), (&[0, 0], Some(1)), (&[0, 1, 2, 3], Some(3))]
        {
            let (mut ledger, sender) = ledger(3);
            assert_eq!(ledger.written(sender, TO, &[0; 30]), Ok(()));
            for (index, &digest) in came.iter().enumerate() {
                let expected = (fails_at == Some(index)).then_some(Invariant::Order);
                assert_eq!(broken(ledger.delivered(TO, digest, false)), expected, "{came:?} at {index}");
            }
        }
    }

    #[test]
    fn bytes_that_nobody_emitted_are_seen() {
        let (mut ledger, sender) = ledger(1);
        assert_eq!(broken(ledger.written(sender, TO, &[0; 11])), Some(Invariant::Order));
    }

    #[test]
    fn what_vanishes_before_a_clean_end_is_seen_and_what_a_cut_destroys_is_counted() {
        let (mut clean, sender) = ledger(2);
        assert_eq!(clean.written(sender, TO, &[0; 20]), Ok(()));
        assert_eq!(broken(clean.receiver_done(TO, Ending::End, false)), Some(Invariant::Accounting));

        let (mut cut, sender) = ledger(2);
        assert_eq!(cut.written(sender, TO, &[0; 20]), Ok(()));
        assert_eq!(cut.receiver_done(TO, Ending::Reset, true), Ok(()));
        assert_eq!(cut.account().lost_by(Loss::Cut), Tally { messages: 2, bytes: 20 });
        assert_eq!(cut.close(), Ok(()));
    }

    #[test]
    fn unsent_must_be_counted_to_the_byte() {
        // One frame is whole, one torn in the middle, two have not left.
        let cases = [(3, 25, None), (2, 25, Some(Invariant::Accounting)), (3, 24, Some(Invariant::Accounting))];
        for (messages, bytes, expected) in cases {
            let (mut ledger, sender) = ledger(4);
            assert_eq!(ledger.written(sender, TO, &[0; 15]), Ok(()));
            let reported = sender::unsent(messages, bytes);
            assert_eq!(broken(ledger.disconnected(sender, true, Offline::Buffer, reported)), expected);
        }
    }

    #[test]
    fn with_the_policy_buffer_only_the_torn_frame_is_lost_and_the_rest_leaves_next() {
        let (mut ledger, sender) = ledger(3);
        assert_eq!(ledger.written(sender, TO, &[0; 15]), Ok(()));
        assert_eq!(ledger.disconnected(sender, false, Offline::Buffer, sender::unsent(1, 5)), Ok(()));
        assert_eq!(ledger.check_dropped(sender, sender::unsent(1, 5)), Ok(()));
        assert_eq!(ledger.pending(sender), (10, 0));
        let next = StreamId(3);
        ledger.connected(sender, next);
        assert_eq!(ledger.written(sender, next, &[0; 10]), Ok(()));
        assert_eq!(ledger.delivered(next, 2, false), Ok(()));
        assert_eq!(ledger.close(), Ok(()));
        let account = ledger.account();
        assert!(account.is_balanced());
        assert_eq!(account.lost_by(Loss::InFlight).messages, 1);
    }
}
