//! Texts and names: every character there is, and some that are none.

use serde_json::json;

use super::values::round_trip;
use crate::matrix::failure::{Outcome, data, same};
use crate::matrix::scenario::{LOCAL, SECURED, STREAMS, Scenario};
use crate::matrix::stage::{Pair, Stage};

pub(super) const ALL: &[Scenario] = &[
    Scenario::new(
        "text-unicode",
        SECURED,
        "letters, ideographs, emoji, marks and right-to-left text arrive",
        |stage| {
            let texts = [
                "Grüße, Ålesund",
                "漢字かな交じり文",
                "😀👨‍👩‍👧‍👦🏳️‍🌈",
                "e\u{301}\u{327}",
                "שלום مرحبا",
                "\u{10ffff}\u{e000}\u{fffd}",
            ];
            round_trip(stage, &texts.map(|text| json!(text)))
        },
    ),
    Scenario::new("text-escapes", STREAMS, "quotes, backslashes and every control character arrive", |stage| {
        let controls: String = (0..32).chain(127..160).filter_map(char::from_u32).collect();
        round_trip(stage, &[json!("\"\\/"), json!("\\u0041\\n"), json!(controls), json!("\u{2028}\u{2029}\u{feff}")])
    }),
    Scenario::new(
        "text-delimiter-inside",
        STREAMS,
        "a text that contains the delimiter does not cut its frame",
        |stage| round_trip(stage, &[json!("\u{c}"), json!("one\u{c}two\u{c}\u{c}"), json!({"\u{c}key": ["\u{c}"]})]),
    ),
    Scenario::new("text-lone-surrogates", LOCAL, "halves of surrogate pairs arrive in keys and in texts", |stage| {
        let halves = |units: &[u32]| json!({"$t": "utf16", "units": units});
        let value = json!({"$t": "object", "entries": [["$t", 1], [halves(&[0xd800]), halves(&[0xdc00, 65])]]});
        round_trip(stage, &[value])
    }),
    Scenario::new("text-byte-order-mark", LOCAL, "a byte order mark in a text stays", |stage| {
        round_trip(stage, &[json!("\u{feff}text"), json!(["\u{feff}"])])
    }),
    Scenario::new("names-unicode", STREAMS, "event names may be any text", |stage| {
        names(
            stage,
            &["grüße", "名前", "😀", "with space", "tab\there", "a.b.c", "form\u{c}feed", "quote\"", "back\\slash"],
        )
    }),
    Scenario::new("names-long", LOCAL, "an event name of 1000 characters arrives", |stage| {
        names(stage, &["n".repeat(1_000).as_str(), "é".repeat(500).as_str()])
    }),
    Scenario::new("names-of-the-lifecycle", STREAMS, "names of lifecycle events are names like others", |stage| {
        let Pair { mut server, mut client } = stage.plain_pair()?;
        for name in ["error", "connect", "disconnect", "destroy", "close", "data", "start", "socket.disconnected"] {
            let (there, here) = (server.mark(), client.mark());
            client.emit(name, &json!({"from": "client"}))?;
            same(name, data(&server.event_after(there, name)?), &json!({"from": "client"}))?;
            server.emit_to(0, name, &json!({"from": "server"}))?;
            same(name, data(&client.event_after(here, name)?), &json!({"from": "server"}))?;
        }
        client.emit("still", &json!("here"))?;
        same("the connection lives", data(&server.event("still")?), &json!("here"))
    }),
    Scenario::new("names-of-prototypes", LOCAL, "what every JavaScript object has is a name like others", |stage| {
        names(stage, &["constructor", "toString", "__proto__", "hasOwnProperty"])
    }),
];

/// Events of these names go to the server, each by its name.
fn names(stage: &Stage<'_>, names: &[&str]) -> Outcome {
    let Pair { server, mut client } = stage.plain_pair()?;
    for (at, name) in names.iter().enumerate() {
        client.emit(name, &json!([at]))?;
        same(name, data(&server.event(name)?), &json!([at]))?;
    }
    Ok(())
}
