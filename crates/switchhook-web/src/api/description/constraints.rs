//! Constraints on requests, as exactly as a schema can state them: bounds, formats, and combinations.
//!
//! The routes name the members, `overlay.json` (a merge patch, RFC 7396) their values, and this file has what applies
//! to all of them. `schemathesis` checks the document against the server (`scripts/check-api`).

use serde_json::{Map, Value, json};

use switchhook_node::deliveries::LONGEST_TEXT;
use switchhook_node::feed::{LONGEST_WAIT, consumers};

use super::limits;
use crate::api::query::LARGEST_PAGE_OF_OURS;
use switchhook_ingress::events::LONGEST_KEY;

/// The texts of requests: PostgreSQL can keep no NUL.
const TEXT: &str = r"^[^\u0000]*$";

/// Ids, and places in lists, where nothing is as good as none.
const ID_OR_EMPTY: &str = "^([0-9]{1,18}|[0-8][0-9]{18})?$";

/// Adds the constraints that every server has.
pub(super) fn add(document: &mut Value) {
    let overlay = serde_json::from_str(include_str!("overlay.json")).expect("the overlay is JSON");
    merge(document, overlay);
    limits::fill_in(document);
    let schemas = document["components"]["schemas"].as_object_mut();
    let schemas = schemas.expect("the document has schemas");
    for (name, schema) in &mut *schemas {
        if name.ends_with("Request") {
            let members = schema.get_mut("properties").and_then(Value::as_object_mut);
            members
                .into_iter()
                .flat_map(Map::values_mut)
                .for_each(constrain_member);
        }
    }
    let takes_nothing: Vec<String> = schemas
        .iter()
        .filter(|(_, schema)| !requires_something(schema))
        .map(|(name, _)| format!("#/components/schemas/{name}"))
        .collect();
    let paths = document["paths"].as_object_mut().expect("the document has paths");
    for (path, item) in paths {
        for operation in item.as_object_mut().into_iter().flat_map(Map::values_mut) {
            constrain_parameters(path, operation);
            let body = operation.get_mut("requestBody").filter(|body| body.is_object());
            if let Some(body) = body {
                let schema = body["content"]["application/json"]["schema"]["$ref"].as_str();
                // A body that is not there is an empty object.
                let is_optional =
                    schema.is_some_and(|schema| takes_nothing.iter().any(|name| name == schema));
                body["required"] = json!(!is_optional);
            }
        }
    }
}

fn requires_something(schema: &Value) -> bool {
    let requires = |part: &Value| part.get("required").is_some();
    let choices = schema["oneOf"].as_array().filter(|choices| !choices.is_empty());
    requires(schema)
        || schema["allOf"].as_array().into_iter().flatten().any(requires)
        || choices.is_some_and(|choices| choices.iter().all(requires))
}

fn constrain_member(member: &mut Value) {
    let Some(schema) = member.as_object_mut() else {
        return;
    };
    let is = |name: &str, kind: &Value| {
        kind == name
            || kind
                .as_array()
                .is_some_and(|kinds| kinds.iter().any(|kind| kind == name))
    };
    let kind = schema.get("type").cloned().unwrap_or_default();
    if is("string", &kind)
        && !["enum", "pattern", "format"]
            .iter()
            .any(|key| schema.contains_key(*key))
    {
        schema.insert("pattern".to_owned(), json!(TEXT));
    }
    if let Some(item) = schema.get_mut("items") {
        constrain_member(item);
    }
    if is("integer", &kind) || is("number", &kind) {
        // The bounds are in the document already; those of 32 signed bits are not ours.
        schema.remove("format");
    }
}

