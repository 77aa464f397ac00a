//! What waits for a webhook is skipped, visibly.

use switchhook_domain::id::WebhookId;
use switchhook_domain::key::Right;

use crate::Node;
use crate::caller::Caller;
use crate::refusal::Refusal;

/// What a webhook was made to skip.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Skipped {
    /// How many deliveries were cancelled.
    pub count: usize,
    /// Whether there are more to skip: one call cancels so many at the most.
    pub has_more: bool,
}

/// The most deliveries that one call skips.
pub const MOST_SKIPPED: usize = 50_000;

/// How many of them one commit cancels.
const SKIP_SLICE: u32 = 500;

/// What is noted on deliveries that were skipped.
const SKIPPED: &str = "Skipped: the webhook was told to go on with what comes from then on.";

/// Cancels what waits for a webhook: it goes on with the events that come from now on.
///
/// # Errors
/// If the caller may not, or there is no such webhook.
pub async fn skip_to_now(node: &Node, caller: Caller, id: WebhookId) -> Result<Skipped, Refusal> {
    caller.require(Right::Write)?;
    node.store.webhook(caller.company_id, id).await?;
    let now = node.clock.now();
    let mut skipped = Skipped {
        count: 0,
        has_more: true,
    };
    while skipped.has_more && skipped.count < MOST_SKIPPED {
        let slice = node
            .store
            .skip_deliveries_of(id, now, SKIPPED, now, SKIP_SLICE)
            .await?;
        skipped.count += slice;
        // A slice may be a part of one: what ends meanwhile is not skipped.
        skipped.has_more = slice > 0;
    }
    node.engine.nudge(id);
    Ok(skipped)
}
