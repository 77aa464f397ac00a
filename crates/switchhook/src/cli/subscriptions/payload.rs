//! Payload filters: read from JSON or a file, set, and tried on the last events.

use clap::Args;
use switchhook_client::{Answer, Client, Request};
use switchhook_domain::Kind;
use switchhook_domain::filter::PayloadFilter;
use switchhook_domain::id::SubscriptionId;

use switchhook_node::events::MOST_TRIED;
use switchhook_web::api::answers::{FilteredSubscription, TrialAnswer, TriedEvent};

use super::Fields;
use crate::cli::output::{self, Table, time};
use crate::cli::{UsageError, words};

/// A payload filter to try.
#[derive(Debug, Args)]
#[command(
    about = format!(
        "Test a payload filter on the last {MOST_TRIED} events: show which match, and which condition the others fail; \
         changes nothing"
    ),
    after_help = "\
Examples:
  switchhook subscriptions try-filter call '{\"duration\": {\"$gt\": 30000}}'
  switchhook subscriptions try-filter sms @filter.json
  switchhook subscriptions try-filter call --subscription 7730318061039616

A filter is JSON that looks like the event: a value must be equal, a list has one of its elements. Operators:
$eq $neq $gt $gte $lt $lte $in $nin $startsWith $endsWith $contains $exist $or $and $not.")]
pub(super) struct TryFilter {
    /// Kind of the events
    #[arg(value_parser = words::kinds())]
    kind: Kind,

    /// Payload filter: JSON that looks like the event, or @FILE
    #[arg(value_name = "JSON", value_parser = parse, required_unless_present = "subscription")]
    filter: Option<PayloadFilter>,

    /// Subscription whose filter to try
    #[arg(long, value_name = "ID", conflicts_with = "filter")]
    subscription: Option<SubscriptionId>,
}

const JSON: &str = "application/json";

/// Reads a filter: JSON, or `@` and a file.
pub(super) fn parse(text: &str) -> Result<PayloadFilter, String> {
    let json = match text.strip_prefix('@') {
        Some(path) => {
            std::fs::read_to_string(path).map_err(|error| format!("cannot read {path}: {error}"))?
        }
        None => text.to_owned(),
    };
    PayloadFilter::parse(&json).map_err(|error| error.to_string())
}

/// Sets or removes the filter of a subscription, and changes other fields in the same request.
pub(super) async fn set_filter(
    client: &Client,
    id: &str,
    filter: Option<&PayloadFilter>,
    more: &Fields,
) -> anyhow::Result<Answer> {
    let mut members: Vec<_> = more
        .iter()
        .map(|(name, value)| format!("\"{name}\":{value}"))
        .collect();
    members.push(format!(
        "\"filter\":{}",
        filter.map_or("null", PayloadFilter::as_json)
    ));
    // As text: a value of JSON would round its numbers.
    let body = format!("{{{}}}", members.join(","));
    let request = Request::patch(format!("/v1/subscriptions/{id}")).body(JSON, body.into());
    Ok(client.send(request).await?)
}

impl TryFilter {
    pub(super) async fn run(self, client: &Client, json: bool) -> anyhow::Result<()> {
        let filter = self.filter(client).await?;
        let body = format!("{{\"kind\":\"{}\",\"filter\":{}}}", self.kind, filter.as_json());
        let request = Request::post("/v1/subscriptions/try-filter").body(JSON, body.into());
        let answer = client.send(request).await?;
        if json {
            return output::print_data(answer.text()?);
        }
        let trial: TrialAnswer = answer.read()?;
        let mut table = Table::new(&["EVENT", "ACCEPTED", "WHAT", "FILTER"]).truncating(&["WHAT"]);
        let count = trial.items.len();
        for tried in trial.items {
            let verdict = verdict_in_words(&tried);
            table.row([
                tried.event_id.to_string(),
                time(tried.accepted_at),
                tried.summary,
                verdict,
            ]);
        }
        table.print_or(&format!("there are no {} events to try it on", self.kind))?;
        output::remark(format_args!(
            "{} of the last {count} events match",
            trial.matching
        ));
        Ok(())
    }

    async fn filter(&self, client: &Client) -> anyhow::Result<PayloadFilter> {
        let Some(id) = self.subscription else {
            return self
                .filter
                .clone()
                .ok_or_else(|| UsageError("give a filter".to_owned()).into());
        };
        let answer = client
            .send(Request::get(&format!("/v1/subscriptions/{id}"), &[]))
            .await?;
        let FilteredSubscription { filter, .. } = answer.read()?;
        let none = || UsageError(format!("subscription {id} has no filter: give one to try"));
        Ok(filter.ok_or_else(none)?)
    }
}

fn verdict_in_words(tried: &TriedEvent) -> String {
    match (&tried.clause, &tried.seen) {
        _ if tried.matches => "matches".to_owned(),
        (Some(clause), Some(seen)) => format!("no: {clause}, but the value is {seen}"),
        (Some(clause), None) => format!("no: {clause}, but there is no value"),
        (None, _) => "no".to_owned(),
    }
}
