//! The settings of a webhook: one table of what there is, and everything that follows from it.
//!
//! A row makes the field that is kept, the field of a change, and what the API's document, the command line and the
//! dashboard's form say of it. How far values may go is checked here too; what a setting does is up to who sends.

use std::collections::BTreeMap;

use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::authentication::{Auth, Authentication, LONGEST_PEM};
use crate::credential::{MASK, shown_value};
use crate::quiet::QuietHours;
use crate::retry::Profile;
use crate::template::{HeaderTemplate, Template};

/// The highest rate that a webhook or a replay can be given, per second; who wants more gives none.
pub const HIGHEST_RATE: f64 = 100_000.0;

/// The most steps of a [`WebhookSettings::retry_schedule`].
pub const MOST_RETRY_STEPS: usize = 100;

/// The longest step of a [`WebhookSettings::retry_schedule`], in seconds.
pub const LONGEST_RETRY_STEP: u32 = 7 * 24 * 3_600;

/// The most days that a webhook can fail before it is disabled, if it ever is.
pub const LONGEST_DISABLE_DAYS: u32 = 365;

/// The most [`WebhookSettings::headers`].
pub const MOST_HEADERS: usize = 32;

/// The most bytes that [`WebhookSettings::headers`] have together.
pub const LONGEST_HEADERS: usize = 8 * 1024;

/// The most [`WebhookSettings::event_headers`].
pub const MOST_EVENT_HEADERS: usize = 8;

/// How values of a setting are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// One of a few words.
    Word(&'static [&'static str]),
    /// Yes or no, or what follows from something else, which is said in a few words.
    YesNoOr(&'static str),
    /// Yes or no; no unless it is set.
    YesNo,
    /// A whole number from 1.
    Count,
    /// A time in milliseconds from 1.
    Millis,
    /// A number of times a second, over 0.
    Rate,
    /// Times in seconds, from 1 each.
    Seconds,
    /// A number of days from 0, which means never.
    Days,
    /// Names and values of headers.
    Headers,
    /// Names of headers, and the templates of their values.
    EventHeaders,
    /// A media type.
    MediaType,
    /// A template, or the name of a ready one.
    Template,
    /// An object that says how to show who sends.
    Auth,
    /// Certificates, as PEM.
    Pem,
    /// Hours of each day, and their time zone.
    Hours,
}

/// A setting, as everybody is told of it who can set it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Setting {
    /// The name of its member in JSON.
    pub name: &'static str,
    /// Its label in a form.
    pub label: &'static str,
    /// What it does, in a sentence without an end.
    pub help: &'static str,
    /// How its values are written.
    pub form: Form,
    /// An example of a value, as people write it.
    pub example: &'static str,
}

/// How far the settings of a webhook may go on a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// The most attempts under way at once.
    pub max_in_flight: u32,
    /// The longest time for an attempt and each part of it, in milliseconds.
    pub timeout_ms: u32,
}

