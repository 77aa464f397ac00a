//! Causes come before effects: each leg, each message and each agent goes through what it can go through, each call's
//! legs can be put together by their ids, and every call ends.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::OnceLock;

use switchhook_protocol::{CallEvent, Id, Kind, Payload, Timestamp};
use switchhook_simulator::{Dialect, Rate, Scenario, SimulatedEvent, Simulation};

const START: Timestamp = Timestamp::from_millis(1_795_420_800_000);

/// The same life for every test.
fn life(dialect: Dialect) -> &'static [SimulatedEvent] {
    static LIVES: [OnceLock<Vec<SimulatedEvent>>; 2] = [OnceLock::new(), OnceLock::new()];
    LIVES[dialect as usize].get_or_init(|| {
        let simulation = Simulation::builder(5, START).dialect(dialect);
        simulation
            .rate(Rate::per_second(4))
            .build()
            .take(30_000)
            .collect()
    })
}

fn call(event: &SimulatedEvent) -> CallEvent<'_> {
    match Payload::read(Kind::Call, event.body.as_bytes()) {
        Ok(Payload::Call(call)) => call,
        other => panic!("{other:?} in {}", event.body),
    }
}

/// The events of each leg, in their order.
fn legs(events: &[SimulatedEvent]) -> BTreeMap<i64, Vec<&SimulatedEvent>> {
    let mut legs: BTreeMap<i64, Vec<_>> = BTreeMap::new();
    for event in events.iter().filter(|event| event.kind == Kind::Call) {
        legs.entry(event.subject).or_default().push(event);
    }
    legs
}

/// States that come after another one, at any distance: `(later, any of these earlier)`.
const AFTER: &[(&str, &[&str])] = &[
    ("connected", &["ringing", "preanswer", "takeover"]),
    ("hold", &["connected"]),
    ("parked", &["connected"]),
    ("merged", &["connected"]),
    ("barge", &["monitor", "eavesdrop"]),
    ("takeover", &["monitor", "eavesdrop"]),
    ("queued", &["ringing", "preanswer"]),
    ("missed", &["ringing", "preanswer"]),
    ("voicemail", &["missed"]),
    ("recording", &["hangup"]),
    ("admin_recording", &["hangup"]),
    ("voicemail_uploaded", &["hangup"]),
    ("transcription", &["voicemail_uploaded"]),
    ("call_transcription", &["hangup"]),
    ("recap_summary", &["call_transcription"]),
    ("recap_outcome", &["call_transcription"]),
    ("recap_purposes", &["call_transcription"]),
    ("recap_action_items", &["call_transcription"]),
    ("ai_playbook", &["call_transcription"]),
    ("csat", &["hangup"]),
    ("pcsat", &["hangup"]),
    ("dispositions", &["hangup"]),
    ("postcall", &["hangup"]),
];

const BEGINNINGS: [&str; 6] = [
    "calling",
    "ringing",
    "preanswer",
    "monitor",
    "eavesdrop",
    "blocked",
];

#[track_caller]
fn check_leg(events: &[&SimulatedEvent]) {
    let steps: Vec<&str> = events.iter().map(|event| event.step).collect();
    assert!(BEGINNINGS.contains(&steps[0]), "{steps:?}");
    for (place, step) in steps.iter().enumerate() {
        if let Some((_, causes)) = AFTER.iter().find(|(later, _)| later == step) {
            let has_cause = steps[..place].iter().any(|before| causes.contains(before));
            assert!(has_cause, "{step} without a cause in {steps:?}");
        }
    }
    let hangup = steps.iter().position(|step| *step == "hangup");
    if let Some(hangup) = hangup {
        for after in &steps[hangup + 1..] {
            let is_worked_up = AFTER.iter().any(|(later, causes)| {
                later == after && (causes.contains(&"hangup") || *causes == ["call_transcription"])
            });
            assert!(
                is_worked_up || *after == "transcription",
                "{after} after the hangup in {steps:?}"
            );
        }
    }
    for pair in events.windows(2) {
        assert!(pair[0].at <= pair[1].at);
    }
    check_dates(events);
}

