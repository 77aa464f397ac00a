//! What a webhook's settings can be: every value is checked, and a refusal names its field.

use std::collections::BTreeMap;

use http::{HeaderName, HeaderValue};
use switchhook_domain::credential::MASK;
use switchhook_domain::webhook::{
    HIGHEST_RATE, LONGEST_DISABLE_DAYS, LONGEST_HEADERS, LONGEST_RETRY_STEP, MOST_HEADERS, MOST_RETRY_STEPS,
    WebhookSettings,
};
use switchhook_protocol::headers;

use super::SettingsRequest;
use crate::api::error::ApiError;
use crate::api::request::Field;
use switchhook_node::settings::Settings;

/// How far the settings of a webhook may go on this server.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bounds {
    pub(crate) max_in_flight: u32,
    pub(crate) timeout_ms: u32,
    pub(crate) allow_http: bool,
}

impl Bounds {
    /// An attempt must end within its claim's lease.
    pub(crate) fn of(settings: &Settings) -> Self {
        let longest = settings.delivery.longest_attempt.as_millis();
        Self {
            max_in_flight: settings.max_in_flight,
            timeout_ms: u32::try_from(longest).unwrap_or(u32::MAX),
            allow_http: settings.hook_allow_http,
        }
    }
}

/// The settings with a request's changes, if all of them can be.
pub(super) fn changed(
    settings: WebhookSettings,
    request: SettingsRequest,
    bounds: &Bounds,
) -> Result<WebhookSettings, ApiError> {
    let timeout = |name, field: Field<u32>| within(name, field, bounds.timeout_ms);
    let headers = request
        .headers
        .change()
        .map(|headers| checked_headers(headers.unwrap_or_default(), &settings.headers));
    Ok(WebhookSettings {
        profile: request.profile.change().unwrap_or(settings.profile),
        ordered: request.ordered.change().unwrap_or(settings.ordered),
        max_in_flight: within("max_in_flight", request.max_in_flight, bounds.max_in_flight)?
            .unwrap_or(settings.max_in_flight),
        rate: checked_rate(request.rate)?.unwrap_or(settings.rate),
        connect_timeout_ms: timeout("connect_timeout_ms", request.connect_timeout_ms)?
            .unwrap_or(settings.connect_timeout_ms),
        head_timeout_ms: timeout("head_timeout_ms", request.head_timeout_ms)?
            .unwrap_or(settings.head_timeout_ms),
        timeout_ms: timeout("timeout_ms", request.timeout_ms)?.unwrap_or(settings.timeout_ms),
        retry_schedule: checked_schedule(request.retry_schedule)?.unwrap_or(settings.retry_schedule),
        disable_after_days: match request.disable_after_days {
            Field::Given(0) => Some(0),
            days => within("disable_after_days", days, LONGEST_DISABLE_DAYS)?
                .unwrap_or(settings.disable_after_days),
        },
        headers: headers.transpose()?.unwrap_or(settings.headers),
        jwt_content_type: checked_content_type(request.jwt_content_type)?
            .unwrap_or(settings.jwt_content_type),
        hide_secret: request
            .hide_secret
            .change_or(false)
            .unwrap_or(settings.hide_secret),
        announce_kid: request
            .announce_kid
            .change_or(false)
            .unwrap_or(settings.announce_kid),
    })
}

fn within(name: &str, field: Field<u32>, most: u32) -> Result<Option<Option<u32>>, ApiError> {
    match field {
        Field::Given(value) if !(1..=most).contains(&value) => Err(ApiError::invalid(format!(
            "{name}: {value} is not between 1 and {most}"
        ))),
        field => Ok(field.change()),
    }
}

fn checked_schedule(schedule: Field<Vec<u32>>) -> Result<Option<Vec<u32>>, ApiError> {
    let Some(steps) = schedule.change().map(Option::unwrap_or_default) else {
        return Ok(None);
    };
    if let Some(step) = steps
        .iter()
        .find(|step| !(1..=LONGEST_RETRY_STEP).contains(*step))
    {
        return Err(ApiError::invalid(format!(
            "retry_schedule: {step} is not a number of seconds between 1 and {LONGEST_RETRY_STEP}"
        )));
    }
    if steps.len() > MOST_RETRY_STEPS {
        return Err(ApiError::invalid(format!(
            "retry_schedule: {} steps are more than {MOST_RETRY_STEPS}",
            steps.len()
        )));
    }
    Ok(Some(steps))
}

fn checked_rate(rate: Field<f64>) -> Result<Option<Option<f64>>, ApiError> {
    match rate {
        Field::Given(rate) if !(rate > 0.0 && rate <= HIGHEST_RATE) => Err(ApiError::invalid(format!(
            "rate: {rate} is not a number of attempts a second over 0 and up to {HIGHEST_RATE}; null for no limit"
        ))),
        rate => Ok(rate.change()),
    }
}

fn checked_content_type(value: Field<String>) -> Result<Option<Option<String>>, ApiError> {
    match value {
        Field::Given(text)
            if text.len() > 127 || !text.contains('/') || HeaderValue::from_str(&text).is_err() =>
        {
            Err(ApiError::invalid(
                "jwt_content_type: write a media type such as application/jwt",
            ))
        }
        value => Ok(value.change()),
    }
}

