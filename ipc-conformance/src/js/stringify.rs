//! `JSON.stringify(value)` without further arguments. It does not know the tagged notation.

use super::{Js, JsArray, JsError, JsObject, date, number_text};

/// A container that is being written, and the place of its next element.
enum Open<'a> {
    Array(&'a JsArray, usize),
    Object(&'a JsObject, usize, bool),
}

/// The JSON text that JavaScript makes of a value; nothing for `undefined`, functions and symbols.
///
/// # Errors
///
/// A `TypeError` for a `BigInt` or a cycle anywhere inside.
pub fn stringify(value: &Js) -> Result<Option<String>, JsError> {
    let mut out = String::new();
    let mut open: Vec<Open<'_>> = Vec::new();
    if !begin(value, &mut out, &mut open)? {
        return Ok(None);
    }
    while let Some(top) = open.pop() {
        match top {
            Open::Array(array, at) => {
                let Some(item) = array.get(at) else {
                    out.push(']');
                    continue;
                };
                if at > 0 {
                    out.push(',');
                }
                open.push(Open::Array(array, at + 1));
                if !begin(item, &mut out, &mut open)? {
                    out.push_str("null");
                }
            }
            Open::Object(object, at, some) => {
                let Some((key, item)) = object.entry(at) else {
                    out.push('}');
                    continue;
                };
                let before = out.len();
                if some {
                    out.push(',');
                }
                write_string(key.units(), &mut out);
                out.push(':');
                let place = open.len();
                open.push(Open::Object(object, at + 1, true));
                if !begin(item, &mut out, &mut open)? {
                    out.truncate(before);
                    open[place] = Open::Object(object, at + 1, some);
                }
            }
        }
    }
    Ok(Some(out))
}

/// Writes a leaf, or the opening bracket of a container. False: the value has no JSON form.
fn begin<'a>(value: &'a Js, out: &mut String, open: &mut Vec<Open<'a>>) -> Result<bool, JsError> {
    let value = match value {
        Js::ToJson(result) => match &result[0] {
            // `toJSON` is asked once; what it returns is written as a plain object.
            Js::ToJson(_) => {
                out.push_str("{\"hidden\":1}");
                return Ok(true);
            }
            Js::Date(_) => {
                out.push_str("{}");
                return Ok(true);
            }
            Js::Buffer(bytes) => {
                write_indexed(bytes.iter().map(|byte| f64::from(*byte)), out);
                return Ok(true);
            }
            result => result,
        },
        value => value,
    };
    match value {
        Js::Undefined | Js::Hole | Js::Function | Js::Symbol => return Ok(false),
        Js::Null => out.push_str("null"),
        Js::Bool(value) => out.push_str(if *value { "true" } else { "false" }),
        Js::Number(number) => write_number(*number, out),
        Js::BigInt(_) => return Err(JsError::type_error("Do not know how to serialize a BigInt")),
        Js::String(text) => write_string(text.units(), out),
        Js::Array(array) => {
            out.push('[');
            open.push(Open::Array(array, 0));
        }
        Js::Object(object) => {
            out.push('{');
            open.push(Open::Object(object, 0, false));
        }
        Js::Buffer(bytes) => {
            out.push_str("{\"type\":\"Buffer\",\"data\":[");
            for (at, byte) in bytes.iter().enumerate() {
                if at > 0 {
                    out.push(',');
                }
                out.push_str(&byte.to_string());
            }
            out.push_str("]}");
        }
        Js::Uint8Array(bytes) => write_indexed(bytes.iter().map(|byte| f64::from(*byte)), out),
        Js::Float64Array(numbers) => write_indexed(numbers.iter().copied(), out),
        Js::Date(ms) => match date::iso(*ms) {
            Some(text) => write_string(&text.encode_utf16().collect::<Vec<_>>(), out),
            None => out.push_str("null"),
        },
        Js::Boxed(inner) => {
            if matches!(**inner, Js::Symbol) {
                out.push_str("{}");
            } else {
                return begin(inner, out, open);
            }
        }
        Js::ToJson(_) | Js::Socket(_) | Js::Rinfo(_) | Js::NetServer | Js::Datagram => {
            out.push_str("{}");
        }
        Js::Circular => return Err(JsError::type_error("Converting circular structure to JSON")),
        Js::Error(error) => {
            out.push('{');
            let mut first = true;
            for (name, field) in &error.fields {
                // `reason` and `library` are not enumerable own keys of every error, but never matter: such texts are not compared.
                let before = out.len();
                if !first {
                    out.push(',');
                }
                write_string(&name.encode_utf16().collect::<Vec<_>>(), out);
                out.push(':');
                if !matches!(field, Js::Array(_) | Js::Object(_)) && begin(field, out, open)? {
                    first = false;
                } else {
                    out.truncate(before);
                }
            }
            out.push('}');
        }
    }
    Ok(true)
}

fn write_number(number: f64, out: &mut String) {
    if number.is_finite() {
        out.push_str(&number_text(number));
    } else {
        out.push_str("null");
    }
}

fn write_indexed(numbers: impl Iterator<Item = f64>, out: &mut String) {
    out.push('{');
    for (at, number) in numbers.enumerate() {
        if at > 0 {
            out.push(',');
        }
        out.push_str(&format!("\"{at}\":"));
        write_number(number, out);
    }
    out.push('}');
}

/// A string in quotes; lone surrogates are written as `\udXXX`, so the text is always well-formed.
pub(super) fn write_string(units: &[u16], out: &mut String) {
    out.push('"');
    for unit in char::decode_utf16(units.iter().copied()) {
        match unit {
            Ok('"') => out.push_str("\\\""),
            Ok('\\') => out.push_str("\\\\"),
            Ok('\u{8}') => out.push_str("\\b"),
            Ok('\u{c}') => out.push_str("\\f"),
            Ok('\n') => out.push_str("\\n"),
            Ok('\r') => out.push_str("\\r"),
            Ok('\t') => out.push_str("\\t"),
            Ok(c) if c < ' ' => out.push_str(&format!("\\u{:04x}", u32::from(c))),
            Ok(c) => out.push(c),
            Err(lone) => out.push_str(&format!("\\u{:04x}", lone.unpaired_surrogate())),
        }
    }
    out.push('"');
}
