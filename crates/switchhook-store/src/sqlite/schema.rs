//! The schema and how it grows: numbered migrations, each one transaction.

use rusqlite::{Connection, OptionalExtension, TransactionBehavior, params};
use switchhook_domain::Timestamp;

use super::sql::{OnThread, at_once};
use crate::StoreError;
use crate::shared::webhooks;

/// The one that has more to do than its statements say: what fills it in is no SQL.
const URL_KEYS: &str = "url_keys";

struct Migration {
    name: &'static str,
    sql: &'static str,
}

/// In order; a migration's number is its place, counted from 1. PostgreSQL has the same numbers and names.
const MIGRATIONS: [Migration; 20] = [
    Migration {
        name: "initial",
        sql: include_str!("../../migrations/sqlite/0001_initial.sql"),
    },
    Migration {
        name: "subscription_versions",
        sql: include_str!("../../migrations/sqlite/0002_subscription_versions.sql"),
    },
    Migration {
        name: "holds",
        sql: include_str!("../../migrations/sqlite/0003_holds.sql"),
    },
    Migration {
        name: "replays",
        sql: include_str!("../../migrations/sqlite/0004_replays.sql"),
    },
    Migration {
        name: "secrets_and_retention",
        sql: include_str!("../../migrations/sqlite/0005_secrets_and_retention.sql"),
    },
    Migration {
        name: "disabled_webhooks",
        sql: include_str!("../../migrations/sqlite/0006_disabled_webhooks.sql"),
    },
    Migration {
        name: "websockets_and_sources",
        sql: include_str!("../../migrations/sqlite/0007_websockets_and_sources.sql"),
    },
    Migration {
        name: "owner",
        sql: include_str!("../../migrations/sqlite/0008_owner.sql"),
    },
    Migration {
        name: "clearances_and_credentials",
        sql: include_str!("../../migrations/sqlite/0009_clearances_and_credentials.sql"),
    },
    Migration {
        name: "ended_sessions",
        sql: include_str!("../../migrations/sqlite/0010_ended_sessions.sql"),
    },
    Migration {
        name: URL_KEYS,
        sql: include_str!("../../migrations/sqlite/0011_url_keys.sql"),
    },
    Migration {
        name: "refusals_by_bytes",
        sql: include_str!("../../migrations/sqlite/0012_refusals_by_bytes.sql"),
    },
    Migration {
        name: "notifications",
        sql: include_str!("../../migrations/sqlite/0013_notifications.sql"),
    },
    Migration {
        name: "history",
        sql: include_str!("../../migrations/sqlite/0014_history.sql"),
    },
    Migration {
        name: "outages",
        sql: include_str!("../../migrations/sqlite/0015_outages.sql"),
    },
    Migration {
        name: "dead_letters",
        sql: include_str!("../../migrations/sqlite/0016_dead_letters.sql"),
    },
    Migration {
        name: "refused_signatures",
        sql: include_str!("../../migrations/sqlite/0017_refused_signatures.sql"),
    },
    Migration {
        name: "payload_filters",
        sql: include_str!("../../migrations/sqlite/0018_payload_filters.sql"),
    },
    Migration {
        name: "feeds",
        sql: include_str!("../../migrations/sqlite/0019_feeds.sql"),
    },
    Migration {
        name: "last_used_keys",
        sql: include_str!("../../migrations/sqlite/0020_last_used_keys.sql"),
    },
];

/// How the schema of a file relates to the one that this program knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Age {
    /// They are the same.
    Current,
    /// It is older, or missing.
    Older,
}

/// Compares, and refuses what this program must not touch.
pub(super) fn age(connection: &Connection) -> Result<Age, StoreError> {
    match usize::try_from(number(connection)?).unwrap_or(usize::MAX) {
        number if number == MIGRATIONS.len() => Ok(Age::Current),
        number if number < MIGRATIONS.len() => Ok(Age::Older),
        number => Err(StoreError::Unusable(format!(
            "the database has schema {number}, this program knows schemas up to {}: it was written by a newer version of \
             Switchhook; use that one, or restore a backup made before the update",
            MIGRATIONS.len()
        ))),
    }
}

/// Brings the schema up to date.
pub(super) fn migrate(connection: &mut Connection, now: Timestamp) -> Result<(), StoreError> {
    while age(connection)? == Age::Older {
        migrate_by_one(connection, now)?;
    }
    Ok(())
}

