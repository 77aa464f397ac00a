//! The timeline of a whole call: its legs side by side, its states from top to bottom.
//!
//! A call is several legs, each with an id of its own, that name each other by four ids. Which events belong together is
//! found among the calls around the event that one looks at; how far that reaches is bounded and told.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use switchhook_domain::id::CompanyId;
use switchhook_domain::{Kind, Timestamp};
use switchhook_protocol::{CallEvent, Payload, Word};
use switchhook_store::{EventFilter, EventRecord, PageRequest, StoreError};

use super::part::{Moment, span};
use crate::mask::Mask;
use crate::summary;
use crate::system::System;

/// How far around the event calls are looked at: the widest of these that holds no more than can be looked at.
const WINDOWS: [Duration; 4] = [
    Duration::from_secs(2 * 3_600),
    Duration::from_secs(20 * 60),
    Duration::from_secs(3 * 60),
    Duration::from_secs(20),
];

/// How many events are looked at before and after it.
const MOST_LOOKED_AT: usize = 2_000;

/// How many are read at a time.
const AT_ONCE: u32 = 500;

/// How many legs and steps are shown.
const MOST_LEGS: usize = 12;
const MOST_STEPS: usize = 200;

/// A whole call.
#[derive(Debug, Default)]
pub(super) struct Ladder {
    pub(super) legs: Vec<Leg>,
    pub(super) steps: Vec<Step>,
    /// How far around the event was looked, in words.
    pub(super) reach: String,
    /// How many legs or steps are not shown.
    pub(super) left_out: usize,
}

/// One leg of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Leg {
    pub(super) id: String,
    /// Whose.
    pub(super) name: String,
    /// What it is in the call.
    pub(super) role: String,
}

/// One event of it.
#[derive(Debug, Clone)]
pub(super) struct Step {
    pub(super) event_id: String,
    pub(super) state: String,
    /// `good`, `bad`, `wait` or `off`.
    pub(super) tone: &'static str,
    /// In which column.
    pub(super) leg: usize,
    pub(super) at: Moment,
    /// How long after the first step.
    pub(super) after: String,
    pub(super) is_this: bool,
    /// For each leg whether it is going on here.
    pub(super) lanes: Vec<Lane>,
    is_first: bool,
    is_last: bool,
}

/// A leg beside a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lane {
    Empty,
    GoingOn,
    Here,
}

impl Step {
    pub(super) fn is_here(&self, lane: &Lane) -> bool {
        *lane == Lane::Here
    }

    /// Whether its leg begins or ends with it.
    pub(super) const fn end(&self) -> &'static str {
        match (self.is_first, self.is_last) {
            (true, true) => "only",
            (true, false) => "first",
            (false, true) => "last",
            (false, false) => "",
        }
    }

    pub(super) fn is_going_on(&self, lane: &Lane) -> bool {
        *lane == Lane::GoingOn
    }
}

/// The call that an event belongs to; `None` if it belongs to none.
pub(super) async fn around(
    system: &System,
    company_id: CompanyId,
    event: &EventRecord,
    mask: Mask,
) -> Result<Option<Ladder>, StoreError> {
    if event.kind != Kind::Call || ids(event).is_empty() {
        return Ok(None);
    }
    let (events, window) = neighbours(system, company_id, event).await?;
    let reach = format!(
        "looked at {} call events within {} of this one",
        events.len(),
        span(window)
    );
    let mut ladder = build(&related(events, event), event, mask);
    ladder.reach = reach;
    Ok(Some(ladder))
}

async fn neighbours(
    system: &System,
    company_id: CompanyId,
    event: &EventRecord,
) -> Result<(Vec<EventRecord>, Duration), StoreError> {
    let mut found = Vec::new();
    let mut window = Duration::ZERO;
    for side in [Side::Before, Side::After] {
        for width in WINDOWS {
            let read = read(system, company_id, event.accepted_at, width, side).await?;
            if let Some(events) = read {
                found.extend(events);
                window = window.max(width);
                break;
            }
        }
    }
    Ok((found, window))
}

#[derive(Clone, Copy)]
enum Side {
    Before,
    After,
}

