//! Attempts: what is kept of a POST, and what its end does to its delivery.

use std::collections::{BTreeMap, HashMap};

use sqlx::postgres::PgConnection;
use switchhook_domain::Timestamp;
use switchhook_domain::attempt::{Attempt, AttemptOutcome, Failure};
use switchhook_domain::delivery::DeliveryState;
use switchhook_domain::id::{DeliveryId, ReplayId};
use switchhook_domain::order::OrderKey;

use super::at_once;
use super::columns::{Query, bind_columns};
use super::order_queue::{self, QueueKey};
use super::replays;
use super::transaction::Transaction;
use crate::claim::FinishedAttempt;
use crate::error::StoreError;
use crate::given_up::GivenUpDeliveries;
use crate::row::attempt::{attempt_columns, micros, outcome_name, status};
use crate::row::{Columns, Row};

/// Columns for [`bind`], as rows, with further columns if there are any.
macro_rules! attempt_arrays {
    ($($further:literal)?) => {
        concat!(
            "unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[], $5::text[], $6::text[], $7::text[], \
             $8::bigint[], $9::bigint[], $10::text[], $11::text[], $12::text[], $13::bytea[], $14::bigint[], \
             $15::bigint[], $16::bigint[], $17::bigint[], $18::bigint[], $19::bigint[]",
            $(", ", $further,)?
            ")"
        )
    };
}

/// Delivery's row at the end of an attempt.
struct FinishedRow {
    /// True if the delivery was pending. A cancelled one stays as it is.
    was_pending: bool,
    order_key: Option<OrderKey>,
    replay_id: Option<ReplayId>,
    /// True if another delivery of its order queue waits.
    is_followed: bool,
}

/// Records how attempts ended; answers for each whether it came too late, and what was given up. The queues of the
/// deliveries are locked.
pub(super) async fn finish(
    transaction: &mut Transaction<'_>,
    finished: &[&FinishedAttempt],
) -> Result<(Vec<bool>, GivenUpDeliveries), StoreError> {
    let mut settled = settle(transaction, finished).await?;
    let (mut in_time, mut late) = (Vec::new(), Vec::new());
    for one in finished {
        transaction.effects.finished(one);
        // Taken out, so that an attempt is finished once even if it is reported twice.
        let met = settled.remove(&(one.delivery_id, one.attempt.number));
        late.push(met.is_none());
        in_time.extend(met.map(|met| (*one, met)));
    }
    forget_answers(transaction.connection, &in_time).await?;
    let (mut ended, mut queues) = (
        replays::FinalStateCounts::new(),
        BTreeMap::<QueueKey, Timestamp>::new(),
    );
    let mut given_up = GivenUpDeliveries::default();
    for (one, met) in in_time {
        if met.was_pending {
            given_up.note(one);
        }
        match one.state {
            DeliveryState::Pending { due_at } if met.was_pending => {
                transaction.effects.due(one.webhook_id, due_at);
            }
            state if met.was_pending => replays::note_ended(&mut ended, met.replay_id, state.name()),
            _ => {}
        }
        if let Some(key) = met.order_key.filter(|_| met.is_followed) {
            queues.insert((one.webhook_id, key), one.attempt.finished_at);
        }
    }
    order_queue::free_followers(transaction, &queues).await?;
    replays::count_ended(transaction.connection, &ended).await?;
    Ok((late, given_up))
}

