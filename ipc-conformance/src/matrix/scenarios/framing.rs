//! Delimiters and encodings of framed messages.

use serde_json::{Value, json};

use crate::matrix::failure::{Outcome, data, same};
use crate::matrix::scenario::{LOCAL, STREAMS, Scenario};
use crate::matrix::stage::{Pair, Stage};

pub(super) const ALL: &[Scenario] = &[
    Scenario::new("delimiter-newline", STREAMS, "a line feed delimits, and may stand in texts", |stage| {
        delimited(stage, "\n", "two\nlines\u{c}")
    }),
    Scenario::new("delimiter-nul", LOCAL, "a NUL delimits, and may stand in texts", |stage| {
        delimited(stage, "\u{0}", "nul \u{0} inside")
    }),
    Scenario::new("delimiter-bar", LOCAL, "a visible character delimits texts that are without it", |stage| {
        delimited(stage, "|", "no bar in here")
    }),
    Scenario::new("delimiter-euro", LOCAL, "a character of three bytes delimits", |stage| {
        delimited(stage, "€", "no such sign in here")
    }),
    Scenario::new("delimiter-of-two", STREAMS, "a delimiter of two characters delimits", |stage| {
        delimited(stage, "\r\n", "one\r\ntwo")
    }),
    Scenario::new("delimiter-word", LOCAL, "a word delimits", |stage| delimited(stage, "END", "no such word in here")),
    Scenario::new("delimiter-emoji", LOCAL, "a character outside the basic plane delimits", |stage| {
        delimited(stage, "😀", "none in here")
    }),
    Scenario::new(
        "delimiter-in-the-payload",
        LOCAL,
        "a text with the visible delimiter in it does not cut its frame",
        |stage| {
            let Pair { server, mut client } = stage.configured_pair(&json!({"delimiter": "|"}))?;
            client.emit("text", &json!("a|b"))?;
            same("the text", data(&server.event("text")?), &json!("a|b"))
        },
    ),
    Scenario::new("encoding-ascii-framed", LOCAL, "with the encoding ascii, framed ASCII arrives", |stage| {
        encoded(stage, "ascii", &json!("plain"))
    }),
    Scenario::new("encoding-latin1-framed", LOCAL, "with the encoding latin1, framed messages are UTF-8", |stage| {
        encoded(stage, "latin1", &json!("é€"))
    }),
    Scenario::new("encoding-hex-framed", LOCAL, "with the encoding hex, framed messages are UTF-8", |stage| {
        encoded(stage, "hex", &json!({"a": "é"}))
    }),
    Scenario::new("encoding-base64-framed", LOCAL, "with the encoding base64, framed messages are UTF-8", |stage| {
        encoded(stage, "base64", &json!([1]))
    }),
    Scenario::new("encoding-utf16le-framed", LOCAL, "with the encoding utf16le, framed messages are UTF-8", |stage| {
        encoded(stage, "utf16le", &json!([1]))
    }),
];

/// Both ends use this delimiter, and several texts go there and back.
fn delimited(stage: &Stage<'_>, delimiter: &str, text: &str) -> Outcome {
    let config = json!({"delimiter": delimiter});
    let Pair { server, mut client } = stage.pair(json!({"config": config, "echo": true}), json!({"config": config}))?;
    let texts: Vec<Value> = (0..3).map(|n| json!(format!("{text} {n}"))).collect();
    client.emit_many("text", texts.clone())?;
    same("at the server", &server.events("text", 3)?, &texts)?;
    same("back at the client", &client.events("text", 3)?, &texts)
}

/// Both ends have this encoding, and a framed value goes to the server.
fn encoded(stage: &Stage<'_>, encoding: &str, value: &Value) -> Outcome {
    let Pair { server, mut client } = stage.configured_pair(&json!({"encoding": encoding}))?;
    client.emit("value", value)?;
    same("the value", data(&server.event("value")?), value)
}
