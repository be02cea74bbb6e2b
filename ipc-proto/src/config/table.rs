//! The table of options: every JSON name, the field it stands for and its codec.
//!
//! Reading, writing and "did you mean" all go by this one table. Order is the order of writing.

use serde_json::{Map, Value};

use super::codec::{self, Unread};
use super::error::shown;
use super::nearest::nearest;
use super::{Config, ConfigError, Interface, TlsOptions};

/// One option of the group `S`.
pub(super) struct Row<S> {
    pub(super) name: &'static str,
    alias: Option<&'static str>,
    allowed: &'static str,
    secret: bool,
    read: fn(&mut S, &Value) -> Result<(), Unread>,
    pub(super) write: fn(&S) -> Value,
}

impl<S> Row<S> {
    /// Reads a value; the error, if more is known than that the option cannot have it.
    pub(super) fn take(&self, group: &mut S, value: &Value) -> Result<(), Option<ConfigError>> {
        (self.read)(group, value).map_err(|unread| match unread {
            Unread::Part(error) => Some(error),
            Unread::Value => None,
        })
    }

    pub(super) fn allowed(&self) -> &'static str {
        self.allowed
    }

    pub(super) fn is_secret(&self) -> bool {
        self.secret
    }
}

macro_rules! rows {
    ($group:ty; $($name:literal $(or $alias:literal)? => $field:ident: $codec:ident $($secret:ident)?;)*) => {
        &[$(Row {
            name: $name,
            alias: rows!(@alias $($alias)?),
            allowed: codec::$codec.allowed,
            secret: rows!(@secret $($secret)?),
            read: |group: &mut $group, value| {
                group.$field = (codec::$codec.read)(value)?;
                Ok(())
            },
            write: |group: &$group| (codec::$codec.write)(&group.$field),
        },)*]
    };
    (@alias) => { None };
    (@alias $alias:literal) => { Some($alias) };
    (@secret) => { false };
    (@secret secret) => { true };
}

pub(super) static OPTIONS: &[Row<Config>] = rows! { Config;
    "appspace" => appspace: TEXT;
    "socketRoot" => socket_root: OPTIONAL_TEXT;
    "id" => id: ID;
    "encoding" => encoding: ENCODING;
    "rawBuffer" => raw_buffer: BOOL;
    "parser" => parser: PARSER;
    "delimiter" => delimiter: TEXT;
    "sync" => sync: BOOL;
    "silent" => silent: BOOL;
    "logInColor" => log_in_color: BOOL;
    "logDepth" => log_depth: NUMBER_OR_UNLIMITED;
    "logPayloads" => log_payloads: BOOL;
    "maxConnections" => max_connections: COUNT_OR_UNLIMITED;
    "retry" => retry: RETRY;
    "maxRetries" => max_retries: NUMBER_OR_UNLIMITED;
    "stopRetrying" => stop_retrying: STOP_RETRYING;
    "backoff" => backoff: BACKOFF;
    "unlink" => unlink: BOOL;
    "takeOver" => take_over: BOOL;
    "interface" or "interfaces" => interface: INTERFACE;
    "networkHost" => network_host: OPTIONAL_TEXT;
    "networkPort" => network_port: PORT;
    "reusePort" => reuse_port: BOOL;
    "IPType" => ip_type: IP_TYPE;
    "tls" => tls: TLS;
    "readableAll" => readable_all: BOOL;
    "writableAll" => writable_all: BOOL;
    "socketMode" => socket_mode: MODE;
    "socketGroup" => socket_group: GROUP;
    "secureSocketRoot" => secure_socket_root: BOOL;
    "identifyPeer" => identify_peer: BOOL;
    "malformed" => malformed: MALFORMED;
    "maxMessageSize" => max_message_size: MESSAGE_SIZE;
    "maxPendingBytes" => max_pending_bytes: POSITIVE;
    "slowConsumer" => slow_consumer: SLOW_CONSUMER;
    "maxEventNameLength" => max_event_name_length: POSITIVE;
    "messageTimeout" => message_timeout: MESSAGE_TIMEOUT;
    "tcpKeepAlive" => tcp_keep_alive: KEEP_ALIVE;
    "allowReservedEvents" => allow_reserved_events: BOOL;
    "allowedEvents" => allowed_events: NAMES;
    "offline" => offline: OFFLINE;
    "maxOfflineBytes" => max_offline_bytes: POSITIVE;
    "maxGroups" => max_groups: COUNT;
    "acceptBacklog" => accept_backlog: BACKLOG;
    "eventQueue" => event_queue: POSITIVE;
    "maxUdpPeers" => max_udp_peers: POSITIVE;
    "udpPeerExpiry" => udp_peer_expiry: EXPIRY;
};

pub(super) static INTERFACE_OPTIONS: &[Row<Interface>] = rows! { Interface;
    "localAddress" => local_address: ADDRESS;
    "localPort" => local_port: OPTIONAL_PORT;
    "family" => family: FAMILY;
    "hints" => hints: OPTIONAL_NUMBER;
};

pub(super) static TLS_OPTIONS: &[Row<TlsOptions>] = rows! { TlsOptions;
    "private" => private: PATH;
    "public" => public: PATH;
    "dhparam" => dhparam: PATH;
    "trustedConnections" => trusted_connections: PATHS;
    "requestCert" => request_cert: OPTIONAL_BOOL;
    "rejectUnauthorized" => reject_unauthorized: OPTIONAL_BOOL;
    "key" => key: OPTIONAL_TEXT secret;
    "cert" => cert: OPTIONAL_TEXT secret;
    "ca" => ca: TEXTS secret;
    "servername" or "serverName" => server_name: OPTIONAL_TEXT;
    "handshakeTimeout" => handshake_timeout: HANDSHAKE_TIMEOUT;
};

