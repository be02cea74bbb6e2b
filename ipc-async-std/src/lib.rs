//! Named JSON events between processes, compatible with node-ipc, on async-std.
//!
//! A server listens on a Unix socket, a Windows named pipe or TCP; clients connect, and connect again when they lose it. Either
//! side emits events: a name and whatever serde can write as JSON. The other side may be a Rust program, on any runtime, or a
//! Node program with [node-ipc](https://www.npmjs.com/package/node-ipc) 9 to 14.
//!
//! async-std is discontinued: a new program is better off with `ipc-smol`, which has the same reactor and the same API.
//!
//! This crate has the whole API of `ipc-tokio`, name by name, and behaves as it does: one suite of tests runs over both. What the front
//! page of `ipc-tokio` teaches, from backpressure to restarts without a gap, holds here; below is what one needs to begin, and
//! what is different on async-std.
//!
//! - [Sixty seconds](#sixty-seconds)
//! - [Handlers, or a stream of events](#handlers-or-a-stream-of-events)
//! - [TCP and TLS](#tcp-and-tls), [UDP](#udp)
//! - [Where tasks run](#where-tasks-run)
//!
//! # Sixty seconds
//!
//! In `Cargo.toml`, beside a clone of the repository that is called `ipc`:
//!
//! ```toml
//! [dependencies]
//! ipc-async-std = { path = "../ipc/ipc-async-std" }
//! async-std = { version = "1", features = ["attributes"] }
//! ```
//!
//! A server. `Config::new("world")` makes it the service `world`, found at `/tmp/app.world`:
//!
//! ```no_run
//! use ipc_async_std::{Config, Server};
//! use std::error::Error;
//!
//! fn main() -> Result<(), Box<dyn Error>> {
//!     async_std::task::block_on(async {
//!         let server = Server::new(Config::new("world"))?;
//!         server.on_error(|peer, error| eprintln!("peer {}: {error}", peer.id()));
//!         server.on("message", |peer, text: String| peer.emit("message", &format!("{text} world!")));
//!         server.start().await?;
//!         println!("listening at {}", server.local_endpoint());
//!         std::future::pending().await
//!     })
//! }
//! ```
//!
//! A client, whose own id is `hello`, and which looks for `world`:
//!
//! ```no_run
//! use ipc_async_std::{Client, ClientEvent, Config};
//! use std::error::Error;
//!
//! fn main() -> Result<(), Box<dyn Error>> {
//!     async_std::task::block_on(async {
//!         let client = Client::new("world", Config::new("hello"))?;
//!         client.on_error(|error| eprintln!("{error}"));
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
//! With an attribute `main` is `async`, as in programs on `ipc-tokio`; timers are the runtime's, and Ctrl-C comes by the crate
//! [async-signal](https://docs.rs/async-signal):
//!
//! ```no_run
//! use ipc_async_std::{Client, Config};
//! use std::time::Duration;
//!
//! #[async_std::main]
//! async fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     let client = Client::connect_to("world", Config::new("hello")).await?;
//!     for number in 0..3 {
//!         client.emit("message", &format!("hello {number}"))?;
//!         async_std::task::sleep(Duration::from_secs(1)).await;
//!     }
//!     client.close().await?;
//!     Ok(())
//! }
//! ```
//!
//! # Handlers, or a stream of events
//!
//! A handler is a closure for one event name. It runs inline, on the task that reads the connection, and must not block. What it
//! takes owns its data, `String` and not `&str`: else the compiler says "implementation of `Deserialize` is not general enough". What no
//! handler takes comes to the stream, in order, and so does the lifecycle of connections; a full stream slows its peers down
//! and drops nothing.
//!
//! ```
//! use ipc_async_std::{Client, Config, Server, ServerEvent};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # async_std::task::block_on(async {
//! let server = Server::net(Some("127.0.0.1"), Some(0), Config::new("calculator"))?;
//! server.on("sum", |peer, numbers: Vec<f64>| peer.emit("total", &numbers.iter().sum::<f64>()));
//! let mut events = server.events();
//! server.start().await?;
//!
//! let client = Client::net(Some("127.0.0.1"), server.local_endpoint().port(), Config::new("me"))?;
//! let (total, totals) = async_std::channel::bounded(8);
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
//! use ipc_async_std::{Client, Config, Server, TlsOptions};
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
//! use ipc_async_std::{Config, UdpServer};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # async_std::task::block_on(async {
//! let world = UdpServer::udp4(Some("127.0.0.1"), Some(0), Config::new("world"))?;
//! world.on("message", |peer, text: String| peer.emit("message", &format!("{text} world!")));
//! world.start().await?;
//!
//! let hello = UdpServer::udp4(Some("127.0.0.1"), Some(0), Config::new("hello"))?;
//! let (sender, answers) = async_std::channel::bounded(8);
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
//! Every connection is one task on async-std's executor, of which there is one in a process; nothing needs to be set up, and no
//! runtime needs to be entered. Sockets and timers are those of [async-io](https://docs.rs/async-io). A message is cheapest where the
//! thread that waits for sockets also runs the tasks: a main thread that sits in `task::block_on` waits for the sockets and
//! wakes another for every message. `emit` and everything else that does not wait may be called from any thread; the futures may be
//! polled by any executor.

