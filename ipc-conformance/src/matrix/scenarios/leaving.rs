//! Connections end: by a client's wish, by the server's, or because a process is gone.

use serde_json::{Value, json};

use crate::matrix::failure::{Outcome, data, same};
use crate::matrix::scenario::{LOCAL, SECURED, STREAMS, Scenario, Transport};
use crate::matrix::stage::{Pair, Stage};

pub(super) const ALL: &[Scenario] = &[
    Scenario::new(
        "client-disconnects",
        SECURED,
        "a client that disconnects is missed, and its socket is gone",
        |stage| {
            let Pair { mut server, mut client } = stage.plain_pair()?;
            client.tell(json!({"cmd": "disconnect"}))?;
            server.event("socket.disconnected")?;
            server.event("close")?;
            server.has_sockets(0)
        },
    ),
    Scenario::new(
        "disconnect-is-for-good",
        STREAMS,
        "a client that disconnected does not come back by itself",
        |stage| {
            let Pair { server, mut client } = stage.plain_pair()?;
            client.tell(json!({"cmd": "disconnect"}))?;
            server.event("close")?;
            server.never(server.mark(), "connect")
        },
    ),
    Scenario::new(
        "connects-again-after-disconnecting",
        STREAMS,
        "an id can be connected again after it was disconnected",
        |stage| {
            let Pair { server, mut client } = stage.plain_pair()?;
            client.tell(json!({"cmd": "disconnect"}))?;
            server.event("close")?;
            let mark = server.mark();
            let options = stage.place.options("client");
            let command = if options["path"].is_null() { "connectToNet" } else { "connectTo" };
            client.tell(json!({"cmd": command, "id": "peer", "path": options["path"], "host": options["host"], "port": options["port"]}))?;
            server.event_after(mark, "connect")?;
            client.emit("hello", &json!("again"))?;
            same("the greeting", data(&server.event("hello")?), &json!("again"))
        },
    ),
    Scenario::new(
        "a-last-word-before-disconnecting",
        STREAMS,
        "what is emitted just before disconnect arrives",
        |stage| {
            let Pair { server, mut client } = stage.plain_pair()?;
            let last = json!({"cmd": "emit", "id": "peer", "type": "last", "data": "bye"});
            client.tell(json!({"cmd": "batch", "list": [last, {"cmd": "disconnect"}]}))?;
            same("the last word", data(&server.event("last")?), &json!("bye"))
        },
    ),
    Scenario::new(
        "a-last-word-before-dropping",
        STREAMS,
        "what a server emits just before it destroys a socket arrives",
        |stage| last_word(stage, "destroySocket", &json!("bye")),
    ),
    Scenario::new(
        "all-words-before-ending",
        SECURED,
        "a megabyte that a server emits just before it ends a socket arrives",
        |stage| last_word(stage, "endSocket", &json!({"$t": "repeat", "s": "0123456789abcdef", "n": 65_536})),
    ),
    Scenario::new("an-unknown-id-disconnects", LOCAL, "to disconnect an id that never was does no harm", |stage| {
        let Pair { server, mut client } = stage.plain_pair()?;
        client.tell(json!({"cmd": "disconnect", "id": "nobody"}))?;
        client.emit("still", &json!(1))?;
        server.event("still").map(drop)
    }),
    Scenario::new(
        "server-drops-a-client",
        SECURED,
        "a client whose socket the server destroys connects again",
        |stage| comes_back_after(stage, "destroySocket"),
    ),
    Scenario::new("server-ends-a-client", STREAMS, "a client whose socket the server ends connects again", |stage| {
        comes_back_after(stage, "endSocket")
    }),
    Scenario::new(
        "server-resets-a-client",
        &[Transport::Tcp],
        "a client whose connection the server resets connects again",
        |stage| comes_back_after(stage, "resetSocket"),
    ),
    Scenario::new(
        "a-last-word-before-the-end",
        STREAMS,
        "what a server emits before it ends a socket arrives",
        |stage| {
            let last = json!({"src": "server", "type": "bye", "do": [
            {"cmd": "emit", "type": "last", "data": "word"}, {"cmd": "endSocket", "socket": "last"}]});
            let Pair { server: _server, mut client } = stage.pair(json!({"when": [last]}), json!({}))?;
            let mark = client.mark();
            client.emit("bye", &json!(0))?;
            same("the last word", data(&client.event_after(mark, "last")?), &json!("word"))?;
            client.event_after(mark, "disconnect").map(drop)
        },
    ),
    Scenario::new("client-is-killed", SECURED, "a client whose process is killed is missed", |stage| {
        let Pair { mut server, mut client } = stage.plain_pair()?;
        client.kill();
        server.event("socket.disconnected")?;
        server.event("close")?;
        server.has_sockets(0)
    })
    .that_kills(),
    Scenario::new("client-exits", STREAMS, "a client whose process ends by itself is missed", |stage| {
        let Pair { mut server, mut client } = stage.plain_pair()?;
        client.emit("bye", &json!(1))?;
        server.event("bye")?;
        // Its result may or may not be written.
        let _ended = client.tell(json!({"cmd": "exit"}));
        server.event("close")?;
        server.has_sockets(0)
    }),
];

/// The server does this to its socket; the client hears of it, connects again and is another socket.
fn comes_back_after(stage: &Stage<'_>, command: &str) -> Outcome {
    let Pair { mut server, mut client } = stage.plain_pair()?;
    let (there, here) = (server.mark(), client.mark());
    server.tell(json!({"cmd": command, "socket": 0}))?;
    client.event_after(here, "disconnect")?;
    client.event_after(here, "connect")?;
    same("its number", &data(&server.event_after(there, "connect")?)["n"], &json!(1))?;
    client.emit("hello", &json!("again"))?;
    same("the greeting", data(&server.event("hello")?), &json!("again"))
}

/// What a server says in the same turn in which it closes a socket comes before the end.
fn last_word(stage: &Stage<'_>, close: &str, word: &Value) -> Outcome {
    let Pair { mut server, client } = stage.plain_pair()?;
    let last = json!({"cmd": "emit", "socket": 0, "type": "last", "data": word});
    server.tell(json!({"cmd": "batch", "list": [last, {"cmd": close, "socket": 0}]}))?;
    let heard = client.event("last")?;
    if let Some(units) = word["n"].as_u64() {
        same("its length", &data(&heard)["utf16_length"], &json!(16 * units))?;
    } else {
        same("the last word", data(&heard), word)?;
    }
    client.event("disconnect").map(drop)
}
