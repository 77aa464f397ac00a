//! The settings of a webhook in requests and answers, as the table of settings in the domain has them.

use std::borrow::Cow;

use serde::{Deserialize, Serialize, Serializer};
use serde_json::{Map, Value, json};
use switchhook_domain::template::LONGEST_TEMPLATE;
use switchhook_domain::webhook::{
    HIGHEST_RATE, LONGEST_DISABLE_DAYS, LONGEST_MEDIA_TYPE, LONGEST_PEM, LONGEST_RETRY_STEP,
    MOST_EVENT_HEADERS, MOST_HEADERS, MOST_RETRY_STEPS, SETTINGS, Setting, SettingsView, ValueFormat,
    WebhookRequest, WebhookSettings,
};
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{
    AdditionalProperties, ArrayBuilder, KnownFormat, ObjectBuilder, Schema, SchemaFormat, SchemaType, Type,
};
use utoipa::{PartialSchema, ToSchema};

/// A webhook to make or to change, with its settings.
#[derive(Deserialize)]
#[serde(transparent)]
pub(crate) struct SettingsRequest(pub(crate) WebhookRequest);

/// All settings of a webhook with their values, in the order of the table.
#[derive(Deserialize)]
#[serde(from = "Map<String, Value>")]
pub struct SettingsAnswer(pub Vec<(&'static Setting, Value)>);

impl SettingsAnswer {
    pub(super) fn of(settings: WebhookSettings) -> Self {
        let shown = serde_json::to_value(SettingsView(settings));
        let Ok(Value::Object(values)) = shown else {
            unreachable!("settings are shown as an object");
        };
        values.into()
    }
}

impl From<Map<String, Value>> for SettingsAnswer {
    fn from(mut values: Map<String, Value>) -> Self {
        let mut value = |setting: &Setting| values.remove(setting.name).unwrap_or_default();
        Self(SETTINGS.iter().map(|setting| (setting, value(setting))).collect())
    }
}

impl Serialize for SettingsAnswer {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(setting, value)| (setting.name, value)))
    }
}

impl PartialSchema for SettingsRequest {
    fn schema() -> RefOr<Schema> {
        let text = |help: &str| {
            let or_null = SchemaType::from_iter([Type::String, Type::Null]);
            ObjectBuilder::new().schema_type(or_null).description(Some(help))
        };
        let start = ObjectBuilder::new()
            .description(Some(
                "A webhook to make or to change: what is not sent stays, null follows the server.",
            ))
            .property(
                "hook_url",
                text("URL that deliveries are posted to. Required to create a webhook."),
            )
            .property(
                "secret",
                text("Secret with which deliveries are signed (HS256); null or an empty text means none."),
            );
        let all = SETTINGS.iter().fold(start, |object, setting| {
            object.property(setting.name, schema(setting, true))
        });
        all.additional_properties(Some(AdditionalProperties::<Schema>::FreeForm(false)))
            .into()
    }
}

impl ToSchema for SettingsRequest {
    fn name() -> Cow<'static, str> {
        "WebhookWithSettingsRequest".into()
    }
}

impl PartialSchema for SettingsAnswer {
    fn schema() -> RefOr<Schema> {
        let all = SETTINGS.iter().fold(ObjectBuilder::new(), |object, setting| {
            object
                .property(setting.name, schema(setting, false))
                .required(setting.name)
        });
        all.into()
    }
}

impl ToSchema for SettingsAnswer {
    fn name() -> Cow<'static, str> {
        "WebhookSettings".into()
    }
}

