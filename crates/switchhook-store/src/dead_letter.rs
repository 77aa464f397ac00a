//! Dead letters, as far as the store tells them apart.

use switchhook_domain::attempt::Failure;
use switchhook_domain::id::{DeliveryId, WebhookId};
use switchhook_domain::{Kind, Timestamp};

/// Filter for dead letters.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct DeadLetterFilter {
    /// Only those to this webhook.
    pub webhook_id: Option<WebhookId>,
    /// Only those whose last attempt failed so.
    pub failure: Option<Failure>,
    pub kind: Option<Kind>,
    /// Made at this time or later.
    pub since: Option<Timestamp>,
    /// Made before this time.
    pub until: Option<Timestamp>,
}

/// Properties that all dead letters of a group share.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct DeadLetterGroupKey {
    pub webhook_id: WebhookId,
    /// Failure of their last attempts.
    pub failure: Failure,
    pub kind: Kind,
}

/// Dead letters of one sort.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DeadLetterGroup {
    pub key: DeadLetterGroupKey,
    /// Count, up to a bound.
    pub count: u32,
    /// True if the count was cut off.
    pub is_more: bool,
    /// The first that was made.
    pub oldest: DeliveryId,
    pub newest: DeliveryId,
}

/// Groups of dead letters, up to a bound.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DeadLetterGroups {
    /// The sorts of them, by webhook.
    pub groups: Vec<DeadLetterGroup>,
    /// True if groups may be missing: of the last webhook, or of those after it.
    pub are_more: bool,
}
