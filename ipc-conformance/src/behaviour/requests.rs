//! Requests and their replies over any stream, and handlers that are futures: on real sockets, timers and tasks.

use super::{Stage, channel, soon};
use ipc_driver::runtime::Runtime;
use ipc_driver::{Failure, Message, Peer, RequestError, RequestOptions};
use std::sync::Arc;
use std::time::Duration;

/// Both sides ask and answer, many at a time, inline and by futures that ask back.
pub async fn requests_are_answered_in_both_directions<R: Runtime>(stage: Stage<R>) {
    let server = stage.server();
    server.on_request("sum", |_, numbers: Vec<u64>| Ok::<_, &str>(numbers.iter().sum::<u64>()));
    server.on_request_async("greet", |peer: Peer, (): ()| async move {
        let name = peer.request::<String>("name", &()).await?;
        Ok::<_, RequestError>(format!("hello {name}"))
    });
    server.start().await.expect("started");
    let client = stage.client();
    client.on_request("name", |(): ()| Ok::<_, &str>("maria"));
    soon("connect", client.connect()).await.expect("connected");
    let greeting = soon("a reply", client.request::<String>("greet", &())).await.expect("a result");
    assert_eq!(greeting, "hello maria");
    let many: Vec<_> = (0..500_u64)
        .map(|n| {
            let client = client.clone();
            stage.spawn(async move { (n, client.request::<u64>("sum", &[n, n]).await) })
        })
        .collect();
    for one in many {
        let (n, sum) = soon("a reply", one.join()).await;
        assert_eq!(sum.expect("a result"), 2 * n);
    }
    let counters = client.request_counters();
    assert_eq!((counters.begun, counters.answered, counters.late), (501, 501, 0));
    soon("close", client.close()).await.expect("sent");
}

/// Errors of the other side, a deadline, params and a result that do not fit.
pub async fn requests_end_in_an_error_that_says_what_happened<R: Runtime>(stage: Stage<R>) {
    let server = stage.server();
    server.on("never", |_, _: Message| {});
    server.on_request("fails", |_, (): ()| Err::<(), _>(Failure::new("ERR_MINE", "as told")));
    server.on_request("double", |_, n: u32| Ok::<_, &str>(n * 2));
    server.start().await.expect("started");
    let client = stage.connected().await;
    let error = soon("a reply", client.request::<()>("fails", &())).await.expect_err("an error");
    assert_eq!(error.failure().map(ToString::to_string).as_deref(), Some("as told (ERR_MINE)"));
    let late = client.request::<()>("never", &()).within(Duration::from_millis(20));
    let error = soon("the deadline", late).await.expect_err("an error");
    assert_eq!(
        error.to_string(),
        "no reply to request \"never\" within 20ms; the peer is slow, or does not answer requests of that name"
    );
    for (name, params, code) in
        [("unknown", 1.into(), Failure::NO_HANDLER), ("double", "x".into(), Failure::INVALID_PARAMS)]
    {
        let params: serde_json::Value = params;
        let error = soon("a reply", client.request::<u32>(name, &params)).await.expect_err("an error");
        assert_eq!(error.failure().map(Failure::code), Some(code));
    }
    let error = soon("a reply", client.request::<String>("double", &1)).await.expect_err("a number");
    assert!(matches!(error, RequestError::Reply { .. }), "{error}");
    assert_eq!(soon("a reply", client.request::<u32>("double", &1)).await.expect("a result"), 2);
}

