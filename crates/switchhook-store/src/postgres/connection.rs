//! Connections: how they are made, and what every session is told first.

use std::str::FromStr;
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgConnection, PgPool, PgPoolOptions};
use sqlx::{Connection, Row};

use crate::StoreError;

/// How many connections a node has at the most, beside the two of the lane and that for keys. One of them
/// listens.
const POOL: u32 = 6;

/// How long a caller waits for a connection.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(5);

/// How long a statement may take. What takes longer is stopped, and its caller told.
const STATEMENT_TIMEOUT: &str = "15s";

/// After how long the server drops a transaction whose node disappeared or stalled in the middle of it. Until then the
/// others wait for its locks, and a node has no reason to pause between two statements.
const IDLE_IN_TRANSACTION_TIMEOUT: &str = "3s";

/// How many statements a connection remembers.
const STATEMENTS: usize = 256;

/// The oldest server that has all that is used here: `hashtextextended`, generated identities, `plan_cache_mode`.
const OLDEST_VERSION: i32 = 120_000;

pub(super) fn options(url: &str) -> Result<PgConnectOptions, StoreError> {
    let options = PgConnectOptions::from_str(url)?;
    let name = options.get_application_name().unwrap_or("switchhook").to_owned();
    Ok(options
        .application_name(&name)
        .statement_cache_capacity(STATEMENTS)
        .options([
            ("statement_timeout", STATEMENT_TIMEOUT),
            ("idle_in_transaction_session_timeout", IDLE_IN_TRANSACTION_TIMEOUT),
            // Compiling a plan takes longer than any statement here.
            ("jit", "off"),
        ]))
}

/// The connections for everything but the commits of the hot path, and keys.
pub(super) fn pool(options: PgConnectOptions) -> PgPool {
    pool_of(POOL, options)
}

/// The connection by which keys are looked up, whatever the others are busy with.
pub(super) fn key_pool(options: PgConnectOptions) -> PgPool {
    pool_of(1, options)
}

fn pool_of(connections: u32, options: PgConnectOptions) -> PgPool {
    PgPoolOptions::new()
        .max_connections(connections)
        .acquire_timeout(ACQUIRE_TIMEOUT)
        .after_connect(|connection, _| Box::pin(async move { keep_promises(connection).await }))
        .connect_lazy_with(options)
}

/// The connection for the commits of the hot path.
///
/// Its statements find everything by an index, in the index's order. A plan that was made while the tables were small
/// would read all of them for ever after, or all of a webhook's deliveries and sort them, so that other plans are not
/// considered, and those that are made are kept.
pub(super) async fn committing(options: &PgConnectOptions) -> Result<PgConnection, sqlx::Error> {
    let plans = [
        ("enable_seqscan", "off"),
        ("enable_hashjoin", "off"),
        ("enable_mergejoin", "off"),
        ("enable_bitmapscan", "off"),
        ("enable_sort", "off"),
        ("plan_cache_mode", "force_generic_plan"),
    ];
    let mut connection = PgConnection::connect_with(&options.clone().options(plans)).await?;
    keep_promises(&mut connection).await?;
    Ok(connection)
}

/// A commit that is answered is on the disk, whatever the database's default is.
async fn keep_promises(connection: &mut PgConnection) -> Result<(), sqlx::Error> {
    let sql = "SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'";
    sqlx::query(sql).execute(connection).await?;
    Ok(())
}

/// Refuses servers that are too old.
pub(super) async fn check_version(connection: &mut PgConnection) -> Result<(), StoreError> {
    let row =
        sqlx::query("SELECT current_setting('server_version_num')::int, current_setting('server_version')")
            .fetch_one(connection)
            .await?;
    let (number, name): (i32, String) = (row.try_get(0)?, row.try_get(1)?);
    if number < OLDEST_VERSION {
        return Err(StoreError::Unusable(format!(
            "PostgreSQL {name} is too old: use version 12 or newer"
        )));
    }
    Ok(())
}
