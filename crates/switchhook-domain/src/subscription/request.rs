//! Request for a subscription: the fields of all kinds, of which each kind reads its own.
//!
//! This file decides which fields a kind needs to be created, and which a change may clear.

use switchhook_protocol::{AgentType, ContactType, Kind, SmsDirection, TargetType};

use crate::filter::PayloadFilter;

use super::{CallFilter, CallStateSet, Filter, FilterChange, SmsFilter, TargetRef};

/// A subscription to make or to change. Outer `None` was not said and leaves what is there; `Some(None)` clears.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct SubscriptionRequest {
    /// The id of the webhook or websocket to point at.
    pub endpoint_id: Option<Option<i64>>,
    /// In force or not.
    pub enabled: Option<Option<bool>>,
    /// Calls: only these states.
    pub call_states: Option<Option<CallStateSet>>,
    /// Calls: only those to groups.
    pub group_calls_only: Option<Option<bool>>,
    /// Direction, for messages.
    pub direction: Option<Option<SmsDirection>>,
    /// Messages: those between two users too.
    pub include_internal: Option<Option<bool>>,
    /// Messages: updates of their delivery status too.
    pub status: Option<Option<bool>>,
    /// Agent status: of which agents.
    pub agent_type: Option<Option<AgentType>>,
    /// Contacts: local or shared ones.
    pub contact_type: Option<Option<ContactType>>,
    /// Calls and messages: what the target is.
    pub target_type: Option<Option<TargetType>>,
    /// Calls and messages: the target's id.
    pub target_id: Option<Option<i64>>,
    /// Of every kind: only those in which this stands.
    pub payload_filter: Option<Option<PayloadFilter>>,
}

