//! Events both ways over any stream: typed handlers, streams of events, order, large ones, many threads.

use super::{Stage, channel, soon};
use ipc_driver::runtime::Runtime;
use ipc_driver::{ClientEvent, ConnectionError, Empty, Frame, Message, Peer};
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Point {
    x: f64,
    label: Option<String>,
}

/// A handler on either side gets what serde makes of the payload, and its answer goes back.
pub async fn typed_events_go_both_ways<R: Runtime>(stage: Stage<R>) {
    let server = stage.server();
    server.on("move", |peer, point: Point| peer.emit("moved", &Point { x: point.x + 1.0, ..point }));
    server.start().await.expect("started");
    assert_eq!(server.local_endpoint(), *stage.endpoint());
    let client = stage.client();
    let (sender, mut moved) = channel();
    client.on("moved", move |point: Point| sender.send(point));
    soon("connect", client.connect()).await.expect("connected");
    client.emit("move", &Point { x: 1.5, label: Some("é\u{c}".into()) }).expect("emitted");
    assert_eq!(moved.next("the answer").await, Point { x: 2.5, label: Some("é\u{c}".into()) });
    soon("close", client.close()).await.expect("everything was sent");
}

/// What no handler takes is in the stream of either side, with the lifecycle around it.
pub async fn events_without_a_handler_come_by_the_stream<R: Runtime>(stage: Stage<R>) {
    use ipc_driver::ServerEvent as S;
    let server = stage.server();
    let mut events = server.events();
    server.start().await.expect("started");
    let client = stage.client();
    let mut heard = client.events();
    soon("connect", client.connect()).await.expect("connected");
    client.emit("question", &[1, 2]).expect("emitted");
    assert!(matches!(soon("started", events.recv()).await, Some(S::Started(at)) if at == *stage.endpoint()));
    let Some(S::Connected(peer)) = soon("a peer", events.recv()).await else { panic!("no peer") };
    let Some(S::Message(from, message)) = soon("an event", events.recv()).await else { panic!("no event") };
    assert_eq!((&from, message.name(), message.data_json()), (&peer, "question", Some("[1,2]")));
    peer.emit("answer", &3).expect("emitted");
    assert!(matches!(soon("connected", heard.recv()).await, Some(ClientEvent::Connected)));
    let Some(ClientEvent::Message(answer)) = soon("an answer", heard.recv()).await else { panic!("no answer") };
    assert_eq!((answer.name(), answer.data::<u8>().ok()), ("answer", Some(3)));
    soon("close", client.close()).await.expect("sent");
    let end = soon("the end", heard.recv()).await;
    assert!(matches!(&end, Some(ClientEvent::Disconnected { retry_in: None, .. })), "{end:?}");
    assert!(matches!(soon("the end", heard.recv()).await, Some(ClientEvent::Destroyed)));
    assert!(soon("the end of the stream", heard.recv()).await.is_none());
    let Some(S::Disconnected { peer: gone, had_error, unsent, .. }) = soon("gone", events.recv()).await else {
        panic!("the peer has not gone")
    };
    assert!(gone == peer && !had_error && unsent.is_empty(), "{gone:?} {unsent:?}");
    server.stop();
    assert!(matches!(soon("stopped", events.recv()).await, Some(S::Stopped)));
}

/// Threads that know no runtime emit into one connection.
pub async fn events_of_many_threads_arrive_once_and_in_the_order_of_each<R: Runtime>(stage: Stage<R>) {
    const THREADS: usize = 4;
    const EACH: usize = 3_000;
    let server = stage.server();
    let (sender, mut seen) = channel();
    server.on("n", move |_, pair: (usize, usize)| sender.send(pair));
    server.start().await.expect("started");
    let client = stage.connected().await;
    let threads: Vec<_> = (0..THREADS)
        .map(|thread| {
            let client = client.emitter();
            super::unblock(move || (0..EACH).try_for_each(|n| client.emit("n", &(thread, n))))
        })
        .collect();
    for thread in threads {
        soon("a thread", thread.join()).await.expect("emitted");
    }
    let mut next = [0; THREADS];
    for _ in 0..THREADS * EACH {
        let (thread, n) = seen.next("an event").await;
        assert_eq!(next[thread], n, "of thread {thread}");
        next[thread] += 1;
    }
    soon("close", client.close()).await.expect("sent");
    assert!(seen.try_next().is_none(), "nothing twice");
}