/// A parameter of one name means the same everywhere; one without a value is as good as none.
fn constrain_parameters(path: &str, operation: &mut Value) {
    let parameters = operation.get_mut("parameters").and_then(Value::as_array_mut);
    for parameter in parameters.into_iter().flatten() {
        let name = parameter["name"].as_str().unwrap_or_default().to_owned();
        let schema = &mut parameter["schema"];
        match &*name {
            "webhook_id" | "event_id" | "replay_id" | "subscription_id" | "target_id" | "cursor"
            | "after" => {
                *schema = json!({ "type": "string", "pattern": ID_OR_EMPTY });
            }
            "since" | "until" | "from" | "to" => {
                *schema = json!({ "anyOf": [
                    { "type": "string", "format": "date-time" },
                    { "type": "string", "pattern": "^(-?[0-9]{1,15})?$" },
                ] });
            }
            "step" => *schema = json!({ "type": "string", "pattern": "^([1-9][0-9]{0,3}[mhd])?$" }),
            // Dialpad's lists take any limit, and give what they can.
            "limit" if path.starts_with("/api/v2/") => *schema = json!({ "type": "integer", "minimum": 1 }),
            "limit" => *schema = json!({ "type": "integer", "minimum": 1, "maximum": LARGEST_PAGE_OF_OURS }),
            "wait" => *schema = json!({ "type": "integer", "minimum": 0, "maximum": LONGEST_WAIT.as_secs() }),
            "failure" => {
                let pattern = schema["pattern"]
                    .as_str()
                    .unwrap_or_default()
                    .replace(")$", ")?$");
                schema["pattern"] = json!(pattern);
            }
            "error" => {
                schema["pattern"] = json!(TEXT);
                schema["maxLength"] = json!(LONGEST_TEXT);
            }
            "order_key" => schema["pattern"] = json!(TEXT),
            "format" => *schema = json!({ "type": "string", "enum": ["json", "jwt", ""] }),
            "name" if path.starts_with("/v1/consumers/") => {
                let rest = consumers::LONGEST_NAME - 1;
                let pattern = format!("^[A-Za-z0-9_-][A-Za-z0-9._-]{{0,{rest}}}$");
                *schema = json!({ "type": "string", "pattern": pattern });
            }
            "Idempotency-Key" => {
                let inside = LONGEST_KEY - 2;
                let pattern = format!("^[!-~]([ -~]{{0,{inside}}}[!-~])?$");
                *schema = json!({ "type": "string", "pattern": pattern });
            }
            _ => {
                if let Some(words) = schema.get_mut("enum").and_then(Value::as_array_mut) {
                    words.push(json!(""));
                }
            }
        }
        let is_no_text = ["integer", "number", "boolean"]
            .iter()
            .any(|kind| schema["type"] == *kind);
        if is_no_text && parameter["in"] == "query" {
            let schema = &mut parameter["schema"];
            *schema = json!({ "anyOf": [schema.take(), { "type": "string", "enum": [""] }] });
        }
    }
}

/// A merge patch: members are merged, null removes one, everything else takes the place of what was there.
fn merge(target: &mut Value, patch: Value) {
    let Value::Object(patch) = patch else {
        *target = patch;
        return;
    };
    if !target.is_object() {
        *target = json!({});
    }
    let members = target.as_object_mut().expect("it was made one");
    for (name, value) in patch {
        if value.is_null() {
            members.remove(&name);
        } else {
            merge(members.entry(name).or_insert(Value::Null), value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_patch_merges_members_and_removes_what_is_null() {
        let mut target = json!({ "a": { "b": 1, "c": 2 }, "d": [1, 2] });
        merge(&mut target, json!({ "a": { "b": null, "e": 3 }, "d": [null] }));
        assert_eq!(target, json!({ "a": { "c": 2, "e": 3 }, "d": [null] }));
    }

    #[test]
    fn the_overlay_is_about_what_there_is() {
        let overlay: Value = serde_json::from_str(include_str!("overlay.json")).unwrap();
        let gathered = serde_json::to_value(super::super::described()).unwrap();
        for (path, item) in overlay["paths"].as_object().unwrap() {
            for method in item.as_object().unwrap().keys() {
                assert!(gathered["paths"][path].get(method).is_some(), "{method} {path}");
            }
        }
        let schemas = &gathered["components"]["schemas"];
        for (name, schema) in overlay["components"]["schemas"].as_object().unwrap() {
            for member in schema["properties"].as_object().into_iter().flat_map(Map::keys) {
                assert!(
                    schemas[name]["properties"].get(member).is_some(),
                    "{name}.{member}"
                );
            }
        }
    }
}
