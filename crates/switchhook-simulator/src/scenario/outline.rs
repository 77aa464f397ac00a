//! A scenario's events as a list for people.

use std::collections::BTreeSet;
use std::fmt::Write;

use switchhook_protocol::{Payload, Target, Timestamp};

use super::Scenario;
use crate::dialect::Dialect;
use crate::event::SimulatedEvent;

const START: Timestamp = Timestamp::from_millis(1_795_420_800_000);

pub(super) fn of(scenario: &Scenario) -> String {
    let play = |dialect| scenario.play(1, START, dialect);
    let in_contract: BTreeSet<_> = play(Dialect::Asyncapi)
        .iter()
        .map(|event| (event.at, event.subject, event.step))
        .collect();
    let mut subjects: Vec<i64> = Vec::new();
    let mut outline = String::new();
    for event in play(Dialect::Observed) {
        let known = subjects.iter().position(|subject| *subject == event.subject);
        let letter = known.unwrap_or_else(|| {
            subjects.push(event.subject);
            subjects.len() - 1
        });
        let after = event.at.since(START).as_millis();
        let what = format!("{} {}", event.kind, event.step);
        let line = format!(
            "{:>5}.{} s  {}  {what:<26}  {}",
            after / 1_000,
            after % 1_000 / 100,
            letter_of(letter),
            whom(&event),
        );
        let is_in_contract = in_contract.contains(&(event.at, event.subject, event.step));
        let mark = if is_in_contract { "" } else { "  (observed only)" };
        writeln!(outline, "{}{mark}", line.trim_end()).expect("a string takes everything");
    }
    outline
}

fn letter_of(number: usize) -> char {
    char::from(b'A' + (number % 26) as u8)
}

/// Person or entity of the company that it is about.
fn whom(event: &SimulatedEvent) -> String {
    let target = |target: Option<Target<'_>>| {
        let target = target.unwrap_or_default();
        let word = target.target_type.as_ref().map_or("", |word| word.as_str());
        format!("{} {}", word.to_lowercase(), target.name.as_deref().unwrap_or(""))
    };
    match Payload::read(event.kind, event.body.as_bytes()) {
        Ok(Payload::Call(call)) => target(call.target),
        Ok(Payload::Sms(sms)) => target(sms.target),
        Ok(Payload::AgentStatus(agent)) => target(agent.target),
        Ok(Payload::Changelog(change)) => target(change.target),
        Ok(Payload::Contact(_) | Payload::Unknown) | Err(_) => String::new(),
    }
}
