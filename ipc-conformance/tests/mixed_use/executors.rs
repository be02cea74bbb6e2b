//! Executors of a program's own: run by one thread or by several, run only now and then, and gone before their handles.

use super::{answering, ask, converse, current_thread, stage};
use ipc_conformance::behaviour::{block_on, channel, soon};
use ipc_driver::api::{ConnectError, EmitError, EndReason};
use ipc_driver::async_io::Spawn;
use ipc_smol::Smol;
use smol::{Executor, LocalExecutor};
use std::future::{Future, pending};
use std::sync::{Arc, Barrier};
use std::time::Duration;

/// Threads that run an executor, for as long as the test process lives.
fn run_on_threads(count: usize) -> &'static Executor<'static> {
    let executor: &'static Executor<'static> = Box::leak(Box::default());
    for _ in 0..count {
        std::thread::spawn(|| smol::block_on(executor.run(pending::<()>())));
    }
    executor
}

#[test]
fn an_executor_that_several_threads_run_serves() {
    let smol = Smol::from(run_on_threads(3));
    converse(&smol, &smol);
    converse(&smol, &Smol::global());
}

#[test]
fn an_executor_runs_within_a_tokio_runtime() {
    let executor = Arc::new(Executor::new());
    let stage = stage(&Smol::from(&executor));
    // Two ways to wait on one thread: Tokio's for whatever else the program does, async-io's on a thread of its own.
    current_thread().block_on(executor.run(async {
        let _server = answering(&stage).await;
        ask(&stage.connected().await).await;
        tokio::task::yield_now().await;
    }));
}

#[test]
fn futures_are_awaited_in_a_local_executor() {
    let stage = stage(&Smol::from(run_on_threads(1)));
    let local = LocalExecutor::new();
    smol::block_on(local.run(async {
        let server = answering(&stage).await;
        // Not `Send`, which no handle asks for.
        let client = std::rc::Rc::new(stage.connected().await);
        let asking = std::rc::Rc::clone(&client);
        local.spawn(async move { ask(&asking).await }).await;
        soon("close", client.close()).await.expect("closed");
        drop(server);
    }));
}

#[test]
fn an_executor_that_stands_still_goes_on_where_it_was() {
    let executor = Arc::new(Executor::new());
    let stage = stage(&Smol::from(&executor));
    let (server, client) = smol::block_on(executor.run(async {
        let server = answering(&stage).await;
        (server, stage.connected().await)
    }));
    // As a game loop has it: between two frames nobody runs anything, and what is emitted is queued.
    let (sender, mut answers) = channel();
    client.on("message", move |text: String| sender.send(text));
    client.emit("message", "between").expect("queued");
    assert!(client.pending() > 0);
    smol::block_on(executor.run(async {
        assert_eq!(answers.next("an answer").await, "between world!");
        soon("close", client.close()).await.expect("closed");
    }));
    drop(server);
}

#[test]
fn an_executor_that_is_dropped_ends_its_connections() {
    let (own, rest) = (Arc::new(Executor::new()), Smol::from(run_on_threads(1)));
    let (mine, theirs) = (stage(&Smol::from(&own)), stage(&rest));
    let (client, waiting, server) = smol::block_on(own.run(async {
        let server = answering(&mine).await;
        let client = mine.connected().await;
        ask(&client).await;
        (client, mine.client(), server)
    }));
    // Somebody on another runtime sees the end, and this thread hears of it from its own handles.
    let settings = ipc_driver::build(theirs.client_config()).expect("settings");
    let stranger = ipc_driver::Client::with_runtime(rest, settings, server.local_endpoint()).expect("a client");
    smol::block_on(own.run(async {
        soon("connect", stranger.connect()).await.expect("connected");
    }));
    drop(own);
    block_on(async {
        assert!(matches!(client.emit("n", &1), Err(EmitError::Closed)));
        assert!(!mine.is_served() && server.is_empty());
        let error = soon("connect", waiting.connect()).await.expect_err("there is nobody to run it");
        assert!(matches!(error, ConnectError::Ended { reason: EndReason::Aborted, .. }), "{error}");
        soon("shutdown", server.shutdown(Duration::from_secs(20))).await;
        soon("start", server.start()).await.expect("it can listen");
        assert!(!server.is_listening() && !mine.is_served());
        while stranger.is_connected() {
            std::thread::yield_now();
        }
        stranger.disconnect();
    });
}

/// An executor that the driver never heard of, in five lines.
#[derive(Clone)]
struct OneThread(std::sync::mpsc::Sender<async_task::Runnable>);

impl Spawn for OneThread {
    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        let queue = self.0.clone();
        // Whoever is woken after the end of the queue is dropped.
        let (task, handle) = async_task::spawn(task, move |task| drop(queue.send(task)));
        task.schedule();
        handle.detach();
    }
}

#[test]
fn any_executor_beside_the_reactor_is_a_runtime() {
    let (queue, tasks) = std::sync::mpsc::channel::<async_task::Runnable>();
    let ready = Arc::new(Barrier::new(2));
    let other = Arc::clone(&ready);
    std::thread::spawn(move || {
        other.wait();
        for task in tasks {
            task.run();
        }
    });
    ready.wait();
    converse(&OneThread(queue.clone()), &OneThread(queue.clone()));
    converse(&OneThread(queue), &Smol::global());
}
