//! Output and errors of templates, and the output of the ready ones.

use serde_json::Value as Json;

use super::*;

const CIRCUMSTANCES: TemplateContext = TemplateContext {
    kind: Kind::Call,
    event_id: EventId(7_730_318_061_039_616),
    delivery_id: DeliveryId(7_730_318_061_039_617),
    webhook_id: WebhookId(5),
    attempt: 2,
    created_at: Timestamp::from_millis(1_790_000_000_000),
};

const MISSED: &str = r#"{"call_id": 9007199254740993, "big": 123456789012345678901234567890, "state": "missed",
    "direction": "inbound", "duration": 149000.5, "contact": {"name": "Zoë \"Z\" <Smith> & Co", "phone": "+14155550100"},
    "entry_point_target": {"name": "Support"}, "labels": ["a", "b"], "note": null}"#;

fn filled(template: &str, content_type: Option<&str>) -> Result<String, TemplateError> {
    Template::parse(template, content_type)?.fill_in(MISSED.as_bytes(), CIRCUMSTANCES)
}

#[track_caller]
fn check(template: &str, content_type: &str, expected: &str) {
    assert_eq!(
        filled(template, Some(content_type)).as_deref(),
        Ok(expected),
        "{template}"
    );
}

#[track_caller]
fn check_error(template: &str, content_type: Option<&str>, expected: &str) {
    let error = filled(template, content_type).map_err(|error| error.to_string());
    let error = error.expect_err(template);
    assert!(error.contains(expected), "{template}: {error}");
}