macro_rules! settings {
    ($($name:ident: $type:ty, $label:literal, $form:expr, $example:literal, $check:ident, $help:literal;)+) => {
        /// What a webhook sets for itself; what is `None`, empty or false follows the server.
        #[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
        #[serde(default)]
        pub struct WebhookSettings {
            $(
                #[doc = $help]
                #[serde(skip_serializing_if = "is_default")]
                pub $name: $type,
            )+
        }

        /// A change of settings: what is `None` stays, a default follows the server again.
        #[derive(Debug, Clone, Default, PartialEq)]
        pub struct SettingsPatch {
            $(
                #[doc = $help]
                pub $name: Option<$type>,
            )+
        }

        /// A webhook to make, or a change of one, as a request says it: what is not there stays, null clears.
        #[derive(Clone, Default, Serialize, Deserialize)]
        #[serde(default, deny_unknown_fields, expecting = "a JSON object")]
        pub struct WebhookRequest {
            /// Where deliveries are posted to.
            #[serde(deserialize_with = "given", skip_serializing_if = "Option::is_none")]
            pub hook_url: Option<Option<String>>,
            /// The secret that deliveries are signed with.
            #[serde(deserialize_with = "given", skip_serializing_if = "Option::is_none")]
            pub secret: Option<Option<String>>,
            $(
                #[doc = $help]
                #[serde(deserialize_with = "given", skip_serializing_if = "Option::is_none")]
                pub $name: Option<$type>,
            )+
        }

        /// Every setting, in the order in which they are shown.
        pub const SETTINGS: &[Setting] = &[
            $(Setting { name: stringify!($name), label: $label, help: $help, form: $form, example: $example },)+
        ];

        impl WebhookRequest {
            /// Its settings alone.
            #[must_use]
            pub fn settings(self) -> SettingsPatch {
                SettingsPatch { $($name: self.$name,)+ }
            }
        }

        impl SettingsPatch {
            /// The settings with this change.
            #[must_use]
            pub fn apply(self, settings: WebhookSettings) -> WebhookSettings {
                WebhookSettings {
                    $($name: match self.$name {
                        Some(value) => value.in_place_of(settings.$name),
                        None => settings.$name,
                    },)+
                }
            }

            /// Whether the settings can be changed so on a server with these bounds.
            ///
            /// # Errors
            /// Names the setting and says what it can be.
            pub fn check(&self, bounds: &Bounds) -> Result<(), String> {
                $(if let Some(value) = &self.$name {
                    $check(value, bounds).map_err(|why| format!("{}: {why}", stringify!($name)))?;
                })+
                Ok(())
            }
        }

        /// Settings as they are shown: all of them, null for what follows the server.
        #[derive(Debug, Clone, PartialEq)]
        pub struct ShownSettings(pub WebhookSettings);

        impl Serialize for ShownSettings {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                let mut map = serializer.serialize_map(Some(SETTINGS.len()))?;
                $(map.serialize_entry(stringify!($name), &self.0.$name.shown())?;)+
                map.end()
            }
        }
    };
}

