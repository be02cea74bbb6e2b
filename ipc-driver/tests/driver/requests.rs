//! Requests: their replies, and every way in which they end without one.

use crate::world::*;
use ipc_driver::fake::{Fake, Stream};
use ipc_driver::runtime::Runtime;
use ipc_driver::{
    Client, ClientEvent, ConnectionError, EmitError, Failure, IntoReply, Message, Offline, Peer, RequestError,
    RequestOptions, ServerEvent,
};
use std::sync::{Arc, Mutex};

/// What a request brought, as text.
pub(crate) fn said<T: std::fmt::Debug>(outcome: Result<T, RequestError>) -> String {
    match outcome {
        Ok(value) => format!("{value:?}"),
        Err(error) => error.to_string(),
    }
}

/// A server that answers `sum`, and never answers `never`.
fn calculator(runtime: &Fake) -> FakeServer {
    let server = server(runtime, config());
    server.on_request("sum", |_, numbers: Vec<u64>| Ok::<_, &str>(numbers.iter().sum::<u64>()));
    server.on("never", |_, _: Message| {});
    runtime.block_on(server.start()).unwrap();
    server
}

/// The frames that came over a raw socket, as they are but for the delimiter.
fn frames(runtime: &Fake, end: &mut Stream) -> Vec<String> {
    let bytes = runtime.block_on(end.receive()).unwrap();
    String::from_utf8(bytes).unwrap().split_terminator('\u{c}').map(str::to_owned).collect()
}

fn token(frame: &str) -> String {
    let value: serde_json::Value = serde_json::from_str(frame).unwrap();
    value["data"]["$request"].as_str().unwrap().to_owned()
}

#[test]
fn a_request_brings_its_reply_and_leaves_nothing_in_the_table() {
    let runtime = Fake::new(1);
    let _server = calculator(&runtime);
    let client = connect(&runtime, config());
    assert_eq!(runtime.block_on(client.request::<u64>("sum", &[1, 2, 3])).unwrap(), 6);
    let counters = client.request_counters();
    assert_eq!((counters.begun, counters.answered), (1, 1));
    assert!(runtime.elapsed().is_zero());
}

#[test]
fn both_directions_may_ask_at_once_and_replies_find_their_askers_in_any_order() {
    let runtime = Fake::new(2);
    let server = server(&runtime, config());
    let peers = every_peer(&server);
    let clock = runtime.clone();
    server.on_request_async("wait", move |_, seconds: u32| {
        let clock = clock.clone();
        async move {
            clock.sleep(SECOND * seconds).await;
            Ok::<_, &str>(seconds)
        }
    });
    runtime.block_on(server.start()).unwrap();
    let client = connect(&runtime, config());
    client.on_request("name", |(): ()| Ok::<_, &str>("maria"));
    let order = Log::default();
    for seconds in [3, 1, 2] {
        let (request, order) = (client.request::<u32>("wait", &seconds), order.clone());
        runtime.spawn(async move { order.push(request.await.unwrap()) });
    }
    let name = runtime.block_on(peers.all()[0].request::<String>("name", &())).unwrap();
    assert_eq!(name, "maria");
    runtime.advance(SECOND * 3);
    assert_eq!(order.take(), [1, 2, 3]);
}

