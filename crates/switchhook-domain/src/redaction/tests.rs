//! Removed parts, kept parts, and that nothing else changes.

use proptest::prelude::*;
use serde_json::Value;

use super::*;

const RECORDINGS_HIDDEN: Hidden = Hidden {
    recordings: true,
    message_text: false,
};
/// Members that real traffic has, and some of their kind.
const RECORDING_MEMBERS: [&str; 31] = [
    "recording_url",
    "admin_recording_urls",
    "call_recording_share_links",
    "admin_call_recording_share_links",
    "voicemail_link",
    "voicemail_recording_id",
    "screen_recording_urls",
    "screen_recording_share_links",
    "company_call_review_share_link",
    "public_call_review_share_link",
    "admincallrecording_url",
    "callRecordingUrl",
    "Voicemail-Link",
    "call_audio_uri",
    "voice_message_url",
    "record_url",
    "listen_url",
    "media_url",
    "media_urls",
    "mp3_url",
    "wav_link",
    "screenshot_url",
    "voicemail_transcript_url",
    "transcript_url",
    "rec_url",
    "greeting_url",
    "download_url",
    "moments_url",
    "sharable_link",
    "vm_link",
    "vmail_url",
];

const TEXT_HIDDEN: Hidden = Hidden {
    recordings: false,
    message_text: true,
};

#[test]
fn hidden_reads_back_what_it_prints() {
    for hidden in [
        Hidden::NOTHING,
        RECORDINGS_HIDDEN,
        TEXT_HIDDEN,
        Hidden::EVERYTHING,
    ] {
        assert_eq!(hidden.to_string().parse(), Ok(hidden));
    }
    assert_eq!(Hidden::NOTHING.to_string(), "");
    assert_eq!(
        "recordings,contacts".parse::<Hidden>(),
        Err(UnknownHidden("contacts".to_owned()))
    );
}

#[track_caller]
fn check(hidden: Hidden, body: &str, expected: &str) {
    let redacted = redact(body.as_bytes(), hidden);
    assert_eq!(String::from_utf8_lossy(&redacted), expected, "from {body}");
    assert_eq!(
        matches!(redacted, Cow::Borrowed(_)),
        body == expected,
        "copied for nothing"
    );
}

