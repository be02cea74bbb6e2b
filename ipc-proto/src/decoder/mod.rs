//! From a stream of bytes to frames: the bytes between two delimiters.
//!
//! It knows nothing of JSON. Two things make it fast: whole frames are lent straight from what was just read, and the search
//! for the delimiter goes on where it stopped, so that a frame costs linear time however it is cut up.

use std::fmt;

use crate::delimiter::Delimiter;
use crate::error::ProtocolError;

#[cfg(test)]
mod tests;

/// From how many buffered bytes on it is worth reading straight into the buffer.
const DIRECT_FROM: usize = 16 * 1024;

/// Cuts a stream into frames.
///
/// ```
/// # use ipc_proto::{Decoder, Delimiter};
/// let mut decoder = Decoder::new(Delimiter::default(), 1024);
/// let mut input: &[u8] = b"first\x0csecond\x0cthi";
/// assert_eq!(decoder.next_frame(&mut input)?, Some(&b"first"[..]));
/// assert_eq!(decoder.next_frame(&mut input)?, Some(&b"second"[..]));
/// assert_eq!(decoder.next_frame(&mut input)?, None);
/// assert_eq!(decoder.buffered(), 3);
/// # Ok::<(), ipc_proto::ProtocolError>(())
/// ```
///
/// node-ipc 14.0.0 too delivers each frame as soon as it is whole; 9.2.1 and 12.0.0 wait for a chunk that *ends* in the
/// delimiter. A last frame without delimiter is never delivered (all three).
pub struct Decoder {
    delimiter: Delimiter,
    max_message_size: usize,
    /// Bytes `start..end` have been received and not yet lent; what lies behind `end` is room to read into.
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    /// No delimiter begins in `start..searched`.
    searched: usize,
    failed: bool,
    lost: usize,
    /// How many bytes have been looked at or moved, to prove that this is linear.
    #[cfg(test)]
    touched: std::cell::Cell<usize>,
}

impl Decoder {
    /// `max_message_size` is in bytes, the delimiter not counted.
    pub fn new(delimiter: Delimiter, max_message_size: usize) -> Self {
        Self {
            delimiter,
            max_message_size,
            buffer: Vec::new(),
            start: 0,
            end: 0,
            searched: 0,
            failed: false,
            lost: 0,
            #[cfg(test)]
            touched: Default::default(),
        }
    }

    /// Gives the next frame, without its delimiter, and moves `input` past what was taken from it.
    ///
    /// Call it until it gives `None`: then all of `input` was taken, and the head of an unfinished frame, if any, is kept for
    /// the next input. Frames that are whole in `input` are not copied.
    ///
    /// # Errors
    /// [`ProtocolError::FrameTooLarge`] as soon as a frame is certain to have more than `max_message_size` bytes; no more than
    /// that and two delimiters is ever kept of an unfinished frame. From then on every call gives the same error: the stream
    /// has lost its meaning and should be closed.
    #[inline]
    pub fn next_frame<'d, 'i: 'd>(&'d mut self, input: &mut &'i [u8]) -> Result<Option<&'d [u8]>, ProtocolError> {
        if self.failed {
            return Err(self.too_large());
        }
        if !self.is_empty() {
            return self.next_buffered(input);
        }
        let Some(length) = self.find(input) else {
            self.keep(input, 0)?;
            *input = &[];
            return Ok(None);
        };
        self.check(length)?;
        let frame = &input[..length];
        *input = &input[length + self.delimiter.as_bytes().len()..];
        Ok(Some(frame))
    }

