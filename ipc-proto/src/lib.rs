//! The protocol of [node-ipc](https://www.npmjs.com/package/node-ipc) as pure state machines: named events with JSON
//! payloads between processes, over Unix sockets, Windows named pipes, TCP, TLS and UDP.
//!
//! There is no I/O here, no clock, no thread, no randomness, no `async` and no `unsafe`. Bytes and the time come in, bytes
//! and events go out, and whoever calls owns the sockets. It is for
//!
//! * authors of an event loop of their own: a blocking thread, `mio` or epoll, a game loop, an embedded system;
//! * authors of an adapter to another async runtime;
//! * testers and fuzzers, who want to replay a network byte by byte in virtual time.
//!
//! If you write an application on an async runtime, take an adapter that runs these machines for you, such as `ipc-tokio`.
//!
//! # The contract
//!
//! The methods of every machine are of four kinds, told by their names:
//!
//! | kind | name | |
//! |---|---|---|
//! | getters | nouns, and `is_`, `has_`, `wants_` | change nothing |
//! | inputs | `handle_…` | say what happened: connected, disconnected, accepted, the time is now |
//! | commands | plain verbs | say what is wanted: `connect`, `emit`, `close`, `stop` |
//! | outputs | `poll_…` | give what is to be done, until `None` or `false` |
//!
//! 1. **Time comes in** as `now: Instant` and never goes back. `poll_timeout()` says when `handle_timeout(now)` is due, and is
//!    asked again after every input. Nothing else waits for time.
//! 2. **After every input or command, drain the outputs**: `poll_action` and `poll_event` of a [`Client`], `poll_event` of a
//!    [`Server`], [`Inbound::poll_event`] and [`Outbound::poll_transmit`] of each [`Connection`].
//! 3. **The caller owns the buffers.** Events are lent out of the bytes that were read, and are copied only by
//!    [`Event::to_message`]. What is to be written is taken out as a [`Transmit`], a [`bytes::Buf`] that is written without
//!    holding on to the queue.
//! 4. **The caller owns the connections.** A [`Client`] decides when to dial and a [`Server`] who gets in; each hands out a
//!    [`Connection`], whose two halves need nothing of each other, so that one thread may read while any thread emits.
//! 5. **Input cannot cause a panic**, and nothing grows without a bound.
//!
//! What a peer did wrong is a [`ProtocolError`]; what this program asked for and cannot have is an [`EmitError`] or
//! [`EncodeError`]. Lifecycle events ([`ClientEvent`], [`ServerEvent`]) and events of the wire ([`Event`]) are different types:
//! a peer that sends an event named `disconnect` disconnects nobody.
//!
//! # A blocking run loop
//!
//! A client and a server, each on a thread of its own, with `std` alone. `examples/` has them as programs, with a server for
//! many threads and a loop for many connections on one.
//!
//! ```
//! use std::io::{self, Read, Write};
//! use std::net::{TcpListener, TcpStream};
//! use std::ops::ControlFlow::{self, Break, Continue};
//! use std::time::{Duration, Instant};
//!
//! use ipc_proto::bytes::Buf;
//! use ipc_proto::{
//!     Client, ClientAction, ClientEvent, Config, Connection, Endpoint, Event, Host, Outbound, Platform, Received, Server,
//!     Transmit,
//! };
//!
//! /// Runs one connection until the peer ends it or `on_event` has seen enough. Says whether the peer kept to the protocol.
//! fn run(
//!     stream: &mut TcpStream,
//!     Connection { inbound, outbound, .. }: &mut Connection,
//!     transmit: &mut Transmit,
//!     mut on_event: impl FnMut(&Event<'_>, &mut Outbound) -> ControlFlow<()>,
//! ) -> io::Result<bool> {
//!     let mut buffer = [0; 16 * 1024];
//!     loop {
//!         // Write what is queued. `poll_transmit` also learns here what has been written.
//!         while outbound.poll_transmit(transmit) {
//!             let count = stream.write(transmit.chunk())?;
//!             transmit.advance(count);
//!         }
//!         // Wait for bytes, but no longer than an unfinished message may take.
//!         let wait = inbound.poll_timeout().map(|at| at.saturating_duration_since(Instant::now()));
//!         stream.set_read_timeout(wait.map(|wait| wait.max(Duration::from_millis(1))))?;
//!         let count = match stream.read(&mut buffer) {
//!             Ok(0) => return Ok(true),
//!             Ok(count) => count,
//!             Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => 0,
//!             Err(error) => return Err(error),
//!         };
//!         // Take every event out of them. Answers are only queued, and leave together in the next round.
//!         let now = Instant::now();
//!         let mut input = &buffer[..count];
//!         while let Some(received) = inbound.poll_event(now, &mut input) {
//!             match received {
//!                 Received::Event(event) => {
//!                     if on_event(&event, outbound).is_break() {
//!                         return Ok(true);
//!                     }
//!                 }
//!                 Received::Failed(_) => return Ok(false),
//!                 _ => {} // bytes of a raw connection, or a malformed message that was skipped
//!             }
//!         }
//!         if inbound.handle_timeout(now).is_some() {
//!             return Ok(false);
//!         }
//!     }
//! }
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let host = Host::new("pluto", Platform::current());
//! let listener = TcpListener::bind("127.0.0.1:0")?;
//! let port = listener.local_addr()?.port();
//!
//! // The server: answers one peer.
//! let settings = Config::new("world").build(&host)?;
//! let server = std::thread::spawn(move || -> io::Result<()> {
//!     let mut server = Server::new(settings);
//!     server.start();
//!     let (mut stream, _) = listener.accept()?;
//!     let (peer, mut connection) = server.handle_accept().map_err(io::Error::other)?;
//!     run(&mut stream, &mut connection, &mut Transmit::new(), |event, outbound| {
//!         let text: String = event.data().unwrap_or_default();
//!         match outbound.emit(event.name(), &format!("{text} world!")) {
//!             Ok(()) => Continue(()),
//!             Err(_) => Break(()), // the peer does not read its answers
//!         }
//!     })?;
//!     server.handle_disconnected(peer);
//!     Ok(())
//! });
//!
//! // The client: does what it asks for, until it is destroyed.
//! let settings = Config::new("hello").build(&host)?;
//! let endpoint = Endpoint::net(&settings, Some("127.0.0.1"), Some(port))?;
//! let mut client = Client::new(settings, endpoint, 0);
//! let mut answer = String::new();
//! client.connect();
//! while !client.is_destroyed() {
//!     while let Some(action) = client.poll_action() {
//!         let ClientAction::Connect(Endpoint::Tcp { host, port }) = action else { continue };
//!         match TcpStream::connect((host, port)) {
//!             Err(_) => client.handle_connect_failed(Instant::now()),
//!             Ok(mut stream) => {
//!                 let Some(mut connection) = client.handle_connected(Instant::now()) else { continue };
//!                 assert_eq!(client.poll_event(), Some(ClientEvent::Connected));
//!                 connection.outbound.emit("message", "hello")?;
//!                 let mut transmit = Transmit::new();
//!                 let end = run(&mut stream, &mut connection, &mut transmit, |event, _| {
//!                     answer = event.data().unwrap_or_default();
//!                     Break(())
//!                 });
//!                 if !answer.is_empty() {
//!                     client.disconnect();
//!                 }
//!                 // An error of the socket is worth another attempt, a broken protocol is not.
//!                 let retry = end.unwrap_or(true);
//!                 client.handle_disconnected(Instant::now(), connection.outbound, transmit, retry);
//!             }
//!         }
//!     }
//!     while let Some(event) = client.poll_event() {
//!         println!("{event:?}"); // Disconnected, then Destroyed
//!     }
//!     if let Some(at) = client.poll_timeout() {
//!         std::thread::sleep(at.saturating_duration_since(Instant::now()));
//!         client.handle_timeout(Instant::now());
//!     }
//! }
//! assert_eq!(answer, "hello world!");
//! server.join().unwrap()?;
//! # Ok(())
//! # }
//! ```
//!
//! # The types
//!
//! | type | owns |
//! |---|---|
//! | [`Config`] | every option of node-ipc and every limit; presets [`Config::v9`], [`Config::v14_fast`], [`Config::v14_guarded`], [`Config::v14_assured`]; read from JSON with node-ipc's own names |
//! | [`Settings`] | a configuration that was checked against a [`Host`]; cheap to clone |
//! | [`Endpoint`] | where: a Unix path, a Windows pipe, TCP or UDP; as text `unix:/tmp/app.world`, `tcp:localhost:8000` |
//! | [`Client`] | connecting, waiting, trying again, giving up; what becomes of events while offline |
//! | [`Server`] | who is connected, who may be, what they call themselves |
//! | [`Connection`] | one stream: an [`Inbound`] and an [`Outbound`] half |
//! | [`Inbound`] | bytes to events, and the time an unfinished message may take |
//! | [`Outbound`], [`Transmit`] | events to a bounded queue, and out of it to the socket; `sync` |
//! | [`Frame`] | an event encoded once, for a broadcast |
//! | [`Event`], [`Message`] | a name and its payload as unparsed JSON: borrowed from the buffer, or owned |
//! | [`Requests`], [`RequestBody`], [`Reply`] | requests that wait for their reply, each with a deadline; how they and replies are written |
//! | [`Contract`], [`EventName`] | all events of a service as one enum; a name that knows the type of its payload |
//! | [`Datagrams`] | one UDP socket: who was heard, what they said |
//! | [`DatagramOutbound`], [`DatagramTransmit`] | events to a bounded queue with an address each, and out of it to the UDP socket |
//! | [`InboundCounters`], [`OutboundCounters`] | what a connection has counted, to be read at any time |
//! | [`Decoder`], [`Encoder`], [`Delimiter`], [`Rules`] | framing and the envelope, to be used without a connection |
//!
//! On the wire an event is `{"type":"name","data":…}`, UTF-8, followed by a form feed or another [`Delimiter`].
//!
//! # Limits
//!
//! Each limit is an option of [`Config`]. "Guarded" stands for the presets `v14_guarded` and `v14_assured`.
//!
//! | limit | option | default | guarded | beyond it |
//! |---|---|---|---|---|
//! | bytes of a message | `max_message_size` | 64 MiB | 1 MiB | received: the connection ends; emitted: refused |
//! | bytes that wait to be sent | `max_pending_bytes` | 16 MiB | 8 MiB | as `slow_consumer` says, by default the emit is refused; an empty queue takes one message of any size |
//! | UTF-16 units of an event name | `max_event_name_length` | 65,536 | 256 | malformed, or refused |
//! | time of an unfinished message | `message_timeout` | none | 30 s | the connection ends |
//! | connections of a server | `max_connections` | 100 | 100 | accepted and closed |
//! | bytes kept while offline | `max_offline_bytes` | 1 MiB | 1 MiB | the emit is refused |
//! | retries in a row | `max_retries` | none | none | the client is destroyed |
//! | remembered UDP senders | `max_udp_peers` | 1024 | 1024 | the one heard longest ago is forgotten |
//! | bytes of the id a peer claims | [`MAX_CLAIMED_ID`] | 4096 | 4096 | the claim is ignored |
//!
//! JSON may be nested as deep as a message is long: it is checked without recursion. Parsing a payload into a type is
//! serde_json's work, which stops at a depth of 128 and says so.

