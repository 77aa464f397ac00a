//! Connections: where the file is, and the settings that the measurements asked for.

use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};

use super::location::StoreFile;
use crate::StoreError;
use crate::options::PATIENCE;

/// Before this version a WAL that is reset under a second connection can corrupt the file.
const OLDEST_SQLITE: i32 = 3_051_003;

/// For whoever writes beside the process that serves the file: how often to look, and how many times.
const LOOK_EVERY: Duration = Duration::from_micros(200);
const LOOKS: i32 = 25_000;

/// Enough for every statement there is.
const CACHED_STATEMENTS: usize = 128;

/// Location of the database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum DatabaseLocation {
    File(StoreFile),
    Memory,
}

/// Process part that checkpoints the write-ahead log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Checkpoints {
    /// Somebody else, on a connection of its own.
    Elsewhere,
    /// This connection, after every thousand pages.
    Here,
}

/// Refuses a SQLite with a bug that loses data.
pub(super) fn check_version() -> Result<(), StoreError> {
    if rusqlite::version_number() < OLDEST_SQLITE {
        return Err(StoreError::Unusable(format!(
            "this program was built with SQLite {}, which can corrupt a database: build it with 3.51.3 or newer",
            rusqlite::version()
        )));
    }
    Ok(())
}

/// A connection that writes.
pub(super) fn open_writing(
    place: &DatabaseLocation,
    checkpoints: Checkpoints,
) -> Result<Connection, StoreError> {
    let connection = match place {
        DatabaseLocation::Memory => Connection::open_in_memory()?,
        DatabaseLocation::File(file) => open_file(file)?,
    };
    configure(&connection)?;
    // Enough for what is hot. More is slower: SQLite walks the cache's whole hash table at each commit in which a page
    // was split (rebalancing moves pages by way of the lock page's number, past the end of the file).
    connection.pragma_update(None, "cache_size", -8 * 1024)?;
    let pages = if checkpoints == Checkpoints::Here { 1000 } else { 0 };
    connection.pragma_update(None, "wal_autocheckpoint", pages)?;
    Ok(connection)
}

/// A connection that writes beside the process that serves the file.
pub(super) fn open_beside(file: &StoreFile) -> Result<Connection, StoreError> {
    let mut connection = open_writing(&DatabaseLocation::File(file.clone()), Checkpoints::Elsewhere)?;
    look_often(&mut connection)?;
    Ok(connection)
}

/// Under load the process that serves the file lets go of it for a moment only every few milliseconds, so whoever waits must
/// look often.
pub(super) fn look_often(connection: &mut Connection) -> Result<(), StoreError> {
    connection.busy_handler(Some(|tries| {
        std::thread::park_timeout(LOOK_EVERY);
        tries < LOOKS
    }))?;
    Ok(())
}

/// A connection that only reads. (Not a read-only one in SQLite's sense: those cannot recover a write-ahead log.)
pub(super) fn open_reading(file: &StoreFile) -> Result<Connection, StoreError> {
    let connection = open_file(file)?;
    configure(&connection)?;
    connection.pragma_update(None, "cache_size", -8 * 1024)?;
    connection.pragma_update(None, "wal_autocheckpoint", 0)?;
    connection.pragma_update(None, "query_only", true)?;
    Ok(connection)
}

/// A connection that only moves the log's pages into the file.
pub(super) fn open_checkpointing(file: &StoreFile) -> Result<Connection, StoreError> {
    let connection = open_file(file)?;
    configure(&connection)?;
    connection.pragma_update(None, "cache_size", -256)?;
    connection.pragma_update(None, "wal_autocheckpoint", 0)?;
    Ok(connection)
}

fn configure(connection: &Connection) -> Result<(), StoreError> {
    connection.busy_timeout(PATIENCE)?;
    connection.set_prepared_statement_cache_capacity(CACHED_STATEMENTS);
    // Plans that do not depend on values: else a new value of a LIMIT plans the cached statement anew.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    connection.pragma_update(None, "journal_mode", "wal")?;
    connection.pragma_update(None, "synchronous", "full")?;
    connection.pragma_update(None, "temp_store", "memory")?;
    // Whatever SQLite moves to another page is not left behind on this one, where no erasure would find it.
    connection.pragma_update(None, "secure_delete", "fast")?;
    connection.pragma_update(None, "foreign_keys", false)?;
    Ok(())
}

fn open_file(file: &StoreFile) -> Result<Connection, StoreError> {
    file.create()?;
    // SQLite must not find another file than everything else: the path has no links, and stands for nothing but itself.
    let flags =
        OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_NOFOLLOW;
    Ok(Connection::open_with_flags(file.path(), flags)?)
}
