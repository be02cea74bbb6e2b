//! `ipc sub`: a client that shows what the server sends.

use super::{LEAVE_WITHIN, count};
use crate::Context;
use crate::client::{Connected, Connecting, lost, seconds};
use crate::exit::{Exit, Failure, Outcome};
use crate::glob::{Glob, wanted, warn_of_other_patterns};
use crate::output::{Traffic, What, Who};
use clap::Args;
use ipc_tokio::{ClientEvent, ConnectionError};
use std::time::{Duration, SystemTime};

/// Connect to a server and show what it sends.
///
/// A server of node-ipc sends to whoever is connected: what it broadcasts, and what it answers. Ends with 0 when the server closes
/// the connection, unless --reconnect, and with 6 if --count events were wanted and have not come.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  ipc sub unix:world                           all that `world` broadcasts
  ipc sub unix:world -f 'job.*' -f error       some of it
  ipc sub unix:world -n 1 --timeout 10         the next event, or exit code 4
  ipc sub unix:world --reconnect | jq .data    through restarts of the server
  ipc sub tls:example.org:8443 --ca ca.pem")]
pub(crate) struct Sub {
    /// The server, as unix:world, unix:/path, tcp:host:port (see `ipc --help`)
    address: String,
    /// Show only events of names like this (* and ?); repeatable
    #[arg(long, short, value_name = "GLOB")]
    filter: Vec<Glob>,
    /// End after that many events shown; what is malformed does not count
    #[arg(long, short = 'n', value_name = "N", value_parser = count, allow_negative_numbers = true)]
    count: Option<u64>,
    /// End with exit code 4 when no event was shown for this long; 0 does not wait
    #[arg(long, value_name = "SECONDS", value_parser = seconds, allow_negative_numbers = true)]
    timeout: Option<Duration>,
    /// Connect again when the connection is lost, as often as it takes (options retry, maxRetries)
    #[arg(long)]
    reconnect: bool,
    #[command(flatten)]
    connecting: Connecting,
}

impl Sub {
    pub(crate) async fn run(self, context: Context) -> Outcome {
        if self.count == Some(0) {
            return Err(Failure::usage("--count 0 shows nothing; leave it out to go on for ever"));
        }
        warn_of_other_patterns(&context.output, &self.filter);
        let connected = tokio::select! {
            connected = self.connecting.connect(&context, &self.address, self.reconnect) => connected?,
            exit = context.interrupt.told() => return Err(Failure::silent(exit)),
        };
        let name = connected.name.clone();
        context.output.note(format_args!("connected to {name}"));
        let client = connected.client.clone();
        let outcome = tokio::select! {
            outcome = self.show(&context, connected) => outcome,
            failure = context.output.nobody_reads() => Err(failure),
            _ = context.interrupt.told() => Ok(()),
        };
        // There is nothing of ours that could be unsent.
        let _nothing_unsent = client.close_within(LEAVE_WITHIN).await;
        context.output.note(format_args!("disconnected from {name}"));
        outcome
    }

    async fn show(&self, context: &Context, mut connected: Connected) -> Outcome {
        let mut left = self.count;
        let mut deadline = self.deadline();
        let mut last_error = None;
        let mut advised = false;
        let mut is_connected = true;
        let mut silence = connected.silence();
        while left != Some(0) {
            let event = match deadline {
                None => connected.events.recv().await,
                Some(deadline) => match tokio::time::timeout_at(deadline, connected.events.recv()).await {
                    Ok(event) => event,
                    Err(_) => {
                        let seconds = self.timeout.unwrap_or_default().as_secs_f64();
                        let tried = format!("waiting for an event of {}", connected.name);
                        return Err(Failure::new(Exit::TimedOut, tried, format!("none came within {seconds} s"))
                            .help("wait longer (--timeout), or look whether --filter lets it pass"));
                    }
                },
            };
            if matches!(event, Some(ClientEvent::Message(_) | ClientEvent::Data(_) | ClientEvent::Error(_))) {
                silence = None;
            }
            let what = match &event {
                Some(ClientEvent::Message(message)) if wanted(&self.filter, message.name()) => {
                    let what = What::Event { name_json: message.name_json(), data_json: message.data_json() };
                    (message.wire_length(), what)
                }
                Some(ClientEvent::Data(bytes)) => (bytes.len(), What::Data(bytes)),
                Some(ClientEvent::Error(ConnectionError::Protocol { error, frame, wire_length, fatal })) => {
                    if *fatal {
                        last_error = Some(error.to_string());
                    }
                    (*wire_length, What::Malformed { error, frame })
                }
                Some(ClientEvent::Error(error)) => {
                    let text = error.to_string();
                    if self.reconnect {
                        context.output.note(&text);
                        if !std::mem::replace(&mut advised, true) && crate::tls::asks_for_certificate(&text) {
                            context.output.note(format_args!("  help: {}", crate::tls::SHOW_ONE));
                        }
                    }
                    last_error = Some(text);
                    continue;
                }
                Some(ClientEvent::Connected) => {
                    last_error = None;
                    is_connected = true;
                    context.output.note(format_args!("connected to {}", connected.name));
                    continue;
                }
                Some(ClientEvent::Disconnected { retry_in, .. }) => {
                    let was_connected = std::mem::replace(&mut is_connected, false);
                    let head = connected.unfinished().filter(|_| was_connected);
                    if let Some(bytes) = head {
                        silence = None;
                        let (time, what) = (SystemTime::now(), What::Unfinished);
                        Traffic { time, who: Who::Only, from: None, bytes, what }.write(&context.output).await?;
                    }
                    if let Some(wait) = retry_in {
                        let what = if was_connected { "connection lost" } else { "not connected yet" };
                        context.output.note(format_args!("{what}; trying again in {} ms", wait.as_millis()));
                        tell(context, silence.take());
                    }
                    continue;
                }
                Some(ClientEvent::Destroyed) | None => {
                    return match last_error {
                        Some(error) => Err(lost(format_args!("listening to {}", connected.name), Some(&error))),
                        None => {
                            tell(context, silence.take());
                            match left {
                                // Who wants so many cannot do with less.
                                Some(_) => Err(lost(format_args!("listening to {}", connected.name), None)),
                                None => Ok(()),
                            }
                        }
                    };
                }
                Some(_) => continue,
            };
            let (bytes, what) = what;
            let counts = !matches!(what, What::Malformed { .. });
            Traffic { time: SystemTime::now(), who: Who::Only, from: None, bytes, what }.write(&context.output).await?;
            // As everywhere, what is malformed is no event.
            if counts {
                left = left.map(|left| left - 1);
            }
            deadline = self.deadline();
        }
        Ok(())
    }

    fn deadline(&self) -> Option<tokio::time::Instant> {
        // One that is too far away to be counted is none.
        tokio::time::Instant::now().checked_add(self.timeout?)
    }
}

fn tell(context: &Context, silence: Option<String>) {
    if let Some(silence) = silence {
        context.output.note(silence);
    }
}
