//! A timeline as an answer that can be compared: what happened to each actor, in order and in canonical text.
//!
//! Left out is what belongs to Node or to chance: texts of errors (their code counts, or else their name), numbers of
//! sockets (who is who counts), how bytes were cut, the arguments of `start`, trailing absent arguments.

use crate::play::time;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// One thing that happened to an actor.
#[derive(Clone, Debug)]
pub(crate) struct Item {
    pub(crate) text: String,
    pub(crate) t: f64,
    /// What it is in a cycle of retries, if it can be part of one: its text without the number of the socket.
    pub(crate) cycle: Option<String>,
    /// Whether it is the end of a client.
    pub(crate) last: bool,
    /// Which connection of a server it is about.
    pub(crate) socket: Option<u64>,
    /// What `state` returned, as far as it is compared.
    pub(crate) state: Option<Value>,
    /// When which bytes came.
    pub(crate) bytes: Vec<(f64, String)>,
}

/// What was observed, sorted by actor.
#[derive(Debug, Default)]
pub(crate) struct Answer {
    /// `actor/what` to what happened: `A/client srv`, `B/server`, `B/commands`, `S/conn 0`, `filesystem/all`…
    pub(crate) lists: BTreeMap<String, Vec<Item>>,
    /// When a byte-level actor did something to a connection.
    pub(crate) deeds: BTreeMap<String, Vec<f64>>,
    /// From the loss of a connection to the next attempt's outcome, by list.
    pub(crate) gaps: BTreeMap<String, Vec<f64>>,
    /// A peer died of it.
    pub(crate) crashed: bool,
    /// When the observation ended.
    pub(crate) end: f64,
}

const LIFECYCLE: [&str; 6] = ["connect", "disconnect", "destroy", "close", "socket.disconnected", "error"];

impl Answer {
    /// A recorded answer. When it ended follows from the sleeps at the end of the script.
    pub(crate) fn recorded(timeline: &[Value], script: &[Value]) -> Self {
        let sleeps = script.iter().rev().map_while(|step| step["sleep"].as_f64());
        let tail: f64 = sleeps.sum();
        let by_script =
            |line: &Value| line["ready"] == true || (!line["did"].is_null() && line["in_handler_of"].is_null());
        let ends = timeline.iter().map(|line| time(line) + if by_script(line) { tail } else { 0.0 });
        Self::of(timeline, ends.fold(0.0, f64::max))
    }

    /// The answer that a timeline gives.
    pub(crate) fn of(timeline: &[Value], end: f64) -> Self {
        let mut reader = Reader { answer: Self { end, ..Self::default() }, ..Reader::default() };
        timeline.iter().for_each(|line| reader.line(line));
        let mut answer = reader.answer;
        for item in answer.lists.values_mut().flatten() {
            if !item.bytes.is_empty() {
                let hex: String = item.bytes.iter().map(|(_, hex)| hex.as_str()).collect();
                item.text = format!("saw bytes {}", json!({"hex": hex}));
            }
        }
        answer
    }

    /// All of it as JSON, for assertions and messages.
    pub(crate) fn shown(&self) -> Value {
        let lists = self.lists.iter().map(|(name, list)| {
            let texts: Vec<&str> = list.iter().map(|item| item.text.as_str()).collect();
            (name.clone(), json!(texts))
        });
        Value::Object(lists.collect())
    }
}

#[derive(Default)]
struct Reader {
    answer: Answer,
    /// Sockets of each actor, in order of appearance.
    sockets: BTreeMap<String, Vec<Value>>,
    /// When the client of a list lost its connection.
    lost: BTreeMap<String, f64>,
    /// Lists in which two clients of one name mix: no interval can be seen.
    mixed: BTreeSet<String>,
}

impl Reader {
    fn push(&mut self, list: String, item: Item) {
        self.answer.lists.entry(list).or_default().push(item);
    }

    fn line(&mut self, line: &Value) {
        let who = line["who"].as_str().expect("an actor").to_owned();
        let t = time(line);
        let has = |key: &str| line.get(key).is_some();
        if has("event") {
            self.event(&who, t, line);
        } else if has("callback") {
            let what = line["callback"].as_str().unwrap_or_default();
            self.push(format!("{who}/callbacks"), Item::new(t, format!("callback {what}")));
        } else if has("in_handler_of") {
            self.handler(&who, t, line);
        } else if has("setup_error") {
            let failure = error(&line["setup_error"]["error"]);
            self.push(format!("{who}/commands"), Item::new(t, format!("setup {failure}")));
        } else if has("ready") {
            if !line["error"].is_null() {
                let failure = error(&line["error"]);
                self.push(format!("{who}/commands"), Item::new(t, format!("setup {failure}")));
            }
        } else if has("uncaught") || has("publish_threw") || line["process_exit"]["code"] == 70 {
            self.answer.crashed = true;
        } else if line["did"].is_object() {
            self.command(&who, t, line);
        } else if has("saw") {
            self.saw(&who, t, line);
        } else if who == "filesystem" {
            let result = line.get("result").map(Value::to_string).unwrap_or_default();
            let text = format!("{} {} {result}", plain(&line["did"]), plain(&line["path"]));
            self.push("filesystem/all".into(), Item::new(t, text));
        } else if matches!(line["did"].as_str(), Some("send" | "send datagram" | "end" | "destroy" | "rst")) {
            self.answer.deeds.entry(wire(&who, line)).or_default().push(t);
        }
    }

