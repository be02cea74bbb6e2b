//! The tagged notation of the line protocol, read: plain JSON, except that an object with a string under `$t` stands for a
//! value that JSON cannot hold. Writing it is `describe`'s business.

use std::sync::Arc;

use bytes::Bytes;

use super::{Js, JsArray, JsError, JsObject, JsString, date, to_number, to_text, truthy};

/// Tagged values are decoded to this depth; deep ones are written with the tag `nest`.
const NESTING: usize = 2_000;
/// V8's longest string, in UTF-16 units.
const MAX_STRING: usize = 0x1fff_ffe8;
/// The longest array that `holes` and `nest` may ask for.
const MAX_ITEMS: f64 = 50_000_000.0;

/// The value that a tagged one stands for.
///
/// # Errors
///
/// An `Error` for an unknown tag or a tag without what it needs; a `RangeError` for values beyond JavaScript's limits.
pub fn decode(value: &Js) -> Result<Js, JsError> {
    // Most values hold no tag at all and may be of any depth: they stand for themselves.
    if has_tag(value) { decode_within(value, NESTING) } else { Ok(value.clone()) }
}

fn has_tag(value: &Js) -> bool {
    let tag = JsString::from("$t");
    let mut pending = vec![value];
    while let Some(value) = pending.pop() {
        match value {
            Js::Array(items) => pending.extend(items.iter()),
            Js::Object(object) => {
                if matches!(object.get(&tag), Some(Js::String(_))) {
                    return true;
                }
                pending.extend(object.iter().map(|(_, value)| value));
            }
            _ => {}
        }
    }
    false
}

fn decode_within(value: &Js, nesting: usize) -> Result<Js, JsError> {
    let Some(nesting) = nesting.checked_sub(1) else {
        return Err(JsError::new("RangeError", "tagged values are nested too deep; use the tag nest"));
    };
    match value {
        Js::Array(items) => {
            let items: Result<Vec<Js>, JsError> = items.iter().map(|item| decode_within(item, nesting)).collect();
            Ok(items?.into())
        }
        Js::Object(object) => match object.get(&"$t".into()) {
            Some(Js::String(tag)) => decode_tag(&tag.to_text(), object, nesting),
            _ => {
                let mut decoded = JsObject::new();
                for (key, item) in object.iter() {
                    decoded.set(key.clone(), decode_within(item, nesting)?);
                }
                Ok(Js::Object(decoded))
            }
        },
        other => Ok(other.clone()),
    }
}

/// The fields of one tagged object.
struct Fields<'a> {
    tag: &'a str,
    object: &'a JsObject,
}

impl<'a> Fields<'a> {
    fn optional(&self, name: &str) -> Option<&'a Js> {
        self.object.get(&name.into())
    }

    fn bad(&self, name: &str) -> JsError {
        JsError::new("Error", format!("tag {}: bad or missing {name}", self.tag))
    }

    fn value(&self) -> &'a Js {
        self.optional("v").unwrap_or(&Js::Undefined)
    }

    fn list(&self, name: &str) -> Result<&'a JsArray, JsError> {
        self.optional(name).and_then(Js::as_array).ok_or_else(|| self.bad(name))
    }

    fn text(&self, name: &str) -> Result<&'a JsString, JsError> {
        self.optional(name).and_then(Js::as_string).ok_or_else(|| self.bad(name))
    }

    fn count(&self, name: &str, limit: f64) -> Result<usize, JsError> {
        match self.optional(name) {
            Some(Js::Number(number)) if *number >= 0.0 && *number <= limit => Ok(*number as usize),
            Some(Js::Number(number)) if *number > limit => {
                Err(JsError::new("RangeError", format!("tag {}: {name} is too large", self.tag)))
            }
            _ => Err(self.bad(name)),
        }
    }

    fn bytes(&self) -> Result<Bytes, JsError> {
        let text = self.text("hex")?.to_text();
        let nibble = |byte: u8| char::from(byte).to_digit(16).map(|digit| digit as u8);
        let pairs = text.as_bytes().chunks_exact(2);
        Ok(pairs.map_while(|pair| Some(nibble(pair[0])? << 4 | nibble(pair[1])?)).collect())
    }
}

