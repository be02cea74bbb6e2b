//! The line protocol of a peer: one JSON object a line, commands in, facts out. The whole protocol that needs no network is here;
//! a peer adds sockets.
//!
//! How a peer is put together:
//!
//! 1. [`Options::parse`] reads the argument; [`Options::instance`] gives the first instance's [`NodeConfig`].
//! 2. [`Dispatcher::attach`] is called for every client and server that comes to be, and gives the [`EmitterId`] under which
//!    its events are told.
//! 3. Whatever happens is told to [`Dispatcher::event`]. It prints the lines that are due, in their order, and returns the
//!    [`Step`]s that handlers ask for: commands of the option `when`, and echoes. The peer performs them, and tells the
//!    outcome of commands to [`Dispatcher::when`].
//! 4. Every line of stdin goes through [`Call::read`]; the peer performs the [`Command`] and tells its [`Reply`] to
//!    [`Dispatcher::result`].
//!
//! Nothing here reads a clock but [`Clock`], and nothing opens or waits for anything.

mod arguments;
mod clock;
mod command;
mod config;
mod dispatch;
mod fields;
mod incoming;
mod lines;
mod options;
mod outgoing;

pub use arguments::{Arg, ConnectTo, ConnectToNet, Resolved, Serve, ServeNet};
pub use clock::{Clock, Stamp};
pub use command::{Call, Command, Emit, Handler, Target};
pub use config::{Family, NodeConfig, Preset, Unsupported};
pub use dispatch::{Dispatcher, EmitterId, Source, Step};
pub use fields::Misfit;
pub use incoming::{incoming, io_error, malformed, protocol_error, untyped_v9};
pub use lines::{Lines, Reply};
pub use options::{Options, Role, Tap, Transport, When};
pub use outgoing::{Envelope, envelope, raw_bytes};

#[cfg(test)]
mod tests;
