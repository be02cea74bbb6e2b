//! What a scenario is, and what the two ends may talk over.

use std::fmt;

use super::failure::Outcome;
use super::stage::Stage;

/// What the two ends talk over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Transport {
    /// A Unix socket; on Windows a named pipe.
    Unix,
    /// TCP in clear.
    Tcp,
    /// TLS over TCP; the client trusts the authority of the server's certificate.
    Tls,
    /// The same, and the server wants a certificate of the client.
    MutualTls,
    /// UDP over IPv4, where both ends are servers.
    Udp4,
    /// UDP over IPv6.
    Udp6,
}

impl Transport {
    /// All of them.
    pub const ALL: [Self; 6] = [Self::Unix, Self::Tcp, Self::Tls, Self::MutualTls, Self::Udp4, Self::Udp6];

    /// Its name in reports and filters.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unix => "unix",
            Self::Tcp => "tcp",
            Self::Tls => "tls",
            Self::MutualTls => "mutual-tls",
            Self::Udp4 => "udp4",
            Self::Udp6 => "udp6",
        }
    }

    /// Whether both ends are servers that send datagrams.
    pub fn is_udp(self) -> bool {
        matches!(self, Self::Udp4 | Self::Udp6)
    }

    /// The address of this machine.
    pub fn host(self) -> &'static str {
        if self == Self::Udp6 { "::1" } else { "127.0.0.1" }
    }
}

impl fmt::Display for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// Unix sockets alone: what does not depend on the transport.
pub const LOCAL: &[Transport] = &[Transport::Unix];
/// Local and over a network.
pub const STREAMS: &[Transport] = &[Transport::Unix, Transport::Tcp];
/// The same and in secret.
pub const SECURED: &[Transport] = &[Transport::Unix, Transport::Tcp, Transport::Tls];
/// Every kind of stream.
pub const EVERY_STREAM: &[Transport] = &[Transport::Unix, Transport::Tcp, Transport::Tls, Transport::MutualTls];
/// Datagrams.
pub const DATAGRAMS: &[Transport] = &[Transport::Udp4, Transport::Udp6];

/// What peers must do together.
#[derive(Clone, Copy)]
pub struct Scenario {
    /// Its name, in kebab-case, for good.
    pub name: &'static str,
    /// Which chapter it belongs to.
    pub group: &'static str,
    /// What must be so, in a line.
    pub about: &'static str,
    /// Where it means something.
    pub transports: &'static [Transport],
    /// Drives the peers and judges.
    pub play: fn(&Stage<'_>) -> Outcome,
    /// Whether it ends a peer's process, which over a network is not reported as it should be by Wine.
    pub kills: bool,
    /// Whether the runner itself writes bytes to the server.
    pub bytes: bool,
}

impl Scenario {
    /// A scenario that kills nobody and in which only the peers speak.
    pub const fn new(
        name: &'static str,
        transports: &'static [Transport],
        about: &'static str,
        play: fn(&Stage<'_>) -> Outcome,
    ) -> Self {
        Self { name, group: "", about, transports, play, kills: false, bytes: false }
    }

    /// In this chapter.
    #[must_use]
    pub const fn within(mut self, group: &'static str) -> Self {
        self.group = group;
        self
    }

    /// One that ends a process.
    #[must_use]
    pub const fn that_kills(mut self) -> Self {
        self.kills = true;
        self
    }

    /// One in which the runner writes to the server.
    #[must_use]
    pub const fn with_bytes(mut self) -> Self {
        self.bytes = true;
        self
    }
}

impl fmt::Debug for Scenario {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}
