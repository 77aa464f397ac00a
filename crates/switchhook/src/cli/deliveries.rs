//! `switchhook deliveries`: deliveries and their attempts, to look at, repeat and cancel.

mod attempts;

use std::collections::HashMap;

use clap::{Args, Subcommand};
use switchhook_domain::Kind;
use switchhook_domain::attempt::Failure;
use switchhook_domain::clock::Clock;
use switchhook_domain::delivery::StateName;
use switchhook_domain::id::{DeliveryId, EventId, ReplayId, WebhookId};

use super::connection::Connection;
use super::output::{self, Facts, Table, time};
use super::pages::{LARGEST_OWN_PAGE, List, Pagination, TimeRange};
use super::{block_on, words};
use switchhook_client::{Answer, Client, Request};
use switchhook_node::clock::SystemClock;
use switchhook_web::api::answers::{
    DeliveryAnswer, DeliveryWithAttempts, IdText, ListedDelivery, WebhookAnswer,
};

/// List, show, redeliver and cancel deliveries
#[derive(Debug, Args)]
pub(super) struct Deliveries {
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
    /// Show a delivery with its attempts, and when it is retried
    #[command(after_help = "Example:\n  switchhook deliveries show 7730318061039616")]
    Show {
        /// Id of the delivery
        id: DeliveryId,
    },
    /// Redeliver events to the same webhooks, as new deliveries
    #[command(after_help = "Example:\n  switchhook deliveries redeliver 7730318061039616")]
    Redeliver(DeliveryIds),
    /// Cancel pending deliveries
    #[command(after_help = "Example:\n  switchhook deliveries cancel 7730318061039616")]
    Cancel(DeliveryIds),
}

/// List deliveries, newest first
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  switchhook deliveries list --state exhausted --since 1d
  switchhook deliveries list --webhook 7730318061039616 --state pending
  switchhook deliveries list --failed --since 1h
  switchhook deliveries list --failure 503
  switchhook deliveries list --error \"upstream connect error\"
  switchhook deliveries list --event 7730318061039616 --json")]
struct ListFilter {
    /// Only deliveries to this webhook
    #[arg(long, value_name = "ID")]
    webhook: Option<WebhookId>,

    /// Only deliveries of this event
    #[arg(long, value_name = "ID")]
    event: Option<EventId>,

    /// Only deliveries of this replay
    #[arg(long, value_name = "ID")]
    replay: Option<ReplayId>,

    /// Only deliveries in this state
    #[arg(long, value_parser = words::states())]
    state: Option<StateName>,

    /// Only deliveries with a failed attempt, whatever their state
    #[arg(long)]
    failed: bool,

    /// Only deliveries whose last failure was this: an HTTP status, or a reason such as connection_refused
    #[arg(long, value_name = "STATUS|REASON")]
    failure: Option<Failure>,

    /// Only deliveries with a failed attempt that has this text in its answer or its error
    #[arg(long, value_name = "TEXT")]
    error: Option<String>,

    /// Only deliveries of events of this kind
    #[arg(long, value_parser = words::kept_kinds())]
    kind: Option<Kind>,

    #[command(flatten)]
    time_range: TimeRange,

    #[command(flatten)]
    pagination: Pagination,
}

#[derive(Debug, Args)]
struct DeliveryIds {
    /// Ids of the deliveries
    #[arg(required = true, value_name = "ID")]
    ids: Vec<DeliveryId>,
}

impl Deliveries {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let client = self.connection.client()?;
        block_on(async {
            match self.command {
                Command::List(filter) => filter.list(&client, self.json).await,
                Command::Show { id } => show(&client, id, self.json).await,
                Command::Redeliver(ids) => ids.apply(&client, "redeliver", self.json).await,
                Command::Cancel(ids) => ids.apply(&client, "cancel", self.json).await,
            }
        })
    }
}

impl ListFilter {
    async fn list(&self, client: &Client, json: bool) -> anyhow::Result<()> {
        let mut query = vec![
            ("webhook_id", self.webhook.map(|id| id.to_string())),
            ("event_id", self.event.map(|id| id.to_string())),
            ("replay_id", self.replay.map(|id| id.to_string())),
            ("state", self.state.map(|state| state.to_string())),
            ("failed", self.failed.then(|| true.to_string())),
            ("failure", self.failure.map(|failure| failure.to_string())),
            ("error", self.error.clone()),
            ("kind", self.kind.map(|kind| kind.to_string())),
        ];
        query.extend(self.time_range.query(SystemClock.now()));
        let list = List::read(
            client,
            "/v1/deliveries",
            &query,
            &self.pagination,
            LARGEST_OWN_PAGE,
        )
        .await?;
        if json {
            return list.print_json();
        }
        let table = table(list.items()?, &HookUrls::fetch(client).await);
        table.print_or("there are no such deliveries")?;
        list.remark_rest();
        Ok(())
    }
}

