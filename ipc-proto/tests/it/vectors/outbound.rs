//! What goes out for what a program says.
//!
//! The rule: our frame is byte for byte, or as a JSON value where serde orders keys or writes numbers in its own way, what at
//! least one version wrote. Every recorded frame can be written again exactly from its parts.

use std::collections::BTreeMap;

use ipc_proto::{Delimiter, Empty, EncodeError, Encoder, Encoding, Rules};
use serde_json::Value;
use serde_json::value::RawValue;

use super::reading::{are_bytes, by_question, bytes, expressible, same, string, vectors};

/// How many questions were answered in which way.
#[derive(Debug, Default, PartialEq)]
struct Answers {
    /// With exactly the bytes of a version.
    exact: usize,
    /// With the same JSON value, written differently.
    same_value: usize,
    /// With a frame that arrives whole where node-ipc's would not.
    safer: usize,
    /// With the error code of a version.
    refused: usize,
    /// Not at all: values that only JavaScript has.
    only_javascript: usize,
    /// Not asked, because the delimiter is refused at construction.
    no_delimiter: usize,
}

fn rules(config: &Value) -> Rules {
    if config.get("parser").is_none() {
        return Rules::default();
    }
    let allowed = config["allowedEvents"].as_array().map(|names| {
        names
            .iter()
            .map(|name| name.as_str().expect("a name").to_owned())
            .collect::<std::collections::BTreeSet<_>>()
            .into()
    });
    Rules {
        max_event_name: Some(config["maxEventNameLength"].as_u64().unwrap_or(256) as usize),
        refuse_reserved: true,
        refuse_unsafe: true,
        allowed,
    }
}

/// Emits as the vector does; `None` for what only JavaScript can say.
fn emit(encoder: &Encoder, input: &Value, out: &mut Vec<u8>) -> Option<Result<usize, EncodeError>> {
    let absent = input["data_argument"] == "absent" || input["data"]["$t"] == "undefined";
    let data = if absent { None } else { Some(expressible(&input["data"])?) };
    Some(match (expressible(&input["type"])?, data) {
        (Value::String(name), Some(data)) => encoder.encode(&name, &data, out),
        (Value::String(name), None) => encoder.encode(&name, &Empty, out),
        (other, data) => {
            let data = data.map_or_else(|| "{}".to_owned(), |data| data.to_string());
            encoder.encode_envelope(Some(&other.to_string()), Some(&data), out)
        }
    })
}

fn ask(theme: &str) -> Answers {
    let mut answers = Answers::default();
    for group in by_question(vectors(theme), &["/config", "/input/type", "/input/data", "/input/data_argument"]) {
        let (id, config, input) = (&group[0]["id"], &group[0]["config"], &group[0]["input"]);
        if config["parser"] == "raw" {
            answers.only_javascript += 1;
            continue;
        }
        let text = config["delimiter"].as_str().unwrap_or("\x0c");
        let Ok(delimiter) = Delimiter::new(text) else {
            assert!(["", "}", "\""].contains(&text), "{text:?}");
            answers.no_delimiter += 1;
            continue;
        };
        let limit =
            config["maxMessageSize"].as_u64().unwrap_or(if config.get("parser").is_some() { 1 << 20 } else { 1 << 30 });
        let encoder = Encoder::new(delimiter.clone(), limit as usize, rules(config));
        let mut out = Vec::new();
        let Some(result) = emit(&encoder, input, &mut out) else {
            answers.only_javascript += 1;
            continue;
        };
        let observed = |vector: &&Value, judge: &dyn Fn(&Value) -> bool| judge(&vector["observed"]);
        let some_version = |judge: &dyn Fn(&Value) -> bool| group.iter().any(|vector| observed(&vector, judge));
        if let Err(error) = result {
            let code = error.code().expect("a code").as_str();
            assert!(some_version(&|seen| seen["throws"]["code"] == code), "{id}: {error}");
            assert!(out.is_empty());
            answers.refused += 1;
            continue;
        }
        let json = |frame: &[u8]| serde_json::from_slice::<Value>(&frame[..frame.len() - text.len()]).ok();
        let ours_are_theirs = |seen: &Value| {
            let theirs = seen["wire"].get("hex").map(|_| bytes(&seen["wire"])).filter(|wire| wire.len() > text.len());
            theirs.and_then(|theirs| Some(same(&json(&out)?, &json(&theirs)?))).unwrap_or_default()
        };
        assert_eq!(delimiter.find(&out), Some(out.len() - text.len()), "{id}: the first delimiter ends the frame");
        if some_version(&|seen| are_bytes(&seen["wire"], &out)) {
            answers.exact += 1;
        } else if some_version(&ours_are_theirs) {
            let cut = |seen: &Value| {
                delimiter.find(&bytes(&seen["wire"])).is_some_and(|at| at + text.len() < bytes(&seen["wire"]).len())
            };
            match some_version(&cut) {
                true => answers.safer += 1,
                false => answers.same_value += 1,
            }
        } else {
            panic!("{id}: {} is like no version", String::from_utf8_lossy(&out));
        }
    }
    answers
}

