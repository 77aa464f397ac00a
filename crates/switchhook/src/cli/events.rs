//! `switchhook events`: the log of accepted events.

mod explain;

use clap::{Args, Subcommand};
use serde_json::json;
use switchhook_domain::Kind;
use switchhook_domain::clock::Clock;
use switchhook_domain::id::EventId;

use self::explain::Explain;
use super::connection::Connection;
use super::deliveries::{self, HookUrls};
use super::output::{self, Facts, Table, time};
use super::pages::{LARGEST_OWN_PAGE, List, Pagination, TimeRange};
use super::{block_on, words};
use switchhook_client::{Client, Request};
use switchhook_node::clock::SystemClock;
use switchhook_web::api::answers::{AcceptedEvent, EventAnswer, EventSummary};

/// List, show, explain and route events
#[derive(Debug, Args)]
pub(super) struct Events {
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
    List(ListFilter),
    /// Show an event as it was received, and its deliveries
    #[command(after_help = "Example:\n  switchhook events show 7730318061039616")]
    Show {
        /// Id of the event
        id: EventId,
    },
    Explain(Explain),
    Route(Route),
}

/// Route an event of unknown kind: accept it again as an event of the given kind
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  switchhook events list --kind unknown
  switchhook events route 7730318061039616 --kind call")]
struct Route {
    /// Id of the event
    id: EventId,

    /// Kind of the event
    #[arg(long, value_parser = words::kinds())]
    kind: Kind,
}

/// List events, newest first
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  switchhook events list --kind call --since 1h
  switchhook events list --order-key call:4513924407164928
  switchhook events list --since 2026-11-21T09:00:00Z --until 2026-11-21T10:00:00Z --json")]
struct ListFilter {
    /// Only events of this kind
    #[arg(long, value_parser = words::kept_kinds())]
    kind: Option<Kind>,

    /// Only events of one call, message, agent or contact: call:ID
    #[arg(long, value_name = "KEY")]
    order_key: Option<String>,

    #[command(flatten)]
    time_range: TimeRange,

    #[command(flatten)]
    pagination: Pagination,
}

impl Events {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let client = self.connection.client()?;
        block_on(async {
            match self.command {
                Command::List(filter) => filter.list(&client, self.json).await,
                Command::Show { id } => show(&client, id, self.json).await,
                Command::Explain(explain) => explain.run(&client, self.json).await,
                Command::Route(route) => route.run(&client, self.json).await,
            }
        })
    }
}

impl ListFilter {
    async fn list(&self, client: &Client, json: bool) -> anyhow::Result<()> {
        let mut query = vec![
            ("kind", self.kind.map(|kind| kind.to_string())),
            ("order_key", self.order_key.clone()),
        ];
        query.extend(self.time_range.query(SystemClock.now()));
        let list = List::read(client, "/v1/events", &query, &self.pagination, LARGEST_OWN_PAGE).await?;
        if json {
            return list.print_json();
        }
        let mut table = Table::new(&["ID", "KIND", "WHAT", "ACCEPTED", "ABOUT", "BYTES", "WARNINGS"])
            .truncating(&["WHAT", "ABOUT"])
            .dropping(&["BYTES", "WARNINGS", "ABOUT"]);
        for event in list.items::<EventSummary>()? {
            let about = event.order_key.unwrap_or_else(|| "-".to_owned());
            let (size, warnings) = (event.size.to_string(), event.warnings.len().to_string());
            table.row([
                event.id.to_string(),
                event.kind.to_string(),
                event.summary.unwrap_or_else(|| "-".to_owned()),
                time(event.accepted_at),
                about,
                size,
                warnings,
            ]);
        }
        table.print_or("there are no such events")?;
        list.remark_rest();
        Ok(())
    }
}

impl Route {
    async fn run(self, client: &Client, json: bool) -> anyhow::Result<()> {
        let request = Request::post(format!("/v1/events/{}/route", self.id));
        let answer = client.send(request.json(&json!({ "kind": self.kind }))).await?;
        if json {
            return output::print_data(answer.text()?);
        }
        let accepted: AcceptedEvent<'_> = answer.read()?;
        for warning in accepted.warnings.iter() {
            output::remark(format_args!("warning: {warning}"));
        }
        Facts::new()
            .fact("id", accepted.id)
            .fact("kind", self.kind)
            .fact("deliveries", accepted.deliveries.0.len())
            .print()
    }
}

async fn show(client: &Client, id: EventId, json: bool) -> anyhow::Result<()> {
    let answer = client
        .send(Request::get(&format!("/v1/events/{id}"), &[]))
        .await?;
    if json {
        return output::print_data(answer.text()?);
    }
    let EventAnswer {
        head: event,
        payload,
        deliveries,
    } = answer.read()?;
    let facts = Facts::new()
        .fact("id", event.id)
        .fact("kind", event.kind)
        .fact_if("what", event.summary.as_ref())
        .fact("accepted", time(event.accepted_at))
        .fact_if("about", event.order_key.as_ref())
        .fact_if("idempotency key", event.idempotency_key.as_ref());
    let removed = event.payload_removed.as_ref();
    let facts = facts.fact_if(
        "payload",
        removed.map(|gone| format!("{} at {}", gone.reason, time(gone.at))),
    );
    let facts = event
        .warnings
        .iter()
        .fold(facts, |facts, warning| facts.fact("warning", warning));
    facts.fact("bytes", event.size).print()?;
    if let Some(payload) = &payload {
        output::print_text(format_args!("\n{payload}\n"))?;
    }
    let hook_urls = HookUrls::fetch(client).await;
    deliveries::table(deliveries, &hook_urls).print_or("there are no deliveries: no subscription matched")
}
