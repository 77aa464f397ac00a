//! What was set up: webhooks without subscriptions, subscriptions that deliver nothing, secrets that protect nothing.

use switchhook_domain::subscription::Subscription;
use switchhook_domain::webhook::Webhook;

use super::{Finding, Place, Trouble, at_webhook, since};

/// A company that has nothing yet, nor anybody who may listen.
pub(super) fn none_at_all(webhooks: &[Webhook], subscriptions: &[Subscription]) -> Option<Finding> {
    let tells_somebody = subscriptions.iter().any(|one| one.websocket_id().is_some());
    (webhooks.is_empty() && !tells_somebody).then(|| Finding {
        trouble: Trouble::NoWebhook,
        place: Place::Server,
        what: "there is no webhook: no event is sent anywhere".to_owned(),
        last_line: None,
        remedy: "create one: switchhook webhooks create URL --generate-secret".to_owned(),
    })
}

/// What is wrong with a webhook as it is set up.
pub(super) fn webhook(webhook: &Webhook, subscriptions: &[Subscription]) -> Vec<Finding> {
    let id = webhook.id;
    let mut findings = Vec::new();
    if !subscriptions.iter().any(|one| one.webhook_id() == Some(id)) {
        findings.push(at_webhook(
            webhook,
            Trouble::NoSubscription,
            "no subscription sends to it: it gets nothing",
            format!("subscribe it: switchhook subscriptions create call --webhook {id}"),
        ));
    }
    findings.extend(secret(webhook));
    if let Some(at) = webhook.disabled_at {
        findings.push(at_webhook(
            webhook,
            Trouble::WebhookDisabled,
            format!(
                "it was disabled {}, because no attempt had succeeded for too long or its receiver asked for it",
                since(at)
            ),
            format!("mend its receiver, then send what was held back: switchhook webhooks resume {id}"),
        ));
    } else if let Some(at) = webhook.paused_at {
        findings.push(at_webhook(
            webhook,
            Trouble::Paused,
            format!("it is paused {}: its deliveries are held back", since(at)),
            format!("send them: switchhook webhooks resume {id}"),
        ));
    }
    findings
}

fn secret(webhook: &Webhook) -> Option<Finding> {
    let remedy = format!(
        "give it one that its receiver knows too: switchhook webhooks update {} --generate-secret",
        webhook.id
    );
    let (trouble, what) = match &webhook.secret {
        None => (
            Trouble::NoSecret,
            "it has no secret: its receiver cannot tell our events from anybody's".to_owned(),
        ),
        Some(secret) => (Trouble::ShortSecret, secret.weakness()?),
    };
    Some(at_webhook(webhook, trouble, what, remedy))
}

/// What is wrong with a subscription as it is set up.
pub(super) fn subscription(subscription: &Subscription) -> Option<Finding> {
    let (id, kind) = (subscription.id, subscription.filter.kind());
    let (trouble, what, remedy) = if subscription.endpoint.is_none() {
        (
            Trouble::SendsNowhere,
            "it has no webhook and no websocket: it delivers nothing",
            format!(
                "give it one: switchhook subscriptions update {kind} {id} --webhook ID; or delete it: switchhook \
                 subscriptions delete {kind} {id}"
            ),
        )
    } else if !subscription.enabled {
        (
            Trouble::Disabled,
            "it is disabled: it delivers nothing",
            format!("enable it: switchhook subscriptions update {kind} {id} --enable"),
        )
    } else {
        return None;
    };
    Some(Finding {
        trouble,
        place: Place::Subscription { id, kind },
        what: what.to_owned(),
        last_line: None,
        remedy,
    })
}
