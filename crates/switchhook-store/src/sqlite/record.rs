//! Recording: new events become rows, each with its deliveries.

use rusqlite::params;
use switchhook_domain::delivery::Delivery;

use super::deferred::IdState;
use super::event_row::{self, EventRow};
use super::order_queue;
use super::row::first;
use super::sql::{OnThread, at_once};
use super::transaction::Transaction;
use crate::error::StoreError;
use crate::event::{Idempotency, NewDelivery, NewEvent, Recorded};
use crate::order_queue::{InitialState, QueuedDelivery, start_of};
use crate::row::event::{event_columns, read};
use crate::shared::deliveries::originals_of;
use crate::shared::log;

/// Keeps events, each with its deliveries.
pub(super) fn record(
    transaction: &mut Transaction<'_>,
    events: &[NewEvent],
) -> Result<Vec<Recorded>, StoreError> {
    events
        .iter()
        .map(|event| record_one(transaction, event))
        .collect()
}

/// Keeps of an event of the journal what the database does not have: all, or those of its deliveries that had no row yet when its own
/// was committed.
pub(super) fn record_again(transaction: &mut Transaction<'_>, event: &NewEvent) -> Result<(), StoreError> {
    let connection = transaction.connection;
    let is_there = |sql, id: i64| first(connection, sql, &[&id], |_| Ok(())).map(|row| row.is_some());
    if !is_there("SELECT 1 FROM events WHERE id = ?", event.id.0)? {
        return record_one(transaction, event).map(drop);
    }
    for (ordinal, delivery) in (0..).zip(&event.deliveries) {
        if !is_there("SELECT 1 FROM deliveries WHERE id = ?", delivery.id.0)? {
            // Later ones of its order queue may be there already.
            let delivery_of = delivery.unsent(event, ordinal);
            let ahead = match &delivery_of.order_key {
                Some(key) => order_queue::ahead_of(connection, delivery.id, delivery.webhook_id, key)?,
                None => None,
            };
            make(transaction, event, delivery, delivery_of, ahead.as_ref())?;
        }
    }
    Ok(())
}

fn record_one(transaction: &mut Transaction<'_>, event: &NewEvent) -> Result<Recorded, StoreError> {
    if let Some(idempotency) = &event.idempotency
        && let Some(answer) = answer_to_repetition(transaction, event, idempotency)?
    {
        return Ok(answer);
    }
    insert(transaction, event)?;
    for (ordinal, delivery) in (0..).zip(&event.deliveries) {
        deliver(transaction, event, delivery, ordinal)?;
    }
    Ok(Recorded::Kept)
}

/// Its row may be gathered with others, unless somebody may look for it or its failing must be its own.
fn insert(transaction: &mut Transaction<'_>, event: &NewEvent) -> Result<(), StoreError> {
    let position = next_position(transaction, event)?;
    let row = EventRow::of(event, position)?;
    let id = transaction.deferred.note_event(event.id);
    if transaction.may_defer && !row.is_looked_for() && id == IdState::New {
        transaction.deferred.put_event(row);
        return Ok(());
    }
    if id == IdState::Gathered {
        transaction.write_gathered()?;
    }
    event_row::insert(&mut transaction.statements, &[row])
}

/// Makes a delivery: claimed if this node can send it now, waiting if another must go first.
fn deliver(
    transaction: &mut Transaction<'_>,
    event: &NewEvent,
    new: &NewDelivery,
    ordinal: u32,
) -> Result<(), StoreError> {
    let delivery = new.unsent(event, ordinal);
    let last = match &delivery.order_key {
        Some(key) => order_queue::last(transaction, delivery.webhook_id, key)?,
        None => None,
    };
    make(transaction, event, new, delivery, last.as_ref())
}

/// Makes a delivery behind the one ahead of it in its order queue.
fn make(
    transaction: &mut Transaction<'_>,
    event: &NewEvent,
    new: &NewDelivery,
    mut delivery: Delivery,
    ahead: Option<&QueuedDelivery>,
) -> Result<(), StoreError> {
    let claim_until = new.claim_until.filter(|_| transaction.may_claim);
    let start = start_of(&mut delivery, ahead, claim_until);
    if start == InitialState::Claimed && transaction.may_defer {
        transaction.deferred.put(delivery.clone());
    } else {
        transaction.insert_delivery(&delivery, start)?;
    }
    transaction.effects.made(event, delivery, start);
    Ok(())
}

/// The answer if the key was used before. A use too long ago is forgotten, so that the key is free again.
fn answer_to_repetition(
    transaction: &mut Transaction<'_>,
    event: &NewEvent,
    idempotency: &Idempotency,
) -> Result<Option<Recorded>, StoreError> {
    let connection = transaction.connection;
    let Some(earlier) = first(
        connection,
        BY_IDEMPOTENCY_KEY,
        &[&event.company_id.0, &idempotency.key],
        read,
    )?
    else {
        return Ok(None);
    };
    if earlier.accepted_at < idempotency.not_before {
        let sql = "UPDATE events SET idempotency_key = NULL WHERE id = ?";
        transaction.prepare(sql)?.execute(params![earlier.id.0])?;
        return Ok(None);
    }
    // Of a payload that was removed nobody can tell whether it was the same. The key says that it was.
    if earlier.payload_removed.is_none() && earlier.body != event.body {
        return Ok(Some(Recorded::KeyReused));
    }
    transaction.write_deferred()?;
    let deliveries = at_once(originals_of(&mut OnThread::new(connection), earlier.id))?;
    Ok(Some(Recorded::Repeated {
        event: earlier,
        deliveries,
    }))
}

pub(super) const BY_IDEMPOTENCY_KEY: &str = concat!(
    "SELECT ",
    event_columns!(),
    " FROM events WHERE company_id = ? AND idempotency_key = ?"
);

/// The place in the log of an event that is being recorded: its own id, or after the last if others with larger ids were
/// faster. So places grow even when every event before was removed.
fn next_position(transaction: &Transaction<'_>, event: &NewEvent) -> Result<Option<i64>, StoreError> {
    if !event.is_logged {
        return Ok(None);
    }
    let company_id = event.company_id.0;
    let end = first(transaction.connection, log::END, &[&company_id], |row| {
        row.get::<i64>(0)
    })?;
    Ok(Some(event.id.0.max(end.unwrap_or(0) + 1)))
}
