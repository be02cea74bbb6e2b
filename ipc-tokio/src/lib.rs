//! Named JSON events between processes, compatible with node-ipc, on Tokio.
//!
//! A server listens on a Unix socket, a Windows named pipe or TCP; clients connect, and connect again when they lose it. Either side emits
//! events: a name and whatever serde can write as JSON. The other side may be a Rust program or a Node program with
//! [node-ipc](https://www.npmjs.com/package/node-ipc) 9 to 14: on the wire both say `{"type":…,"data":…}` and a form feed.
//!
//! - [Sixty seconds](#sixty-seconds)
//! - [Handlers, or a stream of events](#handlers-or-a-stream-of-events)
//! - [All events as one enum](#all-events-as-one-enum)
//! - [`emit` or `send`](#emit-or-send), and [peers that read slowly](#peers-that-read-slowly)
//! - [Groups](#groups), [requests](#requests)
//! - [Ending: `close`, `disconnect`, `abort`](#ending)
//! - [Errors](#errors)
//! - [Reconnecting, and events emitted meanwhile](#reconnecting)
//! - [What is counted](#what-is-counted), [what is bounded](#what-is-bounded), [runtimes](#runtimes)
//!
//! The [guide] goes on from there, a page for each subject:
//!
//! - [`guide::local_sockets`]: files and their modes, pipes of Windows, abstract names, who is let in
//! - [`guide::tcp`], [`guide::tls`], [`guide::udp`], [`guide::raw`]
//! - [`guide::listeners`]: sharing a listener, sockets from systemd, restarting without a gap
//! - [`guide::options`]: from a file or the environment
//! - [`guide::node_ipc`]: for those who know node-ipc, with each of its calls and what it is here
//!
//! Pages named `docs/….md` are those of the project's book. They lie in the folder `docs` of the repository, so in your clone, and
//! `docs/README.md` there says where to begin.
//!
//! # Sixty seconds
//!
//! In `Cargo.toml`, beside a clone of the repository that is called `ipc`:
//!
//! ```toml
//! [dependencies]
//! ipc-tokio = { path = "../ipc/ipc-tokio" }
//! tokio = { version = "1", features = ["macros", "rt-multi-thread", "signal", "sync", "time"] }
//! ```
//!
//! Examples that derive serde's traits or name `serde_json` need these crates too.
//!
//! A server. `Config::new("world")` makes it the service `world`, found at `/tmp/app.world`:
//!
//! ```no_run
//! use ipc_tokio::{Config, Server};
//! use std::time::Duration;
//!
//! #[tokio::main]
//! async fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     let server = Server::new(Config::new("world"))?;
//!     server.on_error(|peer, error| eprintln!("peer {}: {error}", peer.id()));
//!     server.on("message", |peer, text: String| {
//!         println!("got {text:?} from peer {}", peer.id());
//!         peer.emit("message", &format!("{text} world!"))
//!     });
//!     server.start().await?;
//!     println!("listening at {}", server.local_endpoint());
//!
//!     tokio::signal::ctrl_c().await?;
//!     let report = server.shutdown(Duration::from_secs(5)).await;
//!     println!("{} connections were still open, {} of them cut", report.clean + report.cut, report.cut);
//!     Ok(())
//! }
//! ```
//!
//! A client, whose own id is `hello`, and which looks for `world`:
//!
//! ```no_run
//! use ipc_tokio::{Client, ClientEvent, Config};
//!
//! #[tokio::main]
//! async fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     let client = Client::new("world", Config::new("hello"))?;
//!     client.on_error(|error| eprintln!("{error}"));
//!     let mut events = client.events();
//!     client.connect().await?; // tries until the server is there
//!     client.emit("message", "hello")?;
//!     while let Some(event) = events.recv().await {
//!         if let ClientEvent::Message(message) = event {
//!             println!("{} says {:?}", message.name(), message.data::<String>()?);
//!             break;
//!         }
//!     }
//!     client.close().await?;
//!     Ok(())
//! }
//! ```
//!
//! # Handlers, or a stream of events
//!
//! There are two ways to receive, on clients and servers alike, and they go together.
//!
//! **A handler** is a closure for one event name. It runs *inline*, on the task that reads the connection: nothing is queued
//! in between, and all answers to what one read brought leave in one write. The handlers of one connection run one at a
//! time and in order; those of different connections run side by side. So a handler should be quick and must not block:
//! hand longer work to a task of your own. Register handlers before [`start`](Client::start) or
//! [`connect`](Client::connect), or a quick peer's first event may come too early.
//!
//! What a handler takes is up to its last argument: any type serde can read, [`Message`] for the event as it came, or,
//! with [`on_event`](Server::on_event), an [`Event`] that still lies in the read buffer. The type owns its data, `String` and not `&str`: else
//! the compiler says "implementation of `Deserialize` is not general enough". What it returns may be nothing or
//! a `Result`; an error goes to [`on_error`](Server::on_error), and so does a payload that is not what the handler takes.
//! Return an error rather than panic: a panic ends the task of the connection.
//!
//! **The stream** ([`Client::events`], [`Server::events`]) brings every event that no handler took, and the lifecycle of
//! connections, as one enum ([`ClientEvent`], [`ServerEvent`]). It holds `eventQueue` events. When it is full its
//! connections are not read any more, so that the peers slow down; nothing is dropped.
//!
//! Lifecycle and wire are different types. A peer may send an event *named* `error`, `connect` or `close`: it is a
//! message like any other, and cannot be taken for a lifecycle event.
//!
//! ```
//! use ipc_tokio::{Client, Config, Server, ServerEvent};
//! use serde::Deserialize;
//!
//! #[derive(Deserialize)]
//! struct Sum {
//!     numbers: Vec<f64>,
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let server = Server::net(Some("127.0.0.1"), Some(0), Config::new("calculator"))?;
//! server.on("sum", |peer, sum: Sum| peer.emit("total", &sum.numbers.iter().sum::<f64>()));
//! let mut events = server.events();
//! server.start().await?;
//!
//! let client = Client::net(Some("127.0.0.1"), server.local_endpoint().port(), Config::new("me"))?;
//! let (total, mut totals) = tokio::sync::mpsc::channel(8);
//! client.on("total", move |sum: f64| total.try_send(sum)); // full is an error, and goes to `on_error`
//! client.connect().await?;
//! client.emit("sum", &serde_json::json!({ "numbers": [1, 2, 3.5] }))?;
//! client.emit("error", "only a name")?;
//! assert_eq!(totals.recv().await, Some(6.5));
//!
//! assert!(matches!(events.recv().await, Some(ServerEvent::Started(_))));
//! assert!(matches!(events.recv().await, Some(ServerEvent::Connected(_))));
//! // Nobody handles `error` on the server, so it comes here; `sum` was taken by its handler.
//! let Some(ServerEvent::Message(peer, message)) = events.recv().await else { panic!() };
//! assert_eq!((peer.id().get(), message.name()), (0, "error"));
//! # client.close().await?;
//! # server.shutdown(std::time::Duration::from_secs(5)).await;
//! # Ok(())
//! # }
//! ```
//!
//! # All events as one enum
//!
//! Names are strings, which the compiler does not read. With the feature `derive` an enum says which events there are and what they
//! carry, for all handles: a [`Contract`](trait@Contract). Its events are written and read as the others are, so that the other side needs not
//! know of it. What it does not have goes to other handlers and to the stream.
//!
//! ```
//! # #[cfg(feature = "derive")]
//! # fn example() -> Result<(), Box<dyn std::error::Error>> {
//! use ipc_tokio::{Contract, Message, Server};
//!
//! #[derive(Contract, Debug, PartialEq)]
//! enum Chat {
//!     Joined(String),                         // {"type":"joined","data":"ann"}
//!     Message { from: String, text: String }, // {"type":"message","data":{"from":"ann","text":"hi"}}
//!     Ping,                                   // {"type":"ping","data":{}}
//! }
//!
//! fn handle(server: &Server) {
//!     server.on_typed(|peer, event: Chat| match event {
//!         Chat::Ping => peer.emit_typed(&Chat::Ping),
//!         Chat::Joined(_) | Chat::Message { .. } => Ok(()),
//!     });
//!     server.on_variant(Chat::JOINED, |_peer, who| println!("{who} joined")); // `who` can only be a String
//! }
//!
//! let message = Message::from_json("joined", Some("\"ann\""))?;
//! assert_eq!(Chat::try_from(&message)?, Chat::Joined("ann".into()));
//! # Ok(())
//! # }
//! # #[cfg(feature = "derive")]
//! # example().unwrap();
//! ```
//!
//! `docs/contracts.md` in the repository has the rules; it also shows how a contract is declared in TypeScript for the Node side
//! (feature `typescript`).
//!
//! # `emit` or `send`
//!
//! [`emit`](Client::emit) queues an event and returns at once; it never blocks, and may be called from handlers and from any
//! thread. It is *queued*, or *refused* with an [`EmitError`] that says why; then nothing of it was queued:
//!
//! | error | meaning | what to do |
//! |---|---|---|
//! | [`Full`](EmitError::Full) | the peer reads more slowly than you write: `maxPendingBytes` are waiting | wait (`send`), drop it, or raise the limit |
//! | [`TooSlow`](EmitError::TooSlow) | it was full, and [`slow_consumer`](field@Config::slow_consumer) says to end the connection for it | see [below](#peers-that-read-slowly) |
//! | [`NotConnected`](EmitError::NotConnected) | the client has no connection just now | see [below](#reconnecting) |
//! | [`Closed`](EmitError::Closed) | the connection or client has ended, or is ending | nothing more can be sent |
//! | [`Encode`](EmitError::Encode) | the event cannot be written: serde failed, it is too large, its name is not allowed | mend the event |
//! | [`WrongMode`](EmitError::WrongMode) | an event on a raw connection, or bytes on a framed one | `emit_raw`, or `emit` |
//! | [`TooLarge`](EmitError::TooLarge) | over UDP: the event does not fit into a datagram | send less at a time, or use TCP |
//! | [`Address`](EmitError::Address) | over UDP: this socket cannot send to that address | name one of its family, with a port |
//!
//! [`send(…).await`](Client::send) is the same, but waits for room instead of saying `Full`: the way to send much. It is cancel
//! safe: a call dropped before it is ready has queued nothing. Never await it inside a handler; a handler that answers its
//! own peer may fill the queue to twice the limit instead, and while it is above the limit that peer is not read.
//!
//! The events of one connection arrive in the order in which they were emitted. A server emits to one peer
//! ([`Peer::emit`]), or to all of them ([`Server::broadcast`]), encoding the event once and counting who could not take it.
//! To send one event in many ways, make it a [`Frame`] or a [`Message`]. `docs/emitting.md` in the repository has every form.
//!
//! A handler of a client that wants to emit takes an [`Emitter`] ([`Client::emitter`]): unlike a clone of the client it does
//! not keep the client alive, which would be a circle.
//!
//! # Peers that read slowly
//!
//! The option [`slow_consumer`](field@Config::slow_consumer) says what `emit` and `broadcast` do when a queue is full:
//!
//! | [`SlowConsumer`] | |
//! |---|---|
//! | `Refuse`, the default | the emit fails with [`EmitError::Full`] |
//! | `DropOldest` | the events that have waited longest make room |
//! | `DropNewest` | the event itself is dropped, and the emit succeeds |
//! | `Disconnect` | the connection is ended; a client connects again |
//!
//! ```
//! use ipc_tokio::{Client, Config, Server, ServerEvent, SlowConsumer};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let config = Config::new("progress").max_pending_bytes(100).slow_consumer(SlowConsumer::DropNewest);
//! let server = Server::net(Some("127.0.0.1"), Some(0), config)?;
//! # let mut events = server.events();
//! # server.start().await?;
//! # let client = Client::net(Some("127.0.0.1"), server.local_endpoint().port(), Config::new("me"))?;
//! # let (told, mut heard) = tokio::sync::mpsc::unbounded_channel();
//! client.on("percent", move |percent: u32| told.send(percent));
//! # client.connect().await?;
//! # let peer = loop {
//! #     if let Some(ServerEvent::Connected(peer)) = events.recv().await {
//! #         break peer;
//! #     }
//! # };
//! for percent in 10..20 {
//!     peer.emit("percent", &percent)?; // 29 bytes each; without an `await` nothing is written in between
//! }
//! assert_eq!(peer.counters().sent.lost.dropped_newest.events, 7);
//! peer.close().await?;
//! assert_eq!([heard.recv().await, heard.recv().await, heard.recv().await], [Some(10), Some(11), Some(12)]);
//! # assert!(heard.try_recv().is_err());
//! # Ok(())
//! # }
//! ```
//!
//! Or the slow one is sent away:
//!
//! ```
//! use ipc_tokio::{Client, Config, EmitError, Server, ServerEvent, SlowConsumer};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let config = Config::new("replica").max_pending_bytes(100).slow_consumer(SlowConsumer::Disconnect);
//! let server = Server::net(Some("127.0.0.1"), Some(0), config)?;
//! let mut events = server.events();
//! # server.start().await?;
//! # let client = Client::net(Some("127.0.0.1"), server.local_endpoint().port(), Config::new("me").max_retries(0))?;
//! # client.connect().await?;
//! # let peer = loop {
//! #     if let Some(ServerEvent::Connected(peer)) = events.recv().await {
//! #         break peer;
//! #     }
//! # };
//! let refused = (10..20).find_map(|number| peer.emit("change", &number).err());
//! assert!(matches!(refused, Some(EmitError::TooSlow { .. })));
//! while let Some(event) = events.recv().await {
//!     if let ServerEvent::Disconnected { had_error, .. } = event {
//!         assert!(had_error);
//!         break;
//!     }
//! }
//! assert!(peer.is_closed());
//! # assert_eq!(peer.counters().sent.lost.too_slow.events, 3);
//! # Ok(())
//! # }
//! ```
//!
//! Only whole events are dropped, each is counted by reason, and `send` waits whatever the policy is. One peer's queue is no
//! other's: a broadcast goes to the fast ones. `docs/backpressure.md` in the repository has the details.
//!
//! # Groups
//!
//! [`Peer::join`] takes a peer into a group, [`Peer::leave`] takes it out, and so does the end of its connection.
//! [`Peer::group`] in a handler, [`Server::group`] elsewhere, gives the [`Audience`] to emit to, [`Audience::except`] leaves out the
//! sender, and [`Peer::all`] and [`Server::all`] are everybody.
//!
//! ```
//! use ipc_tokio::{Client, Config, Server};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let server = Server::net(Some("127.0.0.1"), Some(0), Config::new("chat"))?;
//! server.on("enter", |peer, room: String| peer.join(room));
//! server.on("say", |peer, (room, text): (String, String)| {
//!     peer.group(&room).except(peer).emit("said", &text).map(drop)
//! });
//! server.start().await?;
//!
//! let connect = || Client::net(Some("127.0.0.1"), server.local_endpoint().port(), Config::new("me"));
//! let (ann, bob) = (connect()?, connect()?);
//! let (said, mut heard) = tokio::sync::mpsc::channel(8);
//! bob.on("said", move |text: String| said.try_send(text));
//! for client in [&ann, &bob] {
//!     client.connect().await?;
//!     client.emit("enter", "tea")?;
//! }
//! # while server.group("tea").len() < 2 {
//! #     tokio::time::sleep(std::time::Duration::from_millis(1)).await;
//! # }
//! ann.emit("say", &("tea", "anybody here?"))?;
//! assert_eq!(heard.recv().await.as_deref(), Some("anybody here?"));
//! # ann.close().await?;
//! # bob.close().await?;
//! # Ok(())
//! # }
//! ```
//!
//! A peer is in at most [`max_groups`](field@Config::max_groups) groups: [`JoinError`] says so.
//!
//! # Requests
//!
//! A request is an event that expects a reply. Either side may ask; it ends in a result or an error within its deadline, 10 s
//! unless [`within`](PendingRequest::within) or [`RequestOptions`] says otherwise, and dropping it gives it up.
//!
//! ```
//! use ipc_tokio::{Client, Config, Failure, Peer, RequestError, Server};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let server = Server::net(Some("127.0.0.1"), Some(0), Config::new("calculator"))?;
//! server.on_request("sum", |_peer, numbers: Vec<f64>| match numbers.len() {
//!     0 => Err(Failure::new("ERR_EMPTY", "nothing to add")),
//!     _ => Ok(numbers.iter().sum::<f64>()),
//! });
//! // A future of its own for each request; it may wait, and ask back.
//! server.on_request_async("greet", |peer: Peer, (): ()| async move {
//!     let name = peer.request::<String>("name", &()).await?;
//!     Ok::<_, RequestError>(format!("hello {name}"))
//! });
//! server.start().await?;
//!
//! let client = Client::net(Some("127.0.0.1"), server.local_endpoint().port(), Config::new("me"))?;
//! client.on_request("name", |(): ()| Ok::<_, Failure>("maria"));
//! client.connect().await?;
//! assert_eq!(client.request::<f64>("sum", &[1.0, 2.0, 3.5]).await?, 6.5);
//! assert_eq!(client.request::<String>("greet", &()).await?, "hello maria");
//! let error = client.request::<f64>("sum", &[0.0; 0]).await.unwrap_err();
//! assert_eq!(error.to_string(), "request \"sum\" failed: nothing to add (ERR_EMPTY)");
//! # Ok(())
//! # }
//! ```
//!
//! Handlers may be futures for events too ([`on_async`](Server::on_async), [`on_async_in_order`](Server::on_async_in_order)), and a
//! gate looks at every event first ([`before_event`](Server::before_event)). `docs/requests.md` and `docs/handlers.md` in the
//! repository have the details, and the helper by which Node asks and answers.
//!
//! <a id="ending"></a>
//! # Ending: `close`, `disconnect`, `abort`
//!
//! | | what is queued | waits | the client reconnects |
//! |---|---|---|---|
//! | [`Client::close`] | is sent, within 5 s; [`CloseError`] says how much was not | until the server has ended too | no |
//! | [`Client::disconnect`] (node-ipc's) | is lost | no | no |
//! | [`Peer::close`] | is sent, as with `Client::close` | until the peer has ended too | if it likes |
//! | [`Peer::abort`], [`Server::abort`] | is lost | no | if it likes |
//! | [`Server::stop`] | stays, and so do the connections | no | |
//! | [`Server::shutdown`] | is sent, within the deadline; [`ShutdownReport`] counts | for all connections | if it likes |
//! | dropping the last clone of a [`Client`] or [`Server`] | is sent, within 5 s | no | no; if it likes |
//!
//! After `close` the connection lingers until the peer has ended its own side, so that the last bytes are not destroyed by a
//! reset. Sockets and their tasks end with the handle: keep a `Client` or `Server` as long as it shall live. `docs/ending.md` in
//! the repository has a program that ends in each of these ways.
//!
//! # Errors
//!
//! Every operation has its own small type: [`ConfigError`] and [`EndpointError`] before anything is opened, [`ConnectError`],
//! [`ServeError`], [`EmitError`], [`CloseError`]. What goes wrong later, on a connection, is a [`ConnectionError`] and
//! goes to `on_error` handlers and to the stream; where there is neither it is logged as a warning. *A* [`ProtocolError`]
//! *is always the peer's doing, an* [`EncodeError`] *always ours;* both have the codes of node-ipc 14 (`ERR_IPC_…`).
//!
//! By default a malformed frame is reported and the connection goes on with the next one; the presets
//! [`Config::v14_fast`], [`v14_guarded`](Config::v14_guarded) and [`v14_assured`](Config::v14_assured) close the connection
//! instead, and their clients do not return. An oversized message, and one unfinished for longer than `messageTimeout`,
//! always close it.
//!
//! Logs go through [`tracing`](https://docs.rs/tracing), target `ipc`, with a span for each connection and, at the level trace, for
//! each run of handlers; [`Server::set_logger`] and [`Client::set_logger`] give them as lines of text. They hold event names and
//! sizes, and payloads only where the option `logPayloads` is set; `silent` turns them off.
//!
//! <a id="reconnecting"></a>
//! # Reconnecting, and events emitted meanwhile
//!
//! A client tries for ever, every 500 ms: [`retry`](field@Config::retry) and [`max_retries`](field@Config::max_retries) change that,
//! [`backoff`](field@Config::backoff) makes the wait grow, and [`stop_retrying`](field@Config::stop_retrying) is the second switch that
//! node-ipc has, which [`Client::set_stop_retrying`] moves at any time; [`Client::set_retry`] changes the wait. Each connection
//! refills the retries.
//! [`connect`](Client::connect) waits for the first connection or the end of the client; put a
//! `tokio::time::timeout` around it to wait less. The client goes on connecting when that call is dropped.
//!
//! What becomes of an event emitted while there is no connection is the option [`offline`](field@Config::offline):
//!
//! | [`Offline`] | |
//! |---|---|
//! | `Refuse`, the default | the emit fails with [`EmitError::NotConnected`] |
//! | `Buffer` | it waits for the next connection, within `maxOfflineBytes` (1 MiB); whole events that were queued when a connection broke go out first |
//! | `Drop` | it is dropped while the client waits to retry, and counted in [`Client::dropped`]; node-ipc loses it in silence |
//!
//! [`Client::state`] is what the client is doing, and [`Client::states`] the same as a stream that a user interface can show:
//! connecting, connected, waiting for how long and why, ended and why. It gives the latest only, and nobody who watches holds
//! the client up. `docs/reconnecting.md` in the repository has each state.
//!
//! No policy makes delivery certain: what the operating system took and the peer never read is lost with the connection.
//!
//! ```
//! use ipc_tokio::{Backoff, Client, Config, ConnectError, Offline};
//! use std::time::Duration;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let config = Config::new("me")
//!     .retry(Duration::from_millis(1))
//!     .backoff(Backoff::exponential()) // doubles, at most 30 s, with jitter
//!     .max_retries(2)
//!     .offline(Offline::Buffer);
//! # let folder = tempfile::tempdir()?;
//! # let path = folder.path().join("nobody").display().to_string();
//! let client = Client::at_path(&path, config)?;
//! client.emit("message", "kept for the first connection")?;
//! // Nobody listens there: after three attempts the client gives up.
//! let error = client.connect().await.unwrap_err();
//! assert!(matches!(error, ConnectError::GaveUp { .. }));
//! assert_eq!(client.dropped().messages, 1);
//! # Ok(())
//! # }
//! ```
//!
//! Or nothing is kept, as node-ipc does, but for the counting:
//!
//! ```
//! use ipc_tokio::{Client, Config, ConnectionState, Offline};
//! use std::time::Duration;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let folder = tempfile::tempdir()?;
//! # let path = folder.path().join("nobody").display().to_string();
//! let config = Config::new("me").offline(Offline::Drop).retry(Duration::from_secs(60));
//! let client = Client::at_path(&path, config)?;
//! client.start(); // nobody listens there
//! client.states().wait_for(|state| matches!(state, ConnectionState::Waiting { .. })).await;
//! client.emit("position", &7)?;
//! assert_eq!(client.dropped().messages, 1);
//! assert_eq!(client.counters().traffic.sent.lost.offline.events, 1);
//! # Ok(())
//! # }
//! ```
//!
//! # What is counted
//!
//! [`Peer::counters`], [`Client::counters`], [`Server::counters`] and [`UdpServer::counters`] tell at any time what came, what went, and what was
//! refused or lost, and why. They balance: `bytes == written + pending + lost.total().bytes`. The feature `metrics` publishes
//! them by the `metrics` facade. `docs/observability.md` in the repository lists them, and what goes to the log.
//!
//! ```no_run
//! # fn example(server: &ipc_tokio::Server) {
//! let counters = server.counters();
//! println!("{} connected, {} events lost", counters.connected, counters.traffic.sent.lost.total().events);
//! # }
//! ```
//!
//! # What is bounded
//!
//! Everything, by default. `guarded` stands for the presets [`Config::v14_guarded`] and [`Config::v14_assured`].
//!
//! | option | bounds | default | guarded |
//! |---|---|---|---|
//! | `maxMessageSize` | one message, both ways | 64 MiB | 1 MiB |
//! | `maxPendingBytes` | what waits to be written on a connection | 16 MiB | 8 MiB |
//! | `maxEventNameLength` | an event's name, in UTF-16 units | 65,536 | 256 |
//! | `messageTimeout` | the time a message may be unfinished | none | 30 s |
//! | `tcpKeepAlive` | half the time that a TCP peer may be gone without a word | no bound | no bound |
//! | `maxConnections` | peers of a server; as many TLS handshakes may be under way, but from 128 to 1024 | 100 | 100 |
//! | `tls.handshakeTimeout` | the time a TLS handshake may take | 10 s | 10 s |
//! | `maxOfflineBytes` | what waits for a connection (`Offline::Buffer`) | 1 MiB | 1 MiB |
//! | `eventQueue` | events in a stream | 1024 | 1024 |
//! | [`RequestOptions`] | requests of a connection that wait for a reply; futures of its async handlers | 1024; 256 | the same |
//! | `maxUdpPeers`, `udpPeerExpiry` | senders remembered over UDP, and how long | 1024, 60 s | 1024, 60 s |
//! | `maxGroups` | groups that a peer may be in | 100 | 100 |
//! | `acceptBacklog` | connections the system holds before they are accepted | 511 | 511 |
//!
//! One message is always taken by an empty queue, however large, and a stream counts events, not bytes. What a crowd of peers
//! can make a server hold is so at most an unfinished message and a full queue for each connection, and `eventQueue`
//! messages: lower those numbers where peers are not trusted.
//!
//! # Runtimes
//!
//! Current-thread and multi-thread runtimes both work; I/O and time must be enabled, and this crate asks Tokio for `net`, `rt`
//! and `time` only. Handles are made inside a runtime, or for a given one by `with_runtime` of [`Client`], [`Server`],
//! [`UdpServer`] and [`Ipc`] with [`Tokio`]`::from(handle)`. Every connection is one task. A handle may be used on any thread, with
//! another runtime or none; `docs/runtimes.md` in the repository has every mixture that is tested, and what handles say when
//! their runtime has ended. `ipc-smol` and `ipc-async-std` have the same API.

