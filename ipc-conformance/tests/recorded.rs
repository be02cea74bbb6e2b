//! What needs no network of the recorded answers of node-ipc: default options, how arguments are resolved, and which bytes an emit
//! makes.

use std::path::{Path, PathBuf};

use ipc_conformance::js::{self, Js};
use ipc_conformance::protocol::{
    Call, Command, Family, NodeConfig, Preset, Resolved, Unsupported, envelope, raw_bytes,
};
use ipc_proto::{Host, Platform};

/// One recorded answer.
struct Vector {
    id: String,
    version: String,
    value: Js,
}

impl Vector {
    fn preset(&self) -> Preset {
        if self.version.starts_with("14") { Preset::V14Fast } else { Preset::V9 }
    }

    fn family(&self) -> Family {
        self.preset().family()
    }

    fn at(&self, path: &[&str]) -> Js {
        let start = Some(self.value.clone());
        path.iter().fold(start, |value, key| value?.get(key).cloned()).unwrap_or_default()
    }

    /// The configuration that the question sets.
    fn config(&self, host: &Host) -> NodeConfig {
        let mut config = NodeConfig::new(self.preset(), host);
        let set = [self.at(&["config"]), self.at(&["input", "config"])];
        for members in set.iter().filter_map(Js::as_object) {
            let decoded = members.iter().map(|(key, value)| (key.clone(), js::decode(value).expect("known tags")));
            config.assign(&decoded.collect());
        }
        config
    }
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("vectors")
}

fn vectors(theme: &str) -> Vec<Vector> {
    let text = std::fs::read(folder().join(format!("{theme}.json"))).expect("vectors");
    let file = js::parse_bytes(&text).expect("JSON");
    let list = file.get("vectors").and_then(Js::as_array).expect("a list").to_vec();
    let text = |value: &Js, key: &str| value.get(key).and_then(Js::as_string).expect("text").to_text();
    list.into_iter().map(|value| Vector { id: text(&value, "id"), version: text(&value, "node_ipc"), value }).collect()
}

fn recorded_host() -> Host {
    Host::new("$HOSTNAME", Platform::Linux).with_uid(0)
}

#[test]
fn default_options_are_those_of_each_version() {
    for vector in vectors("defaults") {
        let config = NodeConfig::new(vector.preset(), &recorded_host());
        if let Js::Object(expected) = vector.at(&["observed", "config"]) {
            let described = js::describe(&Js::Object(config.values().clone()), &mut js::Numbers::default());
            assert_eq!(described, Js::Object(expected), "{} of {}", vector.id, vector.version);
        } else {
            assert_eq!(config.get("socketRoot"), vector.at(&["observed", "socketRoot"]), "{}", vector.id);
        }
    }
}

#[test]
fn arguments_are_resolved_as_recorded() {
    for vector in vectors("overloads") {
        let name = format!("{} of {}: {:?}", vector.id, vector.version, vector.at(&["input"]));
        let config = vector.config(&recorded_host());
        let call = vector.at(&["input", "call"]);
        let function = call.as_string().expect("text").to_text();
        let function = function.trim_start_matches("ipc.").trim_end_matches("(...)");
        let line = Js::object([("cmd", Js::text(function)), ("args", vector.at(&["input", "args"]))]);
        let line = js::stringify(&line).expect("plain").expect("plain");
        let call = Call::read(line.as_bytes()).expect("JSON").expect("a command");
        let resolved = match call.command.expect("a known command") {
            Command::Serve(serve) => serve.resolve(&config).map(Some),
            Command::ServeNet(serve) => serve.resolve(&config).map(Some),
            Command::ConnectTo(connect) => connect.resolve(&config),
            Command::ConnectToNet(connect) => connect.resolve(&config),
            other => panic!("{other:?}"),
        };
        check_resolved(&vector, &name, resolved);
    }
}

fn check_resolved(vector: &Vector, name: &str, resolved: Result<Option<Resolved>, js::JsError>) {
    let observed = vector.at(&["observed"]);
    let threw = observed.get("threw").or_else(|| observed.get("uncaught_exception"));
    let resolved = match resolved {
        Ok(Some(Resolved { throws: Some(error), .. })) => Err(error),
        other => other,
    };
    let resolved = match (resolved, threw) {
        (Err(error), Some(threw)) => {
            assert_eq!(Some(&Js::String(error.name)), threw.get("name"), "{name}");
            return;
        }
        // Some calls fail later, by the socket, or because `ipc.of` has a prototype: not the business of the arguments.
        (Ok(_), Some(threw)) => {
            let text = |key: &str| {
                let text = threw.get(key).and_then(Js::as_string);
                text.map(js::JsString::to_text).unwrap_or_default()
            };
            let later = text("code").starts_with("ERR_") || text("message").ends_with("(reading 'destroyed')");
            assert!(later, "{name}: {threw:?}");
            return;
        }
        (Err(error), None) => panic!("{name}: {error:?}"),
        (Ok(resolved), None) => resolved,
    };
    let place = |resolved: &Resolved| (resolved.path.clone(), resolved.port.clone().unwrap_or_default());
    let recorded = |value: &Js, key: &str| js::decode(value.get(key).unwrap_or(&Js::Undefined)).expect("known tags");
    if let Some(server) = observed.get("server") {
        let resolved = resolved.expect("a server");
        assert_eq!(place(&resolved), (recorded(server, "path"), recorded(server, "port")), "{name}");
        let flag = |key: &str| recorded(server, key) == Js::Bool(true);
        assert_eq!((resolved.udp4, resolved.udp6), (flag("udp4"), flag("udp6")), "{name}");
        let called = vector.at(&["observed", "callback_called_on_start"]);
        assert_eq!(Js::Number(f64::from(u8::from(resolved.callback))), called, "{name}");
        return;
    }
    let of = observed.get("of").and_then(Js::as_object).expect("clients");
    let Some(resolved) = resolved else {
        assert!(of.is_empty(), "{name}");
        return;
    };
    let (_, client) = of.entry(0).expect("a client");
    assert_eq!(resolved.id, Some(recorded(client, "id")), "{name}");
    assert_eq!(place(&resolved), (recorded(client, "path"), recorded(client, "port")), "{name}");
    let called = vector.at(&["observed", "callback_calls_during_call"]);
    assert_eq!(Js::Number(f64::from(u8::from(resolved.callback))), called, "{name}");
}

