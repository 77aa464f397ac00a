//! Diagnosis of a signature, as text and as JSON. It is made by
//! `switchhook-protocol`.

use serde_json::value::RawValue;
use serde_json::{Map, Value, json};
use switchhook_protocol::{Diagnosis, VerifyError};

use super::output::Facts;

/// The diagnosis as JSON; `given` is how many secrets there are.
pub(super) fn as_json(diagnosis: &Diagnosis, given: usize) -> Map<String, Value> {
    let refusal = diagnosis.verdict.as_ref().err();
    let causes = diagnosis.causes.iter();
    let causes: Vec<_> = causes
        .map(|cause| json!({ "cause": cause.name(), "message": cause.to_string() }))
        .collect();
    let mut object = Map::new();
    object.insert("holds".to_owned(), holds(diagnosis, given).into());
    object.insert(
        "secret".to_owned(),
        diagnosis.verdict.as_ref().ok().map(|index| index + 1).into(),
    );
    object.insert("refused".to_owned(), refusal.map(ToString::to_string).into());
    object.insert("causes".to_owned(), causes.into());
    object
}

/// True if the signature is valid; `None` without a secret.
pub(super) fn holds(diagnosis: &Diagnosis, given: usize) -> Option<bool> {
    match &diagnosis.verdict {
        Ok(_) => Some(true),
        Err(VerifyError::NoSecret) => None,
        Err(_) if given == 0 && diagnosis.header.is_some() => None,
        Err(_) => Some(false),
    }
}

pub(super) fn add_facts(mut facts: Facts, diagnosis: &Diagnosis, given: usize) -> Facts {
    facts = match &diagnosis.verdict {
        Ok(index) => facts.fact(
            "signature",
            format_args!("valid, with secret {} of {given}", index + 1),
        ),
        Err(error) if holds(diagnosis, given).is_none() => facts
            .fact("signature", "not checked: give the webhook's --secret")
            .fact_if("note", (*error != VerifyError::NoSecret).then_some(error)),
        Err(error) => facts.fact("signature", "not valid").fact("refused", error),
    };
    let causes = diagnosis.causes.iter();
    causes.fold(facts, |facts, cause| facts.fact("because", cause))
}

/// A payload as text; bytes that are not UTF-8 are replaced.
pub(super) fn text(payload: &[u8]) -> String {
    String::from_utf8_lossy(payload).into_owned()
}

/// A payload in JSON: unchanged if it is JSON, else as a string.
pub(super) fn raw(payload: &[u8]) -> anyhow::Result<Box<RawValue>> {
    let text = text(payload);
    let itself = RawValue::from_string(text.trim().to_owned());
    Ok(itself.or_else(|_| serde_json::value::to_raw_value(&text))?)
}
