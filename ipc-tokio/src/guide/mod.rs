//! Pages about one subject each, where the [front page](crate) has only what everybody needs. The module has no items,
//! only documentation.

pub mod listeners;
pub mod local_sockets;
pub mod node_ipc;
pub mod options;
pub mod raw;
pub mod tcp;
pub mod tls;
pub mod udp;
