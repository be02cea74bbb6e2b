//! Recorded scenarios of node-ipc 9.2.1, 12.0.0 and 14.0.0, replayed in virtual time: what the network did to a client
//! or server is taken from the recording, what the machine then says must be what node-ipc's handlers were told.
//!
//! Attempts must also be made when node-ipc made them. What differs on purpose is listed with the reason.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should panic")]

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use crate::common::{Driven, settings, start};
use ipc_proto::{Config, Connection, Encoding, PeerId, Received, Server, ServerEvent};
use serde_json::{Value, json};

const CLIENT_FILES: [&str; 8] = [
    include_str!("../../../ipc-conformance/vectors/sequences/client-errors.json"),
    include_str!("../../../ipc-conformance/vectors/sequences/client-reconnect.json"),
    include_str!("../../../ipc-conformance/vectors/sequences/client-server-closes.json"),
    include_str!("../../../ipc-conformance/vectors/sequences/connect-twice.json"),
    include_str!("../../../ipc-conformance/vectors/sequences/disconnect.json"),
    include_str!("../../../ipc-conformance/vectors/sequences/retry-interval.json"),
    include_str!("../../../ipc-conformance/vectors/sequences/stop-retrying.json"),
    MAX_RETRIES,
];
const SERVER_FILES: [&str; 4] = [
    include_str!("../../../ipc-conformance/vectors/sequences/server-lifecycle.json"),
    include_str!("../../../ipc-conformance/vectors/sequences/server-stop.json"),
    include_str!("../../../ipc-conformance/vectors/sequences/socket-disconnected.json"),
    MAX_CONNECTIONS,
];
const MAX_RETRIES: &str = include_str!("../../../ipc-conformance/vectors/sequences/max-retries.json");
const MAX_CONNECTIONS: &str = include_str!("../../../ipc-conformance/vectors/sequences/max-connections.json");

const ALL: &[&str] = &["9.2.1", "12.0.0", "14.0.0"];
const V9: &[&str] = &["9.2.1", "12.0.0"];
const V14: &[&str] = &["14.0.0"];

/// Scenarios that differ: of which versions, and why.
const CLIENT_DIFFERENCES: &[(&str, &[&str], &str)] = &[
    ("max-retries/absent-false", ALL, "`false` is no limit, as the README says; node-ipc takes it for 0"),
    ("max-retries/absent--1", ALL, REFUSED),
    ("max-retries/absent-1.5", ALL, REFUSED),
    ("retry-interval/retry-null", ALL, REFUSED),
    (
        "retry-interval/changed-while-waiting",
        ALL,
        "settings do not change under a client; another wait is another client",
    ),
    ("retry-interval/retry-1", V14, "the recording ends between `disconnect` and `destroy`"),
    ("stop-retrying/number-0", ALL, "0 never reconnects, as the README says; node-ipc takes it for `false`"),
    ("stop-retrying/set-while-waiting", V9, AT_ONCE),
    ("stop-retrying/set-while-waiting-server-appears", V9, AT_ONCE),
    ("connect-twice/while-waiting", ALL, "a second client is made, which is for whoever keeps clients by id"),
    ("disconnect/while-connected", V14, UNTOLD),
    ("disconnect/before-connect", V14, UNTOLD),
    ("disconnect/before-connect-tcp", V14, UNTOLD),
    ("disconnect/in-connect-handler", V14, UNTOLD),
    ("disconnect/then-connect-again", V14, UNTOLD),
    ("disconnect/emit-afterwards", V14, UNTOLD),
    ("disconnect/with-data-in-flight", V14, UNTOLD),
    ("disconnect/handlers-typed-only", V14, UNTOLD),
    ("disconnect/handlers-typed-and-wildcard", V14, UNTOLD),
];
const REFUSED: &str = "the option is refused when the configuration is read";
const AT_ONCE: &str = "`true` stops at once, as the README says; node-ipc 9 and 12 try once more";
const UNTOLD: &str = "14.0.0 drops all handlers before it disconnects; 9.2.1 tells them `disconnect` and `destroy`";

const SERVER_DIFFERENCES: &[(&str, &[&str], &str)] = &[
    (
        "server-stop/with-client",
        V14,
        "14.0.0 destroys connections when it stops; here, as in 9.2.1, that is the caller's",
    ),
    ("server-stop/stop-start", V14, "the recording ends before its second client is accepted"),
    ("server-stop/start-twice", ALL, "the start of a server that listens changes nothing"),
    ("socket-disconnected/two-at-once", ALL, "the order between two connections is the operating system's"),
    ("max-connections/zero", V9, "0 lets nobody in; of node-ipc the answer depends on the version of node"),
];

