//! Threads that have no runtime, and handles that go from one thread to another.

use super::{answering, ask, current_thread, multi_thread, stage, tokio_of};
use ipc_conformance::behaviour::{block_on, channel, soon};
use ipc_tokio::{Client, Config, Server, ServerEvent};
use std::thread;

#[test]
fn without_a_runtime_on_this_thread_it_is_named() {
    let runtime = multi_thread();
    let error = Server::new(Config::new("world")).expect_err("there is none here");
    assert!(error.to_string().contains("within a Tokio runtime"), "{error}");
    let stage = stage(&tokio_of(&runtime));
    block_on(async {
        let server = answering(&stage).await;
        let client = stage.client();
        let mut events = client.events();
        soon("connect", client.connect()).await.expect("connected");
        ask(&client).await;
        soon("send", client.send("message", "hello")).await.expect("sent");
        loop {
            if let ipc_tokio::ClientEvent::Message(message) = soon("an event", events.recv()).await.expect("an event") {
                assert_eq!(message.data::<String>().expect("text"), "hello world!");
                break;
            }
        }
        soon("close", client.close()).await.expect("sent");
        assert_eq!(soon("shutdown", server.shutdown(std::time::Duration::from_secs(20))).await.cut, 0);
    });
}

#[test]
fn entering_a_runtime_is_enough_to_make_handles() {
    let runtime = multi_thread();
    let server = {
        let _entered = runtime.enter();
        Server::net(Some("127.0.0.1"), Some(0), Config::new("world")).expect("a server")
    };
    // By now this thread has none.
    block_on(server.start()).expect("started");
    let port = server.local_endpoint().port();
    let connecting = runtime.spawn_blocking(move || {
        // A thread for blocking work knows its runtime.
        let client = Client::net(Some("127.0.0.1"), port, Config::new("hello")).expect("a client");
        block_on(soon("connect", client.connect())).expect("connected");
        client
    });
    let client = block_on(connecting).expect("no panic");
    assert!(client.is_connected());
}

#[test]
fn handles_go_from_thread_to_thread_and_end_on_any() {
    let runtime = multi_thread();
    let stage = stage(&tokio_of(&runtime));
    let (sender, mut seen) = channel();
    let (server, mut events) = block_on(async {
        let server = stage.server();
        server.on("n", move |_, n: u32| sender.send(n));
        let events = server.events();
        server.start().await.expect("started");
        (server, events)
    });
    let client = block_on(stage.connected());
    // Each thread hands it to the next; the last one drops it, which sends what is queued and closes.
    let last = (0..4).fold(client, |client, n| {
        let next = thread::spawn(move || {
            client.emit("n", &n).expect("emitted");
            client
        });
        next.join().expect("no panic")
    });
    thread::spawn(move || {
        last.emit("n", &4).expect("emitted");
        drop(last);
    })
    .join()
    .expect("no panic");
    block_on(async {
        for expected in 0..5 {
            assert_eq!(seen.next("an event").await, expected);
        }
        loop {
            if let ServerEvent::Disconnected { had_error, .. } = soon("the end", events.recv()).await.expect("an event")
            {
                assert!(!had_error);
                break;
            }
        }
    });
    // The server ends on a thread without a runtime too.
    thread::spawn(move || drop(server)).join().expect("no panic");
    block_on(stage.until("the end of the socket", || !stage.is_served()));
}

#[test]
fn a_runtime_that_nobody_drives_makes_no_progress_and_loses_nothing() {
    let runtime = current_thread();
    let stage = stage(&tokio_of(&runtime));
    let (sender, mut seen) = channel();
    let server = stage.server();
    server.on("n", move |_, n: u32| sender.send(n));
    block_on(server.start()).expect("listening takes no task");
    let client = stage.client_with(stage.client_config().offline(ipc_tokio::Offline::Buffer));
    client.start();
    client.emit("n", &1).expect("buffered");
    // Nobody blocks on the runtime, so its tasks wait.
    assert!(!client.is_connected() && server.is_empty() && seen.try_next().is_none());
    runtime.block_on(async {
        assert_eq!(seen.next("the event").await, 1);
    });
    client.emit("n", &2).expect("queued");
    assert!(seen.try_next().is_none());
    runtime.block_on(async {
        assert_eq!(seen.next("the event").await, 2);
        soon("close", client.close()).await.expect("sent");
    });
}
