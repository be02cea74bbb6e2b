//! ipc-driver
