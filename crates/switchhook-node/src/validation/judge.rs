//! Reference validator of the tests: the JSON Schema crate, which our own quicker validator must agree with.

use jsonschema::error::ValidationErrorKind;
use jsonschema::{Draft, ValidationError};
use serde_json::Value;
use switchhook_protocol::{Kind, same_word};

use super::schemas::{self, Strictness};
use crate::documents;

/// The schema of one kind in both readings.
pub(super) struct Judge {
    strict: jsonschema::Validator,
    lenient: jsonschema::Validator,
}

/// JSON pointer, description, and whether it is a reason to refuse the event.
pub(super) type RawDeviation = (String, String, bool);

impl Judge {
    pub(super) fn of(kind: Kind) -> Self {
        let read = |reading| {
            jsonschema::options()
                .with_draft(Draft::Draft7)
                .should_validate_formats(false)
                .build(&schemas::schema(documents::schema(kind), reading))
                .expect("the schemas of our own document are schemas")
        };
        Self {
            strict: read(Strictness::Strict),
            lenient: read(Strictness::Lenient),
        }
    }

    pub(super) fn is_valid(&self, event: &Value) -> bool {
        self.strict.is_valid(event)
    }

    /// In no particular order.
    pub(super) fn deviations(&self, event: &Value) -> Vec<RawDeviation> {
        let said = |error: &ValidationError<'_>, is_certain| {
            (
                error.instance_path().as_str().to_owned(),
                message(error),
                is_certain,
            )
        };
        let certain: Vec<_> = self
            .lenient
            .iter_errors(event)
            .map(|error| said(&error, true))
            .collect();
        let others = self.strict.iter_errors(event);
        let others = others
            .filter(|error| !is_spelled_otherwise(error))
            .map(|error| said(&error, false))
            .filter(|other| !certain.iter().any(|one| one.0 == other.0));
        let others: Vec<_> = others.collect();
        [certain, others].concat()
    }
}

/// True if it is a known word in another case or with other separators.
fn is_spelled_otherwise(error: &ValidationError<'_>) -> bool {
    let ValidationErrorKind::Enum { options } = error.kind() else {
        return false;
    };
    let mut known = options.as_array().into_iter().flatten().filter_map(Value::as_str);
    let word = error.instance().as_str();
    word.is_some_and(|word| known.any(|known| same_word(word, known)))
}

fn message(error: &ValidationError<'_>) -> String {
    let instance = error.instance();
    let this = format!("this {}", type_of(instance));
    let is_letter = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
    let is_word = |text: &&str| text.len() <= 32 && text.bytes().all(is_letter);
    match error.kind() {
        ValidationErrorKind::Enum { options } => match instance.as_str().filter(is_word) {
            Some(word) => format!("`{word}` is none of {options}"),
            None => format!("{this} is none of {options}"),
        },
        _ => error.masked_with(this).to_string(),
    }
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
