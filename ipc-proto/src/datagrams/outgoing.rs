//! The sending half of a UDP socket: encode, queue within bounds, hand out datagram by datagram.
//!
//! What [`Outbound`](crate::Outbound) is to a stream, with an address on each message. It knows neither the socket nor who
//! is there; that is for [`Datagrams`](super::Datagrams) to say.

use std::fmt;
use std::net::SocketAddr;

use serde::Serialize;

use super::{DatagramError, MAX_DATAGRAM};
use crate::frame::{FRAMED, RAW};
use crate::transmit::REFUSED_MAX;
use crate::{DatagramSendCounters, EmitError, EncodeError, Encoder, Event, Frame, IpFamily, Message, Settings, Unsent};

/// What a datagram in the queue counts beyond its bytes: its address and its place in the list. Else empty datagrams would
/// cost nothing, and fill the memory.
const COST: usize = 64;

/// A datagram in the queue. The bytes of a broadcast are there once, with an entry for each receiver.
#[derive(Clone, Copy)]
struct Entry {
    to: SocketAddr,
    start: usize,
    length: usize,
}

/// Datagrams that wait to be sent, to be owned by whoever sends or shared under a lock by all who emit.
///
/// [`to`](Self::to) gives the ways to emit to an address, [`broadcast`](Self::broadcast) reaches several;
/// [`poll_transmit`](Self::poll_transmit) gives what is to be sent. `Debug` shows sizes, never what is queued.
///
/// ```
/// use std::net::SocketAddr;
/// use ipc_proto::{Config, DatagramOutbound, DatagramTransmit, Host, IpFamily, Platform};
///
/// let settings = Config::v9().build(&Host::new("pluto", Platform::Linux))?;
/// let mut outbound = DatagramOutbound::new(&settings, IpFamily::V4);
/// let peer: SocketAddr = "127.0.0.1:8001".parse()?;
/// outbound.to(peer).emit("hi", &1)?;
///
/// let mut transmit = DatagramTransmit::new();
/// while outbound.poll_transmit(&mut transmit) {
///     while let Some((to, bytes)) = transmit.first() {
///         assert_eq!((to, bytes), (peer, &b"{\"type\":\"hi\",\"data\":1}\x0c"[..])); // socket.send_to(bytes, to)
///         transmit.advance();
///     }
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct DatagramOutbound {
    encoder: Encoder,
    raw: bool,
    family: IpFamily,
    bytes: Vec<u8>,
    /// In the order in which they leave.
    entries: Vec<Entry>,
    /// Where the last entry ends; what lies behind it was never finished.
    end: usize,
    /// Handed out by [`poll_transmit`](Self::poll_transmit) and not known to be sent.
    in_flight: usize,
    /// How many datagrams these are.
    in_flight_datagrams: usize,
    limit: usize,
    closed: bool,
    /// Apart from `pending`, which is looked at when it is asked for.
    counters: DatagramSendCounters,
}

impl DatagramOutbound {
    /// An empty queue for a socket of that family.
    #[must_use]
    pub fn new(settings: &Settings, family: IpFamily) -> Self {
        Self {
            encoder: settings.encoder(),
            raw: settings.is_raw(),
            family,
            bytes: Vec::new(),
            entries: Vec::new(),
            end: 0,
            in_flight: 0,
            in_flight_datagrams: 0,
            limit: settings.max_pending_bytes(),
            closed: false,
            counters: DatagramSendCounters::default(),
        }
    }

    /// Whether a socket of that family can send to that address. Nothing is asked of the system: whether the address can be
    /// reached shows when a datagram is sent.
    ///
    /// # Errors
    ///
    /// [`DatagramError::Address`].
    pub fn check(family: IpFamily, to: SocketAddr) -> Result<(), DatagramError> {
        unfit(family, to).map_or(Ok(()), |reason| Err(DatagramError::Address { to, reason }))
    }