/// How far a recorded time may be off: its machine was busy, and timers run late.
const LATE: Duration = Duration::from_millis(250);
const EARLY: Duration = Duration::from_millis(20);

fn config(version: &str, peer: &Value) -> Result<Config, String> {
    let preset = if version.starts_with("14") { Config::v14_fast() } else { Config::v9() };
    let options = peer.get("config").cloned().unwrap_or(json!({}));
    preset.with_json(&options.to_string()).map_err(|error| format!("option refused: {error}"))
}

fn time(entry: &Value) -> Duration {
    Duration::from_secs_f64(entry["t"].as_f64().unwrap() / 1000.0)
}

/// The client of a scenario.
struct ClientReplay {
    config: Config,
    base: Instant,
    driven: Option<Driven>,
    /// When the attempt under way was asked for; `None` for the first one, which waits for nothing.
    due: Option<Instant>,
    told: Vec<String>,
}

impl ClientReplay {
    fn run(version: &str, peer: &Value, timeline: &[Value]) -> Result<Vec<String>, String> {
        let config = config(version, peer)?;
        let mut replay = Self { config, base: start(), driven: None, due: None, told: Vec::new() };
        if peer["role"] == "client" {
            replay.connect(Duration::ZERO);
        }
        for entry in timeline {
            replay.pass(time(entry));
            // A wildcard handler is told what the others are told.
            if entry["who"] == peer["peer"] && entry["via"] != "*" {
                replay.entry(entry)?;
            }
        }
        let end = replay.base + time(timeline.last().unwrap());
        match (replay.due, &replay.driven) {
            (Some(due), Some(driven)) if driven.dialling && end > due + LATE => Err("one attempt more".into()),
            _ => Ok(replay.told),
        }
    }

    fn entry(&mut self, entry: &Value) -> Result<(), String> {
        let t = time(entry);
        match entry["event"].as_str() {
            Some("error") => {
                let attempt = matches!(entry["args"][0]["syscall"].as_str(), Some("connect" | "getaddrinfo"));
                self.told.push("error".into());
                if attempt {
                    self.attempt(t)?.fail();
                }
            }
            Some("connect") => drop(self.attempt(t)?.succeed()),
            // Otherwise it follows from what was done before.
            Some("disconnect") => {
                if let Some(driven) = self.driven.as_mut().filter(|driven| driven.connection.is_some()) {
                    driven.lose(true);
                }
            }
            Some(_) => {}
            None => self.done(entry, t),
        }
        self.listen();
        Ok(())
    }

    /// What the script or a handler did.
    fn done(&mut self, entry: &Value, t: Duration) {
        let did = &entry["did"];
        let listed = did["list"].as_array().map_or(std::slice::from_ref(did), Vec::as_slice);
        for command in listed {
            match command["cmd"].as_str().or(command.as_str()) {
                Some("connectTo" | "connectToNet") => self.connect(t),
                Some("disconnect") => {
                    if let Some(driven) = &mut self.driven {
                        driven.client.disconnect();
                        driven.obey();
                    }
                }
                Some("setConfig") => {
                    if let (Some(driven), Some(stop)) = (&mut self.driven, command["config"]["stopRetrying"].as_bool())
                    {
                        driven.client.set_stop_retrying(stop.into());
                        driven.obey();
                    }
                }
                _ => {}
            }
            self.listen();
        }
    }

    fn connect(&mut self, t: Duration) {
        if self.driven.as_ref().is_none_or(|driven| driven.client.is_destroyed()) {
            let mut driven = Driven::new(self.config.clone());
            driven.now = self.base + t;
            self.driven = Some(driven);
            self.due = None;
        }
        self.driven.as_mut().unwrap().connect();
    }

    fn pass(&mut self, t: Duration) {
        let Some(driven) = &mut self.driven else { return };
        let now = self.base + t;
        if let Some(due) = driven.client.poll_timeout().filter(|&due| due <= now) {
            driven.pass(due - driven.now);
            self.due = Some(due);
        }
        driven.now = now;
    }

    /// node-ipc's attempt came to an end at `t`: so must ours.
    fn attempt(&mut self, t: Duration) -> Result<&mut Driven, String> {
        self.pass(t + EARLY);
        let driven = self.driven.as_mut().ok_or("no client")?;
        driven.now = self.base + t;
        if !driven.dialling {
            return Err(format!("one attempt less (told {:?})", self.told));
        }
        if self.due.is_some_and(|due| due + LATE < driven.now) {
            return Err("an attempt too early".into());
        }
        Ok(driven)
    }

