//! The vectors of `packages/vectors.json`, which receivers in every language pass. Who signed them is
//! `packages/make_vectors.py`, which knows nothing of this crate. Here is what the file holds; the tests are `this_crate`
//! and, for the receivers of the docs, `in_docs`.

mod in_docs;
mod this_crate;

use std::collections::BTreeMap;
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::Value;

#[derive(Deserialize)]
struct File {
    vectors: Vec<Vector>,
    calls: Vec<Sequence<CallStep>>,
    orders: Vec<Sequence<OrderStep>>,
}

/// A request, and what is right to do with it.
#[derive(Deserialize)]
struct Vector {
    name: String,
    secrets: Vec<String>,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    body: Option<String>,
    body_base64: Option<String>,
    body_repeated: Option<(String, usize)>,
    accept: Accept,
    /// Reason for which a less strict receiver may do the opposite.
    small: Option<String>,
    status: Option<u16>,
    refusal: Option<String>,
    event: Option<String>,
    kind: Option<String>,
    repeat_key: Option<String>,
    #[serde(default)]
    reads: BTreeMap<String, Value>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Accept {
    Yes,
    No,
    Either,
}

impl<'de> Deserialize<'de> for Accept {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Value::deserialize(deserializer)? {
            Value::Bool(true) => Ok(Self::Yes),
            Value::Bool(false) => Ok(Self::No),
            other if other == "either" => Ok(Self::Either),
            other => Err(serde::de::Error::custom(format!("{other} says nothing"))),
        }
    }
}

#[derive(Deserialize)]
struct Sequence<Step> {
    name: String,
    events: Vec<Step>,
}

#[derive(Deserialize)]
struct CallStep {
    event: String,
    key: String,
    merged: Vec<String>,
    possibly: Vec<String>,
}

#[derive(Deserialize)]
struct OrderStep {
    event: String,
    is_late: bool,
}

impl Vector {
    fn body(&self) -> Vec<u8> {
        match (&self.body, &self.body_base64, &self.body_repeated) {
            (Some(text), None, None) => text.clone().into_bytes(),
            (None, Some(bytes), None) => STANDARD.decode(bytes).expect("it is base64"),
            (None, None, Some((text, times))) => text.repeat(*times).into_bytes(),
            _ => panic!("{} has one body", self.name),
        }
    }

    fn header(&self, wanted: &str) -> Option<&str> {
        let found = self
            .headers
            .iter()
            .find(|(name, _)| name.eq_ignore_ascii_case(wanted));
        found.map(|(_, value)| value.as_str())
    }
}

fn file() -> File {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../packages/vectors.json");
    let text = std::fs::read_to_string(path).expect("the file is there");
    serde_json::from_str(&text).expect("it has this form")
}
