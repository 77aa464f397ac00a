//! The documents that describe events: AsyncAPI for all of them, JSON Schema for each kind.
//!
//! The AsyncAPI text is the protocol's. The OpenAPI document is gathered from the API's routes.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};
use switchhook_protocol::{ASYNCAPI_YAML, Kind};

/// The AsyncAPI document, as YAML.
#[must_use]
pub const fn asyncapi() -> &'static str {
    ASYNCAPI_YAML
}

const COMPONENTS: &str = "#/components/schemas/";
const DEFINITIONS: &str = "#/definitions/";

/// The JSON Schema (draft 7) of one kind of event, complete in itself.
///
/// # Panics
/// If the AsyncAPI document that we are built with is none.
#[must_use]
pub fn schema(kind: Kind) -> Value {
    let document: Value = serde_norway::from_str(ASYNCAPI_YAML).expect("our own document is YAML");
    let schemas = &document["components"]["schemas"];
    let mut definitions = Map::new();
    let mut wanted = BTreeSet::from([kind.schema().to_owned()]);
    while let Some(name) = wanted.pop_first() {
        let mut schema = schemas
            .get(&name)
            .expect("our own document has the schemas that it names")
            .clone();
        localize(&mut schema, &mut |other| {
            if !definitions.contains_key(other) && other != name {
                wanted.insert(other.to_owned());
            }
        });
        definitions.insert(name, schema);
    }
    let root = definitions
        .remove(kind.schema())
        .expect("the kind's own schema came first");
    let Value::Object(root) = root else {
        panic!("our own document's schemas are objects")
    };
    let mut whole = Map::new();
    whole.insert("$schema".into(), json!("http://json-schema.org/draft-07/schema#"));
    whole.insert("title".into(), json!(kind.schema()));
    whole.extend(root);
    if !definitions.is_empty() {
        whole.insert("definitions".into(), Value::Object(definitions));
    }
    Value::Object(whole)
}

/// Turns references into the document into references into a schema of its own, and tells each name.
fn localize(value: &mut Value, tell: &mut impl FnMut(&str)) {
    match value {
        Value::Object(members) => {
            for (name, member) in members {
                match member {
                    Value::String(text) if name == "$ref" => {
                        if let Some(other) = text.strip_prefix(COMPONENTS) {
                            tell(other);
                            *text = format!("{DEFINITIONS}{other}");
                        }
                    }
                    member => localize(member, tell),
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| localize(item, tell)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_a_schema_that_is_complete_in_itself() {
        for kind in Kind::ALL {
            let text = schema(kind).to_string();
            assert!(!text.contains(COMPONENTS), "{text}");
            assert!(text.contains(kind.schema()), "{text}");
        }
    }

    #[test]
    fn a_schema_brings_along_what_it_refers_to() {
        let schema = schema(Kind::Call);
        assert_eq!(
            schema["properties"]["target"]["$ref"],
            "#/definitions/TargetOrNull"
        );
        assert!(schema["definitions"]["Target"]["properties"]["id"].is_object());
    }
}
