//! Clients that lose their server, or never had one: when they try again, and when they give up.

use serde_json::json;

use crate::matrix::failure::{Outcome, data, same};
use crate::matrix::scenario::{LOCAL, SECURED, STREAMS, Scenario};
use crate::matrix::stage::{Pair, Stage};

pub(super) const ALL: &[Scenario] = &[
    Scenario::new(
        "server-is-killed",
        SECURED,
        "when a killed server is there again, its client is, and is heard",
        |stage| {
            let Pair { mut server, mut client } = stage.plain_pair()?;
            let mark = client.mark();
            server.kill();
            client.event_after(mark, "disconnect")?;
            let again = stage.server(json!({}))?;
            client.event_after(mark, "connect")?;
            again.event("connect")?;
            client.emit("hello", &json!("again"))?;
            same("the greeting", data(&again.event("hello")?), &json!("again"))
        },
    )
    .that_kills(),
    Scenario::new(
        "server-exits",
        STREAMS,
        "when a server that ended is there again, its client is, and hears it",
        |stage| {
            let Pair { mut server, client } = stage.plain_pair()?;
            let mark = client.mark();
            let _ended = server.tell(json!({"cmd": "exit"}));
            client.event_after(mark, "disconnect")?;
            let mut again = stage.server(json!({}))?;
            again.event("connect")?;
            again.emit_to(0, "hello", &json!("again"))?;
            same("the greeting", data(&client.event_after(mark, "hello")?), &json!("again"))
        },
    ),
    Scenario::new(
        "gives-up-after-its-retries",
        STREAMS,
        "a client that lost its server gives up after maxRetries attempts",
        |stage| {
            let Pair { mut server, client } =
                stage.pair(json!({}), json!({"config": {"maxRetries": 2, "retry": 20}}))?;
            let mark = client.mark();
            server.kill();
            client.event_after(mark, "destroy")?;
            same("connect, error, disconnect", &counts(&client.types(mark)), &(0, 2, 3))
        },
    )
    .that_kills(),
    Scenario::new(
        "max-retries-counts-what-follows",
        STREAMS,
        "without a server, maxRetries attempts follow the first",
        |stage| attempts(stage, 3),
    ),
    Scenario::new("max-retries-of-zero", STREAMS, "with maxRetries 0 there is one attempt", |stage| attempts(stage, 0)),
    Scenario::new("a-connection-renews-the-retries", STREAMS, "who connects has all its retries again", |stage| {
        let Pair { mut server, mut client } =
            stage.pair(json!({}), json!({"config": {"maxRetries": 1, "retry": 20}}))?;
        for round in 0..4 {
            let mark = server.mark();
            server.tell(json!({"cmd": "destroySocket", "socket": round}))?;
            server.event_after(mark, "connect")?;
        }
        client.emit("still", &json!(1))?;
        server.event("still").map(drop)
    }),
    Scenario::new("stop-retrying-from-the-start", STREAMS, "with stopRetrying a lost connection is the end", |stage| {
        let Pair { mut server, client } = stage.pair(json!({}), json!({"config": {"stopRetrying": true}}))?;
        let mark = client.mark();
        server.tell(json!({"cmd": "destroySocket", "socket": 0}))?;
        client.event_after(mark, "destroy")?;
        client.never(mark, "connect")
    }),
    Scenario::new(
        "stop-retrying-while-waiting",
        LOCAL,
        "stopRetrying also ends a client that waits to try again",
        |stage| {
            let mut client = stage.client(json!({"config": {"retry": 150}}))?;
            client.event("disconnect")?;
            client.tell(json!({"cmd": "setConfig", "config": {"stopRetrying": true}}))?;
            client.event("destroy")?;
            client.never(0, "connect")
        },
    ),
    Scenario::new(
        "disconnects-while-waiting",
        STREAMS,
        "a client that waits to try again can be disconnected",
        |stage| {
            let mut client = stage.client(json!({"config": {"retry": 100}}))?;
            client.event("disconnect")?;
            client.tell(json!({"cmd": "disconnect"}))?;
            let server = stage.server(json!({}))?;
            server.never(0, "connect")
        },
    ),
    Scenario::new("every-attempt-is-told", STREAMS, "each attempt in vain tells error, then disconnect", |stage| {
        let client = stage.client(json!({"config": {"retry": 20}}))?;
        client.events("disconnect", 3)?;
        let seen = client.types(0);
        let seen: Vec<&str> = seen.iter().take(6).map(String::as_str).collect();
        same("the events", &seen, &vec!["error", "disconnect", "error", "disconnect", "error", "disconnect"])
    }),
    Scenario::new(
        "what-is-missing-is-named",
        STREAMS,
        "an attempt without a server says why, in the system's word",
        |stage| {
            let client = stage.client(json!({}))?;
            let expected = if stage.place.ports()[0] == 0 { "ENOENT" } else { "ECONNREFUSED" };
            same("the code", &data(&client.event("error")?)["code"], &json!(expected))
        },
    ),
];

/// Without a server: so many attempts after the first, then the end.
fn attempts(stage: &Stage<'_>, retries: usize) -> Outcome {
    let client = stage.client(json!({"config": {"maxRetries": retries, "retry": 20}}))?;
    client.event("destroy")?;
    same("connect, error, disconnect", &counts(&client.types(0)), &(0, retries + 1, retries + 1))?;
    client.never(client.mark(), "error")
}

fn counts(types: &[String]) -> (usize, usize, usize) {
    let count = |name: &str| types.iter().filter(|one| *one == name).count();
    (count("connect"), count("error"), count("disconnect"))
}
