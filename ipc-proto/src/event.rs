//! An event as it stands in the receive buffer: checked and located, not yet turned into values.
//!
//! Finding the parts of a frame is [`envelope`](crate::envelope)'s work; this file says what can be done with them. An event
//! that outlives the buffer is a [`Message`].

use std::borrow::Cow;
use std::fmt;
use std::ops::Range;

use serde::de::DeserializeOwned;
use serde_json::error::Category;

use crate::error::{ProtocolError, shortened};
use crate::json::{JsonKind, Scanner, key_is, without_lone_surrogates};
use crate::message::Message;
use crate::rules::Rules;

/// A received event, borrowed from the receive buffer.
///
/// The whole frame is known to be valid JSON; the payload is parsed when [`data`](Self::data) asks for it. `Debug` shows the
/// name and sizes, never the payload.
///
/// ```
/// use ipc_proto::{Config, Event, Host, Platform};
///
/// let settings = Config::new("world").build(&Host::new("pluto", Platform::Linux))?;
/// let frame = br#"{"type":"caf\u00e9","data":{"id":"maria","seats": 4}}"#;
/// let event = Event::parse(frame, settings.rules()).map_err(|malformed| malformed.into_parts().0)?;
/// assert_eq!((event.name(), event.name_json()), ("café", r#""caf\u00e9""#));
/// assert_eq!(event.data_json(), Some(r#"{"id":"maria","seats": 4}"#)); // as it came
/// assert_eq!(event.sender_id(), Some(r#""maria""#));
/// let kept = event.into_message(); // owned
/// assert_eq!(kept.data_json(), Some(r#"{"id":"maria","seats": 4}"#));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Event<'a> {
    frame: Cow<'a, str>,
    parts: Parts,
}

/// Where the parts of an event are in the text of its frame, in bytes.
#[derive(Clone)]
pub(crate) struct Parts {
    /// The JSON string that is the name, quotes included.
    pub(crate) name_json: Range<usize>,
    /// The name where it differs from what is between the quotes.
    pub(crate) unescaped: Option<Box<str>>,
    /// The JSON text of the payload.
    pub(crate) data_json: Option<Range<usize>>,
    pub(crate) sender_id: SenderId,
    /// The frame is exactly what an encoder writes of name and payload: `{"type":NAME,"data":PAYLOAD}`.
    pub(crate) usual_form: bool,
    /// By how many bytes the text is longer than the frame was that came: of what is no UTF-8, each piece of one to three bytes
    /// is U+FFFD in it, which takes three. A frame has fewer than 2³¹ bytes.
    pub(crate) grown: u32,
}

/// Where the member `id` of a payload is, if that is known.
#[derive(Clone)]
pub(crate) enum SenderId {
    /// Nobody has looked.
    Unsearched,
    /// The payload has no such member, or is no object.
    Absent,
    /// The JSON text of its value.
    At(Range<usize>),
}

impl SenderId {
    /// Takes notice of a member of the payload. The last one of a name counts.
    #[inline(always)]
    pub(crate) fn member(&mut self, key: &str, escaped: bool, value: Range<usize>) {
        if key == "id" || escaped && key_is(key, escaped, "id") {
            *self = Self::At(value);
        }
    }
}

impl Parts {
    /// See [`Event::sender_id`].
    pub(crate) fn sender_id<'a>(&self, frame: &'a str) -> Option<&'a str> {
        let id = match &self.sender_id {
            SenderId::Absent => return None,
            SenderId::At(range) => &frame[range.clone()],
            SenderId::Unsearched => member(self.data_json(frame)?, "id")?,
        };
        is_truthy(id).then_some(id)
    }

    pub(crate) fn name<'a>(&'a self, frame: &'a str) -> &'a str {
        match &self.unescaped {
            Some(name) => name,
            None => &frame[self.name_json.start + 1..self.name_json.end - 1],
        }
    }

    pub(crate) fn name_json<'a>(&self, frame: &'a str) -> &'a str {
        &frame[self.name_json.clone()]
    }

    pub(crate) fn data_json<'a>(&self, frame: &'a str) -> Option<&'a str> {
        self.data_json.clone().map(|range| &frame[range])
    }
}