#[track_caller]
fn check_dates(events: &[&SimulatedEvent]) {
    for event in events {
        let call = call(event);
        assert_eq!(call.call_id.as_ref().and_then(Id::as_i64), Some(event.subject));
        assert!((1..1 << 53).contains(&event.subject));
        assert_eq!(call.event_timestamp, Some(event.at));
        let dates = [
            call.date_started,
            call.date_connected,
            call.date_ended,
            Some(event.at),
        ];
        assert!(dates.iter().flatten().is_sorted(), "{}", event.body);
        if event.step == "connected" {
            assert!(call.date_connected.is_some(), "{}", event.body);
        }
        assert_eq!(
            call.date_ended.is_some(),
            call.duration.is_some(),
            "{}",
            event.body
        );
        let was_connected = events
            .iter()
            .any(|event| matches!(event.step, "connected" | "takeover"));
        assert!(
            call.date_connected.is_none() || was_connected,
            "connected without having been: {}",
            event.body
        );
    }
}

#[test]
fn each_leg_goes_through_its_states_in_causal_order() {
    for dialect in Dialect::ALL {
        for events in legs(life(dialect)).values() {
            check_leg(events);
        }
        for scenario in Scenario::all().filter(|scenario| scenario.name() != "late-ringing") {
            let events = scenario.play(1, START, dialect);
            if scenario.name() != "repeated-hangup" {
                legs(&events).values().for_each(|events| check_leg(events));
            }
        }
    }
}

#[test]
fn every_leg_ends_once() {
    for dialect in Dialect::ALL {
        let events = life(dialect);
        let last_at = events.last().expect("there are some").at;
        for leg in legs(events).values() {
            let hangups = leg.iter().filter(|event| event.step == "hangup").count();
            let is_recent = last_at.since(leg[0].at).as_secs() < 1_800;
            assert!(hangups == 1 || (hangups == 0 && is_recent), "{leg:?}");
        }
    }
}

#[test]
fn a_scenario_plays_to_its_end() {
    for dialect in Dialect::ALL {
        for scenario in Scenario::all().filter(|scenario| scenario.name() != "repeated-hangup") {
            for leg in legs(&scenario.play(1, START, dialect)).values() {
                let hangups = leg.iter().filter(|event| event.step == "hangup").count();
                assert_eq!(hangups, 1, "{}", scenario.name());
            }
        }
    }
}

/// Puts legs together whose events name each other, in any of the four ids.
fn calls_by_union_of_ids(events: &[SimulatedEvent]) -> BTreeMap<i64, i64> {
    fn root(parents: &BTreeMap<i64, i64>, mut id: i64) -> i64 {
        while let Some(parent) = parents.get(&id).filter(|parent| **parent != id) {
            id = *parent;
        }
        id
    }
    let mut parents: BTreeMap<i64, i64> = BTreeMap::new();
    for event in events.iter().filter(|event| event.kind == Kind::Call) {
        for id in call(event).leg_ids().filter_map(Id::as_i64) {
            let (one, other) = (root(&parents, event.subject), root(&parents, id));
            parents.insert(one, one);
            parents.insert(other, one);
        }
    }
    let ids: Vec<i64> = parents.keys().copied().collect();
    ids.into_iter().map(|id| (id, root(&parents, id))).collect()
}

#[track_caller]
fn check_siblings(events: &[SimulatedEvent], name: &str) {
    let roots = calls_by_union_of_ids(events);
    let mut by_story: BTreeMap<u64, BTreeSet<i64>> = BTreeMap::new();
    let mut by_root: BTreeMap<i64, BTreeSet<u64>> = BTreeMap::new();
    for event in events.iter().filter(|event| event.kind == Kind::Call) {
        let root = roots[&event.subject];
        by_story.entry(event.story).or_default().insert(root);
        by_root.entry(root).or_default().insert(event.story);
    }
    for (story, roots) in by_story {
        assert_eq!(roots.len(), 1, "{name}: the legs of call {story} fall apart");
    }
    for (root, stories) in by_root {
        assert_eq!(stories.len(), 1, "{name}: two calls share the leg {root}");
    }
}

