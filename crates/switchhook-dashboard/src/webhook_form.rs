//! The form of a webhook: what it shows of one, and the request that it makes. Its fields are the domain's table of settings.

use serde_json::{Map, Value, json};
use switchhook_domain::webhook::{SETTINGS, Setting, SettingsView, ValueFormat, Webhook, WebhookRequest};
use switchhook_node::keys;
use switchhook_node::secret_display::{SecretDisplay, shown_hook_url, shown_settings};

use super::form::Form;

/// A webhook's form, as it was filled in or as the webhook stands.
#[derive(Debug, Clone, Default)]
pub(super) struct WebhookForm {
    pub(super) hook_url: String,
    pub(super) secret: SecretChoice,
    pub(super) own_secret: String,
    pub(super) fields: Vec<SettingField>,
}

/// The field of one setting.
#[derive(Debug, Clone)]
pub(super) struct SettingField {
    setting: Setting,
    /// As people write it; empty for what follows the server.
    pub(super) value: String,
}

/// Choice between no secret, the present one, a generated one and an entered one.
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
    /// A word that is no choice.
    Unknown,
}

impl SettingField {
    fn of(setting: Setting, value: &Value) -> Self {
        let value = match value {
            Value::Null | Value::Bool(false) if setting.form == ValueFormat::YesNo => String::new(),
            Value::Null => String::new(),
            Value::Bool(yes) => if *yes { "yes" } else { "no" }.to_owned(),
            Value::String(text) => text.clone(),
            Value::Array(items) => items
                .iter()
                .map(ToString::to_string)
                .collect::<Vec<_>>()
                .join(", "),
            Value::Object(_) if setting.form == ValueFormat::Auth => value.to_string(),
            Value::Object(headers) => headers
                .iter()
                .map(|(name, value)| format!("{name}: {}", value.as_str().unwrap_or_default()))
                .collect::<Vec<_>>()
                .join("\n"),
            number @ Value::Number(_) => number.to_string(),
        };
        Self { setting, value }
    }

    /// Value as the API takes it.
    fn read(&self) -> Result<Value, String> {
        let text = self.value.as_str();
        if text.is_empty() && self.setting.form != ValueFormat::YesNo {
            return Ok(Value::Null);
        }
        let wrong = |what: &str| format!("{}: {what}", self.setting.label);
        match self.setting.form {
            ValueFormat::Word(_)
            | ValueFormat::MediaType
            | ValueFormat::Template
            | ValueFormat::Pem
            | ValueFormat::Hours => Ok(json!(text)),
            ValueFormat::Auth => {
                serde_json::from_str(text).map_err(|error| wrong(&format!("it is not JSON: {error}")))
            }
            ValueFormat::YesNo | ValueFormat::YesNoOr(_) => match text {
                "yes" => Ok(json!(true)),
                "no" | "" => Ok(json!(false)),
                _ => Err(wrong(&format!("`{text}` is neither yes nor no"))),
            },
            ValueFormat::Count | ValueFormat::Millis | ValueFormat::Days => {
                let number = text.parse::<u32>();
                number
                    .map(Value::from)
                    .map_err(|_| wrong(&format!("`{text}` is not a whole number")))
            }
            ValueFormat::Rate => {
                let number = text.parse::<f64>().ok().filter(|number| number.is_finite());
                number
                    .map(Value::from)
                    .ok_or_else(|| wrong(&format!("`{text}` is not a number")))
            }
            ValueFormat::Seconds => {
                let words = text.split([',', ' ']).filter(|word| !word.is_empty());
                let seconds: Result<Vec<u32>, _> = words.map(str::parse).collect();
                seconds
                    .map(|seconds| json!(seconds))
                    .map_err(|_| wrong("write seconds with commas between: 5, 30, 120"))
            }
            ValueFormat::Headers | ValueFormat::EventHeaders => {
                let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
                let header = |line: &str| match line.split_once(':') {
                    Some((name, value)) => Ok((name.trim().to_owned(), json!(value.trim()))),
                    None => Err(wrong(&format!(
                        "`{line}` is not a header; write it as `Name: value`"
                    ))),
                };
                lines
                    .map(header)
                    .collect::<Result<Map<_, _>, _>>()
                    .map(Value::Object)
            }
        }
    }

