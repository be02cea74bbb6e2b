//! A server to be measured; roles, addresses and options are those of ipc-tokio's `load_server`.
//!
//! ```text
//! ASYNC_STD_THREAD_COUNT=1 cargo run --release -p ipc-async-std --example async_std_load_server -- --listen unix:/tmp/load.sock --role echo
//! ```
//!
//! The main thread waits outside of async-std: inside it, it would wait for the sockets, and every message would have to be
//! carried to the threads that run tasks.

use ipc_async_std::AsyncStd;
use ipc_testkit::load::Load;
use std::error::Error;
use std::sync::mpsc;

fn main() -> Result<(), Box<dyn Error>> {
    let load = Load::from_args()?;
    let (sender, ended) = mpsc::channel();
    async_std::task::spawn(async move {
        let end = load.serve(AsyncStd).await.map_err(|error| error.to_string());
        // The other side is the end of the program.
        let _ = sender.send(end);
    });
    Ok(ended.recv()??)
}