#[test]
fn a_request_is_on_the_wire_as_documented() {
    let runtime = Fake::new(3);
    let server = calculator(&runtime);
    let peers = every_peer(&server);
    let mut end = dial(&runtime);
    runtime.block_on(end.send(b"{\"type\":\"sum\",\"data\":{\"$request\":\"mine\",\"params\":[1,2]}}\x0c")).unwrap();
    assert_eq!(frames(&runtime, &mut end), ["{\"type\":\"$reply\",\"data\":{\"$reply\":\"mine\",\"result\":3}}"]);
    runtime.block_on(end.send(b"{\"type\":\"sum\",\"data\":{\"$request\":\"mine\",\"params\":\"x\"}}\x0c")).unwrap();
    let refused = frames(&runtime, &mut end).remove(0);
    let start = "{\"type\":\"$reply\",\"data\":{\"$reply\":\"mine\",\"error\":{\"code\":\"ERR_IPC_INVALID_PARAMS\",\"message\":\"";
    assert!(refused.starts_with(start) && refused.contains("expected a sequence"), "{refused}");

    let asked = Log::default();
    let (request, to) = (peers.all()[0].request::<u64>("size", &"a"), asked.clone());
    runtime.spawn(async move { to.push(said(request.await)) });
    let frame = frames(&runtime, &mut end).remove(0);
    let token = token(&frame);
    assert_eq!(frame, format!("{{\"type\":\"size\",\"data\":{{\"$request\":\"{token}\",\"params\":\"a\"}}}}"));
    let reply = format!("{{\"data\":{{\"result\":1,\"$reply\":\"{token}\"}},\"type\":\"$reply\"}}\x0c");
    runtime.block_on(end.send(reply.as_bytes())).unwrap();
    runtime.run();
    assert_eq!(asked.take(), ["1"]);
}

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
fn failures_of_handlers_reach_the_asker_and_those_of_programs_on_error_too() {
    #[derive(Debug)]
    struct Odd;
    impl serde::Serialize for Odd {
        fn serialize<S: serde::Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
            Err(serde::ser::Error::custom("not today"))
        }
    }
    let runtime = Fake::new(11);
    let server = server(&runtime, config());
    server.on_request("text", |_, (): ()| Err::<(), _>("no"));
    server.on_request("failure", |_, (): ()| Err::<(), _>(Failure::new("ERR_MINE", "no").with_data(&[1, 2]).unwrap()));
    server.on_request("panic", |_, (): ()| -> Result<(), Failure> { panic!("as told") });
    server.on_request_async("async panic", |_, (): ()| async { panic_later().await });
    server.on_request("odd", |_, (): ()| Ok::<_, Failure>(Odd));
    server.on_request_async("async odd", |_, (): ()| async { Ok::<_, Failure>(Odd) });
    server.on_request("forwarded", |_, (): ()| {
        let failure = Failure::new("ERR_FAR", "far away");
        Err::<(), _>(RequestError::Remote { event: "far".into(), failure })
    });
    let errors = Log::default();
    let to = errors.clone();
    server.on_error(move |_, error| to.push(error.to_string()));
    runtime.block_on(server.start()).unwrap();
    let client = connect(&runtime, config());
    let ask = |name: &str| {
        let error = runtime.block_on(client.request::<()>(name, &())).unwrap_err();
        let failure = error.failure().unwrap_or_else(|| panic!("{error}")).clone();
        runtime.run();
        let told = errors.take();
        (failure.to_string(), told.len(), failure)
    };
    let (text, told, _) = ask("text");
    assert_eq!((&*text, told), ("no (ERR_IPC_HANDLER)", 0));
    let (text, told, failure) = ask("failure");
    assert_eq!((&*text, told, failure.data::<Vec<u8>>().unwrap()), ("no (ERR_MINE)", 0, vec![1, 2]));
    for name in ["panic", "async panic"] {
        let (text, told, _) = ask(name);
        assert_eq!((&*text, told), ("the handler panicked (ERR_IPC_HANDLER)", 1));
    }
    for name in ["odd", "async odd"] {
        let (text, told, _) = ask(name);
        assert!(text.contains("not today") && text.ends_with("(ERR_IPC_RESULT)"), "{text}");
        assert_eq!(told, 1);
    }
    assert_eq!(ask("forwarded").0, "far away (ERR_FAR)");
    assert_eq!(ask("unknown").0, "no handler for request \"unknown\" (ERR_IPC_NO_HANDLER)");
    assert!(runtime.panics().is_empty() && client.is_connected());
}

async fn panic_later() -> Result<(), Failure> {
    panic!("as told")
}

#[test]
fn params_and_results_of_another_shape_say_so_on_both_sides() {
    let runtime = Fake::new(12);
    let server = calculator(&runtime);
    let errors = Log::default();
    let to = errors.clone();
    server.on_error(move |_, error| to.push(error.to_string()));
    server.on_request_async("later", |_, numbers: Vec<u64>| async move { Ok::<_, &str>(numbers) });
    let client = connect(&runtime, config());
    for name in ["sum", "later"] {
        let error = runtime.block_on(client.request::<u64>(name, "secret")).unwrap_err();
        let failure = error.failure().unwrap();
        assert_eq!(failure.code(), Failure::INVALID_PARAMS);
        assert!(failure.message().contains("expected a sequence"), "{failure}");
    }
    let told = errors.take();
    assert_eq!(told.len(), 2);
    assert!(told.iter().all(|error| error.contains("does not fit") && !error.contains("secret")), "{told:?}");
    assert_eq!(server.counters().traffic.handler_errors, 2);
    let error = runtime.block_on(client.request::<String>("sum", &[1])).unwrap_err();
    assert!(matches!(&error, RequestError::Reply { .. }), "{error}");
    assert!(matches!(runtime.block_on(client.request::<u8>("sum", &f64::NAN)), Err(RequestError::Remote { .. })));
    let unwritable: std::collections::HashMap<(u8, u8), u8> = [((1, 1), 1)].into();
    let error = runtime.block_on(client.request::<u8>("sum", &unwritable)).unwrap_err();
    assert!(matches!(error, RequestError::Emit { source: EmitError::Encode(_), .. }), "{error}");
}

