//! What happened in events, and to whom, for lists of them. Large events are not even read for it.

use std::collections::HashMap;

use switchhook_domain::id::EventId;
use switchhook_store::{EventRecord, StoreError};

use crate::caller::Caller;
use crate::sight::Sight;
use crate::summary::Summary;
use crate::{Node, blocking};

/// Sums up events as far as the caller may see them. Those that are large, or have no payload any more, are left out.
///
/// # Errors
/// If the store cannot be read.
pub async fn summaries(
    node: &Node,
    caller: Caller,
    mut ids: Vec<EventId>,
) -> Result<HashMap<EventId, Summary>, StoreError> {
    ids.sort_unstable_by(|one, other| other.cmp(one));
    ids.dedup();
    let events = node.store.small_events(caller.company_id, ids).await?;
    let sight = Sight::of(caller, node);
    let bytes = events.iter().map(|event| event.body.len()).sum();
    let sum_up = move || {
        let seen = events
            .into_iter()
            .filter_map(|event| Some((event.id, summary(event, sight)?)));
        seen.collect()
    };
    Ok(blocking::run(bytes, sum_up).await)
}

/// Sums up an event, as far as somebody sees it; `None` if they see nothing of it, or its payload is gone.
#[must_use]
pub fn summary(event: EventRecord, sight: Sight) -> Option<Summary> {
    let event = sight.event(event)?;
    let is_there = event.payload_removed.is_none();
    is_there.then(|| Summary::of(event.kind, &event.body, sight.mask))
}