fn checked_headers(
    headers: BTreeMap<String, String>,
    before: &BTreeMap<String, String>,
) -> Result<BTreeMap<String, String>, ApiError> {
    let length: usize = headers.iter().map(|(name, value)| name.len() + value.len()).sum();
    if headers.len() > MOST_HEADERS || length > LONGEST_HEADERS {
        return Err(ApiError::invalid(format!(
            "headers: at most {MOST_HEADERS} headers of together {LONGEST_HEADERS} bytes can be added"
        )));
    }
    let checked = headers.into_iter().map(checked_header);
    checked.map(|header| with_kept_value(header?, before)).collect()
}

/// What was shown masked and comes back so stays as it is.
fn with_kept_value(
    (name, value): (String, String),
    before: &BTreeMap<String, String>,
) -> Result<(String, String), ApiError> {
    if value != MASK {
        return Ok((name, value));
    }
    match before.get(&name) {
        Some(kept) => Ok((name, kept.clone())),
        None => Err(ApiError::invalid(format!(
            "headers: {MASK} keeps the value that is there, and there is no `{name}` yet: write its value"
        ))),
    }
}

fn checked_header((name, value): (String, String)) -> Result<(String, String), ApiError> {
    let name: HeaderName = name
        .parse()
        .map_err(|_| ApiError::invalid(format!("headers: `{name}` is no name of a header")))?;
    if is_ours(name.as_str()) {
        return Err(ApiError::invalid(format!(
            "headers: `{name}` is set by the server and cannot be added"
        )));
    }
    if HeaderValue::from_str(&value).is_err() {
        return Err(ApiError::invalid(format!(
            "headers: the value of `{name}` is no value of a header"
        )));
    }
    Ok((name.to_string(), value))
}

/// Headers that belong to one connection, to the body, or to us.
fn is_ours(name: &str) -> bool {
    const OURS: [&str; 14] = [
        "connection",
        "content-encoding",
        "content-length",
        "content-type",
        "expect",
        "host",
        "keep-alive",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
        "user-agent",
    ];
    OURS.contains(&name) || name.starts_with(headers::PREFIX)
}

#[cfg(test)]
mod tests {
    use switchhook_domain::retry::Profile;

    use super::*;

    const BOUNDS: Bounds = Bounds {
        max_in_flight: 100,
        timeout_ms: 50_000,
        allow_http: false,
    };

    #[track_caller]
    fn check(json: &str, message: &str) {
        let request = serde_json::from_str(json).unwrap();
        let error = changed(WebhookSettings::default(), request, &BOUNDS).unwrap_err();
        assert!(error.clone().body().message.contains(message), "{error:?}");
    }

    #[test]
    fn settings_out_of_bounds_are_refused_by_name() {
        check(r#"{"timeout_ms": 0}"#, "timeout_ms: 0 is not between 1 and 50000");
        check(
            r#"{"connect_timeout_ms": 60000}"#,
            "connect_timeout_ms: 60000 is not between",
        );
        check(
            r#"{"max_in_flight": 101}"#,
            "max_in_flight: 101 is not between 1 and 100",
        );
        check(r#"{"rate": 0}"#, "rate: 0 is not");
        check(r#"{"retry_schedule": [5, 0]}"#, "retry_schedule: 0 is not");
        check(
            r#"{"disable_after_days": 400}"#,
            "disable_after_days: 400 is not between 1 and 365",
        );
        check(
            r#"{"jwt_content_type": "jwt"}"#,
            "jwt_content_type: write a media type",
        );
        check(r#"{"headers": {"Host": "a"}}"#, "`host` is set by the server");
        check(
            r#"{"headers": {"Switchhook-Event-Id": "1"}}"#,
            "`switchhook-event-id` is set by the server",
        );
        check(
            r#"{"headers": {"Transfer-Encoding": "chunked"}}"#,
            "`transfer-encoding` is set",
        );
        check(r#"{"headers": {"a b": "1"}}"#, "`a b` is no name");
        check(r#"{"headers": {"x": "1\n2"}}"#, "the value of `x` is no value");
    }

    #[test]
    fn what_is_not_sent_stays_and_null_follows_the_server() {
        let json = r#"{"profile": "dialpad", "rate": 2.5, "headers": {"X-Team": "a"}}"#;
        let request = serde_json::from_str(json).unwrap();
        let settings = changed(WebhookSettings::default(), request, &BOUNDS).unwrap();
        assert_eq!(settings.profile, Some(Profile::Dialpad));
        let request = serde_json::from_str(r#"{"profile": null, "hide_secret": true}"#).unwrap();
        let settings = changed(settings, request, &BOUNDS).unwrap();
        assert_eq!(settings.profile, None);
        assert_eq!(settings.rate, Some(2.5));
        assert_eq!(settings.headers["x-team"], "a");
        assert!(settings.hide_secret);
    }

    #[test]
    fn a_value_that_was_shown_masked_can_be_sent_back() {
        let request = serde_json::from_str(r#"{"headers": {"X-Api-Key": "s3cret"}}"#).unwrap();
        let settings = changed(WebhookSettings::default(), request, &BOUNDS).unwrap();
        let request = serde_json::from_str(r#"{"headers": {"X-Api-Key": "***", "X-Team": "a"}}"#).unwrap();
        let settings = changed(settings, request, &BOUNDS).unwrap();
        assert_eq!(settings.headers["x-api-key"], "s3cret");
        assert_eq!(settings.headers["x-team"], "a");
        check(r#"{"headers": {"X-Api-Key": "***"}}"#, "no `x-api-key` yet");
    }
}