    fn event(&mut self, who: &str, t: f64, line: &Value) {
        let list = match line["on"].as_str() {
            Some(_) => format!("{who}/server"),
            None => format!("{who}/client {}", plain(&line["id"])),
        };
        let name = line["event"].as_str().unwrap_or_default();
        let seen = self.sockets.entry(who.to_owned()).or_default();
        let mut parts = vec![canonical(&line["event"], seen)];
        if name != "start" {
            let args = line["args"].as_array().into_iter().flatten();
            parts.extend(args.map(|argument| canonical(argument, seen)));
        }
        while parts.len() > 1 && matches!(parts.last().expect("not empty")["$t"].as_str(), Some("undefined" | "handle"))
        {
            parts.pop();
        }
        let socket = parts.iter().rev().find_map(|part| (part["$t"] == "socket").then(|| part["n"].as_u64())).flatten();
        // The text of the payload shows the order of keys; of an error it is Node's own.
        if let Some(text) = line.get("data_json") {
            if !line["args"][0].to_string().contains(r#""$t":"error""#) {
                parts.push(json!({"data_json": text}));
            }
        }
        let via = line["via"].as_str().map(|via| format!(" via {via}")).unwrap_or_default();
        let text = format!("event {}{via}", Value::Array(parts));
        let mut item = Item::new(t, text);
        if LIFECYCLE.contains(&name) {
            item.cycle = Some(without_numbers(&item.text));
        }
        item.last = name == "destroy";
        item.socket = socket;
        if name == "disconnect" {
            self.lost.insert(list.clone(), t);
        } else if matches!(name, "error" | "connect") && !self.mixed.contains(&list) {
            if let Some(lost) = self.lost.remove(&list) {
                self.answer.gaps.entry(list.clone()).or_default().push(t - lost);
            }
        }
        self.push(list, item);
    }

    fn handler(&mut self, who: &str, t: f64, line: &Value) {
        let event = plain(&line["in_handler_of"]);
        let outcome = if line["ok"] == true { "ok".to_owned() } else { error(&line["error"]) };
        let mut item = Item::new(t, format!("in handler of {event}: {} {outcome}", plain(&line["did"])));
        if LIFECYCLE.contains(&event.as_str()) {
            item.cycle = Some(item.text.clone());
        }
        self.push(format!("{who}/handlers"), item);
    }

    fn command(&mut self, who: &str, t: f64, line: &Value) {
        let did = &line["did"];
        // A command may change the wait: intervals across it say nothing.
        self.lost.retain(|list, _| !list.starts_with(&format!("{who}/")));
        let single = [did.clone()];
        for command in did["list"].as_array().map_or(&single[..], Vec::as_slice) {
            let list = format!("{who}/client {}", plain(&command["id"]));
            let connects = command["cmd"].as_str().is_some_and(|name| name.starts_with("connectTo"));
            if connects && self.answer.lists.contains_key(&list) {
                self.answer.gaps.remove(&list);
                self.mixed.insert(list);
            }
        }
        let outcome = match line.get("threw") {
            Some(threw) => format!(" threw {}", error(threw)),
            None if did["cmd"] == "batch" => {
                let results = line["returned"].as_array().into_iter().flatten();
                let results = results.map(|one| if one["ok"] == true { "ok".into() } else { error(&one["error"]) });
                format!(" {}", results.collect::<Vec<String>>().join(","))
            }
            None => String::new(),
        };
        let mut item = Item::new(t, format!("did {did}{outcome}"));
        if did["cmd"] == "state" && line.get("threw").is_none() {
            item.state = Some(state(&line["returned"]));
        }
        self.push(format!("{who}/commands"), item);
    }

    fn saw(&mut self, who: &str, t: f64, line: &Value) {
        let list = wire(who, line);
        let what = plain(&line["saw"]);
        if what == "datagram" {
            let mut bytes = line["bytes"].clone();
            for (extra, unless) in [("text", ""), ("head_hex", ""), ("tail_hex", ""), ("length", "sha256")] {
                if unless.is_empty() || bytes[unless].is_null() {
                    bytes.as_object_mut().expect("an object").remove(extra);
                }
            }
            self.push(list, Item::new(t, format!("saw datagram {bytes}")));
            return;
        }
        if what == "bytes" && is_client_hello(&line["bytes"]) {
            self.push(list, Item::new(t, "saw a ClientHello".into()));
            return;
        }
        if what == "bytes" {
            let hex = line["bytes"]["hex"].as_str().expect("bytes of the sequences are short").to_owned();
            let last = self.answer.lists.entry(list.clone()).or_default().last_mut();
            match last.filter(|last| !last.bytes.is_empty()) {
                Some(last) => last.bytes.push((t, hex)),
                None => self.push(list, Item { bytes: vec![(t, hex)], ..Item::new(t, String::new()) }),
            }
            return;
        }
        let code = line["code"].as_str().map(|code| format!(" {code}")).unwrap_or_default();
        let cycle = Some(format!("saw {what}"));
        let from = remote(&line["remote"]);
        self.push(list, Item { cycle, ..Item::new(t, format!("saw {what}{code}{from}")) });
    }
}

