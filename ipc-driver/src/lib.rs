//! The async half of the ipc crates, written once for any runtime.
//!
//! Users name an adapter (`ipc-tokio` and its siblings) and find everything here re-exported with the runtime filled in.
//! Authors of an adapter implement [`Runtime`](runtime::Runtime); `docs/writing-an-adapter.md` in the repository has the pitfalls, a worked
//! example, and the suite that tests an adapter.

// The calls that named pipes need, in `net/pipe/sys.rs` and `net/pipe/sys/`, are the only exception.
#![cfg_attr(not(windows), forbid(unsafe_code))]
#![cfg_attr(windows, deny(unsafe_code))]
#![warn(missing_docs)]
// docs.rs shows which feature an item needs.
#![cfg_attr(docsrs, feature(doc_cfg))]

#[cfg(test)]
mod alarm;
#[cfg(feature = "async-io")]
pub mod async_io;
mod client;
pub mod contract;
mod counters;
mod dial;
mod emit;
mod error;
mod extensions;
#[cfg(any(test, feature = "fake"))]
pub mod fake;
mod handlers;
#[cfg(unix)]
mod handover;
mod hear;
pub mod host;
mod ipc;
mod latch;
mod link;
mod log;
#[cfg(feature = "metrics")]
mod metrics;
#[cfg(not(feature = "metrics"))]
#[path = "metrics/absent.rs"]
mod metrics;
#[cfg(all(test, ipc_loom))]
mod models;
mod named;
pub mod net;
mod patience;
mod peer;
mod printable;
mod pump;
mod requests;
pub mod runtime;
mod scratch;
mod server;
mod slot;
mod stream;
mod sync;
#[cfg(feature = "tls")]
mod tls;
#[cfg(not(feature = "tls"))]
#[path = "tls/absent.rs"]
mod tls;
mod transport;
mod udp;
mod unheard;
mod wakers;
mod watch;

pub use client::Client;
pub use ipc::Ipc;
#[cfg(feature = "derive")]
pub use ipc_derive::{ContractOfDriver as Contract, RequestOfDriver as Request};
pub use server::Server;
pub use udp::UdpServer;

pub use api::*;
/// The TLS library, for [`Client::set_tls`] and [`Server::set_tls`].
#[cfg(feature = "tls")]
pub use rustls;

/// Everything a user of an adapter names, apart from the handles that adapters export with their runtime filled in.
pub mod api {
    pub use crate::client::{ClientEvent, ConnectionState, Emitter, EndReason, States};
    pub use crate::contract::{self, Contract, ContractError, EventName, Request};
    pub use crate::counters::{ClientCounters, ConnectionCounters, RefusedConnections, ServerCounters};
    pub use crate::dial::{Lookup, UnresolvedHost};
    #[cfg(unix)]
    pub use crate::error::HandOverError;
    pub use crate::error::{BoxError, CloseError, ConnectError, ConnectionError, Refusal, ServeError};
    pub use crate::handlers::{HandlerId, Outcome};
    pub use crate::host::{build, config_from_env, detect as host};
    pub use crate::net::Listening;
    #[cfg(unix)]
    pub use crate::net::{Inherited, inherited};
    pub use crate::peer::Peer;
    pub use crate::requests::{IntoReply, PendingRequest, RequestError};
    pub use crate::runtime::{Credentials, Remote, TlsVersion};
    pub use crate::server::{
        Audience, Broadcast, JoinError, MAX_GROUP_NAME, ServerEvent, ShutdownReport, Verdict, same_user_or_root,
    };
    pub use crate::stream::Events;
    #[cfg(feature = "tls")]
    pub use crate::tls::{HandshakeError, TlsError, TlsSource, tls_client_config, tls_server_config};
    pub use crate::udp::{UdpCounters, UdpEvent, UdpPeer};
    pub use ipc_proto::{
        Backoff, Code, Config, ConfigError, DataError, DatagramCounters, DatagramError, DatagramSendCounters,
        EmitError, Empty, EncodeError, Encoding, Endpoint, EndpointError, Event, Failure, Frame, FromEvent, Host,
        InboundCounters, Inspect, Interface, IpFamily, LocalAddress, Loss, Lost, MAX_DATAGRAM, MalformedCounters,
        Message, Offline, OnMalformed, OutboundCounters, Parser, PeerId, PeerRemoval, Platform, ProtocolError,
        RefusedEmits, RequestCounters, RequestOptions, Settings, SlowConsumer, StopRetrying, TlsOptions, Unsent,
    };
}

/// How long a graceful close may take unless said otherwise.
const CLOSE_WITHIN: std::time::Duration = std::time::Duration::from_secs(5);
