//! Output of webhooks: a list, a single one, and its health.

use serde::Deserialize;
use switchhook_client::{Answer, Client};
use switchhook_domain::attempt::Failure;
use switchhook_domain::webhook::Condition;
use switchhook_node::history;
use switchhook_web::api::answers::{
    HealthAnswer, RecentAnswer, Signature, WaitingAnswer, WebhookWithSettings,
};

use super::settings::add_settings;
use crate::cli::output::{self, Facts, Table, time};
use crate::cli::pages::{LARGEST_OWN_PAGE, List, Pagination};
use crate::cli::subscribe::CreatedSubscription;

/// A webhook, with its subscriptions if it was just created with them.
#[derive(Deserialize)]
struct WebhookWithSubscriptions {
    #[serde(flatten)]
    webhook: WebhookWithSettings,
    #[serde(default)]
    subscriptions: Vec<CreatedSubscription>,
}

pub(super) async fn list(client: &Client, pagination: &Pagination, json: bool) -> anyhow::Result<()> {
    let list = List::read(client, "/v1/webhooks", &[], pagination, LARGEST_OWN_PAGE).await?;
    if json {
        return list.print_json();
    }
    let mut table = Table::new(&[
        "ID",
        "HOOK URL",
        "CONDITION",
        "WAITING",
        "BODY",
        "PROFILE",
        "CREATED",
    ])
    .truncating(&["HOOK URL"])
    .dropping(&["CREATED", "PROFILE", "BODY"]);
    for shown in list.items::<WebhookWithSettings>()? {
        let WebhookWithSettings { webhook, health, .. } = shown;
        let body = if webhook.signature.is_some() {
            "jwt"
        } else {
            "json"
        };
        let more = if health.waiting.more { "+" } else { "" };
        table.row([
            webhook.id.to_string(),
            webhook.hook_url,
            health.condition.in_words().to_owned(),
            format!("{}{more}", health.waiting.count),
            body.to_owned(),
            shown.in_force.profile.to_string(),
            time(shown.created_at),
        ]);
    }
    table.print_or("there are no webhooks; `switchhook webhooks create URL` creates one")?;
    list.remark_rest();
    Ok(())
}

pub(super) fn show(answer: &Answer, json: bool) -> anyhow::Result<()> {
    if json {
        return output::print_data(answer.text()?);
    }
    let WebhookWithSubscriptions {
        webhook,
        subscriptions,
    } = answer.read()?;
    let facts = Facts::new()
        .fact("id", webhook.webhook.id)
        .fact("hook_url", &webhook.webhook.hook_url)
        .fact(
            "secret",
            secret_in_words(webhook.webhook.signature.as_ref(), "the body is"),
        )
        .fact_if("kid", webhook.kid.as_ref())
        .fact_if("standard secret", webhook.standard_secret.as_ref())
        .fact("created", time(webhook.created_at));
    let facts = add_health(facts, &webhook.health);
    let facts = webhook.old_secrets.iter().fold(facts, |facts, old| {
        facts.fact(
            "old secret",
            format!("{} is valid until {}", old.kid, time(old.valid_until)),
        )
    });
    webhook
        .warnings
        .iter()
        .for_each(|warning| output::remark(format_args!("warning: {warning}")));
    let facts = add_settings(facts, &webhook);
    let subscribed = |facts, subscription: &CreatedSubscription| subscription.add_to(facts);
    subscriptions.iter().fold(facts, subscribed).print()
}

/// The secret, or a note that there is none.
pub(in crate::cli) fn secret_in_words(signature: Option<&Signature>, what: &str) -> String {
    match signature {
        None => format!("none: {what} plain JSON"),
        Some(signature) => {
            let secret = signature.secret.clone();
            secret.unwrap_or_else(|| "set, and hidden".to_owned())
        }
    }
}

/// Condition because of which nothing is sent to a webhook.
pub(super) fn blocking_condition(health: &HealthAnswer) -> Option<Condition> {
    let is_blocked = matches!(health.condition, Condition::Paused | Condition::Disabled);
    is_blocked.then_some(health.condition)
}

pub(super) fn add_health(facts: Facts, health: &HealthAnswer) -> Facts {
    let facts = facts
        .fact("condition", health.condition.in_words())
        .fact("", &health.text)
        .fact("waiting", waiting_in_words(&health.waiting))
        .fact_if("last hour", recent_in_words(&health.last_hour))
        .fact_if("last day", recent_in_words(&health.last_day));
    match &health.failures {
        Some(failures) => facts
            .fact_if(
                Failure::name_of_last(failures.last_status),
                failures.last_line.as_ref(),
            )
            .fact("last delivery", failures.last_delivery_id),
        None => facts,
    }
}

/// Success rate and latency; `None` without attempts.
fn recent_in_words(recent: &RecentAnswer) -> Option<String> {
    history::in_words(recent.success_rate, recent.p95_ms)
}

pub(super) fn waiting_in_words(waiting: &WaitingAnswer) -> String {
    match (waiting.count, waiting.more) {
        (1, _) => "1 delivery".to_owned(),
        (count, true) => format!("{count} deliveries or more"),
        (count, false) => format!("{count} deliveries"),
    }
}
