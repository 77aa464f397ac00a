//! One-line summaries of events for lists. Large events are not even read.

use std::collections::HashMap;

use switchhook_domain::id::EventId;
use switchhook_domain::key::Right;
use switchhook_store::EventRecord;

use crate::caller::Caller;
use crate::refusal::Refusal;
use crate::summary::Summary;
use crate::visibility::Visibility;
use crate::{Node, blocking};

/// Sums up events as far as the caller may see them. Those that are large, or have no payload any more, are left out.
///
/// # Errors
/// If the caller may not, or the store cannot be read.
pub async fn summaries(
    node: &Node,
    caller: Caller,
    mut ids: Vec<EventId>,
) -> Result<HashMap<EventId, Summary>, Refusal> {
    caller.require(Right::Read)?;
    ids.sort_unstable_by(|one, other| other.cmp(one));
    ids.dedup();
    let events = node.store.small_events(caller.company_id, ids).await?;
    let visibility = Visibility::of(caller, node);
    let bytes = events.iter().map(|event| event.body.len()).sum();
    let sum_up = move || {
        let seen = events
            .into_iter()
            .filter_map(|event| Some((event.id, summary(event, visibility)?)));
        seen.collect()
    };
    Ok(blocking::run(bytes, sum_up).await)
}

/// Sums up an event, as far as somebody sees it; `None` if they see nothing of it, or its payload is gone.
#[must_use]
pub fn summary(event: EventRecord, visibility: Visibility) -> Option<Summary> {
    let event = visibility.event(event)?;
    let is_there = event.payload_removed.is_none();
    is_there.then(|| Summary::of(event.kind, &event.body, visibility.mask))
}
