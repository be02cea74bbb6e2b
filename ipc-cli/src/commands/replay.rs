//! `ipc replay`: the events of a recording, at the times at which they were sent.

use super::CLOSE_WITHIN;
use super::send::{in_the_line, not_sent, parse};
use crate::Context;
use crate::address::Target;
use crate::client::{Connected, Connecting, lost};
use crate::clock::parse_rfc3339;
use crate::exit::{Failure, Outcome};
use crate::output::counted;
use clap::Args;
use ipc_tokio::{ClientEvent, ConnectionError, EmitError, Message};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::Instant;

/// Play a recording against a server.
///
/// Takes what `ipc record` and `ipc tap`, `sub` or `listen` have written as JSON. Of a recording of both sides, what the clients had sent is
/// played; each connection of theirs becomes a connection, opened and closed when theirs was. What the server says is read and counted; a
/// connection is not closed before as much has come as had come when it was recorded, or has failed to for 5 s.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  ipc replay day.ndjson unix:world
  ipc replay day.ndjson unix:world --speed 10    ten times as fast
  ipc replay day.ndjson unix:world --speed max   without pauses
  ipc replay day.ndjson unix:world --of server   what the server had sent")]
pub(crate) struct Replay {
    /// The recording
    file: PathBuf,
    /// The server, as unix:world, unix:/path, tcp:host:port (see `ipc --help`)
    address: String,
    /// How much faster than it was: a number above 0, or max
    #[arg(long, value_name = "FACTOR", default_value = "1", allow_negative_numbers = true)]
    speed: Speed,
    /// Whose events to play: those of the client, of the server, or all
    #[arg(long, value_enum, value_name = "client|server|all", hide_possible_values = true)]
    of: Option<Of>,
    #[command(flatten)]
    connecting: Connecting,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Of {
    Client,
    Server,
    All,
}

/// `None` is without pauses.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Speed(Option<f64>);

impl FromStr for Speed {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "max" {
            return Ok(Self(None));
        }
        let factor: f64 = text.parse().map_err(|_| String::from("it must be a number above 0, or max"))?;
        if factor.is_finite() && factor > 0.0 {
            Ok(Self(Some(factor)))
        } else {
            Err(String::from("it must be a number above 0, or max"))
        }
    }
}

impl Speed {
    /// When something happens that happened so long after the beginning.
    fn due(self, after: Duration) -> Duration {
        let scaled = |factor: f64| Duration::try_from_secs_f64(after.as_secs_f64() / factor).unwrap_or(Duration::MAX);
        self.0.map_or(Duration::ZERO, scaled)
    }
}

/// What is to be done at a time after the beginning.
struct Step {
    after: Duration,
    connection: u64,
    what: Do,
}

enum Do {
    Open,
    Emit(Message),
    /// When so many events of the server have come.
    Close(u64),
}

/// A connection of ours, and who reads what the server says on it.
struct Playing {
    connected: ipc_tokio::Client,
    name: String,
    heard: watch::Receiver<u64>,
    /// What broke the connection, if anything did.
    broken: Arc<OnceLock<String>>,
}

impl Replay {
    pub(crate) async fn run(self, context: Context) -> Outcome {
        let steps = self.steps()?;
        let target = Target::parse(&self.address, &context.options, |config| config)?;
        let played = tokio::select! {
            played = self.play(&context, &target, steps) => played,
            exit = context.interrupt.told() => Err(Failure::silent(exit)),
        };
        let (sent, heard) = played?;
        context.output.note(format_args!("{} sent, {heard} heard", counted(sent, "event")));
        Ok(())
    }

