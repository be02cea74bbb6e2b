//! JSON values of every shape: the server hears what the client emitted, and the client hears it again.

use serde_json::{Map, Value, json};

use crate::matrix::failure::{Outcome, data, same};
use crate::matrix::scenario::{EVERY_STREAM, LOCAL, STREAMS, Scenario};
use crate::matrix::stage::{Pair, Stage};

pub(super) const ALL: &[Scenario] = &[
    Scenario::new(
        "values-mixed",
        EVERY_STREAM,
        "values of every kind in one message come back as they went",
        |stage| {
            let text = "é€😀\u{c}\n\"\\\u{0}\u{7f}\u{2028}";
            round_trip(
                stage,
                &[json!({"z": [1, -2.5, 1e21, true, false, null], "1": {"deep": [[[]], {}]}, "text": text})],
            )
        },
    ),
    Scenario::new("values-booleans", LOCAL, "true and false arrive, alone and inside", |stage| {
        round_trip(stage, &[json!(true), json!(false), json!([true, false]), json!({"yes": true, "no": false})])
    }),
    Scenario::new("values-integers", STREAMS, "integers arrive exactly, up to 2^53 on either side of 0", |stage| {
        round_trip(
            stage,
            &[
                json!(0),
                json!(1),
                json!(-1),
                json!(65_536),
                json!([9_007_199_254_740_991_i64, -9_007_199_254_740_991_i64]),
            ],
        )
    }),
    Scenario::new("values-fractions", LOCAL, "fractions arrive to the last bit", |stage| {
        round_trip(
            stage,
            &[
                json!(0.1),
                json!(-2.5),
                json!(1e-7),
                json!([2.220_446_049_250_313e-16, 5e-324, 0.300_000_000_000_000_04]),
            ],
        )
    }),
    Scenario::new("values-big-numbers", LOCAL, "numbers beyond integers arrive as the doubles they are", |stage| {
        round_trip(stage, &[json!(1e21), json!([1.797_693_134_862_315_7e308, -1e300, 1.234_567_890_123_456_7e25])])
    }),
    Scenario::new("values-falsy", STREAMS, "0 and false are data like any other", |stage| {
        round_trip(stage, &[json!(0), json!(false), json!([0, false, null, ""])])
    }),
    Scenario::new("values-null-inside", LOCAL, "null arrives inside arrays and objects", |stage| {
        round_trip(stage, &[json!([null]), json!({"a": null}), json!([null, [null, {"b": null}]])])
    }),
    Scenario::new("values-null", STREAMS, "null alone arrives as null", |stage| one_way(stage, &json!(null))),
    Scenario::new("values-empty-string", STREAMS, "an empty text alone arrives as one", |stage| {
        one_way(stage, &json!(""))
    }),
    Scenario::new("values-absent", STREAMS, "an emit without data arrives as an empty object", |stage| {
        let Pair { server, mut client } = stage.plain_pair()?;
        client.tell(json!({"cmd": "emit", "type": "nothing"}))?;
        same("the data", data(&server.event("nothing")?), &json!({}))
    }),
    Scenario::new("values-empty-containers", LOCAL, "empty arrays and objects arrive", |stage| {
        round_trip(stage, &[json!([]), json!({}), json!([[]]), json!([{}, []]), json!({"a": {}, "b": []})])
    }),
    Scenario::new("values-arrays", LOCAL, "arrays arrive with their elements in order", |stage| {
        let long: Vec<u32> = (0..2_000).rev().collect();
        round_trip(stage, &[json!([1, "two", 3.5, [4], {"five": 6}]), json!(long)])
    }),
    Scenario::new("values-objects", STREAMS, "objects inside objects arrive", |stage| {
        round_trip(stage, &[json!({"a": {"b": {"c": {"d": [{"e": 1}]}}}, "": 1, "with space": 2, "é": 3})])
    }),
    Scenario::new("values-many-keys", LOCAL, "an object of 2000 keys arrives", |stage| {
        let keys: Map<String, Value> = (0..2_000).map(|n| (format!("key{n}"), json!(n))).collect();
        round_trip(stage, &[Value::Object(keys)])
    }),
    Scenario::new("values-deep-nesting", LOCAL, "arrays and objects 500 levels deep arrive", |stage| {
        let Pair { server, mut client } = stage.echo_pair()?;
        for kind in ["array", "object"] {
            client.emit(kind, &json!({"$t": "nest", "kind": kind, "n": 500, "leaf": 1}))?;
            let there = server.event(kind)?;
            same("how deep", &data(&there)["depth_along_first_keys"], &json!(500))?;
            same("what comes back", data(&client.event(kind)?), data(&there))?;
        }
        Ok(())
    }),
    Scenario::new("values-key-order", LOCAL, "keys stay in order, after those that look like integers", |stage| {
        let Pair { server, mut client } = stage.echo_pair()?;
        client
            .emit("keys", &json!({"$t": "object", "entries": [["z", 1], ["10", 2], ["a", 3], ["2", 4], ["é", 5]]}))?;
        let expected = json!(r#"{"2":4,"10":2,"z":1,"a":3,"é":5}"#);
        same("to the server", &server.event("keys")?["data_json"], &expected)?;
        same("back to the client", &client.event("keys")?["data_json"], &expected)
    }),
];

/// Each value goes to the server and back.
pub(super) fn round_trip(stage: &Stage<'_>, values: &[Value]) -> Outcome {
    let Pair { server, mut client } = stage.echo_pair()?;
    for (at, value) in values.iter().enumerate() {
        client.emit(&format!("value {at}"), value)?;
    }
    for (at, value) in values.iter().enumerate() {
        let name = format!("value {at}");
        let (there, back) = (server.event(&name)?, client.event(&name)?);
        same(&format!("{name} at the server"), data(&there), value)?;
        same(&format!("{name} back at the client"), data(&back), value)?;
        same(&format!("{name} as JSON"), &back["data_json"], &there["data_json"])?;
    }
    Ok(())
}

/// A value goes to the server.
fn one_way(stage: &Stage<'_>, value: &Value) -> Outcome {
    // Whoever can also do as an older line did is to do as today's does.
    let Pair { server, mut client } = stage.pair(json!({}), json!({"preset": "v14_fast"}))?;
    client.emit("value", value)?;
    same("the data", data(&server.event("value")?), value)
}
