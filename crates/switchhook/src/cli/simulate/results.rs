//! Results of the events, counted by fault, and whether they are as expected.

use std::collections::BTreeMap;

use anyhow::bail;
use serde_json::{Value, json};
use switchhook_domain::Kind;
use switchhook_simulator::{Demand, Fault, Sending};

use super::Expectation;
use crate::cli::output::{self, Table};

/// Bound on wrong answers that are listed.
const MAX_LISTED: usize = 10;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum RequestOutcome {
    /// Status of the answer.
    Answered(u16),
    /// Reason for which there was no answer.
    Unanswered(String),
}

#[derive(Debug, Default)]
pub(super) struct Results {
    rows: BTreeMap<Row, Counts>,
    wrong: Vec<String>,
    wrong_count: u64,
    /// Number of the server's deliveries, by state.
    deliveries: Option<BTreeMap<String, u64>>,
}

/// Events with the same fault and the same demand.
type Row = (Option<Fault>, Demand);

#[derive(Debug, Default, Clone, Copy)]
struct Counts {
    sent: u64,
    taken: u64,
    refused: u64,
    failed: u64,
    unanswered: u64,
    wrong: u64,
}

/// Data about an event that was sent.
#[derive(Debug, Clone, Copy)]
pub(super) struct SentEvent {
    pub(super) number: u64,
    pub(super) kind: Kind,
    pub(super) step: &'static str,
    pub(super) fault: Option<Fault>,
    pub(super) demand: Demand,
}

impl SentEvent {
    pub(super) const fn of(sending: &Sending, demand: Demand) -> Self {
        Self {
            number: sending.number,
            kind: sending.event.kind,
            step: sending.event.step,
            fault: sending.fault,
            demand,
        }
    }
}

impl Results {
    pub(super) fn count(&mut self, sent: SentEvent, outcome: &RequestOutcome, expect: Option<Expectation>) {
        let demand = match expect {
            Some(Expectation::Rejected) => Demand::Refuse,
            _ => sent.demand,
        };
        let counts = self.rows.entry((sent.fault, demand)).or_default();
        counts.sent += 1;
        match outcome {
            RequestOutcome::Answered(200..=299) => counts.taken += 1,
            RequestOutcome::Answered(400..=499) => counts.refused += 1,
            RequestOutcome::Answered(_) => counts.failed += 1,
            RequestOutcome::Unanswered(_) => counts.unanswered += 1,
        }
        let is_right = matches!(outcome, RequestOutcome::Answered(status) if demand.is_met_by(*status));
        if !is_right {
            counts.wrong += 1;
            self.wrong_count += 1;
            if self.wrong.len() < MAX_LISTED {
                self.wrong.push(in_words(sent, outcome, demand));
            }
        }
    }

    /// Counts many accepted events.
    pub(super) fn count_taken(&mut self, events: u64) {
        let counts = self.rows.entry((None, Demand::Take)).or_default();
        counts.sent += events;
        counts.taken += events;
    }

    /// Counts many refused events, with the first reasons.
    pub(super) fn count_refused(&mut self, events: u64, reasons: impl IntoIterator<Item = String>) {
        let counts = self.rows.entry((None, Demand::Take)).or_default();
        counts.sent += events;
        counts.refused += events;
        counts.wrong += events;
        self.wrong_count += events;
        let room = MAX_LISTED.saturating_sub(self.wrong.len());
        self.wrong.extend(reasons.into_iter().take(room));
    }

    /// Sets the number of deliveries by state.
    pub(super) fn deliveries(&mut self, by_state: BTreeMap<String, u64>) {
        self.deliveries = Some(by_state);
    }

    pub(super) fn sent(&self) -> u64 {
        self.sum(|counts| counts.sent)
    }

    /// True if at least `after` events were sent and none was answered.
    pub(super) fn nobody_answers(&self, after: u64) -> bool {
        let unanswered = self.sum(|counts| counts.unanswered);
        unanswered >= after && unanswered == self.sent()
    }

    /// First wrong answer.
    pub(super) fn first_wrong(&self) -> &str {
        self.wrong.first().map_or("", String::as_str)
    }

    /// The counts in words.
    pub(super) fn in_words(&self) -> String {
        let counts = [
            (self.sum(|counts| counts.taken), "taken"),
            (self.sum(|counts| counts.refused), "refused"),
            (self.sum(|counts| counts.failed), "failed"),
            (self.sum(|counts| counts.unanswered), "unanswered"),
        ];
        let counts = counts.into_iter().filter(|(count, _)| *count > 0);
        let parts: Vec<_> = counts.map(|(count, word)| format!("{count} {word}")).collect();
        format!("{} events sent: {}", self.sent(), parts.join(", "))
    }

    pub(super) fn print(&self, json: bool, expect: Option<Expectation>) -> anyhow::Result<()> {
        if json {
            return output::print_json(&self.as_json(expect));
        }
        let has_faults = self.rows.keys().any(|(fault, _)| fault.is_some());
        if self.sent() > 0 && (expect.is_some() || has_faults || self.wrong_count > 0) {
            self.table().print_or("")?;
        }
        for wrong in &self.wrong {
            output::remark(wrong);
        }
        let unlisted = self.wrong_count.saturating_sub(self.wrong.len() as u64);
        if unlisted > 0 {
            output::remark(format_args!("and {unlisted} more"));
        }
        if let Some(deliveries) = &self.deliveries {
            let states: Vec<_> = deliveries
                .iter()
                .map(|(state, count)| format!("{count} {state}"))
                .collect();
            output::print(format_args!("deliveries: {}", states.join(", ")))?;
        }
        output::print(self.in_words())
    }

