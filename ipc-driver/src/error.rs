//! What can go wrong, one small type per operation.
//!
//! `Display` tells all of it, also what the operating system said. So [`source`](std::error::Error::source) is what lies below
//! that, if anything: who prints the chain reads nothing twice. (A field `r#source` is none for `thiserror`.)

use crate::client::EndReason;
use ipc_proto::{Endpoint, Malformed, ProtocolError, RefuseReason, Unsent};
use std::fmt;
use std::io;
use std::net::SocketAddr;
#[cfg(unix)]
use std::path::PathBuf;
use std::sync::Arc;

/// An error from a handler or from anything a user plugs in.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Something went wrong with a connection or an attempt to make one. Reported to `on_error` handlers and event streams;
/// node-ipc publishes these as `error`.
/// `Debug` shows no payload. [`source`](std::error::Error::source) is what lies below the text: of a handler's error its cause, of a
/// payload that does not fit what serde found, which may quote it. The error of a handler itself is in the variant.
#[derive(Clone)]
#[non_exhaustive]
pub enum ConnectionError {
    /// An attempt to connect failed.
    Connect {
        /// Where to.
        endpoint: Endpoint,
        /// What the operating system said.
        source: Arc<io::Error>,
    },
    /// A server did not let the connection in.
    Refused(Refusal),
    /// A connection broke.
    Io(Arc<io::Error>),
    /// The peer read too slowly, and [`SlowConsumer::Disconnect`](crate::SlowConsumer::Disconnect) has ended the connection.
    TooSlow {
        /// Bytes that waited.
        pending: usize,
        /// `maxPendingBytes`.
        limit: usize,
    },
    /// A TLS handshake of a server failed, see `HandshakeError`.
    Handshake(Arc<io::Error>),
    /// Over UDP: a datagram could not be sent, and is lost. The socket lives on.
    Send {
        /// Where to.
        to: SocketAddr,
        /// What the operating system said.
        source: Arc<io::Error>,
    },
    /// Over UDP: nothing could be received. It is tried again after 50 ms.
    Receive(Arc<io::Error>),
    /// The peer sent something that is not an event. The connection goes on unless `fatal`.
    Protocol {
        /// What was wrong, with node-ipc 14's code.
        error: ProtocolError,
        /// The frame, as text, without its delimiter; empty where there is none.
        frame: Arc<str>,
        /// The bytes that the frame had on the wire, which is not UTF-8 if its text has more.
        wire_length: usize,
        /// Whether the connection is closed because of it.
        fatal: bool,
    },
    /// A handler returned an error, or the payload was not what it takes.
    Handler {
        /// The event.
        event: Arc<str>,
        /// What the handler said.
        source: Arc<BoxError>,
    },
    /// A gate (`before_event`) kept an event from all handlers.
    Rejected {
        /// The event.
        event: Arc<str>,
        /// What the gate said.
        source: Arc<BoxError>,
    },
}

impl fmt::Display for ConnectionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Connect { endpoint, source } => {
                write!(f, "cannot connect to {endpoint}: {source}{}", advice(endpoint, source))
            }
            Self::Refused(reason) => write!(f, "the connection was refused: {reason}"),
            Self::Io(error) => write!(f, "the connection broke: {error}"),
            Self::TooSlow { pending, limit } => write!(
                f,
                "the peer read too slowly: {pending} bytes waited for it, maxPendingBytes allows {limit}, and slowConsumer \
                 is \"disconnect\"; raise the one or change the other"
            ),
            Self::Handshake(error) => error.fmt(f),
            Self::Send { to, source } => write!(f, "cannot send to {to}: {source}{}", send_advice(*to, source)),
            Self::Receive(error) => write!(f, "cannot receive datagrams: {error}; it is tried again every 50 ms"),
            Self::Protocol { error, .. } => write!(f, "the peer broke the protocol: {error}"),
            Self::Handler { event, source } => write!(f, "a handler of {event:?} failed: {source}"),
            Self::Rejected { event, source } => write!(f, "event {event:?} was rejected: {source}"),
        }
    }
}

