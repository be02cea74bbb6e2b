//! The codec against recorded facts about node-ipc 9.2.1, 12.0.0 and 14.0.0 (`ipc-conformance/vectors/README.md`).
//!
//! Every vector of a theme is either checked or counted as not expressible here, and the counts are asserted, so that none can
//! be skipped in silence.

#![allow(clippy::disallowed_methods, reason = "a test reads its recordings")]

mod inbound;
mod outbound;
mod reading;
