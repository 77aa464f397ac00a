//! The kinds of event and the one table of what is known of each: its spellings outside this program, the subject of its events,
//! the keys that mark them, who may see them, and Dialpad's retries.
//! Routes, columns, headers, the AsyncAPI document, order keys, forms and what people type all look it up here.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::scope::{Scope, Scopes};
use crate::spelling::{UnknownWord, same_word};

/// Kind of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// A state change of one leg of a call.
    Call,
    /// An SMS or MMS, or a new status of one.
    Sms,
    /// A contact-centre agent's status.
    AgentStatus,
    /// A contact was made, changed or removed.
    Contact,
    /// Somebody changed the company's settings.
    Changelog,
    /// None of these five. An authentic event whose shape nobody knows is kept as this, and no subscription is for it.
    Unknown,
}

/// Names of a kind, and facts outside its payload. Of the spellings only `also` is never written by this program,
/// only understood.
struct Facts {
    title: &'static str,
    route: &'static str,
    also: &'static [&'static str],
    subject: Option<Subject>,
    signs: &'static [&'static str],
    channel: &'static str,
    operation_id: &'static str,
    message: &'static str,
    schema: &'static str,
    needs_admin: bool,
    needed_scopes: Scopes,
    content_scope: Option<Scope>,
    has_target: bool,
    dialpad_retries_ms: &'static [u64],
}

const SECOND: u64 = 1_000;
const MINUTE: u64 = 60 * SECOND;

/// Retries of the kinds that come seldom.
const FOUR_QUICK: &[u64] = &[100, 200, 400, 800];

/// Subject of an event: events of the same subject belong in one order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Subject {
    /// Noun in order keys: `call`, `sms`, `agent`, `contact`.
    pub noun: &'static str,
    /// Noun in sentences: `call`, `message`, `agent`, `contact`.
    pub title: &'static str,
    /// The payload's member that has its id: `call_id`, `target.id`.
    pub id_member: &'static str,
}

/// In the order of [`Kind::KEPT`], which is the order of the enum. What is unknown stands in no document.
const TABLE: [Facts; 6] = [
    Facts {
        title: "Call",
        route: "call",
        also: &["calls"],
        subject: Some(Subject {
            noun: "call",
            title: "call",
            id_member: "call_id",
        }),
        signs: &["call_id", "state"],
        channel: "call-events",
        operation_id: "receiveCallEvent",
        message: "CallEvent",
        schema: "CallEventPayload",
        needs_admin: false,
        needed_scopes: Scopes::NONE,
        content_scope: Some(Scope::RecordingsExport),
        has_target: true,
        dialpad_retries_ms: &[2 * SECOND, 4 * SECOND, 8 * SECOND],
    },
    Facts {
        title: "SMS",
        route: "sms",
        also: &["message", "messages", "mms"],
        subject: Some(Subject {
            noun: "sms",
            title: "message",
            id_member: "id",
        }),
        signs: &["from_number", "to_number"],
        channel: "sms-events",
        operation_id: "receiveSmsEvent",
        message: "SmsEvent",
        schema: "SmsEventPayload",
        needs_admin: false,
        needed_scopes: Scopes::NONE,
        content_scope: Some(Scope::MessageContentExportAll),
        has_target: true,
        dialpad_retries_ms: &[
            30 * SECOND,
            MINUTE,
            2 * MINUTE,
            4 * MINUTE,
            8 * MINUTE,
            16 * MINUTE,
            32 * MINUTE,
            60 * MINUTE,
            60 * MINUTE,
            60 * MINUTE,
        ],
    },
    Facts {
        title: "Agent status",
        route: "agent_status",
        also: &["agent", "agent_statuses"],
        subject: Some(Subject {
            noun: "agent",
            title: "agent",
            id_member: "target.id",
        }),
        signs: &["on_duty_status"],
        channel: "agent-status-events",
        operation_id: "receiveAgentStatusEvent",
        message: "AgentStatusEvent",
        schema: "AgentStatusEventPayload",
        needs_admin: true,
        needed_scopes: Scopes::NONE,
        content_scope: None,
        has_target: false,
        dialpad_retries_ms: FOUR_QUICK,
    },
    Facts {
        title: "Contact",
        route: "contact",
        also: &["contacts"],
        subject: Some(Subject {
            noun: "contact",
            title: "contact",
            id_member: "contact.id",
        }),
        signs: &["event", "contact"],
        channel: "contact-events",
        operation_id: "receiveContactEvent",
        message: "ContactEvent",
        schema: "ContactEventPayload",
        needs_admin: true,
        needed_scopes: Scopes::NONE,
        content_scope: None,
        has_target: false,
        dialpad_retries_ms: FOUR_QUICK,
    },
    Facts {
        title: "Change log",
        route: "changelog",
        also: &["change_log", "changelogs", "change_logs"],
        subject: None,
        signs: &["action", "changed_by"],
        channel: "change-log-events",
        operation_id: "receiveChangeLogEvent",
        message: "ChangeLogEvent",
        schema: "ChangeLogEventPayload",
        needs_admin: true,
        needed_scopes: Scopes::NONE.with(Scope::ChangeLog),
        content_scope: None,
        has_target: false,
        dialpad_retries_ms: FOUR_QUICK,
    },
    Facts {
        title: "Unknown",
        route: "unknown",
        also: &[],
        subject: None,
        signs: &[],
        channel: "",
        operation_id: "",
        message: "",
        schema: "",
        // It may be anything, so it is for those from whom nothing is kept.
        needs_admin: true,
        needed_scopes: Scopes::ALL,
        content_scope: None,
        has_target: false,
        dialpad_retries_ms: FOUR_QUICK,
    },
];

