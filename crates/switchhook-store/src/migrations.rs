//! Migrations: how the schema grows, the same numbers and names for both databases. How one is applied is their drivers'.

use crate::error::StoreError;

pub(crate) struct Migration {
    pub(crate) name: &'static str,
    pub(crate) sqlite: &'static str,
    pub(crate) postgres: &'static str,
}

macro_rules! migrations {
    ($($number:literal $name:literal),+ $(,)?) => {
        &[$(Migration {
            name: $name,
            sqlite: include_str!(concat!("../migrations/sqlite/", $number, "_", $name, ".sql")),
            postgres: include_str!(concat!("../migrations/postgres/", $number, "_", $name, ".sql")),
        }),+]
    };
}

/// In order; a migration's number is its place, counted from 1.
pub(crate) const MIGRATIONS: &[Migration] = migrations![
    "0001" "initial",
    "0002" "subscription_versions",
    "0003" "holds",
    "0004" "replays",
    "0005" "secrets_and_retention",
    "0006" "disabled_webhooks",
    "0007" "websockets_and_sources",
    "0008" "owner",
    "0009" "clearances_and_credentials",
    "0010" "ended_sessions",
    "0011" "url_keys",
    "0012" "refusals_by_bytes",
    "0013" "notifications",
    "0014" "history",
    "0015" "outages",
    "0016" "dead_letters",
    "0017" "refused_signatures",
    "0018" "payload_filters",
    "0019" "feeds",
    "0020" "last_used_keys",
    "0021" "first_attempts",
];

/// The one that has more to do than its statements say: what fills it in is no SQL.
pub(crate) const URL_KEYS: &str = "url_keys";

/// Schema versions before and after migrating, which are equal if nothing was to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Migrated {
    /// The schema that was there; 0 for none.
    pub from: u32,
    /// The schema that is there.
    pub to: u32,
}

/// Relation of a database's schema to the one that this program knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SchemaAge {
    /// They are the same.
    Current,
    /// It is older, or missing.
    Older,
}

/// Compares the schema with this number, and refuses what this program must not touch.
pub(crate) fn age(number: u32) -> Result<SchemaAge, StoreError> {
    match number as usize {
        number if number == MIGRATIONS.len() => Ok(SchemaAge::Current),
        number if number < MIGRATIONS.len() => Ok(SchemaAge::Older),
        number => Err(StoreError::Unusable(format!(
            "the database has schema {number}, this program knows schemas up to {}: it was written by a newer version of \
             Switchhook; use that one, or restore a backup made before the update",
            MIGRATIONS.len()
        ))),
    }
}
