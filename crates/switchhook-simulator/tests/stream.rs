//! Promises of every stream of the simulator, whatever its seed: it is valid, repeatable and in order.

#[path = "../../switchhook-protocol/tests/contract/fields.rs"]
mod contract;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use contract::Type::{Boolean, Int64, Int64s, Integer, Object, OneOf, Ref, Text, Texts};
use contract::{CHANGED_BY, CONTRACT, Type};
use jsonschema::{Draft, Validator};
use serde_json::{Map, Value, json};
use switchhook_protocol::{CallState, Kind, Timestamp, check_object, recognize_kind};
use switchhook_simulator::{Dialect, Rate, Rhythm, Scenario, SimulatedEvent, Simulation};

/// Saturday, 21 November 2026, half past nine.
const START: Timestamp = Timestamp::from_millis(1_795_253_400_000);

fn events(seed: u64, dialect: Dialect, count: usize) -> Vec<SimulatedEvent> {
    Simulation::builder(seed, START)
        .dialect(dialect)
        .build()
        .take(count)
        .collect()
}

/// The published contract's own schemas: our document takes more.
fn validators() -> [Validator; 5] {
    Kind::ALL.map(|kind| {
        jsonschema::options()
            .with_draft(Draft::Draft7)
            .build(&json_schema(kind.schema()))
            .expect("it is a schema")
    })
}

/// One of the contract's schemas as a JSON Schema that is complete in itself. Unlike our document it knows no null.
fn json_schema(name: &str) -> Value {
    let (_, fields) = CONTRACT
        .iter()
        .find(|(schema, _)| *schema == name)
        .expect("the contract has it");
    object(fields)
}

fn object(fields: &[(&str, Type)]) -> Value {
    let properties: Map<String, Value> = fields
        .iter()
        .map(|(field, kind)| {
            let schema = match (*field, kind) {
                ("changed_by", _) => object(CHANGED_BY),
                (_, kind) => value(*kind),
            };
            ((*field).to_owned(), schema)
        })
        .collect();
    json!({"type": "object", "properties": properties})
}

fn value(kind: Type) -> Value {
    match kind {
        Int64 | Integer => json!({"type": "integer"}),
        Text => json!({"type": "string"}),
        Boolean => json!({"type": "boolean"}),
        Object => json!({"type": "object"}),
        Texts => json!({"type": "array", "items": {"type": "string"}}),
        Int64s => json!({"type": "array", "items": {"type": "integer"}}),
        OneOf(words) => json!({"enum": words.split_whitespace().collect::<Vec<_>>()}),
        Ref(schema) => json_schema(schema),
    }
}

#[track_caller]
fn check_valid(validators: &[Validator; 5], event: &SimulatedEvent) {
    let value: Value = serde_json::from_str(&event.body).expect("it is JSON");
    let deviations: Vec<_> = validators[event.kind as usize]
        .iter_errors(&value)
        .map(|error| error.to_string())
        .collect();
    assert!(deviations.is_empty(), "{deviations:?} in {}", event.body);
    assert!(
        !event.body.contains("null"),
        "the contract knows no null: {}",
        event.body
    );
}

#[test]
fn every_event_of_the_asyncapi_dialect_is_valid_against_the_contract() {
    let validators = validators();
    for seed in 0..20 {
        for event in events(seed, Dialect::Asyncapi, 1_000) {
            check_valid(&validators, &event);
        }
    }
    for scenario in Scenario::all() {
        for event in scenario.play(1, START, Dialect::Asyncapi) {
            check_valid(&validators, &event);
        }
    }
}

#[test]
fn every_event_looks_like_its_kind_in_both_dialects() {
    for dialect in Dialect::ALL {
        for event in events(4, dialect, 5_000) {
            assert_eq!(
                recognize_kind(event.body.as_bytes()),
                Some(event.kind),
                "{}",
                event.body
            );
            assert!(check_object(event.body.as_bytes()).is_ok(), "{}", event.body);
        }
    }
}

/// Members that real calls have only once there is something to tell.
const COMES_LATE: [&str; 9] = [
    "admin_recording_urls",
    "company_call_review_share_link",
    "dispositions",
    "public_call_review_share_link",
    "recap_action_items",
    "recap_outcome",
    "recap_purposes",
    "recap_summary",
    "recording_url",
];

#[test]
fn the_observed_dialect_always_has_the_same_keys() {
    let mut keys: BTreeMap<Kind, BTreeSet<String>> = BTreeMap::new();
    for event in events(6, Dialect::Observed, 5_000) {
        let value: Value = serde_json::from_str(&event.body).expect("it is JSON");
        let object = value.as_object().expect("it is an object");
        let mut own: BTreeSet<String> = object.keys().cloned().collect();
        own.retain(|key| !COMES_LATE.contains(&key.as_str()));
        let known = keys.entry(event.kind).or_insert_with(|| own.clone());
        assert_eq!(*known, own, "{}", event.body);
    }
    assert_eq!(keys.len(), 5);
}

