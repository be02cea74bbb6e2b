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
//! - [TCP](#tcp), [TLS](#tls), [UDP](#udp), [raw bytes](#raw-bytes), [Windows](#windows)
//! - [Socket files](#socket-files), and [who is let in](#who-is-let-in)
//! - [Sharing a listener](#sharing-a-listener), [restarting without a gap](#restarting-without-a-gap)
//! - [Options from a file or the environment](#options-from-a-file-or-the-environment)
//! - [For users of node-ipc](#for-users-of-node-ipc)
//! - [What is counted](#what-is-counted), [what is bounded](#what-is-bounded), [runtimes](#runtimes), [what is not there yet](#what-is-not-there-yet)
//!
//! # Sixty seconds
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
//!     server.on("message", |peer, text: String| {
//!         println!("got {text:?} from peer {}", peer.id());
//!         peer.emit("message", &format!("{text} world!"))
//!     });
//!     server.start().await?;
//!     println!("listening at {}", server.local_endpoint());
//!
//!     tokio::signal::ctrl_c().await?;
//!     let report = server.shutdown(Duration::from_secs(5)).await;
//!     println!("{} connections ended clean, {} were cut", report.clean, report.cut);
//!     Ok(())
//! }
//! ```
//!
//! A client, which calls itself `hello` and looks for `world`:
//!
//! ```no_run
//! use ipc_tokio::{Client, ClientEvent, Config};
//!
//! #[tokio::main]
//! async fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     let client = Client::new("world", Config::new("hello"))?;
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
//! with [`on_event`](Server::on_event), an [`Event`] that still lies in the read buffer. What it returns may be nothing or
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
//!
//! [`send(…).await`](Client::send) is the same, but waits for room instead of saying `Full`: the way to send much. It is cancel
//! safe: a call dropped before it is ready has queued nothing. Never await it inside a handler; a handler that answers its
//! own peer may fill the queue to twice the limit instead, and while it is above the limit that peer is not read.
//!
//! The events of one connection arrive in the order in which they were emitted. A server emits to one peer
//! ([`Peer::emit`]), or to all of them ([`Server::broadcast`]), encoding the event once and counting who could not take it.
//! To send one event in many ways, make it a [`Frame`] or a [`Message`].
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
//! Only whole events are dropped, each is counted by reason, and `send` waits whatever the policy is. One peer's queue is no
//! other's: a broadcast goes to the fast ones. `docs/backpressure.md` in the repository has the details.
//!
//! # Groups
//!
//! [`Peer::join`] takes a peer into a group, [`Peer::leave`] takes it out, and so does the end of its connection.
//! [`Server::group`] gives the [`Audience`] to emit to, [`Audience::except`] leaves out the sender, and [`Server::all`] is everybody.
//!
//! ```
//! use ipc_tokio::{Client, Config, Server};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let server = Server::net(Some("127.0.0.1"), Some(0), Config::new("chat"))?;
//! let chat = server.clone();
//! server.on("enter", |peer, room: String| peer.join(room));
//! server.on("say", move |peer, (room, text): (String, String)| {
//!     chat.group(&room).except(peer).emit("said", &text).map(drop)
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
//! reset. Sockets and their tasks end with the handle: keep a `Client` or `Server` as long as it shall live.
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
//! the client up.
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
//! # TCP
//!
//! [`Client::net`] and [`Server::net`] take a host and a port; `None` stands for the options `networkHost` (127.0.0.1) and
//! `networkPort` (8000). With port 0 the system chooses, and [`Server::local_endpoint`] tells. Names are resolved on the
//! blocking threads of the runtime. A client tries the addresses of a name with the families taking turns, the next one beside
//! one that has not answered within 250 ms; the option [`interface`](field@Config::interface) says from which address and
//! port, and over which family, and [`Client::set_lookup`] resolves names in your own way. A server binds to the first address
//! that it can. Without [`tls`](#tls) everything goes in clear, and whoever reaches the port may connect: bind to addresses
//! that only those reach whom you trust.
//!
//! ```
//! use ipc_tokio::{Config, Server};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let server = Server::serve_net(Some("localhost"), Some(0), Config::new("world")).await?;
//! println!("{}", server.local_endpoint()); // tcp:localhost:43127
//! assert_ne!(server.local_endpoint().port(), Some(0));
//! # Ok(())
//! # }
//! ```
//!
//! # TLS
//!
//! With the option [`tls`](field@Config::tls) TCP becomes TLS 1.3 or 1.2: `connect` comes after the handshake, and a handshake that
//! fails is a failed attempt of the client. The options are node-ipc's, files of PEM by name or their text, and are looked
//! at when a handle is made: a file that is missing, swapped, encrypted, expired, or whose key belongs to another certificate
//! is a [`TlsError`] that names it, before anything is opened.
//!
//! | option | [`TlsOptions`] | |
//! |---|---|---|
//! | `private`, `public` | [`private`](TlsOptions::private), [`public`](TlsOptions::public) | files of the private key and of the certificate chain. A server needs them; a client has them if servers ask for a certificate |
//! | `trustedConnections` | [`trusted_connection`](TlsOptions::trusted_connection) | files of the certificates to trust. None: a client trusts the authorities of the system, a server asks clients for nothing |
//! | `key`, `cert`, `ca` | [`key`](TlsOptions::key), [`cert`](TlsOptions::cert), [`ca`](TlsOptions::ca) | the same as text |
//! | `requestCert` | [`request_cert`](TlsOptions::request_cert) | whether a server asks for a certificate: if it has some to trust, unless this says otherwise |
//! | `rejectUnauthorized` | [`danger_accept_any_certificate`](TlsOptions::danger_accept_any_certificate) | `false`: whoever answers is taken for the peer that was meant |
//! | `servername` | [`server_name`](TlsOptions::server_name) | the name that the server's certificate must carry: the host connected to, unless this says otherwise |
//! | `handshakeTimeout` | [`handshake_timeout`](TlsOptions::handshake_timeout) | ms that a handshake may take: 10,000 |
//! | `dhparam` | [`dhparam`](TlsOptions::dhparam) | read and not used: keys are agreed on by elliptic curves |
//!
//! A certificate to trust is that of an authority, which vouches for others, or the peer's own: then it is trusted **by
//! exact match**, whoever signed it and whatever name it carries. For two programs that know each other this is all it takes:
//!
//! ```
//! use ipc_tokio::{Client, Config, Server, TlsOptions};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let folder = tempfile::tempdir()?;
//! # for name in ["server", "client"] {
//! #     let made = rcgen::generate_simple_self_signed([name.to_owned()])?;
//! #     std::fs::write(folder.path().join(name).with_extension("key"), made.key_pair.serialize_pem())?;
//! #     std::fs::write(folder.path().join(name).with_extension("pub"), made.cert.pem())?;
//! # }
//! # let path = |name| folder.path().join(name);
//! // openssl req -x509 -newkey ed25519 -nodes -subj /CN=server -keyout server.key -out server.pub
//! let tls = TlsOptions::new().private(path("server.key")).public(path("server.pub")).trusted_connection(path("client.pub"));
//! let server = Server::net(Some("127.0.0.1"), Some(0), Config::new("world").tls(tls))?;
//! server.on("message", |peer, text: String| {
//!     assert_eq!(peer.remote().certificates.len(), 1); // the client has shown the one we trust
//!     peer.emit("message", &format!("{text} world!"))
//! });
//! server.start().await?;
//!
//! let tls = TlsOptions::new().private(path("client.key")).public(path("client.pub")).trusted_connection(path("server.pub"));
//! let client = Client::net(Some("127.0.0.1"), server.local_endpoint().port(), Config::new("hello").tls(tls))?;
//! client.connect().await?;
//! client.emit("message", "hello")?;
//! # let (sender, mut answer) = tokio::sync::mpsc::unbounded_channel();
//! # client.on("message", move |text: String| sender.send(text));
//! # assert_eq!(answer.recv().await.as_deref(), Some("hello world!"));
//! # Ok(())
//! # }
//! ```
//!
//! [`Client::set_tls`] and [`Server::set_tls`] take ready-made configurations of [`rustls`] instead, also while a handle lives:
//! that is how a server gets a new certificate without a pause. [`Peer::remote`] tells the version of TLS and the
//! certificates that a client has shown, in DER: to know one again compare its bytes with those of a certificate that you
//! have; to read the name in it takes a parser of X.509, such as the crate `x509-parser`.
//!
//! A server greets clients beside its connections: a handshake holds no place among `maxConnections`, is cut after
//! `handshakeTimeout`, and when more than `maxConnections` (but from 128 to 1024) are under way the oldest is cut. One that fails
//! is a [`ServerEvent::Refused`] and a warning in the log; one that talks in clear to a TLS port, or the reverse, is told what is
//! wrong on both sides. With TLS 1.3 a server looks at a client's certificate when the client is connected already: one that is
//! refused sees `connect`, an error that says why, `disconnect`, and tries again, as in node-ipc.
//!
//! A peer may end its stream without TLS's farewell, as Node often does: a message cut short is noticed by its missing end.
//! Raw bytes have none: there, say in your own protocol where something ends.
//! Sessions are resumed on both sides; a resumed one is not verified again, for half a day at most by a server.
//! The feature `tls`, on by default, brings rustls and ring; without it, a configuration with `tls` is refused.
//!
//! # UDP
//!
//! Over UDP there are no connections and no clients: every process is a [`UdpServer`], on [`udp4`](UdpServer::udp4) or
//! [`udp6`](UdpServer::udp6), which receives from anybody, answers the sender, and emits to any address. Handlers get a
//! [`UdpPeer`], which is an address with the same ways to emit as a [`Peer`]; [`UdpServer::peer`] makes one of any address,
//! [`UdpServer::resolve`] finds the address of a name.
//!
//! ```
//! use ipc_tokio::{Config, UdpServer};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let world = UdpServer::udp4(Some("127.0.0.1"), Some(0), Config::new("world"))?;
//! world.on("message", |peer, text: String| peer.emit("message", &format!("{text} world!")));
//! world.start().await?;
//!
//! let hello = UdpServer::udp4(Some("127.0.0.1"), Some(0), Config::new("hello"))?;
//! let (sender, mut answers) = tokio::sync::mpsc::channel(8);
//! hello.on("message", move |_, text: String| sender.try_send(text));
//! hello.start().await?;
//!
//! let address = world.local_address().ok_or("it is started")?;
//! hello.emit_to(address, "message", "hello")?;
//! assert_eq!(answers.recv().await.as_deref(), Some("hello world!"));
//! // Who was heard is known: a broadcast goes there.
//! assert_eq!(world.broadcast("news", &1)?.queued, 1);
//! # Ok(())
//! # }
//! ```
//!
//! What is different from a stream:
//!
//! - **A datagram may be lost, doubled or overtaken**, and nobody is told. An event is one datagram; one larger than
//!   [`MAX_DATAGRAM`], 65,507 bytes with its delimiter, is refused with [`EmitError::TooLarge`]. What fits into one packet of
//!   the network, about 1,400 bytes, is lost less often.
//! - **Whom a broadcast reaches**: everybody heard in the last `udpPeerExpiry` (60 s), `maxUdpPeers` (1024) at most, and who was
//!   added with [`UdpServer::add_peer`]. [`UdpEvent::PeerAdded`] and [`PeerRemoved`](UdpEvent::PeerRemoved) tell who comes and
//!   goes. Anybody may put any address on a datagram: a peer is no proof of who sent it, and there is no encryption.
//! - **Backpressure ends at the socket.** While the event stream is full, or answers fill the queue, the socket is not read;
//!   what the operating system has no room for is lost. Outbound, `maxPendingBytes` bounds all destinations together (each
//!   datagram counts 64 bytes more than it has), `emit` says `Full`, and `send` waits.
//! - **Errors end nothing.** An address of the wrong family is refused at the call ([`EmitError::Address`]). What the system
//!   says later (no route, not permitted) is [`ConnectionError::Send`], in an error event. That nobody listens at the other
//!   end most systems do not say; what they do say is counted in [`UdpServer::counters`].
//! - A message split over several datagrams is put together for each sender by itself, within 5 s or `messageTimeout`.
//!
//! On `udp6` an address of version 4 is written `::ffff:a.b.c.d`, and works where the server is bound to `::` and the system
//! allows it (Linux and macOS do).
//!
//! # Raw bytes
//!
//! With [`raw_buffer`](field@Config::raw_buffer) on both sides there are no events, only bytes, as node-ipc's `rawBuffer`: for peers in
//! C, or for protocols of your own. They arrive exactly as they were sent, but **without borders**: one `emit_raw` may come in
//! two pieces, or two in one. (Over UDP a datagram is a datagram.) [`Encoding`] turns text into bytes as Node does.
//!
//! ```
//! use ipc_tokio::{Client, ClientEvent, Config, Encoding, Peer, Server};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let folder = tempfile::tempdir()?;
//! # let path = folder.path().join("raw").display().to_string();
//! let server = Server::at_path(&path, Config::new("raw").raw_buffer(true))?;
//! server.on_data(|peer: &Peer, bytes: &[u8]| peer.emit_raw(bytes));
//! server.start().await?;
//!
//! let client = Client::at_path(&path, Config::new("me").raw_buffer(true))?;
//! let mut events = client.events();
//! client.connect().await?;
//! client.emit_raw(&Encoding::Hex.encode("056d5c"))?;
//! let mut received = Vec::new();
//! while received.len() < 3 {
//!     if let Some(ClientEvent::Data(bytes)) = events.recv().await {
//!         received.extend_from_slice(&bytes);
//!     }
//! }
//! assert_eq!(received, [0x05, 0x6d, 0x5c]);
//! # Ok(())
//! # }
//! ```
//!
//! # Socket files
//!
//! The file of a local socket is there for its owner only, mode 0600, before anybody can connect, whatever the umask is.
//! To connect is to write: others need the write bit.
//!
//! | option | what it does |
//! |---|---|
//! | [`socketMode`](field@Config::socket_mode) | the permission bits, `"0660"`; `readableAll` and `writableAll` are node-ipc's way to say 0644, 0622, 0666 |
//! | [`socketGroup`](field@Config::socket_group) | gives the file to a group, by name or number; an unknown one is an error |
//! | [`unlink`](field@Config::unlink), on by default | removes what a dead server left, if it is a socket and nobody answers on it |
//! | [`takeOver`](field@Config::take_over) | takes the path from a server that is alive |
//! | [`secureSocketRoot`](field@Config::secure_socket_root), on in the v14 presets | the directory must be ours, and is closed to others |
//!
//! A `socketRoot` that is missing is made, for this user alone. When the server stops the file is removed, if it is still
//! the same; a server that is killed leaves it, and the next one replaces it. A path longer than the system takes (107 bytes
//! on Linux, 103 on macOS) is an error that names the limit.
//!
//! Linux has **abstract names** too, [`Endpoint::abstract_name`], as text `abstract:<name>`: no file, and so no owner, no mode
//! and nothing left behind. Every process in the same network namespace may connect, or take the name while nobody has it, so
//! use an accept filter. Node since 22 says the path `"\0name"`; Node 20 fills the name up with NULs and meets only itself.
//!
//! ```
//! # #[cfg(target_os = "linux")]
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use ipc_tokio::{Client, Config, Endpoint, Server};
//!
//! let settings = ipc_tokio::build(Config::new("world"))?;
//! let endpoint = Endpoint::abstract_name(&settings, &format!("example/{}", std::process::id()))?;
//! let server = Server::at(settings.clone(), endpoint.clone())?;
//! server.accept_if(ipc_tokio::same_user_or_root);
//! server.start().await?;
//! Client::at(settings, endpoint)?.connect().await?;
//! # Ok(())
//! # }
//! # #[cfg(not(target_os = "linux"))]
//! # fn main() {}
//! ```
//!
//! # Who is let in
//!
//! [`Server::accept_if`] asks a filter about each connection before it becomes a peer. It sees a [`Remote`]: the address over
//! TCP, the certificates over TLS, and over a local socket the [`Credentials`] of the process, which the operating system
//! vouches for. [`same_user_or_root`] is such a filter. Whom it refuses is closed, counted ([`Server::refused`]), logged once
//! a second at most, and told of as [`ServerEvent::Refused`], as are those for whom `maxConnections` has no room.
//!
//! ```
//! use ipc_tokio::{Config, Server};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let server = Server::net(Some("127.0.0.1"), Some(0), Config::new("world"))?;
//! server.accept_if(|remote| match remote.address {
//!     Some(address) if address.ip().is_loopback() => Ok(()),
//!     _ => Err("only from this machine"),
//! });
//! # Ok(())
//! # }
//! ```
//!
//! # Sharing a listener
//!
//! A server may accept on a socket that it did not open, and several processes on one, each taking the connections it
//! gets to first. (node-ipc does it with Node's `cluster` module and `unlink = false`.)
//!
//! | the socket comes from | the server |
//! |---|---|
//! | a listener of the standard library | [`Server::from_listener`] |
//! | an owned descriptor, whatever it is | [`Server::from_fd`], or [`Listening::from_fd`] to look first |
//! | systemd (`LISTEN_FDS`) | [`inherited`], then [`Server::from_listener`] |
//! | a parent | the parent: [`Listening::bind`], and [`Listening::to_stdio`] as the standard input of each child; the child: [`Server::from_stdin`] |
//! | each process, for one TCP port | nothing to hand on: every server sets [`reusePort`](field@Config::reuse_port), and the system shares the connections out |
//!
//! Whoever binds the socket looks after its file: [`Listening::bind`] removes it when it is dropped, a server on a socket
//! that came from elsewhere leaves it alone ([`Listening::owning_file`] says otherwise). Such a server starts once. The
//! example `cluster` is a parent with four workers.
//!
//! A program that systemd starts when its first client comes:
//!
//! ```no_run
//! # #[cfg(unix)]
//! # #[tokio::main]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use ipc_tokio::{Config, Server};
//!
//! let server = match ipc_tokio::inherited()?.into_iter().next() {
//!     Some(given) => Server::from_listener(given.socket, Config::new("world"))?,
//!     None => Server::new(Config::new("world"))?, // started by hand
//! };
//! server.on("message", |peer, text: String| peer.emit("message", &text));
//! server.start().await?;
//! # Ok(())
//! # }
//! # #[cfg(not(unix))]
//! # fn main() {}
//! ```
//!
//! # Restarting without a gap
//!
//! A new process takes the listening socket of the old one, which ends its connections in its own time. Nobody who connects
//! meanwhile is refused: the old process accepts until the new one is ready, and between the two connections wait in the
//! backlog of the socket, which never closes. On Unix, over Unix sockets and TCP.
//!
//! The old process offers its socket with [`Server::hand_over`] at a path of its choice, a second socket that only this user
//! can connect to. The new one asks there with [`Server::take_over`], sets its handlers, and starts. Whichever of them dies
//! before the socket has changed hands, the other serves; after that the new one is alone, as any server is. An old process
//! that hangs keeps its socket, and the `start` of the new one fails after 10 s:
//!
//! ```no_run
//! # #[cfg(unix)]
//! # #[tokio::main]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use ipc_tokio::{Config, Server};
//! use std::time::Duration;
//!
//! let control = "/run/user/1000/world.control";
//! let server = match Server::take_over(control, Config::new("world")).await {
//!     Ok(server) => server,
//!     // Nobody is there to be relieved. If somebody is who cannot be, `start` says that the address is in use.
//!     Err(_) => Server::new(Config::new("world"))?,
//! };
//! server.on("message", |peer, text: String| peer.emit("message", &text));
//! server.start().await?;
//!
//! // Until the next version of this program comes.
//! let successor = server.hand_over(control).await?;
//! println!("process {:?} has taken over", successor.pid);
//! while !server.is_empty() {
//!     // The clients that are here, for as long as they like.
//!     tokio::time::sleep(Duration::from_millis(100)).await;
//! }
//! server.shutdown(Duration::from_secs(5)).await;
//! # Ok(())
//! # }
//! # #[cfg(not(unix))]
//! # fn main() {}
//! ```
//!
//! # Windows
//!
//! A local socket is a named pipe there. Its name is made from the path as node-ipc makes it: the service `world` is
//! `\\.\pipe\tmp-app.world`, and a path that begins with `\\.\pipe\` is taken as it is. [`Endpoint::local`] shows the name. What this
//! page says of local sockets holds for pipes, with these differences:
//!
//! - **Who may open it.** Our user and the system, on this machine; if the process runs with raised rights, the administrators
//!   instead of our user. [`readableAll`](field@Config::readable_all) lets everybody read and
//!   [`writableAll`](field@Config::writable_all) lets everybody write: for both ways it takes both. Nobody else may add an
//!   instance of their own to the pipe and so pass for the server. Other users' programs that ask for that right as well are
//!   refused: those that open the pipe with `GENERIC_WRITE`, as Node does. `FILE_WRITE_DATA` is enough to write.
//! - **One server a name.** A second one is refused ([`ServeError::Listen`], address in use), also while the first has stopped
//!   and still has connections, unless it is in the same process. With [`takeOver`](field@Config::take_over) both serve, and a
//!   client gets to either. There is no file, so there is nothing to remove (`unlink`), and a name is free when the last
//!   process that has it open is gone.
//! - **Ending.** A pipe cannot be closed in one direction. [`Client::close`] and its like wait until the peer has *read*
//!   everything, as ever within the deadline, then until it has been silent for 50 ms, and then close. An answer that takes
//!   longer than that is not received. (Node does the same.) Nothing that was sent is lost; what the peer sends after that
//!   it finds refused.
//! - **Many clients at once.** Four instances of the pipe wait for clients, and each that is taken is replaced first
//!   (`acceptBacklog` has no meaning here). A client that finds them all busy tries again, for 5 s; that is one attempt to connect.
//!
//! The server may learn which user a client is, and cannot act as that user. Pipes of other machines are neither served nor
//! opened.
//!
//! # Options from a file or the environment
//!
//! [`Config`] is read by serde, with node-ipc's own names, from JSON ([`Config::from_json`]) and from any format that says what is
//! in it, such as TOML; [`config_from_env`] reads variables such as `IPC_MAX_RETRIES`. A name that is no option is an error with
//! the nearest one that is, and a wrong value is told what is allowed.
//!
//! ```
//! use ipc_tokio::Config;
//! use std::time::Duration;
//!
//! let config: Config = toml::from_str("id = 'world'\nretry = 1500\n[tls]\nca = 'pem'")?;
//! assert_eq!(config.retry, Duration::from_millis(1500));
//!
//! let error = toml::from_str::<Config>("maxRetrys = 3").unwrap_err();
//! assert!(error.message().contains("there is no option \"maxRetrys\"; did you mean \"maxRetries\"?"));
//!
//! let config = ipc_tokio::config_from_env("CHAT_IPC_")?; // CHAT_IPC_ID=world, CHAT_IPC_TLS_CA=…
//! # drop(config);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
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
//! | `maxConnections` | peers of a server; also TLS handshakes under way | 100 | 100 |
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
//!
//! # What is not there yet
//!
//! Unix sockets, Windows named pipes, TCP, TLS and UDP work. What a platform or a build without the feature `tls` cannot do is refused with an error that
//! says so, never ignored.

// Tokio takes the handle of a pipe from unsafe code only.
#![cfg_attr(not(windows), forbid(unsafe_code))]
#![cfg_attr(windows, deny(unsafe_code))]
#![warn(missing_docs)]
// docs.rs shows which feature an item needs.
#![cfg_attr(docsrs, feature(doc_cfg))]

#[cfg(doctest)]
mod book;
#[cfg(windows)]
mod pipe;
mod runtime;
mod stream;

#[cfg(feature = "derive")]
pub use ipc_derive::{ContractOfTokio as Contract, RequestOfTokio as Request};
pub use ipc_driver::api::*;
pub use runtime::Tokio;

/// A reconnecting client on Tokio.
pub type Client = ipc_driver::Client<Tokio>;
/// A server on Tokio.
pub type Server = ipc_driver::Server<Tokio>;
/// A UDP socket that speaks events, on Tokio.
pub type UdpServer = ipc_driver::UdpServer<Tokio>;
/// An instance with its configuration, clients and server, on Tokio.
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
