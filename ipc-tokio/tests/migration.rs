//! The example `migration`, with real node-ipc: the same till in Node before, during and after the service moves to Rust.
#![cfg(unix)]
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "the steps say what they do")]

#[path = "../examples/migration/contract.rs"]
mod contract;
#[path = "../examples/migration/front.rs"]
mod front;
#[path = "../examples/migration/shelf.rs"]
mod shelf;
#[path = "../examples/migration/steps.rs"]
mod steps;
#[path = "../examples/migration/till.rs"]
mod till;

use ipc_testkit::node::{NodeIpc, Version, or_skip};

#[tokio::test(flavor = "multi_thread")]
async fn the_till_sees_no_difference_while_the_service_moves() {
    let Some(node) = or_skip("the migration from node-ipc 9.2.1", NodeIpc::find(Version::V9_2_1)) else { return };
    let folder = tempfile::Builder::new().prefix("ipc").tempdir().expect("a folder");
    steps::all(&node, folder.path()).await.expect("every step");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_step_needs_no_node() {
    let folder = tempfile::Builder::new().prefix("ipc").tempdir().expect("a folder");
    steps::rust_only(folder.path()).await.expect("it ends");
}
