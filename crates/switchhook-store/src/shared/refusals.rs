//! Refused requests of sources.

use switchhook_domain::Timestamp;
use switchhook_domain::id::{CompanyId, RefusalId, SourceId, first_id_at};
use switchhook_domain::phone_number::PhoneNumber;
use switchhook_domain::source::{RecentRefusals, Refusal, RefusalBounds};

use super::notices;
use crate::error::StoreError;
use crate::page::{Page, PageRequest, RefusalSlice};
use crate::row::source::{
    read_reason, read_refusal, refusal_columns, refusal_head_columns, refusal_to_erase, refusing,
};
use crate::sql::{Listing, Sql, SqlTransaction, all, first, values};

/// Keeps a refusal, and of those of the same source what `bounds` allow.
pub(super) async fn keep(
    sql: &mut dyn SqlTransaction,
    refusal: &Refusal,
    bounds: RefusalBounds,
) -> Result<(), StoreError> {
    let source_id = refusal.source_id.0;
    let lock = "SELECT company_id, name FROM sources WHERE id = ? FOR UPDATE";
    let notice = first(sql, lock, values![source_id], |row| {
        Ok(refusing(refusal, CompanyId(row.get(0)?), row.get(1)?))
    })
    .await?;
    let Some(notice) = notice else {
        return Ok(());
    };
    let before: Option<i64> = first(sql, SO_FAR, values![source_id], |row| row.get(0)).await?;
    let so_far = before.unwrap_or_default() + bytes(refusal.cost());
    let insert = "INSERT INTO source_refusals (id, source_id, refused_at, status, reason, content_type, \
                  signature, body_bytes, body, bytes_so_far) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";
    let signature = refusal.signature.as_ref().map(serde_json::to_string).transpose();
    let signature =
        signature.map_err(|error| StoreError::Conflict(format!("the signature cannot be kept: {error}")))?;
    let values = values![
        refusal.id.0,
        source_id,
        refusal.refused_at,
        refusal.status,
        &refusal.reason,
        refusal.content_type.as_deref(),
        signature,
        refusal.body_bytes,
        &refusal.body[..],
        so_far,
    ];
    sql.execute(insert, values).await?;
    let too_much = so_far - bytes(bounds.bytes);
    sql.execute(FORGET, values![source_id, too_much]).await?;
    notices::add(sql, &notice).await
}

