//! `ipc completions`: what a shell needs to complete our command lines.

use crate::Context;
use crate::exit::Outcome;
use clap::{Args, CommandFactory};
use clap_complete::Shell;

/// Print the completions of a shell.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  mkdir -p ~/.local/share/bash-completion/completions ~/.zfunc
  ipc completions bash > ~/.local/share/bash-completion/completions/ipc
  ipc completions zsh > ~/.zfunc/_ipc   (with ~/.zfunc in fpath)
  ipc completions fish > ~/.config/fish/completions/ipc.fish")]
pub(crate) struct Completions {
    /// Which shell
    #[arg(value_enum)]
    shell: Shell,
}

impl Completions {
    pub(crate) async fn run(self, context: Context) -> Outcome {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut super::Cli::command(), "ipc", &mut script);
        context.output.text(String::from_utf8_lossy(&script).into_owned()).await
    }
}
