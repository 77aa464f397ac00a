//! Validation: what an event's bytes say against the schema of its kind in our AsyncAPI document.
//!
//! It never changes an event and never decides by itself; what follows from a deviation is the mode's. Whether the
//! bytes are an event at all was asked before.

mod claims;
#[cfg(test)]
mod genuine;
#[cfg(test)]
mod judge;
mod schemas;
mod shape;

use std::fmt;

use serde_json::{Number, Value};
use switchhook_protocol::{JsonNode, Kind, Outline, Shape as Node, spelled_enum};

use self::schemas::Strictness;
use self::shape::{DIGITS, Fault, Shape};
use crate::documents;

spelled_enum! {
    /// Treatment of events that deviate from their schema.
    #[derive(Default)]
    pub enum ValidationMode: "validation mode" {
        /// No validation.
        Off = "off",
        /// They are accepted, and each deviation is told and kept.
        #[default]
        Warn = "warn",
        /// They are refused, and each deviation is told. A word that is new and a shape that was only observed are no reason.
        Strict = "strict",
    }
}

impl ValidationMode {
    /// The same for events that nobody would send again if they were refused.
    #[must_use]
    pub const fn without_refusals(self) -> Self {
        match self {
            Self::Off => Self::Off,
            Self::Warn | Self::Strict => Self::Warn,
        }
    }
}

/// One place where an event is not as its schema says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deviation {
    /// JSON pointer of the place, empty for the event itself.
    pub pointer: String,
    /// Description of the deviation. It quotes no value, except for a short word.
    pub message: String,
    is_certain: bool,
}

impl Deviation {
    /// True if it is a reason to refuse the event. Unknown words, fields that differ from what was observed, and
    /// values that could not be judged are none.
    #[must_use]
    pub const fn is_certain(&self) -> bool {
        self.is_certain
    }

    fn of(pointer: &str, value: &JsonNode<'_>, fault: &Fault<'_>, is_certain: bool) -> Self {
        Self {
            pointer: pointer.to_owned(),
            message: message(value, fault),
            is_certain,
        }
    }

    /// It is sent as one kind and has the shape of another.
    pub(crate) fn wrong_kind(sent_as: Kind, other: Kind) -> Self {
        Self {
            pointer: String::new(),
            message: format!(
                "it is sent as {sent_as} and looks like {other}: send it as {other}, or as auto"
            ),
            is_certain: true,
        }
    }

    /// It lacks the id by which events follow one another.
    pub(crate) fn without_order(kind: Kind) -> Option<Self> {
        let id = kind.subject()?.id_member;
        Some(Self {
            pointer: String::new(),
            message: format!("there is no `{id}`: its deliveries are in no order with those of other events"),
            is_certain: false,
        })
    }

    fn unjudged(error: &impl fmt::Display) -> Self {
        Self {
            pointer: String::new(),
            message: format!("not validated: {error}"),
            is_certain: false,
        }
    }
}

impl fmt::Display for Deviation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.pointer.is_empty() {
            return f.write_str(&self.message);
        }
        write!(f, "{}: {}", self.pointer, self.message)
    }
}

/// Bounds on the deviations listed for one event, and on their bytes.
const MOST_DEVIATIONS: usize = 100;
const MOST_DEVIATION_BYTES: usize = 16 * 1024;

/// Bound on the values of an event that is judged, because each takes many times its size in memory.
const MOST_VALUES: usize = 50_000;

/// Checks events against the schemas of all kinds.
#[derive(Debug)]
pub struct Validator([Schema; Kind::ALL.len()]);

/// The schema of one kind in both readings. Most events keep to the close one, and then there is nothing more to say.
#[derive(Debug)]
struct Schema {
    strict: Shape,
    lenient: Shape,
}

impl Default for Validator {
    fn default() -> Self {
        Self::new()
    }
}

impl Validator {
    /// Makes ready the schemas of our AsyncAPI document.
    ///
    /// # Panics
    /// If our own document is no document.
    #[must_use]
    pub fn new() -> Self {
        Self(Kind::ALL.map(|kind| {
            let read = |reading| Shape::of(&schemas::schema(documents::schema(kind), reading));
            Schema {
                strict: read(Strictness::Strict),
                lenient: read(Strictness::Lenient),
            }
        }))
    }

    /// Deviations of an event from its schema.
    #[must_use]
    pub fn check(&self, kind: Kind, event: &Outline<'_>) -> Vec<Deviation> {
        let Some(schema) = self.0.get(kind as usize) else {
            return Vec::new(); // What nobody knows has no schema.
        };
        if has_too_many_values(event.text().as_bytes()) {
            return vec![Deviation::unjudged(&format_args!(
                "it has more than {MOST_VALUES} values"
            ))];
        }
        let is_as_it_should_be =
            event.is_plain() && schema.strict.fits(event.root()) && !claims::has_mistakable(event);
        if is_as_it_should_be {
            return Vec::new();
        }
        schema.deviations(event)
    }
}

