//! Connections come and go: waiting for a server, coming back, giving up, stopping and starting.

use super::{Either, Stage, Transport, channel, first_of, soon, within};
use ipc_driver::runtime::Runtime;
use ipc_driver::{ClientEvent, ConnectError, EmitError, Offline, Peer, ServeError};
use std::io::ErrorKind;
use std::sync::{Arc, Mutex};
use std::time::Duration;

fn name(event: &ClientEvent) -> &'static str {
    match event {
        ClientEvent::Connected => "connect",
        ClientEvent::Error(_) => "error",
        ClientEvent::Disconnected { .. } => "disconnect",
        ClientEvent::Destroyed => "destroy",
        _ => "other",
    }
}

/// Attempts that failed are an error and a disconnect; a lost connection is a disconnect alone.
pub async fn a_client_waits_for_its_server_and_comes_back_after_a_restart<R: Runtime>(stage: Stage<R>) {
    let client = stage.client();
    let names = Arc::new(Mutex::new(Vec::new()));
    let heard = Arc::clone(&names);
    client.on_lifecycle(move |event| heard.lock().expect("no panic").push(name(event)));
    let (sender, mut connects) = channel();
    client.on_connect(move || sender.send(()).expect("heard"));
    client.start();
    stage.until("an attempt", || client.is_waiting()).await;
    for _ in 0..2 {
        let server = stage.server();
        let (sender, mut hello) = channel();
        server.on("hello", move |_, text: String| sender.send(text));
        server.start().await.expect("started");
        connects.next("a connection").await;
        client.emit("hello", "again").expect("emitted");
        assert_eq!(hello.next("hello").await, "again");
        // First the door, so that the client does not come back to this one.
        server.stop();
        stage.until("the end of the socket", || !stage.is_served()).await;
        server.abort();
        drop(server);
        stage.until("the loss", || !client.is_connected()).await;
    }
    client.disconnect();
    soon("the end", client.destroyed()).await;
    let names = names.lock().expect("no panic");
    let connects: Vec<usize> =
        names.iter().enumerate().filter(|(_, name)| **name == "connect").map(|(at, _)| at).collect();
    assert_eq!(names[..2], ["error", "disconnect"], "{names:?}");
    assert_eq!(connects.len(), 2, "{names:?}");
    // One that is cut without the farewell of TLS is an error as well.
    let cut = if stage.transport() == Transport::Tls { "error" } else { "disconnect" };
    assert!(connects.iter().all(|at| [cut, "disconnect"].contains(&names[at + 1])), "{names:?}");
}

/// A server that cuts a connection finds its client back by itself, again and again.
pub async fn a_client_that_is_cut_connects_again_by_itself<R: Runtime>(stage: Stage<R>) {
    let server = stage.server();
    server.on_event("message", Peer::emit_event);
    server.start().await.expect("started");
    let client = stage.client();
    let (sender, mut received) = channel();
    client.on("message", move |text: String| sender.send(text));
    let (sender, mut connected) = channel();
    client.on_connect(move || sender.tell(()));
    soon("connect", client.connect()).await.expect("connected");
    for _ in 0..5 {
        connected.next("a connection").await;
        client.emit("message", "hello").expect("emitted");
        assert_eq!(received.next("the answer").await, "hello");
        server.peers()[0].abort();
    }
    connected.next("a connection").await;
    assert_eq!(server.refused(), 0);
}

/// And every attempt is told.
pub async fn a_client_gives_up_after_its_retries_and_says_why<R: Runtime>(stage: Stage<R>) {
    let client = stage.client_with(stage.client_config().max_retries(3));
    let mut events = client.events();
    let error = soon("giving up", client.connect()).await.expect_err("nobody is there");
    let nobody = if stage.transport() == Transport::Local { ErrorKind::NotFound } else { ErrorKind::ConnectionRefused };
    let ConnectError::GaveUp { last: Some(last), .. } = &error else { panic!("{error:?}") };
    assert_eq!(last.kind(), nobody, "{last}");
    if stage.transport() == Transport::Local {
        assert!(error.to_string().contains("app.world"), "{error}");
    } else {
        assert!(error.to_string().contains(&stage.address().to_string()), "{error}");
    }
    let mut names = Vec::new();
    while let Some(event) = soon("an event", events.recv()).await {
        names.push(name(&event));
    }
    let attempt = ["error", "disconnect"];
    let expected: Vec<_> = attempt.iter().cycle().take(8).copied().chain(["destroy"]).collect();
    assert_eq!(names, expected);
    assert_eq!(client.retries_remaining(), Some(0));
    assert!(matches!(client.emit("late", &1), Err(EmitError::Closed)));
}

/// A client that would wait for an hour.
pub async fn a_change_of_stop_retrying_ends_the_waiting<R: Runtime>(stage: Stage<R>) {
    let client = stage.client_with(stage.client_config().retry(Duration::from_secs(3600)));
    client.start();
    stage.until("the wait", || client.is_waiting()).await;
    client.set_stop_retrying(true);
    soon("the end", client.destroyed()).await;
    assert!(client.is_destroyed() && !client.is_waiting());
}

