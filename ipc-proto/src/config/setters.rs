//! One chained setter for each option of [`Config`], named like its field.
//!
//! What an option means is said at the field; nothing is checked before [`Config::validate`].

use std::time::Duration;

use super::{Config, Interface, IpFamily, Offline, OnMalformed, Parser, SlowConsumer, StopRetrying, TlsOptions};
use crate::{Backoff, Encoding};

macro_rules! setters {
    ($($name:ident: $argument:ty => $convert:expr;)*) => {
        impl Config {
            $(
                #[doc = concat!("Sets [`", stringify!($name), "`](field@Config::", stringify!($name), ").")]
                #[must_use]
                pub fn $name(mut self, $name: $argument) -> Self {
                    self.$name = $convert($name);
                    self
                }
            )*
        }
    };
}

setters! {
    appspace: impl Into<String> => Into::into;
    socket_root: impl Into<String> => some_string;
    id: impl Into<String> => some_string;
    encoding: Encoding => same;
    raw_buffer: bool => same;
    parser: Parser => same;
    delimiter: impl Into<String> => Into::into;
    sync: bool => same;
    silent: bool => same;
    log_in_color: bool => same;
    log_depth: impl Into<Option<u32>> => Into::into;
    log_payloads: bool => same;
    max_connections: usize => same;
    retry: Duration => same;
    max_retries: impl Into<Option<u32>> => Into::into;
    stop_retrying: impl Into<StopRetrying> => Into::into;
    backoff: Backoff => same;
    unlink: bool => same;
    take_over: bool => same;
    interface: Interface => same;
    network_host: impl Into<String> => some_string;
    network_port: u16 => same;
    reuse_port: bool => same;
    ip_type: impl Into<Option<IpFamily>> => Into::into;
    tls: impl Into<Option<TlsOptions>> => Into::into;
    readable_all: bool => same;
    writable_all: bool => same;
    socket_mode: impl Into<Option<u32>> => Into::into;
    socket_group: impl Into<String> => some_string;
    secure_socket_root: bool => same;
    identify_peer: bool => same;
    malformed: OnMalformed => same;
    max_message_size: usize => same;
    max_pending_bytes: usize => same;
    slow_consumer: SlowConsumer => same;
    max_event_name_length: usize => same;
    message_timeout: impl Into<Option<Duration>> => Into::into;
    tcp_keep_alive: impl Into<Option<Duration>> => Into::into;
    allow_reserved_events: bool => same;
    offline: Offline => same;
    max_offline_bytes: usize => same;
    max_groups: usize => same;
    accept_backlog: u32 => same;
    event_queue: usize => same;
    max_udp_peers: usize => same;
    udp_peer_expiry: Duration => same;
}

impl Config {
    /// Sets [`allowed_events`](field@Config::allowed_events): these names and no others.
    #[must_use]
    pub fn allowed_events<I>(mut self, names: I) -> Self
    where
        I: IntoIterator,
        I::Item: Into<String>,
    {
        self.allowed_events = Some(names.into_iter().map(Into::into).collect());
        self
    }
}

fn same<T>(value: T) -> T {
    value
}

fn some_string(text: impl Into<String>) -> Option<String> {
    Some(text.into())
}
