//! The files of a store: what stands beside the database, for its owner only and durable.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// The file of the same name with an ending.
pub(super) fn beside(path: &Path, end: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(end);
    name.into()
}

/// The folder that a file is in.
pub(super) fn folder_of(path: &Path) -> &Path {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    folder.unwrap_or(Path::new("."))
}

/// Opens a file for reading and writing; creates it if it is missing, readable for its owner only.
pub(super) fn open(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    options.mode(0o600).open(path)
}

/// Makes a new file, readable for its owner only.
pub(super) fn create_new(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create_new(true);
    options.mode(0o600).open(path)
}

/// Writes zeros over the first `length` bytes.
pub(super) fn write_zeros(file: &File, length: u64) -> io::Result<()> {
    static ZEROS: [u8; 64 * 1024] = [0; 64 * 1024];
    let mut at = 0;
    while at < length {
        let piece = (length - at).min(ZEROS.len() as u64);
        file.write_all_at(&ZEROS[..usize::try_from(piece).unwrap_or(ZEROS.len())], at)?;
        at += piece;
    }
    Ok(())
}

/// Makes it durable that there is a file of this name.
pub(super) fn sync_folder_of(path: &Path) -> io::Result<()> {
    File::open(folder_of(path))?.sync_all()
}
