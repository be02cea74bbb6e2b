//! Listening sockets from elsewhere: shared between processes, handed on, given by systemd.
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
//! examples `worker` and `cluster` are a parent with one worker and with four.
//!
//! A server on a socket that was bound before, by the standard library:
//!
//! ```
//! use ipc_tokio::{Client, Config, Server};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
//! let port = listener.local_addr()?.port();
//! let server = Server::from_listener(listener, Config::new("world"))?;
//! assert_eq!(server.local_endpoint().port(), Some(port));
//! server.start().await?;
//! Client::connect_to_net(Some("127.0.0.1"), Some(port), Config::new("me")).await?.close().await?;
//! # Ok(())
//! # }
//! ```
//!
//! A descriptor from anywhere, of which nobody need say what it is. Here it is a Unix socket, whose file goes with the server:
//!
//! ```
//! # #[cfg(unix)]
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use ipc_tokio::{Client, Config, Failure, Listening, Server};
//! use std::os::fd::OwnedFd;
//! use std::os::unix::net::UnixListener;
//! use std::time::Duration;
//!
//! # let folder = tempfile::tempdir()?;
//! # let path = folder.path().join("world");
//! let descriptor = OwnedFd::from(UnixListener::bind(&path)?);
//! let listening = Listening::from_fd(descriptor)?.owning_file()?; // `Server::from_fd` would leave the file
//! let server = Server::from_listener(listening, Config::new("world"))?;
//! server.on_request("double", |_peer, number: u32| Ok::<_, Failure>(2 * number));
//! server.start().await?;
//!
//! let client = Client::at_path(&path.display().to_string(), Config::new("me"))?;
//! client.connect().await?;
//! assert_eq!(client.request::<u32>("double", &21).await?, 42);
//! client.close().await?;
//! server.shutdown(Duration::from_secs(5)).await;
//! assert!(!path.exists());
//! # Ok(())
//! # }
//! # #[cfg(not(unix))]
//! # fn main() {}
//! ```
//!
//! A program that systemd starts when its first client comes:
//!
//! ```
//! # #[cfg(unix)]
//! # #[tokio::main]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use ipc_tokio::{Config, Server};
//!
//! # let folder = tempfile::tempdir()?;
//! # let root = format!("{}/", folder.path().display());
//! let config = Config::new("world").socket_root(root);
//! let server = match ipc_tokio::inherited()?.into_iter().next() {
//!     Some(given) => Server::from_listener(given.socket, config)?,
//!     None => Server::new(config)?, // started by hand
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
//! that hangs keeps its socket, and the `start` of the new one fails after 10 s. Both versions of a program do the same; here the old
//! and the new one are in one process:
//!
//! ```
//! # #[cfg(unix)]
//! # #[tokio::main]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use ipc_tokio::{Config, ServeError, Server};
//! use std::path::Path;
//! use std::time::Duration;
//!
//! async fn serve(control: &Path, config: Config) -> Result<Server, ServeError> {
//!     let server = match Server::take_over(control, config.clone()).await {
//!         Ok(server) => server,
//!         // Nobody is there to be relieved. If somebody is who cannot be, `start` says that the address is in use.
//!         Err(_) => Server::new(config)?,
//!     };
//!     server.on("message", |peer, text: String| peer.emit("message", &text));
//!     server.start().await?;
//!     Ok(server)
//! }
//!
//! # let folder = tempfile::tempdir()?;
//! # let root = format!("{}/", folder.path().display());
//! # let control = folder.path().join("world.control");
//! let config = Config::new("world").socket_root(root); // control: /run/user/1000/world.control
//! let old = serve(&control, config.clone()).await?;
//! let handing = tokio::spawn({
//!     let (old, control) = (old.clone(), control.clone());
//!     async move { old.hand_over(control).await } // until the next version of this program comes
//! });
//! # while !control.exists() {
//! #     tokio::time::sleep(Duration::from_millis(1)).await;
//! # }
//! let new = serve(&control, config).await?;
//!
//! let successor = handing.await??;
//! println!("process {:?} has taken over", successor.pid);
//! assert!(new.is_listening() && !old.is_listening());
//! while !old.is_empty() {
//!     // The clients that are here, for as long as they like.
//!     tokio::time::sleep(Duration::from_millis(100)).await;
//! }
//! old.shutdown(Duration::from_secs(5)).await;
//! # Ok(())
//! # }
//! # #[cfg(not(unix))]
//! # fn main() {}
//! ```

#[allow(unused_imports, reason = "for the links")]
use crate::*;
