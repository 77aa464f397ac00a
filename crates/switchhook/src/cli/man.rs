//! `switchhook man`: man pages, for packages.

use std::path::PathBuf;

use anyhow::Context;
use clap::{Args, CommandFactory};

/// Write a man page for each command to a folder
#[derive(Debug, Args)]
#[command(
    hide = true,
    after_help = "Example:\n  switchhook man /usr/local/share/man/man1"
)]
pub(super) struct Man {
    /// Folder for the pages, created if it does not exist
    #[arg(value_name = "FOLDER")]
    folder: PathBuf,
}

impl Man {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let what = || format!("the pages cannot be written to {}", self.folder.display());
        std::fs::create_dir_all(&self.folder).with_context(what)?;
        clap_mangen::generate_to(super::Cli::command(), &self.folder).with_context(what)
    }
}
