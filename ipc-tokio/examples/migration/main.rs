//! A small service moves from Node to Rust, and the program that uses it does not notice: `docs/migration.md`, step by step.
//!
//! ```text
//! cargo run --release -p ipc-tokio --example migration
//! ```
//!
//! Without Node only the last step is played, in Rust alone. Exits 0 if the till was told the same at every step.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a program, not a library")]

mod contract;
mod front;
mod shelf;
mod steps;
mod till;

use ipc_testkit::node::{NodeIpc, Version};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = tempfile::Builder::new().prefix("ipc").tempdir()?;
    match NodeIpc::find(Version::V9_2_1) {
        Ok(node) => steps::all(&node, folder.path()).await?,
        Err(missing) => {
            eprintln!("*** node-ipc 9.2.1 takes no part: {missing} ***");
            steps::rust_only(folder.path()).await?;
        }
    }
    println!("the till saw no difference");
    Ok(())
}
