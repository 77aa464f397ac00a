//! How a webhook wants to be sent to, as options and as shown.

use std::collections::BTreeMap;
use std::time::Duration;

use clap::Args;
use clap::builder::BoolishValueParser;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use switchhook_domain::retry::Profile;
use switchhook_protocol::UnknownWord;

use crate::cli::output::Facts;
use crate::cli::words;
use switchhook_node::duration::{parse_duration, show_duration};

/// The settings of a webhook; what is not given is not changed.
#[derive(Debug, Args)]
#[command(next_help_heading = "Settings")]
pub(super) struct SettingsOptions {
    /// Retry rules: durable (for days, in order) or dialpad (exactly as Dialpad)
    #[arg(long, value_parser = words::of::<Profile>(Profile::ALL.map(Profile::as_str)))]
    profile: Option<Profile>,

    /// Whether deliveries of one call, message, agent or contact go one after the other
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true", value_parser = BoolishValueParser::new())]
    ordered: Option<bool>,

    /// How many deliveries are sent at once
    #[arg(long, value_name = "N")]
    max_in_flight: Option<u32>,

    /// Attempts a second at the most
    #[arg(long, value_name = "N")]
    rate: Option<f64>,

    /// How long a connection may take to stand: 5s
    #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
    connect_timeout: Option<Duration>,

    /// How long the answer's head may take once the connection stands: 10s
    #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
    head_timeout: Option<Duration>,

    /// How long a whole attempt may take: 15s
    #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
    timeout: Option<Duration>,

    /// When to try again after the first, second, … failure, then give up: 5s,30s,10m (durable only)
    #[arg(long, value_name = "DURATIONS", value_delimiter = ',', value_parser = parse_duration)]
    retry_schedule: Vec<Duration>,

    /// Hold everything back after this many days without a success; 0 for never
    #[arg(long, value_name = "DAYS")]
    disable_after_days: Option<u32>,

    /// A header added to every attempt; give all of them
    #[arg(long = "header", value_name = "NAME: VALUE", value_parser = parse_header)]
    headers: Vec<(String, String)>,

    /// The Content-Type of signed deliveries, for receivers that cannot take application/jwt
    #[arg(long, value_name = "TYPE")]
    jwt_content_type: Option<String>,

    /// Whether answers of the API leave the secret out
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true", value_parser = BoolishValueParser::new())]
    hide_secret: Option<bool>,

    /// Whether the header of signed deliveries names the secret (kid)
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true", value_parser = BoolishValueParser::new())]
    announce_kid: Option<bool>,
}

/// The names of options and of the settings they stand for.
const NAMES: [(&str, &str); 13] = [
    ("profile", "profile"),
    ("ordered", "ordered"),
    ("max-in-flight", "max_in_flight"),
    ("rate", "rate"),
    ("connect-timeout", "connect_timeout_ms"),
    ("head-timeout", "head_timeout_ms"),
    ("timeout", "timeout_ms"),
    ("retry-schedule", "retry_schedule"),
    ("disable-after-days", "disable_after_days"),
    ("headers", "headers"),
    ("jwt-content-type", "jwt_content_type"),
    ("hide-secret", "hide_secret"),
    ("announce-kid", "announce_kid"),
];

/// The setting that an option's name stands for.
pub(super) fn parse_name(text: &str) -> Result<&'static str, UnknownWord> {
    let found = NAMES
        .iter()
        .find(|(option, setting)| text == *option || text == *setting);
    found
        .map(|(_, setting)| *setting)
        .ok_or_else(|| UnknownWord::new("setting", text, NAMES.map(|(option, _)| option)))
}

