//! `Buffer.from(value, encoding)`: what a raw emit puts on the wire. The text encodings themselves are the caller's.

use super::{Js, JsError, JsObject, date, to_number};

/// Longer array-likes are refused, as Node refuses buffers it cannot allocate.
const MAX_LENGTH: f64 = (1u64 << 32) as f64;

/// What turns the UTF-16 units of a text into bytes, or throws as Node does for an unknown encoding.
pub type TextEncoder<'a> = dyn Fn(&[u16]) -> Result<Vec<u8>, JsError> + 'a;

/// The bytes that `Buffer.from(value, encoding)` makes. `encode` turns the UTF-16 units of a text into bytes.
///
/// # Errors
///
/// A `TypeError` with the code `ERR_INVALID_ARG_TYPE` for values that are neither text nor bytes nor array-like; errors of
/// converting single elements; whatever `encode` refuses.
pub fn buffer_from(value: &Js, encode: &TextEncoder<'_>) -> Result<Vec<u8>, JsError> {
    match value {
        Js::String(text) => encode(text.units()),
        Js::Buffer(bytes) | Js::Uint8Array(bytes) => Ok(bytes.to_vec()),
        Js::Float64Array(numbers) => Ok(numbers.iter().map(|number| to_byte(*number)).collect()),
        Js::Array(items) => items.iter().map(element).collect(),
        Js::Boxed(inner) if matches!(**inner, Js::String(_)) => buffer_from(inner, encode),
        Js::Date(ms) => encode(&date::long(*ms).encode_utf16().collect::<Vec<_>>()),
        Js::Object(object) => from_object(object, encode),
        _ => Err(wrong_type()),
    }
}

fn wrong_type() -> JsError {
    JsError::with_code(
        "TypeError",
        "ERR_INVALID_ARG_TYPE",
        "The first argument must be of type string or an instance of Buffer, ArrayBuffer, or Array or an Array-like Object.",
    )
}

fn from_object(object: &JsObject, encode: &TextEncoder<'_>) -> Result<Vec<u8>, JsError> {
    // Node asks `valueOf` first; as a data key it hides the method.
    match object.get(&"valueOf".into()) {
        Some(Js::String(text)) if text.is_empty() => return encode(&[]),
        Some(hidden) if super::truthy(hidden) => {
            return Err(JsError::type_error("value.valueOf is not a function"));
        }
        _ => {}
    }
    match object.get(&"length".into()) {
        None | Some(Js::Undefined) => {}
        Some(Js::Number(length)) => return array_like(object, *length),
        Some(_) => return Ok(Vec::new()),
    }
    match (object.get(&"type".into()), object.get(&"data".into())) {
        (Some(Js::String(name)), Some(Js::Array(items))) if *name == "Buffer" => items.iter().map(element).collect(),
        _ => Err(wrong_type()),
    }
}

fn array_like(object: &JsObject, length: f64) -> Result<Vec<u8>, JsError> {
    if length > MAX_LENGTH {
        return Err(JsError::new("RangeError", format!("Invalid typed array length: {length}")));
    }
    let length = if length > 0.0 { length as u64 } else { 0 };
    let mut bytes = vec![0; usize::try_from(length).unwrap_or(0)];
    for (key, item) in object.iter() {
        let Some(index) = key.array_index() else {
            break;
        };
        let Some(slot) = bytes.get_mut(index as usize) else {
            break;
        };
        *slot = element(item)?;
    }
    Ok(bytes)
}

fn element(value: &Js) -> Result<u8, JsError> {
    let primitive = if let Js::Boxed(inner) = value { inner } else { value };
    if matches!(primitive, Js::BigInt(_)) {
        return Err(JsError::type_error("Cannot convert a BigInt value to a number"));
    }
    to_number(value).map(to_byte)
}

/// JavaScript's `ToUint8`: the integer part modulo 256.
fn to_byte(number: f64) -> u8 {
    if number.is_finite() { number.trunc().rem_euclid(256.0) as u8 } else { 0 }
}