impl Kind {
    /// The five kinds that can be sent and subscribed to, in the order of the enum.
    pub const ALL: [Self; 5] = [
        Self::Call,
        Self::Sms,
        Self::AgentStatus,
        Self::Contact,
        Self::Changelog,
    ];

    /// Every kind that a kept event can be of, in the order of the enum.
    pub const KEPT: [Self; 6] = [
        Self::Call,
        Self::Sms,
        Self::AgentStatus,
        Self::Contact,
        Self::Changelog,
        Self::Unknown,
    ];

    /// The kind of an event that is kept: as in [`FromStr`], or `unknown`.
    ///
    /// # Errors
    /// If the word names no kind.
    pub fn of_kept(word: &str) -> Result<Self, UnknownWord> {
        match word.parse() {
            Err(_) if same_word(Self::Unknown.route(), word) => Ok(Self::Unknown),
            read => read.map_err(|_| UnknownWord::new("kind of event", word, Self::KEPT.map(Self::route))),
        }
    }

    /// The kind's name for people: `Call`, `SMS`, `Agent status`.
    #[must_use]
    pub const fn title(self) -> &'static str {
        self.facts().title
    }

    /// Subject of the kind's events, if they name one.
    #[must_use]
    pub const fn subject(self) -> Option<Subject> {
        self.facts().subject
    }

    /// The keys that every payload of the kind has, even when their value is null, and that mark it.
    pub(crate) const fn signs(self) -> &'static [&'static str] {
        self.facts().signs
    }

    /// The spelling in our routes, headers and columns, which is also that of Dialpad's subscription routes.
    #[must_use]
    pub const fn route(self) -> &'static str {
        self.facts().route
    }

    /// The channel's name in the AsyncAPI document.
    #[must_use]
    pub const fn channel(self) -> &'static str {
        self.facts().channel
    }

    /// The `operationId` in the AsyncAPI document.
    #[must_use]
    pub const fn operation_id(self) -> &'static str {
        self.facts().operation_id
    }

    /// The message's name in the AsyncAPI document.
    #[must_use]
    pub const fn message(self) -> &'static str {
        self.facts().message
    }

    /// The name of the payload's schema in the AsyncAPI document.
    #[must_use]
    pub const fn schema(self) -> &'static str {
        self.facts().schema
    }

    /// True if only an admin's key sees events of the kind.
    #[must_use]
    pub const fn needs_admin(self) -> bool {
        self.facts().needs_admin
    }

    /// Scopes without which a key sees no events of the kind.
    #[must_use]
    pub const fn needed_scopes(self) -> Scopes {
        self.facts().needed_scopes
    }

    /// The scope without which a part of the kind's events is taken out.
    #[must_use]
    pub const fn content_scope(self) -> Option<Scope> {
        self.facts().content_scope
    }

    /// True if a subscription to the kind can be narrowed to a target.
    #[must_use]
    pub const fn has_target(self) -> bool {
        self.facts().has_target
    }

    /// Delays in milliseconds after which Dialpad sends an event of the kind again after the first, second, … 5xx.
    #[must_use]
    pub const fn dialpad_retries_ms(self) -> &'static [u64] {
        self.facts().dialpad_retries_ms
    }

    const fn facts(self) -> &'static Facts {
        &TABLE[self as usize]
    }

    fn is_spelled(self, word: &str) -> bool {
        let Facts {
            route,
            channel,
            operation_id,
            message,
            schema,
            also,
            ..
        } = self.facts();
        [route, channel, operation_id, message, schema]
            .into_iter()
            .chain(*also)
            .any(|known| same_word(known, word))
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.route())
    }
}

