//! Requests and responses as they travel inside plain events.
//!
//! A request is the event `<name>` with `{"$request": token, "params": …}` as data; its response is the event `$reply` with
//! `{"$reply": token, "result": …}` or `{"$reply": token, "error": {"code", "message", "data"?}}`. Nothing else in this program knows.

use ipc_tokio::Message;
use serde::Deserialize;
use serde_json::Value;
use std::hash::{BuildHasher, Hasher, RandomState};

/// The event that carries responses.
pub(crate) const REPLY: &str = "$reply";

/// A token unlike others.
pub(crate) fn token() -> String {
    // The standard library draws its hash keys from the system.
    let half = || RandomState::new().build_hasher().finish();
    format!("{:016x}{:016x}", half(), half())
}

/// The data of a request; `params` is JSON text.
pub(crate) fn request(token: &str, params: Option<&str>) -> String {
    let token = Value::from(token);
    match params {
        Some(params) => format!(r#"{{"$request":{token},"params":{params}}}"#),
        None => format!(r#"{{"$request":{token}}}"#),
    }
}

/// The data of a response; `result` is JSON text.
pub(crate) fn response(token: &str, result: &str) -> String {
    let token = Value::from(token);
    format!(r#"{{"$reply":{token},"result":{result}}}"#)
}

/// The token and the params of an event that is a request, as JSON text.
pub(crate) fn as_request(message: &Message) -> Option<(String, String)> {
    #[derive(Deserialize)]
    struct Request<'a> {
        #[serde(rename = "$request")]
        token: String,
        #[serde(borrow)]
        params: Option<&'a serde_json::value::RawValue>,
    }
    let request: Request<'_> = serde_json::from_str(message.data_json()?).ok()?;
    Some((request.token, request.params.map_or_else(|| "null".to_owned(), |params| params.get().to_owned())))
}

/// What a peer said to a request.
#[derive(Debug)]
pub(crate) enum Response {
    /// JSON text.
    Result(String),
    Error {
        code: String,
        message: String,
        /// The whole error as JSON text.
        json: String,
    },
}

/// The response to the request with this token, if the event is one.
pub(crate) fn as_response(message: &Message, token: &str) -> Option<Response> {
    #[derive(Deserialize)]
    struct Reply<'a> {
        #[serde(rename = "$reply")]
        token: String,
        #[serde(borrow)]
        result: Option<&'a serde_json::value::RawValue>,
        #[serde(borrow)]
        error: Option<&'a serde_json::value::RawValue>,
    }
    #[derive(Deserialize)]
    struct Error {
        #[serde(default)]
        code: Value,
        #[serde(default)]
        message: Value,
    }
    if message.name() != REPLY {
        return None;
    }
    let reply: Reply<'_> = serde_json::from_str(message.data_json()?).ok()?;
    if reply.token != token {
        return None;
    }
    let Some(error) = reply.error else {
        return Some(Response::Result(reply.result.map_or("null", |result| result.get()).to_owned()));
    };
    let text = |value: Value| match value {
        Value::String(text) => text,
        Value::Null => String::new(),
        other => other.to_string(),
    };
    let parts = serde_json::from_str::<Error>(error.get());
    let (code, what) =
        parts.map_or_else(|_| (String::new(), error.get().to_owned()), |it| (text(it.code), text(it.message)));
    Some(Response::Error { code, message: what, json: error.get().to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(name: &str, data: &str) -> Message {
        Message::from_json(name, Some(data)).expect("JSON")
    }

    #[test]
    fn a_request_is_read_as_it_is_written() {
        let token = token();
        assert_eq!(token.len(), 32);
        assert_ne!(token, super::token());
        let read = as_request(&message("sum", &request(&token, Some("[1.50, 2]"))));
        assert_eq!(read, Some((token.clone(), "[1.50, 2]".to_owned())));
        assert_eq!(as_request(&message("sum", &request(&token, None))), Some((token, "null".to_owned())));
        assert_eq!(as_request(&message("sum", "[1]")), None);
        assert_eq!(as_request(&message("sum", r#"{"$request": 5}"#)), None);
    }

    #[test]
    fn a_response_is_that_of_its_token_and_of_no_other() {
        let reply = message(REPLY, &response("t", "1.50"));
        assert!(matches!(as_response(&reply, "t"), Some(Response::Result(result)) if result == "1.50"));
        assert!(as_response(&reply, "u").is_none());
        assert!(as_response(&message("sum", &response("t", "1")), "t").is_none());
        let nothing = message(REPLY, r#"{"$reply":"t"}"#);
        assert!(matches!(as_response(&nothing, "t"), Some(Response::Result(result)) if result == "null"));
    }

    #[test]
    fn an_error_is_read_whatever_it_is() {
        let error = |json: &str| match as_response(&message(REPLY, &format!(r#"{{"$reply":"t","error":{json}}}"#)), "t")
        {
            Some(Response::Error { code, message, json: whole }) => {
                assert_eq!(whole, json);
                (code, message)
            }
            other => panic!("{other:?}"),
        };
        assert_eq!(error(r#"{"code":"E","message":"no"}"#), ("E".into(), "no".into()));
        assert_eq!(error(r#"{"code":5}"#), ("5".into(), String::new()));
        assert_eq!(error(r#""plain""#), (String::new(), "\"plain\"".into()));
    }
}
