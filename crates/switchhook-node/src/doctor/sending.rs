//! Findings in a webhook's deliveries: late ones, given-up ones, and failures in the last answers.

use std::time::Duration;

use switchhook_domain::Timestamp;
use switchhook_domain::attempt::{Attempt, AttemptOutcome, Failure, FailureReason};
use switchhook_domain::id::WebhookId;
use switchhook_domain::webhook::{Condition, Webhook};
use switchhook_protocol::parse_http_date;
use switchhook_store::{DeliveryFilter, PageRequest, StoreError, WaitingDelivery};

use super::{Finding, FindingKind, at_webhook, since};
use crate::delivery::transport::SPEAKS_TLS;
use crate::health::{self, Health};
use crate::visibility::Visibility;
use crate::{Node, dead_letters};

/// Time past its due time after which a delivery counts as late.
pub const LATE: Duration = Duration::from_secs(60);

/// Tolerance for the receiver's clock.
const SKEW: Duration = Duration::from_secs(60);

/// Bound on the recent deliveries searched for an answer.
const LATEST: u32 = 3;

/// Findings in a webhook's deliveries. Failures that the connection test has explained already are left out.
pub(super) async fn webhook(
    node: &Node,
    visibility: Visibility,
    webhook: &Webhook,
    health: Health,
    unreachable: Option<&Finding>,
) -> Result<Vec<Finding>, StoreError> {
    let mut findings = Vec::new();
    let attempts = latest_attempts(node, webhook).await?;
    findings.extend(attempts.first().and_then(|attempt| speaks_tls(webhook, attempt)));
    if let Some(attempt) = attempts.iter().find(|attempt| attempt.answer.is_some()) {
        findings.extend(redirects(webhook, attempt));
        findings.extend(content_type(webhook, attempt));
        findings.extend(clock_skew(webhook, attempt));
    }
    let now = node.clock.now();
    match health.condition {
        Condition::Failing | Condition::PausedByFailures
            if unreachable.is_some() && gets_no_answer(&health) => {}
        Condition::Failing | Condition::PausedByFailures => {
            let last_line = match &health.outage {
                Some(outage) => health::last_line(node, visibility, webhook, outage).await?,
                None => None,
            };
            let last = health.outage.as_ref().and_then(|outage| outage.last.failure);
            findings.push(Finding {
                last_line,
                last_status: last.and_then(|failure| failure.parts().0),
                ..failing(webhook, health)
            });
        }
        Condition::Active | Condition::NoSubscription => findings.extend(behind(node, webhook, now).await?),
        Condition::Paused | Condition::Disabled => {}
    }
    findings.extend(given_up(node, webhook).await?);
    Ok(findings)
}

/// The attempts of the latest deliveries, newest first.
async fn latest_attempts(node: &Node, webhook: &Webhook) -> Result<Vec<Attempt>, StoreError> {
    let filter = DeliveryFilter {
        webhook_id: Some(webhook.id),
        ..DeliveryFilter::default()
    };
    let page = PageRequest::first(LATEST);
    let latest = node
        .store
        .list_deliveries(webhook.company_id, filter, page)
        .await?;
    let mut attempts = Vec::new();
    for delivery in latest.items {
        attempts.extend(node.store.attempts_of(delivery.id).await?.into_iter().rev());
    }
    Ok(attempts)
}

/// It was sent requests in the clear, and speaks TLS.
fn speaks_tls(webhook: &Webhook, attempt: &Attempt) -> Option<Finding> {
    attempt.detail().filter(|detail| detail.contains(SPEAKS_TLS))?;
    Some(at_webhook(
        webhook,
        FindingKind::Tls,
        "it speaks TLS, and the webhook's URL begins with http://, so no request was understood".to_owned(),
        format!(
            "use https:// in the URL: switchhook webhooks update {} --hook-url https://…",
            webhook.id
        ),
    ))
}

fn header(attempt: &Attempt, name: &str) -> Option<String> {
    attempt.answer.as_ref()?.headers.to_map().remove(name)
}

fn redirects(webhook: &Webhook, attempt: &Attempt) -> Option<Finding> {
    let AttemptOutcome::Answered {
        status: status @ 300..=399,
        ..
    } = attempt.outcome
    else {
        return None;
    };
    let id = webhook.id;
    let (to, url) = match header(attempt, "location") {
        Some(location) => (format!(" to {location}"), location),
        None => (String::new(), "URL".to_owned()),
    };
    Some(at_webhook(
        webhook,
        FindingKind::Redirects,
        format!("it answers {status}{to}: redirects are not followed, so the event was not delivered"),
        format!("post to where it leads: switchhook webhooks update {id} --hook-url '{url}'"),
    ))
}

/// Some frameworks take only what they know.
fn content_type(webhook: &Webhook, attempt: &Attempt) -> Option<Finding> {
    let AttemptOutcome::Answered { status: 415, .. } = attempt.outcome else {
        return None;
    };
    let sent = attempt.request.as_ref().map(|request| request.headers.to_map());
    let sent = sent.and_then(|headers| {
        let mut headers = headers.into_iter();
        headers.find_map(|(name, value)| name.eq_ignore_ascii_case("content-type").then_some(value))
    });
    let sent = sent.unwrap_or_else(|| "the content type".to_owned());
    let remedy = if webhook.secret.is_some() {
        format!(
            "send the JWT as what it takes (jwt_content_type): switchhook webhooks update {} --jwt-content-type text/plain",
            webhook.id
        )
    } else {
        "let its receiver take it".to_owned()
    };
    Some(at_webhook(
        webhook,
        FindingKind::ContentType,
        format!("it answers 415: it does not take {sent}"),
        remedy,
    ))
}

