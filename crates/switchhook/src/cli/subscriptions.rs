//! `switchhook subscriptions`: subscriptions of webhooks and websockets, over Dialpad's API.

mod filter;
mod payload;

use clap::{Args, Subcommand};
use serde_json::{Map, Value};
use switchhook_domain::Kind;
use switchhook_domain::filter::PayloadFilter;
use switchhook_domain::id::{SubscriptionId, WebhookId};

use self::filter::FilterOptions;
use super::connection::Connection;
use super::created::Created;
use super::output::{self, Facts, Table};
use super::pages::{List, Pagination};
use super::{UsageError, block_on, words};
use switchhook_client::{Answer, Client, ClientError, Request};
use switchhook_web::api::LARGEST_PAGE;
use switchhook_web::api::answers::{AnySubscription, FilteredSubscription};

/// Create, list, show, change and delete subscriptions
#[derive(Debug, Args)]
pub(super) struct Subscriptions {
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
    Create(Create),
    /// List subscriptions, oldest first
    #[command(
        after_help = "Examples:\n  switchhook subscriptions list\n  switchhook subscriptions list call --json"
    )]
    List(ListFilter),
    /// Show a subscription
    #[command(after_help = "Example:\n  switchhook subscriptions show call 7730318061039616")]
    Show(SubscriptionArgument),
    Update(Update),
    TryFilter(payload::TryFilter),
    /// Delete a subscription
    #[command(after_help = "Example:\n  switchhook subscriptions delete call 7730318061039616")]
    Delete(SubscriptionArgument),
}

/// Create a subscription: send events to a webhook or over a websocket
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  switchhook subscriptions create call --webhook 7730318061039616
  switchhook subscriptions create call --webhook 7730318061039616 --call-states hangup,missed
  switchhook subscriptions create sms --webhook 7730318061039616 --direction inbound
  switchhook subscriptions create contact --webhook 7730318061039616
  switchhook subscriptions create call --websocket 7730318061039618
  switchhook subscriptions create call --webhook 7730318061039616 --filter '{\"duration\": {\"$gt\": 30000}}'

A subscription to contacts is to local or to shared ones: without --contact-type both are created.")]
struct Create {
    /// Kind of the events
    #[arg(value_parser = words::kinds())]
    kind: Kind,

    /// Webhook to send to, or websocket to send over
    #[arg(long, value_name = "ID", visible_alias = "websocket")]
    webhook: WebhookId,

    /// Create the subscription disabled
    #[arg(long)]
    disabled: bool,

    #[command(flatten)]
    filter: FilterOptions,

    /// Payload filter: JSON that looks like the event, or @FILE
    #[arg(long = "filter", value_name = "JSON", value_parser = payload::parse)]
    payload_filter: Option<PayloadFilter>,
}

/// Change a subscription; options that are not given change nothing
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  switchhook subscriptions update call 7730318061039616 --call-states all
  switchhook subscriptions update sms 7730318061039616 --status=false --webhook 7730318061039617
  switchhook subscriptions update changelog 7730318061039616 --disable
  switchhook subscriptions update call 7730318061039616 --filter '{\"state\": [\"hangup\", \"missed\"]}'")]
struct Update {
    #[command(flatten)]
    which: SubscriptionArgument,

    /// Webhook to send to, or websocket to send over
    #[arg(long, value_name = "ID", visible_alias = "websocket")]
    webhook: Option<WebhookId>,

    /// Enable the subscription
    #[arg(long, conflicts_with = "disable")]
    enable: bool,

    /// Disable the subscription
    #[arg(long)]
    disable: bool,

    /// Remove the target: events of the whole company
    #[arg(long, conflicts_with_all = ["target_type", "target_id"])]
    company_wide: bool,

    #[command(flatten)]
    filter: FilterOptions,

    /// Payload filter: JSON that looks like the event, or @FILE
    #[arg(long = "filter", value_name = "JSON", value_parser = payload::parse)]
    payload_filter: Option<PayloadFilter>,

    /// Remove the payload filter
    #[arg(long, conflicts_with = "payload_filter")]
    no_filter: bool,
}

#[derive(Debug, Args)]
struct ListFilter {
    /// Kind of the subscriptions [default: all that the key may see]
    #[arg(value_parser = words::kinds())]
    kind: Option<Kind>,