#[test]
fn a_member_goes_with_one_comma_and_its_white_space() {
    for (body, expected) in [
        (r#"{"text":"x"}"#, r"{}"),
        (r#"{"text":"x","a":1}"#, r#"{"a":1}"#),
        (r#"{"a":1,"text":"x"}"#, r#"{"a":1}"#),
        (r#"{"a":1,"text":"x","b":2}"#, r#"{"a":1,"b":2}"#),
        (r#"{"a":1,"text":"x","mms_url":null,"b":2}"#, r#"{"a":1,"b":2}"#),
        (r#"{"text":"x","mms_url":null,"b":2}"#, r#"{"b":2}"#),
        (r#"{"text":"x","text":"y"}"#, r"{}"),
        (r#"{"a":1,"text":"x","mms_url":null}"#, r#"{"a":1}"#),
        (r#"{"text":"x","a":1,"text":"y"}"#, r#"{"a":1}"#),
        (
            "{\n  \"a\": 1,\n  \"text\": \"x\",\n  \"b\": 2\n}\n",
            "{\n  \"a\": 1,\n  \"b\": 2\n}\n",
        ),
        ("{\n  \"text\": \"x\",\n  \"b\": 2\n}", "{\n  \"b\": 2\n}"),
        ("{ \"b\" : 2 , \"text\" : \"x\" }", "{ \"b\" : 2  }"),
    ] {
        check(TEXT_HIDDEN, body, expected);
    }
}

#[test]
fn a_value_of_any_form_goes_whole() {
    for value in [
        "1",
        "-1e400",
        "null",
        "true",
        r#""""#,
        r#""a\"},{\\""#,
        "[]",
        r#"[1,{"b":"]}"}]"#,
        r#"{"a":{}}"#,
    ] {
        check(TEXT_HIDDEN, &format!(r#"{{"text":{value},"b":2}}"#), r#"{"b":2}"#);
        check(
            TEXT_HIDDEN,
            &format!(r#"{{"b":2 ,"text" : {value} }}"#),
            r#"{"b":2  }"#,
        );
    }
}

#[test]
fn a_key_is_known_by_its_meaning_not_its_spelling() {
    check(TEXT_HIDDEN, r#"{"\u0074ext":"x","a":1}"#, r#"{"a":1}"#);
    check(TEXT_HIDDEN, r#"{"\u0074\u0065\u0078\u0074":"x"}"#, "{}");
    check(TEXT_HIDDEN, r#"{"mms\u005furl":"x"}"#, "{}");
    check(TEXT_HIDDEN, r#"{"mms\u005Furl":"x"}"#, "{}");
    for kept in [
        r#"{"Text":"x"}"#,
        r#"{"texts":"x"}"#,
        r#"{"tex\t":"x"}"#,
        r#"{"\\u0074ext":"x"}"#,
        r#"{"\u0174ext":"x"}"#,
        r#"{"\u+074ext":"x"}"#,
        r#"{"text\u0000":"x"}"#,
        r#"{"":"text"}"#,
    ] {
        check(TEXT_HIDDEN, kept, kept);
    }
}

#[test]
fn a_value_that_reads_like_a_key_stays() {
    for kept in [
        r#"["text","text"]"#,
        r#"{"a":"text","b":"\"text\":1"}"#,
        r#""text""#,
        r#"{"a":["text" , 1]}"#,
    ] {
        check(TEXT_HIDDEN, kept, kept);
    }
}

#[test]
fn every_depth_is_searched() {
    check(
        TEXT_HIDDEN,
        r#"{"a":[{"b":{"text":1,"c":2}},{"text":3}]}"#,
        r#"{"a":[{"b":{"c":2}},{}]}"#,
    );
    check(TEXT_HIDDEN, r#"[{"text":1},{"text":2,"a":3}]"#, r#"[{},{"a":3}]"#);
}

#[test]
fn every_recording_member_goes_and_no_other_scope_s() {
    for name in RECORDING_MEMBERS {
        for value in ["[\"https://example.com\"]", "\"x\"", "null"] {
            check(
                RECORDINGS_HIDDEN,
                &format!(r#"{{"call_id":1,"{name}":{value}}}"#),
                r#"{"call_id":1}"#,
            );
        }
    }
    for name in MESSAGE_TEXT_MEMBERS {
        check(TEXT_HIDDEN, &format!(r#"{{"id":1,"{name}":"x"}}"#), r#"{"id":1}"#);
        let kept = format!(r#"{{"id":1,"{name}":"x"}}"#);
        check(RECORDINGS_HIDDEN, &kept, &kept);
    }
    let kept = r#"{"recording_url":"x","recording_details":[{"url":"x"}]}"#;
    check(TEXT_HIDDEN, kept, kept);
    let both = r#"{"recording_url":"x","text":"y","a":1}"#;
    check(Hidden::EVERYTHING, both, r#"{"a":1}"#);
    check(Hidden::NOTHING, both, both);
}

/// A recording's type as Dialpad names it, and the other things that play one.
#[test]
fn an_address_of_a_recording_goes_whatever_its_member_is_called() {
    for name in [
        "admincallrecording",
        "callrecording",
        "voicemail",
        "screen_recording",
        "ScreenRecordings",
        "audio",
    ] {
        for value in [
            r#""https://example.com/1""#,
            r#""\u0068TTPS:\/\/example.com""#,
            r#""listen at https://example.com""#,
            r#""gs://bucket/1""#,
            r#""s3\u003a//bucket/1""#,
            r#""DATA:audio/mp3;base64,AAAA""#,
            r#""//example.com/1""#,
            r#""/files/1.mp3""#,
            r#""example.com\/1""#,
        ] {
            check(
                RECORDINGS_HIDDEN,
                &format!(r#"{{"id":1,"{name}":{value}}}"#),
                r#"{"id":1}"#,
            );
        }
        check(
            RECORDINGS_HIDDEN,
            &format!(r#"{{"{name}":[{{"id":1,"download_url":"x"}}],"url":2}}"#),
            &format!(r#"{{"{name}":[{{"id":1}}],"url":2}}"#),
        );
        for (list, left) in [
            (r#"["https://example.com/1", "gs://b/2"]"#, "[]"),
            (r#"[ null , "https://example.com" ]"#, "[ null  ]"),
            (r#"["https://example.com", 1,"s3://b/1",2]"#, "[1,2]"),
            (
                r#"["id-1",["https://example.com"],{"a":"s3://b/1","b":2}]"#,
                r#"["id-1",[],{"b":2}]"#,
            ),
        ] {
            check(
                RECORDINGS_HIDDEN,
                &format!(r#"{{"id":1,"{name}":{list},"a":["https://example.com"]}}"#),
                &format!(r#"{{"id":1,"{name}":{left},"a":["https://example.com"]}}"#),
            );
        }
        let kept = format!(r#"{{"{name}":true,"{name}_count":2,"a":"https://example.com"}}"#);
        check(RECORDINGS_HIDDEN, &kept, &kept);
    }
}

#[test]
fn what_leads_to_no_recording_stays() {
    for kept in [
        r#"{"was_recorded":true,"call_recording_ids":[1],"is_shared":true,"preview":"x"}"#,
        r#"{"contact":{"url":"https://example.com"},"avatar_url":"https://example.com","links":[]}"#,
        r#"{"greeting":"https://example.com","transcript":"a/b.c","direction_url":1,"moments":2}"#,
        r#"{"play\back_link":1,"\"vide\"":"https://example.com"}"#,
        r#"{"recording_type":"audio/mp3","recording_note":"1/2, and so on.","voicemail":"a.mp3","recordings":["id-1",2]}"#,
        r#"{"recording_details":[{"transcription_text":"see https://example.com","type":"audio/wav"}]}"#,
        r#"{"voicemail_transcription":"see https://example.com","recording":"\u003a\u4e00//"}"#,
        r#"{"transcription_text":"voicemail at https://example.com","labels":["recording_url"]}"#,
    ] {
        check(RECORDINGS_HIDDEN, kept, kept);
    }
}

#[test]
fn a_url_goes_only_inside_what_holds_recordings() {
    for (body, expected) in [
        (
            r#"{"url":1,"recording_details":[{"id":2,"url":3},{"url":4}],"x":{"url":5}}"#,
            r#"{"url":1,"recording_details":[{"id":2},{}],"x":{"url":5}}"#,
        ),
        (
            r#"{"recording_details":{"url":1},"url":2}"#,
            r#"{"recording_details":{},"url":2}"#,
        ),
        (
            r#"{"recording_details":[{"a":{"url":1}}],"url":2}"#,
            r#"{"recording_details":[{"a":{}}],"url":2}"#,
        ),
        (
            r#"{"recording_details":null,"url":2}"#,
            r#"{"recording_details":null,"url":2}"#,
        ),
        (
            r#"{"recording":{"src":"https://example.com"},"src":"https://example.com"}"#,
            r#"{"recording":{},"src":"https://example.com"}"#,
        ),
        (
            r#"{"recording_details":[{"id":2,"file":"s3://b/1","path":"/files/1.mp3"}]}"#,
            r#"{"recording_details":[{"id":2}]}"#,
        ),
        (
            r#"{"call_breadcrumbs":[{"type":"voicemail","url":"https://example.com","date":1}],"url":2}"#,
            r#"{"call_breadcrumbs":[{"type":"voicemail","date":1}],"url":2}"#,
        ),
        (
            r#"{"recording_details":[],"url":2}"#,
            r#"{"recording_details":[],"url":2}"#,
        ),
        (
            r#"{"recording_details":[{"recording_details":[{"url":1}],"url":2}],"a":{"url":3}}"#,
            r#"{"recording_details":[{"recording_details":[{}]}],"a":{"url":3}}"#,
        ),
        (
            r#"{"recording\u005fdetails":[{"u\u0072l":1}],"url":2}"#,
            r#"{"recording\u005fdetails":[{}],"url":2}"#,
        ),
    ] {
        check(RECORDINGS_HIDDEN, body, expected);
    }
}

#[test]
fn numbers_beyond_a_double_keep_every_digit() {
    let body = r#"{"a":1e400,"text":"x","b":123456789012345678901234567890,"c":1.10,"d":-0,"é":"\u00e9"}"#;
    let expected = r#"{"a":1e400,"b":123456789012345678901234567890,"c":1.10,"d":-0,"é":"\u00e9"}"#;
    check(TEXT_HIDDEN, body, expected);
}

#[test]
fn a_mebibyte_of_anything_takes_no_stack_and_little_time() {
    // Were it not linear, this test would not end.
    let size = 1 << 20;
    let nested = format!("{{\"text\":{}", "[".repeat(size));
    let spaced = format!("{{{}{}}}", " ".repeat(size / 2), "\"text\":1,".repeat(size / 16));
    for body in [
        "[".repeat(size),
        "{\"a\":".repeat(size / 5),
        "\"".repeat(size),
        "\\".repeat(size),
        nested,
        spaced,
    ] {
        let _ = redact(body.as_bytes(), Hidden::EVERYTHING);
    }
}

/// Keys of which many are to be removed, in plain and in escaped spelling.
fn key() -> impl Strategy<Value = String> {
    let names = [
        RECORDING_MEMBERS.as_slice(),
        &MESSAGE_TEXT_MEMBERS,
        &["recording_details", "url", "a", "b", "te\"xt"],
    ];
    (proptest::sample::select(names.concat()), any::<u16>()).prop_map(|(name, escaped)| {
        let spell = |(nth, letter): (usize, char)| match letter {
            _ if escaped >> (nth % 16) & 7 == 7 => format!("\\u{:04x}", u32::from(letter)),
            '"' => "\\\"".to_owned(),
            _ => letter.to_string(),
        };
        let spelling: String = name.chars().enumerate().map(spell).collect();
        format!("\"{spelling}\"")
    })
}

fn white() -> impl Strategy<Value = &'static str> {
    proptest::sample::select(vec!["", "", "", " ", "\n  ", "\t\r\n"])
}

/// JSON texts with all that must be kept as it is: white space, number spellings, escapes, repeated keys.
fn json() -> impl Strategy<Value = String> {
    let scalars = [
        "null",
        "true",
        "0",
        "-0.0",
        "12.50E+3",
        "98765432109876543210",
        r#""""#,
        r#""text""#,
        r#""\",{\\""#,
    ];
    let leaf = proptest::sample::select(scalars.to_vec()).prop_map(str::to_owned);
    leaf.prop_recursive(5, 60, 6, |inner| {
        let element = (white(), inner.clone(), white())
            .prop_map(|(before, value, after)| [before, &value, after].concat());
        let member = (white(), key(), white(), white(), inner, white())
            .prop_map(|(a, key, b, c, value, d)| [a, &key, b, ":", c, &value, d].concat());
        prop_oneof![
            (white(), proptest::collection::vec(element, 0..4))
                .prop_map(|(white, list)| format!("[{white}{}]", list.join(","))),
            (white(), proptest::collection::vec(member, 0..6))
                .prop_map(|(white, list)| format!("{{{white}{}}}", list.join(","))),
        ]
    })
}

fn hidden() -> impl Strategy<Value = Hidden> {
    (any::<bool>(), any::<bool>()).prop_map(|(recordings, message_text)| Hidden {
        recordings,
        message_text,
    })
}

/// The same rule on parsed JSON.
fn redact_value(value: &mut Value, hidden: Hidden, in_details: bool) {
    match value {
        Value::Array(list) => list
            .iter_mut()
            .for_each(|value| redact_value(value, hidden, in_details)),
        Value::Object(members) => {
            members.retain(|name, _| {
                let name = name.as_str();
                let is_recording = RECORDING_MEMBERS.contains(&name) || in_details && name.ends_with("url");
                !(hidden.recordings && is_recording
                    || hidden.message_text && MESSAGE_TEXT_MEMBERS.contains(&name))
            });
            for (name, value) in members {
                redact_value(value, hidden, in_details || name == "recording_details");
            }
        }
        _ => {}
    }
}

/// True if `short` is `long` with some bytes left out.
fn is_subsequence(short: &[u8], long: &[u8]) -> bool {
    let mut long = long.iter();
    short.iter().all(|byte| long.any(|other| other == byte))
}

proptest! {
    #[test]
    fn what_is_left_is_what_parsing_and_removing_leaves(body in json(), hidden in hidden()) {
        let redacted = redact(body.as_bytes(), hidden);
        let redacted = std::str::from_utf8(&redacted).unwrap();
        let mut expected: Value = serde_json::from_str(&body).unwrap();
        redact_value(&mut expected, hidden, false);
        prop_assert_eq!(serde_json::from_str::<Value>(redacted).unwrap(), expected, "{}", redacted);
        prop_assert!(is_subsequence(redacted.as_bytes(), body.as_bytes()), "{redacted}");
    }

    #[test]
    fn redacting_twice_changes_nothing_more(body in json(), hidden in hidden()) {
        let once = redact(body.as_bytes(), hidden);
        prop_assert!(matches!(redact(&once, hidden), Cow::Borrowed(_)));
    }

    #[test]
    fn what_cannot_be_hidden_in_an_event_need_not_be_looked_for(body in json(), hidden in hidden()) {
        let event = format!(r#"{{"members": {body}}}"#);
        let outline = Outline::read(event.as_bytes()).unwrap();
        let looked_for = hidden.and(concealable(&outline, hidden));
        prop_assert_eq!(redact(event.as_bytes(), looked_for), redact(event.as_bytes(), hidden));
    }

    #[test]
    fn an_event_without_hidden_members_keeps_every_byte(body in json()) {
        let clean = redact(body.as_bytes(), Hidden::EVERYTHING).into_owned();
        for hidden in [RECORDINGS_HIDDEN, TEXT_HIDDEN] {
            prop_assert_eq!(&*redact(&clean, hidden), clean.as_slice());
        }
    }

    #[test]
    fn a_member_added_anywhere_leaves_no_trace(
        values in proptest::collection::vec(json(), 1..5),
        place in any::<proptest::sample::Index>(),
    ) {
        let clean = |value: &String| String::from_utf8(redact(value.as_bytes(), TEXT_HIDDEN).into_owned());
        let members: Vec<_> = values.iter().map(|value| format!("\"a\" :{}", clean(value).unwrap())).collect();
        let (before, behind) = members.split_at(place.index(members.len() + 1));
        let hidden = "\"te\\u0078t\" : [ 1, {} ]".to_owned();
        let longer = format!("{{ {} }}", [before, &[hidden], behind].concat().join(",\n "));
        let redacted = redact(longer.as_bytes(), TEXT_HIDDEN).into_owned();
        prop_assert_eq!(String::from_utf8(redacted).unwrap(), format!("{{ {} }}", members.join(",\n ")));
    }

    #[test]
    fn no_bytes_do_harm(body in proptest::collection::vec(any::<u8>(), 0..200), hidden in hidden()) {
        prop_assert!(redact(&body, hidden).len() <= body.len());
    }

    #[test]
    fn broken_json_does_no_harm(body in json(), cut in any::<proptest::sample::Index>(), extra in "[\\[\\]{}\",:\\\\u]{0,6}") {
        let cut = cut.index(body.len());
        let (start, end) = body.as_bytes().split_at(cut);
        for broken in [start.to_vec(), end.to_vec(), [start, extra.as_bytes(), end].concat()] {
            prop_assert!(redact(&broken, Hidden::EVERYTHING).len() <= broken.len());
        }
    }
}

#[test]
fn an_event_without_hidden_members_has_nothing_to_hide() {
    let of = |event: &str| concealable(&Outline::read(event.as_bytes()).unwrap(), Hidden::EVERYTHING);
    let plain =
        of(r#"{"call_id": 7, "state": "hangup", "contact": {"name": "recording_url", "id": [1, "text"]}}"#);
    assert_eq!(plain, Hidden::NOTHING);
    assert_eq!(of(r#"{"contact": {"te\u0078t": "hello"}}"#), TEXT_HIDDEN);
    for recordings in [
        r#"{"recording_url": null}"#,
        r#"{"call_recordings": [{"url": "a"}]}"#,
        r#"{"c": {"voicemail" : "https://x"}}"#,
    ] {
        assert_eq!(of(recordings), RECORDINGS_HIDDEN, "{recordings}");
    }
}
