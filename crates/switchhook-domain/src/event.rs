//! Facts of an event that routing needs, read from its bytes once.
//!
//! The bytes themselves are sent as they came.

use std::fmt;

use smallvec::SmallVec;
use switchhook_protocol::{
    CallEvent, CallState, ContactEvent, ContactType, Direction, Kind, MessageStatus, Payload, SmsEvent,
    Target, TargetType, Word, same_word,
};

use crate::order::{OrderKey, readable};
use crate::subscription::TargetRef;

/// The parts of an event that decide where it goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventFacts {
    /// Facts that depend on the kind.
    pub detail: EventDetail,
    /// Key shared with the events that must go one after the other with it.
    pub order_key: Option<OrderKey>,
}

/// Facts that depend on the kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EventDetail {
    /// A call changed its state.
    Call {
        /// The state, if it has one.
        state: Option<PayloadState>,
        /// Its target, entry-point target and proxy target.
        targets: Targets,
        /// True for calls to a group.
        is_group_call: bool,
    },
    /// A message, or news of one.
    Sms {
        direction: Option<Direction>,
        /// Between two users of the company.
        is_internal: bool,
        /// News of an outbound message's delivery rather than the message itself.
        is_status_update: bool,
        targets: Targets,
    },
    /// An agent's duty or availability changed.
    AgentStatus,
    /// A contact changed.
    Contact {
        /// True for a local contact; every other type counts as shared.
        is_local: bool,
    },
    /// Somebody changed a setting.
    Changelog,
    /// The kind is unknown.
    Unknown,
}

/// A call state as it came: one that we know, or another word.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PayloadState {
    /// One of the known states.
    Known(CallState),
    /// A word that is in no table: it goes to subscriptions without a state filter.
    Unknown(String),
}

/// The few entities an event is about.
pub type Targets = SmallVec<[TargetRef; 3]>;

impl EventFacts {
    #[must_use]
    pub const fn kind(&self) -> Kind {
        match self.detail {
            EventDetail::Call { .. } => Kind::Call,
            EventDetail::Sms { .. } => Kind::Sms,
            EventDetail::AgentStatus => Kind::AgentStatus,
            EventDetail::Contact { .. } => Kind::Contact,
            EventDetail::Changelog => Kind::Changelog,
            EventDetail::Unknown => Kind::Unknown,
        }
    }

    /// Reads the facts from a payload.
    #[must_use]
    pub fn of(payload: &Payload<'_>) -> Self {
        Self {
            detail: EventDetail::of(payload),
            order_key: OrderKey::of(payload),
        }
    }
}

impl EventFacts {
    /// The entities that a subscription with a target may be narrowed to.
    #[must_use]
    pub fn targets(&self) -> &[TargetRef] {
        match &self.detail {
            EventDetail::Call { targets, .. } | EventDetail::Sms { targets, .. } => targets,
            _ => &[],
        }
    }
}

impl EventDetail {
    /// Reads what the kind adds from a payload.
    #[must_use]
    pub fn of(payload: &Payload<'_>) -> Self {
        match payload {
            Payload::Call(call) => Self::of_call(call),
            Payload::Sms(sms) => Self::of_sms(sms),
            Payload::AgentStatus(_) => Self::AgentStatus,
            Payload::Contact(contact) => Self::Contact {
                is_local: is_local(contact),
            },
            Payload::Changelog(_) => Self::Changelog,
            Payload::Unknown => Self::Unknown,
        }
    }

    fn of_call(call: &CallEvent<'_>) -> Self {
        Self::Call {
            state: call.state.as_ref().map(PayloadState::of),
            targets: references([&call.target, &call.entry_point_target, &call.proxy_target]),
            is_group_call: [&call.target, &call.entry_point_target]
                .into_iter()
                .flatten()
                .any(is_group),
        }
    }

    fn of_sms(sms: &SmsEvent<'_>) -> Self {
        let direction = sms.direction.as_ref().and_then(Word::known);
        let status = sms.message_status.as_ref().and_then(Word::known);
        Self::Sms {
            direction,
            is_internal: sms.is_internal == Some(true),
            is_status_update: direction == Some(Direction::Outbound) && status.is_some_and(is_news),
            targets: references([&sms.target]),
        }
    }
}

impl PayloadState {
    /// An unknown word is kept for people to see, so no more of it than they can read.
    const LONGEST_UNKNOWN: usize = 64;

    fn of(word: &Word<'_, CallState>) -> Self {
        word.known().map_or_else(
            || Self::Unknown(readable(word.as_str(), Self::LONGEST_UNKNOWN)),
            Self::Known,
        )
    }

    /// The state's name as it came, or its documented spelling.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Known(state) => state.as_str(),
            Self::Unknown(word) => word,
        }
    }
}

impl fmt::Display for PayloadState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

