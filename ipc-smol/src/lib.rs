//! Named JSON events between processes, compatible with node-ipc, on smol.
//!
//! A server listens on a Unix socket, a Windows named pipe or TCP; clients connect, and connect again when they lose it. Either
//! side emits events: a name and whatever serde can write as JSON. The other side may be a Rust program, on any runtime, or a
//! Node program with [node-ipc](https://www.npmjs.com/package/node-ipc) 9 to 14.
//!
//! This crate has the whole API of `ipc-tokio`, name by name, and behaves as it does: one suite of tests runs over both. What the front
//! page of `ipc-tokio` teaches, from backpressure to restarts without a gap, holds here; below is what one needs to begin, and
//! what is different on smol.
//!
//! - [Sixty seconds](#sixty-seconds)
//! - [Handlers, or a stream of events](#handlers-or-a-stream-of-events)
//! - [TCP and TLS](#tcp-and-tls), [UDP](#udp)
//! - [Where tasks run](#where-tasks-run)
//!
//! # Sixty seconds
//!
//! A server. `Config::new("world")` makes it the service `world`, found at `/tmp/app.world`:
//!
//! ```no_run
//! use ipc_smol::{Config, Server};
//! use std::error::Error;
//!
//! fn main() -> Result<(), Box<dyn Error>> {
//!     smol::block_on(async {
//!         let server = Server::new(Config::new("world"))?;
//!         server.on("message", |peer, text: String| peer.emit("message", &format!("{text} world!")));
//!         server.start().await?;
//!         println!("listening at {}", server.local_endpoint());
//!         std::future::pending().await
//!     })
//! }
//! ```
//!
//! A client, which calls itself `hello` and looks for `world`:
//!
//! ```no_run
//! use ipc_smol::{Client, ClientEvent, Config};
//! use std::error::Error;
//!
//! fn main() -> Result<(), Box<dyn Error>> {
//!     smol::block_on(async {
//!         let client = Client::new("world", Config::new("hello"))?;
//!         let mut events = client.events();
//!         client.connect().await?; // tries until the server is there
//!         client.emit("message", "hello")?;
//!         while let Some(event) = events.recv().await {
//!             if let ClientEvent::Message(message) = event {
//!                 println!("{} says {:?}", message.name(), message.data::<String>()?);
//!                 break;
//!             }
//!         }
//!         client.close().await?;
//!         Ok(())
//!     })
//! }
//! ```
//!
//! # Handlers, or a stream of events
//!
//! A handler is a closure for one event name. It runs inline, on the task that reads the connection, and must not block. What no
//! handler takes comes to the stream, in order, and so does the lifecycle of connections; a full stream slows its peers down
//! and drops nothing.
//!
//! ```
//! use ipc_smol::{Client, Config, Server, ServerEvent};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # smol::block_on(async {
//! let server = Server::net(Some("127.0.0.1"), Some(0), Config::new("calculator"))?;
//! server.on("sum", |peer, numbers: Vec<f64>| peer.emit("total", &numbers.iter().sum::<f64>()));
//! let mut events = server.events();
//! server.start().await?;
//!
//! let client = Client::net(Some("127.0.0.1"), server.local_endpoint().port(), Config::new("me"))?;
//! let (total, totals) = smol::channel::bounded(8);
//! client.on("total", move |sum: f64| total.try_send(sum)); // full is an error, and goes to `on_error`
//! client.connect().await?;
//! client.emit("sum", &[1.0, 2.0, 3.5])?;
//! client.emit("error", "only a name")?;
//! assert_eq!(totals.recv().await?, 6.5);
//!
//! assert!(matches!(events.recv().await, Some(ServerEvent::Started(_))));
//! assert!(matches!(events.recv().await, Some(ServerEvent::Connected(_))));
//! let Some(ServerEvent::Message(_, message)) = events.recv().await else { panic!() };
//! assert_eq!(message.name(), "error");
//! # Ok(())
//! # })
//! # }
//! ```
//!
//! # TCP and TLS
//!
//! [`Client::net`] and [`Server::net`] take a host and a port; with port 0 the system chooses. With the option
//! [`tls`](field@Config::tls) both talk TLS 1.3 or 1.2. A certificate to trust is that of an authority, or the peer's own by
//! exact match:
//!
//! ```no_run
//! use ipc_smol::{Client, Config, Server, TlsOptions};
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let tls = TlsOptions::new().private("server.key").public("server.pub");
//! let server = Server::serve_net(Some("0.0.0.0"), Some(8000), Config::new("world").tls(tls)).await?;
//!
//! let tls = TlsOptions::new().trusted_connection("server.pub");
//! let client = Client::connect_to_net(Some("localhost"), Some(8000), Config::new("hello").tls(tls)).await?;
//! # Ok(())
//! # }
//! ```
//!
//! # UDP
//!
//! Over UDP every process is a [`UdpServer`], which receives from anybody, answers the sender, and emits to any address.
//!
//! ```
//! use ipc_smol::{Config, UdpServer};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # smol::block_on(async {
//! let world = UdpServer::udp4(Some("127.0.0.1"), Some(0), Config::new("world"))?;
//! world.on("message", |peer, text: String| peer.emit("message", &format!("{text} world!")));
//! world.start().await?;
//!
//! let hello = UdpServer::udp4(Some("127.0.0.1"), Some(0), Config::new("hello"))?;
//! let (sender, answers) = smol::channel::bounded(8);
//! hello.on("message", move |_, text: String| sender.try_send(text));
//! hello.start().await?;
//! hello.emit_to(world.local_address().ok_or("it is started")?, "message", "hello")?;
//! assert_eq!(answers.recv().await?, "hello world!");
//! # Ok(())
//! # })
//! # }
//! ```
//!
//! # Where tasks run
//!
//! Every connection is one task. Handles made by `Client::new` and its like run on smol's global executor; nothing needs to be
//! set up, and no runtime needs to be entered. `Client::with_runtime`, `Server::with_runtime` and `Ipc::with_runtime` take a [`Smol`] with
//! an executor of your own, which has to be run by somebody: on one thread, on many, or beside a game loop.
//!
//! ```
//! use ipc_smol::{Config, Ipc, Smol};
//! use std::sync::Arc;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let folder = tempfile::tempdir()?;
//! # let root = format!("{}/", folder.path().display());
//! let executor = Arc::new(smol::Executor::new());
//! let ipc = Ipc::with_runtime(Smol::from(&executor), Config::new("world").socket_root(root));
//! smol::block_on(executor.run(async {
//!     let server = ipc.serve()?;
//!     server.on("ping", |peer, n: u64| peer.emit("pong", &(n + 1)));
//!     server.start().await?;
//!     let client = ipc.connect_to("world")?;
//!     let (answer, answers) = smol::channel::bounded(1);
//!     client.on("pong", move |n: u64| answer.try_send(n));
//!     client.connect().await?;
//!     client.emit("ping", &1)?;
//!     assert_eq!(answers.recv().await?, 2);
//!     Ok::<(), Box<dyn std::error::Error>>(())
//! }))?;
//! # Ok(())
//! # }
//! ```
//!
//! Sockets and timers are those of [async-io](https://docs.rs/async-io), which a thread of its own drives where no thread is in
//! `smol::block_on`. A message is cheapest where the thread that waits for sockets also runs the tasks, as in the example above: with the
//! global executor and a main thread that sits in `block_on`, that one waits for the sockets and wakes the other for every message.
//! `emit` and everything else that does not wait may be called from any thread; the futures may be polled by any executor.
//!
//! An executor of your own is not kept alive by handles. When it is dropped its tasks are dropped with it, and so are the connections:
//! call [`Client::close`] or [`Server::shutdown`] first.

#![forbid(unsafe_code)]
#![warn(missing_docs)]
// docs.rs shows which feature an item needs.
#![cfg_attr(docsrs, feature(doc_cfg))]

mod runtime;

#[cfg(feature = "derive")]
pub use ipc_derive::{ContractOfSmol as Contract, RequestOfSmol as Request};
pub use ipc_driver::api::*;
/// The TLS library, for [`Client::set_tls`] and [`Server::set_tls`].
#[cfg(feature = "tls")]
#[doc(no_inline)]
pub use ipc_driver::rustls;
pub use runtime::Smol;

/// A reconnecting client on smol.
pub type Client = ipc_driver::Client<Smol>;
/// A server on smol.
pub type Server = ipc_driver::Server<Smol>;
/// A UDP socket that speaks events, on smol.
pub type UdpServer = ipc_driver::UdpServer<Smol>;
/// An instance with its configuration, clients and server, on smol.
pub type Ipc = ipc_driver::Ipc<Smol>;
