//! Copies of a store: made while another process serves it, and put in place of one.
//!
//! A copy is read within one snapshot, so it is the store as it was at one moment, however much is written meanwhile.
//! It is written beside its place and renamed when it is whole and on the disk.

use std::fs::File;
use std::path::{Path, PathBuf};

use rusqlite::backup::{Backup, StepResult};
use rusqlite::{Connection, OpenFlags};

use super::connection;
use super::files;
use super::journal;
use super::location::StoreFile;
use super::lock::{self, OwnerLock};
use super::owner;
use super::schema;
use super::write_connection::WriteConnection;
use crate::error::StoreError;
use crate::event::NewEvent;
use crate::options::COMMIT_EVERY;

/// Pages copied per step.
const STEP: i32 = 2_048;

/// Bound on the tries for a consistent snapshot.
const SNAPSHOTS: u32 = 1_000;

/// Treatment of an existing file at the target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Existing {
    /// Leave it, and do nothing.
    Keep,
    /// Put the copy in its place.
    Replace,
}

/// A copy that is whole and on the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Copied {
    /// Size of the copy.
    pub bytes: u64,
    /// The schema that it has.
    pub schema: u32,
}

/// Depth of the check of a copy.
#[derive(Debug, Clone, Copy)]
enum Check {
    /// Every page.
    Pages,
    /// Every page, and every index against its table.
    Everything,
}

/// Copies the store at `path` to the file `to`. Blocks; another process may serve the store.
pub(super) fn backup(path: &Path, to: &Path, existing: Existing) -> Result<Copied, StoreError> {
    must_exist(path, "store")?;
    let (file, to) = (StoreFile::at(path)?, StoreFile::of_copy(to)?);
    refuse_the_same(&file, &to)?;
    make_way(&to, existing)?;
    lock::refuse_if_owned(&to)?;
    super::see_what_was_accepted(&file)?;
    let source = connection::open_reading(&file)?;
    owner::refuse_without_its_log(&source, &file)?;
    copy(&source, Some(&file), &to, Check::Pages)
}