fn references<const N: usize>(targets: [&Option<Target<'_>>; N]) -> Targets {
    let mut references = Targets::new();
    for reference in targets.into_iter().flatten().filter_map(reference) {
        if !references.contains(&reference) {
            references.push(reference);
        }
    }
    references
}

fn reference(target: &Target<'_>) -> Option<TargetRef> {
    Some(TargetRef {
        target_type: target.known_type()?,
        target_id: target.id.as_ref()?.as_i64()?,
    })
}

/// Three types are no group; a type that we do not know counts as one.
fn is_group(target: &Target<'_>) -> bool {
    let is_single = |known| matches!(known, TargetType::User | TargetType::Room | TargetType::Unknown);
    target
        .target_type
        .as_ref()
        .is_some_and(|word| !word.known().is_some_and(is_single))
}

/// True if a status of an outbound message reports its delivery, as opposed to the message itself.
const fn is_news(status: MessageStatus) -> bool {
    match status {
        MessageStatus::Delivered
        | MessageStatus::Undelivered
        | MessageStatus::Success
        | MessageStatus::Failed => true,
        MessageStatus::Sent | MessageStatus::Pending => false,
    }
}

fn is_local(contact: &ContactEvent<'_>) -> bool {
    let contact_type = contact
        .contact
        .as_ref()
        .and_then(|contact| contact.contact_type.as_deref());
    contact_type.is_some_and(|word| same_word(word, ContactType::Local.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts(kind: Kind, body: &str) -> EventFacts {
        EventFacts::of(&Payload::read(kind, body.as_bytes()).unwrap())
    }

    #[test]
    fn facts_know_their_kind() {
        for kind in Kind::KEPT {
            assert_eq!(facts(kind, "{}").kind(), kind);
        }
    }

    #[track_caller]
    fn check_targets(kind: Kind, body: &str, expected: &[(TargetType, i64)]) {
        let expected: Vec<_> = expected
            .iter()
            .map(|&(target_type, target_id)| TargetRef {
                target_type,
                target_id,
            })
            .collect();
        assert_eq!(facts(kind, body).targets(), expected, "{body}");
    }

    #[test]
    fn a_call_is_about_its_target_its_entry_point_and_its_proxy() {
        use TargetType::{Callcenter, Department, User};
        for (body, expected) in [
            (r"{}", [].as_slice()),
            (r#"{"target":null,"entry_point_target":{}}"#, &[]),
            (r#"{"target":{"id":1,"type":"user"}}"#, &[(User, 1)]),
            (
                r#"{"proxy_target":{"id":3,"type":"department"},"target":{"id":1,"type":"user"},
                    "entry_point_target":{"id":"2","type":"CallCenter"}}"#,
                &[(User, 1), (Callcenter, 2), (Department, 3)],
            ),
            (
                r#"{"target":{"id":1,"type":"user"},"proxy_target":{"id":1,"type":"user"}}"#,
                &[(User, 1)],
            ),
            (
                r#"{"target":{"id":9223372036854775807,"type":"user"}}"#,
                &[(User, i64::MAX)],
            ),
            (r#"{"target":{"id":9223372036854775808,"type":"user"}}"#, &[]),
            (r#"{"target":{"id":1.5,"type":"user"}}"#, &[]),
            (
                r#"{"target":{"id":"u1","type":"user"},"proxy_target":{"id":4,"type":"user"}}"#,
                &[(User, 4)],
            ),
            (
                r#"{"target":{"id":"1","type":"call_center"}}"#,
                &[(Callcenter, 1)],
            ),
            (
                r#"{"proxy_target":{"id":1,"type":"Call-Center"}}"#,
                &[(Callcenter, 1)],
            ),
            (r#"{"target":{"id":1,"type":"robot"}}"#, &[]),
            (r#"{"target":{"id":1}}"#, &[]),
        ] {
            check_targets(Kind::Call, body, expected);
        }
    }

    #[test]
    fn a_message_is_about_its_target_alone() {
        let body = r#"{"target":{"id":1,"type":"Office"},"entry_point_target":{"id":2,"type":"user"}}"#;
        check_targets(Kind::Sms, body, &[(TargetType::Office, 1)]);
        for kind in [Kind::AgentStatus, Kind::Contact, Kind::Changelog] {
            check_targets(kind, r#"{"target":{"id":1,"type":"user"}}"#, &[]);
        }
    }

    #[track_caller]
    fn check_group(body: &str, expected: bool) {
        let EventDetail::Call { is_group_call, .. } = facts(Kind::Call, body).detail else {
            unreachable!()
        };
        assert_eq!(is_group_call, expected, "{body}");
    }

    #[test]
    fn a_group_call_went_to_or_came_in_by_a_group() {
        for target_type in TargetType::ALL {
            let expected = !matches!(
                target_type,
                TargetType::User | TargetType::Room | TargetType::Unknown
            );
            check_group(
                &format!(r#"{{"target":{{"id":1,"type":"{target_type}"}}}}"#),
                expected,
            );
            check_group(
                &format!(r#"{{"target":{{"type":"user"}},"entry_point_target":{{"type":"{target_type}"}}}}"#),
                expected,
            );
            check_group(
                &format!(r#"{{"proxy_target":{{"id":1,"type":"{target_type}"}}}}"#),
                false,
            );
        }
        check_group(r#"{"target":{"type":"USER"}}"#, false);
        check_group(r#"{"target":{"type":"Callcenter"}}"#, true);
        check_group(r#"{"target":{"type":"a new kind of group"}}"#, true);
        check_group(r#"{"target":{"id":1},"entry_point_target":{}}"#, false);
        check_group("{}", false);
    }

    #[track_caller]
    fn check_state(body: &str, expected: Option<&PayloadState>) {
        let EventDetail::Call { state, .. } = facts(Kind::Call, body).detail else {
            unreachable!()
        };
        assert_eq!(state.as_ref(), expected, "{body}");
    }

    #[test]
    fn a_state_is_known_or_kept_as_it_came() {
        for state in CallState::ALL {
            check_state(
                &format!(r#"{{"state":"{state}"}}"#),
                Some(&PayloadState::Known(state)),
            );
        }
        check_state(
            r#"{"state":"Hangup"}"#,
            Some(&PayloadState::Known(CallState::Hangup)),
        );
        check_state(
            r#"{"state":"Voicemail-Uploaded"}"#,
            Some(&PayloadState::Known(CallState::VoicemailUploaded)),
        );
        check_state(
            r#"{"state":"teleported"}"#,
            Some(&PayloadState::Unknown("teleported".to_owned())),
        );
        check_state(
            r#"{"state":"all"}"#,
            Some(&PayloadState::Unknown("all".to_owned())),
        );
        let long = format!(r#"{{"state":"\u0000{}"}}"#, "x".repeat(1_000));
        check_state(
            &long,
            Some(&PayloadState::Unknown(format!("\u{FFFD}{}", "x".repeat(63)))),
        );
        for body in ["{}", r#"{"state":null}"#, r#"{"state":""}"#, r#"{"state":5}"#] {
            check_state(body, None);
        }
    }

    #[track_caller]
    fn check_sms(body: &str, way: Option<Direction>, internal: bool, status_update: bool) {
        let EventDetail::Sms {
            direction,
            is_internal,
            is_status_update,
            ..
        } = facts(Kind::Sms, body).detail
        else {
            unreachable!()
        };
        assert_eq!(
            (direction, is_internal, is_status_update),
            (way, internal, status_update),
            "{body}"
        );
    }

    #[test]
    fn news_of_an_outbound_message_is_a_status_update() {
        for (status, is_news) in [
            ("delivered", true),
            ("undelivered", true),
            ("success", true),
            ("failed", true),
            ("Delivered", true),
            ("un_delivered", true),
            ("sent", false),
            ("pending", false),
            ("opened", false),
        ] {
            let with = |way: &str| format!(r#"{{"direction":"{way}","message_status":"{status}"}}"#);
            check_sms(&with("outbound"), Some(Direction::Outbound), false, is_news);
            check_sms(&with("inbound"), Some(Direction::Inbound), false, false);
        }
        check_sms(
            r#"{"direction":"outbound"}"#,
            Some(Direction::Outbound),
            false,
            false,
        );
        check_sms(r#"{"message_status":"delivered"}"#, None, false, false);
    }

    #[test]
    fn only_true_means_internal() {
        for (value, internal) in [
            ("true", true),
            ("false", false),
            ("null", false),
            ("1", false),
            (r#""yes""#, false),
        ] {
            check_sms(&format!(r#"{{"is_internal":{value}}}"#), None, internal, false);
        }
        check_sms("{}", None, false, false);
    }

    #[test]
    fn every_contact_that_is_not_local_counts_as_shared() {
        for (contact_type, local) in [
            ("local", true),
            ("Local", true),
            ("LOCAL_", true),
            ("shared", false),
            ("google", false),
            ("nylas", false),
            ("", false),
        ] {
            let body = format!(r#"{{"event":"Created","contact":{{"type":"{contact_type}"}}}}"#);
            assert_eq!(
                facts(Kind::Contact, &body).detail,
                EventDetail::Contact { is_local: local },
                "{body}"
            );
        }
        assert_eq!(
            facts(Kind::Contact, "{}").detail,
            EventDetail::Contact { is_local: false }
        );
    }

    #[test]
    fn of_a_repeated_key_the_last_one_routes() {
        check_state(
            r#"{"state":"ringing","state":"hangup"}"#,
            Some(&PayloadState::Known(CallState::Hangup)),
        );
    }
}
