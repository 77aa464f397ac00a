use proptest::prelude::*;
use serde::de::IgnoredAny;
use serde_json::Value as Json;

use super::*;

/// Value as JSON, read through its outline.
fn json_of(value: Value<'_, '_>) -> Json {
    match value.sort() {
        JsonType::Array => value.elements().map(json_of).collect(),
        JsonType::Object => value
            .members()
            .map(|(name, value)| (name.into_owned(), json_of(value)))
            .collect(),
        JsonType::String | JsonType::EscapedString => value.text().expect("it is a text").into_owned().into(),
        JsonType::Null | JsonType::Boolean | JsonType::Integer | JsonType::Number => {
            serde_json::from_str(value.json()).expect("it is JSON")
        }
    }
}

/// The outline is there exactly if `serde_json` takes the bytes for one object, and says the same.
#[track_caller]
fn check(body: &[u8]) {
    let judged = check_object(body);
    let outline = Outline::read(body);
    assert_eq!(
        outline.as_ref().map(Outline::text),
        judged.as_ref().copied(),
        "{}",
        String::from_utf8_lossy(body)
    );
    let is_json =
        std::str::from_utf8(body).is_ok_and(|text| serde_json::from_str::<IgnoredAny>(text).is_ok());
    let outline = Outline::read_as(Kind::Unknown, body);
    assert_eq!(outline.is_ok(), is_json, "{}", String::from_utf8_lossy(body));
    let Ok(outline) = outline else { return };
    let parsed: Result<Json, _> = serde_json::from_slice(body);
    match parsed {
        Ok(parsed) => assert_eq!(json_of(outline.root()), parsed),
        Err(error) => assert!(!outline.is_plain(), "{error} in {}", outline.text()),
    }
}

#[test]
fn what_is_one_object_has_an_outline() {
    for body in [
        "{}",
        " { } ",
        r#"{"a":[],"b":{},"c":[{}],"d":[[1,2],[3]]}"#,
        r#"{"a":0,"b":-0,"c":-1.5e-7,"d":1E+9,"e":1e400,"f":1234567890123456789012}"#,
        r#"{"a":"","b":"\"\\\/\b\f\n\r\t\u00e9","c":"\ud83d","d":"\ud83d\ude00","\u0061":1}"#,
        "{\"a\"\t:\r\n true , \"b\" : false , \"c\" : null }",
        r#"{"long": "0123456789abcdef0123456789abcdef\"0123456789abcdef"}"#,
    ] {
        assert!(Outline::read(body.as_bytes()).is_ok(), "{body}");
        check(body.as_bytes());
    }
}

#[test]
fn what_is_none_is_refused_in_the_same_words() {
    for body in [
        "",
        "[]",
        "1",
        "{",
        "{}}",
        "{} x",
        "{]",
        r#"{"a"}"#,
        r#"{"a":}"#,
        r#"{"a":1,}"#,
        r#"{,"a":1}"#,
        r#"{"a":1 "b":2}"#,
        r#"{a:1}"#,
        r#"{"a":[1,]}"#,
        r#"{"a":[1}"#,
        r#"{"a":01}"#,
        r#"{"a":-}"#,
        r#"{"a":1.}"#,
        r#"{"a":.5}"#,
        r#"{"a":1e}"#,
        r#"{"a":+1}"#,
        r#"{"a":tru}"#,
        r#"{"a":nulls}"#,
        r#"{"a":"\x"}"#,
        r#"{"a":"\u12g4"}"#,
        r#"{"a":"\u12"#,
        "{\"a\":\"\u{1}\"}",
        "{\"a\":\"0123456789abcdef\n\"}",
        r#"{"a":"open}"#,
        "\u{feff}{}",
    ] {
        assert!(Outline::read(body.as_bytes()).is_err(), "{body}");
        check(body.as_bytes());
    }
    check(b"{\"a\":\"\xff\"}");
}

#[test]
fn deep_nesting_does_not_use_the_stack_and_is_not_plain() {
    let nested = |depth| format!(r#"{{"a":{}{}}}"#, "[".repeat(depth), "]".repeat(depth));
    let (deep, flat) = (nested(300_000), nested(99));
    assert!(!Outline::read(deep.as_bytes()).unwrap().is_plain());
    assert!(Outline::read(flat.as_bytes()).unwrap().is_plain());
}

fn any_json() -> impl Strategy<Value = Json> {
    let leaf = prop_oneof![
        Just(Json::Null),
        any::<bool>().prop_map(Json::from),
        any::<i64>().prop_map(Json::from),
        any::<f64>().prop_map(Json::from),
        "\\PC{0,40}|[\u{0}-\u{1f}\"\\\\a]{0,20}".prop_map(Json::from),
    ];
    leaf.prop_recursive(5, 48, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Json::from),
            prop::collection::btree_map("[a-c\u{e9}\"]{0,2}", inner, 0..6)
                .prop_map(|members| members.into_iter().collect()),
        ]
    })
}

/// A byte of JSON is replaced, taken away or put in.
#[derive(Debug, Clone)]
enum Mistake {
    Replace(prop::sample::Index, u8),
    Remove(prop::sample::Index),
    Insert(prop::sample::Index, u8),
}

fn any_mistake() -> impl Strategy<Value = Mistake> {
    let byte = || {
        prop_oneof![
            prop::sample::select(&b"{}[],:\"\\ \n0-19.eEu+tfn\x00\xc3"[..]),
            any::<u8>()
        ]
    };
    prop_oneof![
        (any::<prop::sample::Index>(), byte()).prop_map(|(at, byte)| Mistake::Replace(at, byte)),
        any::<prop::sample::Index>().prop_map(Mistake::Remove),
        (any::<prop::sample::Index>(), byte()).prop_map(|(at, byte)| Mistake::Insert(at, byte)),
    ]
}

proptest! {
    #[test]
    fn an_outline_says_what_serde_json_says(value in any_json(), is_pretty: bool) {
        let object = serde_json::json!({"it": value});
        let text = if is_pretty { format!("{object:#}") } else { object.to_string() };
        check(text.as_bytes());
    }

    #[test]
    fn it_is_there_exactly_if_serde_json_takes_the_bytes_for_an_object(
        value in any_json(), mistakes in prop::collection::vec(any_mistake(), 1..4),
    ) {
        let mut body = serde_json::json!({"it": value}).to_string().into_bytes();
        for mistake in mistakes {
            match mistake {
                Mistake::Replace(at, byte) if !body.is_empty() => {
                    let at = at.index(body.len());
                    body[at] = byte;
                }
                Mistake::Remove(at) if !body.is_empty() => {
                    body.remove(at.index(body.len()));
                }
                Mistake::Insert(at, byte) => body.insert(at.index(body.len() + 1), byte),
                _ => {}
            }
        }
        check(&body);
    }
}

#[test]
fn a_byte_means_the_same_wherever_it_stands_in_a_string() {
    for place in 0..20 {
        for letter in (0..=0x7f).map(char::from).chain(['\u{80}', 'é', '\u{a2}', '😀']) {
            let text = format!(
                r#"{{"{}{letter}{}": 1}}"#,
                "a".repeat(place),
                "é".repeat(place % 3)
            );
            check(text.as_bytes());
        }
    }
}
