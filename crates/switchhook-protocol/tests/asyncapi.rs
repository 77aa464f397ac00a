//! The served document, held against the published contract. Whatever is valid there must be valid here, so a schema may
//! allow null, other words and what was observed, and list more fields, and no more.

#[path = "contract/fields.rs"]
mod contract;

use contract::Type::{self, Boolean, Int64, Int64s, Integer, Object, OneOf, Ref, Text, Texts};
use contract::{CALL_STATES, CHANGED_BY, CONTRACT, TARGET_TYPES};
use serde_norway::Value;
use switchhook_protocol::{
    ASYNCAPI_YAML, CallState, ContactChange, Direction, Kind, MessageStatus, OnDutyStatus, Payload,
    TargetType, headers, same_word, verify,
};

/// Each with its operation, message and payload schema.
const CHANNELS: [(&str, &str, &str, &str); 5] = [
    ("call-events", "receiveCallEvent", "CallEvent", "CallEventPayload"),
    ("sms-events", "receiveSmsEvent", "SmsEvent", "SmsEventPayload"),
    (
        "agent-status-events",
        "receiveAgentStatusEvent",
        "AgentStatusEvent",
        "AgentStatusEventPayload",
    ),
    (
        "contact-events",
        "receiveContactEvent",
        "ContactEvent",
        "ContactEventPayload",
    ),
    (
        "change-log-events",
        "receiveChangeLogEvent",
        "ChangeLogEvent",
        "ChangeLogEventPayload",
    ),
];

fn document() -> Value {
    serde_norway::from_str(ASYNCAPI_YAML).expect("the document is YAML")
}

#[track_caller]
fn at<'a>(value: &'a Value, path: &str) -> &'a Value {
    path.split('/').fold(value, |value, step| {
        let number = step.parse::<usize>().ok().and_then(|index| value.get(index));
        let inner = number.or_else(|| value.get(step));
        inner.unwrap_or_else(|| panic!("{path} stops at {step}"))
    })
}

#[track_caller]
fn text<'a>(value: &'a Value, path: &str) -> &'a str {
    at(value, path).as_str().expect(path)
}

fn keys(value: &Value) -> Vec<&str> {
    let mapping = value.as_mapping().expect("it is a mapping");
    mapping
        .keys()
        .map(|key| key.as_str().expect("keys are text"))
        .collect()
}