impl std::error::Error for ConnectionError {
    /// What lies below the errors that `Display` shows already.
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Handler { source, .. } | Self::Rejected { source, .. } => source.source(),
            _ => self.io().and_then(|error| error.source()),
        }
    }
}

impl fmt::Debug for ConnectionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Connect { endpoint, source } => {
                f.debug_struct("Connect").field("endpoint", endpoint).field("source", source).finish()
            }
            Self::Refused(reason) => f.debug_tuple("Refused").field(reason).finish(),
            Self::Io(error) => f.debug_tuple("Io").field(error).finish(),
            Self::TooSlow { pending, limit } => {
                f.debug_struct("TooSlow").field("pending", pending).field("limit", limit).finish()
            }
            Self::Handshake(error) => f.debug_tuple("Handshake").field(error).finish(),
            Self::Send { to, source } => f.debug_struct("Send").field("to", to).field("source", source).finish(),
            Self::Receive(error) => f.debug_tuple("Receive").field(error).finish(),
            Self::Protocol { error, wire_length, fatal, .. } => {
                let bytes = wire_length;
                f.debug_struct("Protocol").field("error", error).field("bytes", bytes).field("fatal", fatal).finish()
            }
            Self::Handler { event, source } => {
                f.debug_struct("Handler").field("event", event).field("source", source).finish()
            }
            Self::Rejected { event, source } => {
                f.debug_struct("Rejected").field("event", event).field("source", source).finish()
            }
        }
    }
}

impl ConnectionError {
    /// The error of the operating system, if it was one.
    #[must_use]
    pub fn io(&self) -> Option<&io::Error> {
        match self {
            Self::Connect { source, .. } | Self::Send { source, .. } => Some(source),
            Self::Io(source) | Self::Handshake(source) | Self::Receive(source) => Some(source),
            _ => None,
        }
    }
}

pub(crate) fn protocol(report: &Malformed<'_>, fatal: bool) -> ConnectionError {
    let (error, wire_length) = (report.error().clone(), report.wire_length());
    ConnectionError::Protocol { error, frame: report.frame().into(), wire_length, fatal }
}

/// Why a server did not let a connection in.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// As many peers are connected as `maxConnections` allows.
    #[error("as many peers are connected as maxConnections allows ({limit}); raise it to take more")]
    Full {
        /// `maxConnections`.
        limit: usize,
    },
    /// The accept filter says no.
    #[error("{0}")]
    Filter(Arc<str>),
    /// The server has stopped.
    #[error("the server has stopped")]
    Stopped,
}

impl From<RefuseReason> for Refusal {
    fn from(reason: RefuseReason) -> Self {
        match reason {
            RefuseReason::Full { limit } => Self::Full { limit },
            _ => Self::Stopped,
        }
    }
}

