//! Changes to JSON text that leave its meaning alone: undoing escapes, adding them, taking out white space.
//!
//! All of it expects text that has been validated; other text gives other text, never a panic.

use std::borrow::Cow;

use super::swar::plain_end;

/// The characters that the inside of a JSON string stands for. A lone surrogate escape becomes U+FFFD.
pub(crate) fn unescape(body: &str) -> String {
    let mut text = String::with_capacity(body.len());
    let mut rest = body;
    while let Some(backslash) = memchr::memchr(b'\\', rest.as_bytes()) {
        text.push_str(&rest[..backslash]);
        let (char, length) = escaped_char(&rest.as_bytes()[backslash..]);
        text.push(char);
        rest = rest.get(backslash + length..).unwrap_or_default();
    }
    text.push_str(rest);
    text
}

/// Whether a key is `name`, given what is between its quotes and whether that has escapes.
#[inline]
pub(crate) fn key_is(body: &str, escaped: bool, name: &str) -> bool {
    if escaped { unescape(body) == name } else { body == name }
}

/// What the escape at the start of `bytes` stands for, and its length in bytes.
fn escaped_char(bytes: &[u8]) -> (char, usize) {
    let char = match bytes.get(1) {
        Some(b'b') => '\u{8}',
        Some(b'f') => '\u{c}',
        Some(b'n') => '\n',
        Some(b'r') => '\r',
        Some(b't') => '\t',
        Some(b'u') => return unicode_escape(bytes),
        Some(&itself) => char::from(itself),
        None => char::REPLACEMENT_CHARACTER,
    };
    (char, 2)
}

/// As [`escaped_char`], for `\uXXXX`, alone or as the first half of a surrogate pair.
fn unicode_escape(bytes: &[u8]) -> (char, usize) {
    let Some(unit) = unit_of(bytes) else {
        return (char::REPLACEMENT_CHARACTER, 2);
    };
    let next = bytes.get(6..).and_then(unit_of);
    let mut decoded = char::decode_utf16([unit].into_iter().chain(next));
    match decoded.next() {
        Some(Ok(char)) => (char, 6 * char.len_utf16()),
        _ => (char::REPLACEMENT_CHARACTER, 6),
    }
}

/// The UTF-16 unit of the `\uXXXX` at the start of `bytes`.
fn unit_of(bytes: &[u8]) -> Option<u16> {
    let digits = bytes.strip_prefix(b"\\u")?.first_chunk::<4>()?;
    digits.iter().try_fold(0, |unit, &digit| {
        let digit = char::from(digit).to_digit(16)?;
        Some(unit << 4 | u16::try_from(digit).ok()?)
    })
}

/// The same text with every lone surrogate escape replaced by that of U+FFFD, for parsers that refuse them.
/// Borrowed when there is none.
pub(crate) fn without_lone_surrogates(text: &str) -> Cow<'_, str> {
    let mut replaced = String::new();
    let mut kept = 0;
    let mut at = 0;
    while let Some(backslash) = memchr::memchr(b'\\', text.as_bytes().get(at..).unwrap_or_default()) {
        let escape = at + backslash;
        let (char, length) = escaped_char(&text.as_bytes()[escape..]);
        at = escape + length;
        if char == char::REPLACEMENT_CHARACTER && length == 6 {
            replaced.push_str(&text[kept..escape]);
            replaced.push_str("\\ufffd");
            kept = at;
        }
    }
    if kept == 0 {
        return Cow::Borrowed(text);
    }
    replaced.push_str(text.get(kept..).unwrap_or_default());
    Cow::Owned(replaced)
}

/// The same text without the white space between tokens.
pub(crate) fn compact(text: &str) -> String {
    let mut compacted = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(quote) = memchr::memchr(b'"', rest.as_bytes()) {
        let (between, string) = rest.split_at(quote);
        push_without_white_space(between, &mut compacted);
        let (string, after) = string.split_at(string_length(string));
        compacted.push_str(string);
        rest = after;
    }
    push_without_white_space(rest, &mut compacted);
    compacted
}

fn push_without_white_space(between: &str, compacted: &mut String) {
    between.split([' ', '\t', '\n', '\r']).for_each(|tokens| compacted.push_str(tokens));
}

/// The length of the string, quotes included, that `text` starts with.
fn string_length(text: &str) -> usize {
    let bytes = text.as_bytes();
    let mut at = 1;
    loop {
        at = plain_end(bytes, at);
        match bytes.get(at) {
            Some(b'"') => return at + 1,
            Some(b'\\') => at += 2,
            _ => return bytes.len(),
        }
    }
}

/// The same text with `char` written as escape. It must be one that `text` has inside strings only, and never after a backslash.
pub(crate) fn with_char_escaped(text: &str, char: char) -> String {
    let escape: String = char.encode_utf16(&mut [0; 2]).iter().map(|unit| format!("\\u{unit:04x}")).collect();
    text.replace(char, &escape)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_are_undone_and_lone_surrogates_replaced() {
        for (body, text) in [
            ("", ""),
            ("plain é", "plain é"),
            (r#"\"\\\/\b\f\n\r\t"#, "\"\\/\u{8}\u{c}\n\r\t"),
            (r"\u0041\u00e9\u00E9\u0000", "Aéé\0"),
            (r"\ud83d\ude00!", "😀!"),
            (r"\ud83d", "\u{fffd}"),
            (r"\ude00\ud83d", "\u{fffd}\u{fffd}"),
            (r"\ud83dx\ude00", "\u{fffd}x\u{fffd}"),
            (r"\ud83d\u0041", "\u{fffd}A"),
            (r"\ud83d\ud83d\ude00", "\u{fffd}😀"),
            (r"\\ud83d", r"\ud83d"),
        ] {
            assert_eq!(unescape(body), text, "{body}");
        }
    }

    #[test]
    fn text_that_is_no_json_does_no_harm() {
        for body in ["\\", "\\u", "\\u12", "\\é", "\\uzzzz", "\\ud83d\\u", "\"", "\"\\"] {
            unescape(body);
            without_lone_surrogates(body);
            compact(body);
        }
    }

    #[test]
    fn lone_surrogates_are_replaced_in_place() {
        assert!(matches!(without_lone_surrogates(r#""\ud83d\ude00\\ud83d""#), Cow::Borrowed(_)));
        assert_eq!(without_lone_surrogates(r#"["\ud83d","\ude00x"]"#), r#"["\ufffd","\ufffdx"]"#);
    }

    #[test]
    fn compacting_takes_white_space_from_between_tokens_only() {
        let pretty = "{ \"a b\\\" \" :\n\t[ 1 , -2.5e3 , \"\\\\\" ] ,\r\n \"\" : { } }";
        assert_eq!(compact(pretty), "{\"a b\\\" \":[1,-2.5e3,\"\\\\\"],\"\":{}}");
    }

    #[test]
    fn a_character_is_escaped_as_its_utf16_units() {
        assert_eq!(with_char_escaped(r#""a|b""#, '|'), r#""a\u007cb""#);
        assert_eq!(with_char_escaped(r#""😀""#, '😀'), r#""\ud83d\ude00""#);
    }
}
