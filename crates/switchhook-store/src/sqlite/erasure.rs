//! Erasing by phone number: a reader looks through events, the writer takes out what was found.
//!
//! The record stays: that there was an event, where it went, when, and how that ended.

use rusqlite::{Connection, params};
use switchhook_domain::Timestamp;
use switchhook_domain::delivery::StateName;
use switchhook_domain::id::{DeliveryId, EventId, ReplayId, WebhookId};
use switchhook_domain::order::OrderKey;
use switchhook_domain::phone_number::PhoneNumber;

use super::deliveries::{self, PendingDelivery};
use super::list::all;
use super::retention::remove_payload;
use super::transaction::Transaction;
use crate::error::StoreError;
use crate::retention::{Erased, ErasureSlice, RemovalReason};
use crate::row::{Cells, Row};

/// How many bytes of events are looked through before the writer gets its turn.
const MOST_BYTES: usize = 16 << 20;

/// What stands in place of what was taken out of a record.
const ERASED: &str = "(erased)";
const NO_HEADERS: &str = "{}";

/// The note on the deliveries of such an event.
const NOTE: &str = "the payload was erased on request";

/// Events in which the number occurs.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) ids: Vec<EventId>,
    pub(super) examined: u64,
    pub(super) next: Option<EventId>,
}

/// Looks through a slice.
pub(super) fn find(connection: &Connection, slice: &ErasureSlice) -> Result<Found, StoreError> {
    let mut statement = connection.prepare_cached(BODIES)?;
    let after = slice.after.map_or(0, |id| id.0);
    let mut rows = statement.query(params![slice.company_id.0, after, slice.limit])?;
    let (mut found, mut bytes) = (Found::default(), 0);
    while let Some(row) = rows.next()? {
        let mut cells = Cells::of("events", row)?;
        let id = EventId(cells.id());
        let (body, key) = (cells.bytes()?, cells.maybe_text()?.unwrap_or_default());
        if slice.number.occurs_in(body) || slice.number.occurs_in(key.as_bytes()) {
            found.ids.push(id);
        }
        found.examined += 1;
        found.next = Some(id);
        bytes += body.len();
        if bytes > MOST_BYTES {
            return Ok(found);
        }
    }
    if found.examined < u64::from(slice.limit) {
        found.next = None;
    }
    Ok(found)
}

pub(super) const BODIES: &str = "SELECT id, body, idempotency_key FROM events INDEXED BY events_by_company \
     WHERE company_id = ? AND id > ? ORDER BY id LIMIT ?";

/// Takes the number out of the events that were found.
pub(super) fn erase(
    transaction: &mut Transaction<'_>,
    ids: &[EventId],
    number: &PhoneNumber,
    now: Timestamp,
) -> Result<Erased, StoreError> {
    let mut erased = Erased::default();
    for id in ids {
        // The key may be the number itself. A repetition of the event is then a new event.
        let sql = "UPDATE events SET idempotency_key = NULL WHERE id = ?";
        transaction.prepare(sql)?.execute([id.0])?;
        remove_payload(transaction, *id, RemovalReason::Erased, now)?;
        erased.events += 1;
        for (delivery, is_pending) in all(transaction.connection, DELIVERIES, &[&id.0], read)? {
            erased.attempts += clean_attempts(transaction, delivery.id, number)?;
            note_erasure(transaction, delivery.id)?;
            // There is nothing left to send.
            if is_pending {
                deliveries::call_off(transaction, &delivery, now)?;
                erased.cancelled += 1;
            }
        }
    }
    Ok(erased)
}

/// A delivery of an erased event, and whether it is pending.
type Affected = (PendingDelivery, bool);

pub(super) const DELIVERIES: &str = "SELECT id, webhook_id, replay_id, order_key, state FROM deliveries \
     INDEXED BY deliveries_by_event WHERE event_id = ?";

fn read(row: &Row<'_>) -> Result<Affected, StoreError> {
    let mut cells = Cells::of("deliveries", row)?;
    let delivery = PendingDelivery {
        id: DeliveryId(cells.id()),
        webhook_id: WebhookId(cells.read()?),
        replay_id: cells.read::<Option<i64>>()?.map(ReplayId),
        order_key: cells.maybe_text()?.map(OrderKey::new),
    };
    Ok((delivery, cells.word::<StateName>()? == StateName::Pending))
}

fn note_erasure(transaction: &Transaction<'_>, id: DeliveryId) -> Result<(), StoreError> {
    let sql = "UPDATE deliveries SET note = coalesce(note || '; ', '') || ? WHERE id = ?";
    transaction.prepare(sql)?.execute(params![NOTE, id.0])?;
    Ok(())
}

/// Forgets what the receiver answered, and of the rest what holds the number. Answers how many attempts that changed.
fn clean_attempts(
    transaction: &Transaction<'_>,
    id: DeliveryId,
    number: &PhoneNumber,
) -> Result<u64, StoreError> {
    let mut changed = 0;
    let records = all(transaction.connection, RECORDS, &[&id.0], |row| {
        Record::read(row, number)
    })?;
    for record in records.iter().filter(|record| record.is_affected()) {
        let [url, detail, request, answer] = record.holds_number;
        let instead = |holds: bool, text: &'static str| holds.then_some(text);
        transaction.prepare(CLEAN)?.execute(params![
            instead(url, ERASED),
            instead(detail, ERASED),
            instead(request, NO_HEADERS),
            instead(answer, NO_HEADERS),
            id.0,
            record.number,
        ])?;
        changed += 1;
    }
    Ok(changed)
}

/// What is kept of an attempt, as far as it matters here.
struct Record {
    number: u32,
    has_answer: bool,
    /// Whether address, explanation, request headers and answer headers hold it.
    holds_number: [bool; 4],
}

impl Record {
    fn read(row: &Row<'_>, number: &PhoneNumber) -> Result<Self, StoreError> {
        let mut cells = Cells::of("attempts", row)?;
        let attempt_number = cells.read()?;
        let has_answer = cells.read()?;
        let mut holds_number = [false; 4];
        for holds in &mut holds_number {
            let text = cells.maybe_text()?.unwrap_or_default();
            *holds = number.occurs_in(text.as_bytes());
        }
        Ok(Self {
            number: attempt_number,
            has_answer,
            holds_number,
        })
    }

    fn is_affected(&self) -> bool {
        self.has_answer || self.holds_number.contains(&true)
    }
}

pub(super) const RECORDS: &str = "SELECT delivery_id, number, answer_body IS NOT NULL AND length(answer_body) > 0, url, detail, \
     request_headers, answer_headers FROM attempts WHERE delivery_id = ?";

const CLEAN: &str = "UPDATE attempts SET answer_body = NULL, url = coalesce(?, url), detail = coalesce(?, detail), \
     request_headers = coalesce(?, request_headers), answer_headers = coalesce(?, answer_headers) \
     WHERE delivery_id = ? AND number = ?";
