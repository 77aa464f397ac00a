//! Secrets in all tables: checking, rewriting and forgetting them. How a column keeps one: `row/secret.rs`.

use rusqlite::{Connection, params};
use switchhook_domain::Timestamp;
use switchhook_domain::id::WebhookId;

use super::list::all;
use super::transaction::Transaction;
use super::webhooks;
use crate::error::StoreError;
use crate::row::secret::{
    CHANNELS, CREDENTIALS, Kept, Owners, SOURCES, WEBHOOKS, WEBSOCKETS, refuse_without_sealer, resealed,
};
use crate::sealing::{Resealed, Sealing};

/// The columns in which secrets are. What has no replaced ones shows a NULL for them.
struct Place {
    owners: Owners,
    /// The secrets of some rows after one, by id.
    some: &'static str,
    /// Keeps them rewritten: the secret, the replaced ones, the row.
    rewrite: &'static str,
}

const OF_WEBHOOKS: Place = Place {
    owners: WEBHOOKS,
    some: "SELECT id, secret, old_secrets FROM webhooks \
           WHERE id > ? AND (secret IS NOT NULL OR old_secrets IS NOT NULL) ORDER BY id LIMIT ?",
    rewrite: "UPDATE webhooks SET secret = ?, old_secrets = ? WHERE id = ?",
};

/// These are few: whatever is done with them is done with all of them at once.
const OTHERS: [Place; 6] = [
    Place {
        owners: CREDENTIALS,
        some: "SELECT id, credentials, NULL FROM webhooks WHERE id > ? AND credentials IS NOT NULL ORDER BY id LIMIT ?",
        rewrite: "UPDATE webhooks SET credentials = ?1 WHERE id = ?3",
    },
    Place {
        owners: SOURCES,
        some: "SELECT id, secret, old_secrets FROM sources \
               WHERE id > ? AND (secret IS NOT NULL OR old_secrets IS NOT NULL) ORDER BY id LIMIT ?",
        rewrite: "UPDATE sources SET secret = ?, old_secrets = ? WHERE id = ?",
    },
    Place {
        owners: WEBSOCKETS,
        some: "SELECT id, secret, NULL FROM websockets WHERE id > ? AND secret IS NOT NULL ORDER BY id LIMIT ?",
        rewrite: "UPDATE websockets SET secret = ?1 WHERE id = ?3",
    },
    Place {
        owners: WEBSOCKETS,
        some: "SELECT id, token_key, NULL FROM websockets WHERE id > ? ORDER BY id LIMIT ?",
        rewrite: "UPDATE websockets SET token_key = ?1 WHERE id = ?3",
    },
    Place {
        owners: CHANNELS,
        some: "SELECT id, secret, NULL FROM notification_channels WHERE id > ? AND secret IS NOT NULL ORDER BY id LIMIT ?",
        rewrite: "UPDATE notification_channels SET secret = ?1 WHERE id = ?3",
    },
    Place {
        owners: CHANNELS,
        some: "SELECT id, destination, NULL FROM notification_channels WHERE id > ? ORDER BY id LIMIT ?",
        rewrite: "UPDATE notification_channels SET destination = ?1 WHERE id = ?3",
    },
];

impl Place {
    fn some(&self, connection: &Connection, after: i64, limit: i64) -> Result<Vec<Kept>, StoreError> {
        all(connection, self.some, &[&after, &limit], |row| {
            self.owners.read(row)
        })
    }

    fn reseal(
        &self,
        transaction: &Transaction<'_>,
        sealing: &Sealing,
        rows: Vec<Kept>,
        resealed: &mut Resealed,
    ) -> Result<(), StoreError> {
        for mut kept in rows {
            if kept.reseal(sealing, resealed)? {
                let values = params![kept.secret, kept.old()?, kept.id];
                transaction.prepare(self.rewrite)?.execute(values)?;
            }
        }
        Ok(())
    }
}

/// Finds out at the start, and not at the first delivery, whether every secret can be read.
pub(super) fn check(connection: &Connection, sealing: &Sealing) -> Result<(), StoreError> {
    for place in [OF_WEBHOOKS].iter().chain(&OTHERS) {
        for kept in place.some(connection, 0, i64::MAX)? {
            kept.check(sealing)?;
        }
    }
    Ok(())
}

/// Rewrites the secrets of some webhooks that are not kept as they would be now; with the last ones everything else's.
pub(super) fn reseal(
    transaction: &mut Transaction<'_>,
    sealing: &Sealing,
    after: Option<WebhookId>,
    limit: u32,
) -> Result<Resealed, StoreError> {
    refuse_without_sealer(sealing)?;
    let after = after.map_or(0, |id| id.0);
    let page = OF_WEBHOOKS.some(transaction.connection, after, limit.into())?;
    let mut resealed = resealed(&page, limit);
    OF_WEBHOOKS.reseal(transaction, sealing, page, &mut resealed)?;
    if resealed.next.is_none() {
        resealed.rewritten += webhooks::seal_credentials(transaction, sealing)?;
        for place in &OTHERS {
            let rows = place.some(transaction.connection, 0, i64::MAX)?;
            place.reseal(transaction, sealing, rows, &mut resealed)?;
        }
    }
    Ok(resealed)
}

/// Forgets the replaced secrets whose time is over. They need not be readable for that.
pub(super) fn forget_old(transaction: &mut Transaction<'_>, now: Timestamp) -> Result<usize, StoreError> {
    let places = [
        (
            WEBHOOKS,
            WITH_OLD,
            "UPDATE webhooks SET old_secrets = ? WHERE id = ?",
        ),
        (
            SOURCES,
            SOURCES_WITH_OLD,
            "UPDATE sources SET old_secrets = ? WHERE id = ?",
        ),
    ];
    let mut changed = 0;
    for (owners, with_old, rewrite) in places {
        for mut kept in all(transaction.connection, with_old, &[], |row| owners.read(row))? {
            if kept.forget_old(now) {
                transaction
                    .prepare(rewrite)?
                    .execute(params![kept.old()?, kept.id])?;
                changed += 1;
            }
        }
    }
    Ok(changed)
}

pub(super) const WITH_OLD: &str = "SELECT id, secret, old_secrets FROM webhooks INDEXED BY webhooks_with_old_secrets WHERE old_secrets IS NOT NULL";

/// Sources are few.
const SOURCES_WITH_OLD: &str = "SELECT id, secret, old_secrets FROM sources WHERE old_secrets IS NOT NULL";
