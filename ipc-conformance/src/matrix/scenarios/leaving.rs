//! Connections end: by a client's wish, by the server's, or because a process is gone.

use serde_json::json;

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
