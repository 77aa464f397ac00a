//! Tests: what genuine accounts send, and what the contract allows, is never refused; and what is said of an event is what the JSON
//! Schema crate says.

#[path = "../../../switchhook-protocol/tests/contract/fields.rs"]
mod contract;

use std::fs;
use std::path::PathBuf;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;
use serde_json::{Map, Value, json};
use switchhook_protocol::{Kind, Outline, Timestamp, recognize_kind};
use switchhook_simulator::{Dialect, Scenario, Simulation};

use self::contract::{CHANGED_BY, CONTRACT, Type};
use super::judge::Judge;
use super::{Deviation, Validator, claims};

const START: Timestamp = Timestamp::from_millis(1_795_420_800_000);

thread_local! {
    static VALIDATOR: Validator = Validator::new();
    static JUDGES: [Judge; Kind::ALL.len()] = Kind::ALL.map(Judge::of);
}

fn deviations_of(kind: Kind, body: &str) -> Vec<Deviation> {
    let event = Outline::read(body.as_bytes()).expect("it is one JSON object");
    VALIDATOR.with(|validator| validator.check(kind, &event))
}

#[track_caller]
fn check_perfect(kind: Kind, body: &str) {
    check_verdict(kind, body);
    assert_eq!(deviations_of(kind, body), [], "{body}");
}

/// The quick verdict on an event of which nothing is spelled oddly is that of the JSON Schema crate.
#[track_caller]
fn check_verdict(kind: Kind, body: &str) {
    let event = Outline::read(body.as_bytes()).expect("it is one JSON object");
    let value = serde_json::from_str(body).expect("it can be read");
    let fits = VALIDATOR.with(|validator| validator.0[kind as usize].strict.fits(event.root()));
    let is_valid = JUDGES.with(|judges| judges[kind as usize].is_valid(&value));
    assert_eq!(fits, is_valid, "{body}");
    check_words(kind, body);
}

/// Checks that our deviations are those of the JSON Schema crate.
#[track_caller]
fn check_words(kind: Kind, body: &str) {
    let event = Outline::read(body.as_bytes()).expect("it is one JSON object");
    let Ok(value) = serde_json::from_str::<Value>(body) else {
        let found = deviations_of(kind, body);
        assert!(
            found.len() == 1 && found[0].message.starts_with("not validated: "),
            "{body}: {found:?}"
        );
        return;
    };
    let mut expected = JUDGES.with(|judges| judges[kind as usize].deviations(&value));
    let words = |one: Deviation| (one.pointer, one.message, one.is_certain);
    expected.extend(claims::mistakable(&event).map(words));
    expected.sort();
    let mut found: Vec<_> = deviations_of(kind, body).into_iter().map(words).collect();
    found.sort();
    assert_eq!(found, expected, "{body}");
}

/// Events that owners of accounts captured, and the kind of each.
fn captures() -> Vec<(Kind, Value)> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../switchhook-protocol/tests/observed");
    let paths = fs::read_dir(folder).expect("the captures are there");
    let paths = paths.map(|entry| entry.expect("it can be listed").path());
    let captures = paths.filter(|path| path.extension().is_some_and(|end| end == "json"));
    captures
        .map(|path| {
            let body = fs::read(&path).expect("it can be read");
            let kind = recognize_kind(&body).expect("it is one of the five kinds");
            (kind, serde_json::from_slice(&body).expect("it is JSON"))
        })
        .collect()
}

#[test]
fn no_capture_deviates() {
    let captures = captures();
    assert!(captures.len() >= 6);
    for (kind, event) in captures {
        check_perfect(kind, &event.to_string());
    }
}

#[test]
fn no_scenario_deviates() {
    for scenario in Scenario::all() {
        for event in scenario.play(3, START, Dialect::Observed) {
            check_perfect(event.kind, &event.body);
        }
    }
}

/// Variation that genuine accounts may make in a member, of which somebody saw an event without it.
#[derive(Clone, Copy, Debug)]
enum Variation {
    Absent,
    Null,
    Empty,
    NewWord,
    Digits,
}

impl Variation {
    fn take(self, value: &mut Value) {
        *value = match (self, &*value) {
            (Self::Absent | Self::Null, _) => Value::Null,
            (Self::Empty, Value::Object(_)) => json!({}),
            (Self::Empty, Value::Array(_)) => json!([]),
            (Self::Empty | Self::NewWord, Value::String(_)) => json!("a_word_of_tomorrow"),
            (Self::Digits, Value::Number(number)) if number.is_i64() => json!(number.to_string()),
            (_, as_it_was) => as_it_was.clone(),
        };
    }
}

/// The members of an event and of the objects in it, as JSON pointers.
fn places(value: &Value, under: &str, places: &mut Vec<String>) {
    let Value::Object(members) = value else { return };
    for (name, member) in members {
        let place = format!("{under}/{name}");
        self::places(member, &place, places);
        places.push(place);
    }
}

/// A duration is no id: digits as text are none.
fn is_measured(place: &str) -> bool {
    place.ends_with("duration") || place.ends_with("_time") || place.ends_with("_score")
}

fn turned(event: &mut Value, turns: &[(Index, Variation)]) {
    let mut all = Vec::new();
    places(event, "", &mut all);
    for (index, turn) in turns {
        let place = all.swap_remove(index.index(all.len()));
        if matches!(turn, Variation::Digits) && is_measured(&place) {
            continue;
        }
        let (above, name) = place.rsplit_once('/').expect("a pointer has a slash");
        let Some(Value::Object(members)) = event.pointer_mut(above) else {
            continue;
        };
        match (turn, members.get_mut(name)) {
            (Variation::Absent, _) => _ = members.remove(name),
            (turn, Some(member)) => turn.take(member),
            // An object that held it was emptied before.
            (_, None) => {}
        }
    }
}

