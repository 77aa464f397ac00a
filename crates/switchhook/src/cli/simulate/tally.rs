//! What became of the events, counted by what was wrong with them, and whether that is as it should be.

use std::collections::BTreeMap;

use anyhow::bail;
use serde_json::{Value, json};
use switchhook_domain::Kind;
use switchhook_simulator::{Demand, Fault, Sending};

use super::Expectation;
use crate::cli::output::{self, Table};

/// How many wrong answers are told one by one.
const MOST_TOLD: usize = 10;

/// What became of one event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Fate {
    /// It was answered with a status.
    Answered(u16),
    /// It was not answered, for a reason.
    Unanswered(String),
}

/// Counts.
#[derive(Debug, Default)]
pub(super) struct Tally {
    rows: BTreeMap<Row, Counts>,
    wrong: Vec<String>,
    wrong_count: u64,
    /// Of deliveries that the server makes of the events, by their state.
    deliveries: Option<BTreeMap<String, u64>>,
}

/// Events with the same fault that must be answered in the same way.
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

/// An event that was sent, as far as counting goes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sent {
    pub(super) number: u64,
    pub(super) kind: Kind,
    pub(super) step: &'static str,
    pub(super) fault: Option<Fault>,
    pub(super) demand: Demand,
}

impl Sent {
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

impl Tally {
    /// Counts one event.
    pub(super) fn count(&mut self, sent: Sent, fate: &Fate, expect: Option<Expectation>) {
        let demand = match expect {
            Some(Expectation::Rejected) => Demand::Refuse,
            _ => sent.demand,
        };
        let counts = self.rows.entry((sent.fault, demand)).or_default();
        counts.sent += 1;
        match fate {
            Fate::Answered(200..=299) => counts.taken += 1,
            Fate::Answered(400..=499) => counts.refused += 1,
            Fate::Answered(_) => counts.failed += 1,
            Fate::Unanswered(_) => counts.unanswered += 1,
        }
        let is_right = matches!(fate, Fate::Answered(status) if demand.is_met_by(*status));
        if !is_right {
            counts.wrong += 1;
            self.wrong_count += 1;
            if self.wrong.len() < MOST_TOLD {
                self.wrong.push(in_words(sent, fate, demand));
            }
        }
    }

    /// Counts many events that were all taken.
    pub(super) fn count_taken(&mut self, events: u64) {
        let counts = self.rows.entry((None, Demand::Take)).or_default();
        counts.sent += events;
        counts.taken += events;
    }

    /// Counts many events that were refused, with the first reasons.
    pub(super) fn count_refused(&mut self, events: u64, reasons: impl IntoIterator<Item = String>) {
        let counts = self.rows.entry((None, Demand::Take)).or_default();
        counts.sent += events;
        counts.refused += events;
        counts.wrong += events;
        self.wrong_count += events;
        let room = MOST_TOLD.saturating_sub(self.wrong.len());
        self.wrong.extend(reasons.into_iter().take(room));
    }

    /// What has become of the deliveries.
    pub(super) fn deliveries(&mut self, by_state: BTreeMap<String, u64>) {
        self.deliveries = Some(by_state);
    }

    pub(super) fn sent(&self) -> u64 {
        self.sum(|counts| counts.sent)
    }

    /// Whether so many were sent and nobody ever answered.
    pub(super) fn is_shouting_into_the_void(&self, after: u64) -> bool {
        let unanswered = self.sum(|counts| counts.unanswered);
        unanswered >= after && unanswered == self.sent()
    }

    /// The first thing that went wrong.
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

    /// Tells what became of the events.
    pub(super) fn tell(&self, json: bool, expect: Option<Expectation>) -> anyhow::Result<()> {
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
        let untold = self.wrong_count.saturating_sub(self.wrong.len() as u64);
        if untold > 0 {
            output::remark(format_args!("and {untold} more"));
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

    /// Fails if something is not as it should be.
    pub(super) fn verdict(&self, expect: Option<Expectation>) -> anyhow::Result<()> {
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
            bail!("nothing was sent, so nothing is shown");
        }
        let Some(deliveries) = &self.deliveries else {
            return Ok(());
        };
        if deliveries.is_empty() {
            bail!(
                "no subscription asked for any of the events; `switchhook subscriptions list` shows what they ask for"
            );
        }
        let undelivered: u64 = deliveries
            .iter()
            .filter(|(state, _)| *state != "delivered")
            .map(|(_, count)| count)
            .sum();
        if undelivered > 0 {
            bail!("{undelivered} deliveries are not delivered; `switchhook deliveries list` shows why");
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
            "as_expected": self.verdict(expect).is_ok(),
            "by_fault": rows,
            "wrong": self.wrong,
            "deliveries": self.deliveries,
        })
    }

    fn sum(&self, what: impl Fn(&Counts) -> u64) -> u64 {
        self.rows.values().map(what).sum()
    }
}

fn in_words(sent: Sent, fate: &Fate, demand: Demand) -> String {
    let Sent {
        number, kind, step, ..
    } = sent;
    let fault = sent.fault.map(|fault| format!(" ({fault})")).unwrap_or_default();
    let fate = match fate {
        Fate::Answered(status) => format!("was answered with {status}"),
        Fate::Unanswered(reason) => format!("was not answered: {reason}"),
    };
    format!(
        "event {number}, {kind} {step}{fault}, must be {} and {fate}",
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

    fn sent(fault: Option<Fault>, demand: Demand) -> Sent {
        Sent {
            number: 7,
            kind: Kind::Call,
            step: "hangup",
            fault,
            demand,
        }
    }

    #[track_caller]
    fn check(sent: Sent, status: u16, expect: Option<Expectation>, is_right: bool) {
        let mut tally = Tally::default();
        tally.count(sent, &Fate::Answered(status), expect);
        assert_eq!(tally.verdict(expect).is_ok(), is_right, "{}", tally.first_wrong());
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
        let mut tally = Tally::default();
        let silence = Fate::Unanswered("no answer within 5000 ms".to_owned());
        tally.count(sent(None, Demand::Answer), &silence, None);
        assert!(tally.verdict(None).is_err());
        assert!(tally.is_shouting_into_the_void(1));
        assert_eq!(tally.in_words(), "1 events sent: 1 unanswered");
    }

    #[test]
    fn deliveries_count_when_there_are_some() {
        let mut tally = Tally::default();
        tally.count_taken(3);
        tally.deliveries(BTreeMap::new());
        assert!(tally.verdict(Some(Expectation::Delivered)).is_err());
        tally.deliveries(BTreeMap::from([("delivered".to_owned(), 2)]));
        assert!(tally.verdict(Some(Expectation::Delivered)).is_ok());
        tally.deliveries(BTreeMap::from([("pending".to_owned(), 1)]));
        assert!(tally.verdict(Some(Expectation::Delivered)).is_err());
    }
}
