//! Schemas of members that are one of some words, for the OpenAPI document.
//!
//! The words themselves are the protocol's and the domain's.

use switchhook_domain::Kind;
use switchhook_domain::attempt::{FailureReason, OutcomeClass};
use switchhook_domain::breaker::BreakerState;
use switchhook_domain::dead_letter::Resolution;
use switchhook_domain::delivery::{StateName, WaitingFor};
use switchhook_domain::matching::VerdictName;
use switchhook_domain::notification::{ChannelType, NotificationKind, SendState};
use switchhook_domain::replay::ReplayStateName;
use switchhook_domain::retry::Profile;
use switchhook_domain::webhook::Condition;
use switchhook_protocol::{AgentType, CallStateFilter, ContactType, SmsDirection, TargetType};
use utoipa::openapi::schema::{Array, ArrayBuilder, Object, ObjectBuilder, SchemaType, Type};

macro_rules! words {
    ($($name:ident $(, $or_null:ident)?: $all:expr, $spelling:path, $description:literal;)+) => {$(
        pub fn $name() -> Object {
            one_of($all.iter().copied().map($spelling), $description)
        }

        $(pub fn $or_null() -> Object {
            one_of_or_null($all.iter().copied().map($spelling), $description)
        })?
    )+};
}

words! {
    target_type, target_type_or_null: TargetType::ALL, TargetType::as_str, "Type of the target.";
    direction, direction_or_null: SmsDirection::ALL, SmsDirection::as_str, "Direction of the messages.";
    contact_type, contact_type_or_null: ContactType::ALL, ContactType::as_str, "Type of the contacts.";
    agent_type, agent_type_or_null: AgentType::ALL, AgentType::as_str, "Always `callcenter`.";
    breaker_state: BreakerState::ALL, BreakerState::as_str, "State of the breaker; `probing`: the next attempt is due.";
    verdict: VerdictName::ALL, VerdictName::as_str, "Verdict: `told` if it points at a websocket, for which no delivery is made.";
    send_state: SendState::ALL, SendState::as_str, "State of the notification.";
    profile: Profile::ALL, Profile::as_str, "Retry rules.";
    state: StateName::ALL, StateName::as_str, "State of a delivery.";
    outcome: OutcomeClass::ALL, OutcomeClass::as_str, "Class of the attempt's outcome.";
    condition: Condition::ALL, Condition::as_str, "Condition of a webhook.";
    replay_state: ReplayStateName::ALL, ReplayStateName::as_str, "State of a replay.";
    channel_type: ChannelType::ALL, ChannelType::as_str, "Type of a notification channel.";
    notification_kind: NotificationKind::ALL, NotificationKind::as_str, "Kind of a notification.";
    kind, kind_or_null: Kind::ALL, Kind::route, "Kind of the event.";
    kept_kind, kept_kind_or_null: Kind::KEPT, Kind::route,
        "Kind of the event; `unknown`: accepted by a source, with the shape of none of the five.";
}

pub fn resolution_or_null() -> Object {
    one_of_or_null(
        Resolution::ALL.into_iter().map(Resolution::as_str),
        "Resolution of an exhausted delivery.",
    )
}

/// A status, or the reason for which no answer came.
pub fn failure() -> Object {
    failure_of(SchemaType::new(Type::String))
}

pub fn failure_or_null() -> Object {
    failure_of(SchemaType::from_iter([Type::String, Type::Null]))
}

fn failure_of(schema_type: SchemaType) -> Object {
    let reasons = FailureReason::ALL.map(FailureReason::as_str).join("|");
    ObjectBuilder::new()
        .schema_type(schema_type)
        .pattern(Some(format!("^([1-9][0-9]{{2}}|{reasons})$")))
        .examples(["503"])
        .description(Some(
            "Failure of an attempt: the HTTP status of the response, or the reason why there was none.",
        ))
        .build()
}

pub fn waiting_for_or_null() -> Object {
    one_of_or_null(
        WaitingFor::WORDS.into_iter(),
        "Reason why a pending delivery waits.",
    )
}

pub fn notification_kinds() -> Array {
    ArrayBuilder::new()
        .items(notification_kind())
        .description(Some("Kinds of notifications that the channel gets."))
        .build()
}

pub fn call_states() -> Array {
    call_states_array().build()
}

pub fn call_states_or_null() -> Array {
    call_states_array()
        .schema_type(SchemaType::from_iter([Type::Array, Type::Null]))
        .build()
}

fn call_states_array() -> ArrayBuilder {
    let states = CallStateFilter::ALL.iter().copied().map(CallStateFilter::as_str);
    ArrayBuilder::new()
        .items(one_of(states, "Call state, or all of them."))
        .description(Some("Call states; an empty list, or `all`, means every state."))
}

fn one_of(words: impl Iterator<Item = &'static str>, description: &str) -> Object {
    ObjectBuilder::new()
        .schema_type(Type::String)
        .enum_values(Some(words))
        .description(Some(description))
        .build()
}

fn one_of_or_null(words: impl Iterator<Item = &'static str>, description: &str) -> Object {
    ObjectBuilder::new()
        .schema_type(SchemaType::from_iter([Type::String, Type::Null]))
        .enum_values(Some(words.map(Some).chain([None])))
        .description(Some(description))
        .build()
}