/// Keeps the attempts that are this node's and open, ends their claims, and takes the deliveries where they go.
///
/// In one statement, which every delivery passes through; rows are locked in the order of their ids.
async fn settle(
    transaction: &mut Transaction<'_>,
    finished: &[&FinishedAttempt],
) -> Result<HashMap<(DeliveryId, u32), FinishedRow>, StoreError> {
    let mut ends = BTreeMap::new();
    for one in finished {
        ends.entry((one.delivery_id, one.attempt.number)).or_insert(*one);
    }
    let sql = match transaction.is_one_statement {
        true => &at_once::FUNCTIONS.settle.call,
        false => SETTLE,
    };
    let attempts: Vec<_> = ends.values().map(|one| (one.delivery_id, &one.attempt)).collect();
    let query = bind_columns!(bind(sqlx::query(sql), &attempts), ends, |end| {
        &str: end.1.state.name().as_str(),
        Option<i64>: (!end.1.state.is_final()).then_some(end.1.state.at().as_millis()),
        Option<i64>: end.1.state.is_final().then_some(end.1.state.at().as_millis()),
        i64: i64::from(end.1.failures.answered),
        i64: i64::from(end.1.failures.unanswered),
        i64: end.1.blocks_until.as_millis(),
        i64: i64::try_from(end.1.suspended.as_millis()).unwrap_or(i64::MAX),
        Option<String>: Failure::of(&end.1.attempt.outcome).map(|failure| failure.to_string()),
    });
    let query = query.bind(transaction.node);
    let rows = query.fetch_all(&mut *transaction.connection).await?;
    rows.iter().map(|row| read_settled(row)).collect()
}

fn read_settled(row: &Row<'_>) -> Result<((DeliveryId, u32), FinishedRow), StoreError> {
    let mut columns = Columns::of("deliveries", row)?;
    let number = columns.read()?;
    let settled = FinishedRow {
        was_pending: columns.read::<i64>()? == 1,
        order_key: columns.maybe_text()?.map(OrderKey::new),
        replay_id: columns.read::<Option<i64>>()?.map(ReplayId),
        is_followed: columns.read::<Option<i64>>()?.is_some(),
    };
    Ok(((DeliveryId(columns.id()), number), settled))
}

/// A claim of a delivery that is final was left open when it was cancelled.
///
/// Rows are found by their ids. Were it said plainly that they are claimed, the index of all that is claimed would look as
/// good as the key to a plan that was made while little was.
///
/// `$not_pending` is the state of one that was cancelled, `$follower` what waits in the order queue.
macro_rules! settle {
    ($not_pending:literal, $follower:literal) => {
        concat!(
            "WITH settled AS (\
             UPDATE deliveries SET claimed_by = NULL, claimed_at = NULL, \
             state = CASE deliveries.state WHEN 'pending' THEN one.next_state ELSE ",
            $not_pending,
            " END, \
             due_at = CASE deliveries.state WHEN 'pending' THEN one.next_due_at ELSE deliveries.due_at END, \
             ended_at = CASE deliveries.state WHEN 'pending' THEN one.next_ended_at ELSE deliveries.ended_at END, \
             blocks_until = CASE deliveries.state WHEN 'pending' THEN one.blocks_until ELSE deliveries.blocks_until END, \
             held_ms = CASE deliveries.state WHEN 'pending' THEN one.held_ms ELSE deliveries.held_ms END, \
             failures_answered = one.answered, failures_unanswered = one.unanswered, \
             last_outcome = one.outcome, last_status = one.status, \
             last_failure = coalesce(one.failure, deliveries.last_failure) FROM ",
            attempt_arrays!(
                "$20::text[], $21::bigint[], $22::bigint[], $23::bigint[], $24::bigint[], $25::bigint[], $26::bigint[], $27::text[]"
            ),
            " AS one (",
            attempt_columns!(),
            ", next_state, next_due_at, next_ended_at, answered, unanswered, blocks_until, held_ms, failure) \
             WHERE deliveries.id = one.delivery_id AND deliveries.attempt_number = one.number \
             AND coalesce(deliveries.claimed_by, 0) = $28::bigint \
             RETURNING one.*, deliveries.state, webhook_id, order_key, replay_id\
             ), kept AS (INSERT INTO attempts (",
            attempt_columns!(),
            ") SELECT ",
            attempt_columns!(),
            " FROM settled) \
             SELECT delivery_id, number, (state = next_state)::int::bigint, order_key, replay_id, ",
            $follower,
            " FROM settled"
        )
    };
}

