//! Health of webhooks: condition, reason, and waiting deliveries. Computed here only, so that API, commands,
//! dashboard and doctor agree.

use std::collections::HashMap;

use switchhook_domain::Timestamp;
use switchhook_domain::attempt::Attempt;
use switchhook_domain::breaker::Breaker;
use switchhook_domain::id::WebhookId;
use switchhook_domain::outage::Outage;
use switchhook_domain::webhook::{Condition, Webhook};
use switchhook_protocol::shortened;
use switchhook_store::{PendingCount, StoreError};

use crate::Node;
use crate::deliveries::attempts;
use crate::destination::Destination;
use crate::visibility::Visibility;

/// Up to how many waiting deliveries are counted for one webhook.
pub const MOST_COUNTED: u32 = 10_000;

/// The same for each of several.
pub const MOST_COUNTED_OF_EACH: u32 = 1_000;

/// The longest line of an answer that is shown, in characters.
const LONGEST_LINE: usize = 200;

/// Health of a webhook, for people.
#[derive(Debug, Clone, PartialEq)]
pub struct Health {
    pub condition: Condition,
    /// Since when, if that is known.
    pub since: Option<Timestamp>,
    /// In sentences. Instants in it are in RFC 3339.
    pub text: String,
    /// The outage that lasts.
    pub outage: Option<Outage>,
    /// Time of the next attempt while its breaker is open.
    pub next_try_at: Option<Timestamp>,
    pub waiting: Waiting,
}

/// The deliveries of a webhook that wait, those under way included.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Waiting {
    /// Count, up to a bound.
    pub count: u32,
    /// True if the count was cut off.
    pub is_more: bool,
    /// Since when the oldest of them has existed.
    pub oldest_at: Option<Timestamp>,
}

impl Waiting {
    fn of(pending: PendingCount, most: u32) -> Self {
        let count = u32::try_from(pending.due + pending.later).unwrap_or(most);
        Self {
            count: count.min(most),
            is_more: count >= most,
            oldest_at: pending.oldest.map(|id| switchhook_domain::id::made_at(id.0)),
        }
    }

    /// Count in words: `1 delivery waits`, `10000 deliveries or more wait`.
    #[must_use]
    pub fn in_words(&self) -> String {
        match self.count {
            0 => "No delivery waits".to_owned(),
            1 => "1 delivery waits".to_owned(),
            count if self.is_more => format!("{count} deliveries or more wait"),
            count => format!("{count} deliveries wait"),
        }
    }
}

/// Health of one webhook.
///
/// # Errors
/// If the store cannot be read.
pub async fn of(node: &Node, webhook: &Webhook) -> Result<Health, StoreError> {
    let mut all = counted(node, std::slice::from_ref(webhook), MOST_COUNTED).await?;
    Ok(all.pop().expect("one answer for one webhook"))
}

/// Health of each webhook, in the same order. All must be of one company.
///
/// # Errors
/// If the store cannot be read.
pub async fn of_all(node: &Node, webhooks: &[Webhook]) -> Result<Vec<Health>, StoreError> {
    counted(node, webhooks, MOST_COUNTED_OF_EACH).await
}

async fn counted(node: &Node, webhooks: &[Webhook], most: u32) -> Result<Vec<Health>, StoreError> {
    let Some(first) = webhooks.first() else {
        return Ok(Vec::new());
    };
    let company_id = first.company_id;
    let lasting = node.store.lasting_outages(Some(company_id)).await?;
    let mut outages: HashMap<WebhookId, Outage> = lasting.into_iter().collect();
    let subscribed = node.registry.subscribed_webhooks(company_id);
    let ids = webhooks.iter().map(|webhook| webhook.id).collect();
    let now = node.clock.now();
    let pending = node.store.count_pending(ids, now, most).await?;
    let mut found = Vec::with_capacity(webhooks.len());
    for (webhook, pending) in webhooks.iter().zip(pending) {
        let destination = node.registry.destination(webhook.id);
        let destination = destination.as_deref();
        let breaker = destination.map_or_else(Breaker::default, Destination::breaker);
        let next_try = NextTry::of(breaker, destination.and_then(|one| one.quiet_until(now)), now);
        let outage = outages.remove(&webhook.id);
        let is_subscribed = subscribed.contains(&webhook.id);
        found.push(judge(
            webhook,
            (breaker, next_try),
            outage,
            is_subscribed,
            Waiting::of(pending, most),
        ));
    }
    Ok(found)
}

