//! Where a peer is found: a local socket, or a host and port over TCP or UDP.
//!
//! Names are put together and checked here. Nothing is resolved, opened or removed.

mod check;
mod error;
mod local;
mod text;

pub use error::EndpointError;
pub use local::{LocalAddress, pipe_name};

pub(crate) use check::check_host;

use std::net::IpAddr;

use crate::{IpFamily, Settings};

/// An address to serve on or to connect to.
///
/// The constructors resolve what is left out as node-ipc does, and check the result against the
/// [`Settings`]:
///
/// | node-ipc | here |
/// |---|---|
/// | `serve()` | `Endpoint::local(&settings, None)` |
/// | `connectTo('world')` | `Endpoint::local(&settings, Some("world"))` |
/// | `serve(path)`, `connectTo(id, path)` | `Endpoint::at_path(&settings, path)` |
/// | `serveNet(host, port)`, `connectToNet(id, host, port)` | `Endpoint::net(&settings, host, port)` |
/// | `serveNet(host, port, 'udp4')` | `Endpoint::udp4(&settings, host, port)` |
/// | `serveNet(host, port, 'udp6')` | `Endpoint::udp6(&settings, host, port)` |
///
/// ```
/// use ipc_proto::{Config, Endpoint, Host, Platform};
///
/// let settings = Config::new("world").build(&Host::new("pluto", Platform::Linux))?;
/// assert_eq!(Endpoint::local(&settings, None)?.to_string(), "unix:/tmp/app.world");
/// assert_eq!(Endpoint::net(&settings, None, Some(3435))?.to_string(), "tcp:127.0.0.1:3435");
///
/// let same: Endpoint = "tcp:127.0.0.1:3435".parse()?;
/// assert_eq!(same, Endpoint::net(&settings, None, Some(3435))?);
///
/// let six = Endpoint::udp6(&settings, None, Some(0))?;
/// assert!(six.is_udp());
/// assert_eq!(six.with_port(3435).to_string(), "udp6:[::1]:3435");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Endpoint {
    /// A Unix socket, by its path or an abstract name, or a named pipe of Windows.
    Local(LocalAddress),
    /// TCP, and TLS when the settings have it.
    Tcp {
        /// A name or an IP address, without brackets.
        host: String,
        /// The port; 0 lets the system choose when serving.
        port: u16,
    },
    /// UDP over IPv4.
    Udp4 {
        /// A name or an IPv4 address.
        host: String,
        /// The port; 0 lets the system choose.
        port: u16,
    },
    /// UDP over IPv6.
    Udp6 {
        /// A name or an IPv6 address, without brackets.
        host: String,
        /// The port; 0 lets the system choose.
        port: u16,
    },
}

impl Endpoint {
    /// The local socket of the service `id`, or of one's own `id` if `None`.
    ///
    /// Its path is the plain concatenation of `socketRoot`, `appspace` and the id.
    ///
    /// # Errors
    ///
    /// [`EndpointError`] for an empty id, a NUL, a path too long, and what [`Settings::check`]
    /// refuses.
    pub fn local(settings: &Settings, id: Option<&str>) -> Result<Self, EndpointError> {
        let id = id.unwrap_or(settings.id());
        if id.is_empty() {
            return Err(EndpointError::Empty { what: "id" });
        }
        let appspace = &settings.config().appspace;
        Self::at_path(settings, &[settings.socket_root(), appspace, id].concat())
    }

    /// The local socket at `path`, which may be relative. On Windows it becomes a pipe name.
    ///
    /// # Errors
    ///
    /// As [`Endpoint::local`].
    pub fn at_path(settings: &Settings, path: &str) -> Result<Self, EndpointError> {
        let address = LocalAddress::new(path, settings.platform())?;
        Self::Local(address).checked(settings)
    }

    /// The socket with an abstract name of Linux, see [`LocalAddress::abstract_name`]. As text it is `abstract:<name>`;
    /// `ss` and systemd write `@name`, Node since 20 the path `"\u0000name"`.
    ///
    /// # Errors
    ///
    /// [`EndpointError`] for a name that is empty, has a NUL or is too long, for another platform, and for settings that
    /// ask for what only a file has.
    pub fn abstract_name(settings: &Settings, name: &str) -> Result<Self, EndpointError> {
        let address = LocalAddress::abstract_name(name, settings.platform())?;
        Self::Local(address).checked(settings)
    }

