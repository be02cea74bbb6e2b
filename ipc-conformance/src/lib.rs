//! The conformance suite: one line protocol that drives a peer in any language, a peer of our own that speaks it, the
//! installation of the real node-ipc peers, and the recorded answers of real node-ipc; and the behaviour suite, which any adapter
//! may run.
//!
//! Never published: it exists for the tests of this workspace.

#![forbid(unsafe_code)]

pub mod behaviour;
pub mod js;
pub mod matrix;
pub mod peer;
pub mod protocol;

pub use ipc_testkit::{certificates, node, process, wine};
