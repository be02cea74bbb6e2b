//! The tables of options in `docs/migration.md`, against what real node-ipc was recorded to have and against `Config`.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should panic")]

use ipc_proto::Config;
use serde_json::{Map, Value, json};

const PAGE: &str = include_str!("../../../docs/migration.md");
const RECORDED: &str = include_str!("../../../ipc-conformance/vectors/defaults.json");

/// Recorded otherwise than they are by themselves: the recording itself had set `silent`, and `Infinity` is tagged.
fn recorded(version: &str) -> Map<String, Value> {
    let all: Value = serde_json::from_str(RECORDED).unwrap();
    let vectors = all["vectors"].as_array().unwrap();
    let found = vectors.iter().find(|vector| vector["id"] == "defaults/config" && vector["node_ipc"] == version);
    let mut config = found.unwrap()["observed"]["config"].as_object().unwrap().clone();
    config.insert("silent".to_owned(), json!(false));
    for value in config.values_mut() {
        if value["$t"] == "number" {
            *value = value["v"].clone();
        }
    }
    config
}

/// The value of an option, `interface.family` included.
fn value<'a>(config: &'a Map<String, Value>, option: &str) -> Option<&'a Value> {
    match option.split_once('.') {
        None => config.get(option),
        Some((group, part)) => config.get(group)?.get(part),
    }
}

/// The rows below the heading: their cells.
fn rows(heading: &str) -> Vec<Vec<&'static str>> {
    let table = PAGE.split_once(heading).unwrap().1.trim_start().split("\n\n").next().unwrap();
    table.lines().skip(2).map(|row| row.trim_matches('|').split('|').map(str::trim).collect()).collect()
}

/// What stands between backticks, as JSON; the words `Infinity` and the like as texts. `None` for other words.
fn code(cell: &str) -> Option<Value> {
    let text = cell.strip_prefix('`')?.strip_suffix('`')?;
    Some(serde_json::from_str(text).unwrap_or_else(|_| json!(text)))
}

fn ours() -> Map<String, Value> {
    serde_json::to_value(Config::v9()).unwrap().as_object().unwrap().clone()
}

#[test]
fn the_defaults_on_the_page_are_those_that_were_recorded_and_ours() {
    let (v9, v14, ours) = (recorded("9.2.1"), recorded("14.0.0"), ours());
    let rows = rows("| option | 9.2.1 | 14.0.0 | here | what differs |");
    let mut compared = 0;
    for row in &rows {
        let option = row[0].trim_matches('`');
        for (cell, config, name) in [(row[1], &v9, "9.2.1"), (row[2], &v14, "14.0.0"), (row[3], &ours, "ours")] {
            let actual = value(config, option);
            if cell == "–" {
                assert_eq!(actual, None, "{option} of {name}");
            } else if let Some(said) = code(cell) {
                // What is not set in `Config` is null, where node-ipc's own default is filled in later.
                let filled_in = json!({ "networkHost": "127.0.0.1", "IPType": "" });
                let actual = match actual.unwrap() {
                    Value::Null => value(filled_in.as_object().unwrap(), option).unwrap_or(&json!(false)).clone(),
                    other => other.clone(),
                };
                assert_eq!(actual, said, "{option} of {name}");
                compared += 1;
            }
        }
    }
    assert!(compared > 80, "{compared}");
}

#[test]
fn the_defaults_of_our_own_options_on_the_page_are_right() {
    let ours = ours();
    for row in rows("| option | here | |") {
        let options: Vec<_> = row[0].split(", ").map(|name| name.trim_matches('`')).collect();
        let values: Vec<_> = row[1].split(", ").filter_map(code).collect();
        for (at, option) in options.iter().enumerate() {
            if let Some(said) = values.get(at).or(values.last()) {
                let actual = value(&ours, option).unwrap();
                let actual = if actual.is_null() { &json!(false) } else { actual };
                assert_eq!(actual, said, "{option}");
            }
        }
    }
}

#[test]
fn every_option_is_on_the_page() {
    let mut missing = Vec::new();
    let known = recorded("9.2.1").into_iter().chain(recorded("14.0.0")).chain(ours());
    for (option, _) in known {
        if !PAGE.contains(&format!("| `{option}`")) && !PAGE.contains(&format!(", `{option}` |")) {
            missing.push(option);
        }
    }
    assert_eq!(missing, [""; 0]);
}