const SETTLE: &str = settle!(
    "deliveries.state",
    "(\
     SELECT follower.id FROM deliveries AS follower WHERE follower.state = 'pending' \
     AND follower.order_key IS NOT NULL AND follower.webhook_id = settled.webhook_id \
     AND follower.order_key = settled.order_key AND follower.held IS NOT NULL \
     ORDER BY follower.line_position LIMIT 1)"
);

/// For pending deliveries that nobody waits for. It fails if one was cancelled since that was seen.
pub(super) const SETTLE_ALONE: &str =
    settle!("(deliveries.state || ' meanwhile')::bigint::text", "NULL::bigint");

/// The payload of a delivery that was cancelled may have been erased while its attempt was under way: what was answered
/// then goes too.
async fn forget_answers(
    connection: &mut PgConnection,
    in_time: &[(&FinishedAttempt, FinishedRow)],
) -> Result<(), StoreError> {
    let cancelled = in_time.iter().filter(|(_, met)| !met.was_pending);
    let cancelled: Vec<_> = cancelled.map(|(one, _)| one).collect();
    if !cancelled.is_empty() {
        let query = bind_columns!(sqlx::query(FORGET_ANSWERS), cancelled, |one| {
            i64: one.delivery_id.0,
            i64: i64::from(one.attempt.number),
        });
        query.execute(connection).await?;
    }
    Ok(())
}

const FORGET_ANSWERS: &str = "UPDATE attempts SET answer_body = '', answer_headers = '{}' \
     FROM unnest($1::bigint[], $2::bigint[]) AS one (id, number) \
     JOIN deliveries ON deliveries.id = one.id JOIN events ON events.id = deliveries.event_id \
     WHERE attempts.delivery_id = one.id AND attempts.number = one.number \
     AND events.payload_removed_at IS NOT NULL AND answer_headers IS NOT NULL";

/// Keeps attempts of which nobody said how they ended.
pub(super) async fn insert_lost(
    connection: &mut PgConnection,
    lost: &[(DeliveryId, Attempt)],
) -> Result<(), StoreError> {
    let rows: Vec<_> = lost.iter().map(|(id, attempt)| (*id, attempt)).collect();
    bind(sqlx::query(INSERT), &rows).execute(connection).await?;
    Ok(())
}

/// Binds attempts, column by column in the order of [`attempt_columns`], as `$1` to `$19`.
fn bind<'q>(query: Query<'q>, rows: &[(DeliveryId, &Attempt)]) -> Query<'q> {
    let retry_after = |attempt: &Attempt| match &attempt.outcome {
        AttemptOutcome::Answered { retry_after, .. } => retry_after.map(Timestamp::as_millis),
        AttemptOutcome::Unanswered { .. } | AttemptOutcome::Lost => None,
    };
    bind_columns!(query, rows, |row| {
        i64: row.0.0,
        i64: i64::from(row.1.number),
        i64: row.1.started_at.as_millis(),
        i64: row.1.finished_at.as_millis(),
        &str: outcome_name(&row.1.outcome),
        Option<&str>: reason(row.1),
        Option<String>: row.1.detail().map(|detail| detail.replace('\0', "")),
        Option<i64>: status(row.1).map(i64::from),
        Option<i64>: retry_after(row.1),
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
    })
}

/// The kind of silence.
const fn reason(attempt: &Attempt) -> Option<&'static str> {
    match &attempt.outcome {
        AttemptOutcome::Unanswered { reason, .. } => Some(reason.as_str()),
        AttemptOutcome::Answered { .. } | AttemptOutcome::Lost => None,
    }
}

const INSERT: &str = concat!(
    "INSERT INTO attempts (",
    attempt_columns!(),
    ") SELECT * FROM ",
    attempt_arrays!()
);
