//! `switchhook erase`: removes the payloads that contain a phone number.

use clap::Args;
use serde_json::json;

use super::connection::Connection;
use super::output::{self, Facts};
use super::{UsageError, block_on};
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
    /// Phone number with its country code
    #[arg(long, value_name = "NUMBER")]
    number: String,

    /// Count the events without erasing anything
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
            return Err(UsageError("--number is empty: write it as +15551234567".to_owned()).into());
        }
        let client = self.connection.client()?;
        let answer = block_on(self.erase_all(&client))?;
        if self.json {
            return output::print_json(&answer);
        }
        let (events, cancelled, attempts) = match self.dry_run {
            true => ("events with the number", None, None),
            false => (
                "events erased",
                Some(answer.deliveries_cancelled),
                Some(answer.attempts_cleaned),
            ),
        };
        Facts::new()
            .fact("events examined", answer.examined)
            .fact(events, answer.events)
            .fact_if("deliveries cancelled", cancelled)
            .fact_if("attempts cleaned", attempts)
            .print()
    }

    async fn erase_all(&self, client: &Client) -> anyhow::Result<ErasureAnswer> {
        let mut total = ErasureAnswer::default();
        loop {
            let request = json!({ "number": self.number, "dry_run": self.dry_run, "cursor": total.cursor });
            let answer = client.send(Request::post("/v1/erasures").json(&request)).await?;
            let answer: ErasureAnswer = answer.read()?;
            total.dry_run = answer.dry_run;
            total.examined += answer.examined;
            total.events += answer.events;
            total.deliveries_cancelled += answer.deliveries_cancelled;
            total.attempts_cleaned += answer.attempts_cleaned;
            total.cursor = answer.cursor;
            if total.cursor.is_none() {
                return Ok(total);
            }
        }
    }
}
