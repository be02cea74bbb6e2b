//! The command line: one subcommand a file, each with its flags, its examples and what it does.

mod bench;
mod completions;
mod doctor;
mod listen;
mod ls;
mod man;
mod record;
mod replay;
mod request;
mod send;
mod sub;
mod tap;

use crate::Context;
use crate::exit::{CODES, Outcome};
use crate::options::Common;
pub(crate) use listen::{not_serving, remote, warn_of_no_room};

use clap::{Parser, Subcommand};
use indicatif::{ProgressBar, ProgressStyle};
use std::ops::RangeInclusive;
use std::time::Duration;

/// How long a connection or a server may take to close.
pub(crate) const CLOSE_WITHIN: Duration = Duration::from_secs(5);

/// The same for one on which there is nothing left to say: a server that ends as well is waited for, and no other.
const LEAVE_WITHIN: Duration = Duration::from_millis(200);

/// How often what is drawn on a terminal is drawn anew.
const TICK: Duration = Duration::from_millis(100);

/// What `ipc` alone says.
pub(crate) const SHORT: &str = "\
Listen to, send and watch events of node-ipc from a shell.

  ipc listen unix:world --echo            a server that shows and echoes events
  ipc send unix:world message '\"hello\"'   one event to the service `world`
  ipc tap unix:/tmp/app.tap unix:world    what passes between clients and `world`

`ipc help` lists all commands, `ipc help COMMAND` has examples of each.";

/// Listen to, send and watch events of node-ipc from a shell: over Unix sockets, named pipes, TCP, TLS and UDP.
#[derive(Parser, Debug)]
#[command(name = "ipc", version, after_help = EXAMPLES, after_long_help = format!("{EXAMPLES}\n\n{}\n\n{CODES}", crate::address::FORMS))]
#[command(disable_help_subcommand = false, propagate_version = true, max_term_width = 120)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
    #[command(flatten)]
    pub(crate) common: Common,
}

const EXAMPLES: &str = "\
Examples:
  ipc listen unix:world --echo
  ipc send unix:world message '\"hello\"'
  ipc sub unix:world --filter 'job.*'
  ipc tap unix:/tmp/tap unix:world";

/// What is to be done.
#[derive(Subcommand, Debug)]
pub(crate) enum Command {
    Listen(listen::Listen),
    Send(send::Send),
    Request(request::Request),
    Sub(sub::Sub),
    Tap(tap::Tap),
    Record(record::Record),
    Replay(replay::Replay),
    Bench(bench::Bench),
    Ls(ls::Ls),
    Doctor(doctor::Doctor),
    Completions(completions::Completions),
    Man(man::Man),
}

impl Command {
    /// Whether it has a use for options. What has none works though the configuration is broken.
    pub(crate) fn needs_options(&self) -> bool {
        !matches!(self, Self::Completions(_) | Self::Man(_))
    }

    pub(crate) async fn run(self, context: Context) -> Outcome {
        match self {
            Self::Listen(command) => command.run(context).await,
            Self::Send(command) => command.run(context).await,
            Self::Request(command) => command.run(context).await,
            Self::Sub(command) => command.run(context).await,
            Self::Tap(command) => command.run(context).await,
            Self::Record(command) => command.run(context).await,
            Self::Replay(command) => command.run(context).await,
            Self::Bench(command) => command.run(context).await,
            Self::Ls(command) => command.run(context).await,
            Self::Doctor(command) => command.run(context).await,
            Self::Completions(command) => command.run(context).await,
            Self::Man(command) => command.run(context).await,
        }
    }
}

/// Waits until a proxy has seen its last event. That is seen before it is passed on: it has a moment to go its way.
async fn passed_on(seen: impl Future<Output = ()>) {
    seen.await;
    tokio::time::sleep(LEAVE_WITHIN).await;
}

/// Reads a number of events. That none is too few is told with what to write instead, once everything is read.
fn count(text: &str) -> Result<u64, String> {
    text.parse().map_err(|_| String::from("it must be a whole number from 1"))
}

/// Reads a whole number that has bounds.
fn between(bounds: RangeInclusive<u32>) -> impl Fn(&str) -> Result<u32, String> + Clone {
    move |text| {
        let number = text.parse().ok().filter(|number| bounds.contains(number));
        number.ok_or_else(|| format!("it must be a whole number from {} to {}", bounds.start(), bounds.end()))
    }
}

/// A bar on stderr, if that is a terminal.
fn bar(context: &Context, length: u64) -> ProgressBar {
    let bar = if context.output.draws() { ProgressBar::new(length) } else { ProgressBar::hidden() };
    let style = ProgressStyle::with_template("[{elapsed_precise}] {wide_bar} {percent} %");
    style.map_or(bar.clone(), |style| bar.with_style(style))
}

/// The same for what has no end.
fn spinner(context: &Context) -> ProgressBar {
    if context.output.draws() { ProgressBar::new_spinner() } else { ProgressBar::hidden() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    /// The command `ipc` in a line of a shell, as words: of a pipeline its own part, without what explains it.
    fn words(line: &str) -> Option<Vec<String>> {
        let start = if line.starts_with("ipc ") { 0 } else { line.find("| ipc ")? + 2 };
        let (mut words, mut word, mut quoted) = (Vec::new(), None::<String>, false);
        let mut letters = line[start..].chars().peekable();
        while let Some(letter) = letters.next() {
            match letter {
                '\'' => {
                    quoted = !quoted;
                    word.get_or_insert_default();
                }
                ' ' if !quoted => {
                    words.extend(word.take());
                    if letters.peek().is_some_and(|next| " |>#(".contains(*next)) {
                        break;
                    }
                }
                _ => word.get_or_insert_default().push(letter),
            }
        }
        words.extend(word);
        Some(words)
    }

    /// What a page has for a shell.
    fn page(name: &str) -> String {
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(name);
        let text = std::fs::read_to_string(path).expect(name);
        text.split("```").filter_map(|block| block.strip_prefix("sh\n")).collect()
    }

    #[test]
    fn every_example_is_a_command_line_that_is_understood() {
        let mut whole = Cli::command();
        let mut texts = vec![SHORT.to_owned(), EXAMPLES.to_owned(), page("docs/cli.md"), page("README.md")];
        for command in whole.get_subcommands_mut() {
            texts.extend(command.get_after_help().map(ToString::to_string));
        }
        let mut understood = 0;
        for line in texts.iter().flat_map(|text| text.lines()) {
            let Some(words) = words(line.trim()) else { continue };
            if let Err(error) = Cli::try_parse_from(&words) {
                panic!("{line}\n{words:?}\n{error}");
            }
            understood += 1;
        }
        assert!(understood > 50, "{understood}");
    }
}
