//! Messages of every size, there and back.

use serde_json::{Value, json};

use crate::matrix::failure::{Outcome, data, same};
use crate::matrix::scenario::{LOCAL, SECURED, STREAMS, Scenario, Transport};
use crate::matrix::stage::{Pair, Stage};

const KIB: usize = 1_024;
const MIB: usize = 1_024 * KIB;
/// With its envelope, its delimiter and its name it is not over 16 MiB.
const HUGE: usize = 16 * MIB - 100;
/// More than any socket holds: over TLS its last records leave only if somebody sees to it that they do.
const HUGE_OVER: &[Transport] = &[Transport::Unix, Transport::Tls];

pub(super) const ALL: &[Scenario] = &[
    Scenario::new("size-1-kib", LOCAL, "a message of 1 KiB goes there and back", |stage| there_and_back(stage, KIB)),
    Scenario::new("size-64-kib", STREAMS, "a message of 64 KiB goes there and back", |stage| {
        there_and_back(stage, 64 * KIB)
    }),
    Scenario::new("size-1-mib", SECURED, "a message of 1 MiB goes there and back", |stage| there_and_back(stage, MIB)),
    Scenario::new("size-16-mib-up", HUGE_OVER, "a message of 16 MiB, all in all, reaches the server", |stage| {
        let Pair { server, mut client } = stage.plain_pair()?;
        client.emit("sized", &repeated("z", HUGE))?;
        same("its length", &data(&server.event_at_last("sized")?)["utf16_length"], &json!(HUGE))
    }),
    Scenario::new("size-16-mib-down", HUGE_OVER, "a message of 16 MiB, all in all, reaches the client", |stage| {
        let Pair { mut server, client } = stage.plain_pair()?;
        server.emit_to(0, "sized", &repeated("z", HUGE))?;
        same("its length", &data(&client.event_at_last("sized")?)["utf16_length"], &json!(HUGE))
    }),
    Scenario::new("size-around-chunks", LOCAL, "messages around the sizes of common buffers arrive", |stage| {
        let Pair { server, mut client } = stage.echo_pair()?;
        for size in [4_095_usize, 4_096, 8_191, 8_192, 16_384, 65_535, 65_536, 65_537] {
            // The frame as a whole is to have this size.
            let envelope = r#"{"type":"around","data":""}"#.len() + 1;
            client.emit("around", &repeated("x", size - envelope))?;
        }
        let there = server.events("around", 8)?;
        same("what comes back", &client.events("around", 8)?, &there)?;
        same("the last one", &there[7]["utf16_length"], &json!(65_537 - 28))
    }),
    Scenario::new(
        "size-of-wide-characters",
        STREAMS,
        "a large text of characters of two bytes arrives whole",
        |stage| {
            let Pair { server, mut client } = stage.echo_pair()?;
            client.emit("large", &json!({"$t": "repeat", "s": "0123456789é", "n": 200_000, "suffix": "end"}))?;
            let there = server.event("large")?;
            let lengths = (&data(&there)["utf16_length"], &data(&there)["utf8_length"]);
            same("lengths", &lengths, &(&json!(2_200_003), &json!(2_400_003)))?;
            same("what comes back", data(&client.event("large")?), data(&there))
        },
    ),
    Scenario::new("size-from-the-server", STREAMS, "the server sends 1 MiB without being asked", |stage| {
        let Pair { mut server, client } = stage.plain_pair()?;
        server.emit_to(0, "large", &repeated("s", MIB))?;
        same("its length", &data(&client.event("large")?)["utf16_length"], &json!(MIB))
    }),
];

fn repeated(text: &str, times: usize) -> Value {
    json!({"$t": "repeat", "s": text, "n": times})
}

fn there_and_back(stage: &Stage<'_>, size: usize) -> Outcome {
    let Pair { server, mut client } = stage.echo_pair()?;
    client.emit("sized", &repeated("z", size))?;
    let there = server.event_at_last("sized")?;
    if size > 2_048 {
        same("its length", &data(&there)["utf16_length"], &json!(size))?;
    } else {
        same("its length", &data(&there).as_str().map(str::len), &Some(size))?;
    }
    same("what comes back", data(&client.event_at_last("sized")?), data(&there))
}
