//! Connections that can be written no more, and those that end by the clock: what the peer has sent before is heard, and no end
//! comes earlier than it was told.

use crate::world::*;
use ipc_driver::fake::{Connection, Fake, Script, Stream, Wire};
use ipc_driver::runtime::Runtime;
use ipc_driver::{Peer, ServerEvent};
use std::time::Duration;

/// What becomes of the peers of a server, with the seconds since its start.
fn lifecycle(runtime: &Fake, server: &FakeServer) -> Log<String> {
    let log = Log::default();
    let (to, clock) = (log.clone(), runtime.clone());
    server.on_lifecycle(move |event| {
        if matches!(event, ServerEvent::Error(..) | ServerEvent::Disconnected { .. }) {
            to.push(format!("{} {}", clock.elapsed().as_secs(), server_event(event)));
        }
    });
    log
}

/// What a client sends is under way for so long; then it has gone, so that the server finds out first by writing. As on Windows,
/// where a pipe is to be read on after a write has failed.
fn gone(runtime: &Fake, server: &FakeServer, latency: Duration, events: u64) -> Peer {
    runtime.network().set_script(Script::default().to_server(Wire::default().latency(latency)));
    let mut end = dial(runtime);
    let peer = server.peers().remove(0);
    let all: String = (0..events).map(|n| frame("n", n)).collect();
    runtime.block_on(end.send(all.as_bytes())).unwrap();
    drop(end);
    peer.emit("n", &1).unwrap();
    runtime.run();
    peer
}

/// From now on nothing reaches the client.
fn block(connection: &Connection) {
    connection.set_script(Script::default().to_client(Wire::default().capacity(0)));
}

/// A peer of the server with its end, to which nothing can be written before it is told to read.
fn blocked(runtime: &Fake, server: &FakeServer) -> (Peer, Stream) {
    let end = dial(runtime);
    block(end.connection());
    let peer = server.peers().remove(0);
    peer.emit("n", &1).unwrap();
    runtime.run();
    (peer, end)
}

/// Closes it without waiting for that.
fn close(runtime: &Fake, peer: &Peer) {
    let peer = peer.clone();
    runtime.spawn(async move {
        let _in_time_or_not = peer.close().await;
    });
    runtime.run();
}

#[test]
fn what_a_peer_has_sent_is_heard_though_writing_finds_out_first_that_it_has_gone() {
    let runtime = Fake::new(1);
    let server = serve(&runtime, config());
    let (log, heard) = (lifecycle(&runtime, &server), Log::default());
    let to = heard.clone();
    server.on("n", move |_, n: u64| to.push(n));
    let _peer = gone(&runtime, &server, SECOND, 3);
    assert_eq!((server.len(), heard.len()), (1, 0));
    runtime.advance(SECOND * 10);
    assert_eq!(heard.take(), [0, 1, 2]);
    assert_eq!(log.take(), ["1 disconnected #0, 1 unsent"]);
}

#[test]
fn the_end_of_a_peer_that_has_gone_is_waited_for_for_five_seconds_and_no_longer() {
    let runtime = Fake::new(2);
    let server = serve(&runtime, config());
    let log = lifecycle(&runtime, &server);
    let _peer = gone(&runtime, &server, SECOND * 20, 3);
    runtime.advance(SECOND * 30);
    assert_eq!(log.take(), ["5 error #0 the connection broke: broken pipe", "5 disconnected #0 by an error, 1 unsent"]);
}

#[test]
fn what_a_peer_sent_before_it_went_waits_for_somebody_to_take_it() {
    let runtime = Fake::new(3);
    let server = serve(&runtime, config().event_queue(1));
    let mut events = server.events();
    let _peer = gone(&runtime, &server, SECOND, 10);
    runtime.advance(SECOND * 60);
    assert_eq!(server.len(), 1);
    let polls: usize = runtime.tasks().iter().map(|task| task.polls).sum();
    assert!(polls < 40, "{polls}");
    let (got, last) = numbers_until_the_end(&runtime, &mut events);
    assert_eq!(got, (0..10).collect::<Vec<_>>());
    assert_eq!(last, "disconnected #0, 1 unsent");
}

