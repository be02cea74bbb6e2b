//! The four starting points of a configuration, one for each line of node-ipc and its profiles.
//!
//! Recorded defaults of the real thing are the measure; `tests/it/defaults.rs` lists each difference.

use std::time::Duration;

use super::{Config, Interface, Offline, OnMalformed, Parser, SlowConsumer, StopRetrying};
use crate::{Backoff, Encoding};

const KIB: usize = 1024;
const MIB: usize = 1024 * KIB;

impl Config {
    /// The defaults with this `id`: the id of the service itself.
    #[must_use]
    pub fn new(id: impl Into<String>) -> Self {
        Self::v9().id(id)
    }

    /// What node-ipc 9.2.1 does and its README describes, with bounds. The default.
    #[must_use]
    pub fn v9() -> Self {
        Self {
            appspace: String::from("app."),
            socket_root: Some(String::from("/tmp/")),
            id: None,
            encoding: Encoding::Utf8,
            raw_buffer: false,
            parser: Parser::Fast,
            delimiter: String::from("\u{c}"),
            sync: false,
            silent: false,
            log_in_color: true,
            log_depth: Some(5),
            log_payloads: false,
            max_connections: 100,
            retry: Duration::from_millis(500),
            max_retries: None,
            stop_retrying: StopRetrying::No,
            backoff: Backoff::Fixed,
            unlink: true,
            take_over: false,
            interface: Interface::default(),
            network_host: None,
            network_port: 8000,
            reuse_port: false,
            ip_type: None,
            tls: None,
            readable_all: false,
            writable_all: false,
            socket_mode: None,
            socket_group: None,
            secure_socket_root: false,
            identify_peer: true,
            malformed: OnMalformed::Report,
            max_message_size: 64 * MIB,
            max_pending_bytes: 16 * MIB,
            slow_consumer: SlowConsumer::Refuse,
            max_event_name_length: 64 * KIB,
            message_timeout: None,
            tcp_keep_alive: None,
            allow_reserved_events: false,
            allowed_events: None,
            offline: Offline::Refuse,
            max_offline_bytes: MIB,
            max_groups: 100,
            accept_backlog: 511,
            event_queue: 1024,
            max_udp_peers: 1024,
            udp_peer_expiry: Duration::from_secs(60),
        }
    }

    /// What node-ipc 14.0.0 does out of the box (its parser `fast`), with bounds: private sockets,
    /// and a malformed message closes its connection.
    #[must_use]
    pub fn v14_fast() -> Self {
        Self {
            socket_root: None,
            secure_socket_root: true,
            identify_peer: false,
            malformed: OnMalformed::Close,
            ..Self::v9()
        }
    }

    /// node-ipc 14.0.0 with its parser `guarded`: its limits, and its rules on event names.
    #[must_use]
    pub fn v14_guarded() -> Self {
        Self {
            parser: Parser::Guarded,
            max_message_size: MIB,
            max_pending_bytes: 8 * MIB,
            max_event_name_length: 256,
            message_timeout: Some(Duration::from_secs(30)),
            ..Self::v14_fast()
        }
    }

    /// node-ipc 14.0.0 with its parser `assured`: guarded, with these events and no others, and TLS
    /// that verifies both sides on networks.
    #[must_use]
    pub fn v14_assured<I>(events: I) -> Self
    where
        I: IntoIterator,
        I::Item: Into<String>,
    {
        Self {
            parser: Parser::Assured,
            allowed_events: Some(events.into_iter().map(Into::into).collect()),
            ..Self::v14_guarded()
        }
    }
}

impl Default for Config {
    fn default() -> Self {
        Self::v9()
    }
}
