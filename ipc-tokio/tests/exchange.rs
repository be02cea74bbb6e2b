//! Events both ways over real sockets: typed handlers, streams, many threads, order.

mod common;

use common::{Place, soon};
use ipc_tokio::{Client, ClientEvent, Config, ConnectionError, Frame, Message, OnMalformed, Peer, Server, ServerEvent};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::mpsc::unbounded_channel;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Point {
    x: f64,
    label: Option<String>,
}

async fn exchange(server: Server, client: impl FnOnce(&Server) -> Client) {
    server.on("move", |peer, point: Point| peer.emit("moved", &Point { x: point.x + 1.0, ..point }));
    server.start().await.expect("started");
    let client = client(&server);
    let (sender, mut moved) = unbounded_channel();
    client.on("moved", move |point: Point| sender.send(point));
    soon("connect", client.connect()).await.expect("connected");
    client.emit("move", &Point { x: 1.5, label: Some("é\u{c}".into()) }).expect("emitted");
    let point = soon("the answer", moved.recv()).await.expect("an answer");
    assert_eq!(point, Point { x: 2.5, label: Some("é\u{c}".into()) });
    soon("close", client.close()).await.expect("everything was sent");
}

#[tokio::test]
async fn typed_events_go_both_ways_over_a_local_socket() {
    let place = Place::new();
    exchange(place.server(), |_| place.client()).await;
}

