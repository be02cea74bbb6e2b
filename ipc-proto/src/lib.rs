//! The protocol of node-ipc as pure state machines.

#![forbid(unsafe_code)]
#![warn(missing_docs)]

mod delimiter;
mod encoding;
mod error;
mod json;
mod rules;

pub use delimiter::{Delimiter, DelimiterError};
pub use encoding::{Encoding, UnknownEncoding};
pub use error::{Code, EncodeError, ProtocolError};
pub use json::JsonKind;
pub use rules::{Refusal, Rules};
