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
//! | `socket.id` | [`Peer::claimed_id`]: what the peer claims; its real name is [`Peer::id`] |
//! | `ipc.config.stopRetrying = true`, `ipc.config.retry = 50` | [`Client::set_stop_retrying`], [`Client::set_retry`], or [`Ipc::configure`] for all |
//!
//! Where this crate does something else than node-ipc it does so on purpose; each case stands with its reason in
//! `docs/compatibility.md` in the repository.

#[allow(unused_imports, reason = "for the links")]
use crate::*;
