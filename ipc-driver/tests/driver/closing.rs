//! The end of a connection, by close, by abort, by the peer, or because nobody holds it any more: nothing is lost that
//! could be sent, and what is lost is counted.

use crate::world::*;
use futures_io::AsyncWrite;
use ipc_driver::fake::{Fake, Script, Sizes, Wire};
use ipc_driver::runtime::Runtime;
use ipc_driver::{EmitError, Offline, Peer};
use std::pin::Pin;
use std::time::Duration;

fn tiny() -> Script {
    Script::both(Wire::default().capacity(64).writes(Sizes::Random(9)).reads(Sizes::Random(11)).hiccups(20))
}

#[test]
fn close_sends_everything_through_tiny_writes_and_a_full_pipe() {
    for seed in 0..20 {
        let runtime = Fake::new(seed);
        runtime.network().set_script(tiny());
        let server = serve(&runtime, config());
        let got = Log::default();
        let to = got.clone();
        server.on("n", move |_, n: u64| to.push(n));
        let client = connect(&runtime, config());
        (0..200_u64).for_each(|n| client.emit("n", &n).unwrap());
        runtime.block_on(client.close()).unwrap();
        assert_eq!(got.take(), (0..200).collect::<Vec<_>>());
        assert!(matches!(client.emit("n", &0), Err(EmitError::Closed)));
        runtime.run();
        assert!(server.is_empty());
        assert!(client.is_destroyed());
    }
}

#[test]
fn close_reports_exactly_what_a_peer_that_never_reads_did_not_get() {
    let runtime = Fake::new(1);
    runtime.network().set_script(Script::both(Wire::default().capacity(100)));
    let mut listener = listen(&runtime);
    let client = connect(&runtime, config());
    let mut end = runtime.block_on(listener.accept()).unwrap();
    let length = frame("n", 100).len();
    (100..150).for_each(|n| client.emit("n", &n).unwrap());
    let started = runtime.elapsed();
    let error = runtime.block_on(client.close_within(SECOND * 3)).unwrap_err();
    assert_eq!(runtime.elapsed() - started, SECOND * 3);
    let (bytes, _) = runtime.block_on(drain(&mut end));
    assert_eq!(bytes.len(), 100);
    let sent = numbers(&bytes).len();
    assert_eq!((error.unsent.messages, error.unsent.bytes), (50 - sent, 50 * length - 100));
    runtime.run();
    assert_eq!(runtime.tasks(), []);
}

#[test]
fn a_server_side_close_reports_the_same() {
    let runtime = Fake::new(2);
    runtime.network().set_script(Script::both(Wire::default().capacity(100)));
    let server = serve(&runtime, config());
    let mut end = dial(&runtime);
    let peer = server.peers().remove(0);
    (100..150).for_each(|n| peer.emit("n", &n).unwrap());
    let started = runtime.elapsed();
    let error = runtime.block_on(peer.close()).unwrap_err();
    assert_eq!(runtime.elapsed() - started, SECOND * 5);
    let (bytes, _) = runtime.block_on(drain(&mut end));
    assert_eq!(error.unsent.messages, 50 - numbers(&bytes).len());
    assert!(peer.is_closed() && server.is_empty());
}

#[test]
fn close_waits_until_the_peer_has_ended_its_side_but_loses_nothing_if_it_never_does() {
    let runtime = Fake::new(3);
    let mut listener = listen(&runtime);
    let client = connect(&runtime, config());
    let mut end = runtime.block_on(listener.accept()).unwrap();
    client.emit("n", &1).unwrap();
    let started = runtime.elapsed();
    runtime.block_on(client.close()).unwrap();
    assert_eq!(runtime.elapsed() - started, SECOND * 5);
    assert_eq!(numbers(&runtime.block_on(end.receive_all()).unwrap()), [1]);
}

#[test]
fn close_hears_what_the_peer_still_sends() {
    let runtime = Fake::new(4);
    let mut listener = listen(&runtime);
    let client = connect(&runtime, config());
    let got = Log::default();
    let to = got.clone();
    client.on("n", move |n: u64| to.push(n));
    let mut end = runtime.block_on(listener.accept()).unwrap();
    let fake = runtime.clone();
    runtime.spawn(async move {
        assert_eq!(end.receive_all().await.unwrap(), b"");
        fake.sleep(SECOND).await;
        end.send(frame("n", 9).as_bytes()).await.unwrap();
    });
    runtime.block_on(client.close()).unwrap();
    assert_eq!(got.take(), [9]);
}

