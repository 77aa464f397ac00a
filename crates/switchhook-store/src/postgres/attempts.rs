//! Attempts: what is kept of a POST, and what its end does to its delivery.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap, HashSet};

use sqlx::Row as _;
use sqlx::postgres::PgConnection;
use switchhook_domain::Timestamp;
use switchhook_domain::attempt::{Attempt, AttemptOutcome};
use switchhook_domain::delivery::{DeliveryState, StateName};
use switchhook_domain::id::{DeliveryId, ReplayId};
use switchhook_domain::order::OrderKey;

use super::columns::bind_columns;
use super::order::{self, Line};
use super::replays;
use super::transaction::Transaction;
use crate::claim::{FinishedAttempt, HandedOver};
use crate::error::StoreError;
use crate::row::attempt::{self, attempt_columns, micros, outcome_name, status};
use crate::row::{Cells, Row};

/// The attempt of a delivery that is under way.
pub(super) struct OpenAttempt {
    pub(super) number: u32,
    pub(super) is_pending: bool,
    pub(super) order_key: Option<OrderKey>,
    pub(super) blocks_until: Timestamp,
    pub(super) replay_id: Option<ReplayId>,
}

/// Records how attempts ended; answers for each whether it came too late. The lines of the deliveries are locked.
pub(super) async fn finish(
    transaction: &mut Transaction<'_>,
    finished: &[&FinishedAttempt],
) -> Result<Vec<bool>, StoreError> {
    let ids = finished.iter().map(|one| one.delivery_id);
    let mut open = open_attempts(transaction, ids).await?;
    let (mut in_time, mut late) = (Vec::new(), Vec::new());
    for one in finished {
        let (webhook_id, delivery_id) = (one.webhook_id, one.delivery_id);
        transaction.hand_over(HandedOver::Settled {
            webhook_id,
            delivery_id,
        });
        // Taken out, so that an attempt is finished once even if it is told twice.
        let is_open = open
            .get(&delivery_id)
            .is_some_and(|open| open.number == one.attempt.number);
        if is_open && let Some(open) = open.remove(&delivery_id) {
            in_time.push((*one, open));
        }
        late.push(!is_open);
    }
    if !in_time.is_empty() {
        finish_in_time(transaction, &in_time).await?;
    }
    Ok(late)
}

async fn finish_in_time(
    transaction: &mut Transaction<'_>,
    in_time: &[(&FinishedAttempt, OpenAttempt)],
) -> Result<(), StoreError> {
    let kept = kept(transaction.connection, in_time).await?;
    insert(transaction.connection, &kept).await?;
    settle_pending(transaction.connection, in_time).await?;
    settle_final(transaction.connection, in_time).await?;
    let (mut ended, mut lines) = (replays::Ended::new(), BTreeMap::<Line, Timestamp>::new());
    for (one, open) in in_time {
        match one.state {
            DeliveryState::Pending { due_at } if open.is_pending => transaction.hand_over(HandedOver::Due {
                webhook_id: one.webhook_id,
                due_at,
            }),
            state if open.is_pending => replays::note_ended(&mut ended, open.replay_id, state.name()),
            _ => {}
        }
        if let Some(key) = &open.order_key {
            lines.insert((one.webhook_id, key.clone()), one.attempt.finished_at);
        }
    }
    order::free_followers(transaction, &lines).await?;
    replays::count_ended(transaction.connection, &ended).await
}

/// What is kept of the attempts. The payload of a delivery that was cancelled may have been erased while its attempt was
/// under way: what was answered then goes too.
async fn kept<'f>(
    connection: &mut PgConnection,
    in_time: &'f [(&FinishedAttempt, OpenAttempt)],
) -> Result<Vec<(DeliveryId, Cow<'f, Attempt>)>, StoreError> {
    let cancelled: Vec<i64> = in_time
        .iter()
        .filter(|(_, open)| !open.is_pending)
        .map(|(one, _)| one.delivery_id.0)
        .collect();
    let erased = match cancelled.is_empty() {
        true => HashSet::new(),
        false => without_payload(connection, cancelled).await?,
    };
    let keep = |one: &'f FinishedAttempt| {
        let mut attempt = Cow::Borrowed(&one.attempt);
        if erased.contains(&one.delivery_id.0)
            && let Some(answer) = &mut attempt.to_mut().answer
        {
            answer.body_head.clear();
        }
        (one.delivery_id, attempt)
    };
    Ok(in_time.iter().map(|(one, _)| keep(one)).collect())
}

