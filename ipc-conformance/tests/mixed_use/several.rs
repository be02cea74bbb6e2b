//! Runtimes side by side, of one kind and of different ones.

use super::adapter::Own;
use super::{Driven, answering, ask, converse, current_thread, multi_thread, stage, tokio_of};
use ipc_async_std::AsyncStd;
use ipc_conformance::behaviour::soon;
use ipc_smol::Smol;
use tokio::task::LocalSet;

/// Every runtime here serves clients of every other and of itself. A new adapter is added with a value, and its name in both
/// lists.
#[test]
fn handles_of_any_runtimes_speak_with_each_other() {
    let (runtime, driven, own) = (multi_thread(), Driven::start(), Own::start().expect("a runtime"));
    let workers = tokio_of(&runtime);
    macro_rules! with_each {
        ($($serving:expr),*) => {
            $(
                converse($serving, &workers);
                converse($serving, &driven.runtime);
                converse($serving, &own);
                converse($serving, &Smol::global());
                converse($serving, &AsyncStd);
            )*
        };
    }
    with_each!(&workers, &driven.runtime, &own, &Smol::global(), &AsyncStd);
}

#[test]
fn two_runtimes_of_tokio_in_one_process_do_not_mix() {
    let (one, two) = (multi_thread(), multi_thread());
    converse(&tokio_of(&one), &tokio_of(&two));
    // Their threads are their own: with the second one gone, the first goes on.
    drop(two);
    converse(&tokio_of(&one), &tokio_of(&one));
}

#[test]
fn a_runtime_is_named_from_within_another() {
    let (outer, inner) = (current_thread(), multi_thread());
    outer.block_on(async {
        let stage = stage(&tokio_of(&inner));
        let server = answering(&stage).await;
        let client = stage.connected().await;
        ask(&client).await;
        // It is not the one of the calling task that runs the connections.
        assert!(inner.metrics().num_alive_tasks() >= 2, "{}", inner.metrics().num_alive_tasks());
        assert_eq!(outer.metrics().num_alive_tasks(), 0);
        drop(server);
    });
    // It must not be dropped in a task.
    drop(inner);
}

#[test]
fn handles_are_awaited_on_the_thread_of_another_runtime() {
    let (runtime, own) = (multi_thread(), Own::start().expect("a runtime"));
    let (theirs, ours) = (stage(&tokio_of(&runtime)), stage(&own));
    own.block_on(async {
        let server = answering(&theirs).await;
        ask(&theirs.connected().await).await;
        drop(server);
    });
    runtime.block_on(async {
        let server = answering(&ours).await;
        ask(&ours.connected().await).await;
        drop(server);
    });
}

#[test]
fn a_local_set_uses_handles_like_any_task() {
    let runtime = current_thread();
    let stage = stage(&tokio_of(&runtime));
    LocalSet::new().block_on(&runtime, async {
        let server = answering(&stage).await;
        let client = std::rc::Rc::new(stage.connected().await);
        // A task that cannot leave this thread, with a handle in it that is none's but this thread's.
        let local = tokio::task::spawn_local({
            let client = std::rc::Rc::clone(&client);
            async move { ask(&client).await }
        });
        soon("the local task", local).await.expect("no panic");
        ask(&client).await;
        soon("close", client.close()).await.expect("sent");
        drop(server);
    });
}
