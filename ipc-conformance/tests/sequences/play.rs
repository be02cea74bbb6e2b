//! Plays a script: peers as processes, byte-level actors, files, waits. Gives a timeline in the form of the recorded ones, and judges
//! nothing.

use crate::symbols::Symbols;
use crate::wire::{Leave, Wires};
use ipc_conformance::certificates;
use ipc_conformance::process::{PeerProcess, ProcessError};
use ipc_conformance::protocol::Clock;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::process::Command;
use std::thread::sleep;
use std::time::Duration;

/// What came of a script.
pub(crate) struct Played {
    /// In the form of the recorded ones; the lines of one actor are in order.
    pub(crate) timeline: Vec<Value>,
    /// When nobody looked any more, on the same clock as the timeline.
    pub(crate) end: f64,
    /// Peers that died or did not answer.
    pub(crate) trouble: Vec<String>,
}

/// What a client's handlers are registered for unless the script says.
const CLIENT_EVENTS: [&str; 5] = ["connect", "disconnect", "destroy", "error", "message"];
/// What a server's are.
const SERVER_EVENTS: [&str; 8] =
    ["start", "connect", "close", "socket.disconnected", "error", "disconnect", "destroy", "message"];
/// How long a peer may take to start, and a condition to come true.
const START: Duration = Duration::from_secs(10);
const UNTIL: Duration = Duration::from_millis(2_500);
/// How often a condition is looked at.
const LOOK: Duration = Duration::from_millis(2);

struct Stage {
    symbols: Symbols,
    clock: Clock,
    start: f64,
    peers: BTreeMap<String, PeerProcess>,
    killed: Vec<String>,
    wires: Wires,
    timeline: Vec<Value>,
    trouble: Vec<String>,
}

/// Plays a script. Each peer gets the options that `told` gives for its step, besides those of the script.
pub(crate) fn play(script: &[Value], told: impl Fn(&Value) -> Value) -> Played {
    // Short: the path of a socket is limited.
    let folder = tempfile::Builder::new().prefix("q").tempdir().expect("temporary folder");
    if script.iter().any(|step| step.to_string().contains("$CERTS")) {
        let certificates = folder.path().join("certs");
        fs::create_dir(&certificates).expect("made");
        certificates::make(&certificates).expect("certificates");
    }
    let clock = Clock::start();
    let mut stage = Stage {
        symbols: Symbols::new(folder.path()),
        start: clock.now().since_1970,
        wires: Wires::new(clock),
        clock,
        peers: BTreeMap::new(),
        killed: Vec::new(),
        timeline: Vec::new(),
        trouble: Vec::new(),
    };
    for step in script {
        stage.step(step, &told);
        if !stage.trouble.is_empty() {
            break;
        }
    }
    stage.finish()
}

impl Stage {
    fn now(&self) -> f64 {
        self.clock.now().since_1970 - self.start
    }

    fn note(&mut self, who: &str, t: f64, mut what: Value) {
        what["who"] = json!(who);
        what["t"] = json!(t);
        self.timeline.push(what);
    }

    fn step(&mut self, step: &Value, told: &impl Fn(&Value) -> Value) {
        let who = |key: &str| step[key].as_str().map(str::to_owned);
        if let Some(peer) = who("peer") {
            self.start(peer, step, told(step));
        } else if let Some(peer) = who("cmd") {
            self.command(&peer, &step["c"]);
        } else if let Some(peer) = who("kill") {
            self.peers.get_mut(&peer).expect("a peer").kill();
            self.killed.push(peer);
        } else if let Some(actor) = who("raw") {
            self.raw_server(&actor, step);
        } else if let Some(actor) = who("rawc") {
            self.raw_client(&actor, step);
        } else if let Some(actor) = who("udp") {
            self.datagrams(&actor, step);
        } else if let Some(deed) = who("fs") {
            self.file(&deed, step);
        } else if let Some(ms) = step["sleep"].as_u64() {
            sleep(Duration::from_millis(ms));
        } else if step["until"].is_array() {
            self.until(step);
        } else {
            panic!("unknown step {step}");
        }
    }

