//! Deterministic simulation for [`ipc_proto`]: fleets of clients and servers on a seeded network in virtual time, with
//! invariants that are checked at every step.
//!
//! Nothing here opens a socket, waits for a clock or asks the system for chance. A *seed* decides when bytes arrive and in
//! which pieces, which connections are cut and which servers crash; the same seed gives the same run, down to the hash of its
//! trace. What would take a fleet a day takes a second, and what goes wrong once goes wrong again.
//!
//! It is for
//!
//! * **authors of programs on `ipc-proto`**, who put their own logic on a network that misbehaves: an [`App`] above a
//!   [`ClientNode`] or [`ServerNode`], or a [`Node`] that has streams and nothing else;
//! * **those who change `ipc-proto`**: the command `ipc-sim` plays [`Scenario::all`] by the hundred thousand.
//!
//! # A program on a bad network
//!
//! An app is anything that takes what happened and a [`Control`] to act with; a closure will do. Here the network cuts the only
//! connection while events are on their way, and a client that waits for answers asks again.
//!
//! ```
//! use std::time::Duration;
//!
//! use ipc_proto::{Config, Endpoint, Host, Message, Offline, Platform};
//! use ipc_sim::{ClientNode, Control, Happening, Peer, ServerNode, Wire, World};
//!
//! let config = Config::new("world").retry(Duration::from_millis(50)).offline(Offline::Buffer);
//! let settings = config.build(&Host::new("sim", Platform::Linux))?;
//! let endpoint = Endpoint::local(&settings, None)?;
//!
//! let mut world = World::new(42, Wire::default());
//! world.add(ServerNode::new(settings.clone(), endpoint.clone(), |what: Happening<'_>, control: &mut Control<'_, '_>| {
//!     if let Happening::Event(peer, event) = what {
//!         control.emit(peer, &event.to_message()).unwrap(); // an echo
//!     }
//! }));
//! let mut asked = 0;
//! let client = ClientNode::new(settings, endpoint, move |what: Happening<'_>, control: &mut Control<'_, '_>| {
//!     match what {
//!         Happening::Connected(_) => {} // ask (again)
//!         Happening::Event(_, answer) if answer.data::<u32>().is_ok_and(|number| number == asked) => asked += 1,
//!         _ => return,
//!     }
//!     if asked < 100 {
//!         control.emit(Peer::SERVER, &Message::new("ask", &asked).unwrap()).unwrap();
//!     } else {
//!         control.close(Peer::SERVER);
//!     }
//! });
//! let client = world.add(client);
//!
//! for _ in 0..5 {
//!     world.run_for(Duration::from_millis(20))?; // fails if an invariant is broken
//!     if let Some(&stream) = world.streams().first() {
//!         world.cut(stream, Duration::ZERO, Duration::from_millis(10));
//!     }
//! }
//! world.run_for(Duration::from_secs(60))?; // of virtual time
//! assert!(world.account().delivered.messages >= 200);
//! assert!(world.streams().is_empty());
//! # let _ = client;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! The example `own_protocol` puts a hand-written peer with raw streams beside them.
//!
//! # A whole fleet
//!
//! A [`Scenario`] says who takes part, with which configurations, and what goes wrong how often; a [`Simulation`] is one seed
//! of it. It plays trouble for a while, then lets everything settle, proves that everybody is connected again and that every
//! event comes through, ends everything, and closes the books.
//!
//! ```
//! use std::time::Duration;
//!
//! use ipc_proto::{Config, Offline};
//! use ipc_sim::{Scenario, Simulation};
//!
//! let mut scenario = Scenario::new("mine");
//! scenario.clients = 2..=8;
//! scenario.faults.cut = Some(Duration::from_millis(200)); // on average
//! scenario.faults.crash = Some(Duration::from_secs(1));
//! let server = Config::new("world");
//! let client = Config::new("me").retry(Duration::from_millis(100)).offline(Offline::Buffer);
//! let scenario = scenario.deploy(&server, &[client])?;
//!
//! for seed in 0..10 {
//!     let report = Simulation::new(seed, &scenario).run()?; // the error shows the seed and the last of the trace
//!     assert!(report.account.is_balanced());
//! }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # What must hold
//!
//! | [`Invariant`] | |
//! |---|---|
//! | `Order` | what comes out of a connection is what went in: in order, no gap, no duplicate, not a bit changed; a peer that keeps to the protocol is never told otherwise |
//! | `Accounting` | every emit ends as delivered, refused or lost for a named reason ([`Loss`]); `Unsent`, `dropped` and `pending` of the machines agree with the books to the byte; nothing that was written before a clean end is missing |
//! | `Lifecycle` | events and actions in an order that makes sense, none after `Destroyed`; the book of a server has exactly those who are connected |
//! | `Attempts` | as many retries as `maxRetries` and `stopRetrying` allow, no fewer, and each wait within what `retry` and `backoff` say |
//! | `Bounds` | queues, offline queues, unfinished messages and books keep their bounds, and refuse nothing that fits; `messageTimeout` runs from where it should |
//! | `Convergence` | within [`Scenario::settles_within`] after the last fault everybody who may is connected, queues are empty, and what is emitted then is delivered |
//! | `Progress` | at every instant there is an end of what is to be done |
//! | `Panic`, `Custom` | nothing panics; and whatever you demand with [`Context::fail`] |
//!
//! That each of them can fail is tested: [`World::sabotage`] breaks the network in ways no stream may.
//!
//! # The network
//!
//! Streams with bounded buffers and latency ([`Wire`]); bytes arrive in pieces or together, reads and writes may take less than
//! they could. A stream ends by a clean end, by a reset (what had come may be lost with it, as real systems have it), or by a
//! cut that one end or both do not notice for a while. Datagrams are not simulated.
//!
//! # The command
//!
//! ```text
//! cargo run --release -p ipc-sim -- [--seeds A..B | --seed N] [--scenario NAME] [--jobs N] [--trace] [--list]
//! ```
//!
//! It ends with a status other than 0 if an invariant is broken, and names the line that plays the same again.

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

/// The README's examples run, too.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