fn decode_tag(tag: &str, object: &JsObject, nesting: usize) -> Result<Js, JsError> {
    let fields = Fields { tag, object };
    Ok(match tag {
        "undefined" => Js::Undefined,
        "number" => Js::Number(to_number(fields.value())?),
        "bigint" => Js::BigInt(to_text(fields.value())?.to_text()),
        "date" => match fields.value() {
            Js::Null => Js::Date(f64::NAN),
            Js::Number(ms) => Js::Date(date::time_clip(*ms)),
            _ => return Err(fields.bad("v")),
        },
        "utf16" => {
            let units: Result<Vec<u16>, JsError> = fields.list("units")?.iter().map(unit).collect();
            Js::String(JsString::from_units(units?))
        }
        "repeat" => Js::String(repeat(&fields)?),
        "buffer" => Js::Buffer(fields.bytes()?),
        "uint8array" => Js::Uint8Array(fields.bytes()?),
        "float64array" => {
            let numbers: Result<Vec<f64>, JsError> = fields.list("v")?.iter().map(to_number).collect();
            Js::Float64Array(Arc::from(numbers?))
        }
        "function" => Js::Function,
        "symbol" => Js::Symbol,
        // What matters of these is that they are objects without enumerable keys.
        "map" | "set" | "regexp" => Js::Object(JsObject::new()),
        "boxed" => match decode_within(fields.value(), nesting)? {
            Js::Undefined | Js::Null => Js::Object(JsObject::new()),
            Js::Function => Js::Function,
            object if object.is_object() => object,
            primitive => Js::Boxed(Box::new(primitive)),
        },
        "tojson" => Js::ToJson(vec![decode_within(fields.value(), nesting)?].into()),
        "holes" => holes(&fields, nesting)?,
        "circular" => Js::Circular,
        "error" => {
            let message = match fields.optional("message") {
                None | Some(Js::Undefined) => JsString::from(""),
                Some(message) => to_text(message)?,
            };
            JsError::new("Error", message).into()
        }
        "nest" => {
            let leaf = match fields.optional("leaf") {
                None => Js::Null,
                Some(leaf) => decode_within(leaf, nesting)?,
            };
            let array = fields.optional("kind").and_then(Js::as_string).is_some_and(|kind| *kind == "array");
            let mut value = leaf;
            for _ in 0..fields.count("n", MAX_ITEMS)? {
                value = if array { vec![value].into() } else { Js::object([("n", value)]) };
            }
            value
        }
        "object" => {
            let mut decoded = JsObject::new();
            for entry in fields.list("entries")?.iter() {
                let Some([key, item]) = entry.as_array().map(|pair| &pair[..]) else {
                    return Err(fields.bad("entries"));
                };
                decoded.set(to_text(&decode_within(key, nesting)?)?, decode_within(item, nesting)?);
            }
            Js::Object(decoded)
        }
        _ => return Err(JsError::new("Error", format!("unknown tag {tag}"))),
    })
}

fn unit(value: &Js) -> Result<u16, JsError> {
    let number = to_number(value)?;
    Ok(if number.is_finite() { number.trunc().rem_euclid(65_536.0) as u16 } else { 0 })
}

fn repeat(fields: &Fields<'_>) -> Result<JsString, JsError> {
    let part = |name: &str| match fields.optional(name) {
        Some(text) if truthy(text) => to_text(text),
        _ => Ok(JsString::from("")),
    };
    let (prefix, suffix, text) = (part("prefix")?, part("suffix")?, fields.text("s")?);
    let times = fields.count("n", MAX_STRING as f64)?;
    let length = text.len().saturating_mul(times).saturating_add(prefix.len() + suffix.len());
    if length > MAX_STRING {
        return Err(JsError::new("RangeError", "Invalid string length"));
    }
    let mut units = Vec::with_capacity(length);
    units.extend_from_slice(prefix.units());
    for _ in 0..times {
        units.extend_from_slice(text.units());
    }
    units.extend_from_slice(suffix.units());
    Ok(JsString::from_units(units))
}

fn holes(fields: &Fields<'_>, nesting: usize) -> Result<Js, JsError> {
    let mut items = vec![Js::Hole; fields.count("length", MAX_ITEMS)?];
    for entry in fields.list("items")?.iter() {
        let Some([Js::Number(index), item]) = entry.as_array().map(|pair| &pair[..]) else {
            return Err(fields.bad("items"));
        };
        let index = if (0.0..MAX_ITEMS).contains(index) {
            *index as usize
        } else {
            return Err(fields.bad("items"));
        };
        if index >= items.len() {
            items.resize(index + 1, Js::Hole);
        }
        items[index] = decode_within(item, nesting)?;
    }
    Ok(items.into())
}