/// Compares bytes with `{"hex"}` or `{"length","sha256",…}`.
fn check_wire(vector: &Vector, name: &str, bytes: &[u8]) {
    let expected = vector.at(&["observed", "wire"]);
    let described = Js::object(js::describe_bytes(bytes));
    assert_eq!(described, expected, "{name}: {}", String::from_utf8_lossy(&bytes[..bytes.len().min(300)]));
}

fn check_emit(vector: &Vector, bytes: Result<Vec<u8>, js::JsError>) {
    let name = format!("{} of {}: {:?}", vector.id, vector.version, vector.at(&["input"]));
    match (bytes, vector.value.get("observed").and_then(|observed| observed.get("throws"))) {
        (Ok(bytes), None) => check_wire(vector, &name, &bytes),
        (Err(error), Some(threw)) => {
            assert_eq!(threw.get("name"), Some(&Js::String(error.name.clone())), "{name}");
            assert_eq!(threw.get("code"), error.code(), "{name}");
        }
        (got, threw) => panic!("{name}\n{got:?}\n{threw:?}"),
    }
}

#[test]
fn framed_emits_make_the_recorded_bytes() {
    let themes = [
        "outbound-values",
        "outbound-types",
        "outbound-maxlisteners",
        "outbound-strings",
        "outbound-delimiters",
        "outbound-framed-encodings",
    ];
    let mut asked = 0;
    for vector in themes.iter().flat_map(|theme| vectors(theme)) {
        let config = vector.config(&recorded_host());
        let delimiter = config.get("delimiter").as_string().expect("text").to_text();
        if vector.at(&["observed", "throws", "$t"]) == Js::text("setup") {
            // node-ipc refuses to start: 14.0.0 with an empty delimiter.
            assert!(matches!(config.to_config(), Err(Unsupported::Throws(_))), "{}", vector.id);
            continue;
        }
        let event = js::decode(&vector.at(&["input", "type"])).expect("known tags");
        let data = js::decode(&vector.at(&["input", "data"])).expect("known tags");
        asked += 1;
        check_emit(
            &vector,
            envelope(vector.family(), &event, &data).map(|envelope| {
                let member = |name: &str, text: Option<String>| text.map(|text| format!("\"{name}\":{text}"));
                let members = [member("type", envelope.event), member("data", envelope.data)];
                let members: Vec<String> = members.into_iter().flatten().collect();
                format!("{{{}}}{delimiter}", members.join(",")).into_bytes()
            }),
        );
    }
    assert!(asked > 1_000, "only {asked}");
}

#[test]
fn raw_emits_make_the_recorded_bytes() {
    let mut asked = 0;
    for vector in ["outbound-raw", "outbound-raw-encoding-names"].iter().flat_map(|theme| vectors(theme)) {
        if vector.at(&["observed", "throws", "$t"]) == Js::text("setup") {
            continue;
        }
        let config = vector.config(&recorded_host());
        let event = js::decode(&vector.at(&["input", "type"])).expect("known tags");
        asked += 1;
        check_emit(&vector, raw_bytes(&event, &config.get("encoding")));
    }
    assert!(asked > 750, "only {asked}");
}

#[test]
fn every_recorded_configuration_is_understood_or_refused_as_recorded() {
    let mut seen = 0;
    for file in std::fs::read_dir(folder()).expect("vectors") {
        let path = file.expect("vectors").path();
        let theme = path.file_stem().expect("a name").to_string_lossy().into_owned();
        if path.extension().is_none_or(|extension| extension != "json") || theme == "MANIFEST" {
            continue;
        }
        for vector in vectors(&theme) {
            let config = vector.config(&recorded_host()).to_config();
            let setup = [vector.at(&["observed", "setup_threw"]), vector.at(&["observed", "throws", "$t"])];
            let refused = setup[0].is_object() || setup[1] == Js::text("setup");
            match config {
                Ok(_) => seen += 1,
                Err(Unsupported::Throws(error)) => {
                    assert!(refused, "{} of {}: {error:?}", vector.id, vector.version);
                }
                Err(Unsupported::Option(option)) => {
                    let known = option == "encoding" || option == "delimiter";
                    assert!(known, "{} of {}: {option}", vector.id, vector.version);
                }
            }
        }
    }
    assert!(seen > 3_000, "only {seen}");
}
