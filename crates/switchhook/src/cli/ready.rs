//! `switchhook ready`: asks `/readyz`, for health checks in containers that have only this program.

use clap::Args;

use super::connection::Connection;
use super::{block_on, output};
use switchhook_client::Request;
use switchhook_ingress::readiness::Readiness;

/// Check whether the server can store and send events; exit code 0 if it can
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  switchhook ready
  switchhook ready --url https://hooks.example.com --json")]
pub(super) struct Ready {
    /// Print JSON
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    connection: Connection,
}

impl Ready {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let client = self.connection.client()?;
        let answer = block_on(async { Ok(client.send(Request::get("/readyz", &[])).await?) })?;
        let readiness: Readiness = answer.read()?;
        if self.json {
            output::print_json(&readiness)
        } else {
            output::print("ready")
        }
    }
}
