//! Well-formed frames in unusual pieces, written by the runner itself. The client subject is connected meanwhile, and must be
//! served afterwards as before.

use serde_json::json;
use std::thread::sleep;
use std::time::Duration;

use super::wire::Wire;
use crate::matrix::failure::{Outcome, data, same};
use crate::matrix::scenario::{LOCAL, STREAMS, Scenario};
use crate::matrix::stage::{Actor, Pair, Stage};

pub(super) const ALL: &[Scenario] = &[
    Scenario::new("bytes-one-by-one", STREAMS, "a frame that comes byte by byte arrives", |stage| {
        with_bystander(stage, |server, wire| {
            for byte in "{\"type\":\"slow\",\"data\":\"é😀\"}\u{c}".bytes() {
                wire.send([byte])?;
                sleep(Duration::from_millis(1));
            }
            same("the data", data(&server.event("slow")?), &json!("é😀"))
        })
    })
    .with_bytes(),
    Scenario::new("bytes-two-frames-at-once", STREAMS, "two frames in one write both arrive", |stage| {
        with_bystander(stage, |server, wire| {
            wire.send("{\"type\":\"one\",\"data\":1}\u{c}{\"type\":\"two\",\"data\":2}\u{c}")?;
            same("the first", data(&server.event("one")?), &json!(1))?;
            same("the second", data(&server.event("two")?), &json!(2))
        })
    })
    .with_bytes(),
    Scenario::new(
        "bytes-frame-and-a-half",
        STREAMS,
        "a frame with half of the next arrives, and so does the next",
        |stage| {
            with_bystander(stage, |server, wire| {
                wire.send("{\"type\":\"one\",\"data\":1}\u{c}{\"type\":\"tw")?;
                sleep(Duration::from_millis(50));
                wire.send("o\",\"data\":2}\u{c}")?;
                same("the first", data(&server.event("one")?), &json!(1))?;
                same("the second", data(&server.event("two")?), &json!(2))
            })
        },
    )
    .with_bytes(),
    Scenario::new(
        "bytes-whole-frame-at-once",
        LOCAL,
        "a frame is delivered although the next one has begun",
        |stage| {
            with_bystander(stage, |server, wire| {
                wire.send("{\"type\":\"one\",\"data\":1}\u{c}{\"type\":\"tw")?;
                same("the first", data(&server.event("one")?), &json!(1))
            })
        },
    )
    .with_bytes(),
    Scenario::new("bytes-split-in-a-character", LOCAL, "a frame cut in the middle of a character arrives", |stage| {
        with_bystander(stage, |server, wire| {
            let frame = "{\"type\":\"cut\",\"data\":\"é😀\"}\u{c}".as_bytes();
            let middle = frame.len() - 5;
            wire.send(&frame[..middle])?;
            sleep(Duration::from_millis(30));
            wire.send(&frame[middle..])?;
            same("the data", data(&server.event("cut")?), &json!("é😀"))
        })
    })
    .with_bytes(),
    Scenario::new(
        "bytes-other-members",
        LOCAL,
        "order, blanks and further members of an envelope do not matter",
        |stage| {
            with_bystander(stage, |server, wire| {
                wire.send(" { \"more\" : [1] , \"data\":\n{\"a\":1},\"type\":\"loose\" } \u{c}")?;
                same("the data", data(&server.event("loose")?), &json!({"a": 1}))
            })
        },
    )
    .with_bytes(),
    Scenario::new("bytes-unicode-escapes", LOCAL, "escapes in names and texts mean what they stand for", |stage| {
        with_bystander(stage, |server, wire| {
            wire.send("{\"type\":\"\\u0065sc\",\"data\":\"\\u00e9\\ud83d\\ude00\\/\"}\u{c}")?;
            same("the data", data(&server.event("esc")?), &json!("é😀/"))
        })
    })
    .with_bytes(),
    Scenario::new("bytes-duplicate-keys", LOCAL, "of two members of one name the last one counts", |stage| {
        with_bystander(stage, |server, wire| {
            wire.send("{\"type\":\"early\",\"data\":1,\"type\":\"late\",\"data\":{\"a\":1,\"a\":2}}\u{c}")?;
            same("the data", data(&server.event("late")?), &json!({"a": 2}))
        })
    })
    .with_bytes(),
    Scenario::new("bytes-without-data", LOCAL, "a frame without data arrives", |stage| {
        with_bystander(stage, |server, wire| {
            wire.send("{\"type\":\"bare\"}\u{c}")?;
            server.event("bare").map(drop)
        })
    })
    .with_bytes(),
    Scenario::new("bytes-invalid-utf8", LOCAL, "bytes that are no UTF-8 read as replacement characters", |stage| {
        with_bystander(stage, |server, wire| {
            wire.send(b"{\"type\":\"bad\",\"data\":\"a\xff\xc3(\xe2\x82b\"}\x0c")?;
            same("the data", data(&server.event("bad")?), &json!("a\u{fffd}\u{fffd}(\u{fffd}b"))
        })
    })
    .with_bytes(),
];

/// Plays with a server and a wire to it, while a client is connected, which must be answered afterwards.
pub(super) fn with_bystander(stage: &Stage<'_>, play: impl FnOnce(&mut Actor, &mut Wire) -> Outcome) -> Outcome {
    let Pair { mut server, mut client } = stage.echo_pair()?;
    let mut wire = Wire::connect(stage)?;
    play(&mut server, &mut wire)?;
    still_served(&mut client)?;
    drop(wire);
    client.emit("after", &json!("all"))?;
    same("the echo after the end of the wire", data(&client.event("after")?), &json!("all"))
}

/// The bystander is answered, on the connection it has had all the time.
fn still_served(client: &mut Actor) -> Outcome {
    client.emit("bystander", &json!("here"))?;
    same("the bystander's echo", data(&client.event("bystander")?), &json!("here"))?;
    same("the bystander's connections", &client.types(0).iter().filter(|name| *name == "connect").count(), &1)
}
