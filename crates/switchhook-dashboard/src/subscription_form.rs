//! The forms of the five kinds of subscription: their options, and what they ask for.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde_json::Value;
use serde_json::value::RawValue;
use switchhook_domain::Kind;
use switchhook_domain::filter::PayloadFilter;
use switchhook_domain::id::id_of;
use switchhook_domain::subscription::{
    CallFilter, CallStateSet, Endpoint, Filter, SmsFilter, Subscription, SubscriptionRequest,
};
use switchhook_protocol::{AgentType, CallState, CallStateFilter, Payload, TargetType};
use switchhook_store::EventRecord;

use super::form::Form;
use super::widgets::Choice;
use switchhook_node::summary::short;

/// A subscription's form, as it was filled in or as the subscription stands.
#[derive(Debug, Clone)]
pub(super) struct SubscriptionForm {
    pub(super) kind: Kind,
    /// Error in the kind of the address.
    kind_error: Option<String>,
    pub(super) endpoint_id: Option<String>,
    pub(super) enabled: bool,
    call_states: Vec<String>,
    pub(super) group_calls_only: bool,
    pub(super) direction: String,
    pub(super) include_internal: bool,
    pub(super) status: bool,
    pub(super) contact_type: String,
    target_type: String,
    pub(super) target_id: String,
    /// The filter on the payload, as people write it.
    pub(super) filter: String,
}

/// States that mean something similar.
pub(super) struct StateGroup {
    pub(super) name: &'static str,
    pub(super) states: Vec<Choice>,
}

/// The 31 states by what they mean; `all` is a box of its own.
const GROUPS: [(&str, &[CallState]); 6] = [
    (
        "Getting through",
        &[
            CallState::Calling,
            CallState::Preanswer,
            CallState::Ringing,
            CallState::Queued,
        ],
    ),
    (
        "Talking",
        &[
            CallState::Connected,
            CallState::Hold,
            CallState::Parked,
            CallState::Merged,
        ],
    ),
    (
        "Ending",
        &[
            CallState::Missed,
            CallState::Voicemail,
            CallState::Hangup,
            CallState::Blocked,
        ],
    ),
    (
        "Supervising",
        &[
            CallState::Monitor,
            CallState::Eavesdrop,
            CallState::Barge,
            CallState::Takeover,
            CallState::Admin,
        ],
    ),
    (
        "Recordings and transcripts",
        &[
            CallState::Recording,
            CallState::AdminRecording,
            CallState::VoicemailUploaded,
            CallState::Transcription,
            CallState::CallTranscription,
        ],
    ),
    (
        "Afterwards",
        &[
            CallState::Postcall,
            CallState::Dispositions,
            CallState::Csat,
            CallState::Pcsat,
            CallState::RecapSummary,
            CallState::RecapPurposes,
            CallState::RecapOutcome,
            CallState::RecapActionItems,
            CallState::AiPlaybook,
        ],
    ),
];

impl SubscriptionForm {
    /// A form that nobody has filled in.
    pub(super) fn blank(kind: Kind, endpoint_id: Option<String>) -> Self {
        Self {
            kind,
            kind_error: None,
            endpoint_id,
            enabled: true,
            call_states: Vec::new(),
            group_calls_only: false,
            direction: "all".to_owned(),
            include_internal: false,
            status: false,
            contact_type: "shared".to_owned(),
            target_type: String::new(),
            target_id: String::new(),
            filter: String::new(),
        }
    }

    /// The form as it was filled in.
    pub(super) fn read(form: &Form) -> Self {
        let kind = form.text("kind").map_or(Ok(Kind::Call), str::parse);
        let text = |name: &str| form.text(name).unwrap_or_default().to_owned();
        Self {
            kind_error: kind.as_ref().err().map(|error| format!("kind: {error}")),
            endpoint_id: form.text("webhook").map(ToOwned::to_owned),
            enabled: form.is_ticked("enabled"),
            call_states: form
                .all("call_states")
                .into_iter()
                .map(ToOwned::to_owned)
                .collect(),
            group_calls_only: form.is_ticked("group_calls_only"),
            direction: text("direction"),
            include_internal: form.is_ticked("include_internal"),
            status: form.is_ticked("status"),
            contact_type: text("contact_type"),
            target_type: text("target_type"),
            target_id: text("target_id"),
            filter: text("filter"),
            ..Self::blank(kind.unwrap_or(Kind::Call), None)
        }
    }

