//! Sources and what they refused, as the API shows them, and as whoever asks it reads them.

use serde::{Deserialize, Serialize};
use switchhook_domain::source::{Refusal, Source};
use switchhook_domain::{Kind, Timestamp};
use switchhook_node::sources::fingerprint;
use switchhook_node::visibility::Visibility;
use utoipa::ToSchema;

use switchhook_ingress::id::IdText;
use switchhook_ingress::words;

/// A source. Its secret is never shown.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct SourceAnswer {
    pub id: IdText,
    pub name: String,
    /// Kind of its events; null: each event's shape decides.
    #[schema(schema_with = words::kind_or_null)]
    pub kind: Option<Kind>,
    /// URL to post to, with the token: only in the answer that creates it, because only its hash is kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = "https://switchhook.example.com/in/uJx…")]
    pub url: Option<String>,
    /// The first 16 hexadecimal digits of the token's SHA-256: tells which address is this source's.
    #[schema(example = "ba7816bf8f01cfea")]
    pub fingerprint: String,
    /// True if requests must be signed.
    pub signed: bool,
    /// Time until which secrets that were replaced still count, in unix milliseconds.
    #[schema(value_type = Vec<i64>)]
    pub old_secrets_until: Vec<Timestamp>,
    /// Time of creation, in unix milliseconds.
    #[schema(value_type = i64)]
    pub created_at: Timestamp,
    /// Warnings for people.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    pub warnings: Vec<String>,
}

/// Result of judging refusals again.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct RetriedAnswer {
    /// Number of refusals that became events.
    pub taken: u64,
    /// Number of refusals whose event had come again meanwhile.
    pub duplicates: u64,
    /// Number of refusals that stay.
    pub still_refused: u64,
}

/// Refused request of a source.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct RefusalAnswer {
    pub id: IdText,
    /// Time of the refusal, in unix milliseconds.
    #[schema(value_type = i64)]
    pub refused_at: Timestamp,
    /// The HTTP status that was answered.
    pub status: u16,
    /// Reason for the refusal.
    #[schema(example = "the signature does not match")]
    pub reason: String,
    /// Content type, as the sender says.
    #[schema(required)]
    pub content_type: Option<String>,
    /// Size in bytes.
    pub size: u32,
    /// Body, the first {refusal-head} of it, with U+FFFD in place of what is no UTF-8. Null unless the key is an admin's with all scopes.
    #[schema(required)]
    pub body: Option<String>,
}

impl SourceAnswer {
    pub(super) fn of(source: &Source, now: Timestamp) -> Self {
        let unsigned =
            "without a secret anybody who learns its address can send events: give it the webhook's";
        let weakness = match &source.secret {
            None => Some(unsigned.to_owned()),
            Some(secret) => secret.weakness(),
        };
        let counting = source.old_secrets.iter().map(|old| old.valid_until);
        Self {
            id: IdText(source.id.0),
            name: source.name.clone(),
            kind: source.kind,
            url: None,
            fingerprint: fingerprint(&source.token_hash),
            signed: source.secret.is_some(),
            old_secrets_until: counting.filter(|until| *until > now).collect(),
            created_at: source.created_at,
            warnings: weakness.into_iter().collect(),
        }
    }
}

impl RefusalAnswer {
    /// Shows a refusal. It may be an event of any kind, so its body is for callers who may see all of them.
    pub(super) fn of(refusal: Refusal, visibility: Visibility) -> Self {
        Self {
            id: IdText(refusal.id.0),
            refused_at: refusal.refused_at,
            status: refusal.status,
            reason: refusal.reason,
            content_type: refusal.content_type,
            size: refusal.body_bytes,
            body: visibility.anything(&refusal.body),
        }
    }
}
