//! What the tests and examples of all crates share, whatever runtime they are about: real node-ipc, processes beside a test,
//! certificates, the stage of the example `hello`, a server to be measured.
//!
//! Never published, and it knows no runtime: the dependencies of an adapter's tests are its own.

#![forbid(unsafe_code)]

pub mod certificates;
pub mod hello;
pub mod load;
pub mod node;
pub mod process;
pub mod running;
pub mod wine;
