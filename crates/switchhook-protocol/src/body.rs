//! Check that some bytes are an event: exactly one JSON object in UTF-8. Nothing more is checked here, and nothing is
//! changed. Numbers of any size pass, because nobody converts them; nesting of any depth passes without recursion.

use serde::de::IgnoredAny;

/// The largest event that Switchhook takes and sends, in bytes of its JSON: 1 MiB.
pub const LARGEST_EVENT: usize = 1024 * 1024;

/// Reason for which some bytes are not one JSON object.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BodyError {
    /// There is nothing but white space.
    #[error("the body is empty; an event is one JSON object")]
    Empty,
    /// The bytes are not UTF-8.
    #[error("the body is not UTF-8: byte {at} (counted from 0) begins no valid character")]
    NotUtf8 {
        /// Offset of the first wrong byte.
        at: usize,
    },
    /// The text is not JSON.
    #[error("the body is not JSON: line {line}, column {column}: {reason}")]
    NotJson {
        /// Line of the mistake, from 1.
        line: usize,
        /// Column of the mistake in bytes, from 1; 0 if the line is empty.
        column: usize,
        /// Description of the mistake.
        reason: String,
    },
    /// The text is JSON of another type.
    #[error("the body is {found}; an event is one JSON object")]
    NotAnObject {
        /// `an array`, `a string`, `a number`, `a boolean` or `null`.
        found: &'static str,
    },
    /// Something follows the first JSON value.
    #[error(
        "the body goes on after its first JSON value, at line {line}, column {column}; an event is one JSON object"
    )]
    MoreThanOne {
        /// Line where the rest begins, from 1.
        line: usize,
        /// Column where the rest begins in bytes, from 1.
        column: usize,
    },
}

/// Checks that `body` is exactly one JSON object, and returns it as text: all of it, byte for byte.
///
/// # Errors
/// Says what else it is, and where.
pub fn check_object(body: &[u8]) -> Result<&str, BodyError> {
    let text = as_text(body)?;
    let first = first_letter(text).ok_or(BodyError::Empty)?;
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let value: Result<IgnoredAny, _> = serde::Deserialize::deserialize(&mut deserializer);
    value.map_err(|error| not_json(&error, first))?;
    deserializer.end().map_err(|error| BodyError::MoreThanOne {
        line: error.line(),
        column: error.column(),
    })?;
    match first {
        '{' => Ok(text),
        other => Err(BodyError::NotAnObject {
            found: type_beginning_with(other),
        }),
    }
}

const JSON_WHITE_SPACE: [char; 4] = [' ', '\t', '\n', '\r'];

pub(crate) fn as_text(body: &[u8]) -> Result<&str, BodyError> {
    std::str::from_utf8(body).map_err(|error| BodyError::NotUtf8 {
        at: error.valid_up_to(),
    })
}

fn first_letter(text: &str) -> Option<char> {
    text.trim_start_matches(JSON_WHITE_SPACE).chars().next()
}

fn not_json(error: &serde_json::Error, first: char) -> BodyError {
    let (line, column) = (error.line(), error.column());
    let whole = error.to_string();
    let place = format!(" at line {line} column {column}");
    let reason = match first {
        '\u{feff}' => "a byte order mark stands before the JSON".to_owned(),
        _ => whole.strip_suffix(&place).unwrap_or(&whole).to_owned(),
    };
    BodyError::NotJson { line, column, reason }
}

fn type_beginning_with(first: char) -> &'static str {
    match first {
        '[' => "an array",
        '"' => "a string",
        't' | 'f' => "a boolean",
        'n' => "null",
        _ => "a number",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(body: &[u8], message: &str) {
        let error = check_object(body).expect_err("the body is no event");
        assert_eq!(error.to_string(), message);
    }

    #[test]
    fn a_refusal_says_what_is_wrong_and_where() {
        check(b"", "the body is empty; an event is one JSON object");
        check(b" \r\n", "the body is empty; an event is one JSON object");
        check(b"[{}]", "the body is an array; an event is one JSON object");
        check(b"null", "the body is null; an event is one JSON object");
        check(b"-1e400", "the body is a number; an event is one JSON object");
        check(b"\"a\"", "the body is a string; an event is one JSON object");
        check(b"true", "the body is a boolean; an event is one JSON object");
        check(
            b"{\"a\":\"\xff\"}",
            "the body is not UTF-8: byte 6 (counted from 0) begins no valid character",
        );
        check(
            b"{\"a\":1,}",
            "the body is not JSON: line 1, column 8: key must be a string",
        );
        check(
            b"{\n\"a\":",
            "the body is not JSON: line 2, column 4: EOF while parsing a value",
        );
        check(
            b"{}\n{}",
            "the body goes on after its first JSON value, at line 2, column 1; an event is one JSON object",
        );
        check(
            "\u{feff}{}".as_bytes(),
            "the body is not JSON: line 1, column 1: a byte order mark stands before the JSON",
        );
    }

    #[test]
    fn numbers_of_any_size_and_repeated_keys_pass() {
        for body in [
            "{}",
            r#" {"a": 1e400, "a": -9223372036854775808} "#,
            r#"{"id": 9223372036854775807, "long": 0.1234567890123456789012345678901}"#,
            r#"{"half": "\ud83d", "\ud83d": 1}"#,
        ] {
            assert_eq!(check_object(body.as_bytes()), Ok(body));
        }
    }

    #[test]
    fn deep_nesting_does_not_use_the_stack() {
        let depth = 300_000;
        let body = format!(r#"{{"a":{}{}}}"#, "[".repeat(depth), "]".repeat(depth));
        assert!(check_object(body.as_bytes()).is_ok());
    }
}
