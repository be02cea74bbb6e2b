//! Bytes on their way to a socket: what [`Outbound`](crate::Outbound) hands out and the caller writes.
//!
//! A [`Transmit`] belongs to whoever writes the socket, so no lock is held while the operating system copies. It
//! implements [`bytes::Buf`], vectored; it knows nothing of messages.

use bytes::{Buf, Bytes};
use std::collections::VecDeque;
use std::fmt;
use std::io::IoSlice;

/// A run of whole frames: our own buffer, or bytes shared with other connections by a broadcast.
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
///
/// `Debug` shows how much is left, never the bytes.
#[derive(Default)]
pub struct Transmit {
    /// What is written now, and as a rule all there is.
    first: Option<Segment>,
    /// What comes after it.
    rest: VecDeque<Segment>,
    /// Bytes of the first segment already written.
    offset: usize,
    remaining: usize,
    /// An emptied buffer, traded for the next full one.
    spare: Vec<u8>,
}

/// Of a spare buffer that is larger the rest is given back to the allocator. To allocate again for each large message
/// would cost more than to send it: the system takes the memory back at once, and clears it page by page when it gives it again.
const SPARE_MAX: usize = 4 * 1024 * 1024;

/// The room that an emit which was refused may leave behind.
pub(crate) const REFUSED_MAX: usize = 64 * 1024;

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
        match self.first {
            None => self.first = Some(segment),
            Some(_) => self.rest.push_back(segment),
        }
    }

    pub(crate) fn take_spare(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.spare)
    }

    /// Lends a buffer for the queue to go on with, to save an allocation; it is not asked for while there is
    /// [one](Self::has_spare).
    pub fn give_spare(&mut self, mut spare: Vec<u8>) {
        if spare.capacity() > self.spare.capacity() {
            spare.clear();
            self.spare = spare;
        }
    }

    /// Whether there is a buffer that the queue will go on with when it hands over its own.
    #[must_use]
    pub fn has_spare(&self) -> bool {
        self.spare.capacity() > 0
    }

    /// Takes that buffer away if it has more than `keep` bytes, so that an idle connection holds no more.
    pub fn take_buffer(&mut self, keep: usize) -> Option<Vec<u8>> {
        (self.spare.capacity() > keep).then(|| self.take_spare())
    }

    /// Takes out what was not written, cut at frame borders: a frame of which some bytes left is dropped, for nobody
    /// could make sense of its tail. Returns the whole frames, and how many bytes of a torn frame went with it.
    ///
    /// Without a delimiter there are no borders: a segment of which some bytes left is dropped.
    pub(crate) fn into_unwritten(mut self, delimiter: &[u8]) -> (VecDeque<Segment>, usize) {
        let Some(mut first) = self.first else { return (self.rest, 0) };
        let mut torn = 0;
        if self.offset > 0 {
            let bytes = first.as_slice();
            torn = torn_frame(bytes, self.offset, delimiter);
            first = Segment::Own(bytes[self.offset + torn..].to_vec());
        }
        if !first.as_slice().is_empty() {
            self.rest.push_front(first);
        }
        (self.rest, torn)
    }

    fn recycle(&mut self, segment: Segment) {
        if let Segment::Own(mut bytes) = segment {
            if bytes.capacity() > self.spare.capacity() {
                bytes.clear();
                bytes.shrink_to(SPARE_MAX);
                self.spare = bytes;
            }
        }
    }
}

/// How many bytes of whole frames, written up to `offset`, are the rest of a frame that was begun.
fn torn_frame(frames: &[u8], offset: usize, delimiter: &[u8]) -> usize {
    let rest = frames.len() - offset;
    if delimiter.is_empty() {
        return rest;
    }
    if frames[..offset].ends_with(delimiter) {
        return 0;
    }
    // The delimiter of the torn frame may itself have been torn.
    let search_from = offset.saturating_sub(delimiter.len() - 1);
    let found = memchr::memmem::find(&frames[search_from..], delimiter);
    found.map_or(rest, |at| search_from + at + delimiter.len() - offset)
}

impl fmt::Debug for Transmit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Transmit").field("remaining", &self.remaining).finish_non_exhaustive()
    }
}

impl Buf for Transmit {
    fn remaining(&self) -> usize {
        self.remaining
    }

    fn chunk(&self) -> &[u8] {
        self.first.as_ref().map_or(&[], |first| &first.as_slice()[self.offset..])
    }

    fn chunks_vectored<'a>(&'a self, slices: &mut [IoSlice<'a>]) -> usize {
        let mut offset = self.offset;
        let mut filled = 0;
        for (slice, segment) in slices.iter_mut().zip(self.first.iter().chain(&self.rest)) {
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
        while let Some(first) = &self.first {
            let left = first.as_slice().len() - self.offset;
            if count < left {
                self.offset += count;
                return;
            }
            count -= left;
            self.offset = 0;
            if let Some(done) = std::mem::replace(&mut self.first, self.rest.pop_front()) {
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

    fn unwritten(parts: &[&str], written: usize, delimiter: &str) -> (String, usize) {
        let mut transmit = transmit(parts);
        transmit.advance(written);
        let (rest, torn) = transmit.into_unwritten(delimiter.as_bytes());
        assert!(rest.iter().all(|segment| !segment.as_slice().is_empty()));
        let rest = rest.iter().map(|segment| std::str::from_utf8(segment.as_slice()).unwrap()).collect();
        (rest, torn)
    }

    #[test]
    fn a_torn_frame_is_dropped_and_the_whole_ones_after_it_are_kept_wherever_it_is_cut() {
        let segments = ["ab||cd||", "ef||", "g|h||"];
        let whole = segments.concat();
        let borders = [0, 4, 8, 12, 17];
        for written in 0..=whole.len() {
            let next_border = borders.into_iter().find(|&border| border >= written).unwrap();
            let expected = (whole[next_border..].to_owned(), next_border - written);
            assert_eq!(unwritten(&segments, written, "||"), expected, "{written} bytes were written");
        }
    }

    #[test]
    fn of_raw_bytes_a_segment_that_was_begun_is_dropped() {
        assert_eq!(unwritten(&["abc", "de"], 0, ""), ("abcde".to_owned(), 0));
        assert_eq!(unwritten(&["abc", "de"], 1, ""), ("de".to_owned(), 2));
        assert_eq!(unwritten(&["abc", "de"], 3, ""), ("de".to_owned(), 0));
    }
}