    /// The ways to emit to an address.
    pub fn to(&mut self, address: SocketAddr) -> Addressed<'_> {
        Addressed { outbound: self, to: address }
    }

    /// Queues a frame for each of the addresses in turn, until the queue is full, and says for how many. Its bytes are
    /// queued once. An address that the socket cannot send to is left out.
    ///
    /// # Errors
    ///
    /// [`EmitError`] if the frame can go to nobody: then nothing was queued.
    pub fn broadcast(&mut self, frame: &Frame, to: &[SocketAddr]) -> Result<usize, EmitError> {
        let outcome = self.append_for_all(frame, to);
        if let Err(error) = &outcome {
            self.counters.refused.count(error);
        }
        outcome
    }

    fn append_for_all(&mut self, frame: &Frame, to: &[SocketAddr]) -> Result<usize, EmitError> {
        frame.check(self.raw, self.encoder.delimiter())?;
        if self.closed {
            return Err(EmitError::Closed);
        }
        let family = self.family;
        let mut fit = to.iter().copied().filter(|to| unfit(family, *to).is_none());
        let Some(first) = fit.next() else { return Ok(0) };
        match self.append_bytes(first, frame.as_bytes()) {
            Err(EmitError::Full { .. }) => {
                self.counters.refused.full += 1 + fit.count() as u64;
                return Ok(0);
            }
            outcome => outcome?,
        }
        let mut queued = 1;
        let length = frame.as_bytes().len();
        let start = self.end - length;
        for to in fit {
            if self.pending().saturating_add(COST) > self.limit {
                self.counters.refused.full += 1;
                continue;
            }
            self.counters.take(length, self.pending() + COST);
            self.entries.push(Entry { to, start, length });
            queued += 1;
        }
        Ok(queued)
    }

    /// Hands everything queued to `transmit` once that is empty, and reports whether `transmit` has something to send. What
    /// it has sent since the last call is accounted for here, so always use the same one.
    pub fn poll_transmit(&mut self, transmit: &mut DatagramTransmit) -> bool {
        if transmit.is_empty() && !self.entries.is_empty() {
            transmit.recycle();
            self.bytes.truncate(self.end);
            self.end = 0;
            // Buffers are traded, so that neither side allocates.
            std::mem::swap(&mut self.bytes, &mut transmit.bytes);
            std::mem::swap(&mut self.entries, &mut transmit.entries);
        }
        self.in_flight = transmit.pending();
        self.in_flight_datagrams = transmit.left().len();
        !transmit.is_empty()
    }

    /// Whether [`poll_transmit`](Self::poll_transmit) has something new to give: something is queued, and what it gave last
    /// was sent.
    #[must_use]
    pub fn wants_transmit(&self) -> bool {
        self.in_flight == 0 && !self.entries.is_empty()
    }

    /// Bytes that wait, queued or handed out and not known to be sent, and 64 more for each datagram.
    #[must_use]
    pub fn pending(&self) -> usize {
        self.end + self.entries.len() * COST + self.in_flight
    }

    /// What was counted since the queue was made.
    #[must_use]
    pub fn counters(&self) -> DatagramSendCounters {
        let pending = self.entries.len() + self.in_flight_datagrams;
        DatagramSendCounters { pending: pending as u64, ..self.counters }
    }

    /// Refuses every further emit with [`EmitError::Closed`]. What is queued stays to be sent.
    pub fn close(&mut self) {
        self.closed = true;
    }

    /// The bound on [`pending`](Self::pending) in bytes: `maxPendingBytes` to begin with. An empty queue takes one datagram
    /// whatever the bound.
    #[must_use]
    pub fn limit(&self) -> usize {
        self.limit
    }

    /// Changes the bound on [`pending`](Self::pending). What is queued stays.
    pub fn set_limit(&mut self, limit: usize) {
        self.limit = limit;
    }

    /// The socket is closed: tells what was queued, or taken as `transmit` and not sent.
    pub fn end(&mut self, transmit: DatagramTransmit) -> Unsent {
        self.closed = true;
        self.in_flight = 0;
        self.in_flight_datagrams = 0;
        self.end = 0;
        self.bytes = Vec::new();
        let mut unsent = Unsent::default();
        for entry in transmit.left().iter().chain(&std::mem::take(&mut self.entries)) {
            unsent.messages += 1;
            unsent.bytes += entry.length;
        }
        unsent
    }

    fn append_bytes(&mut self, to: SocketAddr, bytes: &[u8]) -> Result<(), EmitError> {
        self.append(to, |_, out| {
            // Before it is copied.
            if bytes.len() <= MAX_DATAGRAM {
                out.extend_from_slice(bytes);
            }
            Ok(bytes.len())
        })
    }

    /// Encodes straight into the queue; on refusal the queue is as it was.
    fn append(
        &mut self,
        to: SocketAddr,
        encode: impl FnOnce(&Encoder, &mut Vec<u8>) -> Result<usize, EncodeError>,
    ) -> Result<(), EmitError> {
        if self.closed {
            return Err(EmitError::Closed);
        }
        if let Some(reason) = unfit(self.family, to) {
            return Err(EmitError::Address { to, reason });
        }
        self.bytes.truncate(self.end);
        let pending = self.pending();
        let refusal = match encode(&self.encoder, &mut self.bytes) {
            Ok(length) if length > MAX_DATAGRAM => EmitError::TooLarge { length, limit: MAX_DATAGRAM },
            Ok(length) if pending == 0 || pending.saturating_add(length + COST) <= self.limit => {
                self.counters.take(length, pending + length + COST);
                self.entries.push(Entry { to, start: self.end, length });
                self.end += length;
                return Ok(());
            }
            Ok(length) => {
                let (length, limit) = (length + COST, self.limit);
                EmitError::Full { pending, length, limit, option: "maxPendingBytes" }
            }
            Err(error) => error.into(),
        };
        self.bytes.truncate(self.end);
        if self.end == 0 {
            // What was refused may have been large; an idle socket does not keep its room.
            self.bytes.shrink_to(REFUSED_MAX);
        }
        Err(refusal)
    }
}

