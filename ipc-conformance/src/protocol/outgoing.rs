//! What an emit of node-ipc sends for a value, where its versions differ from plain `JSON.stringify`. Framing and limits are the encoder's business.

use super::Family;
use super::config::unknown_encoding;
use crate::js::{Js, JsError, buffer_from, stringify, truthy};

/// The two members of a message as JSON texts; an absent one has no JSON form (`undefined`, functions, symbols).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Envelope {
    /// The member `type`.
    pub event: Option<String>,
    /// The member `data`.
    pub data: Option<String>,
}

/// What `emit(event, data)` sends as a message; absent data is `undefined`.
///
/// # Errors
///
/// The `TypeError` that the caller of `emit` gets for a `BigInt` or a cycle.
pub fn envelope(family: Family, event: &Js, data: &Js) -> Result<Envelope, JsError> {
    let empty = match family {
        Family::V14 => data.is_undefined(),
        // 9.2.1 and 12.0.0: everything without truth but `false` and zero, and whatever looks like an event emitter.
        Family::V9 => {
            let kept =
                truthy(data) || matches!(data, Js::Bool(_)) || matches!(data, Js::Number(number) if *number == 0.0);
            !kept || data.get("_maxListeners").is_some_and(truthy)
        }
    };
    let event = stringify(event)?;
    let data = if empty { Some("{}".to_owned()) } else { stringify(data)? };
    Ok(Envelope { event, data })
}

/// What a raw emit sends: the first argument as bytes, text in the encoding that the configuration names.
///
/// # Errors
///
/// The `TypeError` of `Buffer.from`, with its code.
pub fn raw_bytes(event: &Js, encoding: &Js) -> Result<Vec<u8>, JsError> {
    buffer_from(event, &|units| {
        let name = match encoding {
            Js::String(name) if !name.is_empty() => name.to_text(),
            _ => "utf8".to_owned(),
        };
        let known: ipc_proto::Encoding = name.parse().map_err(|_| unknown_encoding(&name))?;
        Ok(known.encode_utf16(units))
    })
}
