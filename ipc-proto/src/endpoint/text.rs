//! Endpoints as text, both ways: `unix:/tmp/app.world`, `tcp:[::1]:8000`.

use std::fmt;
use std::str::FromStr;

use super::check::host_error;
use super::local::Kind;
use crate::error::shortened;
use crate::{Endpoint, EndpointError, LocalAddress};

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (scheme, host, port) = match self {
            Self::Local(address) => return address.fmt(f),
            Self::Tcp { host, port } => ("tcp", host, port),
            Self::Udp4 { host, port } => ("udp4", host, port),
            Self::Udp6 { host, port } => ("udp6", host, port),
        };
        if host.contains(':') { write!(f, "{scheme}:[{host}]:{port}") } else { write!(f, "{scheme}:{host}:{port}") }
    }
}

impl fmt::Display for LocalAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = match () {
            () if self.is_pipe() => "pipe",
            () if self.is_abstract() => "abstract",
            () => "unix",
        };
        write!(f, "{scheme}:{}", self.as_str())
    }
}

/// Reads what `Display` writes. Settings are not asked; see
/// [`Settings::check`](crate::Settings::check).
impl FromStr for Endpoint {
    type Err = EndpointError;

    fn from_str(text: &str) -> Result<Self, EndpointError> {
        let syntax = || EndpointError::Syntax { text: shortened(text) };
        let (scheme, rest) = text.split_once(':').ok_or_else(syntax)?;
        match scheme {
            "unix" => LocalAddress::unlimited(rest.to_owned(), Kind::Path).map(Self::Local),
            "abstract" => LocalAddress::unlimited(rest.to_owned(), Kind::Abstract).map(Self::Local),
            "pipe" => LocalAddress::unlimited(super::pipe_name(rest), Kind::Pipe).map(Self::Local),
            "tcp" | "udp4" | "udp6" => {
                let (host, port) = rest.rsplit_once(':').ok_or_else(syntax)?;
                let host = match host.strip_prefix('[') {
                    Some(host) => host.strip_suffix(']').ok_or_else(syntax)?,
                    None if host.contains(':') => return Err(syntax()),
                    None => host,
                };
                // `parse` alone would take "+80" too.
                if !port.bytes().all(|byte| byte.is_ascii_digit()) {
                    return Err(syntax());
                }
                let port = port.parse().map_err(|_| syntax())?;
                host_error(host)?;
                let host = host.to_owned();
                Ok(match scheme {
                    "tcp" => Self::Tcp { host, port },
                    "udp4" => Self::Udp4 { host, port },
                    _ => Self::Udp6 { host, port },
                })
            }
            _ => Err(syntax()),
        }
    }
}
