//! Settings of a webhook, as options and in output, made from the domain's table of settings.

use std::time::Duration;

use clap::builder::{PossibleValuesParser, ValueParser};
use clap::parser::ValueSource;
use clap::{Arg, ArgAction, ArgMatches, Args, Command, FromArgMatches};
use serde_json::{Map, Value, json};
use switchhook_domain::quiet::QuietHours;
use switchhook_domain::template::{READY, Template};
use switchhook_domain::webhook::{SETTINGS, Setting, ValueFormat};
use switchhook_node::duration::{parse_duration, show_duration};

use switchhook_web::api::answers::WebhookWithSettings;

use crate::cli::output::Facts;
use crate::words::{self, Words};

/// Given settings of a webhook, as the API takes them; the others are not changed.
#[derive(Debug, Clone, Default)]
pub(super) struct SettingsOptions(Map<String, Value>);

/// Option of a setting: times have their unit in the value, headers are given one by one.
fn option_name(setting: &Setting) -> String {
    match setting.form {
        ValueFormat::Millis => setting.name.trim_end_matches("_ms").replace('_', "-"),
        ValueFormat::Headers => "header".to_owned(),
        ValueFormat::EventHeaders => "event-header".to_owned(),
        _ => setting.name.replace('_', "-"),
    }
}

/// Name of a setting for `--unset`.
fn unset_name(setting: &Setting) -> String {
    match setting.form {
        ValueFormat::Headers | ValueFormat::EventHeaders => setting.name.to_owned(),
        _ => option_name(setting),
    }
}

/// The setting with this option or name.
pub(super) fn parse_name(text: &str) -> Result<&'static str, String> {
    let found = SETTINGS
        .iter()
        .find(|setting| text == setting.name || text == unset_name(setting));
    found.map(|setting| setting.name).ok_or_else(|| {
        let known: Vec<_> = SETTINGS.iter().map(unset_name).collect();
        format!("`{text}` is not a setting: use one of {}", known.join(", "))
    })
}

fn argument(setting: &Setting) -> Arg {
    let option = option_name(setting);
    let help = match setting.form {
        ValueFormat::Headers => "Header added to every attempt; repeat the option, and give all of them".to_owned(),
        ValueFormat::EventHeaders => {
            "Header whose value is a template (X-State: {{ event.state }}); repeat the option, and give all of them".to_owned()
        }
        ValueFormat::Seconds => {
            "Delays before each retry, after which a delivery is exhausted: 5s,30s,10m (durable only)"
                .to_owned()
        }
        ValueFormat::Auth => {
            "Authentication to the receiver: bearer:TOKEN, basic:USER:PASSWORD, mtls:CERT_FILE:KEY_FILE, JSON or @FILE \
             (oauth2)".to_owned()
        }
        ValueFormat::Pem => "Root certificates to trust for the receiver, instead of the system's: @FILE or PEM".to_owned(),
        ValueFormat::Template => {
            "Template of the body: name of a ready one (see `webhooks templates`), @FILE or text".to_owned()
        }
        ValueFormat::Millis => format!(
            "{}: {}",
            without_null(setting),
            show_duration(Duration::from_millis(setting.example.parse().unwrap_or_default()))
        ),
        _ => without_null(setting),
    };
    let argument = Arg::new(setting.name)
        .long(option)
        .help(help)
        .help_heading("Settings");
    let taking =
        |name: &'static str, parser: ValueParser| argument.clone().value_name(name).value_parser(parser);
    match setting.form {
        ValueFormat::Word(words) => argument.clone().value_parser(PossibleValuesParser::new(words)),
        ValueFormat::YesNo | ValueFormat::YesNoOr(_) => taking("BOOL", ValueParser::new(words::yes_no()))
            .num_args(0..=1)
            .require_equals(true)
            .default_missing_value("true"),
        ValueFormat::Count => taking("N", ValueParser::new(words::whole_number::<u32>(0..=u32::MAX))),
        ValueFormat::Days => taking("DAYS", ValueParser::new(words::whole_number::<u32>(0..=u32::MAX))),
        ValueFormat::Rate => taking("N", ValueParser::new(words::parse_rate)),
        ValueFormat::Millis => taking("DURATION", ValueParser::new(parse_duration)),
        ValueFormat::Seconds => taking("DURATIONS", ValueParser::new(parse_duration))
            .value_delimiter(',')
            .action(ArgAction::Append),
        ValueFormat::Headers | ValueFormat::EventHeaders => {
            taking("NAME: VALUE", ValueParser::new(parse_header)).action(ArgAction::Append)
        }
        ValueFormat::MediaType => taking("TYPE", ValueParser::string()),
        ValueFormat::Hours => taking("HOURS", ValueParser::new(parse_quiet_hours)),
        ValueFormat::Template => taking("TEMPLATE", ValueParser::new(template())).hide_possible_values(true),
        ValueFormat::Auth => taking("AUTH", ValueParser::new(parse_auth)),
        ValueFormat::Pem => taking("PEM", ValueParser::new(parse_file)),
    }
}

