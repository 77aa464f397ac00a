//! Valid values, effects of changes, and the shown form.

use super::*;

const BOUNDS: Bounds = Bounds {
    max_in_flight: 100,
    timeout_ms: 50_000,
};

fn patch(json: &str) -> SettingsPatch {
    serde_json::from_str::<WebhookRequest>(json).unwrap().settings()
}

#[track_caller]
fn check(json: &str, message: &str) {
    let error = patch(json).check(&BOUNDS).unwrap_err();
    assert!(error.contains(message), "{error}");
}

#[test]
fn settings_out_of_bounds_are_refused_by_name() {
    for (json, message) in [
        (r#"{"timeout_ms": 0}"#, "timeout_ms: 0 is not between 1 and 50000"),
        (
            r#"{"connect_timeout_ms": 60000}"#,
            "connect_timeout_ms: 60000 is not between",
        ),
        (
            r#"{"max_in_flight": 101}"#,
            "max_in_flight: 101 is not between 1 and 100",
        ),
        (r#"{"rate": 0}"#, "rate: 0 is not"),
        (
            r#"{"quiet_hours": "at night"}"#,
            "quiet_hours: `at` are not hours",
        ),
        (r#"{"retry_schedule": [5, 0]}"#, "retry_schedule: 0 is not"),
        (
            r#"{"disable_after_days": 400}"#,
            "disable_after_days: 400 is not between 0 and 365",
        ),
        (
            r#"{"jwt_content_type": "jwt"}"#,
            "jwt_content_type: write a media type",
        ),
        (r#"{"headers": {"Host": "a"}}"#, "`host` is set by the server"),
        (
            r#"{"headers": {"Switchhook-Event-Id": "1"}}"#,
            "`switchhook-event-id` is set by the server",
        ),
        (
            r#"{"event_headers": {"Host": "{{ event.state }}"}}"#,
            "event_headers: `host` is set by the server",
        ),
        (
            r#"{"event_headers": {"X-Team": "telephony"}}"#,
            "`x-team` has nothing of the event in it, such as {{ event.state }}",
        ),
        (
            r#"{"headers": {"Transfer-Encoding": "chunked"}}"#,
            "`transfer-encoding` is set",
        ),
        (r#"{"headers": {"a b": "1"}}"#, "`a b` is no name"),
        (r#"{"headers": {"": "1"}}"#, "`` is no name"),
        (r#"{"headers": {"x": "1\n2"}}"#, "the value of `x` is no value"),
        (r#"{"headers": {"x": "é"}}"#, "the value of `x` is no value"),
    ] {
        check(json, message);
    }
    let fine = r#"{"timeout_ms": 50000, "disable_after_days": 0, "rate": 0.5, "headers": {"X-A": ""}}"#;
    assert_eq!(patch(fine).check(&BOUNDS), Ok(()));
}

#[test]
fn what_is_not_sent_stays_and_null_follows_the_server() {
    let json = r#"{"profile": "dialpad", "rate": 2.5, "headers": {"X-Team": "a"}, "retry_schedule": [1]}"#;
    let settings = patch(json).apply(WebhookSettings::default());
    assert_eq!(settings.profile, Some(Profile::Dialpad));
    let cleared = r#"{"profile": null, "hide_secret": true, "retry_schedule": null}"#;
    let settings = patch(cleared).apply(settings);
    assert_eq!((settings.profile, settings.rate), (None, Some(2.5)));
    assert_eq!(settings.headers["x-team"], "a");
    assert!(settings.retry_schedule.is_empty());
    assert!(settings.hide_secret);
}

#[test]
fn a_value_that_was_shown_masked_can_be_sent_back() {
    let settings = patch(r#"{"headers": {"X-Api-Key": "s3cret"}}"#).apply(WebhookSettings::default());
    let again = patch(r#"{"headers": {"X-Api-Key": "***", "X-Team": "a"}}"#);
    assert_eq!(again.unknown_mask(&settings), None);
    let settings = again.apply(settings);
    assert_eq!(settings.headers["x-api-key"], "s3cret");
    assert_eq!(settings.headers["x-team"], "a");
    let unknown = patch(r#"{"headers": {"X-Other-Key": "***"}}"#);
    assert_eq!(unknown.unknown_mask(&settings), Some(("headers", "X-Other-Key")));
    let made = r#"{"event_headers": {"X-Api-Key": "k3y {{ event.state }}"}}"#;
    let settings = patch(made).apply(settings);
    let back = patch(r#"{"event_headers": {"x-api-key": "***", "X-State": "{{ event.state }}"}}"#);
    assert_eq!(
        (back.check(&BOUNDS), back.unknown_mask(&settings)),
        (Ok(()), None)
    );
    assert_eq!(
        back.apply(settings.clone()).event_headers["x-api-key"],
        "k3y {{ event.state }}"
    );
    let unknown = patch(r#"{"event_headers": {"X-Other": "***"}}"#);
    assert_eq!(
        unknown.unknown_mask(&settings),
        Some(("event_headers", "X-Other"))
    );
}

#[test]
fn what_credentials_are_concerned_by() {
    let before = r#"{"headers": {"X-Api-Key": "s3cret", "X-Team": "a"}, "hide_secret": true,
        "event_headers": {"X-Key": "k {{ event.id }}", "X-Id": "{{ event.id }}"}}"#;
    let before = patch(before).apply(WebhookSettings::default());
    for (json, expected) in [
        (r#"{"rate": 1}"#, false),
        (r#"{"headers": {"X-Api-Key": "***", "X-Team": "a"}}"#, false),
        (r#"{"headers": {"X-Api-Key": "s3cret", "X-Team": "a"}}"#, true),
        (r#"{"headers": {"X-Api-Key": "***", "X-Team": "b"}}"#, true),
        (r#"{"headers": null}"#, true),
        (r#"{"event_headers": {"X-State": "{{ event.state }}"}}"#, true),
        (
            r#"{"event_headers": {"X-Key": "***", "X-Id": "{{ event.id }}"}}"#,
            false,
        ),
        (r#"{"event_headers": {"X-Key": "***"}}"#, true),
        (
            r#"{"event_headers": {"X-Key": "k {{ event.id }}", "X-Id": "{{ event.id }}"}}"#,
            true,
        ),
        (r#"{"hide_secret": true}"#, false),
        (r#"{"hide_secret": null}"#, true),
    ] {
        assert_eq!(patch(json).concerns_credentials(&before), expected, "{json}");
    }
}

#[test]
fn every_setting_is_shown_and_what_follows_the_server_is_null() {
    let shown = serde_json::to_value(SettingsView(WebhookSettings::default())).unwrap();
    let shown = shown.as_object().unwrap();
    assert!(SETTINGS.iter().all(|setting| shown.contains_key(setting.name)));
    assert_eq!(shown.len(), SETTINGS.len());
    assert_eq!(shown["retry_schedule"], serde_json::Value::Null);
    assert_eq!(shown["headers"], serde_json::json!({}));
}
