//! The attempts of a delivery in `deliveries show`: request, answer, duration.

use std::collections::BTreeMap;

use switchhook_web::api::answers::{AnswerHead, AttemptAnswer, Timing};

use crate::cli::output::{Facts, time};

/// Bound on the characters of an answer's body; `--json` shows all that is stored.
const MAX_BODY_CHARS: usize = 2_000;

pub(super) fn facts(attempt: &AttemptAnswer) -> Facts {
    let mut facts = Facts::new()
        .fact(
            "attempt",
            format!("{} at {}", attempt.number, time(attempt.started_at)),
        )
        .fact("outcome", outcome_in_words(attempt))
        .fact_if("asked to wait until", attempt.retry_after.map(time))
        .fact("took", duration(&attempt.timing));
    if let Some(sent) = &attempt.request {
        facts = facts.fact("sent to", &sent.url);
        facts = headers(facts, "sent", &sent.headers);
    }
    if let Some(answer) = &attempt.answer {
        facts = headers(facts, "answer", &answer.headers);
        facts = facts.fact_if("answer body", shown_body(answer));
    }
    facts
}

fn outcome_in_words(attempt: &AttemptAnswer) -> String {
    match (attempt.status, &attempt.error, &attempt.detail) {
        (Some(status), _, Some(detail)) => format!("{}: HTTP {status}: {detail}", attempt.outcome),
        (Some(status), _, None) => format!("{}: HTTP {status}", attempt.outcome),
        (None, Some(error), Some(detail)) => format!("{}: {error}: {detail}", attempt.outcome),
        (None, Some(error), None) => format!("{}: {error}", attempt.outcome),
        (None, None, _) => format!("{}: the server stopped before the attempt ended", attempt.outcome),
    }
}

fn shown_body(answer: &AnswerHead) -> Option<String> {
    let end = answer.body.char_indices().nth(MAX_BODY_CHARS).map(|(end, _)| end);
    let shown = &answer.body[..end.unwrap_or(answer.body.len())];
    let rest = if end.is_some() || answer.truncated {
        "\n(there is more)"
    } else {
        ""
    };
    (!answer.body.is_empty()).then(|| format!("{}{rest}", shown.trim_end()))
}

fn duration(timing: &Timing) -> String {
    let parts = [
        ("dns", timing.dns_ms),
        ("connect", timing.connect_ms),
        ("tls", timing.tls_ms),
        ("first byte after", timing.first_byte_ms),
    ];
    let parts: Vec<_> = parts
        .iter()
        .filter_map(|(name, ms)| Some(format!("{name} {:.1} ms", (*ms)?)))
        .collect();
    let total = format!("{:.1} ms", timing.total_ms);
    if parts.is_empty() {
        total
    } else {
        format!("{total} ({})", parts.join(", "))
    }
}

fn headers(facts: Facts, name: &str, headers: &BTreeMap<String, String>) -> Facts {
    headers.iter().fold(facts, |facts, (header, value)| {
        facts.fact(name, format!("{header}: {value}"))
    })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn failed(number: u32) -> Value {
        json!({
            "number": number, "started_at": 1_795_253_400_000_u64, "finished_at": 1_795_253_400_012_u64,
            "outcome": "failed", "status": 500, "error": null, "detail": null, "retry_after": null,
            "request": null, "answer": { "status": 500, "headers": {}, "body": "", "truncated": false },
            "timing": { "dns_ms": null, "connect_ms": 0.25, "tls_ms": null, "first_byte_ms": 11.0, "total_ms": 12.0 },
        })
    }

    #[test]
    fn an_attempt_tells_its_outcome_and_its_parts() {
        let mut attempt: AttemptAnswer = serde_json::from_value(failed(1)).unwrap();
        assert_eq!(outcome_in_words(&attempt), "failed: HTTP 500");
        assert_eq!(
            duration(&attempt.timing),
            "12.0 ms (connect 0.2 ms, first byte after 11.0 ms)"
        );
        attempt.detail = Some("its body broke off".to_owned());
        assert_eq!(outcome_in_words(&attempt), "failed: HTTP 500: its body broke off");
    }

    #[test]
    fn a_long_body_is_cut_between_characters() {
        let answer = AnswerHead {
            status: 500,
            headers: BTreeMap::new(),
            body: "é".repeat(3_000),
            truncated: false,
        };
        let shown = shown_body(&answer).unwrap();
        assert_eq!(shown.chars().filter(|c| *c == 'é').count(), MAX_BODY_CHARS);
        assert!(shown.ends_with("(there is more)"));
    }
}
