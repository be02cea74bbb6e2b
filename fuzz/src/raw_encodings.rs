//! Text to bytes and back as Node's `Buffer` has it: beside what was recorded of Node, and beside a second implementation that
//! is as simple as can be.
//!
//! Input: encoding, way (bytes to text, or UTF-16 units to bytes), and the bytes, which stand for units two by two.

use crate::vectors;
use ipc_proto::Encoding;
use std::collections::HashMap;
use std::sync::OnceLock;

/// All there are.
pub const ENCODINGS: [Encoding; 7] = [
    Encoding::Utf8,
    Encoding::Ascii,
    Encoding::Latin1,
    Encoding::Utf16le,
    Encoding::Base64,
    Encoding::Base64url,
    Encoding::Hex,
];

/// Makes an input of a text that is to become bytes.
pub fn seed(encoding: Encoding, units: &[u16]) -> Vec<u8> {
    let which = ENCODINGS.iter().position(|one| *one == encoding).unwrap_or(0) as u8;
    [which, 1].into_iter().chain(units.iter().flat_map(|unit| unit.to_le_bytes())).collect()
}

type Recorded = HashMap<(&'static str, Vec<u16>), Vec<u8>>;

fn recorded() -> &'static Recorded {
    static RECORDED: OnceLock<Recorded> = OnceLock::new();
    RECORDED.get_or_init(|| {
        let texts = vectors::raw_texts();
        texts.into_iter().map(|(encoding, units, bytes)| ((encoding.as_str(), units), bytes)).collect()
    })
}

/// The bytes of a text, bit by bit.
fn model(encoding: Encoding, units: &[u16]) -> Vec<u8> {
    let low = || units.iter().map(|unit| (unit & 0xff) as u8);
    match encoding {
        Encoding::Utf8 => String::from_utf16_lossy(units).into_bytes(),
        Encoding::Ascii | Encoding::Latin1 => low().collect(),
        Encoding::Utf16le => units.iter().flat_map(|unit| [(unit & 0xff) as u8, (unit >> 8) as u8]).collect(),
        Encoding::Hex => {
            let digits: Vec<Option<u8>> =
                low().map(|byte| (byte as char).to_digit(16).map(|digit| digit as u8)).collect();
            let pairs = digits.chunks_exact(2).map_while(|pair| Some(pair[0]? * 16 + pair[1]?));
            pairs.collect()
        }
        Encoding::Base64 | Encoding::Base64url => {
            let mut bits = String::new();
            for byte in low() {
                if byte == b'=' {
                    break;
                }
                let digit = match byte as char {
                    '+' | '-' => 62,
                    '/' | '_' => 63,
                    letter @ 'A'..='Z' => letter as u8 - b'A',
                    letter @ 'a'..='z' => letter as u8 - b'a' + 26,
                    digit @ '0'..='9' => digit as u8 - b'0' + 52,
                    _ => continue,
                };
                bits.push_str(&format!("{digit:06b}"));
            }
            let bytes = bits.as_bytes().chunks_exact(8);
            bytes.map(|byte| u8::from_str_radix(std::str::from_utf8(byte).expect("digits"), 2).expect("bits")).collect()
        }
    }
}

/// Checks one input.
pub fn check(data: &[u8]) {
    let Some((&[which, way], bytes)) = data.split_first_chunk::<2>() else { return };
    let encoding = ENCODINGS[usize::from(which) % ENCODINGS.len()];
    assert_eq!(encoding.as_str().parse(), Ok(encoding));
    if way % 2 == 1 {
        let units: Vec<u16> = bytes.chunks_exact(2).map(|pair| u16::from_le_bytes([pair[0], pair[1]])).collect();
        let encoded = encoding.encode_utf16(&units);
        assert_eq!(encoded, model(encoding, &units), "{encoding:?}");
        if let Ok(text) = String::from_utf16(&units) {
            assert_eq!(encoding.encode(&text), encoded);
        }
        if let Some(node) = recorded().get(&(encoding.as_str(), units)) {
            assert_eq!(encoded, *node, "as Node was seen to do it");
        }
        return;
    }
    let text = encoding.decode(bytes);
    let again = encoding.encode(&text);
    match encoding {
        Encoding::Utf8 => assert_eq!(text, String::from_utf8_lossy(bytes)),
        Encoding::Ascii => assert!(again.iter().zip(bytes).all(|(again, byte)| *again == byte & 0x7f)),
        Encoding::Utf16le => {
            let units: Vec<u16> = bytes.chunks_exact(2).map(|pair| u16::from_le_bytes([pair[0], pair[1]])).collect();
            assert_eq!(text, String::from_utf16_lossy(&units));
        }
        Encoding::Latin1 | Encoding::Base64 | Encoding::Base64url | Encoding::Hex => assert_eq!(again, bytes),
    }
    if encoding == Encoding::Base64 {
        assert_eq!(text.len(), bytes.len().div_ceil(3) * 4, "padded");
    }
}