/// Fields whose contract has one type and whose genuine values have two, with what the document says of them.
const EITHER: [(&str, &str, &str); 4] = [
    ("CallEventPayload", "duration", r#"{type: [number, "null"]}"#),
    ("Contact", "id", "{not: {type: [array, boolean, object]}}"),
    (
        "AgentStatusEventPayload",
        "availability_status",
        "{not: {type: [array, number, object]}}",
    ),
    (
        "AgentStatusEventPayload",
        "call_center_ids",
        r#"{type: [array, "null"], items: {not: {type: [array, boolean, object]}}}"#,
    ),
];

fn yaml(text: &str) -> Value {
    serde_norway::from_str(text).expect("the constraint is YAML")
}

/// The contract's constraint, with null allowed. Descriptions constrain nothing.
fn constraint_of(kind: Type) -> Value {
    match kind {
        Int64 => yaml(r#"{type: [integer, "null"], format: int64}"#),
        Integer => yaml(r#"{type: [integer, "null"]}"#),
        Text => yaml(r#"{type: [string, "null"]}"#),
        Boolean => yaml(r#"{type: [boolean, "null"]}"#),
        Object => yaml("{not: {type: [array, boolean, number, string]}}"),
        Texts => yaml(r#"{type: [array, "null"], items: {type: string}}"#),
        Int64s => yaml(r#"{type: [array, "null"], items: {type: integer, format: int64}}"#),
        OneOf(_) => unreachable!("words have a list of their own"),
        Ref(schema) => yaml(&format!(r##"{{$ref: "#/components/schemas/{schema}OrNull"}}"##)),
    }
}

/// A set of words that may grow: a string, and beside it the name of the list of those that are known.
#[track_caller]
fn check_open_set(document: &Value, constraint: &Value, words: &str) {
    let list = text(constraint, "anyOf/0/$ref");
    let name = list
        .strip_prefix("#/components/schemas/")
        .expect("it is a schema of the document");
    let open =
        format!(r#"{{type: [string, "null"], anyOf: [{{$ref: "{list}"}}, {{type: [string, "null"]}}]}}"#);
    assert_eq!(constraint, &yaml(&open), "{name}");
    let list = at(document, &format!("components/schemas/{name}"));
    assert_eq!(keys(list), ["type", "description", "enum"], "{name}");
    assert_eq!(at(list, "type"), "string");
    let known = at(list, "enum").as_sequence().expect("it is a list");
    for word in words.split_whitespace() {
        assert!(known.iter().any(|known| known == word), "{name} lacks {word}");
    }
}

#[track_caller]
fn check_field(document: &Value, schema: &str, properties: &Value, field: &str, kind: Type) {
    let mut constraint = at(properties, field).clone();
    let mapping = constraint.as_mapping_mut().expect("a schema is a mapping");
    mapping.remove("description");
    let either = EITHER
        .iter()
        .find(|(of, name, _)| (*of, *name) == (schema, field));
    match (either, kind) {
        (Some((_, _, expected)), _) => assert_eq!(constraint, yaml(expected), "{field}"),
        (None, OneOf(words)) => check_open_set(document, &constraint, words),
        (None, Object) if field == "changed_by" => assert_eq!(constraint, constraint_of(Ref("ChangedBy"))),
        (None, kind) => assert_eq!(constraint, constraint_of(kind), "{field}"),
    }
}

#[test]
fn every_field_of_the_contract_is_there_with_its_type_and_null() {
    let document = document();
    for (schema, fields) in CONTRACT {
        let properties = at(&document, &format!("components/schemas/{schema}/properties"));
        for (field, kind) in *fields {
            check_field(&document, schema, properties, field, *kind);
        }
    }
    for (field, kind) in CHANGED_BY {
        let properties = at(&document, "components/schemas/ChangedBy/properties");
        check_field(&document, "ChangedBy", properties, field, *kind);
    }
}

/// From `type: [object, "null"]` Modelina makes an object that is never null, and whose further members may have null for a name.
#[test]
fn an_object_or_null_has_a_schema_of_its_own() {
    let document = document();
    let schemas = at(&document, "components/schemas");
    for name in ["Target", "Contact", "Recording", "ChangedBy"] {
        assert_eq!(text(schemas, &format!("{name}/type")), "object");
        let either = yaml(&format!(
            r##"[{{$ref: "#/components/schemas/{name}"}}, {{type: "null"}}]"##
        ));
        assert_eq!(at(schemas, &format!("{name}OrNull/anyOf")), &either);
        assert_eq!(
            keys(at(schemas, &format!("{name}OrNull"))),
            ["description", "anyOf"]
        );
        let reference = format!("\"#/components/schemas/{name}\"");
        assert_eq!(ASYNCAPI_YAML.matches(&reference).count(), 1, "{name}");
    }
}

#[test]
fn nothing_is_asked_that_the_contract_does_not_ask() {
    let document = document();
    for (schema, fields) in CONTRACT {
        let schema = at(&document, &format!("components/schemas/{schema}"));
        assert_eq!(keys(schema), ["type", "description", "properties"]);
        let properties = at(schema, "properties");
        let ours = keys(properties)
            .into_iter()
            .filter(|key| fields.iter().all(|(field, _)| field != key));
        for field in ours {
            let added = at(properties, field);
            assert!(text(added, "description").ends_with("(observed)"), "{field}");
        }
    }
}

#[test]
fn channels_operations_messages_and_schemas_have_the_contracts_names() {
    let document = document();
    assert_eq!(at(&document, "asyncapi"), "2.6.0");
    assert_eq!(at(&document, "info/version"), "1.0.0");
    assert_eq!(keys(at(&document, "channels")), CHANNELS.map(|names| names.0));
    for ((channel, operation, message, schema), kind) in CHANNELS.into_iter().zip(Kind::ALL) {
        let names = (kind.channel(), kind.operation_id(), kind.message(), kind.schema());
        assert_eq!(names, (channel, operation, message, schema));
        let subscribe = at(&document, &format!("channels/{channel}/subscribe"));
        assert_eq!(text(subscribe, "operationId"), operation);
        assert_eq!(text(subscribe, "bindings/http/type"), "request");
        assert_eq!(text(subscribe, "bindings/http/method"), "POST");
        for (index, name) in [message.to_owned(), format!("Signed{message}")]
            .iter()
            .enumerate()
        {
            let reference = text(subscribe, &format!("message/oneOf/{index}/$ref"));
            assert_eq!(reference, format!("#/components/messages/{name}"));
        }
        let reference = text(&document, &format!("components/messages/{message}/payload/$ref"));
        assert_eq!(reference, format!("#/components/schemas/{schema}"));
    }
}

#[test]
fn every_message_has_an_id_of_its_own_a_content_type_and_our_headers() {
    let document = document();
    let messages = at(&document, "components/messages");
    let mut ids = std::collections::BTreeSet::new();
    for name in keys(messages) {
        let message = at(messages, name);
        assert!(ids.insert(text(message, "messageId")), "{name}");
        assert_eq!(text(message, "name"), name);
        let content_type = match name.starts_with("Signed") {
            true => headers::CONTENT_TYPE_JWT,
            false => headers::CONTENT_TYPE_JSON,
        };
        assert_eq!(text(message, "contentType"), content_type);
        let reference = text(message, "headers/$ref");
        assert_eq!(reference, "#/components/schemas/DeliveryHeaders");
    }
    assert_eq!(ids.len(), 10);
    let ours = keys(at(&document, "components/schemas/DeliveryHeaders/properties"));
    let ours: Vec<_> = ours.iter().map(|name| name.to_lowercase()).collect();
    let sent = [
        headers::EVENT_ID,
        headers::EVENT_KIND,
        headers::DELIVERY_ID,
        headers::ATTEMPT,
        headers::REPLAY,
    ];
    assert_eq!(ours, sent);
}

#[test]
fn each_signed_example_is_the_plain_one_signed_with_the_secret_it_names() {
    let document = document();
    for kind in Kind::ALL {
        let name = kind.message();
        let plain = at(
            &document,
            &format!("components/messages/{name}/examples/0/payload"),
        );
        let path = format!("components/messages/Signed{name}/examples/0");
        let signed = at(&document, &path);
        assert!(text(signed, "summary").ends_with("`switchhook example secret`."));
        let token = text(signed, "payload").as_bytes();
        let body = verify(token, ["switchhook example secret"]).unwrap();
        let claims: Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(&claims, plain, "{name}");
        assert!(Payload::read(kind, &body).is_ok());
        assert_eq!(switchhook_protocol::recognize_kind(&body), Some(kind));
    }
}

#[test]
fn the_contracts_words_are_known_to_the_views() {
    let states = CallState::ALL.iter().filter(|state| state.is_in_contract());
    let mut states: Vec<_> = states.map(|state| state.as_str()).collect();
    let mut contract: Vec<_> = CALL_STATES.split_whitespace().collect();
    states.sort_unstable();
    contract.sort_unstable();
    assert_eq!(states, contract);
    let types = TargetType::ALL.iter().map(|known| known.as_str());
    assert!(types.eq(TARGET_TYPES.split_whitespace()));
}

/// The words of a list of the document.
fn listed(name: &str) -> Vec<String> {
    let document = document();
    let list = at(&document, &format!("components/schemas/{name}/enum"));
    serde_norway::from_value(list.clone()).expect("it is a list of words")
}

#[track_caller]
fn check_list<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) {
    let listed = listed(name);
    let known: Vec<_> = known.into_iter().collect();
    for word in &listed {
        assert!(known.iter().any(|known| same_word(known, word)), "{name}: {word}");
    }
    for known in known {
        assert!(listed.iter().any(|word| word == known), "{name} lacks {known}");
    }
}

#[test]
fn the_lists_of_words_are_those_that_the_views_know() {
    check_list("CallState", CallState::ALL.iter().map(|known| known.as_str()));
    check_list("TargetType", TargetType::ALL.iter().map(|known| known.as_str()));
    check_list("Direction", Direction::ALL.iter().map(|known| known.as_str()));
    check_list(
        "ContactChange",
        ContactChange::ALL.iter().map(|known| known.as_str()),
    );
    check_list(
        "MessageStatus",
        MessageStatus::ALL.iter().map(|known| known.as_str()),
    );
    check_list(
        "OnDutyStatus",
        OnDutyStatus::ALL.iter().map(|known| known.as_str()),
    );
}