    fn listen(&mut self) {
        if let Some(driven) = &mut self.driven {
            self.told.extend(driven.names().iter().map(ToString::to_string));
        }
    }
}

/// The server of a scenario.
struct ServerReplay {
    server: Server,
    now: Instant,
    peers: Vec<(PeerId, Option<Connection>)>,
    /// Which byte-level client is which of them.
    numbers: BTreeMap<String, usize>,
    told: Vec<String>,
}

impl ServerReplay {
    fn run(version: &str, peer: &Value, timeline: &[Value]) -> Result<Vec<String>, String> {
        let server = Server::new(settings(config(version, peer)?));
        let (peers, numbers) = (Vec::new(), BTreeMap::new());
        let mut replay = Self { server, now: start(), peers, numbers, told: Vec::new() };
        if peer["autostart"] != false {
            replay.server.start();
        }
        let accepted = accepted_from_node_ipc(&peer["peer"], timeline);
        for (index, entry) in timeline.iter().enumerate() {
            if accepted.contains(&index) {
                replay.accept(None);
            } else if entry["who"] == peer["peer"] {
                replay.own(entry);
            } else {
                replay.others(entry);
            }
            replay.listen();
        }
        Ok(replay.told)
    }

    fn accept(&mut self, from: Option<&str>) {
        let Ok((id, connection)) = self.server.handle_accept() else { return };
        if let Some(from) = from {
            self.numbers.insert(from.into(), self.peers.len());
        }
        self.peers.push((id, Some(connection)));
    }

    fn close(&mut self, number: usize) {
        if self.peers[number].1.take().is_some() {
            self.server.handle_disconnected(self.peers[number].0);
        }
    }

    /// What the script or a handler did to the server.
    fn own(&mut self, entry: &Value) {
        let did = &entry["did"];
        match did["cmd"].as_str().or(did.as_str()) {
            Some("start") => self.server.start(),
            Some("stop") => self.server.stop(),
            Some("destroySocket") => {
                let last = self.peers.len() - 1;
                self.close(did["socket"].as_u64().map_or(last, |number| usize::try_from(number).unwrap()));
            }
            _ => {}
        }
    }

    /// What a byte-level client did or saw.
    fn others(&mut self, entry: &Value) {
        let who = entry["who"].as_str().unwrap();
        if entry["saw"] == "connected" {
            self.accept(Some(who));
        }
        let Some(&number) = self.numbers.get(who) else { return };
        match entry["did"].as_str() {
            Some("send") => self.receive(number, &Encoding::Hex.encode(entry["bytes"]["hex"].as_str().unwrap())),
            Some("end" | "destroy") => self.close(number),
            Some("rst") => {
                self.told.push("error".into());
                self.close(number);
            }
            _ => {}
        }
    }

    fn receive(&mut self, number: usize, mut bytes: &[u8]) {
        self.listen();
        let (id, Some(connection)) = &mut self.peers[number] else { return };
        while let Some(received) = connection.inbound.poll_event(self.now, &mut bytes) {
            let Received::Event(event) = received else { panic!("{received:?}") };
            if let Some(claimed) = event.sender_id().filter(|_| self.server.settings().config().identify_peer) {
                self.server.handle_claimed_id(*id, claimed);
            }
            self.told.push(format!("{} {}", event.name(), event.data::<Value>().unwrap()));
        }
    }

    fn listen(&mut self) {
        while let Some(event) = self.server.poll_event() {
            let number = |id| self.peers.iter().position(|(peer, _)| *peer == id).unwrap();
            self.told.push(match event {
                ServerEvent::Started => "start".into(),
                ServerEvent::Connected(id) => format!("connect {}", number(id)),
                ServerEvent::Disconnected { peer, claimed_id } => {
                    format!("disconnected {} {}", number(peer), claimed_id.as_deref().unwrap_or("false"))
                }
                // node-ipc does not say when it stops.
                _ => continue,
            });
        }
    }
}

