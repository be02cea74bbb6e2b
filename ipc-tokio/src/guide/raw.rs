//! Connections without events: bytes for peers that speak something else.
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

#[allow(unused_imports, reason = "for the links")]
use crate::*;
