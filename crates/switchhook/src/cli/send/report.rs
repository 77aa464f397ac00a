//! What became of the events that were sent.

use anyhow::bail;
use serde_json::{Value, json};

use super::input::Form;
use super::is_about_the_event;
use crate::cli::output;
use switchhook_client::{Answer, ClientError};
use switchhook_node::amounts;
use switchhook_protocol::LARGEST_EVENT;
use switchhook_web::api::answers::{AcceptedEvent, BatchAnswer, RejectedLineAnswer, WarnedLineAnswer};

/// How many rejected events are told one by one; the others are counted.
const MOST_TOLD: usize = 100;

/// In words, of an event that no server would take.
pub(super) fn larger_than_taken() -> String {
    format!(
        "larger than {}, which no server takes",
        amounts::size(LARGEST_EVENT as u64)
    )
}

/// Counts and reasons.
#[derive(Debug, Default)]
pub(super) struct Report {
    accepted: u64,
    duplicates: u64,
    rejected_count: u64,
    rejected: Vec<Rejected>,
    warned_count: u64,
    warned: Vec<Warned>,
    /// The answer, if there was one event only and it was taken.
    single: Option<Answer>,
}

#[derive(Debug)]
struct Rejected {
    number: u64,
    message: String,
}

#[derive(Debug)]
struct Warned {
    number: u64,
    warnings: Vec<String>,
}

impl Report {
    /// How many events have had their answer.
    pub(super) const fn seen(&self) -> u64 {
        self.accepted + self.duplicates + self.rejected_count
    }

    /// Counts one event. A failure that is not the event's own is passed on.
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

    /// Counts the lines of a request; `numbers` are theirs in the input.
    pub(super) fn lines(&mut self, numbers: &[u64], answer: &Answer) -> anyhow::Result<()> {
        let answer: BatchAnswer = answer.read()?;
        self.single = None;
        self.accepted += answer.accepted;
        self.duplicates += answer.duplicates;
        let untold = answer.rejected_count.saturating_sub(answer.rejected.len() as u64);
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
        self.rejected_count += untold;
        Ok(())
    }

    /// Counts an event that no server would take.
    pub(super) fn too_large(&mut self, number: u64) {
        self.reject(number, format!("it is {}", larger_than_taken()));
    }

    fn reject(&mut self, number: u64, message: String) {
        self.rejected_count += 1;
        if self.rejected.len() < MOST_TOLD {
            self.rejected.push(Rejected { number, message });
        }
    }

    fn warn(&mut self, number: u64, warnings: Vec<String>) {
        if warnings.is_empty() {
            return;
        }
        self.warned_count += 1;
        if self.warned.len() < MOST_TOLD {
            self.warned.push(Warned { number, warnings });
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

    /// Tells everything that became of the events.
    pub(super) fn tell(&self, json: bool, form: Form) -> anyhow::Result<()> {
        match &self.single {
            Some(answer) if self.seen() == 1 && json => output::print_data(answer.text()?),
            Some(answer) if self.seen() == 1 => tell_event(&answer.read()?),
            _ if json => output::print_json(&self.as_json(form)),
            _ => self.tell_counts(form),
        }
    }

    /// Fails if an event was rejected.
    pub(super) fn verdict(&self) -> anyhow::Result<()> {
        match (self.rejected_count, self.seen()) {
            (0, _) => Ok(()),
            (_, 1) => bail!("the event was rejected"),
            (count, all) => bail!("{count} of {all} events were rejected"),
        }
    }

    fn tell_counts(&self, form: Form) -> anyhow::Result<()> {
        for Rejected { number, message } in &self.rejected {
            output::remark(format_args!("{} {number}: {}", form.unit(), message));
        }
        let untold = self.rejected_count - self.rejected.len() as u64;
        if untold > 0 {
            output::remark(format_args!("and {untold} more"));
        }
        for Warned { number, warnings } in &self.warned {
            output::remark(format_args!(
                "{} {number}: warning: {}",
                form.unit(),
                warnings.join("; ")
            ));
        }
        let unwarned = self.warned_count - self.warned.len() as u64;
        if unwarned > 0 {
            output::remark(format_args!("and {unwarned} more with warnings"));
        }
        output::print(self.in_words())
    }

    fn as_json(&self, form: Form) -> Value {
        let rejected =
            |event: &Rejected| json!({ form.unit(): event.number, "error": { "message": event.message } });
        let warned = |event: &Warned| json!({ form.unit(): event.number, "warnings": event.warnings });
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

fn tell_event(event: &AcceptedEvent<'_>) -> anyhow::Result<()> {
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
        output::remark(
            "no subscription asks for it; `switchhook subscriptions list` shows what they ask for",
        );
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
        assert_eq!(report.as_json(Form::Lines)["rejected"][0]["line"], 1003);
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
        assert!(report.verdict().is_err());
    }
}