#[test]
fn the_legs_of_a_call_are_linked_by_the_union_of_their_ids() {
    for dialect in Dialect::ALL {
        check_siblings(life(dialect), dialect.as_str());
        for scenario in Scenario::all() {
            check_siblings(&scenario.play(1, START, dialect), scenario.name());
        }
    }
}

#[test]
fn the_entry_leg_of_an_answered_call_names_the_operator() {
    for leg in legs(life(Dialect::Observed)).values() {
        for event in leg.iter().filter(|event| event.step == "connected") {
            let call = call(event);
            let is_entry = call.entry_point_call_id.is_none()
                && call
                    .target
                    .as_ref()
                    .is_some_and(|target| target.email.as_deref() == Some(""));
            assert_eq!(is_entry, call.operator_call_id.is_some(), "{}", event.body);
        }
    }
}

#[test]
fn a_message_is_pending_before_it_is_sent_and_sent_before_it_arrives() {
    let order = [
        "received",
        "pending",
        "sent",
        "delivered",
        "success",
        "undelivered",
        "failed",
    ];
    let mut reached: BTreeMap<i64, usize> = BTreeMap::new();
    let events = life(Dialect::Observed);
    for event in events.iter().filter(|event| event.kind == Kind::Sms) {
        let place = order
            .iter()
            .position(|step| *step == event.step)
            .expect("it is known");
        let before = reached.insert(event.subject, place);
        assert!(before.is_none_or(|before| before < place), "{}", event.body);
        assert!(before.is_some() || place <= 2, "{}", event.body);
    }
}

#[test]
fn agents_come_from_work_to_wrapping_it_up() {
    let events = life(Dialect::Asyncapi);
    let mut duties: BTreeMap<i64, &str> = BTreeMap::new();
    let mut changes: BTreeMap<(&str, &str), u64> = BTreeMap::new();
    for event in events.iter().filter(|event| event.kind == Kind::AgentStatus) {
        let before = duties.insert(event.subject, event.step).unwrap_or("Available");
        *changes.entry((before, event.step)).or_default() += 1;
    }
    assert!(changes.keys().all(|(_, after)| *after != "Wrapup") || changes[&("Occupied", "Wrapup")] > 100);
    for before in ["Available", "Unavailable", "Busy"] {
        assert!(!changes.contains_key(&(before, "Wrapup")), "{changes:?}");
    }
    assert!(!changes.contains_key(&("Occupied", "Occupied")), "{changes:?}");
}

#[test]
fn contacts_are_made_before_they_are_changed() {
    let mut known: BTreeSet<i64> = BTreeSet::new();
    for event in life(Dialect::Asyncapi)
        .iter()
        .filter(|event| event.kind == Kind::Contact)
    {
        match event.step {
            "Created" => assert!(known.insert(event.subject), "{}", event.body),
            "Updated" => assert!(known.contains(&event.subject), "{}", event.body),
            _ => assert!(known.remove(&event.subject), "{}", event.body),
        }
    }
}

#[test]
fn the_company_is_believable() {
    let events = life(Dialect::Observed);
    let share = |kind| {
        let count = events.iter().filter(|event| event.kind == kind).count();
        count * 100 / events.len()
    };
    for (kind, range) in [
        (Kind::Call, 55..80),
        (Kind::Sms, 8..25),
        (Kind::AgentStatus, 5..20),
        (Kind::Contact, 1..6),
        (Kind::Changelog, 0..2),
    ] {
        assert!(range.contains(&share(kind)), "{kind}: {} %", share(kind));
    }
    let legs = legs(events);
    let per_leg = events.iter().filter(|event| event.kind == Kind::Call).count() * 10 / legs.len();
    assert!((30..70).contains(&per_leg), "{per_leg} events in ten legs");
    let answered = legs
        .values()
        .filter(|leg| leg.iter().any(|event| event.step == "connected"))
        .count();
    assert!(
        (40..80).contains(&(answered * 100 / legs.len())),
        "{answered} of {} legs were answered",
        legs.len()
    );
}
