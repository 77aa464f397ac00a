//! The timeline of a whole call: its legs side by side, its states from top to bottom.
//!
//! A call is several legs, each with an id of its own, that name each other by four ids. Which events belong together is
//! found among the calls around the event that one looks at; how far that reaches is bounded, and the page says so. Some legs of one
//! call share no id: those that are like one of its legs are shown beside it, as possibly the same call.

use std::collections::HashMap;
use std::time::Duration;

use switchhook_domain::id::EventId;
use switchhook_domain::{Kind, Timestamp};
use switchhook_protocol::{CallEvent, Payload, Word};
use switchhook_receiver::Likeness;
use switchhook_store::{EventFilter, EventRecord, PageRequest, StoreError};

use super::event_row::bytes_of;
use super::widgets::{Moment, span};
use switchhook_node::caller::Caller;
use switchhook_node::mask::Mask;
use switchhook_node::refusal::Refusal;
use switchhook_node::summary::{self, short};
use switchhook_node::{Node, blocking, events};

/// Time to each side of the event in which calls are searched: the widest window within [`MOST_LOOKED_AT`] and
/// [`MOST_BYTES`].
const WINDOWS: [Duration; 4] = [
    Duration::from_secs(2 * 3_600),
    Duration::from_secs(20 * 60),
    Duration::from_secs(3 * 60),
    Duration::from_secs(20),
];

/// Bounds on the events, and on their bytes, that are read to each side.
const MOST_LOOKED_AT: usize = 2_000;
const MOST_BYTES: usize = 16 << 20;

/// Page size of a read.
const AT_ONCE: u32 = 500;

/// Bounds on what is shown.
const MOST_LEGS: usize = 12;
const MOST_STEPS: usize = 200;

/// All legs of one call, with their events in order.
#[derive(Debug, Default)]
pub(super) struct CallTimeline {
    pub(super) legs: Vec<Leg>,
    pub(super) steps: Vec<Step>,
    /// Legs that no id ties to it, and that are like one of its own.
    pub(super) possibly: Vec<PossibleLeg>,
    /// Searched window, in words.
    pub(super) reach: String,
    /// Number of legs and events beyond the bounds.
    pub(super) left_out: usize,
}

/// One leg of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Leg {
    pub(super) id: String,
    /// Person or department of the leg.
    pub(super) name: String,
    /// Role in the call.
    pub(super) role: String,
}

/// A leg that may be one of it.
#[derive(Debug)]
pub(super) struct PossibleLeg {
    pub(super) leg: Leg,
    /// Its first event that was found, and what that says.
    pub(super) event_id: String,
    pub(super) state: String,
    pub(super) tone: &'static str,
}

/// One event of it.
#[derive(Debug, Clone)]
pub(super) struct Step {
    pub(super) event_id: String,
    pub(super) state: String,
    /// `good`, `bad`, `wait` or `off`.
    pub(super) tone: &'static str,
    /// Index of the column.
    pub(super) leg: usize,
    pub(super) at: Moment,
    /// Time since the first step.
    pub(super) after: String,
    pub(super) is_this: bool,
    /// For each leg whether it is going on here.
    pub(super) cells: Vec<Cell>,
    is_first: bool,
    is_last: bool,
}

/// A leg beside a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cell {
    Empty,
    GoingOn,
    Here,
}

impl Step {
    pub(super) fn is_here(&self, cell: &Cell) -> bool {
        *cell == Cell::Here
    }

    /// CSS class at the end of a leg's line.
    pub(super) const fn end(&self) -> &'static str {
        match (self.is_first, self.is_last) {
            (true, true) => "only",
            (true, false) => "first",
            (false, true) => "last",
            (false, false) => "",
        }
    }

    pub(super) fn is_going_on(&self, cell: &Cell) -> bool {
        *cell == Cell::GoingOn
    }
}

/// One leg's event, reduced to what the timeline needs. Its texts are no longer than can be shown.
#[derive(Debug, Clone)]
struct LegEvent {
    event_id: EventId,
    at: Timestamp,
    /// The ids by which legs name each other.
    ids: Vec<String>,
    leg: Leg,
    state: String,
    /// By what it may be of a call whose ids it has not. Not shown: it holds numbers.
    likeness: Option<Likeness>,
}

