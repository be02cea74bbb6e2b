//! Requests under way when their connection is told to end.

use crate::requests::said;
use crate::world::*;
use ipc_driver::fake::{Fake, Script, Wire};
use ipc_driver::runtime::Runtime;
use ipc_driver::{EmitError, Failure, SlowConsumer};

/// A server whose answers to `wait` take the number of seconds that is asked for.
fn waits(runtime: &Fake) -> FakeServer {
    let server = server(runtime, config());
    let clock = runtime.clone();
    server.on_request_async("wait", move |_, seconds: u32| {
        let clock = clock.clone();
        async move {
            clock.sleep(SECOND * seconds).await;
            if seconds == 2 { Err("two is too many") } else { Ok(seconds) }
        }
    });
    server.on_request("now", |_, ()| Ok::<_, Failure>("now"));
    runtime.block_on(server.start()).unwrap();
    server
}

#[test]
fn a_shutdown_waits_for_the_answers_under_way_and_begins_no_others() {
    let runtime = Fake::new(30);
    let server = waits(&runtime);
    let client = connect(&runtime, config());
    let log = Log::default();
    let ask = |seconds: u32| {
        let (request, to) = (client.request::<u32>("wait", &seconds), log.clone());
        runtime.spawn(async move { to.push(said(request.await)) });
    };
    ask(1);
    ask(2);
    ask(3);
    runtime.run();
    let (ending, to) = (server.clone(), log.clone());
    runtime.spawn(async move { to.push(format!("{:?}", ending.shutdown(SECOND * 10).await)) });
    runtime.run();
    ask(1);
    let (request, to) = (client.request::<String>("now", &()), log.clone());
    runtime.spawn(async move { to.push(said(request.await)) });
    runtime.run();
    let closing = "request \"wait\" failed: the connection is being closed; ask again on another (ERR_IPC_CLOSING)";
    assert_eq!(log.take(), ["\"now\"", closing], "what takes no time is still answered");
    let peer = server.peers()[0].clone();
    assert!(matches!(peer.emit("m", &1), Err(EmitError::Closed)), "events are not");
    runtime.advance(SECOND);
    runtime.advance(SECOND);
    assert_eq!(log.take(), ["1", "request \"wait\" failed: two is too many (ERR_IPC_HANDLER)"]);
    assert_eq!(server.len(), 1);
    runtime.advance(SECOND);
    let [answer, report] = log.take().try_into().unwrap();
    assert_eq!(answer, "3");
    assert!(report.contains("clean: 1, cut: 0"), "{report}");
    assert_eq!(server.len(), 0);
}

#[test]
fn an_answer_that_takes_longer_than_the_deadline_of_a_shutdown_is_cut_off() {
    let runtime = Fake::new(31);
    let server = waits(&runtime);
    let client = connect(&runtime, config());
    let log = Log::default();
    let (request, to) = (client.request::<u32>("wait", &9), log.clone());
    runtime.spawn(async move { to.push(said(request.await)) });
    runtime.run();
    let (ending, to) = (server.clone(), log.clone());
    runtime.spawn(async move {
        ending.shutdown(SECOND * 5).await;
        to.push("shut down".to_owned());
    });
    runtime.advance(SECOND * 4);
    assert_eq!(log.take(), [""; 0]);
    runtime.advance(SECOND);
    let mut ends = log.take();
    ends.sort();
    assert_eq!(
        ends,
        [
            "shut down",
            "the connection ended before a reply to request \"wait\" came; whether the peer has done it is not known"
        ]
    );
}

#[test]
fn an_asker_that_has_gone_holds_no_shutdown_up() {
    let runtime = Fake::new(32);
    let server = waits(&runtime);
    let client = connect(&runtime, config());
    let request = client.request::<u32>("wait", &9);
    runtime.spawn(async move { drop(request.await) });
    runtime.run();
    let (ending, log) = (server.clone(), Log::default());
    let to = log.clone();
    runtime.spawn(async move {
        ending.shutdown(SECOND * 5).await;
        to.push("shut down".to_owned());
    });
    runtime.run();
    assert_eq!(log.take(), [""; 0]);
    client.disconnect();
    runtime.run();
    assert_eq!(log.take(), ["shut down"]);
}

#[test]
fn an_answer_without_room_does_not_cut_a_connection_that_is_told_to_end() {
    let runtime = Fake::new(33);
    runtime.network().set_script(Script::both(Wire::default().capacity(200)));
    let server = server(&runtime, config().max_pending_bytes(1000).slow_consumer(SlowConsumer::Disconnect));
    let clock = runtime.clone();
    server.on_request_async("wait", move |_, (): ()| {
        let clock = clock.clone();
        async move {
            clock.sleep(SECOND * 2).await;
            Ok::<_, Failure>(())
        }
    });
    server.on_request("now", |_, ()| Ok::<_, Failure>("now"));
    runtime.block_on(server.start()).unwrap();
    let mut end = dial(&runtime);
    let ask = |name: &str| format!("{{\"type\":\"{name}\",\"data\":{{\"$request\":\"1\"}}}}\u{c}");
    runtime.block_on(end.send(ask("wait").as_bytes())).unwrap();
    runtime.run();
    server.peers()[0].emit("m", &"x".repeat(3000)).unwrap();
    let ending = server.clone();
    runtime.spawn(async move {
        ending.shutdown(SECOND * 5).await;
    });
    runtime.run();
    runtime.block_on(end.send(ask("now").as_bytes())).unwrap();
    runtime.run();
    assert_eq!(server.len(), 1, "it has the time it was given");
    runtime.advance(SECOND * 5);
    assert_eq!(server.len(), 0);
}

#[test]
fn a_client_that_is_closed_answers_what_it_was_asked_before() {
    let runtime = Fake::new(34);
    let server = serve(&runtime, config());
    let client = client(&runtime, config());
    let clock = runtime.clone();
    client.on_request_async("wait", move |(): ()| {
        let clock = clock.clone();
        async move {
            clock.sleep(SECOND).await;
            Ok::<_, Failure>("waited")
        }
    });
    runtime.block_on(client.connect()).unwrap();
    runtime.run();
    let (request, log) = (server.peers()[0].request::<String>("wait", &()), Log::default());
    let to = log.clone();
    runtime.spawn(async move { to.push(said(request.await)) });
    runtime.run();
    runtime.block_on(client.close()).unwrap();
    runtime.run();
    assert_eq!((runtime.elapsed(), log.take()), (SECOND, vec!["\"waited\"".to_owned()]));
}