settings! {
    profile: Option<Profile>, "Retry rules", Form::Word(&["durable", "dialpad"]), "durable", any,
        "Retry rules: `durable` (for days, in order) or `dialpad` (exactly as Dialpad)";
    ordered: Option<bool>, "Order", Form::YesNoOr("as the retry rules"), "true", any,
        "Whether deliveries of one call, message, agent or contact go one after the other";
    max_in_flight: Option<u32>, "Concurrency", Form::Count, "64", check_count,
        "How many deliveries are sent at once";
    rate: Option<f64>, "Attempts per second", Form::Rate, "50", check_rate,
        "Attempts per second at most; null for no limit";
    connect_timeout_ms: Option<u32>, "Connect timeout", Form::Millis, "5000", check_timeout,
        "How long connecting may take";
    head_timeout_ms: Option<u32>, "Response timeout", Form::Millis, "10000", check_timeout,
        "How long the receiver may take to begin its answer once connected; null for as long as the attempt";
    timeout_ms: Option<u32>, "Attempt timeout", Form::Millis, "15000", check_timeout,
        "How long a whole attempt may take";
    retry_schedule: Vec<u32>, "Retry schedule", Form::Seconds, "5, 30, 120", check_schedule,
        "Seconds to wait after the first, second, … failure, ±20 %, before the delivery is given up (`durable` only); \
         null for the profile's own";
    disable_after_days: Option<u32>, "Disable after", Form::Days, "5", check_days,
        "Days without a success after which the webhook is disabled until it is resumed; 0 for never";
    headers: BTreeMap<String, String>, "Headers", Form::Headers, "X-Team: telephony", check_headers,
        "Headers added to every attempt, all of them; the value `***` keeps the one that is set";
    event_headers: BTreeMap<String, String>, "Headers of the event", Form::EventHeaders, "X-Call-State: {{ event.state }}", check_event_headers,
        "Headers that templates make from the event for every delivery, all of them";
    idempotency_key: bool, "Idempotency-Key", Form::YesNo, "true", any,
        "Whether deliveries carry `Idempotency-Key`: the delivery's id, the same for each of its attempts";
    quiet_hours: Option<String>, "Quiet hours", Form::Hours, "22:00-07:00 Europe/Berlin", check_quiet_hours,
        "The hours of each day, with their time zone, in which nothing is sent: what comes then waits until they end";
    jwt_content_type: Option<String>, "Content-Type of signed deliveries", Form::MediaType, "application/jwt", check_media_type,
        "The `Content-Type` of signed deliveries, for receivers that cannot take `application/jwt`";
    hide_secret: bool, "Hide the secret", Form::YesNo, "true", any,
        "Whether API answers and the dashboard leave the secret out";
    announce_kid: bool, "Announce kid", Form::YesNo, "true", any,
        "Whether the header of signed deliveries names the secret (`kid`)";
    standard_webhooks: bool, "Standard Webhooks", Form::YesNo, "true", any,
        "Whether deliveries carry the headers `webhook-id`, `webhook-timestamp` and `webhook-signature` of Standard Webhooks, \
         made with the secret";
    jwt: Option<bool>, "Body as a JWT", Form::YesNoOr("with a secret"), "false", any,
        "Whether the body of a webhook with a secret is a signed JWT; false for plain JSON, which libraries for Standard \
         Webhooks expect; null for a JWT, unless there is a template";
    template: Option<String>, "Template", Form::Template, "slack-missed-call", check_template,
        "The template that makes the body of deliveries from the event, or the name of a ready one";
    content_type: Option<String>, "Content-Type of other deliveries", Form::MediaType, "application/json", check_media_type,
        "The `Content-Type` of deliveries that are not JWTs, such as those that a template makes; null for `application/json`";
    auth: Auth, "Authentication", Form::Auth, r#"{"type": "bearer", "token": "…"}"#, check_auth,
        "How deliveries show the receiver whom they are from: `bearer` (token), `basic` (username, password), `oauth2` (token_url, \
         client_id, client_secret, scope) or `mtls` (cert, key); the value `***` keeps the one that is set";
    ca: Option<String>, "Certificate authority", Form::Pem, "-----BEGIN CERTIFICATE-----", check_ca,
        "The certificates (PEM) of the authority that alone may vouch for the receiver; null for those that the server trusts";
}

impl SettingsPatch {
    /// Whether nothing changes.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Whether the change shows or says something that only those may know or decide who may see what the webhook gets:
    /// its secret, how that signs, what is made of the events, and the headers by which receivers know us and proxies find their way.
    ///
    /// A credential among the headers counts even if it is the one that is set: which one that is must not be found out by
    /// trying.
    #[must_use]
    pub fn concerns_credentials(&self, before: &WebhookSettings) -> bool {
        let shows_secret = before.hide_secret && self.hide_secret == Some(false);
        let shows_otherwise = self.auth.as_ref().is_some_and(|auth| {
            let names_secret = auth.0.as_ref().is_some_and(Authentication::names_secret);
            names_secret || auth.clone().kept_over(&before.auth) != before.auth
        }) || self.ca.as_ref().is_some_and(|ca| *ca != before.ca);
        let makes_otherwise = self
            .template
            .as_ref()
            .is_some_and(|template| *template != before.template)
            || self
                .content_type
                .as_ref()
                .is_some_and(|content_type| *content_type != before.content_type);
        let tells_otherwise = self
            .event_headers
            .as_ref()
            .is_some_and(|headers| *headers != before.event_headers);
        let signs_otherwise = shows_otherwise
            || tells_otherwise
            || makes_otherwise
            || self.jwt.is_some_and(|jwt| jwt != before.jwt)
            || self
                .standard_webhooks
                .is_some_and(|standard| standard != before.standard_webhooks);
        let Some(headers) = &self.headers else {
            return shows_secret || signs_otherwise;
        };
        let names_credential = headers
            .iter()
            .any(|(name, value)| value != MASK && shown_value(name, value) != *value);
        shows_secret
            || signs_otherwise
            || names_credential
            || headers.clone().in_place_of(before.headers.clone()) != before.headers
    }

