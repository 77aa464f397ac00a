//! The schema and how it grows: numbered migrations, each one transaction, one process at a time.

use sqlx::postgres::PgConnection;
use sqlx::{Connection, Row};
use switchhook_domain::Timestamp;

use super::transaction::{Lock, lock};
use crate::error::StoreError;
use crate::migrations::{self, MIGRATIONS, SchemaAge, URL_KEYS};
use crate::shared::webhooks;

/// Brings the schema up to date; refuses what this program must not touch. Nodes that start at once wait for each other.
pub(super) async fn migrate(connection: &mut PgConnection, now: Timestamp) -> Result<(), StoreError> {
    while migrations::age(number(connection).await?)? == SchemaAge::Older {
        migrate_by_one(connection, now).await?;
    }
    Ok(())
}

async fn migrate_by_one(connection: &mut PgConnection, now: Timestamp) -> Result<(), StoreError> {
    let mut transaction = connection.begin().await?;
    lock(&mut transaction, Lock::Schema).await?;
    let history = "CREATE TABLE IF NOT EXISTS schema_migrations (
        number     BIGINT PRIMARY KEY,
        name       TEXT   NOT NULL,
        applied_at BIGINT NOT NULL
      )";
    sqlx::raw_sql(history).execute(&mut *transaction).await?;
    let done = number(&mut transaction).await?;
    // Another node may have been faster while we waited for the lock.
    if let Some(migration) = MIGRATIONS.get(done as usize) {
        sqlx::raw_sql(migration.postgres)
            .execute(&mut *transaction)
            .await?;
        if migration.name == URL_KEYS {
            webhooks::fill_url_keys(&mut *transaction).await?;
        }
        sqlx::query("INSERT INTO schema_migrations (number, name, applied_at) VALUES ($1, $2, $3)")
            .bind(i64::from(done) + 1)
            .bind(migration.name)
            .bind(now.as_millis())
            .execute(&mut *transaction)
            .await?;
    }
    Ok(transaction.commit().await?)
}

/// The number of the last migration done; 0 for an empty database.
pub(super) async fn number(connection: &mut PgConnection) -> Result<u32, StoreError> {
    let is_there = sqlx::query("SELECT to_regclass('schema_migrations') IS NOT NULL")
        .fetch_one(&mut *connection)
        .await?;
    if !is_there.try_get::<bool, _>(0)? {
        return Ok(0);
    }
    let last = sqlx::query("SELECT coalesce(max(number), 0) FROM schema_migrations")
        .fetch_one(connection)
        .await?;
    Ok(u32::try_from(last.try_get::<i64, _>(0)?).unwrap_or(u32::MAX))
}
