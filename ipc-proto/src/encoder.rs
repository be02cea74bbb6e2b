//! From a name and a payload to the bytes of a frame, delimiter included.
//!
//! A frame leaves whole or not at all: on every error, and on a panic of the payload's `Serialize`, the output is as before.

use serde::Serialize;

use crate::delimiter::{Delimiter, Hazard};
use crate::error::EncodeError;
use crate::event::Event;
use crate::json::{Invalid, JsonKind, compact, unescape, validate, with_char_escaped, write, write_string};
use crate::message::Message;
use crate::rules::Rules;

/// Writes frames: `{"type":…,"data":…}` in compact JSON and this order, then the delimiter.
///
/// Everything is appended to a buffer of the caller, and nothing is allocated beyond its growth as long as the message does
/// not contain the delimiter.
///
/// ```
/// # use ipc_proto::{Delimiter, Encoder, Rules};
/// let encoder = Encoder::new(Delimiter::default(), 1024, Rules::default());
/// let mut out = Vec::new();
/// encoder.encode("message", "hello", &mut out)?;
/// assert_eq!(out, b"{\"type\":\"message\",\"data\":\"hello\"}\x0c");
/// # Ok::<(), ipc_proto::EncodeError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Encoder {
    delimiter: Delimiter,
    max_message_size: usize,
    rules: Rules,
}

impl Encoder {
    /// `max_message_size` is in bytes of JSON text, the delimiter not counted.
    pub fn new(delimiter: Delimiter, max_message_size: usize, rules: Rules) -> Self {
        Self { delimiter, max_message_size, rules }
    }

    /// What the encoder puts after each message.
    pub fn delimiter(&self) -> &Delimiter {
        &self.delimiter
    }

    /// Appends one frame and gives its length in bytes, delimiter included.
    ///
    /// # Errors
    /// The name breaks the rules, `data` cannot be serialised, or the message is too large.
    #[inline]
    pub fn encode<T: Serialize + ?Sized>(&self, name: &str, data: &T, out: &mut Vec<u8>) -> Result<usize, EncodeError> {
        self.rules.check(name)?;
        let mut frame = Draft::new(out);
        frame.push(b"{\"type\":");
        write_string(name, frame.out);
        frame.push(b",\"data\":");
        write(data, frame.out)?;
        frame.push(b"}");
        frame.finish(self)
    }

    /// As [`encode`](Self::encode), for a payload that is JSON text already; `None` writes no `data` at all.
    ///
    /// The text is written as it is, unless it contains the delimiter: then without white space and with the character that
    /// belongs to the delimiter escaped.
    ///
    /// # Errors
    /// As for [`encode`](Self::encode); or the text is not valid JSON.
    pub fn encode_json(&self, name: &str, data_json: Option<&str>, out: &mut Vec<u8>) -> Result<usize, EncodeError> {
        self.rules.check(name)?;
        data_json.map_or(Ok(()), validate)?;
        let mut frame = Draft::new(out);
        frame.push(b"{\"type\":");
        write_string(name, frame.out);
        frame.push_member(b",\"data\":", data_json);
        frame.push(b"}");
        frame.finish(self)
    }

    /// As [`encode_json`](Self::encode_json), for a `type` too that is JSON text: for what JavaScript may send and Rust has no
    /// words for, such as a `type` that is a number (node-ipc 9.2.1, 12.0.0 and 14.0.0 send that), that is absent, or that has
    /// lone surrogates.
    ///
    /// # Errors
    /// As for [`encode_json`](Self::encode_json); or the `type` is no string and the rules want one.
    pub fn encode_envelope(
        &self,
        type_json: Option<&str>,
        data_json: Option<&str>,
        out: &mut Vec<u8>,
    ) -> Result<usize, EncodeError> {
        type_json.map_or(Ok(()), validate)?;
        data_json.map_or(Ok(()), validate)?;
        self.check_type(type_json)?;
        let mut frame = Draft::new(out);
        frame.push_envelope(type_json, data_json);
        frame.finish(self)
    }

    /// Appends a received event as a frame of its own, without parsing it again.
    ///
    /// # Errors
    /// The name breaks the rules or the message is too large.
    pub fn encode_event(&self, event: &Event<'_>, out: &mut Vec<u8>) -> Result<usize, EncodeError> {
        self.rules.check(event.name())?;
        let mut frame = Draft::new(out);
        if event.is_in_usual_form() {
            frame.push(event.frame().as_bytes());
        } else {
            frame.push_envelope(Some(event.name_json()), event.data_json());
        }
        frame.finish(self)
    }