/// Help of a setting without the meaning of null, which an option cannot be.
fn without_null(setting: &Setting) -> String {
    let help = setting.help.replace('`', "");
    help.split("; null").next().unwrap_or_default().to_owned()
}

/// A setting's value as the API takes it.
fn value_of(setting: &Setting, matches: &ArgMatches) -> Value {
    let name = setting.name;
    let millis = |duration: &Duration| u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    match setting.form {
        ValueFormat::Auth => matches.get_one::<Value>(name).cloned().unwrap_or_default(),
        ValueFormat::Word(_)
        | ValueFormat::MediaType
        | ValueFormat::Template
        | ValueFormat::Pem
        | ValueFormat::Hours => {
            json!(matches.get_one::<String>(name))
        }
        ValueFormat::YesNo | ValueFormat::YesNoOr(_) => json!(matches.get_one::<bool>(name)),
        ValueFormat::Count | ValueFormat::Days => json!(matches.get_one::<u32>(name)),
        ValueFormat::Rate => json!(matches.get_one::<f64>(name)),
        ValueFormat::Millis => json!(matches.get_one::<Duration>(name).map(millis)),
        ValueFormat::Seconds => {
            let steps = matches.get_many::<Duration>(name).into_iter().flatten();
            steps.map(|step| json!(step.as_secs())).collect()
        }
        ValueFormat::Headers | ValueFormat::EventHeaders => {
            let headers = matches.get_many::<(String, String)>(name).into_iter().flatten();
            let headers = headers.map(|(name, value)| (name.clone(), json!(value)));
            Value::Object(headers.collect())
        }
    }
}

impl SettingsOptions {
    pub(super) fn chosen(&self) -> Map<String, Value> {
        self.0.clone()
    }
}

