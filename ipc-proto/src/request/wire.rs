//! Requests and replies as payloads of events: written by serde, found in received text without parsing the params or the
//! result.

use std::borrow::Cow;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{Failure, JsonText, RequestId};
use crate::event::{DataError, Event, parse_part};
use crate::json::{JsonKind, Scanner, key_is, unescape};
use crate::message::Message;

/// The name of the event that brings a reply.
pub const REPLY_EVENT: &str = "$reply";

/// Bytes that a token may have, so that whoever answers later need not remember more. What has a longer one is no request.
pub const MAX_TOKEN: usize = 256;

/// The payload of a request: `{"$request":"<token>","params":…}`.
#[derive(Debug, Serialize)]
pub struct RequestBody<'a, T: ?Sized> {
    #[serde(rename = "$request")]
    id: RequestId,
    params: &'a T,
}

impl<'a, T: Serialize + ?Sized> RequestBody<'a, T> {
    /// The payload of the request that `id` names.
    pub fn new(id: RequestId, params: &'a T) -> Self {
        Self { id, params }
    }
}

/// The payload of a reply: `{"$reply":"<token>","result":…}`, or `"error"` in place of the result.
#[derive(Debug, Serialize)]
pub struct ReplyBody<'a, T: ?Sized> {
    #[serde(rename = "$reply")]
    token: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    result: Option<&'a T>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'a Failure>,
}

impl<'a, T: Serialize + ?Sized> ReplyBody<'a, T> {
    /// The payload that brings a result. `token` is that of the request.
    pub fn result(token: &'a str, result: &'a T) -> Self {
        Self { token, result: Some(result), error: None }
    }
}

impl<'a> ReplyBody<'a, ()> {
    /// The payload that says why there is no result.
    #[must_use]
    pub fn error(token: &'a str, failure: &'a Failure) -> Self {
        Self { token, result: None, error: Some(failure) }
    }
}

/// Whether the payload of an event is that of a request.
pub(crate) fn is_request(data: &str) -> bool {
    IncomingRequest::find("", data).is_some()
}

/// A request among the received events.
#[derive(Clone, Debug)]
pub struct IncomingRequest<'a> {
    name: &'a str,
    token: Cow<'a, str>,
    params: Option<&'a str>,
}

impl<'a> IncomingRequest<'a> {
    /// Looks whether an event is a request. `None` for every other event.
    pub fn parse(event: &'a Event<'_>) -> Option<Self> {
        Self::find(event.name(), event.data_json()?)
    }

    /// The same of an event that was kept.
    #[must_use]
    pub fn from_message(message: &'a Message) -> Option<Self> {
        Self::find(message.name(), message.data_json()?)
    }

    fn find(name: &'a str, data: &'a str) -> Option<Self> {
        let mut token = None;
        let mut params = None;
        members(data, "$request", |key, escaped, value| {
            if key_is(key, escaped, "$request") {
                token = Some(value);
            } else if key_is(key, escaped, "params") {
                params = Some(value);
            }
        })?;
        let token = string(token?).filter(|token| token.len() <= MAX_TOKEN)?;
        Some(Self { name, token, params })
    }

    /// What is asked for: the name of the event.
    #[must_use]
    pub fn name(&self) -> &'a str {
        self.name
    }

    /// What the reply has to repeat.
    #[must_use]
    pub fn token(&self) -> &str {
        &self.token
    }

    /// The params as they came, as JSON text.
    #[must_use]
    pub fn params_json(&self) -> Option<&'a str> {
        self.params
    }

    /// Parses the params. Absent params read as `null`.
    ///
    /// # Errors
    /// They are not what `T` expects; [`Failure::invalid_params`] is the answer to that.
    pub fn params<T: DeserializeOwned>(&self) -> Result<T, DataError> {
        parse_part(self.name, self.params).map_err(DataError::of_params)
    }
}

/// A received reply.
#[derive(Clone, Debug)]
pub struct Reply {
    token: Box<str>,
    outcome: Result<Option<ResultText>, Failure>,
}

/// The text of a result. (Not `JsonText`, which only takes what `serde_json` takes: lone surrogates are for later.)
#[derive(Clone)]
struct ResultText(Box<str>);

impl std::fmt::Debug for ResultText {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} bytes", self.0.len())
    }
}

