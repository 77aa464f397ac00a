//! Secrets as cells: the one in use, and those before it that still count.

use rusqlite::{Connection, params};
use serde::{Deserialize, Serialize};
use switchhook_domain::Timestamp;
use switchhook_domain::id::{SourceId, WebhookId, WebsocketId};
use switchhook_domain::secret::Secret;
use switchhook_domain::webhook::{OldSecret, Webhook};

use super::list::all;
use super::transaction::Transaction;
use crate::error::StoreError;
use crate::row::{Cells, Row};
use crate::sealing::{Resealed, Sealing, SecretOwner};

/// A replaced secret as it is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct KeptOld {
    secret: String,
    valid_until: i64,
}

pub(super) fn kept(webhook: &Webhook, sealing: &Sealing) -> Option<String> {
    let secret = webhook.secret.as_ref()?;
    Some(sealing.keep(webhook.id, secret))
}

pub(super) fn kept_old(
    owner: impl Into<SecretOwner>,
    old: &[OldSecret],
    sealing: &Sealing,
) -> Result<Option<String>, StoreError> {
    let owner = owner.into();
    let old = old.iter().map(|old| KeptOld {
        secret: sealing.keep(owner, &old.secret),
        valid_until: old.valid_until.as_millis(),
    });
    json(&old.collect::<Vec<_>>())
}

fn json(old: &[KeptOld]) -> Result<Option<String>, StoreError> {
    if old.is_empty() {
        return Ok(None);
    }
    serde_json::to_string(old)
        .map(Some)
        .map_err(|error| StoreError::Conflict(format!("the secrets cannot be kept: {error}")))
}

pub(super) fn read(
    kept: Option<&str>,
    owner: impl Into<SecretOwner>,
    sealing: &Sealing,
) -> Result<Option<Secret>, StoreError> {
    kept.map(|kept| sealing.read(owner, kept)).transpose()
}

pub(super) fn read_old(
    kept: Option<Vec<KeptOld>>,
    owner: impl Into<SecretOwner>,
    sealing: &Sealing,
) -> Result<Vec<OldSecret>, StoreError> {
    let owner = owner.into();
    let old = kept.unwrap_or_default().into_iter().map(|old| {
        Ok(OldSecret {
            secret: sealing.read(owner, &old.secret)?,
            valid_until: Timestamp::from_millis(old.valid_until),
        })
    });
    old.collect()
}

/// The cells in which secrets are. What has no replaced ones shows a NULL for them.
struct Place {
    table: &'static str,
    owner: fn(i64) -> SecretOwner,
    /// The secrets of some rows after one, by id.
    some: &'static str,
    /// Keeps them rewritten: the secret, the replaced ones, the row.
    rewrite: &'static str,
}

const WEBHOOKS: Place = Place {
    table: "webhooks",
    owner: |id| SecretOwner::Webhook(WebhookId(id)),
    some: "SELECT id, secret, old_secrets FROM webhooks \
           WHERE id > ? AND (secret IS NOT NULL OR old_secrets IS NOT NULL) ORDER BY id LIMIT ?",
    rewrite: "UPDATE webhooks SET secret = ?, old_secrets = ? WHERE id = ?",
};

/// These are few: whatever is done with them is done with all of them at once.
const OTHERS: [Place; 3] = [
    Place {
        table: "sources",
        owner: |id| SecretOwner::Source(SourceId(id)),
        some: "SELECT id, secret, old_secrets FROM sources \
               WHERE id > ? AND (secret IS NOT NULL OR old_secrets IS NOT NULL) ORDER BY id LIMIT ?",
        rewrite: "UPDATE sources SET secret = ?, old_secrets = ? WHERE id = ?",
    },
    Place {
        table: "websockets",
        owner: |id| SecretOwner::Websocket(WebsocketId(id)),
        some: "SELECT id, secret, NULL FROM websockets WHERE id > ? AND secret IS NOT NULL ORDER BY id LIMIT ?",
        rewrite: "UPDATE websockets SET secret = ?1 WHERE id = ?3",
    },
    Place {
        table: "websockets",
        owner: |id| SecretOwner::Websocket(WebsocketId(id)),
        some: "SELECT id, token_key, NULL FROM websockets WHERE id > ? ORDER BY id LIMIT ?",
        rewrite: "UPDATE websockets SET token_key = ?1 WHERE id = ?3",
    },
];

