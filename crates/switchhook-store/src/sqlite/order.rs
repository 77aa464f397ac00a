//! Order within a key: who is ahead of a delivery, and who may go once that one is out of the way.

use rusqlite::{Connection, Row, ToSql, params};
use switchhook_domain::Timestamp;
use switchhook_domain::id::{DeliveryId, WebhookId};
use switchhook_domain::order::{LONGEST_BLOCK, OrderKey};

use super::cells::Cells;
use super::list::{all, first};
use super::transaction::Transaction;
use crate::claim::HandedOver;
use crate::error::StoreError;

/// How many deliveries that no longer block are passed on the way to the one that is held.
const LONGEST_WALK: u32 = 16;

/// A pending delivery that stands in a key's line.
#[derive(Debug, Clone, Copy)]
pub(super) struct InLine {
    pub(super) id: DeliveryId,
    pub(super) due_at: Timestamp,
    pub(super) is_held: bool,
    pub(super) is_claimed: bool,
    blocks_until: Timestamp,
    created_at: Timestamp,
}

impl InLine {
    /// Whether those behind it must wait, if it is not this node's to send.
    pub(super) fn blocks(&self, now: Timestamp) -> bool {
        self.is_held || self.blocks_until > now
    }

    /// Until when they must wait at the longest.
    pub(super) fn until(&self) -> Timestamp {
        if self.is_held {
            self.due_at
        } else {
            self.blocks_until
        }
    }

    /// Whether this node has it, so that what comes behind it in the hand-over is sent behind it.
    pub(super) fn is_being_sent(&self, now: Timestamp) -> bool {
        self.is_claimed && self.due_at > now
    }

    /// What to tell of one that goes before this one.
    pub(super) fn overtaking_note(&self, key: &OrderKey, now: Timestamp) -> String {
        if now >= self.created_at.plus(LONGEST_BLOCK) {
            let minutes = LONGEST_BLOCK.as_secs() / 60;
            format!("sent before earlier events of {key}, which were not accepted within {minutes} minutes")
        } else {
            format!("sent before earlier events of {key}, which the receiver refuses; their retries go on")
        }
    }
}

/// The last one in line.
pub(super) fn last(
    connection: &Connection,
    webhook_id: WebhookId,
    key: &OrderKey,
) -> Result<Option<InLine>, StoreError> {
    first(connection, LAST, &[&webhook_id.0, &key.as_str()], read)
}

/// The one directly ahead of a delivery.
pub(super) fn ahead_of(
    connection: &Connection,
    id: DeliveryId,
    webhook_id: WebhookId,
    key: &OrderKey,
) -> Result<Option<InLine>, StoreError> {
    first(connection, AHEAD, &[&webhook_id.0, &key.as_str(), &id.0], read)
}

/// Lets the first one that is held go, unless one before it still blocks.
pub(super) fn free_follower(
    transaction: &mut Transaction<'_>,
    webhook_id: WebhookId,
    key: &OrderKey,
    now: Timestamp,
) -> Result<(), StoreError> {
    let values: [&dyn ToSql; 3] = [&webhook_id.0, &key.as_str(), &LONGEST_WALK];
    let line = all(transaction.connection, LINE, &values, read)?;
    let Some(place) = line
        .iter()
        .position(|one| one.is_held || one.is_claimed || one.blocks(now))
    else {
        return Ok(());
    };
    let one = line[place];
    if !one.is_held {
        return Ok(());
    }
    let passed = place
        .checked_sub(1)
        .map(|before| line[before].overtaking_note(key, now));
    let sql = "UPDATE deliveries SET held = NULL, due_at = ?, note = coalesce(?, note) WHERE id = ?";
    transaction
        .prepare(sql)?
        .execute(params![now.as_millis(), passed, one.id.0])?;
    transaction.hand_over(HandedOver::Due {
        webhook_id,
        due_at: now,
    });
    Ok(())
}

pub(super) const LAST: &str = "SELECT id, due_at, held, claimed_by, blocks_until, created_at FROM deliveries \
     INDEXED BY deliveries_by_order_key WHERE state = 'pending' AND webhook_id = ? AND order_key = ? ORDER BY id DESC LIMIT 1";

pub(super) const AHEAD: &str = "SELECT id, due_at, held, claimed_by, blocks_until, created_at FROM deliveries \
     INDEXED BY deliveries_by_order_key WHERE state = 'pending' AND webhook_id = ? AND order_key = ? AND id < ? ORDER BY id DESC LIMIT 1";

pub(super) const LINE: &str = "SELECT id, due_at, held, claimed_by, blocks_until, created_at FROM deliveries \
     INDEXED BY deliveries_by_order_key WHERE state = 'pending' AND webhook_id = ? AND order_key = ? ORDER BY id LIMIT ?";

fn read(row: &Row<'_>) -> Result<InLine, StoreError> {
    let mut cells = Cells::of("deliveries", row)?;
    Ok(InLine {
        id: DeliveryId(cells.id()),
        // One without a time is damaged, and about to be set aside: it holds nobody up.
        due_at: cells.maybe_time()?.unwrap_or(Timestamp::from_millis(0)),
        is_held: cells.read::<Option<String>>()?.is_some(),
        is_claimed: cells.read::<Option<i64>>()?.is_some(),
        blocks_until: cells.time()?,
        created_at: cells.time()?,
    })
}