    /// The form as the subscription stands.
    pub(super) fn of(subscription: &Subscription) -> Self {
        let endpoint_id = subscription.endpoint.map(|endpoint| match endpoint {
            Endpoint::Webhook(id) => id.to_string(),
            Endpoint::Websocket(id) => id.to_string(),
        });
        let mut form = Self::blank(subscription.filter.kind(), endpoint_id);
        form.enabled = subscription.enabled;
        form.filter = subscription
            .payload_filter
            .as_ref()
            .map_or_else(String::new, indented);
        if let Some(target) = subscription.filter.target() {
            form.target_type = target.target_type.as_str().to_owned();
            form.target_id = target.target_id.to_string();
        }
        match &subscription.filter {
            Filter::Call(CallFilter {
                call_states,
                group_calls_only,
                ..
            }) => {
                form.call_states = call_states
                    .iter()
                    .map(|state| state.as_str().to_owned())
                    .collect();
                form.group_calls_only = *group_calls_only;
            }
            Filter::Sms(SmsFilter {
                direction,
                include_internal,
                status,
                ..
            }) => {
                form.direction = direction.as_str().to_owned();
                form.include_internal = *include_internal;
                form.status = *status;
            }
            Filter::Contact { contact_type } => form.contact_type = contact_type.as_str().to_owned(),
            Filter::AgentStatus { .. } | Filter::Changelog => {}
        }
        form
    }

    /// Request made from the form: the options of its kind and no others.
    pub(super) fn request(&self) -> Result<SubscriptionRequest, String> {
        if let Some(error) = &self.kind_error {
            return Err(error.clone());
        }
        let mut request = SubscriptionRequest {
            endpoint_id: Some(id(
                "endpoint_id",
                self.endpoint_id.as_deref().unwrap_or_default(),
            )?),
            enabled: Some(Some(self.enabled)),
            payload_filter: Some(self.payload_filter()?),
            ..SubscriptionRequest::default()
        };
        match self.kind {
            Kind::Call => {
                let states = self.call_states.iter().map(|state| state.parse());
                let states: Result<CallStateSet, _> = states.collect();
                request.call_states = Some(Some(states.map_err(|error| format!("call_states: {error}"))?));
                request.group_calls_only = Some(Some(self.group_calls_only));
            }
            Kind::Sms => {
                request.direction = Some(word("direction", &self.direction)?);
                request.include_internal = Some(Some(self.include_internal));
                request.status = Some(Some(self.status));
            }
            Kind::Contact => request.contact_type = Some(word("contact_type", &self.contact_type)?),
            Kind::AgentStatus => request.agent_type = Some(Some(AgentType::Callcenter)),
            Kind::Changelog | Kind::Unknown => {}
        }
        if self.has_target() {
            request.target_type = Some(word("target_type", &self.target_type)?);
            request.target_id = Some(id("target_id", &self.target_id)?);
        }
        Ok(request)
    }

    /// The filter on the payload, if one is written.
    pub(super) fn payload_filter(&self) -> Result<Option<PayloadFilter>, String> {
        let written = (!self.filter.is_empty()).then(|| PayloadFilter::parse(&self.filter));
        written.transpose().map_err(|error| error.to_string())
    }

    pub(super) const fn has_target(&self) -> bool {
        self.kind.has_target()
    }

    pub(super) fn is_of(&self, kind: &str) -> bool {
        self.kind.route() == kind
    }

    /// The 31 states, grouped.
    pub(super) fn groups(&self) -> Vec<StateGroup> {
        let choice = |state: &CallState| Choice {
            value: state.as_str().to_owned(),
            label: state.as_str().replace('_', " "),
            is_chosen: self.call_states.iter().any(|chosen| chosen == state.as_str()),
        };
        let groups = GROUPS.iter();
        groups
            .map(|(name, states)| StateGroup {
                name,
                states: states.iter().map(choice).collect(),
            })
            .collect()
    }

    /// True if the box for all states is ticked.
    pub(super) fn has_all_states(&self) -> bool {
        self.call_states.is_empty()
            || self
                .call_states
                .iter()
                .any(|state| state == CallStateFilter::All.as_str())
    }

    pub(super) fn target_types(&self) -> Vec<Choice> {
        let types = TargetType::ALL.iter().copied().map(TargetType::as_str);
        types
            .map(|name| Choice::new(name, name, Some(&self.target_type)))
            .collect()
    }

    pub(super) fn is_direction(&self, direction: &str) -> bool {
        self.direction == direction
    }

    pub(super) fn is_contact_type(&self, contact_type: &str) -> bool {
        self.contact_type == contact_type
    }
}

