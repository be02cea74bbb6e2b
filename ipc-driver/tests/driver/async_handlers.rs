//! Handlers of events that are futures: side by side or in order, bounded, with errors, and their end.

use crate::world::*;
use ipc_driver::fake::Fake;
use ipc_driver::{ConnectionError, Peer, RequestOptions};
use std::sync::Arc;

/// Waits for as many seconds as the event says, and then writes that down.
fn waits(runtime: &Fake, log: &Log<String>) -> impl Fn(u32) -> Wait + Clone + Send + Sync + use<> {
    let (clock, log) = (runtime.clone(), log.clone());
    move |seconds| {
        let (clock, log) = (clock.clone(), log.clone());
        Box::pin(async move {
            log.push(format!("begin {seconds}"));
            clock.sleep(SECOND * seconds).await;
            log.push(format!("end {seconds}"));
            if seconds == 2 { Err("two") } else { Ok(()) }
        })
    }
}

type Wait = std::pin::Pin<Box<dyn Future<Output = Result<(), &'static str>> + Send>>;

#[test]
fn futures_run_side_by_side_and_their_errors_reach_on_error() {
    let runtime = Fake::new(1);
    let (log, errors) = (Log::default(), Log::default());
    let server = server(&runtime, config());
    let wait = waits(&runtime, &log);
    server.on_async("wait", move |_, seconds| wait(seconds));
    let to = errors.clone();
    server.on_error(move |peer, error| to.push(format!("{} {error}", peer.id())));
    runtime.block_on(server.start()).unwrap();
    let client = connect(&runtime, config());
    for seconds in [3, 1, 2] {
        client.emit("wait", &seconds).unwrap();
    }
    client.emit("wait", "no number").unwrap();
    runtime.run();
    let mut begun = log.take();
    begun.sort_unstable();
    assert_eq!(begun, ["begin 1", "begin 2", "begin 3"]);
    runtime.advance(SECOND * 3);
    assert_eq!(log.take(), ["end 1", "end 2", "end 3"]);
    let errors = errors.take();
    assert!(errors[0].contains("does not fit"), "{errors:?}");
    assert_eq!(errors[1..], ["#0 a handler of \"wait\" failed: two"]);
    assert_eq!(server.counters().traffic.handler_errors, 2);
}

#[test]
fn futures_in_order_run_one_after_the_other_on_each_connection() {
    let runtime = Fake::new(2);
    let log = Log::default();
    let server = server(&runtime, config());
    let wait = waits(&runtime, &log);
    server.on_async_in_order("wait", move |_, seconds| wait(seconds));
    let to = log.clone();
    server.on("now", move |_, (): ()| to.push("now".into()));
    runtime.block_on(server.start()).unwrap();
    let (one, other) = (connect(&runtime, config()), connect(&runtime, config()));
    one.emit("wait", &3).unwrap();
    one.emit("wait", &1).unwrap();
    one.emit("now", &()).unwrap();
    runtime.run();
    assert_eq!(log.take(), ["now", "begin 3"]);
    runtime.advance(SECOND);
    other.emit("wait", &1).unwrap();
    runtime.advance(SECOND * 4);
    assert_eq!(log.take(), ["begin 1", "end 1", "end 3", "begin 1", "end 1"]);
    // After a pause it goes on.
    one.emit("wait", &1).unwrap();
    runtime.advance(SECOND * 2);
    assert_eq!(log.take(), ["begin 1", "end 1"]);
}

#[test]
fn a_connection_is_not_read_while_too_many_are_under_way() {
    for in_order in [false, true] {
        let runtime = Fake::new(3);
        let log = Log::default();
        let server = server(&runtime, config());
        server.set_request_options(RequestOptions::default().max_under_way(2));
        let wait = waits(&runtime, &log);
        match in_order {
            false => server.on_async("wait", move |_, seconds| wait(seconds)),
            true => server.on_async_in_order("wait", move |_, seconds| wait(seconds)),
        };
        let heard = Log::default();
        let to = heard.clone();
        server.on("n", move |_, n: u32| to.push(n));
        runtime.block_on(server.start()).unwrap();
        let client = connect(&runtime, config());
        client.emit("wait", &1).unwrap();
        client.emit("n", &1).unwrap();
        client.emit("wait", &5).unwrap();
        client.emit("n", &2).unwrap();
        client.emit("wait", &6).unwrap();
        client.emit("n", &3).unwrap();
        runtime.run();
        assert_eq!(heard.take(), [1]);
        // Others are.
        let other = connect(&runtime, config());
        other.emit("n", &9).unwrap();
        runtime.run();
        assert_eq!(heard.take(), [9]);
        runtime.advance(SECOND);
        assert_eq!(heard.take(), [2]);
        runtime.advance(SECOND * 5);
        assert_eq!(heard.take(), [3]);
        runtime.advance(SECOND * 6);
        assert_eq!(log.take().len(), 6);
        assert_eq!(server.counters().traffic.received.events, 7);
    }
}

