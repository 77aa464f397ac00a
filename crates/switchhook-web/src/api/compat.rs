//! The oddities of Dialpad's API that we imitate: each is one thing with a name here, and nowhere else.
//!
//! Only `/api/v2` and what it shares with `/v1` use them; what the API does is in the files of its resources.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use serde::de::{Error, Unexpected, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use switchhook_domain::secret::Secret;
use switchhook_node::secrets_shown::shown_hook_url;
use switchhook_node::webhooks::Shown;
use utoipa::ToSchema;
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{ObjectBuilder, Schema, SchemaType, Type};

use super::error::ApiError;
use super::field::Field;

/// Ids are **strings in answers**, although the documented type is an integer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ToSchema)]
#[schema(as = Id, value_type = String, example = "7730318061039616")]
pub struct IdText(pub i64);

impl fmt::Display for IdText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Serialize for IdText {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(itoa::Buffer::new().format(self.0))
    }
}

impl<'de> Deserialize<'de> for IdText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let LooseId(id) = LooseId::deserialize(deserializer)?;
        Ok(Self(id))
    }
}

/// Ids in requests are **integers or strings of digits**.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct LooseId(pub(crate) i64);

impl utoipa::PartialSchema for LooseId {
    fn schema() -> RefOr<Schema> {
        let forms = SchemaType::from_iter([Type::String, Type::Integer]);
        let description = "An id in a request: a string of digits, or an integer.";
        ObjectBuilder::new()
            .schema_type(forms)
            .description(Some(description))
            .into()
    }
}

impl ToSchema for LooseId {
    fn name() -> Cow<'static, str> {
        Cow::Borrowed("IdInRequest")
    }
}

impl<'de> Deserialize<'de> for LooseId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Loose;
        impl Visitor<'_> for Loose {
            type Value = LooseId;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an id: an integer, or a string of digits")
            }

            fn visit_i64<E: Error>(self, id: i64) -> Result<LooseId, E> {
                if id < 0 {
                    return Err(E::invalid_value(Unexpected::Signed(id), &self));
                }
                Ok(LooseId(id))
            }

            fn visit_u64<E: Error>(self, id: u64) -> Result<LooseId, E> {
                let id = i64::try_from(id);
                id.map(LooseId).map_err(|_| E::custom("an id is less than 2^63"))
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<LooseId, E> {
                let id = id_of(text).map(LooseId);
                id.ok_or_else(|| E::invalid_value(Unexpected::Str(&shortened(text)), &self))
            }
        }
        deserializer.deserialize_any(Loose)
    }
}

/// An id as it is written: nothing but its digits.
pub fn id_of<T: FromStr>(text: &str) -> Option<T> {
    const MOST_DIGITS: usize = 19;
    let is_id = text.len() <= MOST_DIGITS && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| is_id)
}

/// A text from outside, no longer than a message can bear.
pub(crate) fn shortened(text: &str) -> Cow<'_, str> {
    const LONGEST: usize = 64;
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => Cow::Owned(format!("{}…", &text[..end])),
        None => Cow::Borrowed(text),
    }
}

/// `endpoint_id` names a subscription's webhook or websocket; **the older `webhook_id` means the same**.
pub(crate) fn endpoint(
    endpoint_id: Field<LooseId>,
    webhook_id: Field<LooseId>,
) -> Result<Option<Option<i64>>, ApiError> {
    match (endpoint_id, webhook_id) {
        (Field::Given(one), Field::Given(other)) if one != other => Err(ApiError::invalid(
            "endpoint_id and webhook_id mean the same and differ here: send endpoint_id only",
        )),
        (Field::Given(id), _) | (_, Field::Given(id)) => Ok(Some(Some(id.0))),
        (Field::Null, _) | (_, Field::Null) => Ok(Some(None)),
        (Field::Absent, Field::Absent) => Ok(None),
    }
}