/// Time of the next attempt, where it is not simply the due time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum NextTry {
    /// Whenever one is due.
    WhenDue,
    /// The next one that is due, to see whether the receiver works.
    Probe,
    /// Not before the breaker allows it.
    ProbeAt(Timestamp),
    /// Not before its quiet hours end.
    QuietUntil(Timestamp),
}

impl NextTry {
    fn of(breaker: Breaker, quiet_until: Option<Timestamp>, now: Timestamp) -> Self {
        match (quiet_until, breaker.not_before()) {
            (Some(end), _) => Self::QuietUntil(end),
            (None, Some(at)) if at > now => Self::ProbeAt(at),
            (None, Some(_)) => Self::Probe,
            (None, None) => Self::WhenDue,
        }
    }

    /// As sentences behind that of a condition.
    fn in_words(self) -> String {
        let rest = "when one succeeds, everything that waits is sent.";
        match self {
            Self::WhenDue => String::new(),
            Self::Probe => {
                format!(" One attempt is made now and then, the next as soon as a delivery is due; {rest}")
            }
            Self::ProbeAt(at) => format!(" One attempt is made now and then, the next at {at}; {rest}"),
            Self::QuietUntil(end) => {
                format!(" These are the webhook's quiet hours: nothing is sent until they end at {end}.")
            }
        }
    }
}

fn judge(
    webhook: &Webhook,
    (breaker, next_try): (Breaker, NextTry),
    outage: Option<Outage>,
    is_subscribed: bool,
    waiting: Waiting,
) -> Health {
    let condition = Condition::of(webhook, breaker, outage.as_ref(), is_subscribed);
    let since = condition.since(webhook, breaker, outage.as_ref());
    let next_try_at = match (condition, next_try) {
        (Condition::PausedByFailures, NextTry::QuietUntil(at)) => Some(at),
        (Condition::PausedByFailures, _) => breaker.not_before(),
        _ => None,
    };
    let mut text = sentence(condition, since, outage.as_ref());
    if !matches!(condition, Condition::Paused | Condition::Disabled) {
        text.push_str(&next_try.in_words());
    }
    if let (1.., Some(oldest)) = (waiting.count, waiting.oldest_at)
        && condition != Condition::Active
    {
        text.push_str(&format!(" {}, the oldest since {oldest}.", waiting.in_words()));
    }
    Health {
        condition,
        since,
        text,
        outage,
        next_try_at,
        waiting,
    }
}

fn sentence(condition: Condition, since: Option<Timestamp>, outage: Option<&Outage>) -> String {
    let since = since.map_or_else(String::new, |at| format!(" since {at}"));
    match condition {
        Condition::Active => "The webhook is sent every event that its subscriptions ask for.".to_owned(),
        Condition::Failing | Condition::PausedByFailures => match outage {
            Some(outage) => format!(
                "The receiver has failed{since}: {} in a row failed; at the last one it {}.",
                attempts(outage.attempts),
                outage.last.in_words()
            ),
            None => format!("The receiver has failed{since}."),
        },
        Condition::Paused => {
            format!("The webhook has been paused{since}. Its deliveries wait; none is lost.")
        }
        Condition::Disabled => format!(
            "The webhook has been disabled{since}, because its receiver had failed for too long or asked for it. Its deliveries wait until it is \
             resumed; none is lost."
        ),
        Condition::NoSubscription => {
            "No enabled subscription sends to the webhook, so it receives nothing.".to_owned()
        }
    }
}

/// The last outages of a webhook, whose reader may see it, newest first.
///
/// # Errors
/// If the store cannot be read.
pub async fn outages_of(node: &Node, webhook: &Webhook, most: u32) -> Result<Vec<Outage>, StoreError> {
    node.store.outages_of(webhook.id, most).await
}