/// The schema of one setting. In requests everything can be null, in answers what has no other way to follow the server.
fn schema(setting: &Setting, is_request: bool) -> Schema {
    let is_nullable = is_request
        || !matches!(
            setting.form,
            ValueFormat::Headers | ValueFormat::EventHeaders | ValueFormat::YesNo
        );
    let kind = |own: Type| match is_nullable {
        true => SchemaType::from_iter([own, Type::Null]),
        false => SchemaType::new(own),
    };
    let object = |own: Type| {
        ObjectBuilder::new()
            .schema_type(kind(own))
            .description(Some(format!("{}.", setting.help)))
    };
    let int32 = Some(SchemaFormat::KnownFormat(KnownFormat::Int32));
    let whole = |least: f64| object(Type::Integer).format(int32.clone()).minimum(Some(least));
    match setting.form {
        ValueFormat::Word(words) => {
            let words = words.iter().map(|word| json!(word));
            let null = is_nullable.then_some(Value::Null);
            object(Type::String).enum_values(Some(words.chain(null))).into()
        }
        ValueFormat::YesNo | ValueFormat::YesNoOr(_) => object(Type::Boolean).into(),
        ValueFormat::Count | ValueFormat::Millis => whole(1.0).into(),
        ValueFormat::Days => whole(0.0).maximum(Some(LONGEST_DISABLE_DAYS)).into(),
        ValueFormat::Rate => object(Type::Number)
            .exclusive_minimum(Some(0.0))
            .maximum(Some(HIGHEST_RATE))
            .into(),
        ValueFormat::Seconds => {
            let step = ObjectBuilder::new()
                .schema_type(Type::Integer)
                .minimum(Some(1.0))
                .maximum(Some(LONGEST_RETRY_STEP));
            ArrayBuilder::new()
                .schema_type(kind(Type::Array))
                .items(step)
                .max_items(Some(MOST_RETRY_STEPS))
                .description(Some(format!("{}.", setting.help)))
                .examples([json!([5, 30, 120])])
                .into()
        }
        ValueFormat::Headers => named(object(Type::Object), Some(r"^[\t -~]*$"), MOST_HEADERS).into(),
        ValueFormat::EventHeaders => named(object(Type::Object), None, MOST_EVENT_HEADERS).into(),
        ValueFormat::Hours => object(Type::String).examples([json!(setting.example)]).into(),
        ValueFormat::Template => object(Type::String).max_length(Some(LONGEST_TEMPLATE)).into(),
        ValueFormat::Auth => object(Type::Object)
            .schema_type(SchemaType::from_iter([Type::Object, Type::Null]))
            .additional_properties(Some(AdditionalProperties::<Schema>::FreeForm(true)))
            .into(),
        ValueFormat::Pem => object(Type::String).max_length(Some(LONGEST_PEM)).into(),
        ValueFormat::MediaType => object(Type::String)
            .pattern(Some(r"^[\t -~]*/[\t -~]*$"))
            .max_length(Some(LONGEST_MEDIA_TYPE))
            .into(),
    }
}

/// An object whose members are headers.
fn named(object: ObjectBuilder, values: Option<&str>, most: usize) -> ObjectBuilder {
    let text = || ObjectBuilder::new().schema_type(Type::String);
    object
        .additional_properties(Some(text().pattern(values)))
        .property_names(Some(text().pattern(Some("^[!#$%&'*+.^_`|~0-9A-Za-z-]+$"))))
        .max_properties(Some(most))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_read_as_they_are_written() {
        let written = serde_json::to_string(&SettingsAnswer::of(WebhookSettings::default())).unwrap();
        let names: Vec<_> = SETTINGS
            .iter()
            .map(|setting| written.find(&format!("\"{}\":", setting.name)))
            .collect();
        assert!(names.is_sorted() && names[0].is_some(), "{written}");
        let read: SettingsAnswer = serde_json::from_str(&written).unwrap();
        assert_eq!(serde_json::to_string(&read).unwrap(), written);
        let one: SettingsAnswer = serde_json::from_str(r#"{"rate": 2.5, "of_another_version": 1}"#).unwrap();
        let set: Vec<_> = one.0.iter().filter(|(_, value)| !value.is_null()).collect();
        assert_eq!(set.len(), 1);
    }
}
