//! Several clients of one server: each is heard, answered and told by itself, and all are told together.

use serde_json::json;

use crate::matrix::failure::{data, same};
use crate::matrix::scenario::{LOCAL, SECURED, STREAMS, Scenario};
use crate::matrix::stage::Pair;

pub(super) const ALL: &[Scenario] = &[
    Scenario::new("broadcast-reaches-all", SECURED, "a broadcast reaches each of three clients", |stage| {
        let Pair { mut server, client } = stage.plain_pair()?;
        let more = [stage.client(json!({}))?, stage.client(json!({}))?];
        server.has_sockets(3)?;
        let news = json!({"id": 7, "list": [1, 2]});
        server.broadcast("news", &news)?;
        for peer in more.iter().chain([&client]) {
            same("the news", data(&peer.event("news")?), &news)?;
        }
        Ok(())
    }),
    Scenario::new("broadcast-to-nobody", LOCAL, "a broadcast without clients does no harm, and is not kept", |stage| {
        let mut server = stage.server(json!({}))?;
        server.broadcast("news", &json!("old"))?;
        let client = stage.client(json!({}))?;
        client.event("connect")?;
        server.event("connect")?;
        server.broadcast("news", &json!("new"))?;
        same("the first news", data(&client.event("news")?), &json!("new"))
    }),
    Scenario::new("broadcast-after-one-left", STREAMS, "a broadcast reaches who is left", |stage| {
        let Pair { mut server, mut client } = stage.plain_pair()?;
        let second = stage.client(json!({}))?;
        server.has_sockets(2)?;
        client.tell(json!({"cmd": "disconnect"}))?;
        server.has_sockets(1)?;
        server.broadcast("news", &json!(1))?;
        same("the news", data(&second.event("news")?), &json!(1))
    }),
    Scenario::new("emit-to-one", STREAMS, "what is emitted to one socket reaches nobody else", |stage| {
        let Pair { mut server, client } = stage.plain_pair()?;
        let second = stage.client(json!({}))?;
        server.has_sockets(2)?;
        server.wait(0, "the second connection", |line| line["type"] == "connect" && data(line)["n"] == 1)?;
        server.emit_to(1, "secret", &json!("for the second"))?;
        same("the secret", data(&second.event("secret")?), &json!("for the second"))?;
        client.never(0, "secret")
    }),
    Scenario::new("echo-to-the-sender", LOCAL, "an answer reaches the client that asked", |stage| {
        let Pair { server: _server, mut client } = stage.echo_pair()?;
        let mut second = stage.client(json!({}))?;
        second.event("connect")?;
        second.emit("ask", &json!("second"))?;
        same("the second's answer", data(&second.event("ask")?), &json!("second"))?;
        client.emit("ask", &json!("first"))?;
        client.event("ask")?;
        same("the first's answers", &client.heard("ask"), &vec![json!("first")])
    }),
    Scenario::new(
        "many-clients-of-one-process",
        STREAMS,
        "ten clients of one process each talk by their own id",
        |stage| {
            let Pair { mut server, mut client } = stage.echo_pair()?;
            let ids: Vec<String> = (0..10).map(|n| format!("id {n}")).collect();
            let options = stage.place.options("client");
            for id in &ids {
                let command = if options["path"].is_null() { "connectToNet" } else { "connectTo" };
                client.tell(json!({"cmd": command, "id": id, "path": options["path"], "host": options["host"], "port": options["port"]}))?;
            }
            server.has_sockets(11)?;
            for id in &ids {
                client.wait(0, "connect", |line| line["type"] == "connect" && line["id"] == *id)?;
                client.tell(json!({"cmd": "emit", "id": id, "type": "hello", "data": id}))?;
            }
            for id in &ids {
                let line = client.wait(0, "the echo", |line| line["type"] == "hello" && line["id"] == *id)?;
                same("whose it is", data(&line), &json!(id))?;
            }
            Ok(())
        },
    ),
    Scenario::new("a-killed-client-disturbs-nobody", STREAMS, "when one client is killed, the others go on", |stage| {
        let Pair { mut server, mut client } = stage.echo_pair()?;
        let mut second = stage.client(json!({}))?;
        server.has_sockets(2)?;
        second.kill();
        server.event("socket.disconnected")?;
        client.emit("still", &json!("here"))?;
        same("the echo", data(&client.event("still")?), &json!("here"))
    })
    .that_kills(),
];
