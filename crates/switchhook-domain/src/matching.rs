//! Matching: which subscriptions want an event, and why the others do not.
//!
//! Owns the rule ([`judge`]), its index ([`CompanyIndex`]), which says the same for all subscriptions of a company at
//! the cost of the matching ones, and the answer to why something was not sent ([`PastDecision`]). What an event says of itself is `event.rs`; what a match may see is `redaction.rs`.

use switchhook_protocol::{CallStateFilter, ContactType, Direction, SmsDirection, spelled_enum};

use crate::event::{EventDetail, EventFacts, PayloadState};
use crate::filter::ParsedContent;
use crate::redaction::Hidden;
use crate::subscription::{CallFilter, Filter, SmsFilter, Subscription, TargetRef};

mod explain;
mod index;

pub use explain::PastDecision;
pub use index::{CompanyIndex, Match};

/// Verdict of a subscription on an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Verdict {
    /// The event is sent.
    Matches,
    /// Do not, and why.
    PassedOver(Reason),
}

spelled_enum! {
    /// A verdict, as it is shown.
    pub enum VerdictName: "verdict" {
        /// A delivery was made.
        Sent = "sent",
        /// Whoever listened at its websocket was told.
        Told = "told",
        /// It did not ask for the event.
        PassedOver = "passed_over",
    }
}

impl Verdict {
    #[must_use]
    pub const fn name(self) -> VerdictName {
        match self {
            Self::Matches => VerdictName::Sent,
            Self::PassedOver(Reason::Websocket) => VerdictName::Told,
            Self::PassedOver(_) => VerdictName::PassedOver,
        }
    }
}

spelled_enum! {
    /// Reason for which a subscription passed over an event: the first that applies, in this order.
    pub enum Reason: "reason" {
        /// It was made after the event was accepted.
        CreatedAfterwards = "created_afterwards",
        /// It was deleted before the event was accepted.
        DeletedBefore = "deleted_before",
        /// The event was a test for one webhook, whatever is subscribed.
        TestEvent = "test_event",
        /// It is for another kind of event.
        OtherKind = "other_kind",
        /// It is not enabled.
        Disabled = "disabled",
        /// It has no webhook to send to, and no websocket to tell.
        NoWebhook = "no_webhook",
        /// It is narrowed to a target that the event is not about.
        OtherTarget = "other_target",
        /// The call's state is not in its list.
        StateNotInList = "state_not_in_list",
        /// It is for group calls.
        NotAGroupCall = "not_a_group_call",
        /// It is for messages that go the other way.
        OtherDirection = "other_direction",
        /// It does not ask for status updates of messages.
        StatusUpdatesOff = "status_updates_off",
        /// It does not ask for messages between users of the company.
        InternalMessagesOff = "internal_messages_off",
        /// It is for the other type of contacts.
        OtherContactType = "other_contact_type",
        /// Its filter on the payload does not let it through.
        Filter = "filter",
        /// The event's payload is no longer kept: what its filter says to it cannot be told any more.
        PayloadGone = "payload_gone",
        /// It asked for the event, but its webhook was being created or deleted at that moment.
        WebhookGone = "webhook_gone",
        /// It asked for the event, for whoever listened at its websocket: that makes no delivery.
        Websocket = "websocket",
    }
}

impl Reason {
    /// The reason with the particulars of a subscription and an event, as a sentence about the subscription.
    #[must_use]
    pub fn explain(self, subscription: &Subscription, facts: &EventFacts) -> String {
        match (self, &subscription.filter, &facts.detail) {
            (Self::OtherKind, filter, _) => {
                format!(
                    "it is for events of kind {}, this one is of kind {}",
                    filter.kind(),
                    facts.kind()
                )
            }
            (
                Self::OtherTarget,
                filter,
                EventDetail::Call { targets, .. } | EventDetail::Sms { targets, .. },
            ) => other_target(filter.target(), targets),
            (Self::StateNotInList, Filter::Call(filter), EventDetail::Call { state, .. }) => {
                other_state(filter, state.as_ref())
            }
            (Self::OtherDirection, Filter::Sms(filter), EventDetail::Sms { direction, .. }) => {
                let way = direction.map_or("of no known direction", Direction::as_str);
                format!("its direction is {}, this message is {way}", filter.direction)
            }
            (Self::OtherContactType, Filter::Contact { contact_type }, _) => {
                format!("its contact_type is {contact_type}, this contact is of the other type")
            }
            _ => self.in_words().to_owned(),
        }
    }
}

impl Reason {
    /// The reason as a sentence about the subscription.
    #[must_use]
    pub const fn in_words(self) -> &'static str {
        match self {
            Self::CreatedAfterwards => "it was created after this event was accepted",
            Self::DeletedBefore => "it was deleted before this event was accepted",
            Self::TestEvent => "this is a test event, for one webhook only, whatever is subscribed",
            Self::OtherKind => "it is for another kind of event",
            Self::Disabled => "it is disabled",
            Self::NoWebhook => "it has no webhook and no websocket: set its endpoint_id to one",
            Self::OtherTarget => "its target is not one of this event's",
            Self::StateNotInList => "its call_states do not include this call's state",
            Self::NotAGroupCall => "it has group_calls_only, and this call went to no group",
            Self::OtherDirection => "its direction is not this message's",
            Self::StatusUpdatesOff => "this is a status update of a message, and its status is false",
            Self::InternalMessagesOff => {
                "this message is between two users of the company, and its include_internal is false"
            }
            Self::OtherContactType => "its contact_type is not this contact's",
            Self::Filter => "its filter does not let this event through",
            Self::PayloadGone => {
                "this event's payload is no longer kept: whether its filter let it through cannot be told"
            }
            Self::WebhookGone => {
                "it asked for this event, but its webhook was being created or deleted at that moment"
            }
            Self::Websocket => {
                "the subscription matches and points to a websocket: connected listeners got the event, and no delivery is made"
            }
        }
    }
}

