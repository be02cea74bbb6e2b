//! A runtime that is shut down while handles of it live: nothing hangs, nothing panics, and every call says that it is over.

use super::{answering, ask, multi_thread, stage, tokio_of};
use ipc_conformance::behaviour::{Stage, Transport, block_on, soon, unblock};
use ipc_tokio::{ConnectError, EmitError, EndReason, Endpoint, ServeError, UdpServer};
use std::cell::Cell;
use std::time::Duration;

#[test]
fn a_client_ends_with_its_runtime() {
    let (serving, connecting) = (multi_thread(), multi_thread());
    let stage = stage(&tokio_of(&serving));
    let server = block_on(answering(&stage));
    let settings = ipc_tokio::build(stage.client_config()).expect("settings");
    let client = ipc_tokio::Client::with_runtime(tokio_of(&connecting), settings, stage.endpoint().clone());
    let client = client.expect("a client");
    let mut events = client.events();
    block_on(soon("connect", client.connect())).expect("connected");
    block_on(ask(&client));
    drop(connecting);
    block_on(async {
        assert!(client.is_destroyed() && !client.is_connected());
        assert!(matches!(client.emit("n", &1), Err(EmitError::Closed)));
        assert!(matches!(soon("send", client.send("n", &1)).await, Err(EmitError::Closed)));
        let error = soon("connect", client.connect()).await.expect_err("it does not connect again");
        assert!(matches!(error, ConnectError::Ended { reason: EndReason::Aborted, .. }), "{error}");
        soon("close", client.close()).await.expect("nothing was queued");
        soon("the end", client.destroyed()).await;
        client.disconnect();
        while soon("an event", events.recv()).await.is_some() {}
    });
    // The server sees its peer go.
    block_on(stage.until("the end of the peer", || server.is_empty()));
}

#[test]
fn whoever_waits_when_a_runtime_ends_is_told() {
    let runtime = multi_thread();
    let stage = stage(&tokio_of(&runtime));
    // Nobody is there to connect to.
    let waiting = stage.client();
    let connecting = unblock({
        let client = waiting.clone();
        move || block_on(client.connect())
    });
    block_on(stage.until("the wait", || waiting.is_waiting() || waiting.is_connected()));
    // And one that waits for room: its server does not read.
    let other = super::stage(&tokio_of(&runtime));
    let server = other.server_with(other.config().event_queue(1));
    let unread = server.events();
    block_on(server.start()).expect("started");
    let client = other.client_with(other.client_config().max_pending_bytes(100_000));
    block_on(soon("connect", client.connect())).expect("connected");
    let sending = unblock({
        let client = client.clone();
        move || {
            let ballast = "x".repeat(50_000);
            loop {
                if let Err(error) = block_on(client.send("n", &ballast)) {
                    break error;
                }
            }
        }
    });
    // Until it stands still: with the sockets full, and the queue.
    let (seen, stood) = (Cell::new(0), Cell::new(0));
    block_on(other.until("a full queue", || {
        let pending = client.pending();
        stood.set(if pending > 50_000 && seen.replace(pending) == pending { stood.get() + 1 } else { 0 });
        stood.get() == 100
    }));
    let mut heard = client.events();
    let hearing = unblock(move || while block_on(heard.recv()).is_some() {});
    runtime.shutdown_timeout(Duration::from_secs(20));
    block_on(async {
        let error = soon("the caller of connect", connecting.join()).await.expect_err("it ended");
        assert!(matches!(error, ConnectError::Ended { reason: EndReason::Aborted, .. }), "{error}");
        assert!(matches!(soon("the sender", sending.join()).await, EmitError::Closed));
        soon("the listener", hearing.join()).await;
        let lost = soon("close", client.close()).await.expect_err("the queue was full");
        assert!(lost.unsent.messages > 0, "{lost}");
        let report = soon("shutdown", server.shutdown(Duration::from_secs(20))).await;
        assert_eq!(report.clean, 0, "{report:?}");
    });
    drop(unread);
}

#[test]
fn servers_end_with_their_runtime_and_do_not_start_again() {
    let runtime = multi_thread();
    let stage = stage(&tokio_of(&runtime));
    let server = block_on(answering(&stage));
    let client = block_on(stage.connected());
    let settings = ipc_tokio::build(stage.config()).expect("settings");
    let udp =
        UdpServer::with_runtime(tokio_of(&runtime), settings, Endpoint::Udp4 { host: "127.0.0.1".into(), port: 0 })
            .expect("a server");
    block_on(udp.start()).expect("started");
    let peer = udp.peer(udp.local_address().expect("an address"));
    block_on(ask(&client));
    let local = Stage::new(tokio_of(&runtime), Transport::Local);
    let in_a_file = block_on(answering(&local));
    drop(runtime);
    block_on(async {
        // The sockets are closed, their addresses free, and their files gone.
        assert!(!stage.is_served() && !local.is_served());
        assert!(!in_a_file.is_listening());
        assert!(server.is_empty() && !udp.is_listening());
        assert!(matches!(peer.emit("n", &1), Err(EmitError::Closed)));
        let outcome = server.broadcast("news", "nobody").expect("encoded");
        assert_eq!(outcome.queued, 0);
        soon("shutdown", server.shutdown(Duration::from_secs(20))).await;
        soon("shutdown", udp.shutdown(Duration::from_secs(20))).await;
        for error in [soon("start", server.start()).await, soon("start", udp.start()).await] {
            let error = error.expect_err("there is no runtime any more");
            assert!(matches!(&error, ServeError::Listen { .. }), "{error:?}");
            assert!(error.to_string().contains("shut"), "{error}");
        }
        assert!(!server.is_listening() && !udp.is_listening());
    });
}

#[test]
fn a_client_that_starts_too_late_has_ended() {
    let runtime = multi_thread();
    let stage = stage(&tokio_of(&runtime));
    let (client, other) = (stage.client(), stage.client());
    drop(runtime);
    let error = block_on(soon("connect", client.connect())).expect_err("there is no runtime any more");
    assert!(matches!(error, ConnectError::Ended { reason: EndReason::Aborted, .. }), "{error}");
    assert!(matches!(client.emit("n", &1), Err(EmitError::Closed)));
    // Never started, it has nothing to end.
    block_on(soon("close", other.close())).expect("nothing was queued");
}
