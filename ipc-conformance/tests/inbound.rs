//! Recorded bytes through the codec and the dispatcher: the lines a peer must print, without any socket.
//!
//! Lifecycle events, raw bytes and timers are not looked at here; they need a running peer.

use std::path::Path;
use std::sync::Arc;

use ipc_conformance::js::{self, Js, JsString, Socket};
use ipc_conformance::protocol::{
    Dispatcher, EmitterId, Family, Lines, NodeConfig, Options, Preset, Source, Stamp, Unsupported, incoming, malformed,
    protocol_error, untyped_v9,
};
use ipc_proto::{Decoder, Event, Host, Platform, Settings};

const LIFECYCLE: [&str; 5] = ["connect", "disconnect", "destroy", "close", "socket.disconnected"];

fn text(value: &Js, key: &str) -> String {
    value.get(key).and_then(Js::as_string).map(JsString::to_text).unwrap_or_default()
}

fn bytes(chunk: &Js) -> Vec<u8> {
    if let Some(Js::Array(parts)) = chunk.get("parts") {
        let repeat = |part: &Js| {
            let times = match part.get("times") {
                Some(Js::Number(times)) => *times as usize,
                _ => 1,
            };
            bytes(part).repeat(times)
        };
        return parts.iter().flat_map(repeat).collect();
    }
    let hex = text(chunk, "hex");
    let pair = |at: usize| u8::from_str_radix(&hex[at..at + 2], 16).expect("hex");
    (0..hex.len()).step_by(2).map(pair).collect()
}

/// Errors are alike if their codes are, or, without codes, their names; their texts are never compared.
fn normal(value: &Js) -> Js {
    match value {
        Js::Object(object) if value.get("$t").is_some_and(|tag| *tag == Js::text("error")) => {
            let shown = object.get(&"code".into()).or_else(|| object.get(&"name".into()));
            Js::object([("error", shown.cloned().unwrap_or_default())])
        }
        Js::Object(object) if object.get(&"err".into()).is_some() => {
            object.iter().map(|(key, value)| (key.clone(), normal(value))).collect::<js::JsObject>().into()
        }
        other => other.clone(),
    }
}

/// What is compared of one event: chunk, type, data, JSON text.
type Told = (usize, Js, Js, Js);

fn told(event: &Js) -> Option<Told> {
    let kind = event.get("type")?.clone();
    let name = kind.as_string().map(JsString::to_text).unwrap_or_default();
    if LIFECYCLE.contains(&name.as_str()) {
        return None;
    }
    let chunk = match event.get("after_chunk") {
        Some(Js::Number(chunk)) => *chunk as usize,
        _ => 0,
    };
    let undefined = Js::object([("$t", Js::text("undefined"))]);
    let args = event.get("args").and_then(Js::as_array).map(|args| args.to_vec()).unwrap_or_default();
    let data = args.first().map_or(undefined, normal);
    // The JSON text of 9.2.1's error events shows an error's own keys, which are not compared.
    let json = event.get("data_json").filter(|_| name != "error").cloned().unwrap_or_default();
    Some((chunk, kind, data, json))
}

/// A connection of a peer, without the socket.
struct Peer {
    family: Family,
    settings: Settings,
    decoder: Decoder,
    dispatcher: Dispatcher<Vec<u8>>,
    emitter: EmitterId,
    server: bool,
    closed: bool,
    taken: usize,
}

impl Peer {
    fn new(config: &NodeConfig, server: bool) -> Result<Self, Unsupported> {
        let host = Host::new("host", Platform::Linux);
        // Delimiters that node-ipc writes into its own frames are refused by ours.
        let settings = config.to_config()?.build(&host).map_err(|_| Unsupported::Option("delimiter"))?;
        let options = Options::parse("{}").expect("options");
        let mut dispatcher = Dispatcher::new(&options, Lines::new(Vec::new()));
        let emitter = dispatcher.attach(if server { Source::Server } else { Source::Client("c".into()) });
        let decoder = Decoder::new(settings.delimiter().clone(), settings.max_message_size());
        Ok(Self { family: config.family(), settings, decoder, dispatcher, emitter, server, closed: false, taken: 0 })
    }

    fn feed(&mut self, chunk: usize, mut input: &[u8]) -> Vec<Told> {
        while !self.closed {
            let (kind, data) = match self.decoder.next_frame(&mut input) {
                Ok(None) => break,
                Ok(Some(frame)) => match Event::parse(frame, self.settings.rules()) {
                    Ok(event) => incoming(event.name_json(), event.data_json()).expect("valid JSON"),
                    Err(broken) => {
                        self.closed = self.family == Family::V14;
                        let untyped = (!self.closed).then(|| untyped_v9(broken.frame())).flatten();
                        let error = || (Js::text("error"), malformed(self.family, broken.error(), broken.frame()));
                        untyped.unwrap_or_else(error)
                    }
                },
                Err(error) => {
                    self.closed = true;
                    (Js::text("error"), protocol_error(&error).into())
                }
            };
            let socket = Js::Socket(Arc::new(Socket { key: 1, id: Js::Undefined }));
            let args = if self.server { vec![data, socket] } else { vec![data] };
            self.dispatcher.event(self.emitter, &kind, &args, Stamp::default());
        }
        let written = &self.dispatcher.lines().get_ref()[self.taken..];
        let events = String::from_utf8(written.to_vec()).expect("UTF-8");
        self.taken += written.len();
        let lines = events.lines().filter_map(|line| told(&js::parse(line).expect("a line of JSON")));
        lines.map(|(_, kind, data, json)| (chunk, kind, data, json)).collect()
    }
}

