//! The conversions that JavaScript does by itself: truthiness, `Number(value)` and `String(value)`.

use super::number::text_number;
use super::{Js, JsError, JsString, date, number_text};

/// Arrays nested deeper than this cannot be converted to text; JavaScript itself runs out of stack there.
const NESTING: usize = 1_000;

/// Whether `if (value)` takes the branch.
pub fn truthy(value: &Js) -> bool {
    match value {
        Js::Undefined | Js::Hole | Js::Null => false,
        Js::Bool(value) => *value,
        Js::Number(number) => *number != 0.0 && !number.is_nan(),
        Js::BigInt(digits) => digits.bytes().any(|digit| (b'1'..=b'9').contains(&digit)),
        Js::String(text) => !text.is_empty(),
        _ => true,
    }
}

/// `Number(value)`; a `BigInt` is converted, too.
///
/// # Errors
///
/// A `TypeError` for symbols, and for objects whose conversion methods are hidden by other values.
pub fn to_number(value: &Js) -> Result<f64, JsError> {
    Ok(match value {
        Js::Undefined | Js::Hole | Js::Function | Js::Error(_) => f64::NAN,
        Js::Null => 0.0,
        Js::Bool(value) => f64::from(u8::from(*value)),
        Js::Number(number) | Js::Date(number) => *number,
        Js::BigInt(digits) => digits.parse().unwrap_or(f64::NAN),
        Js::String(text) => text_number(text),
        Js::Symbol => {
            return Err(JsError::type_error("Cannot convert a Symbol value to a number"));
        }
        Js::Boxed(inner) => return to_number(inner),
        other => text_number(&to_text(other)?),
    })
}

/// `String(value)`.
///
/// # Errors
///
/// A `TypeError` for symbols, and for objects whose conversion methods are hidden by other values; a `RangeError` for arrays
/// nested beyond any use.
pub fn to_text(value: &Js) -> Result<JsString, JsError> {
    let mut out = Vec::new();
    write_text(value, &mut out, NESTING)?;
    Ok(JsString::from_units(out))
}

fn write_text(value: &Js, out: &mut Vec<u16>, nesting: usize) -> Result<(), JsError> {
    let mut put = |text: &str| out.extend(text.encode_utf16());
    match value {
        Js::Undefined | Js::Hole => put("undefined"),
        Js::Null => put("null"),
        Js::Bool(value) => put(if *value { "true" } else { "false" }),
        Js::Number(number) => put(&number_text(*number)),
        Js::BigInt(digits) => put(digits),
        Js::String(text) => out.extend_from_slice(text.units()),
        Js::Symbol => {
            return Err(JsError::type_error("Cannot convert a Symbol value to a string"));
        }
        Js::Function => put("function f() {}"),
        Js::Array(items) => {
            if nesting == 0 {
                return Err(JsError::new("RangeError", "Maximum call stack size exceeded"));
            }
            for (at, item) in items.iter().enumerate() {
                if at > 0 {
                    out.push(u16::from(b','));
                }
                if !matches!(item, Js::Undefined | Js::Hole | Js::Null) {
                    write_text(item, out, nesting - 1)?;
                }
            }
        }
        Js::Object(object) => {
            match object.get(&"toString".into()) {
                None => put("[object Object]"),
                // Every function here is an empty one.
                Some(Js::Function) => put("undefined"),
                // A key of that name hides the inherited method, and data cannot be called.
                Some(_) => {
                    return Err(JsError::type_error("Cannot convert object to primitive value"));
                }
            }
        }
        Js::Buffer(bytes) => put(&String::from_utf8_lossy(bytes)),
        Js::Uint8Array(bytes) => put(&bytes.iter().map(u8::to_string).collect::<Vec<_>>().join(",")),
        Js::Float64Array(numbers) => {
            put(&numbers.iter().map(|number| number_text(*number)).collect::<Vec<_>>().join(","));
        }
        Js::Date(ms) => put(&date::long(*ms)),
        Js::Boxed(inner) => write_text(inner, out, nesting)?,
        Js::Error(error) => {
            put(&error.name.to_text());
            if !error.message.is_empty() {
                put(": ");
                put(&error.message.to_text());
            }
        }
        Js::ToJson(_) | Js::Circular | Js::Socket(_) | Js::Rinfo(_) | Js::NetServer | Js::Datagram => {
            put("[object Object]");
        }
    }
    Ok(())
}
