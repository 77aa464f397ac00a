//! `switchhook completions`: completion scripts for shells.

use clap::{Args, CommandFactory};
use clap_complete::Shell;

use super::output;

/// Print completions for a shell
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  switchhook completions bash > ~/.local/share/bash-completion/completions/switchhook
  switchhook completions zsh > \"${fpath[1]}/_switchhook\"
  switchhook completions fish > ~/.config/fish/completions/switchhook.fish")]
pub(super) struct Completions {
    /// Shell to complete for
    shell: Shell,
}

impl Completions {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut super::Cli::command(), "switchhook", &mut script);
        output::print_data(String::from_utf8_lossy(&script).trim_end())
    }
}