#[test]
fn errors_wait_for_room_in_a_stream_and_hold_their_places_until_then() {
    let runtime = Fake::new(4);
    let server = server(&runtime, config().event_queue(1));
    server.set_request_options(RequestOptions::default().max_under_way(3));
    server.on_async("fail", |_, n: u32| async move { Err::<(), _>(n.to_string()) });
    let mut events = server.events();
    runtime.block_on(server.start()).unwrap();
    let client = connect(&runtime, config());
    for n in 0..1000 {
        client.emit("fail", &n).unwrap();
    }
    runtime.run();
    let read = server.counters().traffic.received.events;
    assert!(read < 20, "{read} were read although nobody hears their errors");
    let mut failed = Vec::new();
    while failed.len() < 1000 {
        if let Some(ipc_driver::ServerEvent::Error(_, ConnectionError::Handler { source, .. })) =
            runtime.block_on(events.recv())
        {
            failed.push(source.to_string().parse::<u32>().unwrap());
        }
    }
    failed.sort_unstable();
    assert_eq!(failed, Vec::from_iter(0..1000));
}

#[test]
fn futures_end_with_their_connection_and_those_of_a_client_with_each_of_its_connections() {
    for in_order in [false, true] {
        let runtime = Fake::new(5);
        let server = serve(&runtime, config());
        let client = client(&runtime, config().retry(SECOND));
        let (log, held) = (Log::default(), Arc::new(()));
        let (wait, kept) = (waits(&runtime, &log), held.clone());
        let handler = move |seconds| {
            let (wait, kept) = (wait(seconds), kept.clone());
            async move {
                let _kept = kept;
                wait.await
            }
        };
        match in_order {
            false => client.on_async("wait", handler),
            true => client.on_async_in_order("wait", handler),
        };
        runtime.block_on(client.connect()).unwrap();
        server.broadcast("wait", &50).unwrap();
        server.broadcast("wait", &60).unwrap();
        runtime.run();
        assert_eq!(Arc::strong_count(&held), if in_order { 3 } else { 4 });
        server.peers()[0].abort();
        runtime.run();
        assert_eq!(Arc::strong_count(&held), 2);
        log.take();
        runtime.advance(SECOND);
        server.broadcast("wait", &1).unwrap();
        runtime.advance(SECOND * 100);
        assert_eq!(log.take(), ["begin 1", "end 1"]);
        client.disconnect();
        drop((client, server));
        runtime.advance(SECOND * 10);
        assert_eq!(runtime.tasks(), []);
        assert_eq!(Arc::strong_count(&held), 1);
    }
}

#[test]
fn a_future_that_panics_is_an_error_and_the_next_one_runs() {
    let runtime = Fake::new(6);
    let server = server(&runtime, config());
    let errors = Log::default();
    let to = errors.clone();
    server.on_error(move |_, error| to.push(error.to_string()));
    let log = Log::default();
    let to = log.clone();
    server.on_async_in_order("n", move |_: Peer, n: u32| {
        let to = to.clone();
        async move {
            assert!(n != 1, "as told");
            to.push(n);
        }
    });
    runtime.block_on(server.start()).unwrap();
    let client = connect(&runtime, config());
    for n in 0..3 {
        client.emit("n", &n).unwrap();
    }
    runtime.run();
    assert_eq!(log.take(), [0, 2]);
    assert_eq!(errors.take(), ["a handler of \"n\" failed: the handler panicked"]);
    assert!(client.is_connected());
}

#[test]
fn what_fails_in_futures_of_a_client_is_told_and_counted_too() {
    let runtime = Fake::new(7);
    let server = serve(&runtime, config());
    let client = client(&runtime, config());
    client.on_async("fail", |n: u32| async move { Err::<(), _>(n.to_string()) });
    client.on("fail", |_: u32| Err::<(), _>("at once"));
    let errors = Log::default();
    let to = errors.clone();
    client.on_error(move |error| to.push(error.to_string()));
    runtime.block_on(client.connect()).unwrap();
    runtime.run();
    server.broadcast("fail", &1).unwrap();
    runtime.run();
    let mut errors = errors.take();
    errors.sort_unstable();
    assert_eq!(errors, ["a handler of \"fail\" failed: 1", "a handler of \"fail\" failed: at once"]);
    assert_eq!(client.counters().traffic.handler_errors, 2);
}

#[test]
fn what_failed_just_before_its_connection_ended_is_told_and_counted() {
    let runtime = Fake::new(8);
    let server = serve(&runtime, config());
    let client = connect(&runtime, config());
    let errors = Log::default();
    let (of_server, of_client, emitter) = (errors.clone(), errors.clone(), client.emitter());
    server.on_async("end", |peer: Peer, (): ()| async move {
        peer.abort();
        Err::<(), _>("the peer is aborted")
    });
    client.on_async("end", move |(): ()| {
        let emitter = emitter.clone();
        async move {
            emitter.disconnect();
            Err::<(), _>("the client is disconnected")
        }
    });
    server.on_error(move |_, error| of_server.push(error.to_string()));
    client.on_error(move |error| of_client.push(error.to_string()));
    let other = connect(&runtime, config().max_retries(0));
    other.emit("end", &()).unwrap();
    runtime.run();
    assert_eq!(errors.take(), ["a handler of \"end\" failed: the peer is aborted"]);
    assert_eq!(server.counters().traffic.handler_errors, 1);
    server.broadcast("end", &()).unwrap();
    runtime.run();
    assert_eq!(errors.take(), ["a handler of \"end\" failed: the client is disconnected"]);
    assert_eq!(client.counters().traffic.handler_errors, 1);
    assert!(client.is_destroyed() && server.is_empty());
}