    pub(super) const fn name(&self) -> &'static str {
        self.setting.name
    }

    pub(super) const fn label(&self) -> &'static str {
        self.setting.label
    }

    /// Help without Markdown.
    pub(super) fn help(&self) -> String {
        format!("{}.", self.setting.help.replace('`', ""))
    }

    pub(super) const fn example(&self) -> &'static str {
        self.setting.example
    }

    /// The words to choose from, if it is a choice; the first is what follows the server.
    pub(super) fn choices(&self) -> Vec<(&'static str, &'static str)> {
        match self.setting.form {
            ValueFormat::Word(words) => {
                let words = words.iter().map(|word| (*word, *word));
                [("", "server default")].into_iter().chain(words).collect()
            }
            ValueFormat::YesNoOr(otherwise) => vec![("", otherwise), ("yes", "yes"), ("no", "no")],
            _ => Vec::new(),
        }
    }

    pub(super) fn is_tick(&self) -> bool {
        self.setting.form == ValueFormat::YesNo
    }

    pub(super) fn is_lines(&self) -> bool {
        matches!(
            self.setting.form,
            ValueFormat::Headers
                | ValueFormat::EventHeaders
                | ValueFormat::Template
                | ValueFormat::Auth
                | ValueFormat::Pem
        )
    }

    pub(super) fn is_template(&self) -> bool {
        self.setting.form == ValueFormat::Template
    }

    /// `inputmode`, which decides on the keyboard of a phone.
    pub(super) const fn keyboard(&self) -> &'static str {
        match self.setting.form {
            ValueFormat::Count | ValueFormat::Millis | ValueFormat::Days => "numeric",
            ValueFormat::Rate => "decimal",
            _ => "text",
        }
    }
}

impl WebhookForm {
    /// A form that nobody has filled in: with a secret, unless told otherwise.
    pub(super) fn blank() -> Self {
        Self {
            secret: SecretChoice::Generate,
            fields: SETTINGS
                .iter()
                .map(|setting| SettingField::of(*setting, &Value::Null))
                .collect(),
            ..Self::default()
        }
    }

    /// The form as it was filled in.
    pub(super) fn read(form: &Form) -> Self {
        let text = |name: &str| form.text(name).unwrap_or_default().to_owned();
        let field = |setting: &Setting| SettingField {
            setting: *setting,
            value: text(setting.name),
        };
        Self {
            hook_url: text("hook_url"),
            secret: match form.text("secret") {
                Some("generate") => SecretChoice::Generate,
                Some("own") => SecretChoice::Own,
                Some("none") => SecretChoice::None,
                Some("keep") | None => SecretChoice::Keep,
                Some(_) => SecretChoice::Unknown,
            },
            own_secret: text("own_secret"),
            fields: SETTINGS.iter().map(field).collect(),
        }
    }

    /// The form as the webhook stands, with what is shown of its credentials. What is masked and sent back so stays.
    pub(super) fn of(webhook: &Webhook, shown: SecretDisplay) -> Self {
        let settings = shown_settings(webhook.settings.clone(), shown);
        let values = serde_json::to_value(SettingsView(settings)).unwrap_or_default();
        Self {
            hook_url: shown_hook_url(webhook, shown),
            fields: SETTINGS
                .iter()
                .map(|setting| SettingField::of(*setting, &values[setting.name]))
                .collect(),
            ..Self::default()
        }
    }

    /// Request to create: empty fields follow the server's defaults.
    pub(super) fn request(&self) -> Result<WebhookRequest, String> {
        self.request_of(|_| true)
    }

    /// Request to change: only the fields that differ from what was shown. A browser returns text with other line
    /// ends and without the white space around it.
    pub(super) fn request_over(&self, shown: &Self) -> Result<WebhookRequest, String> {
        let plain = |text: &str| text.trim().replace("\r\n", "\n");
        self.request_of(|field| {
            let mut shown = shown.fields.iter();
            let before = shown.find(|before| before.name() == field.name());
            before.is_none_or(|before| plain(&before.value) != plain(&field.value))
        })
    }

