//! Subscriptions: "send these events there".
//!
//! Owns the object, the filter of each kind and how a change applies. What a filter lets through is `matching.rs`.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use switchhook_protocol::{
    AgentType, CallStateFilter, ContactType, Kind, SmsDirection, TargetType, Timestamp,
};

use crate::filter::PayloadFilter;
use crate::id::{CompanyId, SubscriptionId, WebhookId, WebsocketId};
use crate::scope::Scopes;

mod hidden;
mod request;
mod version;

pub use request::{InvalidRequest, SubscriptionRequest};
pub use version::{Revision, StateAtRevision, SubscriptionVersion, VersionChange};

/// "Send these events there."
#[derive(Debug, Clone, PartialEq)]
pub struct Subscription {
    pub id: SubscriptionId,
    pub company_id: CompanyId,
    /// Webhook or websocket; `None` if that was deleted (an orphan delivers nothing) or never given.
    pub endpoint: Option<Endpoint>,
    pub enabled: bool,
    pub filter: Filter,
    /// Filter on the payload, in addition.
    pub payload_filter: Option<PayloadFilter>,
    /// The scopes of the key that made it: what its deliveries may show.
    pub scopes: Scopes,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

/// Destination of a subscription.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Endpoint {
    /// Events are posted there.
    Webhook(WebhookId),
    /// Whoever listens there is told.
    Websocket(WebsocketId),
}

impl Endpoint {
    /// The webhook, if it is one.
    #[must_use]
    pub const fn webhook_id(self) -> Option<WebhookId> {
        match self {
            Self::Webhook(id) => Some(id),
            Self::Websocket(_) => None,
        }
    }

    /// The websocket, if it is one.
    #[must_use]
    pub const fn websocket_id(self) -> Option<WebsocketId> {
        match self {
            Self::Webhook(_) => None,
            Self::Websocket(id) => Some(id),
        }
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Webhook(id) => write!(f, "webhook {id}"),
            Self::Websocket(id) => write!(f, "websocket {id}"),
        }
    }
}

/// An entity of the phone system: what a subscription is narrowed to, what an event is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct TargetRef {
    pub target_type: TargetType,
    /// Its id in the phone system.
    pub target_id: i64,
}

impl fmt::Display for TargetRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.target_type, self.target_id)
    }
}

/// Filter on events of one kind. Its JSON is what the database keeps; equal filters have equal JSON.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Filter {
    Call(CallFilter),
    Sms(SmsFilter),
    /// Agents' duty and availability.
    AgentStatus {
        /// Always `callcenter`.
        agent_type: AgentType,
    },
    /// Contacts created, updated, deleted.
    Contact {
        /// Local or shared ones.
        contact_type: ContactType,
    },
    /// Administrative changes.
    Changelog,
}

/// Filter on call events.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct CallFilter {
    /// Only these states; empty means every state.
    pub call_states: CallStateSet,
    pub group_calls_only: bool,
    /// Only this target's; `None` means the whole company's.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub target: Option<TargetRef>,
}

/// Filter on messages.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct SmsFilter {
    pub direction: SmsDirection,
    /// Also messages between two users of the company.
    pub include_internal: bool,
    /// Also updates of a message's delivery status.
    pub status: bool,
    /// Only this target's; `None` means the whole company's.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub target: Option<TargetRef>,
}

/// A set of call states to filter by, kept in the order of the one table of states.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(into = "Vec<CallStateFilter>", from = "Vec<CallStateFilter>")]
pub struct CallStateSet(u32);

impl CallStateSet {
    const fn bit(state: CallStateFilter) -> u32 {
        match state {
            CallStateFilter::All => 1,
            // 31 states: the last one has the last bit.
            CallStateFilter::State(state) => 2 << state as u32,
        }
    }

    /// True if the set contains `state` itself.
    #[must_use]
    pub const fn has(self, state: CallStateFilter) -> bool {
        self.0 & Self::bit(state) != 0
    }