async fn without_payload(connection: &mut PgConnection, ids: Vec<i64>) -> Result<HashSet<i64>, StoreError> {
    let sql = "SELECT deliveries.id FROM deliveries JOIN events ON events.id = deliveries.event_id \
               WHERE deliveries.id = ANY($1) AND payload_removed_at IS NOT NULL";
    let rows = sqlx::query(sql).bind(ids).fetch_all(connection).await?;
    rows.iter().map(|row| Ok(row.try_get(0)?)).collect()
}

/// Ends the claims of deliveries that were pending until now, and takes them where they go.
async fn settle_pending(
    connection: &mut PgConnection,
    in_time: &[(&FinishedAttempt, OpenAttempt)],
) -> Result<(), StoreError> {
    let rows: Vec<_> = in_time
        .iter()
        .filter(|(_, open)| open.is_pending)
        .map(|(one, _)| *one)
        .collect();
    if rows.is_empty() {
        return Ok(());
    }
    let query = bind_columns!(sqlx::query(SETTLE), rows, |one| {
        i64: one.delivery_id.0,
        &str: one.state.name().as_str(),
        Option<i64>: (!one.state.is_final()).then_some(one.state.at().as_millis()),
        Option<i64>: one.state.is_final().then_some(one.state.at().as_millis()),
        i64: i64::from(one.failures.answered),
        i64: i64::from(one.failures.unanswered),
        i64: one.blocks_until.as_millis(),
        i64: i64::try_from(one.held.as_millis()).unwrap_or(i64::MAX),
        &str: outcome_name(&one.attempt.outcome),
        Option<i64>: status(&one.attempt).map(i64::from),
    });
    query.execute(connection).await?;
    Ok(())
}

const SETTLE: &str = "UPDATE deliveries SET claimed_by = NULL, claimed_at = NULL, state = one.state, \
     due_at = one.due_at, ended_at = one.ended_at, failures_answered = one.answered, \
     failures_unanswered = one.unanswered, blocks_until = one.blocks_until, held_ms = one.held_ms, \
     last_outcome = one.outcome, last_status = one.status \
     FROM unnest($1::bigint[], $2::text[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[], $7::bigint[], \
     $8::bigint[], $9::text[], $10::bigint[]) AS one (id, state, due_at, ended_at, answered, unanswered, blocks_until, \
     held_ms, outcome, status) WHERE deliveries.id = one.id";

/// Ends the claims of deliveries that were cancelled meanwhile: their state stays.
async fn settle_final(
    connection: &mut PgConnection,
    in_time: &[(&FinishedAttempt, OpenAttempt)],
) -> Result<(), StoreError> {
    let rows: Vec<_> = in_time
        .iter()
        .filter(|(_, open)| !open.is_pending)
        .map(|(one, _)| *one)
        .collect();
    if rows.is_empty() {
        return Ok(());
    }
    let query = bind_columns!(sqlx::query(SETTLE_FINAL), rows, |one| {
        i64: one.delivery_id.0,
        i64: i64::from(one.failures.answered),
        i64: i64::from(one.failures.unanswered),
        &str: outcome_name(&one.attempt.outcome),
        Option<i64>: status(&one.attempt).map(i64::from),
    });
    query.execute(connection).await?;
    Ok(())
}

const SETTLE_FINAL: &str = "UPDATE deliveries SET claimed_by = NULL, claimed_at = NULL, \
     failures_answered = one.answered, failures_unanswered = one.unanswered, last_outcome = one.outcome, \
     last_status = one.status \
     FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::text[], $5::bigint[]) \
     AS one (id, answered, unanswered, outcome, status) WHERE deliveries.id = one.id";