/// The policy of what is emitted while there is no connection.
pub async fn offline_events_are_refused_buffered_or_dropped_as_configured<R: Runtime>(stage: Stage<R>) {
    for policy in [Offline::Refuse, Offline::Buffer, Offline::Drop] {
        let client = stage.client_with(stage.client_config().offline(policy).retry(Duration::from_millis(200)));
        client.start();
        stage.until("the wait", || client.is_waiting()).await;
        let outcome = client.emit("n", &1);
        let server = stage.server();
        let (sender, mut seen) = channel();
        server.on("n", move |_, n: u32| sender.send(n));
        server.start().await.expect("started");
        soon("connect", client.connect()).await.expect("connected");
        client.emit("n", &2).expect("connected");
        let first = seen.next("an event").await;
        match policy {
            Offline::Refuse => assert!(matches!(outcome, Err(EmitError::NotConnected)) && first == 2),
            Offline::Buffer => {
                outcome.expect("buffered");
                assert_eq!((first, seen.next("the next").await), (1, 2));
            }
            _ => {
                outcome.expect("dropped in silence");
                assert_eq!((first, client.dropped().messages), (2, 1));
            }
        }
        client.disconnect();
        soon("shutdown", server.shutdown(Duration::from_secs(20))).await;
    }
}

/// `maxConnections`.
pub async fn surplus_peers_are_sent_away_and_a_place_that_is_free_is_taken<R: Runtime>(stage: Stage<R>) {
    let server = stage.server_with(stage.config().max_connections(1));
    server.on_event("ping", Peer::emit_event);
    server.start().await.expect("started");
    let first = stage.connected().await;
    stage.until("the first", || !server.is_empty()).await;
    let second = stage.client();
    let (sender, mut sent_away) = channel();
    second.on_disconnect(move |_| sender.tell(()));
    let (sender, mut pong) = channel();
    second.on("ping", move |n: u8| sender.send(n));
    second.start();
    sent_away.next("the end of the surplus connection").await;
    assert_eq!(server.len(), 1);
    assert!(server.refused() > 0);
    soon("close", first.close()).await.expect("sent");
    soon("a place", async {
        while second.emit("ping", &1).is_err()
            || within(stage.runtime(), Duration::from_millis(100), pong.recv()).await.is_none()
        {
            stage.sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
}

/// Stopping closes the door, not the rooms.
pub async fn a_server_can_be_stopped_started_again_and_started_only_once<R: Runtime>(stage: Stage<R>) {
    let server = stage.server();
    server.start().await.expect("started");
    assert!(matches!(server.start().await, Err(ServeError::AlreadyListening { .. })));
    let client = stage.connected().await;
    stage.until("a peer", || !server.is_empty()).await;
    server.stop();
    assert!(!server.is_listening());
    soon("start", server.start()).await.expect("started again");
    let other = stage.connected().await;
    assert!(client.is_connected(), "a stop leaves connections alone");
    let report = soon("shutdown", server.shutdown(Duration::from_secs(5))).await;
    assert_eq!(report.cut, 0);
    assert!(!stage.is_served());
    drop(other);
}

/// Handles that were made, and dropped, before anything came of them.
pub async fn clients_and_servers_that_are_never_started_leave_nothing<R: Runtime>(stage: Stage<R>) {
    let server = stage.server();
    let client = stage.client();
    assert!(!server.is_listening() && !client.is_connected());
    assert!(matches!(client.emit("n", &1), Err(EmitError::NotConnected)));
    soon("close", client.close()).await.expect("nothing to be sent");
    assert!(matches!(client.emit("n", &1), Err(EmitError::Closed)));
    let report = soon("shutdown", server.shutdown(Duration::from_secs(5))).await;
    assert_eq!((report.clean, report.cut), (0, 0));
    server.stop();
    server.abort();
    drop((server, client));
    assert!(!stage.is_served());
}

/// A future that is dropped while it waits has changed nothing that goes on by itself.
pub async fn connecting_and_closing_go_on_when_nobody_waits_for_them<R: Runtime>(stage: Stage<R>) {
    let client = stage.client();
    let (sender, mut connects) = channel();
    client.on_connect(move || sender.tell(()));
    // Polled once each, and dropped.
    for _ in 0..3 {
        let Either::Second(()) = first_of(client.connect(), std::future::ready(())).await else {
            panic!("nobody is there")
        };
    }
    let server = stage.server();
    let (sender, mut seen) = channel();
    server.on("n", move |_, (n, _): (u32, String)| sender.send(n));
    let mut starting = Box::pin(server.start());
    if let Either::First(started) = first_of(&mut starting, std::future::ready(())).await {
        started.expect("started");
    }
    drop(starting);
    if !server.is_listening() {
        server.start().await.expect("a dropped start has not listened");
    }
    connects.next("the connection").await;
    let ballast = "x".repeat(100_000);
    for n in 0..50 {
        client.emit("n", &(n, &ballast)).expect("there is room");
    }
    let _ = first_of(client.close(), std::future::ready(())).await;
    for n in 0..50 {
        assert_eq!(seen.next("an event").await, n);
    }
    soon("the end", client.destroyed()).await;
    let _ = first_of(server.shutdown(Duration::from_secs(20)), std::future::ready(())).await;
    stage.until("the end of the server", || !stage.is_served()).await;
}

/// The last wait is cut short by an explicit end.
pub async fn a_client_that_waits_for_its_server_can_be_closed<R: Runtime>(stage: Stage<R>) {
    for flush in [true, false] {
        let client = stage.client_with(stage.client_config().retry(Duration::from_secs(3600)));
        let connecting = {
            let client = client.clone();
            stage.spawn(async move { client.connect().await.is_err() })
        };
        stage.until("the wait", || client.is_waiting()).await;
        if flush {
            soon("close", client.close()).await.expect("nothing was queued");
        } else {
            client.disconnect();
        }
        soon("the end", client.destroyed()).await;
        assert!(soon("the caller of connect", connecting.join()).await);
    }
}