/// The calls on one side of an instant; `None` if they are too many. On the side before, the nearest of too many do.
async fn read(
    system: &System,
    company_id: CompanyId,
    at: Timestamp,
    width: Duration,
    side: Side,
) -> Result<Option<Vec<EventRecord>>, StoreError> {
    let (since, until) = match side {
        Side::Before => (at.minus(width), at),
        Side::After => (at, at.plus(width)),
    };
    let filter = EventFilter {
        kind: Some(Kind::Call),
        since: Some(since),
        until: Some(until),
        order_key: None,
    };
    let mut events = Vec::new();
    let mut after = None;
    loop {
        let page = PageRequest {
            after,
            limit: AT_ONCE,
        };
        let read = match system.store.list_events(company_id, filter.clone(), page).await {
            // Too much else lies in between: a narrower window does better.
            Err(StoreError::Unavailable(_)) => return Ok(None),
            read => read?,
        };
        events.extend(read.items);
        match (read.next, side) {
            (None, _) => return Ok(Some(events)),
            (Some(_), Side::Before) if events.len() >= MOST_LOOKED_AT => return Ok(Some(events)),
            (Some(_), Side::After) if events.len() >= MOST_LOOKED_AT => return Ok(None),
            (next, _) => after = next,
        }
    }
}

/// The ids by which legs name each other.
fn ids(event: &EventRecord) -> BTreeSet<String> {
    let Ok(Payload::Call(call)) = Payload::read(event.kind, &event.body) else {
        return BTreeSet::new();
    };
    let all = [
        &call.call_id,
        &call.master_call_id,
        &call.operator_call_id,
        &call.entry_point_call_id,
    ];
    all.into_iter().flatten().map(ToString::to_string).collect()
}

/// What of `events` belongs to the same call as `event`, by their own time.
fn related(events: Vec<EventRecord>, event: &EventRecord) -> Vec<EventRecord> {
    let mut known = ids(event);
    let mut others: Vec<_> = events.into_iter().map(|other| (ids(&other), other)).collect();
    let mut call = vec![];
    loop {
        let before = known.len();
        let (joined, rest): (Vec<_>, Vec<_>) =
            others.into_iter().partition(|(ids, _)| !ids.is_disjoint(&known));
        others = rest;
        for (ids, other) in joined {
            known.extend(ids);
            call.push(other);
        }
        if known.len() == before {
            break;
        }
    }
    if !call.iter().any(|other| other.id == event.id) {
        call.push(event.clone());
    }
    call.sort_by_key(|event| (happened_at(event), event.id));
    call.dedup_by_key(|event| event.id);
    call
}

/// When something happened, by its own words: events may come late.
fn happened_at(event: &EventRecord) -> Timestamp {
    let said = match Payload::read(event.kind, &event.body) {
        Ok(Payload::Call(call)) => call.event_timestamp,
        _ => None,
    };
    said.unwrap_or(event.accepted_at)
}

fn build(events: &[EventRecord], this: &EventRecord, mask: Mask) -> Ladder {
    let mut ladder = Ladder::default();
    let mut columns: BTreeMap<String, usize> = BTreeMap::new();
    let first_at = events.first().map(happened_at).unwrap_or_default();
    for event in events {
        let Ok(Payload::Call(call)) = Payload::read(event.kind, &event.body) else {
            continue;
        };
        let id = call
            .call_id
            .as_ref()
            .map_or_else(|| "no id".to_owned(), ToString::to_string);
        let is_known = columns.contains_key(&id);
        if (!is_known && ladder.legs.len() >= MOST_LEGS) || ladder.steps.len() >= MOST_STEPS {
            ladder.left_out += 1;
            continue;
        }
        let column = *columns.entry(id.clone()).or_insert(ladder.legs.len());
        if !is_known {
            ladder.legs.push(leg(id, &call, mask));
        }
        let state = call
            .state
            .as_ref()
            .map_or("no state", |state| state.as_str())
            .to_owned();
        let at = happened_at(event);
        ladder.steps.push(Step {
            event_id: event.id.to_string(),
            tone: tone(&state),
            state,
            leg: column,
            at: Moment(at),
            after: format!("+{}", span(at.since(first_at))),
            is_this: event.id == this.id,
            lanes: Vec::new(),
            is_first: false,
            is_last: false,
        });
    }
    fill_lanes(&mut ladder);
    ladder
}

