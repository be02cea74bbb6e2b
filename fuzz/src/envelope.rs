//! `envelope`: any bytes as a frame, judged by [`Event::parse`] and by `serde_json`.
//!
//! `serde_json` checks the text (skipping a value has no limit of depth, and takes lone surrogates and numbers of any size), and
//! gives members as raw text, of which this file makes what the documentation of [`Event`] says: the last key of a name counts,
//! a lone surrogate is U+FFFD, invalid UTF-8 is replaced first, and a byte order mark is no JSON. Every verdict is compared, its
//! error too, then the parts, the sender's id, and the payload as a value; where `serde_json` refuses a payload that is valid the
//! reason is one of three: too deep, a lone surrogate, a number beyond every double. What is accepted is encoded again, sent
//! and received.

use ipc_proto::{
    Code, Decoder, Delimiter, EncodeError, Encoder, Event, Inbound, JsonKind, Malformed, Message, ProtocolError,
    Received, Settings,
};
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::Value;
use serde_json::value::RawValue;

use crate::canonical::{canonical, depth, has_huge_number, has_lone_surrogate};
use crate::input::{Input, settings, start};
use crate::names::refused;

/// Runs one input.
pub fn run(data: &[u8]) {
    let mut input = Input::new(data);
    let config = input.config().raw_buffer(false);
    let settings = settings(config);
    let frame = input.rest();
    let text = String::from_utf8_lossy(frame).into_owned();
    let verdict = Event::parse(frame, settings.rules());
    match (expected(&settings, &text), verdict) {
        (Ok(parts), Ok(event)) => {
            assert_eq!(event.frame(), text);
            compare(&parts, &event);
            payload(&event);
            round_trip(&settings, &event);
        }
        (Err(error), Err(report)) => compare_errors(&error, &report, &text),
        (expected, verdict) => panic!("expected {expected:?}, found {verdict:?}"),
    }
}

/// The parts of an event by serde_json.
#[derive(Debug)]
struct Parts {
    name: String,
    name_json: Box<str>,
    data_json: Option<Box<str>>,
}

/// Why a frame is no event; where two are wrong, this is the first that may be told.
#[derive(Debug)]
enum Wrong {
    Json,
    Message(JsonKind),
    Event(Option<JsonKind>),
    Name(Code),
}

fn expected(settings: &Settings, text: &str) -> Result<Parts, Wrong> {
    // (`from_str` would refuse nothing more, but for a byte order mark in later versions it may refuse less.)
    let whole: &RawValue = serde_json::from_str(text).map_err(|_| Wrong::Json)?;
    let kind = kind_of(whole.get());
    if kind != JsonKind::Object {
        return Err(Wrong::Message(kind));
    }
    let (mut name_json, mut data_json) = (None, None);
    for (key, value) in members(whole.get()) {
        match &key[..] {
            "type" => name_json = Some(value),
            "data" => data_json = Some(value),
            _ => {}
        }
    }
    let name_json = name_json.ok_or(Wrong::Event(None))?;
    let kind = kind_of(&name_json);
    if kind != JsonKind::String {
        return Err(Wrong::Event(Some(kind)));
    }
    let name = string(&name_json);
    match refused(settings.config(), &name) {
        Some(code) => Err(Wrong::Name(code)),
        None => Ok(Parts { name, name_json, data_json }),
    }
}

fn kind_of(json: &str) -> JsonKind {
    match json.as_bytes()[0] {
        b'{' => JsonKind::Object,
        b'[' => JsonKind::Array,
        b'"' => JsonKind::String,
        b't' | b'f' => JsonKind::Bool,
        b'n' => JsonKind::Null,
        _ => JsonKind::Number,
    }
}

/// Keys as text and values as they are written.
fn members(object: &str) -> Vec<(String, Box<str>)> {
    struct Members;

    impl<'de> Visitor<'de> for Members {
        type Value = Vec<(String, Box<str>)>;

        fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("an object")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
            let mut members = Vec::new();
            while let Some(Key(key)) = map.next_key()? {
                let value: Box<RawValue> = map.next_value()?;
                members.push((key, value.get().into()));
            }
            Ok(members)
        }
    }

    let mut reader = serde_json::Deserializer::from_str(object);
    reader.deserialize_map(Members).expect("an object that serde_json took is one when it looks again")
}

/// A string that may have lone surrogates, which serde_json gives to those who ask for bytes.
struct Key(String);

impl<'de> serde::Deserialize<'de> for Key {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Bytes;

        impl Visitor<'_> for Bytes {
            type Value = Key;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a string")
            }

            fn visit_bytes<E>(self, bytes: &[u8]) -> Result<Key, E> {
                Ok(Key(without_surrogates(bytes)))
            }

            fn visit_str<E>(self, text: &str) -> Result<Key, E> {
                Ok(Key(text.to_owned()))
            }
        }

        deserializer.deserialize_bytes(Bytes)
    }
}

/// UTF-8 in which surrogates may stand by themselves (WTF-8), each of three bytes, as text with U+FFFD for each.
fn without_surrogates(bytes: &[u8]) -> String {
    let mut text = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        if bytes[at] == 0xED && bytes.get(at + 1).is_some_and(|&second| second >= 0xA0) {
            text.extend_from_slice("\u{FFFD}".as_bytes());
            at += 3;
        } else {
            text.push(bytes[at]);
            at += 1;
        }
    }
    String::from_utf8(text).expect("everything else is UTF-8")
}

fn string(json: &str) -> String {
    let Key(text) = serde_json::from_str(json).expect("a string");
    text
}

