//! Types of ingest: the submitted event, the accepted event, and the reasons for refusing one.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use bytes::Bytes;
use switchhook_domain::Kind;
use switchhook_domain::id::{CompanyId, DeliveryId, EventId, SubscriptionId, WebhookId};
use switchhook_protocol::{BodyError, UnknownWord, check_object, recognize_kind};
use switchhook_store::{NewDelivery, StoreError};

use crate::validation::Deviation;

/// Time for which an idempotency key counts.
pub const KEY_LASTS: Duration = Duration::from_secs(24 * 60 * 60);

/// Kind under which an event is submitted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SentAs {
    /// As what its sender says it is.
    Kind(Kind),
    /// As what its shape tells.
    Auto,
}

impl SentAs {
    /// Word in place of a kind, to have it detected from the shape.
    pub const AUTO: &str = "auto";

    /// The kind of an event that is sent so.
    ///
    /// # Errors
    /// If its shape is to tell it and does not.
    pub fn kind_of(self, body: &[u8]) -> Result<Kind, Rejected> {
        match self {
            Self::Kind(kind) => Ok(kind),
            Self::Auto => match recognize_kind(body) {
                Some(kind) => Ok(kind),
                None => Err(check_object(body).map_or_else(Rejected::from, |_| Rejected::OfNoKind)),
            },
        }
    }
}

impl fmt::Display for SentAs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Kind(kind) => kind.fmt(f),
            Self::Auto => f.pad(Self::AUTO),
        }
    }
}

impl FromStr for SentAs {
    type Err = UnknownWord;

    fn from_str(word: &str) -> Result<Self, Self::Err> {
        if word.eq_ignore_ascii_case(Self::AUTO) {
            return Ok(Self::Auto);
        }
        word.parse().map(Self::Kind)
    }
}

/// An event as it came.
#[derive(Debug, Clone)]
pub struct Submission {
    pub company_id: CompanyId,
    /// Kind as the sender says.
    pub kind: Kind,
    /// Its bytes, at most [`LARGEST_EVENT`](switchhook_protocol::LARGEST_EVENT) of them.
    pub body: Bytes,
    /// By which the sender's repetitions are known.
    pub idempotency_key: Option<IdempotencyKey>,
}

/// By which repetitions are known, and for how long.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdempotencyKey {
    /// The key; unique in the company while it lasts.
    pub text: String,
    /// For how long it counts.
    pub lasts: Duration,
}

impl From<String> for IdempotencyKey {
    fn from(text: String) -> Self {
        Self {
            text,
            lasts: KEY_LASTS,
        }
    }
}

/// An event that is kept, now or since an earlier submission with the same key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Accepted {
    pub id: EventId,
    pub kind: Kind,
    /// True if it was accepted before.
    pub is_duplicate: bool,
    /// Deviations from the schema.
    pub warnings: Vec<String>,
    pub deliveries: Vec<AcceptedDelivery>,
}

/// One of the original deliveries of an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AcceptedDelivery {
    pub id: DeliveryId,
    pub webhook_id: WebhookId,
    /// Subscriptions that asked for it.
    pub subscription_ids: Vec<SubscriptionId>,
}

/// Reason for which an event is not kept.
#[derive(Debug, thiserror::Error)]
pub enum Rejected {
    /// Its bytes are no event.
    #[error(transparent)]
    NotAnEvent(#[from] BodyError),
    /// It deviates from its schema, and validation is strict.
    #[error("the event deviates from its schema")]
    Deviates(Vec<Deviation>),
    /// Nobody said what it is, and its shape does not tell.
    #[error("its shape is that of no known kind: send it as the one that it is")]
    OfNoKind,
    /// It has too many bytes.
    #[error("the event is larger than {limit} bytes")]
    TooLarge {
        /// Limit in bytes.
        limit: usize,
    },
    /// Its key was used with another event.
    #[error("the idempotency key was used with another event")]
    KeyReused,
    /// It could not be kept.
    #[error(transparent)]
    NotKept(#[from] StoreError),
}

impl Rejected {
    /// The reason's name in the metrics.
    #[must_use]
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::NotAnEvent(_) => "not_an_event",
            Self::Deviates(_) => "deviates",
            Self::OfNoKind => "of_no_kind",
            Self::TooLarge { .. } => "too_large",
            Self::KeyReused => "key_reused",
            Self::NotKept(_) => "not_kept",
        }
    }
}

impl AcceptedDelivery {
    pub(super) fn of(delivery: &NewDelivery) -> Self {
        Self {
            id: delivery.id,
            webhook_id: delivery.webhook_id,
            subscription_ids: delivery.subscription_ids.clone(),
        }
    }
}
