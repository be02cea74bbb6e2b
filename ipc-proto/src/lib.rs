//! The protocol of node-ipc as pure state machines.

#![forbid(unsafe_code)]
#![warn(missing_docs)]

mod backoff;
mod client;
mod config;
mod connection;
mod datagrams;
mod decoder;
mod delimiter;
mod encoder;
mod encoding;
mod endpoint;
mod envelope;
mod error;
mod event;
mod host;
mod inbound;
mod json;
mod message;
mod outbound;
mod rng;
mod rules;
mod server;
mod settings;
mod transmit;

pub use backoff::Backoff;
pub use client::{Client, ClientAction, ClientEvent};
pub use config::{Config, ConfigError, Interface, IpFamily, Offline, OnMalformed, Parser, StopRetrying, TlsOptions};
pub use connection::Connection;
pub use datagrams::{
    Datagram, DatagramCounters, DatagramError, DatagramEvent, Datagrams, MAX_DATAGRAM, PeerEvent, PeerRemoval,
};
pub use decoder::Decoder;
pub use delimiter::{Delimiter, DelimiterError};
pub use encoder::Encoder;
pub use encoding::{Encoding, UnknownEncoding};
pub use endpoint::{Endpoint, EndpointError, LocalAddress, pipe_name};
pub use error::{Code, EncodeError, ProtocolError};
pub use event::{DataError, Event, FromEvent, Malformed};
pub use host::{Host, Platform};
pub use inbound::{Inbound, Received};
pub use json::JsonKind;
pub use message::{Empty, Message};
pub use outbound::{EmitError, Frame, Outbound, Unsent};
pub use rng::SplitMix64;
pub use rules::{Refusal, Rules};
pub use server::{MAX_CLAIMED_ID, PeerId, RefuseReason, Server, ServerEvent};
pub use settings::Settings;
pub use transmit::Transmit;
