//! Handlers: their order, when they come and go, and where their errors end up.

use crate::world::*;
use ipc_driver::fake::Fake;
use ipc_driver::{Empty, Message};
use std::sync::{Arc, Mutex};

#[test]
fn handlers_of_any_event_run_first_and_each_kind_in_the_order_of_registration() {
    let runtime = Fake::new(1);
    let server = serve(&runtime, config());
    let log = Log::default();
    for name in ["first", "second"] {
        let to = log.clone();
        server.on("n", move |_, _: u64| to.push(name));
    }
    for name in ["any one", "any two"] {
        let to = log.clone();
        server.on_any(move |_, event| {
            assert_eq!(event.name(), "n");
            to.push(name);
        });
    }
    let to = log.clone();
    server.once("n", move |_, _: u64| to.push("once"));
    let client = connect(&runtime, config());
    client.emit("n", &1).unwrap();
    client.emit("n", &2).unwrap();
    runtime.run();
    let both = ["any one", "any two", "first", "second"];
    let mut expected = both.to_vec();
    expected.push("once");
    expected.extend(both);
    assert_eq!(log.take(), expected);
}

#[test]
fn a_handler_taken_out_hears_nothing_more() {
    let runtime = Fake::new(2);
    let server = serve(&runtime, config());
    let log = Log::default();
    let (one, two) = (log.clone(), log.clone());
    let first = server.on("n", move |_, n: u64| one.push(n));
    server.on("n", move |_, n: u64| two.push(n + 100));
    let client = connect(&runtime, config());
    client.emit("n", &1).unwrap();
    runtime.run();
    assert!(server.off(first));
    assert!(!server.off(first));
    client.emit("n", &2).unwrap();
    runtime.run();
    server.off_all("n");
    client.emit("n", &3).unwrap();
    runtime.run();
    assert_eq!(log.take(), [1, 101, 102]);
}

#[test]
fn a_handler_registered_during_a_dispatch_hears_the_next_event_even_of_the_same_read() {
    let runtime = Fake::new(3);
    let server = Arc::new(serve(&runtime, config()));
    let log = Log::default();
    let (to, weak) = (log.clone(), Arc::downgrade(&server));
    server.on("n", move |_, n: u64| {
        to.push(n);
        let to = to.clone();
        if let Some(server) = weak.upgrade().filter(|_| n == 0) {
            server.on("n", move |_, n: u64| to.push(n + 100));
        }
    });
    let mut end = dial(&runtime);
    let all: String = (0..3).map(|n| frame("n", n)).collect();
    runtime.block_on(end.send(all.as_bytes())).unwrap();
    runtime.run();
    assert_eq!(end.connection().to_server().reads, 1);
    assert_eq!(log.take(), [0, 1, 101, 2, 102]);
}

#[test]
fn a_once_handler_runs_once_and_is_gone_with_all_it_held() {
    let runtime = Fake::new(4);
    let server = serve(&runtime, config());
    let held = Arc::new(());
    let kept = held.clone();
    let id = server.once("n", move |_, _: u64| {
        let _kept = &kept;
    });
    let client = connect(&runtime, config());
    client.emit("n", &1).unwrap();
    client.emit("n", &2).unwrap();
    runtime.run();
    assert!(!server.off(id));
    client.emit("n", &3).unwrap();
    runtime.run();
    assert_eq!(Arc::strong_count(&held), 1);
}

#[test]
fn a_once_handler_of_a_client_is_gone_too() {
    let runtime = Fake::new(5);
    let server = serve(&runtime, config());
    let client = connect(&runtime, config());
    let log = Log::default();
    let to = log.clone();
    let id = client.once("n", move |n: u64| to.push(n));
    for n in 1..3 {
        server.broadcast("n", &n).unwrap();
        runtime.run();
    }
    assert_eq!(log.take(), [1]);
    assert!(!client.off(id));
}

#[test]
fn handler_errors_and_payloads_of_another_shape_reach_on_error() {
    let runtime = Fake::new(6);
    let server = serve(&runtime, config());
    let errors = Log::default();
    let to = errors.clone();
    server.on_error(move |peer, error| to.push(format!("{} {error}", peer.id())));
    server.on("fails", |_, _: Message| Err::<(), _>("as told"));
    server.on("number", |_, _: u64| {});
    server.on("empty", |_, _: Empty| {});
    let client = connect(&runtime, config());
    let told = Log::default();
    let to = told.clone();
    client.on_error(move |error| to.push(error.to_string()));
    client.on("number", |_: u64| {});
    client.signal("fails").unwrap();
    client.emit("number", "no number").unwrap();
    client.signal("empty").unwrap();
    client.emit("number", &1).unwrap();
    server.broadcast("number", &[1, 2]).unwrap();
    runtime.run();
    let errors = errors.take();
    assert_eq!(errors.len(), 2, "{errors:?}");
    assert_eq!(errors[0], "#0 a handler of \"fails\" failed: as told");
    assert!(errors[1].contains("\"number\"") && errors[1].contains("does not fit"), "{errors:?}");
    assert_eq!(told.take().len(), 1);
    assert!(client.is_connected());
}

#[test]
fn what_is_emitted_on_connect_is_sent_at_once() {
    let runtime = Fake::new(7);
    let server = serve(&runtime, config());
    server.on_connect(|peer| peer.emit("n", &1).unwrap());
    let client = client(&runtime, config());
    let got = Log::default();
    let to = got.clone();
    client.on("n", move |n: u64| to.push(n));
    let emitter = client.emitter();
    client.on_connect(move || emitter.emit("n", &2).unwrap());
    let (heard, to) = (got.clone(), got.clone());
    server.on("n", move |_, n: u64| to.push(n));
    runtime.block_on(client.connect()).unwrap();
    runtime.run();
    let mut heard = heard.take();
    heard.sort_unstable();
    assert_eq!(heard, [1, 2]);
}

#[test]
fn a_client_may_be_dropped_inside_its_own_handler() {
    let runtime = Fake::new(8);
    let server = serve(&runtime, config());
    let client = connect(&runtime, config());
    let slot = Arc::new(Mutex::new(Some(client.clone())));
    let inner = slot.clone();
    client.on("bye", move |(): ()| {
        if let Some(client) = inner.lock().unwrap().take() {
            client.emit("n", &1).unwrap();
        }
    });
    let got = Log::default();
    let to = got.clone();
    server.on("n", move |_, n: u64| to.push(n));
    drop(client);
    server.broadcast("bye", &()).unwrap();
    runtime.run();
    assert_eq!(got.take(), [1]);
    assert!(server.is_empty());
}

#[test]
fn a_claimed_id_is_known_to_the_handler_and_at_the_end() {
    let runtime = Fake::new(9);
    let server = serve(&runtime, config());
    let log = Log::default();
    let (one, two) = (log.clone(), log.clone());
    server.on("n", move |peer, _: Message| one.push(format!("{:?}", peer.claimed_id().as_deref())));
    server.on_disconnect(move |_, id| two.push(format!("gone {id:?}")));
    let mut end = dial(&runtime);
    runtime
        .block_on(end.send(b"{\"type\":\"n\",\"data\":{\"id\":\"me\"}}\x0c{\"type\":\"n\",\"data\":1}\x0c"))
        .unwrap();
    drop(end);
    runtime.run();
    assert_eq!(log.take(), ["Some(\"\\\"me\\\"\")", "Some(\"\\\"me\\\"\")", "gone Some(\"\\\"me\\\"\")"]);
}