    /// Maximum number of rows [default: all]
    #[arg(long, value_name = "N", value_parser = words::whole_number::<u32>(1..=u32::MAX))]
    limit: Option<u32>,
}

#[derive(Debug, Args)]
struct SubscriptionArgument {
    /// Kind of the events
    #[arg(value_parser = words::kinds())]
    kind: Kind,

    /// Id of the subscription
    id: SubscriptionId,
}

impl Subscriptions {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let client = self.connection.client()?;
        block_on(async {
            match self.command {
                Command::List(which) => list(&client, &which, self.json).await,
                Command::Create(create) => create.run(&client, self.json).await,
                Command::Update(update) => {
                    let answer = update.send(&client).await?;
                    show_filtered(&client, &update.which, answer, self.json).await
                }
                Command::TryFilter(trial) => trial.run(&client, self.json).await,
                Command::Show(which) => {
                    let answer = client.send(Request::get(&which.path(), &[])).await?;
                    show_filtered(&client, &which, answer, self.json).await
                }
                Command::Delete(which) => {
                    let answer = client.send(Request::delete(which.path())).await?;
                    let SubscriptionArgument { kind, id } = which;
                    output::remark(format_args!("subscription {id} is deleted; it was:"));
                    show(kind, &answer, None, self.json)
                }
            }
        })
    }
}

impl Create {
    async fn run(&self, client: &Client, json: bool) -> anyhow::Result<()> {
        let path = format!("/api/v2/subscriptions/{}", self.kind);
        let mut created = Created::default();
        let mut answers = Vec::new();
        for fields in self.requests()? {
            match self.create(client, &mut created, &path, fields).await {
                Ok(answer) => answers.push(answer),
                Err(error) => return Err(created.roll_back(error).await),
            }
        }
        for (number, answer) in answers.iter().enumerate() {
            if number > 0 && !json {
                output::print("")?;
            }
            show(self.kind, answer, self.payload_filter.as_ref(), json)?;
        }
        Ok(())
    }

    /// Creates a subscription. With a payload filter it is enabled only when it has the filter.
    async fn create(
        &self,
        client: &Client,
        created: &mut Created,
        path: &str,
        mut fields: Fields,
    ) -> anyhow::Result<Answer> {
        let Some(filter) = &self.payload_filter else {
            return Ok(created.create(client, path, &fields.into()).await?.1);
        };
        let enabled = fields.insert("enabled".to_owned(), false.into());
        let (id, _) = created.create(client, path, &fields.into()).await?;
        let mut rest = Fields::new();
        rest.extend(enabled.map(|enabled| ("enabled".to_owned(), enabled)));
        payload::set_filter(client, &id, Some(filter), &rest).await
    }

    /// Requests for the subscriptions: one, or several if only these together match everything asked for.
    fn requests(&self) -> Result<Vec<Fields>, UsageError> {
        let mut given = self.filter.fields(self.kind)?;
        given.insert("endpoint_id".to_owned(), self.webhook.to_string().into());
        given.insert("enabled".to_owned(), (!self.disabled).into());
        let mut requests = Vec::new();
        for mut fields in filter::required(self.kind) {
            fields.extend(given.clone());
            if !requests.contains(&fields) {
                requests.push(fields);
            }
        }
        Ok(requests)
    }
}

impl Update {
    async fn send(&self, client: &Client) -> anyhow::Result<Answer> {
        let sets_filter = self.payload_filter.is_some() || self.no_filter;
        let fields = self.fields()?;
        if fields.is_empty() && !sets_filter {
            return Err(UsageError("nothing to change: give an option; --help lists them".to_owned()).into());
        }
        // The filter first: what else changes may let more through.
        if sets_filter {
            let id = self.which.id.to_string();
            let answer =
                payload::set_filter(client, &id, self.payload_filter.as_ref(), &Fields::new()).await?;
            if fields.is_empty() {
                return Ok(answer);
            }
        }
        let request = Request::patch(self.which.path()).json(&fields.into());
        Ok(client.send(request).await?)
    }

    fn fields(&self) -> anyhow::Result<Fields> {
        let mut fields = self.filter.fields(self.which.kind)?;
        fields.extend(
            self.webhook
                .map(|id| ("endpoint_id".to_owned(), id.to_string().into())),
        );
        if self.enable || self.disable {
            fields.insert("enabled".to_owned(), self.enable.into());
        }
        if self.company_wide {
            fields.extend(["target_type", "target_id"].map(|name| (name.to_owned(), Value::Null)));
        }
        Ok(fields)
    }
}

