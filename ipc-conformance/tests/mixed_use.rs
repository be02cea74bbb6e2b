//! Runtimes in all the ways that programs have them: several in one process, none on the calling thread, one that is gone.
//!
//! What is shown here is what `docs/runtimes.md` says. Futures of the public handles are awaited by a `block_on` of the standard
//! library's means alone wherever no runtime is meant to be on the calling thread.

#[path = "../examples/own_adapter/adapter/mod.rs"]
mod adapter;
#[path = "mixed_use/executors.rs"]
mod executors;
#[path = "mixed_use/gone.rs"]
mod gone;
#[path = "mixed_use/several.rs"]
mod several;
#[path = "mixed_use/threads.rs"]
mod threads;

use ipc_conformance::behaviour::{Stage, Transport, block_on, channel, soon};
use ipc_driver::runtime::Runtime;
use ipc_driver::{Client, Server};
use ipc_tokio::Tokio;
use tokio::runtime;

fn multi_thread() -> runtime::Runtime {
    runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime")
}

fn current_thread() -> runtime::Runtime {
    runtime::Builder::new_current_thread().enable_all().build().expect("a runtime")
}

fn tokio_of(runtime: &runtime::Runtime) -> Tokio {
    runtime.handle().clone().into()
}

/// A current-thread runtime that a thread of its own drives, until this is dropped.
struct Driven {
    runtime: Tokio,
    stop: Option<tokio::sync::oneshot::Sender<()>>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Driven {
    fn start() -> Self {
        let runtime = current_thread();
        let handle = tokio_of(&runtime);
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        let thread = std::thread::spawn(move || {
            let _dropped = runtime.block_on(stopped);
        });
        Self { runtime: handle, stop: Some(stop), thread: Some(thread) }
    }
}

impl Drop for Driven {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _panicked = thread.join();
        }
    }
}

/// A stage over TCP, which every adapter has on every platform.
fn stage<R: Runtime>(runtime: &R) -> Stage<R> {
    Stage::new(runtime.clone(), Transport::Tcp)
}

/// A server that answers, started.
async fn answering<R: Runtime>(stage: &Stage<R>) -> Server<R> {
    let server = stage.server();
    server.on("message", |peer, text: String| peer.emit("message", &format!("{text} world!")));
    server.start().await.expect("started");
    server
}

/// One question and its answer.
async fn ask<R: Runtime>(client: &Client<R>) {
    let (sender, mut answers) = channel();
    let handler = client.on("message", move |text: String| sender.send(text));
    client.emit("message", "hello").expect("emitted");
    assert_eq!(answers.next("an answer").await, "hello world!");
    client.off(handler);
}

/// A conversation between handles of two runtimes, from a thread that has neither.
fn converse<S: Runtime, C: Runtime>(serving: &S, connecting: &C) {
    let stage = stage(serving);
    block_on(async {
        let server = answering(&stage).await;
        let settings = ipc_driver::build(stage.client_config()).expect("settings");
        let client = Client::with_runtime(connecting.clone(), settings, server.local_endpoint()).expect("a client");
        soon("connect", client.connect()).await.expect("connected");
        ask(&client).await;
        let report = soon("shutdown", server.shutdown(std::time::Duration::from_secs(20))).await;
        assert_eq!((report.clean, report.cut), (1, 0));
        client.disconnect();
        soon("the end", client.destroyed()).await;
    });
}
