//! Order: what one connection carries arrives in the order in which it was emitted, and all of it.

use serde_json::{Value, json};

use crate::matrix::failure::{data, same};
use crate::matrix::scenario::{LOCAL, SECURED, STREAMS, Scenario};
use crate::matrix::stage::Pair;

const COUNT: usize = 2_000;

pub(super) const ALL: &[Scenario] = &[
    Scenario::new("burst-to-the-server", SECURED, "2000 messages of one turn arrive in order", |stage| {
        let Pair { server, mut client } = stage.plain_pair()?;
        client.emit_many("n", numbers(COUNT))?;
        client.emit("end", &json!(0))?;
        server.event("end")?;
        same("what arrived", &server.heard("n"), &numbers(COUNT))
    }),
    Scenario::new("burst-to-the-client", SECURED, "2000 messages of the server arrive in order", |stage| {
        let Pair { mut server, client } = stage.plain_pair()?;
        server.emit_many("n", numbers(COUNT))?;
        server.emit("end", &json!(0))?;
        client.event("end")?;
        same("what arrived", &client.heard("n"), &numbers(COUNT))
    }),
    Scenario::new("burst-echoed", STREAMS, "500 messages are all answered, in order", |stage| {
        let Pair { server, mut client } = stage.echo_pair()?;
        client.emit_many("n", numbers(500))?;
        same("the answers", &client.events("n", 500)?, &numbers(500))?;
        same("what the server heard", &server.events("n", 500)?, &numbers(500))
    }),
    Scenario::new("bursts-cross", STREAMS, "bursts in both directions at once lose nothing", |stage| {
        let Pair { mut server, mut client } = stage.plain_pair()?;
        server.emit_many("down", numbers(500))?;
        client.emit_many("up", numbers(500))?;
        same("upwards", &server.events("up", 500)?, &numbers(500))?;
        same("downwards", &client.events("down", 500)?, &numbers(500))
    }),
    Scenario::new("large-and-small", STREAMS, "small messages do not overtake large ones", |stage| {
        let Pair { server, mut client } = stage.plain_pair()?;
        let large = json!({"$t": "repeat", "s": "L", "n": 300_000});
        let list = (0..10).map(|n| if n % 3 == 0 { large.clone() } else { json!(n) });
        client.emit_many("mixed", list)?;
        let seen = server.events("mixed", 10)?;
        let seen: Vec<Value> = seen.iter().map(|one| one.as_u64().map_or(json!("large"), |n| json!(n))).collect();
        same(
            "the order",
            &seen,
            &[0, 1, 2, 3, 4, 5, 6, 7, 8, 9].map(|n| if n % 3 == 0 { json!("large") } else { json!(n) }).to_vec(),
        )
    }),
    Scenario::new("types-interleave", LOCAL, "events of different names keep their order among each other", |stage| {
        let Pair { server, mut client } = stage.plain_pair()?;
        let list: Vec<Value> = (0..300).map(|n| json!({"type": format!("kind {}", n % 3), "data": n})).collect();
        client.tell(json!({"cmd": "emitMany", "list": list}))?;
        client.emit("end", &json!(0))?;
        server.event("end")?;
        let kinds = |line: &&Value| line["type"].as_str().is_some_and(|name| name.starts_with("kind "));
        let seen: Vec<Value> = server.lines().iter().filter(kinds).map(|line| data(line).clone()).collect();
        same("the order", &seen, &numbers(300))
    }),
    Scenario::new("clients-keep-their-order", STREAMS, "each of two busy clients is heard in its own order", |stage| {
        let Pair { server, mut client } = stage.plain_pair()?;
        let mut second = stage.client(json!({}))?;
        second.event("connect")?;
        client.emit_many("one", numbers(300))?;
        second.emit_many("two", numbers(300))?;
        same("the first", &server.events("one", 300)?, &numbers(300))?;
        same("the second", &server.events("two", 300)?, &numbers(300))
    }),
    Scenario::new("emits-in-handlers", LOCAL, "what a handler emits comes after what was emitted before it", |stage| {
        let when = json!({"src": "server", "type": "ask", "do": [
            {"cmd": "emit", "type": "first", "data": 1}, {"cmd": "emit", "type": "second", "data": 2}]});
        let Pair { server: _server, mut client } = stage.pair(json!({"when": [when]}), json!({}))?;
        let mark = client.mark();
        client.emit("ask", &json!(0))?;
        client.event("second")?;
        same("the order", &client.types(mark), &vec!["first".to_owned(), "second".to_owned()])
    }),
];

fn numbers(count: usize) -> Vec<Value> {
    (0..count).map(|n| json!(n)).collect()
}
