//! Every option of node-ipc, and the limits this project adds.
//!
//! A [`Config`] is only what the user asks for. [`Config::build`] checks it against the machine and
//! gives [`Settings`](crate::Settings), which is what the state machines take.

mod choices;
mod codec;
mod error;
mod json;
mod nearest;
mod presets;
mod reading;
mod setters;
mod table;
mod tls;
mod validate;
mod vars;

use std::collections::BTreeSet;
use std::time::Duration;

pub use choices::{Interface, IpFamily, Offline, OnMalformed, Parser, SlowConsumer, StopRetrying};
pub use error::ConfigError;
pub use tls::TlsOptions;
pub(crate) use validate::{LONGEST_TIMER, check_path_part};

use crate::{Backoff, Encoding};

/// The options of one node-ipc instance.
///
/// Start from a preset ([`Config::v9`], which is the default, [`Config::v14_fast`],
/// [`Config::v14_guarded`], [`Config::v14_assured`]) or from JSON with node-ipc's own names
/// ([`Config::from_json`]), and change what differs by the setters, which are named like the fields:
///
/// ```
/// use std::time::Duration;
/// use ipc_proto::Config;
///
/// let config = Config::new("world")
///     .retry(Duration::from_millis(1500))
///     .max_connections(10)
///     .delimiter("\n");
/// assert_eq!(config.max_connections, 10);
///
/// let same = Config::from_json(
///     r#"{"id":"world","retry":1500,"maxConnections":10,"delimiter":"\n"}"#,
/// )?;
/// assert_eq!(same, config);
/// # Ok::<(), ipc_proto::ConfigError>(())
/// ```
///
/// The adapters re-export this type, so a program on one of them needs no `ipc-proto`: with `ipc-tokio` the examples of this page
/// begin with `use ipc_tokio::Config;`.
///
/// A field's documentation gives its JSON name where that is not the camelCase of the field, its
/// unit and its default, "guarded" standing for both [`Config::v14_guarded`] and
/// [`Config::v14_assured`]. In JSON, times are milliseconds, and where a field is an `Option`,
/// `false` and `null` stand for `None`.
///
/// `Debug` shows no private key.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Config {
    /// Put between `socket_root` and the id in the path of a local socket. Default `app.`.
    pub appspace: String,
    /// The directory of local sockets, with its closing slash: the path is the plain concatenation
    /// of this, `appspace` and the id; `/run/x` makes `/run/xapp.world`. (Where that looks like a directory, a warning in the log of the
    /// handle says so.) Default `/tmp/` in [`Config::v9`]; `None` in the v14 presets
    /// stands for a directory of this user's own, see
    /// [`Host::private_socket_root`](crate::Host::private_socket_root).
    pub socket_root: Option<String>,
    /// The id of this socket or service; never sent to a peer. Default `None`: the host's name.
    pub id: Option<String>,
    /// How text given to a raw connection becomes bytes. Default UTF-8.
    ///
    /// Framed messages are UTF-8 whatever this says, as node-ipc 14.0.0 has it. (9.2.1 also decodes
    /// what it receives by it, and then loses every message unless this is UTF-8.)
    pub encoding: Encoding,
    /// Raw bytes instead of messages: no delimiter, no JSON. The same as [`Parser::Raw`]. Default
    /// `false`.
    pub raw_buffer: bool,
    /// How strictly what arrives is read. Default [`Parser::Fast`]; see [`Config::from_json`] for
    /// what naming it in JSON implies.
    pub parser: Parser,
    /// What ends each message; not empty. Default a form feed, `"\u{c}"`.
    ///
    /// node-ipc 9.2.1 and 12.0.0 only receive with a delimiter of one UTF-16 unit; see
    /// [`Delimiter`](crate::Delimiter) for which delimiters are refused.
    pub delimiter: String,
    /// Clients send one message at a time and wait for any answer before the next. Default `false`.
    pub sync: bool,
    /// Turns logging off. Default `false`.
    pub silent: bool,
    /// Colour in logs. Default `true`.
    pub log_in_color: bool,
    /// How deep logged payloads are shown; `None` for all of it. Default 5.
    pub log_depth: Option<u32>,
    /// Whether payloads may be logged at all. Default `false`; node-ipc 9.2.1 logs every payload.
    pub log_payloads: bool,
    /// Connections a server holds at a time, on every stream transport; 0 lets nobody in. A
    /// surplus peer is accepted and closed. `usize::MAX`, in JSON `"Infinity"`, is no limit.
    /// Default 100.
    pub max_connections: usize,
    /// The wait before a client connects again. Default 500 ms. Zero is taken as 1 ms, as Node's
    /// timers do; the longest is 2³¹ − 1 ms.
    pub retry: Duration,
    /// Attempts after each loss of the connection before the client is destroyed; `None`, in JSON
    /// also `"Infinity"`, tries for ever. Default `None`.
    ///
    /// `false` means what the README of node-ipc says, no limit. In 9.2.1, 12.0.0 and 14.0.0 it
    /// stops after the first attempt, as 0 does.
    ///
    /// Each connection refills them. With TLS 1.3 that goes for a client whose certificate the server refuses as well: it is
    /// connected before it is refused, so this does not end it.
    pub max_retries: Option<u32>,
    /// A second switch over reconnecting. Default [`StopRetrying::No`].
    pub stop_retrying: StopRetrying,
    /// How `retry` grows. Default [`Backoff::Fixed`]. In JSON `"fixed"`, `"exponential"` or
    /// `{"factor":2,"max":30000,"jitter":0.5}`. Not an option of node-ipc.
    pub backoff: Backoff,
    /// Removes the socket file that a dead server left before serving. Default `true`. Only ever a
    /// socket is removed. (9.2.1 and 12.0.0 remove whatever file is there.)
    pub unlink: bool,
    /// Takes the path from a server that still answers on it. Default `false`: serving fails
    /// instead. node-ipc 9.2.1, 12.0.0 and 14.0.0 steal it in silence. Not an option of node-ipc.
    pub take_over: bool,
    /// Which local interface a client connects through. JSON `interface`, or `interfaces` as the
    /// README of node-ipc writes it (9.2.1, 12.0.0 and 14.0.0 ignore that spelling).
    pub interface: Interface,
    /// The default host of TCP, TLS and UDP. Default `None`: `127.0.0.1`, or `::1` where
    /// `ip_type` or UDP over IPv6 asks for it.
    pub network_host: Option<String>,
    /// Lets several TCP servers listen on one port (`SO_REUSEPORT`); all of them must ask for it, and be of one user. Linux
    /// and FreeBSD share the connections out between them, elsewhere one may get them all. A connection that waits for a
    /// server which stops is lost; to restart without a gap hand the socket over. Default `false`. Not for Windows, which cannot. Not an option of node-ipc.
    pub reuse_port: bool,
    /// The default port of TCP, TLS and UDP. Default 8000. 0 lets the system choose a free port
    /// when serving; node-ipc 9.2.1 and 14.0.0 take 0 for "not set".
    pub network_port: u16,
    /// The address family that decides the default of `network_host`; JSON `IPType`, with
    /// `"IPv4"`, `"IPv6"` or `""`. Default `None`: nothing is asked of the operating system.
    pub ip_type: Option<IpFamily>,
    /// TLS over TCP, and its files. Default `None`: none.
    pub tls: Option<TlsOptions>,
    /// Lets every user of the machine read from the local socket. Default `false`. A Windows pipe needs this
    /// and `writable_all` for another user to be answered.
    pub readable_all: bool,
    /// Lets every user of the machine write to the local socket. Default `false`.
    pub writable_all: bool,
    /// The mode of the file of a local socket, in place of the two options above: permission bits from 0 to `0o777`,
    /// whatever the umask is. In JSON a text of octal digits, `"0660"`. Who may write to the file may
    /// connect. Default `None`: `0o600` and what those two add. Not for Windows. Not an option of node-ipc.
    pub socket_mode: Option<u32>,
    /// The group that the file of a local socket is given to before anybody can connect: its name, or its number in
    /// digits. Default `None`: the group that the system gives it. Set `socket_mode` with it, or the group may do nothing.
    /// Not for Windows. Not an option of node-ipc.
    pub socket_group: Option<String>,
    /// Requires `socket_root` to be a real directory of this user and closes it to others (mode
    /// 0700). Default `false` in [`Config::v9`], `true` in the v14 presets.
    pub secure_socket_root: bool,
    /// Keeps the last truthy `data.id` a peer sent as that peer's name, which anybody can forge.
    /// Default `true` in [`Config::v9`], `false` in the v14 presets.
    pub identify_peer: bool,
    /// What a malformed message does to its connection. Default [`OnMalformed::Report`] in
    /// [`Config::v9`], [`OnMalformed::Close`] in the v14 presets. Not an option of node-ipc.
    pub malformed: OnMalformed,
    /// Bytes of one message, without its delimiter, in both directions; 1 to 2³¹ − 1. Default
    /// 64 MiB, guarded 1 MiB. (Without limit in 9.2.1 and in the `fast` parser of 14.0.0.)
    pub max_message_size: usize,
    /// Bytes that may wait to be written on one connection; at least 1. Of a UDP socket, bytes held
    /// of messages that are not whole yet. Default 16 MiB, guarded 8 MiB.
    pub max_pending_bytes: usize,
    /// What becomes of an event for which `max_pending_bytes` leaves no room. Default [`SlowConsumer::Refuse`]. Not for UDP,
    /// where one queue serves all receivers; raw connections cannot drop. Not an option of node-ipc.
    pub slow_consumer: SlowConsumer,
    /// UTF-16 units of an event's name; at least 1. Default 65,536, guarded 256.
    pub max_event_name_length: usize,
    /// How long a message may stay incomplete. Default `None`, guarded 30 s. Over UDP, where the
    /// rest may be lost, `None` stands for 5 s.
    pub message_timeout: Option<Duration>,
    /// After so long without a byte either way the system asks the other side of a TCP connection whether it is still there; if
    /// that does not answer for as long again, the connection has ended. 1 s to 32,767 s, in whole seconds. Default `None`: that
    /// a machine has lost its power is never noticed while nothing is sent. Not an option of node-ipc.
    pub tcp_keep_alive: Option<Duration>,
    /// Whether the guarded and assured parsers let the names of lifecycle events pass as names of
    /// wire events. Default `false`. (The other parsers always do.)
    pub allow_reserved_events: bool,
    /// The only event names that may be sent or received. Default `None`: every name. The assured
    /// parser requires it.
    pub allowed_events: Option<BTreeSet<String>>,
    /// What becomes of an event emitted while a client is not connected. Default
    /// [`Offline::Refuse`]. Not an option of node-ipc, which loses it in silence.
    pub offline: Offline,
    /// Bytes that [`Offline::Buffer`] holds per client; at least 1. Default 1 MiB. Not an option of
    /// node-ipc.
    pub max_offline_bytes: usize,
    /// Groups that one peer of a server may be in at a time; 0 for none. Default 100. Not an option of node-ipc, which has no
    /// groups.
    pub max_groups: usize,
    /// Connections the system may hold before a server accepts them; at least 1. Default 511, which
    /// is Node's. Not an option of node-ipc. Without effect on Windows pipes.
    pub accept_backlog: u32,
    /// Events that may wait in one event stream before its socket is no longer read; at least 1.
    /// Default 1024. Not an option of node-ipc.
    pub event_queue: usize,
    /// Senders that a UDP socket remembers, for broadcasts and for messages split over datagrams;
    /// at least 1. Default 1024. Not an option of node-ipc (9.2.1 remembers none, 14.0.0 all).
    pub max_udp_peers: usize,
    /// How long a UDP sender is remembered after its last datagram. Default 60 s. Not an option of
    /// node-ipc.
    pub udp_peer_expiry: Duration,
}
