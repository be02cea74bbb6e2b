//! The protocol of node-ipc as pure state machines.
