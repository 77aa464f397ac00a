//! A replay as a row.

use switchhook_domain::Timestamp;
use switchhook_domain::clearance::Clearance;
use switchhook_domain::id::{CompanyId, EventId, ReplayId, WebhookId};
use switchhook_domain::replay::{Destination, Estimate, Progress, Replay, ReplayState, ReplayStateName};

use super::{Columns, Row};
use crate::error::StoreError;

/// Columns for [`read`]. Counting untried deliveries is cheap: a replay makes no more before they are tried.
macro_rules! replay_columns {
    () => {
        "id, company_id, filter, webhook_id, \
             (SELECT hook_url FROM webhooks WHERE webhooks.id = webhook_id AND webhooks.replay_id = replays.id), \
             rate, hidden, made_with, total, total_is_exact, cursor, all_created, next_due_at, scanned, created, skipped, delivered, \
             exhausted, cancelled, \
         (SELECT count(*) FROM deliveries INDEXED BY deliveries_of_replay \
         WHERE deliveries.replay_id = replays.id AND state = 'pending' AND attempt_number = 0), \
         state, ended_at, reason, created_at"
    };
}
pub(crate) use replay_columns;

/// Stored form of its filter.
pub(crate) fn filter(replay: &Replay) -> Result<String, StoreError> {
    serde_json::to_string(&replay.filter)
        .map_err(|error| StoreError::Conflict(format!("the replay's filter cannot be kept: {error}")))
}

/// Estimate of its deliveries from its creation.
pub(crate) fn total(replay: &Replay) -> i64 {
    i64::try_from(replay.estimate.total).unwrap_or(i64::MAX)
}

pub(crate) fn read(row: &Row<'_>) -> Result<Replay, StoreError> {
    let mut columns = Columns::of("replays", row)?;
    Ok(Replay {
        id: ReplayId(columns.id()),
        company_id: CompanyId(columns.read()?),
        filter: columns.json()?,
        to: read_destination(&mut columns)?,
        rate: columns.read()?,
        hidden: columns.word()?,
        made_with: read_made_with(&mut columns)?,
        estimate: Estimate {
            total: count(&mut columns)?,
            is_exact: columns.read()?,
        },
        cursor: EventId(columns.read()?),
        is_all_created: columns.read()?,
        next_due_at: columns.time()?,
        progress: Progress {
            scanned: count(&mut columns)?,
            created: count(&mut columns)?,
            skipped: count(&mut columns)?,
            delivered: count(&mut columns)?,
            exhausted: count(&mut columns)?,
            cancelled: count(&mut columns)?,
            untried: count(&mut columns)?,
        },
        state: read_state(&mut columns)?,
        created_at: columns.time()?,
    })
}

/// Before it was kept, replays sent whatever there was.
fn read_made_with(columns: &mut Columns<'_>) -> Result<Clearance, StoreError> {
    let text = columns.maybe_text()?;
    text.map_or_else(
        || Ok(Clearance::FULL),
        |text| text.parse().map_err(|error| columns.corrupt(error)),
    )
}

fn count(columns: &mut Columns<'_>) -> Result<u64, StoreError> {
    Ok(columns.read::<i64>()?.unsigned_abs())
}

fn read_destination(columns: &mut Columns<'_>) -> Result<Destination, StoreError> {
    let webhook_id = columns.read::<Option<i64>>()?.map(WebhookId);
    let url: Option<String> = columns.read()?;
    Ok(match (webhook_id, url) {
        (None, _) => Destination::Origins,
        (Some(id), None) => Destination::Webhook(id),
        (Some(webhook_id), Some(url)) => Destination::Url { webhook_id, url },
    })
}

fn read_state(columns: &mut Columns<'_>) -> Result<ReplayState, StoreError> {
    let name = columns.word()?;
    let at: Option<Timestamp> = columns.maybe_time()?;
    let reason: Option<String> = columns.read()?;
    match (name, at) {
        (ReplayStateName::Running, _) => Ok(ReplayState::Running),
        (ReplayStateName::Finished, Some(at)) => Ok(ReplayState::Finished { at }),
        (ReplayStateName::Cancelled, Some(at)) => Ok(ReplayState::Cancelled { at }),
        (ReplayStateName::Failed, Some(at)) => Ok(ReplayState::Failed {
            at,
            reason: reason.unwrap_or_default(),
        }),
        (_, None) => Err(columns.corrupt(format_args!("the replay is {name} and has no time when it ended"))),
    }
}