fn bytes(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

pub(crate) const SO_FAR: &str =
    "SELECT bytes_so_far FROM source_refusals WHERE source_id = ? ORDER BY bytes_so_far DESC LIMIT 1";

pub(crate) const FORGET: &str = "DELETE FROM source_refusals WHERE source_id = ? AND bytes_so_far <= ?";

/// Removes refusals of a source that somebody dealt with.
pub(super) async fn forget(
    sql: &mut dyn SqlTransaction,
    source_id: SourceId,
    ids: &[RefusalId],
) -> Result<(), StoreError> {
    let ids: Vec<_> = ids.iter().map(|id| id.0).collect();
    let delete = "DELETE FROM source_refusals WHERE id = ANY(?) AND source_id = ?";
    sql.execute(delete, values![ids, source_id.0]).await?;
    Ok(())
}

/// Removes the oldest refusals of all sources, of those before `before`; answers how many.
pub(super) async fn forget_old(
    sql: &mut dyn SqlTransaction,
    before: Timestamp,
    most: u32,
) -> Result<u32, StoreError> {
    let removed = sql
        .execute(FORGET_OLD, values![first_id_at(before), most])
        .await?;
    Ok(u32::try_from(removed).unwrap_or(u32::MAX))
}

const FORGET_OLD: &str = "DELETE FROM source_refusals WHERE id IN \
     (SELECT id FROM source_refusals WHERE id < ? ORDER BY id LIMIT ?)";

/// Removes the company's refusals in which the number occurs, and those that cannot be read: they may hold it too.
pub(crate) async fn erase(
    sql: &mut dyn SqlTransaction,
    company_id: CompanyId,
    number: &PhoneNumber,
) -> Result<(), StoreError> {
    let lock = "SELECT id FROM sources WHERE company_id = ? ORDER BY id FOR UPDATE";
    let sources: Vec<i64> = all(sql, lock, values![company_id.0], |row| row.get(0)).await?;
    for source_id in sources {
        let mut after = 0;
        loop {
            let found = all(sql, BODIES, values![source_id, after], |row| {
                Ok((row.get::<i64>(0)?, refusal_to_erase(row, number)?))
            })
            .await?;
            let Some((last, _)) = found.last() else {
                break;
            };
            after = *last;
            let to_erase: Vec<_> = found.into_iter().filter_map(|(_, id)| id).collect();
            let delete = "DELETE FROM source_refusals WHERE id = ANY(?)";
            sql.execute(delete, values![to_erase]).await?;
        }
    }
    Ok(())
}

/// Few at a time: each may be as large as a request.
pub(crate) const BODIES: &str =
    "SELECT id, body FROM source_refusals WHERE source_id = ? AND id > ? ORDER BY id LIMIT 32";

pub(super) async fn list(
    sql: &mut dyn Sql,
    company_id: CompanyId,
    source_id: SourceId,
    page: PageRequest,
) -> Result<Page<Refusal>, StoreError> {
    let select = "SELECT 1 FROM sources WHERE id = ? AND company_id = ?";
    let source = first(sql, select, values![source_id.0, company_id.0], |_| Ok(())).await?;
    source.ok_or(StoreError::NotFound("source"))?;
    let listing = listing(source_id).newest_first(page);
    listing.page(sql, read_refusal, |refusal| refusal.id.0).await
}

pub(crate) fn listing(source_id: SourceId) -> Listing {
    Listing::new(refusal_head_columns!(), "FROM source_refusals WHERE true")
        .along("source_id", Some(source_id.0))
}

/// The company's sources that refused something since then, with how much and what was last.
pub(super) async fn by_source(
    sql: &mut dyn Sql,
    company_id: CompanyId,
    since: Timestamp,
    most: u32,
) -> Result<Vec<RecentRefusals>, StoreError> {
    let since = first_id_at(since);
    let sources = all(sql, REFUSING, values![company_id.0, since], |row| {
        Ok((SourceId(row.get(0)?), row.get::<String>(1)?))
    })
    .await?;
    let mut found = Vec::with_capacity(sources.len());
    for (source_id, name) in sources {
        let refusals = all(sql, LATELY, values![source_id.0, since, most], read_reason).await?;
        let count = u32::try_from(refusals.len()).unwrap_or(most);
        found.extend(
            refusals
                .into_iter()
                .next()
                .map(|(last_at, last_status, last_reason)| RecentRefusals {
                    source_id,
                    name,
                    count,
                    last_at,
                    last_status,
                    last_reason,
                }),
        );
    }
    Ok(found)
}

pub(crate) const REFUSING: &str = "SELECT id, name FROM sources WHERE company_id = ? AND EXISTS \
     (SELECT 1 FROM source_refusals WHERE source_id = sources.id AND source_refusals.id >= ?) ORDER BY id";

pub(crate) const LATELY: &str = "SELECT id, refused_at, status, reason FROM source_refusals \
     WHERE source_id = ? AND id >= ? ORDER BY id DESC LIMIT ?";

/// The oldest refusals after one, whole. Their bytes are counted where they are, so that no more of them travel than are wanted.
pub(super) async fn read_some(
    sql: &mut dyn Sql,
    source_id: SourceId,
    after: Option<RefusalId>,
    most: RefusalSlice,
) -> Result<Vec<Refusal>, StoreError> {
    let after = after.map_or(0, |id| id.0);
    let sizes = all(sql, SIZES, values![source_id.0, after, most.count], |row| {
        Ok((row.get::<i64>(0)?, row.get::<usize>(1)?))
    })
    .await?;
    let (mut last, mut bytes) = (after, 0);
    for (id, size) in sizes {
        if bytes >= most.bytes {
            break;
        }
        last = id;
        bytes += size;
    }
    all(sql, BETWEEN, values![source_id.0, after, last], read_refusal).await
}

pub(crate) const SIZES: &str = "SELECT id, CAST(octet_length(body) AS BIGINT) FROM source_refusals \
     WHERE source_id = ? AND id > ? ORDER BY id LIMIT ?";

pub(crate) const BETWEEN: &str = concat!(
    "SELECT ",
    refusal_columns!(),
    " FROM source_refusals WHERE source_id = ? AND id > ? AND id <= ? ORDER BY id"
);
