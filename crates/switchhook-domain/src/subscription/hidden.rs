//! Parts of events that a subscription's scopes hide.

use super::Subscription;
use crate::clearance::Clearance;
use crate::redaction::Hidden;

impl Hidden {
    /// Parts of events of its kind that `subscription` may not see.
    #[must_use]
    pub fn of(subscription: &Subscription) -> Self {
        let clearance = Clearance {
            scopes: subscription.scopes,
            ..Clearance::NONE
        };
        let kind = subscription.filter.kind();
        match subscription.filter.target() {
            // One that is narrowed to a target needs less.
            Some(_) => clearance.hidden_by_subscription(kind),
            None => clearance.hidden(kind),
        }
    }

    /// Parts that none of `subscriptions` may see. Without subscriptions, that is all of them.
    #[must_use]
    pub fn of_all<'a>(subscriptions: impl IntoIterator<Item = &'a Subscription>) -> Self {
        subscriptions
            .into_iter()
            .map(Self::of)
            .fold(Self::EVERYTHING, Self::and)
    }
}