    /// Fails if something is not as expected.
    pub(super) fn check(&self, expect: Option<Expectation>) -> anyhow::Result<()> {
        if self.wrong_count > 0 {
            let wrong = self.wrong_count;
            match expect {
                Some(Expectation::Rejected) => bail!("{wrong} of {} events were not refused", self.sent()),
                _ => bail!(
                    "{wrong} of {} events were not answered as they must be",
                    self.sent()
                ),
            }
        }
        if expect.is_some() && self.sent() == 0 {
            bail!("no event was sent");
        }
        let Some(deliveries) = &self.deliveries else {
            return Ok(());
        };
        if deliveries.is_empty() {
            bail!("no subscription matched any of the events; `switchhook subscriptions list` shows them");
        }
        let undelivered: u64 = deliveries
            .iter()
            .filter(|(state, _)| *state != "delivered")
            .map(|(_, count)| count)
            .sum();
        if undelivered > 0 {
            bail!("{undelivered} deliveries were not delivered; `switchhook deliveries list` shows why");
        }
        Ok(())
    }

    fn table(&self) -> Table {
        let mut table = Table::new(&[
            "FAULT",
            "MUST BE",
            "SENT",
            "TAKEN",
            "REFUSED",
            "FAILED",
            "UNANSWERED",
            "WRONG",
        ]);
        for ((fault, demand), counts) in &self.rows {
            let numbers = [
                counts.sent,
                counts.taken,
                counts.refused,
                counts.failed,
                counts.unanswered,
                counts.wrong,
            ];
            let words = [fault_name(*fault), demand_name(*demand)].map(str::to_owned);
            table.row(words.into_iter().chain(numbers.map(|number| number.to_string())));
        }
        table
    }

    fn as_json(&self, expect: Option<Expectation>) -> Value {
        let rows: Vec<_> = self
            .rows
            .iter()
            .map(|((fault, demand), counts)| {
                json!({
                    "fault": fault.map(Fault::as_str),
                    "must_be": demand_name(*demand),
                    "sent": counts.sent,
                    "taken": counts.taken,
                    "refused": counts.refused,
                    "failed": counts.failed,
                    "unanswered": counts.unanswered,
                    "wrong": counts.wrong,
                })
            })
            .collect();
        json!({
            "sent": self.sent(),
            "as_expected": self.check(expect).is_ok(),
            "by_fault": rows,
            "wrong": self.wrong,
            "deliveries": self.deliveries,
        })
    }

    fn sum(&self, what: impl Fn(&Counts) -> u64) -> u64 {
        self.rows.values().map(what).sum()
    }
}

fn in_words(sent: SentEvent, outcome: &RequestOutcome, demand: Demand) -> String {
    let SentEvent {
        number, kind, step, ..
    } = sent;
    let fault = sent.fault.map(|fault| format!(" ({fault})")).unwrap_or_default();
    let outcome = match outcome {
        RequestOutcome::Answered(status) => format!("was answered with {status}"),
        RequestOutcome::Unanswered(reason) => format!("was not answered: {reason}"),
    };
    format!(
        "event {number}, {kind} {step}{fault}, must be {} and {outcome}",
        demand_name(demand)
    )
}

const fn fault_name(fault: Option<Fault>) -> &'static str {
    match fault {
        Some(fault) => fault.as_str(),
        None => "none",
    }
}

const fn demand_name(demand: Demand) -> &'static str {
    match demand {
        Demand::Take => "taken",
        Demand::Refuse => "refused",
        Demand::Answer => "either",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(fault: Option<Fault>, demand: Demand) -> SentEvent {
        SentEvent {
            number: 7,
            kind: Kind::Call,
            step: "hangup",
            fault,
            demand,
        }
    }

    #[track_caller]
    fn check(sent: SentEvent, status: u16, expect: Option<Expectation>, is_right: bool) {
        let mut results = Results::default();
        results.count(sent, &RequestOutcome::Answered(status), expect);
        assert_eq!(
            results.check(expect).is_ok(),
            is_right,
            "{}",
            results.first_wrong()
        );
    }

    #[test]
    fn what_is_right_must_be_taken_and_what_is_forged_refused() {
        let expect = Some(Expectation::Taken);
        check(sent(None, Demand::Take), 204, expect, true);
        check(sent(None, Demand::Take), 401, expect, false);
        let forged = sent(Some(Fault::BadSignature), Demand::Refuse);
        check(forged, 401, expect, true);
        check(forged, 200, expect, false);
        check(forged, 500, expect, false);
    }

    #[test]
    fn everything_can_be_expected_to_be_refused() {
        let expect = Some(Expectation::Rejected);
        check(sent(None, Demand::Take), 401, expect, true);
        check(sent(None, Demand::Take), 200, expect, false);
    }

    #[test]
    fn silence_is_never_right() {
        let mut results = Results::default();
        let silence = RequestOutcome::Unanswered("no answer within 5000 ms".to_owned());
        results.count(sent(None, Demand::Answer), &silence, None);
        assert!(results.check(None).is_err());
        assert!(results.nobody_answers(1));
        assert_eq!(results.in_words(), "1 events sent: 1 unanswered");
    }

    #[test]
    fn deliveries_count_when_there_are_some() {
        let mut results = Results::default();
        results.count_taken(3);
        results.deliveries(BTreeMap::new());
        assert!(results.check(Some(Expectation::Delivered)).is_err());
        results.deliveries(BTreeMap::from([("delivered".to_owned(), 2)]));
        assert!(results.check(Some(Expectation::Delivered)).is_ok());
        results.deliveries(BTreeMap::from([("pending".to_owned(), 1)]));
        assert!(results.check(Some(Expectation::Delivered)).is_err());
    }
}
