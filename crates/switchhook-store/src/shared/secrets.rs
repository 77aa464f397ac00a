//! Secrets in all tables: checking, rewriting and forgetting them. How a column keeps one: `row/secret.rs`.
//!
//! What is rewritten stays locked until the commit, so that no secret that somebody sets meanwhile is lost.

use switchhook_domain::Timestamp;
use switchhook_domain::id::WebhookId;

use crate::error::StoreError;
use crate::row::secret::{
    CHANNELS, CREDENTIALS, SOURCES, SecretRow, SecretTable, WEBHOOKS, WEBSOCKETS, refuse_without_sealer,
    resealed,
};
use crate::row::webhook::{kept, read, webhook_columns};
use crate::sealing::{Resealed, Sealing};
use crate::sql::{Sql, SqlTransaction, all, values};

/// The columns in which secrets are. What has no replaced ones shows a NULL for them.
struct SecretColumns {
    owners: SecretTable,
    /// The secrets of some rows after one, by id.
    some: &'static str,
    /// Keeps them rewritten: the secret, the replaced ones, the row.
    rewrite: &'static str,
}

const OF_WEBHOOKS: SecretColumns = SecretColumns {
    owners: WEBHOOKS,
    some: "SELECT id, secret, old_secrets FROM webhooks \
           WHERE id > ? AND (secret IS NOT NULL OR old_secrets IS NOT NULL) ORDER BY id LIMIT ?",
    rewrite: "UPDATE webhooks SET secret = ?, old_secrets = ? WHERE id = ?",
};

const OF_SOURCES: SecretColumns = SecretColumns {
    owners: SOURCES,
    some: "SELECT id, secret, old_secrets FROM sources \
           WHERE id > ? AND (secret IS NOT NULL OR old_secrets IS NOT NULL) ORDER BY id LIMIT ?",
    rewrite: "UPDATE sources SET secret = ?, old_secrets = ? WHERE id = ?",
};

/// These are few: whatever is done with them is done with all of them at once.
const OTHERS: [SecretColumns; 6] = [
    OF_SOURCES,
    SecretColumns {
        owners: WEBSOCKETS,
        some: "SELECT id, secret, CAST(NULL AS TEXT) FROM websockets \
               WHERE id > ? AND secret IS NOT NULL ORDER BY id LIMIT ?",
        rewrite: "UPDATE websockets SET secret = ?1 WHERE id = ?3",
    },
    SecretColumns {
        owners: WEBSOCKETS,
        some: "SELECT id, token_key, CAST(NULL AS TEXT) FROM websockets WHERE id > ? ORDER BY id LIMIT ?",
        rewrite: "UPDATE websockets SET token_key = ?1 WHERE id = ?3",
    },
    SecretColumns {
        owners: CREDENTIALS,
        some: "SELECT id, credentials, CAST(NULL AS TEXT) FROM webhooks \
               WHERE id > ? AND credentials IS NOT NULL ORDER BY id LIMIT ?",
        rewrite: "UPDATE webhooks SET credentials = ?1 WHERE id = ?3",
    },
    SecretColumns {
        owners: CHANNELS,
        some: "SELECT id, secret, CAST(NULL AS TEXT) FROM notification_channels \
               WHERE id > ? AND secret IS NOT NULL ORDER BY id LIMIT ?",
        rewrite: "UPDATE notification_channels SET secret = ?1 WHERE id = ?3",
    },
    SecretColumns {
        owners: CHANNELS,
        some: "SELECT id, destination, CAST(NULL AS TEXT) FROM notification_channels WHERE id > ? ORDER BY id LIMIT ?",
        rewrite: "UPDATE notification_channels SET destination = ?1 WHERE id = ?3",
    },
];

impl SecretColumns {
    async fn lock_some(
        &self,
        sql: &mut dyn SqlTransaction,
        after: i64,
        limit: i64,
    ) -> Result<Vec<SecretRow>, StoreError> {
        let select = format!("{} FOR UPDATE", self.some);
        all(sql, &select, values![after, limit], |row| self.owners.read(row)).await
    }

    async fn reseal(
        &self,
        sql: &mut dyn SqlTransaction,
        sealing: &Sealing,
        rows: Vec<SecretRow>,
        resealed: &mut Resealed,
    ) -> Result<(), StoreError> {
        for mut kept in rows {
            if kept.reseal(sealing, resealed)? {
                self.rewrite(sql, &kept).await?;
            }
        }
        Ok(())
    }