/// Understands every spelling of the five whatever its case, with `-`, `_` or nothing between its words.
impl FromStr for Kind {
    type Err = UnknownWord;

    fn from_str(word: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|kind| kind.is_spelled(word))
            .ok_or_else(|| UnknownWord::new("kind of event", word, Self::ALL.map(Self::route)))
    }
}

impl Serialize for Kind {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.route())
    }
}

/// Reads what is written, so `unknown` too.
impl<'de> Deserialize<'de> for Kind {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let word = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        Self::of_kept(&word).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Payload;

    #[track_caller]
    fn check(word: &str, kind: Kind) {
        assert_eq!(word.parse(), Ok(kind), "{word}");
    }

    #[test]
    fn the_table_stands_in_the_order_of_the_enum() {
        for (index, kind) in Kind::KEPT.into_iter().enumerate() {
            assert_eq!(kind as usize, index);
            assert!(kind == Kind::Unknown || Kind::ALL[index] == kind);
        }
        assert_eq!(Kind::Changelog.route(), "changelog");
        assert_eq!(Kind::AgentStatus.schema(), "AgentStatusEventPayload");
    }

    #[test]
    fn every_spelling_of_the_world_is_understood() {
        for word in ["changelog", "change_log", "change-log", "ChangeLog", "CHANGELOG"] {
            check(word, Kind::Changelog);
        }
        check("change-log-events", Kind::Changelog);
        check("receiveChangeLogEvent", Kind::Changelog);
        check("ChangeLogEventPayload", Kind::Changelog);
        check("agent-status", Kind::AgentStatus);
        check("agentstatus", Kind::AgentStatus);
        check("AgentStatus", Kind::AgentStatus);
        check("message", Kind::Sms);
        check("SMS", Kind::Sms);
        check("call", Kind::Call);
        check("contact-events", Kind::Contact);
    }

    #[test]
    fn the_member_that_names_a_subject_is_where_its_id_is_read() {
        for kind in Kind::KEPT {
            let Some(Subject { id_member, .. }) = kind.subject() else {
                continue;
            };
            let body = match id_member.split_once('.') {
                Some((outer, inner)) => format!(r#"{{"{outer}":{{"{inner}":17}}}}"#),
                None => format!(r#"{{"{id_member}":17}}"#),
            };
            let payload = Payload::read(kind, body.as_bytes()).unwrap();
            assert_eq!(payload.subject_id().map(crate::Id::as_str), Some("17"), "{body}");
        }
    }

    #[test]
    fn an_unknown_kind_names_the_known_ones() {
        let error = "fax".parse::<Kind>().unwrap_err().to_string();
        assert!(error.starts_with("`fax` is not"), "{error}");
        for kind in Kind::ALL {
            assert!(error.contains(kind.route()), "{error}");
        }
    }

    #[test]
    fn only_what_is_kept_can_be_unknown() {
        assert_eq!(Kind::of_kept("Unknown"), Ok(Kind::Unknown));
        assert_eq!(Kind::of_kept("change-log"), Ok(Kind::Changelog));
        let told = Kind::of_kept("smss").unwrap_err().to_string();
        assert!(told.ends_with("changelog or unknown"), "{told}");
        for word in ["unknown", "", "fax"] {
            assert!(word.parse::<Kind>().is_err(), "{word}");
        }
    }

    #[test]
    fn no_word_means_two_kinds() {
        for kind in Kind::ALL {
            let facts = kind.facts();
            for word in facts.also.iter().chain([&facts.route]) {
                let claims = Kind::ALL.iter().filter(|other| other.is_spelled(word));
                assert_eq!(claims.count(), 1, "{word}");
            }
        }
    }

    #[test]
    fn serde_writes_the_route_and_reads_any_spelling() {
        let written = serde_json::to_string(&Kind::AgentStatus).unwrap();
        assert_eq!(written, r#""agent_status""#);
        let read: Kind = serde_json::from_str(r#""ChangeLog""#).unwrap();
        assert_eq!(read, Kind::Changelog);
    }
}