/// Where in the timeline the server gets a connection from a node-ipc client, of which the recording shows both ends.
fn accepted_from_node_ipc(server: &Value, timeline: &[Value]) -> BTreeSet<usize> {
    let (mut accepted, mut expected) = (BTreeSet::new(), Vec::new());
    let near = |one: &Value, other: &Value| time(one).abs_diff(time(other)) < Duration::from_millis(60);
    let mut raw: Vec<_> = timeline.iter().filter(|entry| entry["saw"] == "connected").collect();
    for (index, entry) in timeline.iter().enumerate().filter(|(_, entry)| entry["event"] == "connect") {
        if entry["who"] != *server {
            expected.push((index, entry));
        } else if let Some(which) = raw.iter().position(|raw| near(raw, entry)) {
            raw.remove(which);
        } else {
            accepted.insert(index);
        }
    }
    // Those that the server refused, it does not show.
    let mut shown: Vec<_> = accepted.iter().map(|&index| &timeline[index]).collect();
    for (index, entry) in expected {
        match shown.iter().position(|shown| near(shown, entry)) {
            Some(which) => drop(shown.remove(which)),
            None => drop(accepted.insert(index)),
        }
    }
    accepted
}

/// What the handlers of a peer were told, in the words of the replays.
fn recorded(who: &Value, timeline: &[Value], of_server: bool) -> Vec<String> {
    let words = |entry: &Value| {
        let name = entry["event"].as_str().filter(|_| entry["who"] == *who && entry["via"] != "*")?;
        let argument = &entry["args"][0];
        match (name, argument["$t"].as_str()) {
            ("connect" | "disconnect" | "destroy" | "error", _) if !of_server => Some(name.into()),
            _ if !of_server => None,
            ("start", _) => Some(name.into()),
            ("error", Some("error")) => Some(name.into()),
            ("connect", Some("socket")) => Some(format!("connect {}", argument["n"])),
            ("socket.disconnected", _) => Some(format!("disconnected {} {}", argument["n"], entry["args"][1])),
            // It says nothing that `socket.disconnected` does not.
            ("close", tag) if tag == Some("socket") || argument.is_boolean() => None,
            _ => Some(format!("{name} {argument}")),
        }
    };
    timeline.iter().filter_map(words).collect()
}

type Run = fn(&str, &Value, &[Value]) -> Result<Vec<String>, String>;

/// Replays every scenario of `files` and gives how many were alike. Those that differ must be listed, and no others.
fn replay(files: &[&str], role: &str, run: Run, differences: &[(&str, &[&str], &str)]) -> usize {
    let of_server = role == "server";
    let (mut alike, mut differing, mut unlisted) = (0, BTreeSet::new(), Vec::new());
    for file in files {
        let file: Value = serde_json::from_str(file).unwrap();
        for vector in file["vectors"].as_array().unwrap() {
            let (id, version) = (vector["id"].as_str().unwrap(), vector["node_ipc"].as_str().unwrap());
            let timeline = vector["observed"]["timeline"].as_array().unwrap();
            let script = vector["input"]["script"].as_array().unwrap();
            // A peer without a role becomes a client by command.
            let plays = |step: &&Value| {
                step["role"] == role || (!of_server && step.get("peer").is_some() && step["role"].is_null())
            };
            for peer in script.iter().filter(plays) {
                let expected = recorded(&peer["peer"], timeline, of_server);
                let outcome = run(version, peer, timeline);
                if outcome.as_ref() == Ok(&expected) {
                    alike += 1;
                    continue;
                }
                differing.insert((id.to_owned(), version.to_owned()));
                if !differences.iter().any(|(listed, versions, _)| *listed == id && versions.contains(&version)) {
                    unlisted.push(format!("{id} of {version}:\n  ours {outcome:?}\n  node {expected:?}"));
                }
            }
        }
    }
    assert!(unlisted.is_empty(), "{} unlisted differences\n{}", unlisted.len(), unlisted.join("\n"));
    for (id, versions, _) in differences {
        for version in *versions {
            assert!(
                differing.contains(&((*id).to_owned(), (*version).to_owned())),
                "{id} of {version} does not differ"
            );
        }
    }
    alike
}

#[test]
fn clients_do_what_node_ipc_did() {
    let files = [&CLIENT_FILES[..], &[MAX_CONNECTIONS]].concat();
    let alike = replay(&files, "client", ClientReplay::run, CLIENT_DIFFERENCES);
    assert_eq!((alike, CLIENT_DIFFERENCES.len()), (144, 19));
}

#[test]
fn servers_do_what_node_ipc_did() {
    let files = [&SERVER_FILES[..], &[MAX_RETRIES]].concat();
    let alike = replay(&files, "server", ServerReplay::run, SERVER_DIFFERENCES);
    assert_eq!((alike, SERVER_DIFFERENCES.len()), (52, 5));
}