#[test]
fn a_close_without_end_is_not_a_panic() {
    let runtime = Fake::new(5);
    let server = serve(&runtime, config());
    let client = connect(&runtime, config());
    runtime.block_on(client.close_within(Duration::MAX)).unwrap();
    let report = runtime.block_on(server.shutdown(Duration::MAX));
    assert_eq!((report.clean, report.cut), (0, 0));
    assert_eq!(runtime.panics(), [""; 0]);
}

#[test]
fn abort_loses_what_the_socket_does_not_take_at_once_and_reports_it() {
    let runtime = Fake::new(6);
    runtime.network().set_script(Script::both(Wire::default().capacity(50)));
    let server = serve(&runtime, config());
    let log = Log::default();
    let to = log.clone();
    server.on_lifecycle(move |event| to.push(server_event(event)));
    let mut end = dial(&runtime);
    let peer = server.peers().remove(0);
    (0..7).for_each(|n| peer.emit("n", &n).unwrap());
    let started = runtime.elapsed();
    peer.abort();
    assert!(matches!(peer.emit("n", &0), Err(EmitError::Closed)));
    runtime.run();
    // Two whole frames fit, and the head of a third.
    assert_eq!(numbers(&runtime.block_on(end.receive_all()).unwrap()), [0, 1]);
    assert_eq!(log.take(), ["connected #0", "disconnected #0, 5 unsent"]);
    assert!(runtime.block_on(peer.close()).is_err_and(|error| error.unsent.messages == 5));
    assert_eq!(runtime.elapsed(), started);
}

#[test]
fn a_close_is_made_stricter_by_abort_and_by_a_shorter_limit_only() {
    let runtime = Fake::new(7);
    runtime.network().set_script(Script::both(Wire::default().capacity(10)));
    let mut listener = listen(&runtime);
    let client = connect(&runtime, config());
    let _end = runtime.block_on(listener.accept()).unwrap();
    client.emit("n", &1).unwrap();
    assert!(poll_once(client.close_within(SECOND * 4)).is_pending());
    assert!(poll_once(client.close_within(SECOND * 2)).is_pending());
    assert!(poll_once(client.close_within(SECOND * 9)).is_pending());
    let started = runtime.elapsed();
    runtime.block_on(client.destroyed());
    assert_eq!(runtime.elapsed() - started, SECOND * 2);
}

#[test]
fn a_disconnect_while_connected_is_told_and_loses_what_is_queued() {
    let runtime = Fake::new(8);
    runtime.network().set_script(Script::both(Wire::default().capacity(10)));
    let mut listener = listen(&runtime);
    let client = client(&runtime, config());
    let log = client_lifecycle(&client);
    runtime.block_on(client.connect()).unwrap();
    let mut end = runtime.block_on(listener.accept()).unwrap();
    runtime.run();
    client.emit("n", &1).unwrap();
    client.disconnect();
    assert!(matches!(client.emit("n", &1), Err(EmitError::Closed)));
    runtime.run();
    assert_eq!(log.take(), ["connected", "disconnected, 1 unsent", "destroyed"]);
    assert_eq!(runtime.block_on(end.receive_all()).unwrap().len(), 10);
    assert_eq!(runtime.tasks(), []);
}

#[test]
fn a_disconnect_while_an_attempt_is_under_way_is_told() {
    let runtime = Fake::new(9);
    runtime.network().dial(&endpoint(), [ipc_driver::fake::Dial::Hang]);
    let client = client(&runtime, config());
    let log = client_lifecycle(&client);
    client.start();
    runtime.run();
    client.disconnect();
    runtime.run();
    assert_eq!(log.take(), ["disconnected, 0 unsent", "destroyed"]);
    assert_eq!(runtime.tasks(), []);
    assert!(runtime.block_on(client.connect()).is_err());
}

#[test]
fn a_disconnect_while_waiting_to_retry_is_silent() {
    let runtime = Fake::new(10);
    let client = client(&runtime, config());
    let log = client_lifecycle(&client);
    client.start();
    runtime.run();
    log.take();
    client.disconnect();
    runtime.run();
    assert_eq!(log.take(), [""; 0]);
    assert_eq!(runtime.tasks(), []);
    assert!(client.is_destroyed());
}

