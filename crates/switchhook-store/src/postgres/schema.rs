//! The schema and how it grows: numbered migrations, each one transaction, one process at a time.

use sqlx::postgres::PgConnection;
use sqlx::{Connection, Row};
use switchhook_domain::Timestamp;

use super::transaction::{Lock, lock};
use crate::StoreError;
use crate::shared::webhooks;

/// The one that has more to do than its statements say: what fills it in is no SQL.
const URL_KEYS: &str = "url_keys";

struct Migration {
    name: &'static str,
    sql: &'static str,
}

/// In order; a migration's number is its place, counted from 1. SQLite has the same numbers and names.
const MIGRATIONS: [Migration; 20] = [
    Migration {
        name: "initial",
        sql: include_str!("../../migrations/postgres/0001_initial.sql"),
    },
    Migration {
        name: "subscription_versions",
        sql: include_str!("../../migrations/postgres/0002_subscription_versions.sql"),
    },
    Migration {
        name: "holds",
        sql: include_str!("../../migrations/postgres/0003_holds.sql"),
    },
    Migration {
        name: "replays",
        sql: include_str!("../../migrations/postgres/0004_replays.sql"),
    },
    Migration {
        name: "secrets_and_retention",
        sql: include_str!("../../migrations/postgres/0005_secrets_and_retention.sql"),
    },
    Migration {
        name: "disabled_webhooks",
        sql: include_str!("../../migrations/postgres/0006_disabled_webhooks.sql"),
    },
    Migration {
        name: "websockets_and_sources",
        sql: include_str!("../../migrations/postgres/0007_websockets_and_sources.sql"),
    },
    Migration {
        name: "owner",
        sql: include_str!("../../migrations/postgres/0008_owner.sql"),
    },
    Migration {
        name: "clearances_and_credentials",
        sql: include_str!("../../migrations/postgres/0009_clearances_and_credentials.sql"),
    },
    Migration {
        name: "ended_sessions",
        sql: include_str!("../../migrations/postgres/0010_ended_sessions.sql"),
    },
    Migration {
        name: URL_KEYS,
        sql: include_str!("../../migrations/postgres/0011_url_keys.sql"),
    },
    Migration {
        name: "refusals_by_bytes",
        sql: include_str!("../../migrations/postgres/0012_refusals_by_bytes.sql"),
    },
    Migration {
        name: "notifications",
        sql: include_str!("../../migrations/postgres/0013_notifications.sql"),
    },
    Migration {
        name: "history",
        sql: include_str!("../../migrations/postgres/0014_history.sql"),
    },
    Migration {
        name: "outages",
        sql: include_str!("../../migrations/postgres/0015_outages.sql"),
    },
    Migration {
        name: "dead_letters",
        sql: include_str!("../../migrations/postgres/0016_dead_letters.sql"),
    },
    Migration {
        name: "refused_signatures",
        sql: include_str!("../../migrations/postgres/0017_refused_signatures.sql"),
    },
    Migration {
        name: "payload_filters",
        sql: include_str!("../../migrations/postgres/0018_payload_filters.sql"),
    },
    Migration {
        name: "feeds",
        sql: include_str!("../../migrations/postgres/0019_feeds.sql"),
    },
    Migration {
        name: "last_used_keys",
        sql: include_str!("../../migrations/postgres/0020_last_used_keys.sql"),
    },
];

/// Brings the schema up to date; refuses what this program must not touch. Nodes that start at once wait for each other.
pub(super) async fn migrate(connection: &mut PgConnection, now: Timestamp) -> Result<(), StoreError> {
    while (number(connection).await? as usize) < MIGRATIONS.len() {
        migrate_by_one(connection, now).await?;
    }
    match number(connection).await? as usize {
        number if number == MIGRATIONS.len() => Ok(()),
        number => Err(StoreError::Unusable(format!(
            "the database has schema {number}, this program knows schemas up to {}: it was written by a newer version of \
             Switchhook; use that one, or restore a backup made before the update",
            MIGRATIONS.len()
        ))),
    }
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
        sqlx::raw_sql(migration.sql).execute(&mut *transaction).await?;
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
