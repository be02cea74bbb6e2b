//! A program beside the example: its lines are shown, and waited for.

#![allow(clippy::print_stdout, reason = "a part of programs")]

use std::error::Error;
use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// How long a line, or the end, may take.
const PATIENCE: Duration = Duration::from_secs(20);

/// A process whose lines are shown under its name. It ends with this value.
#[derive(Debug)]
pub struct Running {
    name: String,
    child: Child,
    lines: mpsc::Receiver<String>,
}

impl Running {
    /// Starts `program`, to be shown as `name`.
    ///
    /// # Errors
    ///
    /// That of the system.
    pub fn start(name: &str, program: &Path, args: &[&OsStr]) -> Result<Self> {
        let mut child = Command::new(program)
            .args(args)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        let (sender, lines) = mpsc::channel();
        let outputs: [Option<Box<dyn Read + Send>>; 2] =
            [child.stdout.take().map(|it| Box::new(it) as _), child.stderr.take().map(|it| Box::new(it) as _)];
        for output in outputs.into_iter().flatten() {
            let (sender, name) = (sender.clone(), name.to_owned());
            std::thread::spawn(move || {
                for line in BufReader::new(output).lines().map_while(std::io::Result::ok) {
                    println!("{name:>15} | {line}");
                    // Nobody may be waiting for lines any more.
                    let _ = sender.send(line);
                }
            });
        }
        Ok(Self { name: name.to_owned(), child, lines })
    }

    /// Waits for a line that begins so.
    ///
    /// # Errors
    ///
    /// If it does not come in time.
    pub fn wait_for(&mut self, start: &str) -> Result<()> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            match self.lines.recv_timeout(left) {
                Ok(line) if line.starts_with(start) => return Ok(()),
                Ok(_) => {}
                Err(_) => return Err(format!("the {} did not say {start:?}", self.name).into()),
            }
        }
    }

    /// Waits for a line that begins so, and then for the end, which must be a good one.
    ///
    /// # Errors
    ///
    /// If the line or the end does not come in time, or the end is a bad one.
    pub fn finish(&mut self, last: &str) -> Result<()> {
        self.wait_for(last)?;
        let deadline = Instant::now() + PATIENCE;
        let status: ExitStatus = loop {
            match self.child.try_wait()? {
                Some(status) => break status,
                None if Instant::now() > deadline => return Err(format!("the {} does not end", self.name).into()),
                None => std::thread::sleep(Duration::from_millis(5)),
            }
        };
        if status.success() { Ok(()) } else { Err(format!("the {} ended with {status}", self.name).into()) }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