    async fn rewrite(&self, sql: &mut dyn SqlTransaction, kept: &SecretRow) -> Result<(), StoreError> {
        let values = values![kept.secret.as_deref(), kept.old()?, kept.id];
        sql.execute(self.rewrite, values).await?;
        Ok(())
    }
}

/// Finds out at the start, and not at the first delivery, whether every secret can be read.
pub(crate) async fn check(sql: &mut dyn Sql, sealing: &Sealing) -> Result<(), StoreError> {
    for place in [OF_WEBHOOKS].iter().chain(&OTHERS) {
        let values = values![0_i64, i64::MAX];
        for kept in all(sql, place.some, values, |row| place.owners.read(row)).await? {
            kept.check(sealing)?;
        }
    }
    Ok(())
}

/// Rewrites the secrets of some webhooks that are not kept as they would be now; with the last ones everything else's.
pub(super) async fn reseal(
    sql: &mut dyn SqlTransaction,
    sealing: &Sealing,
    after: Option<WebhookId>,
    limit: u32,
) -> Result<Resealed, StoreError> {
    refuse_without_sealer(sealing)?;
    sql.overwrite().await?;
    let page = OF_WEBHOOKS
        .lock_some(sql, after.map_or(0, |id| id.0), limit.into())
        .await?;
    let mut resealed = resealed(&page, limit);
    OF_WEBHOOKS.reseal(sql, sealing, page, &mut resealed).await?;
    if resealed.next.is_none() {
        resealed.rewritten += seal_credentials(sql, sealing).await?;
        for place in &OTHERS {
            let rows = place.lock_some(sql, 0, i64::MAX).await?;
            place.reseal(sql, sealing, rows, &mut resealed).await?;
        }
    }
    Ok(resealed)
}

/// Seals the credentials of webhooks that were kept before they had a column of their own. Answers how many.
async fn seal_credentials(sql: &mut dyn SqlTransaction, sealing: &Sealing) -> Result<u32, StoreError> {
    let open = all(sql, WITH_OPEN_CREDENTIALS, values![], |row| read(row, sealing));
    let mut count = 0;
    for webhook in open.await? {
        let kept = kept(&webhook, sealing)?;
        if kept.credentials.is_some() {
            let values = values![kept.hook_url, kept.settings, kept.credentials, webhook.id.0];
            sql.execute(SEAL_CREDENTIALS, values).await?;
            count += 1;
        }
    }
    Ok(count)
}

const WITH_OPEN_CREDENTIALS: &str = concat!(
    "SELECT ",
    webhook_columns!(),
    " FROM webhooks WHERE credentials IS NULL AND (hook_url LIKE '%@%' OR settings LIKE '%\"headers\"%') \
     ORDER BY id FOR UPDATE"
);

/// Deleted ones need none.
const SEAL_CREDENTIALS: &str = "UPDATE webhooks SET hook_url = ?, settings = ?, \
     credentials = CASE WHEN deleted_at IS NULL THEN ? END WHERE id = ?";

/// Forgets the replaced secrets whose time is over. They need not be readable for that.
pub(super) async fn forget_old(sql: &mut dyn SqlTransaction, now: Timestamp) -> Result<usize, StoreError> {
    sql.overwrite().await?;
    let mut changed = 0;
    for (place, with_old) in [(OF_WEBHOOKS, WITH_OLD), (OF_SOURCES, SOURCES_WITH_OLD)] {
        for mut kept in all(sql, with_old, values![], |row| place.owners.read(row)).await? {
            if kept.forget_old(now) {
                place.rewrite(sql, &kept).await?;
                changed += 1;
            }
        }
    }
    Ok(changed)
}

const WITH_OLD: &str = "SELECT id, secret, old_secrets FROM webhooks INDEXED BY webhooks_with_old_secrets \
     WHERE old_secrets IS NOT NULL ORDER BY id FOR UPDATE";

/// Needs no index, because sources are few.
const SOURCES_WITH_OLD: &str =
    "SELECT id, secret, old_secrets FROM sources WHERE old_secrets IS NOT NULL ORDER BY id FOR UPDATE";
