//! How `serve`, `serveNet`, `connectTo` and `connectToNet` resolve their arguments, as recorded from
//! real node-ipc, against the constructors of `Endpoint`.
//!
//! JavaScript sniffs arguments by type; Rust has one constructor for each meaning. The test does the
//! sniffing. Calls that mean nothing in Rust are listed with the reason, and so are the differences.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should panic")]

use ipc_proto::{Config, Endpoint, EndpointError, Host, Platform, Settings};
use serde_json::{Value, json};

const RECORDED: &str = include_str!("../../../ipc-conformance/vectors/overloads.json");

/// Calls without a meaning in Rust: the function, its arguments, and why.
const NO_MEANING: [(&str, &str, &str); 16] = [
    ("serve", "[5]", "a path is text"),
    ("serveNet", r#"["localhost","3435"]"#, "a port is a number"),
    ("serveNet", r#"[3435,"UDP4"]"#, "a misspelt UDP type does not compile"),
    ("serveNet", r#"["localhost",3435,"udp5"]"#, "a misspelt UDP type does not compile"),
    ("serveNet", r#"[{"a":1}]"#, "a host is text"),
    ("serveNet", "[true]", "a host is text"),
    ("serveNet", r#"["localhost",3435.5]"#, "a port is a whole number"),
    ("serveNet", "[65536]", "a port has 16 bits"),
    ("connectTo", "[]", "an id is required"),
    ("connectTo", r#"[null,"/tmp/run/p1"]"#, "an id is required"),
    ("connectTo", "[5]", "an id is text"),
    ("connectToNet", "[]", "an id is required"),
    ("connectToNet", r#"["","localhost",3435]"#, "an empty id is the registry's to refuse"),
    ("connectToNet", r#"["w","localhost",3435,"udp4"]"#, "UDP has no clients"),
    ("connectToNet", r#"["w","localhost","3435"]"#, "a port is a number"),
    ("connectToNet", r#"["w","localhost",65536]"#, "a port has 16 bits"),
];

/// What a call resolves to: path or host, port, and whether it is UDP over IPv4 or IPv6.
type Resolved = (String, Option<u16>, bool, bool);

fn settings(version: &str, options: &Value) -> Settings {
    let preset = if version.starts_with("14") { Config::v14_fast() } else { Config::v9() };
    let host = Host::new("$HOSTNAME", Platform::Linux).with_uid(0);
    let config = preset.with_json(&options.to_string()).unwrap();
    config.build(&host).unwrap()
}

fn resolved(endpoint: &Endpoint) -> Resolved {
    let udp4 = matches!(endpoint, Endpoint::Udp4 { .. });
    let udp6 = matches!(endpoint, Endpoint::Udp6 { .. });
    let place = match endpoint.local_address() {
        Some(address) => address.as_str(),
        None => endpoint.host().unwrap(),
    };
    (place.to_owned(), endpoint.port(), udp4, udp6)
}

fn recorded(observed: &Value) -> Resolved {
    let place = match observed["of"].as_object() {
        Some(clients) => clients.values().next().unwrap(),
        None => &observed["server"],
    };
    let path = place["path"].as_str().unwrap().to_owned();
    let port = place["port"].as_u64().map(|port| port.try_into().unwrap());
    (path, port, place["udp4"] == true, place["udp6"] == true)
}

/// The arguments without callbacks; `undefined` is `null`.
fn plain(args: &Value) -> Vec<Value> {
    let tag = |arg: &Value| arg.get("$t").and_then(Value::as_str).map(str::to_owned);
    let args = args.as_array().unwrap().iter();
    args.filter(|arg| tag(arg).as_deref() != Some("callback"))
        .map(|arg| match tag(arg) {
            Some(_) => Value::Null,
            None => arg.clone(),
        })
        .collect()
}

/// What the caller of `serveNet` or `connectToNet` left unsaid is `None`. So is port 0 there.
fn net_parts(args: &[Value]) -> (Option<String>, Option<u16>, Option<String>) {
    let is_udp = |text: &str| text.eq_ignore_ascii_case("udp4") || text.eq_ignore_ascii_case("udp6");
    let (mut host, mut port, mut udp) = (None, None, None);
    for arg in args {
        match arg {
            Value::String(text) if is_udp(text) => udp = Some(text.to_lowercase()),
            Value::String(text) => host = Some(text.clone()),
            Value::Number(number) => {
                let number = u16::try_from(number.as_u64().unwrap()).unwrap();
                port = Some(number).filter(|&port| port != 0);
            }
            Value::Null | Value::Bool(false) => {}
            other => panic!("{other} has no meaning in Rust"),
        }
    }
    (host, port, udp)
}

fn call(settings: &Settings, function: &str, args: &[Value]) -> Result<Endpoint, EndpointError> {
    let text = |index: usize| args.get(index).and_then(Value::as_str);
    let path = |index| text(index).filter(|path| !path.is_empty());
    let net = |args: &[Value]| {
        let (host, port, udp) = net_parts(args);
        match udp.as_deref() {
            None => Endpoint::net(settings, host.as_deref(), port),
            Some("udp4") => Endpoint::udp4(settings, host.as_deref(), port),
            Some(_) => Endpoint::udp6(settings, host.as_deref(), port),
        }
    };
    match function {
        "serve" => match path(0) {
            Some(path) => Endpoint::at_path(settings, path),
            None => Endpoint::local(settings, None),
        },
        "connectTo" => match path(1) {
            Some(path) => Endpoint::at_path(settings, path),
            None => Endpoint::local(settings, Some(text(0).unwrap())),
        },
        "serveNet" => net(args),
        "connectToNet" => net(&args[1..]),
        other => panic!("{other}"),
    }
}

#[test]
fn every_recorded_call_resolves_alike() {
    let file: Value = serde_json::from_str(RECORDED).unwrap();
    let mut without_meaning = std::collections::BTreeSet::new();
    let mut compared = 0;
    for vector in file["vectors"].as_array().unwrap() {
        let (id, version) = (&vector["id"], vector["node_ipc"].as_str().unwrap());
        let name = vector["input"]["call"].as_str().unwrap();
        let function = name.trim_start_matches("ipc.").trim_end_matches("(...)");
        let args = plain(&vector["input"]["args"]);
        let listed = json!(args).to_string();
        if let Some(case) = NO_MEANING.iter().find(|c| c.0 == function && c.1 == listed) {
            without_meaning.insert(case);
            continue;
        }
        let settings = settings(version, &vector["input"]["config"]);
        let endpoint = call(&settings, function, &args);
        let observed = &vector["observed"];
        compared += 1;

        if function == "connectTo" && listed == r#"[""]"# {
            // node-ipc returns without doing anything; here it is an error.
            assert_eq!(observed["of"], json!({}));
            assert_eq!(endpoint, Err(EndpointError::Empty { what: "id" }));
            continue;
        }
        let endpoint = resolved(&endpoint.unwrap());
        if listed == r#"["constructor"]"# && !version.starts_with("14") {
            // 9.2.1 and 12.0.0 throw, as their table of clients is a plain object.
            assert_eq!(observed["threw"]["name"], "TypeError");
            assert_eq!(endpoint.0, "/tmp/app.constructor");
        } else if listed == r#"["udp6"]"# {
            // node-ipc gives an IPv4 address, which a socket of that family cannot be bound to.
            assert_eq!(recorded(observed).0, "127.0.0.1");
            assert_eq!(endpoint, ("::1".into(), Some(8000), false, true));
        } else {
            assert_eq!(endpoint, recorded(observed), "{id} on {version}");
        }
    }
    assert_eq!(without_meaning.len(), NO_MEANING.len());
    assert_eq!(file["count"], 327);
    assert_eq!(compared, 261);
}