/// A client did not get connected.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// The configuration is not usable. Nothing was opened.
    #[error(transparent)]
    Config(#[from] ipc_proto::ConfigError),
    /// The address is not usable with this configuration. Nothing was opened.
    #[error(transparent)]
    Endpoint(#[from] ipc_proto::EndpointError),
    /// The TLS configuration is not usable. Nothing was opened.
    #[cfg(feature = "tls")]
    #[error(transparent)]
    Tls(#[from] crate::tls::TlsError),
    /// Something that this version cannot do yet. Nothing was opened.
    #[error("{what} is not supported yet; it was asked for at {endpoint}")]
    Unsupported {
        /// What.
        what: &'static str,
        /// Where.
        endpoint: Endpoint,
    },
    /// The transport of that address needs another handle. Nothing was opened.
    #[error("{endpoint} cannot be used here: {advice}")]
    Transport {
        /// Where.
        endpoint: Endpoint,
        /// What to do instead.
        advice: &'static str,
    },
    /// No async runtime was found.
    #[error("no async runtime here: {0}")]
    Runtime(io::Error),
    /// The client has ended, or is about to: it was closed, or something else than `maxRetries` ended it. It does not connect
    /// again.
    #[error("the client of {endpoint} has ended, {}; make a new one to connect again", reason.words())]
    Ended {
        /// Where to.
        endpoint: Endpoint,
        /// Why.
        reason: EndReason,
    },
    /// The client gave up: `maxRetries` or `stopRetrying` allowed no further attempt.
    #[error("gave up connecting to {endpoint}: {}", told(endpoint, last.as_deref()))]
    GaveUp {
        /// Where to.
        endpoint: Endpoint,
        /// What the last attempt said.
        last: Option<Arc<io::Error>>,
    },
}

fn told(endpoint: &Endpoint, last: Option<&io::Error>) -> String {
    match last {
        Some(error) => format!("{error}{}", advice(endpoint, error)),
        None => "the connection ended, and maxRetries or stopRetrying allows no further attempt".into(),
    }
}

/// Of a path, whoever it is for.
const NO_DIRECTORY: &str = "; a part of the path before its last is a file, and no directory";

/// What to look at when a connection could not be made.
fn advice(endpoint: &Endpoint, error: &io::Error) -> &'static str {
    match (endpoint, error.kind()) {
        (Endpoint::Local(_), io::ErrorKind::NotFound) => {
            "; its server has not started, or has another socketRoot, appspace or id"
        }
        (Endpoint::Local(_), io::ErrorKind::PermissionDenied) => {
            "; the server's socketMode and socketGroup say who may connect"
        }
        (Endpoint::Local(_), io::ErrorKind::ConnectionRefused) => "; nobody listens there any more, or it is no socket",
        (Endpoint::Local(_), io::ErrorKind::NotADirectory) => NO_DIRECTORY,
        (Endpoint::Tcp { .. }, io::ErrorKind::ConnectionRefused) => "; nobody listens on that port",
        // Not that of a handshake, which says more.
        (Endpoint::Tcp { .. }, io::ErrorKind::TimedOut) if error.raw_os_error().is_some() => {
            "; the machine is down, or a firewall swallows what is sent to it"
        }
        _ => "",
    }
}

/// What to look at when a datagram could not be sent.
fn send_advice(to: SocketAddr, error: &io::Error) -> &'static str {
    use io::ErrorKind::{AddrNotAvailable, HostUnreachable, InvalidInput, NetworkUnreachable, PermissionDenied};
    match error.kind() {
        _ if error.raw_os_error().is_none() => "",
        _ if is_too_long(error) => "; it is too long for the way there, send less at a time, or use TCP",
        _ if to.port() == 0 => "; nobody can be reached at port 0",
        // What systems say of a socket that is bound to a loopback address.
        InvalidInput | AddrNotAvailable if !to.ip().is_loopback() => {
            "; a server whose host is localhost reaches this machine only, give it the host 0.0.0.0 or ::"
        }
        NetworkUnreachable | HostUnreachable => "; this machine has no route there",
        PermissionDenied => "; nothing is sent to broadcast addresses, and a firewall may forbid others",
        _ => "",
    }
}

/// Whether a datagram was longer than a way or a system takes.
fn is_too_long(error: &io::Error) -> bool {
    #[cfg(unix)]
    let code = rustix::io::Errno::MSGSIZE.raw_os_error();
    // `WSAEMSGSIZE`.
    #[cfg(not(unix))]
    let code = 10_040;
    error.raw_os_error() == Some(code)
}

