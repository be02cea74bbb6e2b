//! `raw_encodings`: Node's text encodings in both directions.
//!
//! They are compared with what node-ipc was recorded to write and to make of what it reads, with a slow model of each encoding
//! that is written here bit by bit, and with their own laws: what an encoding can hold comes back, and a second round
//! changes nothing.

use ipc_proto::Encoding;

use crate::input::Input;
use crate::recorded::{READ, WRITTEN};

pub(crate) const ENCODINGS: [Encoding; 7] = [
    Encoding::Utf8,
    Encoding::Ascii,
    Encoding::Latin1,
    Encoding::Utf16le,
    Encoding::Base64,
    Encoding::Base64url,
    Encoding::Hex,
];

/// Runs one input: an encoding, a way, a number in the tables of recordings, and any bytes.
pub fn run(data: &[u8]) {
    let mut input = Input::new(data);
    let encoding = input.choose(&ENCODINGS);
    let way = input.below(4);
    let number = usize::from(input.word());
    let bytes = input.rest();
    match way {
        0 => encode(encoding, &units(bytes)),
        1 => encode(encoding, &String::from_utf8_lossy(bytes).encode_utf16().collect::<Vec<_>>()),
        2 => decode(encoding, bytes),
        _ => recorded(number),
    }
    names(bytes);
}

fn units(bytes: &[u8]) -> Vec<u16> {
    bytes.chunks_exact(2).map(|pair| u16::from_le_bytes([pair[0], pair[1]])).collect()
}

/// One recording of each table.
fn recorded(number: usize) {
    let written = &WRITTEN[number % WRITTEN.len()];
    assert_eq!(written.encoding.encode_utf16(&written.units), written.wire, "{}", written.encoding);
    encode(written.encoding, &written.units);
    let read = &READ[number % READ.len()];
    let lone = read.encoding == Encoding::Utf16le && String::from_utf16(&units(&read.wire)).is_err();
    if !lone {
        // (A string of Rust cannot hold a lone surrogate, which in JavaScript survives.)
        let text = read.encoding.decode(&read.wire);
        assert_eq!(read.encoding.encode(&text), read.came, "{} {:x?}", read.encoding, read.wire);
    }
    decode(read.encoding, &read.wire);
}

fn encode(encoding: Encoding, units: &[u16]) {
    let encoded = encoding.encode_utf16(units);
    assert_eq!(encoded, model_of_encode(encoding, units), "{encoding}");
    if let Ok(text) = String::from_utf16(units) {
        assert_eq!(encoding.encode(&text), encoded, "text and units are the same");
    }
    // What was encoded once is what it says: a second round changes nothing.
    let text = encoding.decode(&encoded);
    let lossless = !matches!(encoding, Encoding::Ascii) && String::from_utf16(units).is_ok();
    if lossless {
        assert_eq!(encoding.encode(&text), encoded, "{encoding}");
    }
}

fn decode(encoding: Encoding, bytes: &[u8]) {
    let text = encoding.decode(bytes);
    assert_eq!(text, model_of_decode(encoding, bytes), "{encoding}");
    let again = encoding.encode(&text);
    let comes_back = match encoding {
        Encoding::Latin1 | Encoding::Base64 | Encoding::Base64url | Encoding::Hex => true,
        Encoding::Ascii => bytes.is_ascii(),
        Encoding::Utf8 => std::str::from_utf8(bytes).is_ok(),
        Encoding::Utf16le => bytes.len() % 2 == 0 && String::from_utf16(&units(bytes)).is_ok(),
    };
    assert!(!comes_back || again == bytes, "{encoding}");
    assert_eq!(encoding.decode(&again), text, "{encoding}: a second round changes nothing");
}

fn model_of_encode(encoding: Encoding, units: &[u16]) -> Vec<u8> {
    let low = |unit: &u16| (unit & 0xFF) as u8;
    match encoding {
        Encoding::Utf8 => char::decode_utf16(units.iter().copied())
            .map(|unit| unit.unwrap_or('\u{FFFD}'))
            .collect::<String>()
            .into_bytes(),
        Encoding::Ascii | Encoding::Latin1 => units.iter().map(low).collect(),
        Encoding::Utf16le => units.iter().flat_map(|unit| [low(unit), (unit >> 8) as u8]).collect(),
        Encoding::Base64 | Encoding::Base64url => {
            let mut bits = Vec::new();
            for byte in units.iter().map(low) {
                if byte == b'=' {
                    break;
                }
                let digit = match byte {
                    b'-' => Some(62),
                    b'_' => Some(63),
                    _ => DIGITS.iter().position(|&digit| digit == byte),
                };
                if let Some(digit) = digit {
                    bits.extend((0..6).rev().map(|bit| digit >> bit & 1 == 1));
                }
            }
            bits.chunks_exact(8).map(|byte| byte.iter().fold(0, |byte, &bit| byte << 1 | u8::from(bit))).collect()
        }
        Encoding::Hex => {
            let text: Vec<u8> = units.iter().map(low).collect();
            let mut bytes = Vec::new();
            for pair in text.chunks_exact(2) {
                // (Unlike the parser of numbers, it takes no sign.)
                let pair = std::str::from_utf8(pair).ok().filter(|pair| !pair.starts_with('+'));
                match pair.and_then(|pair| u8::from_str_radix(pair, 16).ok()) {
                    Some(byte) => bytes.push(byte),
                    None => break,
                }
            }
            bytes
        }
    }
}

const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

fn model_of_decode(encoding: Encoding, bytes: &[u8]) -> String {
    match encoding {
        Encoding::Utf8 => String::from_utf8_lossy(bytes).into_owned(),
        Encoding::Ascii => bytes.iter().map(|byte| char::from(byte % 128)).collect(),
        Encoding::Latin1 => bytes.iter().map(|&byte| char::from(byte)).collect(),
        Encoding::Utf16le => String::from_utf16_lossy(&units(bytes)),
        Encoding::Hex => bytes.iter().map(|byte| format!("{byte:02x}")).collect(),
        Encoding::Base64 | Encoding::Base64url => {
            let mut bits: Vec<bool> =
                bytes.iter().flat_map(|byte| (0..8).rev().map(move |bit| byte >> bit & 1 == 1)).collect();
            bits.resize(bits.len().next_multiple_of(6), false);
            let digit = |bits: &[bool]| DIGITS[bits.iter().fold(0, |digit, &bit| digit << 1 | usize::from(bit))];
            let mut text: String = bits.chunks(6).map(|bits| char::from(digit(bits))).collect();
            if encoding == Encoding::Base64url {
                return text.replace('+', "-").replace('/', "_");
            }
            while text.len() % 4 != 0 {
                text.push('=');
            }
            text
        }
    }
}

/// A name that is taken is one of Node's, and any other is refused with the list of them.
fn names(bytes: &[u8]) {
    let name = String::from_utf8_lossy(bytes);
    match name.parse::<Encoding>() {
        Ok(encoding) => {
            let known = "utf8 utf-8 ascii latin1 binary utf16le utf-16le ucs2 ucs-2 base64 base64url hex";
            assert!(known.split(' ').any(|known| known == name.to_lowercase()));
            assert_eq!(encoding.as_str().parse(), Ok(encoding));
        }
        Err(error) => assert!(error.to_string().contains("base64url")),
    }
}
