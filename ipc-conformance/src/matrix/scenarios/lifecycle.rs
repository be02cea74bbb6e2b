//! Connections come about, and both ends hear of it in order.

use serde_json::json;

use crate::matrix::failure::{data, holds, same};
use crate::matrix::scenario::{EVERY_STREAM, LOCAL, STREAMS, Scenario};
use crate::matrix::stage::Pair;

pub(super) const ALL: &[Scenario] = &[
    Scenario::new("connects", EVERY_STREAM, "a client connects, both ends see it, and talk", |stage| {
        let Pair { mut server, mut client } = stage.plain_pair()?;
        client.emit("up", &json!(1))?;
        same("at the server", data(&server.event("up")?), &json!(1))?;
        server.emit_to(0, "down", &json!(2))?;
        same("at the client", data(&client.event("down")?), &json!(2))
    }),
    Scenario::new(
        "connects-once-there-is-a-server",
        STREAMS,
        "a client that was there first connects when it can",
        |stage| {
            let mut client = stage.client(json!({}))?;
            client.event("error")?;
            let server = stage.server(json!({}))?;
            client.event("connect")?;
            client.emit("hello", &json!("late"))?;
            same("the greeting", data(&server.event("hello")?), &json!("late"))
        },
    ),
    Scenario::new(
        "greets-from-the-connect-handler",
        EVERY_STREAM,
        "what a client emits in its handler of connect arrives",
        |stage| {
            let greeting =
                json!({"src": "client", "type": "connect", "do": [{"cmd": "emit", "type": "hello", "data": {"n": 1}}]});
            let Pair { server, client: _client } = stage.pair(json!({}), json!({"when": [greeting]}))?;
            same("the greeting", data(&server.event("hello")?), &json!({"n": 1}))
        },
    ),
    Scenario::new(
        "is-greeted-by-the-server",
        EVERY_STREAM,
        "what a server emits in its handler of connect arrives",
        |stage| {
            let greeting =
                json!({"src": "server", "type": "connect", "do": [{"cmd": "emit", "type": "welcome", "data": "you"}]});
            let Pair { server: _server, client } = stage.pair(json!({"when": [greeting]}), json!({}))?;
            same("the welcome", data(&client.event("welcome")?), &json!("you"))
        },
    ),
    Scenario::new(
        "events-carry-the-id",
        LOCAL,
        "a client's events are told by the id it was connected with",
        |stage| {
            let Pair { mut server, client } = stage.pair(json!({}), json!({"id": "world"}))?;
            server.emit_to(0, "news", &json!(1))?;
            same("the id of connect", &client.event("connect")?["id"], &json!("world"))?;
            same("the id of a message", &client.event("news")?["id"], &json!("world"))
        },
    ),
    Scenario::new("one-connect-for-one-connection", STREAMS, "connect is told once at either end", |stage| {
        let Pair { server, client } = stage.plain_pair()?;
        client.never(client.mark(), "connect")?;
        let count = |all: Vec<String>| all.iter().filter(|name| *name == "connect").count();
        same("how often", &(count(server.types(0)), count(client.types(0))), &(1, 1))
    }),
    Scenario::new("start-comes-first", STREAMS, "a server tells start before any connection", |stage| {
        let Pair { server, client: _client } = stage.plain_pair()?;
        let types = server.types(0);
        holds("start is the first event of a server", types.first().is_some_and(|first| first == "start"))
    }),
    Scenario::new(
        "the-end-in-order",
        STREAMS,
        "a server tells socket.disconnected, then close, and each once",
        |stage| {
            let Pair { server, mut client } = stage.plain_pair()?;
            let mark = server.mark();
            client.tell(json!({"cmd": "disconnect"}))?;
            server.event("close")?;
            same("the events", &server.types(mark), &vec!["socket.disconnected".to_owned(), "close".to_owned()])
        },
    ),
    Scenario::new(
        "a-connected-id-connects-once",
        LOCAL,
        "connecting an id again that is connected changes nothing",
        |stage| {
            let Pair { mut server, mut client } = stage.plain_pair()?;
            client.tell(json!({"cmd": "connectTo", "id": "peer", "path": stage.place.path()}))?;
            client.never(client.mark(), "connect")?;
            server.has_sockets(1)?;
            client.emit("still", &json!(1))?;
            server.event("still").map(drop)
        },
    ),
];
