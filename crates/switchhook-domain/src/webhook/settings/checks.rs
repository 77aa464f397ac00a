//! Checks of the settings' values, named in their table: each refuses invalid values, and says which are valid.

use std::collections::BTreeMap;

use crate::credential::MASK;
use crate::quiet::QuietHours;
use crate::template::check_template_text;
use crate::webhook::authentication::{Auth, Authentication, LONGEST_PEM};

use super::{
    Bounds, HIGHEST_RATE, LONGEST_DISABLE_DAYS, LONGEST_HEADERS, LONGEST_MEDIA_TYPE, LONGEST_RETRY_STEP,
    MOST_EVENT_HEADERS, MOST_HEADERS, MOST_RETRY_STEPS,
};

#[expect(
    clippy::unnecessary_wraps,
    reason = "the checks of all settings are called alike"
)]
pub(super) fn any<T>(_value: &T, _bounds: &Bounds) -> Result<(), String> {
    Ok(())
}

fn within(value: Option<u32>, least: u32, most: u32) -> Result<(), String> {
    match value {
        Some(value) if !(least..=most).contains(&value) => {
            Err(format!("{value} is not between {least} and {most}"))
        }
        _ => Ok(()),
    }
}

pub(super) fn check_count(value: &Option<u32>, bounds: &Bounds) -> Result<(), String> {
    within(*value, 1, bounds.max_in_flight)
}

pub(super) fn check_timeout(value: &Option<u32>, bounds: &Bounds) -> Result<(), String> {
    within(*value, 1, bounds.timeout_ms)
}

pub(super) fn check_days(value: &Option<u32>, _bounds: &Bounds) -> Result<(), String> {
    within(*value, 0, LONGEST_DISABLE_DAYS)
}

pub(super) fn check_rate(value: &Option<f64>, _bounds: &Bounds) -> Result<(), String> {
    match value {
        Some(rate) if !(*rate > 0.0 && *rate <= HIGHEST_RATE) => Err(format!(
            "{rate} is not a number of attempts per second over 0 and up to {HIGHEST_RATE}; null for no limit"
        )),
        _ => Ok(()),
    }
}

pub(super) fn check_schedule(steps: &[u32], _bounds: &Bounds) -> Result<(), String> {
    if let Some(step) = steps
        .iter()
        .find(|step| !(1..=LONGEST_RETRY_STEP).contains(*step))
    {
        return Err(format!(
            "{step} is not a number of seconds between 1 and {LONGEST_RETRY_STEP}"
        ));
    }
    if steps.len() > MOST_RETRY_STEPS {
        return Err(format!("{} steps are more than {MOST_RETRY_STEPS}", steps.len()));
    }
    Ok(())
}

pub(super) fn check_media_type(value: &Option<String>, _bounds: &Bounds) -> Result<(), String> {
    match value {
        Some(text) if text.len() > LONGEST_MEDIA_TYPE || !text.contains('/') || !is_header_value(text) => {
            Err("write a media type such as application/jwt".to_owned())
        }
        _ => Ok(()),
    }
}

pub(super) fn check_auth(value: &Auth, _bounds: &Bounds) -> Result<(), String> {
    value.0.as_ref().map_or(Ok(()), Authentication::check)
}

/// Checks size and form. Whether it can be parsed is checked when connecting.
pub(super) fn check_ca(value: &Option<String>, _bounds: &Bounds) -> Result<(), String> {
    match value {
        Some(pem) if pem.len() > LONGEST_PEM => Err(format!("it is longer than {LONGEST_PEM} bytes")),
        Some(pem) if !pem.contains("-----BEGIN CERTIFICATE-----") => {
            Err("write certificates as PEM: -----BEGIN CERTIFICATE-----".to_owned())
        }
        _ => Ok(()),
    }
}

pub(super) fn check_quiet_hours(value: &Option<String>, _bounds: &Bounds) -> Result<(), String> {
    value
        .as_deref()
        .map_or(Ok(()), |text| QuietHours::parse(text).map(drop))
}

pub(super) fn check_template(value: &Option<String>, _bounds: &Bounds) -> Result<(), String> {
    value.as_deref().map_or(Ok(()), |text| {
        check_template_text(text).map_err(|error| error.to_string())
    })
}

pub(super) fn check_headers(headers: &BTreeMap<String, String>, _bounds: &Bounds) -> Result<(), String> {
    let length: usize = headers.iter().map(|(name, value)| name.len() + value.len()).sum();
    if headers.len() > MOST_HEADERS || length > LONGEST_HEADERS {
        return Err(format!(
            "at most {MOST_HEADERS} headers of together {LONGEST_HEADERS} bytes can be added"
        ));
    }
    for (name, value) in headers {
        let name = check_header_name(name)?;
        if !is_header_value(value) {
            return Err(format!("the value of `{name}` is no value of a header"));
        }
    }
    Ok(())
}

pub(super) fn check_event_headers(
    headers: &BTreeMap<String, String>,
    _bounds: &Bounds,
) -> Result<(), String> {
    if headers.len() > MOST_EVENT_HEADERS {
        return Err(format!(
            "at most {MOST_EVENT_HEADERS} headers can be made from an event"
        ));
    }
    for (name, text) in headers {
        let name = check_header_name(name)?;
        // One that was shown masked and comes back so stays.
        if text == MASK {
            continue;
        }
        if !text.contains("{{") && !text.contains("{%") {
            return Err(format!(
                "`{name}` has nothing of the event in it, such as {{{{ event.state }}}}: a header that is always the same is \
                 set under `headers`"
            ));
        }
        check_template_text(text).map_err(|error| format!("`{name}`: {error}"))?;
    }
    Ok(())
}

/// A header that a webhook may add, in lower case.
fn check_header_name(name: &str) -> Result<String, String> {
    let name = name.to_ascii_lowercase();
    if !is_header_name(&name) {
        return Err(format!("`{name}` is no name of a header"));
    }
    if is_ours(&name) {
        return Err(format!("`{name}` is set by the server and cannot be added"));
    }
    Ok(name)
}

/// A token of RFC 9110, §5.6.2.
fn is_header_name(name: &str) -> bool {
    let is_of_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    !name.is_empty() && name.bytes().all(is_of_token)
}

/// Visible ASCII, spaces and tabs.
pub(in crate::webhook) fn is_header_value(value: &str) -> bool {
    value
        .bytes()
        .all(|byte| byte == b'\t' || (0x20..0x7f).contains(&byte))
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
    OURS.contains(&name) || name.starts_with("switchhook-")
}