#![forbid(unsafe_code)]
#![warn(missing_docs)]

mod backoff;
mod client;
mod config;
mod connection;
pub mod contract;
mod counters;
mod datagrams;
mod decoder;
mod delimiter;
mod encoder;
mod encoding;
mod endpoint;
mod envelope;
mod error;
mod event;
mod frame;
mod host;
mod inbound;
mod inspect;
mod json;
mod message;
mod outbound;
mod request;
mod rng;
mod rules;
mod server;
mod settings;
mod transmit;

/// For [`bytes::Buf`], through which a [`Transmit`] is read.
#[doc(no_inline)]
pub use bytes;

pub use backoff::Backoff;
pub use client::{Client, ClientAction, ClientEvent};
pub use config::{
    Config, ConfigError, Interface, IpFamily, Offline, OnMalformed, Parser, SlowConsumer, StopRetrying, TlsOptions,
};
pub use connection::Connection;
pub use contract::{Contract, ContractError, EventName};
pub use counters::{
    ClientCounters, DatagramSendCounters, InboundCounters, Loss, Lost, MalformedCounters, OutboundCounters,
    RefusedEmits, ServerCounters,
};
pub use datagrams::{
    Addressed, Arrival, Datagram, DatagramBurst, DatagramCounters, DatagramError, DatagramEvent, DatagramOutbound,
    DatagramTransmit, Datagrams, MAX_DATAGRAM, PeerEvent, PeerRemoval,
};
pub use decoder::Decoder;
pub use delimiter::{Delimiter, DelimiterError};
pub use encoder::Encoder;
pub use encoding::{Encoding, UnknownEncoding};
pub use endpoint::{Endpoint, EndpointError, LocalAddress, pipe_name};
pub use error::{Code, EncodeError, ProtocolError};
pub use event::{DataError, Event, FromEvent, Malformed};
pub use frame::{EmitError, Frame};
pub use host::{Host, Platform};
pub use inbound::{Inbound, Received};
pub use inspect::Inspect;
pub use json::JsonKind;
pub use message::{Empty, Message};
pub use outbound::{Outbound, Unsent};
pub use request::{
    Failure, IncomingRequest, JsonText, MAX_TOKEN, REPLY_EVENT, Reply, ReplyBody, ReplyError, RequestBody,
    RequestCounters, RequestEnd, RequestId, RequestOptions, Requests, TooManyRequests,
};
pub use rng::SplitMix64;
pub use rules::{Refusal, Rules};
pub use server::{MAX_CLAIMED_ID, PeerId, RefuseReason, Server, ServerEvent};
pub use settings::Settings;
pub use transmit::Transmit;

/// The README's examples run, too.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

/// And those of the page about embedding.
#[cfg(doctest)]
#[doc = include_str!("../../docs/embedding.md")]
struct Embedding;
