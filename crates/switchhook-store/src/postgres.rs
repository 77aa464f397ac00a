//! The PostgreSQL driver: one database, as many nodes as there are processes that open it.
//!
//! Owns opening and closing; `postgres/store.rs` is the list of what it can do. What makes, claims or ends deliveries
//! goes through its `committer`s, which share commits among callers; what is registered and what is read goes over a
//! few pooled connections. Nodes let each other know of changes by `announcement`s, and `listener` hears them.

mod announcement;
mod at_once;
mod attempts;
mod batch;
mod changes;
mod claims;
pub mod cluster;
mod columns;
pub mod committer;
pub mod connection;
pub(crate) mod copying;
mod deliveries;
mod delivery_row;
mod due;
mod erasure;
mod events;
mod failure;
mod health;
mod history;
pub mod listener;
mod node;
mod notifier;
mod order_queue;
mod pending;
mod pool;
mod record;
mod recovery;
mod releases;
mod replay_scan;
mod replays;
mod retention;
mod row;
mod schema;
mod set_aside;
mod size;
mod sql;
mod store;
mod targets;
mod tasks;
mod transaction;

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use switchhook_domain::Timestamp;
use tokio::runtime::{Handle, Runtime};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use self::committer::{Committer, Writer};
use self::connection::Connector;
use self::listener::Listener;
use self::node::Node;
use self::notifier::Notifier;
use self::pool::Pool;
use self::targets::Targets;
use crate::change::Change;
use crate::claim::HandOver;
use crate::copy_endpoint;
use crate::effects::CommitListeners;
use crate::error::StoreError;
use crate::migrations::Migrated;
use crate::observer::FailureObserver;
use crate::options::{Role, StoreOptions};
use crate::sealing::Sealing;
use crate::shared::secrets;

/// Threads for the connections, which mostly wait.
const THREADS: usize = 2;

/// Time limit for opening, registering and reading before the caller gets an error.
const PATIENCE: Duration = Duration::from_secs(30);

/// Bound on the changes that wait for the node.
const CHANGES: usize = 1_024;

/// A store in a PostgreSQL database.
pub struct PostgresStore {
    parts: Arc<Parts>,
    /// The connections live here, so that it does not matter on which runtime the callers are.
    threads: Threads,
}

struct Parts {
    pool: Pool,
    /// Looks up keys, and nothing else.
    key_pool: Pool,
    writer: Writer,
    node: Option<Arc<Node>>,
    notifier: Arc<Notifier>,
    sealing: Sealing,
    hand_over: Mutex<Option<mpsc::UnboundedReceiver<HandOver>>>,
    changes: Mutex<Option<mpsc::Receiver<Change>>>,
    stop: watch::Sender<bool>,
    tasks: Mutex<Vec<JoinHandle<()>>>,
}

impl PostgresStore {
    /// Opens the store in the database that `url` names; makes its tables if there are none. Blocks.
    ///
    /// # Errors
    /// `Unusable` if the URL or the database is not fit for it, `Unavailable` if it cannot be reached.
    pub fn open(url: &str, options: StoreOptions) -> Result<Arc<Self>, StoreError> {
        let threads = Threads::start()?;
        let connector = Arc::new(Connector::new(url)?);
        let parts = threads.wait_on(Parts::open(connector, options))?;
        Ok(Arc::new(Self { parts, threads }))
    }

    /// Brings the schema of the database up to date. Blocks.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn migrate(url: &str, now: Timestamp) -> Result<Migrated, StoreError> {
        let connector = Connector::new(url)?;
        Threads::start()?.wait_on(async move {
            let mut link = connector.connect().await?;
            connector.refuse_shared_sessions(&mut link).await?;
            let connection = &mut link.connection;
            connection::check_version(connection).await?;
            let from = schema::number(connection).await?;
            schema::migrate(connection, now).await?;
            let to = schema::number(connection).await?;
            Ok(Migrated { from, to })
        })
    }
}

impl Drop for PostgresStore {
    fn drop(&mut self) {
        self.parts.writer.close();
        // Whoever listens notices that it is over; an error means that nobody does.
        let _ = self.parts.stop.send(true);
    }
}

/// Connections that a node keeps: the pools', those that commit, the one that listens.
pub const CONNECTIONS: usize = pool::SIZE + pool::SIZE_FOR_KEYS + committer::COUNT + 1;

/// Most connections of a node: for a moment two more, to compare the sessions of a pooler and to choose a server.
pub const MOST_CONNECTIONS: usize = CONNECTIONS + 2;