/// Options that are functions in JavaScript, and what takes their place.
const FUNCTIONS: [(&str, &str); 2] = [
    ("logger", "to leave it out: give a handle its logger with `set_logger`, or install a subscriber of `tracing`"),
    ("interface.lookup", "false: name lookup belongs to the runtime"),
];

/// Reads every entry of `parts` into `group`; `prefix` is what errors put before a name.
pub(super) fn read_into<S>(
    group: &mut S,
    parts: &Map<String, Value>,
    prefix: &'static str,
    rows: &'static [Row<S>],
) -> Result<(), ConfigError> {
    parts.iter().try_for_each(|(name, value)| read_one(group, name, value, prefix, rows))
}

fn read_one<S>(
    group: &mut S,
    name: &str,
    value: &Value,
    prefix: &'static str,
    rows: &'static [Row<S>],
) -> Result<(), ConfigError> {
    let Some(row) = rows.iter().find(|row| row.name == name || row.alias == Some(name)) else {
        return function(prefix, name, value, rows);
    };
    (row.read)(group, value).map_err(|unread| match unread {
        Unread::Part(error) if name == row.name => error,
        Unread::Part(error) => error.of_group(row.name, name),
        Unread::Value => ConfigError::invalid(format!("{prefix}{name}"), shown(value, row.secret), row.allowed),
    })
}

/// What is wrong with an option, or with that of a group, which is named as it was written.
pub(super) fn check(group: Option<&str>, name: &str, value: &Value) -> Result<(), ConfigError> {
    let mut scratch = Config::v9();
    let Some(group) = group else { return read_one(&mut scratch, name, value, "", OPTIONS) };
    let alone = Value::Object(Map::from_iter([(name.to_owned(), value.clone())]));
    read_one(&mut scratch, group, &alone, "", OPTIONS)
}

/// That there is such an option.
pub(super) fn check_name(group: Option<&str>, name: &str) -> Result<(), ConfigError> {
    match check(group, name, &Value::Null) {
        Err(error @ ConfigError::Unknown { .. }) => Err(error),
        // One that cannot have this value is there.
        _ => Ok(()),
    }
}

/// That the option is not among those before it, nor is another name of it.
pub(super) fn check_once(group: Option<&str>, name: &str, before: &Map<String, Value>) -> Result<(), ConfigError> {
    let (prefix, names) = match group {
        None => (String::new(), names(name, OPTIONS)),
        Some(group) => (format!("{group}."), names(name, TLS_OPTIONS)),
    };
    let mut all = names.into_iter().flatten().chain([name]);
    match all.find(|name| before.contains_key(*name)) {
        Some(first) => Err(ConfigError::Twice { option: format!("{prefix}{name}"), first: format!("{prefix}{first}") }),
        None => Ok(()),
    }
}

/// Both names of the option, if there is one in this group that has another.
fn names<S>(name: &str, rows: &[Row<S>]) -> Option<[&'static str; 2]> {
    let mut both = rows.iter().filter_map(|row| Some([row.name, row.alias?]));
    both.find(|both| both.contains(&name))
}

/// Whether the option may have options of its own.
pub(super) fn is_group(name: &str) -> bool {
    check(None, name, &Value::Object(Map::new())).is_ok()
}

/// What the option of this name may be, wherever that is told.
pub(super) fn allowed(option: &str) -> &'static str {
    fn find<S>(rows: &[Row<S>], name: &str) -> Option<&'static str> {
        rows.iter().find(|row| row.name == name).map(|row| row.allowed)
    }
    let found = match option.strip_prefix("tls.") {
        Some(name) => find(TLS_OPTIONS, name),
        None => find(OPTIONS, option),
    };
    found.unwrap_or("another value")
}

/// All of `group` as a JSON object.
pub(super) fn object<S>(rows: &'static [Row<S>], group: &S) -> Value {
    let written = rows.iter().map(|row| (row.name.to_owned(), (row.write)(group)));
    Value::Object(written.collect())
}

/// The error for a name that is not in the table.
pub(super) fn unknown<'a>(prefix: &str, name: &str, names: impl Iterator<Item = &'a str>) -> ConfigError {
    // Whoever writes "tls.private" as one key means `private` in the object `tls`.
    let group = name.split_once('.').map_or(name, |(group, _)| group);
    let nearest = nearest(group, names).map(|nearest| format!("{prefix}{nearest}"));
    ConfigError::Unknown { option: format!("{prefix}{}", crate::error::shortened(name)), nearest }
}

/// A name outside the table: an option that only JavaScript can have, set to nothing, or an error.
fn function<S>(prefix: &str, name: &str, value: &Value, rows: &'static [Row<S>]) -> Result<(), ConfigError> {
    let option = format!("{prefix}{name}");
    match FUNCTIONS.iter().find(|(known, _)| *known == option) {
        Some(_) if matches!(value, Value::Null | Value::Bool(false)) => Ok(()),
        Some((_, allowed)) => Err(ConfigError::invalid(option, shown(value, false), *allowed)),
        None => Err(unknown(prefix, name, rows.iter().map(|row| row.name))),
    }
}
