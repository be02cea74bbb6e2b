//! Reads the recorded files: vectors, bytes, and JavaScript values with their `$t` tags.

use std::path::Path;

use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

/// The vectors of a theme.
pub(crate) fn vectors(theme: &str) -> Vec<Value> {
    let file = format!("{}/../ipc-conformance/vectors/{theme}.json", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(Path::new(&file)).unwrap_or_else(|error| panic!("{file}: {error}"));
    let mut theme: Value = serde_json::from_str(&text).expect("a theme is JSON");
    let vectors = theme["vectors"].take();
    let Value::Array(vectors) = vectors else { panic!("{file}: no vectors") };
    assert_eq!(theme["count"], vectors.len());
    vectors
}

/// Vectors that ask the same question, whichever version answered.
pub(crate) fn by_question(vectors: Vec<Value>, same: &[&str]) -> Vec<Vec<Value>> {
    let mut groups: Vec<(String, Vec<Value>)> = Vec::new();
    for vector in vectors {
        let question: String = same.iter().map(|key| vector.pointer(key).unwrap_or(&Value::Null).to_string()).collect();
        match groups.iter_mut().find(|(asked, _)| *asked == question) {
            Some((_, group)) => group.push(vector),
            None => groups.push((question, vec![vector])),
        }
    }
    groups.into_iter().map(|(_, group)| group).collect()
}

pub(crate) fn version(vector: &Value) -> &str {
    vector["node_ipc"].as_str().expect("a version")
}

/// `{"hex":…}` or `{"parts":[{"hex":…,"times":…},…]}`.
pub(crate) fn bytes(value: &Value) -> Vec<u8> {
    let Some(parts) = value["parts"].as_array() else {
        return hex(value["hex"].as_str().expect("hex"));
    };
    let part = |part: &Value| bytes(part).repeat(part["times"].as_u64().unwrap_or(1) as usize);
    let bytes: Vec<u8> = parts.iter().flat_map(part).collect();
    assert_eq!(value["total_length"], bytes.len());
    bytes
}

/// Whether `bytes` are the recorded ones, of which long ones are kept as length and checksum only.
pub(crate) fn are_bytes(value: &Value, bytes: &[u8]) -> bool {
    match value["hex"].as_str() {
        Some(text) => hex(text) == bytes,
        None => value["length"] == bytes.len() && value["sha256"] == sha256(bytes),
    }
}

fn hex(text: &str) -> Vec<u8> {
    let digit = |byte: u8| char::from(byte).to_digit(16).expect("a hexadecimal digit") as u8;
    text.as_bytes().chunks(2).map(|pair| digit(pair[0]) << 4 | digit(pair[1])).collect()
}

fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn tag(value: &Value) -> Option<&str> {
    value.get("$t")?.as_str()
}

fn units(value: &Value) -> Vec<u16> {
    let units = value["units"].as_array().expect("units");
    units.iter().map(|unit| unit.as_u64().expect("a unit") as u16).collect()
}

/// A JavaScript string as UTF-16, if the value is one.
pub(crate) fn string(value: &Value) -> Option<Vec<u16>> {
    if tag(value) == Some("utf16") {
        return Some(units(value));
    }
    Some(expressible(value)?.as_str()?.encode_utf16().collect())
}

/// The value as a Rust program would give it to serde; `None` for what only JavaScript has.
pub(crate) fn expressible(value: &Value) -> Option<Value> {
    match (tag(value), value) {
        (None, Value::Array(items)) => items.iter().map(expressible).collect::<Option<Vec<_>>>().map(Value::from),
        (None, Value::Object(members)) => {
            let member = |(key, value): (&String, &Value)| Some((key.clone(), expressible(value)?));
            members.iter().map(member).collect::<Option<Map<_, _>>>().map(Value::from)
        }
        (None, plain) => Some(plain.clone()),
        (Some("object"), _) => {
            let entries = value["entries"].as_array().expect("entries");
            let member = |entry: &Value| Some((entry[0].as_str()?.to_owned(), expressible(&entry[1])?));
            entries.iter().map(member).collect::<Option<Map<_, _>>>().map(Value::from)
        }
        (Some("number"), _) => Some(match value["v"].as_str() {
            Some("-0") => Value::from(-0.0),
            // What serde_json makes of f64::NAN and f64::INFINITY.
            _ => Value::Null,
        }),
        (Some("repeat"), _) => {
            let text = |key: &str| value[key].as_str().unwrap_or_default();
            let repeated = text("s").repeat(value["n"].as_u64().expect("a number of times") as usize);
            Some([text("prefix"), &repeated, text("suffix")].concat().into())
        }
        (Some("nest"), _) => {
            let nest = |inner: Value| match value["kind"].as_str() {
                Some("array") => Value::from(vec![inner]),
                other => panic!("a nest of {other:?}"),
            };
            Some((0..value["n"].as_u64().expect("a depth")).fold(value["leaf"].clone(), |inner, _| nest(inner)))
        }
        (Some(_), _) => None,
    }
}

/// Whether two JSON values are the same to JavaScript: numbers are doubles.
pub(crate) fn same(ours: &Value, theirs: &Value) -> bool {
    match (ours, theirs) {
        (Value::Number(ours), Value::Number(theirs)) => ours.as_f64() == theirs.as_f64(),
        (Value::Array(ours), Value::Array(theirs)) => {
            ours.len() == theirs.len() && ours.iter().zip(theirs).all(|(ours, theirs)| same(ours, theirs))
        }
        (Value::Object(ours), Value::Object(theirs)) => {
            ours.len() == theirs.len()
                && ours.iter().all(|(key, ours)| theirs.get(key).is_some_and(|theirs| same(ours, theirs)))
        }
        _ => ours == theirs,
    }
}

/// Whether JSON text, or its absence, is what a handler was seen to get.
pub(crate) fn is_data(json: Option<&str>, seen: &Value) -> bool {
    let Some(json) = json else {
        return tag(seen) == Some("undefined");
    };
    let parsed = || serde_json::from_str::<Value>(json).expect("JSON");
    match tag(seen) {
        None => same(&parsed(), seen),
        Some("number") => match seen["v"].as_str() {
            Some("-0") => json.parse::<f64>().is_ok_and(|number| number == 0.0 && number.is_sign_negative()),
            Some("Infinity") => json.parse() == Ok(f64::INFINITY),
            other => panic!("a number {other:?}"),
        },
        // Rust strings have no lone surrogates: U+FFFD stands for each.
        Some("utf16") => {
            let frame = format!(r#"{{"type":"","data":{json}}}"#);
            let event = ipc_proto::Event::parse(frame.as_bytes(), &ipc_proto::Rules::default()).expect("an event");
            event.data::<String>().expect("a string") == String::from_utf16_lossy(&units(seen))
        }
        Some("longstring") => parsed().as_str().is_some_and(|text| seen["utf8_sha256"] == sha256(text.as_bytes())),
        // Of the deepest only the depth is kept.
        Some("deep") if seen.get("json_length").is_none() => {
            seen["depth_along_first_keys"] == json.bytes().take_while(|&byte| byte == b'[').count()
        }
        Some("deep" | "bigarray") => {
            seen["json_length"] == json.len() && seen["json_sha256"] == sha256(json.as_bytes())
        }
        Some(other) => panic!("no comparison for {other}"),
    }
}
