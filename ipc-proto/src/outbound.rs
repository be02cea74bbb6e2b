//! The sending half of a connection: encode, queue within bounds, hand out.
//!
//! Any number of threads may emit into one [`Outbound`] under the caller's lock; the one that writes the socket takes
//! everything queued at once as a [`Transmit`] and writes it without that lock. The queue outlives a client's
//! connections, so that what was emitted while offline leaves on the next one. It does not know about sockets, and
//! whether a peer is there is for [`Client`](crate::Client) to say.

mod overflow;

use crate::frame::{FRAMED, RAW};
use crate::transmit::{REFUSED_MAX, Segment, Transmit};
use crate::{EmitError, EncodeError, Encoder, Event, Frame, Message, OutboundCounters, Settings, SlowConsumer};
use bytes::Buf;
use serde::Serialize;
use std::collections::VecDeque;
use std::fmt;

/// What left a queue without being sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Unsent {
    /// Events, counted by their delimiters; 0 on a raw connection, which has no message borders. Over UDP, datagrams.
    pub messages: usize,
    /// Bytes, delimiters included.
    pub bytes: usize,
}

impl Unsent {
    /// Whether nothing was lost.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.bytes == 0
    }

    fn add(&mut self, bytes: &[u8], delimiter: &[u8]) {
        self.bytes += bytes.len();
        if !delimiter.is_empty() {
            self.messages += memchr::memmem::find_iter(bytes, delimiter).count();
        }
    }
}

impl std::ops::AddAssign for Unsent {
    fn add_assign(&mut self, other: Self) {
        self.messages += other.messages;
        self.bytes += other.bytes;
    }
}

/// Shared frames up to this size are copied: one more slice for the kernel costs more than the copy.
const COPY_BELOW: usize = 2 * 1024;

/// The sending half of a connection, to be owned by whoever writes or shared under a lock by all who emit.
///
/// Commands are `emit…`, [`close`](Self::close), [`discard`](Self::discard) and [`end`](Self::end);
/// [`poll_transmit`](Self::poll_transmit) gives what is to be written, and [`handle_answer`](Self::handle_answer) lets the
/// next message go in `sync` mode. `Debug` shows sizes, never what is queued.
///
/// What an emit touches stands first and together: a broadcast goes over queues that are in no cache, and each line is waited for.
#[repr(C)]
pub struct Outbound {
    /// The buffer that events are encoded into: the last of the queue.
    tail: Vec<u8>,
    queued: usize,
    /// Handed out by [`poll_transmit`](Self::poll_transmit) and not known to be written.
    in_flight: usize,
    limit: usize,
    sync: Option<Box<Sync>>,
    /// How much is handed out at once, and how long a buffer of the queue grows.
    portion: usize,
    raw: bool,
    closed: bool,
    /// Somebody waits for room: the policy is not asked.
    patient: bool,
    /// There is a connection that could be ended; a client may be without.
    pub(crate) connected: bool,
    /// The policy has given the connection up.
    overflowed: bool,
    /// What is done when there is no room.
    policy: SlowConsumer,
    encoder: Encoder,
    /// Apart from `pending` and `written`, which are found when they are asked for.
    counters: OutboundCounters,
    /// What is queued before the `tail`. None of these is empty.
    queue: VecDeque<Segment>,
    /// Bytes at the head of the first buffer that were dropped.
    skipped: usize,
}

/// `sync`: one message is out, the others wait for an answer.
#[derive(Default)]
struct Sync {
    waiting_for_answer: bool,
    held: VecDeque<Vec<u8>>,
    held_bytes: usize,
}

impl Outbound {
    /// An empty queue. `sync` makes it send one message at a time, the next after an answer (`config.sync`, which
    /// node-ipc applies to clients only).
    #[must_use]
    pub fn new(settings: &Settings, sync: bool) -> Self {
        let raw = settings.is_raw();
        Self {
            encoder: settings.encoder(),
            raw,
            tail: Vec::new(),
            queue: VecDeque::new(),
            queued: 0,
            in_flight: 0,
            limit: settings.max_pending_bytes(),
            sync: sync.then(Box::default),
            closed: false,
            policy: settings.config().slow_consumer,
            patient: false,
            connected: true,
            overflowed: false,
            skipped: 0,
            portion: overflow::portion(settings.config().slow_consumer, settings.max_pending_bytes()),
            counters: OutboundCounters::default(),
        }
    }