/// A reply brought no result that can be used.
#[derive(Debug, thiserror::Error)]
pub enum ReplyError {
    /// The answerer says that there is none.
    #[error(transparent)]
    Failure(#[from] Failure),
    /// It is not what was expected.
    #[error(transparent)]
    Data(DataError),
}

impl Reply {
    /// Looks whether an event is a reply. `None` for every other event, whatever it is called.
    #[must_use]
    pub fn parse(event: &Event<'_>) -> Option<Self> {
        Self::find(event.name(), event.data_json()?)
    }

    /// The same of an event that was kept.
    #[must_use]
    pub fn from_message(message: &Message) -> Option<Self> {
        Self::find(message.name(), message.data_json()?)
    }

    fn find(name: &str, data: &str) -> Option<Self> {
        if name != REPLY_EVENT {
            return None;
        }
        let (mut token, mut result, mut error) = (None, None, None);
        members(data, "$reply", |key, escaped, value| {
            if key_is(key, escaped, "$reply") {
                token = Some(value);
            } else if key_is(key, escaped, "result") {
                result = Some(value);
            } else if key_is(key, escaped, "error") {
                error = Some(value);
            }
        })?;
        let token = string(token?)?.into();
        let outcome = match error.filter(|&error| error != "null") {
            Some(error) => Err(failure(error)),
            None => Ok(result.map(|text: &str| ResultText(text.into()))),
        };
        Some(Self { token, outcome })
    }

    /// Which request it answers.
    #[must_use]
    pub fn token(&self) -> &str {
        &self.token
    }

    /// The result as it came, as JSON text; `None` if it is absent, which means `null`.
    ///
    /// # Errors
    /// There is none, as the answerer says.
    pub fn result_json(&self) -> Result<Option<&str>, &Failure> {
        self.outcome.as_ref().map(|text| text.as_ref().map(|text| &*text.0))
    }

    /// Parses the result of the request called `name`. An absent result, which is what `undefined` in JavaScript becomes, reads
    /// as `null`.
    ///
    /// # Errors
    /// [`ReplyError`]: it is an error, or not what `T` expects.
    pub fn into_result<T: DeserializeOwned>(self, name: &str) -> Result<T, ReplyError> {
        let text = self.outcome?;
        parse_part(name, text.as_ref().map(|text| &*text.0)).map_err(ReplyError::Data)
    }
}

/// What a peer says of an error, however it says it: programs that are not ours answer too.
fn failure(error: &str) -> Failure {
    let (mut code, mut message, mut data) = (None, None, None);
    let walked = error.starts_with('{').then(|| {
        Scanner::new(error).members(|key, escaped, value| {
            let key = &error[key];
            if key_is(key, escaped, "code") {
                code = Some(value);
            } else if key_is(key, escaped, "message") {
                message = Some(value);
            } else if key_is(key, escaped, "data") {
                data = Some(value);
            }
        })
    });
    let as_text = |range: std::ops::Range<usize>| {
        let text = &error[range];
        string(text).unwrap_or(Cow::Borrowed(text)).into_owned()
    };
    match walked {
        Some(Ok(())) => {
            let code = code.map(as_text).unwrap_or_default();
            let message = message.map_or_else(|| String::from("the peer gives no message"), as_text);
            let data = data.and_then(|data| JsonText::of_checked(&error[data]));
            Failure::new(code, message).with_text(data)
        }
        _ => Failure::new("", string(error).unwrap_or(Cow::Borrowed(error))),
    }
}

/// Walks over the members of an object. `None` for anything else, and, at little cost, for an object without a key that is
/// called `needed`.
fn members<'a>(text: &'a str, needed: &str, mut visit: impl FnMut(&'a str, bool, &'a str)) -> Option<()> {
    let bytes = text.as_bytes();
    if bytes.first() != Some(&b'{') {
        return None;
    }
    // An escape may hide the key.
    if memchr::memmem::find(bytes, needed.as_bytes()).is_none() && memchr::memchr(b'\\', bytes).is_none() {
        return None;
    }
    Scanner::new(text).members(|key, escaped, value| visit(&text[key], escaped, &text[value])).ok()
}

/// What a JSON text says, if it is a string.
fn string(text: &str) -> Option<Cow<'_, str>> {
    if JsonKind::of_first_byte(*text.as_bytes().first()?) != Some(JsonKind::String) {
        return None;
    }
    let body = text.get(1..text.len() - 1)?;
    Some(if body.contains('\\') { Cow::Owned(unescape(body)) } else { Cow::Borrowed(body) })
}
