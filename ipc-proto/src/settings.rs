//! A configuration that was checked and completed, as the state machines take it.
//!
//! Nothing here changes any more; another behaviour needs another [`Config`].

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::config::{Config, ConfigError, Parser, check_path_part};
use crate::endpoint::{Endpoint, EndpointError};
use crate::{Decoder, Delimiter, Encoder, Encoding, Host, Platform, Rules};

/// What [`Config::build`] gives: valid, complete, immutable, and cheap to clone.
///
/// Derived values have getters of their own; every other option is read from [`Settings::config`].
///
/// ```
/// use ipc_proto::{Config, Host, Platform};
///
/// let host = Host::new("pluto", Platform::Linux);
/// let settings = Config::v9().build(&host)?;
/// assert_eq!(settings.id(), "pluto");
/// assert_eq!(settings.socket_root(), "/tmp/");
/// assert_eq!(settings.config().max_connections, 100);
/// # Ok::<(), ipc_proto::ConfigError>(())
/// ```
#[derive(Clone)]
pub struct Settings {
    inner: Arc<Inner>,
}

struct Inner {
    config: Config,
    id: String,
    socket_root: String,
    platform: Platform,
    delimiter: Delimiter,
    rules: Rules,
}

impl Settings {
    pub(crate) fn new(config: Config, host: &Host) -> Result<Self, ConfigError> {
        config.validate()?;
        config.check_platform(host.platform)?;
        let id = config.id.clone().unwrap_or_else(|| host.name.clone());
        check_path_part("id", &id)?;
        if id.is_empty() {
            let allowed = "a text of at least one character, as the host has no name";
            return Err(ConfigError::invalid("id", "unset", allowed));
        }
        let socket_root = config.socket_root.clone();
        let socket_root = socket_root.unwrap_or_else(|| host.private_socket_root());
        check_path_part("socketRoot", &socket_root)?;
        let delimiter = Delimiter::new(&config.delimiter)
            .map_err(|error| ConfigError::invalid("delimiter", format!("{:?}", config.delimiter), error.to_string()))?;
        let rules = config.rules();
        Ok(Self { inner: Arc::new(Inner { config, id, socket_root, platform: host.platform, delimiter, rules }) })
    }

    /// Every option as it was asked for. `None` in `id`, `socket_root` and `network_host` is filled
    /// in by the getters here.
    #[must_use]
    pub fn config(&self) -> &Config {
        &self.inner.config
    }

    /// The id of this socket or service.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.inner.id
    }

    /// The directory of local sockets.
    #[must_use]
    pub fn socket_root(&self) -> &str {
        &self.inner.socket_root
    }

    /// The operating system, as far as local sockets differ by it.
    #[must_use]
    pub fn platform(&self) -> Platform {
        self.inner.platform
    }

    /// The default host of TCP, TLS and UDP over IPv4.
    #[must_use]
    pub fn network_host(&self) -> &str {
        let config = self.config();
        match &config.network_host {
            Some(host) => host,
            None => config.ip_type.map_or("127.0.0.1", crate::IpFamily::loopback),
        }
    }

    /// The default port of TCP, TLS and UDP.
    #[must_use]
    pub fn network_port(&self) -> u16 {
        self.config().network_port
    }

    /// The mode of the file of a local socket: `socketMode`, or 0600 with what `readableAll` and `writableAll` add.
    #[must_use]
    pub fn socket_mode(&self) -> u32 {
        let config = self.config();
        let readable = if config.readable_all { 0o044 } else { 0 };
        let writable = if config.writable_all { 0o022 } else { 0 };
        config.socket_mode.unwrap_or(0o600 | readable | writable)
    }

    /// What ends each message.
    #[must_use]
    pub fn delimiter(&self) -> &Delimiter {
        &self.inner.delimiter
    }

    /// How text given to a raw connection becomes bytes.
    #[must_use]
    pub fn encoding(&self) -> Encoding {
        self.config().encoding
    }

    /// Which event names may pass.
    #[must_use]
    pub fn rules(&self) -> &Rules {
        &self.inner.rules
    }

    /// An encoder of messages by these settings.
    #[must_use]
    pub fn encoder(&self) -> Encoder {
        let delimiter = self.inner.delimiter.clone();
        Encoder::new(delimiter, self.max_message_size(), self.inner.rules.clone())
    }

    /// A decoder of messages by these settings; one for each stream.
    #[must_use]
    pub fn decoder(&self) -> Decoder {
        Decoder::new(self.inner.delimiter.clone(), self.max_message_size())
    }

    /// Whether bytes are exchanged instead of messages.
    #[must_use]
    pub fn is_raw(&self) -> bool {
        self.config().raw_buffer || self.config().parser == Parser::Raw
    }

    /// Bytes that one message may have, without its delimiter.
    #[must_use]
    pub fn max_message_size(&self) -> usize {
        self.config().max_message_size
    }

    /// Bytes that may wait to be written on one connection.
    #[must_use]
    pub fn max_pending_bytes(&self) -> usize {
        self.config().max_pending_bytes
    }

    /// How long a message may stay incomplete.
    #[must_use]
    pub fn message_timeout(&self) -> Option<Duration> {
        self.config().message_timeout
    }

    /// The first wait before connecting again; at least 1 ms.
    #[must_use]
    pub fn retry(&self) -> Duration {
        self.config().retry.max(Duration::from_millis(1))
    }

    /// Whether these settings may be used on that endpoint.
    ///
    /// The constructors of [`Endpoint`] that take settings have asked already; an endpoint that was
    /// parsed from text, or made for other settings, has not.
    ///
    /// # Errors
    ///
    /// [`EndpointError`] for an address too long for the platform, TLS over UDP, and what the
    /// assured parser forbids.
    pub fn check(&self, endpoint: &Endpoint) -> Result<(), EndpointError> {
        endpoint.check(self)
    }

    /// Whether a server with these settings may listen there: [`check`](Self::check), and the assured parser wants a
    /// local socket directly inside `socketRoot`. (A client of node-ipc 14.0.0 may connect to any path.)
    ///
    /// # Errors
    ///
    /// As [`check`](Self::check), and [`EndpointError::OutsideRoot`].
    pub fn check_serving(&self, endpoint: &Endpoint) -> Result<(), EndpointError> {
        endpoint.check_serving(self)
    }
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings")
            .field("id", &self.id())
            .field("socket_root", &self.socket_root())
            .field("platform", &self.platform())
            .field("config", self.config())
            .finish()
    }
}