    fn start(&mut self, peer: String, step: &Value, told: Value) {
        let mut options = json!({"tap": "none", "maxLifetimeMs": 60_000});
        let given = self.symbols.expand(step);
        for (key, value) in told.as_object().into_iter().chain(given.as_object()).flatten() {
            if !matches!(key.as_str(), "peer" | "extraOn") {
                options[key] = value.clone();
            }
        }
        if options["on"].is_null() {
            let server = step["role"] == "server";
            let usual = if server { &SERVER_EVENTS[..] } else { &CLIENT_EVENTS[..] };
            let more = step["extraOn"].as_array().cloned().unwrap_or_default();
            options["on"] = usual.iter().map(|name| json!(name)).chain(more).collect();
        }
        let command = Command::new(env!("CARGO_BIN_EXE_peer"));
        let process = PeerProcess::launch(command, &options).expect("our own peer starts");
        let up = process.wait_within(0, "a sign of life", START, |line| {
            line["ready"] == true || line["ev"] == "setup_error" || (line["ev"] == "event" && line["type"] == "error")
        });
        if let Err(error) = up {
            self.trouble.push(format!("{peer}: {error}"));
        }
        self.peers.insert(peer, process);
        sleep(Duration::from_millis(5));
    }

    fn command(&mut self, peer: &str, command: &Value) {
        let t = self.now();
        let real = self.symbols.expand(command);
        let outcome = match self.peers.get_mut(peer).expect("a peer").command(real) {
            Ok(value) => json!({"did": command, "returned": value}),
            Err(ProcessError::Refused { error }) => json!({"did": command, "threw": error}),
            Err(error) => {
                self.trouble.push(format!("{peer}: {error}"));
                return;
            }
        };
        self.note(peer, t, outcome);
    }

    fn raw_server(&mut self, who: &str, step: &Value) {
        let t = self.now();
        if !step["listen"].is_null() {
            self.note(who, t, json!({"did": "listen"}));
            let server = self.symbols.expand(step);
            self.wires.listen(who, &server["listen"], &server["tls"], step["showRemote"] == true);
        } else if let Some(how) = step["close"].as_str() {
            self.note(who, t, json!({"did": "stop listening"}));
            self.wires.close(who, Leave::named(how));
        } else {
            let connection = step["conn"].as_u64().map_or(0, |number| usize::try_from(number).expect("small"));
            for _ in 0..500 {
                if self.wires.has(who, connection) {
                    break;
                }
                sleep(LOOK);
            }
            self.deed(who, connection, Some(connection), step);
        }
    }

    fn raw_client(&mut self, who: &str, step: &Value) {
        if step["connect"].is_null() {
            self.deed(who, 0, None, step);
        } else {
            self.note(who, self.now(), json!({"did": "connect"}));
            self.wires.connect(who, &self.symbols.expand(&step["connect"]));
        }
    }

    /// A socket that knows datagrams only: binds, or sends.
    fn datagrams(&mut self, who: &str, step: &Value) {
        let t = self.now();
        let real = self.symbols.expand(step);
        if step["bind"].is_null() {
            self.note(who, t, json!({"did": "send datagram"}));
            self.wires.send_datagram(who, &octets(&step["send"]), &real["to"]);
        } else {
            self.note(who, t, json!({"did": "bind"}));
            self.wires.bind(who, &real["bind"]);
        }
    }

    /// Sends or leaves.
    fn deed(&mut self, who: &str, connection: usize, shown: Option<usize>, step: &Value) {
        let mut deed = json!({"did": step.get("do").cloned().unwrap_or_else(|| json!("send"))});
        if let Some(number) = shown {
            deed["conn"] = json!(number);
        }
        self.note(who, self.now(), deed);
        match (step["send"].as_str(), step["do"].as_str()) {
            (Some(text), _) => self.wires.send(who, connection, text.as_bytes()),
            (None, Some(how)) => self.wires.leave(who, connection, Leave::named(how)),
            (None, None) => panic!("unknown step {step}"),
        }
    }

    fn file(&mut self, deed: &str, step: &Value) {
        let t = self.now();
        let real = |key: &str| self.symbols.expand(&step[key]).as_str().expect("a path").to_owned();
        let path = real("path");
        // Modes are set apart, so that they do not depend on the umask of whoever runs the test.
        let set = |mode| fs::set_permissions(&path, fs::Permissions::from_mode(mode));
        let mut what = json!({"did": deed, "path": step["path"]});
        match deed {
            "write" => {
                let text = step["text"].as_str().unwrap_or("x");
                fs::write(&path, text).and_then(|()| set(0o644)).expect("written");
            }
            "mkdir" => fs::create_dir(&path).and_then(|()| set(0o755)).expect("made"),
            "symlink" => std::os::unix::fs::symlink(real("to"), &path).expect("linked"),
            "stat" => {
                what["result"] = match fs::symlink_metadata(&path) {
                    Ok(found) => {
                        let kind = found.file_type();
                        let kinds = [
                            (kind.is_socket(), "socket"),
                            (kind.is_file(), "file"),
                            (kind.is_dir(), "directory"),
                            (kind.is_symlink(), "symlink"),
                        ];
                        let kind = kinds.iter().find(|(is, _)| *is).map_or("other", |(_, name)| name);
                        json!({"kind": kind, "mode": format!("0{:o}", found.permissions().mode() & 0o7777)})
                    }
                    Err(error) if error.kind() == std::io::ErrorKind::NotFound => json!({"error": "ENOENT"}),
                    Err(error) => panic!("{path}: {error}"),
                };
            }
            other => panic!("unknown deed {other}"),
        }
        self.note("filesystem", t, what);
    }

