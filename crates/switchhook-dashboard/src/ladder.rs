//! The timeline of a whole call: its legs side by side, its states from top to bottom.
//!
//! A call is several legs, each with an id of its own, that name each other by four ids. Which events belong together is
//! found among the calls around the event that one looks at; how far that reaches is bounded and told. Some legs of one
//! call share no id: those that are like one of its legs are shown beside it, as possibly the same call.

use std::collections::HashMap;
use std::time::Duration;

use switchhook_domain::id::{CompanyId, EventId};
use switchhook_domain::{Kind, Timestamp};
use switchhook_protocol::{CallEvent, Payload, Word};
use switchhook_receiver::Likeness;
use switchhook_store::{EventFilter, EventRecord, PageRequest, StoreError};

use super::event_row::bytes_of;
use super::part::{Moment, span};
use switchhook_node::Node;
use switchhook_node::blocking;
use switchhook_node::mask::Mask;
use switchhook_node::summary::{self, shortened};

/// How far around the event calls are looked at: the widest of these that holds no more than can be looked at.
const WINDOWS: [Duration; 4] = [
    Duration::from_secs(2 * 3_600),
    Duration::from_secs(20 * 60),
    Duration::from_secs(3 * 60),
    Duration::from_secs(20),
];

/// How many events, and how many bytes of them, are looked at before and after it.
const MOST_LOOKED_AT: usize = 2_000;
const MOST_BYTES: usize = 16 << 20;

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
    /// Legs that no id ties to it, and that are like one of its own.
    pub(super) possibly: Vec<PossibleLeg>,
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

/// What an event says of the call that it belongs to. Its texts are no longer than can be shown.
#[derive(Debug, Clone)]
struct Told {
    event_id: EventId,
    at: Timestamp,
    /// The ids by which legs name each other.
    ids: Vec<String>,
    leg: Leg,
    state: String,
    /// By what it may be of a call whose ids it has not. Not shown: it holds numbers.
    likeness: Option<Likeness>,
}

impl Told {
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
        let ids = all.into_iter().flatten().map(|id| shortened(id.as_str()));
        Some(Self {
            event_id: event.id,
            // Events may come late: what they say themselves counts.
            at: call.event_timestamp.unwrap_or(event.accepted_at),
            ids: ids.collect(),
            state: call
                .state
                .as_ref()
                .map_or_else(|| "no state".to_owned(), |state| shortened(state.as_str())),
            leg: leg(&call, mask),
            likeness: Likeness::of(&call),
        })
    }
}

/// The call that an event belongs to; `None` if it belongs to none.
pub(super) async fn around(
    node: &Node,
    company_id: CompanyId,
    event: &EventRecord,
    mask: Mask,
) -> Result<Option<Ladder>, StoreError> {
    let Some(this) = Told::of(event, mask).filter(|told| !told.ids.is_empty()) else {
        return Ok(None);
    };
    let (told, window) = neighbours(node, company_id, event.accepted_at, mask).await?;
    let reach = format!(
        "looked at {} call events within {} of this one",
        told.len(),
        span(window)
    );
    let (call, others) = split(told, &this);
    let possibly = possible_legs(&call, others);
    let ladder = build(call, this.event_id);
    Ok(Some(Ladder {
        possibly,
        reach,
        ..ladder
    }))
}

