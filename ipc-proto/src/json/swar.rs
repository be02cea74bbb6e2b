//! Runs of bytes, passed a word or a block at a time: the inner loops of the scanner.
//!
//! Words are read low byte first, so the lowest set bit of a mask belongs to the first byte that matched.

const ONES: u64 = u64::from_le_bytes([0x01; 8]);
const HIGH: u64 = u64::from_le_bytes([0x80; 8]);

/// How many bytes the compiler compares at once, in vector registers, and how many of a long run between two jumps.
const BLOCK: usize = 16;
const LONG_BLOCK: usize = 64;

/// Where the bytes of `text` that stand for themselves in a JSON string end, from `at` on: at the first quote, backslash or
/// control character, or at the end of `text`.
#[inline(always)]
pub(crate) fn plain_end(text: &[u8], at: usize) -> usize {
    // Most strings are short: the first word decides here, the others out of line.
    match word_at(text, at).map(special_in) {
        Some(special) if special != 0 => at + first_byte_of(special),
        _ => plain_end_of_long(text, at),
    }
}

/// The word at `at`, and how many of its first bytes stand for themselves in a JSON string, if there is one that does not.
#[inline(always)]
pub(super) fn short_run(text: &[u8], at: usize) -> Option<(&[u8; 8], usize)> {
    let word = text.get(at..)?.first_chunk()?;
    let special = special_in(u64::from_le_bytes(*word));
    (special != 0).then(|| (word, first_byte_of(special)))
}

/// Whether all bytes of `text` stand for themselves in a JSON string.
#[inline]
pub(super) fn are_plain(text: &[u8]) -> bool {
    // Two words, or blocks, that overlap cover what is no multiple of them.
    if let (Some(first), Some(last)) = (text.first_chunk::<BLOCK>(), text.last_chunk::<BLOCK>()) {
        if text.len() <= 2 * BLOCK {
            return is_plain(first) & is_plain(last);
        }
        return plain_end_of_long(text, 0) == text.len();
    }
    if let (Some(first), Some(last)) = (text.first_chunk(), text.last_chunk()) {
        return special_in(u64::from_le_bytes(*first)) | special_in(u64::from_le_bytes(*last)) == 0;
    }
    !text.iter().any(|&byte| is_special(byte))
}

#[inline(never)]
fn plain_end_of_long(text: &[u8], start: usize) -> usize {
    let mut at = start;
    let blocks = text.get(at..).unwrap_or_default().chunks_exact(BLOCK);
    // A run that goes on after the first blocks is likely to be long.
    let first = blocks.take(LONG_BLOCK / BLOCK).take_while(|block| is_plain(block)).count();
    at += first * BLOCK;
    if first == LONG_BLOCK / BLOCK {
        at += text[at..].chunks_exact(LONG_BLOCK).take_while(|block| is_plain(block)).count() * LONG_BLOCK;
        at += text[at..].chunks_exact(BLOCK).take_while(|block| is_plain(block)).count() * BLOCK;
    }
    while let Some(word) = word_at(text, at) {
        let special = special_in(word);
        if special != 0 {
            return at + first_byte_of(special);
        }
        at += 8;
    }
    at + text.get(at..).unwrap_or_default().iter().take_while(|&&byte| !is_special(byte)).count()
}

#[inline(always)]
fn is_plain(block: &[u8]) -> bool {
    !block.iter().fold(false, |special, &byte| special | is_special(byte))
}

/// Where the decimal digits of `text` end, from `at` on.
#[inline(always)]
pub(super) fn digits_end(text: &[u8], at: usize) -> usize {
    let mut at = at;
    // Nearly all numbers have less than sixteen digits.
    for _ in 0..2 {
        match word_at(text, at).map(others_than_digits_in) {
            Some(0) => at += 8,
            Some(others) => return at + first_byte_of(others),
            None => break,
        }
    }
    digits_end_of_long(text, at)
}

#[inline(never)]
fn digits_end_of_long(text: &[u8], mut at: usize) -> usize {
    while let Some(word) = word_at(text, at) {
        let others = others_than_digits_in(word);
        if others != 0 {
            return at + first_byte_of(others);
        }
        at += 8;
    }
    at + text.get(at..).unwrap_or_default().iter().take_while(|byte| byte.is_ascii_digit()).count()
}

#[inline(always)]
fn word_at(bytes: &[u8], at: usize) -> Option<u64> {
    bytes.get(at..)?.first_chunk().map(|chunk| u64::from_le_bytes(*chunk))
}

#[inline(always)]
fn first_byte_of(mask: u64) -> usize {
    (mask.trailing_zeros() / 8) as usize
}

#[inline(always)]
fn is_special(byte: u8) -> bool {
    // As in `special_in`.
    (byte ^ 0x02) < 0x21 || byte == b'\\'
}

/// Marks the bytes that end a plain run; exact up to and including the first mark, which is all that is used.
///
/// A subtraction borrows from the next byte only where it has already marked one.
#[inline(always)]
fn special_in(word: u64) -> u64 {
    // Flipping bit 1 swaps the quote (0x22) with the space (0x20) and keeps control characters below 0x20,
    // so that one comparison with 0x21 finds both.
    let quote_or_control = (word ^ (ONES * 0x02)).wrapping_sub(ONES * 0x21);
    let backslash = (word ^ (ONES * u64::from(b'\\'))).wrapping_sub(ONES);
    (quote_or_control | backslash) & !word & HIGH
}

/// Marks the bytes that are no decimal digits.
#[inline(always)]
fn others_than_digits_in(word: u64) -> u64 {
    // Digits become 0 to 9; adding 0x76 to seven bits sets the eighth from 10 on and never carries.
    let digits = word ^ (ONES * u64::from(b'0'));
    (((digits & !HIGH) + ONES * 0x76) | digits) & HIGH
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Under Miri, where each takes long, a few of all bytes, quote and backslash among them.
    const STEP: usize = if cfg!(miri) { 2 } else { 1 };

    #[test]
    fn every_byte_is_judged_alike_alone_in_a_word_and_in_a_block() {
        for byte in (0..=u8::MAX).step_by(STEP) {
            for length in [1, 7, 8, 9, 15, 16, 17, 31, 40, 64, 97, 200] {
                for position in [0, 1, 6, 7, 8, 14, 15, 16, 30, 33, 39, 63, 95, 96, 100, 199] {
                    if position >= length {
                        continue;
                    }
                    let mut text = vec![b'a'; length];
                    text[position] = byte;
                    let is_special = byte < 0x20 || byte == b'"' || byte == b'\\';
                    assert_eq!(are_plain(&text), !is_special, "{byte:#x} at {position} of {length}");
                    let expected = if is_special { position } else { length };
                    assert_eq!(plain_end(&text, 0), expected, "{byte:#x} at {position} of {length}");
                    let mut digits = vec![b'7'; length];
                    digits[position] = byte;
                    let expected = if byte.is_ascii_digit() { length } else { position };
                    assert_eq!(digits_end(&digits, 0), expected, "{byte:#x} at {position} of {length}");
                }
            }
        }
    }

    #[test]
    fn the_first_of_two_neighbours_is_found() {
        for first in (0..=u8::MAX).step_by(STEP) {
            for second in (0..=u8::MAX).step_by(STEP) {
                let text = [b'a', first, second, b'a', b'a', b'a', b'a', b'a'];
                let expected = text.iter().position(|&byte| is_special(byte)).unwrap_or(text.len());
                assert_eq!(plain_end(&text, 0), expected, "{first:#x} {second:#x}");
            }
        }
    }
}