impl<'a> Event<'a> {
    /// Checks a frame (the bytes between two delimiters) and finds its parts.
    ///
    /// Takes time linear in the frame and allocates only when the name has escapes, the frame has invalid UTF-8 (whose maximal
    /// subparts each become U+FFFD, as in Node) or values nested deeper than 64. When a key occurs twice the last one counts;
    /// keys other than `type` and `data` are ignored.
    ///
    /// # Errors
    /// The frame is not JSON, not an object, has no string as `type`, or the name breaks `rules`.
    #[inline]
    pub fn parse(frame: &'a [u8], rules: &Rules) -> Result<Self, Malformed<'a>> {
        crate::envelope::parse(frame, rules)
    }

    pub(crate) fn new(frame: Cow<'a, str>, parts: Parts) -> Self {
        Self { frame, parts }
    }

    /// The event's name. A lone surrogate escape in it, which a Rust string cannot hold, is U+FFFD.
    #[inline]
    pub fn name(&self) -> &str {
        self.parts.name(&self.frame)
    }

    /// The name as it came: a JSON string with its quotes and escapes.
    #[inline]
    pub fn name_json(&self) -> &str {
        self.parts.name_json(&self.frame)
    }

    /// The payload as it came, as JSON text; `None` when the frame has no `data`.
    #[inline]
    pub fn data_json(&self) -> Option<&str> {
        self.parts.data_json(&self.frame)
    }

    /// Parses the payload. An absent payload reads as `null`, and so does `{}`, which is how node-ipc (9.2.1, 12.0.0 and 14.0.0)
    /// writes an event without data, where `T` cannot be read from `{}`: `()` and `Option<String>` are read from either, and an `Option` of
    /// a struct that lacks its fields is `None`.
    ///
    /// Numbers, strings and depth are as `serde_json` takes them, except that lone surrogate escapes read as U+FFFD.
    ///
    /// # Errors
    /// The payload is not what `T` expects.
    pub fn data<T: DeserializeOwned>(&self) -> Result<T, DataError> {
        parse_data(self.name(), self.data_json())
    }

    /// Whether the frame is what an [`Encoder`](crate::Encoder) would write of its name and payload.
    #[inline]
    pub(crate) fn is_in_usual_form(&self) -> bool {
        self.parts.usual_form
    }

    /// The text of the whole frame, without delimiter.
    #[inline]
    pub fn frame(&self) -> &str {
        &self.frame
    }

    /// The bytes that the frame had on the wire, without delimiter: those of [`frame`](Self::frame), unless some were replaced.
    #[inline]
    pub fn wire_length(&self) -> usize {
        self.frame.len() - self.parts.grown as usize
    }

    /// The id that the sender gives itself: the JSON text of `id` in a payload that is an object, if JavaScript takes that id
    /// for true (not `false`, `0`, `""` or `null`).
    ///
    /// node-ipc 9.2.1 and 12.0.0 set `socket.id` to it, 14.0.0 only with `identifyPeer`. Anyone can claim any id.
    pub fn sender_id(&self) -> Option<&str> {
        self.parts.sender_id(&self.frame)
    }

    /// Copies the event out of the receive buffer.
    pub fn to_message(&self) -> Message {
        Message::from_parts((*self.frame).into(), self.parts.clone())
    }

    /// As [`to_message`](Self::to_message), moving what it can.
    pub fn into_message(self) -> Message {
        Message::from_parts(self.frame.into(), self.parts)
    }
}

impl fmt::Debug for Event<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Event")
            .field("name", &shortened(self.name()))
            .field("data_bytes", &self.data_json().map(str::len))
            .finish()
    }
}

