//! A server to be measured.
//!
//! ```text
//! cargo run --release -p ipc-tokio --example load_server -- --listen unix:/tmp/load.sock --role echo
//! ```
//!
//! The roles are `echo`, `sink` and `publish`; `ipc-testkit/src/load.rs` says what they do. `--runtime-threads N` (default 1)
//! takes a multi-thread runtime for N > 1.
//!
//! It listens on `unix:PATH`, `tcp:HOST:PORT`, `tls:HOST:PORT` with `--cert FILE --key FILE` (PEM), or `udp:HOST:PORT` (`udp4:`
//! and `udp6:` name the family). Over UDP there are `echo`, and `sink`, which counts for each address.

use ipc_testkit::load::Load;
use ipc_tokio::Tokio;
use std::error::Error;
use tokio::runtime::Builder;

fn main() -> Result<(), Box<dyn Error>> {
    let load = Load::from_args()?;
    let mut runtime = if load.threads > 1 { Builder::new_multi_thread() } else { Builder::new_current_thread() };
    let runtime = runtime.worker_threads(load.threads).enable_io().enable_time().build()?;
    runtime.block_on(load.serve(Tokio::from(runtime.handle().clone())))
}