    /// TCP, with `networkHost` and `networkPort` for what is `None`; an empty host counts as `None`.
    ///
    /// Port 0 is taken as it is; node-ipc 9.2.1, 12.0.0 and 14.0.0 replace it with `networkPort`.
    ///
    /// # Errors
    ///
    /// [`EndpointError`] for what is no host, and what [`Settings::check`] refuses.
    pub fn net(settings: &Settings, host: Option<&str>, port: Option<u16>) -> Result<Self, EndpointError> {
        let host = given(host).unwrap_or(settings.network_host()).to_owned();
        let port = port.unwrap_or(settings.network_port());
        Self::Tcp { host, port }.checked(settings)
    }

    /// UDP over IPv4; what is `None` as in [`Endpoint::net`]. The host `::1` becomes `127.0.0.1`,
    /// as in node-ipc 9.2.1, 12.0.0 and 14.0.0.
    ///
    /// # Errors
    ///
    /// As [`Endpoint::net`], and for another IPv6 address.
    pub fn udp4(settings: &Settings, host: Option<&str>, port: Option<u16>) -> Result<Self, EndpointError> {
        let host = match given(host).unwrap_or(settings.network_host()) {
            "::1" => "127.0.0.1",
            host => host,
        };
        let port = port.unwrap_or(settings.network_port());
        let host = host.to_owned();
        Self::Udp4 { host, port }.checked(settings)
    }

    /// UDP over IPv6; what is `None` as in [`Endpoint::net`], but the host is `::1` when
    /// `networkHost` is not set either. (node-ipc 9.2.1, 12.0.0 and 14.0.0 then take `127.0.0.1`,
    /// which a socket of that family cannot be bound to.)
    ///
    /// # Errors
    ///
    /// As [`Endpoint::net`], and for an IPv4 address.
    pub fn udp6(settings: &Settings, host: Option<&str>, port: Option<u16>) -> Result<Self, EndpointError> {
        let configured = settings.config().network_host.as_deref();
        let host = given(host).or(configured);
        let host = host.unwrap_or(IpFamily::V6.loopback()).to_owned();
        let port = port.unwrap_or(settings.network_port());
        Self::Udp6 { host, port }.checked(settings)
    }

    /// The local address, if this is one.
    #[must_use]
    pub fn local_address(&self) -> Option<&LocalAddress> {
        match self {
            Self::Local(address) => Some(address),
            _ => None,
        }
    }

    /// The host, unless this is local.
    #[must_use]
    pub fn host(&self) -> Option<&str> {
        match self {
            Self::Local(_) => None,
            Self::Tcp { host, .. } | Self::Udp4 { host, .. } | Self::Udp6 { host, .. } => Some(host),
        }
    }

    /// The port, unless this is local.
    #[must_use]
    pub fn port(&self) -> Option<u16> {
        match self {
            Self::Local(_) => None,
            Self::Tcp { port, .. } | Self::Udp4 { port, .. } | Self::Udp6 { port, .. } => Some(*port),
        }
    }

    /// The same endpoint on another port, such as the one the system chose; a local one as it is.
    #[must_use]
    pub fn with_port(mut self, new: u16) -> Self {
        match &mut self {
            Self::Local(_) => {}
            Self::Tcp { port, .. } | Self::Udp4 { port, .. } | Self::Udp6 { port, .. } => {
                *port = new;
            }
        }
        self
    }

    /// Whether datagrams go there instead of a stream.
    #[must_use]
    pub fn is_udp(&self) -> bool {
        matches!(self, Self::Udp4 { .. } | Self::Udp6 { .. })
    }

    /// The family of addresses it is bound to: UDP's own, that of an IP address, else `None`.
    #[must_use]
    pub fn family(&self) -> Option<IpFamily> {
        match self {
            Self::Local(_) => None,
            Self::Udp4 { .. } => Some(IpFamily::V4),
            Self::Udp6 { .. } => Some(IpFamily::V6),
            Self::Tcp { host, .. } => match host.parse() {
                Ok(IpAddr::V4(_)) => Some(IpFamily::V4),
                Ok(IpAddr::V6(_)) => Some(IpFamily::V6),
                Err(_) => None,
            },
        }
    }

    fn checked(self, settings: &Settings) -> Result<Self, EndpointError> {
        self.check(settings)?;
        Ok(self)
    }
}

/// An empty text counts as left out, as it does in JavaScript.
fn given(host: Option<&str>) -> Option<&str> {
    host.filter(|host| !host.is_empty())
}
