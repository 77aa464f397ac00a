//! A subscription of whatever kind: shown, and read back.

use serde::de::Error;
use serde::{Deserialize, Serialize};
use switchhook_domain::Kind;
use switchhook_domain::subscription::{Filter, Subscription, TargetRef};
use switchhook_protocol::TargetType;
use utoipa::ToSchema;

use super::SubscriptionResource;
use super::agent_status::{AgentStatusSubscription, AgentStatusSubscriptions};
use super::call::{CallSubscription, CallSubscriptions};
use super::changelog::{ChangelogSubscription, ChangelogSubscriptions};
use super::contact::{ContactSubscription, ContactSubscriptions};
use super::sms::{SmsSubscription, SmsSubscriptions};
use crate::api::endpoint::EndpointAnswer;
use switchhook_ingress::id::IdText;

/// Fields that a kind adds.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(untagged)]
pub enum AnySubscription {
    Call(CallSubscription),
    Sms(SmsSubscription),
    AgentStatus(AgentStatusSubscription),
    Contact(ContactSubscription),
    Changelog(ChangelogSubscription),
}

impl AnySubscription {
    pub(crate) fn of(subscription: &Subscription, endpoint: EndpointAnswer) -> Self {
        match subscription.filter.kind() {
            Kind::Sms => Self::Sms(SmsSubscriptions::answer(subscription, endpoint)),
            Kind::AgentStatus => Self::AgentStatus(AgentStatusSubscriptions::answer(subscription, endpoint)),
            Kind::Contact => Self::Contact(ContactSubscriptions::answer(subscription, endpoint)),
            Kind::Changelog => Self::Changelog(ChangelogSubscriptions::answer(subscription, endpoint)),
            Kind::Call | Kind::Unknown => Self::Call(CallSubscriptions::answer(subscription, endpoint)),
        }
    }

    /// Reads what a server answered about a subscription of a kind.
    ///
    /// # Errors
    /// If the answer is something else.
    pub fn read(kind: Kind, json: &str) -> serde_json::Result<Self> {
        match kind {
            Kind::Call => serde_json::from_str(json).map(Self::Call),
            Kind::Sms => serde_json::from_str(json).map(Self::Sms),
            Kind::AgentStatus => serde_json::from_str(json).map(Self::AgentStatus),
            Kind::Contact => serde_json::from_str(json).map(Self::Contact),
            Kind::Changelog => serde_json::from_str(json).map(Self::Changelog),
            Kind::Unknown => Err(Error::custom("nothing subscribes to unknown events")),
        }
    }

    /// Filter of its events.
    #[must_use]
    pub fn filter(&self) -> Filter {
        match self {
            Self::Call(call) => CallSubscriptions::filter(call),
            Self::Sms(sms) => SmsSubscriptions::filter(sms),
            Self::AgentStatus(agent_status) => AgentStatusSubscriptions::filter(agent_status),
            Self::Contact(contact) => ContactSubscriptions::filter(contact),
            Self::Changelog(changelog) => ChangelogSubscriptions::filter(changelog),
        }
    }

    #[must_use]
    pub const fn id(&self) -> IdText {
        match self {
            Self::Call(CallSubscription { id, .. })
            | Self::Sms(SmsSubscription { id, .. })
            | Self::AgentStatus(AgentStatusSubscription { id, .. })
            | Self::Contact(ContactSubscription { id, .. })
            | Self::Changelog(ChangelogSubscription { id, .. }) => *id,
        }
    }

    #[must_use]
    pub const fn is_enabled(&self) -> bool {
        match self {
            Self::Call(CallSubscription { enabled, .. })
            | Self::Sms(SmsSubscription { enabled, .. })
            | Self::AgentStatus(AgentStatusSubscription { enabled, .. })
            | Self::Contact(ContactSubscription { enabled, .. })
            | Self::Changelog(ChangelogSubscription { enabled, .. }) => *enabled,
        }
    }

    /// Webhook or websocket that it points to.
    #[must_use]
    pub const fn endpoint(&self) -> &EndpointAnswer {
        match self {
            Self::Call(CallSubscription { endpoint, .. })
            | Self::Sms(SmsSubscription { endpoint, .. })
            | Self::AgentStatus(AgentStatusSubscription { endpoint, .. })
            | Self::Contact(ContactSubscription { endpoint, .. })
            | Self::Changelog(ChangelogSubscription { endpoint, .. }) => endpoint,
        }
    }
}

/// The target that two members name.
pub(super) fn target(target_type: Option<TargetType>, target_id: Option<IdText>) -> Option<TargetRef> {
    Some(TargetRef {
        target_type: target_type?,
        target_id: target_id?.0,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Servers of other versions, and Dialpad, may say more, or leave out what is false.
    #[track_caller]
    fn check(kind: Kind, json: &str, words: &str) {
        let subscription = AnySubscription::read(kind, json).unwrap();
        assert_eq!(subscription.filter().kind(), kind);
        assert_eq!(subscription.filter().in_words(), words);
        assert_eq!(subscription.id(), IdText(5));
        assert!(subscription.is_enabled());
        let webhook = subscription.endpoint().webhook();
        assert_eq!(webhook.map(|webhook| webhook.id), Some(IdText(7)));
    }

    #[test]
    fn a_subscription_is_read_as_it_is_shown() {
        const REST: &str =
            r#""enabled": true, "id": "5", "new": 1, "webhook": {"hook_url": "http://a.example", "id": "7"}"#;
        check(
            Kind::Call,
            &format!(
                r#"{{"call_states": ["hangup"], "group_calls_only": true, "target_type": "office", "target_id": "9", {REST}}}"#
            ),
            "hangup of office 9, calls to groups only",
        );
        check(
            Kind::Call,
            &format!("{{{REST}}}"),
            "every state of the whole company",
        );
        check(
            Kind::Sms,
            &format!(r#"{{"direction": "inbound", "status": true, {REST}}}"#),
            "inbound, with status updates of the whole company",
        );
        check(
            Kind::AgentStatus,
            &format!(r#"{{"agent_type": "callcenter", {REST}}}"#),
            "every agent",
        );
        check(
            Kind::Contact,
            &format!(r#"{{"contact_type": "shared", {REST}}}"#),
            "shared contacts",
        );
        check(Kind::Changelog, &format!("{{{REST}}}"), "every change");
    }
}
