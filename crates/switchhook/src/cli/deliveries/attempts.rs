//! The attempts of a delivery as `deliveries show` tells them: what was sent, what was answered, how long it took.

use std::collections::BTreeMap;

use serde::Deserialize;
use switchhook_domain::Timestamp;

use crate::cli::output::{Facts, time};

/// How much of an answer's body is shown; `--json` shows what is kept of it.
const SHOWN_BODY: usize = 2_000;

/// What we read of an attempt.
#[derive(Debug, Deserialize)]
pub(super) struct Attempt {
    pub(super) number: u32,
    started_at: Timestamp,
    outcome: String,
    status: Option<u16>,
    error: Option<String>,
    detail: Option<String>,
    retry_after: Option<Timestamp>,
    request: Option<Sent>,
    answer: Option<Answered>,
    timing: Timing,
}

#[derive(Debug, Deserialize)]
struct Sent {
    url: String,
    headers: BTreeMap<String, String>,
}

#[derive(Debug, Deserialize)]
struct Answered {
    headers: BTreeMap<String, String>,
    body: String,
    truncated: bool,
}

#[derive(Debug, Deserialize)]
struct Timing {
    dns_ms: Option<f64>,
    connect_ms: Option<f64>,
    tls_ms: Option<f64>,
    first_byte_ms: Option<f64>,
    total_ms: f64,
}

impl Attempt {
    pub(super) fn facts(&self) -> Facts {
        let mut facts = Facts::new()
            .fact("attempt", format!("{} at {}", self.number, time(self.started_at)))
            .fact("outcome", self.outcome_in_words())
            .fact_if("asked to wait until", self.retry_after.map(time))
            .fact("took", self.timing.in_words());
        if let Some(sent) = &self.request {
            facts = facts.fact("sent to", &sent.url);
            facts = headers(facts, "sent", &sent.headers);
        }
        if let Some(answer) = &self.answer {
            facts = headers(facts, "answer", &answer.headers);
            facts = facts.fact_if("answer body", answer.shown_body());
        }
        facts
    }

    fn outcome_in_words(&self) -> String {
        match (self.status, &self.error, &self.detail) {
            (Some(status), _, _) => format!("{}: HTTP {status}", self.outcome),
            (None, Some(error), Some(detail)) => format!("{}: {error}: {detail}", self.outcome),
            (None, Some(error), None) => format!("{}: {error}", self.outcome),
            (None, None, _) => format!(
                "{}: the server stopped in between, and nobody knows how it ended",
                self.outcome
            ),
        }
    }
}

impl Answered {
    fn shown_body(&self) -> Option<String> {
        let end = self.body.char_indices().nth(SHOWN_BODY).map(|(end, _)| end);
        let shown = &self.body[..end.unwrap_or(self.body.len())];
        let rest = if end.is_some() || self.truncated {
            "\n(there is more)"
        } else {
            ""
        };
        (!self.body.is_empty()).then(|| format!("{}{rest}", shown.trim_end()))
    }
}

impl Timing {
    fn in_words(&self) -> String {
        let parts = [
            ("dns", self.dns_ms),
            ("connect", self.connect_ms),
            ("tls", self.tls_ms),
            ("first byte after", self.first_byte_ms),
        ];
        let parts: Vec<_> = parts
            .iter()
            .filter_map(|(name, ms)| Some(format!("{name} {:.1} ms", (*ms)?)))
            .collect();
        let total = format!("{:.1} ms", self.total_ms);
        if parts.is_empty() {
            total
        } else {
            format!("{total} ({})", parts.join(", "))
        }
    }
}

fn headers(facts: Facts, name: &str, headers: &BTreeMap<String, String>) -> Facts {
    headers.iter().fold(facts, |facts, (header, value)| {
        facts.fact(name, format!("{header}: {value}"))
    })
}

#[cfg(test)]
pub(super) mod tests {
    use serde_json::{Value, json};

    use super::*;

    pub(in crate::cli::deliveries) fn failed(number: u32) -> Value {
        json!({
            "number": number, "started_at": 1_795_253_400_000_u64, "finished_at": 1_795_253_400_012_u64,
            "outcome": "failed", "status": 500, "error": null, "detail": null, "retry_after": null,
            "request": null, "answer": { "status": 500, "headers": {}, "body": "", "truncated": false },
            "timing": { "dns_ms": null, "connect_ms": 0.25, "tls_ms": null, "first_byte_ms": 11.0, "total_ms": 12.0 },
        })
    }

    #[test]
    fn an_attempt_tells_its_outcome_and_its_parts() {
        let attempt: Attempt = serde_json::from_value(failed(1)).unwrap();
        assert_eq!(attempt.outcome_in_words(), "failed: HTTP 500");
        assert_eq!(
            attempt.timing.in_words(),
            "12.0 ms (connect 0.2 ms, first byte after 11.0 ms)"
        );
    }

    #[test]
    fn a_long_body_is_cut_between_characters() {
        let answer = Answered {
            headers: BTreeMap::new(),
            body: "é".repeat(3_000),
            truncated: false,
        };
        let shown = answer.shown_body().unwrap();
        assert_eq!(shown.chars().filter(|c| *c == 'é').count(), SHOWN_BODY);
        assert!(shown.ends_with("(there is more)"));
    }
}
