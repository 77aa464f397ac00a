//! The settings of a webhook: one table of what there is, and everything that follows from it.
//!
//! A row makes the field that is kept, the field of a change, and what the API's document, the command line and the
//! dashboard's form say of it. How far values may go is `checks.rs`; what a setting does is up to who sends.

mod checks;
mod patch;

use std::collections::BTreeMap;

use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

pub(super) use self::checks::is_header_value;
use self::checks::{
    any, check_auth, check_ca, check_count, check_days, check_event_headers, check_headers, check_media_type,
    check_quiet_hours, check_rate, check_schedule, check_template, check_timeout,
};
use super::authentication::{Auth, Authentication};
use crate::credential::{MASK, shown_value};
use crate::retry::Profile;

/// The highest rate that a webhook or a replay can be given, per second; who wants more gives none.
pub const HIGHEST_RATE: f64 = 100_000.0;

/// The most steps of a [`WebhookSettings::retry_schedule`].
pub const MOST_RETRY_STEPS: usize = 100;

/// The longest step of a [`WebhookSettings::retry_schedule`], in seconds.
pub const LONGEST_RETRY_STEP: u32 = 7 * 24 * 3_600;

/// The most days that a webhook can fail before it is disabled, if it ever is.
pub const LONGEST_DISABLE_DAYS: u32 = 365;

/// Bound on [`WebhookSettings::headers`].
pub const MOST_HEADERS: usize = 32;

/// The most bytes that [`WebhookSettings::headers`] have together.
pub const LONGEST_HEADERS: usize = 8 * 1024;

/// Bound on [`WebhookSettings::event_headers`].
pub const MOST_EVENT_HEADERS: usize = 8;

/// The longest media type, in bytes.
pub const LONGEST_MEDIA_TYPE: usize = 127;

/// Words of the setting `profile`.
const PROFILES: [&str; Profile::ALL.len()] = [Profile::ALL[0].as_str(), Profile::ALL[1].as_str()];

/// How values of a setting are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ValueFormat {
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
    /// Description: a sentence without a full stop.
    pub help: &'static str,
    pub form: ValueFormat,
    /// An example of a value, as people write it.
    pub example: &'static str,
}

/// Subject of a setting, from which it follows what a change of it takes and does.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Role {
    /// When and how much is sent.
    Timing,
    /// What is sent, and how long an answer may take.
    Request,
    /// What is sent, for those alone to change who may see everything that goes there: credentials, signatures, and what a template
    /// takes from events.
    Clearance,
    /// What is shown of the webhook.
    Display,
}

impl Role {
    /// True if a failed delivery may succeed after a change.
    const fn is_sent(self) -> bool {
        matches!(self, Self::Request | Self::Clearance)
    }
}

/// Server's bounds on the settings of webhooks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// The most attempts under way at once.
    pub max_in_flight: u32,
    /// The longest time for an attempt and each part of it, in milliseconds.
    pub timeout_ms: u32,
}

macro_rules! settings {
    ($($name:ident: $type:ty, $role:ident, $label:literal, $form:expr, $example:literal, $check:ident, $help:literal;)+) => {
        /// Settings of a webhook; what is `None`, empty or false follows the server.
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
            /// URL that deliveries are posted to.
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
            #[must_use]
            pub fn settings(self) -> SettingsPatch {
                SettingsPatch { $($name: self.$name,)+ }
            }
        }

        impl WebhookSettings {
            /// True if the receiver gets something else than with other settings, or more time.
            pub(super) fn is_sent_otherwise_than(&self, before: &Self) -> bool {
                false $(|| Role::$role.is_sent() && self.$name != before.$name)+
            }
        }

        impl SettingsPatch {
            /// True if a setting changes, or is tried out, that decides what the receiver gets to see.
            fn changes_what_needs_clearance(&self, before: &WebhookSettings) -> bool {
                false $(|| Role::$role == Role::Clearance && self.$name.as_ref().is_some_and(|value| value.tells(&before.$name)))+
            }

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

            /// Checks the settings against the server's bounds.
            ///
            /// # Errors
            /// If one is invalid: its name, and its valid values.
            pub fn check(&self, bounds: &Bounds) -> Result<(), String> {
                $(if let Some(value) = &self.$name {
                    $check(value, bounds).map_err(|why| format!("{}: {why}", stringify!($name)))?;
                })+
                Ok(())
            }
        }

        /// Settings as they are shown: all of them, null for what follows the server.
        #[derive(Debug, Clone, PartialEq)]
        pub struct SettingsView(pub WebhookSettings);

        impl Serialize for SettingsView {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                let mut map = serializer.serialize_map(Some(SETTINGS.len()))?;
                $(map.serialize_entry(stringify!($name), &self.0.$name.shown())?;)+
                map.end()
            }
        }
    };
}

