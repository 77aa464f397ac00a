//! The one place where SQLite's errors become the store's: sorted by what the caller can do.

use rusqlite::ErrorCode;

use crate::StoreError;

/// The message of a full disk.
pub(super) const DISK_FULL: &str = "the disk is full: free some space; nothing was lost";

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        match &error {
            rusqlite::Error::SqliteFailure(failure, message) => sorted(
                failure.code,
                message.clone().unwrap_or_else(|| failure.to_string()),
            ),
            // Not SQLite's but ours with one row or statement: no reason to fail whoever shares the commit.
            _ => Self::Corrupt(error.to_string()),
        }
    }
}

fn sorted(code: ErrorCode, message: String) -> StoreError {
    match code {
        ErrorCode::DatabaseCorrupt
        | ErrorCode::NotADatabase
        | ErrorCode::TypeMismatch
        | ErrorCode::TooBig => StoreError::Corrupt(message),
        ErrorCode::ConstraintViolation => StoreError::Conflict(format!("it is already kept ({message})")),
        ErrorCode::DiskFull => StoreError::Unavailable(DISK_FULL.into()),
        ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked => {
            StoreError::Unavailable("another process is writing to the database file and does not end".into())
        }
        ErrorCode::ReadOnly => StoreError::Unavailable("the database file or its disk is read-only".into()),
        ErrorCode::SystemIoFailure => {
            StoreError::Unavailable(format!("reading or writing the file failed: {message}"))
        }
        ErrorCode::OperationInterrupted => StoreError::Unavailable(
            "reading took too long and was stopped: ask for less, for example with a time range".into(),
        ),
        _ => StoreError::Unavailable(message),
    }
}