    /// Whether nothing is kept, neither the head of a frame nor deferred input.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.start == self.end
    }

    /// How many bytes are kept of an unfinished frame and of deferred input.
    #[inline]
    pub fn buffered(&self) -> usize {
        self.end - self.start
    }

    /// Bytes of the delimiter, which is not a part of the frames that are given.
    #[inline]
    pub(crate) fn delimiter_length(&self) -> usize {
        self.delimiter.as_bytes().len()
    }

    /// How many bytes were kept of the frame that was too large, and are gone.
    pub(crate) fn lost(&self) -> usize {
        self.lost
    }

    /// Keeps input that is not to be decoded now, however many frames it has; they come first at the next
    /// [`next_frame`](Self::next_frame). For a caller that has to stop, because its own queue is full.
    pub fn defer(&mut self, rest: &[u8]) {
        if !self.failed {
            self.append(rest);
        }
    }

    /// Room to read the rest of a large unfinished frame into, instead of handing it to [`next_frame`](Self::next_frame), which
    /// would copy it. To be followed by [`read_done`](Self::read_done) and by `next_frame` with nothing or more as input.
    ///
    /// `None` while no more than 16 KiB are kept. The room doubles with what has arrived, up to `max_message_size`.
    pub fn read_buffer(&mut self) -> Option<&mut [u8]> {
        if self.failed || self.buffered() < DIRECT_FROM {
            return None;
        }
        self.move_to_front();
        let limit = self.max_message_size.saturating_add(self.delimiter.as_bytes().len());
        if self.buffer.len() - self.end < DIRECT_FROM / 2 {
            let size = self.end.saturating_mul(2).min(limit).max(self.end);
            self.buffer.reserve_exact(size.saturating_sub(self.buffer.len()));
            self.buffer.resize(size.max(self.buffer.len()), 0);
        }
        let end = self.buffer.len().min(limit.max(self.end));
        Some(&mut self.buffer[self.end..end]).filter(|room| !room.is_empty())
    }

    /// Says that the first `length` bytes of [`read_buffer`](Self::read_buffer) have been filled.
    pub fn read_done(&mut self, length: usize) {
        self.end += length.min(self.buffer.len() - self.end);
    }

    /// Takes the buffer away when nothing is in it, so that an idle connection holds none. It is as large as the largest frame
    /// that was cut up since, and still has bytes of it; the caller decides whether to keep it.
    pub fn take_buffer(&mut self) -> Option<Vec<u8>> {
        if !self.is_empty() || self.buffer.capacity() == 0 {
            return None;
        }
        (self.start, self.end, self.searched) = (0, 0, 0);
        Some(std::mem::take(&mut self.buffer))
    }

    /// Lends a spare buffer, to be used instead of allocating one. It is dropped if there is a larger one or one in use.
    /// What is in it is never given out as received; [`read_buffer`](Self::read_buffer) may show it as room.
    pub fn give_buffer(&mut self, spare: Vec<u8>) {
        if self.is_empty() && self.buffer.capacity() < spare.capacity() {
            self.buffer = spare;
            (self.start, self.end, self.searched) = (0, 0, 0);
        }
    }

    /// As [`next_frame`](Self::next_frame), when kept bytes come first.
    fn next_buffered(&mut self, input: &mut &[u8]) -> Result<Option<&[u8]>, ProtocolError> {
        let found = match self.find_buffered() {
            Some(frame_end) => Some(frame_end),
            None => self.complete_from(input)?,
        };
        let Some(frame_end) = found else {
            return Ok(None);
        };
        self.check(frame_end - self.start)?;
        let frame = self.start..frame_end;
        self.start = frame_end + self.delimiter.as_bytes().len();
        self.searched = self.start;
        Ok(Some(&self.buffer[frame]))
    }

    /// Searches what is kept, from where the last search stopped, for the end of the first frame.
    fn find_buffered(&mut self) -> Option<usize> {
        let found = self.find(&self.buffer[self.searched..self.end]).map(|at| self.searched + at);
        if found.is_none() {
            // The head of a delimiter may be at its end.
            let head = self.delimiter.as_bytes().len() - 1;
            self.searched = self.end.saturating_sub(head).max(self.searched);
        }
        found
    }

    /// Takes from `input` the rest of the frame whose head is kept, or all of `input`. Gives the end of the frame if it is there.
    fn complete_from(&mut self, input: &mut &[u8]) -> Result<Option<usize>, ProtocolError> {
        let delimiter = self.delimiter.as_bytes().len();
        let kept = self.buffered();
        // First a delimiter that is cut in two: its second part is shorter than a delimiter.
        let second_part = input.len().min(delimiter - 1);
        if second_part > 0 {
            self.append(&input[..second_part]);
            if let Some(frame_end) = self.find_buffered() {
                let surplus = self.end - (frame_end + delimiter);
                self.end -= surplus;
                *input = &input[second_part - surplus..];
                return Ok(Some(frame_end));
            }
        }
        // Then one that is whole in `input`.
        let Some(length) = self.find(input) else {
            let taken = self.keep(&input[second_part..], kept + second_part);
            // What was appended of `input` is still in it.
            taken.inspect_err(|_| self.lost = kept)?;
            *input = &[];
            return Ok(None);
        };
        self.check(kept + length).inspect_err(|_| self.lost = kept)?;
        self.append(&input[second_part..length + delimiter]);
        *input = &input[length + delimiter..];
        Ok(Some(self.end - delimiter))
    }

    /// Keeps the last part of what has been searched in vain, `kept` bytes of which are kept already.
    fn keep(&mut self, rest: &[u8], kept: usize) -> Result<(), ProtocolError> {
        // All but the head of a delimiter at its end belongs to the frame.
        let head = self.delimiter.as_bytes().len() - 1;
        self.check((kept + rest.len()).saturating_sub(head))?;
        self.append(rest);
        self.searched = self.end.saturating_sub(head).max(self.start);
        Ok(())
    }

    fn append(&mut self, bytes: &[u8]) {
        self.move_to_front();
        self.touch(bytes.len());
        let end = self.end + bytes.len();
        match self.buffer.get_mut(self.end..end) {
            Some(room) => room.copy_from_slice(bytes),
            None => {
                self.buffer.truncate(self.end);
                self.buffer.extend_from_slice(bytes);
            }
        }
        self.end = end;
    }

    /// Makes what has been lent available as room.
    fn move_to_front(&mut self) {
        if self.start > 0 {
            self.touch(self.buffered());
            self.buffer.copy_within(self.start..self.end, 0);
            self.end -= self.start;
            self.searched -= self.start;
            self.start = 0;
        }
    }

    #[inline]
    fn find(&self, haystack: &[u8]) -> Option<usize> {
        let found = self.delimiter.find(haystack);
        self.touch(found.map_or(haystack.len(), |at| at + self.delimiter.as_bytes().len()));
        found
    }

    /// Fails for good if a frame of at least `length` bytes is too large.
    #[inline]
    fn check(&mut self, length: usize) -> Result<(), ProtocolError> {
        if length <= self.max_message_size {
            return Ok(());
        }
        self.failed = true;
        self.lost = self.buffered();
        self.buffer = Vec::new();
        (self.start, self.end, self.searched) = (0, 0, 0);
        Err(self.too_large())
    }

    /// The error says the same however the frame was cut up: more than the limit, at least by one byte.
    #[cold]
    fn too_large(&self) -> ProtocolError {
        ProtocolError::FrameTooLarge { length: self.max_message_size.saturating_add(1), limit: self.max_message_size }
    }

    #[inline]
    fn touch(&self, _bytes: usize) {
        #[cfg(test)]
        self.touched.set(self.touched.get() + _bytes);
    }
}

impl fmt::Debug for Decoder {
    /// Shows no received bytes.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Decoder")
            .field("delimiter", &self.delimiter)
            .field("max_message_size", &self.max_message_size)
            .field("buffered", &self.buffered())
            .field("failed", &self.failed)
            .finish_non_exhaustive()
    }
}