    /// Queues an event. On the wire: `{"type":name,"data":data}` and the delimiter.
    ///
    /// # Errors
    ///
    /// [`EmitError`]; then nothing was queued.
    pub fn emit<T: Serialize + ?Sized>(&mut self, name: &str, data: &T) -> Result<(), EmitError> {
        self.frame(|encoder, out| encoder.encode(name, data, out))
    }

    /// Queues a received event as it is, its payload not parsed again.
    ///
    /// # Errors
    ///
    /// As [`emit`](Self::emit).
    pub fn emit_event(&mut self, event: &Event<'_>) -> Result<(), EmitError> {
        self.frame(|encoder, out| encoder.encode_event(event, out))
    }

    /// Queues a message.
    ///
    /// # Errors
    ///
    /// As [`emit`](Self::emit).
    pub fn emit_message(&mut self, message: &Message) -> Result<(), EmitError> {
        self.frame(|encoder, out| encoder.encode_message(message, out))
    }

    /// Queues an event whose payload is JSON text already; `None` leaves the key `data` out.
    ///
    /// # Errors
    ///
    /// As [`emit`](Self::emit); text that is not JSON is refused.
    pub fn emit_json(&mut self, name: &str, data_json: Option<&str>) -> Result<(), EmitError> {
        self.frame(|encoder, out| encoder.encode_json(name, data_json, out))
    }

    /// Queues an envelope from exact JSON texts, for what JavaScript may send and a Rust string cannot hold: a `type`
    /// that is no string, or one with a lone surrogate. `None` leaves the key out.
    ///
    /// # Errors
    ///
    /// As [`emit_json`](Self::emit_json).
    pub fn emit_envelope(&mut self, type_json: Option<&str>, data_json: Option<&str>) -> Result<(), EmitError> {
        self.frame(|encoder, out| encoder.encode_envelope(type_json, data_json, out))
    }

    /// Queues bytes on a raw connection (`rawBuffer`), which go out exactly as they are. No bytes are nothing to send.
    ///
    /// # Errors
    ///
    /// As [`emit`](Self::emit); [`EmitError::WrongMode`] on a framed connection.
    pub fn emit_raw(&mut self, bytes: &[u8]) -> Result<(), EmitError> {
        if self.raw { self.append_bytes(bytes) } else { Err(self.refuse(FRAMED)) }
    }

    /// Queues a frame that was encoded once for many connections. Large ones are shared, not copied.
    ///
    /// # Errors
    ///
    /// As [`emit`](Self::emit); [`EmitError::WrongMode`] if the frame was made for other settings.
    pub fn emit_frame(&mut self, frame: &Frame) -> Result<(), EmitError> {
        frame.check(self.raw, self.encoder.delimiter()).map_err(|refusal| self.refuse(refusal))?;
        if self.sync.is_some() || frame.bytes.len() <= COPY_BELOW {
            return self.append_bytes(&frame.bytes);
        }
        if !self.admit(frame.bytes.len()).map_err(|refusal| self.refuse(refusal))? {
            return Ok(());
        }
        let pending = self.pending();
        self.counters.take(frame.bytes.len(), pending);
        self.queued += frame.bytes.len();
        self.push(Segment::Shared(frame.bytes.clone()));
        Ok(())
    }

    /// Puts a segment at the end of the queue.
    fn push(&mut self, segment: Segment) {
        self.finish_tail();
        if !segment.as_slice().is_empty() {
            self.queue.push_back(segment);
        }
    }

    /// What follows is for a buffer of its own.
    fn finish_tail(&mut self) {
        if !self.tail.is_empty() {
            self.queue.push_back(Segment::Own(std::mem::take(&mut self.tail)));
        }
    }

