//! A peer in another process, driven through the line protocol: real node-ipc or our own. It does not know what the lines
//! mean beyond `ready`, `result` and the event name.

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

/// How long a wait lasts unless the test says otherwise.
pub const PATIENCE: Duration = Duration::from_secs(10);

/// Why a peer did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum ProcessError {
    /// The command could not be started.
    #[error("the peer does not start: {0}")]
    Spawn(#[from] std::io::Error),
    /// Nothing of the kind came in time. Holds everything that did come.
    #[error("no {what} within {after:?}\n{seen}")]
    Timeout {
        /// What was waited for.
        what: String,
        /// For how long.
        after: Duration,
        /// The lines that came, and the end of stderr.
        seen: String,
    },
    /// The process ended before it came.
    #[error("the peer ended before {what} came\n{seen}")]
    Ended {
        /// What was waited for.
        what: String,
        /// The lines that came, and the end of stderr.
        seen: String,
    },
    /// The command's result says that it failed.
    #[error("the command failed: {error}")]
    Refused {
        /// The `error` of the result line.
        error: Value,
    },
}

/// A running peer. Its output is read all the time; dropping it kills the process.
#[derive(Debug)]
pub struct PeerProcess {
    child: Child,
    stdin: Option<ChildStdin>,
    heard: Arc<Heard>,
    commands: u64,
}

/// What a peer has said, readable also after its end.
#[derive(Clone, Debug)]
pub struct Transcript(Arc<Heard>);

impl Transcript {
    /// All lines, and the end of stderr.
    pub fn show(&self) -> String {
        self.0.lock().show()
    }
}

/// What the reader threads share with the owner.
#[derive(Debug, Default)]
struct Heard {
    /// Protects the lines; held only to push or look.
    state: Mutex<State>,
    news: Condvar,
}

#[derive(Debug, Default)]
struct State {
    lines: Vec<Value>,
    stderr: String,
    ended: bool,
}

impl Heard {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn show(&self) -> String {
        let mut shown: Vec<String> = self.lines.iter().map(Value::to_string).collect();
        if !self.stderr.is_empty() {
            shown.push(format!("stderr: {}", self.stderr));
        }
        shown.join("\n")
    }
}

