//! The journal: a file beside the database in which new events are safe before the database has them.
//!
//! A commit of SQLite costs a dozen pages and a sync of its log, whatever it holds. So the events of an open transaction
//! are appended here and synced, and count as kept from then on; the transaction itself is committed some milliseconds
//! later, for many of them at once. A commit after which everything has a row begins a new *generation*, whose number is in the
//! database (as its `user_version`): what the file has of earlier ones is in the database too, and is written over. After a crash it
//! is the other way round: of what the file has of the database's own generation not all got there, and the rest is recorded again.

mod frame;
#[cfg(feature = "fuzzing")]
pub(super) mod fuzzing;

use std::fs::File;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::Connection;

use self::frame::FramePosition;
use super::files;
use super::location::StoreFile;
use super::reserve;
use crate::error::StoreError;
use crate::event::NewEvent;

/// Suffix of its name: an earlier name of the journal, which existing stores have.
pub(super) const END: &str = ".intake";

/// Size from which everything is committed, so that the file can restart.
const LONG: u64 = 8 << 20;

/// Number of looks for a commit, and the pause between them.
const TRIES: u32 = 1_000;
const PAUSE: Duration = Duration::from_millis(5);

/// The generation of a database that never had a journal. Its next one may be any: two databases must not have the same ones,
/// or one that takes the other's place would take in what the other's journal has.
const NONE: i32 = 0;

/// The file, and where in it the next frame goes.
#[derive(Debug)]
pub(super) struct Journal {
    path: PathBuf,
    file: File,
    next: FramePosition,
    end: u64,
    /// Nobody knows what the file has behind the end (it was just opened, or an append failed), or whether the database is
    /// still at this generation (a commit failed). Until the next one begins nothing is appended.
    is_uncertain: bool,
    /// True if it has events whose transaction was rolled back.
    must_record_again: bool,
    frame: Vec<u8>,
}

impl Journal {
    /// Opens the journal of the database at `database` for that database's generation; creates it if there is none.
    pub(super) fn open(database: &StoreFile, generation: i32) -> io::Result<Self> {
        let path = database.beside(END);
        let file = open_durably(&path)?;
        if generation == NONE {
            // Whatever is in it belonged to another database.
            file.set_len(0)?;
            file.sync_all()?;
        }
        Ok(Self {
            path,
            file,
            next: FramePosition {
                generation,
                number: 0,
            },
            end: 0,
            is_uncertain: true,
            must_record_again: false,
            frame: Vec::new(),
        })
    }

    /// The generation that it is at.
    pub(super) const fn generation(&self) -> i32 {
        self.next.generation
    }

    /// Goes on with a new file if this one has lost its name.
    pub(super) fn make_findable(&mut self) -> io::Result<()> {
        if self.is_removed()? {
            self.file = open_durably(&self.path)?;
            self.is_uncertain = true;
        }
        Ok(())
    }

    /// True if the file was removed or replaced, so that nobody would find its contents.
    fn is_removed(&self) -> io::Result<bool> {
        Ok(self.file.metadata()?.nlink() == 0)
    }

    /// After the transaction was rolled back: the next one must begin with the events.
    ///
    /// Nothing more is appended before the next generation begins. A commit that failed may be on the disk all the same; then
    /// what came to this generation later would not count after a power cut.
    pub(super) const fn note_rollback(&mut self) {
        self.must_record_again = true;
        self.is_uncertain = true;
    }

    /// True if it has events whose transaction was rolled back.
    pub(super) const fn must_record_again(&self) -> bool {
        self.must_record_again
    }

    /// The events have been recorded again, in a transaction that is not yet committed.
    pub(super) const fn note_recorded(&mut self) {
        self.must_record_again = false;
    }

    /// True if events may be appended.
    pub(super) fn takes_more(&self) -> bool {
        !self.is_uncertain && self.end < LONG
    }

    /// True if it has, or may have, events of this generation.
    pub(super) const fn has_something(&self) -> bool {
        self.next.number > 0 || self.is_uncertain
    }

