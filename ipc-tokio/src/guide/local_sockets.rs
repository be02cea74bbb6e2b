//! Unix sockets and named pipes: who may connect, what is left behind.
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
//! A `socketRoot` that is missing is made, with what is missing above it, for this user alone. When the server stops the file is removed, if it is still
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

#[allow(unused_imports, reason = "for the links")]
use crate::*;
