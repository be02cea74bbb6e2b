//! The presets against the defaults recorded from real node-ipc, key by key.
//!
//! Every difference stands in a list with its reason; what is in no list must be equal.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should panic")]

use ipc_proto::{Config, Host, Platform, Settings};
use serde_json::{Map, Value, json};

const RECORDED: &str = include_str!("../../../ipc-conformance/vectors/defaults.json");

/// Keys that no preset can equal, whatever the version.
const NOT_COMPARABLE: [(&str, &str); 2] =
    [("silent", "the recording itself had set it to true"), ("logger", "a function; logs go through tracing instead")];

/// Keys of 14.0.0 where its default preset differs on purpose.
const V14_FAST_DIFFERS: [(&str, &str); 5] = [
    ("IPType", "14.0.0 looks at the machine's interfaces; this crate asks the system nothing"),
    ("maxEventNameLength", "14.0.0 ignores it unless guarded; here it holds, so it is larger"),
    ("maxMessageSize", "14.0.0 ignores it unless guarded; here it holds, so it is larger"),
    ("maxPendingBytes", "14.0.0 ignores it unless guarded; here it holds, so it is larger"),
    ("messageTimeout", "14.0.0 ignores it unless guarded; here it would hold"),
];

/// Options that no version of node-ipc has.
const OURS: [&str; 15] = [
    "tcpKeepAlive",
    "maxGroups",
    "slowConsumer",
    "backoff",
    "takeOver",
    "malformed",
    "offline",
    "maxOfflineBytes",
    "acceptBacklog",
    "socketMode",
    "socketGroup",
    "reusePort",
    "eventQueue",
    "maxUdpPeers",
    "udpPeerExpiry",
];

fn host() -> Host {
    Host::new("$HOSTNAME", Platform::Linux).with_uid(0)
}

fn vectors() -> Vec<Value> {
    let recorded: Value = serde_json::from_str(RECORDED).unwrap();
    recorded["vectors"].as_array().unwrap().clone()
}

fn recorded_config(version: &str) -> Map<String, Value> {
    let vectors = vectors();
    let found = vectors.iter().find(|vector| vector["id"] == "defaults/config" && vector["node_ipc"] == version);
    found.unwrap()["observed"]["config"].as_object().unwrap().clone()
}

/// The recorded value in the JSON that this crate reads: `Infinity` is a text there.
fn readable(value: &Value) -> Value {
    match value {
        Value::Object(tagged) if tagged.get("$t") == Some(&json!("number")) => tagged["v"].clone(),
        other => other.clone(),
    }
}

fn is_listed(list: &[(&str, &str)], key: &str) -> bool {
    list.iter().any(|(listed, _)| *listed == key)
}

/// Setting a recorded default must change nothing. Returns the keys where it does.
fn differing_keys(preset: &Config, version: &str) -> Vec<String> {
    let settings = preset.clone().build(&host()).unwrap();
    let mut differing = Vec::new();
    for (key, value) in recorded_config(version) {
        if is_listed(&NOT_COMPARABLE, &key) {
            continue;
        }
        let value = readable(&value);
        let equal = match key.as_str() {
            "id" => value == settings.id(),
            "socketRoot" => value == settings.socket_root(),
            "networkHost" => value == settings.network_host(),
            _ => {
                let document = json!({ key.as_str(): value }).to_string();
                preset.clone().with_json(&document).unwrap() == *preset
            }
        };
        if !equal {
            differing.push(key);
        }
    }
    differing
}

#[test]
fn v9_has_the_defaults_of_9_2_1_and_12_0_0() {
    assert_eq!(differing_keys(&Config::v9(), "9.2.1"), [""; 0]);
    assert_eq!(differing_keys(&Config::v9(), "12.0.0"), [""; 0]);
}

#[test]
fn v14_fast_has_the_defaults_of_14_0_0_but_for_the_listed_ones() {
    let listed: Vec<_> = V14_FAST_DIFFERS.iter().map(|(key, _)| *key).collect();
    let differing = differing_keys(&Config::v14_fast(), "14.0.0");
    assert_eq!(differing, listed);
}

#[test]
fn v14_guarded_has_the_limits_of_14_0_0() {
    assert_eq!(differing_keys(&Config::v14_guarded(), "14.0.0"), ["IPType", "parser"]);
    let assured = Config::v14_assured(["message"]);
    assert_eq!(differing_keys(&assured, "14.0.0"), ["IPType", "allowedEvents", "parser"]);
}

#[test]
fn every_recorded_key_is_an_option_and_every_other_option_is_listed_as_ours() {
    let recorded = recorded_config("14.0.0");
    let ours = serde_json::to_value(Config::v14_fast()).unwrap();
    let ours = ours.as_object().unwrap();
    for key in recorded.keys() {
        assert!(ours.contains_key(key) || key == "logger", "{key}");
    }
    for key in ours.keys() {
        let known = recorded.contains_key(key);
        assert_ne!(known, OURS.contains(&key.as_str()), "{key}");
    }
}

#[test]
fn without_a_runtime_directory_14_0_0_uses_the_temporary_one() {
    let vectors = vectors();
    let vector = vectors.iter().find(|vector| vector["id"] == "defaults/socketRoot-no-xdg").unwrap();
    let settings: Settings = Config::v14_fast().build(&host()).unwrap();
    assert_eq!(vector["observed"]["socketRoot"], settings.socket_root());
}
