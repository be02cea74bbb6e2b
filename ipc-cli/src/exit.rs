//! How the program ends: its exit codes, and errors that say what was tried, what happened and what to do.
//!
//! The codes are a promise: `docs/cli.md`, the man page and the tests list the same.

use crate::escape::printable;
use std::fmt::Display;
use std::process::ExitCode;

/// Why the program ends otherwise than well.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Exit {
    /// Something failed while running, or the doctor found something wrong.
    Failed = 1,
    /// The command line, the configuration or the address is wrong. Nothing was opened.
    Usage = 2,
    /// Nobody could be connected to there, or it cannot be listened on.
    Unreachable = 3,
    /// It took longer than it was allowed to.
    TimedOut = 4,
    /// The peer answered a request with an error.
    Remote = 5,
    /// The connection was lost before everything was done.
    Lost = 6,
    /// SIGINT, 128 + 2.
    Interrupted = 130,
    /// SIGTERM, 128 + 15.
    #[cfg_attr(not(unix), allow(dead_code, reason = "there is no such signal"))]
    Terminated = 143,
}

/// The codes as `--help` and the man page show them.
pub(crate) const CODES: &str = "\
Exit codes:
  0    done; also when stdout is closed early, as by `| head -1`
  1    something failed while running; `ipc doctor` found something wrong
  2    the command line, the configuration or the address is wrong
  3    nobody could be connected to there, or it cannot be listened on
  4    it took longer than --timeout or --wait
  5    the peer answered the request with an error
  6    the connection was lost before everything was done
  130  interrupted (SIGINT); 143 terminated (SIGTERM); `listen`, `sub`, `tap`
       and `record` end with 0 then";

/// An end that is to be told of. Shown as `ipc: <what was tried>: <what happened>`, then its detail, then `help: <what to do>`.
#[derive(Debug)]
pub(crate) struct Failure {
    exit: Option<Exit>,
    text: String,
    /// More of what happened, line by line.
    detail: String,
    help: Option<String>,
}

pub(crate) type Outcome<T = ()> = Result<T, Failure>;

impl Failure {
    /// What was tried and what happened.
    pub(crate) fn new(exit: Exit, tried: impl Display, happened: impl Display) -> Self {
        Self { exit: Some(exit), text: format!("{tried}: {happened}"), detail: String::new(), help: None }
    }

    pub(crate) fn usage(text: impl Display) -> Self {
        Self { exit: Some(Exit::Usage), text: text.to_string(), detail: String::new(), help: None }
    }

    /// An end with a code and without words: they are said already, or there is nothing to say.
    pub(crate) fn silent(exit: Exit) -> Self {
        Self { exit: Some(exit), text: String::new(), detail: String::new(), help: None }
    }

    /// Whoever read our stdout has enough.
    pub(crate) fn nobody_reads() -> Self {
        Self { exit: None, text: String::new(), detail: String::new(), help: None }
    }

    /// What belongs to the text and has lines of its own, as an excerpt of a file has.
    #[must_use]
    pub(crate) fn detail(mut self, detail: impl Into<String>) -> Self {
        self.detail = detail.into();
        self
    }

    /// What the user can do about it.
    #[must_use]
    pub(crate) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// The same, if there is something that can be done.
    #[must_use]
    pub(crate) fn help_if(self, help: Option<String>) -> Self {
        match help {
            Some(help) => self.help(help),
            None => self,
        }
    }

    /// As it is shown on stderr, without a trailing line break; empty for an end without words.
    pub(crate) fn show(&self) -> String {
        if self.text.is_empty() {
            return String::new();
        }
        let mut shown = format!("ipc: {}", printable(&self.text));
        for line in self.detail.lines() {
            shown.push_str("\n  ");
            shown.push_str(&printable(line));
        }
        if let Some(help) = &self.help {
            for line in help.lines() {
                shown.push_str("\n  help: ");
                shown.push_str(&printable(line));
            }
        }
        shown
    }

    /// Whether it is the connection that was lost.
    pub(crate) fn is_lost(&self) -> bool {
        self.exit == Some(Exit::Lost)
    }

    /// Whether something did not come in time.
    pub(crate) fn is_timeout(&self) -> bool {
        self.exit == Some(Exit::TimedOut)
    }

    pub(crate) fn code(&self) -> ExitCode {
        self.exit.map_or(ExitCode::SUCCESS, |exit| ExitCode::from(exit as u8))
    }
}
