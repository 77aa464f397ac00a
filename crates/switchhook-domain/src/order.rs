//! Order keys: what deliveries of one webhook share that must go one after the other.
//!
//! Owns which events share a key and for how long a failing one may hold up its followers.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use switchhook_protocol::Payload;

use crate::id::ReplayId;

/// Time from its acceptance for which an event may hold up its followers.
pub const LONGEST_BLOCK: Duration = Duration::from_secs(15 * 60);

/// Attempts for which an event that is refused as wrong (a 4xx) holds up its followers.
pub const ATTEMPTS_THAT_BLOCK: u32 = 3;

/// Length to which an id is cut in a key. Real ids are shorter; a longer one shares its key with those of the same
/// beginning, which only makes them wait for each other.
const LONGEST_ID: usize = 128;

/// A call's, a message's, an agent's or a contact's: readable (`call:123`), cheap to copy.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub struct OrderKey(Arc<str>);

impl OrderKey {
    /// Takes a key as it was kept.
    #[must_use]
    pub fn new(text: impl Into<Arc<str>>) -> Self {
        Self(text.into())
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The key of the same thing within a replay: what is replayed keeps its order and holds up nothing that is live.
    #[must_use]
    pub fn in_replay(&self, id: ReplayId) -> Self {
        Self(format!("replay:{id}:{self}").into())
    }

    /// The order key of an event: none if it has no id to go by.
    #[must_use]
    pub fn of(payload: &Payload<'_>) -> Option<Self> {
        let noun = payload.kind().subject()?.noun;
        let id = readable(payload.subject_id()?.as_str(), LONGEST_ID);
        Some(Self(format!("{noun}:{id}").into()))
    }
}

impl From<String> for OrderKey {
    fn from(text: String) -> Self {
        Self::new(text)
    }
}

impl From<OrderKey> for String {
    fn from(key: OrderKey) -> Self {
        key.0.as_ref().into()
    }
}

impl fmt::Display for OrderKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Text from outside, short enough to be shown and kept, without control characters: not every database keeps those.
pub(crate) fn readable(text: &str, longest: usize) -> String {
    // Most are, as they stand.
    if text.len() <= longest && text.bytes().all(|byte| byte.is_ascii_graphic()) {
        return text.to_owned();
    }
    text.chars()
        .take(longest)
        .map(|c| {
            if c.is_control() {
                char::REPLACEMENT_CHARACTER
            } else {
                c
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use switchhook_protocol::Kind;

    use super::*;

    #[track_caller]
    fn check(kind: Kind, body: &str, expected: Option<&str>) {
        let payload = Payload::read(kind, body.as_bytes()).unwrap();
        let key = OrderKey::of(&payload);
        assert_eq!(key.as_ref().map(OrderKey::as_str), expected, "{body}");
    }

    #[test]
    fn each_kind_is_ordered_by_what_it_is_about() {
        check(
            Kind::Call,
            r#"{"call_id":4513924407164928,"state":"ringing"}"#,
            Some("call:4513924407164928"),
        );
        check(Kind::Sms, r#"{"id":"17"}"#, Some("sms:17"));
        check(
            Kind::AgentStatus,
            r#"{"target":{"id":5,"type":"user"}}"#,
            Some("agent:5"),
        );
        check(
            Kind::Contact,
            r#"{"event":"Created","contact":{"id":"local_Kx2"}}"#,
            Some("contact:local_Kx2"),
        );
    }

    #[test]
    fn changes_and_events_without_an_id_wait_for_nobody() {
        check(
            Kind::Changelog,
            r#"{"target":{"id":5},"action":"updated_ivr"}"#,
            None,
        );
        for kind in Kind::ALL {
            check(kind, "{}", None);
            check(
                kind,
                r#"{"call_id":null,"id":null,"target":{},"contact":{}}"#,
                None,
            );
        }
    }

    #[test]
    fn an_id_of_any_length_makes_a_key_that_a_database_can_index() {
        let body = format!(r#"{{"id":"a\u0000{}"}}"#, "é".repeat(10_000));
        let payload = Payload::read(Kind::Sms, body.as_bytes()).unwrap();
        let key = OrderKey::of(&payload).unwrap();
        assert!(
            key.as_str().len() < 1_000 && !key.as_str().contains('\0'),
            "{key}"
        );
    }
}