/// Reason for which a request cannot become a subscription.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidRequest {
    /// A field is missing.
    #[error("{0}")]
    Required(&'static str),
    /// A field that the kind must have cannot be cleared.
    #[error("{0} cannot be null: leave it out to keep it as it is")]
    NotClearable(&'static str),
    /// There are no subscriptions of this kind.
    #[error("there are no subscriptions of kind {0}")]
    NoSuchKind(Kind),
}

impl From<Filter> for SubscriptionRequest {
    /// A request for a subscription with this filter.
    fn from(filter: Filter) -> Self {
        let mut request = Self::default();
        if let Some(target) = filter.target() {
            request.target_type = Some(Some(target.target_type));
            request.target_id = Some(Some(target.target_id));
        }
        match filter {
            Filter::Call(calls) => {
                request.call_states = Some(Some(calls.call_states));
                request.group_calls_only = Some(Some(calls.group_calls_only));
            }
            Filter::Sms(messages) => {
                request.direction = Some(Some(messages.direction));
                request.include_internal = Some(Some(messages.include_internal));
                request.status = Some(Some(messages.status));
            }
            Filter::AgentStatus { agent_type } => request.agent_type = Some(Some(agent_type)),
            Filter::Contact { contact_type } => request.contact_type = Some(Some(contact_type)),
            Filter::Changelog => {}
        }
        request
    }
}

impl SubscriptionRequest {
    /// The filter of a new subscription of this kind.
    ///
    /// # Errors
    /// If a field is missing that the kind must have.
    pub fn filter(&self, kind: Kind) -> Result<Filter, InvalidRequest> {
        match kind {
            Kind::Call => Ok(Filter::Call(CallFilter {
                call_states: self.call_states.flatten().unwrap_or_default(),
                group_calls_only: self.group_calls_only.flatten().unwrap_or_default(),
                target: self.target()?,
            })),
            Kind::Sms => Ok(Filter::Sms(SmsFilter {
                direction: required(self.direction, "direction is required: all, inbound or outbound")?,
                include_internal: self.include_internal.flatten().unwrap_or_default(),
                status: self.status.flatten().unwrap_or_default(),
                target: self.target()?,
            })),
            Kind::AgentStatus => Ok(Filter::AgentStatus {
                agent_type: required(
                    self.agent_type,
                    "agent_type is required: callcenter is the one there is",
                )?,
            }),
            Kind::Contact => Ok(Filter::Contact {
                contact_type: required(self.contact_type, "contact_type is required: local or shared")?,
            }),
            Kind::Changelog => Ok(Filter::Changelog),
            Kind::Unknown => Err(InvalidRequest::NoSuchKind(kind)),
        }
    }

    /// Change to the filter of a subscription of this kind.
    ///
    /// # Errors
    /// If it clears a required field. A change of contacts must name their type, as in Dialpad's API.
    pub fn change(&self, kind: Kind) -> Result<FilterChange, InvalidRequest> {
        let mut change = FilterChange::default();
        match kind {
            Kind::Call => {
                change.call_states = self.call_states.map(Option::unwrap_or_default);
                change.group_calls_only = self.group_calls_only.map(Option::unwrap_or_default);
            }
            Kind::Sms => {
                change.direction = not_null(self.direction, "direction")?;
                change.include_internal = self.include_internal.map(Option::unwrap_or_default);
                change.status = self.status.map(Option::unwrap_or_default);
            }
            Kind::AgentStatus => _ = not_null(self.agent_type, "agent_type")?,
            Kind::Contact => {
                let needed = "contact_type is required, also for a change: local or shared";
                change.contact_type = Some(required(self.contact_type, needed)?);
            }
            Kind::Changelog => {}
            Kind::Unknown => return Err(InvalidRequest::NoSuchKind(kind)),
        }
        if kind.has_target() {
            change.target_type = self.target_type;
            change.target_id = self.target_id;
        }
        Ok(change)
    }

    /// The target of a new subscription: both parts or none.
    fn target(&self) -> Result<Option<TargetRef>, InvalidRequest> {
        match (self.target_type.flatten(), self.target_id.flatten()) {
            (Some(target_type), Some(target_id)) => Ok(Some(TargetRef {
                target_type,
                target_id,
            })),
            (None, None) => Ok(None),
            (Some(_), None) => Err(InvalidRequest::Required(
                "target_id is required with a target_type: send both, or neither for the whole company",
            )),
            (None, Some(_)) => Err(InvalidRequest::Required(
                "target_type is required with a target_id: send both, or neither for the whole company",
            )),
        }
    }
}

fn required<T>(field: Option<Option<T>>, message: &'static str) -> Result<T, InvalidRequest> {
    field.flatten().ok_or(InvalidRequest::Required(message))
}

fn not_null<T>(field: Option<Option<T>>, name: &'static str) -> Result<Option<T>, InvalidRequest> {
    match field {
        Some(None) => Err(InvalidRequest::NotClearable(name)),
        field => Ok(field.flatten()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_asks_for_the_fields_that_it_must_have() {
        let nothing = SubscriptionRequest::default();
        for (kind, missing) in [
            (Kind::Call, None),
            (Kind::Sms, Some("direction is required")),
            (Kind::AgentStatus, Some("agent_type is required")),
            (Kind::Contact, Some("contact_type is required: local")),
            (Kind::Changelog, None),
            (Kind::Unknown, Some("there are no subscriptions of kind unknown")),
        ] {
            match (nothing.filter(kind), missing) {
                (Ok(filter), None) => assert_eq!(filter.kind(), kind),
                (Err(error), Some(missing)) => assert!(error.to_string().starts_with(missing), "{error}"),
                (other, _) => panic!("{kind}: {other:?}"),
            }
        }
    }

    #[test]
    fn a_request_for_a_filter_makes_that_filter() {
        let narrowed = Filter::Call(CallFilter {
            group_calls_only: true,
            target: Some(TargetRef {
                target_type: TargetType::Office,
                target_id: 7,
            }),
            ..CallFilter::default()
        });
        let all = Kind::ALL.into_iter().flat_map(Filter::everything_of);
        for filter in all.chain([narrowed]) {
            let request = SubscriptionRequest::from(filter.clone());
            assert_eq!(request.filter(filter.kind()), Ok(filter));
        }
    }

    #[test]
    fn half_a_target_is_none() {
        let typed = SubscriptionRequest {
            target_type: Some(Some(TargetType::Office)),
            ..SubscriptionRequest::default()
        };
        let error = typed.filter(Kind::Call).unwrap_err().to_string();
        assert!(error.starts_with("target_id is required"), "{error}");
        assert_eq!(typed.filter(Kind::Changelog), Ok(Filter::Changelog));
    }

    #[test]
    fn null_clears_what_is_optional_and_nothing_else() {
        let null = SubscriptionRequest {
            call_states: Some(None),
            direction: Some(None),
            agent_type: Some(None),
            contact_type: Some(None),
            target_id: Some(None),
            ..SubscriptionRequest::default()
        };
        let cleared = null.change(Kind::Call).unwrap();
        assert_eq!(
            (cleared.call_states, cleared.target_id),
            (Some(CallStateSet::default()), Some(None))
        );
        for (kind, message) in [
            (Kind::Sms, "direction cannot be null"),
            (Kind::AgentStatus, "agent_type cannot be null"),
            (Kind::Contact, "contact_type is required, also for a change"),
        ] {
            let error = null.change(kind).unwrap_err().to_string();
            assert!(error.starts_with(message), "{error}");
        }
    }
}