    /// Moves everything queued into `transmit` and reports whether `transmit` has bytes to write. What `transmit`
    /// has written since the last call is accounted for here, so always use the same one.
    ///
    /// With [`SlowConsumer::DropOldest`] an empty `transmit` is given a portion, some 64 KiB, and no more before that is
    /// written: what is handed out cannot be dropped any more.
    pub fn poll_transmit(&mut self, transmit: &mut Transmit) -> bool {
        let in_portions = self.portion != usize::MAX;
        if self.queued == 0 || (in_portions && !transmit.is_empty()) {
            self.in_flight = transmit.remaining();
            return self.in_flight > 0;
        }
        if in_portions {
            self.hand_out(transmit);
            self.in_flight = transmit.remaining();
            return self.in_flight > 0;
        }
        if !self.queue.is_empty() {
            self.queue.drain(..).for_each(|segment| transmit.push(segment));
        }
        if !self.tail.is_empty() {
            // Trade buffers, so that neither side allocates.
            let full = std::mem::replace(&mut self.tail, transmit.take_spare());
            transmit.push(Segment::Own(full));
        }
        self.queued = 0;
        self.in_flight = transmit.remaining();
        self.in_flight > 0
    }

    /// What was counted since the queue was made; it outlives the connections of a client.
    #[must_use]
    pub fn counters(&self) -> OutboundCounters {
        let pending = self.pending() as u64;
        // What was taken, and neither waits nor is lost.
        let written = self.counters.bytes.saturating_sub(pending + self.counters.lost.total().bytes);
        OutboundCounters { pending, written, ..self.counters }
    }

    /// Whether [`poll_transmit`](Self::poll_transmit) has something new to give.
    #[must_use]
    pub fn wants_transmit(&self) -> bool {
        self.queued > 0 && (self.portion == usize::MAX || self.in_flight == 0)
    }

    /// The peer sent something: in `sync` mode the next message may leave. Counted per received message, as
    /// node-ipc 14.0.0 does (9.2.1 and 12.0.0: per chunk read).
    pub fn handle_answer(&mut self) {
        let Some(sync) = &mut self.sync else { return };
        sync.waiting_for_answer = false;
        if let Some(next) = sync.held.pop_front() {
            sync.held_bytes -= next.len();
            sync.waiting_for_answer = true;
            self.queued += next.len();
            self.push(Segment::Own(next));
        }
    }

    /// Bytes that wait: queued, held by `sync`, or handed out and not known to be written.
    #[must_use]
    pub fn pending(&self) -> usize {
        self.queued + self.in_flight + self.sync.as_ref().map_or(0, |sync| sync.held_bytes)
    }

    /// Messages that `sync` holds back until an answer comes.
    #[must_use]
    pub fn held(&self) -> usize {
        self.sync.as_ref().map_or(0, |sync| sync.held.len())
    }

    /// Whether a frame of `length` bytes would be taken now. One frame is always taken by an empty queue.
    #[must_use]
    pub fn has_room(&self, length: usize) -> bool {
        let pending = self.pending();
        pending == 0 || pending.saturating_add(length) <= self.limit
    }

    /// Refuses every further emit with [`EmitError::Closed`]. What is queued stays to be transmitted; what `sync` holds
    /// is released, for no answer may come any more.
    pub fn close(&mut self) {
        self.closed = true;
        let Some(sync) = &mut self.sync else { return };
        sync.held_bytes = 0;
        for held in std::mem::take(&mut sync.held) {
            self.queued += held.len();
            self.push(Segment::Own(held));
        }
    }

