//! The views, held against a call event as real traffic writes them, and against anything at all.
//! Ids, names and numbers of the fixture are invented.

use proptest::prelude::*;
use switchhook_protocol::{
    CallEvent, CallState, Id, Json, Kind, Milliseconds, Payload, TargetType, Text, Timestamp, Word,
    check_object, recognize_kind,
};

const OBSERVED_CALL: &str = include_str!("fixtures/observed_call.json");

fn call(body: &str) -> CallEvent<'_> {
    match Payload::read(Kind::Call, body.as_bytes()) {
        Ok(Payload::Call(call)) => call,
        other => panic!("a call event is read as one: {other:?}"),
    }
}

fn id<'a>(id: &'a Option<Id<'_>>) -> Option<&'a str> {
    id.as_ref().map(Id::as_str)
}

#[test]
fn an_observed_call_event_is_told_and_read() {
    assert_eq!(recognize_kind(OBSERVED_CALL.as_bytes()), Some(Kind::Call));
    let call = call(OBSERVED_CALL);
    assert_eq!(id(&call.call_id), Some("9223372036854775807"));
    assert_eq!(call.call_id.as_ref().and_then(Id::as_i64), Some(i64::MAX));
    assert_eq!(call.master_call_id, None);
    let legs: Vec<_> = call.leg_ids().map(Id::as_str).collect();
    assert_eq!(legs, ["9223372036854775807", "4513924407164928"]);
    assert_eq!(call.state.as_ref().and_then(Word::known), Some(CallState::Hangup));
    assert_eq!(call.is_internal, Some(false));
    assert_eq!(call.external_number.as_deref(), Some("+15550142"));
    assert_eq!(
        call.event_timestamp,
        Some(Timestamp::from_millis(1_795_253_415_180))
    );
    assert_eq!(call.duration.map(Milliseconds::as_f64), Some(8951.03));
    assert_eq!(call.mos_score, Some(4.37));
}

#[test]
fn its_people_and_lists_are_read() {
    let call = call(OBSERVED_CALL);
    let target = call.target.as_ref().expect("there is one");
    assert_eq!(target.name.as_deref(), Some("Zoë \"Zed\" Almeida"));
    assert_eq!(target.known_type(), Some(TargetType::User));
    assert_eq!(id(&target.office_id), Some("6002147231088640"));
    let entry = call.entry_point_target.as_ref().expect("there is one");
    assert_eq!(entry.known_type(), Some(TargetType::Callcenter));
    assert_eq!(call.proxy_target, None);
    let contact = call.contact.as_ref().expect("there is one");
    assert_eq!(contact.any_name(), Some("Ada Byron"));
    assert_eq!(contact.any_phone(), Some("+15550142"));
    assert_eq!(call.labels, ["support", "returning"]);
    assert_eq!(call.recording_details.len(), 1);
    assert_eq!(id(&call.recording_details[0].id), Some("6417283905126400"));
    assert_eq!(call.recording_url, Vec::<Text<'_>>::new());
    assert_eq!(call.integrations, None);
    assert!(call.routing_breadcrumbs.is_some());
}

#[test]
fn an_unknown_state_is_kept_as_text() {
    let call = call(r#"{"state": "teleported"}"#);
    let state = call.state.expect("it is kept");
    assert_eq!(state.known(), None);
    assert_eq!(state.as_str(), "teleported");
}

#[test]
fn an_sms_event_is_read() {
    let body = br#"{"id": 5724160613416961, "direction": "outbound", "from_number": "+15550100",
        "to_number": ["+15550142", "+15550143"], "target": {"id": 1, "phone_number": "+15550100"},
        "message_status": "delivered", "message_delivery_result": "accepted", "is_internal": null}"#;
    let Ok(Payload::Sms(sms)) = Payload::read(Kind::Sms, body) else {
        panic!("an sms event is read as one");
    };
    assert_eq!(sms.to_number, ["+15550142", "+15550143"]);
    assert_eq!(sms.is_internal, None);
    let status = sms.message_status.as_ref().map(Word::as_str);
    assert_eq!(status, Some("delivered"));
    let target = sms.target.as_ref().expect("there is one");
    assert_eq!(target.any_phone(), Some("+15550100"));
}

#[test]
fn a_changelog_event_is_read() {
    let body = br#"{"date": 1795253400250, "action": "updated_ivr", "additional_data": null,
        "target": {"id": 6002147231088640, "type": "Office"}, "changed_by": {}}"#;
    let payload = Payload::read(Kind::Changelog, body).expect("it is an object");
    let target = payload.target().expect("there is one");
    assert_eq!(target.known_type(), Some(TargetType::Office));
    assert_eq!(
        payload.event_timestamp(),
        Some(Timestamp::from_millis(1_795_253_400_250))
    );
    let Payload::Changelog(event) = payload else {
        panic!("it was read as a change log");
    };
    assert_eq!(event.changed_by, None);
    assert_eq!(event.additional_data, None);
}

