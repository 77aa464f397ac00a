//! Validation: what an event's bytes say against the schema of its kind in our AsyncAPI document.
//!
//! It never changes an event and never decides by itself; what follows from a deviation is the mode's. Whether the
//! bytes are an event at all was asked before.

mod asked;
mod claims;
#[cfg(test)]
mod genuine;
mod shape;
mod tree;

use std::fmt;

use jsonschema::error::ValidationErrorKind;
use jsonschema::{Draft, ValidationError};
use serde_json::Value;
use switchhook_protocol::{Kind, Outline, same_word, spelled_enum};

use self::asked::Reading;
use self::shape::Shape;
use self::tree::{Tree, Trees};
use crate::documents;

spelled_enum! {
    /// What becomes of events that deviate from their schema.
    #[derive(Default)]
    pub enum ValidationMode: "validation mode" {
        /// Nobody looks.
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
    /// Where: a JSON pointer, empty for the event itself.
    pub pointer: String,
    /// What is wrong there. Says nothing of a value but its type, unless that is a short word.
    pub message: String,
    is_certain: bool,
}

impl Deviation {
    /// Whether it is a reason to refuse the event. A word that nobody knows yet, a field that was observed otherwise and a
    /// value that nobody could judge are none.
    #[must_use]
    pub const fn is_certain(&self) -> bool {
        self.is_certain
    }

    fn of(error: &ValidationError<'_>, is_certain: bool) -> Self {
        let pointer = error.instance_path().as_str().to_owned();
        Self {
            pointer,
            message: message(error),
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

/// How many deviations of one event are told, and in how many bytes about.
const MOST_DEVIATIONS: usize = 100;
const MOST_DEVIATION_BYTES: usize = 16 * 1024;

/// How many values an event may have to be judged: each takes many times the memory that it has bytes.
const MOST_VALUES: usize = 50_000;

/// Checks events against the schemas of all kinds.
#[derive(Debug)]
pub struct Validator([Schema; Kind::ALL.len()]);

/// The schema of one kind in both readings. Most events keep to the close one, and nothing but its shape is asked.
#[derive(Debug)]
struct Schema {
    shape: Shape,
    closely: jsonschema::Validator<Trees>,
    loosely: jsonschema::Validator<Trees>,
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
            let asked = |reading| asked::schema(documents::schema(kind), reading);
            let read = |reading| {
                jsonschema::options_for::<Trees>()
                    .with_draft(Draft::Draft7)
                    .should_validate_formats(false)
                    .build(&asked(reading))
                    .expect("the schemas of our own document are schemas")
            };
            Schema {
                shape: Shape::of(&asked(Reading::Closely)),
                closely: read(Reading::Closely),
                loosely: read(Reading::Loosely),
            }
        }))
    }

    /// What deviates in an event; nothing if it is as its schema says.
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
            event.is_plain() && schema.shape.fits(event.root()) && !claims::has_mistakable(event);
        if is_as_it_should_be {
            return Vec::new();
        }
        schema.judge(event.text())
    }
}

impl Schema {
    /// What deviates in an event, as the JSON Schema crate tells.
    fn judge(&self, event: &str) -> Vec<Deviation> {
        // What is JSON and yet cannot be read (1e400, half a surrogate pair, very deep nesting) cannot be judged.
        let event: Tree<'_> = match serde_json::from_str(event) {
            Ok(event) => event,
            Err(error) => return vec![Deviation::unjudged(&error)],
        };
        if self.closely.is_valid(&event) {
            return claims::mistakable(&event).collect();
        }
        let errors = self.loosely.iter_errors(&event);
        let mut found: Vec<_> = bounded(errors.map(|error| Deviation::of(&error, true))).collect();
        let errors = self.closely.iter_errors(&event);
        let others = errors
            .filter(|error| !is_spelled_otherwise(error))
            .map(|error| Deviation::of(&error, false))
            .filter(|other| !found.iter().any(|certain| certain.pointer == other.pointer));
        let others: Vec<_> = others.take(MOST_DEVIATIONS - found.len()).collect();
        found.extend(claims::mistakable(&event));
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

/// Whether it is one of the words after all: case and separators do not count.
fn is_spelled_otherwise(error: &ValidationError<'_>) -> bool {
    let ValidationErrorKind::Enum { options } = error.kind() else {
        return false;
    };
    let mut known = options.as_array().into_iter().flatten().filter_map(Value::as_str);
    let word = error.instance().as_str();
    word.is_some_and(|word| known.any(|known| same_word(word, known)))
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

fn message(error: &ValidationError<'_>) -> String {
    let instance = error.instance();
    match error.kind() {
        ValidationErrorKind::Enum { options } => match word(instance) {
            Some(word) => format!("`{word}` is none of {options}"),
            None => format!("this {} is none of {options}", type_of(instance)),
        },
        _ => error
            .masked_with(format!("this {}", type_of(instance)))
            .to_string(),
    }
}

/// A value that is short and looks like a word of a list, and not like something that a person wrote.
fn word(value: &Value) -> Option<&str> {
    let is_letter = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
    value
        .as_str()
        .filter(|text| text.len() <= 32 && text.bytes().all(is_letter))
}

fn type_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_f64() => "fraction",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
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
