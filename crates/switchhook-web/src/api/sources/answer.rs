//! Sources and what they refused, as the API shows them, and as whoever asks it reads them.

use serde::{Deserialize, Serialize};
use switchhook_domain::source::{Refusal, Source};
use switchhook_domain::{Kind, Timestamp};
use switchhook_node::sight::Sight;
use utoipa::ToSchema;

use switchhook_ingress::id::IdText;
use switchhook_ingress::words;

/// A source. Its secret is never shown.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct SourceAnswer {
    pub id: IdText,
    pub name: String,
    /// What comes in; null: each event's shape tells.
    #[schema(schema_with = words::kind_or_null)]
    pub kind: Option<Kind>,
    /// Where to post to, with the token: only when it is made. Only its hash is kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = "https://switchhook.example.com/in/uJx…")]
    pub url: Option<String>,
    /// The first 16 hexadecimal digits of the token's SHA-256: tells which address is this source's.
    #[schema(example = "ba7816bf8f01cfea")]
    pub fingerprint: String,
    /// Whether what comes must be signed.
    pub signed: bool,
    /// Until when secrets that were replaced still count.
    #[schema(value_type = Vec<i64>)]
    pub old_secrets_until: Vec<Timestamp>,
    /// When it was made, in unix milliseconds.
    #[schema(value_type = i64)]
    pub created_at: Timestamp,
    /// What a person should know of it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    pub warnings: Vec<String>,
}

/// What judging refusals again came to.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct RetriedAnswer {
    /// How many are events now.
    pub taken: u64,
    /// How many had been taken before, because their sender sent them again.
    pub duplicates: u64,
    /// How many are refused as before, and stay.
    pub still_refused: u64,
}

/// What a source did not take.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct RefusalAnswer {
    pub id: IdText,
    /// When, in unix milliseconds.
    #[schema(value_type = i64)]
    pub refused_at: Timestamp,
    /// The HTTP status that was answered.
    pub status: u16,
    /// Why.
    #[schema(example = "the signature does not match")]
    pub reason: String,
    /// What its sender called it.
    #[schema(required)]
    pub content_type: Option<String>,
    /// How many bytes it had.
    pub size: u32,
    /// Its first {refusal-head}; what is no UTF-8 in it is replaced. Null unless the key is an admin's with all scopes.
    #[schema(required)]
    pub body: Option<String>,
}

impl SourceAnswer {
    pub(super) fn of(source: &Source, now: Timestamp) -> Self {
        let digits = source.token_hash[..8].iter().map(|byte| format!("{byte:02x}"));
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
            fingerprint: digits.collect(),
            signed: source.secret.is_some(),
            old_secrets_until: counting.filter(|until| *until > now).collect(),
            created_at: source.created_at,
            warnings: weakness.into_iter().collect(),
        }
    }
}

impl RefusalAnswer {
    /// What was refused may be an event of any kind, so its body is for those who may see all of them.
    pub(super) fn of(refusal: Refusal, sight: Sight) -> Self {
        Self {
            id: IdText(refusal.id.0),
            refused_at: refusal.refused_at,
            status: refusal.status,
            reason: refusal.reason,
            content_type: refusal.content_type,
            size: refusal.body_bytes,
            body: sight.anything(&refusal.body),
        }
    }
}