/// The open attempts of this node among those of the deliveries. Their rows are locked, in the order of their ids.
pub(super) async fn open_attempts(
    transaction: &mut Transaction<'_>,
    ids: impl Iterator<Item = DeliveryId>,
) -> Result<HashMap<DeliveryId, OpenAttempt>, StoreError> {
    let sql = "SELECT id, attempt_number, state, order_key, blocks_until, replay_id FROM deliveries \
               WHERE id = ANY($1) AND claimed_by = $2 ORDER BY id FOR UPDATE";
    let rows = sqlx::query(sql)
        .bind(ids.map(|id| id.0).collect::<Vec<_>>())
        .bind(transaction.node)
        .fetch_all(&mut *transaction.connection)
        .await?;
    rows.iter().map(|row| read_open(row)).collect()
}

fn read_open(row: &Row<'_>) -> Result<(DeliveryId, OpenAttempt), StoreError> {
    let mut cells = Cells::of("deliveries", row)?;
    let open = OpenAttempt {
        number: cells.read()?,
        is_pending: cells.word::<StateName>()? == StateName::Pending,
        order_key: cells.maybe_text()?.map(OrderKey::new),
        blocks_until: cells.time()?,
        replay_id: cells.read::<Option<i64>>()?.map(ReplayId),
    };
    Ok((DeliveryId(cells.id()), open))
}

/// Keeps finished attempts.
pub(super) async fn insert(
    connection: &mut PgConnection,
    rows: &[(DeliveryId, Cow<'_, Attempt>)],
) -> Result<(), StoreError> {
    let retry_after = |attempt: &Attempt| match &attempt.outcome {
        AttemptOutcome::Answered { retry_after, .. } => retry_after.map(Timestamp::as_millis),
        AttemptOutcome::Unanswered { .. } | AttemptOutcome::Lost => None,
    };
    let query = bind_columns!(sqlx::query(INSERT), rows, |row| {
        i64: row.0.0,
        i64: i64::from(row.1.number),
        i64: row.1.started_at.as_millis(),
        i64: row.1.finished_at.as_millis(),
        &str: outcome_name(&row.1.outcome),
        Option<&str>: silence(&row.1).map(|(reason, _)| reason),
        Option<String>: silence(&row.1).map(|(_, detail)| detail.replace('\0', "")),
        Option<i64>: status(&row.1).map(i64::from),
        Option<i64>: retry_after(&row.1),
        Option<&str>: row.1.request.as_ref().map(|request| &*request.url),
        Option<&str>: row.1.request.as_ref().map(|request| request.headers.as_json()),
        Option<&str>: row.1.answer.as_ref().map(|answer| answer.headers.as_json()),
        Option<&[u8]>: row.1.answer.as_ref().map(|answer| answer.body_head.as_slice()),
        i64: i64::from(row.1.answer.as_ref().is_some_and(|answer| answer.is_truncated)),
        Option<i64>: row.1.phases.dns.map(micros),
        Option<i64>: row.1.phases.connect.map(micros),
        Option<i64>: row.1.phases.tls.map(micros),
        Option<i64>: row.1.phases.first_byte.map(micros),
        i64: micros(row.1.phases.total),
    });
    query.execute(connection).await?;
    Ok(())
}

/// The kind of silence and what it was in words.
fn silence(attempt: &Attempt) -> Option<(&'static str, &str)> {
    match &attempt.outcome {
        AttemptOutcome::Unanswered { reason, detail } => Some((reason.as_str(), detail)),
        AttemptOutcome::Answered { .. } | AttemptOutcome::Lost => None,
    }
}

const INSERT: &str = concat!(
    "INSERT INTO attempts (",
    attempt_columns!(),
    ") SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[], $5::text[], $6::text[], $7::text[], \
     $8::bigint[], $9::bigint[], $10::text[], $11::text[], $12::text[], $13::bytea[], $14::bigint[], $15::bigint[], \
     $16::bigint[], $17::bigint[], $18::bigint[], $19::bigint[])"
);

/// The finished attempts of a delivery, first to last.
pub(super) async fn all_of(
    connection: &mut PgConnection,
    id: DeliveryId,
) -> Result<Vec<Attempt>, StoreError> {
    let sql = concat!(
        "SELECT ",
        attempt_columns!(),
        " FROM attempts WHERE delivery_id = $1 ORDER BY number"
    );
    let rows = sqlx::query(sql).bind(id.0).fetch_all(connection).await?;
    rows.iter().map(|row| attempt::read(row)).collect()
}