#[test]
fn real_traffic_has_all_the_states_and_the_contract_its_twenty() {
    let states = |dialect| -> BTreeSet<&str> {
        let calls = events(2, dialect, 80_000);
        let calls = calls.iter().filter(|event| event.kind == Kind::Call);
        calls.map(|event| event.step).collect()
    };
    let in_contract = CallState::ALL.iter().filter(|state| state.is_in_contract());
    let expected: BTreeSet<&str> = in_contract.map(|state| state.as_str()).collect();
    assert_eq!(states(Dialect::Asyncapi), expected);
    let mut all: BTreeSet<&str> = CallState::ALL.iter().map(|state| state.as_str()).collect();
    // What that state means nobody has seen.
    all.remove("admin");
    assert_eq!(states(Dialect::Observed), all);
}

#[test]
fn both_dialects_tell_the_same_life() {
    let contract: Vec<_> = events(9, Dialect::Asyncapi, 2_000);
    let mut observed = Simulation::builder(9, START).dialect(Dialect::Observed).build();
    for event in contract {
        let same = observed.find(|other| (other.at, other.subject) == (event.at, event.subject));
        assert!(same.is_some(), "{}", event.body);
    }
}

#[test]
fn the_same_seed_gives_the_same_bytes_and_another_seed_others() {
    for dialect in Dialect::ALL {
        assert_eq!(events(7, dialect, 500), events(7, dialect, 500));
        assert_ne!(events(7, dialect, 5), events(8, dialect, 5));
    }
}

#[test]
fn a_seed_gives_these_bytes_on_every_machine() {
    for (dialect, expected) in [
        (Dialect::Asyncapi, 0xc77a_6c2e_8328_1114),
        (Dialect::Observed, 0xf3fb_7a14_e45a_894f),
    ] {
        let stream = events(1, dialect, 5_000)
            .into_iter()
            .flat_map(|event| event.body.into_bytes());
        let digest = stream.fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
        });
        assert_eq!(
            digest, expected,
            "if the stories were changed on purpose, this is the new digest of {dialect}: {digest:#x}"
        );
    }
}

#[test]
fn every_kind_shows_within_three_seconds() {
    for seed in 0..50 {
        for kind in Kind::ALL {
            let first = Simulation::new(seed, START).find(|event| event.kind == kind);
            let waited = first.map(|event| event.at.since(START));
            assert!(
                waited < Some(Duration::from_secs(3)),
                "seed {seed}: {kind} after {waited:?}"
            );
        }
    }
}

#[track_caller]
fn check_rate(rate: Rate, seconds: u64) {
    let mut count = 0_u64;
    let mut before = START;
    for event in Simulation::builder(3, START).rate(rate).build() {
        assert!(before <= event.at, "time goes back");
        before = event.at;
        if event.at.since(START).as_secs() >= seconds {
            break;
        }
        count += 1;
    }
    let expected = rate.events_per_hour() * seconds / 3_600;
    assert!(
        (expected * 3 / 4..expected * 5 / 4).contains(&count),
        "{count} events in {seconds} s instead of about {expected}"
    );
}

#[test]
fn there_are_as_many_events_as_the_rate_asks_for_and_time_never_goes_back() {
    check_rate(Rate::per_hour(60), 40 * 24 * 3_600);
    check_rate(Rate::per_second(1), 12_000);
    check_rate(Rate::per_second(50), 1_200);
    check_rate(Rate::per_second(2_000), 400);
}

#[test]
fn a_workweek_has_its_nights_and_its_weekend() {
    let monday = Timestamp::from_millis(1_795_392_000_000);
    let mut by_hour = [[0_u64; 24]; 7];
    for event in Simulation::builder(5, monday).rhythm(Rhythm::Workweek).build() {
        let hours = event.at.since(monday).as_secs() / 3_600;
        if hours >= 7 * 24 {
            break;
        }
        by_hour[(hours / 24) as usize][(hours % 24) as usize] += 1;
    }
    let (tuesday, sunday) = (by_hour[1], by_hour[6]);
    assert!(tuesday[10] > 20 * tuesday[3], "{by_hour:?}");
    assert!(
        tuesday[10] > tuesday[12] && tuesday[14] > tuesday[12],
        "{by_hour:?}"
    );
    assert!(
        tuesday.iter().sum::<u64>() > 10 * sunday.iter().sum::<u64>(),
        "{by_hour:?}"
    );
}
