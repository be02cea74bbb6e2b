//! The stage of one cell: where scenarios get their peers from, and what they do with them. Every wait is bounded, and so is
//! the cell as a whole; every process ends with it.

use serde_json::{Value, json};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::failure::{Failure, Outcome, data};
use super::place::{Place, merge};
use super::scenario::Transport;
use super::subject::Subject;
use crate::process::{PeerProcess, ProcessError, Transcript};

/// How long a cell may take, all in all.
const WHOLE: Duration = Duration::from_secs(60);
/// How long nothing must happen to be believed.
const SILENCE: Duration = Duration::from_millis(300);
/// How long a peer may take to start on a busy machine.
const START: Duration = Duration::from_secs(20);

/// One cell's stage.
#[derive(Debug)]
pub struct Stage<'a> {
    /// Who serves.
    pub server: &'a Subject,
    /// Who calls; over UDP, the second server.
    pub client: &'a Subject,
    /// Over what.
    pub transport: Transport,
    /// Where they meet.
    pub place: Place,
    patience: Duration,
    end: Instant,
    /// Protects the list of what every peer said; held only to add to it or to show it.
    transcripts: Mutex<Vec<(String, Transcript)>>,
}

/// A peer on the stage.
#[derive(Debug)]
pub struct Actor {
    process: PeerProcess,
    /// Whether it stands at the server's end.
    serves: bool,
    patience: Duration,
    end: Instant,
}

/// A server and a client that are connected.
#[derive(Debug)]
pub struct Pair {
    /// The server.
    pub server: Actor,
    /// The client.
    pub client: Actor,
}

impl<'a> Stage<'a> {
    /// A stage on which waits last at most `patience`.
    ///
    /// # Errors
    ///
    /// See [`Place::new`].
    pub fn new(server: &'a Subject, client: &'a Subject, transport: Transport, patience: Duration) -> Outcome<Self> {
        let place = Place::new(transport)?;
        let end = Instant::now() + WHOLE;
        Ok(Self { server, client, transport, place, patience, end, transcripts: Mutex::default() })
    }

    /// Starts the server with these options more, and waits until it listens.
    ///
    /// # Errors
    ///
    /// If it does not.
    pub fn server(&self, more: Value) -> Outcome<Actor> {
        self.server_if_it_will(more)?.ok_or_else(|| Failure::new("it does not start with this configuration"))
    }

    /// The same, but a server may refuse its configuration.
    ///
    /// # Errors
    ///
    /// If it neither starts nor refuses.
    pub fn server_if_it_will(&self, more: Value) -> Outcome<Option<Actor>> {
        self.start("server", more)
    }

    /// Starts a client with these options more. It is not yet connected.
    ///
    /// # Errors
    ///
    /// If it does not start.
    pub fn client(&self, more: Value) -> Outcome<Actor> {
        self.start("client", more)?.ok_or_else(|| Failure::new("it does not start with this configuration"))
    }

    /// Starts both and waits until both see the connection.
    ///
    /// # Errors
    ///
    /// If they do not.
    pub fn pair(&self, server: Value, client: Value) -> Outcome<Pair> {
        let server = self.server(server).map_err(|error| error.at("the server"))?;
        let client = self.client(client).map_err(|error| error.at("the client"))?;
        client.event("connect").map_err(|error| error.at("the client"))?;
        server.event("connect").map_err(|error| error.at("the server"))?;
        Ok(Pair { server, client })
    }

    /// Both without more options.
    ///
    /// # Errors
    ///
    /// As [`Stage::pair`].
    pub fn plain_pair(&self) -> Outcome<Pair> {
        self.pair(json!({}), json!({}))
    }

    /// Both with the same configuration.
    ///
    /// # Errors
    ///
    /// As [`Stage::pair`].
    pub fn configured_pair(&self, config: &Value) -> Outcome<Pair> {
        let options = json!({"config": config});
        self.pair(options.clone(), options)
    }

    /// A server that echoes and a client.
    ///
    /// # Errors
    ///
    /// As [`Stage::pair`].
    pub fn echo_pair(&self) -> Outcome<Pair> {
        self.pair(json!({"echo": true}), json!({}))
    }

