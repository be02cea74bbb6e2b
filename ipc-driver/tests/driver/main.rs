//! The driver on the fake runtime: one module per group of behaviours.

// A helper of a test may fail it as the test itself may.
#![allow(clippy::unwrap_used)]

mod accepting;
mod backpressure;
mod closing;
mod dialling;
mod emitting;
mod events;
mod handlers;
mod instance;
mod panics;
mod protocol;
mod reconnecting;
mod soak;
mod udp;
mod udp_bounds;
mod waiting;
mod world;