#[test]
fn events_of_the_same_name_pass_a_handler_of_requests_by() {
    let runtime = Fake::new(13);
    let server = calculator(&runtime);
    let mut events = server.events();
    let client = connect(&runtime, config());
    client.emit("sum", &[1, 2]).unwrap();
    client.emit("sum", &serde_json::json!({ "$request": 7, "params": [1] })).unwrap();
    client.emit("$reply", &serde_json::json!({ "$reply": "x", "result": 1 })).unwrap();
    runtime.run();
    let names: Vec<_> = std::iter::from_fn(|| match poll_once(events.recv()) {
        std::task::Poll::Ready(Some(event)) => Some(server_event(&event)),
        _ => None,
    })
    .collect();
    assert_eq!(
        names,
        ["connected 0", "message 0 sum", "message 0 sum", "message 0 $reply"].map(|text| text.replace(" 0", " #0"))
    );
}

#[test]
fn requests_that_nobody_answers_are_refused_unless_a_stream_takes_all_of_them() {
    let runtime = Fake::new(14);
    let server = serve(&runtime, config());
    let client = connect(&runtime, config());
    let unhandled = Log::default();
    let to = unhandled.clone();
    server.on_unhandled(move |_, event| to.push(event.name().to_owned()));
    let error = runtime.block_on(client.request::<()>("x", &())).unwrap_err();
    assert_eq!(error.failure().unwrap().code(), Failure::NO_HANDLER);
    assert_eq!((unhandled.take(), server.counters().traffic.unhandled), (vec!["x".to_owned()], 1));

    let mut events = server.events();
    let answering = client.clone();
    let asked = runtime.block_on(async {
        let mut request = Box::pin(answering.request::<u8>("x", &()));
        assert!(poll_once(request.as_mut()).is_pending());
        let Some(ServerEvent::Message(peer, message)) = events.recv().await else { panic!("no message") };
        let data: serde_json::Value = message.data().unwrap();
        peer.emit("$reply", &serde_json::json!({ "$reply": data["$request"], "result": 5 })).unwrap();
        request.await
    });
    assert_eq!(asked.unwrap(), 5);
    // With a handler of requests of whatever name they are refused again.
    let id = server.on_request("y", |_, (): ()| Ok::<_, &str>(1));
    assert!(runtime.block_on(client.request::<u8>("x", &())).unwrap_err().failure().is_some());
    assert_eq!(runtime.block_on(client.request::<u8>("y", &())).unwrap(), 1);
    server.on_request("y", |_, (): ()| Ok::<_, &str>(2));
    assert_eq!(runtime.block_on(client.request::<u8>("y", &())).unwrap(), 2);
    assert!(!server.off(id), "it was replaced");
    server.off_all("y");
    drop(events);
    assert!(runtime.block_on(client.request::<u8>("y", &())).unwrap_err().failure().is_some());
}