/// Events of sizes around those of buffers and of TLS records, both ways at once.
pub async fn a_burst_of_all_sizes_comes_back_whole_and_in_order<R: Runtime>(stage: Stage<R>) {
    let server = stage.server();
    server.on_event("message", Peer::emit_event);
    server.start().await.expect("started");
    let client = stage.client();
    let (sender, mut received) = channel();
    client.on("message", move |text: String| sender.send(text.len()));
    soon("connect", client.connect()).await.expect("connected");
    let sizes = || (0..3_000).map(|n| n % 70).chain([16_383, 16_384, 16_385, 65_536, 1 << 20, 5 << 20, 0, 1]);
    let sending = client.clone();
    let sent = stage.spawn(async move {
        for size in sizes() {
            sending.send("message", &"x".repeat(size)).await.expect("queued");
        }
    });
    for size in sizes() {
        assert_eq!(received.next("an echo").await, size);
    }
    soon("the sender", sent.join()).await;
    soon("close", client.close()).await.expect("everything was sent");
}

/// One message of 16 MiB, which is all that the queue may hold, there and back.
pub async fn a_large_message_comes_back_whole<R: Runtime>(stage: Stage<R>) {
    let server = stage.server();
    server.on_event("message", Peer::emit_event);
    server.start().await.expect("started");
    let client = stage.client();
    let mut events = client.events();
    soon("connect", client.connect()).await.expect("connected");
    let text = "0123456789abcdé\u{1F600}".repeat((16 << 20) / 20);
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
    assert!(back.data::<String>().expect("text") == text, "it came back changed");
}

/// An event that is called `error` or `connect` is an event.
pub async fn wire_events_with_lifecycle_names_are_messages<R: Runtime>(stage: Stage<R>) {
    let server = stage.server();
    server.on_connect(|peer| {
        for name in ["error", "connect", "disconnect", "destroy"] {
            peer.emit(name, "forged").expect("emitted");
        }
    });
    server.start().await.expect("started");
    let client = stage.client();
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

/// A handler that gets what it does not take.
pub async fn a_payload_of_another_shape_is_reported_and_the_connection_goes_on<R: Runtime>(stage: Stage<R>) {
    let server = stage.server();
    let (sender, mut errors) = channel();
    server.on_error(move |_, error| sender.send(error.clone()).expect("heard"));
    let (sender, mut numbers) = channel();
    server.on("number", move |_, number: u8| sender.send(number));
    server.start().await.expect("started");
    let client = stage.connected().await;
    client.emit("number", "seven").expect("emitted");
    client.emit("number", &7).expect("emitted");
    assert_eq!(numbers.next("the number").await, 7);
    let error = errors.next("the error").await;
    assert!(matches!(&error, ConnectionError::Handler { event, .. } if &**event == "number"), "{error:?}");
}

/// Payloads that Rust has no type for pass through as they are.
pub async fn messages_and_frames_can_be_forwarded_unparsed<R: Runtime>(stage: Stage<R>) {
    let server = stage.server();
    server.on("forward", |peer, message: Message| peer.emit_message(&message));
    server.start().await.expect("started");
    let client = stage.client();
    let (sender, mut back) = channel();
    client.on("forward", move |message: Message| sender.send(message.data_json().map(str::to_owned)));
    soon("connect", client.connect()).await.expect("connected");
    client.emit_json("forward", Some("{\"n\":12345678901234567890123,\"u\":\"\\ud800\"}")).expect("emitted");
    let frame = Frame::new(client.settings(), "forward", &[1, 2]).expect("encoded");
    client.emit_frame(&frame).expect("emitted");
    let first = back.next("the first").await;
    assert_eq!(first.as_deref(), Some("{\"n\":12345678901234567890123,\"u\":\"\\ud800\"}"));
    assert_eq!(back.next("the second").await.as_deref(), Some("[1,2]"));
}

/// `once`, `off`, `on_any` and events without data.
pub async fn handlers_come_and_go_while_events_do<R: Runtime>(stage: Stage<R>) {
    let server = stage.server();
    let (sender, mut heard) = channel();
    let tell = |label: &'static str| {
        let sender = sender.clone();
        move |_: &Peer, _: Empty| sender.send(label)
    };
    server.once("tick", tell("once"));
    let taken_out = server.on("tick", tell("taken out"));
    server.on("tick", tell("kept"));
    server.on_any({
        let sender = sender.clone();
        move |_, event| if event.name() == "tick" { sender.send("any") } else { Ok(()) }
    });
    server.on("done", tell("done"));
    server.start().await.expect("started");
    let client = stage.connected().await;
    client.signal("tick").expect("emitted");
    for label in ["any", "once", "taken out", "kept"] {
        assert_eq!(heard.next("a handler").await, label);
    }
    assert!(server.off(taken_out) && !server.off(taken_out));
    client.signal("tick").expect("emitted");
    client.signal("done").expect("emitted");
    for label in ["any", "kept", "done"] {
        assert_eq!(heard.next("a handler").await, label);
    }
    server.off_all("tick");
    client.signal("tick").expect("emitted");
    client.signal("done").expect("emitted");
    for label in ["any", "done"] {
        assert_eq!(heard.next("a handler").await, label);
    }
}