fn compare_errors(expected: &Wrong, report: &Malformed<'_>, text: &str) {
    assert_eq!(report.frame(), text);
    let error = report.error();
    match (expected, error) {
        (Wrong::Json, ProtocolError::InvalidJson { offset, .. }) => {
            assert!(*offset <= text.len(), "{error}");
            if let Some(before) = text.get(..*offset) {
                assert!(is_beginning(before), "all is well before the offset: {error}");
            }
        }
        (Wrong::Message(expected), ProtocolError::InvalidMessage { found }) => assert_eq!(found, expected),
        (Wrong::Event(expected), ProtocolError::InvalidEvent { found }) => assert_eq!(found, expected),
        (Wrong::Name(code), error) => assert_eq!(error.code(), *code, "{error}"),
        (expected, error) => panic!("expected {expected:?}, found {error:?}"),
    }
    assert!(!error.to_string().contains(char::is_control), "no peer writes lines of a log");
}

/// Whether serde_json finds nothing wrong with a text but that it ends, or ends within a token.
fn is_beginning(text: &str) -> bool {
    match serde_json::from_str::<serde::de::IgnoredAny>(text) {
        Ok(_) => true,
        Err(error) if error.is_eof() => true,
        // The end of a word or a number that is cut short is told as a wrong character at the end.
        Err(error) => error.column() >= text.len().saturating_sub(text.rfind('\n').map_or(0, |at| at + 1)),
    }
}

fn compare(parts: &Parts, event: &Event<'_>) {
    assert_eq!(event.name(), parts.name);
    assert_eq!(event.name_json(), &*parts.name_json);
    assert_eq!(event.data_json(), parts.data_json.as_deref());
    assert_eq!(event.sender_id(), parts.data_json.as_deref().and_then(sender_id).as_deref());
    let message = event.to_message();
    assert_eq!(message, event.clone().into_message());
    assert_eq!((message.name(), message.name_json()), (event.name(), event.name_json()));
    assert_eq!((message.data_json(), message.frame()), (event.data_json(), event.frame()));
    assert_eq!(message.sender_id(), event.sender_id());
}

/// The last `id` of a payload that is an object, if JavaScript takes it for true.
fn sender_id(data_json: &str) -> Option<String> {
    if kind_of(data_json) != JsonKind::Object {
        return None;
    }
    let (_, id) = members(data_json).into_iter().rfind(|(key, _)| key == "id")?;
    let truthy = match kind_of(&id) {
        JsonKind::Null => false,
        JsonKind::Bool => &*id == "true",
        JsonKind::String => !string(&id).is_empty(),
        JsonKind::Number => id.parse::<f64>().expect("a number") != 0.0,
        JsonKind::Array | JsonKind::Object => true,
    };
    truthy.then(|| id.into_string())
}

/// The payload as a value, and whatever serde_json says against it.
fn payload(event: &Event<'_>) {
    let text = event.data_json().unwrap_or("null");
    let ours = event.data::<Value>();
    match serde_json::from_str::<Value>(text) {
        Ok(theirs) => assert_eq!(ours.expect("what serde_json takes"), theirs),
        Err(error) => {
            let documented = depth(text) > 127 || has_lone_surrogate(text) || has_huge_number(text);
            assert!(documented, "{error}");
            // Lone surrogates alone are no reason for an error.
            assert_eq!(ours.is_ok(), depth(text) <= 127 && !has_huge_number(text), "{ours:?}");
        }
    }
    assert!(event.data::<serde::de::IgnoredAny>().is_ok(), "every payload can be skipped");
}

/// What is accepted can be sent on, and arrives as it was.
fn round_trip(settings: &Settings, event: &Event<'_>) {
    let encoder = settings.encoder();
    let mut out = b"before".to_vec();
    match encoder.encode_event(event, &mut out) {
        Ok(length) => {
            assert_eq!(length, out.len() - b"before".len());
            let mut message_out = b"before".to_vec();
            encoder.encode_message(&event.to_message(), &mut message_out).expect("a message like the event");
            assert_eq!(message_out, out);
            arrives(settings, &out[b"before".len()..], event);
        }
        Err(EncodeError::FrameTooLarge { length, limit }) => {
            assert!(length > limit && limit == settings.max_message_size());
            assert_eq!(out, b"before");
        }
        Err(error) => panic!("an event that was received is refused: {error}"),
    }
    // With no limit but that of memory, and another delimiter, it is taken for certain.
    let encoder = Encoder::new(Delimiter::new("<EOM>").expect("a delimiter"), usize::MAX, settings.rules().clone());
    let mut out = Vec::new();
    encoder.encode_event(event, &mut out).expect("an event that was received");
    let mut decoder = Decoder::new(encoder.delimiter().clone(), usize::MAX);
    let frame = decoder.next_frame(&mut &out[..]).expect("no limit").expect("a frame").to_vec();
    assert_eq!(frame.len() + b"<EOM>".len(), out.len());
    same(event, &Event::parse(&frame, settings.rules()).expect("an event").to_message());
}

fn arrives(settings: &Settings, wire: &[u8], event: &Event<'_>) {
    let mut inbound = Inbound::new(settings);
    let mut input = wire;
    match inbound.poll_event(start(), &mut input) {
        Some(Received::Event(received)) => same(event, &received.to_message()),
        other => panic!("{other:?}"),
    }
    assert!(input.is_empty());
}

fn same(sent: &Event<'_>, received: &Message) {
    assert_eq!(sent.name(), received.name());
    assert_eq!(canonical(sent.name_json()), canonical(received.name_json()));
    assert_eq!(sent.data_json().map(canonical), received.data_json().map(canonical));
}
