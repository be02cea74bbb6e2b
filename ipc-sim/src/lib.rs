//! sim
#![forbid(unsafe_code)]
#![warn(missing_docs)]

mod account;
mod app;
mod channel;
mod client;
mod clock;
mod failure;
mod ledger;
mod network;
mod node;
mod random;
mod server;
mod trace;
mod watch;
mod world;

pub use account::{Account, Loss, Refusals, Tally};
pub use app::{App, Control, Happening, Peer};
pub use client::ClientNode;
pub use failure::{Failure, Invariant};
pub use network::{Read, Sabotage, StreamId, Wire, Write};
pub use node::{AsAny, Context, Input, Node, NodeId};
pub use random::Random;
pub use server::ServerNode;
pub use world::World;
