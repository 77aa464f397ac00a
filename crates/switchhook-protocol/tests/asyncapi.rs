//! The served document, held against the published contract: its names, fields, types and values as data.
//! Whatever is valid there must be valid here, so a schema may allow null and list more fields, and no more.

use serde_norway::Value;
use switchhook_protocol::{ASYNCAPI_YAML, CallState, Kind, Payload, TargetType, headers, verify};

const CALL_STATES: &str = "calling ringing preanswer connected merged hold parked voicemail \
    voicemail_uploaded transcription hangup missed recording call_transcription dispositions recap_summary \
    recap_outcome recap_purposes recap_action_items ai_playbook";
const TARGET_TYPES: &str = "callcenter callrouter channel coachinggroup coachingteam department office room \
    staffgroup unknown user";

/// What the contract says about a field. Words of an enum stand in one string.
#[derive(Clone, Copy)]
enum Type {
    Int64,
    Integer,
    Text,
    Boolean,
    Object,
    Texts,
    Int64s,
    OneOf(&'static str),
    Ref(&'static str),
}

use Type::{Boolean, Int64, Int64s, Integer, Object, OneOf, Ref, Text, Texts};

const CONTRACT: &[(&str, &[(&str, Type)])] = &[
    (
        "Target",
        &[
            ("id", Int64),
            ("type", OneOf(TARGET_TYPES)),
            ("name", Text),
            ("email", Text),
            ("phone", Text),
        ],
    ),
    (
        "Contact",
        &[
            ("id", Text),
            ("type", OneOf("google local microsoft shared all")),
            ("first_name", Text),
            ("last_name", Text),
            ("display_name", Text),
            ("phones", Texts),
            ("primary_phone", Text),
            ("emails", Texts),
            ("primary_email", Text),
            ("company_name", Text),
            ("job_title", Text),
            ("urls", Texts),
            ("trunk_group", Text),
            ("extension", Text),
        ],
    ),
    (
        "CallEventPayload",
        &[
            ("call_id", Int64),
            ("master_call_id", Int64),
            ("operator_call_id", Int64),
            ("entry_point_call_id", Int64),
            ("state", OneOf(CALL_STATES)),
            ("direction", OneOf("inbound outbound")),
            ("target", Ref("Target")),
            ("contact", Ref("Contact")),
            ("date_started", Int64),
            ("date_connected", Int64),
            ("date_ended", Int64),
            ("duration", Integer),
            ("event_timestamp", Int64),
        ],
    ),
    (
        "SmsEventPayload",
        &[
            ("id", Int64),
            ("created_date", Int64),
            ("direction", OneOf("inbound outbound")),
            ("target", Ref("Target")),
            ("contact", Ref("Contact")),
            ("sender_id", Int64),
            ("from_number", Text),
            ("to_number", Texts),
            ("mms", Boolean),
            ("text", Text),
            (
                "message_status",
                OneOf("sent failed pending delivered undelivered"),
            ),
            ("message_delivery_result", Text),
        ],
    ),
    (
        "AgentStatusEventPayload",
        &[
            ("availability_status", Boolean),
            (
                "on_duty_status",
                OneOf("Available Unavailable Occupied Wrapup Busy"),
            ),
            ("on_duty_status_reason", Text),
            ("call_center_ids", Int64s),
            ("powerdialer_mode", Boolean),
            ("powerdialer_session", Text),
            ("target", Ref("Target")),
            ("date", Int64),
            ("event_timestamp", Int64),
        ],
    ),
    (
        "ContactEventPayload",
        &[
            ("event", OneOf("Created Updated Deleted")),
            ("contact", Ref("Contact")),
        ],
    ),
    (
        "ChangeLogEventPayload",
        &[
            ("date", Int64),
            ("action", Text),
            ("note", Text),
            ("additional_data", Object),
            ("target", Ref("Target")),
            ("changed_by", Object),
        ],
    ),
];

const CHANGED_BY: &[(&str, Type)] = &[("id", Int64), ("name", Text), ("type", Text)];

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

/// The constraint as YAML: the contract's, with null allowed. Descriptions constrain nothing.
fn constraint_of(kind: Type) -> Value {
    let words = |words: &str| words.split_whitespace().collect::<Vec<_>>().join(", ");
    let yaml = match kind {
        Int64 => r#"{type: [integer, "null"], format: int64}"#.to_owned(),
        Integer => r#"{type: [integer, "null"]}"#.to_owned(),
        Text => r#"{type: [string, "null"]}"#.to_owned(),
        Boolean => r#"{type: [boolean, "null"]}"#.to_owned(),
        Object => r#"{type: [object, "null"]}"#.to_owned(),
        Texts => r#"{type: [array, "null"], items: {type: [string, "null"]}}"#.to_owned(),
        Int64s => r#"{type: [array, "null"], items: {type: [integer, "null"], format: int64}}"#.to_owned(),
        OneOf(list) => format!(r#"{{type: [string, "null"], enum: [{}, null]}}"#, words(list)),
        Ref(schema) => format!(r##"{{$ref: "#/components/schemas/{schema}"}}"##),
    };
    serde_norway::from_str(&yaml).expect("the constraint is YAML")
}

#[track_caller]
fn check_field(properties: &Value, field: &str, kind: Type) {
    let mut constraint = at(properties, field).clone();
    let mapping = constraint.as_mapping_mut().expect("a schema is a mapping");
    mapping.remove("description");
    if matches!(kind, Object) {
        mapping.remove("properties");
        mapping.remove("additionalProperties");
    }
    assert_eq!(constraint, constraint_of(kind), "{field}");
}

#[test]
fn every_field_of_the_contract_is_there_with_its_type_and_null() {
    let document = document();
    for (schema, fields) in CONTRACT {
        let properties = at(&document, &format!("components/schemas/{schema}/properties"));
        for (field, kind) in *fields {
            check_field(properties, field, *kind);
        }
    }
    let changelog = at(&document, "components/schemas/ChangeLogEventPayload/properties");
    for (field, kind) in CHANGED_BY {
        check_field(at(changelog, "changed_by/properties"), field, *kind);
    }
    assert_eq!(
        at(changelog, "additional_data/additionalProperties"),
        &Value::Bool(true)
    );
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
            assert_eq!(keys(added), ["description"], "{field}");
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
        assert_eq!(switchhook_protocol::tell_kind(&body), Some(kind));
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
