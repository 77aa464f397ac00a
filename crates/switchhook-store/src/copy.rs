//! Copying a store into another one, of whichever driver: table by table, row by row, in the order of the keys.
//!
//! Owns the order of things; how a side reads and writes is `sqlite/copying.rs` and `postgres/copying.rs`. While a copy
//! is under way its target says so in a table of its own, and no store opens it. A copy that broke off goes on behind
//! the last row that arrived.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::Arc;

use switchhook_domain::Timestamp;

use crate::copy_endpoint::{Cell, CopyEndpoint, Record, Table, not_whole};
use crate::error::StoreError;
use crate::open::{Driver, driver_of};
use crate::postgres;
use crate::sealing::{Sealer, Sealing};
use crate::sqlite;

/// Rows copied at a time.
const ROWS: u32 = 500;

/// Rows copied at a time from tables with large rows.
const LARGE_ROWS: u32 = 100;

/// Rows copied at a time from this table.
fn rows_at_a_time(table: &Table) -> u32 {
    let is_large = table.columns.iter().any(|column| column.name == "body");
    if is_large { LARGE_ROWS } else { ROWS }
}

/// Progress of a copy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CopyProgress<'a> {
    /// The table that is being copied.
    pub table: &'a str,
    /// Rows copied, over all tables.
    pub rows: u64,
    /// Rows to copy, over all tables.
    pub of: u64,
}

/// Result of a copy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CopyReport {
    /// Rows of each table, the same on both sides.
    pub tables: BTreeMap<String, u64>,
    /// Bytes of all payloads, the same on both sides.
    pub payload_bytes: u64,
    /// Rows that an earlier try had copied.
    pub resumed_after: u64,
    /// State of the secrets, which are copied as stored.
    pub secrets: CopiedSecrets,
}

/// State of the secrets in a copy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CopiedSecrets {
    Plain,
    /// Each can be read with the key that was given, on both sides.
    Readable,
    /// Some are encrypted and there was no key to read them with.
    Unchecked,
}

/// Copies the store at `from` into the one at `to`, which must be new, empty, or the target of the same copy that broke
/// off. Nobody may serve either. Blocks, for as long as it takes. `watch` is told of every step, and can break off.
///
/// Encrypted secrets stay encrypted. With a `sealer` each must be readable, before and afterwards.
///
/// # Errors
/// `Unusable` if a store cannot be opened, is being served, holds something already, or has a secret that the sealer cannot
/// read; `Corrupt` if what arrived is not what was sent; `Unavailable` if it broke off.
pub fn copy(
    from: &str,
    to: &str,
    now: Timestamp,
    sealer: Option<Arc<dyn Sealer>>,
    watch: impl FnMut(CopyProgress<'_>) -> ControlFlow<()> + Send + 'static,
) -> Result<CopyReport, StoreError> {
    let threads = postgres::Threads::start()?;
    let (from, to) = (from.to_owned(), to.to_owned());
    threads.wait_as_long_as_it_takes(async move {
        let tables = sqlite::copying::tables(now)?;
        let name = name_of(&from);
        let mut source = side(&from, now).await?;
        let mut target = side(&to, now).await?;
        let work = CopyJob {
            tables: &tables,
            name: &name,
            sealing: Sealing(sealer),
        };
        copy_between(&mut *source, &mut *target, &work, watch).await
    })
}

/// A URL without what must not be written down.
fn name_of(url: &str) -> String {
    match (url.split_once("://"), url.rsplit_once('@')) {
        (Some((scheme, _)), Some((_, host))) => format!("{scheme}://{host}"),
        _ => url.to_owned(),
    }
}

async fn side(url: &str, now: Timestamp) -> Result<Box<dyn CopyEndpoint>, StoreError> {
    Ok(match driver_of(url)? {
        Driver::Sqlite(path) => Box::new(sqlite::copying::SqliteEndpoint::open(path, now)?),
        Driver::Postgres => Box::new(postgres::copying::PostgresEndpoint::open(url, now).await?),
        Driver::Memory => {
            return Err(StoreError::Unusable(
                "a store in memory ends with its process: there is nothing to copy".into(),
            ));
        }
    })
}

/// Parts of a copy that its steps share.
struct CopyJob<'w> {
    tables: &'w [Table],
    /// Name of the source.
    name: &'w str,
    sealing: Sealing,
}

