//! `switchhook serve`: the server in production. The options are in `config.rs`, the start is in `server.rs`.

use clap::Args;

use crate::config::ServeOptions;
use crate::{logging, server};

/// Run the server
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  switchhook serve --store sqlite:/var/lib/switchhook/switchhook.db
  switchhook serve --config /etc/switchhook.toml --listen 0.0.0.0:8400
  SWITCHHOOK_PROFILE=dialpad switchhook serve

Each setting comes from the flag, else from the variable, else from the file, else it is the default.
`switchhook config check` shows from where.")]
pub(super) struct Serve {
    #[command(flatten)]
    options: ServeOptions,
}

impl Serve {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let settings = self.options.settings()?;
        logging::init(self.options.logging.log, &self.options.logging.filter());
        super::block_on_server(server::serve(settings))
    }
}
