//! Order queues that have rows: for most events no queue does, and then nobody has to look for earlier ones.

use std::collections::HashSet;
use std::hash::BuildHasher;

use rusqlite::Connection;
use switchhook_domain::delivery::Delivery;
use switchhook_domain::id::{IdHash, WebhookId};
use switchhook_domain::order::OrderKey;

use super::row::all;
use crate::error::StoreError;

/// Bound on the queues remembered. With a backlog there are more, and each is looked up.
const MOST: u32 = 256;

/// As far as the open transaction knows; it may have queues that are empty by now, but lacks none that has a row.
#[derive(Default)]
pub(super) struct QueuesWithRows {
    /// By their hash: two that have the same are both looked for. `None`: any may have rows.
    known: Option<HashSet<u64, IdHash>>,
    hash: IdHash,
}

impl QueuesWithRows {
    /// Those that there are when a transaction begins. Until it ends nobody else can make one.
    pub(super) fn read(&mut self, connection: &Connection) -> Result<(), StoreError> {
        let queues = all(connection, QUEUES, &[&(MOST + 1)], |row| {
            Ok((row.get::<i64>(0)?, row.get::<String>(1)?))
        });
        self.known = match queues {
            Ok(queues) if queues.len() <= MOST as usize => {
                let hashes = queues.iter().map(|queue| self.hash.hash_one(queue));
                Some(hashes.collect())
            }
            // A damaged row is for whoever comes to its queue.
            Ok(_) | Err(StoreError::Corrupt(_)) => None,
            Err(error) => return Err(error),
        };
        Ok(())
    }

    pub(super) fn may_have(&self, webhook_id: WebhookId, key: &OrderKey) -> bool {
        // Mostly there are none, and nothing need be hashed.
        let is_known = |known: &HashSet<u64, IdHash>| {
            !known.is_empty() && known.contains(&self.hash.hash_one((webhook_id.0, key.as_str())))
        };
        self.known.as_ref().is_none_or(is_known)
    }

    /// A delivery gets a row.
    pub(super) fn note(&mut self, delivery: &Delivery) {
        if let (Some(known), Some(key)) = (&mut self.known, &delivery.order_key) {
            known.insert(self.hash.hash_one((delivery.webhook_id.0, key.as_str())));
        }
    }
}

pub(super) const QUEUES: &str = "SELECT webhook_id, order_key FROM deliveries INDEXED BY deliveries_by_order_key \
     WHERE state = 'pending' AND order_key IS NOT NULL LIMIT ?";