/// What to look at when the system does not let a server listen. Errors that are not the system's say it themselves.
fn listen_advice(endpoint: &Endpoint, error: &io::Error) -> &'static str {
    match (endpoint, error.kind()) {
        _ if error.raw_os_error().is_none() => "",
        (Endpoint::Local(_), io::ErrorKind::NotFound) => {
            "; its directory does not exist, or is of a kind that takes no sockets, as /proc"
        }
        (Endpoint::Local(_), io::ErrorKind::PermissionDenied) => {
            "; this user may make no socket there, or not replace that of another"
        }
        (Endpoint::Local(_), io::ErrorKind::NotADirectory) => NO_DIRECTORY,
        (Endpoint::Local(_), io::ErrorKind::AddrInUse) => "; another process has that name, stop it or choose another",
        (_, io::ErrorKind::AddrInUse) => "; another process has that port, stop it or choose another",
        (_, io::ErrorKind::PermissionDenied) => "; ports below 1024 are for privileged users",
        (_, io::ErrorKind::AddrNotAvailable) => "; the host must be an address of this machine",
        _ => "",
    }
}

/// What to look at when a control socket cannot be bound.
#[cfg(unix)]
fn offer_advice(error: &io::Error) -> &'static str {
    match error.kind() {
        _ if error.raw_os_error().is_none() => "",
        io::ErrorKind::NotFound => "; its directory does not exist, or is of a kind that takes no sockets, as /proc",
        io::ErrorKind::PermissionDenied => "; this user may make no socket there, or not replace that of another",
        _ => "",
    }
}

/// What to look at when there is nobody to take a socket over from.
#[cfg(unix)]
fn take_over_advice(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused if error.raw_os_error().is_some() => {
            "; no process hands its socket over there, or not yet"
        }
        _ => "",
    }
}

/// A server did not start.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum ServeError {
    /// The configuration is not usable. Nothing was opened.
    #[error(transparent)]
    Config(#[from] ipc_proto::ConfigError),
    /// The address is not usable with this configuration. Nothing was opened.
    #[error(transparent)]
    Endpoint(#[from] ipc_proto::EndpointError),
    /// The TLS configuration is not usable. Nothing was opened.
    #[cfg(feature = "tls")]
    #[error(transparent)]
    Tls(#[from] crate::tls::TlsError),
    /// Something that this version cannot do yet. Nothing was opened.
    #[error("{what} is not supported yet; it was asked for at {endpoint}")]
    Unsupported {
        /// What.
        what: &'static str,
        /// Where.
        endpoint: Endpoint,
    },
    /// The transport of that address needs another handle. Nothing was opened.
    #[error("{endpoint} cannot be used here: {advice}")]
    Transport {
        /// Where.
        endpoint: Endpoint,
        /// What to do instead.
        advice: &'static str,
    },
    /// No async runtime was found.
    #[error("no async runtime here: {0}")]
    Runtime(io::Error),
    /// The operating system would not let us listen there.
    #[error("cannot listen at {endpoint}: {source}{}", listen_advice(endpoint, source))]
    Listen {
        /// Where.
        endpoint: Endpoint,
        /// What it said.
        r#source: io::Error,
    },
    /// The server listens already.
    #[error("the server listens at {endpoint} already; stop it before starting it again")]
    AlreadyListening {
        /// Where.
        endpoint: Endpoint,
    },
    /// The listening socket that was given to the server is none, or has no address that can be told. It is closed.
    #[error("cannot listen on the socket that was given: {0}")]
    Given(io::Error),
    /// A server on a socket that was given to it starts once: by now the socket is closed.
    #[error(
        "the listening socket at {endpoint} that was given to this server is closed; give the next one to a new server"
    )]
    Used {
        /// Where it listened.
        endpoint: Endpoint,
    },
    /// The socket of another process was not taken over.
    #[cfg(unix)]
    #[error("cannot take over at {}: {source}{}", control.display(), take_over_advice(source))]
    TakeOver {
        /// The control socket.
        control: PathBuf,
        /// What went wrong.
        r#source: io::Error,
    },
}

/// A server did not hand its socket over.
#[cfg(unix)]
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum HandOverError {
    /// It does not listen.
    #[error("the server does not listen, so there is nothing to hand over")]
    NotListening,
    /// There is no descriptor of the socket to hand over.
    #[error("cannot hand the listening socket over: {0}")]
    Socket(io::Error),
    /// The control socket cannot be bound.
    #[error("cannot offer the listening socket at {}: {source}{}", control.display(), offer_advice(source))]
    Control {
        /// Its path.
        control: PathBuf,
        /// What the operating system said.
        r#source: io::Error,
    },
    /// The server was stopped before anybody had taken the socket.
    #[error("the server was stopped before another process had taken its socket")]
    Stopped,
}

