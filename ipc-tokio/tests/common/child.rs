//! This test program once more, as a process of its own that plays a role.

#![allow(dead_code, reason = "not every test file uses everything")]

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

/// What names the role. A test called `role` plays it where the variable is set.
pub(crate) const ROLE: &str = "IPC_TEST_ROLE";

pub(crate) fn role() -> Option<String> {
    std::env::var(ROLE).ok()
}

/// What a role says to the test, a line.
#[allow(clippy::print_stderr, reason = "it is how a role speaks")]
pub(crate) fn say(line: impl std::fmt::Display) {
    eprintln!("{line}");
}

/// A child that is killed when this is dropped.
pub(crate) struct Running {
    child: Child,
    lines: mpsc::Receiver<String>,
}

impl Running {
    pub(crate) fn command(role: &str) -> Command {
        let mut command = Command::new(std::env::current_exe().expect("this program"));
        command.args(["--exact", "role", "--nocapture"]).env(ROLE, role);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        command
    }

    pub(crate) fn start(command: &mut Command) -> Self {
        let mut child = command.spawn().expect("a child");
        let (sender, lines) = mpsc::channel();
        let output = child.stderr.take().expect("its errors");
        std::thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                // Nobody may be waiting for lines any more.
                let _unheard = sender.send(line);
            }
        });
        Self { child, lines }
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// The rest of the next line that begins so. Blocks.
    pub(crate) fn hear(&self, start: &str) -> String {
        let mut heard = Vec::new();
        loop {
            match self.lines.recv_timeout(Duration::from_secs(20)) {
                Ok(line) => match line.strip_prefix(start) {
                    Some(rest) => return rest.to_owned(),
                    None => heard.push(line),
                },
                Err(_) => panic!("the child did not say {start:?}, but {heard:#?}"),
            }
        }
    }

    /// As [`hear`](Self::hear), without blocking the runtime.
    pub(crate) async fn hear_soon(self, start: &'static str) -> (Self, String) {
        tokio::task::spawn_blocking(move || {
            let rest = self.hear(start);
            (self, rest)
        })
        .await
        .expect("heard")
    }

    /// The next line that a role says; what the test runner says is left out.
    pub(crate) async fn hear_line(self) -> (Self, String) {
        tokio::task::spawn_blocking(move || {
            let line = self.lines.recv_timeout(Duration::from_secs(20)).expect("the child says something");
            (self, line)
        })
        .await
        .expect("heard")
    }

    /// Ends it as a crash would: nothing of it runs any more.
    pub(crate) fn kill(&mut self) {
        let _dead_already = self.child.kill();
        let _status = self.child.wait();
    }

    pub(crate) fn wait(&mut self) -> std::process::ExitStatus {
        self.child.wait().expect("ended")
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.kill();
    }
}