/// The secret cells of a row.
struct Kept {
    id: i64,
    owner: SecretOwner,
    secret: Option<String>,
    old: Vec<KeptOld>,
}

impl Place {
    fn read(&self, row: &Row<'_>) -> Result<Kept, StoreError> {
        let mut cells = Cells::of(self.table, row)?;
        Ok(Kept {
            id: cells.id(),
            owner: (self.owner)(cells.id()),
            secret: cells.read()?,
            old: cells.maybe_json()?.unwrap_or_default(),
        })
    }

    fn some(&self, connection: &Connection, after: i64, limit: i64) -> Result<Vec<Kept>, StoreError> {
        all(connection, self.some, &[&after, &limit], |row| self.read(row))
    }
}

/// Finds out at the start, and not at the first delivery, whether every secret can be read.
pub(super) fn check(connection: &Connection, sealing: &Sealing) -> Result<(), StoreError> {
    for place in [WEBHOOKS].iter().chain(&OTHERS) {
        for kept in place.some(connection, 0, i64::MAX)? {
            read(kept.secret.as_deref(), kept.owner, sealing)?;
            read_old(Some(kept.old), kept.owner, sealing)?;
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
    if sealing.0.is_none() {
        return Err(StoreError::Unusable(
            "there is no key to encrypt secrets with: set SWITCHHOOK_ENCRYPTION_KEY".into(),
        ));
    }
    let after = after.map_or(0, |id| id.0);
    let page = WEBHOOKS.some(transaction.connection, after, limit.into())?;
    let is_last = page.len() < limit as usize;
    let mut resealed = Resealed {
        next: page.last().map(|kept| WebhookId(kept.id)).filter(|_| !is_last),
        ..Resealed::default()
    };
    reseal_rows(transaction, sealing, &WEBHOOKS, page, &mut resealed)?;
    if is_last {
        for place in &OTHERS {
            let rows = place.some(transaction.connection, 0, i64::MAX)?;
            reseal_rows(transaction, sealing, place, rows, &mut resealed)?;
        }
    }
    Ok(resealed)
}

fn reseal_rows(
    transaction: &Transaction<'_>,
    sealing: &Sealing,
    place: &Place,
    rows: Vec<Kept>,
    resealed: &mut Resealed,
) -> Result<(), StoreError> {
    for mut kept in rows {
        let mut rewritten = 0;
        let cells = kept
            .secret
            .iter_mut()
            .chain(kept.old.iter_mut().map(|old| &mut old.secret));
        for cell in cells {
            if sealing.is_current(cell) {
                resealed.current += 1;
            } else {
                *cell = sealing.keep(kept.owner, &sealing.read(kept.owner, cell)?);
                rewritten += 1;
            }
        }
        if rewritten > 0 {
            let values = params![kept.secret, json(&kept.old)?, kept.id];
            transaction.prepare(place.rewrite)?.execute(values)?;
        }
        resealed.rewritten += rewritten;
    }
    Ok(())
}

/// Forgets the replaced secrets whose time is over. They need not be readable for that.
pub(super) fn forget_old(transaction: &mut Transaction<'_>, now: Timestamp) -> Result<usize, StoreError> {
    let places = [
        (
            &WEBHOOKS,
            WITH_OLD,
            "UPDATE webhooks SET old_secrets = ? WHERE id = ?",
        ),
        (
            &OTHERS[0],
            SOURCES_WITH_OLD,
            "UPDATE sources SET old_secrets = ? WHERE id = ?",
        ),
    ];
    let mut changed = 0;
    for (place, with_old, rewrite) in places {
        for kept in all(transaction.connection, with_old, &[], |row| place.read(row))? {
            let (count, mut old) = (kept.old.len(), kept.old);
            old.retain(|old| old.valid_until > now.as_millis());
            if old.len() < count {
                transaction
                    .prepare(rewrite)?
                    .execute(params![json(&old)?, kept.id])?;
                changed += 1;
            }
        }
    }
    Ok(changed)
}

pub(super) const WITH_OLD: &str = "SELECT id, secret, old_secrets FROM webhooks INDEXED BY webhooks_with_old_secrets WHERE old_secrets IS NOT NULL";

/// Sources are few.
const SOURCES_WITH_OLD: &str = "SELECT id, secret, old_secrets FROM sources WHERE old_secrets IS NOT NULL";