#[test]
fn close_while_waiting_to_retry_reports_what_was_buffered() {
    let runtime = Fake::new(11);
    let client = client(&runtime, config().offline(Offline::Buffer));
    client.start();
    runtime.run();
    (0..3).for_each(|n| client.emit("n", &n).unwrap());
    let error = runtime.block_on(client.close()).unwrap_err();
    assert_eq!(error.unsent.messages, 3);
    assert_eq!(client.dropped().messages, 3);
}

#[test]
fn close_before_start_reports_what_was_buffered() {
    let runtime = Fake::new(12);
    let client = client(&runtime, config().offline(Offline::Buffer));
    (0..3).for_each(|n| client.emit("n", &n).unwrap());
    let error = runtime.block_on(client.close()).unwrap_err();
    assert_eq!(error.unsent.messages, 3);
    runtime.block_on(client.destroyed());
    assert!(runtime.block_on(client.connect()).is_err());
    runtime.run();
    assert_eq!(runtime.tasks(), []);
}

#[test]
fn close_does_not_report_a_loss_of_an_earlier_connection() {
    let runtime = Fake::new(13);
    runtime.network().set_script(Script::both(Wire::default().capacity(10)));
    let mut listener = listen(&runtime);
    let client = connect(&runtime, config());
    let end = runtime.block_on(listener.accept()).unwrap();
    (0..3).for_each(|n| client.emit("n", &n).unwrap());
    runtime.run();
    end.connection().reset();
    runtime.run();
    assert_eq!(client.dropped().messages, 3);
    runtime.block_on(client.close()).unwrap();
}

#[test]
fn the_last_handle_of_a_client_closes_it_and_leaves_no_task() {
    let runtime = Fake::new(14);
    runtime.network().set_script(tiny());
    let server = serve(&runtime, config());
    let got = Log::default();
    let to = got.clone();
    server.on("n", move |_, n: u64| to.push(n));
    let client = connect(&runtime, config());
    let (other, emitter) = (client.clone(), client.emitter());
    (0..50_u64).for_each(|n| other.emit("n", &n).unwrap());
    drop(client);
    runtime.run();
    assert_eq!(server.len(), 1);
    drop(other);
    assert!(matches!(emitter.emit("n", &0), Err(EmitError::Closed)));
    runtime.run();
    assert_eq!(got.take(), (0..50).collect::<Vec<_>>());
    assert_eq!(runtime.tasks().len(), 1, "only the server listens: {:?}", runtime.tasks());
    drop(server);
    runtime.run();
    assert_eq!(runtime.tasks(), []);
}

#[test]
fn the_last_handle_of_a_server_flushes_its_peers_and_leaves_no_task() {
    let runtime = Fake::new(15);
    runtime.network().set_script(tiny());
    let server = serve(&runtime, config());
    let mut end = dial(&runtime);
    (0..50_u64).for_each(|n| assert_eq!(server.broadcast("n", &n).unwrap().queued, 1));
    drop(server);
    assert_eq!(numbers(&runtime.block_on(drain(&mut end)).0), (0..50).collect::<Vec<_>>());
    drop(end);
    runtime.run();
    assert_eq!(runtime.tasks(), []);
}

#[test]
fn handlers_go_with_the_handle_even_if_they_hold_an_emitter() {
    let runtime = Fake::new(16);
    let server = serve(&runtime, config());
    let held = std::sync::Arc::new(());
    let client = connect(&runtime, config());
    let (emitter, kept) = (client.emitter(), held.clone());
    client.on("n", move |n: u64| {
        let _kept = &kept;
        emitter.emit("n", &n)
    });
    let never_started = crate::world::client(&runtime, config());
    let (emitter, kept) = (never_started.emitter(), held.clone());
    never_started.on("n", move |n: u64| {
        let _kept = &kept;
        emitter.emit("n", &n)
    });
    drop((client, never_started));
    runtime.run();
    assert_eq!(std::sync::Arc::strong_count(&held), 1);
    drop(server);
}

