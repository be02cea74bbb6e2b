//! The behaviour suite on smol: on an executor that the program runs itself, and on the global one.

use ipc_conformance::behaviour::Subject;
use ipc_smol::Smol;
use smol::Executor;
use std::future::Future;
use std::sync::Arc;

mod own_executor {
    use super::*;

    /// One thread does everything: it waits for sockets and runs all tasks.
    #[derive(Default)]
    struct OwnExecutor(Arc<Executor<'static>>);

    impl Subject for OwnExecutor {
        type Runtime = Smol;

        fn runtime(&self) -> Smol {
            Smol::from(&self.0)
        }

        fn block_on<F: Future>(&self, future: F) -> F::Output {
            smol::block_on(self.0.run(future))
        }
    }

    ipc_conformance::behaviour_tests!(OwnExecutor::default());
}

mod global_executor {
    use super::*;

    struct GlobalExecutor;

    impl Subject for GlobalExecutor {
        type Runtime = Smol;

        fn runtime(&self) -> Smol {
            Smol::global()
        }

        fn block_on<F: Future>(&self, future: F) -> F::Output {
            smol::block_on(future)
        }
    }

    ipc_conformance::behaviour_tests!(GlobalExecutor);
}
