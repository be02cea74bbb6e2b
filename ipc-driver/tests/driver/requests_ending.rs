//! Requests that end without their reply: by their deadline, dropped by who asked, or with their connection. What a reply brings is in
//! `requests`.

use crate::requests::{calculator, frames, said};
use crate::world::*;
use ipc_driver::fake::Fake;
use ipc_driver::runtime::Runtime;
use ipc_driver::{EmitError, Message, Offline, Peer, RequestError, RequestOptions};
use std::sync::{Arc, Mutex};

#[test]
fn a_deadline_ends_a_request_that_nobody_answers() {
    let runtime = Fake::new(4);
    let _server = calculator(&runtime);
    let client = connect(&runtime, config());
    let error = runtime.block_on(client.request::<u64>("never", &())).unwrap_err();
    assert_eq!(
        error.to_string(),
        "no reply to request \"never\" within 10s; the peer is slow, or does not answer requests of that name"
    );
    assert!(matches!(error, RequestError::TimedOut { after, .. } if after == SECOND * 10));
    assert_eq!(runtime.elapsed(), SECOND * 10);
    // An earlier deadline than the one that is waited for already.
    let long = client.request::<u64>("never", &()).within(SECOND * 60);
    runtime.spawn(async move { drop(long.await) });
    runtime.run();
    let error = runtime.block_on(client.request::<u64>("never", &()).within(MILLISECOND * 5)).unwrap_err();
    assert_eq!(
        error.to_string(),
        "no reply to request \"never\" within 5ms; the peer is slow, or does not answer requests of that name"
    );
    assert_eq!(runtime.elapsed(), SECOND * 10 + MILLISECOND * 5);
    client.set_request_options(RequestOptions::default().timeout(SECOND));
    runtime.block_on(client.request::<u64>("never", &())).unwrap_err();
    assert_eq!(runtime.elapsed(), SECOND * 11 + MILLISECOND * 5);
}

#[test]
fn a_request_with_no_end_waits_for_as_long_as_the_connection_lives() {
    let runtime = Fake::new(5);
    let server = calculator(&runtime);
    let client = connect(&runtime, config().max_retries(0));
    let log = Log::default();
    let (request, to) = (client.request::<u64>("never", &()).within(std::time::Duration::MAX), log.clone());
    runtime.spawn(async move { to.push(said(request.await)) });
    runtime.advance(SECOND * 3600);
    assert_eq!(log.len(), 0);
    server.abort();
    runtime.run();
    assert_eq!(
        log.take(),
        ["the connection ended before a reply to request \"never\" came; whether the peer has done it is not known"]
    );
}

#[test]
fn a_request_that_is_dropped_is_out_of_the_table_and_its_reply_goes_to_nobody() {
    let runtime = Fake::new(6);
    let server = calculator(&runtime);
    let client = connect(&runtime, config());
    client.set_request_options(RequestOptions::default().max_pending(1));
    let strangers = Log::default();
    let to = strangers.clone();
    client.on_any(move |event| to.push(event.name().to_owned()));
    let mut request = Box::pin(client.request::<u64>("sum", &[1]));
    assert!(poll_once(request.as_mut()).is_pending());
    assert!(matches!(
        poll_once(client.request::<u64>("sum", &[1])),
        std::task::Poll::Ready(Err(RequestError::TooMany { limit: 1, .. }))
    ));
    drop(request);
    assert_eq!(client.request_counters().cancelled, 1);
    runtime.run();
    let counters = client.request_counters();
    assert_eq!((counters.late, counters.refused, counters.answered), (1, 1, 0));
    // One that was never awaited was never sent.
    drop(client.request::<u64>("sum", &[1]));
    assert_eq!(runtime.block_on(client.request::<u64>("sum", &[1, 1])).unwrap(), 2);
    assert_eq!(server.counters().traffic.received.events, 2);
    assert_eq!(strangers.take(), Vec::<String>::new());
}

