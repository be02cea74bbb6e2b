//! Windows named pipes: many clients, both directions at once, ends that lose nothing, names and restarts.
#![cfg(windows)]

mod common;

use common::{Place, soon};
use ipc_testkit::wine::skip_under_wine;
use ipc_tokio::{Client, ClientEvent, Peer, ServeError, Server, ServerEvent};
use std::io::{ErrorKind, Read, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::windows::named_pipe::{ClientOptions, ServerOptions};
use tokio::sync::mpsc::unbounded_channel;

const FRAME_END: u8 = 0x0c;

/// Tokio reads a little from every pipe before it is asked to.
const MORE_THAN_TOKIO_READS_UNASKED: usize = 30_000;

async fn echo(place: &Place) -> Server {
    let server = place.server();
    server.on_event("message", Peer::emit_event);
    server.start().await.expect("started");
    server
}

async fn connected(place: &Place) -> Client {
    let client = place.client();
    soon("connect", client.connect()).await.expect("connected");
    client
}

async fn refused(server: &Server) -> std::io::Error {
    match soon("start", server.start()).await.expect_err("refused") {
        ServeError::Listen { source, .. } => source,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn the_process_of_a_client_is_known() {
    let place = Place::new();
    let server = place.server();
    let (sender, mut seen) = unbounded_channel();
    server.on_connect(move |peer| sender.send(peer.remote().clone()).expect("heard"));
    server.start().await.expect("started");
    let _client = connected(&place).await;
    let credentials = soon("a peer", seen.recv()).await.expect("a peer").credentials.expect("known");
    assert_eq!((credentials.pid, credentials.uid), (Some(std::process::id()), None));
}

#[tokio::test]
async fn a_thousand_messages_come_back_one_by_one() {
    let place = Place::new();
    let _server = echo(&place).await;
    let client = place.client();
    let (sender, mut back) = unbounded_channel();
    client.on("message", move |n: u32| sender.send(n));
    soon("connect", client.connect()).await.expect("connected");
    for n in 0..1000 {
        client.emit("message", &n).expect("emitted");
        assert_eq!(soon("the answer", back.recv()).await, Some(n));
    }
    soon("close", client.close()).await.expect("sent");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fifty_clients_that_come_at_once_are_all_served() {
    let place = Arc::new(Place::new());
    let server = echo(&place).await;
    let tasks: Vec<_> = (0..50_u32)
        .map(|number| {
            let place = Arc::clone(&place);
            tokio::spawn(async move {
                // None waits for a retry: whoever finds all instances busy waits for a free one.
                let client = Client::new("world", place.config().max_retries(0)).expect("a client");
                let (sender, mut back) = unbounded_channel();
                client.on("message", move |n: u32| sender.send(n));
                soon("connect", client.connect()).await.expect("connected");
                for n in 0..20 {
                    client.emit("message", &(number * 100 + n)).expect("emitted");
                    assert_eq!(soon("the answer", back.recv()).await, Some(number * 100 + n));
                }
                client
            })
        })
        .collect();
    let mut clients = Vec::new();
    for task in tasks {
        clients.push(task.await.expect("served"));
    }
    assert_eq!(server.len(), 50);
}

#[tokio::test]
async fn a_client_that_finds_every_instance_busy_waits_for_one() {
    let place = Place::new();
    let name = pipe_name(&place);
    let mut first = ServerOptions::new().max_instances(1).create(&name).expect("created");
    let occupant = ClientOptions::new().open(&name).expect("opened");
    soon("the occupant", first.connect()).await.expect("connected");

    let client = Client::new("world", place.config().max_retries(0)).expect("a client");
    let given_up = place.client();
    let attempt = tokio::time::timeout(Duration::from_millis(50), given_up.connect());
    assert!(attempt.await.is_err(), "busy is not refused");
    // Told to end while it waits.
    given_up.disconnect();
    soon("the end", given_up.destroyed()).await;
    client.start();
    drop(occupant);
    let mut rest = Vec::new();
    soon("the occupant's end", first.read_to_end(&mut rest)).await.expect("ended");
    first.disconnect().expect("disconnected");
    soon("the client", first.connect()).await.expect("connected");
    soon("connect", client.connect()).await.expect("connected at last");
    first.write_all(b"{\"type\":\"hello\"}\x0c").await.expect("written");
}

/// The pipe of the default server of that place.
fn pipe_name(place: &Place) -> String {
    let endpoint = place.server().local_endpoint().to_string();
    endpoint.strip_prefix("pipe:").expect("a pipe").to_owned()
}

#[tokio::test]
async fn four_mebibytes_go_both_ways_at_once() {
    const BYTES: usize = 4 << 20;
    let place = Place::new();
    let server = Server::new(place.config().raw_buffer(true)).expect("a server");
    let mut arriving = server.events();
    server.start().await.expect("started");
    let client = Client::new("world", place.config().raw_buffer(true)).expect("a client");
    let mut answers = client.events();
    soon("connect", client.connect()).await.expect("connected");
    let pattern = |seed: usize| -> Vec<u8> { (0..BYTES).map(|at| ((at + seed) % 251) as u8).collect() };

    // Both sides have queued all of it before either has read a byte.
    client.emit_raw(&pattern(1)).expect("one message is always taken");
    let ServerEvent::Started(_) = soon("start", arriving.recv()).await.expect("an event") else { panic!() };
    let ServerEvent::Connected(peer) = soon("a peer", arriving.recv()).await.expect("an event") else { panic!() };
    peer.emit_raw(&pattern(2)).expect("one message is always taken");
    let (mut there, mut back) = (Vec::new(), Vec::new());
    let reading = async {
        while there.len() < BYTES {
            if let ServerEvent::Data(_, bytes) = arriving.recv().await.expect("an event") {
                there.extend_from_slice(&bytes);
            }
        }
    };
    let answering = async {
        while back.len() < BYTES {
            if let ClientEvent::Data(bytes) = answers.recv().await.expect("an event") {
                back.extend_from_slice(&bytes);
            }
        }
    };
    soon("all of it", async { tokio::join!(reading, answering) }).await;
    assert!(there == pattern(1) && back == pattern(2));
}

#[tokio::test]
async fn a_reader_that_does_not_read_stops_the_writer() {
    let place = Place::new();
    let mut idle = ServerOptions::new().create(pipe_name(&place)).expect("created");
    let client = Client::new("world", place.config().max_pending_bytes(200_000)).expect("a client");
    client.start();
    soon("the client", idle.connect()).await.expect("connected");
    soon("connect", client.connect()).await.expect("connected");
    let ballast = "x".repeat(10_000);
    let mut taken = 0;
    // What the pipe and the queue hold, and no more.
    while tokio::time::timeout(Duration::from_millis(200), client.send("n", &ballast)).await.is_ok() {
        taken += 1;
        assert!(taken < 200, "no backpressure");
    }
    let mut read = vec![0; 65_536];
    let mut ends = 0;
    while ends < taken {
        let count = soon("bytes", idle.read(&mut read)).await.expect("read");
        ends += read[..count].iter().filter(|byte| **byte == FRAME_END).count();
    }
    soon("room again", client.send("n", &ballast)).await.expect("sent");
}

#[tokio::test]
async fn what_a_server_wrote_before_it_closed_is_read_to_the_end() {
    let place = Place::new();
    let server = place.server();
    let ballast = "x".repeat(50_000);
    server.on_connect(move |peer| {
        for n in 0..100 {
            peer.emit("n", &(n, &ballast)).expect("there is room");
        }
        let peer = peer.clone();
        tokio::spawn(async move { peer.close().await });
    });
    server.start().await.expect("started");
    let client = place.client();
    let mut events = client.events();
    soon("connect", client.connect()).await.expect("connected");
    let mut seen = Vec::new();
    loop {
        match soon("an event", events.recv()).await.expect("an event") {
            ClientEvent::Message(message) => {
                seen.push(message.data::<(u32, String)>().expect("a pair").0);
                if seen.len() % 10 == 0 {
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
            }
            ClientEvent::Connected => {}
            ClientEvent::Disconnected { .. } => break,
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(seen, (0..100).collect::<Vec<_>>());
}

#[tokio::test]
async fn what_a_client_wrote_before_it_closed_is_read_to_the_end() {
    let place = Place::new();
    let server = place.server();
    let (sender, mut seen) = unbounded_channel();
    server.on("n", move |peer, (n, _): (u32, String)| {
        sender.send(n).expect("heard");
        peer.emit("thanks", &n)
    });
    let errors = Arc::new(AtomicUsize::new(0));
    let counting = Arc::clone(&errors);
    server.on_error(move |_, _| {
        counting.fetch_add(1, Ordering::SeqCst);
    });
    server.start().await.expect("started");
    let client = place.client();
    let (sender, mut thanks) = unbounded_channel();
    client.on("thanks", move |n: u32| sender.send(n));
    soon("connect", client.connect()).await.expect("connected");
    let ballast = "x".repeat(50_000);
    for n in 0..100 {
        client.emit("n", &(n, &ballast)).expect("there is room");
    }
    soon("close", client.close()).await.expect("everything was sent");
    for n in 0..100 {
        assert_eq!(soon("an event", seen.recv()).await, Some(n));
    }
    // Answers still came while it closed; a slow server's last ones may come too late.
    let mut next = 0;
    while let Ok(n) = thanks.try_recv() {
        assert_eq!(n, next);
        next += 1;
    }
    assert!(next > 0, "no answer came");
    while !server.is_empty() {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    assert_eq!(errors.load(Ordering::SeqCst), 0, "an end is no error");
}

#[tokio::test]
async fn a_peer_that_leaves_without_a_word_loses_nothing_it_wrote() {
    let place = Place::new();
    let server = place.server();
    let (sender, mut seen) = unbounded_channel();
    server.on("n", move |peer, n: u32| {
        sender.send(n).expect("heard");
        // Nobody reads that: the server finds the pipe broken by writing, with much still to be read.
        peer.emit("answer", &n)
    });
    let errors = Arc::new(AtomicUsize::new(0));
    let counting = Arc::clone(&errors);
    server.on_error(move |_, _| {
        counting.fetch_add(1, Ordering::SeqCst);
    });
    server.start().await.expect("started");
    for _ in 0..20 {
        let mut pipe = std::fs::OpenOptions::new().read(true).write(true).open(pipe_name(&place)).expect("opened");
        let frames: String = (0..2000).map(|n| format!("{{\"type\":\"n\",\"data\":{n}}}\x0c")).collect();
        assert!(frames.len() < 65_536, "it fits into the pipe");
        pipe.write_all(frames.as_bytes()).expect("written");
        drop(pipe);
        for n in 0..2000 {
            assert_eq!(soon("an event", seen.recv()).await, Some(n));
        }
        soon("the end", async {
            while !server.is_empty() {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        })
        .await;
    }
    assert_eq!(errors.load(Ordering::SeqCst), 0, "an end is no error");
}

#[tokio::test]
async fn an_abort_is_not_held_up_by_a_peer_that_does_not_read() {
    let place = Place::new();
    let server = place.server();
    let (sender, mut peers) = unbounded_channel();
    server.on_connect(move |peer| sender.send(peer.clone()).expect("heard"));
    server.start().await.expect("started");
    let mut deaf = ClientOptions::new().open(pipe_name(&place)).expect("opened");
    let peer = soon("a peer", peers.recv()).await.expect("a peer");
    peer.emit("n", &"x".repeat(1_000_000)).expect("one is always taken");
    tokio::time::sleep(Duration::from_millis(20)).await;
    server.abort();
    // The pipe is closed although nobody has read: what had left is there, then the end.
    let mut rest = Vec::new();
    let _end_or_broken = soon("the end", deaf.read_to_end(&mut rest)).await;
    assert!(rest.len() < 1_000_000, "{}", rest.len());
}

#[tokio::test]
async fn a_close_that_nobody_reads_ends_in_time_and_says_what_was_lost() {
    let place = Place::new();
    let deaf = ServerOptions::new().create(pipe_name(&place)).expect("created");
    let client = place.client();
    client.start();
    soon("the client", deaf.connect()).await.expect("connected");
    soon("connect", client.connect()).await.expect("connected");
    let ballast = "x".repeat(1_000_000);
    for n in 0..10 {
        client.emit("n", &(n, &ballast)).expect("there is room");
    }
    let error = soon("close", client.close_within(Duration::from_millis(100))).await.expect_err("nobody reads");
    assert!(error.unsent.messages >= 9 && error.unsent.bytes > 8_000_000, "{error:?}");

    // Everything is in the pipe and nobody reads it: the flush is called off, and the peer hears the end.
    let mut second = ServerOptions::new().create(pipe_name(&place)).expect("created");
    let client = place.client();
    client.start();
    soon("the client", second.connect()).await.expect("connected");
    soon("connect", client.connect()).await.expect("connected");
    client.emit("n", &*"x".repeat(MORE_THAN_TOKIO_READS_UNASKED)).expect("emitted");
    soon("close", client.close_within(Duration::from_millis(100))).await.expect("all was written");
    let mut rest = Vec::new();
    soon("the end", second.read_to_end(&mut rest)).await.expect("ended");
    assert_eq!((rest.len() > MORE_THAN_TOKIO_READS_UNASKED, rest.last()), (true, Some(&FRAME_END)));
}

#[tokio::test]
async fn a_client_comes_back_to_a_server_that_was_started_again() {
    let place = Place::new();
    let client = place.client();
    let (sender, mut connects) = unbounded_channel();
    client.on_connect(move || sender.send(()).expect("heard"));
    let (sender, mut back) = unbounded_channel();
    client.on("message", move |n: u32| sender.send(n));
    client.start();
    for n in 0..5 {
        let server = echo(&place).await;
        soon("connect", connects.recv()).await.expect("connected");
        client.emit("message", &n).expect("emitted");
        assert_eq!(soon("the answer", back.recv()).await, Some(n));
        soon("shutdown", server.shutdown(Duration::from_secs(5))).await;
    }
}

#[tokio::test]
async fn a_server_stopped_with_a_connection_starts_again_and_keeps_it() {
    let place = Place::new();
    let server = echo(&place).await;
    let client = place.client();
    let (sender, mut back) = unbounded_channel();
    client.on("message", move |n: u32| sender.send(n));
    soon("connect", client.connect()).await.expect("connected");
    while server.is_empty() {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    server.stop();
    soon("start", server.start()).await.expect("the name is ours");
    let other = connected(&place).await;
    client.emit("message", &7).expect("emitted");
    assert_eq!(soon("the answer", back.recv()).await, Some(7));
    drop(other);
}

#[tokio::test]
async fn a_name_that_is_served_is_refused_to_others() {
    let place = Place::new();
    let server = echo(&place).await;
    let error = refused(&place.server()).await;
    assert_eq!(error.kind(), ErrorKind::AddrInUse);
    assert!(error.to_string().contains("takeOver"), "{error}");
    let thief = Server::new(place.config().take_over(true)).expect("a server");
    thief.start().await.expect("told to share the name");
    drop((server, thief));
}

#[tokio::test]
async fn a_name_that_another_program_serves_is_refused() {
    if skip_under_wine("it lets a second program make the first instance of a pipe") {
        return;
    }
    let place = Place::new();
    let _squatter = ServerOptions::new().create(pipe_name(&place)).expect("created");
    let error = refused(&place.server()).await;
    assert_eq!(error.kind(), ErrorKind::AddrInUse);
    assert!(error.to_string().contains("another process"), "{error}");
}

#[tokio::test]
async fn a_name_that_has_the_prefix_is_kept() {
    let place = Place::new();
    let name = format!(r"\\.\pipe\ipc-tokio-{}-prefixed", std::process::id());
    let server = Server::at_path(&name, place.config()).expect("a server");
    server.on_event("message", Peer::emit_event);
    server.start().await.expect("started");
    assert_eq!(server.local_endpoint().to_string(), format!("pipe:{name}"));
    let client = Client::at_path(&name, place.config()).expect("a client");
    soon("connect", client.connect()).await.expect("connected");
    // By any way of writing it.
    let client = Client::at_path(&name.to_uppercase().replace("PIPE", "pipe"), place.config()).expect("a client");
    soon("connect", client.connect()).await.expect("connected");
}

#[tokio::test]
async fn raw_bytes_and_empty_writes_pass_as_what_they_are() {
    let place = Place::new();
    let server = Server::new(place.config().raw_buffer(true)).expect("a server");
    server.on_data(Peer::emit_raw);
    server.start().await.expect("started");
    let mut pipe = ClientOptions::new().open(pipe_name(&place)).expect("opened");
    let bytes: Vec<u8> = (0..=255).collect();
    for _ in 0..40 {
        // No end of the stream, although it reads like one.
        pipe.write_all(b"").await.expect("written");
        let _zero = pipe.write(b"").await.expect("written");
        pipe.write_all(&bytes).await.expect("written");
        let mut back = vec![0; bytes.len()];
        soon("the bytes", pipe.read_exact(&mut back)).await.expect("read");
        assert_eq!(back, bytes);
    }
}

#[test]
fn a_blocking_program_talks_to_it_as_to_a_file() {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime");
    let _entered = runtime.enter();
    let place = Place::new();
    let _server = runtime.block_on(echo(&place));
    let name = pipe_name(&place);
    let mut file = std::fs::OpenOptions::new().read(true).write(true).open(name).expect("opened");
    for n in 0..100 {
        let frame = format!("{{\"type\":\"message\",\"data\":{n}}}\x0c");
        file.write_all(frame.as_bytes()).expect("written");
        let mut back = vec![0; frame.len()];
        file.read_exact(&mut back).expect("read");
        assert_eq!(back, frame.as_bytes());
    }
}

#[tokio::test]
async fn a_runtime_that_ends_is_not_held_up_by_a_flush() {
    let place = Place::new();
    let mut deaf = ServerOptions::new().create(pipe_name(&place)).expect("created");
    let config = place.config();
    let ended = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async {
            let client = Client::new("world", config).expect("a client");
            client.connect().await.expect("connected");
            client.emit("n", &*"x".repeat(MORE_THAN_TOKIO_READS_UNASKED)).expect("emitted");
            let closing = tokio::time::timeout(Duration::from_millis(100), client.close());
            assert!(closing.await.is_err(), "nobody reads");
        });
    });
    soon("the client", deaf.connect()).await.expect("connected");
    soon("the end of the runtime", async {
        while !ended.is_finished() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
    ended.join().expect("no panic");
    let mut rest = Vec::new();
    soon("the end", deaf.read_to_end(&mut rest)).await.expect("ended");
}
