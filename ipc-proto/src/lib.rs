//! The protocol of node-ipc as pure state machines.

#![forbid(unsafe_code)]
#![warn(missing_docs)]

mod decoder;
mod delimiter;
mod encoder;
mod encoding;
mod envelope;
mod error;
mod event;
mod json;
mod message;
mod rules;

pub use decoder::Decoder;
pub use delimiter::{Delimiter, DelimiterError};
pub use encoder::Encoder;
pub use encoding::{Encoding, UnknownEncoding};
pub use error::{Code, EncodeError, ProtocolError};
pub use event::{DataError, Event, FromEvent, Malformed};
pub use json::JsonKind;
pub use message::{Empty, Message};
pub use rules::{Refusal, Rules};