/// A filter with a line for each of its members. Its numbers are not read, so that none is rounded.
fn indented(filter: &PayloadFilter) -> String {
    let members: Result<BTreeMap<String, Box<RawValue>>, _> = serde_json::from_str(filter.as_json());
    let Ok(members) = members else {
        return filter.as_json().to_owned();
    };
    let lines: Vec<_> = members
        .iter()
        .map(|(name, value)| format!("  {}: {value}", Value::from(name.as_str())))
        .collect();
    format!("{{\n{}\n}}", lines.join(",\n"))
}

/// One of some words; nothing is none.
fn word<T: FromStr<Err: fmt::Display>>(name: &str, text: &str) -> Result<Option<T>, String> {
    let given = (!text.is_empty()).then(|| text.parse());
    given.transpose().map_err(|error| format!("{name}: {error}"))
}

fn id(name: &str, text: &str) -> Result<Option<i64>, String> {
    let given = (!text.is_empty()).then(|| id_of(text));
    given.transpose().map_err(|error| format!("{name}: {error}"))
}

/// A target that was seen lately.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct KnownTarget {
    pub(super) id: String,
    pub(super) target_type: String,
    pub(super) name: String,
}

/// The targets that events are about, by their names.
pub(super) fn known_targets(events: &[EventRecord]) -> Vec<KnownTarget> {
    let mut known = BTreeMap::new();
    for event in events {
        let (target, entry) = match Payload::read(event.kind, &event.body) {
            Ok(Payload::Call(call)) => (call.target, call.entry_point_target),
            Ok(Payload::Sms(sms)) => (sms.target, None),
            _ => (None, None),
        };
        for target in [target, entry].into_iter().flatten() {
            let (Some(id), Some(target_type)) = (target.id, target.target_type) else {
                continue;
            };
            let name = target.name.map_or_else(String::new, |name| short(&name));
            let target = KnownTarget {
                id: short(id.as_str()),
                target_type: short(target_type.as_str()).to_lowercase(),
                name,
            };
            known.insert((target.name.clone(), target.id.clone()), target);
        }
    }
    known.into_values().collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use switchhook_protocol::ContactType;

    use super::*;

    #[test]
    fn every_state_is_in_one_group() {
        let grouped: Vec<_> = GROUPS
            .iter()
            .flat_map(|(_, states)| states.iter().copied())
            .collect();
        let once: BTreeSet<_> = grouped.iter().copied().collect();
        assert_eq!(grouped.len(), once.len());
        assert_eq!(once, CallState::ALL.iter().copied().collect());
    }

    fn request(form: &str) -> Result<SubscriptionRequest, String> {
        SubscriptionForm::read(&Form::read(form.as_bytes())).request()
    }

    #[test]
    fn a_form_asks_for_the_options_of_its_kind_only() {
        let states = [CallState::Hangup, CallState::Missed].map(CallStateFilter::State);
        assert_eq!(
            request("kind=call&webhook=7&enabled=on&call_states=hangup&call_states=missed&target_id="),
            Ok(SubscriptionRequest {
                endpoint_id: Some(Some(7)),
                enabled: Some(Some(true)),
                call_states: Some(Some(states.into_iter().collect())),
                group_calls_only: Some(Some(false)),
                target_type: Some(None),
                target_id: Some(None),
                payload_filter: Some(None),
                ..SubscriptionRequest::default()
            })
        );
        assert_eq!(
            request("kind=contact&contact_type=local&call_states=hangup"),
            Ok(SubscriptionRequest {
                endpoint_id: Some(None),
                enabled: Some(Some(false)),
                contact_type: Some(Some(ContactType::Local)),
                payload_filter: Some(None),
                ..SubscriptionRequest::default()
            })
        );
    }

    #[test]
    fn a_filter_is_shown_with_a_line_for_each_member_and_keeps_its_digits() {
        let json = r#"{"id":12345678901234567890123,"a":{"$gt":1.50}}"#;
        let shown = indented(&PayloadFilter::parse(json).unwrap());
        assert_eq!(
            shown,
            "{\n  \"a\": {\"$gt\":1.50},\n  \"id\": 12345678901234567890123\n}"
        );
    }

    #[test]
    fn what_cannot_be_is_named_by_its_field() {
        for (form, message) in [
            ("webhook=seven", "endpoint_id: `seven` is not an id"),
            ("call_states=sung", "call_states: `sung` is not a call state"),
            ("target_type=moon", "target_type: `moon` is not a"),
            ("target_id=-1", "target_id: `-1` is not an id"),
            ("kind=sms&direction=up", "direction: `up` is not a"),
            ("kind=contact&contact_type=x", "contact_type: `x` is not a"),
            ("kind=call&filter=5", "filter: it must be an object"),
        ] {
            let error = request(form).unwrap_err();
            assert!(error.starts_with(message), "{error}");
        }
    }
}
