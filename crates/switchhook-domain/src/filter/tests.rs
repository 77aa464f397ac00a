//! Each operator, and invalid filters.

use super::*;

const EVENT: &str = r#"{
    "call_id": 9007199254740993, "state": "hangup", "duration": 8951.030, "labels": ["vip", "de"], "note": null,
    "big": 123456789012345678901234567890,
    "contact": {"name": "Zoë Smith", "type": "local", "id": "42"},
    "legs": [{"id": 1, "state": "ringing"}, {"id": 2, "state": "hangup"}]
}"#;

#[track_caller]
fn check(filter: &str, expected: bool) {
    let parsed = PayloadFilter::parse(filter).unwrap_or_else(|error| panic!("{filter}: {error}"));
    assert_eq!(parsed.lets_through(&JsonNode::of(EVENT)), expected, "{filter}");
}

#[test]
fn plain_values_are_equal_and_lists_have_one_of_the_elements() {
    for (filter, expected) in [
        (r#"{"state": "hangup"}"#, true),
        (r#"{"state": "Hangup"}"#, false),
        (r#"{"state": ["ringing", "hangup"]}"#, true),
        (r#"{"labels": "vip"}"#, true),
        (r#"{"labels": ["other", "de"]}"#, true),
        (r#"{"note": null}"#, true),
        (r#"{"missing": null}"#, false),
        (
            r#"{"contact": {"type": "local", "name": {"$startsWith": "Zo\u00eb"}}}"#,
            true,
        ),
        (r#"{"legs": {"id": 2, "state": "hangup"}}"#, true),
        (r#"{"legs": {"id": 1, "state": "hangup"}}"#, false),
    ] {
        check(filter, expected);
    }
}

#[test]
fn numbers_are_compared_as_numbers_and_no_id_is_rounded() {
    for (filter, expected) in [
        (r#"{"call_id": 9007199254740993}"#, true),
        (r#"{"call_id": 9007199254740992}"#, false),
        (r#"{"call_id": {"$gt": 9007199254740992}}"#, true),
        (r#"{"big": 123456789012345678901234567890}"#, true),
        (r#"{"big": 123456789012345678901234567891}"#, false),
        (r#"{"big": {"$lt": 123456789012345678901234567891}}"#, true),
        (r#"{"duration": 8951.03}"#, true),
        (r#"{"duration": {"$gte": 8951.03, "$lt": 8.95104e3}}"#, true),
        (r#"{"contact": {"id": 42}}"#, false),
        (r#"{"contact": {"id": "42"}}"#, true),
        (r#"{"contact": {"id": {"$gt": 41}}}"#, false),
    ] {
        check(filter, expected);
    }
}

#[test]
fn each_operator_does_as_it_is_told() {
    for (filter, expected) in [
        (r#"{"state": {"$eq": "hangup"}}"#, true),
        (r#"{"labels": {"$eq": ["vip", "de"]}}"#, true),
        (r#"{"labels": {"$eq": ["de", "vip"]}}"#, false),
        (
            r#"{"contact": {"$eq": {"type": "local", "id": "42", "name": "Zoë Smith"}}}"#,
            true,
        ),
        (r#"{"state": {"$neq": "hangup"}}"#, false),
        (r#"{"missing": {"$neq": 1}}"#, true),
        (r#"{"state": {"$gt": "hang"}}"#, true),
        (r#"{"state": {"$lte": "hang"}}"#, false),
        (r#"{"missing": {"$lte": 5}}"#, false),
        (r#"{"state": {"$in": ["a", "hangup"]}}"#, true),
        (r#"{"labels": {"$nin": ["a", "b"]}}"#, true),
        (r#"{"missing": {"$nin": ["a"]}}"#, true),
        (r#"{"contact": {"name": {"$endsWith": ["x", "Smith"]}}}"#, true),
        (r#"{"labels": {"$startsWith": "v"}}"#, true),
        (r#"{"contact": {"name": {"$contains": "ë S"}}}"#, true),
        (r#"{"labels": {"$contains": "vi"}}"#, false),
        (r#"{"labels": {"$contains": "vip"}}"#, true),
        (
            r#"{"note": {"$exist": true}, "missing": {"$exist": false}}"#,
            true,
        ),
        (r#"{"$or": [{"state": "ringing"}, {"labels": "de"}]}"#, true),
        (r#"{"duration": {"$or": [{"$lt": 10}, {"$gt": 9000}]}}"#, false),
        (
            r#"{"$and": [{"state": "hangup"}, {"duration": {"$gt": 1}}]}"#,
            true,
        ),
        (r#"{"$not": {"state": "hangup"}}"#, false),
        (r#"{"contact": {"type": {"$not": {"$in": ["shared"]}}}}"#, true),
        (r#"{"missing": {"deep": {"$exist": false}}}"#, true),
    ] {
        check(filter, expected);
    }
}

#[track_caller]
fn check_unmet(filter: &str, clause: &str, seen: Option<&str>) {
    let parsed = PayloadFilter::parse(filter).unwrap();
    let event = JsonNode::of(EVENT);
    let unmet = parsed.why_not(&event).expect("it does not hold");
    assert_eq!(
        (unmet.clause.as_str(), unmet.seen_in(&event).as_deref()),
        (clause, seen)
    );
}

#[test]
fn what_says_no_is_named_with_what_it_saw() {
    check_unmet(
        r#"{"state": "hangup", "duration": {"$gt": 9000}}"#,
        r#"duration: {"$gt":9000}"#,
        Some("8951.030"),
    );
    check_unmet(
        r#"{"contact": {"type": ["shared"]}}"#,
        r#"contact.type: ["shared"]"#,
        Some(r#""local""#),
    );
    check_unmet(
        r#"{"missing": {"$exist": true}}"#,
        r#"missing: {"$exist":true}"#,
        None,
    );
    check_unmet(
        r#"{"contact": {"$exist": false}}"#,
        r#"contact: {"$exist":false}"#,
        Some("an object with 3 members"),
    );
    check_unmet(
        r#"{"$not": {"state": "hangup"}}"#,
        r#"the event: {"$not":{"state":"hangup"}}"#,
        Some("an object with 8 members"),
    );
    check_unmet(
        r#"{"legs": {"id": 1, "state": "hangup"}}"#,
        "legs: no element has what is asked of id, state",
        Some(r#"[{"id": 1, "state": "ringing"}, {"id": 2, "state": "hangup"}]"#),
    );
}

#[test]
fn what_is_no_filter_is_refused_with_its_place() {
    let deep = format!("{}1{}", r#"{"a":"#.repeat(17), "}".repeat(17));
    let many = format!("{{\"a\":[{}1]}}", "1,".repeat(300));
    let long = format!("{{\"a\":\"{}\"}}", "x".repeat(MOST_BYTES));
    for (filter, message) in [
        ("", "filter: it is not JSON"),
        ("[1]", "filter: it must be an object"),
        ("{}", "filter: an empty object"),
        (r#"{"a": {}}"#, "filter.a: an empty object"),
        (
            r#"{"a": {"$gt": true}}"#,
            "filter.a.$gt: it takes a number or a text",
        ),
        (
            r#"{"a": {"$regex": "x"}}"#,
            "filter.a.$regex: `$regex` is not an operator: use one of $eq, ",
        ),
        (r#"{"a": {"$in": "x"}}"#, "filter.a.$in: it takes a list"),
        (r#"{"a": {"$in": []}}"#, "filter.a.$in: list at least one value"),
        (r#"{"$or": []}"#, "filter.$or: an empty list"),
        (
            r#"{"$or": [{"a": 1}, {"b": {"$exist": 1}}]}"#,
            "filter.$or.1.b.$exist: it takes true or false",
        ),
        (
            r#"{"a": {"$startsWith": 5}}"#,
            "filter.a.$startsWith: it takes a text",
        ),
        (
            r#"{"a": {"$contains": {"x": 1}}}"#,
            "filter.a.$contains: it takes one text",
        ),
        (&deep, "nested deeper than 16"),
        (&many, "more than 256 conditions"),
        (&long, "at most 16384 are taken"),
    ] {
        let error = PayloadFilter::parse(filter)
            .err()
            .map(|error| error.to_string())
            .unwrap_or_default();
        assert!(error.contains(message), "{filter:.100}: {error}");
    }
}

#[test]
fn equal_filters_have_the_same_json_and_keep_their_numbers() {
    let one = PayloadFilter::parse("{\"b\": 1.50, \"a\": {\"$in\": [ 1 ,2 ]}}").unwrap();
    let two = PayloadFilter::parse("{\"a\":{\"$in\":[1,2]},\"b\":1.50}").unwrap();
    assert_eq!(one, two);
    assert_eq!(one.as_json(), "{\"a\":{\"$in\":[1,2]},\"b\":1.50}");
    assert_eq!(serde_json::to_string(&one).unwrap(), one.as_json());
    assert_eq!(serde_json::from_str::<PayloadFilter>(one.as_json()).unwrap(), one);
}
