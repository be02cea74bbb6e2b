//! What the answerer tells the asker when there is no result.

use std::borrow::Cow;
use std::fmt;

use serde::de::DeserializeOwned;
use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};
use serde_json::value::RawValue;

use crate::error::{EncodeError, shortened};
use crate::event::{DataError, parse_part};

/// A value as JSON text, made once and written as often as needed. `Debug` shows its length.
#[derive(Clone)]
pub struct JsonText(Box<RawValue>);

impl JsonText {
    /// Makes the text of everything serde can write as JSON.
    ///
    /// # Errors
    /// `value` cannot be serialised.
    pub fn new<T: Serialize + ?Sized>(value: &T) -> Result<Self, EncodeError> {
        Ok(Self(serde_json::value::to_raw_value(value)?))
    }

    /// Takes text that is JSON already, and keeps it as it is written.
    ///
    /// # Errors
    /// `text` is not valid JSON.
    pub fn from_json(text: impl Into<String>) -> Result<Self, EncodeError> {
        Ok(Self(RawValue::from_string(text.into())?))
    }

    /// Of text that a scanner has passed. `None` for what `serde_json` does not take.
    pub(super) fn of_checked(text: &str) -> Option<Self> {
        RawValue::from_string(text.to_owned()).ok().map(Self)
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.get()
    }
}

impl Serialize for JsonText {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl PartialEq for JsonText {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}

impl Eq for JsonText {}

impl fmt::Debug for JsonText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "JsonText({} bytes)", self.as_str().len())
    }
}

/// Why a request has no result, as the answerer tells the asker: `{"code":…,"message":…,"data":…}`.
///
/// A handler returns one to choose the code, which programs look at; the message is for people. Any other error of a handler
/// becomes one with the code [`HANDLER`](Self::HANDLER) and what the error displays: that text goes to the peer.
///
/// ```
/// use ipc_proto::Failure;
///
/// let failure = Failure::new("ERR_TOO_MANY", "at most 3 of these").with_data(&[1, 2, 3])?;
/// assert_eq!(failure.to_string(), "at most 3 of these (ERR_TOO_MANY)");
/// assert_eq!(failure.data::<Vec<u8>>()?, [1, 2, 3]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message} ({code})")]
pub struct Failure {
    code: Cow<'static, str>,
    message: Box<str>,
    data: Option<JsonText>,
}

impl Failure {
    /// The handler returned an error without a code, or panicked.
    pub const HANDLER: &'static str = "ERR_IPC_HANDLER";
    /// Nobody answers requests of that name.
    pub const NO_HANDLER: &'static str = "ERR_IPC_NO_HANDLER";
    /// The params are not what the handler takes.
    pub const INVALID_PARAMS: &'static str = "ERR_IPC_INVALID_PARAMS";
    /// As many requests of this peer are under way as may.
    pub const BUSY: &'static str = "ERR_IPC_BUSY";
    /// The answerer closes this connection, and begins nothing new on it.
    pub const CLOSING: &'static str = "ERR_IPC_CLOSING";
    /// A gate (`before_event`) does not let the request in.
    pub const REJECTED: &'static str = "ERR_IPC_REJECTED";
    /// The result cannot be sent: it cannot be serialised, or is too large.
    pub const RESULT: &'static str = "ERR_IPC_RESULT";

    /// A failure with a code for programs and a message for people.
    pub fn new(code: impl Into<Cow<'static, str>>, message: impl Into<String>) -> Self {
        Self { code: code.into(), message: message.into().into(), data: None }
    }

    /// Adds whatever else the asker may want to know.
    ///
    /// # Errors
    /// `data` cannot be serialised.
    pub fn with_data<T: Serialize + ?Sized>(mut self, data: &T) -> Result<Self, EncodeError> {
        self.data = Some(JsonText::new(data)?);
        Ok(self)
    }

    pub(super) fn with_text(mut self, data: Option<JsonText>) -> Self {
        self.data = data;
        self
    }

    /// Nobody answers requests of this name.
    #[must_use]
    pub fn no_handler(name: &str) -> Self {
        Self::new(Self::NO_HANDLER, format!("no handler for request {:?}", shortened(name)))
    }

    /// The params do not fit, with what was expected and where. Nothing of the params is in it.
    #[must_use]
    pub fn invalid_params(name: &str, error: &DataError) -> Self {
        Self::new(
            Self::INVALID_PARAMS,
            format!("the params of request {:?} do not fit{}", shortened(name), error.misfit()),
        )
    }

    /// For programs. Empty if the peer gave none.
    #[must_use]
    pub fn code(&self) -> &str {
        &self.code
    }

    /// For people. What a peer says may hold anything: escape it before it reaches a terminal.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }

    /// What else was said, as JSON text.
    #[must_use]
    pub fn data_json(&self) -> Option<&str> {
        self.data.as_ref().map(JsonText::as_str)
    }

    /// Parses what else was said; absent data reads as `null`.
    ///
    /// # Errors
    /// It is not what `T` expects.
    pub fn data<T: DeserializeOwned>(&self) -> Result<T, DataError> {
        parse_part(super::REPLY_EVENT, self.data_json())
    }
}

impl Serialize for Failure {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(2 + usize::from(self.data.is_some())))?;
        map.serialize_entry("code", &self.code)?;
        map.serialize_entry("message", &self.message)?;
        if let Some(data) = &self.data {
            map.serialize_entry("data", data)?;
        }
        map.end()
    }
}

impl fmt::Debug for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Failure")
            .field("code", &self.code)
            .field("message", &self.message)
            .field("data_bytes", &self.data_json().map(str::len))
            .finish()
    }
}
