//! The tagged notation of the line protocol, written. Long and deep values are described by length and hash, so that a line
//! stays short and any JSON reader can take it. Reading it is `tagged`'s business.

use sha2::{Digest, Sha256};

use super::{Js, JsArray, JsObject, JsString, stringify};

/// Longer strings, in UTF-16 units, are described.
const LONG_TEXT: usize = 2_048;
/// Values nested deeper are described.
const DEEP: usize = 60;
/// Values nested deeper are described without their JSON text: V8's `JSON.stringify` runs out of stack at about this depth.
const TOO_DEEP: usize = 4_100;
/// Arrays and objects with more elements are described.
const BIG: usize = 3_000;
/// Longer buffers, in bytes, are described.
const LONG_BYTES: usize = 4_096;
/// Longer JSON texts, in UTF-16 units, are not shown beside the value.
const SHORT_JSON: usize = 4_096;

/// Numbers sockets and datagram senders by the order in which they first appear in a line.
#[derive(Debug, Default)]
pub struct Numbers {
    sockets: Vec<u64>,
    senders: Vec<(String, u16)>,
}

impl Numbers {
    /// The number of a connection, given on first sight.
    pub fn socket(&mut self, key: u64) -> usize {
        self.sockets.iter().position(|known| *known == key).unwrap_or_else(|| {
            self.sockets.push(key);
            self.sockets.len() - 1
        })
    }

    /// The number of a sender, given on first sight.
    pub fn sender(&mut self, address: &str, port: u16) -> usize {
        let known = self.senders.iter().position(|known| known.0 == address && known.1 == port);
        known.unwrap_or_else(|| {
            self.senders.push((address.to_owned(), port));
            self.senders.len() - 1
        })
    }

    /// The connection with this number.
    pub fn socket_key(&self, number: usize) -> Option<u64> {
        self.sockets.get(number).copied()
    }

    /// The address and port of the sender with this number.
    pub fn sender_address(&self, number: usize) -> Option<(&str, u16)> {
        self.senders.get(number).map(|(address, port)| (address.as_str(), *port))
    }
}

/// The tagged form of a value: plain data that [`stringify()`] turns into a line.
pub fn describe(value: &Js, numbers: &mut Numbers) -> Js {
    if !is_described_alone(value) && deeper_than(value, DEEP) {
        let mut entries = vec![("$t", Js::text("deep")), ("depth_along_first_keys", count(first_key_depth(value)))];
        if !deeper_than(value, TOO_DEEP) {
            if let Ok(Some(text)) = stringify(value) {
                entries.extend(json_facts(&text));
            }
        }
        return Js::object(entries);
    }
    shallow(value, numbers)
}

/// `JSON.stringify(value)` if it is at most 4096 UTF-16 units long.
pub fn short_json(value: &Js) -> Option<String> {
    let text = stringify(value).ok().flatten()?;
    (text.len() <= SHORT_JSON || utf16_length(&text) <= SHORT_JSON).then_some(text)
}

/// The tagged form of a string.
pub fn describe_text(text: &JsString) -> Js {
    if text.len() > LONG_TEXT {
        let utf8 = text.to_text();
        let units = text.units();
        return Js::object([
            ("$t", Js::text("longstring")),
            ("utf16_length", count(text.len())),
            ("utf8_length", count(utf8.len())),
            ("utf8_sha256", sha256(utf8.as_bytes())),
            ("head", describe_text(&JsString::from_units(&units[..32]))),
            ("tail", describe_text(&JsString::from_units(&units[units.len() - 32..]))),
        ]);
    }
    if text.is_well_formed() {
        return Js::String(text.clone());
    }
    let units: Vec<Js> = text.units().iter().map(|unit| Js::Number(f64::from(*unit))).collect();
    Js::object([("$t", Js::text("utf16")), ("units", units.into())])
}