impl fmt::Debug for DatagramOutbound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DatagramOutbound")
            .field("raw", &self.raw)
            .field("family", &self.family)
            .field("queued", &self.entries.len())
            .field("pending", &self.pending())
            .field("limit", &self.limit)
            .field("closed", &self.closed)
            .finish_non_exhaustive()
    }
}

/// A queue and the address that what is emitted goes to; see [`DatagramOutbound::to`].
///
/// Every method refuses what is larger than [`MAX_DATAGRAM`] with [`EmitError::TooLarge`], and an address that the socket
/// cannot send to with [`EmitError::Address`]. (A larger one ends the process of node-ipc 9.2.1 and 12.0.0, and is lost in
/// silence in 14.0.0.)
#[derive(Debug)]
pub struct Addressed<'a> {
    outbound: &'a mut DatagramOutbound,
    to: SocketAddr,
}

impl Addressed<'_> {
    /// Queues an event.
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

    /// Queues an envelope from exact JSON texts, see [`Outbound::emit_envelope`](crate::Outbound::emit_envelope).
    ///
    /// # Errors
    ///
    /// As [`emit_json`](Self::emit_json).
    pub fn emit_envelope(&mut self, type_json: Option<&str>, data_json: Option<&str>) -> Result<(), EmitError> {
        self.frame(|encoder, out| encoder.encode_envelope(type_json, data_json, out))
    }

    /// Queues a datagram of these bytes (`rawBuffer`). No bytes are an empty datagram.
    ///
    /// # Errors
    ///
    /// As [`emit`](Self::emit); [`EmitError::WrongMode`] on a framed socket.
    pub fn emit_raw(&mut self, bytes: &[u8]) -> Result<(), EmitError> {
        let outcome = if self.outbound.raw { self.outbound.append_bytes(self.to, bytes) } else { Err(FRAMED) };
        self.counted(outcome)
    }

    /// Queues a frame that was encoded before.
    ///
    /// # Errors
    ///
    /// As [`emit`](Self::emit); [`EmitError::WrongMode`] if the frame was made for other settings.
    pub fn emit_frame(&mut self, frame: &Frame) -> Result<(), EmitError> {
        let fits = frame.check(self.outbound.raw, self.outbound.encoder.delimiter());
        let outcome = fits.and_then(|()| self.outbound.append_bytes(self.to, frame.as_bytes()));
        self.counted(outcome)
    }

    fn frame(
        &mut self,
        encode: impl FnOnce(&Encoder, &mut Vec<u8>) -> Result<usize, EncodeError>,
    ) -> Result<(), EmitError> {
        let outcome = if self.outbound.raw { Err(RAW) } else { self.outbound.append(self.to, encode) };
        self.counted(outcome)
    }

    /// Counts a refusal.
    fn counted(&mut self, outcome: Result<(), EmitError>) -> Result<(), EmitError> {
        if let Err(error) = &outcome {
            self.outbound.counters.refused.count(error);
        }
        outcome
    }
}

