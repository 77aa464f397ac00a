//! Dead letters as the API shows them, and as whoever asks it reads them.

use serde::{Deserialize, Serialize};
use switchhook_domain::Timestamp;
use switchhook_domain::attempt::Failure;
use switchhook_domain::credential::shown_url;
use switchhook_node::dead_letters::Group;
use utoipa::ToSchema;

use switchhook_ingress::id::IdText;
use switchhook_ingress::words;

/// Result of dismissing.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct DismissAnswer {
    /// Number of dead letters dismissed.
    pub dismissed: u64,
    /// True if there are more, so that the request should be repeated.
    pub more: bool,
}

/// The dead letters of a company, by what they have in common.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct DeadLetterGroups {
    /// The largest group first.
    pub items: Vec<DeadLetterGroupAnswer>,
    /// True if some groups were left out: narrow the filter to see them.
    pub more: bool,
}

/// Dead letters of one webhook that failed alike.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct DeadLetterGroupAnswer {
    pub webhook_id: IdText,
    /// URL of the webhook; null if it was deleted, so that these cannot be sent again.
    #[schema(required, example = "https://example.com/hooks/dialpad")]
    pub hook_url: Option<String>,
    /// Failure of their last attempts, in one word, for filtering lists.
    #[schema(schema_with = words::failure)]
    pub failure: Failure,
    /// The HTTP status that was answered; null if no answer came.
    #[schema(required, example = 503)]
    pub http_status: Option<u16>,
    /// Reason for which no answer came; null if one did.
    #[schema(required)]
    pub error: Option<String>,
    /// Failure in words, as the end of a sentence about the receiver.
    #[schema(example = "answered 503")]
    pub text: String,
    /// The first line of what was answered to the newest of them, or why no answer came; null if the key may not see it.
    #[schema(required)]
    pub last_line: Option<String>,
    /// Count, up to {most-dead-letters-counted}.
    pub count: u32,
    /// True if there may be more than were counted.
    pub more: bool,
    /// Creation of the oldest, in unix milliseconds.
    #[schema(value_type = i64)]
    pub oldest_at: Timestamp,
    /// Creation of the newest, in unix milliseconds.
    #[schema(value_type = i64)]
    pub newest_at: Timestamp,
    /// The newest of them.
    pub newest_delivery_id: IdText,
}

impl From<Group> for DeadLetterGroupAnswer {
    fn from(group: Group) -> Self {
        let (http_status, reason) = group.failure.parts();
        Self {
            webhook_id: IdText(group.webhook_id.0),
            hook_url: group.hook_url.map(|url| shown_url(&url).into_owned()),
            failure: group.failure,
            http_status,
            error: reason.map(|reason| reason.as_str().to_owned()),
            text: group.failure.in_words(),
            last_line: group.last_line,
            count: group.count,
            more: group.is_more,
            oldest_at: group.oldest_at,
            newest_at: group.newest_at,
            newest_delivery_id: IdText(group.newest.0),
        }
    }
}
