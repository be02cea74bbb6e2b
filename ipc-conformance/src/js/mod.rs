//! JavaScript values as a node-ipc program sees them: what `JSON.parse` makes of a text, what `JSON.stringify` makes of a
//! value, what `Buffer.from` makes of an argument, and the tagged notation that carries such values over the line
//! protocol.
//!
//! This is a model of data, not an interpreter: functions are opaque, and nothing here knows sockets or node-ipc.
//! Nothing recurses on the depth of a value, so a value nested 100,000 levels deep is parsed, printed, compared and dropped
//! on an ordinary stack.

mod buffer;
mod coerce;
mod date;
mod describe;
mod number;
mod parse;
mod string;
mod stringify;
mod tagged;
mod value;

pub use buffer::{TextEncoder, buffer_from};
pub use coerce::{to_number, to_text, truthy};
pub use describe::{Numbers, describe, describe_bytes, describe_text, short_json};
pub use number::number_text;
pub use parse::{parse, parse_bytes};
pub use string::JsString;
pub use stringify::stringify;
pub use tagged::decode;
pub use value::{Js, JsArray, JsError, JsObject, Rinfo, Socket};

#[cfg(test)]
mod tests;