impl Parts {
    async fn open(connector: Arc<Connector>, options: StoreOptions) -> Result<Arc<Self>, StoreError> {
        let pool = Pool::new(Arc::clone(&connector), pool::SIZE);
        let key_pool = Pool::new(Arc::clone(&connector), pool::SIZE_FOR_KEYS);
        let sealing = Sealing(options.sealer);
        let mut lent = pool.acquire().await?;
        connector.refuse_shared_sessions(&mut lent).await?;
        let connection = &mut lent.connection;
        connection::check_version(connection).await?;
        // This machine's clock may be ahead, and what was lost is due at once.
        let now = options.now.min(node::time(connection).await?);
        schema::migrate(connection, now).await?;
        if copying::is_marked(connection).await? {
            return Err(copy_endpoint::not_whole());
        }
        let node = match options.role {
            Role::Owner => {
                secrets::check(connection, &sealing).await?;
                Some(Arc::new(Node::join(connection, now).await?))
            }
            Role::Guest => None,
        };
        pool.give_back(lent, Ok(())).await?;
        // Bounded by what the node asks for: nothing is claimed that it did not request.
        let (sender, receiver) = mpsc::unbounded_channel();
        let watch = FailureObserver(options.observer.clone());
        let notifier = Arc::new(Notifier::new(CommitListeners {
            hand_over: Some(sender),
            observer: options.observer,
        }));
        let (stop, stopped) = watch::channel(false);
        let (writer, committers) = Writer::new(&connector, node.as_ref(), &notifier);
        let run = |committer| watch.over_task("store's committer", Committer::run(committer));
        let mut tasks: Vec<_> = committers.into_iter().map(run).collect();
        let mut changes = None;
        if let Some(node) = &node {
            let (sender, receiver) = mpsc::channel(CHANGES);
            let listener = Listener {
                pool: pool.clone(),
                node: Arc::clone(node),
                notifier: Arc::clone(&notifier),
                changes: sender,
            };
            tasks.push(watch.over_task("store's listener", listener.run(stopped)));
            changes = Some(receiver);
        }
        Ok(Arc::new(Self {
            pool,
            key_pool,
            writer,
            hand_over: Mutex::new(node.is_some().then_some(receiver)),
            node,
            notifier,
            sealing,
            changes: Mutex::new(changes),
            stop,
            tasks: Mutex::new(tasks),
        }))
    }

    /// Ends what was begun, in the order in which one needs the other.
    async fn close(&self) {
        self.writer.close();
        let _ = self.stop.send(true);
        let tasks = std::mem::take(&mut *self.tasks.lock());
        for task in tasks {
            // If it panicked, that was reported.
            let _ = task.await;
        }
        if let Some(node) = &self.node
            && let Ok(mut lent) = self.pool.acquire().await
            && let Err(error) = node.leave(&mut lent.connection).await
        {
            tracing::warn!(%error, "the other nodes do not know yet that this one has stopped: its leases end by themselves");
        }
        self.key_pool.close().await;
        self.pool.close().await;
    }
}

/// Checks that a URL is understood.
pub(crate) fn check_url(url: &str) -> Result<(), StoreError> {
    Targets::parse(url).map(|_| ())
}

/// A runtime of the store's own, which may be let go of anywhere.
pub(crate) struct Threads(Option<Runtime>);

impl Threads {
    pub(crate) fn start() -> Result<Self, StoreError> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(THREADS)
            .thread_name("store-postgres")
            .enable_all()
            .build();
        runtime
            .map(|runtime| Self(Some(runtime)))
            .map_err(|error| StoreError::Unusable(format!("threads of the store cannot be started: {error}")))
    }

    fn handle(&self) -> Option<&Handle> {
        self.0.as_ref().map(Runtime::handle)
    }

    /// Blocks until `work` is done, also on a thread that belongs to another runtime.
    fn wait_on<T: Send + 'static>(
        &self,
        work: impl Future<Output = Result<T, StoreError>> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.wait_as_long_as_it_takes(in_time(work))
    }

    /// The same without patience.
    pub(crate) fn wait_as_long_as_it_takes<T: Send + 'static>(
        &self,
        work: impl Future<Output = Result<T, StoreError>> + Send + 'static,
    ) -> Result<T, StoreError> {
        // Bounded by its use: one message.
        let (sender, receiver) = std::sync::mpsc::sync_channel(1);
        let handle = self.handle().ok_or_else(StoreError::closed)?;
        handle.spawn(async move {
            // Somebody listens: this thread, until it has come.
            let _ = sender.send(work.await);
        });
        receiver.recv().map_err(|_| StoreError::closed())?
    }
}

impl Drop for Threads {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

async fn in_time<T>(work: impl Future<Output = Result<T, StoreError>>) -> Result<T, StoreError> {
    match timeout(PATIENCE, work).await {
        Ok(result) => result,
        Err(_elapsed) => Err(failure::no_answer(PATIENCE)),
    }
}
