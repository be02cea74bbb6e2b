//! The conformance suite: one line protocol that drives a peer in any language, a peer of our own that speaks it, the
//! installation of the real node-ipc peers, and the recorded answers of real node-ipc.
//!
//! Never published: it exists for the tests of this workspace.

#![forbid(unsafe_code)]

pub mod certificates;
pub mod js;
pub mod matrix;
pub mod node;
pub mod peer;
pub mod process;
pub mod protocol;
pub mod wine;
