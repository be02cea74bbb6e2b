//! The bytes between two frames: which ones are usable, and how to find them.
//!
//! A delimiter is refused when it is made, not when it first destroys a frame. Making frames free of it is the encoder's work;
//! what it needs to know for that, [`Delimiter::hazard`], is decided here.

use std::fmt;
use std::sync::Arc;

use memchr::memmem;

/// What separates frames on the wire: one byte or more; the form feed `\x0c` by default.
///
/// Only delimiters that can be kept out of JSON text are accepted, because a delimiter inside a frame cuts it in two:
///
/// * with a control byte or a byte that never occurs in UTF-8 (`\n`, `\r\n`, `\0`, `\x1e`, `\xff`): compact JSON has none;
/// * else with a character that compact JSON has only inside strings (`||`, `€`, `<EOM>`, `END`, a space): the encoder writes
///   that character as `\uXXXX` in messages that contain the delimiter.
///
/// Everything else (`}`, `"`, `e`, `1`, `{"`) is refused. node-ipc accepts any text and writes it unescaped, so that a payload
/// that contains the delimiter corrupts the stream (observed on 9.2.1, 12.0.0 and 14.0.0); this crate differs on purpose.
///
/// node-ipc 9.2.1 and 12.0.0 write delimiters of several UTF-16 units but never find one in what they receive; 14.0.0 does.
///
/// ```
/// # use ipc_proto::Delimiter;
/// assert_eq!(Delimiter::default().as_bytes(), b"\x0c");
/// assert!(Delimiter::new("\r\n").is_ok());
/// assert!(Delimiter::new("}").is_err());
/// ```
#[derive(Clone)]
pub struct Delimiter {
    search: Search,
    hazard: Hazard,
}

#[derive(Clone)]
enum Search {
    Byte(u8),
    Sequence(Arc<memmem::Finder<'static>>),
}

/// How a delimiter could get into a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Hazard {
    /// It cannot: it has a byte that no JSON text in UTF-8 has.
    None,
    /// Through white space between tokens (`\t`, `\n`, `\r`), in JSON text that is not compact.
    WhiteSpace,
    /// Through this character inside a string; outside strings only through white space.
    Character(char),
}

impl Delimiter {
    /// Checks and prepares a delimiter, given as text or bytes.
    ///
    /// # Errors
    /// It is empty, or could occur in JSON text in a way that cannot be avoided; see the type's description.
    pub fn new(bytes: impl AsRef<[u8]>) -> Result<Self, DelimiterError> {
        let bytes = bytes.as_ref();
        let hazard = Hazard::of(bytes)?;
        let search = match bytes {
            [byte] => Search::Byte(*byte),
            _ => Search::Sequence(Arc::new(memmem::Finder::new(bytes).into_owned())),
        };
        Ok(Self { search, hazard })
    }

    /// The bytes, at least one.
    #[inline]
    pub fn as_bytes(&self) -> &[u8] {
        match &self.search {
            Search::Byte(byte) => std::slice::from_ref(byte),
            Search::Sequence(finder) => finder.needle(),
        }
    }

    /// Where the delimiter first occurs in `haystack`, in bytes. Takes time linear in what lies before it.
    #[inline]
    pub fn find(&self, haystack: &[u8]) -> Option<usize> {
        match &self.search {
            Search::Byte(byte) => memchr::memchr(*byte, haystack),
            Search::Sequence(finder) => finder.find(haystack),
        }
    }

    /// How the delimiter could get into a message.
    #[inline]
    pub(crate) fn hazard(&self) -> Hazard {
        self.hazard
    }
}

impl Default for Delimiter {
    /// The form feed, `\x0c`, as node-ipc has it.
    fn default() -> Self {
        Self { search: Search::Byte(0x0C), hazard: Hazard::None }
    }
}

impl PartialEq for Delimiter {
    fn eq(&self, other: &Self) -> bool {
        self.as_bytes() == other.as_bytes()
    }
}

impl Eq for Delimiter {}

impl fmt::Debug for Delimiter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Delimiter(\"{}\")", self.as_bytes().escape_ascii())
    }
}

impl Hazard {
    fn of(bytes: &[u8]) -> Result<Self, DelimiterError> {
        if bytes.is_empty() {
            return Err(DelimiterError::Empty);
        }
        // A byte of which JSON text has none at all decides, whatever stands beside it.
        if bytes.iter().any(|&byte| never_in_json(byte)) {
            return Ok(Self::None);
        }
        if bytes.iter().any(u8::is_ascii_control) && bytes.iter().any(|byte| b"\t\n\r".contains(byte)) {
            return Ok(Self::WhiteSpace);
        }
        let shown = || bytes.escape_ascii().to_string().into_boxed_str();
        let text = std::str::from_utf8(bytes).map_err(|_| DelimiterError::PartOfCharacter { delimiter: shown() })?;
        text.chars()
            .find(|&char| only_in_strings(char))
            .map(Self::Character)
            .ok_or_else(|| DelimiterError::OccursInJson { delimiter: shown() })
    }
}

