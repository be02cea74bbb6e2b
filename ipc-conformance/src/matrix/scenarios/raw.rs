//! Raw mode: bytes without frames.

use serde_json::{Value, json};

use crate::matrix::failure::{Outcome, data, same};
use crate::matrix::scenario::{LOCAL, SECURED, STREAMS, Scenario};
use crate::matrix::stage::{Pair, Stage};

pub(super) const ALL: &[Scenario] = &[
    Scenario::new("raw-utf8", STREAMS, "with utf8, text arrives as its bytes, both ways", |stage| {
        both_ways(stage, "utf8", "68656c6c6fc3a90c0a")
    }),
    Scenario::new("raw-ascii", LOCAL, "with ascii, bytes below 128 arrive, both ways", |stage| {
        both_ways(stage, "ascii", "00010a0c7f41")
    }),
    Scenario::new("raw-utf16le", LOCAL, "with utf16le, whole code units arrive, both ways", |stage| {
        both_ways(stage, "utf16le", "41000cd83cdf7f00")
    }),
    Scenario::new("raw-ucs2", LOCAL, "with ucs2, whole code units arrive, both ways", |stage| {
        both_ways(stage, "ucs2", "68006900")
    }),
    Scenario::new("raw-base64", LOCAL, "with base64, threes of bytes arrive, both ways", |stage| {
        both_ways(stage, "base64", "00ff0c7b2280")
    }),
    Scenario::new("raw-hex", SECURED, "with hex, any bytes arrive, both ways", |stage| {
        both_ways(stage, "hex", "00ff0c7b22800a")
    }),
    Scenario::new("raw-latin1", STREAMS, "with latin1, any bytes arrive, both ways", |stage| {
        both_ways(stage, "latin1", "00ff0c7b22800a")
    }),
    Scenario::new("raw-every-byte", STREAMS, "each of the 256 bytes arrives", |stage| {
        let all: String = (0..=255_u8).map(|byte| format!("{byte:02x}")).collect();
        both_ways(stage, "hex", &all)
    }),
    Scenario::new(
        "raw-binary-with-utf8",
        LOCAL,
        "bytes that are no UTF-8 arrive also with the encoding utf8",
        |stage| {
            let Pair { server, mut client } = raw_pair(stage, "utf8")?;
            client.emit_raw(&json!({"$t": "buffer", "hex": "fffe80"}))?;
            same("the bytes", &server.bytes(6), &"fffe80".to_owned())
        },
    ),
    Scenario::new("raw-readme-text", SECURED, "the README's example of a text works", |stage| {
        readme(stage, "utf8", &json!("hello"), "68656c6c6f")
    }),
    Scenario::new("raw-readme-bytes", STREAMS, "the README's examples of arrays of bytes work", |stage| {
        readme(stage, "hex", &json!([10, 20, 30]), "0a141e")?;
        readme(stage, "hex", &json!([0x05, 0x6d, 0x5c]), "056d5c")
    }),
    Scenario::new("raw-readme-integers", LOCAL, "the README's examples of integers in a buffer work", |stage| {
        // A 16-bit and a 32-bit integer, big-endian: 2 and 16772812.
        readme(stage, "hex", &json!({"$t": "buffer", "hex": "000200ffeecc"}), "000200ffeecc")
    }),
    Scenario::new("raw-large", STREAMS, "a megabyte of raw bytes arrives, however it is cut", |stage| {
        // The lines tell lengths of what is long; so the bytes are counted.
        const SIZE: u64 = 1_000_000;
        let Pair { server, mut client } = raw_pair(stage, "latin1")?;
        client.emit_raw(&json!({"$t": "repeat", "s": "x", "n": SIZE}))?;
        let mut found = 0;
        server.wait(0, "a megabyte", |line| {
            if line["type"] == "data" {
                let short = data(line)["hex"].as_str().map_or(0, |hex| hex.len() as u64 / 2);
                found += data(line)["length"].as_u64().unwrap_or(short);
            }
            found >= SIZE
        })?;
        same("the bytes", &found, &SIZE)
    }),
    Scenario::new("raw-echo", STREAMS, "raw bytes that a server echoes come back", |stage| {
        let raw = json!({"rawBuffer": true, "encoding": "hex"});
        let Pair { server: _server, mut client } =
            stage.pair(json!({"config": raw, "echoRaw": true}), json!({"config": raw}))?;
        client.emit_raw(&json!([1, 2, 253, 254, 255]))?;
        same("the bytes", &client.bytes(10), &"0102fdfeff".to_owned())
    }),
    Scenario::new("raw-broadcast", LOCAL, "a raw broadcast reaches both clients", |stage| {
        let Pair { mut server, client } = raw_pair(stage, "hex")?;
        let second = stage.client(json!({"config": {"rawBuffer": true, "encoding": "hex"}}))?;
        server.has_sockets(2)?;
        server.tell(json!({"cmd": "broadcast", "type": [7, 8, 9]}))?;
        same("the first", &client.bytes(6), &"070809".to_owned())?;
        same("the second", &second.bytes(6), &"070809".to_owned())
    }),
];

fn raw_pair(stage: &Stage<'_>, encoding: &str) -> Outcome<Pair> {
    stage.configured_pair(&json!({"rawBuffer": true, "encoding": encoding}))
}

/// These bytes, in hexadecimal digits, go to the server and to the client. 9.2.1 and 12.0.0 read raw bytes as text in the
/// encoding: they must be bytes that this does not change.
fn both_ways(stage: &Stage<'_>, encoding: &str, bytes: &str) -> Outcome {
    let buffer = json!({"$t": "buffer", "hex": bytes});
    readme(stage, encoding, &buffer, bytes)
}

/// This value is sent as these bytes, both ways.
fn readme(stage: &Stage<'_>, encoding: &str, value: &Value, bytes: &str) -> Outcome {
    let Pair { mut server, mut client } = raw_pair(stage, encoding)?;
    client.emit_raw(value)?;
    same("to the server", &server.bytes(bytes.len()), &bytes.to_owned())?;
    server.tell(json!({"cmd": "emit", "socket": 0, "type": value}))?;
    same("to the client", &client.bytes(bytes.len()), &bytes.to_owned())
}
