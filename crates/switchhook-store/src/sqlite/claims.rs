//! Claims: how due deliveries become this node's to send, and how they are given back.

use rusqlite::{Connection, ToSql, params};
use switchhook_domain::Timestamp;
use switchhook_domain::delivery::{Delivery, DeliveryState};
use switchhook_domain::id::WebhookId;
use switchhook_domain::redaction::Hidden;

use super::order_queue;
use super::row::{all, first};
use super::set_aside::set_aside;
use super::set_aside::{UnreadableRow, readable};
use super::transaction::Transaction;
use super::{attempt_row, delivery_row, events};
use crate::claim::{Claim, ClaimAnswer, ClaimRequest, ClaimedDelivery, ExpiredLeases};
use crate::error::StoreError;
use crate::order_queue::{DueDecision, verdict};
use crate::row::delivery::{self, delivery_columns};
use crate::row::{Columns, Row};

/// Claims what is due, as requested.
pub(super) fn claim(
    transaction: &mut Transaction<'_>,
    claim: &Claim,
) -> Result<Vec<ClaimAnswer>, StoreError> {
    if !transaction.may_claim {
        return Err(StoreError::Unusable(
            "only the process that owns the store can claim deliveries".into(),
        ));
    }
    claim
        .requests
        .iter()
        .map(|request| grant(transaction, *request, claim))
        .collect()
}

fn grant(
    transaction: &mut Transaction<'_>,
    request: ClaimRequest,
    claim: &Claim,
) -> Result<ClaimAnswer, StoreError> {
    let webhook_id = request.webhook_id;
    let mut claimed = 0;
    let (due, unreadable) = due_deliveries(transaction.connection, request, claim)?;
    for damaged in unreadable {
        set_aside(transaction, damaged, claim.now)?;
    }
    let mut bytes = 0;
    for due in due {
        if bytes >= request.bytes {
            break;
        }
        if let Some(opened_at) = due.opened_at {
            close_as_lost(transaction, &due.delivery, opened_at, claim.now)?;
        }
        if due.delivery.state.is_final() {
            continue;
        }
        match judge(transaction.connection, &due, claim.now)? {
            DueDecision::Wait { until } => make_wait(transaction.connection, &due.delivery, until)?,
            DueDecision::Go { note } => {
                let opened = open(transaction, due.delivery, due.due_at, note, claim)?;
                claimed += u32::from(opened.is_some());
                bytes += opened.unwrap_or(0);
            }
        }
    }
    let next_due_at = next_due_at(transaction.connection, webhook_id)?;
    Ok(ClaimAnswer {
        webhook_id,
        claimed,
        next_due_at,
    })
}

/// A delivery that is due, with what its row says beyond it.
struct DueDelivery {
    delivery: Delivery,
    due_at: Timestamp,
    /// Start of its open attempt, if the lease of that has expired.
    opened_at: Option<Timestamp>,
}

/// The first that are due, those whose lease ended included.
fn due_deliveries(
    connection: &Connection,
    request: ClaimRequest,
    claim: &Claim,
) -> Result<(Vec<DueDelivery>, Vec<UnreadableRow>), StoreError> {
    let undated = |row: &Row<'_>| {
        let (id, why) = (row.get(0)?, "it is pending and has no due time".to_owned());
        Ok(UnreadableRow { id, why })
    };
    let mut unreadable = all(
        connection,
        UNDATED,
        &[&request.webhook_id.0, &request.limit],
        undated,
    )?;
    let mut due = Vec::new();
    let claimed: &[&str] = match (request.only, claim.expired) {
        (Some(_), _) => &[ONLY],
        (None, ExpiredLeases::Claim) => &[EXPIRED, DUE],
        (None, ExpiredLeases::Leave) => &[DUE],
    };
    let only = request.only.map_or(0, |id| id.0);
    for sql in claimed {
        let last: &dyn ToSql = if request.only.is_some() {
            &only
        } else {
            &request.limit
        };
        let values = [&request.webhook_id.0 as &dyn ToSql, &claim.now.as_millis(), last];
        let (some, damaged) = readable(connection, sql, &values, read_due)?;
        due.extend(some);
        unreadable.extend(damaged);
    }
    due.sort_by_key(|due| (due.due_at, due.delivery.id));
    due.truncate(request.limit as usize);
    Ok((due, unreadable))
}

/// Pending deliveries without a due time, which no due-query finds. There are none unless somebody edited the file.
pub(super) const UNDATED: &str = "SELECT id FROM deliveries INDEXED BY deliveries_due \
     WHERE state = 'pending' AND claimed_by IS NULL AND webhook_id = ? AND due_at IS NULL LIMIT ?";

