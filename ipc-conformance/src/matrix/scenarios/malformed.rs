//! What no peer should send, written by the runner itself: the server says so, lives, and serves its other clients as before.

use serde_json::json;

use super::bytes::with_bystander;
use crate::matrix::failure::Outcome;
use crate::matrix::scenario::{LOCAL, STREAMS, Scenario, Transport};
use crate::matrix::stage::Stage;

pub(super) const ALL: &[Scenario] = &[
    Scenario::new("malformed-json", STREAMS, "a frame that is no JSON is told as an error", |stage| {
        told(stage, "{\"type\":\"x\",\u{c}")
    })
    .with_bytes(),
    Scenario::new("malformed-empty-frame", LOCAL, "a delimiter alone is told as an error", |stage| {
        told(stage, "\u{c}")
    })
    .with_bytes(),
    Scenario::new(
        "malformed-byte-order-mark",
        LOCAL,
        "a byte order mark before a frame is told as an error",
        |stage| told(stage, "\u{feff}{\"type\":\"x\",\"data\":1}\u{c}"),
    )
    .with_bytes(),
    Scenario::new("malformed-null", LOCAL, "the frame null is told as an error", |stage| told(stage, "null\u{c}"))
        .with_bytes(),
    Scenario::new("malformed-number", LOCAL, "a frame that is a number harms nobody", |stage| {
        harmless(stage, "5\u{c}")
    })
    .with_bytes(),
    Scenario::new("malformed-array", LOCAL, "a frame that is an array harms nobody", |stage| {
        harmless(stage, "[]\u{c}")
    })
    .with_bytes(),
    Scenario::new("malformed-without-type", STREAMS, "a frame without a type harms nobody", |stage| {
        harmless(stage, "{\"data\":1}\u{c}")
    })
    .with_bytes(),
    Scenario::new("malformed-type", LOCAL, "a frame whose type is no text harms nobody", |stage| {
        harmless(stage, "{\"type\":5,\"data\":1}\u{c}")
    })
    .with_bytes(),
    Scenario::new("malformed-unfinished", STREAMS, "a frame that never ends is not delivered", |stage| {
        with_bystander(stage, |server, wire| {
            wire.send("{\"type\":\"half\",\"data\":1}")?;
            server.never(0, "half")
        })
    })
    .with_bytes(),
    Scenario::new("malformed-garbage", STREAMS, "bytes that are no frame at all harm nobody", |stage| {
        let garbage: Vec<u8> =
            (0..4_096_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).filter(|byte| *byte != 12).collect();
        with_bystander(stage, |_server, wire| wire.send(&garbage))
    })
    .with_bytes(),
    Scenario::new("malformed-http", &[Transport::Tcp], "a client of another protocol harms nobody", |stage| {
        harmless(stage, "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
    })
    .with_bytes(),
    Scenario::new(
        "plain-bytes-at-a-tls-port",
        &[Transport::Tls],
        "a client in clear at a port of TLS is not heard and harms nobody",
        |stage| {
            with_bystander(stage, |server, wire| {
                // It may be cut off while it writes.
                let _cut = wire.send("{\"type\":\"clear\",\"data\":1}\u{c}");
                server.never(0, "clear")
            })
        },
    )
    .with_bytes(),
    Scenario::new("gone-before-a-word", STREAMS, "a client that leaves without a word harms nobody", |stage| {
        with_bystander(stage, |_server, _wire| Ok(()))
    })
    .with_bytes(),
];

/// The server tells an error.
fn told(stage: &Stage<'_>, bytes: &str) -> Outcome {
    with_bystander(stage, |server, wire| {
        wire.send(bytes)?;
        server.event("error").map(drop)
    })
}

/// Whatever the server makes of it, it lives.
fn harmless(stage: &Stage<'_>, bytes: &str) -> Outcome {
    with_bystander(stage, |server, wire| {
        wire.send(bytes)?;
        // Another turn, so that it has been read.
        std::thread::sleep(std::time::Duration::from_millis(50));
        server.tell(json!({"cmd": "now"})).map(drop)
    })
}