    /// True if every state passes: the set is empty or contains `all`.
    #[must_use]
    pub const fn is_every_state(self) -> bool {
        self.0 == 0 || self.has(CallStateFilter::All)
    }

    /// The states of the set.
    pub fn iter(self) -> impl Iterator<Item = CallStateFilter> {
        CallStateFilter::ALL
            .iter()
            .copied()
            .filter(move |state| self.has(*state))
    }
}

impl FromIterator<CallStateFilter> for CallStateSet {
    fn from_iter<I: IntoIterator<Item = CallStateFilter>>(states: I) -> Self {
        Self(states.into_iter().fold(0, |bits, state| bits | Self::bit(state)))
    }
}

impl From<Vec<CallStateFilter>> for CallStateSet {
    fn from(states: Vec<CallStateFilter>) -> Self {
        states.into_iter().collect()
    }
}

impl From<CallStateSet> for Vec<CallStateFilter> {
    fn from(set: CallStateSet) -> Self {
        set.iter().collect()
    }
}

impl Filter {
    /// Filter in words: `hangup, missed of office 7, calls to groups only`.
    #[must_use]
    pub fn in_words(&self) -> String {
        let of = |target: Option<TargetRef>| {
            target.map_or_else(
                || "of the whole company".to_owned(),
                |target| format!("of {target}"),
            )
        };
        match self {
            Filter::Call(call) => {
                let states = if call.call_states.is_every_state() {
                    "every state".to_owned()
                } else {
                    let states: Vec<_> = call.call_states.iter().map(CallStateFilter::as_str).collect();
                    states.join(", ")
                };
                let groups = if call.group_calls_only {
                    ", calls to groups only"
                } else {
                    ""
                };
                format!("{states} {}{groups}", of(call.target))
            }
            Filter::Sms(sms) => {
                let mut parts = vec![match sms.direction.as_str() {
                    "all" => "both ways".to_owned(),
                    way => way.to_owned(),
                }];
                if sms.include_internal {
                    parts.push("internal ones too".to_owned());
                }
                if sms.status {
                    parts.push("with status updates".to_owned());
                }
                format!("{} {}", parts.join(", "), of(sms.target))
            }
            Filter::AgentStatus { .. } => "every agent".to_owned(),
            Filter::Contact { contact_type } => format!("{contact_type} contacts"),
            Filter::Changelog => "every change".to_owned(),
        }
    }

    /// The filters that together let every event of a kind through.
    #[must_use]
    pub fn everything_of(kind: Kind) -> Vec<Self> {
        match kind {
            Kind::Call => vec![Self::Call(CallFilter::default())],
            Kind::Sms => vec![Self::Sms(SmsFilter {
                direction: SmsDirection::All,
                include_internal: true,
                status: true,
                target: None,
            })],
            Kind::AgentStatus => AgentType::ALL
                .map(|agent_type| Self::AgentStatus { agent_type })
                .into(),
            Kind::Contact => ContactType::ALL
                .map(|contact_type| Self::Contact { contact_type })
                .into(),
            Kind::Changelog => vec![Self::Changelog],
            Kind::Unknown => Vec::new(),
        }
    }

    /// Members of the filter without its target, by their names in the API and the database.
    ///
    /// # Panics
    /// Never: a filter is a JSON object.
    #[must_use]
    pub fn members(&self) -> Map<String, Value> {
        let Ok(Value::Object(mut members)) = serde_json::to_value(self) else {
            unreachable!("a filter is a JSON object");
        };
        members.retain(|name, _| !matches!(name.as_str(), "kind" | "target"));
        members
    }

    /// True if filters of a kind have a member of this name in the API: `direction`, `target_id`.
    #[must_use]
    pub fn takes(kind: Kind, name: &str) -> bool {
        let is_of_target = matches!(name, "target_type" | "target_id");
        is_of_target && kind.has_target()
            || Self::everything_of(kind)
                .iter()
                .any(|filter| filter.members().contains_key(name))
    }

