//! Bytes on their way to a socket: what [`Outbound`](crate::Outbound) hands out and the caller writes.
//!
//! A [`Transmit`] belongs to whoever writes the socket, so no lock is held while the operating system copies. It
//! implements [`bytes::Buf`], vectored; it knows nothing of messages.

use bytes::{Buf, Bytes};
use std::collections::VecDeque;
use std::io::IoSlice;

/// A run of whole frames: our own buffer, or bytes shared with other connections by a broadcast.
#[derive(Debug)]
pub(crate) enum Segment {
    Own(Vec<u8>),
    Shared(Bytes),
}

impl Segment {
    pub(crate) fn as_slice(&self) -> &[u8] {
        match self {
            Self::Own(bytes) => bytes,
            Self::Shared(bytes) => bytes,
        }
    }
}

/// Bytes taken out of an [`Outbound`](crate::Outbound), to be written to the socket in order.
///
/// Read it through [`bytes::Buf`]: [`chunk`](Buf::chunk) or [`chunks_vectored`](Buf::chunks_vectored), then
/// [`advance`](Buf::advance) by what the socket took. An empty `Transmit` costs no memory beyond one buffer that it
/// trades with the queue, so that steady traffic allocates nothing.
#[derive(Debug, Default)]
pub struct Transmit {
    segments: VecDeque<Segment>,
    /// Bytes of the first segment already written.
    offset: usize,
    remaining: usize,
    /// An emptied buffer, traded for the next full one.
    spare: Vec<u8>,
}

/// A spare buffer larger than this is given back to the allocator once it is empty.
const SPARE_MAX: usize = 64 * 1024;

impl Transmit {
    /// An empty one.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether everything taken has been written.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.remaining == 0
    }

    /// Gives idle memory back, for a connection that has nothing to write for now.
    pub fn shrink(&mut self) {
        if self.is_empty() {
            *self = Self::default();
        }
    }

    pub(crate) fn push(&mut self, segment: Segment) {
        self.remaining += segment.as_slice().len();
        self.segments.push_back(segment);
    }

    pub(crate) fn take_spare(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.spare)
    }

    /// Takes out what was not written, cut at frame borders: a frame of which some bytes left is dropped, for nobody
    /// could make sense of its tail. Returns the whole frames, and how many bytes of a torn frame went with it.
    pub(crate) fn into_unwritten(mut self, delimiter: &[u8]) -> (VecDeque<Segment>, usize) {
        let mut torn = 0;
        if let Some(first) = self.segments.front_mut() {
            let bytes = first.as_slice();
            if self.offset > 0 && !bytes[..self.offset].ends_with(delimiter) {
                let rest = &bytes[self.offset..];
                // Frames end in the delimiter, so one is found; a raw stream has no borders and loses the segment.
                torn = memchr::memmem::find(rest, delimiter)
                    .filter(|_| !delimiter.is_empty())
                    .map_or(rest.len(), |at| at + delimiter.len());
            }
            let kept = bytes[self.offset + torn..].to_vec();
            if self.offset > 0 {
                *first = Segment::Own(kept);
            }
        }
        self.segments.retain(|segment| !segment.as_slice().is_empty());
        (self.segments, torn)
    }

    fn recycle(&mut self, segment: Segment) {
        if let Segment::Own(mut bytes) = segment {
            if bytes.capacity() <= SPARE_MAX && bytes.capacity() > self.spare.capacity() {
                bytes.clear();
                self.spare = bytes;
            }
        }
    }
}

impl Buf for Transmit {
    fn remaining(&self) -> usize {
        self.remaining
    }

    fn chunk(&self) -> &[u8] {
        self.segments.front().map_or(&[], |first| &first.as_slice()[self.offset..])
    }

    fn chunks_vectored<'a>(&'a self, slices: &mut [IoSlice<'a>]) -> usize {
        let mut offset = self.offset;
        let mut filled = 0;
        for (slice, segment) in slices.iter_mut().zip(&self.segments) {
            *slice = IoSlice::new(&segment.as_slice()[offset..]);
            offset = 0;
            filled += 1;
        }
        filled
    }

    /// # Panics
    ///
    /// If `count` is more than [`remaining`](Buf::remaining): the caller claims to have written what it was not given.
    fn advance(&mut self, mut count: usize) {
        assert!(count <= self.remaining, "advanced past the end of a Transmit");
        self.remaining -= count;
        while let Some(first) = self.segments.front() {
            let left = first.as_slice().len() - self.offset;
            if count < left {
                self.offset += count;
                return;
            }
            count -= left;
            self.offset = 0;
            if let Some(done) = self.segments.pop_front() {
                self.recycle(done);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn transmit(parts: &[&str]) -> Transmit {
        let mut transmit = Transmit::new();
        for part in parts {
            transmit.push(Segment::Own(part.as_bytes().to_vec()));
        }
        transmit
    }

    #[test]
    fn advances_across_segments_and_keeps_a_spare_buffer() {
        let mut transmit = transmit(&["ab;", "cd;"]);
        transmit.push(Segment::Shared(Bytes::from_static(b"ef;")));
        assert_eq!(transmit.remaining(), 9);
        transmit.advance(4);
        assert_eq!(transmit.chunk(), b"d;");
        let mut slices = [IoSlice::new(&[]); 4];
        assert_eq!(transmit.chunks_vectored(&mut slices), 2);
        assert_eq!(&*slices[1], b"ef;");
        transmit.advance(5);
        assert!(transmit.is_empty());
        assert!(transmit.take_spare().capacity() >= 3);
    }

    #[test]
    fn a_torn_frame_is_dropped_and_the_whole_ones_after_it_are_kept() {
        let mut torn = transmit(&["ab;cd;", "ef;"]);
        torn.advance(1);
        let (rest, lost) = torn.into_unwritten(b";");
        assert_eq!(lost, 2);
        let rest: Vec<u8> = rest.iter().flat_map(|s| s.as_slice().to_vec()).collect();
        assert_eq!(rest, b"cd;ef;");

        let mut at_border = transmit(&["ab;cd;"]);
        at_border.advance(3);
        let (rest, lost) = at_border.into_unwritten(b";");
        assert_eq!(lost, 0);
        assert_eq!(rest[0].as_slice(), b"cd;");
    }
}
