//! PLACEHOLDER

#![forbid(unsafe_code)]
#![warn(missing_docs)]

mod runtime;

pub use ipc_driver::api::*;
pub use runtime::Smol;

/// A reconnecting client on smol.
pub type Client = ipc_driver::Client<Smol>;
/// A server on smol.
pub type Server = ipc_driver::Server<Smol>;
/// A UDP socket that speaks events, on smol.
pub type UdpServer = ipc_driver::UdpServer<Smol>;
/// An instance with its configuration, clients and server, on smol.
pub type Ipc = ipc_driver::Ipc<Smol>;