/// The first line of the answer to an outage's last attempt, or why there was none, as far as this reader may see it.
///
/// # Errors
/// If the store cannot be read.
pub async fn last_line(
    node: &Node,
    visibility: Visibility,
    webhook: &Webhook,
    outage: &Outage,
) -> Result<Option<String>, StoreError> {
    let last = &outage.last;
    let delivery = match node.store.delivery(webhook.company_id, last.delivery_id).await {
        Ok(delivery) => delivery,
        // It is old, and is no longer kept.
        Err(StoreError::NotFound(_)) => return Ok(None),
        Err(error) => return Err(error),
    };
    if !visibility.sees(delivery.kind) {
        return Ok(None);
    }
    let attempts = node.store.attempts_of(last.delivery_id).await?;
    let attempt = attempts
        .into_iter()
        .find(|attempt| attempt.number == last.attempt_number);
    Ok(attempt.and_then(|attempt| first_line(&attempt, visibility, delivery.kind)))
}

/// The first line of what was answered to an attempt, or why there was no answer, as far as this reader may see it.
pub(crate) fn first_line(
    attempt: &Attempt,
    visibility: Visibility,
    kind: switchhook_domain::Kind,
) -> Option<String> {
    let body = attempt
        .answer
        .as_ref()
        .map(|answer| visibility.answer(kind, &answer.body_head));
    let said = body.unwrap_or_else(|| {
        let detail = attempt.detail().unwrap_or_default();
        visibility
            .mask
            .loose(&switchhook_domain::credential::shown_text(detail))
            .into_owned()
    });
    let line = said.lines().map(str::trim).find(|line| !line.is_empty())?;
    Some(shortened(line, LONGEST_LINE).into_owned())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use switchhook_domain::attempt::Failure;
    use switchhook_domain::id::{CompanyId, DeliveryId};
    use switchhook_domain::outage::LastFailure;

    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_790_000_000_000);

    #[test]
    fn the_text_says_what_fails_since_when_what_is_next_and_what_waits() {
        let webhook = Webhook::new(WebhookId(1), CompanyId(1), "https://example.com", NOW);
        let outage = Outage {
            since: NOW,
            until: None,
            attempts: 12,
            last: LastFailure {
                at: NOW,
                delivery_id: DeliveryId(1),
                attempt_number: 3,
                failure: Some(Failure::Status(500)),
            },
        };
        let open = Breaker::Open {
            since: NOW,
            probe_at: NOW,
            failures: 12,
        };
        let waiting = Waiting {
            count: MOST_COUNTED,
            is_more: true,
            oldest_at: Some(NOW),
        };
        let text = |quiet_until: Option<Timestamp>, now: Timestamp| {
            let next_try = NextTry::of(open, quiet_until, now);
            let health = judge(&webhook, (open, next_try), Some(outage.clone()), true, waiting);
            assert_eq!(health.condition, Condition::PausedByFailures);
            health.text.replace(&NOW.to_string(), "T")
        };
        let check = |quiet_until, now, next: &str| {
            let expected = format!(
                "The receiver has failed since T: 12 attempts in a row failed; at the last one it answered 500. {next} 10000 \
                 deliveries or more wait, the oldest since T."
            );
            assert_eq!(text(quiet_until, now), expected);
        };
        let sent = "when one succeeds, everything that waits is sent.";
        let before = NOW.minus(Duration::from_secs(1));
        check(
            None,
            before,
            &format!("One attempt is made now and then, the next at T; {sent}"),
        );
        let due = format!("One attempt is made now and then, the next as soon as a delivery is due; {sent}");
        check(None, NOW, &due);
        let quiet = "These are the webhook's quiet hours: nothing is sent until they end at T.";
        check(Some(NOW), before, quiet);
    }

    #[test]
    fn a_webhook_that_does_well_says_so_whatever_is_under_way() {
        let webhook = Webhook::new(WebhookId(1), CompanyId(1), "https://example.com", NOW);
        let waiting = Waiting {
            count: 3,
            is_more: false,
            oldest_at: Some(NOW),
        };
        let health = judge(
            &webhook,
            (Breaker::default(), NextTry::WhenDue),
            None,
            true,
            waiting,
        );
        assert_eq!(
            health.text,
            "The webhook is sent every event that its subscriptions ask for."
        );
        assert_eq!(health.waiting.in_words(), "3 deliveries wait");
    }
}
