//! Findings in the configuration: webhooks without subscriptions, subscriptions that deliver nothing, secrets that
//! protect nothing.

use switchhook_domain::subscription::Subscription;
use switchhook_domain::webhook::{Condition, Webhook};

use super::{Finding, FindingKind, Location, at_webhook};
use crate::health::Health;

/// A company that has nothing yet, nor anybody who may listen.
pub(super) fn none_at_all(webhooks: &[Webhook], subscriptions: &[Subscription]) -> Option<Finding> {
    let tells_somebody = subscriptions.iter().any(|one| one.websocket_id().is_some());
    (webhooks.is_empty() && !tells_somebody).then(|| Finding {
        trouble: FindingKind::NoWebhook,
        location: Location::Server,
        what: "there is no webhook: no event is sent anywhere".to_owned(),
        last_line: None,
        last_status: None,
        remedy: "create one: switchhook webhooks create URL --generate-secret".to_owned(),
    })
}

/// Findings in a webhook's settings.
pub(super) fn webhook(webhook: &Webhook, health: &Health) -> Vec<Finding> {
    held_back(webhook, health)
        .into_iter()
        .chain(secret(webhook))
        .collect()
}

/// That nothing is sent to it, in the words of its health.
fn held_back(webhook: &Webhook, health: &Health) -> Option<Finding> {
    let id = webhook.id;
    let (trouble, remedy) = match health.condition {
        Condition::Disabled => (
            FindingKind::WebhookDisabled,
            format!("mend its receiver, then send what was held back: switchhook webhooks resume {id}"),
        ),
        Condition::Paused => (
            FindingKind::Paused,
            format!("send them: switchhook webhooks resume {id}"),
        ),
        Condition::NoSubscription => (
            FindingKind::NoSubscription,
            format!(
                "subscribe it, or enable a subscription: switchhook subscriptions create call --webhook {id}"
            ),
        ),
        Condition::Active | Condition::Failing | Condition::PausedByFailures => return None,
    };
    Some(at_webhook(webhook, trouble, health.text.as_str(), remedy))
}

fn secret(webhook: &Webhook) -> Option<Finding> {
    let remedy = format!(
        "give it one that its receiver knows too: switchhook webhooks update {} --generate-secret",
        webhook.id
    );
    let (trouble, what) = match &webhook.secret {
        None => (
            FindingKind::NoSecret,
            "it has no secret: its receiver cannot tell our events from anybody's".to_owned(),
        ),
        Some(secret) => (FindingKind::ShortSecret, secret.weakness()?),
    };
    Some(at_webhook(webhook, trouble, what, remedy))
}

/// Findings in a subscription's settings.
pub(super) fn subscription(subscription: &Subscription) -> Option<Finding> {
    let (id, kind) = (subscription.id, subscription.filter.kind());
    let (trouble, what, remedy) = if subscription.endpoint.is_none() {
        (
            FindingKind::SendsNowhere,
            "it has no webhook and no websocket: it delivers nothing",
            format!(
                "give it one: switchhook subscriptions update {kind} {id} --webhook ID; or delete it: switchhook \
                 subscriptions delete {kind} {id}"
            ),
        )
    } else if !subscription.enabled {
        (
            FindingKind::Disabled,
            "it is disabled: it delivers nothing",
            format!("enable it: switchhook subscriptions update {kind} {id} --enable"),
        )
    } else {
        return None;
    };
    Some(Finding {
        trouble,
        location: Location::Subscription { id, kind },
        what: what.to_owned(),
        last_line: None,
        last_status: None,
        remedy,
    })
}