#[test]
fn too_many_requests_under_way_are_refused_and_others_go_on() {
    let runtime = Fake::new(15);
    let server = server(&runtime, config());
    server.set_request_options(RequestOptions::default().max_under_way(2));
    let clock = runtime.clone();
    server.on_request_async("wait", move |_, (): ()| {
        let clock = clock.clone();
        async move {
            clock.sleep(SECOND).await;
            Ok::<_, &str>(())
        }
    });
    runtime.block_on(server.start()).unwrap();
    let client = connect(&runtime, config());
    let log = Log::default();
    for _ in 0..3 {
        let (request, to) = (client.request::<()>("wait", &()), log.clone());
        runtime.spawn(async move { to.push(said(request.await)) });
    }
    runtime.run();
    let busy = "request \"wait\" failed: 2 requests of this peer are under way; ask again later (ERR_IPC_BUSY)";
    assert_eq!(log.take(), [busy]);
    runtime.advance(SECOND);
    assert_eq!(log.take(), ["()", "()"]);
    runtime.block_on(client.request::<()>("wait", &())).unwrap();
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

#[test]
fn an_async_handler_may_ask_its_own_peer() {
    let runtime = Fake::new(19);
    let server = server(&runtime, config());
    server.on_request_async("greet", |peer: Peer, (): ()| async move {
        let name = peer.request::<String>("name", &()).await?;
        Ok::<_, RequestError>(format!("hello {name}"))
    });
    runtime.block_on(server.start()).unwrap();
    let client: Client<Fake> = connect(&runtime, config());
    client.on_request("name", |(): ()| Ok::<_, &str>("maria"));
    assert_eq!(runtime.block_on(client.request::<String>("greet", &())).unwrap(), "hello maria");
    client.on_request("name", |(): ()| Err::<(), _>(Failure::new("ERR_SHY", "I'd rather not")));
    let error = runtime.block_on(client.request::<String>("greet", &())).unwrap_err();
    assert_eq!(error.failure().map(Failure::code), Some("ERR_SHY"));
}

#[test]
fn a_client_that_is_asked_reports_what_does_not_fit() {
    let runtime = Fake::new(20);
    let server = serve(&runtime, config());
    let client = connect(&runtime, config());
    client.on_request("n", |n: u8| Ok::<_, &str>(n));
    let mut events = client.events();
    let error = runtime.block_on(server.peers()[0].request::<u8>("n", "x")).unwrap_err();
    assert_eq!(error.failure().map(Failure::code), Some(Failure::INVALID_PARAMS));
    let told = runtime.block_on(events.recv());
    assert!(matches!(told, Some(ClientEvent::Error(ConnectionError::Handler { .. }))), "{told:?}");
    let error = runtime.block_on(server.peers()[0].request::<u8>("m", &1)).unwrap_err();
    assert_eq!(error.failure().map(Failure::code), Some(Failure::NO_HANDLER));
}

#[test]
fn errors_become_what_the_asker_is_told() {
    let failure = Err::<(), _>(std::io::Error::from(std::io::ErrorKind::NotFound)).into_reply().unwrap_err();
    assert_eq!(failure.code(), Failure::HANDLER);
}

#[test]
fn where_only_some_events_are_allowed_the_reply_must_be_one_of_them() {
    let runtime = Fake::new(21);
    let allowed = |names: &[&str]| {
        let mut config = config().allow_reserved_events(false);
        config.allowed_events = Some(names.iter().map(|name| (*name).to_owned()).collect());
        config
    };
    let server = server(&runtime, allowed(&["sum", "$reply"]));
    server.on_request("sum", |_, n: u8| Ok::<_, &str>(n));
    runtime.block_on(server.start()).unwrap();
    let strict = connect(&runtime, allowed(&["sum"]));
    let error = runtime.block_on(strict.request::<u8>("sum", &1)).unwrap_err();
    assert!(error.to_string().contains("\"$reply\""), "{error}");
    let client = connect(&runtime, allowed(&["sum", "$reply"]));
    assert_eq!(runtime.block_on(client.request::<u8>("sum", &1)).unwrap(), 1);
}

#[test]
fn a_request_that_handlers_of_events_take_too_is_answered_and_taken() {
    let runtime = Fake::new(22);
    let server = serve(&runtime, config());
    let client = connect(&runtime, config());
    let heard = Log::default();
    let (of_server, of_client) = (heard.clone(), heard.clone());
    server.on_event("who", move |_, _| of_server.push("server"));
    server.on_request("who", |_, (): ()| Ok::<_, Failure>("the server"));
    client.on_event("who", move |_| of_client.push("client"));
    client.on_request("who", |(): ()| Ok::<_, Failure>("the client"));
    assert_eq!(runtime.block_on(client.request::<String>("who", &())).unwrap(), "the server");
    assert_eq!(runtime.block_on(server.peers()[0].request::<String>("who", &())).unwrap(), "the client");
    assert_eq!(heard.take(), ["server", "client"]);
    assert_eq!((server.counters().traffic.unhandled, client.counters().traffic.unhandled), (0, 0));
}

#[test]
fn no_connection_can_tell_the_tokens_of_another_from_its_own() {
    let runtime = Fake::new(23);
    let server = serve(&runtime, config());
    let mut ends = [dial(&runtime), dial(&runtime)];
    for peer in server.peers() {
        let request = peer.request::<()>("sum", &());
        runtime.spawn(async move { drop(request.await) });
    }
    let [one, other] = ends.each_mut().map(|end| token(&frames(&runtime, end)[0]));
    assert_ne!(one, other);
}