    /// The recording as steps, with connections that are opened before their first event and closed after the last.
    fn steps(&self) -> Outcome<Vec<Step>> {
        let unreadable = |error: &dyn std::fmt::Display| {
            Failure::usage(format!("cannot read the recording {}: {error}", self.file.display()))
        };
        let file = std::fs::File::open(&self.file).map_err(|error| {
            unreadable(&error).help("`ipc record` makes recordings; `ipc tap … --format json > FILE` does too")
        })?;
        let mut steps = Vec::new();
        let mut first = None;
        let (mut latest, mut of_server) = (Duration::ZERO, 0_u64);
        // Of each connection that is open, how many events its server had sent.
        let mut answers: BTreeMap<u64, u64> = BTreeMap::new();
        for (number, line) in BufReader::new(file).lines().enumerate() {
            let line = line.map_err(|error| unreadable(&error))?;
            if line.trim().is_empty() {
                continue;
            }
            let wrong = |error: &dyn std::fmt::Display| {
                Failure::usage(format!("line {} of {}: {error}", number + 1, self.file.display())).help(
                    "a recording is lines of JSON with \"time\", \"kind\" and, of an event, \"type\" and \"data\"",
                )
            };
            let head: Head = serde_json::from_str(&line).map_err(|error| wrong(&in_the_line(&line, &error)))?;
            let time = head.time.as_deref().and_then(parse_rfc3339);
            let time = time.ok_or_else(|| wrong(&"there is no \"time\" like 2026-01-31T12:00:00.000000Z"))?;
            // Of two lines in the wrong order, the later one happens with the earlier one.
            latest = time.saturating_sub(*first.get_or_insert(time)).max(latest);
            let connection = head.connection.unwrap_or(0);
            let what = match head.kind.as_deref() {
                Some("open") => Some(Do::Open),
                Some("close") => Some(Do::Close(answers.get(&connection).copied().unwrap_or(0))),
                Some("event") if self.of != Some(Of::Server) && head.from.as_deref() == Some("server") => {
                    of_server += 1;
                    if let Some(answers) = answers.get_mut(&connection) {
                        *answers += 1;
                    }
                    if self.of == Some(Of::All) { emit(&line).map_err(|error| wrong(&error))? } else { None }
                }
                _ if self.plays(head.from.as_deref()) => emit(&line).map_err(|error| wrong(&error))?,
                _ => None,
            };
            let Some(what) = what else { continue };
            match &what {
                Do::Open => drop(answers.insert(connection, 0)),
                Do::Close(_) => drop(answers.remove(&connection)),
                Do::Emit(_) if !answers.contains_key(&connection) => {
                    answers.insert(connection, 0);
                    steps.push(Step { after: latest, connection, what: Do::Open });
                }
                Do::Emit(_) => {}
            }
            steps.push(Step { after: latest, connection, what });
        }
        // Those that were still open at the end.
        let rest = answers.into_iter();
        steps.extend(rest.map(|(connection, answers)| Step { after: latest, connection, what: Do::Close(answers) }));
        if !steps.iter().any(|step: &Step| matches!(step.what, Do::Emit(_))) {
            let failure = Failure::usage(format!("there is nothing to play in {}", self.file.display()));
            return Err(match of_server {
                0 => failure.help("a recording has lines with \"kind\": \"event\""),
                1 => failure.help("its only event was sent by a server; --of server plays it"),
                _ => failure.help(format!("its {of_server} events were sent by a server; --of server plays those")),
            });
        }
        Ok(steps)
    }

    fn plays(&self, from: Option<&str>) -> bool {
        match (self.of, from) {
            (Some(Of::All), _) | (_, None) | (None | Some(Of::Client), Some("client")) => true,
            (of, Some(from)) => of == Some(Of::Server) && from == "server",
        }
    }

