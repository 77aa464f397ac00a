//! The lock that proves that one process owns the file: an advisory lock on `<database>.lock`.
//!
//! The lock ends with its process, however that ends. The side file stays; removing it would race with the next owner. An
//! earlier version named it after a symbolic link if it was given one, so what stands beside such links is taken too.

use std::fs::{File, TryLockError};
use std::io::{Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::files;
use super::location::StoreFile;
use crate::StoreError;

/// Suffix of its name.
pub(super) const END: &str = ".lock";

/// Number of tries, and the pause between them: a guest may hold the lock for the moment of a migration.
const TRIES: u32 = 10;
const PAUSE: Duration = Duration::from_millis(50);

/// Held as long as it lives.
#[derive(Debug)]
pub(super) struct OwnerLock {
    _files: Vec<File>,
}

impl OwnerLock {
    /// Takes the lock, or says who has it.
    pub(super) fn take(database: &StoreFile) -> Result<Self, StoreError> {
        for _ in 1..TRIES {
            if let Ok(lock) = Self::try_all(database)? {
                return Ok(lock);
            }
            std::thread::park_timeout(PAUSE);
        }
        Self::try_all(database)?.map_err(|taken| owned_by_another(database, &taken))
    }

    /// Takes the lock if nobody has it.
    pub(super) fn try_take(database: &StoreFile) -> Result<Option<Self>, StoreError> {
        Ok(Self::try_all(database)?.ok())
    }

    /// Takes every file that there is to take, or says which one somebody has.
    fn try_all(database: &StoreFile) -> Result<Result<Self, PathBuf>, StoreError> {
        let mut paths = vec![database.beside(END)];
        let earlier = database.links().into_iter().map(|link| files::beside(&link, END));
        paths.extend(earlier.filter(|path| path.exists()));
        let mut locked = Vec::new();
        for path in paths {
            match try_file(&path)? {
                Some(file) => locked.push(file),
                None => return Ok(Err(path)),
            }
        }
        Ok(Ok(Self { _files: locked }))
    }
}

/// Refuses a path whose store is being served. It makes no lock file where there is none.
pub(super) fn refuse_if_owned(database: &StoreFile) -> Result<(), StoreError> {
    if database.beside(END).exists() {
        OwnerLock::take(database)?;
    }
    Ok(())
}

fn try_file(path: &Path) -> Result<Option<File>, StoreError> {
    let mut file = files::open(path).map_err(|error| unusable(path, &error))?;
    match file.try_lock() {
        Ok(()) => {
            sign(&mut file).map_err(|error| unusable(path, &error))?;
            Ok(Some(file))
        }
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(error)) => Err(unusable(path, &error)),
    }
}

/// Writes our process id into the side file, for the message of whoever comes second.
fn sign(file: &mut File) -> std::io::Result<()> {
    file.set_len(0)?;
    file.rewind()?;
    write!(file, "{}", std::process::id())
}

fn owned_by_another(database: &StoreFile, lock: &Path) -> StoreError {
    let mut owner = String::new();
    let read = File::open(lock).and_then(|mut file| file.read_to_string(&mut owner));
    let owner = match read {
        Ok(_) if !owner.trim().is_empty() => format!("process {}", owner.trim()),
        _ => "another process".to_owned(),
    };
    StoreError::Unusable(format!(
        "{} is in use by {owner}: one process at a time serves a SQLite store; stop that one, or give this one another file",
        database.path().display()
    ))
}

fn unusable(path: &Path, error: &std::io::Error) -> StoreError {
    StoreError::Unusable(format!(
        "the lock file {} cannot be used: {error}",
        path.display()
    ))
}