    fn request_of(&self, is_wanted: impl Fn(&SettingField) -> bool) -> Result<WebhookRequest, String> {
        let mut all = Map::new();
        for field in self.fields.iter().filter(|field| is_wanted(field)) {
            all.insert(field.name().to_owned(), field.read()?);
        }
        all.insert("hook_url".to_owned(), json!(self.hook_url));
        let secret = match self.secret {
            SecretChoice::Keep => None,
            SecretChoice::Generate => Some(json!(keys::new_secret())),
            SecretChoice::Own if self.own_secret.is_empty() => {
                return Err("secret: write the secret to use, or choose another answer".to_owned());
            }
            SecretChoice::Own => Some(json!(self.own_secret)),
            SecretChoice::None => Some(Value::Null),
            SecretChoice::Unknown => return Err("secret: choose one of the answers".to_owned()),
        };
        all.extend(secret.map(|secret| ("secret".to_owned(), secret)));
        serde_json::from_value(Value::Object(all)).map_err(|error| error.to_string())
    }

    /// The text of a field, if it is filled in.
    pub(super) fn text_of(&self, name: &str) -> Option<String> {
        let field = self.fields.iter().find(|field| field.name() == name)?;
        Some(field.value.clone()).filter(|value| !value.is_empty())
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
    use switchhook_domain::Timestamp;
    use switchhook_domain::id::{CompanyId, WebhookId};
    use switchhook_domain::webhook::WebhookSettings;

    use super::*;

    fn filled(text: &str) -> WebhookForm {
        WebhookForm::read(&Form::read(text.as_bytes()))
    }

    #[test]
    fn what_is_empty_follows_the_server_and_numbers_are_numbers() {
        let form = filled(
            "hook_url=https%3A%2F%2Fexample.com&secret=none&rate=2.5&timeout_ms=100&headers=X-A%3A+1%0D%0AX-B%3A2&profile=&hide_secret=yes&ordered=no",
        );
        let request = form.request().unwrap();
        assert_eq!(request.hook_url, Some(Some("https://example.com".to_owned())));
        assert_eq!(request.secret, Some(None));
        let before = WebhookSettings {
            max_in_flight: Some(3),
            ..WebhookSettings::default()
        };
        let settings = request.settings().apply(before);
        assert_eq!(
            (settings.rate, settings.timeout_ms, settings.max_in_flight),
            (Some(2.5), Some(100), None)
        );
        assert_eq!(
            (settings.profile, settings.ordered, settings.hide_secret),
            (None, Some(false), true)
        );
        assert_eq!(settings.headers["x-b"], "2");
    }

    #[test]
    fn what_cannot_be_read_is_named_by_its_label() {
        for (text, message) in [
            ("headers=nonsense", "Headers: `nonsense`"),
            ("timeout_ms=soon", "Attempt timeout: `soon`"),
            ("rate=inf", "Attempts per second: `inf`"),
            ("retry_schedule=5,x", "Retry schedule: write seconds"),
            ("profile=none", "none"),
        ] {
            let error = filled(text).request().err().unwrap();
            assert!(error.contains(message), "{error}");
        }
    }

    #[test]
    fn a_form_that_is_sent_back_as_it_was_shown_changes_nothing() {
        let settings = WebhookSettings {
            rate: Some(0.5),
            retry_schedule: vec![5, 30],
            headers: [("x-team".to_owned(), "a: b".to_owned())].into(),
            hide_secret: true,
            ordered: Some(false),
            template: Some("\r\n{\n  \"text\": \"{{ event.state }}\"\r\n}\n".to_owned()),
            ca: Some("-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----\n".to_owned()),
            ..WebhookSettings::default()
        };
        let webhook = Webhook::new(
            WebhookId(1),
            CompanyId(1),
            "https://example.com",
            Timestamp::from_millis(0),
        );
        let shown = WebhookForm::of(&webhook.with_settings(settings.clone()), SecretDisplay::AsSet);
        let as_browsers_do = |text: &str| text.replace("\r\n", "\n").replace('\n', "\r\n");
        let mut sent = url::form_urlencoded::Serializer::new(String::new());
        for field in &shown.fields {
            sent.append_pair(field.name(), &as_browsers_do(&field.value));
        }
        let sent = filled(&sent.finish());
        assert!(sent.request_over(&shown).unwrap().settings().is_empty());
        let mut other = sent;
        for field in &mut other.fields {
            if field.name() == "rate" {
                field.value = "5".to_owned();
            }
        }
        let change = other.request_over(&shown).unwrap().settings();
        let expected = WebhookSettings {
            rate: Some(5.0),
            ..settings.clone()
        };
        assert!(!change.concerns_credentials(&settings));
        assert_eq!(change.apply(settings), expected);
    }
}
