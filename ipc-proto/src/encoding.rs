//! The text encodings of raw mode, as Node's `Buffer` has them: text to bytes and back.
//!
//! Framed messages are UTF-8 whatever this is set to (observed on node-ipc 9.2.1, 12.0.0 and 14.0.0), so nothing here is used
//! for them. Decoding works on whole buffers; holding back a split character between two reads is not done here.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// How raw mode turns text into bytes (the option `encoding`).
///
/// [`encode`](Self::encode) gives the bytes of Node's `Buffer.from(text, encoding)`, lenient where that is lenient.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Encoding {
    /// `utf8`, the default.
    #[default]
    Utf8,
    /// `ascii`: the low byte of each UTF-16 unit; decoding keeps seven bits.
    Ascii,
    /// `latin1`, also `binary`: the low byte of each UTF-16 unit.
    Latin1,
    /// `utf16le`, also `ucs2`: each UTF-16 unit as two bytes, low byte first.
    Utf16le,
    /// `base64`: the text *is* base64, of either alphabet; other characters are skipped and `=` ends it.
    Base64,
    /// `base64url`: as `base64`, but decoding writes the URL alphabet without padding.
    Base64url,
    /// `hex`: the text *is* pairs of hexadecimal digits, up to the first pair that is none.
    Hex,
}

/// Node's names for the encodings, the preferred one first.
const NAMES: [(&str, Encoding); 12] = [
    ("utf8", Encoding::Utf8),
    ("ascii", Encoding::Ascii),
    ("latin1", Encoding::Latin1),
    ("utf16le", Encoding::Utf16le),
    ("base64", Encoding::Base64),
    ("base64url", Encoding::Base64url),
    ("hex", Encoding::Hex),
    ("utf-8", Encoding::Utf8),
    ("binary", Encoding::Latin1),
    ("utf-16le", Encoding::Utf16le),
    ("ucs2", Encoding::Utf16le),
    ("ucs-2", Encoding::Utf16le),
];

impl Encoding {
    /// Node's name for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Utf8 => "utf8",
            Self::Ascii => "ascii",
            Self::Latin1 => "latin1",
            Self::Utf16le => "utf16le",
            Self::Base64 => "base64",
            Self::Base64url => "base64url",
            Self::Hex => "hex",
        }
    }

    /// The bytes `text` stands for.
    pub fn encode(self, text: &str) -> Vec<u8> {
        match self {
            Self::Utf8 => text.as_bytes().to_vec(),
            _ => self.encode_units(text.encode_utf16()),
        }
    }

    /// As [`encode`](Self::encode), for text that may have lone surrogates, as JavaScript's may. In UTF-8 each becomes U+FFFD.
    pub fn encode_utf16(self, units: &[u16]) -> Vec<u8> {
        match self {
            Self::Utf8 => String::from_utf16_lossy(units).into_bytes(),
            _ => self.encode_units(units.iter().copied()),
        }
    }

    fn encode_units(self, units: impl Iterator<Item = u16>) -> Vec<u8> {
        if self == Self::Utf16le {
            return units.flat_map(u16::to_le_bytes).collect();
        }
        // Node takes the low byte of each unit, for the digits of base64 and hex too (observed on node 20.20.2).
        let mut low_bytes = units.map(|unit| unit.to_le_bytes()[0]);
        match self {
            Self::Base64 | Self::Base64url => bytes_of_base64(low_bytes),
            Self::Hex => {
                let pair = || Some(hex_digit(low_bytes.next()?)? << 4 | hex_digit(low_bytes.next()?)?);
                std::iter::from_fn(pair).collect()
            }
            _ => low_bytes.collect(),
        }
    }

    /// The text of `bytes`, as Node's `buffer.toString(encoding)` gives it. What is no text becomes U+FFFD.
    pub fn decode(self, bytes: &[u8]) -> String {
        match self {
            Self::Utf8 => String::from_utf8_lossy(bytes).into_owned(),
            Self::Ascii => bytes.iter().map(|&byte| char::from(byte & 0x7F)).collect(),
            Self::Latin1 => bytes.iter().copied().map(char::from).collect(),
            Self::Utf16le => {
                let units = bytes.chunks_exact(2).map(|pair| u16::from_le_bytes([pair[0], pair[1]]));
                char::decode_utf16(units).map(|unit| unit.unwrap_or(char::REPLACEMENT_CHARACTER)).collect()
            }
            Self::Base64 => base64_of_bytes(bytes, BASE64, true),
            Self::Base64url => base64_of_bytes(bytes, BASE64URL, false),
            Self::Hex => bytes
                .iter()
                .flat_map(|&byte| [byte >> 4, byte & 0xF])
                .map(|digit| char::from(HEX[usize::from(digit)]))
                .collect(),
        }
    }
}

const HEX: &[u8; 16] = b"0123456789abcdef";
const BASE64: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
const BASE64URL: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

