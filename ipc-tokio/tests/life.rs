//! Connections come and go over real sockets: reconnecting, closing, shutting down, giving up.

mod common;

use common::{Place, soon};
use ipc_tokio::{
    Client, ClientEvent, ConnectError, EmitError, Ipc, Offline, Peer, ServeError, Server, ServerEvent, StopRetrying,
};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::mpsc::unbounded_channel;

fn name(event: &ClientEvent) -> &'static str {
    match event {
        ClientEvent::Connected => "connect",
        ClientEvent::Error(_) => "error",
        ClientEvent::Disconnected { .. } => "disconnect",
        ClientEvent::Destroyed => "destroy",
        _ => "other",
    }
}

#[tokio::test]
async fn a_client_waits_for_its_server_and_comes_back_after_a_restart() {
    let place = Place::new();
    let client = place.client();
    let names = Arc::new(Mutex::new(Vec::new()));
    let heard = Arc::clone(&names);
    client.on_lifecycle(move |event| heard.lock().expect("no panic").push(name(event)));
    let (sender, mut connects) = unbounded_channel();
    client.on_connect(move || sender.send(()).expect("heard"));
    client.start();
    tokio::time::sleep(Duration::from_millis(50)).await;
    for _ in 0..2 {
        let server = place.server();
        let (sender, mut hello) = unbounded_channel();
        server.on("hello", move |_, text: String| sender.send(text));
        server.start().await.expect("started");
        soon("connect", connects.recv()).await.expect("connected");
        client.emit("hello", "again").expect("emitted");
        assert_eq!(soon("hello", hello.recv()).await.as_deref(), Some("again"));
        server.abort();
        drop(server);
        while client.is_connected() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
    client.disconnect();
    soon("the end", client.destroyed()).await;
    let names = names.lock().expect("no panic");
    // Attempts that failed are an error and a disconnect; a lost connection is a disconnect alone.
    let connects: Vec<usize> =
        names.iter().enumerate().filter(|(_, name)| **name == "connect").map(|(at, _)| at).collect();
    assert_eq!(connects.len(), 2, "{names:?}");
    assert_eq!(names[..2], ["error", "disconnect"], "{names:?}");
    assert!(connects.iter().all(|at| names[at + 1] == "disconnect"), "{names:?}");
}

#[tokio::test]
async fn a_client_gives_up_after_its_retries_and_says_why() {
    let place = Place::new();
    let client = Client::new("world", place.config().max_retries(3)).expect("a client");
    let mut events = client.events();
    let error = soon("giving up", client.connect()).await.expect_err("nobody is there");
    assert!(
        matches!(&error, ConnectError::GaveUp { last: Some(last), .. } if last.kind() == std::io::ErrorKind::NotFound)
    );
    assert!(error.to_string().contains("app.world"), "{error}");
    let mut names = Vec::new();
    while let Some(event) = soon("an event", events.recv()).await {
        names.push(name(&event));
    }
    let attempt = ["error", "disconnect"];
    let expected: Vec<_> = attempt.iter().cycle().take(8).copied().chain(["destroy"]).collect();
    assert_eq!(names, expected);
    assert!(matches!(client.emit("late", &1), Err(EmitError::Closed)));
}

#[tokio::test]
async fn a_change_of_stop_retrying_ends_the_waiting() {
    let place = Place::new();
    let ipc = Ipc::new(place.config().retry(Duration::from_secs(3600)));
    let client = ipc.connect_to("world").expect("a client");
    client.start();
    while !client.is_waiting() {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    assert!(!ipc.connect_to("world").expect("the same").is_destroyed());
    ipc.configure(|config| config.stop_retrying = StopRetrying::Yes);
    soon("the end", client.destroyed()).await;
    assert!(ipc.disconnect("world") && !ipc.disconnect("world"));
}

#[tokio::test]
async fn what_was_emitted_before_close_arrives() {
    let place = Place::new();
    let server = place.server();
    let (sender, mut seen) = unbounded_channel();
    server.on("n", move |_, (n, _): (u32, String)| sender.send(n));
    server.start().await.expect("started");
    let client = place.client();
    soon("connect", client.connect()).await.expect("connected");
    let ballast = "x".repeat(100_000);
    for n in 0..100 {
        client.emit("n", &(n, &ballast)).expect("there is room");
    }
    soon("close", client.close()).await.expect("everything was sent");
    for n in 0..100 {
        assert_eq!(soon("an event", seen.recv()).await, Some(n));
    }
    assert!(matches!(client.emit("n", &1), Err(EmitError::Closed)));
}

// `pipes` has the same for Windows.
#[cfg(unix)]
#[tokio::test]
async fn a_close_that_cannot_flush_says_how_much_was_lost() {
    let place = Place::new();
    let listener = tokio::net::UnixListener::bind(place.socket()).expect("bound");
    let client = place.client();
    soon("connect", client.connect()).await.expect("connected");
    let (_never_read, _) = soon("accept", listener.accept()).await.expect("accepted");
    let ballast = "x".repeat(1_000_000);
    for n in 0..10 {
        client.emit("n", &(n, &ballast)).expect("there is room");
    }
    let error = soon("close", client.close_within(Duration::from_millis(100))).await.expect_err("nobody reads");
    assert!((5..=10).contains(&error.unsent.messages), "{error:?}");
    assert!(error.unsent.bytes > 5_000_000, "{error:?}");
}

#[tokio::test]
async fn dropping_the_last_handle_sends_what_is_queued_and_closes() {
    let place = Place::new();
    let server = place.server();
    let mut events = server.events();
    server.start().await.expect("started");
    let client = place.client();
    soon("connect", client.connect()).await.expect("connected");
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
    for _ in 0..2_000 {
        if !place.is_served() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("the socket is still there");
}

#[tokio::test]
async fn sending_waits_for_a_slow_reader_and_a_dropped_send_has_sent_nothing() {
    let place = Place::new();
    let server = place.server();
    let mut events = server.events();
    server.start().await.expect("started");
    let client = Client::new("world", place.config().max_pending_bytes(200_000)).expect("a client");
    soon("connect", client.connect()).await.expect("connected");
    let ballast = "x".repeat(20_000);
    let sender = {
        let client = client.clone();
        tokio::spawn(async move {
            let mut sent = 0;
            for n in 0..400_u32 {
                // Given up now and then while it waits for room: then the event must not arrive.
                let limit = Duration::from_millis(if n % 7 == 0 { 1 } else { 60_000 });
                let payload = (n, &ballast);
                if let Ok(outcome) = tokio::time::timeout(limit, client.send("n", &payload)).await {
                    outcome.expect("sent");
                    sent += 1;
                    if n % 7 == 0 {
                        sent += 1_000_000;
                    }
                }
                assert!(client.pending() <= 200_000 + 21_000, "{}", client.pending());
            }
            client.close().await.expect("everything was sent");
            (sent % 1_000_000, sent / 1_000_000)
        })
    };
    let mut seen: Vec<u32> = Vec::new();
    loop {
        match soon("an event", events.recv()).await.expect("an event") {
            ServerEvent::Message(_, message) => {
                seen.push(message.data::<(u32, String)>().expect("a pair").0);
                if seen.len() % 50 == 0 {
                    tokio::time::sleep(Duration::from_millis(10)).await;
                }
            }
            ServerEvent::Disconnected { .. } => break,
            _ => {}
        }
    }
    let (sent, _lucky) = soon("the sender", sender).await.expect("no panic");
    assert_eq!(seen.len(), sent, "what was sent arrived, and what was given up did not");
    assert!(seen.windows(2).all(|pair| pair[0] < pair[1]), "in order, none twice");
}

#[tokio::test]
async fn offline_events_are_refused_buffered_or_dropped_as_configured() {
    for policy in [Offline::Refuse, Offline::Buffer, Offline::Drop] {
        let place = Place::new();
        let config = place.config().offline(policy).retry(Duration::from_millis(200));
        let client = Client::new("world", config).expect("a client");
        client.start();
        while !client.is_waiting() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        let outcome = client.emit("n", &1);
        let server = place.server();
        let (sender, mut seen) = unbounded_channel();
        server.on("n", move |_, n: u32| sender.send(n));
        server.start().await.expect("started");
        soon("connect", client.connect()).await.expect("connected");
        client.emit("n", &2).expect("connected");
        let first = soon("an event", seen.recv()).await;
        match policy {
            Offline::Refuse => assert!(matches!(outcome, Err(EmitError::NotConnected)) && first == Some(2)),
            Offline::Buffer => {
                outcome.expect("buffered");
                assert_eq!((first, soon("the next", seen.recv()).await), (Some(1), Some(2)));
            }
            _ => {
                outcome.expect("dropped in silence");
                assert_eq!((first, client.dropped().messages), (Some(2), 1));
            }
        }
    }
}

#[tokio::test]
async fn surplus_peers_are_sent_away_and_a_place_that_is_free_is_taken() {
    let place = Place::new();
    let server = Server::new(place.config().max_connections(1)).expect("a server");
    server.on_event("ping", Peer::emit_event);
    server.start().await.expect("started");
    let first = place.client();
    soon("connect", first.connect()).await.expect("connected");
    while server.is_empty() {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let second = place.client();
    let (sender, mut sent_away) = unbounded_channel();
    second.on_disconnect(move |_| sender.send(()).expect("heard"));
    let (sender, mut pong) = unbounded_channel();
    second.on("ping", move |n: u8| sender.send(n));
    second.start();
    soon("the end of the surplus connection", sent_away.recv()).await;
    assert_eq!(server.len(), 1);
    soon("close", first.close()).await.expect("sent");
    soon("a place", async {
        while second.emit("ping", &1).is_err()
            || tokio::time::timeout(Duration::from_millis(100), pong.recv()).await.is_err()
        {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
}

#[tokio::test]
async fn a_server_can_be_stopped_started_again_and_started_only_once() {
    let place = Place::new();
    let server = place.server();
    server.start().await.expect("started");
    assert!(matches!(server.start().await, Err(ServeError::AlreadyListening { .. })));
    let client = place.client();
    soon("connect", client.connect()).await.expect("connected");
    server.stop();
    assert!(!server.is_listening());
    soon("start", server.start()).await.expect("started again");
    let other = place.client();
    soon("connect", other.connect()).await.expect("connected");
    assert!(client.is_connected(), "a stop leaves connections alone");
    let report = soon("shutdown", server.shutdown(Duration::from_secs(5))).await;
    assert_eq!(report.cut, 0);
    assert!(!place.is_served());
}

#[test]
fn without_a_runtime_the_error_says_so() {
    let place = Place::new();
    let error = Server::new(place.config()).expect_err("no runtime");
    assert!(error.to_string().contains("within a Tokio runtime"), "{error}");
    let error = Client::new("world", place.config()).expect_err("no runtime");
    assert!(matches!(error, ConnectError::Runtime(_)));
}
