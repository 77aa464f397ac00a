//! Attempts: one POST of a delivery and what came of it. A failed attempt is data, never an error.
//!
//! What an outcome means, and everything that follows from it, is one table in `attempt/outcome.rs`.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use switchhook_protocol::Timestamp;

use crate::credential::shown_value;

mod failure;
mod outcome;

pub use failure::Failure;
pub use outcome::{
    AttemptOutcome, Blocks, Consequences, CountsAs, FailureReason, HealthSignal, OutcomeClass, Retry,
};

/// Bytes of an answer's body that are read and stored.
pub const ANSWER_HEAD: usize = 16 * 1024;

/// One POST, finished. It is never changed again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    /// Counted from 1 within its delivery, without gaps.
    pub number: u32,
    /// Start, when the attempt was opened.
    pub started_at: Timestamp,
    /// End, when its outcome was known.
    pub finished_at: Timestamp,
    pub outcome: AttemptOutcome,
    /// Request; `None` if nothing was sent as far as we know (a lost attempt).
    pub request: Option<AttemptRequest>,
    pub answer: Option<Answer>,
    /// Durations of its parts.
    pub phases: Phases,
}

/// Request without the body, which can be rebuilt from the event.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AttemptRequest {
    /// URL without credentials.
    pub url: Arc<str>,
    /// The headers that do not follow from the delivery itself, as they are sent. `Host` and `Content-Length` are left out:
    /// they follow from URL and body.
    pub headers: HeaderRecord,
}

/// Headers as they are kept: a JSON object of text values. Made once, then shared: one costs nothing to copy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeaderRecord(Arc<str>);

impl HeaderRecord {
    /// Keeps headers, credentials as `***`; names that occur again are joined as RFC 9110 §5.3 says.
    #[must_use]
    pub fn of<'a, N: AsRef<str> + Ord + Serialize>(
        headers: impl IntoIterator<Item = (N, Cow<'a, str>)>,
    ) -> Self {
        let mut map = BTreeMap::<N, Cow<'a, str>>::new();
        for (name, value) in headers {
            let value = shown_header(name.as_ref(), value);
            match map.get_mut(&name) {
                Some(earlier) => *earlier = format!("{earlier}, {value}").into(),
                None => {
                    map.insert(name, value);
                }
            }
        }
        // Quotes, colon and comma; what must be escaped makes it grow.
        let size = |(name, value): (&N, &Cow<'a, str>)| name.as_ref().len() + value.len() + 6;
        let mut json = Vec::with_capacity(2 + map.iter().map(size).sum::<usize>());
        serde_json::to_writer(&mut json, &map).expect("text can be written as JSON");
        Self(String::from_utf8(json).expect("JSON is text").into())
    }

    /// Takes headers as they were kept.
    ///
    /// # Errors
    /// If they are no JSON object of text values.
    pub fn from_json(text: &str) -> serde_json::Result<Self> {
        serde_json::from_str::<BTreeMap<&str, Cow<'_, str>>>(text)?;
        Ok(Self(text.into()))
    }

    /// The JSON object.
    #[must_use]
    pub fn as_json(&self) -> &str {
        &self.0
    }

    /// The headers one by one, as they may be shown: what an earlier version kept may have credentials in it.
    #[must_use]
    pub fn to_map(&self) -> BTreeMap<String, String> {
        let mut map: BTreeMap<String, String> =
            serde_json::from_str(&self.0).expect("a record holds a JSON object of text values");
        for (name, value) in &mut map {
            if let Cow::Owned(shown) = shown_header(name, Cow::Borrowed(value)) {
                *value = shown;
            }
        }
        map
    }
}

fn shown_header<'a>(name: &str, value: Cow<'a, str>) -> Cow<'a, str> {
    match shown_value(name, &value) {
        shown if shown == value => value,
        shown => Cow::Owned(shown.into_owned()),
    }
}

impl Default for HeaderRecord {
    fn default() -> Self {
        Self("{}".into())
    }
}

/// The head of what was answered.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// Headers, names in lower case, values that are no text shown lossily.
    pub headers: HeaderRecord,
    /// At most [`ANSWER_HEAD`] bytes of the body.
    pub body_head: Vec<u8>,
    /// True if the body was longer.
    pub is_truncated: bool,
    /// Note for people, for example that the body broke off.
    pub note: Option<String>,
}

impl Answer {
    /// With something else that is to be said of it.
    #[must_use]
    pub fn noting(mut self, note: &str) -> Self {
        self.note = Some(match self.note {
            Some(earlier) => format!("{earlier}; {note}"),
            None => note.to_owned(),
        });
        self
    }
}

/// Durations of an attempt's parts. A part that did not happen (on a reused connection) is `None`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Phases {
    /// Looking the name up.
    pub dns: Option<Duration>,
    /// Until the TCP connection stood.
    pub connect: Option<Duration>,
    /// TLS handshake.
    pub tls: Option<Duration>,
    /// From the start of the attempt to the first byte of the answer.
    pub first_byte: Option<Duration>,
    /// The whole attempt.
    pub total: Duration,
}

impl Attempt {
    /// Detail in words: the reason for which no answer came, or a peculiarity of the answer.
    #[must_use]
    pub fn detail(&self) -> Option<&str> {
        match &self.outcome {
            AttemptOutcome::Unanswered { detail, .. } => Some(detail),
            AttemptOutcome::Answered { .. } => self.answer.as_ref()?.note.as_deref(),
            AttemptOutcome::Lost => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_are_kept_as_json_and_repeated_ones_are_joined() {
        let record = HeaderRecord::of([("b", "1".into()), ("a", "\"".into()), ("b", "2".into())]);
        assert_eq!(record.as_json(), r#"{"a":"\"","b":"1, 2"}"#);
        assert_eq!(HeaderRecord::from_json(record.as_json()).unwrap(), record);
        assert!(HeaderRecord::from_json("[1]").is_err());
        assert_eq!(record.to_map()["b"], "1, 2");
    }

    #[test]
    fn credentials_are_neither_kept_nor_shown() {
        let record = HeaderRecord::of([
            ("x-api-key", "s3cret".into()),
            ("set-cookie", "s3cret".into()),
            ("set-cookie", "s3cret".into()),
            ("location", "https://a:s3cret@example.com/".into()),
            ("date", "today".into()),
        ]);
        assert!(!record.as_json().contains("s3cret"), "{record:?}");
        assert_eq!(record.to_map()["date"], "today");
        let older = HeaderRecord::from_json(r#"{"authorization":"s3cret"}"#).unwrap();
        assert_eq!(older.to_map()["authorization"], "***");
    }
}
