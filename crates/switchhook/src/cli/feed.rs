//! `switchhook feed`: prints the events of the feed, one per line.

use clap::Args;
use serde_json::json;
use switchhook_client::{Client, Request};
use switchhook_domain::Kind;
use switchhook_domain::id::{SubscriptionId, WebhookId};

use super::connection::{Connection, RETRY_DELAY};
use super::output;
use super::{block_on, words};
use switchhook_node::feed::MOST_ITEMS;
use switchhook_web::api::answers::{FeedAnswer, FeedItemAnswer};

/// Seconds for which the server waits for an event.
const LONG_POLL_SECONDS: u32 = 20;

/// Print events, one JSON object per line, in the order in which they were accepted
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  switchhook feed                                  # stored events
  switchhook feed --after now --follow | jq .state # new events
  switchhook feed --consumer crm >> events.ndjson  # from cron: each event once

The server stores a consumer's position. A consumer is created on first use, begins at the oldest event (or --after), and is
acknowledged once its lines are printed.")]
pub(super) struct Feed {
    /// Consumer whose position to continue from; printed events are acknowledged
    #[arg(long, value_name = "NAME")]
    consumer: Option<String>,

    /// Cursor to begin after, start or now; with --consumer for a new one only
    #[arg(long, value_name = "CURSOR", default_value = "start")]
    after: String,

    /// Wait for more events until interrupted
    #[arg(long, short)]
    follow: bool,

    /// Number of events after which to stop
    #[arg(long, value_name = "N", value_parser = words::whole_number::<u64>(0..=u64::MAX))]
    count: Option<u64>,

    /// Only events of this kind
    #[arg(long, value_parser = words::kept_kinds())]
    kind: Option<Kind>,

    /// Only events that match a subscription of this webhook
    #[arg(long, value_name = "ID")]
    webhook: Option<WebhookId>,

    /// Only events that match this subscription
    #[arg(long, value_name = "ID")]
    subscription: Option<SubscriptionId>,

    /// Print JWTs, signed as the deliveries of --webhook are
    #[arg(long, requires = "webhook")]
    signed: bool,

    /// Print JSON with each event's cursor, id, kind and time
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    connection: Connection,
}

impl Feed {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let client = self.connection.client()?;
        block_on(async {
            if let Some(name) = &self.consumer {
                let request = Request::put(format!("/v1/consumers/{name}"));
                client.send(request.json(&json!({"after": self.after}))).await?;
            }
            self.print(&client).await
        })
    }

    async fn print(&self, client: &Client) -> anyhow::Result<()> {
        let mut after = self.after.clone();
        let mut left = self.count.unwrap_or(u64::MAX);
        while left > 0 {
            let Some(page) = self.page(client, &after, left).await? else {
                continue;
            };
            let mut cursor = page.cursor;
            for item in page.items {
                self.print_item(&item)?;
                cursor = item.cursor;
                left = left.saturating_sub(1);
            }
            if let Some(name) = &self.consumer {
                let request = Request::post(format!("/v1/consumers/{name}/ack"));
                client.send(request.json(&json!({ "cursor": cursor }))).await?;
            }
            after = cursor.to_string();
            if page.done && !self.follow {
                return Ok(());
            }
        }
        Ok(())
    }

    fn print_item(&self, item: &FeedItemAnswer) -> anyhow::Result<()> {
        match (self.json, &item.jwt, &item.event) {
            (true, ..) => output::print_data(in_one_line(&serde_json::to_string(item)?)),
            (false, Some(jwt), _) => output::print_data(jwt),
            (false, None, Some(event)) => output::print_data(in_one_line(event.get())),
            (false, None, None) => Ok(()),
        }
    }

    /// Next page; `None` if the server is down and `--follow` waits for it.
    async fn page(&self, client: &Client, after: &str, left: u64) -> anyhow::Result<Option<FeedAnswer>> {
        let path = match &self.consumer {
            Some(name) => format!("/v1/consumers/{name}/feed"),
            None => "/v1/feed".to_owned(),
        };
        let query = [
            ("after", self.consumer.is_none().then(|| after.to_owned())),
            ("limit", Some(left.min(MOST_ITEMS.into()).to_string())),
            ("wait", self.follow.then(|| LONG_POLL_SECONDS.to_string())),
            ("kind", self.kind.map(|kind| kind.to_string())),
            ("webhook_id", self.webhook.map(|id| id.to_string())),
            ("subscription_id", self.subscription.map(|id| id.to_string())),
            ("format", self.signed.then(|| "jwt".to_owned())),
        ];
        match client.send(Request::get(&path, &query)).await {
            Ok(answer) => Ok(Some(answer.read()?)),
            Err(error) if self.follow && error.is_transient() => {
                output::remark(format_args!("{error}; trying again"));
                tokio::time::sleep(RETRY_DELAY).await;
                Ok(None)
            }
            Err(error) => Err(error.into()),
        }
    }
}

/// JSON on one line. Its line breaks are white space: in strings they are escaped.
fn in_one_line(json: &str) -> String {
    json.replace(['\r', '\n'], " ")
}
