//! ipc-tokio
