//! The program as a process: started, listened to, told to end, with nothing of the environment of who runs the tests.

#![allow(dead_code, reason = "each test file uses a part of it")]

use serde_json::Value;
use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// How long anything may take.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// A directory for sockets, which is also the home of the program.
pub(crate) struct Place(TempDir);

impl Default for Place {
    fn default() -> Self {
        Self::new()
    }
}

impl Place {
    pub(crate) fn new() -> Self {
        Self(tempfile::Builder::new().prefix("ipc-cli").tempdir().expect("a directory"))
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    /// The path of something in it.
    pub(crate) fn of(&self, name: &str) -> String {
        self.path().join(name).display().to_string()
    }

    /// The directory as `socketRoot`.
    pub(crate) fn root(&self) -> String {
        format!("{}/", self.path().display())
    }

    /// `ipc` with these arguments.
    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ipc"));
        for (name, _) in std::env::vars_os() {
            if name.to_str().is_some_and(|name| name.starts_with("IPC_") || name.starts_with("CLICOLOR")) {
                command.env_remove(name);
            }
        }
        command.env("HOME", self.path()).env("XDG_CONFIG_HOME", self.path().join("config")).env_remove("NO_COLOR");
        command.env("XDG_RUNTIME_DIR", self.path().join("run")).current_dir(self.path()).args(args);
        command
    }

    /// `ipc` with these arguments, run by another user; `None` if we are not root, who alone can do that.
    #[cfg(unix)]
    pub(crate) fn command_of_nobody(&self, args: &[&str]) -> Option<Command> {
        const NOBODY: u32 = 65_534;
        let mut command = self.command(args);
        std::fs::set_permissions(self.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755)).expect("set");
        std::os::unix::process::CommandExt::uid(&mut command, NOBODY);
        std::os::unix::process::CommandExt::gid(&mut command, NOBODY);
        rustix::process::geteuid().is_root().then_some(command)
    }

    /// Runs it to its end, with nothing on stdin.
    pub(crate) fn run(&self, args: &[&str]) -> Ended {
        self.run_with(args, "")
    }

    /// Runs it to its end, with this on stdin.
    pub(crate) fn run_with(&self, args: &[&str], stdin: &str) -> Ended {
        let mut program = Program::start(self.command(args));
        program.write(stdin);
        program.end()
    }

    /// Starts it, and waits until it says on stderr that it listens or is connected.
    pub(crate) fn start(&self, args: &[&str]) -> Program {
        let program = Program::start(self.command(args));
        program.said_on_stderr(|line| {
            ["listening at", "connected to", "recording what"].iter().any(|start| line.starts_with(start))
        });
        program
    }
}

/// What is left of a program that has ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Ended {
    /// The lines of stdout as JSON.
    pub(crate) fn lines(&self) -> Vec<Value> {
        self.stdout.lines().map(json).collect()
    }

    /// Fails unless it has ended so.
    #[track_caller]
    pub(crate) fn expect(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "stdout: {}\nstderr: {}", self.stdout, self.stderr);
        self
    }

    /// Fails unless stderr has these texts.
    #[track_caller]
    pub(crate) fn says(&self, texts: &[&str]) {
        for text in texts {
            assert!(self.stderr.contains(text), "{text:?} is not in: {}", self.stderr);
        }
    }
}

#[track_caller]
pub(crate) fn json(line: &str) -> Value {
    serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))
}

/// A running program. Dropping it kills it.
pub(crate) struct Program {
    child: Child,
    stdin: Option<ChildStdin>,
    stdout: Receiver<String>,
    stderr: Receiver<String>,
    /// All of either.
    readers: Vec<JoinHandle<String>>,
}

