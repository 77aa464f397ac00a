//! A file of lines that are on the disk before anybody says so: what is acknowledged survives `kill -9` and the mains.
//! Many threads store at once and share their fsyncs; a line that was torn by a crash is cut off when the file is
//! opened again. What the lines say is their owner's; one process has the file at a time. Reading back is `scan`.

mod scan;

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Format of a journal's lines, by which torn ones and foreign files are recognized.
#[derive(Clone, Copy, Debug)]
pub struct Format {
    /// Beginning of every line.
    pub opening: &'static str,
    /// Returns true for a whole line, given without its line feed.
    pub is_whole: fn(&[u8]) -> bool,
}

/// A file that lines are added to.
#[derive(Debug)]
pub struct Journal {
    path: PathBuf,
    appender: Mutex<Appender>,
    /// Number of lines known to be on the disk. Held while the disk syncs, so that whoever comes meanwhile waits here
    /// and mostly finds its own line already there.
    synced: Mutex<u64>,
}

#[derive(Debug)]
struct Appender {
    file: Arc<File>,
    bytes: u64,
    lines: u64,
    /// Set when nobody knows any more what is on the disk.
    is_broken: bool,
}

/// Contents of a journal when it was opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Found {
    /// Number of whole lines read back.
    pub lines: u64,
    /// Number of bytes cut off at the end, of torn lines.
    pub bytes_cut: u64,
}

/// Reason for which a line is not stored, sorted by what to do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum JournalError {
    /// Another process has the file. Stop it, or use another file.
    #[error("{} is in use by another process", path.display())]
    InUse {
        /// The file.
        path: PathBuf,
    },
    /// The file holds something else, and is left as it is. Use another file.
    #[error("{} holds something else than this program's lines; it is left as it is", path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
    },
    /// The line is not stored. It can be tried again, for example when there is room on the disk.
    #[error("{} cannot be written", path.display())]
    NotStored {
        /// The file.
        path: PathBuf,
        /// Error of the system.
        #[source]
        source: io::Error,
    },
    /// It is not known what is on the disk. Only opening the journal anew finds out.
    #[error("{} failed before and must be opened anew", path.display())]
    Broken {
        /// The file.
        path: PathBuf,
    },
}

impl Journal {
    /// Bytes of a journal that are read when it is opened: the last.
    pub const READ_BACK: u64 = 256 * 1024 * 1024;

    /// Opens a journal or makes a new one, for its owner only; `each` sees the lines that are already there, oldest
    /// first. Of a very large file only the last [`Self::READ_BACK`] bytes are read.
    ///
    /// # Errors
    /// If the file is in use, holds something else, or cannot be read and written.
    pub fn open(
        path: impl Into<PathBuf>,
        format: Format,
        mut each: impl FnMut(&[u8]),
    ) -> Result<(Self, Found), JournalError> {
        let path = path.into();
        let failed = |source| JournalError::NotStored {
            path: path.clone(),
            source,
        };
        let file = open_own(&path)?;
        let scanned = scan::scan(&file, format, &mut each).map_err(failed)?;
        let Some((found, bytes)) = scanned else {
            return Err(JournalError::Foreign { path });
        };
        if found.bytes_cut > 0 {
            file.set_len(bytes).map_err(failed)?;
        }
        if !scan::ends_a_line(&file, bytes).map_err(failed)? {
            (&file).write_all(b"\n").map_err(failed)?;
        }
        file.sync_all().map_err(failed)?;
        sync_folder(&path).map_err(failed)?;
        let bytes = file.metadata().map_err(failed)?.len();
        let appender = Appender {
            file: Arc::new(file),
            bytes,
            lines: 0,
            is_broken: false,
        };
        let journal = Self {
            path,
            appender: Mutex::new(appender),
            synced: Mutex::new(0),
        };
        Ok((journal, found))
    }

    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Adds a line and returns when it is on the disk. Blocks for as long as an fsync takes; those who store at the
    /// same time share it. `line` must not hold a line feed.
    ///
    /// # Errors
    /// If the line is not on the disk.
    pub fn store(&self, line: &[u8]) -> Result<(), JournalError> {
        let number = self.append(line)?;
        self.sync(number)
    }

