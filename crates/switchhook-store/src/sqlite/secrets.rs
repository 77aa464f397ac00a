//! A webhook's secrets as cells: the one in use, and those before it that still count.

use rusqlite::{Connection, Row, params};
use serde::{Deserialize, Serialize};
use switchhook_domain::Timestamp;
use switchhook_domain::id::WebhookId;
use switchhook_domain::secret::Secret;
use switchhook_domain::webhook::{OldSecret, Webhook};

use super::cells::Cells;
use super::list::all;
use super::transaction::Transaction;
use crate::error::StoreError;
use crate::sealing::{Resealed, Sealing};

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

pub(super) fn kept_old(webhook: &Webhook, sealing: &Sealing) -> Result<Option<String>, StoreError> {
    let old = webhook.old_secrets.iter().map(|old| KeptOld {
        secret: sealing.keep(webhook.id, &old.secret),
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
        .map_err(|error| StoreError::Conflict(format!("the webhook's secrets cannot be kept: {error}")))
}

pub(super) fn read(
    kept: Option<&str>,
    id: WebhookId,
    sealing: &Sealing,
) -> Result<Option<Secret>, StoreError> {
    kept.map(|kept| sealing.read(id, kept)).transpose()
}

pub(super) fn read_old(
    kept: Option<Vec<KeptOld>>,
    id: WebhookId,
    sealing: &Sealing,
) -> Result<Vec<OldSecret>, StoreError> {
    let old = kept.unwrap_or_default().into_iter().map(|old| {
        Ok(OldSecret {
            secret: sealing.read(id, &old.secret)?,
            valid_until: Timestamp::from_millis(old.valid_until),
        })
    });
    old.collect()
}

/// The secret cells of a webhook.
struct Kept {
    id: WebhookId,
    secret: Option<String>,
    old: Vec<KeptOld>,
}

fn read_kept(row: &Row<'_>) -> Result<Kept, StoreError> {
    let mut cells = Cells::of("webhooks", row)?;
    Ok(Kept {
        id: WebhookId(cells.id()),
        secret: cells.read()?,
        old: cells.maybe_json()?.unwrap_or_default(),
    })
}

const WITH_SECRETS: &str = "SELECT id, secret, old_secrets FROM webhooks \
     WHERE id > ? AND (secret IS NOT NULL OR old_secrets IS NOT NULL) ORDER BY id LIMIT ?";

/// Finds out at the start, and not at the first delivery, whether every secret can be read.
pub(super) fn check(connection: &Connection, sealing: &Sealing) -> Result<(), StoreError> {
    for kept in all(connection, WITH_SECRETS, &[&0, &i64::MAX], read_kept)? {
        read(kept.secret.as_deref(), kept.id, sealing)?;
        read_old(Some(kept.old), kept.id, sealing)?;
    }
    Ok(())
}

/// Rewrites the secrets of some webhooks that are not kept as they would be now.
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
    let page = all(transaction.connection, WITH_SECRETS, &[&after, &limit], read_kept)?;
    let mut resealed = Resealed {
        next: page
            .last()
            .map(|kept| kept.id)
            .filter(|_| page.len() == limit as usize),
        ..Resealed::default()
    };
    for mut kept in page {
        let mut rewritten = 0;
        let cells = kept
            .secret
            .iter_mut()
            .chain(kept.old.iter_mut().map(|old| &mut old.secret));
        for cell in cells {
            if sealing.is_current(cell) {
                resealed.current += 1;
            } else {
                *cell = sealing.keep(kept.id, &sealing.read(kept.id, cell)?);
                rewritten += 1;
            }
        }
        if rewritten > 0 {
            let sql = "UPDATE webhooks SET secret = ?, old_secrets = ? WHERE id = ?";
            let values = params![kept.secret, json(&kept.old)?, kept.id.0];
            transaction.prepare(sql)?.execute(values)?;
        }
        resealed.rewritten += rewritten;
    }
    Ok(resealed)
}

/// Forgets the replaced secrets whose time is over. They need not be readable for that.
pub(super) fn forget_old(transaction: &mut Transaction<'_>, now: Timestamp) -> Result<usize, StoreError> {
    let mut changed = 0;
    for kept in all(transaction.connection, WITH_OLD, &[], read_kept)? {
        let (count, mut old) = (kept.old.len(), kept.old);
        old.retain(|old| old.valid_until > now.as_millis());
        if old.len() < count {
            let sql = "UPDATE webhooks SET old_secrets = ? WHERE id = ?";
            transaction
                .prepare(sql)?
                .execute(params![json(&old)?, kept.id.0])?;
            changed += 1;
        }
    }
    Ok(changed)
}

pub(super) const WITH_OLD: &str = "SELECT id, secret, old_secrets FROM webhooks INDEXED BY webhooks_with_old_secrets WHERE old_secrets IS NOT NULL";