#[test]
fn a_reply_that_comes_late_goes_to_nobody() {
    let runtime = Fake::new(7);
    let server = server(&runtime, config());
    let clock = runtime.clone();
    server.on_request_async("slow", move |_, n: u64| {
        let clock = clock.clone();
        async move {
            clock.sleep(SECOND * 2).await;
            Ok::<_, &str>(n)
        }
    });
    runtime.block_on(server.start()).unwrap();
    let client = connect(&runtime, config());
    let first = client.request::<u64>("slow", &1).within(SECOND);
    assert!(matches!(runtime.block_on(first), Err(RequestError::TimedOut { .. })));
    // The reply to the first comes while this one waits.
    assert_eq!(runtime.block_on(client.request::<u64>("slow", &2)).unwrap(), 2);
    let counters = client.request_counters();
    assert_eq!((counters.timed_out, counters.late, counters.answered), (1, 1, 1));
}

#[test]
fn every_kind_of_end_fails_all_requests_at_once() {
    type End = fn(&FakeServer, &FakeClient, &Peer);
    let ends: [(&str, End); 5] = [
        ("disconnect", |_, client, _| client.disconnect()),
        ("close", |_, client, _| assert!(poll_once(client.close()).is_pending())),
        ("abort of the peer", |_, _, peer| peer.abort()),
        ("close of the peer", |_, _, peer| assert!(poll_once(peer.close()).is_pending())),
        ("abort of the server", |server, _, _| server.abort()),
    ];
    for (name, end) in ends {
        let runtime = Fake::new(8);
        let server = calculator(&runtime);
        let peers = every_peer(&server);
        let client = connect(&runtime, config().max_retries(0));
        client.on("never", |_: Message| {});
        let peer = peers.all().remove(0);
        let log = Log::default();
        for request in [client.request::<u64>("never", &()), peer.request::<u64>("never", &())] {
            let to = log.clone();
            runtime.spawn(async move { to.push(request.await.unwrap_err()) });
        }
        runtime.run();
        assert_eq!(log.len(), 0, "{name}");
        end(&server, &client, &peer);
        runtime.run();
        let log = log.take();
        assert_eq!(log.len(), 2, "{name}");
        assert!(log.iter().all(|error| matches!(error, RequestError::Disconnected { .. })), "{name}: {log:?}");
        assert!(matches!(
            runtime.block_on(peer.request::<u64>("never", &())),
            Err(RequestError::Emit { source: EmitError::Closed, .. })
        ));
        runtime.advance(SECOND * 10);
        drop((client, server));
        runtime.advance(SECOND * 10);
        assert_eq!(runtime.tasks(), [], "{name}");
        assert_eq!(runtime.elapsed(), SECOND * 20);
    }
}

#[test]
fn a_request_does_not_outlive_its_connection_although_the_client_connects_again() {
    let runtime = Fake::new(9);
    let server = calculator(&runtime);
    let client = connect(&runtime, config().retry(SECOND));
    let log = Log::default();
    let (request, to) = (client.request::<u64>("never", &()), log.clone());
    runtime.spawn(async move { to.push(said(request.await)) });
    runtime.run();
    server.peers()[0].abort();
    runtime.run();
    assert_eq!(
        log.take(),
        ["the connection ended before a reply to request \"never\" came; whether the peer has done it is not known"]
    );
    let refused = runtime.block_on(client.request::<u64>("sum", &[1])).unwrap_err();
    assert!(matches!(refused, RequestError::Emit { source: EmitError::NotConnected, .. }), "{refused}");
    runtime.advance(SECOND);
    assert_eq!(runtime.block_on(client.request::<u64>("sum", &[1])).unwrap(), 1);
    let counters = client.request_counters();
    assert_eq!((counters.disconnected, counters.cancelled, counters.answered), (1, 1, 1));
}

