//! The schema and how it grows: numbered migrations, each one transaction.

use rusqlite::{Connection, OptionalExtension, TransactionBehavior, params};
use switchhook_domain::Timestamp;

use super::sql::{OnThread, at_once};
use crate::error::StoreError;
use crate::migrations::{self, MIGRATIONS, SchemaAge, URL_KEYS};
use crate::shared::webhooks;

/// Compares, and refuses what this program must not touch.
pub(super) fn age(connection: &Connection) -> Result<SchemaAge, StoreError> {
    migrations::age(number(connection)?)
}

/// Brings the schema up to date.
pub(super) fn migrate(connection: &mut Connection, now: Timestamp) -> Result<(), StoreError> {
    while age(connection)? == SchemaAge::Older {
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
        transaction.execute_batch(migration.sqlite)?;
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
    use switchhook_domain::id::{CompanyId, DeliveryId};
    use switchhook_domain::subscription::{Revision, VersionChange};

    use super::*;
    use crate::page::PageRequest;
    use crate::shared::{deliveries, versions};
    use crate::sqlite::connection::{Checkpoints, DatabaseLocation, open_writing};

    const NOW: Timestamp = Timestamp::from_millis(1_795_261_200_000);

    #[test]
    fn subscriptions_made_before_there_were_versions_are_carried_over() {
        let mut connection = open_writing(&DatabaseLocation::Memory, Checkpoints::Here).unwrap();
        connection.execute_batch(MIGRATIONS[0].sqlite).unwrap();
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

    /// A store as it was before a migration, with some rows, brought up to date.
    fn migrated(name: &str, rows: &str) -> Connection {
        let mut connection = open_writing(&DatabaseLocation::Memory, Checkpoints::Here).unwrap();
        let before = MIGRATIONS.iter().take_while(|migration| migration.name != name);
        let before: Vec<_> = before.map(|migration| migration.sqlite).collect();
        connection.execute_batch(&before.join(";\n")).unwrap();
        connection
            .execute_batch(&format!(
                "CREATE TABLE schema_migrations (number INTEGER PRIMARY KEY, name TEXT NOT NULL, applied_at INTEGER NOT NULL);
                 INSERT INTO schema_migrations VALUES ({}, 'before', 0);
                 {rows};",
                before.len()
            ))
            .unwrap();
        migrate(&mut connection, NOW).unwrap();
        connection
    }

    #[test]
    fn attempts_made_before_deliveries_held_their_first_are_there() {
        let connection = migrated(
            "first_attempts",
            "INSERT INTO attempts (delivery_id, number, started_at, finished_at, outcome, status, answer_truncated, total_us)
               VALUES (7, 1, 5, 6, 'answered', 503, 0, 1000), (7, 2, 8, 9, 'answered', 200, 0, 1000)",
        );
        let mut sql = OnThread::new(&connection);
        let attempts = at_once(deliveries::attempts_of(&mut sql, DeliveryId(7))).unwrap();
        let numbers: Vec<_> = attempts.iter().map(|one| one.number).collect();
        assert_eq!(numbers, [1, 2]);
    }

    #[test]
    fn webhooks_made_before_addresses_were_compared_are_found_by_theirs() {
        let connection = migrated(
            URL_KEYS,
            "INSERT INTO webhooks (id, company_id, hook_url, settings, created_at, updated_at)
               VALUES (7, 1, 'https://***7@Example.com:443/a', '{}', 5, 6)",
        );
        let key: String = connection
            .query_row("SELECT url_key FROM webhooks", [], |row| row.get(0))
            .unwrap();
        assert_eq!(key, "https://example.com/a");
    }
}