// Tokio takes the handle of a pipe from unsafe code only.
#![cfg_attr(not(windows), forbid(unsafe_code))]
#![cfg_attr(windows, deny(unsafe_code))]
#![warn(missing_docs)]
// docs.rs shows which feature an item needs.
#![cfg_attr(docsrs, feature(doc_cfg))]

#[cfg(doctest)]
mod book;
#[cfg(doc)]
pub mod guide;
#[cfg(windows)]
mod pipe;
mod runtime;
mod stream;
// Where Tokio is told of each change once, as by `epoll` and `kqueue`; with `poll` its own sockets alone are asked about again.
#[cfg(unix)]
#[cfg_attr(
    not(any(
        target_os = "android",
        target_os = "dragonfly",
        target_os = "freebsd",
        target_os = "illumos",
        target_os = "linux",
        target_os = "netbsd",
        target_os = "openbsd",
        target_vendor = "apple",
    )),
    path = "unix_elsewhere.rs"
)]
mod unix;
#[cfg(all(unix, test))]
#[allow(unreachable_pub, reason = "where it is `unix`, its stream is in a public signature")]
mod unix_elsewhere;

#[cfg(feature = "derive")]
pub use ipc_derive::{ContractOfTokio as Contract, RequestOfTokio as Request};
pub use ipc_driver::api::*;
/// The TLS library, for [`Client::set_tls`] and [`Server::set_tls`].
#[cfg(feature = "tls")]
#[doc(no_inline)]
pub use ipc_driver::rustls;
pub use runtime::Tokio;