    /// Replaces everything by these lines, atomically: after a crash there are the old ones or the new ones. A line that
    /// somebody stores at this moment must be among them: it may be in the old file already.
    ///
    /// # Errors
    /// If the new file cannot be made; the old one then stays.
    pub fn replace<'a>(&self, lines: impl IntoIterator<Item = &'a [u8]>) -> Result<(), JournalError> {
        let mut synced = lock(&self.synced);
        let mut appender = lock(&self.appender);
        let failed = |source| self.not_stored(source);
        let beside = self.path.with_added_extension("new");
        let _ = std::fs::remove_file(&beside);
        let file = open_own(&beside)?;
        let mode = appender.file.metadata().map_err(failed)?.permissions();
        file.set_permissions(mode).map_err(failed)?;
        let mut writer = io::BufWriter::new(&file);
        for line in lines {
            writer.write_all(line).map_err(failed)?;
            writer.write_all(b"\n").map_err(failed)?;
        }
        writer.flush().map_err(failed)?;
        drop(writer);
        file.sync_all().map_err(failed)?;
        let bytes = file.metadata().map_err(failed)?.len();
        std::fs::rename(&beside, &self.path).map_err(failed)?;
        appender.file = Arc::new(file);
        appender.bytes = bytes;
        *synced = appender.lines;
        sync_folder(&self.path).map_err(failed)
    }

    fn append(&self, line: &[u8]) -> Result<u64, JournalError> {
        debug_assert!(!line.contains(&b'\n'), "a line is one line");
        let mut appender = lock(&self.appender);
        if appender.is_broken {
            return Err(self.broken());
        }
        let whole = [line, b"\n"].concat();
        let written = (&*appender.file).write_all(&whole);
        if let Err(error) = written {
            // Half of it may be there, and the next line must not be glued to it.
            appender.is_broken = appender.file.set_len(appender.bytes).is_err();
            return Err(self.not_stored(error));
        }
        appender.bytes += whole.len() as u64;
        appender.lines += 1;
        Ok(appender.lines)
    }

    fn sync(&self, number: u64) -> Result<(), JournalError> {
        let mut synced = lock(&self.synced);
        if *synced >= number {
            return Ok(());
        }
        let (file, lines) = {
            let appender = lock(&self.appender);
            if appender.is_broken {
                return Err(self.broken());
            }
            (Arc::clone(&appender.file), appender.lines)
        };
        if let Err(error) = file.sync_data() {
            // The system may have dropped what it could not write, and would say yes the next time.
            lock(&self.appender).is_broken = true;
            return Err(self.not_stored(error));
        }
        *synced = lines;
        Ok(())
    }

    fn not_stored(&self, source: io::Error) -> JournalError {
        JournalError::NotStored {
            path: self.path.clone(),
            source,
        }
    }

    fn broken(&self) -> JournalError {
        JournalError::Broken {
            path: self.path.clone(),
        }
    }
}

/// Opens a file for this process alone.
fn open_own(path: &Path) -> Result<File, JournalError> {
    let failed = |source| JournalError::NotStored {
        path: path.to_owned(),
        source,
    };
    let mut options = OpenOptions::new();
    options.read(true).append(true).create(true);
    // Events are nobody else's business. A file that is there keeps the mode that its owner chose.
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let file = options.open(path).map_err(failed)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(std::fs::TryLockError::WouldBlock) => Err(JournalError::InUse {
            path: path.to_owned(),
        }),
        Err(std::fs::TryLockError::Error(source)) => Err(failed(source)),
    }
}

/// A new file's name is on the disk only once its folder is. Only Unix can be asked for it.
fn sync_folder(path: &Path) -> io::Result<()> {
    if cfg!(not(unix)) {
        return Ok(());
    }
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
}

/// Locks, even after a panic: what these locks protect is consistent at every step.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    const ANY: Format = Format {
        opening: "{",
        is_whole: |line| line.ends_with(b"}"),
    };

    fn mode(path: &Path) -> u32 {
        std::fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn a_new_file_is_for_its_owner_only_and_an_old_one_stays_as_it_was() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("events");
        let (journal, _) = Journal::open(&path, ANY, |_| {}).unwrap();
        journal.replace([b"{}".as_slice()]).unwrap();
        assert_eq!(mode(&path), 0o600);
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
        drop(journal);
        let (journal, _) = Journal::open(&path, ANY, |_| {}).unwrap();
        journal.replace([b"{}".as_slice()]).unwrap();
        assert_eq!(mode(&path), 0o640);
    }
}