    /// The header whose masked value was sent back although none is set.
    #[must_use]
    pub fn unknown_mask(&self, before: &WebhookSettings) -> Option<&str> {
        let headers = self.headers.as_ref()?.iter();
        let mut masked = headers.filter(|(_, value)| *value == MASK);
        let unknown = masked.find(|(name, _)| !before.headers.contains_key(&name.to_ascii_lowercase()));
        unknown.map(|(name, _)| name.as_str())
    }
}

impl SettingsPatch {
    /// Whether credentials were sent back masked although none of their type are set.
    #[must_use]
    pub fn has_unknown_auth(&self, before: &WebhookSettings) -> bool {
        let auth = self.auth.as_ref();
        auth.is_some_and(|auth| auth.has_unknown_mask(&before.auth))
    }
}

/// A value of a setting.
trait Value: Sized {
    /// What is kept where `before` was.
    fn in_place_of(self, _before: Self) -> Self {
        self
    }

    /// What is shown.
    fn shown(&self) -> impl Serialize;
}

impl<T: Serialize> Value for Option<T> {
    fn shown(&self) -> impl Serialize {
        self
    }
}

impl Value for Auth {
    fn in_place_of(self, before: Self) -> Self {
        self.kept_over(&before)
    }

    fn shown(&self) -> impl Serialize {
        self.0.as_ref().map(Authentication::masked)
    }
}

impl Value for bool {
    fn shown(&self) -> impl Serialize {
        self
    }
}

impl Value for Vec<u32> {
    fn shown(&self) -> impl Serialize {
        Some(self).filter(|steps| !steps.is_empty())
    }
}

impl Value for BTreeMap<String, String> {
    /// Names are kept in lower case. A value that was shown masked and comes back so stays.
    fn in_place_of(self, mut before: Self) -> Self {
        let kept = self.into_iter().filter_map(|(name, value)| {
            let name = name.to_ascii_lowercase();
            let value = if value == MASK {
                before.remove(&name)?
            } else {
                value
            };
            Some((name, value))
        });
        kept.collect()
    }