/// A connection was closed before everything was sent.
#[derive(Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "closed with events unsent: {} ({} bytes); there was no connection, or the peer did not take them in time (`close_within` gives it more)",
    unsent.messages,
    unsent.bytes
)]
pub struct CloseError {
    /// What was not sent.
    pub unsent: Unsent,
}

/// `Debug` says what `Display` says. An error that ends `main`, or an `unwrap`, is for people, and `Debug` is what they see.
macro_rules! debug_as_display {
    ($($error:ty),*) => {
        $(impl std::fmt::Debug for $error {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                std::fmt::Display::fmt(self, f)
            }
        })*
    };
}
pub(crate) use debug_as_display;

debug_as_display!(ConnectError, ServeError, CloseError);
#[cfg(unix)]
debug_as_display!(HandOverError);

#[cfg(test)]
mod tests {
    use super::*;
    use std::error::Error;

    /// What a handler of a user's may fail with: an error with a cause.
    #[derive(Debug, thiserror::Error)]
    #[error("the order was not stored")]
    struct NotStored(#[source] io::Error);

    fn os(code: i32) -> io::Error {
        io::Error::from_raw_os_error(code)
    }

    fn at(text: &str) -> Endpoint {
        text.parse().unwrap()
    }

    /// The text, and that of everything below it.
    fn chain(error: &dyn Error) -> Vec<String> {
        let mut texts = vec![error.to_string()];
        let mut below = error.source();
        while let Some(error) = below {
            texts.push(error.to_string());
            below = error.source();
        }
        texts
    }

    #[test]
    fn who_prints_the_chain_reads_nothing_twice() {
        let failed = || Arc::new(BoxError::from(NotStored(io::Error::other("the disk is full"))));
        let mut errors: Vec<Box<dyn Error>> = vec![
            Box::new(ConnectionError::Connect { endpoint: at("tcp:localhost:1"), source: Arc::new(os(1)) }),
            Box::new(ConnectionError::Refused(Refusal::Full { limit: 1 })),
            Box::new(ConnectionError::Io(Arc::new(os(1)))),
            Box::new(ConnectionError::Handshake(Arc::new(io::Error::other(NotStored(os(1)))))),
            Box::new(ConnectionError::Send { to: "127.0.0.1:9".parse().unwrap(), source: Arc::new(os(1)) }),
            Box::new(ConnectionError::Receive(Arc::new(os(1)))),
            Box::new(ConnectionError::Handler { event: "a".into(), source: failed() }),
            Box::new(ConnectionError::Rejected { event: "a".into(), source: failed() }),
            Box::new(ConnectError::Runtime(os(1))),
            Box::new(ConnectError::GaveUp { endpoint: at("tcp:localhost:1"), last: Some(Arc::new(os(1))) }),
            Box::new(ServeError::Listen { endpoint: at("tcp:localhost:1"), source: os(1) }),
            Box::new(ServeError::Given(os(1))),
        ];
        #[cfg(unix)]
        errors.extend([
            Box::new(ServeError::TakeOver { control: "/c".into(), source: os(1) }) as Box<dyn Error>,
            Box::new(HandOverError::Socket(os(1))),
            Box::new(HandOverError::Control { control: "/c".into(), source: os(1) }),
        ]);
        for error in errors {
            let chain = chain(&*error);
            assert!(chain[1..].iter().all(|below| !chain[0].contains(below.as_str())), "{chain:?}");
        }
        let handler = ConnectionError::Handler { event: "a".into(), source: failed() };
        assert_eq!(chain(&handler), ["a handler of \"a\" failed: the order was not stored", "the disk is full"]);
    }

    #[test]
    fn one_of_something_is_told_as_well_as_many() {
        assert_eq!(
            Refusal::Full { limit: 1 }.to_string(),
            "as many peers are connected as maxConnections allows (1); raise it to take more"
        );
        let mut unsent = Unsent::default();
        (unsent.messages, unsent.bytes) = (1, 22);
        let closed = CloseError { unsent }.to_string();
        assert!(closed.starts_with("closed with events unsent: 1 (22 bytes); "), "{closed}");
    }

    #[test]
    fn a_client_that_has_lost_its_last_connection_says_why_it_ends() {
        let gave_up = ConnectError::GaveUp { endpoint: at("tcp:localhost:1"), last: None };
        assert!(
            gave_up
                .to_string()
                .ends_with(": the connection ended, and maxRetries or stopRetrying allows no further attempt")
        );
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_datagram_that_cannot_be_sent_is_told_with_what_to_look_at() {
        use rustix::io::Errno;
        let send = |to: &str, code: Errno| {
            let error = ConnectionError::Send { to: to.parse().unwrap(), source: Arc::new(code.into()) };
            assert_eq!(chain(&error).len(), 1);
            error.to_string()
        };
        for (said, advice) in [
            (send("192.0.2.1:9", Errno::INVAL), "; a server whose host is localhost reaches this machine only, "),
            (
                send("[2001:db8::1]:9", Errno::ADDRNOTAVAIL),
                "; a server whose host is localhost reaches this machine only, ",
            ),
            (send("192.0.2.1:9", Errno::NETUNREACH), "; this machine has no route there"),
            (send("192.0.2.1:9", Errno::HOSTUNREACH), "; this machine has no route there"),
            (send("255.255.255.255:9", Errno::ACCESS), "; nothing is sent to broadcast addresses, "),
            (send("192.0.2.1:9", Errno::PERM), "; nothing is sent to broadcast addresses, "),
            (
                send("192.0.2.1:9", Errno::MSGSIZE),
                "; it is too long for the way there, send less at a time, or use TCP",
            ),
        ] {
            assert!(said.starts_with("cannot send to ") && said.contains(advice), "{said}");
        }
        assert!(send("127.0.0.1:9", Errno::INVAL).ends_with("(os error 22)"));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn what_the_system_says_comes_with_what_to_look_at() {
        use rustix::io::Errno;
        let listen = |text, code: Errno| ServeError::Listen { endpoint: at(text), source: code.into() }.to_string();
        for (said, advice) in [
            (
                listen("unix:/a/b", Errno::NOENT),
                "; its directory does not exist, or is of a kind that takes no sockets, as /proc",
            ),
            (
                listen("unix:/a/b", Errno::ACCESS),
                "; this user may make no socket there, or not replace that of another",
            ),
            (listen("abstract:a", Errno::ADDRINUSE), "; another process has that name, stop it or choose another"),
            (listen("tcp:0.0.0.0:80", Errno::ACCESS), "; ports below 1024 are for privileged users"),
            (listen("udp4:0.0.0.0:80", Errno::ADDRINUSE), "; another process has that port, stop it or choose another"),
            (listen("tcp:192.0.2.1:80", Errno::ADDRNOTAVAIL), "; the host must be an address of this machine"),
        ] {
            assert!(said.starts_with("cannot listen at ") && said.ends_with(advice), "{said}");
        }
        let connect = |text, code: Errno| {
            let source = Arc::new(code.into());
            ConnectionError::Connect { endpoint: at(text), source }.to_string()
        };
        for (said, advice) in [
            (connect("unix:/a", Errno::CONNREFUSED), "; nobody listens there any more, or it is no socket"),
            (connect("tcp:localhost:1", Errno::CONNREFUSED), "; nobody listens on that port"),
            (
                connect("tcp:localhost:1", Errno::TIMEDOUT),
                "; the machine is down, or a firewall swallows what is sent to it",
            ),
        ] {
            assert!(said.starts_with("cannot connect to ") && said.ends_with(advice), "{said}");
        }
    }
}
