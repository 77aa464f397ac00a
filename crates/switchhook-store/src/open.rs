//! Opening a store: its URL says which driver.

use std::path::Path;
use std::sync::Arc;

use switchhook_domain::Timestamp;

use crate::Store;
use crate::error::StoreError;
use crate::migrations::Migrated;
use crate::options::StoreOptions;
use crate::postgres::PostgresStore;
use crate::sqlite::{Copied, Existing, SqliteStore};

/// Driver of a URL, with its parameters.
pub(crate) enum Driver<'u> {
    /// A SQLite file at this path.
    Sqlite(&'u Path),
    /// SQLite without a file, for tests.
    Memory,
    /// PostgreSQL, to which the whole URL is given.
    Postgres,
}

/// Reads a store's URL.
pub(crate) fn driver_of(url: &str) -> Result<Driver<'_>, StoreError> {
    let (scheme, rest) = url.split_once(':').unwrap_or_default();
    match &*scheme.to_ascii_lowercase() {
        "sqlite" => match sqlite_path(rest) {
            "" => Err(not_understood()),
            ":memory:" => Ok(Driver::Memory),
            path if path.contains('?') => Err(StoreError::Unusable(
                "the store's URL is not understood: `sqlite:` is followed by the path of a file, without parameters".into(),
            )),
            path => Ok(Driver::Sqlite(Path::new(path))),
        },
        "postgres" | "postgresql" => Ok(Driver::Postgres),
        _ => Err(not_understood()),
    }
}

/// The URL may hold a password: it is not repeated.
fn not_understood() -> StoreError {
    StoreError::Unusable(
        "the store's URL is not understood: write sqlite: and the path of a file, for example \
         sqlite:./switchhook.db, or postgres://USER:PASSWORD@HOST/DATABASE"
            .into(),
    )
}

/// True if the URL means a store in memory.
#[must_use]
pub fn is_in_memory(url: &str) -> bool {
    matches!(driver_of(url), Ok(Driver::Memory))
}

/// Checks that a store's URL is understood, without connecting.
///
/// # Errors
/// `Unusable` if it is not, in words that do not repeat it.
pub fn check_url(url: &str) -> Result<(), StoreError> {
    match driver_of(url)? {
        Driver::Memory | Driver::Sqlite(_) => Ok(()),
        Driver::Postgres => crate::postgres::check_url(url),
    }
}

/// Opens the store at `url`: `sqlite:./switchhook.db`, `postgres://…`, or `sqlite::memory:` for tests. Blocks for a
/// moment.
///
/// # Errors
/// `Unusable` if the URL names no store that this build can open, or the store refuses.
pub fn open(url: &str, options: StoreOptions) -> Result<Arc<dyn Store>, StoreError> {
    Ok(match driver_of(url)? {
        Driver::Memory => SqliteStore::in_memory(options)?,
        Driver::Sqlite(path) => SqliteStore::open(path, options)?,
        Driver::Postgres => PostgresStore::open(url, options)?,
    })
}

/// Brings the schema of the store at `url` up to date. Blocks.
///
/// # Errors
/// `Unusable` as for [`open`]; a store in memory has no schema to keep.
pub fn migrate(url: &str, now: Timestamp) -> Result<Migrated, StoreError> {
    match driver_of(url)? {
        Driver::Sqlite(path) => SqliteStore::migrate(path, now),
        Driver::Postgres => PostgresStore::migrate(url, now),
        Driver::Memory => Ok(Migrated { from: 0, to: 0 }),
    }
}

/// Copies the store at `url` to the file `to`, also while a process serves it. Blocks.
///
/// # Errors
/// As [`SqliteStore::backup`], and `Unusable` if the store is in no file.
pub fn backup(url: &str, to: &Path, existing: Existing) -> Result<Copied, StoreError> {
    SqliteStore::backup(file_of(url)?, to, existing)
}

/// Puts the copy `from` in the place of the store at `url`. Blocks.
///
/// # Errors
/// As [`SqliteStore::restore`], and `Unusable` if the store is in no file.
pub fn restore(from: &Path, url: &str, existing: Existing) -> Result<Copied, StoreError> {
    SqliteStore::restore(from, file_of(url)?, existing)
}

fn file_of(url: &str) -> Result<&Path, StoreError> {
    match driver_of(url)? {
        Driver::Sqlite(path) => Ok(path),
        Driver::Memory | Driver::Postgres => Err(StoreError::Unusable(
            "only a store in a SQLite file can be copied so: sqlite:./switchhook.db; PostgreSQL has pg_dump"
                .into(),
        )),
    }
}

/// Both `sqlite:path` and `sqlite:///absolute/path` are in use.
fn sqlite_path(path: &str) -> &str {
    path.strip_prefix("//").unwrap_or(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_refused(url: &str, because: &str) {
        match open(url, StoreOptions::owner(Timestamp::from_millis(0))) {
            Err(StoreError::Unusable(message)) => assert!(message.contains(because), "{url}: {message}"),
            Err(other) => panic!("{url}: {other}"),
            Ok(_) => panic!("{url} was opened"),
        }
    }

    #[test]
    fn a_url_that_names_no_store_says_how_to_write_one() {
        check_refused(
            "postgres://switchhook:secret@127.0.0.1:x/switchhook",
            "URL is not understood",
        );
        check_refused("mysql://localhost", "sqlite:./switchhook.db");
        check_refused("switchhook.db", "sqlite:./switchhook.db");
        check_refused("sqlite:", "sqlite:./switchhook.db");
        check_refused("sqlite:./switchhook.db?mode=rw", "without parameters");
        check_refused("postgres://me@db/calls?sslmod=verify-full", "`sslmod`");
        check_refused(
            "sqlite:/no/such/directory/switchhook.db",
            "/no/such/directory/switchhook.db",
        );
    }

    #[test]
    fn a_path_may_be_written_with_or_without_slashes() {
        assert_eq!(sqlite_path("./a.db"), "./a.db");
        assert_eq!(sqlite_path("///var/a.db"), "/var/a.db");
        assert!(open("sqlite::memory:", StoreOptions::owner(Timestamp::from_millis(0))).is_ok());
    }
}