    async fn play(&self, context: &Context, target: &Target, steps: Vec<Step>) -> Outcome<(u64, u64)> {
        let events = steps.iter().filter(|step| matches!(step.what, Do::Emit(_))).count() as u64;
        let bar = super::bar(context, events);
        let mut playing: BTreeMap<u64, Playing> = BTreeMap::new();
        let (mut sent, mut heard) = (0, 0);
        let begin = Instant::now();
        for step in steps {
            if let Some(due) = begin.checked_add(self.speed.due(step.after)) {
                tokio::time::sleep_until(due).await;
            }
            match step.what {
                Do::Open => {
                    let connected = self.connecting.connect_to(context, target, false).await?;
                    playing.insert(step.connection, Playing::new(connected));
                }
                Do::Close(answers) => {
                    if let Some(playing) = playing.remove(&step.connection) {
                        heard += playing.close(context, step.connection, answers).await?;
                    }
                }
                Do::Emit(message) => {
                    let Some(playing) = playing.get(&step.connection) else { continue };
                    let taken = playing.connected.send_message(&message).await;
                    taken.map_err(|error| match error {
                        EmitError::Closed | EmitError::NotConnected => playing.lost(sent, events),
                        error => not_sent(&message, &playing.name, &error),
                    })?;
                    sent += 1;
                    bar.inc(1);
                }
            }
        }
        bar.finish_and_clear();
        Ok((sent, heard))
    }
}

#[derive(Deserialize)]
struct Head {
    time: Option<String>,
    kind: Option<String>,
    connection: Option<u64>,
    from: Option<String>,
}

impl Playing {
    fn new(connected: Connected) -> Self {
        let Connected { client, mut events, name, .. } = connected;
        let (count, heard) = watch::channel(0);
        let broken = Arc::new(OnceLock::new());
        let reason = Arc::clone(&broken);
        tokio::spawn(async move {
            while let Some(event) = events.recv().await {
                match event {
                    ClientEvent::Message(_) => count.send_modify(|count| *count += 1),
                    ClientEvent::Error(error @ ConnectionError::Io(_)) => {
                        let _the_first_counts = reason.set(error.to_string());
                    }
                    _ => {}
                }
            }
        });
        Self { connected: client, name, heard, broken }
    }

    /// The connection is over, and not everything was played.
    fn lost(&self, sent: u64, events: u64) -> Failure {
        let why = self.broken.get().map_or("the server closed the connection", String::as_str);
        let why = format!("{why}; {sent} of {} were sent", counted(events, "event"));
        lost(format_args!("playing to {}", self.name), Some(&why))
    }

    /// How much was heard, once as much was as is `expected`. That not everything has been sent is an error.
    async fn close(mut self, context: &Context, connection: u64, expected: u64) -> Outcome<u64> {
        let enough = self.heard.wait_for(|heard| *heard >= expected);
        // Too late, or the connection is over: what has come is counted below.
        drop(tokio::time::timeout(CLOSE_WITHIN, enough).await);
        let closed = self.connected.close_within(CLOSE_WITHIN).await;
        closed.map_err(|error| {
            let why = self.broken.get().map_or_else(|| error.to_string(), |broken| format!("{broken}; {error}"));
            lost(format_args!("playing to {}", self.name), Some(&why))
        })?;
        let heard = *self.heard.borrow();
        if heard < expected {
            context.output.warn(format_args!(
                "connection {connection}: {heard} of {} came; does the server answer otherwise now?",
                counted(expected, "recorded answer")
            ));
        }
        Ok(heard)
    }
}

/// The event of a line, if it has one.
fn emit(line: &str) -> Result<Option<Do>, String> {
    Ok(parse(line)?.map(Do::Emit))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_speed_is_a_factor_or_no_pause_at_all() {
        assert_eq!("max".parse::<Speed>().map(|speed| speed.due(Duration::from_secs(9))), Ok(Duration::ZERO));
        assert_eq!("3".parse::<Speed>().map(|speed| speed.due(Duration::from_secs(9))), Ok(Duration::from_secs(3)));
        let slow = "1e-300".parse::<Speed>().map(|speed| speed.due(Duration::from_secs(9)));
        assert_eq!(slow, Ok(Duration::MAX));
        for wrong in ["0", "-1", "inf", "NaN", "fast"] {
            assert!(wrong.parse::<Speed>().is_err(), "{wrong}");
        }
    }
}