    fn shown(&self) -> impl Serialize {
        self
    }
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// Tells null, which is a default, from what is not there.
fn given<'de, T: Deserialize<'de> + Default, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<T>, D::Error> {
    let value = Option::<T>::deserialize(deserializer)?;
    Ok(Some(value.unwrap_or_default()))
}

#[expect(
    clippy::unnecessary_wraps,
    reason = "the checks of all settings are called alike"
)]
fn any<T>(_value: &T, _bounds: &Bounds) -> Result<(), String> {
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

fn check_count(value: &Option<u32>, bounds: &Bounds) -> Result<(), String> {
    within(*value, 1, bounds.max_in_flight)
}

fn check_timeout(value: &Option<u32>, bounds: &Bounds) -> Result<(), String> {
    within(*value, 1, bounds.timeout_ms)
}

fn check_days(value: &Option<u32>, _bounds: &Bounds) -> Result<(), String> {
    within(*value, 0, LONGEST_DISABLE_DAYS)
}

fn check_rate(value: &Option<f64>, _bounds: &Bounds) -> Result<(), String> {
    match value {
        Some(rate) if !(*rate > 0.0 && *rate <= HIGHEST_RATE) => Err(format!(
            "{rate} is not a number of attempts per second over 0 and up to {HIGHEST_RATE}; null for no limit"
        )),
        _ => Ok(()),
    }
}

fn check_schedule(steps: &[u32], _bounds: &Bounds) -> Result<(), String> {
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

fn check_media_type(value: &Option<String>, _bounds: &Bounds) -> Result<(), String> {
    const LONGEST: usize = 127;
    match value {
        Some(text) if text.len() > LONGEST || !text.contains('/') || !is_header_value(text) => {
            Err("write a media type such as application/jwt".to_owned())
        }
        _ => Ok(()),
    }
}

fn check_auth(value: &Auth, _bounds: &Bounds) -> Result<(), String> {
    value.0.as_ref().map_or(Ok(()), Authentication::check)
}

/// Whether it can be read is up to who connects.
fn check_ca(value: &Option<String>, _bounds: &Bounds) -> Result<(), String> {
    match value {
        Some(pem) if pem.len() > LONGEST_PEM => Err(format!("it is longer than {LONGEST_PEM} bytes")),
        Some(pem) if !pem.contains("-----BEGIN CERTIFICATE-----") => {
            Err("write certificates as PEM: -----BEGIN CERTIFICATE-----".to_owned())
        }
        _ => Ok(()),
    }
}

fn check_quiet_hours(value: &Option<String>, _bounds: &Bounds) -> Result<(), String> {
    value
        .as_deref()
        .map_or(Ok(()), |text| QuietHours::parse(text).map(drop))
}

fn check_template(value: &Option<String>, _bounds: &Bounds) -> Result<(), String> {
    let read = value.as_deref().map(|text| Template::parse(text, None));
    read.transpose().map(drop).map_err(|error| error.to_string())
}

fn check_headers(headers: &BTreeMap<String, String>, _bounds: &Bounds) -> Result<(), String> {
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

fn check_event_headers(headers: &BTreeMap<String, String>, _bounds: &Bounds) -> Result<(), String> {
    if headers.len() > MOST_EVENT_HEADERS {
        return Err(format!(
            "at most {MOST_EVENT_HEADERS} headers can be made from an event"
        ));
    }
    for (name, text) in headers {
        let name = check_header_name(name)?;
        if !text.contains("{{") && !text.contains("{%") {
            return Err(format!(
                "`{name}` has nothing of the event in it, such as {{{{ event.state }}}}: a header that is always the same is \
                 set under `headers`"
            ));
        }
        HeaderTemplate::parse(text).map_err(|error| format!("`{name}`: {error}"))?;
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
pub(super) fn is_header_value(value: &str) -> bool {
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

#[cfg(test)]
mod tests {
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
                r#"{"event_headers": {"X-State": "{{ event.state "}}"#,
                "`x-state`: line 1",
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
        let json =
            r#"{"profile": "dialpad", "rate": 2.5, "headers": {"X-Team": "a"}, "retry_schedule": [1]}"#;
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
        assert_eq!(unknown.unknown_mask(&settings), Some("X-Other-Key"));
    }

    #[test]
    fn what_credentials_are_concerned_by() {
        let before = patch(r#"{"headers": {"X-Api-Key": "s3cret", "X-Team": "a"}, "hide_secret": true}"#)
            .apply(WebhookSettings::default());
        for (json, expected) in [
            (r#"{"rate": 1}"#, false),
            (r#"{"headers": {"X-Api-Key": "***", "X-Team": "a"}}"#, false),
            (r#"{"headers": {"X-Api-Key": "s3cret", "X-Team": "a"}}"#, true),
            (r#"{"headers": {"X-Api-Key": "***", "X-Team": "b"}}"#, true),
            (r#"{"headers": null}"#, true),
            (r#"{"event_headers": {"X-State": "{{ event.state }}"}}"#, true),
            (r#"{"hide_secret": true}"#, false),
            (r#"{"hide_secret": null}"#, true),
        ] {
            assert_eq!(patch(json).concerns_credentials(&before), expected, "{json}");
        }
    }

    #[test]
    fn every_setting_is_shown_and_what_follows_the_server_is_null() {
        let shown = serde_json::to_value(ShownSettings(WebhookSettings::default())).unwrap();
        let shown = shown.as_object().unwrap();
        assert!(SETTINGS.iter().all(|setting| shown.contains_key(setting.name)));
        assert_eq!(shown.len(), SETTINGS.len());
        assert_eq!(shown["retry_schedule"], serde_json::Value::Null);
        assert_eq!(shown["headers"], serde_json::json!({}));
    }

    #[test]
    fn words_are_those_that_can_be_read() {
        const PROFILES: [&str; 2] = [Profile::ALL[0].as_str(), Profile::ALL[1].as_str()];
        assert_eq!(SETTINGS[0].form, Form::Word(&PROFILES));
    }
}
