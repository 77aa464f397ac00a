//! The condition of a webhook: how it does, in one word that is the same wherever it is shown.

use switchhook_protocol::{Timestamp, spelled_enum};

use super::Webhook;
use crate::breaker::Breaker;
use crate::outage::Outage;

spelled_enum! {
    /// Condition of a webhook.
    pub enum Condition: "condition of a webhook" {
        /// It is sent to, and its receiver takes what comes.
        Active = "active",
        /// Every attempt fails, and is still made when it is due.
        Failing = "failing",
        /// So many attempts failed in a row that only one is made now and then.
        PausedByFailures = "paused_by_failures",
        /// Somebody paused it.
        Paused = "paused",
        /// It was paused because its receiver had failed for too long or asked for it.
        Disabled = "disabled",
        /// No subscription that is enabled sends to it.
        NoSubscription = "no_subscription",
    }
}

/// Severity of a condition.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// All is well.
    Fine,
    /// Nothing is sent, and somebody may have meant it so.
    Waiting,
    /// Something is wrong.
    Wrong,
}

impl Condition {
    /// Condition from a webhook's row, breaker, outage and subscriptions.
    #[must_use]
    pub fn of(webhook: &Webhook, breaker: Breaker, outage: Option<&Outage>, is_subscribed: bool) -> Self {
        let is_failing = outage.is_some_and(|outage| outage.until.is_none());
        if let Some(paused) = Self::of_paused(webhook) {
            paused
        } else if breaker.is_open() {
            Self::PausedByFailures
        } else if is_failing {
            Self::Failing
        } else if !is_subscribed {
            Self::NoSubscription
        } else {
            Self::Active
        }
    }

    /// Condition of a webhook that nothing is sent to until it is resumed; `None` for others.
    #[must_use]
    pub const fn of_paused(webhook: &Webhook) -> Option<Self> {
        match (webhook.disabled_at, webhook.paused_at) {
            (Some(_), _) => Some(Self::Disabled),
            (None, Some(_)) => Some(Self::Paused),
            (None, None) => None,
        }
    }

    /// Since when, as far as that is known.
    #[must_use]
    pub fn since(self, webhook: &Webhook, breaker: Breaker, outage: Option<&Outage>) -> Option<Timestamp> {
        let failing_since = outage.map(|outage| outage.since);
        match (self, breaker) {
            (Self::Disabled, _) => webhook.disabled_at,
            (Self::Paused, _) => webhook.paused_at,
            (Self::PausedByFailures, Breaker::Open { since, .. }) => failing_since.or(Some(since)),
            (Self::Failing | Self::PausedByFailures, _) => failing_since,
            (Self::Active | Self::NoSubscription, _) => None,
        }
    }

    /// The condition in words: `paused by failures`.
    #[must_use]
    pub const fn in_words(self) -> &'static str {
        match self {
            Self::PausedByFailures => "paused by failures",
            Self::NoSubscription => "no subscription",
            Self::Active | Self::Failing | Self::Paused | Self::Disabled => self.as_str(),
        }
    }

    #[must_use]
    pub const fn severity(self) -> Severity {
        match self {
            Self::Active => Severity::Fine,
            Self::Paused | Self::NoSubscription => Severity::Waiting,
            Self::Failing | Self::PausedByFailures | Self::Disabled => Severity::Wrong,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attempt::Failure;
    use crate::id::{CompanyId, DeliveryId, WebhookId};
    use crate::outage::LastFailure;

    const NOW: Timestamp = Timestamp::from_millis(1_790_000_000_000);
    const BEFORE: Timestamp = Timestamp::from_millis(1_780_000_000_000);

    #[test]
    fn the_worst_reason_why_nothing_arrives_is_the_condition() {
        let open = Breaker::Open {
            since: NOW,
            probe_at: NOW,
            failures: 10,
        };
        let outage = Outage {
            since: BEFORE,
            until: None,
            attempts: 10,
            last: LastFailure {
                at: NOW,
                delivery_id: DeliveryId(1),
                attempt_number: 1,
                failure: Some(Failure::Status(500)),
            },
        };
        let over = Outage {
            until: Some(NOW),
            ..outage.clone()
        };
        let active = Webhook::new(WebhookId(1), CompanyId(1), "https://example.com", BEFORE);
        let paused = Webhook {
            paused_at: Some(NOW),
            ..active.clone()
        };
        let disabled = Webhook {
            disabled_at: Some(NOW),
            ..paused.clone()
        };
        let closed = Breaker::default();
        for (webhook, breaker, outage, is_subscribed, condition, since) in [
            (
                &disabled,
                open,
                Some(&outage),
                false,
                Condition::Disabled,
                Some(NOW),
            ),
            (&paused, open, Some(&outage), false, Condition::Paused, Some(NOW)),
            (
                &active,
                open,
                Some(&outage),
                false,
                Condition::PausedByFailures,
                Some(BEFORE),
            ),
            (&active, open, None, false, Condition::PausedByFailures, Some(NOW)),
            (
                &active,
                closed,
                Some(&outage),
                false,
                Condition::Failing,
                Some(BEFORE),
            ),
            (
                &active,
                closed,
                Some(&over),
                false,
                Condition::NoSubscription,
                None,
            ),
            (&active, closed, None, true, Condition::Active, None),
        ] {
            let found = Condition::of(webhook, breaker, outage, is_subscribed);
            assert_eq!(found, condition);
            assert_eq!(found.since(webhook, breaker, outage), since, "{condition}");
        }
    }
}
