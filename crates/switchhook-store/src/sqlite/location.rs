//! Location of a store's file: one path for it, however it was spelled, and the names of the files beside it.
//!
//! SQLite names its log after the target of a symbolic link, so everything else must too: two spellings of one file
//! must find one lock and one journal. Files for which that fails cannot be opened: one with a second name (hard
//! link), and one mounted by itself, without its folder.

use std::fs::{self, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::{files, journal, lock, reserve};
use crate::error::StoreError;
use crate::permission::{self, FileAccess};

/// Bound on chained links, as in the kernel.
const MOST_LINKS: usize = 40;

/// The file of a store, by the one path that all of its side files are named after.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct StoreFile {
    path: PathBuf,
    /// The links by which it was found, which an earlier version named its side files after.
    links: Vec<PathBuf>,
}

/// File that a name leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Identity {
    device: u64,
    inode: u64,
}

impl Identity {
    pub(super) fn of(file: &Metadata) -> Self {
        Self {
            device: file.dev(),
            inode: file.ino(),
        }
    }

    /// File with this name itself, even if it is a link.
    pub(super) fn at(path: &Path) -> io::Result<Self> {
        Ok(Self::of(&fs::symlink_metadata(path)?))
    }
}

impl StoreFile {
    /// The file that a path leads to. It need not be there yet, its folder must.
    pub(super) fn at(given: &Path) -> Result<Self, StoreError> {
        let file = Self::resolve(given).map_err(|error| cannot_be_opened(given, &error))?;
        file.refuse_what_is_denied()?;
        if let Ok(metadata) = fs::metadata(&file.path) {
            let meant = fs::metadata(given).map(|given| Identity::of(&given));
            if meant.is_ok_and(|meant| meant != Identity::of(&metadata)) {
                let what = io::Error::other("it leads into another file system: give the path as it is here");
                return Err(cannot_be_opened(given, &what));
            }
            file.refuse_what_has_no_one_path(&metadata)?;
        }
        Ok(file)
    }

    /// The file of a copy that nobody serves: it may have other names.
    pub(super) fn of_copy(given: &Path) -> Result<Self, StoreError> {
        Self::resolve(given).map_err(|error| cannot_be_opened(given, &error))
    }

    fn resolve(given: &Path) -> io::Result<Self> {
        let mut path = in_its_folder(given)?;
        let mut links = Vec::new();
        while let Some(target) = target_of(&path)? {
            if links.len() == MOST_LINKS {
                return Err(io::Error::other("too many symbolic links lead to one another"));
            }
            let next = in_its_folder(&files::folder_of(&path).join(target))?;
            links.push(std::mem::replace(&mut path, next));
        }
        Ok(Self { path, links })
    }

    /// Refuses files that somebody else made, and a folder of somebody else's: SQLite would only say that it cannot.
    fn refuse_what_is_denied(&self) -> Result<(), StoreError> {
        let beside = ["-wal", "-shm", lock::END, journal::END, reserve::END];
        let files = beside.map(|end| self.beside(end));
        let why = permission::denied(files::folder_of(&self.path), FileAccess::MakeFiles).or_else(|| {
            let all = [&self.path].into_iter().chain(&files).map(PathBuf::as_path);
            permission::denied_any(all, FileAccess::Write)
        });
        match why {
            Some(why) => Err(StoreError::Unusable(format!(
                "the store {} cannot be opened: {why}",
                self.path.display()
            ))),
            None => Ok(()),
        }
    }

    fn refuse_what_has_no_one_path(&self, file: &Metadata) -> Result<(), StoreError> {
        let path = self.path.display();
        let names = file.nlink();
        if !file.is_file() {
            return Err(StoreError::Unusable(format!(
                "{path} is not a file: give the path of one, which is made if it is not there"
            )));
        }
        if names > 1 {
            return Err(StoreError::Unusable(format!(
                "{path} has {names} names (hard links), and what was written last is found under one of them only: \
                 `find FOLDER -xdev -samefile {path}` shows them; remove all but the one that was served"
            )));
        }
        if is_mounted_alone(&self.path) {
            return Err(StoreError::Unusable(format!(
                "{path} is mounted by itself, and its write-ahead log and lock lie beside the original: mount the folder \
                 that it is in"
            )));
        }
        Ok(())
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The file of the same name with an ending.
    pub(super) fn beside(&self, end: &str) -> PathBuf {
        files::beside(&self.path, end)
    }

    /// Creates it if it is missing, readable for its owner only; SQLite gives its side files the same mode.
    ///
    /// A file that is there is left alone: opening and closing it would end the locks that SQLite has on it in this process.
    pub(super) fn create(&self) -> Result<(), StoreError> {
        match files::create_new(&self.path) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                Err(cannot_be_opened(&self.path, &error))
            }
            _ => Ok(()),
        }
    }

    /// Its names by symbolic links, as far as they are known: those that led here, and those in its own folder.
    pub(super) fn links(&self) -> Vec<PathBuf> {
        let mut links = self.links.clone();
        let entries = fs::read_dir(files::folder_of(&self.path));
        for entry in entries.into_iter().flatten().flatten() {
            let is_link = entry.file_type().is_ok_and(|kind| kind.is_symlink());
            let link = entry.path();
            if is_link
                && !links.contains(&link)
                && fs::canonicalize(&link).is_ok_and(|path| path == self.path)
            {
                links.push(link);
            }
        }
        links
    }
}

/// The path with its folder's links followed, and its own not.
fn in_its_folder(path: &Path) -> io::Result<PathBuf> {
    let name = path
        .file_name()
        .ok_or_else(|| io::Error::other("it is not the name of a file"))?;
    Ok(fs::canonicalize(files::folder_of(path))?.join(name))
}

/// Target of a link; `None` if it is no link, or does not exist.
fn target_of(path: &Path) -> io::Result<Option<PathBuf>> {
    match fs::read_link(path) {
        Ok(target) => Ok(Some(target)),
        Err(error)
            if matches!(
                error.kind(),
                io::ErrorKind::NotFound | io::ErrorKind::InvalidInput
            ) =>
        {
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

/// True if the file, and not a folder above it, is the root of a mount.
#[cfg(target_os = "linux")]
fn is_mounted_alone(path: &Path) -> bool {
    use rustix::fs::{AtFlags, CWD, StatxAttributes, StatxFlags, statx};
    // A kernel that cannot tell says that it is none.
    statx(CWD, path, AtFlags::empty(), StatxFlags::empty())
        .is_ok_and(|found| found.stx_attributes.contains(StatxAttributes::MOUNT_ROOT))
}

#[cfg(not(target_os = "linux"))]
fn is_mounted_alone(_: &Path) -> bool {
    false
}

fn cannot_be_opened(path: &Path, error: &io::Error) -> StoreError {
    if let Some(why) = permission::denied(path, FileAccess::Write) {
        return StoreError::Unusable(format!("the store {} cannot be opened: {why}", path.display()));
    }
    StoreError::Unusable(format!(
        "the database file {} cannot be opened: {error}; its directory must exist and be writable",
        path.display()
    ))
}