async fn neighbours(
    node: &Node,
    company_id: CompanyId,
    at: Timestamp,
    mask: Mask,
) -> Result<(Vec<Told>, Duration), StoreError> {
    let mut found = Vec::new();
    let mut window = Duration::ZERO;
    for side in [Side::Before, Side::After] {
        for width in WINDOWS {
            let read = read(node, company_id, at, width, side, mask).await?;
            if let Some(told) = read {
                found.extend(told);
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
    company_id: CompanyId,
    at: Timestamp,
    width: Duration,
    side: Side,
    mask: Mask,
) -> Result<Option<Vec<Told>>, StoreError> {
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
    let mut looked_at = Looked::default();
    let mut after = None;
    loop {
        let page = PageRequest {
            after,
            limit: AT_ONCE,
        };
        let read = match node.store.list_events(company_id, filter.clone(), page).await {
            // Too much else lies in between: a narrower window does better.
            Err(StoreError::Unavailable(_)) => return Ok(None),
            read => read?,
        };
        let events = read.items;
        let bytes = bytes_of(&events);
        looked_at.add(events.len(), bytes);
        let told = move || -> Vec<_> { events.iter().filter_map(|event| Told::of(event, mask)).collect() };
        all.extend(blocking::run(bytes, told).await);
        match (read.next, side) {
            (None, _) => return Ok(Some(all)),
            (Some(_), Side::Before) if looked_at.is_enough() => return Ok(Some(all)),
            (Some(_), Side::After) if looked_at.is_enough() => return Ok(None),
            (next, _) => after = next,
        }
    }
}

/// How much was looked at.
#[derive(Default)]
struct Looked {
    events: usize,
    bytes: usize,
}

impl Looked {
    fn add(&mut self, events: usize, bytes: usize) {
        self.events += events;
        self.bytes += bytes;
    }

    fn is_enough(&self) -> bool {
        self.events >= MOST_LOOKED_AT || self.bytes >= MOST_BYTES
    }
}

/// What belongs to the same call as `this`, by its own time, and what does not.
fn split(mut others: Vec<Told>, this: &Told) -> (Vec<Told>, Vec<Told>) {
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

fn in_order(mut told: Vec<Told>) -> Vec<Told> {
    told.sort_by_key(|told| (told.at, told.event_id));
    told.dedup_by_key(|told| told.event_id);
    told
}

/// The legs that no id ties to a call, and that may be of it: the same caller, the same line, within a minute.
fn possible_legs(call: &[Told], others: Vec<Told>) -> Vec<PossibleLeg> {
    let mut likenesses: Vec<&Likeness> = Vec::new();
    for likeness in call.iter().filter_map(|told| told.likeness.as_ref()) {
        if likenesses.len() < MOST_STEPS && !likenesses.contains(&likeness) {
            likenesses.push(likeness);
        }
    }
    let mut legs: Vec<PossibleLeg> = Vec::new();
    for told in others {
        let is_like = |other: &&Likeness| {
            told.likeness
                .as_ref()
                .is_some_and(|like| like.may_be_one_call_with(other))
        };
        if legs.len() >= MOST_LEGS {
            break;
        }
        if legs.iter().all(|known| known.leg.id != told.leg.id) && likenesses.iter().any(is_like) {
            legs.push(PossibleLeg {
                leg: told.leg,
                event_id: told.event_id.to_string(),
                tone: tone(&told.state),
                state: told.state,
            });
        }
    }
    legs
}

fn build(call: Vec<Told>, this: EventId) -> Ladder {
    let mut ladder = Ladder::default();
    let mut columns: HashMap<String, usize> = HashMap::new();
    let first_at = call.first().map(|told| told.at).unwrap_or_default();
    for told in call {
        let known = columns.get(&told.leg.id).copied();
        if (known.is_none() && ladder.legs.len() >= MOST_LEGS) || ladder.steps.len() >= MOST_STEPS {
            ladder.left_out += 1;
            continue;
        }
        let column = known.unwrap_or_else(|| {
            columns.insert(told.leg.id.clone(), ladder.legs.len());
            ladder.legs.push(told.leg);
            ladder.legs.len() - 1
        });
        ladder.steps.push(Step {
            event_id: told.event_id.to_string(),
            tone: tone(&told.state),
            state: told.state,
            leg: column,
            at: Moment(told.at),
            after: format!("+{}", span(told.at.since(first_at))),
            is_this: told.event_id == this,
            lanes: Vec::new(),
            is_first: false,
            is_last: false,
        });
    }
    fill_lanes(&mut ladder);
    ladder
}

fn leg(call: &CallEvent<'_>, mask: Mask) -> Leg {
    let id = call.call_id.as_ref();
    let id = id.map_or_else(|| "no id".to_owned(), |id| shortened(id.as_str()));
    let name = summary::target(call.target.as_ref(), mask).unwrap_or_else(|| "somebody".to_owned());
    let kind = call
        .target
        .as_ref()
        .and_then(|target| target.target_type.as_ref());
    let kind = kind.map(|kind| shortened(kind.as_str())).unwrap_or_default();
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
    use std::collections::BTreeSet;

    use bytes::Bytes;
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

    fn told(events: &[EventRecord]) -> Vec<Told> {
        events
            .iter()
            .filter_map(|event| Told::of(event, Mask::NOTHING))
            .collect()
    }

    #[test]
    fn every_leg_of_a_call_is_found_from_any_of_its_events_and_nothing_else_is() {
        let call = told(&events("warm-transfer", 1));
        let others = told(&events("ring-all-answered", 2));
        for this in &call {
            let around: Vec<_> = call.iter().chain(&others).cloned().collect();
            let (found, _) = split(around, this);
            let ids = |events: &[Told]| events.iter().map(|told| told.event_id).collect::<BTreeSet<_>>();
            assert_eq!(ids(&found), ids(&call), "from {}", this.event_id);
        }
    }

    #[test]
    fn a_ladder_has_a_column_a_leg_and_a_row_a_state() {
        let call = told(&events("ring-all-answered", 1));
        let ladder = build(split(call.clone(), &call[0]).0, call[0].event_id);
        let legs: BTreeSet<_> = call.iter().map(|told| told.leg.id.clone()).collect();
        assert!(legs.len() > 2);
        assert_eq!(ladder.legs.len(), legs.len());
        assert_eq!(ladder.steps.len(), call.len());
        for step in &ladder.steps {
            assert_eq!(step.lanes.len(), legs.len());
            assert_eq!(step.lanes.iter().filter(|lane| **lane == Lane::Here).count(), 1);
        }
        assert_eq!(ladder.steps.iter().filter(|step| step.is_this).count(), 1);
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
        let chain = told(&(0..100).map(link).collect::<Vec<_>>());
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
        let told = told(&[
            leg(1, caller, 0),
            leg(2, caller, 2),
            leg(3, caller, 61),
            leg(4, "+15415550199", 0),
        ]);
        let (call, others) = split(told.clone(), &told[0]);
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
        let told = Told::of(&event, Mask::NOTHING).unwrap();
        assert!(format!("{told:?}").len() < 2_500, "{told:?}");
    }
}
