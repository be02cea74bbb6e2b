//! What arrives, as node-ipc would tell it to handlers: messages as values, broken frames and errors as its error events. What to
//! do with the connection is the machines' business.

use std::io;

use ipc_proto::ProtocolError;

use super::Family;
use crate::js::{Js, JsError, parse};

/// Type and data of a message, from their JSON texts; absent data is `undefined`.
///
/// # Errors
///
/// A `SyntaxError` if a text is not JSON, which the decoder has made sure of.
pub fn incoming(name_json: &str, data_json: Option<&str>) -> Result<(Js, Js), JsError> {
    Ok((parse(name_json)?, data_json.map(parse).transpose()?.unwrap_or_default()))
}

/// The argument of the event `error` that a broken frame causes.
pub fn malformed(family: Family, error: &ProtocolError, frame: &str) -> Js {
    match family {
        Family::V9 => malformed_v9(frame),
        Family::V14 => protocol_error(error).into(),
    }
}

/// The event that 9.2.1 publishes for a frame that is JSON but has no string for a type: under whatever `frame.type` is. Nothing for
/// `null`, and for what is no JSON.
pub fn untyped_v9(frame: &str) -> Option<(Js, Js)> {
    let value = parse(frame).ok()?;
    let member = |name: &str| value.get(name).cloned().unwrap_or_default();
    match value {
        Js::Null => None,
        _ => Some((member("type"), member("data"))),
    }
}

/// The data of the event `error` that 9.2.1 and 12.0.0 publish for a frame they cannot read. A frame `null` has no text.
fn malformed_v9(frame: &str) -> Js {
    let null = frame.trim_matches([' ', '\t', '\n', '\r']) == "null";
    let (name, message) =
        if null { ("TypeError", "Cannot read properties of null") } else { ("SyntaxError", "the frame is not JSON") };
    Js::object([
        ("message", Js::text("Invalid JSON response format")),
        ("err", JsError::new(name, message).into()),
        ("response", if null { Js::Null } else { Js::text(frame) }),
    ])
}

/// An error of the protocol as node-ipc 14.0.0 throws it, by its code.
pub fn protocol_error(error: &ProtocolError) -> JsError {
    JsError::with_code("IPCProtocolError", error.code().as_str(), error.to_string())
}

/// An error of the operating system as Node has it, by the name of its number.
pub fn io_error(error: &io::Error) -> JsError {
    match errno_name(error) {
        Some(code) => JsError::with_code("Error", code, format!("{code}: {error}")),
        None => JsError::new("Error", error.to_string()),
    }
}

fn errno_name(error: &io::Error) -> Option<&'static str> {
    use io::ErrorKind as Kind;
    Some(match error.kind() {
        Kind::NotFound => "ENOENT",
        Kind::PermissionDenied if error.raw_os_error() == Some(1) => "EPERM",
        Kind::PermissionDenied => "EACCES",
        Kind::ConnectionRefused => "ECONNREFUSED",
        Kind::ConnectionReset => "ECONNRESET",
        Kind::ConnectionAborted => "ECONNABORTED",
        Kind::HostUnreachable => "EHOSTUNREACH",
        Kind::NetworkUnreachable => "ENETUNREACH",
        Kind::NetworkDown => "ENETDOWN",
        Kind::NotConnected => "ENOTCONN",
        Kind::AddrInUse => "EADDRINUSE",
        Kind::AddrNotAvailable => "EADDRNOTAVAIL",
        Kind::BrokenPipe => "EPIPE",
        Kind::AlreadyExists => "EEXIST",
        Kind::NotADirectory => "ENOTDIR",
        Kind::IsADirectory => "EISDIR",
        Kind::ReadOnlyFilesystem => "EROFS",
        Kind::InvalidInput => "EINVAL",
        Kind::TimedOut => "ETIMEDOUT",
        Kind::OutOfMemory => "ENOMEM",
        // The numbers of Linux, for kinds without a stable name.
        _ if cfg!(target_os = "linux") => match error.raw_os_error()? {
            23 | 24 => "EMFILE",
            36 => "ENAMETOOLONG",
            40 => "ELOOP",
            88 => "ENOTSOCK",
            90 => "EMSGSIZE",
            97 => "EAFNOSUPPORT",
            _ => return None,
        },
        _ => return None,
    })
}