fn leg(id: String, call: &CallEvent<'_>, mask: Mask) -> Leg {
    let name = summary::target(call.target.as_ref()).unwrap_or_else(|| "somebody".to_owned());
    let kind = call
        .target
        .as_ref()
        .and_then(|target| target.target_type.as_ref());
    let kind = kind.map(Word::as_str).unwrap_or_default();
    let contact = summary::contact(call.contact.as_ref(), mask);
    let with = contact.map(|contact| match call.direction.as_ref().map(Word::as_str) {
        Some("outbound") => format!("to {contact}"),
        _ => format!("from {contact}"),
    });
    let role = [Some(kind.to_owned()).filter(|kind| !kind.is_empty()), with];
    Leg {
        id,
        name,
        role: role.into_iter().flatten().collect::<Vec<_>>().join(", "),
    }
}

/// A leg goes on from its first step to its last.
fn fill_lanes(ladder: &mut Ladder) {
    let legs = ladder.legs.len();
    let spans: Vec<_> = (0..legs)
        .map(|leg| {
            let own = |step: &Step| step.leg == leg;
            (
                ladder.steps.iter().position(own),
                ladder.steps.iter().rposition(own),
            )
        })
        .collect();
    for (place, step) in ladder.steps.iter_mut().enumerate() {
        let lane = |leg: usize| match spans[leg] {
            _ if step.leg == leg => Lane::Here,
            (Some(first), Some(last)) if first < place && place < last => Lane::GoingOn,
            _ => Lane::Empty,
        };
        step.is_first = spans[step.leg].0 == Some(place);
        step.is_last = spans[step.leg].1 == Some(place);
        step.lanes = (0..legs).map(lane).collect();
    }
}

/// What a state means, at a glance.
pub(super) fn tone(state: &str) -> &'static str {
    match state {
        "connected" | "merged" | "barge" | "takeover" => "good",
        "missed" | "blocked" | "voicemail" => "bad",
        "calling" | "ringing" | "preanswer" | "queued" | "hold" | "parked" => "wait",
        _ => "off",
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use switchhook_domain::id::EventId;
    use switchhook_simulator::{Dialect, Scenario};

    use super::*;

    const START: Timestamp = Timestamp::from_millis(1_795_420_800_000);

    fn events(scenario: &str, seed: u64) -> Vec<EventRecord> {
        let scenario = Scenario::find(scenario).expect("it is one of them");
        let events = scenario.play(seed, START, Dialect::Observed);
        let record = |(place, event): (usize, switchhook_simulator::SimulatedEvent)| EventRecord {
            id: EventId(i64::try_from(place).expect("few") + seed as i64 * 1_000),
            company_id: CompanyId(1),
            kind: event.kind,
            body: Bytes::from(event.body),
            accepted_at: event.at,
            order_key: None,
            warnings: Vec::new(),
            idempotency_key: None,
            payload_removed: None,
            revision: None,
        };
        let calls = events.into_iter().filter(|event| event.kind == Kind::Call);
        calls.enumerate().map(record).collect()
    }

    #[test]
    fn every_leg_of_a_call_is_found_from_any_of_its_events_and_nothing_else_is() {
        let call = events("warm-transfer", 1);
        let others = events("ring-all-answered", 2);
        for event in &call {
            let around: Vec<_> = call.iter().chain(&others).cloned().collect();
            let found = related(around, event);
            let ids = |events: &[EventRecord]| events.iter().map(|event| event.id).collect::<BTreeSet<_>>();
            assert_eq!(ids(&found), ids(&call), "from {}", event.id);
        }
    }

    #[test]
    fn a_ladder_has_a_column_a_leg_and_a_row_a_state() {
        let call = events("ring-all-answered", 1);
        let ladder = build(&related(call.clone(), &call[0]), &call[0], Mask::NOTHING);
        let legs: BTreeSet<_> = call
            .iter()
            .filter_map(|event| match Payload::read(Kind::Call, &event.body) {
                Ok(Payload::Call(call)) => call.call_id.map(|id| id.to_string()),
                _ => None,
            })
            .collect();
        assert!(legs.len() > 2);
        assert_eq!(ladder.legs.len(), legs.len());
        assert_eq!(ladder.steps.len(), call.len());
        for step in &ladder.steps {
            assert_eq!(step.lanes.len(), legs.len());
            assert_eq!(step.lanes.iter().filter(|lane| **lane == Lane::Here).count(), 1);
        }
        assert_eq!(ladder.steps.iter().filter(|step| step.is_this).count(), 1);
    }
}