#[test]
fn what_is_not_an_object_is_the_only_error() {
    for body in ["", "[]", "{} {}", "{\"call_id\":}", "null"] {
        for kind in Kind::ALL {
            let error = Payload::read(kind, body.as_bytes()).expect_err("it is no object");
            assert_eq!(Err(error.reason), check_object(body.as_bytes()), "{body}");
        }
    }
}

fn read_all(body: &[u8]) {
    let accepted = check_object(body).is_ok();
    for kind in Kind::ALL {
        assert_eq!(Payload::read(kind, body).is_ok(), accepted);
    }
    if recognize_kind(body).is_some() {
        assert!(accepted, "only objects have a kind");
    }
}

/// JSON text of any shape, spelled in any way, with keys that the views look for.
fn any_json() -> impl Strategy<Value = String> {
    let key = prop_oneof![
        Just("call_id".to_owned()),
        Just("target".to_owned()),
        Just("type".to_owned()),
        Just("to_number".to_owned()),
        Just("recording_details".to_owned()),
        Just(r"st\u0061te".to_owned()),
        Just(r"\ud83d".to_owned()),
        "[a-z]{0,3}",
    ];
    let leaf = prop_oneof![
        Just("null".to_owned()),
        Just("true".to_owned()),
        Just("1e400".to_owned()),
        Just(r#""\ud83d\n""#.to_owned()),
        any::<i64>().prop_map(|number| number.to_string()),
        any::<f64>()
            .prop_filter("JSON has no infinities", |number| number.is_finite())
            .prop_map(|number| number.to_string()),
        "\"[a-zé ]{0,5}\"",
    ];
    leaf.prop_recursive(4, 40, 6, move |inner| {
        let member = (key.clone(), inner.clone());
        prop_oneof![
            prop::collection::vec(inner, 0..5).prop_map(|items| format!("[{}]", items.join(" ,"))),
            prop::collection::vec(member, 0..8).prop_map(|members| {
                let members: Vec<_> = members
                    .into_iter()
                    .map(|(key, value)| format!("\"{key}\" :{value}"))
                    .collect();
                format!("{{{}}}", members.join(","))
            }),
        ]
    })
}

proptest! {
    #[test]
    fn arbitrary_bytes_do_no_harm(body in prop::collection::vec(any::<u8>(), 0..200)) {
        read_all(&body);
    }

    #[test]
    fn arbitrary_json_does_no_harm(body in any_json()) {
        read_all(body.as_bytes());
        if body.starts_with('{') {
            prop_assert_eq!(check_object(body.as_bytes()), Ok(body.as_str()));
        }
    }

    #[test]
    fn damaged_events_do_no_harm(
        at in 0..OBSERVED_CALL.len(),
        length in 0_usize..20,
        patch in prop::collection::vec(any::<u8>(), 0..20),
    ) {
        let mut body = OBSERVED_CALL.as_bytes().to_vec();
        let end = (at + length).min(body.len());
        body.splice(at..end, patch);
        read_all(&body);
    }

    #[test]
    fn the_text_of_a_number_is_untouched(
        number in r"-?(0|[1-9][0-9]{0,40})(\.[0-9]{1,40})?([eE][+-]?[0-9]{1,4})?",
    ) {
        let body = format!("{{\"call_id\": {number}, \"custom_data\": {number}}}");
        let call = call(&body);
        prop_assert_eq!(id(&call.call_id), Some(number.as_str()));
        prop_assert_eq!(call.custom_data.map(Json::as_str), Some(number.as_str()));
    }

    #[test]
    fn any_text_is_read_as_it_was_meant(text in any::<String>()) {
        let body = serde_json::json!({ "external_number": text }).to_string();
        let call = call(&body);
        prop_assert_eq!(call.external_number.as_deref(), Some(text.as_str()));
    }
}