/// Arbitrary JSON value.
fn any_value() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        Just(json!(1.5)),
        "[a-z_]{0,12}|[0-9]{1,5}".prop_map(Value::from),
        proptest::sample::select(
            &[
                "hangup",
                "inbound",
                "user",
                "local",
                "sent",
                "Available",
                "Created"
            ][..]
        )
        .prop_map(Value::from),
        Just(json!([])),
        Just(json!([1, "a", null])),
        Just(json!({})),
        Just(json!({"id": {}, "type": 1, "url": []})),
    ]
}

fn any_turns() -> impl Strategy<Value = Vec<(Index, Variation)>> {
    let turn = prop_oneof![
        Just(Variation::Absent),
        Just(Variation::Null),
        Just(Variation::Empty),
        Just(Variation::NewWord),
        Just(Variation::Digits),
    ];
    vec((any::<Index>(), turn), 0..4)
}

/// A value as the contract has it.
fn allowed(kind: Type) -> BoxedStrategy<Value> {
    match kind {
        Type::Int64 | Type::Integer => any::<i64>().prop_map(Value::from).boxed(),
        Type::Text => any::<String>().prop_map(Value::from).boxed(),
        Type::Boolean => any::<bool>().prop_map(Value::from).boxed(),
        Type::Object => Just(json!({"before": 1, "after": ["x"]})).boxed(),
        Type::Texts => vec(any::<String>(), 0..3).prop_map(Value::from).boxed(),
        Type::Int64s => vec(any::<i64>(), 0..3).prop_map(Value::from).boxed(),
        Type::OneOf(words) => {
            let words: Vec<_> = words.split_whitespace().collect();
            proptest::sample::select(words).prop_map(Value::from).boxed()
        }
        Type::Ref(schema) => allowed_object(schema),
    }
}

fn allowed_object(schema: &str) -> BoxedStrategy<Value> {
    let found = CONTRACT.iter().find(|(name, _)| *name == schema);
    allowed_members(found.expect("the contract has it").1)
}

/// Any of the members: the contract requires none.
fn allowed_members(fields: &'static [(&'static str, Type)]) -> BoxedStrategy<Value> {
    let members: Vec<_> = fields
        .iter()
        .map(|(name, kind)| match *name {
            "changed_by" => proptest::option::of(allowed_members(CHANGED_BY)),
            _ => proptest::option::of(allowed(*kind)),
        })
        .collect();
    members
        .prop_map(|values| {
            let named = fields.iter().map(|(name, _)| (*name).to_owned()).zip(values);
            let there = named.filter_map(|(name, value)| Some((name, value?)));
            Value::Object(there.collect::<Map<_, _>>())
        })
        .boxed()
}

fn an_event_of_the_contract() -> impl Strategy<Value = (Kind, Value)> {
    proptest::sample::select(&Kind::ALL[..]).prop_flat_map(|kind| (Just(kind), allowed_object(kind.schema())))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn what_the_simulator_observed_never_deviates(seed: u64) {
        for event in Simulation::builder(seed, START).dialect(Dialect::Observed).build().take(300) {
            check_perfect(event.kind, &event.body);
        }
    }

    #[test]
    fn what_is_observed_is_accepted_strictly_however_it_turns(
        seed: u64, capture: Index, turns in any_turns(), nth in 0..500_usize,
    ) {
        let simulated = Simulation::builder(seed, START).dialect(Dialect::Observed).build().nth(nth);
        let simulated = simulated.expect("a simulation never ends");
        let simulated = (simulated.kind, serde_json::from_str(&simulated.body).expect("it is JSON"));
        for (kind, mut event) in [capture.get(&captures()).clone(), simulated] {
            turned(&mut event, &turns);
            let body = event.to_string();
            check_verdict(kind, &body);
            let found = deviations_of(kind, &body);
            prop_assert!(found.iter().all(|one| !one.is_certain()), "{found:?} in {event}");
        }
    }

    #[test]
    fn what_the_contract_allows_never_deviates((kind, event) in an_event_of_the_contract()) {
        check_perfect(kind, &event.to_string());
    }

    #[test]
    fn the_quick_verdict_is_that_of_the_json_schema_crate(
        (kind, mut event) in an_event_of_the_contract(), capture: Index, mistakes in vec((any::<Index>(), any_value()), 1..4),
    ) {
        let (captured, mut capture) = capture.get(&captures()).clone();
        for (kind, event) in [(kind, &mut event), (captured, &mut capture)] {
            for (at, value) in &mistakes {
                let mut all = Vec::new();
                places(event, "", &mut all);
                if let Some(place) = (!all.is_empty()).then(|| at.get(&all))
                    && let Some(there) = event.pointer_mut(place)
                {
                    *there = value.clone();
                }
            }
            check_verdict(kind, &event.to_string());
        }
    }

    #[test]
    fn a_verdict_that_depends_on_spelling_is_never_wrongly_good(
        (kind, event) in an_event_of_the_contract(), at: Index,
        odd in proptest::sample::select(&["1.0", "1e3", "-0", "1e400", r#""\u0068angup""#, r#""\ud83d""#, "12345678901234567890"][..]),
    ) {
        let Value::Object(members) = &event else { unreachable!("an event is an object") };
        prop_assume!(!members.is_empty());
        let place = at.index(members.len());
        let written = members.iter().enumerate().map(|(nth, (name, value))| {
            let value = if nth == place { odd.to_owned() } else { value.to_string() };
            format!("{}:{value}", json!(name))
        });
        let body = format!("{{{}}}", written.collect::<Vec<_>>().join(","));
        check_words(kind, &body);
    }
}
