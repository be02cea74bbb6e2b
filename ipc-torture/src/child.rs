//! A subject as a child of this process: started with options, driven by commands, watched, killed.

use crate::adapters::Adapter;
use crate::watch::{Watched, until};
use ipc_testkit::process::{PATIENCE, PeerProcess, ProcessError};
use serde_json::{Value, json};
use std::ops::{Deref, DerefMut};
use std::path::{Path, PathBuf};
use std::process::Command;

/// What a subject is to be.
#[derive(Clone, Debug)]
pub struct Plan {
    program: PathBuf,
    prefix: Vec<String>,
    options: Value,
}

impl Plan {
    /// A server or client (`role`) at `endpoint`, of the program `ipc-torture` at `program`.
    #[must_use]
    pub fn new(program: impl AsRef<Path>, role: &str, endpoint: &str) -> Self {
        let options = json!({"role": role, "endpoint": endpoint, "config": {}, "start": true});
        Self { program: program.as_ref().to_owned(), prefix: Vec::new(), options }
    }

    /// Members of its configuration, by node-ipc's names.
    #[must_use]
    pub fn config(mut self, members: Value) -> Self {
        if let (Some(config), Value::Object(members)) = (self.options["config"].as_object_mut(), members) {
            config.extend(members);
        }
        self
    }

    /// Another option of the subject.
    #[must_use]
    pub fn option(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.options[name] = value.into();
        self
    }

    /// Another runtime than Tokio.
    #[must_use]
    pub fn adapter(self, adapter: Adapter) -> Self {
        self.option("adapter", adapter.name())
    }

    /// Another file of the same program, for users who may not read the first.
    #[must_use]
    pub fn program(mut self, program: impl AsRef<Path>) -> Self {
        self.program = program.as_ref().to_owned();
        self
    }

    /// A command that runs it: `setpriv …`, `ip netns exec …`.
    #[must_use]
    pub fn under<S: Into<String>>(mut self, prefix: impl IntoIterator<Item = S>) -> Self {
        self.prefix = prefix.into_iter().map(Into::into).collect();
        self
    }

    fn command(&self) -> Command {
        let mut words = self.prefix.iter();
        let Some(first) = words.next() else {
            let mut command = Command::new(&self.program);
            command.arg("subject");
            return command;
        };
        let mut command = Command::new(first);
        command.args(words).arg(&self.program).arg("subject");
        command
    }

    /// Starts it and waits until it is ready.
    ///
    /// # Panics
    ///
    /// If it is not.
    #[must_use]
    pub fn start(&self) -> Child {
        self.try_start().unwrap_or_else(|error| panic!("{} does not start: {error}", self.options))
    }

    /// Starts it and waits until it is ready.
    ///
    /// # Errors
    ///
    /// What the peer says, or that it says nothing.
    pub fn try_start(&self) -> Result<Child, ProcessError> {
        let peer = PeerProcess::start(self.command(), &self.options, PATIENCE)?;
        let ready = peer.wait_for(0, "ready line", |line| line["ready"] == true)?;
        let endpoint = ready["endpoint"].as_str().unwrap_or_default().to_owned();
        Ok(Child { peer, endpoint })
    }
}

/// A running subject. Dropping it kills it.
#[derive(Debug)]
pub struct Child {
    peer: PeerProcess,
    /// Where it listens, with the real port; where it connects to.
    pub endpoint: String,
}

impl Child {
    /// The process, to be looked at. (A prefix that stays its parent would be seen in its place; `setpriv` and `ip netns exec` do
    /// not.)
    #[must_use]
    pub fn watched(&self) -> Watched {
        Watched::new(self.peer.pid())
    }

    /// Gives a command and returns what it comes to.
    ///
    /// # Panics
    ///
    /// If the subject refuses, or does not answer.
    pub fn ask(&mut self, command: Value) -> Value {
        let shown = command.to_string();
        self.peer.command(command).unwrap_or_else(|error| panic!("{shown}: {error}"))
    }

    /// What the command `start` says against it.
    ///
    /// # Panics
    ///
    /// If it says nothing against it.
    pub fn refusal(&mut self) -> String {
        match self.peer.command(json!({"cmd": "start"})) {
            Err(ProcessError::Refused { error }) => error.to_string(),
            other => panic!("it was to be refused: {other:?}"),
        }
    }

    /// A count of what it has seen, 0 if it has not.
    ///
    /// # Panics
    ///
    /// As [`ask`](Self::ask).
    pub fn count(&mut self, name: &str) -> u64 {
        let counts = self.ask(json!({"cmd": "counts"}));
        counts[name].as_u64().or_else(|| counts["errors"][name].as_u64()).unwrap_or(0)
    }

    /// Waits until it has seen so many.
    ///
    /// # Panics
    ///
    /// If it does not within 20 s.
    pub fn await_count(&mut self, name: &str, least: u64) {
        let reached = until(|| self.count(name) >= least);
        assert!(reached, "{name} never was {least}: {}", self.ask(json!({"cmd": "counts"})));
    }
}

impl Deref for Child {
    type Target = PeerProcess;

    fn deref(&self) -> &PeerProcess {
        &self.peer
    }
}

impl DerefMut for Child {
    fn deref_mut(&mut self) -> &mut PeerProcess {
        &mut self.peer
    }
}
