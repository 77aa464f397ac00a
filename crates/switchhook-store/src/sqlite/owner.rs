//! Owner of the file by a number in it, which the next owner raises, and which is checked in every transaction.
//!
//! The lock keeps a second owner out as long as its file exists. This is for when it does not: a newcomer raises the
//! number while nobody else's transaction is open, and its predecessor commits nothing more, and appends nothing to
//! the journal. An owner whose database or log has lost its name stops too, because nobody would find its writes.

use std::ffi::OsString;
use std::fs::{self, File};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rusqlite::{Connection, OptionalExtension, params};

use super::files;
use super::journal;
use super::location::{Identity, StoreFile};
use crate::error::StoreError;

/// Suffix of SQLite's write-ahead log.
pub(super) const LOG: &str = "-wal";
pub(super) const INDEX_OF_LOG: &str = "-shm";

/// Proof that this process owns the file.
#[derive(Debug)]
pub(super) struct Ownership {
    number: i64,
    database: Arc<File>,
    file: StoreFile,
    /// The files that it writes, as they were named at the start.
    named: [(PathBuf, Identity); 3],
    has_warned: bool,
}

/// Reason for which a process no longer owns its file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum OwnershipLoss {
    /// Another process took it. What was acknowledged it has taken over.
    Taken(String),
    /// A file is not where it was. Nobody else has what was acknowledged.
    Displaced(String),
}

impl Ownership {
    /// Makes this process the owner, within a transaction: with its commit any other one is it no longer.
    ///
    /// `database` is the open file. It must not be closed before SQLite has closed it: its locks would end.
    pub(super) fn take(
        connection: &Connection,
        file: &StoreFile,
        database: Arc<File>,
    ) -> Result<Self, StoreError> {
        let path = file.path().as_os_str().as_bytes();
        let number = connection.query_row(
            "UPDATE owner SET number = number + 1, process = ?, path = ? RETURNING number",
            params![std::process::id(), path],
            |row| row.get(0),
        )?;
        let named = |end| {
            let path = file.beside(end);
            match Identity::at(&path) {
                Ok(identity) => Ok((path, identity)),
                Err(error) => Err(StoreError::Unusable(format!(
                    "{} cannot be used: {error}",
                    path.display()
                ))),
            }
        };
        Ok(Self {
            number,
            database,
            file: file.clone(),
            named: [named("")?, named(LOG)?, named(INDEX_OF_LOG)?],
            has_warned: false,
        })
    }

    /// Loss if another process has become the owner; asked within a transaction, while none can.
    pub(super) fn is_taken(&self, connection: &Connection) -> Result<Option<OwnershipLoss>, StoreError> {
        let sql = "SELECT number, process FROM owner";
        let (number, process): (i64, Option<u32>) = connection
            .prepare_cached(sql)?
            .query_row([], |row| Ok((row.get(0)?, row.get(1)?)))?;
        let by = process.map_or_else(String::new, |process| format!(" by process {process}"));
        Ok((number != self.number).then(|| {
            OwnershipLoss::Taken(format!(
                "the store {} was taken over{by} while this one served it (was its lock file removed?): \
                 this one accepts nothing more and ends",
                self.file.path().display()
            ))
        }))
    }

    /// Loss if a written file is no longer found by its name.
    pub(super) fn is_displaced(&mut self) -> Option<OwnershipLoss> {
        for (path, identity) in &self.named {
            if Identity::at(path).is_ok_and(|found| found == *identity) {
                continue;
            }
            return Some(OwnershipLoss::Displaced(format!(
                "{} was moved, removed or replaced while the store was served: nothing more is accepted, and the process ends",
                path.display()
            )));
        }
        self.warn_of_other_names();
        None
    }

    /// A second name does no harm until it is opened, which is refused.
    fn warn_of_other_names(&mut self) {
        let has_others = fs::symlink_metadata(self.file.path()).is_ok_and(|file| file.nlink() > 1);
        if has_others && !self.has_warned {
            let path = self.file.path().display();
            tracing::warn!(%path, "the database file has another name (hard link): nobody else can open it until that is removed");
        }
        self.has_warned = has_others;
    }

    /// True if the database has no name any more, so that it ends with this process.
    pub(super) fn is_nameless(&self) -> bool {
        self.database.metadata().is_ok_and(|file| file.nlink() == 0)
    }

    /// True if another log is in the place of ours: some process has the database open with it.
    pub(super) fn has_other_log(&self) -> bool {
        let [_, logs @ ..] = &self.named;
        logs.iter()
            .any(|(path, identity)| Identity::at(path).is_ok_and(|found| found != *identity))
    }

    pub(super) const fn number(&self) -> i64 {
        self.number
    }

    pub(super) const fn file(&self) -> &StoreFile {
        &self.file
    }
}

/// Says, within the last transaction of the owner with this number, that nothing is left to be done.
pub(super) fn end(connection: &Connection, number: i64) -> Result<(), StoreError> {
    let sql = "UPDATE owner SET process = NULL, path = NULL WHERE number = ?";
    connection.prepare_cached(sql)?.execute([number])?;
    Ok(())
}

/// Says of a copy that nobody has served it.
pub(super) fn forget(copy: &Connection) -> Result<(), StoreError> {
    if is_known(copy)? {
        copy.execute("UPDATE owner SET process = NULL, path = NULL", [])?;
    }
    Ok(())
}

/// True if the schema is new enough for owners.
fn is_known(connection: &Connection) -> Result<bool, StoreError> {
    let sql = "SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'owner'";
    Ok(connection.query_row(sql, [], |_| Ok(())).optional()?.is_some())
}

/// Refuses a file that was moved away from its log and its journal: without them it lacks what was written last.
pub(super) fn refuse_without_its_log(connection: &Connection, file: &StoreFile) -> Result<(), StoreError> {
    if !is_known(connection)? {
        return Ok(());
    }
    let sql = "SELECT path FROM owner WHERE process IS NOT NULL";
    let before: Option<Vec<u8>> = connection.query_row(sql, [], |row| row.get(0)).optional()?;
    let Some(before) = before else { return Ok(()) };
    let before = PathBuf::from(OsString::from_vec(before));
    let left = left_beside(&before);
    let came_along = left_beside(file.path());
    if before == file.path() || is_another_store(&before) || left.is_empty() || !came_along.is_empty() {
        return Ok(());
    }
    let left: Vec<_> = left.iter().map(|path| path.display().to_string()).collect();
    Err(StoreError::Unusable(format!(
        "{} was served as {} by a process that did not end in good order, and what was written last is still in {}: \
         move the database back, start the server once and stop it, then move it again",
        file.path().display(),
        before.display(),
        left.join(" and ")
    )))
}

/// Files with data of a database that was not closed.
fn left_beside(database: &Path) -> Vec<PathBuf> {
    let side = |end| files::beside(database, end);
    let has_something = |path: &PathBuf| fs::metadata(path).is_ok_and(|file| file.len() > 0);
    [side(LOG), side(journal::END)]
        .into_iter()
        .filter(has_something)
        .collect()
}

/// True if a file of this name exists: then the files beside it belong to that one.
fn is_another_store(database: &Path) -> bool {
    fs::symlink_metadata(database).is_ok_and(|found| found.is_file())
}
