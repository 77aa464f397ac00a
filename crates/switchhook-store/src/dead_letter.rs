//! Dead letters, as far as the store tells them apart.

use switchhook_domain::attempt::Failure;
use switchhook_domain::id::{DeliveryId, WebhookId};
use switchhook_domain::{Kind, Timestamp};

/// Which dead letters.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct DeadLetterFilter {
    /// Only those to this webhook.
    pub webhook_id: Option<WebhookId>,
    /// Only those whose last attempt failed so.
    pub failure: Option<Failure>,
    /// Only this kind.
    pub kind: Option<Kind>,
    /// Made at this time or later.
    pub since: Option<Timestamp>,
    /// Made before this time.
    pub until: Option<Timestamp>,
}

/// What dead letters of one sort have in common.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Alike {
    /// Where they were to go.
    pub webhook_id: WebhookId,
    /// How their last attempts failed.
    pub failure: Failure,
    pub kind: Kind,
}

/// Dead letters of one sort.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DeadLetterGroup {
    /// What they have in common.
    pub alike: Alike,
    /// How many, counted up to a bound.
    pub count: u32,
    /// Whether there are more.
    pub is_more: bool,
    /// The first that was made.
    pub oldest: DeliveryId,
    /// The last.
    pub newest: DeliveryId,
}

/// What dead letters have in common, as far as it was looked.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DeadLetterGroups {
    /// The sorts of them, by webhook.
    pub groups: Vec<DeadLetterGroup>,
    /// Whether there may be sorts that were not looked at: of the last webhook, or of those after it.
    pub are_more: bool,
}