#[test]
fn values_are_written_as_node_ipc_writes_them() {
    assert_eq!(ask("outbound-values"), Answers { exact: 33, same_value: 8, only_javascript: 21, ..Answers::default() });
}

#[test]
fn strings_are_written_as_node_ipc_writes_them() {
    assert_eq!(ask("outbound-strings"), Answers { exact: 25, only_javascript: 5, ..Answers::default() });
}

#[test]
fn types_are_written_as_node_ipc_writes_them() {
    assert_eq!(ask("outbound-types"), Answers { exact: 25, only_javascript: 5, ..Answers::default() });
}

#[test]
fn no_payload_can_contain_the_delimiter() {
    assert_eq!(ask("outbound-delimiters"), Answers { exact: 64, safer: 4, no_delimiter: 14, ..Answers::default() });
}

#[test]
fn guarded_and_assured_rules_refuse_to_send_with_the_codes_of_14() {
    assert_eq!(
        ask("outbound-v14-profiles"),
        Answers { exact: 6, refused: 9, only_javascript: 2, ..Answers::default() }
    );
}

#[test]
fn every_recorded_frame_can_be_written_from_its_parts() {
    let encoder = Encoder::new(Delimiter::default(), usize::MAX, Rules::default());
    let (mut written, mut silent, mut abridged) = (0, 0, 0);
    for theme in ["outbound-values", "outbound-strings", "outbound-types"] {
        for vector in vectors(theme) {
            let wire = &vector["observed"]["wire"];
            if wire.get("hex").is_none() {
                abridged += 1;
                continue;
            }
            let frame = bytes(wire);
            let Some(json) = frame.strip_suffix(b"\x0c") else {
                assert!(frame.is_empty());
                silent += 1;
                continue;
            };
            let members: BTreeMap<&str, &RawValue> = serde_json::from_slice(json).expect("an envelope");
            let member = |key| members.get(key).map(|value| value.get());
            let mut out = Vec::new();
            let length = encoder.encode_envelope(member("type"), member("data"), &mut out);
            assert_eq!(length.expect("valid"), out.len());
            assert_eq!(out, frame, "{}", vector["id"]);
            written += 1;
        }
    }
    assert_eq!((written, silent, abridged), (442, 14, 9));
}

#[test]
fn raw_text_becomes_the_bytes_that_node_makes_of_it() {
    let (mut checked, mut only_javascript, mut unknown) = (0, 0, 0);
    for vector in vectors("outbound-raw").into_iter().chain(vectors("outbound-raw-encoding-names")) {
        let name = vector["config"]["encoding"].as_str().expect("an encoding");
        let Ok(encoding) = name.parse::<Encoding>() else {
            assert_eq!(name, "nope");
            unknown += 1;
            continue;
        };
        let Some(units) = string(&vector["input"]["type"]) else {
            only_javascript += 1;
            continue;
        };
        let encoded = encoding.encode_utf16(&units);
        assert!(are_bytes(&vector["observed"]["wire"], &encoded), "{}: {encoded:x?}", vector["id"]);
        if let Ok(text) = String::from_utf16(&units) {
            assert_eq!(encoding.encode(&text), encoded);
        }
        checked += 1;
    }
    assert_eq!((checked, only_javascript, unknown), (405, 414, 6));
}
