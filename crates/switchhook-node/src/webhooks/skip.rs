//! Skipping: cancels what waits for a webhook.

use switchhook_domain::id::WebhookId;
use switchhook_domain::key::Right;

use crate::Node;
use crate::caller::Caller;
use crate::refusal::Refusal;

/// Result of skipping.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Skipped {
    /// Number of deliveries cancelled.
    pub count: usize,
    /// True if more wait, because one call cancels a bounded number.
    pub has_more: bool,
}

/// The most deliveries that one call skips.
pub const MOST_SKIPPED: usize = 50_000;

/// Deliveries cancelled in one commit.
const SKIP_SLICE: u32 = 500;

/// Note on skipped deliveries.
const SKIPPED: &str = "Skipped: the webhook was set to continue with new events only.";

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
