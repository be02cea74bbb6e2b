//! Ends: what is sent before them, what is lost, and what both sides are told.

use super::{Stage, Transport, channel, not_tested, soon};
use ipc_driver::runtime::Runtime;
use ipc_driver::{EmitError, Peer, ServerEvent};
use std::time::Duration;

/// 10 MB, more than any socket holds.
pub async fn what_was_emitted_before_close_arrives<R: Runtime>(stage: Stage<R>) {
    let server = stage.server();
    let (sender, mut seen) = channel();
    server.on("n", move |_, (n, _): (u32, String)| sender.send(n));
    server.start().await.expect("started");
    let client = stage.connected().await;
    let ballast = "x".repeat(100_000);
    for n in 0..100 {
        client.emit("n", &(n, &ballast)).expect("there is room");
    }
    soon("close", client.close()).await.expect("everything was sent");
    for n in 0..100 {
        assert_eq!(seen.next("an event").await, n);
    }
    assert!(matches!(client.emit("n", &1), Err(EmitError::Closed)));
}

/// The same from the side of the server, by its shutdown and by closing one peer.
pub async fn what_a_server_has_queued_arrives_before_it_ends<R: Runtime>(stage: Stage<R>) {
    for by_shutdown in [true, false] {
        let server = stage.server();
        server.start().await.expect("started");
        let client = stage.client();
        let (sender, mut seen) = channel();
        client.on("n", move |(n, _): (u32, String)| sender.send(n));
        soon("connect", client.connect()).await.expect("connected");
        stage.until("a peer", || !server.is_empty()).await;
        let peer = server.peers().remove(0);
        let ballast = "x".repeat(100_000);
        for n in 0..100 {
            peer.emit("n", &(n, &ballast)).expect("there is room");
        }
        client.set_stop_retrying(true);
        if by_shutdown {
            let report = soon("shutdown", server.shutdown(Duration::from_secs(20))).await;
            assert_eq!((report.clean, report.cut, report.unsent.messages), (1, 0, 0));
        } else {
            soon("close", peer.close()).await.expect("everything was sent");
        }
        assert!(peer.is_closed() && matches!(peer.emit("n", &1), Err(EmitError::Closed)));
        for n in 0..100 {
            assert_eq!(seen.next("an event").await, n);
        }
        soon("the end", client.destroyed()).await;
        soon("shutdown", server.shutdown(Duration::from_secs(20))).await;
    }
}

/// A client whose last handle goes has closed.
pub async fn dropping_the_last_handle_sends_what_is_queued_and_closes<R: Runtime>(stage: Stage<R>) {
    let server = stage.server();
    let mut events = server.events();
    server.start().await.expect("started");
    let client = stage.connected().await;
    let clone = client.clone();
    drop(client);
    clone.emit("last", "words").expect("a clone keeps it alive");
    drop(clone);
    let mut names = Vec::new();
    loop {
        match soon("an event", events.recv()).await.expect("an event") {
            ServerEvent::Message(_, message) => names.push(message.name().to_owned()),
            ServerEvent::Disconnected { had_error, .. } => {
                assert!(!had_error);
                break;
            }
            _ => {}
        }
    }
    assert_eq!(names, ["last"]);
    drop(events);
    drop(server);
    // The socket goes with the server.
    stage.until("the end of the socket", || !stage.is_served()).await;
}

/// A peer that does not read: `close` gives up, `disconnect` and `abort` do not even try.
pub async fn an_end_that_cannot_flush_says_how_much_was_lost<R: Runtime>(stage: Stage<R>) {
    if cfg!(windows) && stage.transport() != Transport::Local {
        return not_tested(
            "an_end_that_cannot_flush_says_how_much_was_lost: Windows takes a write of any length at once",
        );
    }
    let server = stage.server_with(stage.config().event_queue(1));
    // Nobody takes from it.
    let unread = server.events();
    server.start().await.expect("started");
    let ballast = "x".repeat(1_000_000);
    let client = stage.client_with(stage.client_config().max_pending_bytes(64 << 20));
    soon("connect", client.connect()).await.expect("connected");
    for n in 0..30 {
        client.emit("n", &(n, &ballast)).expect("there is room");
    }
    let error = soon("close", client.close_within(Duration::from_millis(100))).await.expect_err("nobody reads");
    assert!((1..=30).contains(&error.unsent.messages), "{error:?}");
    assert!(error.unsent.bytes > 0, "{error:?}");
    assert!(error.to_string().contains("unsent"), "{error}");
    drop(unread);
    server.abort();
}