    /// The kind of event that the filter is about.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        match self {
            Self::Call(_) => Kind::Call,
            Self::Sms(_) => Kind::Sms,
            Self::AgentStatus { .. } => Kind::AgentStatus,
            Self::Contact { .. } => Kind::Contact,
            Self::Changelog => Kind::Changelog,
        }
    }

    /// The one target it is narrowed to.
    #[must_use]
    pub const fn target(&self) -> Option<TargetRef> {
        match self {
            Self::Call(CallFilter { target, .. }) | Self::Sms(SmsFilter { target, .. }) => *target,
            Self::AgentStatus { .. } | Self::Contact { .. } | Self::Changelog => None,
        }
    }
}

/// A change to a subscription; what is `None` stays.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct SubscriptionChange {
    /// Another webhook or websocket, or none any more.
    pub endpoint: Option<Option<Endpoint>>,
    /// In force or not.
    pub enabled: Option<bool>,
    pub filter: FilterChange,
    /// Another filter on the payload, or none any more.
    pub payload_filter: Option<Option<PayloadFilter>>,
}

/// A change to a filter: each part belongs to one or two kinds, the others do not look at it.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct FilterChange {
    /// New states of a call filter.
    pub call_states: Option<CallStateSet>,
    /// Calls: groups only, or all.
    pub group_calls_only: Option<bool>,
    /// New direction of a message filter.
    pub direction: Option<SmsDirection>,
    /// Messages: internal ones too.
    pub include_internal: Option<bool>,
    /// Messages: status updates too.
    pub status: Option<bool>,
    /// Contacts: the other type.
    pub contact_type: Option<ContactType>,
    /// Calls and messages: another target type, or none.
    pub target_type: Option<Option<TargetType>>,
    /// Calls and messages: another target id, or none.
    pub target_id: Option<Option<i64>>,
}

/// Reason for which a change cannot be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidChange {
    /// Half a target is none.
    #[error("target_type and target_id go together: set both, or clear both")]
    HalfATarget,
}

impl Subscription {
    /// The webhook that it points at, if it does.
    #[must_use]
    pub fn webhook_id(&self) -> Option<WebhookId> {
        self.endpoint?.webhook_id()
    }

    /// The websocket that it points at, if it does.
    #[must_use]
    pub fn websocket_id(&self) -> Option<WebsocketId> {
        self.endpoint?.websocket_id()
    }

    /// The subscription with `change` made at `now`.
    ///
    /// # Errors
    /// If the result would be narrowed to half a target.
    pub fn changed(mut self, change: SubscriptionChange, now: Timestamp) -> Result<Self, InvalidChange> {
        self.endpoint = change.endpoint.unwrap_or(self.endpoint);
        self.enabled = change.enabled.unwrap_or(self.enabled);
        self.filter = self.filter.changed(&change.filter)?;
        self.payload_filter = change.payload_filter.unwrap_or(self.payload_filter);
        self.updated_at = now;
        Ok(self)
    }
}

impl Filter {
    fn changed(mut self, change: &FilterChange) -> Result<Self, InvalidChange> {
        match &mut self {
            Self::Call(call) => {
                call.call_states = change.call_states.unwrap_or(call.call_states);
                call.group_calls_only = change.group_calls_only.unwrap_or(call.group_calls_only);
                call.target = changed_target(call.target, change)?;
            }
            Self::Sms(sms) => {
                sms.direction = change.direction.unwrap_or(sms.direction);
                sms.include_internal = change.include_internal.unwrap_or(sms.include_internal);
                sms.status = change.status.unwrap_or(sms.status);
                sms.target = changed_target(sms.target, change)?;
            }
            Self::Contact { contact_type } => {
                *contact_type = change.contact_type.unwrap_or(*contact_type);
            }
            Self::AgentStatus { .. } | Self::Changelog => {}
        }
        Ok(self)
    }
}