    /// What every peer said so far.
    pub fn transcript(&self) -> String {
        let all = self.transcripts.lock().unwrap_or_else(PoisonError::into_inner);
        let shown = all.iter().map(|(name, transcript)| format!("{name}\n{}", transcript.show()));
        shown.collect::<Vec<_>>().join("\n")
    }

    fn start(&self, role: &str, more: Value) -> Outcome<Option<Actor>> {
        let serves = role == "server";
        let (subject, other) = if serves { (self.server, self.client) } else { (self.client, self.server) };
        let mut options = self.place.options(role);
        merge(&mut options, json!({"maxLifetimeMs": WHOLE.as_millis() as u64 + 30_000}));
        merge(&mut options, more);
        let options = subject.options(options, serves, other);
        let process = PeerProcess::launch(subject.command(), &options)?;
        self.transcripts
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push((format!("--- {role} {} {options}", subject.name), process.transcript()));
        let mut unsupported = false;
        let ready = process.wait_within(0, "ready line", START, |line| {
            unsupported |= line["ev"] == "setup_error" && line["error"] == "unsupported";
            line["ready"] == true
        })?;
        if unsupported || ready["error"] == "unsupported" {
            return Err(Failure::Unsupported { server: serves, what: "the configuration".to_owned() });
        }
        if let Some(option) = ready["unsupported"].as_array().and_then(|options| options.first()) {
            return Err(Failure::Unsupported { server: serves, what: format!("the option {option}") });
        }
        if ready["failed"] == true || !ready["error"].is_null() {
            return Ok(None);
        }
        Ok(Some(Actor { process, serves, patience: self.patience, end: self.end }))
    }
}

impl Actor {
    /// A place to wait from: after all lines so far.
    pub fn mark(&self) -> usize {
        self.process.mark()
    }

    /// All lines so far.
    pub fn lines(&self) -> Vec<Value> {
        self.process.lines()
    }

