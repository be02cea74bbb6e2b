//! Whether an endpoint and settings go together.

use std::net::IpAddr;

use crate::config::Parser;
use crate::error::shortened;
use crate::{Endpoint, EndpointError, IpFamily, LocalAddress, Settings, SlowConsumer, TlsOptions};

/// What a host must be.
const HOST: &str = "a name or an IP address without brackets, spaces and control characters";

impl Endpoint {
    pub(crate) fn check(&self, settings: &Settings) -> Result<(), EndpointError> {
        let assured = settings.config().parser == Parser::Assured;
        match self {
            Self::Local(address) => {
                address.check_length(settings.platform())?;
                let forbidden = match () {
                    () if assured && address.is_pipe() => "does not allow Windows pipes; use TCP with TLS",
                    () if assured && address.is_abstract() => {
                        "does not allow abstract names, which anybody may take; use a path"
                    }
                    () => return check_abstract(address, settings),
                };
                Err(EndpointError::AssuredTransport { reason: forbidden })
            }
            Self::Tcp { host, .. } => {
                host_error(host)?;
                if assured {
                    check_assured_tls(settings.config().tls.as_ref())?;
                }
                Ok(())
            }
            Self::Udp4 { host, .. } => check_udp(settings, host, IpFamily::V4),
            Self::Udp6 { host, .. } => check_udp(settings, host, IpFamily::V6),
        }
    }

    pub(crate) fn check_serving(&self, settings: &Settings) -> Result<(), EndpointError> {
        self.check(settings)?;
        match self {
            Self::Local(address) if settings.config().parser == Parser::Assured => {
                check_assured_path(address, settings)
            }
            _ => Ok(()),
        }
    }
}

/// Says what a host must be, if this is none.
pub(crate) fn check_host(host: &str) -> Result<(), &'static str> {
    let forbidden = |c: char| c.is_whitespace() || c.is_control() || matches!(c, '[' | ']' | '/');
    // A colon is at home in an IPv6 address, with or without a zone, and nowhere else.
    let address = host.split('%').next().unwrap_or(host);
    let stray_colon = host.contains(':') && !matches!(address.parse(), Ok(IpAddr::V6(_)));
    if host.is_empty() || host.contains(forbidden) || stray_colon {
        return Err(HOST);
    }
    Ok(())
}

pub(super) fn host_error(host: &str) -> Result<(), EndpointError> {
    check_host(host).map_err(|expected| EndpointError::Host { host: shortened(host), expected })
}

fn check_udp(settings: &Settings, host: &str, family: IpFamily) -> Result<(), EndpointError> {
    host_error(host)?;
    let other_family = match family {
        IpFamily::V4 => host.contains(':'),
        IpFamily::V6 => matches!(host.parse(), Ok(IpAddr::V4(_))),
    };
    if other_family {
        let host = shortened(host);
        return Err(EndpointError::Family { host, family });
    }
    if settings.config().parser == Parser::Assured {
        let reason = "does not allow UDP; use TCP with TLS, or a Unix socket";
        return Err(EndpointError::AssuredTransport { reason });
    }
    if settings.config().tls.is_some() {
        return Err(EndpointError::TlsOverUdp);
    }
    if settings.config().slow_consumer != SlowConsumer::Refuse {
        return Err(EndpointError::SlowConsumerOverUdp);
    }
    Ok(())
}

/// An abstract name has no file: what is asked of the file would be ignored in silence.
fn check_abstract(address: &LocalAddress, settings: &Settings) -> Result<(), EndpointError> {
    let config = settings.config();
    if address.is_abstract() && (config.socket_mode.is_some() || config.socket_group.is_some()) {
        let reason = "it has no file for socketMode and socketGroup; use a path, or an accept filter";
        return Err(EndpointError::Abstract { name: shortened(address.as_str()), reason });
    }
    Ok(())
}

fn check_assured_path(address: &LocalAddress, settings: &Settings) -> Result<(), EndpointError> {
    let root = settings.socket_root();
    let directory = root.trim_end_matches('/');
    let name = address.as_str().strip_prefix(directory);
    let name = name.and_then(|rest| rest.strip_prefix('/'));
    let inside = name.is_some_and(|name| {
        let name = name.trim_start_matches('/');
        !name.contains('/') && !matches!(name, "" | "." | "..")
    });
    if !inside {
        return Err(EndpointError::OutsideRoot { path: shortened(address.as_str()), root: shortened(root) });
    }
    Ok(())
}

fn check_assured_tls(tls: Option<&TlsOptions>) -> Result<(), EndpointError> {
    let Some(tls) = tls else {
        let reason = "requires TLS on networks; set the option tls";
        return Err(EndpointError::AssuredTransport { reason });
    };
    let missing = if !(tls.has_key() && tls.has_cert()) {
        "set a private key and its certificate (tls.private and tls.public, or tls.key and tls.cert)"
    } else if !tls.has_trust() {
        "set certificates to trust (tls.trustedConnections or tls.ca)"
    } else if tls.request_cert == Some(false) {
        "tls.requestCert must not be false"
    } else if tls.reject_unauthorized == Some(false) {
        "tls.rejectUnauthorized must not be false"
    } else {
        return Ok(());
    };
    Err(EndpointError::AssuredTls { reason: missing })
}