    /// Waits for so many events of a type, or for as many of what bytes saw. The script goes on if they do not come.
    fn until(&self, step: &Value) {
        let who = step["until"][0].as_str().expect("an actor");
        let what = &step["until"][1];
        let count = step["until"][2].as_u64().map_or(1, |count| usize::try_from(count).expect("small"));
        let patience = step["ms"].as_u64().map_or(UNTIL, Duration::from_millis);
        let deadline = std::time::Instant::now() + patience;
        let there = || match self.peers.get(who) {
            Some(peer) => peer.events().iter().filter(|(name, _)| name == what).count(),
            None => self.wires.seen().iter().filter(|line| line["who"] == who && line["saw"] == *what).count(),
        };
        while there() < count && std::time::Instant::now() < deadline {
            sleep(LOOK);
        }
    }

    /// Takes what everybody has told, and ends everybody.
    fn finish(mut self) -> Played {
        let end = self.now();
        let mut lines = std::mem::take(&mut self.timeline);
        // All of it before anybody is ended, which the others would see.
        let seen = self.wires.seen();
        for (who, process) in &self.peers {
            lines.extend(process.lines().iter().filter_map(|line| told_line(who, line, self.start)));
        }
        for (who, process) in std::mem::take(&mut self.peers) {
            if self.killed.contains(&who) {
                continue;
            }
            match process.close() {
                Ok(status) if status.success() => {}
                Ok(status) => self.trouble.push(format!("{who} ended with {status}")),
                Err(error) => self.trouble.push(format!("{who}: {error}")),
            }
        }
        for mut line in seen {
            line["t"] = json!(line["t"].as_f64().expect("a time") - self.start);
            lines.push(line);
        }
        // Stable, so that what one actor told stays in its order: its times never go back.
        lines.sort_by(|one, two| time(one).total_cmp(&time(two)));
        let timeline = lines.iter().map(|line| self.symbols.restore(line)).collect();
        Played { timeline, end, trouble: self.trouble }
    }
}

/// Bytes as a script writes them: text, hexadecimal, or parts of both that may be repeated.
fn octets(value: &Value) -> Vec<u8> {
    if let Some(text) = value.as_str() {
        return text.as_bytes().to_vec();
    }
    if let Some(hex) = value["hex"].as_str() {
        let digits: Vec<u32> = hex.chars().map(|digit| digit.to_digit(16).expect("hexadecimal")).collect();
        return digits.chunks(2).map(|pair| u8::try_from(pair[0] * 16 + pair[1]).expect("two digits")).collect();
    }
    if let Some(text) = value["utf8"].as_str() {
        return text.repeat(value["times"].as_u64().map_or(1, |times| usize::try_from(times).expect("small"))).into();
    }
    value["parts"].as_array().expect("bytes").iter().flat_map(octets).collect()
}

/// When a line of a timeline happened.
pub(crate) fn time(line: &Value) -> f64 {
    line["t"].as_f64().expect("a time")
}

/// A peer's line as the timelines show it.
fn told_line(who: &str, line: &Value, start: f64) -> Option<Value> {
    let mut shown = match line["ev"].as_str() {
        Some("event") => {
            let mut event = json!({"event": line["type"], "args": line["args"]});
            for key in ["id", "data_json"] {
                if let Some(value) = line.get(key) {
                    event[key] = value.clone();
                }
            }
            if line["src"] == "server" {
                event["on"] = json!("server");
            }
            if line["via"] != "typed" && !line["via"].is_null() {
                event["via"] = line["via"].clone();
            }
            event
        }
        Some("callback") => json!({"callback": line["what"]}),
        Some("when") => {
            json!({"in_handler_of": line["type"], "did": line["cmd"], "ok": line["ok"], "error": line["error"]})
        }
        Some("result") => return None,
        Some(other) => json!({other: line}),
        None if line["ready"] == true => json!({"ready": true, "error": line["error"]}),
        None => json!({"line": line}),
    };
    shown["who"] = json!(who);
    shown["t"] = json!(line["e"].as_f64()? - start);
    Some(shown)
}
