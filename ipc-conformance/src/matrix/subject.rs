//! Who can stand at one end of a wire: our peer on each runtime, real node-ipc, and whatever command `--subject` names.

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};

use crate::node::{NodeIpc, Version};
use crate::process::PeerProcess;

/// Runtimes that our own peer runs on.
const RUNTIMES: [&str; 3] = ["tokio", "smol", "async-std"];

/// How our own peer is started.
#[derive(Clone, Debug)]
pub struct OwnPeer {
    /// The program.
    pub program: PathBuf,
    /// What stands before the options.
    pub arguments: Vec<String>,
}

/// A peer command with a name.
#[derive(Clone, Debug)]
pub struct Subject {
    /// Its name in reports.
    pub name: String,
    kind: Kind,
}

#[derive(Clone, Debug)]
enum Kind {
    Rust { peer: OwnPeer, runtime: &'static str },
    Node { version: Version, found: Option<NodeIpc> },
    Other { command: Vec<String> },
}

/// Why a subject does not take part.
#[derive(Clone, Debug)]
pub struct Absent {
    /// Which.
    pub name: String,
    /// Why.
    pub why: String,
}

impl Subject {
    /// The subjects that are built in.
    pub fn built_in(peer: &OwnPeer) -> Vec<Self> {
        let ours = RUNTIMES
            .into_iter()
            .map(|runtime| Self { name: format!("rust-{runtime}"), kind: Kind::Rust { peer: peer.clone(), runtime } });
        let node = Version::ALL
            .into_iter()
            .map(|version| Self { name: format!("node-{version}"), kind: Kind::Node { version, found: None } });
        ours.chain(node).collect()
    }

    /// A third party from `NAME=COMMAND`; words of the command are separated by spaces.
    pub fn parse(text: &str) -> Option<Self> {
        let (name, command) = text.split_once('=')?;
        let command: Vec<String> = command.split_whitespace().map(str::to_owned).collect();
        let good = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        if name.is_empty() || !name.chars().all(good) || command.is_empty() {
            return None;
        }
        Some(Self { name: name.to_owned(), kind: Kind::Other { command } })
    }

    /// Whether it is one of our own.
    pub fn is_rust(&self) -> bool {
        matches!(self.kind, Kind::Rust { .. })
    }

    /// Whether it is node-ipc.
    pub fn is_node(&self) -> bool {
        matches!(self.kind, Kind::Node { .. })
    }

    /// Starts it without a role to see that it can be had, and returns what it says it is, for the report.
    ///
    /// # Errors
    ///
    /// Why it does not take part.
    pub fn probe(&mut self) -> Result<String, Absent> {
        let absent = |why: String| Absent { name: self.name.clone(), why };
        if let Kind::Node { version, found } = &mut self.kind {
            match NodeIpc::find(*version) {
                Ok(package) => *found = Some(package),
                Err(missing) => return Err(Absent { name: self.name.clone(), why: missing.to_string() }),
            }
        }
        let options = self.options(json!({}), true, self);
        let peer = PeerProcess::start(self.command(), &options, Duration::from_secs(20))
            .map_err(|error| absent(first_line(&error.to_string())))?;
        let ready = peer.lines().into_iter().find(|line| line["ready"] == true).unwrap_or_default();
        let text = |name: &str| ready[name].as_str().unwrap_or("?").to_owned();
        match &self.kind {
            Kind::Rust { runtime, .. } if ready["runtime"] != *runtime => {
                Err(absent(format!("the peer runs on {}, not on {runtime}", text("runtime"))))
            }
            Kind::Rust { runtime, .. } => Ok(format!("this workspace, {}, on {runtime}", env!("CARGO_PKG_VERSION"))),
            Kind::Node { version, .. } => {
                let node = text("node");
                let major = node.split('.').next().unwrap_or("?");
                Ok(format!("node-ipc {version} from npm, unchanged, on Node {major}"))
            }
            Kind::Other { .. } => Ok(format!("a command that says it is version {}", text("version"))),
        }
    }

    /// The command, still without options.
    pub fn command(&self) -> Command {
        match &self.kind {
            Kind::Rust { peer, .. } => {
                let mut command = Command::new(&peer.program);
                command.args(&peer.arguments);
                command
            }
            Kind::Node { found, .. } => found.as_ref().map_or_else(|| Command::new("node"), NodeIpc::command),
            Kind::Other { command } => {
                let mut started = Command::new(&command[0]);
                started.args(&command[1..]);
                started
            }
        }
    }

    /// The options it needs beside those of the scenario, at the server's end or not, when `other` stands at the other.
    ///
    /// Our own peer takes the preset that is meant for the version it talks to. With one of our own it is the old one that serves
    /// and the new one that calls, so that the two meet as well.
    pub fn options(&self, mut options: Value, serves: bool, other: &Self) -> Value {
        match &self.kind {
            Kind::Rust { runtime, .. } => {
                let preset = match &other.kind {
                    Kind::Node { version: Version::V14_0_0, .. } => "v14_fast",
                    Kind::Node { .. } => "v9",
                    _ if serves => "v9",
                    _ => "v14_fast",
                };
                options["runtime"] = (*runtime).into();
                if options["preset"].is_null() {
                    options["preset"] = preset.into();
                }
            }
            Kind::Node { version, .. } => options["version"] = version.as_str().into(),
            Kind::Other { .. } => {}
        }
        options
    }
}

fn first_line(text: &str) -> String {
    text.lines().take(2).collect::<Vec<_>>().join(" — ")
}
