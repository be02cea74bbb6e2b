//! ipc-conformance