/// Bytes that occur nowhere in JSON text encoded as UTF-8.
fn never_in_json(byte: u8) -> bool {
    match byte {
        b'\t' | b'\n' | b'\r' => false,
        0x00..=0x1F => true,
        // Never part of UTF-8: overlong two-byte forms, and what would lie above U+10FFFF.
        0xC0 | 0xC1 | 0xF5..=0xFF => true,
        _ => false,
    }
}

/// Characters that compact JSON text has inside strings only, and there neither in escapes nor with an escape of their own.
fn only_in_strings(char: char) -> bool {
    let structural = matches!(char, '{' | '}' | '[' | ']' | ':' | ',' | '"' | '\\' | '/');
    let number = matches!(char, '0'..='9' | '+' | '-' | '.' | 'e' | 'E');
    let literal = matches!(char, 't' | 'r' | 'u' | 'e' | 'f' | 'a' | 'l' | 's' | 'n');
    let escape = matches!(char, 'u' | 'b' | 'f' | 'n' | 'r' | 't' | 'a'..='f' | 'A'..='F');
    !(structural || number || literal || escape)
}

/// The delimiter cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DelimiterError {
    /// There is none.
    #[error("the delimiter is empty; use a control character such as \"\\f\" (the default) or \"\\n\"")]
    Empty,
    /// It is made of bytes that JSON text may have outside strings.
    #[error(
        "the delimiter \"{delimiter}\" occurs in JSON text itself and would cut messages in two; \
         use a control character such as \"\\f\" (the default) or \"\\n\", or text such as \"||\" or \"<EOM>\""
    )]
    OccursInJson {
        /// The delimiter, escaped.
        delimiter: Box<str>,
    },
    /// It begins or ends within a character, and can so occur within or between other characters.
    #[error(
        "the delimiter \"{delimiter}\" is not whole UTF-8 characters and could occur inside text; \
         use a control character such as \"\\f\" (the default) or \"\\n\""
    )]
    PartOfCharacter {
        /// The delimiter, escaped.
        delimiter: Box<str>,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hazard(bytes: impl AsRef<[u8]>) -> Result<Hazard, DelimiterError> {
        Delimiter::new(bytes).map(|delimiter| delimiter.hazard())
    }

    #[test]
    fn the_default_is_a_form_feed() {
        assert_eq!(Delimiter::default(), Delimiter::new("\x0c").unwrap());
        assert_eq!(format!("{:?}", Delimiter::default()), r#"Delimiter("\x0c")"#);
    }

    #[test]
    fn bytes_that_json_never_has_are_no_hazard() {
        for delimiter in [&b"\x0c"[..], b"\0", b"\x1e", b"\xff", b"}\x0c", b"\xc0\x80", b"\n\x0b", "é\x0b".as_bytes()]
        {
            assert_eq!(hazard(delimiter), Ok(Hazard::None), "{}", delimiter.escape_ascii());
        }
    }

    #[test]
    fn white_space_is_a_hazard_of_text_that_is_not_compact() {
        for delimiter in ["\n", "\r\n", "\t", "é\n", "}\n", "x\r"] {
            assert_eq!(hazard(delimiter), Ok(Hazard::WhiteSpace), "{delimiter:?}");
        }
    }

    #[test]
    fn a_character_found_only_in_strings_makes_a_delimiter_usable() {
        for (delimiter, escaped) in [
            ("x", 'x'),
            ("||", '|'),
            ("€", '€'),
            ("END", 'N'),
            ("<EOM>", '<'),
            (" ", ' '),
            ("😀", '😀'),
            ("\x7f", '\x7f'),
        ] {
            assert_eq!(hazard(delimiter), Ok(Hazard::Character(escaped)), "{delimiter:?}");
        }
    }

    #[test]
    fn what_json_has_outside_strings_is_refused_and_the_error_names_alternatives() {
        for delimiter in ["}", "\"", "e", "1", "{\"", "\\", "/", "null", "FADE", "-", "true", "\\f"] {
            let error = Delimiter::new(delimiter).unwrap_err();
            assert!(matches!(error, DelimiterError::OccursInJson { .. }), "{delimiter:?}");
            assert!(error.to_string().contains("<EOM>"));
        }
        assert_eq!(hazard(""), Err(DelimiterError::Empty));
    }

    #[test]
    fn a_part_of_a_character_is_refused() {
        for delimiter in [&b"\x82"[..], b"\xe2\x82", b"\xac|\xe2", b"\xed\xa0\x80"] {
            assert!(matches!(hazard(delimiter), Err(DelimiterError::PartOfCharacter { .. })));
        }
    }

    #[test]
    fn find_gives_the_first_occurrence() {
        assert_eq!(Delimiter::default().find(b"ab\x0cc\x0c"), Some(2));
        assert_eq!(Delimiter::new("||").unwrap().find(b"a|b||c||"), Some(3));
        assert_eq!(Delimiter::new("||").unwrap().find(b"a|b"), None);
    }
}
