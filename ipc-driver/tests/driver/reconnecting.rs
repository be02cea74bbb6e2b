//! Retries in virtual time, what becomes of events while offline, and `sync`.

use crate::world::*;
use ipc_driver::fake::{Dial, Fake, Script, Sizes, Wire};
use ipc_driver::runtime::Runtime;
use ipc_driver::{Backoff, ConnectError, EmitError, Offline, StopRetrying};
use std::io::ErrorKind;
use std::sync::Arc;

#[test]
fn a_client_tries_again_after_each_wait_and_gives_up_after_the_last_retry() {
    let runtime = Fake::new(1);
    let client = client(&runtime, config().retry(MILLISECOND * 300).max_retries(3));
    let log = client_lifecycle(&client);
    let error = runtime.block_on(client.connect()).unwrap_err();
    assert!(
        matches!(&error, ConnectError::GaveUp { last: Some(last), .. } if last.kind() == ErrorKind::ConnectionRefused)
    );
    assert_eq!(runtime.elapsed(), MILLISECOND * 900);
    let failed = [
        "error cannot connect to tcp:127.0.0.1:8000: connection refused; nobody listens on that port",
        "disconnected, again in 300ms, 0 unsent",
    ];
    let mut expected = [failed, failed, failed].concat();
    expected.extend([failed[0], "disconnected, 0 unsent", "destroyed"]);
    assert_eq!(log.take(), expected);
    assert_eq!(runtime.tasks(), []);
}

#[test]
fn a_connection_refills_the_retries() {
    let runtime = Fake::new(2);
    let client = client(&runtime, config().retry(SECOND).max_retries(2));
    for _ in 0..3 {
        client.start();
        runtime.advance(MILLISECOND * 1900);
        let mut listener = listen(&runtime);
        runtime.advance(MILLISECOND * 200);
        assert!(client.is_connected());
        assert_eq!(client.retries_remaining(), Some(2));
        drop(runtime.block_on(listener.accept()).unwrap());
        drop(listener);
        runtime.run();
    }
    runtime.advance(SECOND * 2);
    assert!(client.is_destroyed());
}

#[test]
fn waits_grow_as_the_backoff_says_and_start_afresh_after_a_connection() {
    let runtime = Fake::new(3);
    let backoff = Backoff::Exponential { factor: 2.0, max: SECOND * 3, jitter: 0.0 };
    let client = client(&runtime, config().retry(SECOND).backoff(backoff));
    let waits = Log::default();
    let to = waits.clone();
    client.on_disconnect(move |wait| to.push(wait.unwrap().as_secs()));
    client.start();
    runtime.advance(SECOND * 8);
    let mut listener = listen(&runtime);
    runtime.advance(SECOND * 3);
    drop(runtime.block_on(listener.accept()).unwrap());
    runtime.run();
    assert_eq!(waits.take(), [1, 2, 3, 3, 1]);
}

#[test]
fn an_attempt_that_never_ends_waits_until_the_client_is_told_to_end() {
    let runtime = Fake::new(4);
    runtime.network().dial(&endpoint(), [Dial::Fail(ErrorKind::TimedOut), Dial::After(SECOND * 2), Dial::Hang]);
    let server = serve(&runtime, config());
    let client = client(&runtime, config());
    client.start();
    runtime.advance(MILLISECOND * 2499);
    assert!(!client.is_connected());
    runtime.advance(MILLISECOND * 2);
    assert!(client.is_connected());
    server.abort();
    runtime.advance(SECOND * 3600);
    assert!(!client.is_connected() && !client.is_destroyed());
    runtime.block_on(client.close()).unwrap();
    assert!(client.is_destroyed());
}

#[test]
fn stop_retrying_ends_a_client_that_waits_at_once() {
    let runtime = Fake::new(5);
    let client = client(&runtime, config().retry(SECOND * 60));
    let log = client_lifecycle(&client);
    client.start();
    runtime.run();
    log.take();
    client.set_stop_retrying(true);
    runtime.run();
    assert_eq!(log.take(), ["destroyed"]);
    assert_eq!(runtime.tasks(), []);
}

#[test]
fn stop_retrying_counts_the_retries_already_made() {
    let runtime = Fake::new(6);
    let client = client(&runtime, config().retry(SECOND));
    client.start();
    runtime.advance(MILLISECOND * 2500);
    client.set_stop_retrying(StopRetrying::After(4));
    runtime.run();
    assert!(!client.is_destroyed());
    client.set_stop_retrying(StopRetrying::After(0));
    runtime.run();
    assert!(client.is_destroyed(), "0 means that it never reconnects");
}

