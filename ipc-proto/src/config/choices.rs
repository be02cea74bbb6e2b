//! The options that are a choice between a few named things, and the `interface` group.
//!
//! What each choice leads to is the business of the state machines.

use std::net::IpAddr;

/// How strictly messages are read and written, from node-ipc 14's option `parser`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Parser {
    /// Bytes as they come: no messages, no delimiter.
    Raw,
    /// Messages with any name. The default; all that 9.2.1 has.
    #[default]
    Fast,
    /// Refuses empty names, names of `Object.prototype`, and lifecycle names unless
    /// `allow_reserved_events`.
    Guarded,
    /// As guarded, and only `allowed_events` pass, networks need TLS that verifies both sides, UDP
    /// and Windows pipes are refused, and local sockets lie directly inside `socket_root`.
    Assured,
}

/// What a message that breaks the protocol does to its connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum OnMalformed {
    /// It is reported and the connection goes on, as in node-ipc 9.2.1 and 12.0.0.
    #[default]
    Report,
    /// It is reported and the connection is closed, with no retry, as in node-ipc 14.0.0.
    Close,
}

/// What becomes of an event emitted while a client is not connected.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Offline {
    /// The emit fails with an error that says so.
    #[default]
    Refuse,
    /// The event waits for the next connection, within `max_offline_bytes`.
    Buffer,
    /// The event is dropped and counted, as node-ipc 9.2.1, 12.0.0 and 14.0.0 do without counting.
    ///
    /// Only while the client waits for its next attempt: what is emitted during one leaves with the connection.
    ///
    /// ```
    /// use ipc_proto::{Client, Config, Endpoint, Host, Offline, Platform};
    /// use std::time::Instant;
    ///
    /// let settings = Config::new("me").offline(Offline::Drop).build(&Host::new("pluto", Platform::Linux))?;
    /// let mut client = Client::new(settings.clone(), Endpoint::net(&settings, None, None)?, 1);
    /// client.connect();
    /// client.poll_action(); // connect; and nobody is there:
    /// client.handle_connect_failed(Instant::now());
    /// client.emit_offline(|outbound| outbound.emit("position", &7))?;
    /// assert_eq!(client.dropped().messages, 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    Drop,
}

/// What becomes of an event for which a connection's queue has no room, because the peer reads more slowly than we write.
///
/// It decides for `emit` and `broadcast`, which never wait; `send` waits for room whatever this says. What it costs is
/// counted by reason, see [`Lost`](crate::Lost). Only whole events are ever dropped, and none that the peer has a part of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SlowConsumer {
    /// The emit fails with [`EmitError::Full`](crate::EmitError::Full).
    #[default]
    Refuse,
    /// The events that have waited longest make room: for what is worth less the older it is, such as a state or a price.
    ///
    /// With `sync` only events that wait for their turn are dropped, never the one whose answer is waited for. Where what is
    /// being written leaves no room by itself, the emit fails with [`EmitError::Full`](crate::EmitError::Full).
    DropOldest,
    /// The event itself is dropped, and the emit succeeds: for what may be sampled, such as progress or measurements.
    ///
    /// ```
    /// use ipc_proto::{Config, Host, Outbound, Platform, SlowConsumer};
    ///
    /// let config = Config::new("world").max_pending_bytes(100).slow_consumer(SlowConsumer::DropNewest);
    /// let mut outbound = Outbound::new(&config.build(&Host::new("pluto", Platform::Linux))?, false);
    /// for percent in 10..20 {
    ///     outbound.emit("percent", &percent)?; // 29 bytes each, so that three have room
    /// }
    /// assert_eq!(outbound.dropped_newest(), 7);
    /// assert_eq!(outbound.pending(), 3 * 29);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    DropNewest,
    /// The connection is ended, and what is queued for it is lost: for peers that had better begin afresh than miss something.
    /// The emit fails with [`EmitError::TooSlow`](crate::EmitError::TooSlow). A client connects again, as after any loss of
    /// its connection, with an empty queue whatever the offline policy is.
    ///
    /// ```
    /// use ipc_proto::{Config, EmitError, Host, Outbound, Platform, SlowConsumer, Transmit};
    ///
    /// let config = Config::new("world").max_pending_bytes(100).slow_consumer(SlowConsumer::Disconnect);
    /// let mut outbound = Outbound::new(&config.build(&Host::new("pluto", Platform::Linux))?, false);
    /// let refused = (10..20).find_map(|line| outbound.emit("percent", &line).err()); // the fourth
    /// assert!(matches!(refused, Some(EmitError::TooSlow { pending: 87, length: 29, limit: 100, .. })));
    /// assert!(outbound.has_overflowed()); // whoever has the connection is to end it
    /// assert!(matches!(outbound.emit("percent", &20), Err(EmitError::Closed)));
    /// assert_eq!(outbound.end(Transmit::new()).messages, 3);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    Disconnect,
}

