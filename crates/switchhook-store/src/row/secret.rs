//! Secrets as columns: the one in use, and those before it that still count.

use serde::{Deserialize, Serialize};
use switchhook_domain::Timestamp;
use switchhook_domain::id::{ChannelId, SourceId, WebhookId, WebsocketId};
use switchhook_domain::secret::Secret;
use switchhook_domain::webhook::OldSecret;

use super::{Columns, Row};
use crate::error::StoreError;
use crate::sealing::{Resealed, Sealing, SecretOwner};

/// A replaced secret as it is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct OldSecretRow {
    secret: String,
    valid_until: i64,
}

/// Stored form of the secret in use.
pub(crate) fn kept(
    owner: impl Into<SecretOwner>,
    secret: Option<&Secret>,
    sealing: &Sealing,
) -> Option<String> {
    secret.map(|secret| sealing.keep(owner, secret))
}

/// Stored form of the replaced ones.
pub(crate) fn kept_old(
    owner: impl Into<SecretOwner>,
    old: &[OldSecret],
    sealing: &Sealing,
) -> Result<Option<String>, StoreError> {
    let owner = owner.into();
    let old = old.iter().map(|old| OldSecretRow {
        secret: sealing.keep(owner, &old.secret),
        valid_until: old.valid_until.as_millis(),
    });
    json(&old.collect::<Vec<_>>())
}

fn json(old: &[OldSecretRow]) -> Result<Option<String>, StoreError> {
    if old.is_empty() {
        return Ok(None);
    }
    serde_json::to_string(old)
        .map(Some)
        .map_err(|error| StoreError::Conflict(format!("the secrets cannot be kept: {error}")))
}

/// Reads the secret in use from the next column.
pub(crate) fn read(
    columns: &mut Columns<'_>,
    owner: impl Into<SecretOwner>,
    sealing: &Sealing,
) -> Result<Option<Secret>, StoreError> {
    let kept = columns.maybe_text()?;
    kept.map(|kept| sealing.read(owner, kept)).transpose()
}

/// Reads the replaced ones from the next column.
pub(crate) fn read_old(
    columns: &mut Columns<'_>,
    owner: impl Into<SecretOwner>,
    sealing: &Sealing,
) -> Result<Vec<OldSecret>, StoreError> {
    let kept: Option<Vec<OldSecretRow>> = columns.maybe_json()?;
    opened(kept.unwrap_or_default(), owner.into(), sealing)
}

fn opened(
    kept: Vec<OldSecretRow>,
    owner: SecretOwner,
    sealing: &Sealing,
) -> Result<Vec<OldSecret>, StoreError> {
    let old = kept.into_iter().map(|old| {
        Ok(OldSecret {
            secret: sealing.read(owner, &old.secret)?,
            valid_until: Timestamp::from_millis(old.valid_until),
        })
    });
    old.collect()
}

/// Table with secrets, and their owners.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SecretTable {
    table: &'static str,
    owner: fn(i64) -> SecretOwner,
}

pub(crate) const WEBHOOKS: SecretTable = SecretTable {
    table: "webhooks",
    owner: |id| SecretOwner::Webhook(WebhookId(id)),
};

pub(crate) const CREDENTIALS: SecretTable = SecretTable {
    table: "webhooks",
    owner: |id| SecretOwner::Credentials(WebhookId(id)),
};

pub(crate) const SOURCES: SecretTable = SecretTable {
    table: "sources",
    owner: |id| SecretOwner::Source(SourceId(id)),
};

pub(crate) const WEBSOCKETS: SecretTable = SecretTable {
    table: "websockets",
    owner: |id| SecretOwner::Websocket(WebsocketId(id)),
};

pub(crate) const CHANNELS: SecretTable = SecretTable {
    table: "notification_channels",
    owner: |id| SecretOwner::Channel(ChannelId(id)),
};

/// The secret columns of a row.
#[derive(Debug)]
pub(crate) struct SecretRow {
    pub(crate) id: i64,
    owner: SecretOwner,
    pub(crate) secret: Option<String>,
    old: Vec<OldSecretRow>,
}

impl SecretTable {
    /// Reads an id, the secret in use and the replaced ones. What has no replaced ones shows a NULL for them.
    pub(crate) fn read(self, row: &Row<'_>) -> Result<SecretRow, StoreError> {
        let mut columns = Columns::of(self.table, row)?;
        Ok(SecretRow {
            id: columns.id(),
            owner: (self.owner)(columns.id()),
            secret: columns.read()?,
            old: columns.maybe_json()?.unwrap_or_default(),
        })
    }
}

impl SecretRow {
    /// New value for the replaced ones.
    pub(crate) fn old(&self) -> Result<Option<String>, StoreError> {
        json(&self.old)
    }

    /// Finds out whether every secret can be read.
    pub(crate) fn check(self, sealing: &Sealing) -> Result<(), StoreError> {
        if let Some(secret) = &self.secret {
            sealing.read(self.owner, secret)?;
        }
        opened(self.old, self.owner, sealing)?;
        Ok(())
    }

    /// Seals them as they would be sealed now, and counts them. Answers whether there is something to write.
    pub(crate) fn reseal(&mut self, sealing: &Sealing, resealed: &mut Resealed) -> Result<bool, StoreError> {
        let before = resealed.rewritten;
        let old = self.old.iter_mut().map(|old| &mut old.secret);
        for column in self.secret.iter_mut().chain(old) {
            if sealing.is_current(column) {
                resealed.current += 1;
            } else {
                *column = sealing.keep(self.owner, &sealing.read(self.owner, column)?);
                resealed.rewritten += 1;
            }
        }
        Ok(resealed.rewritten > before)
    }

    /// Forgets the replaced ones whose time is over. Answers whether there is something to write.
    pub(crate) fn forget_old(&mut self, now: Timestamp) -> bool {
        let count = self.old.len();
        self.old.retain(|old| old.valid_until > now.as_millis());
        self.old.len() < count
    }
}

/// Result of rewriting a page of webhooks, of which at most `limit` were asked for.
pub(crate) fn resealed(page: &[SecretRow], limit: u32) -> Resealed {
    let is_last = page.len() < limit as usize;
    Resealed {
        next: page.last().map(|kept| WebhookId(kept.id)).filter(|_| !is_last),
        ..Resealed::default()
    }
}

/// Without a sealer nothing can be rewritten.
pub(crate) fn refuse_without_sealer(sealing: &Sealing) -> Result<(), StoreError> {
    match &sealing.0 {
        Some(_) => Ok(()),
        None => Err(StoreError::Unusable(
            "there is no key to encrypt secrets with: set SWITCHHOOK_ENCRYPTION_KEY".into(),
        )),
    }
}