impl Schema {
    /// Deviations of an event: first those that are certain, then those that may be news.
    fn deviations(&self, event: &Outline<'_>) -> Vec<Deviation> {
        // What is JSON and yet cannot be read (1e400, half a surrogate pair, very deep nesting) cannot be judged.
        if !event.is_plain()
            && let Err(error) = serde_json::from_str::<Value>(event.text())
        {
            return vec![Deviation::unjudged(&error)];
        }
        let root = JsonNode::outlined(event.root());
        let mut found = Vec::new();
        self.lenient.faults(&root, &mut |pointer, value, fault| {
            found.push(Deviation::of(pointer, value, &fault, true));
            found.len() < MOST_DEVIATIONS
        });
        let mut others = Vec::new();
        self.strict.faults(&root, &mut |pointer, value, fault| {
            let is_word = matches!(fault, Fault::Word { is_spelled_otherwise, .. } if is_spelled_otherwise);
            if !is_word && !found.iter().any(|certain| certain.pointer == pointer) {
                others.push(Deviation::of(pointer, value, &fault, false));
            }
            found.len() + others.len() < MOST_DEVIATIONS
        });
        found.extend(claims::mistakable(event));
        found.extend(others);
        bounded(found.into_iter()).collect()
    }
}

fn bounded(deviations: impl Iterator<Item = Deviation>) -> impl Iterator<Item = Deviation> {
    let mut bytes = 0;
    deviations.take(MOST_DEVIATIONS).take_while(move |deviation| {
        let is_within = bytes < MOST_DEVIATION_BYTES;
        bytes += deviation.pointer.len() + deviation.message.len();
        is_within
    })
}

/// Every value but the first comes after one of these. They may also stand in texts, so that a very long text is not judged
/// either; that does no harm.
fn has_too_many_values(body: &[u8]) -> bool {
    body.len() > MOST_VALUES
        && body
            .iter()
            .filter(|byte| matches!(byte, b',' | b'[' | b'{'))
            .count()
            > MOST_VALUES
}

fn message(value: &JsonNode<'_>, fault: &Fault<'_>) -> String {
    let this = type_of(value);
    match fault {
        Fault::Word { known, .. } => match word(value) {
            Some(word) => format!("`{word}` is none of {known}"),
            None => format!("this {this} is none of {known}"),
        },
        Fault::Type(types) => {
            let types: Vec<_> = types.iter().map(|name| format!("\"{name}\"")).collect();
            let plural = if types.len() == 1 { "" } else { "s" };
            format!("this {this} is not of type{plural} {}", types.join(", "))
        }
        Fault::NoDigits => format!("this {this} does not match \"{DIGITS}\""),
    }
}

/// A value that is short and looks like a word of a list, and not like something that a person wrote.
fn word<'n>(value: &'n JsonNode<'_>) -> Option<&'n str> {
    let is_letter = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
    match value.shape() {
        Node::Text(text) if text.len() <= 32 && text.bytes().all(is_letter) => Some(text),
        _ => None,
    }
}

