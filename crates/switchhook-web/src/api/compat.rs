//! The oddities of Dialpad's API that we imitate: each is one thing with a name here, and nowhere else.
//!
//! Only `/api/v2` and the parts of it that `/v1` shares use them. The form of ids is `id.rs` of `switchhook-ingress`.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use switchhook_domain::secret::Secret;
use switchhook_ingress::id::{IdText, LooseId};
use switchhook_node::secret_display::shown_hook_url;
use switchhook_node::webhooks::WebhookView;
use utoipa::ToSchema;

use super::field::Field;
use switchhook_ingress::error::ApiError;

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

/// **A `limit` over the largest is the largest**: clients send what they like.
pub(crate) fn capped_limit(limit: u32) -> u32 {
    limit.min(LARGEST_PAGE)
}

/// The largest page of `/api/v2`, and what is given without a `limit`.
pub const LARGEST_PAGE: u32 = 50;

/// Some items. **`items` is always there, `cursor` is left out on the last page**: a null there makes a generation of
/// clients loop for ever.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Items<T: ToSchema> {
    /// The items of this page.
    pub(crate) items: Vec<T>,
    /// Value of `cursor` for the next page; absent on the last one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = String, required = false)]
    pub(crate) cursor: Option<IdText>,
}

/// A webhook. **`signature` is left out without a secret**, which is shown in clear.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct WebhookAnswer {
    /// URL that deliveries are posted to. User, password and parameters such as `token` are `***` for keys that may
    /// only read.
    #[schema(example = "https://example.com/hooks/dialpad")]
    pub hook_url: String,
    /// Webhook's id, the `endpoint_id` of subscriptions.
    pub id: IdText,
    /// Signature of its deliveries.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub signature: Option<Signature>,
}

/// Signature of deliveries: the body is a JWT.
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
    /// Signature of frames and deliveries with this secret.
    pub(crate) fn with(secret: Option<String>) -> Self {
        Self {
            algo: "HS256".into(),
            secret,
            signature_type: "jwt".into(),
        }
    }
}

impl WebhookAnswer {
    pub(crate) fn of(shown: &WebhookView) -> Self {
        let WebhookView {
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
