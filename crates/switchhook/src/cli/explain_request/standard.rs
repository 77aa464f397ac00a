//! The signature of Standard Webhooks in the headers: the secret that it fits, or why none does, and its age.

use serde_json::{Value, json};
use switchhook_domain::clock::Clock;
use switchhook_node::clock::SystemClock;
use switchhook_protocol::{STANDARD_TOLERANCE, StandardError, StandardHeaders, StandardKey, Timestamp};

use super::super::output::Facts;
use super::capture::Capture;

/// A signature in the headers, checked.
pub(super) struct StandardSignature {
    headers: Option<StandardHeaders>,
    /// Index of the secret that it fits. Its age is not checked: a capture is examined later.
    verdict: Result<usize, StandardError>,
    cause: Option<String>,
    /// A note if it is too old for receivers.
    age: Option<String>,
}

impl StandardSignature {
    /// Checks a capture; `None` if it has no such signature.
    pub(super) fn of(capture: &Capture, keys: &[&[u8]]) -> Option<Self> {
        let headers = match StandardHeaders::read(|name| capture.header(name)) {
            Ok(headers) => headers?,
            Err(error) => {
                return Some(Self {
                    headers: None,
                    verdict: Err(error),
                    cause: None,
                    age: None,
                });
            }
        };
        let secrets: Vec<&str> = keys.iter().filter_map(|key| str::from_utf8(key).ok()).collect();
        let sent_at = headers.sent_at();
        let at = sent_at.unwrap_or_else(|| SystemClock.now());
        let verify = |secrets: &[&str]| {
            let keys: Vec<_> = secrets.iter().map(|secret| StandardKey::new(secret)).collect();
            headers.verify(&keys, &capture.body, at)
        };
        let fitting = secrets.iter().position(|secret| verify(&[*secret]).is_ok());
        let verdict = match fitting {
            Some(index) => Ok(index),
            None => verify(&secrets).map(|()| 0),
        };
        let cause = match verdict {
            Err(StandardError::WrongSignature { .. }) => headers.cause(&secrets, &capture.body),
            _ => None,
        };
        Some(Self {
            verdict,
            cause: cause.map(|cause| cause.to_string()),
            age: sent_at.and_then(|at| note_on_age(at, SystemClock.now())),
            headers: Some(headers),
        })
    }

    /// True if it is valid; `None` without a secret.
    fn holds(&self) -> Option<bool> {
        match &self.verdict {
            Ok(_) => Some(true),
            Err(StandardError::NoSecret) => None,
            Err(_) => Some(false),
        }
    }

    pub(super) fn add_facts(&self, facts: Facts, given: usize) -> Facts {
        let name = "webhook-signature";
        let facts = match &self.verdict {
            Ok(index) => facts.fact(name, format_args!("valid, with secret {} of {given}", index + 1)),
            Err(StandardError::NoSecret) => facts.fact(name, "not checked: give the webhook's --secret"),
            Err(error) => facts.fact(name, "not valid").fact("refused", error),
        };
        facts
            .fact_if("because", self.cause.as_ref())
            .fact_if("note", self.age.as_ref())
    }

    pub(super) fn as_json(&self) -> Value {
        let headers = self.headers.as_ref();
        let refused = self
            .verdict
            .as_ref()
            .err()
            .filter(|error| **error != StandardError::NoSecret);
        json!({
            "holds": self.holds(),
            "secret": self.verdict.as_ref().ok().map(|index| index + 1),
            "refused": refused.map(ToString::to_string),
            "cause": self.cause,
            "id": headers.map(|headers| &headers.id),
            "timestamp": headers.map(|headers| &headers.timestamp),
            "age": self.age,
        })
    }
}

fn note_on_age(sent_at: Timestamp, now: Timestamp) -> Option<String> {
    let (old, early) = (now.since(sent_at), sent_at.since(now));
    let most = STANDARD_TOLERANCE.as_secs();
    if old > STANDARD_TOLERANCE {
        let old = old.as_secs();
        return Some(format!(
            "it was sent {old} s ago: receivers accept it for {most} s, and then refuse it as a replay"
        ));
    }
    (early > STANDARD_TOLERANCE).then(|| {
        let early = early.as_secs();
        format!("it was sent {early} s in the future: the clock of its sender, or this one, is wrong")
    })
}