/// A frame that is no event, and why.
#[derive(Clone, PartialEq, Eq)]
pub struct Malformed<'a> {
    error: ProtocolError,
    frame: Cow<'a, str>,
    wire_length: usize,
}

impl<'a> Malformed<'a> {
    #[cold]
    pub(crate) fn new(error: ProtocolError, frame: Cow<'a, str>, wire_length: usize) -> Self {
        Self { error, frame, wire_length }
    }

    /// One without a frame.
    #[cold]
    pub(crate) fn without_frame(error: ProtocolError) -> Self {
        Self::new(error, "".into(), 0)
    }

    /// What is wrong with it.
    pub fn error(&self) -> &ProtocolError {
        &self.error
    }

    /// The text of the frame, without delimiter; invalid UTF-8 is replaced by U+FFFD.
    pub fn frame(&self) -> &str {
        &self.frame
    }

    /// The bytes that the frame had on the wire, without delimiter; 0 where there is no frame to show.
    pub fn wire_length(&self) -> usize {
        self.wire_length
    }

    /// The error and the text.
    pub fn into_parts(self) -> (ProtocolError, Cow<'a, str>) {
        (self.error, self.frame)
    }
}

impl fmt::Debug for Malformed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Malformed").field("error", &self.error).field("frame_bytes", &self.frame.len()).finish()
    }
}

/// Something that a received event can be turned into: every type serde can make from its payload, or the event itself as a
/// [`Message`].
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be read from the payload of an event",
    label = "a type that serde can read, or `Message`, is needed here",
    note = "a type of your own needs `#[derive(serde::Deserialize)]`: `serde = {{ version = \"1\", features = [\"derive\"] }}` in Cargo.toml",
    note = "what borrows, such as `&str`, cannot be read: take `String`; `Message` takes the event as it came"
)]
pub trait FromEvent: Sized {
    /// Turns `event` into `Self`.
    ///
    /// # Errors
    /// The payload is not what `Self` expects.
    fn from_event(event: &Event<'_>) -> Result<Self, DataError>;
}

impl<T: DeserializeOwned> FromEvent for T {
    fn from_event(event: &Event<'_>) -> Result<Self, DataError> {
        event.data()
    }
}

impl FromEvent for Message {
    fn from_event(event: &Event<'_>) -> Result<Self, DataError> {
        Ok(event.to_message())
    }
}

/// The payload of an event is not what was asked for.
///
/// The text says what was expected, and where; [`source`](std::error::Error::source) also says what was found, and may quote the
/// payload. `Debug` says what `Display` says.
#[derive(thiserror::Error)]
#[error("the {} {name:?} {} fit the requested type{}", self.what().0, self.what().1, Misfit(self))]
pub struct DataError {
    name: Box<str>,
    absent: bool,
    /// The payload is that of an event without data.
    empty: bool,
    /// The payload is that of a request.
    request: bool,
    /// It is the params of one that were looked at.
    params: bool,
    source: serde_json::Error,
}

impl DataError {
    /// What does not fit.
    fn what(&self) -> (&'static str, &'static str) {
        if self.params { ("params of request", "do not") } else { ("data of event", "does not") }
    }

    pub(crate) fn of_params(self) -> Self {
        Self { params: true, ..self }
    }

    pub(crate) fn new(name: &str, data_json: Option<&str>, source: serde_json::Error) -> Self {
        let request = data_json.is_some_and(crate::request::is_request);
        Self { name: shortened(name), absent: data_json.is_none(), empty: false, request, params: false, source }
    }

    pub(crate) fn of_event(name: &str, data_json: Option<&str>, source: serde_json::Error) -> Self {
        Self { empty: data_json == Some(EMPTY), ..Self::new(name, data_json, source) }
    }