fn type_of(value: &JsonNode<'_>) -> &'static str {
    match value.shape() {
        Node::Null => "null",
        Node::Bool(_) => "boolean",
        Node::Number(number) if serde_json::from_str(number).is_ok_and(|number: Number| number.is_f64()) => {
            "fraction"
        }
        Node::Number(_) => "integer",
        Node::Text(_) => "string",
        Node::List(_) => "array",
        Node::Object(_) => "object",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn deviations_of(kind: Kind, body: &str) -> Vec<Deviation> {
        let event = Outline::read(body.as_bytes()).expect("it is one JSON object");
        Validator::new().check(kind, &event)
    }

    #[track_caller]
    fn check(kind: Kind, body: &str, deviations: &[&str]) {
        let found = deviations_of(kind, body);
        let found: Vec<_> = found.iter().map(ToString::to_string).collect();
        assert_eq!(found, deviations, "{body}");
    }

    #[test]
    fn an_event_as_its_schema_says_has_no_deviations() {
        check(
            Kind::Call,
            r#"{"call_id": 9223372036854775807, "state": "hangup", "new": 1}"#,
            &[],
        );
        check(
            Kind::Contact,
            r#"{"event": "Created", "contact": {"id": "1", "type": "local"}}"#,
            &[],
        );
        check(Kind::Changelog, "{}", &[]);
    }

    #[test]
    fn what_differs_in_spelling_only_is_no_deviation() {
        check(
            Kind::Changelog,
            r#"{"action": "updated_ivr", "target": {"id": 1, "type": "CallCenter"}}"#,
            &[],
        );
        check(
            Kind::AgentStatus,
            r#"{"availability_status": "available", "on_duty_status": "wrap-up", "call_center_ids": ["1", 2]}"#,
            &[],
        );
    }

    #[test]
    fn what_is_new_or_was_only_observed_is_told_and_no_reason_to_refuse() {
        let body = r#"{"call_id": "12", "state": "sung", "labels": "x", "contact": {"id": 1, "type": "robot"},
            "recording_details": [{"recording_type": 1}], "target": {"id": "2", "type": "desk"}}"#;
        let found = deviations_of(Kind::Call, body);
        assert!(found.iter().all(|one| !one.is_certain()), "{found:?}");
        let mut pointers: Vec<_> = found.iter().map(|one| one.pointer.as_str()).collect();
        pointers.sort_unstable();
        let expected = [
            "/call_id",
            "/contact/type",
            "/labels",
            "/recording_details/0/recording_type",
            "/state",
            "/target/id",
            "/target/type",
        ];
        pointers.dedup();
        assert_eq!(pointers, expected);
    }

    #[test]
    fn a_member_that_a_jwt_library_takes_for_its_own_is_told() {
        for name in ["iat", "exp", "nbf", "aud", "iss", "sub", "jti"] {
            for rest in ["", r#", "state": "sung""#] {
                let body = format!(r#"{{"call_id": 1, "{name}": 1795253415180{rest}}}"#);
                let found = deviations_of(Kind::Call, &body);
                let told = found.iter().find(|one| one.pointer == format!("/{name}"));
                assert!(told.is_some_and(|told| !told.is_certain()), "{body}: {found:?}");
            }
        }
        check(
            Kind::Call,
            r#"{"call_id": 1, "contact": {"id": "1", "iat": 5}}"#,
            &[],
        );
    }

    #[test]
    fn what_cannot_be_an_id_a_number_or_a_word_is_a_reason_to_refuse() {
        for body in [
            r#"{"call_id": "one"}"#,
            r#"{"call_id": 1.5}"#,
            r#"{"contact": {"id": {}}}"#,
            r#"{"state": 5}"#,
            r#"{"duration": "long"}"#,
            r#"{"target": []}"#,
        ] {
            let found = deviations_of(Kind::Call, body);
            assert_eq!(found.len(), 1, "{body}: {found:?}");
            assert!(found[0].is_certain(), "{body}");
        }
    }

    #[test]
    fn a_deviation_is_named_with_its_pointer() {
        let body = r#"{"call_id": {}, "target": {"id": 1, "type": "desk"}}"#;
        let found = deviations_of(Kind::Call, body);
        let mut pointers: Vec<_> = found.iter().map(|deviation| deviation.pointer.as_str()).collect();
        pointers.sort_unstable();
        assert_eq!(pointers, ["/call_id", "/target/type"]);
        assert!(
            found
                .iter()
                .any(|deviation| deviation.message.starts_with("`desk` is none of ")),
            "{found:?}"
        );
    }

    #[test]
    fn what_a_message_says_is_not_told() {
        let body = r#"{"text": ["a private matter"], "direction": "a private matter"}"#;
        let found = deviations_of(Kind::Sms, body);
        assert!(!found.is_empty());
        for deviation in found {
            assert!(!deviation.message.contains("private"), "{deviation}");
        }
    }

    #[test]
    fn what_cannot_be_read_is_not_judged() {
        for body in [r#"{"call_id": 1e400}"#, r#"{"state": "\ud83d"}"#] {
            let found = deviations_of(Kind::Call, body);
            assert_eq!(found.len(), 1, "{body}");
            assert!(found[0].message.starts_with("not validated: "), "{body}");
            assert!(!found[0].is_certain());
        }
    }

    #[test]
    fn of_a_repeated_member_the_last_counts() {
        check(Kind::Call, r#"{"call_id": {}, "call_id": 1}"#, &[]);
        assert_eq!(
            deviations_of(Kind::Call, r#"{"call_id": 1, "call_id": {}}"#).len(),
            1
        );
    }

    #[test]
    fn deviations_are_bounded() {
        let many = vec!["{}"; 10_000].join(",");
        let body = format!(r#"{{"to_number": [{many}]}}"#);
        assert_eq!(deviations_of(Kind::Sms, &body).len(), MOST_DEVIATIONS);
    }

    #[test]
    fn what_would_take_much_memory_is_not_judged() {
        let values = vec![r#"{"":{}}"#; 100_000].join(",");
        let body = format!(r#"{{"call_id": {{}}, "new": [{values}]}}"#);
        let found = deviations_of(Kind::Call, &body);
        assert!(found[0].message.starts_with("not validated: "), "{found:?}");
        assert!(!found[0].is_certain());
    }

    #[test]
    fn modes_read_back_what_they_print() {
        for mode in ValidationMode::ALL {
            assert_eq!(mode.to_string().parse(), Ok(mode));
        }
        assert!("loose".parse::<ValidationMode>().is_err());
    }
}
