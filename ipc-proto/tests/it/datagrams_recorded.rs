//! Recorded UDP scenarios of node-ipc 14.0.0, replayed: the same datagrams come in, the same events
//! and the same datagrams must come out.
//!
//! Scenarios about the socket itself (ports in use, names that do not resolve, stopping) are not
//! this crate's and are listed.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should panic")]

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use ipc_proto::{Config, DatagramError, DatagramEvent, Datagrams, Host, Platform};
use serde_json::{Value, json};

const RECORDED: &str = include_str!("../../../ipc-conformance/vectors/sequences/udp.json");

/// Scenarios that need more than datagrams.
const OF_THE_SOCKET: [(&str, &str); 7] = [
    ("udp/server-to-server", "two processes; each of the two steps is in udp/wire"),
    ("udp/server-to-server-6", "as udp/server-to-server"),
    ("udp/emit-bad-port", "the socket refuses it"),
    ("udp/emit-unresolvable", "name lookup"),
    ("udp/stop", "closing the socket"),
    ("udp/port-in-use", "binding the socket"),
    ("udp/ipv6-host-with-udp4", "the endpoint's; see tests/overloads.rs"),
];

/// The server "A" of a scenario, with what it did.
struct Replay {
    now: Instant,
    datagrams: Datagrams,
    /// Events as the recording names them.
    events: Vec<Value>,
    /// Datagrams that "X" got, in hex.
    sent_to_x: Vec<String>,
}

fn address(port: &str) -> SocketAddr {
    let port = ["$U1", "$U2", "$U3"].iter().position(|known| *known == port);
    SocketAddr::from(([127, 0, 0, 1], u16::try_from(port.unwrap()).unwrap() + 8001))
}

#[allow(clippy::disallowed_methods, reason = "an Instant has no other beginning; only differences to it matter")]
fn start() -> Instant {
    Instant::now()
}

fn hex(bytes: &[u8]) -> String {
    ipc_proto::Encoding::Hex.decode(bytes)
}

fn unhex(text: &Value) -> Vec<u8> {
    ipc_proto::Encoding::Hex.encode(text.as_str().unwrap())
}

fn bytes(input: &Value) -> Vec<u8> {
    if let Some(text) = input.as_str() {
        return text.into();
    }
    if input.get("hex").is_some() {
        return unhex(&input["hex"]);
    }
    let parts = input["parts"].as_array().unwrap().iter();
    parts
        .flat_map(|part| {
            let times = part["times"].as_u64().unwrap_or(1);
            part["utf8"].as_str().unwrap().repeat(times.try_into().unwrap()).into_bytes()
        })
        .collect()
}

/// A value to emit: long texts are written shortly in the recording.
fn data(recorded: &Value) -> Value {
    match recorded["s"].as_str() {
        Some(text) => text.repeat(recorded["n"].as_u64().unwrap().try_into().unwrap()).into(),
        None => recorded.clone(),
    }
}

impl Replay {
    fn new(options: &Value) -> Self {
        let host = Host::new("h", Platform::Linux);
        let config = Config::v14_fast().with_json(&options.to_string()).unwrap();
        Self {
            now: start(),
            datagrams: Datagrams::new(config.build(&host).unwrap()),
            events: Vec::new(),
            sent_to_x: Vec::new(),
        }
    }

    fn step(&mut self, step: &Value) {
        if let Some(input) = step.get("send") {
            let (now, bytes) = (self.now, bytes(input));
            let mut received = self.datagrams.handle_datagram(now, address("$U3"), &bytes);
            while let Some(event) = received.next() {
                self.events.push(match event {
                    DatagramEvent::Peer(_) => continue,
                    DatagramEvent::Event(event) => {
                        json!([event.name(), event.data::<Value>().unwrap()])
                    }
                    DatagramEvent::Malformed(malformed) => {
                        json!(["error", malformed.error().code().as_str()])
                    }
                    DatagramEvent::Data(bytes) => json!(["data", hex(bytes)]),
                    other => panic!("{other:?}"),
                });
            }
        } else if let Some(sleep) = step["sleep"].as_u64() {
            self.now += Duration::from_millis(sleep);
            self.datagrams.handle_timeout(self.now);
            while self.datagrams.poll_event().is_some() {}
        } else if step["cmd"] == "A" {
            self.command(&step["c"]);
        } else if let Some(commands) = step["when"][0]["do"].as_array() {
            commands.iter().for_each(|command| self.command(command));
        }
    }

