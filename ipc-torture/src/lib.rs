//! Faults, attacks and long runs, on real sockets and real processes.
//!
//! A *subject* is a server or client of ours in a process of its own ([`subject`]), which is killed, stopped, starved of
//! descriptors and attacked by its parent, a test or the command `ipc-torture`. It is driven by lines ([`child`]) and watched from outside
//! ([`watch`]). The hostile peers are plain sockets of the standard library ([`raw`]).
//!
//! Quick forms are tests; the same functions with larger numbers are the command's. Linux only: processes are looked at by `/proc`.

#![forbid(unsafe_code)]
#![cfg(target_os = "linux")]

pub mod adapters;
pub mod attack;
pub mod child;
pub mod cli;
pub mod needs;
pub mod netns;
pub mod numbers;
pub mod place;
pub mod raw;
pub mod restart;
pub mod soak;
pub mod storm;
pub mod subject;
pub mod watch;