    /// Gives a command and waits for its result.
    ///
    /// # Errors
    ///
    /// If it fails.
    pub fn tell(&mut self, command: Value) -> Outcome<Value> {
        let what = command["cmd"].to_string();
        let left = self.end.saturating_duration_since(Instant::now());
        match self.process.command_within(command, left) {
            Ok(value) => Ok(value),
            Err(ProcessError::Refused { error }) if error == "unsupported" => {
                Err(Failure::Unsupported { server: self.serves, what: format!("the command {what}") })
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Emits: a client to its server, a server to the last one heard of.
    ///
    /// # Errors
    ///
    /// As [`Actor::tell`].
    pub fn emit(&mut self, event: &str, data: &Value) -> Outcome {
        self.tell(json!({"cmd": "emit", "type": event, "data": data})).map(drop)
    }

    /// A server emits to its socket of this number.
    ///
    /// # Errors
    ///
    /// As [`Actor::tell`].
    pub fn emit_to(&mut self, socket: usize, event: &str, data: &Value) -> Outcome {
        self.tell(json!({"cmd": "emit", "socket": socket, "type": event, "data": data})).map(drop)
    }

    /// A server emits to all.
    ///
    /// # Errors
    ///
    /// As [`Actor::tell`].
    pub fn broadcast(&mut self, event: &str, data: &Value) -> Outcome {
        self.tell(json!({"cmd": "broadcast", "type": event, "data": data})).map(drop)
    }

    /// Emits several in one turn.
    ///
    /// # Errors
    ///
    /// As [`Actor::tell`].
    pub fn emit_many(&mut self, event: &str, data: impl IntoIterator<Item = Value>) -> Outcome {
        let list: Vec<Value> = data.into_iter().map(|data| json!({"type": event, "data": data})).collect();
        self.tell(json!({"cmd": "emitMany", "list": list})).map(drop)
    }

    /// Sends raw bytes: a text, an array of bytes, or a tagged buffer.
    ///
    /// # Errors
    ///
    /// As [`Actor::tell`].
    pub fn emit_raw(&mut self, bytes: &Value) -> Outcome {
        self.tell(json!({"cmd": "emit", "type": bytes})).map(drop)
    }

    /// Waits for a line after `mark`.
    ///
    /// # Errors
    ///
    /// If none comes in time.
    pub fn wait(&self, mark: usize, what: &str, is_it: impl FnMut(&Value) -> bool) -> Outcome<Value> {
        let left = self.end.saturating_duration_since(Instant::now());
        Ok(self.process.wait_within(mark, what, self.patience.min(left), is_it)?)
    }

    /// Waits for an event for as long as the cell may take: 9.2.1 and 12.0.0 need seconds for a message of many megabytes.
    ///
    /// # Errors
    ///
    /// If none comes in time.
    pub fn event_at_last(&self, name: &str) -> Outcome<Value> {
        let left = self.end.saturating_duration_since(Instant::now());
        Ok(self.process.wait_within(0, &format!("event {name:?}"), left, |line| is_event(line, name))?)
    }

    /// The same for a time of one's own.
    ///
    /// # Errors
    ///
    /// If none comes in time.
    pub fn wait_for(
        &self,
        mark: usize,
        what: &str,
        time: Duration,
        is_it: impl FnMut(&Value) -> bool,
    ) -> Outcome<Value> {
        Ok(self.process.wait_within(mark, what, time.min(self.patience), is_it)?)
    }

    /// Waits for an event, which may have come already.
    ///
    /// # Errors
    ///
    /// If none comes in time.
    pub fn event(&self, name: &str) -> Outcome<Value> {
        self.event_after(0, name)
    }

    /// Waits for an event after `mark`.
    ///
    /// # Errors
    ///
    /// If none comes in time.
    pub fn event_after(&self, mark: usize, name: &str) -> Outcome<Value> {
        self.wait(mark, &format!("event {name:?}"), |line| is_event(line, name))
    }

    /// Waits until this many events of a type have come, and returns their data.
    ///
    /// # Errors
    ///
    /// If fewer come in time.
    pub fn events(&self, name: &str, count: usize) -> Outcome<Vec<Value>> {
        let mut found = Vec::new();
        let what = format!("{count} events {name:?}");
        self.wait(0, &what, |line| {
            if is_event(line, name) {
                found.push(data(line).clone());
            }
            found.len() >= count
        })?;
        Ok(found)
    }

    /// The data of the events of a type so far.
    pub fn heard(&self, name: &str) -> Vec<Value> {
        self.lines().iter().filter(|line| is_event(line, name)).map(|line| data(line).clone()).collect()
    }

    /// The types of the events after `mark`.
    pub fn types(&self, mark: usize) -> Vec<String> {
        let lines = self.lines().split_off(mark);
        let events = lines.iter().filter(|line| line["ev"] == "event");
        events.map(|line| line["type"].as_str().unwrap_or("?").to_owned()).collect()
    }

    /// Waits a little to see that no such event comes after `mark`.
    ///
    /// # Errors
    ///
    /// If one comes.
    pub fn never(&self, mark: usize, name: &str) -> Outcome {
        match self.process.wait_within(mark, name, SILENCE, |line| is_event(line, name)) {
            Ok(line) => Err(Failure::new(format!("an event {name:?} that must not come: {line}"))),
            Err(ProcessError::Timeout { .. }) => Ok(()),
            Err(ended) => Err(ended.into()),
        }
    }

    /// Waits until the server has this many connections.
    ///
    /// # Errors
    ///
    /// If it has another number in the end.
    pub fn has_sockets(&mut self, count: usize) -> Outcome {
        let deadline = Instant::now() + self.patience;
        loop {
            let sockets = self.tell(json!({"cmd": "state"}))?["server"]["sockets"].clone();
            if sockets == count {
                return Ok(());
            }
            if Instant::now() > deadline {
                return Err(Failure::new(format!("the server has {sockets} connections, expected {count}")));
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// The raw bytes heard, in hexadecimal digits, once there are as many as expected or none more come.
    pub fn bytes(&self, digits: usize) -> String {
        let mut heard = String::new();
        let _short_is_judged_by_the_caller = self.wait(0, "bytes", |line| {
            if is_event(line, "data") {
                heard.push_str(data(line)["hex"].as_str().unwrap_or_default());
            }
            heard.len() >= digits
        });
        heard
    }

    /// Kills the process as `SIGKILL` does.
    pub fn kill(&mut self) {
        self.process.kill();
    }
}

fn is_event(line: &Value, name: &str) -> bool {
    line["ev"] == "event" && line["type"] == name
}
