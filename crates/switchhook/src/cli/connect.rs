//! `switchhook connect`: receives the events of a real account.

mod dialpad;

use clap::Subcommand;

/// Receive the events of a phone system's account
#[derive(Debug, Subcommand)]
pub(super) enum Connect {
    Dialpad(dialpad::Dialpad),
}

impl Connect {
    pub(super) fn run(self) -> anyhow::Result<()> {
        match self {
            Self::Dialpad(command) => command.run(),
        }
    }
}