#[test]
fn stop_retrying_leaves_a_connection_alone_until_it_ends() {
    let runtime = Fake::new(7);
    let server = serve(&runtime, config());
    let client = connect(&runtime, config());
    client.set_stop_retrying(true);
    runtime.advance(SECOND);
    assert!(client.is_connected());
    server.abort();
    runtime.run();
    assert!(client.is_destroyed());
}

#[test]
fn offline_refuse_says_so() {
    let runtime = Fake::new(8);
    let client = client(&runtime, config());
    assert!(matches!(client.emit("n", &1), Err(EmitError::NotConnected)));
    client.start();
    runtime.run();
    assert!(matches!(client.emit("n", &1), Err(EmitError::NotConnected)));
    assert!(matches!(runtime.block_on(client.send("n", &1)), Err(EmitError::NotConnected)));
    assert!(client.dropped().is_empty());
}

#[test]
fn offline_buffer_keeps_order_across_a_lost_connection_and_bounds_itself() {
    let runtime = Fake::new(9);
    let server = serve(&runtime, config());
    let got = Log::default();
    let to = got.clone();
    server.on("n", move |_, n: u64| to.push(n));
    let client = client(&runtime, config().offline(Offline::Buffer).max_offline_bytes(100));
    client.emit("n", &0).unwrap();
    client.emit("n", &1).unwrap();
    runtime.block_on(client.connect()).unwrap();
    client.emit("n", &2).unwrap();
    runtime.run();
    assert_eq!(got.take(), [0, 1, 2]);
    server.abort();
    runtime.run();
    let mut taken = 3_u64;
    let error = loop {
        match client.emit("n", &taken) {
            Ok(()) => taken += 1,
            Err(error) => break error,
        }
    };
    assert!(matches!(error, EmitError::Full { limit: 100, .. }));
    let waiting = client.clone();
    runtime.spawn(async move { waiting.send("n", &999).await.unwrap() });
    runtime.run();
    runtime.block_on(server.start()).unwrap();
    runtime.advance(SECOND);
    let mut expected: Vec<u64> = (3..taken).collect();
    expected.push(999);
    assert_eq!(got.take(), expected);
    assert!(client.dropped().is_empty());
}

#[test]
fn offline_drop_counts_what_it_drops() {
    let runtime = Fake::new(10);
    let client = client(&runtime, config().offline(Offline::Drop));
    client.start();
    runtime.run();
    (0..5).for_each(|n| client.emit("n", &n).unwrap());
    assert_eq!(client.dropped().messages, 5);
    let server = serve(&runtime, config());
    let got = Log::default();
    let to = got.clone();
    server.on("n", move |_, n: u64| to.push(n));
    runtime.advance(SECOND);
    client.emit("n", &7).unwrap();
    runtime.run();
    assert_eq!(got.take(), [7]);
}

#[test]
fn a_torn_frame_is_lost_and_the_whole_ones_after_it_are_sent_again() {
    let runtime = Fake::new(11);
    runtime.network().set_script(Script::both(Wire::default().capacity(50)));
    let mut listener = listen(&runtime);
    let client = connect(&runtime, config().offline(Offline::Buffer));
    let mut end = runtime.block_on(listener.accept()).unwrap();
    (10..20).for_each(|n| client.emit("n", &n).unwrap());
    runtime.run();
    let first = runtime.block_on(end.receive()).unwrap();
    end.connection().reset();
    runtime.advance(SECOND);
    let mut end = runtime.block_on(listener.accept()).unwrap();
    let client_dropped = client.dropped().messages;
    drop(client);
    let rest = runtime.block_on(end.receive_all()).unwrap();
    assert_eq!(first.len(), 50);
    let (got, again) = (numbers(&first), numbers(&rest));
    assert_eq!(got, [10, 11]);
    assert_eq!(client_dropped, 1);
    assert_eq!(again, (13..20).collect::<Vec<_>>());
}

