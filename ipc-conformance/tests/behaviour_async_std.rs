//! The behaviour suite on async-std.

use ipc_async_std::AsyncStd;
use ipc_conformance::behaviour::Subject;
use std::future::Future;

struct OnAsyncStd;

impl Subject for OnAsyncStd {
    type Runtime = AsyncStd;

    fn runtime(&self) -> AsyncStd {
        AsyncStd
    }

    fn block_on<F: Future>(&self, future: F) -> F::Output {
        async_std::task::block_on(future)
    }
}

ipc_conformance::behaviour_tests!(OnAsyncStd);
