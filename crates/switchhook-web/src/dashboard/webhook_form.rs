//! The form of a webhook: what it shows of one, and what it asks the API for.

use serde_json::{Map, Value, json};
use switchhook_domain::webhook::Webhook;

use super::form::Form;
use crate::api::{SecretsShown, shown_headers, shown_hook_url};
use switchhook_node::keys;

/// A webhook's form, as it was filled in or as the webhook stands.
#[derive(Debug, Clone, Default)]
pub(super) struct WebhookForm {
    pub(super) hook_url: String,
    pub(super) secret: SecretChoice,
    pub(super) own_secret: String,
    pub(super) profile: String,
    pub(super) ordered: String,
    pub(super) max_in_flight: String,
    pub(super) rate: String,
    pub(super) connect_timeout_ms: String,
    pub(super) timeout_ms: String,
    pub(super) head_timeout_ms: String,
    pub(super) disable_after_days: String,
    pub(super) retry_schedule: String,
    pub(super) headers: String,
    pub(super) jwt_content_type: String,
    pub(super) hide_secret: bool,
    numbers: Map<String, Value>,
}

/// Which secret it shall have.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum SecretChoice {
    /// The one that it has.
    #[default]
    Keep,
    /// One that is made up.
    Generate,
    /// One that is given.
    Own,
    /// None: its deliveries are not signed.
    None,
}

const NUMBERS: [&str; 6] = [
    "max_in_flight",
    "rate",
    "connect_timeout_ms",
    "head_timeout_ms",
    "timeout_ms",
    "disable_after_days",
];

impl WebhookForm {
    /// A form that nobody has filled in: with a secret, unless told otherwise.
    pub(super) fn blank() -> Self {
        Self {
            secret: SecretChoice::Generate,
            ..Self::default()
        }
    }

    /// The form as it was filled in.
    pub(super) fn read(form: &Form) -> Self {
        let text = |name: &str| form.text(name).unwrap_or_default().to_owned();
        Self {
            hook_url: text("hook_url"),
            secret: match form.text("secret") {
                Some("generate") => SecretChoice::Generate,
                Some("own") => SecretChoice::Own,
                Some("none") => SecretChoice::None,
                _ => SecretChoice::Keep,
            },
            own_secret: text("own_secret"),
            profile: text("profile"),
            ordered: text("ordered"),
            max_in_flight: text("max_in_flight"),
            rate: text("rate"),
            connect_timeout_ms: text("connect_timeout_ms"),
            timeout_ms: text("timeout_ms"),
            head_timeout_ms: text("head_timeout_ms"),
            disable_after_days: text("disable_after_days"),
            retry_schedule: text("retry_schedule"),
            headers: text("headers"),
            jwt_content_type: text("jwt_content_type"),
            hide_secret: form.is_ticked("hide_secret"),
            numbers: NUMBERS
                .iter()
                .map(|name| ((*name).to_owned(), form.number(name)))
                .collect(),
        }
    }

    /// The form as the webhook stands, with what is shown of its credentials. What is masked and sent back so stays.
    pub(super) fn of(webhook: &Webhook, shown: SecretsShown) -> Self {
        let settings = &webhook.settings;
        let schedule = settings.retry_schedule.iter().map(ToString::to_string);
        let number = |value: Option<u32>| value.map_or_else(String::new, |value| value.to_string());
        let headers = shown_headers(settings.headers.clone(), shown);
        let headers = headers.iter().map(|(name, value)| format!("{name}: {value}"));
        Self {
            hook_url: shown_hook_url(webhook, shown),
            profile: settings
                .profile
                .map_or_else(String::new, |profile| profile.to_string()),
            ordered: match settings.ordered {
                None => String::new(),
                Some(true) => "yes".to_owned(),
                Some(false) => "no".to_owned(),
            },
            max_in_flight: number(settings.max_in_flight),
            rate: settings.rate.map_or_else(String::new, |rate| rate.to_string()),
            connect_timeout_ms: number(settings.connect_timeout_ms),
            timeout_ms: number(settings.timeout_ms),
            head_timeout_ms: number(settings.head_timeout_ms),
            disable_after_days: number(settings.disable_after_days),
            retry_schedule: schedule.collect::<Vec<_>>().join(", "),
            headers: headers.collect::<Vec<_>>().join("\n"),
            jwt_content_type: settings.jwt_content_type.clone().unwrap_or_default(),
            hide_secret: settings.hide_secret,
            ..Self::default()
        }
    }

