//! Servers that stop, start again, or are full.

use serde_json::json;

use crate::matrix::failure::{data, holds, same};
use crate::matrix::scenario::{LOCAL, STREAMS, Scenario};
use crate::matrix::stage::Pair;

pub(super) const ALL: &[Scenario] = &[
    Scenario::new("stop-refuses-newcomers", STREAMS, "after stop nobody new gets in", |stage| {
        let mut server = stage.server(json!({}))?;
        server.tell(json!({"cmd": "stop"}))?;
        let client = stage.client(json!({}))?;
        // The system may have queued it just before; then it is cut off, and its next attempt fails.
        client.event("error")?;
        server.never(0, "connect")
    }),
    Scenario::new(
        "stop-leaves-no-doubt",
        STREAMS,
        "after stop a connection lives on and is answered, or is told to have ended",
        |stage| {
            let Pair { mut server, mut client } =
                stage.pair(json!({"echo": true}), json!({"config": {"stopRetrying": true}}))?;
            server.tell(json!({"cmd": "stop"}))?;
            client.emit("still", &json!("there?"))?;
            let told = client
                .wait(0, "an answer or the end", |line| line["type"] == "still" || line["type"] == "disconnect")?;
            holds("the answer is what was asked", told["type"] == "disconnect" || *data(&told) == json!("there?"))
        },
    ),
    Scenario::new("server-starts-again", STREAMS, "a server that was stopped serves again after start", |stage| {
        let mut server = stage.server(json!({}))?;
        server.tell(json!({"cmd": "stop"}))?;
        let mark = server.mark();
        server.tell(json!({"cmd": "start"}))?;
        server.event_after(mark, "start")?;
        let mut client = stage.client(json!({}))?;
        client.event("connect")?;
        client.emit("hello", &json!(1))?;
        server.event("hello").map(drop)
    }),
    Scenario::new(
        "stop-removes-the-socket-file",
        LOCAL,
        "a local server that stops takes its socket file along",
        |stage| {
            let mut server = stage.server(json!({}))?;
            let there = || stage.place.path().symlink_metadata().is_ok();
            holds("there is a socket file while it serves", cfg!(windows) || there())?;
            server.tell(json!({"cmd": "stop"}))?;
            for _ in 0..100 {
                if !there() {
                    return Ok(());
                }
                std::thread::sleep(std::time::Duration::from_millis(5));
            }
            holds("the socket file is gone", false)
        },
    ),
    Scenario::new(
        "a-stale-file-is-replaced",
        LOCAL,
        "the socket file of a killed server does not keep the next one out",
        |stage| {
            let mut first = stage.server(json!({}))?;
            first.kill();
            let Pair { server, mut client } = stage.plain_pair()?;
            client.emit("hello", &json!(1))?;
            server.event("hello").map(drop)
        },
    )
    .that_kills(),
    Scenario::new("a-full-server-refuses", STREAMS, "a client too many is sent away and not heard", |stage| {
        let Pair { mut server, client: _client } = stage.pair(json!({"config": {"maxConnections": 1}}), json!({}))?;
        let mut second = stage.client(json!({"config": {"stopRetrying": true}}))?;
        second.event("disconnect")?;
        second.emit("hello", &json!(2))?;
        server.never(0, "hello")?;
        server.has_sockets(1)
    }),
    Scenario::new("a-full-server-lets-in-later", STREAMS, "a client too many gets in when another leaves", |stage| {
        let Pair { server, mut client } = stage.pair(json!({"config": {"maxConnections": 1}}), json!({}))?;
        let mut second = stage.client(json!({}))?;
        second.event("connect")?;
        second.event("disconnect")?;
        let mark = server.mark();
        client.tell(json!({"cmd": "disconnect"}))?;
        server.event_after(mark, "connect")?;
        second.emit("hello", &json!(2))?;
        same("the greeting", data(&server.event("hello")?), &json!(2))
    }),
];