impl Item {
    fn new(t: f64, text: String) -> Self {
        Self { text, t, cycle: None, last: false, socket: None, state: None, bytes: Vec::new() }
    }
}

/// Who connects, if the line says so. A port counts if it is one that the script has given a name.
fn remote(remote: &Value) -> String {
    let Some(address) = remote["address"].as_str() else { return String::new() };
    match remote["port"].as_str() {
        Some(port) if port != "$EPHEMERAL" => format!(" from {address} {port}"),
        _ => format!(" from {address}"),
    }
}

/// Its bytes are random. The recordings leave them out.
fn is_client_hello(bytes: &Value) -> bool {
    let begins = |key: &str| bytes[key].as_str().is_some_and(|hex| hex.starts_with("16030"));
    begins("starts_with_hex") || begins("hex")
}

fn wire(who: &str, line: &Value) -> String {
    match line["conn"].as_u64() {
        Some(number) => format!("{who}/conn {number}"),
        None => format!("{who}/wire"),
    }
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| if value.is_null() { String::new() } else { value.to_string() }, str::to_owned)
}

/// An error by its code, or else its name.
fn error(value: &Value) -> String {
    match (value.get("code"), value["name"].as_str()) {
        (Some(code), _) => format!("error {}", plain(code)),
        (None, Some(name)) => format!("error {name}"),
        (None, None) if value.is_object() => "error ?".into(),
        (None, None) => format!("error {}", plain(value)),
    }
}

/// A value with its errors and sockets made comparable. `seen` are the numbers of sockets that appeared before.
fn canonical(value: &Value, seen: &mut Vec<Value>) -> Value {
    match value {
        Value::Array(items) => items.iter().map(|item| canonical(item, seen)).collect(),
        Value::Object(members) => match value["$t"].as_str() {
            Some("error") => json!({"$t": error(value)}),
            // Its size and family are Node's own; who sent it counts.
            Some("rinfo") => json!({"$t": "rinfo", "address": value["address"], "port": value["port"]}),
            Some("dgram" | "netserver") => json!({"$t": "handle"}),
            Some("socket") => {
                let mut socket = json!({"$t": "socket"});
                if let Some(number) = value.get("n") {
                    let place = seen.iter().position(|one| one == number).unwrap_or_else(|| {
                        seen.push(number.clone());
                        seen.len() - 1
                    });
                    socket["n"] = json!(place);
                }
                if let Some(id) = value.get("id") {
                    socket["id"] = canonical(id, &mut Vec::new());
                }
                socket
            }
            _ => {
                let members = members.iter().map(|(key, value)| (key.clone(), canonical(value, seen)));
                Value::Object(members.collect())
            }
        },
        other => other.clone(),
    }
}

/// A text without the numbers of sockets, which go up from cycle to cycle.
fn without_numbers(text: &str) -> String {
    let mut parts = text.split(r#""n":"#);
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        out.push_str(part.trim_start_matches(|c: char| c.is_ascii_digit()));
    }
    out
}

/// What is compared of a state: what both sides give, see [`same_state`].
fn state(value: &Value) -> Value {
    let pick = |from: &Value, keys: &[&str]| -> Value {
        let given = keys.iter().filter_map(|key| from.get(key).map(|value| (*key, value)));
        let given = given.filter(|(_, value)| !value.is_null() && value["$t"] != "undefined");
        Value::Object(given.map(|(key, value)| (key.to_owned(), canonical(value, &mut Vec::new()))).collect())
    };
    let clients = value["of"].as_object().into_iter().flatten();
    let of = clients.map(|(id, client)| (id.clone(), pick(client, &["queued", "path", "port"])));
    let mut state = json!({"of": Value::Object(of.collect()), "server": false});
    if value["server"].is_object() {
        let keys = ["sockets", "listening", "udp4", "udp6", "maxConnections", "path", "port"];
        state["server"] = pick(&value["server"], &keys);
    }
    state
}

/// Whether two states agree in all that both tell.
pub(crate) fn same_state(one: &Value, two: &Value) -> bool {
    match (one, two) {
        (Value::Object(one_members), Value::Object(two_members)) => {
            one_members.iter().all(|(key, value)| two_members.get(key).is_none_or(|other| same_state(value, other)))
        }
        _ => one == two,
    }
}
