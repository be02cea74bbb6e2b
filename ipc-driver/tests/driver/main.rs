//! The driver on the fake runtime: one module per group of behaviours.

// A helper of a test may fail it as the test itself may.
#![allow(clippy::unwrap_used)]

mod accepting;
mod answering;
mod async_handlers;
mod backpressure;
mod breaking;
mod bursts;
#[cfg(feature = "tls")]
mod certs;
mod closing;
mod contract;
mod counting;
mod dialling;
mod emitting;
mod events;
mod gates;
mod groups;
mod handlers;
mod handles;
mod instance;
mod journal;
#[cfg(unix)]
mod listening;
mod logging;
mod odd_sockets;
mod panics;
mod protocol;
mod reconnecting;
mod requests;
mod requests_ending;
mod shutdown;
mod slow;
mod soak;
mod standstill;
mod states;
#[cfg(feature = "tls")]
mod tls;
#[cfg(feature = "tls")]
mod tls_files;
#[cfg(feature = "tls")]
mod tls_trust;
mod udp;
mod udp_bounds;
mod waiting;
#[cfg(not(feature = "tls"))]
mod without_tls;
mod world;
