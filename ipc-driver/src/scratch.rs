//! Buffers that belong to the thread, so that an idle connection holds none.

use std::cell::Cell;

/// What one read may bring at most.
const READ_SIZE: usize = 256 * 1024;

/// A spare larger than this is freed instead of kept.
const SPARE_MAX: usize = 4 * 1024 * 1024;

thread_local! {
    static READ: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
    static SPARE: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
    static WRITE: Cell<[Vec<u8>; 2]> = const { Cell::new([Vec::new(), Vec::new()]) };
    #[cfg(feature = "tls")]
    static PIECE: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// Runs `work` with the thread's read buffer. Nested use gets a buffer of its own.
pub(crate) fn with_read_buffer<T>(work: impl FnOnce(&mut [u8]) -> T) -> T {
    let mut buffer = READ.take();
    if buffer.is_empty() {
        buffer = vec![0; READ_SIZE];
    }
    let outcome = work(&mut buffer);
    READ.set(buffer);
    outcome
}

/// The thread's spare buffer for an unfinished message, if it has one.
pub(crate) fn take_spare() -> Option<Vec<u8>> {
    let spare = SPARE.take();
    (spare.capacity() > 0).then_some(spare)
}

/// Keeps an emptied buffer for the next connection that needs one. The larger of two is kept.
pub(crate) fn keep_spare(buffer: Vec<u8>) {
    let old = SPARE.take();
    SPARE.set(better(old, buffer));
}

/// A buffer of the thread to encode events into, if it has one. There are two: one is filled while the other is written.
pub(crate) fn take_write_buffer() -> Option<Vec<u8>> {
    let [first, second] = WRITE.take();
    WRITE.set([second, Vec::new()]);
    (first.capacity() > 0).then_some(first)
}

/// Keeps a buffer to encode events into, unless there are two that are larger.
pub(crate) fn keep_write_buffer(buffer: Vec<u8>) {
    let [first, second] = WRITE.take();
    WRITE.set(if first.capacity() == 0 { [better(first, buffer), second] } else { [first, better(second, buffer)] });
}

fn better(old: Vec<u8>, new: Vec<u8>) -> Vec<u8> {
    if new.capacity() > old.capacity() && new.capacity() <= SPARE_MAX { new } else { old }
}

/// A buffer of `length` bytes, the thread's if it has one of that length.
#[cfg(feature = "tls")]
pub(crate) fn take_piece(length: usize) -> Vec<u8> {
    let piece = PIECE.take();
    if piece.len() == length { piece } else { vec![0; length] }
}

/// Keeps a buffer for the next who needs one of its length.
#[cfg(feature = "tls")]
pub(crate) fn keep_piece(piece: Vec<u8>) {
    PIECE.set(piece);
}

#[cfg(all(test, not(ipc_loom)))]
mod tests {
    use super::*;

    #[test]
    fn a_thread_keeps_two_buffers_to_write_into_and_none_that_is_huge() {
        std::thread::spawn(|| {
            assert!(take_write_buffer().is_none());
            for kilobytes in [1, 4097, 2, 3, 5000] {
                keep_write_buffer(Vec::with_capacity(kilobytes * 1024));
            }
            let kept = [take_write_buffer(), take_write_buffer(), take_write_buffer()];
            let kept = kept.map(|buffer| buffer.map(|buffer| buffer.capacity() / 1024));
            assert_eq!(kept, [Some(1), Some(3), None]);
        })
        .join()
        .unwrap();
    }

    #[test]
    fn a_thread_keeps_the_largest_spare_that_is_not_huge() {
        std::thread::spawn(|| {
            for kilobytes in [1, 4097, 3, 2] {
                keep_spare(Vec::with_capacity(kilobytes * 1024));
            }
            assert_eq!(take_spare().map(|buffer| buffer.capacity() / 1024), Some(3));
            assert!(take_spare().is_none());
        })
        .join()
        .unwrap();
    }
}
