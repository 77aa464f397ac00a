//! Spellings of numbers, and what only looks like one.

use proptest::prelude::*;

use super::*;

#[track_caller]
fn check(number: &str, text: &str, occurs: bool) {
    let number: PhoneNumber = number.parse().unwrap();
    assert_eq!(number.occurs_in(text.as_bytes()), occurs, "{text}");
}

const US: &str = "+16195550142";
const UK: &str = "+442079460958";
const GERMAN: &str = "+491791234567";
const DANISH: &str = "+4581234567";

#[test]
fn a_number_is_found_however_it_is_written() {
    for (number, text) in [
        (US, r#"{"from_number":"+16195550142"}"#),
        (US, r#"{"to_number":["+15550000000","+16195550142"]}"#),
        (US, r#"{"external_number":"16195550142"}"#),
        (US, r#"{"caller":16195550142}"#),
        (US, r#"{"caller":6195550142}"#),
        (US, r#"{"contact":{"name":"(619) 555-0142"}}"#),
        (US, r#"{"target":{"phone_number":"619-555-0142"}}"#),
        (US, r#"{"text":"ring +1 619 555-0142 or +1 (619) 555.0142"}"#),
        (US, r#"{"text":"619.555.0142x42"}"#),
        (US, r#"{"text":"1-619-555-0142 ext. 42"}"#),
        (US, r#"{"text":"tel:+16195550142;ext=42"}"#),
        (US, r#"{"text":"011 1 619 555 0142, 001 619 555 0142"}"#),
        (US, r#"{"text":"1\u00206195550142"}"#),
        (US, r#"{"text":"\u002b\u0031\u0036195550142"}"#),
        (US, r#"{"custom_data":"{\"who\":\"(619) 555-0142\"}"}"#),
        (US, "{\"text\":\"+1\u{a0}619\u{a0}5550142\"}"),
        (US, "{\"text\":\"\u{202a}+1 (619) 555\u{2011}0142\u{202c}\"}"),
        (US, "+１ ６１９ ５５５ ０１４２"),
        (US, "From=%2B16195550142&To=1"),
        (US, "to=+1%20619%20555%200142 or %2B1%28619%29555%2D0142"),
        (US, "16195550142"),
        (US, "call 2 619 555 0142 5 times"),
        (US, "+49 619 555 0142 / 619 555 0142"),
        (US, "1795624039404 619-555-0142 6412345678901248"),
        ("+15551234567", "(555) 123-4567"),
        ("+1 (555) 123-4567", "5551234567"),
        (UK, r#"{"phone":"+442079460958"}"#),
        (UK, "+44 20 7946 0958"),
        (UK, "+44 (0)20 7946 0958"),
        (UK, "020 7946 0958"),
        (UK, "02079460958"),
        (UK, "20 7946 0958"),
        (UK, "0044 20 7946 0958"),
        ("+44 (0)20 7946 0958", "+442079460958"),
        (GERMAN, "0179 1234567"),
        (GERMAN, "0179/1234567"),
        (GERMAN, r#""01791234567""#),
        (GERMAN, "+49-179-1234567"),
        (DANISH, "81 23 45 67"),
        (DANISH, r#"{"name":"81234567"}"#),
        ("+39 06 698 12345", "06 69812345"),
        ("+39 347 1234567", "347 1234567"),
        ("+7 916 123-45-67", "8 (916) 123-45-67"),
        ("+861234567", "+86 123 4567"),
        (US, "619_555_0142 or 619·555·0142"),
        (UK, "0011 44 20 7946 0958"),
        (UK, "010 44 20 7946 0958"),
        (UK, "010442079460958"),
        (UK, "8-10-44-20-7946-0958"),
        (INDIAN, "098765 43210"),
        (INDIAN, "0 98765 43210"),
        (INDIAN, "+91 (0) 98765 43210"),
        ("+5511987654321", "011 98765-4321"),
    ] {
        check(number, text, true);
    }
}

const INDIAN: &str = "+919876543210";

/// Numbers that begin at home as others do from abroad.
const AMBIGUOUS: [(&str, &str); 17] = [
    ("+441132460000", "0113 246 0000"),
    ("+441132460000", "01132460000"),
    ("+441132460000", "+44 (0)113 246 0000"),
    ("+441179222000", "(0117) 922 2000"),
    ("+441179222000", "01179222000"),
    ("+441184960123", "0118 4960123"),
    ("+27111234567", "011 123 4567"),
    ("+27111234567", "0111234567"),
    ("+911123456789", "011-23456789"),
    ("+911123456789", "01123456789"),
    ("+390115551234", "011 555 1234"),
    ("+390115551234", "0115551234"),
    ("+541143211234", "011 4321-1234"),
    ("+541143211234", "(011) 4321-1234"),
    ("+31101234567", "010 1234567"),
    ("+861012345678", "010-12345678"),
    ("+821012345678", "01012345678"),
];

#[test]
fn what_begins_as_a_number_from_abroad_may_be_one_from_home() {
    for (number, text) in AMBIGUOUS {
        for (before, after) in [("", ""), ("ring ", ", please"), ("0113 246 0001 / ", "")] {
            let text = format!("{before}{text}{after}");
            check(number, &text, true);
            assert!(!found(FieldKind::Text, &text).is_empty(), "{text}");
        }
    }
    check(US, "011 49 619 555 0142", false);
    check(US, "0011 49 619 555 0142", false);
    check(US, "0113 246 0000", false);
    check("+441132460000", "01132460001", false);
}

#[test]
fn what_only_has_its_digits_is_something_else() {
    for (number, text) in [
        (US, r#"{"call_id":161955501420}"#),
        (US, r#"{"call_id":6195550142000000}"#),
        (US, r#"{"call_id":9916195550142}"#),
        (US, r#"{"event_timestamp":1619555014200}"#),
        (US, r#"{"from_number":"+161955501428"}"#),
        (US, r#"{"text":"555-0142"}"#),
        (US, r#"{"text":"1619555014"}"#),
        (US, r#"{"text":"619,555,0142"}"#),
        (US, r#"{"score":1.6195550142,"other":619.5550142}"#),
        (US, r#"{"phone":"+49 619 555 0142"}"#),
        (US, r#"{"phone":"0049 619 555 0142"}"#),
        (US, r#"{"phone":"+496195550142"}"#),
        (US, r#"["619555","0142"]"#),
        (US, r#"{"text":"619\n555\n0142"}"#),
        // Seconds since 1970 are no German mobile number without its zero.
        (GERMAN, r#"{"at":1791234567}"#),
        (GERMAN, r#"{"at":"1791234567000"}"#),
        (DANISH, r#"{"duration":81234567}"#),
        (DANISH, "4581234567890123"),
        (US, ""),
    ] {
        check(number, text, false);
    }
}

#[test]
fn what_is_no_number_is_refused_and_not_repeated() {
    for text in [
        "",
        "+",
        "15551234567",
        "+1555",
        "+12345678901234567",
        "+1555123456x",
        "+1555123,4567",
        "+1555+1234567",
        "(619) 555-0142",
        "hunter2",
    ] {
        let refused = text.parse::<PhoneNumber>().unwrap_err().to_string();
        assert!(
            text.len() < 2 || text == "+1555" || !refused.contains(&format!("`{text}`")),
            "{refused}"
        );
    }
    let number: PhoneNumber = "+1 (555) 123-4567".parse().unwrap();
    assert_eq!(format!("{number} {number:?}"), "+…67 PhoneNumber(+…67)");
}

#[test]
fn a_part_of_a_number_is_found_across_its_separators() {
    for (text, digits, is_there) in [
        ("(619) 555-0142", "6195550142", true),
        ("(619) 555-0142", "9555", true),
        ("+16195550142", "5550142", true),
        ("619, 555", "619555", false),
        ("619", "", false),
    ] {
        assert_eq!(has_digits(text, digits), is_there, "{digits} in {text}");
    }
}

#[track_caller]
fn found(place: FieldKind, text: &str) -> Vec<&str> {
    numbers_in(text, place).map(|range| &text[range]).collect()
}

#[test]
fn what_looks_like_a_number_is_one_whosever_it_is() {
    for text in [
        "+16195550142",
        "(619) 555-0142",
        "(555) 123-4567",
        "619-555-0142",
        "619.555.0142",
        "1 619 555 0142",
        "6195550142",
        "16195550142",
        "011 44 20 7946 0958",
        "+44 (0)20 7946 0958",
        "020 7946 0958",
        "02079460958",
        "0179 1234567",
        "0179/1234567",
        "030-1234567",
        "06 12 34 56 78",
        "06.12.34.56.78",
        "912 34 56 78",
        "81 23 45 67",
        "8123 4567",
        "98765 43210",
        "333 1234567",
        "333-1234567",
        "619_555_0142",
        "619·555·0142",
        "01132460000",
        "00442079460958",
        "0011442079460958",
        "010442079460958",
        "810442079460958",
        "442079460958",
        "＋１ ６１９ ５５５ ０１４２",
        "619-555-0142 619-555-0143",
    ] {
        for (before, after) in [
            ("", ""),
            ("call ", ", please"),
            ("tel:", ";ext=4"),
            ("2026-11-29, ", ""),
        ] {
            let text = format!("{before}{text}{after}");
            assert_eq!(found(FieldKind::Text, &text).len(), 1, "{text}");
        }
    }
    for text in [
        "Room4 619-555-0142",
        "619-555-0142 5th floor",
        "2026-11-29 20:21:47 619-555-0142",
        "room 12 6195550142",
        "619-555-0142x42",
    ] {
        let shown = found(FieldKind::Text, text).concat();
        assert!(shown.contains("619") && shown.contains("0142"), "{text}: {shown}");
    }
    assert_eq!(found(FieldKind::Text, "Room4 619-555-0142"), ["619-555-0142"]);
    assert_eq!(found(FieldKind::Text, "619-555-0142x42"), ["619-555-0142"]);
    assert_eq!(found(FieldKind::Text, "619-555-0142 ext. 42"), ["619-555-0142"]);
    assert_eq!(
        found(FieldKind::Text, "1795624039404 (619) 555-0142"),
        ["619) 555-0142"]
    );
}

#[test]
fn ids_instants_dates_and_codes_are_no_numbers() {
    for text in [
        "6412345678901248",
        "1795624039404",
        "1795624039",
        "246977236586496",
        "491791234567890",
        "6412345678901248 6512345678901248",
        "1795624039404 1795624039500",
        "CallCenter:5512345678901248",
        "8951.029999999999",
        "1234567.89",
        "4.4155550142",
        "2026-11-29",
        "29.11.2026 20:21",
        "2026-11-29 20:21:47",
        "2026-11-29T20:21:47.404Z",
        "2026-11-29T20:21:47.404+0100",
        "20:21:47 2026-11-29",
        "11/29/2026",
        "192.168.100.200",
        "550e8400-e29b-41d4-1716-446655440000",
        "https://example.com/2026/11/29/a",
        "deadbeef6195550142",
        "2025-2026",
        "10000-20000",
        "10000 20000",
        "8101234567890123",
        "8109999999999999",
        "IMG_20261129_202147",
        "2222-3333",
        "911",
        "88811",
        "",
    ] {
        assert_eq!(found(FieldKind::Text, text), Vec::<&str>::new(), "{text}");
        assert_eq!(found(FieldKind::Id, text), Vec::<&str>::new(), "{text}");
    }
    for text in ["81234567", "555-0142", "8123-4567"] {
        assert_eq!(found(FieldKind::Name, text), [text]);
        assert_eq!(found(FieldKind::Text, text), Vec::<&str>::new());
    }
    assert_eq!(found(FieldKind::Name, "6412345678901248"), Vec::<&str>::new());
}

#[test]
fn an_id_is_a_number_only_where_it_is_written_as_one() {
    for id in [
        "contact:+16195550142",
        "contact:(619) 555-0142",
        "call:16195550142",
    ] {
        assert_eq!(found(FieldKind::Id, id).len(), 1, "{id}");
    }
    for id in [
        "call:6195550142",
        "442079460958",
        "81 23 45 67",
        "call:6412345678901248",
        "replay:7:call:1001",
    ] {
        assert_eq!(found(FieldKind::Id, id).len(), 0, "{id}");
    }
}

proptest! {
    #[test]
    fn any_text_can_be_looked_through(text in ".{0,200}", digits in "[0-9 +().-]{0,60}") {
        let number: PhoneNumber = US.parse().unwrap();
        for text in [&text, &digits, &format!("{text}{digits}")] {
            let _ = number.occurs_in(text.as_bytes());
            let mut end = 0;
            for range in numbers_in(text, FieldKind::Text) {
                prop_assert!(range.start >= end && range.end <= text.len());
                end = range.end;
            }
        }
    }

    #[test]
    fn what_is_searched_for_is_found_as_the_world_writes_it(area in 200_u32..999, line in 2_000_000_u32..9_999_999) {
        let (exchange, rest) = (line / 10_000, line % 10_000);
        let number: PhoneNumber = format!("+1{area}{line}").parse().unwrap();
        for text in [
            format!("({area}) {exchange:03}-{rest:04}"),
            format!("+1 {area}-{exchange:03}-{rest:04}"),
            format!("{area}{exchange:03}{rest:04}"),
        ] {
            prop_assert!(number.occurs_in(text.as_bytes()), "{}", text);
        }
    }
}
