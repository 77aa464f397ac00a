//! The intake: a file beside the database in which new events are safe before the database has them.
//!
//! A commit of SQLite costs a dozen pages and a sync of its log, whatever it holds. So the events of an open transaction
//! are appended here and synced, and count as kept from then on; the transaction itself is committed some milliseconds
//! later, for many of them at once. Each commit begins a new *generation*, whose number is in the database (as its
//! `user_version`): what the file has of earlier ones is in the database too, and is written over. After a crash it is the
//! other way round: what the file has of the database's own generation never got there, and is recorded again.

mod frame;

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::Connection;

use self::frame::Place;
use super::files;
use crate::error::StoreError;
use crate::event::NewEvent;

/// How its name ends, behind the database's.
pub(super) const END: &str = ".intake";

/// How long the file may grow before the transaction is committed.
const LONG: u64 = 4 << 20;

/// How often and how long whoever waits for a commit looks for it.
const TRIES: u32 = 1_000;
const PAUSE: Duration = Duration::from_millis(5);

/// The generation of a database that never had an intake.
const NONE: i32 = 0;

/// The file, and where in it the next frame goes.
#[derive(Debug)]
pub(super) struct Intake {
    path: PathBuf,
    file: File,
    next: Place,
    end: u64,
    /// Nobody knows what the file has behind the end: it was just opened, or an append failed. Until the next generation
    /// begins nothing is appended.
    is_uncertain: bool,
    frame: Vec<u8>,
}

impl Intake {
    /// Opens the intake of the database at `database` for that database's generation; creates it if there is none.
    pub(super) fn open(database: &Path, generation: i32) -> io::Result<Self> {
        let path = beside(database);
        let file = files::open(&path)?;
        files::sync_folder_of(&path)?;
        if generation == NONE {
            // Whatever is in it belonged to another database.
            file.set_len(0)?;
            file.sync_all()?;
        }
        Ok(Self {
            path,
            file,
            next: Place {
                generation,
                number: 0,
            },
            end: 0,
            is_uncertain: true,
            frame: Vec::new(),
        })
    }

    /// Whether events may be appended.
    pub(super) fn takes_more(&self) -> bool {
        !self.is_uncertain && self.end < LONG
    }

    /// Whether it has, or may have, events of this generation.
    pub(super) const fn has_something(&self) -> bool {
        self.next.number > 0 || self.is_uncertain
    }

    /// Appends events; they are on the disk when this answers `Ok`.
    pub(super) fn append<'e>(&mut self, events: impl Iterator<Item = &'e NewEvent>) -> io::Result<()> {
        self.frame.clear();
        frame::write(&mut self.frame, self.next, events);
        let written = self.file.write_all_at(&self.frame, self.end);
        if let Err(error) = written.and_then(|()| self.file.sync_data()) {
            self.is_uncertain = true;
            // What nobody was promised should not come back; if it does, it is one more repetition.
            let _ = self.file.set_len(self.end);
            return Err(error);
        }
        self.end += self.frame.len() as u64;
        self.next.number += 1;
        Ok(())
    }

    /// The events of this generation, in their order.
    pub(super) fn events(&mut self) -> io::Result<Vec<NewEvent>> {
        let length = usize::try_from(self.file.metadata()?.len()).map_err(io::Error::other)?;
        let mut bytes = vec![0; length];
        self.file.read_exact_at(&mut bytes, 0)?;
        let mut rest = &bytes[..];
        let mut place = Place {
            number: 0,
            ..self.next
        };
        let mut events = Vec::new();
        while let Some(more) = frame::read(&mut rest, place) {
            events.extend(more);
            place.number += 1;
        }
        self.next = place;
        self.end = (length - rest.len()) as u64;
        Ok(events)
    }

    /// Within a transaction: with its commit the database has all events, and the next generation begins.
    pub(super) fn conclude(&self, connection: &Connection) -> Result<i32, StoreError> {
        let next = match self.next.generation.wrapping_add(1) {
            NONE => NONE + 1,
            next => next,
        };
        connection.pragma_update(None, "user_version", next)?;
        Ok(next)
    }

    /// After that commit.
    pub(super) fn begin(&mut self, generation: i32) {
        self.next = Place {
            generation,
            number: 0,
        };
        self.end = 0;
        self.is_uncertain = false;
    }

    /// Writes zeros over everything, so that nothing that was erased is left here.
    pub(super) fn overwrite(&self) -> io::Result<()> {
        files::write_zeros(&self.file, self.file.metadata()?.len())?;
        self.file.sync_data()
    }

    /// Removes the file: the database has everything.
    pub(super) fn remove(self) {
        if let Err(error) = std::fs::remove_file(&self.path) {
            tracing::warn!(%error, "the intake stays beside the database; there is nothing in it that counts");
        }
    }
}

/// The generation that a database is at.
pub(super) fn generation(connection: &Connection) -> Result<i32, StoreError> {
    Ok(connection.pragma_query_value(None, "user_version", |row| row.get(0))?)
}

/// Waits until another process has committed everything that its intake has now. A busy one does so every few
/// milliseconds.
pub(super) fn wait_for_commit(database: &Path, connection: &Connection) -> Result<(), StoreError> {
    let started_at = generation(connection)?;
    let is_ahead = || {
        let mut head = [0; frame::HEAD];
        let read = File::open(beside(database)).and_then(|file| file.read_exact_at(&mut head, 0));
        let first = Place {
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

/// Where the intake of a database is.
pub(super) fn beside(database: &Path) -> PathBuf {
    files::beside(database, END)
}
