//! The protocol of node-ipc as pure state machines.

#![forbid(unsafe_code)]
#![warn(missing_docs)]

mod backoff;
mod config;
mod decoder;
mod delimiter;
mod encoder;
mod encoding;
mod endpoint;
mod envelope;
mod error;
mod event;
mod host;
mod json;
mod message;
mod rng;
mod rules;
mod settings;

pub use backoff::Backoff;
pub use config::{
    Config, ConfigError, Interface, IpFamily, Offline, OnMalformed, Parser, StopRetrying,
    TlsOptions,
};
pub use decoder::Decoder;
pub use delimiter::{Delimiter, DelimiterError};
pub use encoder::Encoder;
pub use encoding::{Encoding, UnknownEncoding};
pub use endpoint::{Endpoint, EndpointError, LocalAddress, pipe_name};
pub use error::{Code, EncodeError, ProtocolError};
pub use event::{DataError, Event, FromEvent, Malformed};
pub use host::{Host, Platform};
pub use json::JsonKind;
pub use message::{Empty, Message};
pub use rng::SplitMix64;
pub use rules::{Refusal, Rules};
pub use settings::Settings;