fn migrate_by_one(connection: &mut Connection, now: Timestamp) -> Result<(), StoreError> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    transaction.execute_batch(
        "CREATE TABLE IF NOT EXISTS schema_migrations (
           number     INTEGER PRIMARY KEY,
           name       TEXT    NOT NULL,
           applied_at INTEGER NOT NULL
         ) STRICT",
    )?;
    let done = number(&transaction)?;
    // Another process may have been faster while we waited for the transaction.
    if let Some(migration) = MIGRATIONS.get(done as usize) {
        transaction.execute_batch(migration.sql)?;
        if migration.name == URL_KEYS {
            at_once(webhooks::fill_url_keys(&mut OnThread::new(&transaction)))?;
        }
        transaction.execute(
            "INSERT INTO schema_migrations (number, name, applied_at) VALUES (?, ?, ?)",
            params![done + 1, migration.name, now.as_millis()],
        )?;
    }
    Ok(transaction.commit()?)
}

/// The number of the last migration done; 0 for an empty file.
pub(super) fn number(connection: &Connection) -> Result<u32, StoreError> {
    let ours = "SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'schema_migrations'";
    if connection.query_row(ours, [], |_| Ok(())).optional()?.is_some() {
        let last = "SELECT coalesce(max(number), 0) FROM schema_migrations";
        return Ok(connection.query_row(last, [], |row| row.get(0))?);
    }
    let tables: i64 = connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    if tables > 0 {
        return Err(StoreError::Unusable(
            "the file is a SQLite database, but not one of Switchhook's: give another path".into(),
        ));
    }
    Ok(0)
}

#[cfg(test)]
mod tests {
    use switchhook_domain::id::CompanyId;
    use switchhook_domain::subscription::{Revision, VersionChange};

    use super::*;
    use crate::page::PageRequest;
    use crate::shared::versions;
    use crate::sqlite::connection::{Checkpoints, Place, open_writing};

    const NOW: Timestamp = Timestamp::from_millis(1_795_261_200_000);

    #[test]
    fn subscriptions_made_before_there_were_versions_are_carried_over() {
        let mut connection = open_writing(&Place::Memory, Checkpoints::Here).unwrap();
        connection.execute_batch(MIGRATIONS[0].sql).unwrap();
        connection
            .execute_batch(
                "CREATE TABLE schema_migrations (number INTEGER PRIMARY KEY, name TEXT NOT NULL, applied_at INTEGER NOT NULL);
                 INSERT INTO schema_migrations VALUES (1, 'initial', 0);
                 INSERT INTO subscriptions (id, company_id, kind, enabled, filter, scopes, created_at, updated_at, deleted_at)
                   VALUES (11, 1, 'changelog', 1, '{\"kind\":\"changelog\"}', '', 5, 6, NULL),
                          (12, 1, 'changelog', 1, '{\"kind\":\"changelog\"}', '', 5, 6, 7);",
            )
            .unwrap();
        migrate(&mut connection, NOW).unwrap();
        let kept = at_once(versions::changes(
            &mut OnThread::new(&connection),
            Some(CompanyId(1)),
            PageRequest::first(9),
        ))
        .unwrap();
        let [version] = &kept.items[..] else {
            panic!("{kept:?}")
        };
        assert_eq!(version.change, VersionChange::CarriedOver);
        assert_eq!(version.from_at, Timestamp::from_millis(6));
        assert_eq!(
            at_once(versions::first_revision(&mut OnThread::new(&connection))).unwrap(),
            Revision(1)
        );
    }

    #[test]
    fn webhooks_made_before_addresses_were_compared_are_found_by_theirs() {
        let mut connection = open_writing(&Place::Memory, Checkpoints::Here).unwrap();
        let before = MIGRATIONS
            .iter()
            .take_while(|migration| migration.name != URL_KEYS);
        let before: Vec<_> = before.map(|migration| migration.sql).collect();
        connection.execute_batch(&before.join(";\n")).unwrap();
        connection
            .execute_batch(&format!(
                "CREATE TABLE schema_migrations (number INTEGER PRIMARY KEY, name TEXT NOT NULL, applied_at INTEGER NOT NULL);
                 INSERT INTO schema_migrations VALUES ({}, 'before', 0);
                 INSERT INTO webhooks (id, company_id, hook_url, settings, created_at, updated_at)
                   VALUES (7, 1, 'https://***7@Example.com:443/a', '{{}}', 5, 6);",
                before.len()
            ))
            .unwrap();
        migrate(&mut connection, NOW).unwrap();
        let key: String = connection
            .query_row("SELECT url_key FROM webhooks", [], |row| row.get(0))
            .unwrap();
        assert_eq!(key, "https://example.com/a");
    }
}