impl LegEvent {
    /// `None` for what is no call.
    fn of(event: &EventRecord, mask: Mask) -> Option<Self> {
        let Ok(Payload::Call(call)) = Payload::read(event.kind, &event.body) else {
            return None;
        };
        let all = [
            &call.call_id,
            &call.master_call_id,
            &call.operator_call_id,
            &call.entry_point_call_id,
        ];
        let ids = all.into_iter().flatten().map(|id| short(id.as_str()));
        Some(Self {
            event_id: event.id,
            // Events may come late: what they say themselves counts.
            at: call.event_timestamp.unwrap_or(event.accepted_at),
            ids: ids.collect(),
            state: call
                .state
                .as_ref()
                .map_or_else(|| "no state".to_owned(), |state| short(state.as_str())),
            leg: leg(&call, mask),
            likeness: Likeness::of(&call),
        })
    }
}

/// The call that an event belongs to; `None` if it belongs to none.
pub(super) async fn around(
    node: &Node,
    caller: Caller,
    event: &EventRecord,
    mask: Mask,
) -> Result<Option<CallTimeline>, Refusal> {
    let Some(this) = LegEvent::of(event, mask).filter(|this| !this.ids.is_empty()) else {
        return Ok(None);
    };
    let (events, window) = neighbours(node, caller, event.accepted_at, mask).await?;
    let reach = format!(
        "looked at {} call events within {} of this one",
        events.len(),
        span(window)
    );
    let (call, others) = split(events, &this);
    let possibly = possible_legs(&call, others);
    let timeline = build(call, this.event_id);
    Ok(Some(CallTimeline {
        possibly,
        reach,
        ..timeline
    }))
}

