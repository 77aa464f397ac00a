//! Results of the events that were sent.

use anyhow::bail;
use serde_json::{Value, json};

use super::input::InputFormat;
use super::is_about_the_event;
use crate::cli::output;
use switchhook_client::{Answer, ClientError};
use switchhook_node::amounts;
use switchhook_protocol::LARGEST_EVENT;
use switchhook_web::api::answers::{AcceptedEvent, BatchAnswer, RejectedLineAnswer, WarnedLineAnswer};

/// Bound on rejected events that are listed; the others are counted.
const MAX_LISTED: usize = 100;

/// Description of an event that no server accepts.
pub(super) fn too_large_message() -> String {
    format!(
        "larger than {}, which no server accepts",
        amounts::size(LARGEST_EVENT as u64)
    )
}

/// Counts and reasons.
#[derive(Debug, Default)]
pub(super) struct Report {
    accepted: u64,
    duplicates: u64,
    rejected_count: u64,
    rejected: Vec<RejectedEvent>,
    warned_count: u64,
    warned: Vec<WarnedEvent>,
    /// The answer, if there was only one event and it was accepted.
    single: Option<Answer>,
}

#[derive(Debug)]
struct RejectedEvent {
    number: u64,
    message: String,
}

#[derive(Debug)]
struct WarnedEvent {
    number: u64,
    warnings: Vec<String>,
}

impl Report {
    /// Number of answered events.
    pub(super) const fn seen(&self) -> u64 {
        self.accepted + self.duplicates + self.rejected_count
    }

    /// Counts one event. An error that does not concern the event is returned.
    pub(super) fn one(&mut self, number: u64, answer: Result<Answer, ClientError>) -> anyhow::Result<()> {
        match answer {
            Ok(answer) => {
                let is_first = self.seen() == 0;
                let AcceptedEvent {
                    duplicate, warnings, ..
                } = answer.read()?;
                let counter = if duplicate {
                    &mut self.duplicates
                } else {
                    &mut self.accepted
                };
                *counter += 1;
                self.warn(number, warnings.into_owned());
                self.single = is_first.then_some(answer);
            }
            Err(ClientError::Refused { status, message }) if is_about_the_event(status) => {
                self.reject(number, message);
            }
            Err(error) => return Err(error.into()),
        }
        Ok(())
    }

    /// Counts the lines of a request; `numbers` are their numbers in the input.
    pub(super) fn lines(&mut self, numbers: &[u64], answer: &Answer) -> anyhow::Result<()> {
        let answer: BatchAnswer = answer.read()?;
        self.single = None;
        self.accepted += answer.accepted;
        self.duplicates += answer.duplicates;
        let unlisted = answer.rejected_count.saturating_sub(answer.rejected.len() as u64);
        let number_of = |line: u64| {
            let place = usize::try_from(line).unwrap_or_default().wrapping_sub(1);
            numbers.get(place).copied().unwrap_or_default()
        };
        for RejectedLineAnswer { line, error } in answer.rejected {
            self.reject(number_of(line), error.message);
        }
        self.warned_count += answer.warnings_count.saturating_sub(answer.warnings.len() as u64);
        for WarnedLineAnswer { line, warnings } in answer.warnings {
            self.warn(number_of(line), warnings);
        }
        self.rejected_count += unlisted;
        Ok(())
    }

    /// Counts an event that no server accepts.
    pub(super) fn too_large(&mut self, number: u64) {
        self.reject(number, format!("it is {}", too_large_message()));
    }

    fn reject(&mut self, number: u64, message: String) {
        self.rejected_count += 1;
        if self.rejected.len() < MAX_LISTED {
            self.rejected.push(RejectedEvent { number, message });
        }
    }

    fn warn(&mut self, number: u64, warnings: Vec<String>) {
        if warnings.is_empty() {
            return;
        }
        self.warned_count += 1;
        if self.warned.len() < MAX_LISTED {
            self.warned.push(WarnedEvent { number, warnings });
        }
    }

    /// The counts in words.
    pub(super) fn in_words(&self) -> String {
        let counts = [
            (self.accepted, "accepted"),
            (self.duplicates, "duplicates"),
            (self.rejected_count, "rejected"),
            (self.warned_count, "with warnings"),
        ];
        let counts = counts
            .into_iter()
            .filter(|(count, name)| *count > 0 || *name == "accepted");
        counts
            .map(|(count, name)| format!("{count} {name}"))
            .collect::<Vec<_>>()
            .join(", ")
    }