/// **An empty query value means that the parameter is absent.**
pub(crate) fn absent_if_empty(value: Cow<'_, str>) -> Option<Cow<'_, str>> {
    (!value.is_empty()).then_some(value)
}

/// **A `limit` over the largest is the largest**: clients send what they like.
pub(crate) fn capped_limit(limit: u32) -> u32 {
    limit.min(LARGEST_PAGE)
}

/// The largest page of `/api/v2`, and what is given without a `limit`.
pub(crate) const LARGEST_PAGE: u32 = 50;

/// Some items. **`items` is always there, `cursor` is left out on the last page**: a null there makes a generation of
/// clients loop for ever.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Items<T: ToSchema> {
    /// The items of this page.
    pub(crate) items: Vec<T>,
    /// What to send as `cursor` to get the next page; absent on the last one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = String, required = false)]
    pub(crate) cursor: Option<IdText>,
}

/// A webhook. **`signature` is left out without a secret**, which is shown in clear.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct WebhookAnswer {
    /// Where deliveries are posted to. User, password and parameters such as `token` are `***` for keys that may only
    /// look.
    #[schema(example = "https://example.com/hooks/dialpad")]
    pub hook_url: String,
    /// Its id: the `endpoint_id` of subscriptions.
    pub id: IdText,
    /// How its deliveries are signed.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub signature: Option<Signature>,
}

/// How deliveries are signed: the body is a JWT.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct Signature {
    /// Always `HS256`.
    #[schema(example = "HS256")]
    pub algo: Cow<'static, str>,
    /// The shared secret; absent if the webhook or the server hides it, or the key may only look.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub secret: Option<String>,
    /// Always `jwt`.
    #[serde(rename = "type")]
    #[schema(example = "jwt")]
    pub signature_type: Cow<'static, str>,
}

impl Signature {
    /// How frames and deliveries with this secret are signed.
    pub(crate) fn with(secret: Option<String>) -> Self {
        Self {
            algo: "HS256".into(),
            secret,
            signature_type: "jwt".into(),
        }
    }
}

impl WebhookAnswer {
    /// Shows a webhook.
    pub(crate) fn of(shown: &Shown) -> Self {
        let Shown {
            webhook,
            secret_shown,
            ..
        } = shown;
        let signature = |secret: &Secret| Signature::with(secret_shown.of(secret, &webhook.settings));
        Self {
            hook_url: shown_hook_url(webhook, *secret_shown),
            id: IdText(webhook.id.0),
            signature: webhook.secret.as_ref().map(signature),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: Field<LooseId> = Field::Given(LooseId(1));
    const TWO: Field<LooseId> = Field::Given(LooseId(2));

    #[test]
    fn ids_are_read_as_integers_and_as_strings_and_written_as_strings() {
        for json in ["1001", "\"1001\""] {
            assert_eq!(
                serde_json::from_str::<LooseId>(json).unwrap(),
                LooseId(1001),
                "{json}"
            );
        }
        for json in [
            "\"\"",
            "\"abc\"",
            "1.5",
            "true",
            "[]",
            "9223372036854775808",
            "-1",
            "\"-1\"",
            "\"+1\"",
        ] {
            assert!(serde_json::from_str::<LooseId>(json).is_err(), "{json}");
        }
        assert_eq!(serde_json::to_string(&IdText(1001)).unwrap(), "\"1001\"");
    }

    #[test]
    fn both_spellings_of_the_endpoint_are_one() {
        let given = |id| Ok(Some(Some(id)));
        assert_eq!(endpoint(ONE, Field::Absent), given(1));
        assert_eq!(endpoint(Field::Absent, ONE), given(1));
        assert_eq!(endpoint(Field::Null, ONE), given(1));
        assert_eq!(endpoint(ONE, ONE), given(1));
        assert_eq!(endpoint(Field::Null, Field::Absent), Ok(Some(None)));
        assert_eq!(endpoint(Field::Absent, Field::Absent), Ok(None));
        assert!(endpoint(ONE, TWO).is_err());
    }
}