impl DeliveryIds {
    /// Applies the verb to each delivery; the first failure ends it.
    async fn apply(&self, client: &Client, verb: &str, json: bool) -> anyhow::Result<()> {
        for id in &self.ids {
            let answer = client
                .send(Request::post(format!("/v1/deliveries/{id}/{verb}")))
                .await?;
            if json {
                output::print_data(answer.text()?)?;
                continue;
            }
            let delivery: DeliveryAnswer = answer.read()?;
            match &delivery.origin {
                Some(origin) if verb == "redeliver" => {
                    output::print(format_args!(
                        "delivery {} repeats {origin}: {}",
                        delivery.id, delivery.label
                    ))?;
                }
                _ => output::print(format_args!("delivery {} is {}", delivery.id, delivery.label))?,
            }
        }
        Ok(())
    }
}

/// URLs of webhooks, as far as one page goes: the others are shown by their ids.
pub(super) struct HookUrls(HashMap<String, String>);

impl HookUrls {
    /// A key without the right to list webhooks sees ids.
    pub(super) async fn fetch(client: &Client) -> Self {
        let page = Pagination {
            limit: LARGEST_OWN_PAGE,
            cursor: None,
        };
        let list = List::read(client, "/v1/webhooks", &[], &page, LARGEST_OWN_PAGE).await;
        let webhooks = list
            .and_then(|list| list.items::<WebhookAnswer>())
            .unwrap_or_default();
        Self(
            webhooks
                .into_iter()
                .map(|webhook| (webhook.id.to_string(), webhook.hook_url))
                .collect(),
        )
    }

    fn url_of(&self, webhook_id: &str) -> String {
        self.0
            .get(webhook_id)
            .map_or(webhook_id, String::as_str)
            .to_owned()
    }
}

pub(super) fn table(deliveries: Vec<ListedDelivery>, hook_urls: &HookUrls) -> Table {
    let mut table = Table::new(&[
        "ID", "KIND", "WHAT", "STATE", "HTTP", "TOOK", "ATTEMPTS", "WHEN", "TO", "EVENT", "ABOUT",
    ])
    .truncating(&["WHAT", "STATE", "TO", "ABOUT"])
    .dropping(&["ABOUT", "EVENT", "ATTEMPTS", "WHEN", "TOOK", "KIND", "WHAT"]);
    let dash = || "-".to_owned();
    for ListedDelivery {
        delivery,
        summary,
        last_attempt,
    } in deliveries
    {
        let when = match delivery
            .due_at
            .filter(|_| delivery.waiting_for.as_deref() == Some("retry"))
        {
            Some(due_at) => format!("next {}", time(due_at)),
            None => output::time_or_dash(delivery.ended_at),
        };
        let last = last_attempt.as_ref();
        let status = last.and_then(|attempt| attempt.status);
        table.row([
            delivery.id.to_string(),
            delivery.kind.to_string(),
            summary.unwrap_or_else(dash),
            delivery.label,
            match (status, last) {
                (Some(status), _) => status.to_string(),
                (None, Some(_)) => {
                    (delivery.last_failure).map_or_else(dash, |failure| failure.to_string().replace('_', " "))
                }
                (None, None) => dash(),
            },
            last.map_or_else(dash, |attempt| format!("{:.0} ms", attempt.total_ms)),
            delivery.attempt_number.to_string(),
            when,
            hook_urls.url_of(&delivery.webhook_id.to_string()),
            delivery.event_id.to_string(),
            delivery.order_key.unwrap_or_else(dash),
        ]);
    }
    table
}

async fn show(client: &Client, id: DeliveryId, json: bool) -> anyhow::Result<()> {
    let request = Request::get(&format!("/v1/deliveries/{id}"), &[]);
    show_answer(&client.send(request).await?, json)
}

/// Prints a delivery with its attempts, as the server answered it.
pub(super) fn show_answer(answer: &Answer, json: bool) -> anyhow::Result<()> {
    if json {
        return output::print_data(answer.text()?);
    }
    let DeliveryWithAttempts { delivery, attempts } = answer.read()?;
    facts(&delivery).print()?;
    for attempt in &attempts {
        output::print("")?;
        attempts::facts(attempt).print()?;
    }
    Ok(())
}

/// True if an attempt has ended, or none will come.
pub(super) fn has_been_tried(delivery: &DeliveryWithAttempts) -> bool {
    !delivery.attempts.is_empty() || delivery.delivery.ended_at.is_some()
}

fn facts(delivery: &DeliveryAnswer) -> Facts {
    let hidden = (!delivery.hidden.is_empty()).then(|| delivery.hidden.join(", "));
    let subscriptions: Vec<_> = delivery.subscription_ids.iter().map(IdText::to_string).collect();
    Facts::new()
        .fact("id", delivery.id)
        .fact("event", format!("{} ({})", delivery.event_id, delivery.kind))
        .fact("webhook", delivery.webhook_id)
        .fact("subscriptions", subscriptions.join(", "))
        .fact_if("repeats", delivery.origin)
        .fact_if("replay", delivery.replay_id)
        .fact_if("about", delivery.order_key.as_ref())
        .fact_if("hidden", hidden)
        .fact("created", time(delivery.created_at))
        .fact("state", &delivery.label)
        .fact("", &delivery.text)
        .fact_if("note", delivery.note.as_ref())
}