#[test]
fn a_peer_that_ends_its_side_still_gets_the_answers() {
    let runtime = Fake::new(17);
    runtime.network().set_script(tiny());
    let server = serve(&runtime, config());
    server.on_event("n", Peer::emit_event);
    let mut end = dial(&runtime);
    let all: String = (0..100).map(|n| frame("n", n)).collect();
    let bytes = runtime.block_on(async {
        let (mut sent, mut got) = (all.as_bytes(), Vec::new());
        while !sent.is_empty() {
            let (now, later) = sent.split_at(sent.len().min(50));
            end.send(now).await.unwrap();
            sent = later;
            got.extend(end.receive().await.unwrap());
        }
        end.finish();
        got.extend(end.receive_all().await.unwrap());
        got
    });
    assert_eq!(numbers(&bytes), (0..100).collect::<Vec<_>>());
}

#[test]
fn what_arrived_before_the_peer_closed_is_heard_although_it_cannot_be_answered() {
    let runtime = Fake::new(18);
    runtime.network().set_script(Script::both(Wire::default().reads(Sizes::UpTo(30))));
    let server = serve(&runtime, config());
    let got = Log::default();
    let to = got.clone();
    server.on("n", move |peer, n: u64| {
        to.push(n);
        // Refused once it is known that the peer has gone.
        let _gone = peer.emit("n", &n);
    });
    let mut end = dial(&runtime);
    let all: String = (0..100).map(|n| frame("n", n)).collect();
    runtime.block_on(end.send(all.as_bytes())).unwrap();
    drop(end);
    runtime.run();
    assert_eq!(got.take(), (0..100).collect::<Vec<_>>());
    runtime.advance(SECOND * 6);
    assert!(server.is_empty());
}

#[test]
fn a_server_that_half_closes_and_never_reads_does_not_end_its_client_for_good() {
    let runtime = Fake::new(19);
    runtime.network().set_script(Script::both(Wire::default().capacity(10)));
    let mut listener = listen(&runtime);
    let client = client(&runtime, config());
    let log = client_lifecycle(&client);
    runtime.block_on(client.connect()).unwrap();
    let end = runtime.block_on(listener.accept()).unwrap();
    client.emit("n", &1).unwrap();
    end.finish();
    runtime.advance(SECOND * 5);
    assert_eq!(log.take(), ["connected", "disconnected, again in 500ms, 1 unsent"]);
    runtime.advance(SECOND);
    assert!(client.is_connected());
}

#[test]
fn shutdown_reports_who_was_cut_and_what_was_not_sent() {
    let runtime = Fake::new(20);
    runtime.network().set_script(Script::both(Wire::default().capacity(100)));
    let server = serve(&runtime, config());
    let (mut good, mut bad) = (dial(&runtime), dial(&runtime));
    (100..150).for_each(|n| assert_eq!(server.broadcast("n", &n).unwrap().queued, 2));
    runtime.spawn(async move { assert_eq!(numbers(&good.receive_all().await.unwrap()).len(), 50) });
    let started = runtime.elapsed();
    let report = runtime.block_on(server.shutdown(SECOND * 2));
    assert_eq!(runtime.elapsed() - started, SECOND * 2);
    let (bytes, _) = runtime.block_on(drain(&mut bad));
    assert_eq!((report.clean, report.cut), (1, 1));
    assert_eq!(report.unsent.messages, 50 - numbers(&bytes).len());
    runtime.run();
    assert_eq!(runtime.tasks(), []);
    assert_eq!(runtime.panics(), [""; 0]);
    assert!(!server.is_listening());
}

#[test]
fn a_dropped_shutdown_goes_on_by_itself() {
    let runtime = Fake::new(21);
    let server = serve(&runtime, config());
    let mut end = dial(&runtime);
    server.broadcast("n", &1).unwrap();
    assert!(poll_once(server.shutdown(SECOND)).is_pending());
    assert_eq!(numbers(&runtime.block_on(end.receive_all()).unwrap()), [1]);
    drop(end);
    runtime.run();
    assert_eq!(runtime.tasks(), []);
}

#[test]
fn a_server_may_be_started_again_after_a_stop_but_not_twice() {
    let runtime = Fake::new(22);
    let server = serve(&runtime, config());
    assert!(runtime.block_on(server.start()).is_err());
    let end = dial(&runtime);
    server.stop();
    runtime.block_on(server.start()).unwrap();
    assert_eq!(server.len(), 1, "a stop leaves connections alone");
    let _other = dial(&runtime);
    assert_eq!(server.len(), 2);
    server.abort();
    runtime.run();
    assert!(server.is_empty());
    drop(end);
    runtime.block_on(server.start()).unwrap();
    assert!(server.is_listening());
}

