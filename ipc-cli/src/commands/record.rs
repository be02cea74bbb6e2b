//! `ipc record`: what passes or comes, into a file that `ipc replay` plays.

use super::tap::pair;
use super::{LEAVE_WITHIN, TICK, count, passed_on};
use crate::Context;
use crate::client::{Connecting, lost};
use crate::exit::{Failure, Outcome};
use crate::output::{Side, Traffic, What, Who, counted};
use crate::proxy::{self, Recording, Sink};
use clap::{ArgGroup, Args};
use indicatif::ProgressBar;
use ipc_tokio::{ClientEvent, ConnectionError};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::SystemTime;

/// Record events into a file.
///
/// Either what passes between clients and a server, as `ipc tap` sees it (--listen and --to), or what a server sends to a client (--from).
/// The file has one line of JSON for each event, as the commands write them to stdout, with the time in microseconds; only you may
/// read it. It is made once there is a connection, or somebody may connect. Ends with SIGINT, after --count events, or when the server of --from closes the connection, which is an error before so many have come.
#[derive(Args, Debug)]
#[command(override_usage = "\
ipc record [OPTIONS] <FILE> --from <ADDRESS>
       ipc record [OPTIONS] <FILE> --listen <ADDRESS> --to <ADDRESS>")]
#[command(group(ArgGroup::new("source").required(true).args(["from", "listen"])))]
#[command(after_help = "\
Examples:
  ipc record day.ndjson --listen unix:/tmp/app.tap --to unix:world
  ipc record news.ndjson --from unix:world
  ipc record ten.ndjson --from unix:world -n 10
  ipc replay day.ndjson unix:world   what the clients had sent, once more")]
pub(crate) struct Record {
    /// The file to make
    file: PathBuf,
    /// Record what this server sends
    #[arg(long, value_name = "ADDRESS")]
    from: Option<String>,
    /// Stand between clients, who connect here, and the server of --to
    #[arg(long, value_name = "ADDRESS", requires = "to")]
    listen: Option<String>,
    /// The real server
    #[arg(long, value_name = "ADDRESS", requires = "listen")]
    to: Option<String>,
    /// End after that many events recorded
    #[arg(long, short = 'n', value_name = "N", value_parser = count, allow_negative_numbers = true)]
    count: Option<u64>,
    /// Replace the file if there is one
    #[arg(long)]
    overwrite: bool,
    #[command(flatten)]
    connecting: Connecting,
}

impl Record {
    pub(crate) async fn run(self, context: Context) -> Outcome {
        let addresses = match (&self.listen, &self.to) {
            (Some(listen), Some(to)) => Some(pair(listen, to, &context.options)?),
            _ => None,
        };
        if self.file.as_os_str() == "-" {
            return Err(Failure::usage("a recording goes into a file, and - is none").help(
                "for lines on stdout use `ipc sub` or `ipc tap` with --format json; for a file of this name write ./-",
            ));
        }
        if self.count == Some(0) {
            return Err(Failure::usage("--count 0 records nothing; leave it out to go on for ever"));
        }
        let recording = Recording::new(&self.file, self.overwrite, self.count)?;
        let bar = progress(&context, &recording);
        let outcome = match addresses {
            Some((listen, to)) => tokio::select! {
                outcome = proxy::run(&context, listen, to, Sink::Recorded(Arc::clone(&recording))) => outcome,
                () = passed_on(recording.full()) => Ok(()),
            },
            None => self.client(&context, &recording).await,
        };
        bar.finish_and_clear();
        if recording.has_begun() {
            let events = counted(recording.events(), "event");
            context.output.note(format_args!("{events} in {}", self.file.display()));
        }
        outcome
    }

    async fn client(&self, context: &Context, recording: &Recording) -> Outcome {
        let address = self.from.as_deref().unwrap_or_default();
        let mut connected = tokio::select! {
            connected = self.connecting.connect(context, address, false) => connected?,
            exit = context.interrupt.told() => return Err(Failure::silent(exit)),
        };
        recording.begin()?;
        context.output.note(format_args!("recording what {} sends", connected.name));
        let recorded = async {
            let mut last_error = None;
            loop {
                let event = connected.events.recv().await;
                let (bytes, what) = match &event {
                    Some(ClientEvent::Message(message)) => {
                        let what = What::Event { name_json: message.name_json(), data_json: message.data_json() };
                        (message.wire_length(), what)
                    }
                    Some(ClientEvent::Data(bytes)) => (bytes.len(), What::Data(bytes)),
                    Some(ClientEvent::Error(ConnectionError::Protocol { error, frame, wire_length, .. })) => {
                        (*wire_length, What::Malformed { error, frame })
                    }
                    Some(ClientEvent::Error(error)) => {
                        last_error = Some(error.to_string());
                        continue;
                    }
                    Some(ClientEvent::Disconnected { .. }) => match connected.unfinished() {
                        Some(bytes) => (bytes, What::Unfinished),
                        None => continue,
                    },
                    Some(ClientEvent::Destroyed) | None => {
                        return match last_error {
                            Some(error) => Err(lost(format_args!("recording {}", connected.name), Some(&error))),
                            None => {
                                if let (0, Some(silence)) = (recording.events(), connected.silence()) {
                                    context.output.note(silence);
                                }
                                match self.count {
                                    Some(count) if recording.events() < count => {
                                        Err(lost(format_args!("recording {}", connected.name), None))
                                    }
                                    _ => Ok(()),
                                }
                            }
                        };
                    }
                    Some(_) => continue,
                };
                let from = Some(Side::Server);
                recording.write(&Traffic { time: SystemTime::now(), who: Who::Only, from, bytes, what })?;
            }
        };
        let outcome = tokio::select! {
            outcome = recorded => outcome,
            () = recording.full() => Ok(()),
            _ = context.interrupt.told() => Ok(()),
        };
        let _nothing_unsent = connected.client.close_within(LEAVE_WITHIN).await;
        outcome
    }
}

/// Counts on a terminal.
fn progress(context: &Context, recording: &Arc<Recording>) -> ProgressBar {
    let bar = super::spinner(context);
    let (shown, recording) = (bar.clone(), Arc::clone(recording));
    tokio::spawn(async move {
        while !shown.is_finished() {
            shown.set_message(counted(recording.events(), "event"));
            tokio::time::sleep(TICK).await;
        }
    });
    bar
}