fn clock_skew(webhook: &Webhook, attempt: &Attempt) -> Option<Finding> {
    let theirs = header(attempt, "date").and_then(|date| parse_http_date(&date))?;
    let ours = attempt.finished_at;
    // Only one of the two is not zero.
    let (ahead, back) = (theirs.since(ours), ours.since(theirs));
    let (off, way) = if ahead > back {
        (ahead, "ahead of")
    } else {
        (back, "behind")
    };
    (off > SKEW).then(|| {
        at_webhook(
            webhook,
            FindingKind::ClockSkew,
            format!("its clock is {} s {way} the server's", off.as_secs()),
            "set both clocks by NTP: the times in events and in Retry-After mean something else otherwise"
                .to_owned(),
        )
    })
}

fn gets_no_answer(health: &Health) -> bool {
    let last = health.outage.as_ref().and_then(|outage| outage.last.failure);
    matches!(last, Some(Failure::NoAnswer(_)))
}

/// Every attempt fails, and has for some time.
fn failing(webhook: &Webhook, health: Health) -> Finding {
    let id = webhook.id;
    let (look_at, delivery) = match &health.outage {
        Some(outage) => (
            where_to_look(outage.last.failure),
            format!(
                "; its last attempt: switchhook deliveries show {}",
                outage.last.delivery_id
            ),
        ),
        None => ("see its log", String::new()),
    };
    // Without a delivery there is nothing to retry.
    let verb = if health.waiting.count == 0 {
        "test"
    } else {
        "retry"
    };
    at_webhook(
        webhook,
        FindingKind::Failing,
        health.text,
        format!("repair the receiver ({look_at}), then: switchhook webhooks {verb} {id}{delivery}"),
    )
}

/// Place where the cause of a failure is likely to be found.
const fn where_to_look(failure: Option<Failure>) -> &'static str {
    use Failure::{NoAnswer, Status};
    match failure {
        Some(Status(300..=399)) => "it redirects: post to where it leads",
        Some(Status(401 | 403)) => {
            "it does not accept the signature or the credentials: compare the secret and the headers"
        }
        Some(Status(404 | 405 | 410)) => "nothing takes a POST at this path: compare the URL",
        Some(Status(413)) => "it takes no body of this size: raise its limit",
        Some(Status(415)) => "it does not take this content type",
        Some(Status(429)) => "it wants fewer requests: set a rate or a lower concurrency",
        Some(Status(400..=499)) => "it finds the request wrong: its answer may say why",
        Some(Status(502..=504)) => "its proxy cannot reach it: see whether it is running",
        Some(Status(_)) => "see its log",
        Some(NoAnswer(FailureReason::Dns)) => "its name has no address: compare the URL",
        Some(NoAnswer(FailureReason::AddressRefused)) => "see --hook-allow",
        Some(NoAnswer(FailureReason::ConnectionRefused)) => {
            "nothing listens there: see whether it is running"
        }
        Some(NoAnswer(FailureReason::Tls)) => "the TLS handshake fails: its last attempt says why",
        Some(NoAnswer(FailureReason::AnswerTimeout)) => "let it answer first and work afterwards",
        Some(NoAnswer(_)) | None => "see whether it is running and can be reached",
    }
}

/// The delivery that is due for longest at a webhook that is sent to, if it is late.
///
/// # Errors
/// If the store cannot be read.
pub async fn late_delivery(
    node: &Node,
    id: WebhookId,
    now: Timestamp,
) -> Result<Option<WaitingDelivery>, StoreError> {
    let destination = node.registry.destination(id);
    let Some(destination) = destination.filter(|destination| !destination.is_suspended(now)) else {
        return Ok(None);
    };
    let waiting = node.store.longest_waiting(id).await?;
    Ok(waiting.filter(|waiting| destination.waited(waiting.since, now) > LATE))
}

async fn behind(node: &Node, webhook: &Webhook, now: Timestamp) -> Result<Option<Finding>, StoreError> {
    let late = late_delivery(node, webhook.id, now).await?;
    Ok(late.map(|late| {
        at_webhook(
            webhook,
            FindingKind::Behind,
            format!(
                "its oldest delivery is due {} and waits for its turn: delivery {}",
                since(late.since),
                late.delivery_id
            ),
            format!(
                "let the receiver answer sooner, or take more at once: switchhook webhooks update {} --max-in-flight N",
                webhook.id
            ),
        )
    }))
}

/// Dead letters: what was given up and nobody has dealt with since.
async fn given_up(node: &Node, webhook: &Webhook) -> Result<Option<Finding>, StoreError> {
    let id = webhook.id;
    let found = dead_letters::at_a_glance(node, webhook.company_id, Some(id)).await?;
    Ok(found.get(&id).map(|given_up| {
        at_webhook(
            webhook,
            FindingKind::GivenUp,
            format!(
                "{} {} for a decision: its receiver {}",
                given_up.in_words(),
                if given_up.count == 1 {
                    "was given up and waits"
                } else {
                    "were given up and wait"
                },
                given_up.ways()
            ),
            format!(
                "see why: switchhook dead-letters list --webhook {id}; then send them again: switchhook dead-letters resend \
                 --webhook {id}; or dismiss them: switchhook dead-letters dismiss --webhook {id}"
            ),
        )
    }))
}
