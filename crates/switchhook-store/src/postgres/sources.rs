//! Sources: where events come in from outside, and what they did not take.
//!
//! A source's row is locked by whoever changes it or its refusals.

use sqlx::postgres::PgConnection;
use switchhook_domain::id::{CompanyId, RefusalId, SourceId, first_id_at};
use switchhook_domain::notification::SilentSource;
use switchhook_domain::phone_number::PhoneNumber;
use switchhook_domain::source::{Refusal, RefusalBounds, Source, SourceChange};
use switchhook_domain::{Kind, Timestamp};

use super::list::{Listing, all, first};
use super::notices;
use super::transaction::Transaction;
use crate::error::StoreError;
use crate::page::{Page, PageRequest, RefusalSlice};
use crate::row::secret;
use crate::row::source::{
    read, read_refusal, read_silent, refusal_columns, refusal_head_columns, refusal_to_erase, refusing,
    source_columns,
};
use crate::sealing::Sealing;

pub(super) async fn create(
    transaction: &mut Transaction<'_>,
    source: &Source,
    sealing: &Sealing,
) -> Result<Source, StoreError> {
    let sql = concat!(
        "INSERT INTO sources (",
        source_columns!(),
        ") VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)"
    );
    sqlx::query(sql)
        .bind(source.id.0)
        .bind(source.company_id.0)
        .bind(&source.name)
        .bind(source.kind.map(Kind::route))
        .bind(source.token_hash)
        .bind(secret::kept(source.id, source.secret.as_ref(), sealing))
        .bind(secret::kept_old(source.id, &source.old_secrets, sealing)?)
        .bind(source.created_at.as_millis())
        .bind(source.updated_at.as_millis())
        .execute(&mut *transaction.connection)
        .await?;
    Ok(source.clone())
}

pub(super) async fn update(
    transaction: &mut Transaction<'_>,
    company_id: CompanyId,
    id: SourceId,
    change: &SourceChange,
    now: Timestamp,
    sealing: &Sealing,
) -> Result<Source, StoreError> {
    let before = find_and_lock(transaction.connection, company_id, id, sealing).await?;
    let source = before.changed(change.clone(), now);
    let sql = "UPDATE sources SET name = $1, kind = $2, secret = $3, old_secrets = $4, updated_at = $5 WHERE id = $6";
    sqlx::query(sql)
        .bind(&source.name)
        .bind(source.kind.map(Kind::route))
        .bind(secret::kept(id, source.secret.as_ref(), sealing))
        .bind(secret::kept_old(id, &source.old_secrets, sealing)?)
        .bind(source.updated_at.as_millis())
        .bind(id.0)
        .execute(&mut *transaction.connection)
        .await?;
    Ok(source)
}

pub(super) async fn delete(
    transaction: &mut Transaction<'_>,
    company_id: CompanyId,
    id: SourceId,
    sealing: &Sealing,
) -> Result<Source, StoreError> {
    let connection = &mut *transaction.connection;
    let source = find_and_lock(connection, company_id, id, sealing).await?;
    for sql in [
        "DELETE FROM source_refusals WHERE source_id = $1",
        "DELETE FROM sources WHERE id = $1",
    ] {
        sqlx::query(sql).bind(id.0).execute(&mut *connection).await?;
    }
    Ok(source)
}

pub(super) async fn find(
    connection: &mut PgConnection,
    company_id: CompanyId,
    id: SourceId,
    sealing: &Sealing,
) -> Result<Source, StoreError> {
    find_by(connection, FIND, company_id, id, sealing).await
}

async fn find_and_lock(
    connection: &mut PgConnection,
    company_id: CompanyId,
    id: SourceId,
    sealing: &Sealing,
) -> Result<Source, StoreError> {
    find_by(connection, FIND_AND_LOCK, company_id, id, sealing).await
}

async fn find_by(
    connection: &mut PgConnection,
    sql: &'static str,
    company_id: CompanyId,
    id: SourceId,
    sealing: &Sealing,
) -> Result<Source, StoreError> {
    let query = sqlx::query(sql).bind(id.0).bind(company_id.0);
    first(connection, query, |row| read(row, sealing))
        .await?
        .ok_or(StoreError::NotFound("source"))
}

