//! What lists of subscriptions can be narrowed to, and how many there may be.

use switchhook_domain::Kind;
use switchhook_domain::subscription::Subscription;
use switchhook_protocol::TargetType;

/// Which subscriptions.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SubscriptionFilter {
    /// Only this kind.
    pub kind: Option<Kind>,
    /// Only those narrowed to a target of this type.
    pub target_type: Option<TargetType>,
    /// Only those narrowed to the target with this id.
    pub target_id: Option<i64>,
}

impl SubscriptionFilter {
    /// Whether it lets `subscription` through.
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
    }
}

/// How many subscriptions a company may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SubscriptionLimits {
    /// Of one kind.
    pub per_kind: u32,
    /// Of one kind, without a target.
    pub per_kind_without_target: u32,
}
