//! Why an address cannot be used.

use crate::{Code, IpFamily};

/// The address is wrong, or the settings forbid it. Nothing was opened.
#[derive(Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EndpointError {
    /// A part of the address is empty.
    #[error("the {what} of the endpoint is empty; it needs at least one character")]
    Empty {
        /// Which part: `id`, `path` or `abstract name`.
        what: &'static str,
    },
    /// The path has a NUL character.
    #[error("the socket path {path:?} has a NUL character, which no path may have")]
    Nul {
        /// The path, shortened to 64 characters.
        path: Box<str>,
    },
    /// The path or pipe name is longer than the platform takes.
    #[error(
        "the socket path {path:?} has {length} bytes, and {limit} is the most here; \
         choose a shorter name, socketRoot, appspace or id"
    )]
    TooLong {
        /// The path, shortened to 64 characters.
        path: Box<str>,
        /// Its length: bytes, or characters of a Windows pipe name.
        length: usize,
        /// The most the platform takes.
        limit: usize,
    },
    /// The host is no name and no IP address.
    #[error("{host:?} cannot be a host; it must be {expected}")]
    Host {
        /// The host, shortened to 64 characters.
        host: Box<str>,
        /// What a host is.
        expected: &'static str,
    },
    /// The host is an IP address of the other family.
    #[error("{host} cannot be used with UDP over {}; give an address of that family, or take the other", family_name(*family))]
    Family {
        /// The host.
        host: Box<str>,
        /// The family of the UDP socket.
        family: IpFamily,
    },
    /// The assured parser does not allow this transport.
    #[error("the assured parser {reason}")]
    AssuredTransport {
        /// Why.
        reason: &'static str,
    },
    /// The assured parser requires TLS that verifies both sides.
    #[error("the assured parser requires TLS that verifies both sides: {reason}")]
    AssuredTls {
        /// What is missing.
        reason: &'static str,
    },
    /// An abstract name cannot be used here.
    #[error("the abstract name {name:?} cannot be used: {reason}")]
    Abstract {
        /// The name, shortened to 64 characters.
        name: Box<str>,
        /// Why.
        reason: &'static str,
    },
    /// The assured parser requires a local socket directly inside `socketRoot`.
    #[error("the assured parser requires a socket directly inside {root:?}, not {path:?}")]
    OutsideRoot {
        /// The path, shortened to 64 characters.
        path: Box<str>,
        /// The value of `socketRoot`, shortened to 64 characters.
        root: Box<str>,
    },
    /// TLS is set, and UDP cannot have it.
    #[error("the option tls has no effect over UDP; unset it to send datagrams unencrypted")]
    TlsOverUdp,
    /// `slowConsumer` is set, and over UDP there is no consumer that could be slow.
    #[error(
        "the option slowConsumer has no effect over UDP, where one queue serves all receivers and what they do not read is lost; set \"refuse\""
    )]
    SlowConsumerOverUdp,
    /// The text is not an endpoint.
    #[error(
        "{text:?} is no endpoint; write unix:<path>, abstract:<name>, pipe:<name>, tcp:<host>:<port>, \
         udp4:<host>:<port> or udp6:<host>:<port>"
    )]
    Syntax {
        /// The text, shortened to 64 characters.
        text: Box<str>,
    },
}

impl EndpointError {
    /// The code that node-ipc 14.0.0 gives this error, if it has one.
    #[must_use]
    pub const fn code(&self) -> Option<Code> {
        match self {
            Self::AssuredTransport { .. } => Some(Code::AssuredTransport),
            Self::AssuredTls { .. } => Some(Code::AssuredTls),
            Self::OutsideRoot { .. } => Some(Code::SocketRoot),
            Self::TlsOverUdp => Some(Code::TlsConfiguration),
            _ => None,
        }
    }
}

const fn family_name(family: IpFamily) -> &'static str {
    match family {
        IpFamily::V4 => "IPv4",
        IpFamily::V6 => "IPv6",
    }
}

crate::error::debug_as_display!(EndpointError);