impl SubscriptionArgument {
    fn path(&self) -> String {
        format!("/api/v2/subscriptions/{}/{}", self.kind, self.id)
    }
}

fn state(subscription: &AnySubscription) -> &'static str {
    let endpoint = subscription.endpoint();
    let has_endpoint = endpoint.webhook().is_some() || endpoint.websocket.is_some();
    match (subscription.is_enabled(), has_endpoint) {
        (false, _) => "disabled",
        (true, true) => "enabled",
        (true, false) => "without a webhook",
    }
}

fn goes_to(subscription: &AnySubscription) -> String {
    let endpoint = subscription.endpoint();
    match (endpoint.webhook(), &endpoint.websocket) {
        (Some(webhook), _) => format!("{} {}", webhook.id, webhook.hook_url),
        (None, Some(websocket)) => format!("{} (a websocket)", websocket.id),
        (None, None) => "-".to_owned(),
    }
}

async fn list(client: &Client, &ListFilter { kind, limit }: &ListFilter, json: bool) -> anyhow::Result<()> {
    let kinds = kind.map_or_else(|| Kind::ALL.to_vec(), |kind| vec![kind]);
    let mut pagination = Pagination {
        limit: limit.unwrap_or(u32::MAX),
        ..Pagination::ALL
    };
    let mut all = List::default();
    let mut table = Table::new(&["ID", "KIND", "EVENTS", "STATE", "GOES TO"])
        .truncating(&["EVENTS", "GOES TO"])
        .dropping(&["KIND"]);
    for of in kinds {
        if pagination.limit == 0 {
            break;
        }
        let path = format!("/api/v2/subscriptions/{of}");
        let read = List::read(client, &path, &[], &pagination, LARGEST_PAGE).await;
        let list = match read {
            // Without being asked for it, a kind that the key may not see is not worth failing for.
            Err(error) if kind.is_none() && is_forbidden(&error) => {
                output::remark(format_args!("{of}: {error}"));
                continue;
            }
            read => read?,
        };
        for json in list.texts() {
            pagination.limit -= 1;
            let subscription = AnySubscription::read(of, json)?;
            table.row([
                subscription.id().to_string(),
                of.to_string(),
                subscription.filter().in_words(),
                state(&subscription).to_owned(),
                goes_to(&subscription),
            ]);
        }
        all = all.append(list);
    }
    if json {
        return all.print_json();
    }
    table.print_or(
        "there are no subscriptions; `switchhook subscriptions create call --webhook ID` creates one",
    )
}

/// True if the key has no access.
pub(super) fn is_forbidden(error: &anyhow::Error) -> bool {
    matches!(
        error.downcast_ref(),
        Some(ClientError::Refused { status: 403, .. })
    )
}

/// Shows a subscription with its payload filter, which Dialpad's API does not have.
async fn show_filtered(
    client: &Client,
    SubscriptionArgument { kind, id }: &SubscriptionArgument,
    answer: Answer,
    json: bool,
) -> anyhow::Result<()> {
    let path = format!("/v1/subscriptions/{id}");
    match client.send(Request::get(&path, &[])).await {
        Ok(filtered) => {
            let FilteredSubscription { filter, .. } = filtered.read()?;
            show(*kind, &filtered, filter.as_ref(), json)
        }
        // Dialpad has no such path.
        Err(ClientError::Refused { status: 404, .. }) => show(*kind, &answer, None, json),
        Err(error) => Err(error.into()),
    }
}

fn show(kind: Kind, answer: &Answer, filter: Option<&PayloadFilter>, json: bool) -> anyhow::Result<()> {
    if json {
        return output::print_data(answer.text()?);
    }
    let subscription = AnySubscription::read(kind, answer.text()?)?;
    Facts::new()
        .fact("id", subscription.id())
        .fact("kind", kind)
        .fact("events", subscription.filter().in_words())
        .fact_if("filter", filter.map(PayloadFilter::as_json))
        .fact("state", state(&subscription))
        .fact("goes to", goes_to(&subscription))
        .print()
}

type Fields = Map<String, Value>;
