//! sim
#![forbid(unsafe_code)]
#![warn(missing_docs)]

mod account;
mod app;
mod campaign;
mod channel;
mod chatter;
mod client;
mod clock;
mod failure;
mod ledger;
mod network;
mod node;
mod random;
mod report;
mod scenario;
mod scenarios;
mod server;
mod simulation;
mod trace;
mod vandal;
mod watch;
mod world;

pub use account::{Account, Loss, Refusals, Tally};
pub use app::{App, Control, Happening, Peer};
pub use campaign::{Campaign, Outcome};
pub use client::ClientNode;
pub use failure::{Failure, Invariant};
pub use network::{Read, Sabotage, StreamId, Wire, Write};
pub use node::{AsAny, Context, Input, Node, NodeId};
pub use random::Random;
pub use report::{Fault, FaultCounts, Report, Summary};
pub use scenario::{Deployment, Faults, Scenario, Traffic};
pub use server::ServerNode;
pub use simulation::Simulation;
pub use world::World;
