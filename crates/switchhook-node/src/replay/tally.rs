//! Counting what a replay would do, without doing it.

use switchhook_domain::id::{EventId, WebhookId};
use switchhook_domain::replay::{Destination, Replay, Tally};
use switchhook_store::{EventFilter, PageRequest, Scan, Store, StoreError};

use crate::registry::Registry;

/// Page size.
const PAGE: u32 = 2_000;

/// Counts the deliveries that a replay would make from its cursor on, looking at no more than about `most` events.
///
/// # Errors
/// `NotFound` if it names events that are not there; or the store cannot be read.
pub(crate) async fn tally(
    store: &dyn Store,
    registry: &Registry,
    replay: &Replay,
    most: u64,
) -> Result<Tally, StoreError> {
    let mut tally = Tally::default();
    let mut after = replay.cursor;
    loop {
        let scan = Scan {
            after,
            most_scanned: PAGE,
            most_selected: PAGE,
        };
        let selection = store.select_for_replay(replay.clone(), scan).await?;
        after = selection.cursor;
        tally.first = tally.first.or(selection.first);
        tally.scanned += u64::from(selection.scanned);
        for planned in selection.candidates.iter().flat_map(|event| replay.plan(event)) {
            if can_be_made(registry, replay, planned.webhook_id) {
                tally.planned += 1;
            } else {
                tally.skipped += 1;
            }
        }
        if selection.is_last {
            check_named(replay, tally)?;
            return Ok(tally);
        }
        if tally.scanned >= most {
            tally.stopped_at = Some((after, last_event(store, replay).await?.unwrap_or(after)));
            return Ok(tally);
        }
    }
}

/// The last event of the time in question.
async fn last_event(store: &dyn Store, replay: &Replay) -> Result<Option<EventId>, StoreError> {
    let filter = EventFilter {
        until: replay.filter.until,
        ..EventFilter::default()
    };
    let one = PageRequest {
        after: Some(replay.id.0),
        limit: 1,
    };
    let page = store.list_event_heads(replay.company_id, filter, one).await?;
    Ok(page.items.first().map(|event| event.id))
}

/// True if the webhook exists. The destination of a replay to one webhook is checked elsewhere.
pub(super) fn can_be_made(registry: &Registry, replay: &Replay, webhook_id: WebhookId) -> bool {
    replay.to != Destination::Origins || registry.destination(webhook_id).is_some()
}

/// Somebody who names events means each of them.
fn check_named(replay: &Replay, tally: Tally) -> Result<(), StoreError> {
    let filter = &replay.filter;
    let all_the_time = filter.since.is_none() && filter.until.is_none();
    match &filter.ids {
        Some(ids) if all_the_time && tally.scanned < ids.len() as u64 => Err(StoreError::NotFound(
            "event as one that is named: `switchhook events list` shows their ids",
        )),
        _ => Ok(()),
    }
}