#![forbid(unsafe_code)]
#![warn(missing_docs)]
// docs.rs shows which feature an item needs.
#![cfg_attr(docsrs, feature(doc_cfg))]

mod runtime;

#[cfg(feature = "derive")]
pub use ipc_derive::{ContractOfAsyncStd as Contract, RequestOfAsyncStd as Request};
pub use ipc_driver::api::*;
/// The TLS library, for [`Client::set_tls`] and [`Server::set_tls`].
#[cfg(feature = "tls")]
#[doc(no_inline)]
pub use ipc_driver::rustls;
pub use runtime::AsyncStd;

/// A reconnecting client, on async-std.
///
/// ```
/// use ipc_async_std::{Client, Config, Server};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # async_std::task::block_on(async {
/// let server = Server::net(Some("127.0.0.1"), Some(0), Config::new("world"))?;
/// server.on_request("double", |_peer, number: u32| Ok::<_, String>(2 * number));
/// server.start().await?;
///
/// let client = Client::net(Some("127.0.0.1"), server.local_endpoint().port(), Config::new("hello"))?;
/// client.on_error(|error| eprintln!("{error}"));
/// client.connect().await?; // tries until the server is there
/// client.emit("message", "hello")?;
/// assert_eq!(client.request::<u32>("double", &21).await?, 42);
/// client.close().await?; // sends what is queued first
/// # Ok(())
/// # })
/// # }
/// ```
///
#[doc = include_str!("handles/client.md")]
pub type Client = ipc_driver::Client<AsyncStd>;
/// A server, on async-std.
///
/// ```
/// use ipc_async_std::{Client, ClientEvent, Config, Server};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # async_std::task::block_on(async {
/// let server = Server::net(Some("127.0.0.1"), Some(0), Config::new("world"))?; // 0: the system chooses a port
/// server.on_error(|peer, error| eprintln!("peer {}: {error}", peer.id()));
/// server.on("message", |peer, text: String| peer.emit("message", &format!("{text} world!")));
/// server.start().await?;
/// println!("listening at {}", server.local_endpoint());
///
/// let client = Client::connect_to_net(Some("127.0.0.1"), server.local_endpoint().port(), Config::new("hello")).await?;
/// let mut events = client.events();
/// client.emit("message", "hello")?;
/// while let Some(event) = events.recv().await {
///     let ClientEvent::Message(message) = event else { continue };
///     assert_eq!(message.data::<String>()?, "hello world!");
///     break;
/// }
/// let report = server.shutdown(std::time::Duration::from_secs(5)).await;
/// assert_eq!((report.clean, report.cut), (1, 0));
/// # Ok(())
/// # })
/// # }
/// ```
///
#[doc = include_str!("handles/server.md")]
pub type Server = ipc_driver::Server<AsyncStd>;
/// A UDP socket that speaks events, on async-std.
///
/// ```
/// use ipc_async_std::{Config, UdpEvent, UdpServer};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # async_std::task::block_on(async {
/// let world = UdpServer::udp4(Some("127.0.0.1"), Some(0), Config::new("world"))?;
/// world.on("message", |peer, text: String| peer.emit("message", &format!("{text} world!")));
/// world.start().await?;
///
/// let hello = UdpServer::udp4(Some("127.0.0.1"), Some(0), Config::new("hello"))?;
/// let mut events = hello.events();
/// hello.start().await?;
/// hello.emit_to(world.local_address().ok_or("it is started")?, "message", "hello")?;
/// while let Some(event) = events.recv().await {
///     let UdpEvent::Message(peer, message) = event else { continue };
///     assert_eq!(message.data::<String>()?, "hello world!");
///     assert_eq!(Some(peer.address()), world.local_address());
///     break;
/// }
/// # Ok(())
/// # })
/// # }
/// ```
///
#[doc = include_str!("handles/udp_server.md")]
pub type UdpServer = ipc_driver::UdpServer<AsyncStd>;
/// An instance with its configuration, clients and server, on async-std.
///
/// ```
/// use ipc_async_std::{Config, Ipc};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # async_std::task::block_on(async {
/// let ipc = Ipc::new(Config::new("world").max_retries(3));
/// let server = ipc.serve_net(Some("127.0.0.1"), Some(0))?;
/// server.on("message", |peer, text: String| peer.emit("message", &format!("{text} world!")));
/// server.start().await?;
///
/// let client = ipc.connect_to_net("world", Some("127.0.0.1"), server.local_endpoint().port())?;
/// client.connect().await?;
/// assert!(ipc.of("world").is_some_and(|client| client.is_connected()));
/// client.emit("message", "hello")?;
/// client.close().await?;
/// # Ok(())
/// # })
/// # }
/// ```
///
#[doc = include_str!("handles/ipc.md")]
pub type Ipc = ipc_driver::Ipc<AsyncStd>;
