//! The SQLite driver: one file, one process that owns it, one writer whose commits many callers share.
//!
//! Owns opening and closing; `sqlite/store.rs` is the list of what it can do. A write goes: `writer` → `committer` → the
//! noun's file (`record`, `claims`, …); a read: `readers` → the noun's file.

mod attempt_row;
mod attempts;
mod backup;
mod beginning;
mod bulk;
mod checkpointer;
mod claims;
mod clock;
mod committer;
mod connection;
pub(crate) mod copying;
mod deferred;
mod deliveries;
mod delivery_row;
mod erasure;
mod event_row;
mod events;
#[cfg(test)]
mod failing;
mod failure;
mod files;
mod health;
mod history;
mod journal;
mod location;
mod lock;
mod order_queue;
mod owner;
mod ownership_monitor;
mod pending;
#[cfg(test)]
mod query_plans;
mod queues_with_rows;
mod readers;
mod record;
mod recovery;
mod releases;
mod removal;
mod replay_scan;
mod replays;
mod reserve;
mod retention;
mod row;
mod schema;
mod set_aside;
mod sql;
mod statements;
pub mod store;
mod transaction;
mod write_connection;
mod writer;

#[cfg(feature = "fuzzing")]
pub use journal::fuzzing::{frame, frame_seeds};

use std::fs::File;
use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use parking_lot::Mutex;
use rusqlite::Connection;
use switchhook_domain::Timestamp;
use tokio::sync::mpsc;

pub use self::backup::{Copied, Existing};
pub use self::removal::remove;

use self::checkpointer::Checkpointer;
use self::committer::Committer;
use self::connection::{Checkpoints, DatabaseLocation};
use self::location::StoreFile;
use self::lock::OwnerLock;
use self::readers::{READERS, Readers};
use self::reserve::Reserve;

use self::sql::{OnThread, at_once};
use self::write_connection::WriteConnection;
use self::writer::{Writer, WriterThread};
use crate::claim::HandOver;
use crate::copy_endpoint;
use crate::effects::CommitListeners;
use crate::error::StoreError;
use crate::migrations::{Migrated, SchemaAge};
use crate::observer::FailureObserver;
use crate::options::{COMMIT_EVERY, Role, StoreOptions, WriterMode};
use crate::sealing::Sealing;
use crate::shared::secrets;

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
    /// Readers for looking up keys only.
    key_reader: Readers,
    /// True if something was answered that readers do not see yet.
    is_ahead: Arc<AtomicBool>,
    sealing: Sealing,
    reserve: Arc<Reserve>,
    checkpointer: Option<Checkpointer>,
    commit_every: Duration,
    hand_over: Mutex<Option<mpsc::UnboundedReceiver<HandOver>>>,
    /// Reason for which this process no longer owns the file, once everything was done about it.
    loss: Arc<OnceLock<String>>,
    owned: Mutex<Option<OwnedFile>>,
}

/// True if secrets must be readable for the store to open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum SecretCheck {
    Readable,
    AsTheyAre,
}

/// Ownership of the file, until everything else is closed.
struct OwnedFile {
    _lock: OwnerLock,
    /// Closing it would end the locks that SQLite has on it in this process.
    database: Arc<File>,
}

impl SqliteStore {
    /// Opens the store at `path`; creates it if there is none. Blocks.
    ///
    /// # Errors
    /// `Unusable` if another process owns the file, if it is no store or a newer one's, or cannot be opened.
    #[expect(clippy::needless_pass_by_value, reason = "options are made for one store")]
    pub fn open(path: &Path, options: StoreOptions) -> Result<Arc<Self>, StoreError> {
        connection::check_version()?;
        Self::open_place(&DatabaseLocation::File(StoreFile::at(path)?), &options)
    }

