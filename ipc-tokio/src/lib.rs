//! Named JSON events between processes, compatible with node-ipc, on Tokio.

#![forbid(unsafe_code)]
#![warn(missing_docs)]

mod runtime;
mod stream;

pub use ipc_driver::api::*;
pub use runtime::Tokio;

/// A reconnecting client on Tokio.
pub type Client = ipc_driver::Client<Tokio>;
/// A server on Tokio.
pub type Server = ipc_driver::Server<Tokio>;
/// An instance with its configuration, clients and server, on Tokio.
pub type Ipc = ipc_driver::Ipc<Tokio>;
