//! One direction of a connection: bytes under way, bounded, cut as its [`Wire`] says.

use super::clock::{Clock, Timer};
use super::script::Wire;
use crate::runtime::Timer as _;
use ipc_proto::SplitMix64;
use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Instant;

/// What went through one direction so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Traffic {
    /// Writes that took bytes.
    pub writes: usize,
    /// Bytes they took.
    pub written: usize,
    /// Reads that gave bytes.
    pub reads: usize,
    /// Bytes they gave.
    pub read: usize,
}

/// How a direction ends once everything before it has been read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    Eof,
    Reset,
}

#[derive(Debug)]
pub(super) struct Pipe {
    wire: Wire,
    clock: Arc<Clock>,
    rng: SplitMix64,
    /// What is under way, with the time it arrives.
    chunks: VecDeque<(Instant, VecDeque<u8>)>,
    queued: usize,
    end: Option<(Instant, End)>,
    reader_gone: bool,
    reader: Option<Waker>,
    writer: Option<Waker>,
    arrival: Timer,
    traffic: Traffic,
}

impl Pipe {
    pub(super) fn new(wire: Wire, clock: &Arc<Clock>, seed: u64) -> Self {
        Self {
            wire,
            clock: Arc::clone(clock),
            rng: SplitMix64::new(seed),
            chunks: VecDeque::new(),
            queued: 0,
            end: None,
            reader_gone: false,
            reader: None,
            writer: None,
            arrival: Timer::new(Arc::clone(clock)),
            traffic: Traffic::default(),
        }
    }

    pub(super) fn traffic(&self) -> Traffic {
        self.traffic
    }

    pub(super) fn set_wire(&mut self, wire: Wire) {
        self.wire = wire;
        self.wake();
    }

    fn wake(&mut self) {
        self.reader.take().into_iter().chain(self.writer.take()).for_each(Waker::wake);
    }

    fn hiccup(&mut self, cx: &Context<'_>) -> bool {
        let chosen = self.wire.hiccups > 0 && self.rng.next_u64() % 100 < u64::from(self.wire.hiccups);
        if chosen {
            cx.waker().wake_by_ref();
        }
        chosen
    }

    pub(super) fn poll_write(&mut self, cx: &mut Context<'_>, slices: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        if self.end.is_some() || self.reader_gone {
            let kind = if self.is_reset() { io::ErrorKind::ConnectionReset } else { io::ErrorKind::BrokenPipe };
            return Poll::Ready(Err(kind.into()));
        }
        let offered: usize = slices.iter().map(|slice| slice.len()).sum();
        let room = self.wire.capacity.saturating_sub(self.queued);
        if offered > 0 && room == 0 {
            self.writer = Some(cx.waker().clone());
            return Poll::Pending;
        }
        if self.hiccup(cx) {
            return Poll::Pending;
        }
        let count = offered.min(room).min(self.wire.writes.draw(&mut self.rng));
        let bytes: VecDeque<u8> = slices.iter().flat_map(|slice| slice.iter().copied()).take(count).collect();
        if count > 0 {
            self.chunks.push_back((self.clock.now() + self.wire.latency, bytes));
            self.queued += count;
            self.traffic.writes += 1;
            self.traffic.written += count;
            self.reader.take().into_iter().for_each(Waker::wake);
        }
        Poll::Ready(Ok(count))
    }

    pub(super) fn poll_read(&mut self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        let now = self.clock.now();
        let next = self.chunks.front().map(|(at, _)| *at).or(self.end.map(|(at, _)| at));
        if next.is_none_or(|at| at > now) {
            self.reader = Some(cx.waker().clone());
            self.arrival.set(next);
            // Only registers who waits.
            let _pending = self.arrival.poll_expired(cx);
            return Poll::Pending;
        }
        if self.hiccup(cx) {
            return Poll::Pending;
        }
        let most = buffer.len().min(self.wire.reads.draw(&mut self.rng));
        let mut count = 0;
        while let Some((at, chunk)) = self.chunks.front_mut() {
            if *at > now || count == most {
                break;
            }
            let taken = chunk.len().min(most - count);
            for (target, byte) in buffer[count..].iter_mut().zip(chunk.drain(..taken)) {
                *target = byte;
            }
            count += taken;
            if chunk.is_empty() {
                self.chunks.pop_front();
            }
        }
        if count > 0 {
            self.queued -= count;
            self.traffic.reads += 1;
            self.traffic.read += count;
            self.writer.take().into_iter().for_each(Waker::wake);
            return Poll::Ready(Ok(count));
        }
        match self.end {
            Some((_, End::Reset)) if most > 0 => Poll::Ready(Err(io::ErrorKind::ConnectionReset.into())),
            _ => Poll::Ready(Ok(0)),
        }
    }

    /// The writer says that nothing follows.
    pub(super) fn finish(&mut self, end: End) {
        if self.end.is_none() {
            self.end = Some((self.clock.now() + self.wire.latency, end));
            self.wake();
        }
    }

    /// The reader goes. Says whether it left bytes unread.
    pub(super) fn leave(&mut self) -> bool {
        self.reader_gone = true;
        let unread = self.queued > 0;
        self.chunks.clear();
        self.queued = 0;
        self.wake();
        unread
    }

    /// Breaks at once; what is under way is lost.
    pub(super) fn reset(&mut self) {
        self.chunks.clear();
        self.queued = 0;
        self.end = Some((self.clock.now(), End::Reset));
        self.wake();
    }

    fn is_reset(&self) -> bool {
        matches!(self.end, Some((_, End::Reset)))
    }
}