#[test]
fn values_are_written_as_they_have_to_be_where_they_stand() {
    for (template, expected) in [
        (
            r#"{"a": "{{ event.contact.name }}"}"#,
            r#"{"a": "Zoë \"Z\" <Smith> & Co"}"#,
        ),
        (
            r#"{"a": {{ event.call_id }}, "b": {{ event.big }}}"#,
            r#"{"a": 9007199254740993, "b": 123456789012345678901234567890}"#,
        ),
        (
            r#"{"a": {{ event.labels }}, "n": "{{ event.note }}{{ event.missing.deep }}"}"#,
            r#"{"a": ["a", "b"], "n": ""}"#,
        ),
        (
            r#"{"id": "{{ event_id }}", "k": "{{ kind }}", "n": {{ attempt }}}"#,
            r#"{"id": "7730318061039616", "k": "call", "n": 2}"#,
        ),
        (r#"{"a": {{ event.state == "missed" }}}"#, r#"{"a": true}"#),
        (r#"{"d": "{{ event.duration|duration }}"}"#, r#"{"d": "2:29"}"#),
    ] {
        check(template, "application/json; charset=utf-8", expected);
    }
    check("{{ event.contact.name }}", "text/plain", "Zoë \"Z\" <Smith> & Co");
    check(
        "<a>{{ event.contact.name }}</a>",
        "application/xml",
        "<a>Zoë &quot;Z&quot; &lt;Smith&gt; &amp; Co</a>",
    );
    check("{{ event.contact.name|truncate(3) }}", "text/plain", "Zoë…");
}

#[test]
fn what_cannot_be_is_told_with_its_line() {
    check_error("{\"a\":\n{{ event.state }", None, "line 2: ");
    check_error("{}\n{{ event.state|shout }}", None, "line 2: ");
    check_error(
        "{\"a\":\n\n{{ event.state }}}",
        None,
        "line 3 of what it makes is not JSON: expected value",
    );
    check_error(
        "{% for a in range(100000) %}{% for b in range(100000) %}x{% endfor %}{% endfor %}",
        None,
        "too many steps",
    );
    check_error(
        "{% set a = event.state %}{{ a * 1000000 }}",
        Some("text/plain"),
        "too many steps",
    );
    check_error("{{ 'x' * 50000 }}", Some("text/plain"), "more than 16970 bytes");
    check_error(&"x".repeat(LONGEST_TEMPLATE + 1), None, "at most 16384");
    check_error(
        "slack-nothing",
        None,
        "there is no ready template `slack-nothing`: use one of discord-call, ",
    );
    check_error("{% include 'x' %}", None, "line 1: ");
}

#[test]
fn a_text_that_doubles_again_and_again_is_stopped() {
    let doubling = format!(
        "{{% set a = event.state %}}{}{{{{ a }}}}",
        "{% set a = a ~ a %}".repeat(200)
    );
    check_error(&doubling, Some("text/plain"), "too many steps");
}

#[test]
fn what_is_nested_too_deep_ends_neither_the_process_nor_the_delivery() {
    let nested = |levels| {
        let (open, close) = ("[".repeat(levels), "]".repeat(levels));
        format!(r#"{{"call_id": 1, "state": "x", "a": {open}1{close}}}"#)
    };
    let fill_in = |template: &str, event: &str| {
        let template = Template::parse(template, Some("text/plain"))?;
        template.fill_in(event.as_bytes(), CIRCUMSTANCES)
    };
    assert_eq!(fill_in("{{ event.state }}", &nested(300_000)).as_deref(), Ok("x"));
    let shown = fill_in("{{ event.a|tojson }}", &nested(102)).unwrap();
    let expected = format!("{}\"[[[1]]]\"{}", "[".repeat(99), "]".repeat(99));
    assert_eq!(shown, expected, "what lies deeper is a text");
}

/// Checks a message against what Slack, Teams and Discord document. They state the bounds in prose only: `chats.rs`
/// of the program's tests checks the rest with their packages.
fn is_taken(name: &str, body: &Json) -> bool {
    let text = |value: &Json, most: usize| {
        value
            .as_str()
            .is_some_and(|text| (1..=most).contains(&text.chars().count()))
    };
    // A text run is shown as it stands, where a text block would be read as Markdown.
    let runs = |inlines: &Json| {
        let mut runs = inlines.as_array().into_iter().flatten();
        runs.all(|run| run["type"] == "TextRun" && text(&run["text"], 10_000))
    };
    match name.split('-').next() {
        Some("slack") => text(&body["text"], 40_000) && body.as_object().is_some_and(|all| all.len() == 1),
        Some("discord") => {
            text(&body["content"], 2_000) && body["allowed_mentions"]["parse"] == serde_json::json!([])
        }
        _ => {
            let card = &body["attachments"][0];
            let content = &card["content"];
            body["type"] == "message"
                && card["contentType"] == "application/vnd.microsoft.card.adaptive"
                && content["type"] == "AdaptiveCard"
                && content["version"] == "1.4"
                && content["body"].as_array().is_some_and(|blocks| {
                    blocks
                        .iter()
                        .all(|block| block["type"] == "RichTextBlock" && runs(&block["inlines"]))
                })
        }
    }
}

#[test]
fn every_ready_template_makes_what_its_chat_takes_of_any_event() {
    let long = format!(
        r#"{{"contact": {{"name": "{0}"}}, "text": "{0}", "state": "hangup"}}"#,
        "long \\\"name ".repeat(2_000)
    );
    let message = r#"{"direction": "outbound", "to_number": ["+14155550100", "+14155550101"], "text": "line\nbreak \"quoted\" </script>",
        "target": {"name": "Office"}}"#;
    let inbound = r#"{"direction": "inbound", "from_number": "+14155550100", "text": null}"#;
    for ready in READY {
        let template = Template::parse(ready.name, None).unwrap();
        for event in [
            MISSED,
            message,
            inbound,
            &long,
            "{}",
            r#"{"contact": "odd", "to_number": 5, "duration": "x"}"#,
        ] {
            let body = template.fill_in(event.as_bytes(), CIRCUMSTANCES);
            let body = body.unwrap_or_else(|error| panic!("{} of {event:.200}: {error}", ready.name));
            let body = serde_json::from_str(&body).unwrap();
            assert!(is_taken(ready.name, &body), "{}: {body}", ready.name);
        }
    }
}

#[test]
fn whoever_calls_writes_no_markup_into_a_chat_and_no_more_than_it_takes() {
    let long = "long ".repeat(1_000);
    let hostile = |text: &str| {
        let own = serde_json::json!({"id": 1, "name": text, "phone": text});
        let event = serde_json::json!({
            "state": text, "direction": text, "text": text, "to_number": [text, text], "from_number": text,
            "contact": {"name": text, "phone": format!("{text}1")}, "entry_point_target": own, "target": own,
        });
        let outbound =
            serde_json::json!({"direction": "outbound", "to_number": [text], "text": text, "target": own});
        [event.to_string(), outbound.to_string()]
    };
    for ready in READY {
        let template = Template::parse(ready.name, None).unwrap();
        for event in hostile(&long).iter().chain(&hostile(&"[*".repeat(1_000))) {
            let body = template.fill_in(event.as_bytes(), CIRCUMSTANCES).unwrap();
            let body: Json = serde_json::from_str(&body).unwrap();
            assert!(is_taken(ready.name, &body), "{}: {body}", ready.name);
        }
        for event in hostile("<!channel> [click](http://evil.example)") {
            let body = template.fill_in(event.as_bytes(), CIRCUMSTANCES).unwrap();
            let body: Json = serde_json::from_str(&body).unwrap();
            assert!(is_taken(ready.name, &body), "{}: {body}", ready.name);
            let is_text = |said: &Json, marks: &[&str]| {
                let said = said.as_str().unwrap();
                marks
                    .iter()
                    .all(|mark| !said.replace(&format!("\\{mark}"), "").contains(*mark))
            };
            assert!(
                body["text"].is_null() || is_text(&body["text"], &["<", ">"]),
                "{body}"
            );
            assert!(
                body["content"].is_null() || is_text(&body["content"], &["<", "["]),
                "{body}"
            );
        }
    }
}

#[test]
fn a_ready_template_says_who_called() {
    let slack = Template::parse("slack-missed-call", None).unwrap();
    assert_eq!(
        slack.fill_in(MISSED.as_bytes(), CIRCUMSTANCES).unwrap(),
        r#"{"text": "Missed call from Zoë \"Z\" &lt;Smith&gt; &amp; Co (+14155550100) to Support"}"#
    );
}
