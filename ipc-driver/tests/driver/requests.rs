//! Requests and their replies: results, refusals and failures. How they end without one is in `requests_ending`.

use crate::world::*;
use ipc_driver::fake::{Fake, Stream};
use ipc_driver::runtime::Runtime;
use ipc_driver::{
    Client, ClientEvent, ConnectionError, EmitError, Failure, IntoReply, Message, Peer, RequestError, RequestOptions,
    ServerEvent,
};

/// What a request brought, as text.
pub(crate) fn said<T: std::fmt::Debug>(outcome: Result<T, RequestError>) -> String {
    match outcome {
        Ok(value) => format!("{value:?}"),
        Err(error) => error.to_string(),
    }
}

/// A server that answers `sum`, and never answers `never`.
pub(crate) fn calculator(runtime: &Fake) -> FakeServer {
    let server = server(runtime, config());
    server.on_request("sum", |_, numbers: Vec<u64>| Ok::<_, &str>(numbers.iter().sum::<u64>()));
    server.on("never", |_, _: Message| {});
    runtime.block_on(server.start()).unwrap();
    server
}

/// The frames that came over a raw socket, as they are but for the delimiter.
pub(crate) fn frames(runtime: &Fake, end: &mut Stream) -> Vec<String> {
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
    assert!(told.iter().all(|error| error.contains("the params of request") && !error.contains("secret")), "{told:?}");
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