/// Datagrams taken out of a [`DatagramOutbound`], to be sent in order without its lock.
///
/// Send [`first`](Self::first), then [`advance`](Self::advance), until there is none. `Debug` shows how many are left, never
/// their bytes.
#[derive(Default)]
pub struct DatagramTransmit {
    bytes: Vec<u8>,
    entries: Vec<Entry>,
    /// How many were sent.
    next: usize,
}

impl DatagramTransmit {
    /// An empty one.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether everything taken has been sent.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.next == self.entries.len()
    }

    /// The datagram that is to be sent next, with its address.
    #[must_use]
    pub fn first(&self) -> Option<(SocketAddr, &[u8])> {
        let entry = self.left().first()?;
        Some((entry.to, self.bytes.get(entry.start..entry.start + entry.length)?))
    }

    /// As many of the datagrams to be sent next as one call can send, where the system has such a call: at most `most`, all to
    /// one address. If it is more than one, they are of one length, which is not above `longest`; only the last may be
    /// shorter. A single datagram may be of any length.
    ///
    /// Send it, then [`advance_by`](Self::advance_by) its count.
    #[must_use]
    pub fn first_burst(&self, most: usize, longest: usize) -> Option<DatagramBurst<'_>> {
        let (first, others) = self.left().split_first()?;
        let Entry { to, start, length } = *first;
        let (mut end, mut count) = (start + length, 1);
        if most > 1 && (1..=longest).contains(&length) {
            for entry in others.iter().take(most - 1) {
                let next = entry.start + entry.length;
                let joins = entry.to == to && entry.start == end && (1..=length).contains(&entry.length);
                if !joins || next - start > MAX_DATAGRAM {
                    break;
                }
                (end, count) = (next, count + 1);
                if entry.length < length {
                    break;
                }
            }
        }
        Some(DatagramBurst { to, bytes: self.bytes.get(start..end)?, length, count })
    }

    /// The first datagram was sent, or is given up.
    pub fn advance(&mut self) {
        self.advance_by(1);
    }

    /// So many of the first datagrams were sent, or are given up.
    pub fn advance_by(&mut self, count: usize) {
        self.next = self.next.saturating_add(count).min(self.entries.len());
        if self.is_empty() {
            self.recycle();
        }
    }

    fn left(&self) -> &[Entry] {
        &self.entries[self.next..]
    }

    fn pending(&self) -> usize {
        let left = self.left();
        left.first().map_or(0, |first| self.bytes.len() - first.start + left.len() * COST)
    }

    /// Empties the buffers, and keeps them unless they are large.
    fn recycle(&mut self) {
        self.next = 0;
        self.bytes.clear();
        self.bytes.shrink_to(REFUSED_MAX);
        self.entries.clear();
        self.entries.shrink_to(REFUSED_MAX / COST);
    }
}

impl fmt::Debug for DatagramTransmit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DatagramTransmit").field("left", &self.left().len()).finish_non_exhaustive()
    }
}

/// Datagrams that one call can send; see [`DatagramTransmit::first_burst`]. `Debug` shows sizes, never bytes.
#[derive(Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct DatagramBurst<'a> {
    /// Where all of them go.
    pub to: SocketAddr,
    /// Their bytes, one datagram after another.
    pub bytes: &'a [u8],
    /// How long each is, but for the last, which may be shorter.
    pub length: usize,
    /// How many they are, at least one.
    pub count: usize,
}

impl fmt::Debug for DatagramBurst<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DatagramBurst")
            .field("to", &self.to)
            .field("length", &self.length)
            .field("count", &self.count)
            .finish_non_exhaustive()
    }
}

/// Why a socket of that family cannot send to that address, if it cannot.
fn unfit(family: IpFamily, to: SocketAddr) -> Option<&'static str> {
    match (family, to) {
        _ if to.port() == 0 => Some("nobody receives on port 0"),
        (IpFamily::V4, SocketAddr::V6(_)) => Some("this socket sends over IPv4 only; serve on udp6 to reach it"),
        (IpFamily::V6, SocketAddr::V4(_)) => Some(
            "this socket sends over IPv6 only; serve on udp4 to reach it, or on udp6 and write it as ::ffff:a.b.c.d",
        ),
        _ => None,
    }
}