#[tokio::test]
async fn typed_events_go_both_ways_over_tcp() {
    let server = Server::net(Some("127.0.0.1"), Some(0), Config::new("world")).expect("a server");
    exchange(server, |server| {
        let port = server.local_endpoint().port();
        assert_ne!(port, Some(0), "the port the system chose");
        Client::net(Some("localhost"), port, Config::new("hello")).expect("a client")
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn events_of_many_threads_arrive_once_and_in_the_order_of_each() {
    const THREADS: usize = 4;
    const EACH: usize = 3_000;
    let place = Place::new();
    let server = place.server();
    let (sender, mut seen) = unbounded_channel();
    server.on("n", move |_, pair: (usize, usize)| sender.send(pair));
    server.start().await.expect("started");
    let client = place.client();
    soon("connect", client.connect()).await.expect("connected");
    let threads: Vec<_> = (0..THREADS)
        .map(|thread| {
            let client = client.emitter();
            std::thread::spawn(move || (0..EACH).try_for_each(|n| client.emit("n", &(thread, n))))
        })
        .collect();
    for thread in threads {
        thread.join().expect("no panic").expect("emitted");
    }
    let mut next = [0; THREADS];
    for _ in 0..THREADS * EACH {
        let (thread, n) = soon("an event", seen.recv()).await.expect("an event");
        assert_eq!(next[thread], n, "of thread {thread}");
        next[thread] += 1;
    }
    soon("close", client.close()).await.expect("sent");
    assert!(seen.try_recv().is_err(), "nothing twice");
}

#[tokio::test]
async fn a_large_message_comes_back_whole() {
    let place = Place::new();
    let server = place.server();
    server.on_event("message", Peer::emit_event);
    server.start().await.expect("started");
    let client = place.client();
    let mut events = client.events();
    soon("connect", client.connect()).await.expect("connected");
    let text: String = "0123456789abcdé\u{1F600}".chars().cycle().take(6_000_000).collect();
    client.emit("message", &text).expect("one message is always taken");
    let back = soon("the echo", async {
        loop {
            match events.recv().await.expect("the client lives") {
                ClientEvent::Message(message) => break message,
                ClientEvent::Connected => {}
                other => panic!("{other:?}"),
            }
        }
    })
    .await;
    assert_eq!(back.data::<String>().expect("text"), text);
}

#[tokio::test]
async fn a_broadcast_reaches_everybody_and_says_so() {
    let place = Place::new();
    let server = place.server();
    let mut events = server.events();
    server.start().await.expect("started");
    let heard = Arc::new(AtomicUsize::new(0));
    let mut clients = Vec::new();
    for _ in 0..5 {
        let client = place.client();
        let heard = Arc::clone(&heard);
        client.on("news", move |text: String| {
            assert_eq!(text, "all");
            heard.fetch_add(1, Ordering::SeqCst);
        });
        soon("connect", client.connect()).await.expect("connected");
        clients.push(client);
    }
    let mut connected = 0;
    while connected < 5 {
        if let ServerEvent::Connected(_) = soon("a peer", events.recv()).await.expect("an event") {
            connected += 1;
        }
    }
    let outcome = server.broadcast("news", "all").expect("encoded");
    assert_eq!((outcome.queued, outcome.full, outcome.closed), (5, 0, 0));
    let report = soon("shutdown", server.shutdown(std::time::Duration::from_secs(10))).await;
    assert_eq!((report.clean, report.cut), (5, 0));
    for client in &clients {
        client.disconnect();
        soon("the end", client.destroyed()).await;
    }
    assert_eq!(heard.load(Ordering::SeqCst), 5);
}

#[tokio::test]
async fn wire_events_with_lifecycle_names_are_messages() {
    let place = Place::new();
    let server = place.server();
    server.on_connect(|peer| {
        for name in ["error", "connect", "disconnect", "destroy"] {
            peer.emit(name, "forged").expect("emitted");
        }
    });
    server.start().await.expect("started");
    let client = place.client();
    let mut events = client.events();
    soon("connect", client.connect()).await.expect("connected");
    let mut names = Vec::new();
    let mut lifecycle = Vec::new();
    while names.len() < 4 {
        match soon("an event", events.recv()).await.expect("an event") {
            ClientEvent::Message(message) => names.push(message.name().to_owned()),
            other => lifecycle.push(other),
        }
    }
    assert_eq!(names, ["error", "connect", "disconnect", "destroy"]);
    assert!(matches!(lifecycle[..], [ClientEvent::Connected]), "{lifecycle:?}");
}

#[tokio::test]
async fn a_payload_of_another_shape_is_reported_and_the_connection_goes_on() {
    let place = Place::new();
    let server = place.server();
    let (sender, mut errors) = unbounded_channel();
    server.on_error(move |_, error| sender.send(error.clone()).expect("heard"));
    let (sender, mut numbers) = unbounded_channel();
    server.on("number", move |_, number: u8| sender.send(number));
    server.start().await.expect("started");
    let client = place.client();
    soon("connect", client.connect()).await.expect("connected");
    client.emit("number", "seven").expect("emitted");
    client.emit("number", &7).expect("emitted");
    assert_eq!(soon("the number", numbers.recv()).await, Some(7));
    let error = soon("the error", errors.recv()).await.expect("an error");
    assert!(matches!(&error, ConnectionError::Handler { event, .. } if &**event == "number"), "{error:?}");
}

#[tokio::test]
async fn a_frame_that_is_no_event_is_reported_or_ends_the_connection_as_configured() {
    for (policy, goes_on) in [(OnMalformed::Report, true), (OnMalformed::Close, false)] {
        let config = Config::new("world").malformed(policy);
        // Over TCP, where a peer can end its own side and read on, whatever the system.
        let server = Server::net(Some("127.0.0.1"), Some(0), config).expect("a server");
        server.on_event("message", Peer::emit_event);
        let (sender, mut errors) = unbounded_channel();
        server.on_error(move |_, error| sender.send(error.clone()).expect("heard"));
        server.start().await.expect("started");
        let port = server.local_endpoint().port().expect("a port");
        let mut socket = tokio::net::TcpStream::connect(("127.0.0.1", port)).await.expect("connected");
        socket.write_all(b"{\"type\":}\x0c{\"type\":\"message\",\"data\":1}\x0c").await.expect("written");
        socket.shutdown().await.expect("ended");
        let mut answer = String::new();
        soon("the end", socket.read_to_string(&mut answer)).await.expect("read");
        assert_eq!(answer == "{\"type\":\"message\",\"data\":1}\x0c", goes_on, "{answer}");
        let error = soon("the error", errors.recv()).await.expect("an error");
        let ConnectionError::Protocol { error, frame, fatal } = error else { panic!("{error:?}") };
        assert_eq!((error.code().as_str(), &*frame, fatal), ("ERR_IPC_INVALID_JSON", "{\"type\":}", !goes_on));
    }
}

#[tokio::test]
async fn raw_connections_carry_bytes_as_they_are() {
    let place = Place::new();
    let server = Server::new(place.config().raw_buffer(true)).expect("a server");
    server.on_data(Peer::emit_raw);
    server.start().await.expect("started");
    let client = Client::new("world", place.config().raw_buffer(true)).expect("a client");
    let mut events = client.events();
    soon("connect", client.connect()).await.expect("connected");
    let bytes: Vec<u8> = (0..=255).collect();
    client.emit_raw(&bytes).expect("emitted");
    assert!(client.emit("message", "framed").is_err(), "a raw connection has no events");
    let mut back = Vec::new();
    while back.len() < bytes.len() {
        if let ClientEvent::Data(data) = soon("bytes", events.recv()).await.expect("an event") {
            back.extend_from_slice(&data);
        }
    }
    assert_eq!(back, bytes);
}

#[tokio::test]
async fn messages_and_frames_can_be_forwarded_unparsed() {
    let place = Place::new();
    let server = place.server();
    server.on("forward", |peer, message: Message| peer.emit_message(&message));
    server.start().await.expect("started");
    let client = place.client();
    let (sender, mut back) = unbounded_channel();
    client.on("forward", move |message: Message| sender.send(message.data_json().map(str::to_owned)));
    soon("connect", client.connect()).await.expect("connected");
    client.emit_json("forward", Some("{\"n\":12345678901234567890123,\"u\":\"\\ud800\"}")).expect("emitted");
    let frame = Frame::new(client.settings(), "forward", &[1, 2]).expect("encoded");
    client.emit_frame(&frame).expect("emitted");
    let first = soon("the first", back.recv()).await.expect("a message");
    assert_eq!(first.as_deref(), Some("{\"n\":12345678901234567890123,\"u\":\"\\ud800\"}"));
    assert_eq!(soon("the second", back.recv()).await.flatten().as_deref(), Some("[1,2]"));
}

#[tokio::test]
async fn a_peer_that_never_pauses_leaves_sockets_and_timers_their_turn() {
    let server = Server::net(Some("127.0.0.1"), Some(0), Config::new("world").raw_buffer(true)).expect("a server");
    let reads = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&reads);
    server.on_data(move |_: &Peer, _: &[u8]| {
        // Slower than the peer, so that there is always more to read.
        std::thread::sleep(std::time::Duration::from_micros(200));
        count.fetch_add(1, Ordering::Relaxed);
    });
    server.start().await.expect("started");
    let port = server.local_endpoint().port().expect("a port");
    let peer = std::thread::spawn(move || {
        use std::io::Write;
        let mut stream = std::net::TcpStream::connect(("127.0.0.1", port)).expect("connected");
        while stream.write_all(&[0; 1 << 16]).is_ok() {}
    });
    let (mut before, mut most) = (0, 0);
    while before < 400 {
        // Goes on when the runtime has looked at its sockets and timers.
        tokio::task::yield_now().await;
        let now = reads.load(Ordering::Relaxed);
        most = most.max(now - before);
        before = now;
    }
    assert!(most <= 64, "{most} reads in a row");
    server.peers().iter().for_each(Peer::abort);
    tokio::task::yield_now().await;
    drop(server);
    soon("the peer", tokio::task::spawn_blocking(|| peer.join())).await.expect("a thread").expect("no panic");
}