    /// A store that is gone when it is dropped. It has no file to share, so whoever calls does the work.
    ///
    /// # Errors
    /// If SQLite cannot be used at all.
    pub fn in_memory(options: StoreOptions) -> Result<Arc<Self>, StoreError> {
        Self::open_place(
            &DatabaseLocation::Memory,
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
        let file = StoreFile::at(path)?;
        let place = DatabaseLocation::File(file.clone());
        let mut connection = connection::open_writing(&place, Checkpoints::Elsewhere)?;
        owner::refuse_without_its_log(&connection, &file)?;
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

    /// Opens the store of a file whose secrets need not be readable: nobody is going to use them.
    fn open_sealed(file: &StoreFile, options: &StoreOptions) -> Result<Arc<Self>, StoreError> {
        Self::open_with(
            &DatabaseLocation::File(file.clone()),
            options,
            SecretCheck::AsTheyAre,
        )
    }

    fn open_place(place: &DatabaseLocation, options: &StoreOptions) -> Result<Arc<Self>, StoreError> {
        let secrets = match options.role {
            Role::Owner => SecretCheck::Readable,
            Role::Guest => SecretCheck::AsTheyAre,
        };
        Self::open_with(place, options, secrets)
    }

    fn open_with(
        place: &DatabaseLocation,
        options: &StoreOptions,
        secrets: SecretCheck,
    ) -> Result<Arc<Self>, StoreError> {
        let owned = match (place, options.role) {
            (DatabaseLocation::File(file), Role::Owner) => Some(own(file)?),
            (DatabaseLocation::File(file), Role::Guest) => {
                see_what_was_accepted(file)?;
                None
            }
            (DatabaseLocation::Memory, _) => None,
        };
        let mut connection = match (place, options.role) {
            (DatabaseLocation::File(file), Role::Guest) => connection::open_beside(file)?,
            _ => connection::open_writing(place, checkpoints(options))?,
        };
        if let DatabaseLocation::File(file) = place {
            owner::refuse_without_its_log(&connection, file)?;
        }
        bring_up_to_date(&mut connection, place, options)?;
        let sealing = Sealing(options.sealer.clone());
        if secrets == SecretCheck::Readable {
            at_once(secrets::check(&mut OnThread::new(&connection), &sealing))?;
        }
        let (sender, receiver) = match options.role {
            // Bounded by what the node asks for: nothing is claimed that it did not request.
            Role::Owner => Some(mpsc::unbounded_channel()).unzip(),
            Role::Guest => (None, None),
        };
        let reserve = Arc::new(match (place, options.role) {
            (DatabaseLocation::File(file), Role::Owner) => Reserve::of(file, options.reserve_bytes),
            _ => Reserve::default(),
        });
        let mut database = WriteConnection::new(connection, sender.is_some(), options.commit_every);
        if let (DatabaseLocation::File(file), Some(owned)) = (place, &owned) {
            database.own(file, Arc::clone(&owned.database), options.patience)?;
            if options.writer == WriterMode::Inline {
                database.leave_journal();
            }
        }
        let (is_ahead, loss) = (database.is_ahead(), database.ownership_monitor.loss());
        let listeners = CommitListeners {
            hand_over: sender,
            observer: options.observer.clone(),
        };
        let mut committer = Committer::new(database, listeners, Arc::clone(&reserve));
        if options.role == Role::Owner {
            let now = options.now;
            while committer.do_now(move |transaction| recovery::close_some_claims(transaction, now))? {}
        }
        let (writer, [readers, key_reader], checkpointer) = match (place, options.writer) {
            (DatabaseLocation::File(file), WriterMode::Thread) => {
                let watch = FailureObserver(options.observer.clone());
                threads(file, options, committer, &watch)?
            }
            _ => inline(committer),
        };
        Ok(Arc::new(Self {
            parts: Arc::new(Parts {
                writer,
                readers,
                key_reader,
                is_ahead,
                sealing,
                reserve,
                checkpointer,
                commit_every: options.commit_every,
                hand_over: Mutex::new(receiver),
                loss,
                owned: Mutex::new(owned),
            }),
        }))
    }
}

/// Keeps every other owner out, and the file itself at hand.
fn own(file: &StoreFile) -> Result<OwnedFile, StoreError> {
    file.create()?;
    let lock = OwnerLock::take(file)?;
    let database = File::open(file.path()).map_err(|error| {
        StoreError::Unusable(format!("{} cannot be read: {error}", file.path().display()))
    })?;
    Ok(OwnedFile {
        _lock: lock,
        database: Arc::new(database),
    })
}

/// For whoever does not serve the file: what was accepted before is seen afterwards. The process that serves it commits it
/// in a moment; if there is none, it is done here.
fn see_what_was_accepted(file: &StoreFile) -> Result<(), StoreError> {
    let is_left = |database: &Path| files::beside(database, journal::END).exists();
    if !is_left(file.path()) && !file.links().iter().any(|link| is_left(link)) {
        return Ok(());
    }
    let Some(_lock) = OwnerLock::try_take(file)? else {
        return journal::wait_for_commit(file, &connection::open_reading(file)?);
    };
    let connection = connection::open_writing(&DatabaseLocation::File(file.clone()), Checkpoints::Elsewhere)?;
    owner::refuse_without_its_log(&connection, file)?;
    if schema::age(&connection)? == SchemaAge::Current {
        let mut database = WriteConnection::new(connection, false, COMMIT_EVERY);
        database.take_in(file)?;
        database.leave_journal();
    }
    Ok(())
}

impl Parts {
    /// Ends what was begun, in the order in which one needs the other. Blocks; a second time does nothing.
    fn stop(&self) {
        self.readers.close();
        self.key_reader.close();
        if let Some(checkpointer) = &self.checkpointer {
            checkpointer.stop();
        }
        self.writer.close();
        self.owned.lock().take();
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
    place: &DatabaseLocation,
    options: &StoreOptions,
) -> Result<(), StoreError> {
    if copying::is_marked(connection)? {
        return Err(copy_endpoint::not_whole());
    }
    if schema::age(connection)? == SchemaAge::Current {
        return Ok(());
    }
    let _lock = match (place, options.role) {
        (DatabaseLocation::File(file), Role::Guest) => Some(OwnerLock::try_take(file)?.ok_or_else(|| {
            StoreError::Unusable(
                "another process serves this store with an older schema: stop it and start the new version first".into(),
            )
        })?),
        _ => None,
    };
    schema::migrate(connection, options.now)
}

type Workers = (Writer, [Readers; 2], Option<Checkpointer>);

fn threads(
    file: &StoreFile,
    options: &StoreOptions,
    committer: Committer,
    watch: &FailureObserver,
) -> Result<Workers, StoreError> {
    let no_thread = |error| StoreError::Unusable(format!("a thread of the store cannot be started: {error}"));
    let connections = (0..READERS)
        .map(|_| connection::open_reading(file))
        .collect::<Result<_, _>>()?;
    let readers = Readers::pool(connections)?;
    let key_reader = Readers::pool(vec![connection::open_reading(file)?])?;
    let checkpointer = match options.role {
        Role::Owner => {
            let connection = connection::open_checkpointing(file)?;
            Some(Checkpointer::start(connection, options.commit_every, watch.clone()).map_err(no_thread)?)
        }
        Role::Guest => None,
    };
    let log = checkpointer.as_ref().map(Checkpointer::log_guard);
    let writer = WriterThread::start(committer, log, watch.clone()).map_err(no_thread)?;
    Ok((Writer::Thread(writer), [readers, key_reader], checkpointer))
}

fn inline(committer: Committer) -> Workers {
    let committer = Arc::new(Mutex::new(Some(committer)));
    (
        Writer::Inline(Arc::clone(&committer)),
        [
            Readers::Inline(Arc::clone(&committer)),
            Readers::Inline(committer),
        ],
        None,
    )
}