#[test]
fn who_has_connected_when_a_server_shuts_down_is_let_in_and_heard() {
    for seed in 0..20 {
        let runtime = Fake::new(seed);
        let server = serve(&runtime, config());
        let got = Log::default();
        let to = got.clone();
        server.on("n", move |_, n: u64| to.push(n));
        let report = runtime.block_on(async {
            // Neither has been accepted: nothing else runs before the shutdown does.
            let mut one = runtime.connect(&address(), &settings(config())).await.unwrap();
            let other = runtime.connect(&address(), &settings(config())).await.unwrap();
            let bytes = frame("n", 7);
            let written = std::future::poll_fn(|cx| Pin::new(&mut one).poll_write(cx, bytes.as_bytes())).await.unwrap();
            assert_eq!(written, bytes.len());
            let report = server.shutdown(SECOND).await;
            drop((one, other));
            report
        });
        assert_eq!(got.take(), [7]);
        assert_eq!((report.clean, report.cut), (2, 0));
        assert!(!server.is_listening());
        assert_eq!(server.counters().accepted, 2);
        runtime.run();
        assert_eq!(runtime.tasks(), []);
    }
}

#[test]
fn a_shutdown_that_is_dropped_at_once_has_ended_the_server_all_the_same() {
    let runtime = Fake::new(3);
    let server = serve(&runtime, config());
    let client = connect(&runtime, config().max_retries(0));
    assert!(poll_once(server.shutdown(SECOND)).is_pending());
    runtime.run();
    assert!(!server.is_listening() && server.is_empty());
    assert!(!client.is_connected());
}

#[test]
fn a_client_that_has_ended_says_so_when_it_is_to_connect() {
    let runtime = Fake::new(21);
    let server = serve(&runtime, config());
    let says = |client: &FakeClient| runtime.block_on(client.connect()).unwrap_err().to_string();
    let closed = "the client of tcp:127.0.0.1:8000 has ended, as it was closed; make a new one to connect again";

    let connected = connect(&runtime, config());
    assert!(runtime.block_on(connected.connect()).is_ok(), "again is no error");
    runtime.block_on(connected.close()).unwrap();
    assert_eq!(says(&connected), closed);

    let disconnected = connect(&runtime, config());
    disconnected.disconnect();
    assert_eq!(says(&disconnected), closed);
    runtime.run();
    assert_eq!(says(&disconnected), closed);

    let never = client(&runtime, config());
    runtime.block_on(never.close()).unwrap();
    assert_eq!(says(&never), closed);

    // One that was connected, and later gave up.
    let late = connect(&runtime, config().max_retries(0));
    server.abort();
    runtime.advance(SECOND);
    assert!(late.is_destroyed());
    assert!(says(&late).starts_with("gave up connecting to tcp:127.0.0.1:8000"), "{}", says(&late));

    // And one that is closed while somebody waits for it.
    let waiting = client(&runtime, config());
    let (asked, log) = (waiting.clone(), Log::default());
    let to = log.clone();
    runtime.spawn(async move { to.push(asked.connect().await.unwrap_err().to_string()) });
    runtime.run();
    waiting.disconnect();
    runtime.run();
    assert_eq!(log.take(), [closed]);
}

/// Over TCP in clear, to a server of TLS, which says so once our side is closed.
#[test]
fn a_peer_that_has_understood_nothing_is_told_though_we_are_closing() {
    let runtime = Fake::new(22);
    let mut listener = listen(&runtime);
    let client = client(&runtime, config());
    let (errors, to) = (Log::default(), Log::default());
    let told = errors.clone();
    client.on_error(move |error| told.push(error.to_string()));
    client.start();
    let mut peer = runtime.block_on(listener.accept()).unwrap();
    runtime.run();
    client.emit("n", &1).unwrap();
    let closing = client.clone();
    let done = to.clone();
    runtime.spawn(async move { done.push(closing.close().await.is_ok()) });
    runtime.run();
    // An alert, fatal: unexpected message.
    runtime.block_on(peer.send(&[0x15, 3, 3, 0, 2, 2, 10])).unwrap();
    drop(peer);
    runtime.run();
    assert_eq!(errors.take(), ["the connection broke: the peer speaks TLS, and the option tls is not set here"]);
    assert_eq!(to.take(), [true], "what was handed to the system is not known to be lost");
}
