//! What a subscription's scopes hide of the events that it lets through.

use super::Subscription;
use crate::clearance::Clearance;
use crate::redaction::Hidden;

impl Hidden {
    /// What `subscription` may not see of the events of its kind.
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

    /// What none of `subscriptions` may see. Without any subscription that is everything.
    #[must_use]
    pub fn of_all<'a>(subscriptions: impl IntoIterator<Item = &'a Subscription>) -> Self {
        subscriptions
            .into_iter()
            .map(Self::of)
            .fold(Self::EVERYTHING, Self::and)
    }
}