    /// What was expected, as far as serde says, and what kind of value was found: `expected a string, found a number`, or
    /// `expected u8, found another number` where the kind is right and the value is not; ``missing field `id` ``. What was found is
    /// one of a few fixed words, and so nothing of the payload is told.
    #[must_use]
    pub fn expected(&self) -> Option<String> {
        let expected = expectation(&self.source)?;
        let found = found(&self.source.to_string()).filter(|_| !self.absent);
        Some(found.map_or_else(|| expected.clone(), |found| format!("{expected}, found {found}")))
    }

    /// What was expected and where, as the rest of a sentence.
    pub(crate) fn misfit(&self) -> impl fmt::Display {
        Misfit(self)
    }

    /// Whether the event had no payload at all, which was read as `null`.
    pub fn is_absent(&self) -> bool {
        self.absent
    }
}

crate::error::debug_as_display!(DataError);

/// What was expected, and where in the payload, without quoting it.
struct Misfit<'a>(&'a DataError);

impl fmt::Display for Misfit<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let DataError { absent, empty, source, .. } = self.0;
        if let Some(expected) = self.0.expected() {
            write!(f, ": {expected}")?;
        }
        match (absent, source.line()) {
            (true, _) => f.write_str(" (there is none, which was read as null)"),
            // serde knows no place of what a type's own code refuses, and none of a value as a whole.
            (false, line) if line == 0 || source.column() == 0 => Ok(()),
            (false, line) => write!(f, " (line {line}, column {})", source.column()),
        }?;
        if *empty {
            f.write_str("; it came as {}, as events without data do, and from node-ipc 9 null and \"\" too")?;
        }
        if self.0.request { f.write_str("; it came as a request, which `on_request` answers") } else { Ok(()) }
    }
}

/// An error's text without the place that serde_json adds to it where it knows one.
fn without_place(error: &serde_json::Error) -> String {
    let mut text = error.to_string();
    let place = format!(" at line {} column {}", error.line(), error.column());
    if error.line() > 0 && text.ends_with(&place) {
        text.truncate(text.len() - place.len());
    }
    text
}

/// What serde says of the type that was asked for, out of a text that may quote the payload.
fn expectation(error: &serde_json::Error) -> Option<String> {
    let text = without_place(error);
    if error.classify() != Category::Data {
        // Words of serde_json's own, about JSON that is well-formed; a type's own code cannot have said them.
        return match &*text {
            // An array with more elements than the type has.
            "trailing characters" => Some("expected fewer elements".into()),
            "number out of range" | "recursion limit exceeded" => Some(text),
            _ => None,
        };
    }
    let field = ["missing field `", "duplicate field `"].iter().find_map(|start| text.strip_prefix(start));
    if let Some(name) = field {
        let is_name = |name: &str| name.chars().all(|char| char.is_alphanumeric() || "_-.$".contains(char));
        return name.strip_suffix('`').is_some_and(is_name).then_some(text);
    }
    let quoting = ["invalid type: ", "invalid value: ", "invalid length ", "unknown variant `", "unknown field `"];
    let quotes = quoting.iter().any(|start| text.starts_with(start));
    // These two end without saying what was expected, which is nothing.
    let nothing = [", there are no variants", ", there are no fields"].iter().any(|end| text.ends_with(end));
    // What is expected comes last, so that no payload stands behind the last of these words.
    let at = text.rfind(", expected ").filter(|_| quotes && !nothing)?;
    let expected = &text[at + 2..];
    (!expected.contains(char::is_control)).then(|| expected.to_owned())
}

