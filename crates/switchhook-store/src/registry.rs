//! Filters and limits of subscriptions, and stored suspensions of webhooks.

use switchhook_domain::breaker::Breaker;
use switchhook_domain::id::{CompanyId, SubscriptionId, WebhookId};
use switchhook_domain::subscription::{Endpoint, Subscription};
use switchhook_domain::suspension::{Suspension, SuspensionReason};
use switchhook_domain::{Kind, Timestamp};
use switchhook_protocol::TargetType;

use crate::error::StoreError;

/// Reference to a subscription. It matches none of another company or kind.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SubscriptionRef {
    pub(crate) company_id: CompanyId,
    pub(crate) kind: Kind,
    pub(crate) id: SubscriptionId,
}

/// Filter for subscriptions.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SubscriptionFilter {
    pub kind: Option<Kind>,
    /// Only those narrowed to a target of this type.
    pub target_type: Option<TargetType>,
    /// Only those narrowed to the target with this id.
    pub target_id: Option<i64>,
    /// Only those that lead there.
    pub endpoint: Option<Endpoint>,
}

impl SubscriptionFilter {
    /// True if `subscription` matches.
    #[must_use]
    pub fn lets_through(&self, subscription: &Subscription) -> bool {
        let target = subscription.filter.target();
        self.kind.is_none_or(|kind| kind == subscription.filter.kind())
            && self
                .target_type
                .is_none_or(|wanted| target.is_some_and(|t| t.target_type == wanted))
            && self
                .target_id
                .is_none_or(|wanted| target.is_some_and(|t| t.target_id == wanted))
            && (self.endpoint.is_none() || self.endpoint == subscription.endpoint)
    }
}

/// Limits on the subscriptions of a company.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SubscriptionLimits {
    pub per_kind: u32,
    /// Of one kind, without a target.
    pub per_kind_without_target: u32,
}

/// Numbers of a company's subscriptions of one kind.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct SubscriptionCounts {
    pub(crate) all: u32,
    pub(crate) without_target: u32,
}

impl SubscriptionLimits {
    /// Refuses one more if there are this many of its kind.
    pub(crate) fn allow(self, new: &Subscription, counts: SubscriptionCounts) -> Result<(), StoreError> {
        let kind = new.filter.kind();
        let SubscriptionCounts { all, without_target } = counts;
        if all >= self.per_kind {
            return Err(StoreError::LimitReached(format!(
                "there are {all} {kind} subscriptions, and {} is the limit: delete one first",
                self.per_kind
            )));
        }
        if new.filter.target().is_none() && without_target >= self.per_kind_without_target {
            return Err(StoreError::LimitReached(format!(
                "there are {without_target} {kind} subscriptions without a target, and {} is the limit: give this one a \
                 target, or delete one first",
                self.per_kind_without_target
            )));
        }
        Ok(())
    }
}

/// A suspension of a webhook as it is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SuspensionRecord {
    pub webhook_id: WebhookId,
    pub suspension: Suspension,
    /// For a breaker: when the next attempt may be made.
    pub probe_at: Option<Timestamp>,
    /// For a breaker: failures in a row.
    pub failures: u32,
}

impl SuspensionRecord {
    /// The breaker that this suspension is, if it is one and lasts.
    #[must_use]
    pub fn breaker(&self) -> Option<Breaker> {
        let is_open_breaker =
            self.suspension.reason == SuspensionReason::Breaker && self.suspension.until.is_none();
        let probe_at = self.probe_at.filter(|_| is_open_breaker)?;
        Some(Breaker::Open {
            since: self.suspension.from,
            probe_at,
            failures: self.failures,
        })
    }
}