impl Args for SettingsOptions {
    fn augment_args(command: Command) -> Command {
        SETTINGS.iter().map(argument).fold(command, Command::arg)
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for SettingsOptions {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let is_given =
            |setting: &&Setting| matches.value_source(setting.name) == Some(ValueSource::CommandLine);
        let given = SETTINGS.iter().filter(is_given);
        let values = given.map(|setting| (setting.name.to_owned(), value_of(setting, matches)));
        Ok(Self(values.collect()))
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

/// Adds each setting that is in force or set, named as its option.
pub(super) fn add_settings(facts: Facts, webhook: &WebhookWithSettings) -> Facts {
    let in_force = serde_json::to_value(&webhook.in_force).unwrap_or_default();
    webhook.settings.0.iter().fold(facts, |facts, (setting, set)| {
        let value = in_force.get(setting.name).unwrap_or(set);
        texts_of(setting, value).iter().fold(facts, |facts, text| {
            facts.fact(&option_name(setting).replace('-', " "), text)
        })
    })
}

/// Texts of a value: several for several headers, none if it is not set.
fn texts_of(setting: &Setting, value: &Value) -> Vec<String> {
    let span = |millis: u64| show_duration(Duration::from_millis(millis));
    match (setting.form, value) {
        (_, Value::Null) | (ValueFormat::YesNo, Value::Bool(false)) => Vec::new(),
        (_, Value::Bool(yes)) => vec![if *yes { "yes" } else { "no" }.to_owned()],
        (ValueFormat::Millis, value) => value.as_u64().map(span).into_iter().collect(),
        (ValueFormat::Days, value) => match value.as_u64() {
            None | Some(0) => Vec::new(),
            Some(days) => vec![format!("{days} days without a success")],
        },
        (ValueFormat::Rate, value) => vec![format!("at most {value} a second")],
        (ValueFormat::Seconds, Value::Array(steps)) => {
            let steps = steps
                .iter()
                .filter_map(Value::as_u64)
                .map(|seconds| span(seconds * 1_000));
            vec![steps.collect::<Vec<_>>().join(", ")]
        }
        (ValueFormat::Headers | ValueFormat::EventHeaders, Value::Object(headers)) => headers
            .iter()
            .map(|(name, value)| format!("{name}: {}", value.as_str().unwrap_or_default()))
            .collect(),
        (_, Value::String(text)) => vec![text.clone()],
        (_, value) => vec![value.to_string()],
    }
}

/// Parser of a template: the name of a ready one, `@` and a file, or the text.
pub(super) fn template() -> Words<String, String> {
    words::one_of_or(READY.iter().map(|ready| ready.name), parse_template)
}

fn parse_template(text: &str) -> Result<String, String> {
    let template = match text.strip_prefix('@') {
        Some(path) => {
            std::fs::read_to_string(path).map_err(|error| format!("cannot read {path}: {error}"))?
        }
        None => text.to_owned(),
    };
    Template::parse(&template, None).map_err(|error| error.to_string())?;
    Ok(template)
}

fn parse_quiet_hours(text: &str) -> Result<String, String> {
    QuietHours::parse(text).map(|_hours| text.to_owned())
}

/// Reads a text, or `@` and a file.
fn parse_file(text: &str) -> Result<String, String> {
    match text.strip_prefix('@') {
        Some(path) => read_file(path),
        None => Ok(text.to_owned()),
    }
}

fn read_file(path: &str) -> Result<String, String> {
    std::fs::read_to_string(path).map_err(|error| format!("cannot read {path}: {error}"))
}

/// Reads authentication: a short form, or JSON as the API takes it.
fn parse_auth(text: &str) -> Result<Value, String> {
    let parts: Vec<_> = text.splitn(3, ':').collect();
    match parts[..] {
        ["bearer", ..] => {
            let token = text.strip_prefix("bearer:").unwrap_or_default();
            Ok(json!({"type": "bearer", "token": token}))
        }
        ["basic", username, password] => {
            Ok(json!({"type": "basic", "username": username, "password": password}))
        }
        ["mtls", cert, key] => Ok(json!({"type": "mtls", "cert": read_file(cert)?, "key": read_file(key)?})),
        _ => serde_json::from_str(&parse_file(text)?).map_err(|error| {
            format!("write bearer:TOKEN, basic:USER:PASSWORD, mtls:CERT_FILE:KEY_FILE or JSON ({error})")
        }),
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

    fn given(arguments: &[&str]) -> Value {
        let command = SettingsOptions::augment_args(Command::new("set").no_binary_name(true));
        let matches = command.try_get_matches_from(arguments).unwrap();
        Value::Object(SettingsOptions::from_arg_matches(&matches).unwrap().chosen())
    }

    #[test]
    fn what_is_given_is_what_the_api_takes() {
        assert_eq!(given(&[]), json!({}));
        let arguments = [
            "--profile",
            "dialpad",
            "--ordered=false",
            "--timeout",
            "10s",
            "--retry-schedule",
            "5s,1m",
            "--rate",
            "2.5",
            "--header",
            "X-A: 1",
            "--header",
            "X-B: b:c",
            "--hide-secret",
            "--disable-after-days",
            "0",
        ];
        assert_eq!(
            given(&arguments),
            json!({
                "profile": "dialpad", "ordered": false, "timeout_ms": 10_000, "retry_schedule": [5, 60], "rate": 2.5,
                "headers": {"X-A": "1", "X-B": "b:c"}, "hide_secret": true, "disable_after_days": 0,
            })
        );
    }

    #[test]
    fn a_setting_is_known_by_its_option_and_by_its_name() {
        for name in ["timeout", "timeout_ms"] {
            assert_eq!(parse_name(name), Ok("timeout_ms"));
        }
        assert_eq!(parse_name("headers"), Ok("headers"));
        assert!(parse_name("colour").is_err_and(|error| error.contains("hide-secret")));
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