/// What serde met, without the value: one of these words, whatever the text says.
fn found(text: &str) -> Option<&'static str> {
    let kind = |text: &str| kind_of_word(text.split([' ', ',']).next().unwrap_or_default());
    if let Some(rest) = text.strip_prefix("invalid type: ") {
        return Some(match kind(rest)? {
            JsonKind::Null => "null",
            JsonKind::Bool => "true or false",
            JsonKind::Number => "a number",
            JsonKind::String => "a string",
            JsonKind::Array => "an array",
            JsonKind::Object => "an object",
        });
    }
    if let Some(rest) = text.strip_prefix("invalid value: ") {
        return Some(match kind(rest)? {
            JsonKind::Null => "null",
            JsonKind::Bool => "the other of true and false",
            JsonKind::Number => "another number",
            JsonKind::String => "another string",
            JsonKind::Array => "another array",
            JsonKind::Object => "another object",
        });
    }
    let names = ["unknown variant `", "unknown field `"].iter().any(|start| text.starts_with(start));
    if names {
        return Some("another name");
    }
    text.starts_with("invalid length ").then_some("another length")
}

/// The kind of value that serde calls so.
fn kind_of_word(word: &str) -> Option<JsonKind> {
    Some(match word {
        "null" => JsonKind::Null,
        "boolean" => JsonKind::Bool,
        "integer" | "floating" => JsonKind::Number,
        "string" => JsonKind::String,
        "sequence" => JsonKind::Array,
        "map" => JsonKind::Object,
        _ => return None,
    })
}

/// Parses the payload of an event.
pub(crate) fn parse_data<T: DeserializeOwned>(name: &str, data_json: Option<&str>) -> Result<T, DataError> {
    let parsed = parse_as_event(data_json, |text| serde_json::from_str(text));
    parsed.map_err(|source| DataError::of_event(name, data_json, source))
}

/// Parses a part of a payload, the params of a request or its result, where what is absent reads as `null` and `{}` is an object.
pub(crate) fn parse_part<T: DeserializeOwned>(name: &str, json: Option<&str>) -> Result<T, DataError> {
    let parsed = parse_as_meant(json.unwrap_or("null"), |text| serde_json::from_str(text));
    parsed.map_err(|source| DataError::new(name, json, source))
}

/// Parses a payload as it is, and if that fails as it may have been meant: the `{}` of an event without data as `null`.
pub(crate) fn parse_as_event<T>(
    data_json: Option<&str>,
    parse: impl Fn(&str) -> Result<T, serde_json::Error>,
) -> Result<T, serde_json::Error> {
    let text = data_json.unwrap_or("null");
    let parsed = parse_as_meant(text, &parse);
    if text == EMPTY { parsed.or_else(|error| parse("null").map_err(|_| error)) } else { parsed }
}

/// Parses JSON as it is, and if that fails with replacement characters in place of lone surrogates.
fn parse_as_meant<T>(text: &str, parse: impl Fn(&str) -> Result<T, serde_json::Error>) -> Result<T, serde_json::Error> {
    parse(text).or_else(|error| match without_lone_surrogates(text) {
        Cow::Owned(replaced) => parse(&replaced),
        Cow::Borrowed(_) => Err(error),
    })
}

/// The payload of an event without data, as every node-ipc writes it.
const EMPTY: &str = "{}";

/// Whether JavaScript takes a value, given as JSON text, for true.
fn is_truthy(json: &str) -> bool {
    match json.as_bytes().first().and_then(|&first| JsonKind::of_first_byte(first)) {
        None | Some(JsonKind::Null) => false,
        Some(JsonKind::Bool) => json == "true",
        Some(JsonKind::String) => json != "\"\"",
        Some(JsonKind::Number) => json.parse::<f64>().is_ok_and(|number| number != 0.0),
        Some(JsonKind::Array | JsonKind::Object) => true,
    }
}

/// The value of the last member called `name` in the text of an object, which must be valid.
fn member<'a>(object: &'a str, name: &str) -> Option<&'a str> {
    if !object.starts_with('{') {
        return None;
    }
    let mut found = None;
    let walked = Scanner::new(object).members(|key, escaped, value| {
        if key_is(&object[key], escaped, name) {
            found = Some(&object[value]);
        }
    });
    walked.ok().and(found)
}