    /// The secret to ask for; null means none.
    pub(super) fn new_secret(&self) -> Value {
        match self.secret {
            SecretChoice::Generate => json!(keys::new_secret()),
            SecretChoice::Own => json!(self.own_secret),
            SecretChoice::Keep | SecretChoice::None => Value::Null,
        }
    }

    /// Whether anything differs from what webhooks get anyway.
    pub(super) fn has_settings(&self) -> bool {
        let texts = [
            &self.profile,
            &self.ordered,
            &self.headers,
            &self.jwt_content_type,
        ];
        let has_number = self.numbers.values().any(|number| !number.is_null());
        texts.into_iter().any(|text| !text.is_empty()) || has_number || self.hide_secret
    }

    /// The settings to ask for, all of them; what is empty follows the server.
    pub(super) fn settings(&self) -> Result<Value, String> {
        let word = |text: &str| if text.is_empty() { Value::Null } else { json!(text) };
        let mut settings = self.numbers.clone();
        settings.insert("profile".to_owned(), word(&self.profile));
        let ordered = match self.ordered.as_str() {
            "yes" => json!(true),
            "no" => json!(false),
            _ => Value::Null,
        };
        settings.insert("ordered".to_owned(), ordered);
        settings.insert("headers".to_owned(), self.read_headers()?);
        settings.insert("retry_schedule".to_owned(), self.read_schedule()?);
        settings.insert("jwt_content_type".to_owned(), word(&self.jwt_content_type));
        settings.insert("hide_secret".to_owned(), json!(self.hide_secret));
        Ok(Value::Object(settings))
    }

    fn read_schedule(&self) -> Result<Value, String> {
        if self.retry_schedule.is_empty() {
            return Ok(Value::Null);
        }
        let words = self
            .retry_schedule
            .split([',', ' '])
            .filter(|word| !word.is_empty());
        let seconds: Result<Vec<u32>, _> = words.map(str::parse).collect();
        let trouble = |_| "retry schedule: write seconds with commas between: 5, 30, 120".to_owned();
        seconds.map(|seconds| json!(seconds)).map_err(trouble)
    }

    fn read_headers(&self) -> Result<Value, String> {
        let mut headers = Map::new();
        for line in self
            .headers
            .lines()
            .map(str::trim)
            .filter(|line| !line.is_empty())
        {
            let (name, value) = line
                .split_once(':')
                .ok_or_else(|| format!("headers: `{line}` is no header; write it as `Name: value`"))?;
            headers.insert(name.trim().to_owned(), json!(value.trim()));
        }
        Ok(Value::Object(headers))
    }

    pub(super) fn generates(&self) -> bool {
        self.secret == SecretChoice::Generate
    }

    pub(super) fn has_own(&self) -> bool {
        self.secret == SecretChoice::Own
    }

    pub(super) fn has_none(&self) -> bool {
        self.secret == SecretChoice::None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_empty_follows_the_server_and_numbers_are_numbers() {
        let form = Form::read(b"hook_url=https%3A%2F%2Fexample.com&secret=none&rate=2.5&timeout_ms=100&headers=X-A%3A+1%0D%0AX-B%3A2&profile=");
        let form = WebhookForm::read(&form);
        assert_eq!(
            form.settings().unwrap(),
            json!({
                "profile": null, "ordered": null, "max_in_flight": null, "rate": 2.5, "connect_timeout_ms": null,
                "head_timeout_ms": null, "timeout_ms": 100, "disable_after_days": null, "retry_schedule": null, "headers": { "X-A": "1", "X-B": "2" }, "jwt_content_type": null, "hide_secret": false,
            })
        );
        assert!(form.has_settings());
        assert_eq!(form.new_secret(), Value::Null);
        assert!(!WebhookForm::read(&Form::read(b"hook_url=x")).has_settings());
    }

    #[test]
    fn a_line_that_is_no_header_is_named() {
        let form = WebhookForm::read(&Form::read(b"headers=nonsense"));
        assert!(form.settings().unwrap_err().contains("`nonsense`"));
    }
}