    pub(super) fn print(&self, json: bool, format: InputFormat) -> anyhow::Result<()> {
        match &self.single {
            Some(answer) if self.seen() == 1 && json => output::print_data(answer.text()?),
            Some(answer) if self.seen() == 1 => print_event(&answer.read()?),
            _ if json => output::print_json(&self.as_json(format)),
            _ => self.print_counts(format),
        }
    }

    /// Fails if an event was rejected.
    pub(super) fn check(&self) -> anyhow::Result<()> {
        match (self.rejected_count, self.seen()) {
            (0, _) => Ok(()),
            (_, 1) => bail!("the event was rejected"),
            (count, all) => bail!("{count} of {all} events were rejected"),
        }
    }

    fn print_counts(&self, format: InputFormat) -> anyhow::Result<()> {
        for RejectedEvent { number, message } in &self.rejected {
            output::remark(format_args!("{} {number}: {}", format.unit(), message));
        }
        let unlisted = self.rejected_count - self.rejected.len() as u64;
        if unlisted > 0 {
            output::remark(format_args!("and {unlisted} more"));
        }
        for WarnedEvent { number, warnings } in &self.warned {
            output::remark(format_args!(
                "{} {number}: warning: {}",
                format.unit(),
                warnings.join("; ")
            ));
        }
        let unlisted_warnings = self.warned_count - self.warned.len() as u64;
        if unlisted_warnings > 0 {
            output::remark(format_args!("and {unlisted_warnings} more with warnings"));
        }
        output::print(self.in_words())
    }

    fn as_json(&self, format: InputFormat) -> Value {
        let rejected = |event: &RejectedEvent| json!({ format.unit(): event.number, "error": { "message": event.message } });
        let warned = |event: &WarnedEvent| json!({ format.unit(): event.number, "warnings": event.warnings });
        json!({
            "accepted": self.accepted,
            "duplicates": self.duplicates,
            "rejected": self.rejected.iter().map(rejected).collect::<Vec<_>>(),
            "rejected_count": self.rejected_count,
            "warnings": self.warned.iter().map(warned).collect::<Vec<_>>(),
            "warnings_count": self.warned_count,
        })
    }
}

fn print_event(event: &AcceptedEvent<'_>) -> anyhow::Result<()> {
    let before = if event.duplicate {
        " before, with the same idempotency key"
    } else {
        ""
    };
    output::print(format_args!(
        "{} event {} was accepted{before}",
        event.kind, event.id
    ))?;
    for warning in event.warnings.iter() {
        output::remark(format_args!("warning: {warning}"));
    }
    for delivery in event.deliveries.0.iter() {
        output::print(format_args!(
            "  delivery {} to webhook {}",
            delivery.id, delivery.webhook_id
        ))?;
    }
    if event.deliveries.0.is_empty() {
        output::remark("no subscription matches it; `switchhook subscriptions list` shows them");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    #[test]
    fn rejected_lines_have_their_numbers_in_the_input() {
        let mut report = Report::default();
        let answer = r#"{"accepted": 2, "duplicates": 1, "rejected": [{"line": 2, "error": {"code": 400, "message": "not JSON", "errors": []}}],
            "rejected_count": 3, "warnings": [], "warnings_count": 0}"#;
        report
            .lines(
                &[1001, 1003, 1004, 1005, 1006, 1007],
                &Answer(Bytes::from(answer)),
            )
            .unwrap();
        assert_eq!(report.in_words(), "2 accepted, 1 duplicates, 3 rejected");
        assert_eq!(report.as_json(InputFormat::Lines)["rejected"][0]["line"], 1003);
    }

    #[test]
    fn a_refused_event_does_not_stop_the_others_and_a_refused_key_does() {
        let mut report = Report::default();
        let refused = |status| {
            Err(ClientError::Refused {
                status,
                message: "no".to_owned(),
            })
        };
        assert!(report.one(1, refused(400)).is_ok());
        assert!(report.one(2, refused(401)).is_err());
        assert_eq!(report.in_words(), "0 accepted, 1 rejected");
        assert!(report.check().is_err());
    }
}
