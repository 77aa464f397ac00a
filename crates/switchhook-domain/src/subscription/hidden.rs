//! What a subscription's scopes hide of the events that it lets through.

use super::{Filter, Subscription};
use crate::redaction::Hidden;
use crate::scope::Scope;

impl Hidden {
    /// What `subscription` may not see of the events of its kind.
    #[must_use]
    pub const fn of(subscription: &Subscription) -> Self {
        let scopes = subscription.scopes;
        match &subscription.filter {
            Filter::Call(_) => Self {
                recordings: !scopes.has(Scope::RecordingsExport),
                message_text: false,
            },
            Filter::Sms(sms) => {
                let shows = scopes.has(Scope::MessageContentExportAll)
                    || sms.target.is_some() && scopes.has(Scope::MessageContentExport);
                Self {
                    recordings: false,
                    message_text: !shows,
                }
            }
            Filter::AgentStatus { .. } | Filter::Contact { .. } | Filter::Changelog => Self::NOTHING,
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
