//! `ipc man`: the manual page, of the program or of one command.

use crate::Context;
use crate::exit::{Exit, Failure, Outcome};
use clap::{Args, CommandFactory};

/// Print the manual page, in the language of man.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  ipc man | man -l -   read it
  mkdir -p ~/.local/share/man/man1
  ipc man > ~/.local/share/man/man1/ipc.1
  ipc man tap > ~/.local/share/man/man1/ipc-tap.1")]
pub(crate) struct Man {
    /// The command whose page it is; without, the page of `ipc`
    command: Option<String>,
}

impl Man {
    pub(crate) async fn run(self, context: Context) -> Outcome {
        let mut all = super::Cli::command();
        // With the flags that all commands have in common.
        all.build();
        let command = match &self.command {
            None => all,
            Some(name) => all.find_subcommand(name).cloned().ok_or_else(|| {
                Failure::usage(format!("there is no command {name:?}")).help("`ipc help` lists all commands")
            })?,
        };
        let mut command = command;
        let usage = command.render_usage().to_string();
        let mut page = Vec::new();
        // By itself it would name the command alone, as a program of its own.
        let source = concat!("ipc ", env!("CARGO_PKG_VERSION"));
        let rendered = clap_mangen::Man::new(command).source(source).render(&mut page);
        rendered.map_err(|error| Failure::new(Exit::Failed, "making the manual page", error))?;
        context.output.text(with_synopsis(&String::from_utf8_lossy(&page), &usage)).await
    }
}

/// The page with the usage as its synopsis. By itself it would list every option there, without its value.
fn with_synopsis(page: &str, usage: &str) -> String {
    const HEADING: &str = "\n.SH SYNOPSIS\n";
    let parts = page.split_once(HEADING).and_then(|(head, rest)| Some((head, &rest[rest.find("\n.SH ")?..])));
    let Some((head, tail)) = parts else { return page.to_owned() };
    let lines = usage.trim_start_matches("Usage:").lines().map(|line| line.trim().replace('-', "\\-"));
    format!("{head}{HEADING}{}{tail}", lines.collect::<Vec<_>>().join("\n.br\n"))
}
