//! `switchhook events explain`: why an event matched, or did not match, each subscription.

use clap::Args;
use switchhook_domain::id::{EventId, SubscriptionId};

use crate::cli::output::{self, Table, time};
use crate::cli::pages::{LARGEST_OWN_PAGE, Pagination};
use switchhook_client::{Client, Request};
use switchhook_web::api::answers::{ExplainedSubscription, Explanation, IdText};

/// Explain why an event matched, or did not match, each subscription
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  switchhook events explain 7730318061039616
  switchhook events explain 7730318061039616 --subscription 7730318061039620

Each subscription is judged as it was when the event was accepted.")]
pub(super) struct Explain {
    /// Id of the event
    id: EventId,

    /// Only the verdict of this subscription
    #[arg(long, value_name = "ID")]
    subscription: Option<SubscriptionId>,

    #[command(flatten)]
    pagination: Pagination,
}

impl Explain {
    pub(super) async fn run(&self, client: &Client, json: bool) -> anyhow::Result<()> {
        let explanation = self.read(client).await?;
        if json {
            return output::print_data(serde_json::to_string(&explanation)?);
        }
        let mut table =
            Table::new(&["SUBSCRIPTION", "KIND", "GOES TO", "VERDICT", "WHY"]).dropping(&["KIND", "GOES TO"]);
        let count = explanation.items.len();
        for explained in explanation.items {
            table.row(row(explained));
        }
        table.print_or("there are no subscriptions")?;
        if let Some(advice) = &explanation.advice {
            output::remark("");
            output::remark(format_args!("it was sent to no webhook: {advice}"));
        }
        if let Some(cursor) = &explanation.cursor {
            output::remark(format_args!(
                "there are more subscriptions: --limit {}, or --cursor {cursor}",
                count * 2
            ));
        }
        Ok(())
    }

    async fn read(&self, client: &Client) -> anyhow::Result<Explanation> {
        let wanted = self.pagination.limit as usize;
        let mut explanation = self.page(client, self.pagination.cursor.clone(), wanted).await?;
        while explanation.cursor.is_some() && explanation.items.len() < wanted {
            let left = wanted - explanation.items.len();
            let next = self
                .page(client, explanation.cursor.as_ref().map(IdText::to_string), left)
                .await?;
            explanation.items.extend(next.items);
            explanation.cursor = next.cursor;
        }
        Ok(explanation)
    }

    async fn page(
        &self,
        client: &Client,
        cursor: Option<String>,
        wanted: usize,
    ) -> anyhow::Result<Explanation> {
        let query = [
            ("subscription_id", self.subscription.map(|id| id.to_string())),
            ("limit", Some(wanted.min(LARGEST_OWN_PAGE as usize).to_string())),
            ("cursor", cursor),
        ];
        let path = format!("/v1/events/{}/explain", self.id);
        Ok(client.send(Request::get(&path, &query)).await?.read()?)
    }
}

fn row(explained: ExplainedSubscription) -> [String; 5] {
    let why = match explained.changed_at {
        Some(at) => format!("{} (changed afterwards, at {})", explained.explanation, time(at)),
        None => explained.explanation,
    };
    let goes_to = explained.webhook_id.or(explained.websocket_id);
    [
        explained.subscription_id.to_string(),
        explained.kind.to_string(),
        goes_to.map_or_else(|| "-".to_owned(), |id| id.to_string()),
        explained.verdict.as_str().replace('_', " "),
        why,
    ]
}
