//! An event that owns its text: made here to be sent, or copied out of the receive buffer to be kept.
//!
//! What a message may be called is the [`Rules`](crate::Rules)' business, when it is encoded.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use serde::de::{self, DeserializeOwned, MapAccess, Visitor};
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::error::{EncodeError, shortened};
use crate::event::{DataError, Parts, SenderId, parse_data};
use crate::json::validate;

/// An event name and its payload, as unparsed JSON text. Cheap to clone: clones share the text.
///
/// Two messages are equal when their names are and their payloads are written alike. `Debug` shows the name and sizes, never
/// the payload.
///
/// ```
/// # use ipc_proto::Message;
/// let message = Message::new("greet", &["hello", "world"])?;
/// assert_eq!(message.data_json(), Some(r#"["hello","world"]"#));
/// assert_eq!(message.data::<Vec<String>>()?, ["hello", "world"]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Message {
    /// The envelope as JSON text. Text rather than bytes, because bytes would have to be checked again at every look.
    frame: Arc<str>,
    parts: Parts,
}

impl Message {
    /// Makes a message of everything serde can write as JSON. [`Empty`] as payload gives `{}`, which is what node-ipc sends
    /// when there is none.
    ///
    /// # Errors
    /// `data` cannot be serialised.
    pub fn new<T: Serialize + ?Sized>(name: &str, data: &T) -> Result<Self, EncodeError> {
        Self::build(name, |text| {
            text.push_str(",\"data\":");
            let start = text.len();
            text.push_str(&serde_json::to_string(data)?);
            Ok(Some(start..text.len()))
        })
    }

    /// Makes a message of a payload that is JSON text already, kept as it is; `None` for a message without `data`.
    ///
    /// # Errors
    /// `data_json` is not valid JSON.
    pub fn from_json(name: &str, data_json: Option<&str>) -> Result<Self, EncodeError> {
        Self::build(name, |text| {
            let Some(data_json) = data_json else {
                return Ok(None);
            };
            validate(data_json)?;
            text.push_str(",\"data\":");
            let start = text.len();
            text.push_str(data_json);
            Ok(Some(start..text.len()))
        })
    }

    fn build(
        name: &str,
        push_data: impl FnOnce(&mut String) -> Result<Option<Range<usize>>, EncodeError>,
    ) -> Result<Self, EncodeError> {
        let name_json = serde_json::to_string(name)?;
        let mut text = ["{\"type\":", &name_json].concat();
        let name_json = "{\"type\":".len()..text.len();
        let unescaped = (name_json.len() != name.len() + 2).then(|| name.into());
        let data_json = push_data(&mut text)?;
        text.push('}');
        let parts =
            Parts { name_json, unescaped, data_json, sender_id: SenderId::Unsearched, usual_form: true, grown: 0 };
        Ok(Self { frame: text.into(), parts })
    }

    /// Whether [`frame`](Self::frame) is what an [`Encoder`](crate::Encoder) writes of name and payload.
    pub(crate) fn is_in_usual_form(&self) -> bool {
        self.parts.usual_form
    }

    pub(crate) fn from_parts(frame: Arc<str>, parts: Parts) -> Self {
        Self { frame, parts }
    }

    /// The event's name. A lone surrogate escape in a received one, which a Rust string cannot hold, is U+FFFD.
    pub fn name(&self) -> &str {
        self.parts.name(&self.frame)
    }

    /// The name as it is written: a JSON string with its quotes and escapes.
    pub fn name_json(&self) -> &str {
        self.parts.name_json(&self.frame)
    }

    /// The payload as it is written, as JSON text; `None` when there is none.
    pub fn data_json(&self) -> Option<&str> {
        self.parts.data_json(&self.frame)
    }

    /// Parses the payload, as [`Event::data`](crate::Event::data) does.
    ///
    /// # Errors
    /// The payload is not what `T` expects.
    pub fn data<T: DeserializeOwned>(&self) -> Result<T, DataError> {
        parse_data(self.name(), self.data_json())
    }

    /// The id that the sender gives itself; see [`Event::sender_id`](crate::Event::sender_id).
    pub fn sender_id(&self) -> Option<&str> {
        self.parts.sender_id(&self.frame)
    }

    /// The text of the whole message, without delimiter. A received one has the keys and white space it came with.
    pub fn frame(&self) -> &str {
        &self.frame
    }

    /// The bytes of the whole message on the wire, without delimiter. Of a received one in which invalid UTF-8 was replaced by
    /// U+FFFD these are fewer than those of [`frame`](Self::frame), or as many.
    pub fn wire_length(&self) -> usize {
        self.frame.len() - self.parts.grown as usize
    }
}

impl PartialEq for Message {
    fn eq(&self, other: &Self) -> bool {
        self.name() == other.name() && self.data_json() == other.data_json()
    }
}

impl Eq for Message {}

impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Message")
            .field("name", &shortened(self.name()))
            .field("data_bytes", &self.data_json().map(str::len))
            .finish()
    }
}

/// No payload: written as `{}`, which is what node-ipc 9.2.1, 12.0.0 and 14.0.0 send for an absent or undefined one; read from
/// `{}`, `null` or nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Empty;

impl Serialize for Empty {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_map(Some(0))?.end()
    }
}

impl<'de> Deserialize<'de> for Empty {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct EmptyVisitor;

        impl<'de> Visitor<'de> for EmptyVisitor {
            type Value = Empty;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an empty object or null")
            }

            fn visit_unit<E: de::Error>(self) -> Result<Empty, E> {
                Ok(Empty)
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Empty, A::Error> {
                match map.next_key::<de::IgnoredAny>()? {
                    None => Ok(Empty),
                    Some(_) => Err(de::Error::invalid_type(de::Unexpected::Map, &self)),
                }
            }
        }

        deserializer.deserialize_any(EmptyVisitor)
    }
}
