//! A frame to an event, beside serde_json: what the one takes for JSON the other does, the same members count, and what is
//! taken comes out alike when it is sent on.
//!
//! serde_json decides what is JSON, by a walk that does not recurse and reads escapes without looking for surrogates.
//! Where it is silent, what counts is written out here a second time: UTF-8 that is none, lone surrogates, keys with
//! escapes, keys twice.
//!
//! Input: preset, delimiter, and the frame.

use crate::setup;
use ipc_proto::{Event, JsonKind, ProtocolError};
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;
use std::fmt;

/// Makes an input of a frame.
pub fn seed(preset: u8, delimiter: u8, frame: &[u8]) -> Vec<u8> {
    [&[preset, delimiter][..], frame].concat()
}

/// The members of an object, as texts.
struct Members<'a>(Vec<(&'a str, &'a str)>);

impl<'de: 'a, 'a> Deserialize<'de> for Members<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Walk;
        impl<'de> Visitor<'de> for Walk {
            type Value = Vec<(&'de str, &'de str)>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::new();
                while let Some((key, value)) = map.next_entry::<&RawValue, &RawValue>()? {
                    members.push((key.get(), value.get()));
                }
                Ok(members)
            }
        }
        deserializer.deserialize_map(Walk).map(Members)
    }
}

/// What the text of a JSON string stands for, lone surrogates as U+FFFD.
fn unquote(json: &str) -> String {
    let mut units = Vec::new();
    let mut rest = json[1..json.len() - 1].chars();
    while let Some(char) = rest.next() {
        if char != '\\' {
            units.extend(char.encode_utf16(&mut [0; 2]).iter());
            continue;
        }
        units.push(match rest.next() {
            Some('n') => 10,
            Some('r') => 13,
            Some('t') => 9,
            Some('b') => 8,
            Some('f') => 12,
            Some('u') => {
                let digits: String = rest.by_ref().take(4).collect();
                u16::from_str_radix(&digits, 16).expect("four digits")
            }
            Some(other) => other as u16,
            None => unreachable!("a valid string does not end in a backslash"),
        });
    }
    String::from_utf16_lossy(&units)
}

fn kind(json: &str) -> JsonKind {
    match json.as_bytes()[0] {
        b'{' => JsonKind::Object,
        b'[' => JsonKind::Array,
        b'"' => JsonKind::String,
        b't' | b'f' => JsonKind::Bool,
        b'n' => JsonKind::Null,
        _ => JsonKind::Number,
    }
}

/// Whether two JSON texts mean the same, as far as serde_json can tell.
fn alike(one: Option<&str>, other: Option<&str>) -> bool {
    let value = |text: &str| serde_json::from_str::<serde_json::Value>(text);
    match (one, other) {
        (Some(one), Some(other)) => match (value(one), value(other)) {
            (Ok(one), Ok(other)) => one == other,
            // Too deep, too large a number or a lone surrogate, for both.
            (Err(one), Err(other)) => one.classify() == other.classify(),
            _ => false,
        },
        (one, other) => one == other,
    }
}

/// Checks one input.
pub fn check(data: &[u8]) {
    let Some((&[preset, delimiter], frame)) = data.split_first_chunk::<2>() else { return };
    let config = setup::config(preset % (setup::PRESETS - 1)).delimiter(setup::delimiter(delimiter));
    let settings = setup::settings(config);
    let rules = settings.rules();
    let text = String::from_utf8_lossy(frame);
    let parsed = Event::parse(frame, rules);

    let Ok(value) = serde_json::from_str::<&RawValue>(&text) else {
        let error = parsed.expect_err("serde_json does not take it for JSON");
        assert!(matches!(error.error(), ProtocolError::InvalidJson { .. }), "{:?}", error.error());
        return;
    };
    let value = value.get();
    if kind(value) != JsonKind::Object {
        let error = parsed.expect_err("it is no object");
        assert_eq!(*error.error(), ProtocolError::InvalidMessage { found: kind(value) });
        return;
    }
    let Members(members) = serde_json::from_str(value).expect("an object");
    let last = |name: &str| members.iter().rev().find(|(key, _)| unquote(key) == name).map(|(_, value)| *value);
    let (kind_of_type, data) = (last("type").map(kind), last("data"));
    if kind_of_type != Some(JsonKind::String) {
        let error = parsed.expect_err("its type is no string");
        assert_eq!(*error.error(), ProtocolError::InvalidEvent { found: kind_of_type });
        return;
    }
    let name_json = last("type").expect("a string");
    let name = unquote(name_json);
    if let Err(refusal) = rules.check(&name) {
        let error = parsed.expect_err("the rules refuse its name");
        assert_eq!(*error.error(), ProtocolError::from(refusal));
        return;
    }
    let event = parsed.expect("an event");
    assert_eq!((event.name(), event.name_json()), (&*name, name_json));
    assert_eq!((event.data_json(), event.frame()), (data, &*text));

    let message = event.to_message();
    assert_eq!((message.name(), message.data_json(), message.frame()), (&*name, data, &*text));
    let id = data.filter(|data| kind(data) == JsonKind::Object).and_then(|data| {
        let Members(members) = serde_json::from_str(data).expect("an object");
        members.into_iter().rev().find(|(key, _)| unquote(key) == "id").map(|(_, id)| id)
    });
    let falsy =
        |id: &str| matches!(id, "null" | "false" | "\"\"") || id.parse::<f64>().is_ok_and(|number| number == 0.0);
    assert_eq!(event.sender_id(), id.filter(|id| !falsy(id)));

    // Sent on, it is one frame and means the same.
    let mut out = Vec::new();
    if settings.encoder().encode_event(&event, &mut out).is_ok() {
        let end = settings.delimiter().as_bytes();
        let sent = out.strip_suffix(end).expect("a delimiter at its end");
        assert_eq!(settings.delimiter().find(&out), Some(sent.len()), "one frame");
        let again = Event::parse(sent, rules).expect("an event again");
        assert_eq!(again.name(), event.name());
        assert!(alike(again.data_json(), event.data_json()), "{:?} {:?}", again.data_json(), event.data_json());
    } else {
        assert!(out.is_empty(), "nothing of what is refused is written");
    }
}
