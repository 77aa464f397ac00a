//! The SQLite driver: one file, one process that owns it, one writer whose commits many callers share.
//!
//! Owns opening and closing; `sqlite/store.rs` is the list of what it can do. A write goes: `writer` → `queue` →
//! `committer` → the noun's file (`events`, `claims`, …); a read: `readers` → the noun's file.

mod attempt_row;
mod attempts;
mod backup;
mod cells;
mod checkpointer;
mod claims;
mod clock;
mod committer;
mod companies;
mod connection;
pub(crate) mod copying;
mod deliveries;
mod delivery_row;
mod erasure;
mod events;
mod explain;
mod failure;
mod files;
mod health;
mod holds;
mod intake;
mod keys;
mod list;
mod lock;
mod log;
mod order;
#[cfg(test)]
mod query_plans;
mod queue;
mod readers;
mod recovery;
mod releases;
mod replay_row;
mod replay_scan;
mod replays;
mod reserve;
mod retention;
mod schema;
mod secrets;
mod set_aside;
mod sources;
mod store;
mod subscriptions;
mod transaction;
mod unwritten;
mod versions;
mod webhooks;
mod websockets;
mod writer;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use parking_lot::Mutex;
use rusqlite::Connection;
use switchhook_domain::Timestamp;
use tokio::sync::mpsc;

pub use self::backup::{Copied, Existing};

use self::checkpointer::Checkpointer;
use self::committer::Committer;
use self::connection::{Checkpoints, Place};
use self::intake::Intake;
use self::lock::OwnerLock;
use self::readers::{READERS, Readers};
use self::reserve::Reserve;
use self::schema::Age;
use self::writer::{Writer, WriterThread};
use crate::claim::HandOver;
use crate::copy;
use crate::error::StoreError;
use crate::open::Migrated;
use crate::options::{Role, StoreOptions};
use crate::sealing::Sealing;

/// Who does the work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WriterMode {
    /// A writer's thread with shared commits, a checkpointer's, and a few readers.
    Thread,
    /// Whoever calls, at once, one operation a commit: for simulations, and for commands that write once.
    Inline,
}

/// The version of the SQLite library that this build has.
#[must_use]
pub fn version() -> &'static str {
    rusqlite::version()
}

/// A store in one SQLite file.
pub struct SqliteStore {
    parts: Arc<Parts>,
}

struct Parts {
    writer: Writer,
    readers: Readers,
    /// Whether something was answered that readers do not see yet.
    is_ahead: Arc<AtomicBool>,
    sealing: Sealing,
    reserve: Arc<Reserve>,
    checkpointer: Option<Checkpointer>,
    hand_over: Mutex<Option<mpsc::UnboundedReceiver<HandOver>>>,
    lock: Mutex<Option<OwnerLock>>,
}

impl SqliteStore {
    /// Opens the store at `path`; creates it if there is none. Blocks.
    ///
    /// # Errors
    /// `Unusable` if another process owns the file, if it is no store or a newer one's, or cannot be opened.
    #[expect(clippy::needless_pass_by_value, reason = "options are made for one store")]
    pub fn open(path: &Path, options: StoreOptions) -> Result<Arc<Self>, StoreError> {
        Self::open_place(&Place::File(path.to_owned()), &options)
    }

    /// A store that is gone when it is dropped. It has no file to share, so whoever calls does the work.
    ///
    /// # Errors
    /// If SQLite cannot be used at all.
    pub fn in_memory(options: StoreOptions) -> Result<Arc<Self>, StoreError> {
        Self::open_place(
            &Place::Memory,
            &StoreOptions {
                writer: WriterMode::Inline,
                ..options
            },
        )
    }

    /// Brings the schema of the file at `path` up to date, creating the file if there is none. Blocks.
    ///
    /// # Errors
    /// As [`Self::open`], and if another process serves the file with an older schema.
    pub fn migrate(path: &Path, now: Timestamp) -> Result<Migrated, StoreError> {
        connection::check_version()?;
        let place = Place::File(path.to_owned());
        let mut connection = connection::open_writing(&place, Checkpoints::Elsewhere)?;
        let from = schema::number(&connection)?;
        bring_up_to_date(&mut connection, &place, &StoreOptions::guest(now))?;
        Ok(Migrated {
            from,
            to: schema::number(&connection)?,
        })
    }

    /// Copies the store at `path` to the file `to`, also while another process serves it. Blocks.
    ///
    /// # Errors
    /// `Unusable` if there is no store, or a file in the way; `Corrupt` if the copy is damaged.
    pub fn backup(path: &Path, to: &Path, existing: Existing) -> Result<Copied, StoreError> {
        connection::check_version()?;
        backup::backup(path, to, existing)
    }

    /// Puts the copy `from` in the place of the store at `path`. Blocks.
    ///
    /// # Errors
    /// As [`Self::backup`], and `Unusable` if a process serves the store, or the copy is a newer version's.
    pub fn restore(from: &Path, path: &Path, existing: Existing) -> Result<Copied, StoreError> {
        connection::check_version()?;
        backup::restore(from, path, existing)
    }