/// A reconnecting client, on Tokio.
///
/// ```
/// use ipc_tokio::{Client, Config, Server};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
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
/// # }
/// ```
///
#[doc = include_str!("handles/client.md")]
pub type Client = ipc_driver::Client<Tokio>;
/// A server, on Tokio.
///
/// ```
/// use ipc_tokio::{Client, ClientEvent, Config, Server};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
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
/// # }
/// ```
///
#[doc = include_str!("handles/server.md")]
pub type Server = ipc_driver::Server<Tokio>;
/// A UDP socket that speaks events, on Tokio.
///
/// ```
/// use ipc_tokio::{Config, UdpEvent, UdpServer};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
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
/// # }
/// ```
///
#[doc = include_str!("handles/udp_server.md")]
pub type UdpServer = ipc_driver::UdpServer<Tokio>;
/// An instance with its configuration, clients and server, on Tokio.
///
/// ```
/// use ipc_tokio::{Config, Ipc};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
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
/// # }
/// ```
///
#[doc = include_str!("handles/ipc.md")]
pub type Ipc = ipc_driver::Ipc<Tokio>;

/// The examples of the project's README, compiled as they stand there.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;

/// And those of the pages about groups and backpressure.
#[cfg(doctest)]
#[doc = include_str!("../../docs/groups.md")]
struct Groups;
#[cfg(doctest)]
#[doc = include_str!("../../docs/backpressure.md")]
struct Backpressure;

/// And those of the page about counters.
#[cfg(doctest)]
#[doc = include_str!("../../docs/observability.md")]
struct Observability;

/// Those of the page about requests.
#[cfg(doctest)]
#[doc = include_str!("../../docs/requests.md")]
struct RequestsPage;

/// Those of the page about handlers.
#[cfg(doctest)]
#[doc = include_str!("../../docs/handlers.md")]
struct HandlersPage;

/// And those of the page about contracts.
#[cfg(all(doctest, feature = "typescript"))]
#[doc = include_str!("../../docs/contracts.md")]
struct Contracts;
