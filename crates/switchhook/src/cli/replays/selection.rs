//! Options for the events to replay and their destination, and the request made of them.

use clap::Args;
use serde_json::{Map, Value, json};
use switchhook_domain::delivery::StateName;
use switchhook_domain::id::{EventId, WebhookId};
use switchhook_domain::{Kind, Timestamp};

use crate::cli::UsageError;
use crate::cli::pages::TimeRange;
use crate::cli::words;

/// Events, destination and rate of a replay.
#[derive(Debug, Args)]
pub(super) struct Selection {
    /// Only these events; repeat the option for several
    #[arg(long = "id", value_name = "ID")]
    ids: Vec<EventId>,

    /// Only events of this kind
    #[arg(long, value_parser = words::kept_kinds())]
    kind: Option<Kind>,

    /// Only events of one call, message, agent or contact: call:ID
    #[arg(long, value_name = "KEY", conflicts_with = "call")]
    order_key: Option<String>,

    /// Only events of this call
    #[arg(long, value_name = "ID")]
    call: Option<String>,

    /// Only events that were first delivered to this webhook
    #[arg(long, value_name = "ID")]
    webhook: Option<WebhookId>,

    /// Only events whose first delivery has this state
    #[arg(long, value_parser = words::states())]
    state: Option<StateName>,

    /// Only events whose delivery was exhausted or cancelled, and that the webhook has not received since
    #[arg(long, conflicts_with = "state")]
    not_delivered: bool,

    #[command(flatten)]
    time_range: TimeRange,

    /// Webhook to send to [default: the same webhooks as before]
    #[arg(long, value_name = "ID", conflicts_with = "to_url")]
    to_webhook: Option<WebhookId>,

    /// URL to send to, which need not be a webhook
    #[arg(long, value_name = "URL")]
    to_url: Option<String>,

    /// Secret to sign deliveries to --to-url with (HS256)
    #[arg(long, requires = "to_url")]
    secret: Option<String>,

    /// Maximum events per second [default: as fast as the receivers accept them]
    #[arg(long, value_name = "EVENTS/S", value_parser = words::parse_rate)]
    rate: Option<f64>,
}

impl Selection {
    /// Request to the API.
    pub(super) fn request(&self, now: Timestamp) -> anyhow::Result<Value> {
        let filter = self.filter(now);
        if filter.is_empty() {
            return Err(UsageError(
                "say which events: --not-delivered, --since 1h, --id ID …; see `switchhook replays create --help`".into(),
            )
            .into());
        }
        let to = match (self.to_webhook, &self.to_url) {
            (Some(id), _) => json!({"webhook_id": id.to_string()}),
            (None, Some(url)) => json!({"url": url, "secret": self.secret}),
            (None, None) => Value::Null,
        };
        Ok(json!({"filter": filter, "to": to, "rate": self.rate}))
    }

    fn filter(&self, now: Timestamp) -> Map<String, Value> {
        let ids: Vec<_> = self.ids.iter().map(ToString::to_string).collect();
        let mut members = vec![
            ("kind", self.kind.map(|kind| kind.to_string())),
            ("order_key", self.order_key.clone()),
            ("call", self.call.clone()),
            ("webhook_id", self.webhook.map(|id| id.to_string())),
            ("state", self.state.map(|state| state.to_string())),
        ];
        members.extend(self.time_range.query(now));
        let given = members
            .into_iter()
            .filter_map(|(name, value)| Some((name.to_owned(), value?.into())));
        let mut filter: Map<_, _> = given.collect();
        if !ids.is_empty() {
            filter.insert("ids".to_owned(), ids.into());
        }
        if self.not_delivered {
            filter.insert("not_delivered".to_owned(), true.into());
        }
        filter
    }
}
