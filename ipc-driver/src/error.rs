//! What can go wrong, one small type per operation.

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
/// `Debug` shows no payload.
#[derive(Clone, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectionError {
    /// An attempt to connect failed.
    #[error("cannot connect to {endpoint}: {source}{}", advice(endpoint, source))]
    Connect {
        /// Where to.
        endpoint: Endpoint,
        /// What the operating system said.
        source: Arc<io::Error>,
    },
    /// A server did not let the connection in.
    #[error("the connection was refused: {0}")]
    Refused(#[source] Refusal),
    /// A connection broke.
    #[error("the connection broke: {0}")]
    Io(#[source] Arc<io::Error>),
    /// The peer read too slowly, and [`SlowConsumer::Disconnect`](crate::SlowConsumer::Disconnect) has ended the connection.
    #[error(
        "the peer read too slowly: {pending} bytes waited for it, maxPendingBytes allows {limit}, and slowConsumer is \"disconnect\""
    )]
    TooSlow {
        /// Bytes that waited.
        pending: usize,
        /// `maxPendingBytes`.
        limit: usize,
    },
    /// A TLS handshake of a server failed, see `HandshakeError`.
    #[error("{0}")]
    Handshake(#[source] Arc<io::Error>),
    /// Over UDP: a datagram could not be sent, and is lost. The socket lives on.
    #[error("cannot send to {to}: {source}")]
    Send {
        /// Where to.
        to: SocketAddr,
        /// What the operating system said.
        source: Arc<io::Error>,
    },
    /// Over UDP: nothing could be received. It is tried again after 50 ms.
    #[error("cannot receive datagrams: {0}")]
    Receive(#[source] Arc<io::Error>),
    /// The peer sent something that is not an event. The connection goes on unless `fatal`.
    #[error("the peer broke the protocol: {error}")]
    Protocol {
        /// What was wrong, with node-ipc 14's code.
        #[source]
        error: ProtocolError,
        /// The frame, as text, without its delimiter; empty where there is none.
        frame: Arc<str>,
        /// Whether the connection is closed because of it.
        fatal: bool,
    },
    /// A handler returned an error, or the payload was not what it takes.
    #[error("a handler of {event:?} failed: {source}")]
    Handler {
        /// The event.
        event: Arc<str>,
        /// What the handler said.
        source: Arc<BoxError>,
    },
    /// A gate (`before_event`) kept an event from all handlers.
    #[error("event {event:?} was rejected: {source}")]
    Rejected {
        /// The event.
        event: Arc<str>,
        /// What the gate said.
        source: Arc<BoxError>,
    },
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
            Self::Protocol { error, frame, fatal } => {
                let length = frame.len();
                f.debug_struct("Protocol").field("error", error).field("bytes", &length).field("fatal", fatal).finish()
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
    ConnectionError::Protocol { error: report.error().clone(), frame: report.frame().into(), fatal }
}

/// Why a server did not let a connection in.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// As many peers are connected as `maxConnections` allows.
    #[error("{limit} peers are connected, which is all that maxConnections allows")]
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
    Runtime(#[source] io::Error),
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
    #[error("gave up connecting to {endpoint}{}", last.as_ref().map(|error| told(endpoint, error)).unwrap_or_default())]
    GaveUp {
        /// Where to.
        endpoint: Endpoint,
        /// What the last attempt said.
        #[source]
        last: Option<Arc<io::Error>>,
    },
}

fn told(endpoint: &Endpoint, error: &io::Error) -> String {
    format!(": {error}{}", advice(endpoint, error))
}

/// What to look at when a connection could not be made.
fn advice(endpoint: &Endpoint, error: &io::Error) -> &'static str {
    match (endpoint, error.kind()) {
        (Endpoint::Local(_), io::ErrorKind::NotFound) => {
            "; its server has not started, or has another socketRoot, appspace or id"
        }
        (Endpoint::Local(_), io::ErrorKind::PermissionDenied) => {
            "; the server's socketMode and socketGroup say who may connect"
        }
        (Endpoint::Local(_), io::ErrorKind::ConnectionRefused) => "; nobody listens there any more",
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
    Runtime(#[source] io::Error),
    /// The operating system would not let us listen there.
    #[error("cannot listen at {endpoint}: {source}")]
    Listen {
        /// Where.
        endpoint: Endpoint,
        /// What it said.
        source: io::Error,
    },
    /// The server listens already.
    #[error("the server listens at {endpoint} already; stop it before starting it again")]
    AlreadyListening {
        /// Where.
        endpoint: Endpoint,
    },
    /// The listening socket that was given to the server is none, or has no address that can be told. It is closed.
    #[error("cannot listen on the socket that was given: {0}")]
    Given(#[source] io::Error),
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
    #[error("cannot take over at {}: {source}", control.display())]
    TakeOver {
        /// The control socket.
        control: PathBuf,
        /// What went wrong.
        source: io::Error,
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
    Socket(#[source] io::Error),
    /// The control socket cannot be bound.
    #[error("cannot offer the listening socket at {}: {source}", control.display())]
    Control {
        /// Its path.
        control: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// The server was stopped before anybody had taken the socket.
    #[error("the server was stopped before another process had taken its socket")]
    Stopped,
}

/// A connection was closed before everything was sent.
#[derive(Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("closed with {} events ({} bytes) unsent", unsent.messages, unsent.bytes)]
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
