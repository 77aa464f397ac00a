//! Secrets in all tables: checking, rewriting and forgetting them. How a column keeps one: `row/secret.rs`.
//!
//! What is rewritten stays locked until the commit, so that no secret that somebody sets meanwhile is lost.

use sqlx::AssertSqlSafe;
use sqlx::postgres::PgConnection;
use switchhook_domain::Timestamp;
use switchhook_domain::id::WebhookId;

use super::columns::bind_columns;
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
    /// Keeps some rewritten: the rows, the secrets, the replaced ones.
    rewrite: &'static str,
}

const OF_WEBHOOKS: Place = Place {
    owners: WEBHOOKS,
    some: "SELECT id, secret, old_secrets FROM webhooks \
           WHERE id > $1 AND (secret IS NOT NULL OR old_secrets IS NOT NULL) ORDER BY id LIMIT $2",
    rewrite: "UPDATE webhooks AS kept SET secret = given.secret, old_secrets = given.old_secrets \
              FROM unnest($1::bigint[], $2::text[], $3::text[]) AS given (id, secret, old_secrets) \
              WHERE kept.id = given.id",
};

/// These are few: whatever is done with them is done with all of them at once.
const OTHERS: [Place; 6] = [
    Place {
        owners: SOURCES,
        some: "SELECT id, secret, old_secrets FROM sources \
               WHERE id > $1 AND (secret IS NOT NULL OR old_secrets IS NOT NULL) ORDER BY id LIMIT $2",
        rewrite: "UPDATE sources AS kept SET secret = given.secret, old_secrets = given.old_secrets \
                  FROM unnest($1::bigint[], $2::text[], $3::text[]) AS given (id, secret, old_secrets) \
                  WHERE kept.id = given.id",
    },
    Place {
        owners: WEBSOCKETS,
        some: "SELECT id, secret, NULL::text FROM websockets WHERE id > $1 AND secret IS NOT NULL \
               ORDER BY id LIMIT $2",
        rewrite: "UPDATE websockets AS kept SET secret = given.secret \
                  FROM unnest($1::bigint[], $2::text[], $3::text[]) AS given (id, secret, old_secrets) \
                  WHERE kept.id = given.id",
    },
    Place {
        owners: WEBSOCKETS,
        some: "SELECT id, token_key, NULL::text FROM websockets WHERE id > $1 ORDER BY id LIMIT $2",
        rewrite: "UPDATE websockets AS kept SET token_key = given.secret \
                  FROM unnest($1::bigint[], $2::text[], $3::text[]) AS given (id, secret, old_secrets) \
                  WHERE kept.id = given.id",
    },
    Place {
        owners: CREDENTIALS,
        some: "SELECT id, credentials, NULL::text FROM webhooks WHERE id > $1 AND credentials IS NOT NULL \
               ORDER BY id LIMIT $2",
        rewrite: "UPDATE webhooks AS kept SET credentials = given.secret \
                  FROM unnest($1::bigint[], $2::text[], $3::text[]) AS given (id, secret, old_secrets) \
                  WHERE kept.id = given.id",
    },
    Place {
        owners: CHANNELS,
        some: "SELECT id, secret, NULL::text FROM notification_channels WHERE id > $1 AND secret IS NOT NULL \
               ORDER BY id LIMIT $2",
        rewrite: "UPDATE notification_channels AS kept SET secret = given.secret \
                  FROM unnest($1::bigint[], $2::text[], $3::text[]) AS given (id, secret, old_secrets) \
                  WHERE kept.id = given.id",
    },
    Place {
        owners: CHANNELS,
        some: "SELECT id, destination, NULL::text FROM notification_channels WHERE id > $1 ORDER BY id LIMIT $2",
        rewrite: "UPDATE notification_channels AS kept SET destination = given.secret \
                  FROM unnest($1::bigint[], $2::text[], $3::text[]) AS given (id, secret, old_secrets) \
                  WHERE kept.id = given.id",
    },
];

/// What secrets are read for.
#[derive(Clone, Copy)]
enum Purpose {
    Check,
    Rewrite,
}

