//! A contract in all its forms: declared in TypeScript, where the real compiler judges it, and spoken with real node-ipc.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should panic")]

mod node;
mod typescript;

use ipc_tokio::Contract;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashMap};
use ts_rs::TS;

/// What clients say to the room.
#[derive(Clone, Contract, Debug, PartialEq)]
#[contract(typescript)]
pub(crate) enum ToRoom {
    /// Somebody came, under this name.
    Join(String),
    /// Something to be said to everybody.
    ///
    /// It is kept: see `history`.
    Say {
        text: String,
        /// The number of what is answered.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reply_to: Option<u64>,
    },
    #[event("room.move")]
    Move(f64, f64),
    Leave,
}

/// What the room says to clients.
#[derive(Clone, Contract, Debug, PartialEq)]
#[contract(typescript)]
#[serde(rename_all_fields = "camelCase")]
pub(crate) enum FromRoom {
    Joined(Person),
    Said {
        by_whom: Box<Person>,
        text: String,
        number: u64,
    },
    History(Vec<(String, Option<String>)>),
    Counted(HashMap<String, u32>),
    Moved(Place),
    Left(
        #[serde(with = "shout")]
        #[ts(type = "Uppercase<string>")]
        String,
    ),
}

#[derive(Clone, Debug, Deserialize, PartialEq, Serialize, TS)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Person {
    full_name: String,
    #[serde(skip)]
    secret: u8,
    friends: Vec<Person>,
    tags: BTreeMap<String, bool>,
}

#[derive(Clone, Debug, Deserialize, PartialEq, Serialize, TS)]
#[serde(tag = "kind", rename_all = "camelCase")]
pub(crate) enum Place {
    Nowhere,
    At { x: f64, y: f64 },
}

pub(crate) mod shout {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub(crate) fn serialize<S: Serializer>(text: &str, serializer: S) -> Result<S::Ok, S::Error> {
        text.to_uppercase().serialize(serializer)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
        String::deserialize(deserializer).map(|text| text.to_lowercase())
    }
}

/// One event of every kind.
pub(crate) fn everything() -> Vec<FromRoom> {
    let friend = Person { full_name: "Eve".into(), secret: 0, friends: vec![], tags: BTreeMap::new() };
    let tags = BTreeMap::from([("admin".into(), true)]);
    let person = Person { full_name: "Ann Ó".into(), secret: 0, friends: vec![friend], tags };
    vec![
        FromRoom::Joined(person.clone()),
        FromRoom::Said { by_whom: Box::new(person), text: "hi".into(), number: 1 << 53 },
        FromRoom::History(vec![("a".into(), None), ("b".into(), Some("c".into()))]),
        FromRoom::Counted(HashMap::from([("words".into(), 7)])),
        FromRoom::Moved(Place::Nowhere),
        FromRoom::Moved(Place::At { x: 0.5, y: -1.0 }),
        FromRoom::Left("ann".into()),
    ]
}