    fn command(&mut self, command: &Value) {
        let to_port = command["to"]["port"].as_str();
        match command["cmd"].as_str().unwrap() {
            "emitMany" => {
                for command in command["list"].as_array().unwrap() {
                    let mut command = command.clone();
                    command["cmd"] = json!("emit");
                    self.command(&command);
                }
            }
            "pushSocket" => {
                let added = self.datagrams.add_peer(self.now, address(to_port.unwrap()));
                assert_eq!(added.unwrap(), None);
            }
            "emit" | "broadcast" => {
                let Some(datagram) = self.encode(command) else {
                    return;
                };
                let addressed: Vec<_> = match to_port {
                    Some(port) => vec![address(port)],
                    None => self.datagrams.peers().collect(),
                };
                if addressed.contains(&address("$U3")) {
                    self.sent_to_x.push(hex(&datagram));
                }
            }
            "state" => {}
            other => panic!("{other}"),
        }
    }

    /// The datagram of an emit; `None` if it has too many bytes.
    fn encode(&self, emit: &Value) -> Option<Vec<u8>> {
        let settings = self.datagrams.settings();
        let mut out = Vec::new();
        if settings.is_raw() {
            out = match &emit["type"] {
                Value::String(text) => settings.encoding().encode(text),
                list => serde_json::from_value(list.clone()).unwrap(),
            };
            self.datagrams.check_raw(&out).unwrap();
            return Some(out);
        }
        let name = emit["type"].as_str().unwrap();
        match self.datagrams.encode(name, &data(&emit["data"]), &mut out) {
            Ok(length) => assert_eq!(length, out.len()),
            Err(DatagramError::TooLarge { .. }) => return None,
            Err(other) => panic!("{other}"),
        }
        Some(out)
    }
}

/// What A's handlers were told, but for the life of the socket itself.
fn recorded_events(timeline: &[Value]) -> Vec<Value> {
    let event = |entry: &Value| {
        let name = entry["event"].as_str().filter(|_| entry["who"] == "A")?;
        let argument = &entry["args"][0];
        match (name, argument["$t"].as_str()) {
            ("start" | "connect", Some("dgram")) => None,
            (_, Some("error")) => Some(json!([name, argument["code"]])),
            (_, Some("buffer")) => Some(json!([name, argument["hex"]])),
            (_, Some("longstring")) => {
                let length = argument["utf16_length"].as_u64().unwrap().try_into().unwrap();
                let letter = &argument["head"].as_str().unwrap()[..1];
                Some(json!([name, letter.repeat(length)]))
            }
            _ => Some(json!([name, argument])),
        }
    };
    timeline.iter().filter_map(event).collect()
}

#[test]
fn recorded_scenarios_replay() {
    let file: Value = serde_json::from_str(RECORDED).unwrap();
    let (mut replayed, mut left_out) = (0, 0);
    for vector in file["vectors"].as_array().unwrap() {
        let id = vector["id"].as_str().unwrap();
        if vector["node_ipc"] != "14.0.0" {
            continue;
        }
        if OF_THE_SOCKET.iter().any(|(listed, _)| *listed == id) {
            left_out += 1;
            continue;
        }
        let script = vector["input"]["script"].as_array().unwrap();
        let server = script.iter().find(|step| step["peer"] == "A").unwrap();
        let options = server.get("config").cloned().unwrap_or(json!({}));
        let mut replay = Replay::new(&options);
        script.iter().for_each(|step| replay.step(step));

        let timeline = vector["observed"]["timeline"].as_array().unwrap();
        assert_eq!(replay.events, recorded_events(timeline), "events of {id}");
        let seen = timeline.iter().filter(|entry| entry["saw"] == "datagram");
        let seen: Vec<&Value> = seen.map(|entry| &entry["bytes"]).collect();
        assert_eq!(replay.sent_to_x.len(), seen.len(), "datagrams of {id}");
        for (sent, seen) in replay.sent_to_x.iter().zip(seen) {
            match seen["hex"].as_str() {
                Some(seen) => assert_eq!(sent, seen, "{id}"),
                None => {
                    assert_eq!(json!(sent.len() / 2), seen["length"], "{id}");
                    assert!(sent.starts_with(seen["head_hex"].as_str().unwrap()), "{id}");
                    assert!(sent.ends_with(seen["tail_hex"].as_str().unwrap()), "{id}");
                }
            }
        }
        replayed += 1;
    }
    assert_eq!(left_out, OF_THE_SOCKET.len());
    assert_eq!(replayed, 19);
}
