//! The event stream, and that lifecycle and wire events are never taken for one another.

use crate::world::*;
use ipc_driver::fake::{Fake, Script, Wire};
use ipc_driver::{ClientEvent, ServerEvent};
use std::task::Poll;

#[test]
fn wire_events_with_the_names_of_lifecycle_events_are_only_messages() {
    let names = ["connect", "disconnect", "error", "close", "destroy", "start", "data", "socket.disconnected"];
    let runtime = Fake::new(1);
    let server = serve(&runtime, config());
    let lifecycle = Log::default();
    let to = lifecycle.clone();
    server.on_lifecycle(move |event| to.push(server_event(event)));
    let messages = Log::default();
    for name in names {
        let to = messages.clone();
        server.on(name, move |_, n: u64| to.push((name, n)));
    }
    server.on_event("echo", |peer, event| {
        let name: String = event.data()?;
        peer.emit(&name, &1)?;
        Ok::<_, Box<dyn std::error::Error + Send + Sync>>(())
    });
    let client = client(&runtime, config());
    let told = client_lifecycle(&client);
    let heard = Log::default();
    for name in names {
        let to = heard.clone();
        client.on(name, move |_: u64| to.push(name));
    }
    runtime.block_on(client.connect()).unwrap();
    for (n, name) in names.iter().enumerate() {
        client.emit(name, &n).unwrap();
        client.emit("echo", name).unwrap();
    }
    runtime.run();
    assert_eq!(lifecycle.take(), ["connected #0"]);
    assert_eq!(told.take(), ["connected"]);
    assert_eq!(messages.take(), names.iter().enumerate().map(|(n, name)| (*name, n as u64)).collect::<Vec<_>>());
    assert_eq!(heard.take(), names);
}

#[test]
fn the_stream_of_a_server_tells_of_a_silent_peer() {
    let runtime = Fake::new(2);
    let server = server(&runtime, config());
    let mut events = server.events();
    runtime.block_on(server.start()).unwrap();
    let end = dial(&runtime);
    let mut seen = Vec::new();
    while let Poll::Ready(Some(event)) = poll_once(events.recv()) {
        seen.push(server_event(&event));
    }
    assert_eq!(seen, ["started", "connected #0"]);
    drop(end);
    runtime.run();
    drop(server);
    runtime.run();
    while let Poll::Ready(Some(event)) = poll_once(events.recv()) {
        seen.push(server_event(&event));
    }
    assert_eq!(seen[2..], ["disconnected #0, 0 unsent", "stopped"]);
    assert!(matches!(poll_once(events.recv()), Poll::Ready(None)));
}

#[test]
fn the_stream_of_a_client_tells_of_a_silent_server() {
    let runtime = Fake::new(3);
    let _listener = listen(&runtime);
    let client = client(&runtime, config());
    let mut events = client.events();
    client.start();
    let event = runtime.block_on(events.recv()).unwrap();
    assert!(matches!(event, ClientEvent::Connected));
    client.disconnect();
    runtime.run();
    let mut rest = Vec::new();
    while let Some(event) = runtime.block_on(events.recv()) {
        rest.push(client_event(&event));
    }
    assert_eq!(rest, ["disconnected, 0 unsent", "destroyed"]);
}

#[test]
fn an_event_that_a_handler_takes_is_not_in_the_stream() {
    let runtime = Fake::new(4);
    let server = serve(&runtime, config());
    let mut events = server.events();
    let got = Log::default();
    let to = got.clone();
    server.on("taken", move |_, n: u64| to.push(n));
    let client = connect(&runtime, config());
    for n in 0..3_u64 {
        client.emit("taken", &n).unwrap();
        client.emit("left", &n).unwrap();
    }
    runtime.run();
    let mut seen = Vec::new();
    while let Poll::Ready(Some(event)) = poll_once(events.recv()) {
        seen.push(server_event(&event));
    }
    assert_eq!(seen, ["connected #0", "message #0 left", "message #0 left", "message #0 left"]);
    assert_eq!(got.take(), [0, 1, 2]);
}

#[test]
fn a_second_stream_replaces_the_first_for_connections_that_are_open_already() {
    let runtime = Fake::new(5);
    let server = serve(&runtime, config());
    let mut first = server.events();
    let client = connect(&runtime, config());
    client.emit("one", &1).unwrap();
    runtime.run();
    let mut second = server.events();
    client.emit("two", &2).unwrap();
    runtime.run();
    let seen = |events: &mut ipc_driver::Events<ServerEvent>| {
        let mut seen = Vec::new();
        loop {
            match poll_once(events.recv()) {
                Poll::Ready(Some(event)) => seen.push(server_event(&event)),
                Poll::Ready(None) => return (seen, true),
                Poll::Pending => return (seen, false),
            }
        }
    };
    assert_eq!(seen(&mut first), (vec!["connected #0".into(), "message #0 one".into()], true));
    assert_eq!(seen(&mut second), (vec!["message #0 two".into()], false));
}

#[test]
fn what_waits_for_room_in_a_stream_moves_to_the_one_that_replaces_it() {
    let runtime = Fake::new(6);
    let server = serve(&runtime, config().event_queue(1));
    let first = server.events();
    let mut end = dial(&runtime);
    let all: String = (0..50).map(|n| frame("n", n)).collect();
    runtime.block_on(end.send(all.as_bytes())).unwrap();
    runtime.run();
    let mut second = server.events();
    let mut first = first;
    let mut seen = Vec::new();
    while let Poll::Ready(Some(event)) = poll_once(first.recv()) {
        if let ServerEvent::Message(_, message) = event {
            seen.push(message.data::<u64>().unwrap());
        }
    }
    drop(first);
    while seen.len() < 50 {
        if let Some(ServerEvent::Message(_, message)) = runtime.block_on(second.recv()) {
            seen.push(message.data::<u64>().unwrap());
        }
    }
    assert_eq!(seen, (0..50).collect::<Vec<_>>());
}