/// Whether a client gives up reconnecting, whatever `max_retries` says.
///
/// This is what the README of node-ipc promises. node-ipc 9.2.1, 12.0.0 and 14.0.0 look at
/// truthiness only: 0 retries for ever, and 3 never retries.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum StopRetrying {
    /// Goes on trying. JSON `false`.
    #[default]
    No,
    /// Stops at once. JSON `true`.
    Yes,
    /// Stops after that many retries since the last connection; 0 never reconnects. A JSON number.
    After(u32),
}

impl From<bool> for StopRetrying {
    fn from(stop: bool) -> Self {
        if stop { Self::Yes } else { Self::No }
    }
}

impl From<u32> for StopRetrying {
    fn from(retries: u32) -> Self {
        Self::After(retries)
    }
}

/// A family of Internet addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum IpFamily {
    /// Version 4.
    V4,
    /// Version 6.
    V6,
}

impl IpFamily {
    /// The loopback address of the family: `127.0.0.1` or `::1`.
    #[must_use]
    pub const fn loopback(self) -> &'static str {
        match self {
            Self::V4 => "127.0.0.1",
            Self::V6 => "::1",
        }
    }
}

/// Which local interface a client connects through: the options of Node's `socket.connect`.
///
/// A `lookup` function, which node-ipc passes on to Node, cannot be part of a configuration.
///
/// ```
/// use ipc_proto::{Config, Interface, IpFamily};
///
/// let interface = Interface::default().local_address([127, 0, 0, 1].into()).local_port(4000).family(IpFamily::V4);
/// let same = Config::from_json(r#"{"interface":{"localAddress":"127.0.0.1","localPort":4000,"family":4}}"#)?;
/// assert_eq!(same.interface, interface);
/// # Ok::<(), ipc_proto::ConfigError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Interface {
    /// The local address to connect from. Default `None`: the system chooses.
    pub local_address: Option<IpAddr>,
    /// The local port to connect from. Default `None`: the system chooses.
    pub local_port: Option<u16>,
    /// The only family of addresses to connect to; JSON `4` or `6`, and `0` for both. Default
    /// `None`: both.
    pub family: Option<IpFamily>,
    /// Flags of the name lookup, as Node's `dns.lookup` numbers them. Default `None`.
    pub hints: Option<u32>,
}

impl Interface {
    /// Connects from this local address.
    #[must_use]
    pub fn local_address(mut self, address: IpAddr) -> Self {
        self.local_address = Some(address);
        self
    }

    /// Connects from this local port.
    #[must_use]
    pub fn local_port(mut self, port: u16) -> Self {
        self.local_port = Some(port);
        self
    }

    /// Connects to addresses of this family only.
    #[must_use]
    pub fn family(mut self, family: IpFamily) -> Self {
        self.family = Some(family);
        self
    }

    /// Sets the flags of the name lookup.
    #[must_use]
    pub fn hints(mut self, hints: u32) -> Self {
        self.hints = Some(hints);
        self
    }
}