async fn copy_between(
    source: &mut dyn CopyEndpoint,
    target: &mut dyn CopyEndpoint,
    work: &CopyJob<'_>,
    mut watch: impl FnMut(CopyProgress<'_>) -> ControlFlow<()> + Send,
) -> Result<CopyReport, StoreError> {
    if source.marker().await?.is_some() {
        return Err(not_whole());
    }
    let CopyJob {
        tables,
        name,
        sealing,
    } = work;
    let secrets = look_at_secrets(source, sealing).await?;
    let (mut of, mut there) = (0, 0);
    for table in *tables {
        of += source.count(table).await?;
        there += target.count(table).await?;
    }
    match target.marker().await? {
        Some(marker) if marker == *name => {}
        Some(marker) => {
            return Err(StoreError::Unusable(format!(
                "a copy of {marker} into the target has not finished: finish that one, or give this one an empty target"
            )));
        }
        None if there > 0 => {
            return Err(StoreError::Unusable(format!(
                "the target holds {there} rows already: a copy needs a new or empty store"
            )));
        }
        None => target.begin(name).await?,
    }
    let resumed_after = there;
    for table in *tables {
        let mut after = target.last_key(table).await?;
        loop {
            let rows = source.read(table, after.as_ref(), rows_at_a_time(table)).await?;
            let Some(last) = rows.last() else { break };
            after = Some(table.key_of(last));
            there += rows.len() as u64;
            target.write(table, rows).await?;
            let progress = CopyProgress {
                table: &table.name,
                rows: there,
                of,
            };
            if watch(progress).is_break() {
                return Err(StoreError::Unavailable(
                    "it was stopped; run the same copy again and it goes on from here".into(),
                ));
            }
        }
    }
    let (counts, payload_bytes) = compare(source, target, tables).await?;
    if secrets == CopiedSecrets::Readable {
        target.check_secrets(sealing).await?;
    }
    target.end().await?;
    Ok(CopyReport {
        tables: counts,
        payload_bytes,
        resumed_after,
        secrets,
    })
}

async fn look_at_secrets(
    source: &mut dyn CopyEndpoint,
    sealing: &Sealing,
) -> Result<CopiedSecrets, StoreError> {
    let without_key = source.check_secrets(&Sealing::default()).await;
    match (without_key, &sealing.0) {
        (Ok(()), _) => Ok(CopiedSecrets::Plain),
        (Err(StoreError::Unusable(_)), None) => Ok(CopiedSecrets::Unchecked),
        (Err(StoreError::Unusable(_)), Some(_)) => {
            source.check_secrets(sealing).await?;
            Ok(CopiedSecrets::Readable)
        }
        (Err(error), _) => Err(error),
    }
}

/// Counts both sides: what was sent must have arrived.
async fn compare(
    source: &mut dyn CopyEndpoint,
    target: &mut dyn CopyEndpoint,
    tables: &[Table],
) -> Result<(BTreeMap<String, u64>, u64), StoreError> {
    let mut counts = BTreeMap::new();
    for table in tables {
        let (sent, arrived) = (source.count(table).await?, target.count(table).await?);
        if sent != arrived {
            return Err(StoreError::Corrupt(format!(
                "{sent} rows of {} were sent and {arrived} arrived: was one of the stores served meanwhile?",
                table.name
            )));
        }
        counts.insert(table.name.clone(), sent);
    }
    let (sent, arrived) = (source.payload_bytes().await?, target.payload_bytes().await?);
    if sent != arrived {
        return Err(StoreError::Corrupt(format!(
            "payloads of {sent} bytes were sent and {arrived} bytes arrived"
        )));
    }
    for table in tables.iter().filter(|table| table.has_secrets()) {
        compare_rows(source, target, table).await?;
    }
    Ok((counts, sent))
}

/// A copy that broke off does not see what became other secrets since: another key would be needed for what it has.
async fn compare_rows(
    source: &mut dyn CopyEndpoint,
    target: &mut dyn CopyEndpoint,
    table: &Table,
) -> Result<(), StoreError> {
    let mut after = None;
    loop {
        let sent = source.read(table, after.as_ref(), ROWS).await?;
        let arrived = target.read(table, after.as_ref(), ROWS).await?;
        if !sent.iter().map(without_nul).eq(arrived.iter().map(without_nul)) {
            return Err(StoreError::Corrupt(format!(
                "rows of {} were changed since the copy began: start again with an empty target",
                table.name
            )));
        }
        let Some(last) = sent.last() else { return Ok(()) };
        after = Some(table.key_of(last));
    }
}

/// PostgreSQL's texts cannot hold NUL.
fn without_nul(record: &Record) -> Record {
    let cells = record.iter().map(|cell| match cell {
        Cell::Text(text) => Cell::Text(text.replace('\0', "")),
        other => other.clone(),
    });
    cells.collect()
}
