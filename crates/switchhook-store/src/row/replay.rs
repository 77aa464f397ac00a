//! A replay as a row.

use switchhook_domain::Timestamp;
use switchhook_domain::clearance::Clearance;
use switchhook_domain::id::{CompanyId, EventId, ReplayId, WebhookId};
use switchhook_domain::replay::{Destination, Estimate, Progress, Replay, ReplayState, ReplayStateName};

use super::{Cells, Row};
use crate::error::StoreError;

/// What [`read`] reads, in its order. Untried deliveries are few: a replay makes no more before they are tried.
/// `$index` is what a driver has to say about how they are counted.
macro_rules! replay_columns {
    ($index:literal) => {
        concat!(
            "id, company_id, filter, webhook_id, \
             (SELECT hook_url FROM webhooks WHERE webhooks.id = webhook_id AND webhooks.replay_id = replays.id), \
             rate, hidden, made_with, total, total_is_exact, cursor, all_created, next_due_at, scanned, created, skipped, delivered, \
             exhausted, cancelled, (SELECT count(*) FROM deliveries ",
            $index,
            " WHERE deliveries.replay_id = replays.id AND state = 'pending' AND attempt_number = 0), \
             state, ended_at, reason, created_at"
        )
    };
}
pub(crate) use replay_columns;

/// Which events it selects, as text.
pub(crate) fn filter(replay: &Replay) -> Result<String, StoreError> {
    serde_json::to_string(&replay.filter)
        .map_err(|error| StoreError::Conflict(format!("the replay's filter cannot be kept: {error}")))
}

/// How many deliveries it makes, as was thought when it was made.
pub(crate) fn total(replay: &Replay) -> i64 {
    i64::try_from(replay.estimate.total).unwrap_or(i64::MAX)
}

pub(crate) fn read(row: &Row<'_>) -> Result<Replay, StoreError> {
    let mut cells = Cells::of("replays", row)?;
    Ok(Replay {
        id: ReplayId(cells.id()),
        company_id: CompanyId(cells.read()?),
        filter: cells.json()?,
        to: read_destination(&mut cells)?,
        rate: cells.read()?,
        hidden: cells.word()?,
        made_with: read_made_with(&mut cells)?,
        estimate: Estimate {
            total: count(&mut cells)?,
            is_exact: cells.read()?,
        },
        cursor: EventId(cells.read()?),
        is_all_created: cells.read()?,
        next_due_at: cells.time()?,
        progress: Progress {
            scanned: count(&mut cells)?,
            created: count(&mut cells)?,
            skipped: count(&mut cells)?,
            delivered: count(&mut cells)?,
            exhausted: count(&mut cells)?,
            cancelled: count(&mut cells)?,
            untried: count(&mut cells)?,
        },
        state: read_state(&mut cells)?,
        created_at: cells.time()?,
    })
}

/// Before it was kept, replays sent whatever there was.
fn read_made_with(cells: &mut Cells<'_>) -> Result<Clearance, StoreError> {
    let text = cells.maybe_text()?;
    text.map_or_else(
        || Ok(Clearance::full()),
        |text| text.parse().map_err(|error| cells.corrupt(error)),
    )
}

fn count(cells: &mut Cells<'_>) -> Result<u64, StoreError> {
    Ok(cells.read::<i64>()?.unsigned_abs())
}

fn read_destination(cells: &mut Cells<'_>) -> Result<Destination, StoreError> {
    let webhook_id = cells.read::<Option<i64>>()?.map(WebhookId);
    let url: Option<String> = cells.read()?;
    Ok(match (webhook_id, url) {
        (None, _) => Destination::Origins,
        (Some(id), None) => Destination::Webhook(id),
        (Some(webhook_id), Some(url)) => Destination::Url { webhook_id, url },
    })
}

fn read_state(cells: &mut Cells<'_>) -> Result<ReplayState, StoreError> {
    let name = cells.word()?;
    let at: Option<Timestamp> = cells.maybe_time()?;
    let reason: Option<String> = cells.read()?;
    match (name, at) {
        (ReplayStateName::Running, _) => Ok(ReplayState::Running),
        (ReplayStateName::Finished, Some(at)) => Ok(ReplayState::Finished { at }),
        (ReplayStateName::Cancelled, Some(at)) => Ok(ReplayState::Cancelled { at }),
        (ReplayStateName::Failed, Some(at)) => Ok(ReplayState::Failed {
            at,
            reason: reason.unwrap_or_default(),
        }),
        (_, None) => Err(cells.corrupt(format_args!("the replay is {name} and has no time when it ended"))),
    }
}