impl PeerProcess {
    /// Starts a peer command; the options become its last argument. Does not wait for the ready line: a server that cannot
    /// listen never prints one.
    ///
    /// # Errors
    ///
    /// [`ProcessError::Spawn`].
    pub fn launch(mut command: Command, options: &Value) -> Result<Self, ProcessError> {
        let mut child = command
            .arg(options.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        let heard = Arc::new(Heard::default());
        let stdin = child.stdin.take();
        if let (Some(stdout), Some(stderr)) = (child.stdout.take(), child.stderr.take()) {
            let lines = Arc::clone(&heard);
            thread::spawn(move || read_lines(BufReader::new(stdout), &lines));
            let text = Arc::clone(&heard);
            thread::spawn(move || read_text(stderr, &text));
        }
        Ok(Self { child, stdin, heard, commands: 0 })
    }

    /// Starts a peer command and waits for its ready line.
    ///
    /// # Errors
    ///
    /// Any but [`ProcessError::Refused`].
    pub fn start(command: Command, options: &Value, patience: Duration) -> Result<Self, ProcessError> {
        let peer = Self::launch(command, options)?;
        peer.wait_within(0, "ready line", patience, |line| line["ready"] == true)?;
        Ok(peer)
    }

    /// What it says, for whoever reports on it later.
    pub fn transcript(&self) -> Transcript {
        Transcript(Arc::clone(&self.heard))
    }

    /// The operating system's id of the process.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// All lines so far.
    pub fn lines(&self) -> Vec<Value> {
        self.heard.lock().lines.clone()
    }

    /// The number of lines so far: a place to wait from.
    pub fn mark(&self) -> usize {
        self.heard.lock().lines.len()
    }

    /// Waits for a line after `mark`, for [`PATIENCE`].
    ///
    /// # Errors
    ///
    /// [`ProcessError::Timeout`], [`ProcessError::Ended`].
    pub fn wait_for(&self, mark: usize, what: &str, is_it: impl FnMut(&Value) -> bool) -> Result<Value, ProcessError> {
        self.wait_within(mark, what, PATIENCE, is_it)
    }

    /// Waits for a line after `mark`, for a time.
    ///
    /// # Errors
    ///
    /// [`ProcessError::Timeout`], [`ProcessError::Ended`].
    pub fn wait_within(
        &self,
        mark: usize,
        what: &str,
        patience: Duration,
        mut is_it: impl FnMut(&Value) -> bool,
    ) -> Result<Value, ProcessError> {
        let deadline = Instant::now() + patience;
        let mut state = self.heard.lock();
        let mut looked = mark;
        loop {
            while let Some(line) = state.lines.get(looked) {
                looked += 1;
                if is_it(line) {
                    return Ok(line.clone());
                }
            }
            if state.ended {
                return Err(ProcessError::Ended { what: what.to_owned(), seen: state.show() });
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(ProcessError::Timeout { what: what.to_owned(), after: patience, seen: state.show() });
            }
            state = self.heard.news.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Waits for an event of this type, anywhere in the lines so far or to come.
    ///
    /// # Errors
    ///
    /// [`ProcessError::Timeout`], [`ProcessError::Ended`].
    pub fn event(&self, name: &str) -> Result<Value, ProcessError> {
        self.event_after(0, name)
    }

    /// Waits for an event of this type after `mark`.
    ///
    /// # Errors
    ///
    /// [`ProcessError::Timeout`], [`ProcessError::Ended`].
    pub fn event_after(&self, mark: usize, name: &str) -> Result<Value, ProcessError> {
        self.wait_for(mark, &format!("event {name}"), |line| line["ev"] == "event" && line["type"] == name)
    }

    /// The events so far, as `(type, args)`.
    pub fn events(&self) -> Vec<(Value, Value)> {
        let state = self.heard.lock();
        let events = state.lines.iter().filter(|line| line["ev"] == "event");
        events.map(|line| (line["type"].clone(), line["args"].clone())).collect()
    }

    /// Gives a command, waits for its result and returns its `value`.
    ///
    /// # Errors
    ///
    /// [`ProcessError::Refused`] if the result is not `ok`; otherwise as for waiting.
    pub fn command(&mut self, command: Value) -> Result<Value, ProcessError> {
        self.command_within(command, PATIENCE)
    }

    /// The same, but waits for the result for a time of one's own.
    ///
    /// # Errors
    ///
    /// As [`PeerProcess::command`].
    pub fn command_within(&mut self, mut command: Value, patience: Duration) -> Result<Value, ProcessError> {
        self.commands += 1;
        let number = self.commands;
        command["n"] = json!(number);
        let mark = self.mark();
        self.say(&command)?;
        let what = format!("result of {command}");
        let is_it = |line: &Value| line["ev"] == "result" && line["n"] == number;
        let line = self.wait_within(mark, &what, patience, is_it)?;
        if line["ok"] == true {
            Ok(line["value"].clone())
        } else {
            Err(ProcessError::Refused { error: line["error"].clone() })
        }
    }

    /// Gives a command without waiting for its result.
    ///
    /// # Errors
    ///
    /// [`ProcessError::Spawn`] with the write error.
    pub fn say(&mut self, command: &Value) -> Result<(), ProcessError> {
        self.say_line(&command.to_string())
    }

    /// Writes one line to the peer, whatever it says.
    ///
    /// # Errors
    ///
    /// [`ProcessError::Spawn`] with the write error.
    pub fn say_line(&mut self, line: &str) -> Result<(), ProcessError> {
        let Some(stdin) = &mut self.stdin else {
            return Err(std::io::Error::from(std::io::ErrorKind::BrokenPipe).into());
        };
        stdin.write_all(format!("{line}\n").as_bytes())?;
        stdin.flush()?;
        Ok(())
    }

    /// Closes the peer's stdin, which ends it, and waits for its exit status; kills it if it does not end in time.
    ///
    /// # Errors
    ///
    /// [`ProcessError::Timeout`] if it had to be killed.
    pub fn close(mut self) -> Result<ExitStatus, ProcessError> {
        self.stdin = None;
        self.exited()
    }

    /// Waits for the process to end by itself.
    ///
    /// # Errors
    ///
    /// [`ProcessError::Timeout`] after [`PATIENCE`].
    pub fn exited(&mut self) -> Result<ExitStatus, ProcessError> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait()? {
                return Ok(status);
            }
            if Instant::now() > deadline {
                return Err(ProcessError::Timeout {
                    what: "exit".to_owned(),
                    after: PATIENCE,
                    seen: self.heard.lock().show(),
                });
            }
            thread::sleep(Duration::from_millis(5));
        }
    }

    /// Kills the process at once, as `SIGKILL` does.
    pub fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for PeerProcess {
    fn drop(&mut self) {
        self.kill();
    }
}

fn read_lines(mut stdout: impl BufRead, heard: &Heard) {
    let mut line = Vec::new();
    while matches!(stdout.read_until(b'\n', &mut line), Ok(1..)) {
        let text = String::from_utf8_lossy(&line);
        let value = serde_json::from_str(&text).unwrap_or_else(|_| json!({"ev": "not_json", "line": text.trim_end()}));
        heard.lock().lines.push(value);
        heard.news.notify_all();
        line.clear();
    }
    heard.lock().ended = true;
    heard.news.notify_all();
}

fn read_text(mut stderr: impl Read, heard: &Heard) {
    /// The most that is kept of stderr, in bytes.
    const KEPT: usize = 16_384;
    let mut chunk = [0; 4_096];
    while let Ok(read @ 1..) = stderr.read(&mut chunk) {
        let mut state = heard.lock();
        if state.stderr.len() < KEPT {
            state.stderr.push_str(&String::from_utf8_lossy(&chunk[..read]));
        }
    }
}