pub(super) const DUE: &str = concat!(
    "SELECT ",
    delivery_columns!(),
    ", claimed_at, due_at FROM deliveries INDEXED BY deliveries_due \
     WHERE state = 'pending' AND claimed_by IS NULL AND webhook_id = ? AND due_at <= ? ORDER BY due_at, id LIMIT ?"
);

pub(super) const ONLY: &str = concat!(
    "SELECT ",
    delivery_columns!(),
    ", claimed_at, due_at FROM deliveries \
     WHERE state = 'pending' AND claimed_by IS NULL AND +webhook_id = ? AND due_at <= ? AND id = ?"
);

pub(super) const EXPIRED: &str = concat!(
    "SELECT ",
    delivery_columns!(),
    ", claimed_at, due_at FROM deliveries INDEXED BY deliveries_claimed \
     WHERE claimed_by IS NOT NULL AND webhook_id = ? AND due_at <= ? ORDER BY due_at, id LIMIT ?"
);

fn read_due(row: &Row<'_>) -> Result<DueDelivery, StoreError> {
    let mut columns = Columns::of("deliveries", row)?;
    Ok(DueDelivery {
        delivery: delivery::read_columns(&mut columns)?,
        opened_at: columns.maybe_time()?,
        due_at: columns.time()?,
    })
}

/// The lease ended and nobody said how the attempt did.
pub(super) fn close_as_lost(
    transaction: &mut Transaction<'_>,
    delivery: &Delivery,
    opened_at: Timestamp,
    now: Timestamp,
) -> Result<(), StoreError> {
    attempt_row::insert_lost(
        &mut transaction.statements,
        delivery.id,
        delivery.attempt_number,
        opened_at,
        now,
    )?;
    let sql = "UPDATE deliveries SET claimed_by = NULL, claimed_at = NULL, last_outcome = 'lost', last_status = NULL \
               WHERE id = ?";
    transaction.prepare(sql)?.execute(params![delivery.id.0])?;
    Ok(())
}

fn judge(connection: &Connection, due: &DueDelivery, now: Timestamp) -> Result<DueDecision, StoreError> {
    let delivery = &due.delivery;
    let ahead = match &delivery.order_key {
        Some(key) => order_queue::ahead_of(connection, delivery.id, delivery.webhook_id, key)?,
        None => None,
    };
    Ok(verdict(delivery, ahead.as_ref(), now))
}

/// Has a delivery wait for those ahead in its order queue.
fn make_wait(connection: &Connection, delivery: &Delivery, until: Timestamp) -> Result<(), StoreError> {
    let sql = "UPDATE deliveries SET held = 'order', due_at = ? WHERE id = ?";
    connection
        .prepare_cached(sql)?
        .execute(params![until.as_millis(), delivery.id.0])?;
    Ok(())
}

/// Opens the delivery's next attempt and hands it over; answers how many bytes its event has, if there is something to send.
fn open(
    transaction: &mut Transaction<'_>,
    mut delivery: Delivery,
    was_due_at: Timestamp,
    note: Option<String>,
    claim: &Claim,
) -> Result<Option<usize>, StoreError> {
    let Some(body) = events::body(transaction.connection, delivery.event_id)?.filter(|body| !body.is_empty())
    else {
        let why = format!("its event {} or the payload of it is gone", delivery.event_id);
        let id = delivery.id.0;
        set_aside(transaction, UnreadableRow { id, why }, claim.now)?;
        return Ok(None);
    };
    let bytes = body.len();
    delivery.state = DeliveryState::Pending { due_at: claim.until };
    delivery.attempt_number += 1;
    delivery.note = note.or(delivery.note);
    let sql = "UPDATE deliveries SET claimed_by = ?, claimed_at = ?, due_at = ?, attempt_number = ?, note = ?, \
               held = NULL WHERE id = ?";
    transaction.prepare(sql)?.execute(params![
        delivery_row::THIS_NODE,
        claim.now.as_millis(),
        claim.until.as_millis(),
        delivery.attempt_number,
        delivery.note,
        delivery.id.0,
    ])?;
    transaction.effects.claimed(ClaimedDelivery {
        delivery,
        body,
        concealable: Hidden::EVERYTHING,
        was_read: true,
        was_due_at,
    });
    Ok(Some(bytes))
}

fn next_due_at(connection: &Connection, webhook_id: WebhookId) -> Result<Option<Timestamp>, StoreError> {
    let next = first(connection, NEXT_DUE, &[&webhook_id.0], |row| row.get(0))?;
    Ok(next.map(Timestamp::from_millis))
}

pub(super) const NEXT_DUE: &str = "SELECT due_at FROM deliveries INDEXED BY deliveries_due \
     WHERE state = 'pending' AND claimed_by IS NULL AND webhook_id = ? AND due_at IS NOT NULL ORDER BY due_at LIMIT 1";
