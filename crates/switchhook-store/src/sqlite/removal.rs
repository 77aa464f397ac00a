//! Removing a store: all of its files, unless somebody serves it.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use super::location::StoreFile;
use super::lock::OwnerLock;
use super::owner::{INDEX_OF_LOG, LOG};
use super::{journal, reserve};
use crate::error::StoreError;

/// Removes the store of a path with all that is in it. What is not there is removed already. The file of the lock stays: whoever
/// comes next takes the same one.
///
/// # Errors
/// If a process serves it, which then has it still; or if a file cannot be removed.
pub fn remove(path: &Path) -> Result<(), StoreError> {
    let database = StoreFile::at(path)?;
    let _lock = OwnerLock::take(&database)?;
    for end in [LOG, INDEX_OF_LOG, journal::END, reserve::END, ""] {
        let file = database.beside(end);
        match fs::remove_file(&file) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                let file = file.display();
                return Err(StoreError::Unusable(format!("{file} cannot be removed: {error}")));
            }
            _ => {}
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use switchhook_domain::Timestamp;

    use super::*;
    use crate::options::StoreOptions;
    use crate::sqlite::SqliteStore;

    #[test]
    fn a_store_that_is_served_stays_and_one_that_is_not_goes_whole() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("switchhook.db");
        remove(&path).unwrap();
        let served = SqliteStore::open(&path, StoreOptions::owner(Timestamp::from_millis(1))).unwrap();
        let refused = remove(&path).unwrap_err().to_string();
        assert!(refused.contains("is in use by"), "{refused}");
        assert!(path.exists());
        drop(served);
        remove(&path).unwrap();
        let left: Vec<_> = fs::read_dir(folder.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name())
            .collect();
        assert_eq!(left, ["switchhook.db.lock"]);
    }
}
