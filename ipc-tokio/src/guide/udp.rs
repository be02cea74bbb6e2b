//! Events as datagrams.
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
//! Over IPv6 all of it is the same; without a host that is `::1`:
//!
//! ```
//! use ipc_tokio::{Config, UdpServer};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # // A machine without IPv6 cannot show it, but one where `CI` is set must.
//! # if let (Err(error), None) = (std::net::UdpSocket::bind("[::1]:0"), std::env::var_os("CI")) {
//! #     eprintln!("*** NOT TESTED: UDP over IPv6: {error} ***");
//! #     return Ok(());
//! # }
//! let world = UdpServer::udp6(None, Some(0), Config::new("world"))?;
//! world.on("message", |peer, text: String| peer.emit("message", &format!("{text} world!")));
//! world.start().await?;
//! let address = world.local_address().ok_or("it is started")?;
//! assert_eq!(world.local_endpoint().to_string(), format!("udp6:[::1]:{}", address.port()));
//!
//! let hello = UdpServer::udp6(None, Some(0), Config::new("hello"))?;
//! let (sender, mut answers) = tokio::sync::mpsc::channel(8);
//! hello.on("message", move |peer, text: String| sender.try_send((peer.address(), text)));
//! hello.start().await?;
//! hello.emit_to(address, "message", "hello")?;
//! assert_eq!(answers.recv().await, Some((address, "hello world!".to_owned())));
//! # Ok(())
//! # }
//! ```
//!
//! On `udp6` an address of version 4 is written `::ffff:a.b.c.d`, and works where the server is bound to `::` and the system
//! allows it (Linux and macOS do).

#[allow(unused_imports, reason = "for the links")]
use crate::*;
