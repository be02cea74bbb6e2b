//! The behaviour suite on Tokio, in both of its flavours.

use ipc_conformance::behaviour::Subject;
use ipc_tokio::Tokio;
use std::future::Future;
use tokio::runtime::Runtime;

struct OnTokio(Runtime);

impl Subject for OnTokio {
    type Runtime = Tokio;

    fn runtime(&self) -> Tokio {
        self.0.handle().clone().into()
    }

    fn block_on<F: Future>(&self, future: F) -> F::Output {
        self.0.block_on(future)
    }
}

mod current_thread {
    use super::OnTokio;

    ipc_conformance::behaviour_tests!(OnTokio(
        tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime")
    ));
}

mod multi_thread {
    use super::OnTokio;

    ipc_conformance::behaviour_tests!(OnTokio(
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime")
    ));
}
