//! What stands before and behind all handlers: gates, events that nobody takes, and what is kept with a peer. That nothing
//! disappears, on servers, on clients and over UDP.

use crate::world::*;
use ipc_driver::fake::Fake;
use ipc_driver::{ConnectionError, Endpoint, Event, Failure, Message, UdpServer};
use std::sync::Arc;

struct User(&'static str);

#[test]
fn a_gate_keeps_events_from_every_handler_and_says_so() {
    let runtime = Fake::new(1);
    let server = server(&runtime, config());
    server.before_event(|peer, event| match (event.name(), peer.get::<User>()) {
        ("login", _) | (_, Some(_)) => Ok(()),
        _ => Err("log in first"),
    });
    let log = Log::default();
    let (any, errors, second) = (log.clone(), log.clone(), log.clone());
    server.before_event(move |_, event| {
        second.push(format!("passed {}", event.name()));
        Ok::<_, &str>(())
    });
    server.on_any(move |_, event| any.push(format!("any {}", event.name())));
    server.on_error(move |_, error| {
        if let ConnectionError::Rejected { .. } = error {
            errors.push(error.to_string());
        }
    });
    server.on("login", |peer, (): ()| assert!(peer.set(User("maria")).is_none()));
    server.on_request("who", |peer, (): ()| Ok::<_, &str>(peer.get::<User>().map(|user| user.0)));
    let mut events = server.events();
    runtime.block_on(server.start()).unwrap();
    let client = connect(&runtime, config());
    let error = runtime.block_on(client.request::<String>("who", &())).unwrap_err();
    assert_eq!(error.failure().unwrap().to_string(), format!("log in first ({})", Failure::REJECTED));
    client.emit("other", &1).unwrap();
    runtime.run();
    assert_eq!(log.take(), ["event \"who\" was rejected: log in first", "event \"other\" was rejected: log in first"]);
    assert_eq!(server.counters().traffic.rejected, 2);
    client.emit("login", &1).unwrap();
    runtime.run();
    log.take();
    assert!(server.peers()[0].get::<User>().is_none(), "1 is not `()`: the handler has not run");
    client.signal("login").unwrap();
    assert_eq!(runtime.block_on(client.request::<String>("who", &())).unwrap(), "maria");
    assert_eq!(log.take(), ["passed login", "any login", "passed who", "any who"]);
    assert_eq!(server.counters().traffic.rejected, 2);
    drop(poll_once(events.recv()));
}

#[test]
fn a_gate_of_a_client_does_not_stop_replies_to_its_requests() {
    let runtime = Fake::new(2);
    let server = server(&runtime, config());
    server.on_request("sum", |_, n: u8| Ok::<_, &str>(n));
    runtime.block_on(server.start()).unwrap();
    let client = connect(&runtime, config());
    let gate = client.before_event(|_: &Event<'_>| Err("nothing for me"));
    let heard = Log::default();
    let to = heard.clone();
    client.on("n", move |n: u8| to.push(n));
    assert_eq!(runtime.block_on(client.request::<u8>("sum", &3)).unwrap(), 3);
    server.broadcast("n", &1).unwrap();
    let error = runtime.block_on(server.peers()[0].request::<u8>("n", &1)).unwrap_err();
    assert_eq!(error.failure().map(Failure::code), Some(Failure::REJECTED));
    assert_eq!((heard.take(), client.counters().traffic.rejected), (vec![], 2));
    assert!(client.off(gate));
    server.broadcast("n", &2).unwrap();
    runtime.run();
    assert_eq!(heard.take(), [2]);
}

#[test]
fn what_is_kept_with_a_peer_is_of_one_value_each_type_and_goes_with_it() {
    let runtime = Fake::new(3);
    let server = serve(&runtime, config());
    let client = connect(&runtime, config());
    let held = Arc::new(());
    let peer = server.peers().remove(0);
    assert!(peer.get::<u32>().is_none());
    assert!(peer.set(1_u32).is_none());
    assert_eq!(peer.set(2_u32).as_deref(), Some(&1));
    peer.set(held.clone());
    peer.set("text");
    assert_eq!((peer.get::<u32>().as_deref(), peer.get::<&str>().as_deref()), (Some(&2), Some(&"text")));
    assert_eq!(peer.take::<u32>().as_deref(), Some(&2));
    assert!(peer.get::<u32>().is_none() && peer.take::<u32>().is_none());
    client.disconnect();
    runtime.run();
    assert_eq!(Arc::strong_count(&held), 2, "the handle that is kept has it");
    drop(peer);
    assert_eq!(Arc::strong_count(&held), 1);
}

#[test]
fn an_event_that_nobody_takes_is_told_and_counted_and_is_not_when_a_stream_has_it() {
    let runtime = Fake::new(4);
    let server = serve(&runtime, config());
    let client = connect(&runtime, config());
    let log = Log::default();
    let (one, two) = (log.clone(), log.clone());
    server.on_unhandled(move |peer, event| one.push(format!("{} {}", peer.id(), event.name())));
    client.on_unhandled(move |event| two.push(format!("client {}", event.name())));
    server.on("known", |_, _: Message| {});
    client.emit("unknown", &1).unwrap();
    client.emit("known", &1).unwrap();
    runtime.run();
    server.broadcast("unknown", &1).unwrap();
    runtime.run();
    assert_eq!(log.take(), ["#0 unknown", "client unknown"]);
    assert_eq!((server.counters().traffic.unhandled, client.counters().traffic.unhandled), (1, 1));
    let _events = server.events();
    client.emit("unknown", &1).unwrap();
    runtime.run();
    assert_eq!((log.take().len(), server.counters().traffic.unhandled), (0, 1));
}

#[test]
fn over_udp_nothing_disappears_either() {
    let runtime = Fake::new(5);
    let udp = |port| {
        let endpoint = Endpoint::Udp4 { host: "127.0.0.1".into(), port };
        UdpServer::with_runtime(runtime.clone(), settings(config()), endpoint).unwrap()
    };
    let (one, other) = (udp(1000), udp(2000));
    let log = Log::default();
    let (errors, unhandled) = (log.clone(), log.clone());
    one.before_event(|_, event| if event.name() == "bad" { Err("not that") } else { Ok(()) });
    one.on("number", |_, _: u8| {});
    one.on_error(move |peer, error| {
        assert!(peer.is_some());
        errors.push(error.to_string());
    });
    one.on_unhandled(move |_, event| unhandled.push(format!("nobody takes {}", event.name())));
    runtime
        .block_on(async {
            one.start().await?;
            other.start().await
        })
        .unwrap();
    let address = one.local_address().unwrap();
    for (name, data) in [("bad", "1"), ("number", "\"x\""), ("unknown", "1"), ("number", "1")] {
        other.peer(address).emit_json(name, Some(data)).unwrap();
        runtime.run();
    }
    let log = log.take();
    assert_eq!(log.len(), 3, "{log:?}");
    assert_eq!((&*log[0], &*log[2]), ("event \"bad\" was rejected: not that", "nobody takes unknown"));
    assert!(log[1].contains("does not fit"), "{log:?}");
    let counters = one.counters();
    assert_eq!((counters.rejected, counters.handler_errors, counters.unhandled), (1, 1, 1));
}
