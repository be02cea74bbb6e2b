//! Any event, in any way it can be emitted, arrives as it was at a peer with the same configuration; or it is refused, and
//! then nothing of it is left in the queue.
//!
//! Input: what `arbitrary` makes a [`Case`] of.

use crate::setup;
use arbitrary::{Arbitrary, Unstructured};
use ipc_proto::bytes::Buf;
use ipc_proto::{Config, Connection, EmitError, Frame, Message, Outbound, Received, Settings, Transmit};
use serde_json::{Map, Value};
use std::time::Instant;

#[derive(Debug, Arbitrary)]
struct Case {
    preset: u8,
    delimiter: Delimiter,
    limit: u16,
    way: u8,
    name: String,
    data: Tree,
    /// For the ways that take JSON texts.
    texts: (Option<String>, Option<String>),
}

#[derive(Debug, Arbitrary)]
enum Delimiter {
    Known(u8),
    Any(String),
}

#[derive(Debug, Arbitrary)]
enum Tree {
    Null,
    Bool(bool),
    Signed(i64),
    Unsigned(u64),
    Float(f64),
    Text(String),
    List(Vec<Tree>),
    Map(Vec<(String, Tree)>),
}

impl Tree {
    fn value(self) -> Value {
        match self {
            Self::Null => Value::Null,
            Self::Bool(flag) => flag.into(),
            Self::Signed(number) => number.into(),
            Self::Unsigned(number) => number.into(),
            Self::Float(number) => number.into(),
            Self::Text(text) => text.into(),
            Self::List(items) => items.into_iter().map(Self::value).collect::<Vec<_>>().into(),
            Self::Map(members) => {
                members.into_iter().map(|(key, value)| (key, value.value())).collect::<Map<_, _>>().into()
            }
        }
    }
}

/// How deep serde_json reads.
const DEEPEST: usize = 120;

fn depth(value: &Value) -> usize {
    match value {
        Value::Array(items) => 1 + items.iter().map(depth).max().unwrap_or(0),
        Value::Object(members) => 1 + members.values().map(depth).max().unwrap_or(0),
        _ => 0,
    }
}

fn emit(queue: &mut Outbound, settings: &Settings, case: &Case, data: &Value) -> Result<Expected, EmitError> {
    let name = &*case.name;
    let given = Expected { name: Some(name.to_owned()), data: Some(data.clone()) };
    let text = serde_json::to_string(data).expect("JSON");
    match case.way % 6 {
        0 => queue.emit(name, data)?,
        1 => queue.emit_json(name, Some(&text))?,
        2 => queue.emit_frame(&Frame::new(settings, name, data)?)?,
        3 => queue.emit_message(&Message::new(name, data).map_err(EmitError::Encode)?)?,
        4 => {
            queue.emit_json(name, None)?;
            return Ok(Expected { data: None, ..given });
        }
        _ => {
            let (type_json, data_json) = &case.texts;
            queue.emit_envelope(type_json.as_deref(), data_json.as_deref())?;
            let name = type_json.as_deref().and_then(|text| serde_json::from_str(text).ok());
            let data = data_json.as_deref().and_then(|text| serde_json::from_str(text).ok());
            return Ok(Expected { name, data });
        }
    }
    Ok(given)
}

/// What should arrive, as far as serde_json can say it.
struct Expected {
    name: Option<String>,
    data: Option<Value>,
}

/// Checks one input.
pub fn check(data: &[u8]) {
    let Ok(mut case) = Case::arbitrary(&mut Unstructured::new(data)) else { return };
    let data = std::mem::replace(&mut case.data, Tree::Null).value();
    if depth(&data) > DEEPEST {
        return;
    }
    let delimiter = match &case.delimiter {
        Delimiter::Known(which) => setup::delimiter(*which),
        Delimiter::Any(text) => text,
    };
    let preset = setup::config(case.preset % (setup::PRESETS - 1));
    let limit = if case.limit == 0 { preset.max_message_size } else { case.limit.into() };
    let Some(settings) = setup::build(Config::delimiter(preset, delimiter).max_message_size(limit)) else { return };
    let Connection { mut outbound, mut inbound, .. } = Connection::new(&settings);

    let mut transmit = Transmit::new();
    let expected = match emit(&mut outbound, &settings, &case, &data) {
        Ok(expected) => expected,
        Err(error) => {
            assert!(!error.to_string().is_empty());
            assert_eq!(outbound.pending(), 0, "nothing of what is refused is queued");
            assert!(!outbound.poll_transmit(&mut transmit));
            return;
        }
    };
    assert!(outbound.poll_transmit(&mut transmit));
    let wire = transmit.copy_to_bytes(transmit.remaining());
    assert!(!outbound.poll_transmit(&mut transmit) && outbound.pending() == 0);
    let end = settings.delimiter().as_bytes();
    assert_eq!(settings.delimiter().find(&wire), Some(wire.len() - end.len()), "one frame");
    assert!(wire.len() - end.len() <= settings.max_message_size());

    let now = Instant::now();
    let mut input = &*wire;
    match inbound.poll_event(now, &mut input) {
        Some(Received::Event(event)) => {
            if let Some(name) = &expected.name {
                assert_eq!(event.name(), name);
            }
            match (event.data_json(), &expected.data) {
                (Some(_), Some(data)) => assert_eq!(event.data::<Value>().expect("a value"), *data),
                (None, data) => assert!(data.is_none()),
                // What serde_json does not read: too deep, a number too large.
                (Some(_), None) => assert!(case.way % 6 == 5),
            }
        }
        // What was given as the text of a type may be no string: whoever sends such a thing is told by whoever receives it.
        Some(Received::Malformed(report) | Received::Failed(report)) => {
            assert!(case.way % 6 == 5 && expected.name.is_none(), "{report:?}");
        }
        other => panic!("{other:?}"),
    }
    assert_eq!((input.len(), inbound.unfinished()), (0, 0));
}
