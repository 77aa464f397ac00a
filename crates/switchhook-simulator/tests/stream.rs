//! What every stream of the simulator promises, whatever its seed.

use std::collections::HashMap;
use std::time::Duration;

use jsonschema::{Draft, Validator};
use serde_json::{Value, json};
use switchhook_protocol::{ASYNCAPI_YAML, Id, Kind, Payload, Timestamp, check_object, tell_kind};
use switchhook_simulator::{SimulatedEvent, Simulation};

const START: Timestamp = Timestamp::from_millis(1_795_253_400_000);

fn events(seed: u64, count: usize) -> Vec<SimulatedEvent> {
    Simulation::new(seed, START).take(count).collect()
}

fn validator(kind: Kind) -> Validator {
    let document: Value = serde_norway::from_str(ASYNCAPI_YAML).expect("the document is YAML");
    let reference = format!("#/components/schemas/{}", kind.schema());
    let schema = json!({ "allOf": [{ "$ref": reference }], "components": document["components"] });
    jsonschema::options()
        .with_draft(Draft::Draft7)
        .build(&schema)
        .expect("the document holds the schema")
}

#[test]
fn every_event_is_valid_against_the_document_and_looks_like_its_kind() {
    let validators: HashMap<Kind, Validator> = Kind::ALL.map(|kind| (kind, validator(kind))).into();
    for seed in 0..20 {
        for event in events(seed, 400) {
            let value: Value = serde_json::from_str(&event.body).expect("it is JSON");
            let deviations: Vec<_> = validators[&event.kind]
                .iter_errors(&value)
                .map(|e| e.to_string())
                .collect();
            assert!(
                deviations.is_empty(),
                "seed {seed}: {deviations:?} in {}",
                event.body
            );
            assert_eq!(
                tell_kind(event.body.as_bytes()),
                Some(event.kind),
                "seed {seed}: {}",
                event.body
            );
            assert!(check_object(event.body.as_bytes()).is_ok());
        }
    }
}

#[test]
fn the_same_seed_gives_the_same_bytes_and_another_seed_others() {
    assert_eq!(events(7, 500), events(7, 500));
    assert_ne!(events(7, 5), events(8, 5));
}

#[test]
fn a_seed_gives_these_bytes_on_every_machine() {
    let stream = events(1, 2_000)
        .into_iter()
        .flat_map(|event| event.body.into_bytes());
    let digest = stream.fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    });
    assert_eq!(
        digest, 0x4b52_0a20_1e27_0c4d,
        "if the stories were changed on purpose, this is their new digest: {digest:#x}"
    );
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

#[test]
fn time_never_goes_back_and_there_is_about_one_event_a_second() {
    let events = events(3, 5_000);
    assert!(events.is_sorted_by_key(|event| event.at));
    let seconds = events.last().map_or(0, |event| event.at.since(START).as_secs());
    assert!(
        (2_500..10_000).contains(&seconds),
        "5,000 events in {seconds} seconds"
    );
}

#[test]
fn each_leg_goes_through_its_states_in_causal_order() {
    let stages: HashMap<&str, usize> = [
        "calling",
        "ringing",
        "connected",
        "hold",
        "missed",
        "voicemail",
        "hangup",
        "recording",
        "call_transcription",
        "recap_summary",
        "voicemail_uploaded",
        "transcription",
    ]
    .into_iter()
    .zip(0..)
    .collect();
    let mut reached: HashMap<i64, usize> = HashMap::new();
    for event in events(5, 5_000).iter().filter(|event| event.kind == Kind::Call) {
        let Ok(Payload::Call(call)) = Payload::read(Kind::Call, event.body.as_bytes()) else {
            panic!("{}", event.body)
        };
        let leg = call
            .call_id
            .as_ref()
            .and_then(Id::as_i64)
            .expect("a leg has an id");
        assert!(leg < 1 << 53);
        let stage = stages[call.state.as_ref().map_or("", |state| state.as_str())];
        let before = reached.insert(leg, stage);
        let resumed = before == Some(stages["hold"]) && stage == stages["connected"];
        assert!(
            resumed || before.is_none_or(|before| before < stage),
            "{}",
            event.body
        );
    }
}
