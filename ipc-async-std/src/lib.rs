//! PLACEHOLDER

#![forbid(unsafe_code)]
#![warn(missing_docs)]

mod runtime;

pub use ipc_driver::api::*;
pub use runtime::AsyncStd;

/// A reconnecting client on async-std.
pub type Client = ipc_driver::Client<AsyncStd>;
/// A server on async-std.
pub type Server = ipc_driver::Server<AsyncStd>;
/// A UDP socket that speaks events, on async-std.
pub type UdpServer = ipc_driver::UdpServer<AsyncStd>;
/// An instance with its configuration, clients and server, on async-std.
pub type Ipc = ipc_driver::Ipc<AsyncStd>;