fn other_state(filter: &CallFilter, state: Option<&PayloadState>) -> String {
    let names: Vec<_> = filter.call_states.iter().map(CallStateFilter::as_str).collect();
    let names = names.join(", ");
    match state {
        Some(state) => format!("its call_states ({names}) do not include {state}"),
        None => format!("its call_states are {names}, and this call has no state"),
    }
}

fn other_target(wanted: Option<TargetRef>, targets: &[TargetRef]) -> String {
    let wanted = wanted.map_or_else(|| "none".to_owned(), |target| target.to_string());
    let targets: Vec<_> = targets.iter().map(TargetRef::to_string).collect();
    if targets.is_empty() {
        return format!("its target is {wanted}, and this event has none that can be matched");
    }
    format!(
        "its target is {wanted}, this event is about {}",
        targets.join(", ")
    )
}

/// Decides whether `subscription` wants the event, of which `looks` shows the bytes.
///
/// That the two belong to the same company, and which was there first, is for the caller to see to.
#[must_use]
pub fn judge(subscription: &Subscription, facts: &EventFacts, looks: &ParsedContent<'_, '_>) -> Verdict {
    let refused = || (!filter_holds(subscription, looks)).then_some(Reason::Filter);
    match reason_against(subscription, facts).or_else(refused) {
        Some(reason) => Verdict::PassedOver(reason),
        None => Verdict::Matches,
    }
}

/// True if its payload filter lets the event through, as far as the subscription may see the event.
fn filter_holds(subscription: &Subscription, looks: &ParsedContent<'_, '_>) -> bool {
    let Some(filter) = &subscription.payload_filter else {
        return true;
    };
    let event = looks.without(Hidden::of(subscription));
    event.is_some_and(|event| filter.lets_through(event))
}

fn reason_against(subscription: &Subscription, facts: &EventFacts) -> Option<Reason> {
    if subscription.filter.kind() != facts.kind() {
        return Some(Reason::OtherKind);
    }
    if !subscription.enabled {
        return Some(Reason::Disabled);
    }
    if subscription.endpoint.is_none() {
        return Some(Reason::NoWebhook);
    }
    if subscription
        .filter
        .target()
        .is_some_and(|target| !facts.targets().contains(&target))
    {
        return Some(Reason::OtherTarget);
    }
    reason_of_facet(&subscription.filter, &facts.detail)
        .or_else(|| ExtraConditions::of(&subscription.filter).unmet_by(&facts.detail))
}

/// Conditions of the index, checked one by one.
fn reason_of_facet(filter: &Filter, detail: &EventDetail) -> Option<Reason> {
    match (filter, detail) {
        (Filter::Call(filter), EventDetail::Call { state, .. }) => {
            let has = |state| filter.call_states.has(CallStateFilter::State(state));
            let is_in_list = filter.call_states.is_every_state()
                || matches!(state, Some(PayloadState::Known(state)) if has(*state));
            (!is_in_list).then_some(Reason::StateNotInList)
        }
        (Filter::Sms(filter), EventDetail::Sms { direction, .. }) => {
            let is_this_way = match filter.direction {
                SmsDirection::All => true,
                SmsDirection::Inbound => *direction == Some(Direction::Inbound),
                SmsDirection::Outbound => *direction == Some(Direction::Outbound),
            };
            (!is_this_way).then_some(Reason::OtherDirection)
        }
        (Filter::Contact { contact_type }, EventDetail::Contact { is_local }) => {
            ((*contact_type == ContactType::Local) != *is_local).then_some(Reason::OtherContactType)
        }
        _ => None,
    }
}

/// Conditions of a subscription beyond the index: few events pass the look-up and fail here.
#[derive(Debug, Clone, Copy)]
struct ExtraConditions {
    group_calls_only: bool,
    no_status_updates: bool,
    no_internal_messages: bool,
}

impl ExtraConditions {
    const NONE: Self = Self {
        group_calls_only: false,
        no_status_updates: false,
        no_internal_messages: false,
    };

    const fn of(filter: &Filter) -> Self {
        match filter {
            Filter::Call(CallFilter { group_calls_only, .. }) => Self {
                group_calls_only: *group_calls_only,
                ..Self::NONE
            },
            Filter::Sms(SmsFilter {
                include_internal,
                status,
                ..
            }) => Self {
                no_status_updates: !*status,
                no_internal_messages: !*include_internal,
                ..Self::NONE
            },
            Filter::AgentStatus { .. } | Filter::Contact { .. } | Filter::Changelog => Self::NONE,
        }
    }

    const fn unmet_by(self, detail: &EventDetail) -> Option<Reason> {
        match *detail {
            EventDetail::Call {
                is_group_call: false, ..
            } if self.group_calls_only => Some(Reason::NotAGroupCall),
            EventDetail::Sms {
                is_status_update: true,
                ..
            } if self.no_status_updates => Some(Reason::StatusUpdatesOff),
            EventDetail::Sms {
                is_internal: true, ..
            } if self.no_internal_messages => Some(Reason::InternalMessagesOff),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests;
