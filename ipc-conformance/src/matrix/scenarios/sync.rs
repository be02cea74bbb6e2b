//! Clients with the option `sync`: one message at a time, and the next when something has come back.

use serde_json::{Value, json};

use crate::matrix::failure::{Outcome, same};
use crate::matrix::scenario::{LOCAL, STREAMS, Scenario};
use crate::matrix::stage::{Pair, Stage};

pub(super) const ALL: &[Scenario] = &[
    Scenario::new("sync-waits-for-answers", STREAMS, "no question goes before the last one is answered", |stage| {
        let Pair { mut server, mut client } = sync_pair(stage, json!({}))?;
        client.emit_many("ask", numbers(3))?;
        for n in 0..3 {
            server.wait(0, "the next question", |line| line["type"] == "ask" && line["args"][0] == n)?;
            same("questions so far", &server.heard("ask").len(), &(n + 1))?;
            server.emit("answer", &json!(n))?;
        }
        client.wait(0, "the last answer", |line| line["type"] == "answer" && line["args"][0] == 2).map(drop)
    }),
    Scenario::new("sync-holds-without-an-answer", LOCAL, "without an answer the second question is held", |stage| {
        let Pair { server, mut client } = sync_pair(stage, json!({}))?;
        client.emit("first", &json!(1))?;
        client.emit("second", &json!(2))?;
        server.event("first")?;
        server.never(0, "second")
    }),
    Scenario::new("sync-through-an-echo", STREAMS, "fifty questions are answered one by one, in order", |stage| {
        let Pair { server, mut client } = sync_pair(stage, json!({"echo": true}))?;
        client.emit_many("ask", numbers(50))?;
        same("the answers", &client.events("ask", 50)?, &numbers(50))?;
        same("the questions", &server.events("ask", 50)?, &numbers(50))
    }),
    Scenario::new("sync-moves-on-by-any-message", LOCAL, "any message of the server counts as the answer", |stage| {
        let Pair { mut server, mut client } = sync_pair(stage, json!({}))?;
        client.emit_many("ask", numbers(2))?;
        server.event("ask")?;
        server.broadcast("unrelated", &json!(0))?;
        same("the questions", &server.events("ask", 2)?, &numbers(2))
    }),
];

fn sync_pair(stage: &Stage<'_>, server: Value) -> Outcome<Pair> {
    stage.pair(server, json!({"config": {"sync": true}}))
}

fn numbers(count: usize) -> Vec<Value> {
    (0..count).map(|n| json!(n)).collect()
}