#[test]
fn a_dropped_stream_lets_the_connection_go_on() {
    let runtime = Fake::new(7);
    let server = serve(&runtime, config().event_queue(1));
    let events = server.events();
    let got = Log::default();
    let to = got.clone();
    server.on("heard", move |_, n: u64| to.push(n));
    let mut end = dial(&runtime);
    let all: String = (0..50).map(|n| frame("unheard", n) + &frame("heard", n)).collect();
    runtime.block_on(end.send(all.as_bytes())).unwrap();
    runtime.run();
    assert!(got.len() < 5);
    drop(events);
    runtime.run();
    assert_eq!(got.take(), (0..50).collect::<Vec<_>>());
}

#[test]
fn raw_bytes_come_unchanged_and_without_borders() {
    let runtime = Fake::new(8);
    let script = Wire::default().capacity(40).reads(ipc_driver::fake::Sizes::Random(20));
    runtime.network().set_script(Script::both(script));
    let server = serve(&runtime, config().raw_buffer(true).event_queue(1));
    let mut events = server.events();
    let client = connect(&runtime, config().raw_buffer(true));
    let bytes: Vec<u8> = (0..2000_u32).map(|n| (n * 7 % 251) as u8).collect();
    assert!(client.emit("n", &1).is_err());
    bytes.chunks(100).for_each(|chunk| client.emit_raw(chunk).unwrap());
    drop(client);
    drop(server);
    let mut got = Vec::new();
    while let Some(event) = runtime.block_on(events.recv()) {
        if let ServerEvent::Data(_, data) = event {
            got.extend_from_slice(&data);
        }
    }
    assert_eq!(got, bytes);
}

#[test]
fn raw_bytes_of_a_write_that_broke_are_not_continued_on_the_next_connection() {
    let runtime = Fake::new(9);
    runtime.network().set_script(Script::both(Wire::default().capacity(10)));
    let mut listener = listen(&runtime);
    let client = connect(&runtime, config().raw_buffer(true).offline(ipc_driver::Offline::Buffer));
    let end = runtime.block_on(listener.accept()).unwrap();
    client.emit_raw(&[1; 100]).unwrap();
    runtime.run();
    end.connection().reset();
    runtime.run();
    client.emit_raw(&[2; 5]).unwrap();
    runtime.advance(SECOND);
    let mut end = runtime.block_on(listener.accept()).unwrap();
    assert_eq!(runtime.block_on(end.receive()).unwrap(), [2; 5]);
    assert_eq!(client.dropped().bytes, 90);
}

#[test]
fn peers_that_come_and_go_while_nobody_reads_the_stream_do_not_pile_up() {
    const PEERS: usize = 300;
    let runtime = Fake::new(20);
    let server = server(&runtime, config().event_queue(10).accept_backlog(10_000));
    let mut events = server.events();
    runtime.block_on(server.start()).unwrap();
    for _ in 0..PEERS {
        drop(dial(&runtime));
        runtime.run();
    }
    runtime.advance(SECOND);
    let tasks = runtime.tasks().len();
    assert!(tasks <= 20, "{tasks} tasks");
    assert!(server.is_empty());
    // Nobody was lost: they are accepted as room comes.
    let (mut came, mut went) = (0, 0);
    while went < PEERS {
        match poll_once(events.recv()) {
            Poll::Ready(Some(ServerEvent::Connected(_))) => came += 1,
            Poll::Ready(Some(ServerEvent::Disconnected { .. })) => went += 1,
            Poll::Ready(Some(_)) => {}
            Poll::Ready(None) => panic!("the stream ended"),
            Poll::Pending => runtime.advance(MILLISECOND * 10),
        }
    }
    assert_eq!(came, PEERS);
}

#[test]
fn raw_bytes_that_nobody_takes_are_counted_and_those_of_a_handler_or_a_stream_are_not() {
    let runtime = Fake::new(12);
    let server = serve(&runtime, config().raw_buffer(true));
    let client = connect(&runtime, config().raw_buffer(true));
    let exchange = |bytes: &[u8]| {
        client.emit_raw(bytes).unwrap();
        server.peers()[0].emit_raw(bytes).unwrap();
        runtime.run();
        (server.counters().traffic.unhandled, client.counters().traffic.unhandled)
    };
    assert_eq!((exchange(b"one"), exchange(b"two")), ((1, 1), (2, 2)));
    let (mut of_server, mut of_client) = (server.events(), client.events());
    assert_eq!(exchange(b"three"), (2, 2));
    let Poll::Ready(Some(ServerEvent::Data(_, bytes))) = poll_once(of_server.recv()) else { panic!("bytes were sent") };
    assert_eq!(bytes, "three");
    let Poll::Ready(Some(ClientEvent::Data(bytes))) = poll_once(of_client.recv()) else { panic!("bytes were sent") };
    assert_eq!(bytes, "three");
    drop((of_server, of_client));
    let heard = Log::default();
    let (one, two) = (heard.clone(), heard.clone());
    server.on_data(move |_, bytes| one.push(("server", bytes.to_vec())));
    client.on_data(move |bytes| two.push(("client", bytes.to_vec())));
    assert_eq!(exchange(b"four"), (2, 2));
    let mut heard = heard.take();
    heard.sort_unstable();
    assert_eq!(heard, [("client", b"four".to_vec()), ("server", b"four".to_vec())]);
}
