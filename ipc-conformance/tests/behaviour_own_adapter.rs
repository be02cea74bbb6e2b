//! The behaviour suite on the adapter of the example `own_adapter`.

#[path = "../examples/own_adapter/adapter/mod.rs"]
mod adapter;

use adapter::Own;
use ipc_conformance::behaviour::{Subject, Transport};
use std::future::Future;

struct OnOwn(Own);

impl Subject for OnOwn {
    type Runtime = Own;

    fn runtime(&self) -> Own {
        self.0.clone()
    }

    fn block_on<F: Future>(&self, future: F) -> F::Output {
        self.0.block_on(future)
    }

    fn cannot(&self, transport: Transport) -> Option<&'static str> {
        (cfg!(windows) && transport == Transport::Local).then_some("this adapter has no named pipes")
    }
}

ipc_conformance::behaviour_tests!(OnOwn(Own::start().expect("a runtime")));