/// Nobody waits for a reply that cannot come, and what would have answered is dropped.
pub async fn requests_and_futures_end_with_their_connection<R: Runtime>(stage: Stage<R>) {
    struct Tell(super::Sender<&'static str>);
    impl Drop for Tell {
        fn drop(&mut self) {
            self.0.tell("dropped");
        }
    }
    let server = stage.server();
    let (sender, mut heard) = channel();
    server.on_request_async("wait", move |_, (): ()| {
        let told = Tell(sender.clone());
        async move {
            told.0.tell("asked");
            std::future::pending::<Result<(), &str>>().await
        }
    });
    server.start().await.expect("started");
    let client = stage.client();
    let (sender, mut connections) = channel();
    client.on_connect(move || sender.tell(()));
    client.start();
    connections.next("a connection").await;
    let asking = client.clone();
    let asked = stage.spawn(async move { asking.request::<()>("wait", &()).await });
    assert_eq!(heard.next("the question").await, "asked");
    server.peers()[0].abort();
    let outcome = soon("the end", asked.join()).await;
    assert!(matches!(outcome, Err(RequestError::Disconnected { .. })), "{outcome:?}");
    assert_eq!(heard.next("the end").await, "dropped");
    connections.next("another connection").await;
    let asking = client.clone();
    let asked = stage.spawn(async move { asking.request::<()>("wait", &()).await });
    assert_eq!(heard.next("the question").await, "asked");
    client.disconnect();
    let outcome = soon("the end", asked.join()).await;
    assert!(matches!(outcome, Err(RequestError::Disconnected { .. })), "{outcome:?}");
    assert_eq!(heard.next("the end").await, "dropped");
}

/// A handler in order finds what the one before has left; the bound makes the sender wait, and nothing is lost.
pub async fn async_handlers_in_order_run_one_after_the_other<R: Runtime>(stage: Stage<R>) {
    let server = stage.server();
    server.set_request_options(RequestOptions::default().max_under_way(4));
    let (sender, mut heard) = channel();
    let (runtime, busy) = (stage.runtime().clone(), Arc::new(std::sync::atomic::AtomicBool::new(false)));
    server.on_async_in_order("n", move |_, n: u32| {
        let (sender, runtime, busy) = (sender.clone(), runtime.clone(), busy.clone());
        async move {
            use std::sync::atomic::Ordering::SeqCst;
            assert!(!busy.swap(true, SeqCst), "two at a time");
            if n % 10 == 0 {
                super::tasks::sleep(&runtime, Duration::from_millis(1)).await;
            }
            busy.store(false, SeqCst);
            sender.send(n)
        }
    });
    server.start().await.expect("started");
    let client = stage.connected().await;
    for n in 0..200 {
        client.send("n", &n).await.expect("queued");
    }
    for n in 0..200 {
        assert_eq!(heard.next("an event").await, n);
    }
}

/// Connections are cut while many ask: every request ends at once, with its own reply or an error, and none waits for its
/// deadline.
pub async fn requests_all_end_while_connections_are_cut<R: Runtime>(stage: Stage<R>) {
    const ASKERS: u64 = 6;
    const EACH: u64 = 100;
    let server = stage.server();
    server.on_request("inline", |_, n: u64| Ok::<_, &str>(n));
    server.on_request_async("future", |_, n: u64| async move { Ok::<_, &str>(n) });
    server.start().await.expect("started");
    let mut config = stage.client_config();
    config.retry = Duration::from_millis(1);
    let client = stage.client_with(config);
    soon("connect", client.connect()).await.expect("connected");
    let askers: Vec<_> = (0..ASKERS)
        .map(|asker| {
            let (client, runtime) = (client.clone(), stage.runtime().clone());
            stage.spawn(async move {
                let name = if asker % 2 == 0 { "inline" } else { "future" };
                let mut n = 0;
                while n < EACH {
                    let number = asker * EACH + n;
                    let request = client.request::<u64>(name, &number).within(Duration::from_secs(3600));
                    match request.await {
                        Ok(reply) => {
                            assert_eq!(reply, number);
                            n += 1;
                        }
                        Err(RequestError::Disconnected { .. }) => {}
                        Err(RequestError::Emit { .. }) => {
                            super::tasks::sleep(&runtime, Duration::from_millis(1)).await;
                        }
                        Err(error) => panic!("{error}"),
                    }
                }
            })
        })
        .collect();
    let cutter = server.clone();
    let runtime = stage.runtime().clone();
    let cutting = stage.spawn(async move {
        for _ in 0..40 {
            for peer in cutter.peers() {
                peer.abort();
            }
            super::tasks::sleep(&runtime, Duration::from_millis(2)).await;
        }
    });
    for asker in askers {
        soon("an asker", asker.join()).await;
    }
    soon("the cuts", cutting.join()).await;
    let counters = client.request_counters();
    assert_eq!(counters.timed_out, 0);
    assert_eq!(counters.begun, counters.answered + counters.cancelled + counters.disconnected, "{counters:?}");
    assert!(counters.answered >= ASKERS * EACH, "{counters:?}");
}