    /// Keeps events; answers whether they are on the disk.
    pub(super) fn keep<'e>(&mut self, events: impl Iterator<Item = &'e NewEvent>) -> bool {
        let kept = self.append(events);
        if let Err(error) = &kept {
            tracing::warn!(
                %error,
                "the journal beside the database (its name ends in .intake) takes nothing; events wait for commits"
            );
        }
        kept.is_ok()
    }

    /// Appends events; they are on the disk when this answers `Ok`.
    fn append<'e>(&mut self, events: impl Iterator<Item = &'e NewEvent>) -> io::Result<()> {
        self.frame.clear();
        frame::write(&mut self.frame, self.next, events);
        if let Err(error) = self.write_frame() {
            self.is_uncertain = true;
            // What nobody was promised should not come back; if it does, it is one more repetition.
            let _ = self.file.set_len(self.end);
            return Err(error);
        }
        self.end += self.frame.len() as u64;
        self.next.number += 1;
        Ok(())
    }

    fn write_frame(&self) -> io::Result<()> {
        self.file.write_all_at(&self.frame, self.end)?;
        self.file.sync_data()?;
        if self.is_removed()? {
            return Err(io::Error::new(io::ErrorKind::NotFound, "the file was removed"));
        }
        Ok(())
    }

    /// The events of this generation, in their order.
    pub(super) fn events(&mut self) -> io::Result<Vec<NewEvent>> {
        let found = read(&self.file, self.next.generation)?;
        self.next.number = found.frames;
        self.end = found.bytes;
        Ok(found.events)
    }

    /// Within a transaction: with its commit the database has all events, and the next generation begins.
    pub(super) fn conclude(&self, connection: &Connection) -> Result<i32, StoreError> {
        let next = match self.next.generation {
            NONE => anywhere(),
            generation => generation.wrapping_add(1),
        };
        let next = if next == NONE { NONE + 1 } else { next };
        connection.pragma_update(None, "user_version", next)?;
        Ok(next)
    }

    /// Restarts it after a commit.
    pub(super) fn begin(&mut self, generation: i32) {
        self.next = FramePosition {
            generation,
            number: 0,
        };
        self.end = 0;
        self.is_uncertain = false;
        self.must_record_again = false;
    }

    /// Writes zeros over everything, so that nothing that was erased is left here.
    pub(super) fn overwrite(&self) -> io::Result<()> {
        files::write_zeros(&self.file, self.file.metadata()?.len())?;
        self.file.sync_data()
    }

    /// Removes the file: the database has everything.
    pub(super) fn remove(self) {
        if let Err(error) = std::fs::remove_file(&self.path) {
            tracing::warn!(%error, "the file that ends in .intake stays beside the database; there is nothing in it that counts");
        }
    }
}

/// A generation by chance, which the standard library's hash maps have too.
fn anywhere() -> i32 {
    let chance = RandomState::new().build_hasher().finish();
    i32::from_le_bytes(chance.to_le_bytes()[..4].try_into().expect("four of eight bytes"))
}

/// Contents of a file for one generation.
struct Generation {
    events: Vec<NewEvent>,
    frames: u32,
    bytes: u64,
}

fn read(file: &File, generation: i32) -> io::Result<Generation> {
    let length = usize::try_from(file.metadata()?.len()).map_err(io::Error::other)?;
    let mut bytes = vec![0; length];
    file.read_exact_at(&mut bytes, 0)?;
    let mut rest = &bytes[..];
    let mut place = FramePosition {
        generation,
        number: 0,
    };
    let mut events = Vec::new();
    while let Some(more) = frame::read(&mut rest, place) {
        events.extend(more);
        place.number += 1;
    }
    Ok(Generation {
        events,
        frames: place.number,
        bytes: (length - rest.len()) as u64,
    })
}

fn open_durably(path: &Path) -> io::Result<File> {
    let file = files::open(path)?;
    files::sync_folder_of(path)?;
    Ok(file)
}

/// Files of earlier versions beside symbolic links to the database, by whose names they went.
pub(super) struct LeftBesideLinks {
    pub(super) events: Vec<NewEvent>,
    files: Vec<PathBuf>,
}

impl LeftBesideLinks {
    /// Reads what belongs to the generation that the database is at. What does not is left where it is: it may be in the
    /// database, or lost long ago.
    pub(super) fn read(database: &StoreFile, generation: i32) -> io::Result<Self> {
        let mut left = Self {
            events: Vec::new(),
            files: Vec::new(),
        };
        for link in database.links() {
            let path = files::beside(&link, END);
            let Ok(file) = File::open(&path) else { continue };
            let found = read(&file, generation)?;
            if found.frames == 0 && file.metadata()?.len() > 0 {
                let path = path.display();
                tracing::warn!(%path, "an earlier version left this file; what it has does not belong to what the database has now and can be removed");
                continue;
            }
            left.events.extend(found.events);
            left.files.extend([path, files::beside(&link, reserve::END)]);
        }
        Ok(left)
    }

    /// Removes the files: the database has what was in them.
    pub(super) fn remove(self) {
        for path in self.files {
            // One that stays does no harm: what it has belongs to no generation that comes.
            let _ = std::fs::remove_file(path);
        }
    }
}

/// Events of a generation in the journal beside a database that another process may serve.
pub(super) fn events_of(database: &StoreFile, generation: i32) -> io::Result<Vec<NewEvent>> {
    match File::open(database.beside(END)) {
        Ok(_) if generation == NONE => Ok(Vec::new()),
        Ok(file) => Ok(read(&file, generation)?.events),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

/// The generation that a database is at.
pub(super) fn generation(connection: &Connection) -> Result<i32, StoreError> {
    Ok(connection
        .prepare_cached("PRAGMA user_version")?
        .query_row([], |row| row.get(0))?)
}

/// Waits until another process has committed everything that its journal has now. A busy one does so every few
/// milliseconds.
pub(super) fn wait_for_commit(database: &StoreFile, connection: &Connection) -> Result<(), StoreError> {
    let started_at = generation(connection)?;
    let is_ahead = || {
        let mut head = [0; frame::HEAD];
        let read = File::open(database.beside(END)).and_then(|file| file.read_exact_at(&mut head, 0));
        let first = FramePosition {
            generation: started_at,
            number: 0,
        };
        read.is_ok() && frame::place_of(&head) == Some(first)
    };
    for _ in 0..TRIES {
        if !is_ahead() || generation(connection)? != started_at {
            return Ok(());
        }
        std::thread::park_timeout(PAUSE);
    }
    Err(StoreError::Unavailable(
        "the process that serves the store has not committed for seconds: see what it says, and try again"
            .into(),
    ))
}