impl SettingsOptions {
    /// The settings that were given, as the API takes them.
    pub(super) fn chosen(&self) -> Map<String, Value> {
        let millis = |duration: Duration| u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
        let headers: BTreeMap<_, _> = self.headers.iter().cloned().collect();
        let schedule: Vec<_> = self.retry_schedule.iter().map(Duration::as_secs).collect();
        let all = [
            ("profile", self.profile.map(|profile| json!(profile))),
            ("ordered", self.ordered.map(Value::from)),
            ("max_in_flight", self.max_in_flight.map(Value::from)),
            ("rate", self.rate.map(Value::from)),
            (
                "connect_timeout_ms",
                self.connect_timeout.map(|timeout| millis(timeout).into()),
            ),
            (
                "head_timeout_ms",
                self.head_timeout.map(|timeout| millis(timeout).into()),
            ),
            ("timeout_ms", self.timeout.map(|timeout| millis(timeout).into())),
            ("retry_schedule", (!schedule.is_empty()).then(|| json!(schedule))),
            ("disable_after_days", self.disable_after_days.map(Value::from)),
            ("headers", (!headers.is_empty()).then(|| json!(headers))),
            ("jwt_content_type", self.jwt_content_type.clone().map(Value::from)),
            ("hide_secret", self.hide_secret.map(Value::from)),
            ("announce_kid", self.announce_kid.map(Value::from)),
        ];
        all.into_iter()
            .filter_map(|(name, value)| Some((name.to_owned(), value?)))
            .collect()
    }
}

/// What we read of a webhook's settings.
#[derive(Debug, Deserialize)]
pub(super) struct ShownSettings {
    #[serde(default)]
    rate: Option<f64>,
    #[serde(default)]
    retry_schedule: Option<Vec<u64>>,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    #[serde(default)]
    jwt_content_type: Option<String>,
    #[serde(default)]
    in_force: Option<InForce>,
}

#[derive(Debug, Deserialize)]
struct InForce {
    profile: String,
    ordered: bool,
    max_in_flight: u32,
    connect_timeout_ms: u64,
    head_timeout_ms: u64,
    timeout_ms: u64,
    disable_after_days: u32,
}

impl ShownSettings {
    pub(super) fn profile_in_force(&self) -> String {
        self.in_force
            .as_ref()
            .map_or_else(|| "-".to_owned(), |settings| settings.profile.clone())
    }

    pub(super) fn add_to(&self, facts: Facts) -> Facts {
        let span = |millis| show_duration(Duration::from_millis(millis));
        let facts = match &self.in_force {
            Some(settings) => facts
                .fact("profile", &settings.profile)
                .fact("ordered", if settings.ordered { "yes" } else { "no" })
                .fact("max in flight", settings.max_in_flight)
                .fact("connect timeout", span(settings.connect_timeout_ms))
                .fact("head timeout", span(settings.head_timeout_ms))
                .fact("timeout", span(settings.timeout_ms))
                .fact_if(
                    "disabled after",
                    Some(settings.disable_after_days)
                        .filter(|days| *days > 0)
                        .map(|days| format!("{days} days without a success")),
                ),
            None => facts,
        };
        let schedule = self.retry_schedule.as_ref().map(|schedule| {
            let steps: Vec<_> = schedule.iter().map(|seconds| span(seconds * 1_000)).collect();
            steps.join(", ")
        });
        let facts = facts
            .fact_if("retry schedule", schedule)
            .fact_if(
                "rate",
                self.rate.map(|rate| format!("{rate} a second at the most")),
            )
            .fact_if("jwt content type", self.jwt_content_type.as_ref());
        self.headers.iter().fold(facts, |facts, (name, value)| {
            facts.fact("header", format!("{name}: {value}"))
        })
    }
}

fn parse_header(text: &str) -> Result<(String, String), String> {
    match text.split_once(':') {
        Some((name, value)) if !name.trim().is_empty() => {
            Ok((name.trim().to_owned(), value.trim().to_owned()))
        }
        _ => Err("write a header as `Name: value`".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_setting_is_known_by_its_option_and_by_its_name() {
        for name in ["timeout", "timeout_ms"] {
            assert_eq!(parse_name(name), Ok("timeout_ms"));
        }
        assert!(parse_name("colour").is_err_and(|error| error.to_string().contains("hide-secret")));
    }

    #[test]
    fn headers_are_names_and_values() {
        assert_eq!(
            parse_header("X-Team:  a: b "),
            Ok(("X-Team".to_owned(), "a: b".to_owned()))
        );
        assert!(parse_header("X-Team").is_err());
    }
}
