//! The observed dialect against captures of genuine events: every member of a capture is there, with the capture's type.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;

use serde_json::Value;
use switchhook_protocol::{Timestamp, recognize_kind};
use switchhook_simulator::{Dialect, Simulation};

const START: Timestamp = Timestamp::from_millis(1_795_420_800_000);

/// Path of each member, and the types of its values.
type Shape = BTreeMap<String, BTreeSet<&'static str>>;

fn note(shape: &mut Shape, path: &str, value: &Value) {
    let sort = match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_f64() => "fraction",
        Value::Number(_) => "integer",
        Value::String(_) => "text",
        Value::Array(list) if list.is_empty() => "empty list",
        Value::Array(_) => "list",
        Value::Object(members) if members.is_empty() => "empty object",
        Value::Object(_) => "object",
    };
    shape.entry(path.to_owned()).or_default().insert(sort);
    match value {
        Value::Array(list) => list
            .iter()
            .for_each(|item| note(shape, &format!("{path}[]"), item)),
        Value::Object(members) => members
            .iter()
            .for_each(|(key, item)| note(shape, &format!("{path}/{key}"), item)),
        _ => {}
    }
}

#[test]
fn what_was_captured_is_what_is_simulated() {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../switchhook-protocol/tests/observed");
    let captures: Vec<_> = fs::read_dir(folder)
        .expect("the captures are there")
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.extension().is_some_and(|end| end == "json"))
        .collect();
    assert!(captures.len() >= 3);
    let mut simulated: BTreeMap<_, Shape> = BTreeMap::new();
    for event in Simulation::builder(5, START)
        .dialect(Dialect::Observed)
        .build()
        .take(20_000)
    {
        let body: Value = serde_json::from_str(&event.body).expect("it is JSON");
        note(simulated.entry(event.kind).or_default(), "", &body);
    }
    for path in captures {
        let capture = fs::read(&path).expect("it can be read");
        let kind = recognize_kind(&capture).expect("it is one of the five kinds");
        let mut shape = Shape::new();
        note(
            &mut shape,
            "",
            &serde_json::from_slice(&capture).expect("it is JSON"),
        );
        for (member, sorts) in shape {
            let ours = simulated[&kind].get(&member).cloned().unwrap_or_default();
            assert!(
                sorts.is_subset(&ours),
                "{}: {member} is {sorts:?} in the capture, {ours:?} in the simulation",
                path.display()
            );
        }
    }
}

#[test]
fn a_contact_center_is_spelled_as_genuine_targets_spell_it() {
    let bodies = Simulation::builder(5, START)
        .dialect(Dialect::Observed)
        .build()
        .take(2_000)
        .map(|event| event.body);
    let calls: Vec<String> = bodies.filter(|body| body.contains("\"call_id\"")).collect();
    assert!(calls.iter().any(|body| body.contains(r#""type":"call_center""#)));
    assert!(!calls.iter().any(|body| body.contains(r#""type":"callcenter""#)));
}