fn hex_digit(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

fn base64_digit(byte: u8) -> Option<u32> {
    let digit = match byte {
        b'A'..=b'Z' => byte - b'A',
        b'a'..=b'z' => byte - b'a' + 26,
        b'0'..=b'9' => byte - b'0' + 52,
        b'+' | b'-' => 62,
        b'/' | b'_' => 63,
        _ => return None,
    };
    Some(digit.into())
}

/// Reads base64 as Node does: both alphabets, up to the first `=`, skipping whatever is no digit.
fn bytes_of_base64(text: impl Iterator<Item = u8>) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.size_hint().0 / 4 * 3);
    // The low `bits` bits of `pending` have been read and not yet written.
    let (mut pending, mut bits) = (0u32, 0);
    for digit in text.take_while(|&byte| byte != b'=').filter_map(base64_digit) {
        pending = pending << 6 | digit;
        bits += 6;
        if bits >= 8 {
            bits -= 8;
            bytes.push((pending >> bits & 0xFF) as u8);
        }
    }
    bytes
}

fn base64_of_bytes(bytes: &[u8], alphabet: &[u8; 64], padded: bool) -> String {
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for group in bytes.chunks(3) {
        let mut padding = [0; 3];
        padding[..group.len()].copy_from_slice(group);
        let [first, second, third] = padding.map(u32::from);
        let bits = first << 16 | second << 8 | third;
        // n bytes fill n + 1 digits; the rest of the four is padding.
        for digit in 0..4 {
            if digit <= group.len() {
                text.push(char::from(alphabet[(bits >> (18 - 6 * digit) & 0x3F) as usize]));
            } else if padded {
                text.push('=');
            }
        }
    }
    text
}

impl fmt::Display for Encoding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Encoding {
    type Err = UnknownEncoding;

    /// Accepts Node's names, in any case.
    fn from_str(name: &str) -> Result<Self, UnknownEncoding> {
        let known = NAMES.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
        known.map(|&(_, encoding)| encoding).ok_or_else(|| UnknownEncoding { name: crate::error::shortened(name) })
    }
}

impl Serialize for Encoding {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for Encoding {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

/// The name is not one of Node's encodings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownEncoding {
    name: Box<str>,
}

impl fmt::Display for UnknownEncoding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "unknown encoding {:?}; use one of", self.name)?;
        NAMES.iter().enumerate().try_for_each(|(i, (name, _))| write!(f, "{} {name}", if i == 0 { "" } else { "," }))
    }
}

impl std::error::Error for UnknownEncoding {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_nodes_in_any_case_and_an_unknown_one_is_told_the_others() {
        for (name, encoding) in NAMES {
            assert_eq!(name.to_uppercase().parse(), Ok(encoding));
            assert_eq!(encoding.to_string(), encoding.as_str());
        }
        assert_eq!(serde_json::from_str::<Encoding>(r#""Hex""#).unwrap(), Encoding::Hex);
        assert_eq!(serde_json::to_string(&Encoding::Utf16le).unwrap(), r#""utf16le""#);
        let error = "nope".parse::<Encoding>().unwrap_err().to_string();
        assert!(error.starts_with("unknown encoding \"nope\"; use one of utf8, ascii,"), "{error}");
    }

    #[test]
    fn base64_is_read_as_leniently_as_node_reads_it() {
        for (text, bytes) in [
            ("aGVs bG8=", &b"hello"[..]),
            ("aGVs!bG8", b"hello"),
            ("a+_b", b"\x6b\xef\xdb"),
            ("YQ==YQ==", b"a"),
            ("a", b""),
            ("abcde", b"\x69\xb7\x1d"),
        ] {
            assert_eq!(Encoding::Base64.encode(text), bytes, "{text}");
            assert_eq!(Encoding::Base64url.encode(text), bytes, "{text}");
        }
    }

    #[test]
    fn hex_ends_at_the_first_pair_that_is_none() {
        for (text, bytes) in
            [("00fF", &b"\x00\xff"[..]), ("abc", b"\xab"), ("0x10", b""), ("00 ff", b"\0"), ("абff", b"\x01\xff")]
        {
            // Digits of other scripts: the two Cyrillic letters are U+0430 and U+0431, whose low bytes are '0' and '1'.
            assert_eq!(Encoding::Hex.encode(text), bytes, "{text}");
        }
    }

    #[test]
    fn every_encoding_gives_back_the_bytes_it_can_hold() {
        for length in 0..7 {
            let bytes = &[0x00, 0x68, 0xFF, 0x10, 0xFB, 0xEF][..length];
            for encoding in [Encoding::Latin1, Encoding::Base64, Encoding::Base64url, Encoding::Hex] {
                assert_eq!(encoding.encode(&encoding.decode(bytes)), bytes, "{encoding}");
            }
        }
        assert_eq!(Encoding::Base64.decode(b"a"), "YQ==");
        assert_eq!(Encoding::Base64url.decode(b"\xfb\xefa"), "--9h");
    }

    #[test]
    fn decoding_replaces_what_is_no_text() {
        assert_eq!(Encoding::Utf8.decode(b"a\xe2\x82b"), "a\u{FFFD}b");
        assert_eq!(Encoding::Ascii.decode(b"\xe1"), "a");
        assert_eq!(Encoding::Utf16le.decode(b"\x00\xd8a\x00b"), "\u{FFFD}a");
        assert_eq!(Encoding::Utf8.encode_utf16(&[0xD800, 0x61]), b"\xef\xbf\xbda");
    }
}