    /// Whether [`close`](Self::close) was called.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.closed
    }

    /// The bound on [`pending`](Self::pending) in bytes: `maxPendingBytes` to begin with.
    #[must_use]
    pub fn limit(&self) -> usize {
        self.limit
    }

    /// Changes the bound on [`pending`](Self::pending). What is queued stays.
    pub fn set_limit(&mut self, limit: usize) {
        self.limit = limit;
    }

    /// Lends a buffer to encode into, to save an allocation. It comes back if the queue has one already.
    pub fn give_buffer(&mut self, mut spare: Vec<u8>) -> Option<Vec<u8>> {
        if self.tail.capacity() > 0 {
            return Some(spare);
        }
        spare.clear();
        self.tail = spare;
        None
    }

    /// Takes the buffer away that events are encoded into, if nothing is queued and it has more than `keep` bytes, so that
    /// an idle connection holds no more.
    pub fn take_buffer(&mut self, keep: usize) -> Option<Vec<u8>> {
        (self.queued == 0 && self.tail.capacity() > keep).then(|| std::mem::take(&mut self.tail))
    }

    /// Gives idle memory back when nothing is queued, for a connection that has nothing to send for now.
    pub fn shrink(&mut self) {
        if self.queued == 0 {
            self.queue = VecDeque::new();
            self.tail = Vec::new();
            self.skipped = 0;
        }
    }

    /// Throws away everything queued and tells how much that was.
    pub fn discard(&mut self) -> Unsent {
        let unsent = self.take_out();
        self.counters.lost.unsent += unsent.into();
        unsent
    }

    fn take_out(&mut self) -> Unsent {
        let mut unsent = self.take_out_queued();
        if let Some(sync) = &mut self.sync {
            let delimiter = framed_by(&self.encoder, self.raw);
            for held in sync.held.drain(..) {
                unsent.add(&held, delimiter);
            }
            sync.held_bytes = 0;
            sync.waiting_for_answer = false;
        }
        unsent
    }

    /// The offline policy throws away what was about to leave, but not what `sync` holds back for its turn.
    pub(crate) fn drop_queued(&mut self) -> Unsent {
        let unsent = self.take_out_queued();
        self.counters.lost.offline += unsent.into();
        unsent
    }

    /// The offline policy takes an event and throws it away at once. `emit` is given another queue, for `sync` may hold
    /// back in this one what is to be kept.
    pub(crate) fn emit_and_drop(
        &mut self,
        settings: &Settings,
        emit: impl FnOnce(&mut Self) -> Result<(), EmitError>,
    ) -> Result<Unsent, EmitError> {
        let mut apart = Self::new(settings, false);
        let outcome = emit(&mut apart);
        let dropped = apart.drop_queued();
        // It did not wait.
        apart.counters.pending_max = 0;
        self.counters += apart.counters;
        outcome.map(|()| dropped)
    }

    fn take_out_queued(&mut self) -> Unsent {
        self.settle();
        let mut unsent = Unsent::default();
        let delimiter = framed_by(&self.encoder, self.raw);
        for segment in self.queue.drain(..) {
            unsent.add(segment.as_slice(), delimiter);
        }
        unsent.add(&std::mem::take(&mut self.tail), delimiter);
        self.queued = 0;
        unsent
    }

    /// The connection is gone; `transmit` is what was being written to it. Whole frames that never reached the operating
    /// system go back to the head of the queue; a torn one is counted as lost, and everything if the policy has given the
    /// connection up.
    pub(crate) fn take_back(&mut self, transmit: Transmit) -> Unsent {
        self.settle();
        let (mut unwritten, torn) = transmit.into_unwritten(framed_by(&self.encoder, self.raw));
        self.queued += unwritten.iter().map(|segment| segment.as_slice().len()).sum::<usize>();
        unwritten.append(&mut self.queue);
        self.queue = unwritten;
        self.in_flight = 0;
        self.closed = false;
        let torn = Unsent { messages: usize::from(torn > 0 && !self.raw), bytes: torn };
        self.counters.lost.torn += torn.into();
        let mut lost = torn;
        if std::mem::take(&mut self.overflowed) {
            // The next connection begins afresh, or it would soon be given up too.
            let queued = self.take_out();
            self.counters.lost.too_slow += queued.into();
            lost += queued;
        }
        lost
    }

    /// A new connection takes the queue: in `sync` mode it starts afresh with the next message, for the answer to the one
    /// that was out is lost. (In node-ipc 9.2.1, 12.0.0 and 14.0.0 the queue stands still then until something arrives.)
    pub(crate) fn resume(&mut self) {
        if self.queued == 0 {
            self.handle_answer();
        }
    }

    /// The connection is gone for good: tells what was queued, or taken as `transmit` and not written.
    pub fn end(&mut self, transmit: Transmit) -> Unsent {
        let mut unsent = self.take_back(transmit);
        unsent += self.discard();
        self.closed = true;
        unsent
    }

    fn frame(
        &mut self,
        encode: impl FnOnce(&Encoder, &mut Vec<u8>) -> Result<usize, EncodeError>,
    ) -> Result<(), EmitError> {
        if self.raw { Err(self.refuse(RAW)) } else { self.append(encode) }
    }

    /// Counts a refusal.
    #[cold]
    fn refuse(&mut self, refusal: EmitError) -> EmitError {
        self.counters.refused.count(&refusal);
        refusal
    }

    fn append_bytes(&mut self, bytes: &[u8]) -> Result<(), EmitError> {
        if bytes.is_empty() {
            // In `sync` mode nothing would ever answer it.
            return if self.closed { Err(self.refuse(EmitError::Closed)) } else { Ok(()) };
        }
        self.append(|_, out| {
            out.extend_from_slice(bytes);
            Ok(bytes.len())
        })
    }

    /// Encodes straight into the queue; on refusal the queue is as it was.
    fn append(
        &mut self,
        encode: impl FnOnce(&Encoder, &mut Vec<u8>) -> Result<usize, EncodeError>,
    ) -> Result<(), EmitError> {
        if self.closed {
            return Err(self.refuse(EmitError::Closed));
        }
        if self.sync.as_ref().is_some_and(|sync| sync.waiting_for_answer) {
            return self.hold(encode);
        }
        if self.tail.len() >= self.portion {
            self.finish_tail();
        }
        let pending = self.pending();
        let start = self.tail.len();
        let outcome = match encode(&self.encoder, &mut self.tail) {
            Ok(length) if pending == 0 || pending.saturating_add(length) <= self.limit => {
                self.queued += length;
                self.counters.take(length, pending);
                Ok(true)
            }
            Ok(length) => self.overflow(length).inspect(|&taken| {
                if taken {
                    let pending = self.pending();
                    self.queued += length;
                    self.counters.take(length, pending);
                }
            }),
            Err(error) => Err(error.into()),
        };
        match outcome {
            Ok(true) => {
                if let Some(sync) = &mut self.sync {
                    sync.waiting_for_answer = true;
                }
                Ok(())
            }
            Ok(false) => {
                self.withdraw(start);
                Ok(())
            }
            Err(refusal) => {
                self.withdraw(start);
                Err(self.refuse(refusal))
            }
        }
    }

    /// Takes back what was encoded into the last buffer, from `start` on.
    #[cold]
    fn withdraw(&mut self, start: usize) {
        self.tail.truncate(start);
        if start == 0 {
            // It may have been large; an idle connection does not keep its room.
            self.tail.shrink_to(REFUSED_MAX);
        }
    }

    fn hold(
        &mut self,
        encode: impl FnOnce(&Encoder, &mut Vec<u8>) -> Result<usize, EncodeError>,
    ) -> Result<(), EmitError> {
        let mut message = Vec::new();
        encode(&self.encoder, &mut message).map_err(|error| self.refuse(error.into()))?;
        if !self.admit(message.len()).map_err(|refusal| self.refuse(refusal))? {
            return Ok(());
        }
        let pending = self.pending();
        self.counters.take(message.len(), pending);
        if let Some(sync) = &mut self.sync {
            sync.held_bytes += message.len();
            sync.held.push_back(message);
        }
        Ok(())
    }

    /// Whether an event of `length` bytes is taken, and not dropped.
    fn admit(&mut self, length: usize) -> Result<bool, EmitError> {
        if self.closed {
            return Err(EmitError::Closed);
        }
        if self.has_room(length) { Ok(true) } else { self.overflow(length) }
    }
}

impl fmt::Debug for Outbound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outbound")
            .field("raw", &self.raw)
            .field("queued", &self.queued)
            .field("in_flight", &self.in_flight)
            .field("held", &self.held())
            .field("limit", &self.limit)
            .field("closed", &self.closed)
            .finish_non_exhaustive()
    }
}

/// What ends a message: nothing on a raw connection.
fn framed_by(encoder: &Encoder, raw: bool) -> &[u8] {
    if raw { &[] } else { encoder.delimiter().as_bytes() }
}
