//! Names of connections: what a client says of itself, and what a server calls it.

use serde_json::json;

use crate::matrix::failure::{Outcome, same};
use crate::matrix::scenario::{LOCAL, STREAMS, Scenario};
use crate::matrix::stage::{Actor, Pair};

pub(super) const ALL: &[Scenario] = &[
    Scenario::new(
        "data-id-names-the-socket",
        STREAMS,
        "an id in a message names its connection, where the server asks for that",
        |stage| {
            let Pair { server, mut client } = stage.pair(json!({"config": {"identifyPeer": true}}), json!({}))?;
            client.emit("hello", &json!({"id": "me", "x": 1}))?;
            server.event("hello")?;
            client.tell(json!({"cmd": "disconnect"}))?;
            gone(&server, &json!("me"))
        },
    ),
    Scenario::new("no-id-is-false", STREAMS, "who never said an id is told of as false", |stage| {
        let Pair { server, mut client } = stage.plain_pair()?;
        client.emit("hello", &json!({"x": 1}))?;
        server.event("hello")?;
        client.tell(json!({"cmd": "disconnect"}))?;
        gone(&server, &json!(false))
    }),
    Scenario::new("the-latest-id-counts", LOCAL, "another id in a later message replaces the first", |stage| {
        let Pair { server, mut client } = stage.pair(json!({"config": {"identifyPeer": true}}), json!({}))?;
        client.emit("hello", &json!({"id": "first"}))?;
        client.emit("again", &json!({"id": "second"}))?;
        same("the id with the event", &server.event("again")?["args"][1]["id"], &json!("second"))?;
        client.tell(json!({"cmd": "disconnect"}))?;
        gone(&server, &json!("second"))
    }),
    Scenario::new("ids-belong-to-connections", LOCAL, "of two clients each is told of by its own id", |stage| {
        let Pair { server, mut client } = stage.pair(json!({"config": {"identifyPeer": true}}), json!({}))?;
        let mut second = stage.client(json!({}))?;
        second.event("connect")?;
        client.emit("one", &json!({"id": "alpha"}))?;
        server.event("one")?;
        second.emit("two", &json!({"id": "beta"}))?;
        server.event("two")?;
        second.tell(json!({"cmd": "disconnect"}))?;
        gone(&server, &json!("beta"))
    }),
    Scenario::new("the-server-names-a-socket", LOCAL, "an id that the server gives a socket stays with it", |stage| {
        let Pair { mut server, mut client } = stage.plain_pair()?;
        server.tell(json!({"cmd": "setSocketId", "socket": 0, "value": "given"}))?;
        client.emit("hello", &json!(1))?;
        same("the id with the event", &server.event("hello")?["args"][1]["id"], &json!("given"))?;
        client.tell(json!({"cmd": "disconnect"}))?;
        gone(&server, &json!("given"))
    }),
    Scenario::new("data-id-stays-data", LOCAL, "an id in a message is still data", |stage| {
        let Pair { server, mut client } = stage.plain_pair()?;
        client.emit("hello", &json!({"id": {"deep": [1]}}))?;
        same("the data", &server.event("hello")?["args"][0], &json!({"id": {"deep": [1]}}))
    }),
];

/// The next end of a connection is told with this id.
fn gone(server: &Actor, id: &serde_json::Value) -> Outcome {
    same("the id of the end", &server.event("socket.disconnected")?["args"][1], id)
}
