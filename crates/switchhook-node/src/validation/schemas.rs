//! Schemas that validation uses: that of each kind, in a strict and a lenient form.
//!
//! The document accepts any word where the set of words may grow, and promises nothing about fields that were only
//! observed. A report of misspelt words needs a stricter schema than that, and refusing only what no genuine account
//! sends needs a more lenient one.

use serde_json::{Map, Value, json};

use super::shape::DIGITS;

/// Strictness of a schema.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Strictness {
    /// Every word is one of those that are known, every observed field has the type that was observed.
    Strict,
    /// Only what holds for every readable event: any word, ids as digits, any value in observed fields.
    Lenient,
}

/// All types that JSON Schema names. An integer is a number.
const TYPES: [&str; 6] = ["array", "boolean", "null", "number", "object", "string"];

/// Mark in a description for fields that are not in the published contract.
const OBSERVED: &str = "(observed)";

/// The schema (complete in itself, as `documents::schema` makes it) in that reading.
pub(super) fn schema(mut whole: Value, reading: Strictness) -> Value {
    let definitions = whole["definitions"].as_object().cloned().unwrap_or_default();
    read(&mut whole, &definitions, reading);
    for name in definitions.keys() {
        read(&mut whole["definitions"][name], &definitions, reading);
    }
    whole
}

fn read(schema: &mut Value, definitions: &Map<String, Value>, reading: Strictness) {
    let Some(keywords) = schema.as_object_mut() else {
        return;
    };
    if reading == Strictness::Lenient && is_observed(keywords) {
        keywords.clear();
        return;
    }
    if let Some(choices) = keywords.remove("anyOf") {
        if let Some(object) = object(&choices, definitions) {
            keywords.extend(object);
        } else if reading == Strictness::Strict {
            keywords.insert("enum".to_owned(), words(&choices, definitions));
        }
    }
    if let Some(never) = keywords.remove("not") {
        keywords.insert("type".to_owned(), all_types_but(&never["type"]));
    }
    if reading == Strictness::Lenient {
        take_digits(keywords);
    }
    if let Some(properties) = keywords.get_mut("properties").and_then(Value::as_object_mut) {
        properties
            .values_mut()
            .for_each(|property| read(property, definitions, reading));
    }
    if let Some(items) = keywords.get_mut("items") {
        read(items, definitions, reading);
        if let (Strictness::Lenient, Value::String(one)) = (reading, &items["type"]) {
            items["type"] = json!([one, "null"]);
        }
    }
}

fn is_observed(keywords: &Map<String, Value>) -> bool {
    let description = keywords.get("description").and_then(Value::as_str);
    description.is_some_and(|text| text.trim_end().ends_with(OBSERVED))
}

/// The object that one of the choices refers to, or null.
fn object(choices: &Value, definitions: &Map<String, Value>) -> Option<Map<String, Value>> {
    let mut object = choices.as_array()?.iter().find_map(|choice| {
        let definition = referred(choice, definitions)?.as_object()?;
        (definition["type"] == "object").then(|| definition.clone())
    })?;
    object.insert("type".to_owned(), json!(["object", "null"]));
    Some(object)
}

fn referred<'d>(choice: &Value, definitions: &'d Map<String, Value>) -> Option<&'d Value> {
    definitions.get(choice["$ref"].as_str()?.rsplit('/').next()?)
}

/// The words of the list that one of the choices refers to, and null.
fn words(choices: &Value, definitions: &Map<String, Value>) -> Value {
    let lists = choices
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|choice| referred(choice, definitions)?["enum"].as_array());
    lists.flatten().cloned().chain([Value::Null]).collect()
}

fn all_types_but(never: &Value) -> Value {
    let never = never.as_array().map_or(&[][..], Vec::as_slice);
    TYPES
        .into_iter()
        .filter(|name| !never.iter().any(|other| other == name))
        .collect()
}

/// An id is a number or the same digits as text.
fn take_digits(keywords: &mut Map<String, Value>) {
    if let Some(Value::Array(types)) = keywords.get_mut("type")
        && types.iter().any(|name| name == "integer")
    {
        types.push(json!("string"));
        keywords.insert("pattern".to_owned(), json!(DIGITS));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(property: &Value, strict: &Value, lenient: &Value) {
        let whole = json!({
            "properties": {"it": property},
            "definitions": {
                "Sort": {"type": "string", "enum": ["a", "b"]},
                "Thing": {"type": "object", "properties": {"size": {"type": ["integer", "null"]}}},
            },
        });
        let read = |reading| schema(whole.clone(), reading)["properties"]["it"].clone();
        assert_eq!(&read(Strictness::Strict), strict);
        assert_eq!(&read(Strictness::Lenient), lenient);
    }

    #[test]
    fn known_words_are_asked_for_and_others_are_taken() {
        check(
            &json!({"type": ["string", "null"], "anyOf": [{"$ref": "#/definitions/Sort"}, {"type": ["string", "null"]}]}),
            &json!({"type": ["string", "null"], "enum": ["a", "b", null]}),
            &json!({"type": ["string", "null"]}),
        );
    }

    #[test]
    fn an_object_or_null_is_one_object_that_may_be_null() {
        check(
            &json!({"anyOf": [{"$ref": "#/definitions/Thing"}, {"type": "null"}]}),
            &json!({"type": ["object", "null"], "properties": {"size": {"type": ["integer", "null"]}}}),
            &json!({
                "type": ["object", "null"],
                "properties": {"size": {"type": ["integer", "null", "string"], "pattern": "^-?[0-9]+$"}},
            }),
        );
    }

    #[test]
    fn ids_are_asked_for_as_numbers_and_taken_as_digits() {
        check(
            &json!({"type": ["integer", "null"], "format": "int64"}),
            &json!({"type": ["integer", "null"], "format": "int64"}),
            &json!({"type": ["integer", "null", "string"], "format": "int64", "pattern": "^-?[0-9]+$"}),
        );
    }

    #[test]
    fn types_that_never_occur_are_not_taken() {
        let either = json!({"type": ["null", "number", "string"]});
        check(
            &json!({"not": {"type": ["array", "boolean", "object"]}}),
            &either,
            &either,
        );
    }

    #[test]
    fn what_was_observed_may_be_otherwise() {
        let observed = json!({"type": ["array", "null"], "items": {"type": "string"}, "description": "Links (observed)"});
        check(&observed, &observed, &json!({}));
    }

    #[test]
    fn a_list_may_have_holes() {
        check(
            &json!({"type": ["array", "null"], "items": {"type": "string"}}),
            &json!({"type": ["array", "null"], "items": {"type": "string"}}),
            &json!({"type": ["array", "null"], "items": {"type": ["string", "null"]}}),
        );
    }
}
