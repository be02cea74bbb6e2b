//! What threads share in the driver is built of these: std's, or those of loom where a model checker tries every order in
//! which threads may touch them (`--cfg ipc_loom`, see `models`).

#[cfg(not(ipc_loom))]
pub(crate) use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
#[cfg(not(ipc_loom))]
pub(crate) use std::sync::{Mutex, MutexGuard, RwLock};

#[cfg(ipc_loom)]
pub(crate) use loom::sync::atomic::{AtomicBool, AtomicU64, Ordering};
#[cfg(ipc_loom)]
pub(crate) use loom::sync::{Mutex, MutexGuard, RwLock};
