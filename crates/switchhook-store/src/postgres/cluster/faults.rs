//! Faults of a server under load: locks held by others, and stalled processes.

use std::process::Command;
use std::time::Duration;

use sqlx::{Connection, Row};

use super::execute;
use crate::error::StoreError;
use crate::postgres::Threads;
use crate::postgres::connection::Connector;

/// Holds the lock on the table of deliveries for a while, as another session would that changes it. Blocks.
///
/// # Errors
/// If the lock is not got.
pub fn lock_deliveries(url: &str, time: Duration) -> Result<(), StoreError> {
    let seconds = time.as_secs_f64();
    let sql =
        format!("BEGIN; LOCK TABLE deliveries IN ACCESS EXCLUSIVE MODE; SELECT pg_sleep({seconds}); COMMIT");
    execute(url, &sql)
}

/// The server's processes behind the connections to a database, stopped where they are until this is dropped: they keep
/// their locks and answer nothing.
#[derive(Debug)]
pub struct Frozen(Vec<i32>);

/// Stops the processes behind all connections to the database that `url` names. Blocks.
///
/// # Errors
/// If the server does not say which they are.
pub fn freeze(url: &str) -> Result<Frozen, StoreError> {
    let connector = Connector::new(url)?;
    let processes = Threads::start()?.wait_on(async move {
        let mut connection = connector.connect().await?.connection;
        let sql =
            "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()";
        let rows = sqlx::query(sql).fetch_all(&mut connection).await?;
        let processes = rows.iter().map(|row| Ok(row.try_get(0)?)).collect();
        connection.close().await?;
        processes
    })?;
    let frozen = Frozen(processes);
    frozen.signal("-STOP");
    Ok(frozen)
}

impl Frozen {
    fn signal(&self, name: &str) {
        for process in &self.0 {
            // One that has ended meanwhile need not be told.
            let _ = Command::new("kill").args([name, &process.to_string()]).status();
        }
    }
}

impl Drop for Frozen {
    fn drop(&mut self) {
        self.signal("-CONT");
    }
}