    /// Appends a message as a frame, without parsing it again.
    ///
    /// # Errors
    /// The name breaks the rules or the message is too large.
    pub fn encode_message(&self, message: &Message, out: &mut Vec<u8>) -> Result<usize, EncodeError> {
        self.rules.check(message.name())?;
        let mut frame = Draft::new(out);
        if message.is_in_usual_form() {
            frame.push(message.frame().as_bytes());
        } else {
            frame.push_envelope(Some(message.name_json()), message.data_json());
        }
        frame.finish(self)
    }

    /// Applies the rules to a `type` of any kind. The text must be valid.
    fn check_type(&self, type_json: Option<&str>) -> Result<(), EncodeError> {
        let text = type_json.map(|text| text.trim_matches([' ', '\t', '\n', '\r']));
        let found = text.and_then(|text| JsonKind::of_first_byte(*text.as_bytes().first()?));
        if let (Some(text), Some(JsonKind::String)) = (text, found) {
            return Ok(self.rules.check(&unescape(&text[1..text.len() - 1]))?);
        }
        if self.rules.refuse_unsafe || self.rules.allowed.is_some() {
            return Err(EncodeError::InvalidEvent { found });
        }
        Ok(())
    }
}

/// A frame being written at the end of a buffer; taken back when dropped unfinished.
struct Draft<'a> {
    out: &'a mut Vec<u8>,
    start: usize,
    /// How much of `out` stays; raised when the frame is whole.
    kept: usize,
}

impl<'a> Draft<'a> {
    #[inline]
    fn new(out: &'a mut Vec<u8>) -> Self {
        let start = out.len();
        Self { out, start, kept: start }
    }

    #[inline]
    fn push(&mut self, bytes: &[u8]) {
        self.out.extend_from_slice(bytes);
    }

    fn push_member(&mut self, key: &[u8], value: Option<&str>) {
        if let Some(value) = value {
            self.push(key);
            self.push(value.as_bytes());
        }
    }

    fn push_envelope(&mut self, type_json: Option<&str>, data_json: Option<&str>) {
        self.push(b"{");
        self.push_member(b"\"type\":", type_json);
        self.push_member(if type_json.is_some() { b",\"data\":" } else { b"\"data\":" }, data_json);
        self.push(b"}");
    }

    /// Ends the frame and makes sure that its delimiter is the first one in it.
    #[inline]
    fn finish(mut self, encoder: &Encoder) -> Result<usize, EncodeError> {
        let length = self.out.len() - self.start;
        if length > encoder.max_message_size {
            return Err(EncodeError::FrameTooLarge { length, limit: encoder.max_message_size });
        }
        self.push(encoder.delimiter.as_bytes());
        if encoder.delimiter.hazard() != Hazard::None && self.is_cut(length, &encoder.delimiter) {
            self.write_free_of(encoder)?;
        }
        self.kept = self.out.len();
        Ok(self.kept - self.start)
    }

    /// Whether a receiver would see the frame end before its `length` bytes: the delimiter is in it, or begins in it.
    fn is_cut(&self, length: usize, delimiter: &Delimiter) -> bool {
        delimiter.find(&self.out[self.start..]) != Some(length)
    }

    /// Writes the frame again in such a way that its delimiter does not occur in it.
    #[cold]
    fn write_free_of(&mut self, encoder: &Encoder) -> Result<(), EncodeError> {
        let Encoder { delimiter, max_message_size: limit, .. } = encoder;
        let cut =
            || EncodeError::ContainsDelimiter { delimiter: delimiter.as_bytes().escape_ascii().to_string().into() };
        let json = &self.out[self.start..self.out.len() - delimiter.as_bytes().len()];
        let mut text = compact(std::str::from_utf8(json).map_err(|_| cut())?);
        if let Hazard::Character(char) = delimiter.hazard() {
            text = with_char_escaped(&text, char);
        }
        let length = text.len();
        if length > *limit {
            return Err(EncodeError::FrameTooLarge { length, limit: *limit });
        }
        self.out.truncate(self.start);
        self.push(text.as_bytes());
        self.push(delimiter.as_bytes());
        if self.is_cut(length, delimiter) { Err(cut()) } else { Ok(()) }
    }
}

impl Drop for Draft<'_> {
    #[inline]
    fn drop(&mut self) {
        self.out.truncate(self.kept);
    }
}

impl From<Invalid> for EncodeError {
    fn from(Invalid { offset, expected }: Invalid) -> Self {
        Self::InvalidJson { offset, expected }
    }
}