#[test]
fn what_waits_to_be_taken_does_not_keep_a_connection_that_is_told_to_end() {
    let runtime = Fake::new(4);
    let server = serve(&runtime, config().event_queue(1));
    let log = lifecycle(&runtime, &server);
    let _events = server.events();
    let peer = gone(&runtime, &server, SECOND, 10);
    runtime.advance(SECOND * 7);
    assert_eq!(log.take(), [""; 0]);
    close(&runtime, &peer);
    runtime.advance(SECOND * 5);
    assert_eq!(
        log.take(),
        ["10 error #0 the connection broke: broken pipe", "10 disconnected #0 by an error, 1 unsent"]
    );

    let runtime = Fake::new(5);
    let server = serve(&runtime, config().event_queue(1));
    let log = lifecycle(&runtime, &server);
    let _events = server.events();
    let (peer, mut end) = blocked(&runtime, &server);
    let all: String = (0..10).map(|n| frame("n", n)).collect();
    runtime.block_on(end.send(all.as_bytes())).unwrap();
    close(&runtime, &peer);
    runtime.advance(SECOND * 60);
    assert_eq!(log.take(), ["5 disconnected #0, 1 unsent"], "that it was not in time is no error of the connection");
}

#[test]
fn a_close_lasts_as_long_as_it_was_told_whatever_the_clock_was_set_for_before() {
    // With something to write until the end, and without.
    for writes in [false, true] {
        let runtime = Fake::new(6);
        let server = serve(&runtime, config().message_timeout(SECOND));
        let (log, heard) = (lifecycle(&runtime, &server), Log::default());
        let to = heard.clone();
        server.on("n", move |_, n: u64| to.push(n));
        let (peer, mut end) = blocked(&runtime, &server);
        if !writes {
            end.connection().set_script(Script::default());
        }
        let bytes = frame("n", 7);
        let (half, rest) = bytes.split_at(5);
        runtime.block_on(end.send(half.as_bytes())).unwrap();
        runtime.advance(SECOND / 2);
        runtime.block_on(end.send(rest.as_bytes())).unwrap();
        close(&runtime, &peer);
        runtime.advance(SECOND * 3);
        assert_eq!(log.take(), [""; 0]);
        end.connection().set_script(Script::default());
        runtime.block_on(end.send(frame("n", 8).as_bytes())).unwrap();
        runtime.run();
        assert_eq!(heard.take(), [7, 8]);
        assert_eq!(numbers(&runtime.block_on(end.receive_all()).unwrap()), [1]);
        drop(end);
        runtime.run();
        assert_eq!(log.take(), ["3 disconnected #0, 0 unsent"]);
    }
}

#[test]
fn a_peer_that_breaks_off_once_it_has_everything_is_no_error() {
    let runtime = Fake::new(7);
    let mut listener = listen(&runtime);
    let client = client(&runtime, config());
    let log = client_lifecycle(&client);
    runtime.block_on(client.connect()).unwrap();
    let end = runtime.block_on(listener.accept()).unwrap();
    client.emit("n", &1).unwrap();
    let closing = client.clone();
    runtime.spawn(async move { closing.close().await.unwrap() });
    runtime.run();
    assert_eq!(log.take(), ["connected"]);
    end.connection().reset();
    runtime.run();
    assert_eq!(log.take(), ["disconnected, 0 unsent", "destroyed"]);
}

#[test]
fn a_close_without_a_limit_waits_for_as_long_as_it_takes() {
    let runtime = Fake::new(8);
    runtime.network().set_script(Script::default().to_server(Wire::default().capacity(0)));
    let mut listener = listen(&runtime);
    let client = connect(&runtime, config());
    let mut end = runtime.block_on(listener.accept()).unwrap();
    client.emit("n", &1).unwrap();
    let (closing, log) = (client, Log::default());
    let to = log.clone();
    runtime.spawn(async move { to.push(closing.close_within(Duration::MAX).await) });
    runtime.advance(SECOND * 86_400);
    assert_eq!(log.len(), 0);
    end.connection().set_script(Script::default());
    assert_eq!(numbers(&runtime.block_on(end.receive_all()).unwrap()), [1]);
    drop(end);
    runtime.run();
    assert_eq!(log.take(), [Ok(())]);
}

#[test]
fn a_shutdown_that_has_more_time_waits_longer_for_the_end_of_a_peer_that_has_gone() {
    let runtime = Fake::new(9);
    let server = serve(&runtime, config());
    let (log, heard) = (lifecycle(&runtime, &server), Log::default());
    let to = heard.clone();
    server.on("n", move |_, n: u64| to.push(n));
    runtime.network().set_script(Script::default().to_server(Wire::default().latency(SECOND * 20)));
    let mut end = dial(&runtime);
    runtime.block_on(end.send(frame("n", 7).as_bytes())).unwrap();
    drop(end);
    server.broadcast("n", &1).unwrap();
    assert!(poll_once(server.shutdown(SECOND * 60)).is_pending());
    runtime.advance(SECOND * 60);
    assert_eq!(heard.take(), [7]);
    assert_eq!(log.take(), ["20 disconnected #0, 1 unsent"]);
}
