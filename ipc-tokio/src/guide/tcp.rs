//! Hosts, ports, names and families of addresses.
//!
//! # TCP
//!
//! [`Client::net`] and [`Server::net`] take a host and a port; `None` stands for the options `networkHost` (127.0.0.1) and
//! `networkPort` (8000). With port 0 the system chooses, and [`Server::local_endpoint`] tells. Names are resolved on the
//! blocking threads of the runtime. A client tries the addresses of a name with the families taking turns, the next one beside
//! one that has not answered within 250 ms; the option [`interface`](field@Config::interface) says from which address and
//! port, and over which family, and [`Client::set_lookup`] resolves names in your own way. A server binds to the first address
//! that it can. Without [TLS](super::tls) everything goes in clear, and whoever reaches the port may connect: bind to addresses
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

#[allow(unused_imports, reason = "for the links")]
use crate::*;