fn config_of(vector: &Js) -> NodeConfig {
    let preset = if text(vector, "node_ipc").starts_with("14") { Preset::V14Fast } else { Preset::V9 };
    let mut config = NodeConfig::new(preset, &Host::new("host", Platform::Linux));
    let members = vector.get("config").and_then(Js::as_object).expect("a configuration");
    config.assign(&members.iter().map(|(key, value)| (key.clone(), js::decode(value).expect("tags"))).collect());
    config
}

fn recorded_events(observed: &Js) -> Vec<Told> {
    let events = observed.get("events").and_then(Js::as_array).expect("events");
    events.iter().filter_map(told).collect()
}

/// Compares; false if the recorded one cannot be compared here.
fn agrees(name: &str, family: Family, observed: &Js, mut ours: Vec<Told>) -> bool {
    let mut theirs = recorded_events(observed);
    if family == Family::V9 {
        // 9.2.1 and 12.0.0 hold frames back until a chunk ends in the delimiter, and lose the ones after the last of these.
        if theirs.len() < ours.len() {
            return false;
        }
        for event in theirs.iter_mut().chain(&mut ours) {
            event.0 = 0;
        }
    }
    if let Some(Js::Number(count)) = observed.get("event_count") {
        assert_eq!(ours.len(), *count as usize, "{name}");
        ours = vec![ours[0].clone(), ours[ours.len() - 1].clone()];
    }
    assert_eq!(ours, theirs, "{name}");
    true
}

fn check(file: &Path) -> (usize, usize) {
    let (mut compared, mut all) = (0, 0);
    let parsed = js::parse_bytes(&std::fs::read(file).expect("vectors")).expect("JSON");
    for vector in parsed.get("vectors").and_then(Js::as_array).expect("a list").iter() {
        let name = format!("{} of {}: {:?}", text(vector, "id"), text(vector, "node_ipc"), vector.get("input"));
        let observed = vector.get("observed").expect("an answer");
        let config = config_of(vector);
        // 9.2.1 and 12.0.0 also decode messages by this option and garble them; ours are always UTF-8.
        let garbled = config.family() == Family::V9 && config.get("encoding") != Js::text("utf8");
        let dead = observed.get("process_exited_by_exception").is_some() || observed.get("setup_threw").is_some();
        let timer = format!("{observed:?}").contains("ERR_IPC_MESSAGE_TIMEOUT");
        if dead || timer || garbled {
            continue;
        }
        all += 1;
        let server = text(vector, "node_ipc_role") == "server";
        let Ok(mut peer) = Peer::new(&config, server) else {
            continue;
        };
        let input = vector.get("input").expect("input");
        if let Some(stream) = input.get("stream") {
            let stream = bytes(stream);
            let outcomes = observed.get("outcomes").and_then(Js::as_array).expect("outcomes");
            for outcome in outcomes.iter() {
                for position in outcome.get("split_positions").and_then(Js::as_array).expect("positions").iter() {
                    let Js::Number(position) = position else { panic!("{name}") };
                    let (head, tail) = stream.split_at(*position as usize);
                    let mut peer = Peer::new(&config, server).expect("as before");
                    let mut ours = peer.feed(0, head);
                    ours.extend(peer.feed(1, tail));
                    agrees(&name, config.family(), outcome, ours);
                }
            }
            compared += 1;
            continue;
        }
        let mut ours = Vec::new();
        for (at, chunk) in input.get("chunks").and_then(Js::as_array).expect("chunks").iter().enumerate() {
            ours.extend(peer.feed(at, &bytes(chunk)));
        }
        compared += usize::from(agrees(&name, config.family(), observed, ours));
    }
    (compared, all)
}

fn check_theme(theme: &str, at_least: usize) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("vectors/{theme}.json"));
    let (compared, all) = check(&file);
    assert!(compared >= at_least, "{theme}: compared {compared} of {all}, at least {at_least} wanted");
}

macro_rules! themes {
    ($($name:ident: $theme:literal, $at_least:literal;)*) => {
        $(
            #[test]
            fn $name() {
                check_theme($theme, $at_least);
            }
        )*
    };
}

themes! {
    framing: "inbound-framing", 140;
    json: "inbound-json", 346;
    types: "inbound-types", 124;
    utf8: "inbound-utf8", 158;
    size: "inbound-size", 32;
    data_id: "inbound-data-id", 36;
    data_id_where_it_names_the_peer: "inbound-data-id-identifyPeer", 12;
    split_sweep: "inbound-split-sweep", 18;
    delimiters: "inbound-delimiters", 250;
    delimiters_that_are_no_text: "inbound-delimiter-types", 2;
    framed_encodings: "inbound-framed-encodings", 36;
    guarded: "inbound-v14-guarded", 16;
    assured: "inbound-v14-assured", 2;
}
