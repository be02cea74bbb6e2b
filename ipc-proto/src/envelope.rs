//! The envelope `{"type":…,"data":…}`: from the bytes of a frame to an [`Event`], or to what is wrong with it.
//!
//! It finds the parts and checks all of the frame; it does not parse the payload, and does not know where frames end.

use std::borrow::Cow;
use std::ops::Range;

use crate::error::ProtocolError;
use crate::event::{Event, Malformed, Parts, SenderId};
use crate::json::{Invalid, JsonKind, Scanner, key_is, unescape};
use crate::rules::Rules;

/// See [`Event::parse`].
#[inline]
pub(crate) fn parse<'a>(frame: &'a [u8], rules: &Rules) -> Result<Event<'a>, Malformed<'a>> {
    let Ok(text) = std::str::from_utf8(frame) else { return parse_replaced(frame, rules) };
    match parts_of(text, rules) {
        Ok(parts) => Ok(Event::new(Cow::Borrowed(text), parts)),
        Err(error) => Err(Malformed::new(error, Cow::Borrowed(text), frame.len())),
    }
}

/// The same of a frame that is no UTF-8.
#[cold]
fn parse_replaced<'a>(frame: &'a [u8], rules: &Rules) -> Result<Event<'a>, Malformed<'a>> {
    let text = String::from_utf8_lossy(frame);
    match parts_of(&text, rules) {
        Ok(mut parts) => {
            parts.grown = u32::try_from(text.len() - frame.len()).unwrap_or(u32::MAX);
            Ok(Event::new(text, parts))
        }
        Err(error) => Err(Malformed::new(error, text, frame.len())),
    }
}

/// Finds the parts of the event that is written in `text`.
#[inline]
fn parts_of(text: &str, rules: &Rules) -> Result<Parts, ProtocolError> {
    let envelope = match Envelope::in_usual_form(text) {
        Some(envelope) => envelope,
        None => Envelope::in_any_form(text)?,
    };
    let Envelope { name_json, name_escaped, data_json, sender_id, usual_form } = envelope;
    let name = &text[name_json.start + 1..name_json.end - 1];
    let unescaped = name_escaped.then(|| unescape(name).into_boxed_str());
    rules.check(unescaped.as_deref().unwrap_or(name))?;
    Ok(Parts { name_json, unescaped, data_json, sender_id, usual_form, grown: 0 })
}

struct Envelope {
    /// Where the name is, quotes included.
    name_json: Range<usize>,
    name_escaped: bool,
    data_json: Option<Range<usize>>,
    sender_id: SenderId,
    usual_form: bool,
}

impl Envelope {
    /// Recognises exactly `{"type":"…","data":…}`, as every known sender writes it. `None` says nothing about the text.
    #[inline]
    fn in_usual_form(text: &str) -> Option<Self> {
        let mut scanner = Scanner::new(text);
        if !scanner.take(b"{\"type\":") {
            return None;
        }
        let name_start = scanner.at();
        let name_escaped = scanner.take_string()?;
        let name_json = name_start..scanner.at();
        if !scanner.take(b",\"data\":") {
            return None;
        }
        let data_start = scanner.at();
        let mut sender_id = SenderId::Absent;
        match text.as_bytes().get(data_start) {
            // White space is no part of the payload.
            Some(b' ' | b'\t' | b'\n' | b'\r') => return None,
            // While its members are passed anyway, the one that names the sender is easily found.
            Some(b'{') => scanner.members(|key, escaped, value| sender_id.member(&text[key], escaped, value)).ok()?,
            _ => scanner.value().ok()?,
        }
        let data_json = Some(data_start..scanner.at());
        let whole = scanner.take(b"}") && scanner.at() == text.len();
        whole.then_some(Self { name_json, name_escaped, data_json, sender_id, usual_form: true })
    }

    /// Takes any JSON text: other keys and any order of keys, keys written with escapes, white space everywhere.
    #[cold]
    fn in_any_form(text: &str) -> Result<Self, ProtocolError> {
        let mut scanner = Scanner::new(text);
        let kind = JsonKind::of_first_byte(scanner.token());
        if let Some(found) = kind.filter(|&kind| kind != JsonKind::Object) {
            scanner.value()?;
            scanner.end()?;
            return Err(ProtocolError::InvalidMessage { found });
        }
        let mut name_json = None;
        let mut data_json = None;
        scanner.members(|key, escaped, value| {
            let key = &text[key];
            if key_is(key, escaped, "type") {
                name_json = Some(value);
            } else if key_is(key, escaped, "data") {
                data_json = Some(value);
            }
        })?;
        scanner.end()?;
        let name_json = name_json.ok_or(ProtocolError::InvalidEvent { found: None })?;
        let name_text = &text[name_json.clone()];
        let found = JsonKind::of_first_byte(name_text.as_bytes()[0]);
        if found != Some(JsonKind::String) {
            return Err(ProtocolError::InvalidEvent { found });
        }
        let name_escaped = name_text.contains('\\');
        Ok(Self { name_json, name_escaped, data_json, sender_id: SenderId::Unsearched, usual_form: false })
    }
}

impl From<Invalid> for ProtocolError {
    fn from(Invalid { offset, expected }: Invalid) -> Self {
        Self::InvalidJson { offset, expected }
    }
}