const FIND: &str = concat!(
    "SELECT ",
    source_columns!(),
    " FROM sources WHERE id = $1 AND company_id = $2"
);

const FIND_AND_LOCK: &str = concat!(
    "SELECT ",
    source_columns!(),
    " FROM sources WHERE id = $1 AND company_id = $2 FOR UPDATE"
);

pub(super) async fn find_by_token(
    connection: &mut PgConnection,
    token_hash: [u8; 32],
    sealing: &Sealing,
) -> Result<Option<Source>, StoreError> {
    let sql = concat!(
        "SELECT ",
        source_columns!(),
        " FROM sources WHERE token_hash = $1"
    );
    let query = sqlx::query(sql).bind(token_hash);
    first(connection, query, |row| read(row, sealing)).await
}

pub(super) async fn list(
    connection: &mut PgConnection,
    company_id: CompanyId,
    page: PageRequest,
    sealing: &Sealing,
) -> Result<Page<Source>, StoreError> {
    let sql = concat!(
        "SELECT ",
        source_columns!(),
        " FROM sources WHERE company_id = $1"
    );
    Listing::new(sql)
        .with(company_id.0)
        .oldest_first(page)
        .page(connection, |row| read(row, sealing), |source| source.id.0)
        .await
}

/// Keeps a refusal, and of those of the same source what `bounds` allow.
pub(super) async fn keep_refusal(
    transaction: &mut Transaction<'_>,
    refusal: &Refusal,
    bounds: RefusalBounds,
) -> Result<(), StoreError> {
    let connection = &mut *transaction.connection;
    let source_id = refusal.source_id.0;
    let query = sqlx::query("SELECT company_id, name FROM sources WHERE id = $1 FOR UPDATE").bind(source_id);
    let locked = first(&mut *connection, query, |row| {
        Ok(refusing(refusal, CompanyId(row.get(0)?), row.get(1)?))
    })
    .await?;
    let Some(notice) = locked else {
        return Ok(());
    };
    let sql = "INSERT INTO source_refusals (id, source_id, refused_at, status, reason, content_type, body_bytes, \
               body, bytes_so_far) SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9 + coalesce(max(bytes_so_far), 0) \
               FROM source_refusals WHERE source_id = $2 RETURNING bytes_so_far";
    let query = sqlx::query(sql)
        .bind(refusal.id.0)
        .bind(source_id)
        .bind(refusal.refused_at.as_millis())
        .bind(i64::from(refusal.status))
        .bind(&refusal.reason)
        .bind(&refusal.content_type)
        .bind(i64::from(refusal.body_bytes))
        .bind(&refusal.body)
        .bind(bytes(refusal.cost()));
    let so_far: Option<i64> = first(connection, query, |row| row.get(0)).await?;
    sqlx::query("DELETE FROM source_refusals WHERE source_id = $1 AND bytes_so_far <= $2")
        .bind(source_id)
        .bind(so_far.unwrap_or_default() - bytes(bounds.bytes))
        .execute(connection)
        .await?;
    notices::add(transaction, &notice).await
}

