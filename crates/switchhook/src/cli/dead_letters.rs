//! `switchhook dead-letters`: exhausted deliveries, until they are resent or dismissed.

use clap::{Args, Subcommand};
use serde_json::{Map, Value, json};
use switchhook_client::{Client, Request};
use switchhook_domain::Kind;
use switchhook_domain::attempt::Failure;
use switchhook_domain::clock::Clock;
use switchhook_domain::id::WebhookId;
use switchhook_node::clock::SystemClock;
use switchhook_web::api::answers::{DeadLetterGroups, DismissAnswer};

use super::connection::Connection;
use super::created::WithId;
use super::output::{self, Table, time};
use super::pages::TimeRange;
use super::replays::{follow_to_end, print_dry_run, print_started};
use super::{block_on, words};

/// Lines of an export per request: each may have an event of a megabyte.
const EXPORT_PAGE: usize = 40;

/// List, resend, dismiss and export dead letters: deliveries that were given up
#[derive(Debug, Args)]
pub(super) struct DeadLetters {
    #[command(subcommand)]
    command: Command,

    /// Print JSON
    #[arg(long, global = true)]
    json: bool,

    #[command(flatten)]
    connection: Connection,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// List dead letters, counted by webhook and failure
    #[command(after_help = "\
Examples:
  switchhook dead-letters list
  switchhook dead-letters list --webhook 7730318061039616 --since 1d")]
    List(Selection),
    Resend(Resend),
    /// Dismiss dead letters: they stay in the history, but no longer count as open
    #[command(after_help = "\
Examples:
  switchhook dead-letters dismiss --webhook 7730318061039616 --failure 410
  switchhook dead-letters dismiss --until 2026-11-01T00:00:00Z")]
    Dismiss(Selection),
    /// Export dead letters with their events, oldest first: one JSON object per line
    #[command(after_help = "\
Example:
  switchhook dead-letters export --webhook 7730318061039616 > dead-letters.ndjson")]
    Export(Selection),
}

/// Resend dead letters, each to its own webhook
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  switchhook dead-letters resend --webhook 7730318061039616 --dry-run
  switchhook dead-letters resend --webhook 7730318061039616 --failure 503 --rate 50 --wait

The server resends them in a replay, which continues when this command ends and when the server restarts.
With --wait the exit code is 1 unless everything was delivered.")]
struct Resend {
    #[command(flatten)]
    selection: Selection,

    /// Maximum events per second [default: as fast as the receivers accept them]
    #[arg(long, value_name = "EVENTS/S", value_parser = words::parse_rate)]
    rate: Option<f64>,

    /// Count the deliveries without creating them
    #[arg(long, conflicts_with = "wait")]
    dry_run: bool,

    /// Wait until the replay has ended, and show its progress
    #[arg(long)]
    wait: bool,
}

#[derive(Debug, Args)]
struct Selection {
    /// Only deliveries to this webhook
    #[arg(long, value_name = "ID")]
    webhook: Option<WebhookId>,

    /// Only deliveries whose last failure was this: an HTTP status, or a reason such as connection_refused
    #[arg(long, value_name = "STATUS|REASON")]
    failure: Option<Failure>,

    /// Only deliveries of events of this kind
    #[arg(long, value_parser = words::kept_kinds())]
    kind: Option<Kind>,

    #[command(flatten)]
    time_range: TimeRange,
}

impl DeadLetters {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let client = self.connection.client()?;
        block_on(async {
            match self.command {
                Command::List(selection) => selection.list(&client, self.json).await,
                Command::Resend(resend) => resend.run(&client, self.json).await,
                Command::Dismiss(selection) => selection.dismiss(&client, self.json).await,
                Command::Export(selection) => selection.export(&client).await,
            }
        })
    }
}

impl Selection {
    fn query(&self) -> Vec<(&'static str, Option<String>)> {
        let mut query = vec![
            ("webhook_id", self.webhook.map(|id| id.to_string())),
            ("failure", self.failure.map(|failure| failure.to_string())),
            ("kind", self.kind.map(|kind| kind.to_string())),
        ];
        query.extend(self.time_range.query(SystemClock.now()));
        query
    }

    fn filter(&self) -> Map<String, Value> {
        let given = self.query().into_iter();
        given
            .filter_map(|(name, value)| Some((name.to_owned(), value?.into())))
            .collect()
    }

    async fn list(&self, client: &Client, json: bool) -> anyhow::Result<()> {
        let answer = client
            .send(Request::get("/v1/dead-letters", &self.query()))
            .await?;
        if json {
            return output::print_data(answer.text()?);
        }
        let groups: DeadLetterGroups = answer.read()?;
        let mut table = Table::new(&["COUNT", "FAILURE", "WEBHOOK", "TO", "OLDEST", "NEWEST", "ANSWER"])
            .truncating(&["TO", "ANSWER"])
            .dropping(&["ANSWER", "OLDEST", "TO"]);
        for group in groups.items {
            table.row([
                format!("{}{}", group.count, if group.more { "+" } else { "" }),
                group.failure.to_string().replace('_', " "),
                group.webhook_id.to_string(),
                group.hook_url.unwrap_or_else(|| "deleted".to_owned()),
                time(group.oldest_at),
                time(group.newest_at),
                group.last_line.unwrap_or_else(|| "-".to_owned()),
            ]);
        }
        table.print_or("there are no dead letters")?;
        if groups.more {
            output::remark("there are more groups: use --webhook or --failure");
        }
        Ok(())
    }

    async fn dismiss(&self, client: &Client, json: bool) -> anyhow::Result<()> {
        let request = json!({"filter": self.filter()});
        let mut dismissed = 0;
        loop {
            let request = Request::post("/v1/dead-letters/dismiss").json(&request);
            let done: DismissAnswer = client.send(request).await?.read()?;
            dismissed += done.dismissed;
            if !done.more {
                break;
            }
        }
        if json {
            return output::print_json(&json!({"dismissed": dismissed}));
        }
        let what = if dismissed == 1 {
            "dead letter"
        } else {
            "dead letters"
        };
        output::print(format_args!("{dismissed} {what} dismissed"))
    }

    async fn export(&self, client: &Client) -> anyhow::Result<()> {
        let mut cursor = None;
        loop {
            let mut query = self.query();
            query.push(("limit", Some(EXPORT_PAGE.to_string())));
            query.push(("cursor", cursor.take()));
            let answer = client
                .send(Request::get("/v1/dead-letters/export", &query))
                .await?;
            let text = answer.text()?;
            for line in text.lines() {
                output::print_data(line)?;
                let WithId { id } = serde_json::from_str(line)?;
                cursor = Some(id.to_string());
            }
            if text.lines().count() < EXPORT_PAGE {
                return Ok(());
            }
        }
    }
}

impl Resend {
    async fn run(self, client: &Client, json: bool) -> anyhow::Result<()> {
        let request = json!({"filter": self.selection.filter(), "rate": self.rate, "dry_run": self.dry_run});
        let request = Request::post("/v1/dead-letters/resend").json(&request);
        let answer = client.send(request).await?;
        if self.dry_run {
            print_dry_run(&answer, json)
        } else if self.wait {
            follow_to_end(client, &answer, json).await
        } else {
            print_started(&answer, json)
        }
    }
}
