//! Peers that break the protocol, or take too long about it. Over TCP, where a plain socket of the standard library can play the
//! peer, end its own side and read on, whatever the system.
#![allow(missing_docs, reason = "the name of a behaviour says what it is")]

use super::{Receiver, Stage, channel, soon, unblock};
use ipc_driver::runtime::Runtime;
use ipc_driver::{Client, ConnectionError, OnMalformed, Peer, Server};
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::time::Duration;

fn errors_of<R: Runtime>(server: &Server<R>) -> Receiver<ConnectionError> {
    let (sender, errors) = channel();
    server.on_error(move |_, error| sender.tell(error.clone()));
    errors
}

pub async fn a_frame_that_is_no_event_is_reported_or_ends_the_connection_as_configured<R: Runtime>(stage: Stage<R>) {
    for (policy, goes_on) in [(OnMalformed::Report, true), (OnMalformed::Close, false)] {
        let server = stage.server_with(stage.config().malformed(policy));
        server.on_event("message", Peer::emit_event);
        let mut errors = errors_of(&server);
        server.start().await.expect("started");
        let address = stage.address();
        let talking = unblock(move || {
            let mut socket = TcpStream::connect(address).expect("connected");
            socket.write_all(b"{\"type\":}\x0c{\"type\":\"message\",\"data\":1}\x0c").expect("written");
            socket.shutdown(Shutdown::Write).expect("ended");
            let mut answer = String::new();
            socket.read_to_string(&mut answer).expect("read");
            answer
        });
        let answer = soon("the end", talking.join()).await;
        assert_eq!(answer == "{\"type\":\"message\",\"data\":1}\x0c", goes_on, "{answer}");
        let ConnectionError::Protocol { error, frame, fatal, .. } = errors.next("the error").await else { panic!() };
        assert_eq!((error.code().as_str(), &*frame, fatal), ("ERR_IPC_INVALID_JSON", "{\"type\":}", !goes_on));
        soon("shutdown", server.shutdown(Duration::from_secs(20))).await;
    }
}

pub async fn a_message_that_is_never_finished_ends_the_connection_in_time<R: Runtime>(stage: Stage<R>) {
    let server = stage.server_with(stage.config().message_timeout(Duration::from_millis(50)));
    let mut errors = errors_of(&server);
    server.on_event("message", Peer::emit_event);
    server.start().await.expect("started");
    // One that is idle is not late.
    let idle = stage.client();
    let (sender, mut back) = channel();
    idle.on("message", move |n: u32| sender.send(n));
    soon("connect", idle.connect()).await.expect("connected");
    stage.until("it", || server.len() == 1).await;
    let address = stage.address();
    let slow = unblock(move || {
        let mut socket = TcpStream::connect(address).expect("connected");
        socket.write_all(b"{\"type\":\"message\",").expect("written");
        let mut answer = Vec::new();
        // A reset is an end too.
        let _reset = socket.read_to_end(&mut answer);
        answer
    });
    assert!(soon("the end", slow.join()).await.is_empty());
    let ConnectionError::Protocol { error, fatal: true, .. } = errors.next("the error").await else { panic!() };
    assert!(error.to_string().contains("50"), "{error}");
    stage.until("the late one has gone", || server.len() == 1).await;
    idle.emit("message", &1).expect("it is still connected");
    assert_eq!(back.next("the echo").await, 1);
}

pub async fn a_message_larger_than_allowed_is_refused_by_both_sides<R: Runtime>(stage: Stage<R>) {
    let server = stage.server_with(stage.config().max_message_size(1_000));
    let mut errors = errors_of(&server);
    server.start().await.expect("started");
    let small = stage.client_with(stage.client_config().max_message_size(1_000));
    soon("connect", small.connect()).await.expect("connected");
    let error = small.emit("message", &"x".repeat(1_000)).expect_err("too large").to_string();
    assert!(error.contains("1000") || error.contains("1,000"), "{error}");
    let careless = stage.client_with(stage.client_config().stop_retrying(true));
    soon("connect", careless.connect()).await.expect("connected");
    careless.emit("message", &"x".repeat(100_000)).expect("queued");
    soon("the end", careless.destroyed()).await;
    let ConnectionError::Protocol { error, fatal: true, .. } = errors.next("the error").await else { panic!() };
    assert_eq!(error.code().as_str(), "ERR_IPC_FRAME_TOO_LARGE");
    assert!(small.is_connected());
}

pub async fn bytes_that_come_one_by_one_are_the_same_events<R: Runtime>(stage: Stage<R>) {
    let server = stage.server();
    let (sender, mut heard) = channel();
    server.on("message", move |_, text: String| sender.send(text));
    server.start().await.expect("started");
    let address = stage.address();
    let writing = unblock(move || {
        let mut socket = TcpStream::connect(address).expect("connected");
        socket.set_nodelay(true).expect("a socket option");
        for byte in
            "{\"type\":\"message\",\"data\":\"é\u{1F600}\"}\u{c}{\"type\":\"message\",\"data\":\"b\"}\u{c}".bytes()
        {
            socket.write_all(&[byte]).expect("written");
        }
        socket
    });
    let _socket = soon("the writer", writing.join()).await;
    assert_eq!(heard.next("the first").await, "é\u{1F600}");
    assert_eq!(heard.next("the second").await, "b");
}

/// A peer that ends its own side and waits for answers gets them.
pub async fn a_peer_that_has_ended_its_side_is_still_answered<R: Runtime>(stage: Stage<R>) {
    let server = stage.server();
    server.on_event("message", Peer::emit_event);
    let (sender, mut gone) = channel();
    server.on_disconnect(move |_, _| sender.tell(()));
    server.start().await.expect("started");
    let address = stage.address();
    let asking = unblock(move || {
        let mut socket = TcpStream::connect(address).expect("connected");
        for n in 0..1_000 {
            socket.write_all(format!("{{\"type\":\"message\",\"data\":{n}}}\x0c").as_bytes()).expect("written");
        }
        socket.shutdown(Shutdown::Write).expect("ended");
        let mut answer = String::new();
        socket.read_to_string(&mut answer).expect("read");
        answer.matches('\x0c').count()
    });
    assert_eq!(soon("the answers", asking.join()).await, 1_000);
    gone.next("the end").await;
    assert!(server.is_empty());
}

/// A server that goes away in the middle of a message: what was whole is there, the rest is no event.
pub async fn half_a_message_is_no_event<R: Runtime>(stage: Stage<R>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("bound");
    let port = listener.local_addr().expect("an address").port();
    let talking = unblock(move || {
        let (mut socket, _) = listener.accept().expect("accepted");
        socket.write_all(b"{\"type\":\"n\",\"data\":1}\x0c{\"type\":\"n\",\"da").expect("written");
    });
    let endpoint = ipc_driver::Endpoint::Tcp { host: "127.0.0.1".into(), port };
    let client: Client<R> = stage.client_at(endpoint, stage.client_config().stop_retrying(true));
    let (sender, mut heard) = channel();
    client.on("n", move |n: u32| sender.send(n));
    soon("connect", client.connect()).await.expect("connected");
    soon("the server", talking.join()).await;
    assert_eq!(heard.next("the event").await, 1);
    soon("the end", client.destroyed()).await;
    assert_eq!(heard.try_next(), None);
}