/// Puts the copy `from` in the place of the store at `path`. Blocks; nobody may serve the store.
pub(super) fn restore(from: &Path, path: &Path, existing: Existing) -> Result<Copied, StoreError> {
    must_exist(from, "backup")?;
    let (from, to) = (StoreFile::of_copy(from)?, StoreFile::at(path)?);
    refuse_the_same(&from, &to)?;
    refuse_a_crashed_store(&from)?;
    let _lock = OwnerLock::take(&to)?;
    make_way(&to, existing)?;
    // A backup may lie on a disk that cannot be written.
    let source = Connection::open_with_flags(from.path(), OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    copy(&source, None, &to, Check::Everything)
}

/// Brings the database of a connection to a new file beside its place: the one it was read from has no name any more.
pub(super) fn rescue(source: &Connection, file: &StoreFile) -> Result<PathBuf, StoreError> {
    let mut number = 1;
    let place = |number: u32| file.beside(&format!(".rescued-{number}"));
    while place(number).exists() {
        number += 1;
    }
    let path = place(number);
    copy(source, None, &StoreFile::of_copy(&path)?, Check::Pages)?;
    Ok(path)
}

fn must_exist(path: &Path, what: &str) -> Result<(), StoreError> {
    if path.is_file() {
        return Ok(());
    }
    Err(StoreError::Unusable(format!(
        "there is no {what} at {}",
        path.display()
    )))
}

fn refuse_the_same(from: &StoreFile, to: &StoreFile) -> Result<(), StoreError> {
    if from.path() != to.path() {
        return Ok(());
    }
    Err(StoreError::Unusable(format!(
        "{} would be copied over itself: give another file",
        to.path().display()
    )))
}

/// A file with a journal is no backup: what it has of the last events would stay behind.
fn refuse_a_crashed_store(from: &StoreFile) -> Result<(), StoreError> {
    if !from.beside(journal::END).exists() {
        return Ok(());
    }
    Err(StoreError::Unusable(format!(
        "{} is a store that is served, or was not closed, and no backup: make one with `switchhook backup`",
        from.path().display()
    )))
}

fn make_way(to: &StoreFile, existing: Existing) -> Result<(), StoreError> {
    if existing == Existing::Replace || !to.path().exists() {
        return Ok(());
    }
    Err(StoreError::Unusable(format!(
        "{} is there already: give another name, or --force to replace it",
        to.path().display()
    )))
}

/// `served` is the store if another process may be serving it.
fn copy(
    source: &Connection,
    served: Option<&StoreFile>,
    to: &StoreFile,
    check: Check,
) -> Result<Copied, StoreError> {
    let partial = to.beside(".partial");
    let copied = copy_to(source, served, &partial, check).and_then(|copied| {
        put_in_place(&partial, to).map_err(|error| cannot("put in place", to.path(), &error))?;
        Ok(copied)
    });
    if copied.is_err() {
        // The message of what failed first is what counts.
        let _ = std::fs::remove_file(&partial);
    }
    copied
}

fn copy_to(
    source: &Connection,
    served: Option<&StoreFile>,
    partial: &Path,
    check: Check,
) -> Result<Copied, StoreError> {
    // One that was left behind by a crash.
    let _ = std::fs::remove_file(partial);
    files::create_new(partial).map_err(|error| cannot("written", partial, &error))?;
    let without_a_row = take_snapshot(source, served)?;
    let mut target = Connection::open(partial)?;
    // The whole file is synced once at the end; whatever fails before, the copy does not get its name.
    target.pragma_update(None, "synchronous", "off")?;
    let steps = Backup::new(source, &mut target)?;
    while let StepResult::More = steps.step(STEP)? {}
    drop(steps);
    source.execute_batch("ROLLBACK")?;
    // One file, without a log beside it; whoever serves it turns the log on again.
    target.query_row("PRAGMA journal_mode = delete", [], |_| Ok(()))?;
    look_through(&target, check)?;
    owner::forget(&target)?;
    if !without_a_row.is_empty() {
        let mut writing = WriteConnection::new(target, false, COMMIT_EVERY);
        writing.take_over(without_a_row)?;
        target = writing.connection;
    }
    let schema = schema::number(&target)?;
    target.close().map_err(|(_, error)| error)?;
    let file = File::open(partial).and_then(|file| file.sync_all().map(|()| file));
    let length = file.and_then(|file| file.metadata());
    let bytes = length.map_err(|error| cannot("written", partial, &error))?.len();
    Ok(Copied { bytes, schema })
}

/// Takes the snapshot, which stands until the transaction ends. Answers the events of which it may lack deliveries: whoever serves the
/// store leaves some to the journal for a while.
fn take_snapshot(source: &Connection, served: Option<&StoreFile>) -> Result<Vec<NewEvent>, StoreError> {
    let begin = || {
        source.execute_batch("BEGIN")?;
        schema::age(source)
    };
    let Some(file) = served else {
        begin()?;
        return Ok(Vec::new());
    };
    let live = connection::open_reading(file)?;
    for _ in 0..SNAPSHOTS {
        begin()?;
        let generation = journal::generation(source)?;
        let events = journal::events_of(file, generation)
            .map_err(|error| cannot("read", &file.beside(journal::END), &error))?;
        if journal::generation(&live)? == generation {
            return Ok(events);
        }
        // The journal began anew in between.
        source.execute_batch("ROLLBACK")?;
    }
    Err(StoreError::Unavailable(
        "the process that serves the store commits too fast for a copy: try again".into(),
    ))
}

fn look_through(target: &Connection, check: Check) -> Result<(), StoreError> {
    let pragma = match check {
        Check::Pages => "PRAGMA quick_check(1)",
        Check::Everything => "PRAGMA integrity_check(1)",
    };
    let found: String = target.query_row(pragma, [], |row| row.get(0))?;
    match found.as_str() {
        "ok" => Ok(()),
        what => Err(StoreError::Corrupt(format!("the copy is damaged: {what}"))),
    }
}

/// The log and the journal of a store that is replaced must go first: they do not fit the copy.
fn put_in_place(partial: &Path, to: &StoreFile) -> std::io::Result<()> {
    for end in [owner::LOG, owner::INDEX_OF_LOG, journal::END] {
        let side = to.beside(end);
        if side.exists() {
            std::fs::remove_file(side)?;
        }
    }
    std::fs::rename(partial, to.path())?;
    files::sync_folder_of(to.path())
}

fn cannot(what: &str, path: &Path, error: &std::io::Error) -> StoreError {
    StoreError::Unusable(format!("{} cannot be {what}: {error}", path.display()))
}