    fn open_place(place: &Place, options: &StoreOptions) -> Result<Arc<Self>, StoreError> {
        connection::check_version()?;
        let lock = match (place, options.role) {
            (Place::File(path), Role::Owner) => {
                connection::create(path)?;
                Some(OwnerLock::take(path)?)
            }
            _ => None,
        };
        if let (Place::File(path), Role::Guest) = (place, options.role) {
            see_what_was_accepted(path)?;
        }
        let mut connection = match (place, options.role) {
            (Place::File(path), Role::Guest) => connection::open_beside(path)?,
            _ => connection::open_writing(place, checkpoints(options))?,
        };
        bring_up_to_date(&mut connection, place, options)?;
        let sealing = Sealing(options.sealer.clone());
        if options.role == Role::Owner {
            secrets::check(&connection, &sealing)?;
        }
        let (sender, receiver) = match options.role {
            // Bounded by what the node asks for: nothing is claimed that it did not wish for.
            Role::Owner => Some(mpsc::unbounded_channel()).unzip(),
            Role::Guest => (None, None),
        };
        let reserve = Arc::new(match (place, options.role) {
            (Place::File(path), Role::Owner) => Reserve::of(path, options.reserve_bytes),
            _ => Reserve::default(),
        });
        let mut committer =
            Committer::new(connection, sender, options.observer.clone(), Arc::clone(&reserve));
        if options.role == Role::Owner {
            if let Place::File(path) = place {
                take_in(&mut committer, path, options.writer)?;
            }
            let now = options.now;
            while committer.do_now(move |transaction| recovery::close_some_claims(transaction, now))? {}
        }
        let is_ahead = committer.is_ahead();
        let (writer, readers, checkpointer) = match (place, options.writer) {
            (Place::File(path), WriterMode::Thread) => threads(path, options.role, committer)?,
            _ => inline(committer),
        };
        let (hand_over, lock) = (Mutex::new(receiver), Mutex::new(lock));
        Ok(Arc::new(Self {
            parts: Arc::new(Parts {
                writer,
                readers,
                is_ahead,
                sealing,
                reserve,
                checkpointer,
                hand_over,
                lock,
            }),
        }))
    }
}

/// Gives the writer the intake of its file. What a process left in it that did not end well is committed, here or by the
/// next one: nobody else would see it.
fn take_in(committer: &mut Committer, path: &Path, mode: WriterMode) -> Result<(), StoreError> {
    let unusable = |error| {
        StoreError::Unusable(format!(
            "{} cannot be used: {error}",
            intake::beside(path).display()
        ))
    };
    if mode == WriterMode::Inline && !intake::beside(path).exists() {
        return Ok(());
    }
    let generation = intake::generation(&committer.connection)?;
    committer.take_in(Intake::open(path, generation).map_err(unusable)?)?;
    if mode == WriterMode::Inline {
        committer.leave_intake();
    }
    Ok(())
}

/// For whoever does not serve the file: what was accepted before is seen afterwards. The process that serves it commits it
/// in a moment; if there is none, it is done here.
fn see_what_was_accepted(path: &Path) -> Result<(), StoreError> {
    if !intake::beside(path).exists() {
        return Ok(());
    }
    let Some(_lock) = OwnerLock::try_take(path)? else {
        return intake::wait_for_commit(path, &connection::open_reading(path)?);
    };
    let connection = connection::open_writing(&Place::File(path.to_owned()), Checkpoints::Elsewhere)?;
    if schema::age(&connection)? == Age::Current {
        let mut committer = Committer::new(connection, None, None, Arc::default());
        take_in(&mut committer, path, WriterMode::Inline)?;
    }
    Ok(())
}

impl Parts {
    /// Ends what was begun, in the order in which one needs the other. Blocks; a second time does nothing.
    fn stop(&self) {
        self.readers.close();
        if let Some(checkpointer) = &self.checkpointer {
            checkpointer.stop();
        }
        self.writer.close();
        self.lock.lock().take();
    }
}

impl Drop for SqliteStore {
    fn drop(&mut self) {
        self.parts.stop();
    }
}

fn checkpoints(options: &StoreOptions) -> Checkpoints {
    match (options.writer, options.role) {
        (WriterMode::Inline, Role::Owner) => Checkpoints::Here,
        _ => Checkpoints::Elsewhere,
    }
}

/// A guest touches the schema only when nobody serves: the one that does knows what it needs.
fn bring_up_to_date(
    connection: &mut Connection,
    place: &Place,
    options: &StoreOptions,
) -> Result<(), StoreError> {
    if copying::is_marked(connection)? {
        return Err(copy::not_whole());
    }
    if schema::age(connection)? == Age::Current {
        return Ok(());
    }
    let _lock = match (place, options.role) {
        (Place::File(path), Role::Guest) => Some(OwnerLock::try_take(path)?.ok_or_else(|| {
            StoreError::Unusable(
                "another process serves this store with an older schema: stop it and start the new version first".into(),
            )
        })?),
        _ => None,
    };
    schema::migrate(connection, options.now)
}

type Workers = (Writer, Readers, Option<Checkpointer>);

fn threads(path: &Path, role: Role, committer: Committer) -> Result<Workers, StoreError> {
    let no_thread = |error| StoreError::Unusable(format!("a thread of the store cannot be started: {error}"));
    let connections = (0..READERS)
        .map(|_| connection::open_reading(path))
        .collect::<Result<_, _>>()?;
    let readers = Readers::pool(connections)?;
    let checkpointer = match role {
        Role::Owner => Some(Checkpointer::start(connection::open_checkpointing(path)?).map_err(no_thread)?),
        Role::Guest => None,
    };
    let log = checkpointer.as_ref().map(Checkpointer::log_guard);
    let writer = WriterThread::start(committer, log).map_err(no_thread)?;
    Ok((Writer::Thread(writer), readers, checkpointer))
}

fn inline(committer: Committer) -> Workers {
    let committer = Arc::new(Mutex::new(Some(committer)));
    (
        Writer::Inline(Arc::clone(&committer)),
        Readers::Inline(committer),
        None,
    )
}