impl Place {
    async fn some(
        &self,
        connection: &mut PgConnection,
        after: i64,
        limit: i64,
        purpose: Purpose,
    ) -> Result<Vec<Kept>, StoreError> {
        let lock = match purpose {
            Purpose::Check => "",
            Purpose::Rewrite => " FOR UPDATE",
        };
        let sql = AssertSqlSafe(format!("{}{lock}", self.some));
        let query = sqlx::query(sql).bind(after).bind(limit);
        all(connection, query, |row| self.owners.read(row)).await
    }

    async fn reseal(
        &self,
        connection: &mut PgConnection,
        sealing: &Sealing,
        rows: Vec<Kept>,
        resealed: &mut Resealed,
    ) -> Result<(), StoreError> {
        let mut changed = Vec::new();
        for mut kept in rows {
            if kept.reseal(sealing, resealed)? {
                changed.push(kept);
            }
        }
        self.rewrite(connection, changed).await
    }

    async fn rewrite(&self, connection: &mut PgConnection, changed: Vec<Kept>) -> Result<(), StoreError> {
        if changed.is_empty() {
            return Ok(());
        }
        let mut rows = Vec::with_capacity(changed.len());
        for kept in changed {
            rows.push((kept.id, kept.old()?, kept.secret));
        }
        let query = bind_columns!(sqlx::query(self.rewrite), rows, |row| {
            i64: row.0,
            Option<&str>: row.2.as_deref(),
            Option<&str>: row.1.as_deref(),
        });
        query.execute(connection).await?;
        Ok(())
    }
}

/// Finds out at the start, and not at the first delivery, whether every secret can be read.
pub(super) async fn check(connection: &mut PgConnection, sealing: &Sealing) -> Result<(), StoreError> {
    for place in [OF_WEBHOOKS].iter().chain(&OTHERS) {
        for kept in place.some(connection, 0, i64::MAX, Purpose::Check).await? {
            kept.check(sealing)?;
        }
    }
    Ok(())
}

/// Rewrites the secrets of some webhooks that are not kept as they would be now; with the last ones everything else's.
pub(super) async fn reseal(
    transaction: &mut Transaction<'_>,
    sealing: &Sealing,
    after: Option<WebhookId>,
    limit: u32,
) -> Result<Resealed, StoreError> {
    refuse_without_sealer(sealing)?;
    let connection = &mut *transaction.connection;
    let after = after.map_or(0, |id| id.0);
    let page = OF_WEBHOOKS
        .some(connection, after, limit.into(), Purpose::Rewrite)
        .await?;
    let mut resealed = resealed(&page, limit);
    OF_WEBHOOKS
        .reseal(connection, sealing, page, &mut resealed)
        .await?;
    if resealed.next.is_none() {
        resealed.rewritten += webhooks::seal_credentials(connection, sealing).await?;
        for place in &OTHERS {
            let rows = place.some(connection, 0, i64::MAX, Purpose::Rewrite).await?;
            place.reseal(connection, sealing, rows, &mut resealed).await?;
        }
    }
    Ok(resealed)
}

/// Forgets the replaced secrets whose time is over. They need not be readable for that.
pub(super) async fn forget_old(
    transaction: &mut Transaction<'_>,
    now: Timestamp,
) -> Result<usize, StoreError> {
    let connection = &mut *transaction.connection;
    let mut count = 0;
    for (place, with_old) in [(&OF_WEBHOOKS, WITH_OLD), (&OTHERS[0], SOURCES_WITH_OLD)] {
        let query = sqlx::query(with_old);
        let mut changed = Vec::new();
        for mut kept in all(connection, query, |row| place.owners.read(row)).await? {
            if kept.forget_old(now) {
                changed.push(kept);
            }
        }
        count += changed.len();
        place.rewrite(connection, changed).await?;
    }
    Ok(count)
}

const WITH_OLD: &str =
    "SELECT id, secret, old_secrets FROM webhooks WHERE old_secrets IS NOT NULL ORDER BY id FOR UPDATE";

/// Sources are few.
const SOURCES_WITH_OLD: &str =
    "SELECT id, secret, old_secrets FROM sources WHERE old_secrets IS NOT NULL ORDER BY id FOR UPDATE";