fn bytes(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// Writes down when the last event came in by each.
pub(super) async fn note_last_events(
    transaction: &mut Transaction<'_>,
    last: &[(SourceId, Timestamp)],
) -> Result<(), StoreError> {
    let mut last = last.to_vec();
    // Rows are locked in the order of their ids.
    last.sort_unstable();
    for (id, at) in last {
        sqlx::query("UPDATE sources SET last_event_at = greatest(last_event_at, $1) WHERE id = $2")
            .bind(at.as_millis())
            .bind(id.0)
            .execute(&mut *transaction.connection)
            .await?;
    }
    Ok(())
}

/// Those whose last event is from before `before`. Sources are few, and this is asked now and then.
pub(super) async fn silent(
    connection: &mut PgConnection,
    before: Timestamp,
) -> Result<Vec<(CompanyId, SilentSource)>, StoreError> {
    let sql = "SELECT id, company_id, name, last_event_at FROM sources WHERE last_event_at < $1 ORDER BY id";
    all(connection, sqlx::query(sql).bind(before.as_millis()), read_silent).await
}

/// Removes refusals of a source that somebody dealt with.
pub(super) async fn forget_refusals(
    transaction: &mut Transaction<'_>,
    source_id: SourceId,
    ids: &[RefusalId],
) -> Result<(), StoreError> {
    let ids: Vec<i64> = ids.iter().map(|id| id.0).collect();
    sqlx::query("DELETE FROM source_refusals WHERE id = ANY($1) AND source_id = $2")
        .bind(ids)
        .bind(source_id.0)
        .execute(&mut *transaction.connection)
        .await?;
    Ok(())
}

/// Removes the oldest refusals of all sources, of those before `before`; answers how many.
pub(super) async fn forget_old_refusals(
    transaction: &mut Transaction<'_>,
    before: Timestamp,
    most: u32,
) -> Result<u32, StoreError> {
    let sql = "DELETE FROM source_refusals WHERE id IN \
               (SELECT id FROM source_refusals WHERE id < $1 ORDER BY id LIMIT $2)";
    let removed = sqlx::query(sql)
        .bind(first_id_at(before))
        .bind(i64::from(most))
        .execute(&mut *transaction.connection)
        .await?;
    Ok(u32::try_from(removed.rows_affected()).unwrap_or(u32::MAX))
}

/// Removes the company's refusals in which the number occurs, and those that cannot be read: they may hold it too.
pub(super) async fn erase_from_refusals(
    transaction: &mut Transaction<'_>,
    company_id: CompanyId,
    number: &PhoneNumber,
) -> Result<(), StoreError> {
    let connection = &mut *transaction.connection;
    sqlx::query("SELECT id FROM sources WHERE company_id = $1 ORDER BY id FOR UPDATE")
        .bind(company_id.0)
        .execute(&mut *connection)
        .await?;
    let mut after = 0;
    loop {
        // Few at a time: each may be as large as a request.
        let sql = "SELECT r.id, r.body FROM sources s JOIN source_refusals r ON r.source_id = s.id \
                   WHERE s.company_id = $1 AND r.id > $2 ORDER BY r.id LIMIT 32";
        let query = sqlx::query(sql).bind(company_id.0).bind(after);
        let found = all(connection, query, |row| {
            Ok((row.get::<i64>(0)?, refusal_to_erase(row, number)?))
        })
        .await?;
        let Some((last, _)) = found.last() else {
            return Ok(());
        };
        after = *last;
        let ids: Vec<i64> = found.into_iter().filter_map(|(_, id)| id).collect();
        sqlx::query("DELETE FROM source_refusals WHERE id = ANY($1)")
            .bind(ids)
            .execute(&mut *connection)
            .await?;
    }
}

pub(super) async fn list_refusals(
    connection: &mut PgConnection,
    company_id: CompanyId,
    source_id: SourceId,
    page: PageRequest,
) -> Result<Page<Refusal>, StoreError> {
    let query = sqlx::query("SELECT 1 FROM sources WHERE id = $1 AND company_id = $2");
    let query = query.bind(source_id.0).bind(company_id.0);
    first(connection, query, |_| Ok(()))
        .await?
        .ok_or(StoreError::NotFound("source"))?;
    let sql = concat!(
        "SELECT ",
        refusal_head_columns!(),
        " FROM source_refusals WHERE source_id = $1"
    );
    Listing::new(sql)
        .with(source_id.0)
        .newest_first(page)
        .page(connection, read_refusal, |refusal| refusal.id.0)
        .await
}

/// The oldest refusals after one, whole.
pub(super) async fn read_refusals(
    connection: &mut PgConnection,
    source_id: SourceId,
    after: Option<RefusalId>,
    most: RefusalSlice,
) -> Result<Vec<Refusal>, StoreError> {
    let query = sqlx::query(READ)
        .bind(source_id.0)
        .bind(after.map_or(0, |id| id.0))
        .bind(i64::from(most.count))
        .bind(i64::try_from(most.bytes).unwrap_or(i64::MAX));
    all(connection, query, read_refusal).await
}

/// Bytes are counted where they are, so that no more of them travel than are wanted.
const READ: &str = concat!(
    "SELECT ",
    refusal_columns!(),
    " FROM (SELECT *, sum(octet_length(body)) OVER (ORDER BY id) - octet_length(body) AS bytes_before FROM \
     (SELECT * FROM source_refusals WHERE source_id = $1 AND id > $2 ORDER BY id LIMIT $3) AS page) AS counted \
     WHERE bytes_before < $4 ORDER BY id"
);
