//! Each event once: remembers which events were dealt with, in memory or in a file, and never more than a bound.
//! An event counts as dealt with only when its handler says so; one that fails may come again. What makes two
//! deliveries the same event is told by `RepeatKey` in `switchhook-protocol`; the memory itself is `memory`.

mod memory;

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use switchhook_protocol::{RepeatKey, Timestamp};

use crate::clock;
use crate::journal::{Format, Journal, JournalError};
use memory::Memory;

/// Remembers which events were dealt with. Shared by all who handle events of one webhook.
#[derive(Debug)]
pub struct Repeats {
    memory: Mutex<Memory>,
    journal: Option<Journal>,
}

/// Bounds on what is remembered. Beyond either, the oldest is forgotten.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Number of events; 100,000 by default, some 10 MB.
    pub events: usize,
    /// For how long; 7 days unless said otherwise, since deliveries are tried again for three.
    pub age: Duration,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            events: 100_000,
            age: Duration::from_secs(7 * 24 * 60 * 60),
        }
    }
}

/// Decision about an event.
#[derive(Debug)]
#[must_use]
pub enum Turn {
    /// Deal with it, then call [`Claim::done`].
    First(Claim),
    /// It was dealt with before: answer 200 and do nothing.
    Repeat,
    /// It is being dealt with at this moment, and nobody knows yet whether that succeeds: answer 503.
    UnderWay,
}

/// The right to deal with an event, and nobody else has it. Dropped without [`Claim::done`], the event may come again.
#[derive(Debug)]
pub struct Claim {
    repeats: Arc<Repeats>,
    key: RepeatKey,
    at: Timestamp,
}

impl Repeats {
    /// Remembers in memory: after a restart every event is new.
    #[must_use]
    pub fn in_memory(bounds: Bounds) -> Arc<Self> {
        Arc::new(Self {
            memory: Mutex::new(Memory::new(bounds)),
            journal: None,
        })
    }

    /// Remembers in a file too, which one process has at a time. The file is written anew when it holds more of what
    /// is forgotten than of what is remembered.
    ///
    /// # Errors
    /// If the file is in use, holds something else, or cannot be read and written.
    pub fn in_file(path: impl Into<PathBuf>, bounds: Bounds) -> Result<Arc<Self>, JournalError> {
        let mut memory = Memory::new(bounds);
        let (journal, found) = Journal::open(path, FORMAT, |line| {
            if let Some((key, at)) = read_line(line) {
                memory.remember(key, at);
            }
        })?;
        memory.forget_older_than(clock::now());
        let repeats = Self {
            memory: Mutex::new(memory),
            journal: Some(journal),
        };
        repeats.lock().lines = found.lines;
        repeats.compact_if_worth_it();
        Ok(Arc::new(repeats))
    }

    /// Decides about an event now.
    pub fn begin(self: &Arc<Self>, key: RepeatKey) -> Turn {
        self.begin_at(key, clock::now())
    }

    /// The same at a time of one's own choosing.
    pub fn begin_at(self: &Arc<Self>, key: RepeatKey, now: Timestamp) -> Turn {
        let mut memory = self.lock();
        if memory.under_way.contains(&key) {
            return Turn::UnderWay;
        }
        if memory.is_known(key, now) {
            return Turn::Repeat;
        }
        memory.under_way.insert(key);
        Turn::First(Claim {
            repeats: Arc::clone(self),
            key,
            at: now,
        })
    }

    /// Remembers an event that was dealt with before, such as one read back from where it was stored.
    pub fn remember(&self, key: RepeatKey, at: Timestamp) {
        self.lock().remember(key, at);
    }

    /// Number of events remembered.
    #[must_use]
    pub fn len(&self) -> usize {
        self.lock().len()
    }

    /// True if nothing is remembered.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Writes the file anew if it has grown for nothing. If that fails the file goes on growing until the next time.
    fn compact_if_worth_it(&self) {
        let Some(journal) = &self.journal else {
            return;
        };
        let mut memory = self.lock();
        if memory.is_worth_compacting() {
            let lines: Vec<String> = memory.all().map(|(key, at)| line(key, at)).collect();
            let _ = journal.replace(lines.iter().map(String::as_bytes));
            memory.lines = lines.len() as u64;
        }
    }

    fn lock(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Claim {
    /// The event was dealt with: from now on it is a repeat. With a file this waits for the disk.
    ///
    /// # Errors
    /// If that cannot be written down. Then answer 500, and the event comes again.
    pub fn done(self) -> Result<(), JournalError> {
        // First in memory, so that a file that is written anew meanwhile has it too. Until this claim is gone, nobody
        // is told that it is a repeat.
        self.repeats.lock().remember(self.key, self.at);
        if let Some(journal) = &self.repeats.journal
            && let Err(error) = journal.store(line(self.key, self.at).as_bytes())
        {
            self.repeats.lock().forget(self.key);
            return Err(error);
        }
        self.repeats.compact_if_worth_it();
        Ok(())
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        self.repeats.lock().under_way.remove(&self.key);
    }
}

const FORMAT: Format = Format {
    opening: "seen ",
    is_whole: |line| read_line(line).is_some(),
};

fn line(key: RepeatKey, at: Timestamp) -> String {
    format!("seen {} {key}", at.as_millis())
}

fn read_line(line: &[u8]) -> Option<(RepeatKey, Timestamp)> {
    let line = std::str::from_utf8(line).ok()?.strip_prefix(FORMAT.opening)?;
    let (at, key) = line.split_once(' ')?;
    Some((key.parse().ok()?, Timestamp::from_millis(at.parse().ok()?)))
}