settings! {
    profile: Option<Profile>, Timing, "Retry rules", ValueFormat::Word(&PROFILES), "durable", any,
        "Retry rules: `durable` (for days, in order) or `dialpad` (exactly as Dialpad)";
    ordered: Option<bool>, Timing, "Order", ValueFormat::YesNoOr("as the retry rules"), "true", any,
        "True to send the deliveries of one call, message, agent or contact one after the other";
    max_in_flight: Option<u32>, Timing, "Concurrency", ValueFormat::Count, "64", check_count,
        "Maximum number of deliveries sent at once";
    rate: Option<f64>, Timing, "Attempts per second", ValueFormat::Rate, "50", check_rate,
        "Attempts per second at most; null for no limit";
    connect_timeout_ms: Option<u32>, Request, "Connect timeout", ValueFormat::Millis, "5000", check_timeout,
        "Time limit of connecting";
    head_timeout_ms: Option<u32>, Request, "Response timeout", ValueFormat::Millis, "10000", check_timeout,
        "Time limit for the first byte of the answer, from the connection on; null for the limit of the attempt";
    timeout_ms: Option<u32>, Request, "Attempt timeout", ValueFormat::Millis, "15000", check_timeout,
        "Time limit of a whole attempt";
    retry_schedule: Vec<u32>, Timing, "Retry schedule", ValueFormat::Seconds, "5, 30, 120", check_schedule,
        "Seconds to wait after the first, second, … failure, ±20 %, before the delivery is given up (`durable` only); \
         null for the profile's own";
    disable_after_days: Option<u32>, Timing, "Disable after", ValueFormat::Days, "5", check_days,
        "Days without a success after which the webhook is disabled until it is resumed; 0 for never";
    headers: BTreeMap<String, String>, Clearance, "Headers", ValueFormat::Headers, "X-Team: telephony", check_headers,
        "Headers added to every attempt, in place of all that are set; the value `***` keeps the one that is set";
    event_headers: BTreeMap<String, String>, Clearance, "Headers of the event", ValueFormat::EventHeaders, "X-Call-State: {{ event.state }}", check_event_headers,
        "Headers that templates make from the event for every delivery, in place of all that are set";
    idempotency_key: bool, Request, "Idempotency-Key", ValueFormat::YesNo, "true", any,
        "True to send `Idempotency-Key` with deliveries: the delivery's id, the same for each of its attempts";
    quiet_hours: Option<String>, Timing, "Quiet hours", ValueFormat::Hours, "22:00-07:00 Europe/Berlin", check_quiet_hours,
        "Hours of each day, with their time zone, in which nothing is sent: deliveries wait until they end";
    jwt_content_type: Option<String>, Request, "Content-Type of signed deliveries", ValueFormat::MediaType, "application/jwt", check_media_type,
        "The `Content-Type` of signed deliveries, for receivers that cannot take `application/jwt`";
    hide_secret: bool, Display, "Hide the secret", ValueFormat::YesNo, "true", any,
        "True to leave the secret out of API answers and the dashboard";
    announce_kid: bool, Request, "Announce kid", ValueFormat::YesNo, "true", any,
        "True to name the secret in the header of signed deliveries (`kid`)";
    standard_webhooks: bool, Clearance, "Standard Webhooks", ValueFormat::YesNo, "true", any,
        "True to send the headers `webhook-id`, `webhook-timestamp` and `webhook-signature` of Standard Webhooks, \
         made with the secret";
    jwt: Option<bool>, Clearance, "Body as a JWT", ValueFormat::YesNoOr("with a secret"), "false", any,
        "True to send a signed JWT as the body, if the webhook has a secret; false for plain JSON, which libraries for Standard \
         Webhooks expect; null for a JWT, unless there is a template";
    template: Option<String>, Clearance, "Template", ValueFormat::Template, "slack-missed-call", check_template,
        "The template that makes the body of deliveries from the event, or the name of a ready one";
    content_type: Option<String>, Clearance, "Content-Type of other deliveries", ValueFormat::MediaType, "application/json", check_media_type,
        "The `Content-Type` of deliveries that are not JWTs, such as those that a template makes; null for `application/json`";
    auth: Auth, Clearance, "Authentication", ValueFormat::Auth, r#"{"type": "bearer", "token": "…"}"#, check_auth,
        "Authentication of deliveries to the receiver: `bearer` (token), `basic` (username, password), `oauth2` (token_url, \
         client_id, client_secret, scope) or `mtls` (cert, key); the value `***` keeps the one that is set";
    ca: Option<String>, Clearance, "Certificate authority", ValueFormat::Pem, "-----BEGIN CERTIFICATE-----", check_ca,
        "Certificates (PEM) of the only authority to trust when connecting to the receiver; null for those that the server trusts";
}

/// A value of a setting.
trait Value: Clone + PartialEq {
    /// Value to keep in place of `before`.
    fn in_place_of(self, _before: Self) -> Self {
        self
    }

    /// True if it is not what is there, or its acceptance would tell what is there.
    fn tells(&self, before: &Self) -> bool {
        self.clone().in_place_of(before.clone()) != *before
    }

    fn shown(&self) -> impl Serialize;
}

impl<T: Serialize + Clone + PartialEq> Value for Option<T> {
    fn shown(&self) -> impl Serialize {
        self
    }
}

impl Value for Auth {
    fn in_place_of(self, before: Self) -> Self {
        self.kept_over(&before)
    }

    fn tells(&self, before: &Self) -> bool {
        let names_secret = self.0.as_ref().is_some_and(Authentication::names_secret);
        names_secret || self.clone().kept_over(before) != *before
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

    /// A credential counts even if it equals the present one, because that must not be found out by trying.
    fn tells(&self, before: &Self) -> bool {
        let mut named = self.iter();
        named.any(|(name, value)| value != MASK && shown_value(name, value) != *value)
            || self.clone().in_place_of(before.clone()) != *before
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

#[cfg(test)]
mod tests;
