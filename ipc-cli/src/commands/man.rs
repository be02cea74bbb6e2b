//! `ipc man`: the manual page, of the program or of one command.

use crate::Context;
use crate::exit::{Exit, Failure, Outcome};
use clap::{Args, CommandFactory};

/// Print the manual page, in the language of man.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  ipc man | man -l -   read it
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
        let mut page = Vec::new();
        // By itself it would name the command alone, as a program of its own.
        let source = concat!("ipc ", env!("CARGO_PKG_VERSION"));
        let rendered = clap_mangen::Man::new(command).source(source).render(&mut page);
        rendered.map_err(|error| Failure::new(Exit::Failed, "making the manual page", error))?;
        context.output.text(String::from_utf8_lossy(&page).into_owned()).await
    }
}