#[test]
fn a_buffering_client_asks_when_it_is_connected_and_its_deadline_runs_meanwhile() {
    let runtime = Fake::new(10);
    let client = client(&runtime, config().offline(Offline::Buffer).retry(SECOND));
    client.start();
    let early = client.request::<u64>("sum", &[1]).within(MILLISECOND * 500);
    assert!(matches!(runtime.block_on(early), Err(RequestError::TimedOut { .. })));
    let request = client.request::<u64>("sum", &[1, 2]);
    let _server = calculator(&runtime);
    assert_eq!(runtime.block_on(request).unwrap(), 3);
    assert_eq!(client.request_counters().late, 1);
}

#[test]
fn futures_of_handlers_are_dropped_when_their_connection_ends() {
    let runtime = Fake::new(16);
    let server = server(&runtime, config());
    let held = Arc::new(());
    let kept = held.clone();
    server.on_request_async("wait", move |_, (): ()| {
        let kept = kept.clone();
        async move {
            std::future::pending::<()>().await;
            drop(kept);
            Ok::<_, &str>(())
        }
    });
    runtime.block_on(server.start()).unwrap();
    let client = connect(&runtime, config());
    let request = client.request::<()>("wait", &());
    runtime.spawn(async move { drop(request.await) });
    runtime.run();
    assert_eq!(Arc::strong_count(&held), 3);
    client.disconnect();
    runtime.run();
    assert_eq!(Arc::strong_count(&held), 2);
}

#[test]
fn a_reply_goes_to_the_connection_that_has_asked_and_to_no_later_one() {
    let runtime = Fake::new(17);
    let client = client(&runtime, config().retry(SECOND));
    let done = Arc::new(Mutex::new(None));
    let gate = done.clone();
    client.on_request_async("later", move |(): ()| {
        let opened = closed(&gate);
        async move {
            opened.await;
            Ok::<_, &str>("x")
        }
    });
    let mut listener = listen(&runtime);
    client.start();
    let mut first = runtime.block_on(listener.accept()).unwrap();
    runtime.block_on(first.send(b"{\"type\":\"later\",\"data\":{\"$request\":\"a\"}}\x0c")).unwrap();
    runtime.run();
    drop(first);
    runtime.advance(SECOND);
    let mut second = runtime.block_on(listener.accept()).unwrap();
    runtime.run();
    let open: Open = done.lock().unwrap().take().unwrap();
    open.open();
    runtime.run();
    runtime.block_on(second.send(b"{\"type\":\"later\",\"data\":{\"$request\":\"b\"}}\x0c")).unwrap();
    runtime.run();
    done.lock().unwrap().take().unwrap().open();
    runtime.run();
    assert_eq!(frames(&runtime, &mut second), ["{\"type\":\"$reply\",\"data\":{\"$reply\":\"b\",\"result\":\"x\"}}"]);
}

/// Opens a gate that a future waits at.
struct Open(Arc<Mutex<(bool, Option<std::task::Waker>)>>);

impl Open {
    fn open(self) {
        let waker = {
            let mut state = self.0.lock().unwrap();
            state.0 = true;
            state.1.take()
        };
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

/// A future that waits until it is opened.
fn closed(slot: &Arc<Mutex<Option<Open>>>) -> impl Future<Output = ()> + Send + use<> {
    let state = Arc::new(Mutex::new((false, None::<std::task::Waker>)));
    *slot.lock().unwrap() = Some(Open(state.clone()));
    std::future::poll_fn(move |cx| {
        let mut state = state.lock().unwrap();
        state.1 = Some(cx.waker().clone());
        if state.0 { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
    })
}

#[test]
fn a_runtime_that_ends_ends_its_requests() {
    let runtime = Fake::new(18);
    let _server = calculator(&runtime);
    let client = connect(&runtime, config());
    let mut request = Box::pin(client.request::<u64>("never", &()));
    assert!(poll_once(request.as_mut()).is_pending());
    runtime.run();
    runtime.drop_tasks();
    assert!(matches!(poll_once(request.as_mut()), std::task::Poll::Ready(Err(RequestError::Disconnected { .. }))));
    let after = poll_once(client.request::<u64>("never", &()));
    assert!(matches!(after, std::task::Poll::Ready(Err(RequestError::Emit { source: EmitError::Closed, .. }))));
}