/// The same with a peer that takes nothing at all, on a socket of the standard library.
#[cfg(unix)]
pub async fn a_close_that_cannot_flush_says_how_much_was_lost<R: Runtime>(stage: Stage<R>) {
    let listener = std::os::unix::net::UnixListener::bind(stage.socket()).expect("bound");
    let client = stage.connected().await;
    let accepting = super::unblock(move || listener.accept().expect("accepted"));
    let (_never_read, _) = soon("accept", accepting.join()).await;
    let ballast = "x".repeat(1_000_000);
    for n in 0..10 {
        client.emit("n", &(n, &ballast)).expect("there is room");
    }
    let error = soon("close", client.close_within(Duration::from_millis(100))).await.expect_err("nobody reads");
    assert!((5..=10).contains(&error.unsent.messages), "{error:?}");
    assert!(error.unsent.bytes > 5_000_000, "{error:?}");
}

/// `ipc.disconnect(id)`.
pub async fn a_disconnect_ends_at_once_and_both_sides_hear_of_it<R: Runtime>(stage: Stage<R>) {
    let server = stage.server();
    let (sender, mut gone) = channel();
    server.on_disconnect(move |peer, _| sender.tell(peer.clone()));
    server.start().await.expect("started");
    let client = stage.client();
    let (sender, mut told) = channel();
    let tell = sender.clone();
    client.on_disconnect(move |retry_in| sender.tell(format!("disconnect {retry_in:?}")));
    client.on_destroy(move || tell.tell("destroy".into()));
    soon("connect", client.connect()).await.expect("connected");
    stage.until("a peer", || !server.is_empty()).await;
    client.disconnect();
    soon("the end", client.destroyed()).await;
    assert!(client.is_destroyed() && !client.is_connected());
    assert_eq!(told.next("disconnect").await, "disconnect None");
    assert_eq!(told.next("destroy").await, "destroy");
    let peer = gone.next("the peer").await;
    assert!(server.is_empty() && matches!(peer.emit("late", &1), Err(EmitError::Closed)));
}

/// `socket.destroy()`: one is cut, the others stay.
pub async fn an_abort_of_one_peer_leaves_the_others<R: Runtime>(stage: Stage<R>) {
    let server = stage.server();
    server.on_event("ping", Peer::emit_event);
    server.start().await.expect("started");
    let first = stage.connected().await;
    stage.until("the first", || server.len() == 1).await;
    let second = stage.client();
    let (sender, mut pong) = channel();
    second.on("ping", move |n: u32| sender.send(n));
    soon("connect", second.connect()).await.expect("connected");
    stage.until("the second", || server.len() == 2).await;
    first.set_stop_retrying(true);
    server.peers()[0].abort();
    soon("the end of the first", first.destroyed()).await;
    second.emit("ping", &2).expect("emitted");
    assert_eq!(pong.next("pong").await, 2);
    stage.until("one is left", || server.len() == 1).await;
    second.set_stop_retrying(true);
    server.abort();
    soon("the end of the second", second.destroyed()).await;
}

/// Both at the same moment, again and again.
pub async fn ends_from_both_sides_at_once_are_ends<R: Runtime>(stage: Stage<R>) {
    for round in 0..20 {
        // Not every system lets a port be served again at once.
        let stage = stage.another();
        let server = stage.server();
        server.start().await.expect("started");
        let client = stage.client_with(stage.client_config().stop_retrying(true));
        soon("connect", client.connect()).await.expect("connected");
        stage.until("a peer", || !server.is_empty()).await;
        let peer = server.peers().remove(0);
        let closing = {
            let client = client.clone();
            stage.spawn(async move { client.close().await })
        };
        if round % 2 == 0 {
            soon("close", peer.close()).await.expect("nothing was queued");
        } else {
            peer.abort();
        }
        let _reset = soon("close", closing.join()).await;
        soon("the end", client.destroyed()).await;
        let report = soon("shutdown", server.shutdown(Duration::from_secs(20))).await;
        assert!(report.unsent.is_empty(), "{report:?}");
    }
}
