//! A server to be measured; roles, addresses and options are those of ipc-tokio's `load_server`.
//!
//! ```text
//! cargo run --release -p ipc-smol --example smol_load_server -- --listen unix:/tmp/load.sock --role echo
//! ```
//!
//! It runs an executor of its own on this thread, which so waits for sockets and runs tasks in turns; `--runtime-threads N`
//! adds threads to it.

use ipc_smol::Smol;
use ipc_testkit::load::Load;
use std::error::Error;
use std::sync::Arc;

fn main() -> Result<(), Box<dyn Error>> {
    let load = Load::from_args()?;
    let executor = Arc::new(smol::Executor::new());
    for _ in 1..load.threads {
        let executor = Arc::clone(&executor);
        std::thread::spawn(move || smol::block_on(executor.run(std::future::pending::<()>())));
    }
    smol::block_on(executor.run(load.serve(Smol::from(&executor))))
}