impl Program {
    pub(crate) fn start(mut command: Command) -> Self {
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the program starts");
        let (stdout, out) = lines(child.stdout.take().expect("a pipe"));
        let (stderr, err) = lines(child.stderr.take().expect("a pipe"));
        Self { stdin: child.stdin.take(), child, stdout, stderr, readers: vec![out, err] }
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Writes to its stdin. That it has ended meanwhile is for its exit code to tell.
    pub(crate) fn write(&mut self, text: &str) {
        if let Some(stdin) = &mut self.stdin {
            let _ended = stdin.write_all(text.as_bytes()).and_then(|()| stdin.flush());
        }
    }

    /// The next line of stdout as JSON.
    #[track_caller]
    pub(crate) fn line(&self) -> Value {
        json(&self.text())
    }

    /// The next line of stdout.
    #[track_caller]
    pub(crate) fn text(&self) -> String {
        next(&self.stdout, "a line on stdout")
    }

    /// The next line of stdout of this kind.
    #[track_caller]
    pub(crate) fn line_of(&self, kind: &str) -> Value {
        loop {
            let line = self.line();
            if line["kind"] == kind {
                return line;
            }
        }
    }

    /// The next line of stderr that is so.
    #[track_caller]
    pub(crate) fn said_on_stderr(&self, is_it: impl Fn(&str) -> bool) -> String {
        loop {
            let line = next(&self.stderr, "such a line on stderr");
            if is_it(&line) {
                return line;
            }
        }
    }

    /// Sends SIGINT.
    #[cfg(unix)]
    pub(crate) fn interrupt(&self) {
        self.signal(rustix::process::Signal::INT);
    }

    #[cfg(unix)]
    pub(crate) fn signal(&self, signal: rustix::process::Signal) {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, signal).expect("it is there");
    }

    /// Closes the reading end of its stdout.
    pub(crate) fn end(mut self) -> Ended {
        self.stdin = None;
        let code = self.wait().code();
        let mut texts = std::mem::take(&mut self.readers).into_iter().map(|reader| reader.join().expect("a reader"));
        Ended { code, stdout: texts.next().unwrap_or_default(), stderr: texts.next().unwrap_or_default() }
    }

    #[track_caller]
    fn wait(&mut self) -> ExitStatus {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait().expect("a child") {
                return status;
            }
            assert!(Instant::now() < deadline, "it does not end");
            std::thread::sleep(Duration::from_millis(2));
        }
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn lines(stream: impl Read + Send + 'static) -> (Receiver<String>, JoinHandle<String>) {
    let (sender, receiver) = channel();
    let reader = std::thread::spawn(move || {
        let mut all = String::new();
        let mut reader = BufReader::new(stream);
        let mut line = Vec::new();
        while matches!(reader.read_until(b'\n', &mut line), Ok(1..)) {
            let text = String::from_utf8_lossy(&line).into_owned();
            all.push_str(&text);
            let _nobody_waits = sender.send(text.trim_end_matches('\n').to_owned());
            line.clear();
        }
        all
    });
    (receiver, reader)
}

#[track_caller]
fn next(lines: &Receiver<String>, what: &str) -> String {
    match lines.recv_timeout(PATIENCE) {
        Ok(line) => line,
        Err(RecvTimeoutError::Timeout) => panic!("{what} does not come"),
        Err(RecvTimeoutError::Disconnected) => panic!("the program ended before {what} came"),
    }
}

/// A port on loopback that was free a moment ago.
pub(crate) fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.local_addr().expect("bound").port()
}

/// The port at the end of a line such as `listening at tcp:127.0.0.1:4711`.
#[track_caller]
pub(crate) fn port_in(line: &str) -> u16 {
    let address = line.split_whitespace().nth(2).expect("an address");
    address.rsplit(':').next().and_then(|port| port.parse().ok()).expect("a port")
}

/// An argument list with a common head.
pub(crate) fn args<'a>(head: &[&'a str], tail: &[&'a str]) -> Vec<&'a str> {
    [head, tail].concat()
}

/// Whether a program is on the search path.
pub(crate) fn has(program: impl AsRef<OsStr>) -> bool {
    Command::new(program).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok()
}

/// A server of a few lines: it says this to whoever connects, and keeps the connection until it is dropped.
#[cfg(unix)]
pub(crate) fn speaker(path: &str, says: &'static [u8]) -> JoinHandle<Vec<std::os::unix::net::UnixStream>> {
    let listener = std::os::unix::net::UnixListener::bind(path).expect("bound");
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("a client");
        stream.write_all(says).expect("written");
        vec![stream]
    })
}