#[test]
fn sync_sends_one_message_at_a_time_and_the_next_after_an_answer() {
    let runtime = Fake::new(12);
    let mut listener = listen(&runtime);
    let client = connect(&runtime, config().sync(true));
    let mut end = runtime.block_on(listener.accept()).unwrap();
    (0..3).for_each(|n| client.emit("n", &n).unwrap());
    assert_eq!(client.held(), 2);
    for n in 0..3 {
        runtime.run();
        assert_eq!(numbers(&runtime.block_on(end.receive()).unwrap()), [n]);
        runtime.block_on(end.send(frame("answer", n).as_bytes())).unwrap();
    }
    runtime.run();
    assert_eq!(client.held(), 0);
    client.emit("n", &3).unwrap();
    runtime.run();
    assert_eq!(numbers(&runtime.block_on(end.receive()).unwrap()), [3]);
}

#[test]
fn an_answer_split_over_many_reads_releases_one_message() {
    let runtime = Fake::new(13);
    runtime.network().set_script(Script::both(Wire::default().reads(Sizes::UpTo(1))));
    let mut listener = listen(&runtime);
    let client = connect(&runtime, config().sync(true));
    let mut end = runtime.block_on(listener.accept()).unwrap();
    end.connection().set_script(Script::default().to_client(Wire::default().reads(Sizes::UpTo(1))));
    (0..3).for_each(|n| client.emit("n", &n).unwrap());
    runtime.run();
    assert_eq!(numbers(&runtime.block_on(end.receive()).unwrap()), [0]);
    runtime.block_on(end.send(frame("answer", 0).as_bytes())).unwrap();
    runtime.run();
    assert_eq!(numbers(&runtime.block_on(end.receive()).unwrap()), [1]);
}

#[test]
fn sync_goes_on_with_the_next_message_after_a_reconnect() {
    let runtime = Fake::new(14);
    let mut listener = listen(&runtime);
    let client = connect(&runtime, config().sync(true).offline(Offline::Buffer));
    let mut end = runtime.block_on(listener.accept()).unwrap();
    (0..3).for_each(|n| client.emit("n", &n).unwrap());
    runtime.run();
    assert_eq!(numbers(&runtime.block_on(end.receive()).unwrap()), [0]);
    drop(end);
    runtime.run();
    assert_eq!(client.held(), 2);
    runtime.advance(SECOND);
    let mut end = runtime.block_on(listener.accept()).unwrap();
    runtime.run();
    assert_eq!(numbers(&runtime.block_on(end.receive()).unwrap()), [1]);
    runtime.block_on(end.send(frame("answer", 1).as_bytes())).unwrap();
    runtime.run();
    assert_eq!(numbers(&runtime.block_on(end.receive()).unwrap()), [2]);
    assert!(client.dropped().is_empty());
}

#[test]
fn sync_keeps_what_it_holds_back_even_if_nothing_is_buffered() {
    let runtime = Fake::new(15);
    let mut listener = listen(&runtime);
    let client = connect(&runtime, config().sync(true));
    let end = runtime.block_on(listener.accept()).unwrap();
    (0..3).for_each(|n| client.emit("n", &n).unwrap());
    runtime.run();
    drop(end);
    runtime.advance(SECOND);
    assert!(client.dropped().is_empty());
    let mut end = runtime.block_on(listener.accept()).unwrap();
    client.emit("n", &3).unwrap();
    let mut got = Vec::new();
    while got.len() < 3 {
        runtime.run();
        got.extend(numbers(&runtime.block_on(end.receive()).unwrap()));
        runtime.block_on(end.send(frame("answer", 0).as_bytes())).unwrap();
    }
    assert_eq!(got, [1, 2, 3]);
}

#[test]
fn close_in_sync_mode_sends_what_was_held() {
    let runtime = Fake::new(16);
    let mut listener = listen(&runtime);
    let client = connect(&runtime, config().sync(true));
    let mut end = runtime.block_on(listener.accept()).unwrap();
    (0..3).for_each(|n| client.emit("n", &n).unwrap());
    drop(client);
    assert_eq!(numbers(&runtime.block_on(end.receive_all()).unwrap()), [0, 1, 2]);
}

#[test]
fn handlers_survive_a_reconnect() {
    let runtime = Fake::new(17);
    let server = serve(&runtime, config());
    let client = connect(&runtime, config());
    let count = Arc::new(());
    let got = Log::default();
    let to = got.clone();
    client.on("n", move |n: u64| {
        let _held = &count;
        to.push(n);
    });
    for n in 0..3 {
        server.broadcast("n", &n).unwrap();
        runtime.run();
        server.abort();
        runtime.block_on(server.start()).unwrap();
        runtime.advance(SECOND);
    }
    assert_eq!(got.take(), [0, 1, 2]);
}
