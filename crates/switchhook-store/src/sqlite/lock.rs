//! The lock that proves that one process owns the file: an advisory lock on `<database>.lock`.
//!
//! The lock ends with its process, however that ends. The side file stays; removing it would race with the next owner.

use std::fs::{File, TryLockError};
use std::io::{Read, Seek, Write};
use std::path::Path;
use std::time::Duration;

use super::files;
use crate::StoreError;

/// How often and how long an owner asks again: a guest may hold the lock for the moment of a migration.
const TRIES: u32 = 10;
const PAUSE: Duration = Duration::from_millis(50);

/// Held as long as it lives.
#[derive(Debug)]
pub(super) struct OwnerLock {
    _file: File,
}

impl OwnerLock {
    /// Takes the lock, or says who has it.
    pub(super) fn take(database: &Path) -> Result<Self, StoreError> {
        for _ in 1..TRIES {
            if let Some(lock) = Self::try_take(database)? {
                return Ok(lock);
            }
            std::thread::park_timeout(PAUSE);
        }
        Self::try_take(database)?.ok_or_else(|| owned_by_another(database))
    }

    /// Takes the lock if nobody has it.
    pub(super) fn try_take(database: &Path) -> Result<Option<Self>, StoreError> {
        let path = files::beside(database, ".lock");
        let mut file = files::open(&path).map_err(|error| unusable(&path, &error))?;
        match file.try_lock() {
            Ok(()) => {
                sign(&mut file).map_err(|error| unusable(&path, &error))?;
                Ok(Some(Self { _file: file }))
            }
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(unusable(&path, &error)),
        }
    }
}

/// Writes our process id into the side file, for the message of whoever comes second.
fn sign(file: &mut File) -> std::io::Result<()> {
    file.set_len(0)?;
    file.rewind()?;
    write!(file, "{}", std::process::id())
}

fn owned_by_another(database: &Path) -> StoreError {
    let mut owner = String::new();
    let read =
        files::open(&files::beside(database, ".lock")).and_then(|mut file| file.read_to_string(&mut owner));
    let owner = match read {
        Ok(_) if !owner.trim().is_empty() => format!("process {}", owner.trim()),
        _ => "another process".to_owned(),
    };
    StoreError::Unusable(format!(
        "{} is in use by {owner}: one process at a time serves a SQLite store; stop that one, or give this one another file",
        database.display()
    ))
}

fn unusable(path: &Path, error: &std::io::Error) -> StoreError {
    StoreError::Unusable(format!(
        "the lock file {} cannot be used: {error}",
        path.display()
    ))
}
