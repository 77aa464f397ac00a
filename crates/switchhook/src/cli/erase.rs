//! `switchhook erase`: removes what is kept of a phone number. What that touches is told by the API.

use clap::Args;
use serde_json::json;

use super::connection::Connection;
use super::output::{self, Facts};
use super::{Misuse, wait_for};
use switchhook_client::{Client, Request};
use switchhook_web::api::answers::ErasureAnswer;

/// Erase a phone number: delete the payloads of all events that contain it; the record of deliveries stays
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  switchhook erase --number +15551234567 --dry-run
  switchhook erase --number +15551234567

The number is found however it is written: (555) 123-4567 and 1 555 123 4567 are the same.
Needs an admin's key. Backups are not touched.")]
pub(super) struct Erase {
    /// The phone number, with its country code
    #[arg(long, value_name = "NUMBER")]
    number: String,

    /// Only count what would be erased
    #[arg(long)]
    dry_run: bool,

    /// Print JSON
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    connection: Connection,
}

impl Erase {
    pub(super) fn run(self) -> anyhow::Result<()> {
        if self.number.trim().is_empty() {
            return Err(Misuse("--number is empty: write it as +15551234567".to_owned()).into());
        }
        let client = self.connection.client()?;
        let done = wait_for(self.go_through(&client))?;
        if self.json {
            return output::print_json(&json!({
                "dry_run": self.dry_run,
                "examined": done.examined,
                "events": done.events,
                "deliveries_cancelled": done.deliveries_cancelled,
                "attempts_cleaned": done.attempts_cleaned,
            }));
        }
        let (events, cancelled, cleaned) = match self.dry_run {
            true => ("events it occurs in", None, None),
            false => (
                "events erased",
                Some(done.deliveries_cancelled),
                Some(done.attempts_cleaned),
            ),
        };
        Facts::new()
            .fact("events looked at", done.examined)
            .fact(events, done.events)
            .fact_if("deliveries cancelled", cancelled)
            .fact_if("attempts cleaned", cleaned)
            .print()
    }

    async fn go_through(&self, client: &Client) -> anyhow::Result<ErasureAnswer> {
        let mut sum = ErasureAnswer::default();
        loop {
            let request = json!({ "number": self.number, "dry_run": self.dry_run, "cursor": sum.cursor });
            let answer = client.send(Request::post("/v1/erasures").json(&request)).await?;
            let done: ErasureAnswer = answer.read()?;
            sum.examined += done.examined;
            sum.events += done.events;
            sum.deliveries_cancelled += done.deliveries_cancelled;
            sum.attempts_cleaned += done.attempts_cleaned;
            sum.cursor = done.cursor;
            if sum.cursor.is_none() {
                return Ok(sum);
            }
        }
    }
}