/// The fields that show bytes: `hex`, or length, hash, head and tail above 4096 bytes.
pub fn describe_bytes(bytes: &[u8]) -> Vec<(&'static str, Js)> {
    if bytes.len() > LONG_BYTES {
        vec![
            ("length", count(bytes.len())),
            ("sha256", sha256(bytes)),
            ("head_hex", Js::text(&hex(&bytes[..48]))),
            ("tail_hex", Js::text(&hex(&bytes[bytes.len() - 48..]))),
        ]
    } else {
        vec![("hex", Js::text(&hex(bytes)))]
    }
}

fn count(number: usize) -> Js {
    Js::Number(number as f64)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn sha256(bytes: &[u8]) -> Js {
    Js::text(&hex(&Sha256::digest(bytes)))
}

fn utf16_length(text: &str) -> usize {
    text.chars().map(char::len_utf16).sum()
}

fn json_facts(text: &str) -> [(&'static str, Js); 2] {
    [("json_length", count(utf16_length(text))), ("json_sha256", sha256(text.as_bytes()))]
}

fn tag(name: &str) -> Js {
    Js::object([("$t", Js::text(name))])
}

/// Values whose form does not depend on how deep they are.
fn is_described_alone(value: &Js) -> bool {
    matches!(value, Js::Socket(_) | Js::NetServer | Js::Datagram | Js::Rinfo(_) | Js::Buffer(_) | Js::Error(_))
}

/// Whether containers nest more than `limit` levels; any object counts as one level.
fn deeper_than(value: &Js, limit: usize) -> bool {
    let mut level: Vec<&Js> = if value.is_object() { vec![value] } else { Vec::new() };
    let mut depth = 0;
    while !level.is_empty() {
        depth += 1;
        if depth > limit || level.iter().any(|value| matches!(value, Js::Circular)) {
            return true;
        }
        let mut next = Vec::new();
        for value in level {
            match value {
                Js::Array(items) => next.extend(items.iter().filter(|item| item.is_object())),
                Js::Object(object) => next.extend(object.iter().map(|(_, item)| item).filter(|item| item.is_object())),
                _ => {}
            }
        }
        level = next;
    }
    false
}

fn first_key_depth(value: &Js) -> usize {
    let mut depth = 0;
    let mut value = Some(value);
    while let Some(object) = value.filter(|value| value.is_object()) {
        depth += 1;
        value = match object {
            Js::Array(items) => items.iter().find(|item| !matches!(item, Js::Hole)),
            Js::Object(object) => object.entry(0).map(|(_, item)| item),
            _ => None,
        };
    }
    depth
}

/// The recursive part: it is only reached by values that nest at most 60 levels, or by errors, whose fields are flat.
fn shallow(value: &Js, numbers: &mut Numbers) -> Js {
    match value {
        Js::Undefined => tag("undefined"),
        Js::Hole => Js::Null,
        Js::Null => Js::Null,
        Js::Bool(value) => Js::Bool(*value),
        Js::Number(number) => describe_number(*number),
        Js::BigInt(digits) => Js::object([("$t", Js::text("bigint")), ("v", Js::text(digits))]),
        Js::String(text) => describe_text(text),
        Js::Function => tag("function"),
        Js::Symbol => tag("symbol"),
        Js::Array(items) => describe_array(items, numbers),
        Js::Object(object) => describe_object(value, object, numbers),
        Js::Buffer(bytes) => Js::object([("$t", Js::text("buffer"))].into_iter().chain(describe_bytes(bytes))),
        Js::Uint8Array(bytes) => indexed(value, bytes.iter().map(|byte| f64::from(*byte))),
        Js::Float64Array(items) => indexed(value, items.iter().copied()),
        Js::Boxed(inner) => match &**inner {
            Js::String(text) => {
                let units = text.units().chunks(1).enumerate();
                let entries = units.map(|(at, unit)| (at.to_string(), Js::String(JsString::from_units(unit))));
                let letters: JsObject = entries.collect();
                describe_object(value, &letters, numbers)
            }
            _ => Js::Object(JsObject::new()),
        },
        Js::ToJson(_) => Js::object([("hidden", Js::Number(1.0)), ("toJSON", tag("function"))]),
        Js::Date(_) => Js::Object(JsObject::new()),
        Js::Circular => tag("deep"),
        Js::Error(error) => {
            let mut object: JsObject = [
                ("$t", Js::text("error")),
                ("name", Js::String(error.name.clone())),
                ("message", describe_text(&error.message)),
            ]
            .into_iter()
            .collect();
            for name in ["code", "syscall", "errno", "address", "port", "reason", "library"] {
                let field = error.fields.iter().find(|field| field.0 == name && !field.1.is_undefined());
                if let Some((_, field)) = field {
                    object.set(name, describe(field, numbers));
                }
            }
            Js::Object(object)
        }
        Js::Socket(socket) => {
            let mut object: JsObject =
                [("$t", Js::text("socket")), ("n", count(numbers.socket(socket.key)))].into_iter().collect();
            if !socket.id.is_undefined() {
                object.set("id", describe(&socket.id, numbers));
            }
            Js::Object(object)
        }
        Js::Rinfo(rinfo) => {
            let mut object: JsObject = [
                ("$t", Js::text("rinfo")),
                ("address", Js::text(&rinfo.address)),
                ("port", Js::Number(f64::from(rinfo.port))),
            ]
            .into_iter()
            .collect();
            if let Some(family) = &rinfo.family {
                object.set("family", Js::text(family));
            }
            if let Some(size) = rinfo.size {
                object.set("size", count(size));
            }
            if !rinfo.id.is_undefined() {
                object.set("id", describe(&rinfo.id, numbers));
            }
            object.set("n", count(numbers.sender(&rinfo.address, rinfo.port)));
            Js::Object(object)
        }
        Js::NetServer => tag("netserver"),
        Js::Datagram => tag("dgram"),
    }
}

fn describe_number(number: f64) -> Js {
    let special = if number.is_finite() {
        (number == 0.0 && number.is_sign_negative()).then(|| "-0".to_owned())
    } else {
        Some(super::number_text(number))
    };
    match special {
        Some(text) => Js::object([("$t", Js::text("number")), ("v", Js::text(&text))]),
        None => Js::Number(number),
    }
}

fn describe_array(items: &JsArray, numbers: &mut Numbers) -> Js {
    if items.len() > BIG {
        return big("bigarray", "length", items.len(), &Js::Array(items.clone()));
    }
    items.iter().map(|item| shallow(item, numbers)).collect::<Vec<_>>().into()
}

fn big(name: &str, unit: &'static str, length: usize, value: &Js) -> Js {
    let mut entries = vec![("$t", Js::text(name)), (unit, count(length))];
    if let Ok(Some(text)) = stringify(value) {
        entries.extend(json_facts(&text));
    }
    Js::object(entries)
}

fn describe_object(value: &Js, object: &JsObject, numbers: &mut Numbers) -> Js {
    if object.len() > BIG {
        return big("bigobject", "keys", object.len(), value);
    }
    let plain = object.iter().all(|(key, _)| *key != "$t" && key.is_well_formed());
    if plain {
        let entries = object.iter().map(|(key, item)| (key.clone(), shallow(item, numbers)));
        return Js::Object(entries.collect());
    }
    let entries: Vec<Js> =
        object.iter().map(|(key, item)| vec![describe_text(key), shallow(item, numbers)].into()).collect();
    Js::object([("$t", Js::text("object")), ("entries", entries.into())])
}

fn indexed(value: &Js, items: impl ExactSizeIterator<Item = f64>) -> Js {
    if items.len() > BIG {
        return big("bigobject", "keys", items.len(), value);
    }
    let entries = items.enumerate().map(|(at, number)| (at.to_string(), describe_number(number)));
    Js::Object(entries.collect())
}
