//! What goes over the wire otherwise than by default: raw bytes, encodings, other delimiters, `sync`.

use super::{Stage, channel, soon};
use ipc_driver::runtime::Runtime;
use ipc_driver::{ClientEvent, EmitError, Encoding, Peer};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// Raw sockets have no events and no borders.
pub async fn raw_connections_carry_bytes_as_they_are<R: Runtime>(stage: Stage<R>) {
    let server = stage.server_with(stage.config().raw_buffer(true));
    server.on_data(Peer::emit_raw);
    server.start().await.expect("started");
    let client = stage.client_with(stage.client_config().raw_buffer(true));
    let mut events = client.events();
    soon("connect", client.connect()).await.expect("connected");
    let bytes: Vec<u8> = (0..=255).collect();
    client.emit_raw(&bytes).expect("emitted");
    let error = client.emit("message", "framed").expect_err("a raw connection has no events");
    assert!(matches!(error, EmitError::WrongMode { .. }), "{error}");
    let mut back = Vec::new();
    while back.len() < bytes.len() {
        if let ClientEvent::Data(data) = soon("bytes", events.recv()).await.expect("an event") {
            back.extend_from_slice(&data);
        }
    }
    assert_eq!(back, bytes);
}

/// Text of every encoding that the README of node-ipc lists, and more: the bytes that it stands for arrive and come back.
pub async fn text_of_every_encoding_arrives_as_the_bytes_it_stands_for<R: Runtime>(stage: Stage<R>) {
    let cases: [(&str, &str, &[u8]); 8] = [
        ("ascii", "hello", b"hello"),
        ("utf8", "hé€", &[0x68, 0xc3, 0xa9, 0xe2, 0x82, 0xac]),
        ("utf16le", "hé", &[0x68, 0, 0xe9, 0]),
        ("ucs2", "hé", &[0x68, 0, 0xe9, 0]),
        ("base64", "AP8MeyKA", &[0, 0xff, 0x0c, 0x7b, 0x22, 0x80]),
        ("base64url", "_-8", &[0xff, 0xef]),
        ("hex", "056d5c", &[0x05, 0x6d, 0x5c]),
        ("latin1", "é\u{c}", &[0xe9, 0x0c]),
    ];
    for (name, text, bytes) in cases {
        let encoding: Encoding = name.parse().expect("an encoding");
        let server = stage.server_with(stage.config().raw_buffer(true).encoding(encoding));
        let heard = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&heard);
        server.on_data(move |peer: &Peer, bytes: &[u8]| {
            kept.lock().expect("no panic").extend_from_slice(bytes);
            peer.emit_raw(bytes)
        });
        server.start().await.expect("started");
        let client = stage.client_with(stage.client_config().raw_buffer(true).encoding(encoding));
        let (sender, mut answers) = channel();
        client.on_data(move |bytes: &[u8]| sender.send(bytes.to_vec()));
        soon("connect", client.connect()).await.expect("connected");
        client.emit_raw(&client.settings().encoding().encode(text)).expect("emitted");
        let mut answer = Vec::new();
        while answer.len() < bytes.len() {
            answer.extend(answers.next("an answer").await);
        }
        assert_eq!(answer, bytes, "{name}");
        assert_eq!(*heard.lock().expect("no panic"), bytes, "{name}");
        let report = soon("shutdown", server.shutdown(Duration::from_secs(20))).await;
        assert!(report.unsent.is_empty(), "{report:?}");
    }
}

/// Delimiters of one and of several bytes, and text that contains beginnings of them.
pub async fn any_delimiter_keeps_events_apart<R: Runtime>(stage: Stage<R>) {
    for delimiter in ["\n", "\u{3}", "\r\n", "<<end>>"] {
        let server = stage.server_with(stage.config().delimiter(delimiter));
        server.on_event("message", Peer::emit_event);
        server.start().await.expect("started");
        let client = stage.client_with(stage.client_config().delimiter(delimiter));
        let (sender, mut back) = channel();
        client.on("message", move |text: String| sender.send(text));
        soon("connect", client.connect()).await.expect("connected");
        for text in ["one", "<<end>", "\r\n\u{3}\u{c}", "<<<end>two", ""] {
            client.emit("message", text).expect("emitted");
            assert_eq!(back.next("the echo").await, text, "{delimiter:?}");
        }
        soon("close", client.close()).await.expect("sent");
        soon("shutdown", server.shutdown(Duration::from_secs(20))).await;
    }
}

/// With `sync` a client sends the next event when the last one was answered.
pub async fn a_synchronous_client_waits_for_each_answer<R: Runtime>(stage: Stage<R>) {
    let server = stage.server();
    let (sender, mut questions) = channel();
    server.on("n", move |peer, n: u32| sender.send((peer.clone(), n)));
    server.start().await.expect("started");
    let client = stage.client_with(stage.client_config().sync(true));
    soon("connect", client.connect()).await.expect("connected");
    for n in 0..4_u32 {
        client.emit("n", &n).expect("queued");
    }
    for expected in 0..4 {
        let (peer, n) = questions.next("a question").await;
        assert_eq!(n, expected);
        assert!(questions.try_next().is_none(), "one at a time");
        assert_eq!(client.held(), 3 - n as usize);
        peer.emit("answer", &n).expect("emitted");
    }
    soon("close", client.close()).await.expect("sent");
}