fn changed_target(
    target: Option<TargetRef>,
    change: &FilterChange,
) -> Result<Option<TargetRef>, InvalidChange> {
    let target_type = change.target_type.unwrap_or(target.map(|t| t.target_type));
    let target_id = change.target_id.unwrap_or(target.map(|t| t.target_id));
    match (target_type, target_id) {
        (Some(target_type), Some(target_id)) => Ok(Some(TargetRef {
            target_type,
            target_id,
        })),
        (None, None) => Ok(None),
        _ => Err(InvalidChange::HalfATarget),
    }
}

#[cfg(test)]
mod tests {
    use switchhook_protocol::CallState;

    use super::*;

    #[test]
    fn equal_filters_have_equal_json_whatever_the_order_they_were_written_in() {
        let one: CallStateSet = [CallState::Hangup, CallState::Ringing]
            .map(CallStateFilter::State)
            .into_iter()
            .collect();
        let two: CallStateSet = [CallState::Ringing, CallState::Hangup, CallState::Ringing]
            .map(CallStateFilter::State)
            .into_iter()
            .collect();
        assert_eq!(
            serde_json::to_string(&one).unwrap(),
            serde_json::to_string(&two).unwrap()
        );
    }

    #[test]
    fn every_state_has_a_bit_of_its_own() {
        let all: CallStateSet = CallStateFilter::ALL.iter().copied().collect();
        assert_eq!(all.iter().count(), 32);
        for state in CallStateFilter::ALL {
            let one: CallStateSet = [state].into_iter().collect();
            assert_eq!(one.iter().collect::<Vec<_>>(), [state]);
        }
    }

    #[test]
    fn no_state_and_all_mean_every_state() {
        assert!(CallStateSet::default().is_every_state());
        let hangup = CallStateFilter::State(CallState::Hangup);
        assert!(CallStateSet::from(vec![hangup, CallStateFilter::All]).is_every_state());
        assert!(!CallStateSet::from(vec![hangup]).is_every_state());
    }

    #[test]
    fn a_filter_reads_back_from_its_json() {
        let filter = Filter::Call(CallFilter {
            call_states: [CallStateFilter::State(CallState::Hangup)].into_iter().collect(),
            group_calls_only: true,
            target: Some(TargetRef {
                target_type: TargetType::Office,
                target_id: 7,
            }),
        });
        let json = serde_json::to_string(&filter).unwrap();
        assert_eq!(serde_json::from_str::<Filter>(&json).unwrap(), filter, "{json}");
    }

    #[test]
    fn each_kind_takes_its_own_members() {
        for (kind, members) in [
            (Kind::Call, "call_states group_calls_only target_type target_id"),
            (
                Kind::Sms,
                "direction include_internal status target_type target_id",
            ),
            (Kind::AgentStatus, "agent_type"),
            (Kind::Contact, "contact_type"),
            (Kind::Changelog, ""),
            (Kind::Unknown, ""),
        ] {
            let all = "call_states group_calls_only direction include_internal status agent_type contact_type kind target \
                       target_type target_id";
            let taken: Vec<_> = all.split(' ').filter(|name| Filter::takes(kind, name)).collect();
            assert_eq!(taken.join(" "), members, "{kind}");
        }
    }

    #[test]
    fn half_a_target_is_refused_and_both_halves_can_be_cleared() {
        let target = Some(TargetRef {
            target_type: TargetType::Office,
            target_id: 7,
        });
        let half = FilterChange {
            target_id: Some(None),
            ..FilterChange::default()
        };
        assert_eq!(changed_target(target, &half), Err(InvalidChange::HalfATarget));
        let both = FilterChange {
            target_id: Some(None),
            target_type: Some(None),
            ..FilterChange::default()
        };
        assert_eq!(changed_target(target, &both), Ok(None));
    }
}