async fn neighbours(
    node: &Node,
    caller: Caller,
    at: Timestamp,
    mask: Mask,
) -> Result<(Vec<LegEvent>, Duration), Refusal> {
    let mut found = Vec::new();
    let mut window = Duration::ZERO;
    for side in [Side::Before, Side::After] {
        for width in WINDOWS {
            let read = read(node, caller, at, width, side, mask).await?;
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
    node: &Node,
    caller: Caller,
    at: Timestamp,
    width: Duration,
    side: Side,
    mask: Mask,
) -> Result<Option<Vec<LegEvent>>, Refusal> {
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
    let mut all = Vec::new();
    let mut looked_at = ReadAmount::default();
    let mut after = None;
    loop {
        let page = PageRequest {
            after,
            limit: AT_ONCE,
        };
        let read = match events::read(node, caller, filter.clone(), page).await {
            // Too much else lies in between: a narrower window does better.
            Err(Refusal::Store(StoreError::Unavailable(_))) => return Ok(None),
            read => read?,
        };
        let events = read.items;
        let bytes = bytes_of(&events);
        looked_at.add(events.len(), bytes);
        let parse = move || -> Vec<_> {
            events
                .iter()
                .filter_map(|event| LegEvent::of(event, mask))
                .collect()
        };
        all.extend(blocking::run(bytes, parse).await);
        match (read.next, side) {
            (None, _) => return Ok(Some(all)),
            (Some(_), Side::Before) if looked_at.is_enough() => return Ok(Some(all)),
            (Some(_), Side::After) if looked_at.is_enough() => return Ok(None),
            (next, _) => after = next,
        }
    }
}

/// Amount that was read, against the bounds.
#[derive(Default)]
struct ReadAmount {
    events: usize,
    bytes: usize,
}

impl ReadAmount {
    fn add(&mut self, events: usize, bytes: usize) {
        self.events += events;
        self.bytes += bytes;
    }

    fn is_enough(&self) -> bool {
        self.events >= MOST_LOOKED_AT || self.bytes >= MOST_BYTES
    }
}

/// Events of the same call as `this`, in the order of their own times, and all others.
fn split(mut others: Vec<LegEvent>, this: &LegEvent) -> (Vec<LegEvent>, Vec<LegEvent>) {
    if !others.iter().any(|other| other.event_id == this.event_id) {
        others.push(this.clone());
    }
    let mut by_id: HashMap<&str, Vec<usize>> = HashMap::new();
    for (place, other) in others.iter().enumerate() {
        for id in &other.ids {
            by_id.entry(id).or_default().push(place);
        }
    }
    let mut is_in = vec![false; others.len()];
    let mut open: Vec<&str> = this.ids.iter().map(String::as_str).collect();
    while let Some(id) = open.pop() {
        for place in by_id.remove(id).unwrap_or_default() {
            if !std::mem::replace(&mut is_in[place], true) {
                open.extend(others[place].ids.iter().map(String::as_str));
            }
        }
    }
    let mut is_in = is_in.into_iter();
    let (call, rest) = others.into_iter().partition(|_| is_in.next().unwrap_or_default());
    (in_order(call), in_order(rest))
}

fn in_order(mut events: Vec<LegEvent>) -> Vec<LegEvent> {
    events.sort_by_key(|event| (event.at, event.event_id));
    events.dedup_by_key(|event| event.event_id);
    events
}

/// The legs that no id ties to a call, and that may be of it: the same caller, the same line, within a minute.
fn possible_legs(call: &[LegEvent], others: Vec<LegEvent>) -> Vec<PossibleLeg> {
    let mut likenesses: Vec<&Likeness> = Vec::new();
    for likeness in call.iter().filter_map(|event| event.likeness.as_ref()) {
        if likenesses.len() < MOST_STEPS && !likenesses.contains(&likeness) {
            likenesses.push(likeness);
        }
    }
    let mut legs: Vec<PossibleLeg> = Vec::new();
    for event in others {
        let is_like = |other: &&Likeness| {
            event
                .likeness
                .as_ref()
                .is_some_and(|like| like.may_be_one_call_with(other))
        };
        if legs.len() >= MOST_LEGS {
            break;
        }
        if legs.iter().all(|known| known.leg.id != event.leg.id) && likenesses.iter().any(is_like) {
            legs.push(PossibleLeg {
                leg: event.leg,
                event_id: event.event_id.to_string(),
                tone: tone(&event.state),
                state: event.state,
            });
        }
    }
    legs
}

fn build(call: Vec<LegEvent>, this: EventId) -> CallTimeline {
    let mut timeline = CallTimeline::default();
    let mut columns: HashMap<String, usize> = HashMap::new();
    let first_at = call.first().map(|event| event.at).unwrap_or_default();
    for event in call {
        let known = columns.get(&event.leg.id).copied();
        if (known.is_none() && timeline.legs.len() >= MOST_LEGS) || timeline.steps.len() >= MOST_STEPS {
            timeline.left_out += 1;
            continue;
        }
        let column = known.unwrap_or_else(|| {
            columns.insert(event.leg.id.clone(), timeline.legs.len());
            timeline.legs.push(event.leg);
            timeline.legs.len() - 1
        });
        timeline.steps.push(Step {
            event_id: event.event_id.to_string(),
            tone: tone(&event.state),
            state: event.state,
            leg: column,
            at: Moment(event.at),
            after: format!("+{}", span(event.at.since(first_at))),
            is_this: event.event_id == this,
            cells: Vec::new(),
            is_first: false,
            is_last: false,
        });
    }
    fill_cells(&mut timeline);
    timeline
}

fn leg(call: &CallEvent<'_>, mask: Mask) -> Leg {
    let id = call.call_id.as_ref();
    let id = id.map_or_else(|| "no id".to_owned(), |id| short(id.as_str()));
    let name = summary::target(call.target.as_ref(), mask).unwrap_or_else(|| "somebody".to_owned());
    let kind = call
        .target
        .as_ref()
        .and_then(|target| target.target_type.as_ref());
    let kind = kind.map(|kind| short(kind.as_str())).unwrap_or_default();
    let contact = summary::contact(call.contact.as_ref(), mask);
    let with = contact.map(|contact| match call.direction.as_ref().map(Word::as_str) {
        Some("outbound") => format!("to {contact}"),
        _ => format!("from {contact}"),
    });
    let role = [Some(kind).filter(|kind| !kind.is_empty()), with];
    Leg {
        id,
        name,
        role: role.into_iter().flatten().collect::<Vec<_>>().join(", "),
    }
}

/// A leg goes on from its first step to its last.
fn fill_cells(timeline: &mut CallTimeline) {
    let legs = timeline.legs.len();
    let spans: Vec<_> = (0..legs)
        .map(|leg| {
            let own = |step: &Step| step.leg == leg;
            (
                timeline.steps.iter().position(own),
                timeline.steps.iter().rposition(own),
            )
        })
        .collect();
    for (place, step) in timeline.steps.iter_mut().enumerate() {
        let cell = |leg: usize| match spans[leg] {
            _ if step.leg == leg => Cell::Here,
            (Some(first), Some(last)) if first < place && place < last => Cell::GoingOn,
            _ => Cell::Empty,
        };
        step.is_first = spans[step.leg].0 == Some(place);
        step.is_last = spans[step.leg].1 == Some(place);
        step.cells = (0..legs).map(cell).collect();
    }
}

/// CSS class of a call state.
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
    use std::collections::BTreeSet;

    use bytes::Bytes;
    use switchhook_domain::id::CompanyId;
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

    fn legs(events: &[EventRecord]) -> Vec<LegEvent> {
        events
            .iter()
            .filter_map(|event| LegEvent::of(event, Mask::NOTHING))
            .collect()
    }

    #[test]
    fn every_leg_of_a_call_is_found_from_any_of_its_events_and_nothing_else_is() {
        let call = legs(&events("warm-transfer", 1));
        let others = legs(&events("ring-all-answered", 2));
        for this in &call {
            let around: Vec<_> = call.iter().chain(&others).cloned().collect();
            let (found, _) = split(around, this);
            let ids =
                |events: &[LegEvent]| events.iter().map(|event| event.event_id).collect::<BTreeSet<_>>();
            assert_eq!(ids(&found), ids(&call), "from {}", this.event_id);
        }
    }

    #[test]
    fn a_timeline_has_a_column_a_leg_and_a_row_a_state() {
        let call = legs(&events("ring-all-answered", 1));
        let timeline = build(split(call.clone(), &call[0]).0, call[0].event_id);
        let legs: BTreeSet<_> = call.iter().map(|event| event.leg.id.clone()).collect();
        assert!(legs.len() > 2);
        assert_eq!(timeline.legs.len(), legs.len());
        assert_eq!(timeline.steps.len(), call.len());
        for step in &timeline.steps {
            assert_eq!(step.cells.len(), legs.len());
            assert_eq!(step.cells.iter().filter(|cell| **cell == Cell::Here).count(), 1);
        }
        assert_eq!(timeline.steps.iter().filter(|step| step.is_this).count(), 1);
    }

    #[test]
    fn a_chain_of_any_length_is_followed_to_its_end() {
        let link = |id: i64| {
            let body = format!(r#"{{"call_id":{id},"master_call_id":{}}}"#, id + 1);
            EventRecord {
                id: EventId(id),
                body: Bytes::from(body),
                ..events("warm-transfer", 1).remove(0)
            }
        };
        let chain = legs(&(0..100).map(link).collect::<Vec<_>>());
        assert_eq!(split(chain.clone(), &chain[0]).0.len(), chain.len());
    }

    #[test]
    fn legs_that_share_no_id_are_possibly_the_same_call() {
        let leg = |place: i64, caller: &str, seconds: i64| {
            let began_at = START.as_millis() + seconds * 1_000;
            let body = format!(
                r#"{{"call_id":{place},"state":"missed","external_number":"{caller}","internal_number":"+15415550103","date_started":{began_at}}}"#
            );
            EventRecord {
                id: EventId(place),
                body: Bytes::from(body),
                ..events("warm-transfer", 1).remove(0)
            }
        };
        let caller = "+15415550102";
        let legs = legs(&[
            leg(1, caller, 0),
            leg(2, caller, 2),
            leg(3, caller, 61),
            leg(4, "+15415550199", 0),
        ]);
        let (call, others) = split(legs.clone(), &legs[0]);
        let possibly = possible_legs(&call, others);
        let ids: Vec<_> = possibly.iter().map(|one| one.leg.id.as_str()).collect();
        assert_eq!((call.len(), ids), (1, vec!["2"]));
    }

    #[test]
    fn what_is_kept_of_a_large_event_is_small() {
        let long = "x".repeat(1 << 18);
        let body = format!(
            r#"{{"call_id":"{long}","master_call_id":"{long}","state":"{long}","target":{{"name":"{long}","type":"{long}"}},"contact":{{"name":"{long}"}}}}"#
        );
        let event = EventRecord {
            body: Bytes::from(body),
            ..events("warm-transfer", 1).remove(0)
        };
        let kept = LegEvent::of(&event, Mask::NOTHING).unwrap();
        assert!(format!("{kept:?}").len() < 2_500, "{kept:?}");
    }
}
