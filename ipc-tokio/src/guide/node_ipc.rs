//! Each call of node-ipc, and what it is here.
//!
//! # For users of node-ipc
//!
//! [`Ipc`] is an instance of node-ipc: a configuration, the clients by id (`ipc.of`) and a server. Several live side by side, as
//! with `new ipc.IPC`. The two basic examples of node-ipc's README, line by line; the server:
//!
//! ```no_run
//! use ipc_tokio::{Config, Ipc};
//! use std::time::Duration;
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! // ipc.config.id = 'world'; ipc.config.retry = 1500;
//! let ipc = Ipc::new(Config::new("world").retry(Duration::from_millis(1500)));
//! // ipc.serve(function () {
//! let server = ipc.serve()?;
//! //     ipc.server.on('message', function (data, socket) {
//! server.on("message", |socket, data: String| {
//!     //     ipc.log('got a message : '.debug, data);
//!     println!("got a message : {data}");
//!     //     ipc.server.emit(socket, 'message', data + ' world!');
//!     socket.emit("message", &(data + " world!"))
//! });
//! //     ipc.server.on('socket.disconnected', function (socket, destroyedSocketID) {
//! server.on_disconnect(|_socket, id| {
//!     println!("client {} has disconnected!", id.unwrap_or("false"));
//! });
//! // ipc.server.start();
//! server.start().await?;
//! # std::future::pending().await
//! # }
//! ```
//!
//! The client:
//!
//! ```no_run
//! use ipc_tokio::{Config, Ipc};
//! use std::time::Duration;
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! // ipc.config.id = 'hello'; ipc.config.retry = 1500;
//! let ipc = Ipc::new(Config::new("hello").retry(Duration::from_millis(1500)));
//! // ipc.connectTo('world', function () {
//! let world = ipc.connect_to("world")?;
//! //     ipc.of.world.on('connect', function () {
//! let emitter = world.emitter();
//! world.on_connect(move || {
//!     println!("## connected to world ##");
//!     //     ipc.of.world.emit('message', 'hello');
//!     if let Err(error) = emitter.emit("message", "hello") {
//!         eprintln!("{error}");
//!     }
//! });
//! //     ipc.of.world.on('disconnect', function () {
//! world.on_disconnect(|_retry_in| println!("disconnected from world"));
//! //     ipc.of.world.on('message', function (data) {
//! world.on("message", |data: String| println!("got a message from world : {data}"));
//! world.start();
//! # std::future::pending().await
//! # }
//! ```
//!
//! Several servers and clients of one instance, at paths of their own, and what changes while they run:
//!
//! ```
//! use ipc_tokio::{Config, Ipc};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let folder = tempfile::tempdir()?;
//! # let path = folder.path().join("world").display().to_string();
//! let ipc = Ipc::new(Config::new("world"));
//! let server = ipc.serve_path(&path)?; // ipc.serve(path)
//! server.start().await?;
//! let udp = ipc.serve_udp4(Some("127.0.0.1"), Some(0))?; // ipc.serveNet(host, port, 'udp4'), beside the other
//! udp.start().await?;
//! assert!(ipc.server().is_some() && ipc.udp_server().is_some());
//!
//! let client = ipc.connect_to_path("neighbour", &path)?; // ipc.connectTo('neighbour', path)
//! client.connect().await?;
//! assert!(ipc.of("neighbour").is_some_and(|client| client.is_connected()));
//! // Once there is one of that name, it is given.
//! assert!(ipc.connect_to_path("neighbour", &path)?.is_connected());
//!
//! ipc.configure(|config| config.stop_retrying = true.into()); // reaches the clients that are there
//! assert!(ipc.disconnect("neighbour")); // ends it, and forgets it
//! client.destroyed().await;
//! assert!(ipc.of("neighbour").is_none());
//! # Ok(())
//! # }
//! ```
//!
//! [`Config`] has every option of node-ipc, by its own names in JSON ([`Config::from_json`]) and in snake case here, and starts
//! from a preset: [`Config::v9`] (the default) for node-ipc 9 to 12, [`Config::v14_fast`] and its stricter siblings for 14.
//! **Their `socketRoot` differs**, as it does between those versions: `/tmp/` in 9, a private directory of the user in
//! 14. To meet a node-ipc 14 that has its defaults, take a v14 preset, or give both sides the same path.
//!
//! | node-ipc | here |
//! |---|---|
//! | `ipc.connectTo(id)`, `(id, path)` | [`Ipc::connect_to`], [`Ipc::connect_to_path`], then [`Client::start`] |
//! | `ipc.connectToNet(id, host, port)` | [`Ipc::connect_to_net`], then [`Client::start`] |
//! | `ipc.serve()`, `(path)`, `ipc.serveNet(host, port)` | [`Ipc::serve`], [`Ipc::serve_path`], [`Ipc::serve_net`] |
//! | `ipc.server.start()`, `stop()` | [`Server::start`], [`Server::stop`]; [`Server::shutdown`] also ends the connections |
//! | `ipc.of.world.emit(type, data)`, without data | [`Client::emit`], [`Client::signal`] |
//! | `ipc.server.emit(socket, type, data)` | [`Server::emit`], [`Peer::emit`] |
//! | `ipc.server.broadcast(type, data)` | [`Server::broadcast`] |
//! | `ipc.serveNet(host, port, 'udp4')`, `'udp6'` | [`Ipc::serve_udp4`], [`Ipc::serve_udp6`] |
//! | `ipc.server.emit({address, port}, type, data)` | [`UdpServer::emit_to`], [`UdpPeer::emit`] |
//! | `ipc.server.sockets.push({address, port})` | [`UdpServer::add_peer`] |
//! | `ipc.disconnect(id)` | [`Ipc::disconnect`], [`Client::disconnect`] |
//! | events `connect`, `disconnect`, `destroy`, `error`, `data` | `on_connect`, `on_disconnect`, `on_destroy`, `on_error`, `on_data` |
//! | events `start`, `socket.disconnected` | [`Server::start`] returns; [`Server::on_disconnect`] |
//! | `ipc.log(…)`, `ipc.config.logger = …` | [`Ipc::log`] with [`Ipc::inspect`], [`Ipc::set_logger`] or that of a handle |
//! | `on('*', …)`, `once`, `off` | [`Client::on_any`], [`Client::once`], [`Client::off`] |
//! | `socket.id` | [`Peer::claimed_id`]: what the peer claims, as JSON text; its real name is [`Peer::id`] |
//! | `ipc.config.stopRetrying = true`, `ipc.config.retry = 50` | [`Client::set_stop_retrying`], [`Client::set_retry`], or [`Ipc::configure`] for all |
//!
//! Where this crate does something else than node-ipc it does so on purpose; each case stands with its reason in
//! `docs/compatibility.md` in the repository.

#[allow(unused_imports, reason = "for the links")]
use crate::*;
