//! Sources: where events come in from outside, and what they did not take.

use rusqlite::{Connection, params};
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

const COLUMNS: &str = source_columns!();

pub(super) fn create(
    transaction: &mut Transaction<'_>,
    source: &Source,
    sealing: &Sealing,
) -> Result<Source, StoreError> {
    let sql = format!("INSERT INTO sources ({COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)");
    transaction.prepare(&sql)?.execute(params![
        source.id.0,
        source.company_id.0,
        source.name,
        source.kind.map(Kind::route),
        source.token_hash,
        secret::kept(source.id, source.secret.as_ref(), sealing),
        secret::kept_old(source.id, &source.old_secrets, sealing)?,
        source.created_at.as_millis(),
        source.updated_at.as_millis(),
    ])?;
    Ok(source.clone())
}

pub(super) fn update(
    transaction: &mut Transaction<'_>,
    company_id: CompanyId,
    id: SourceId,
    change: &SourceChange,
    now: Timestamp,
    sealing: &Sealing,
) -> Result<Source, StoreError> {
    let source = find(transaction.connection, company_id, id, sealing)?.changed(change.clone(), now);
    let sql =
        "UPDATE sources SET name = ?, kind = ?, secret = ?, old_secrets = ?, updated_at = ? WHERE id = ?";
    transaction.prepare(sql)?.execute(params![
        source.name,
        source.kind.map(Kind::route),
        secret::kept(id, source.secret.as_ref(), sealing),
        secret::kept_old(id, &source.old_secrets, sealing)?,
        source.updated_at.as_millis(),
        id.0,
    ])?;
    Ok(source)
}

pub(super) fn delete(
    transaction: &mut Transaction<'_>,
    company_id: CompanyId,
    id: SourceId,
    sealing: &Sealing,
) -> Result<Source, StoreError> {
    let source = find(transaction.connection, company_id, id, sealing)?;
    transaction
        .prepare("DELETE FROM source_refusals WHERE source_id = ?")?
        .execute([id.0])?;
    transaction
        .prepare("DELETE FROM sources WHERE id = ?")?
        .execute([id.0])?;
    Ok(source)
}

pub(super) fn find(
    connection: &Connection,
    company_id: CompanyId,
    id: SourceId,
    sealing: &Sealing,
) -> Result<Source, StoreError> {
    let sql = format!("SELECT {COLUMNS} FROM sources WHERE id = ? AND company_id = ?");
    first(connection, &sql, &[&id.0, &company_id.0], |row| {
        read(row, sealing)
    })?
    .ok_or(StoreError::NotFound("source"))
}

pub(super) fn find_by_token(
    connection: &Connection,
    token_hash: [u8; 32],
    sealing: &Sealing,
) -> Result<Option<Source>, StoreError> {
    let sql = format!("SELECT {COLUMNS} FROM sources WHERE token_hash = ?");
    first(connection, &sql, &[&token_hash], |row| read(row, sealing))
}

pub(super) fn list(
    connection: &Connection,
    company_id: CompanyId,
    page: PageRequest,
    sealing: &Sealing,
) -> Result<Page<Source>, StoreError> {
    listing(company_id)
        .oldest_first(page)
        .page(connection, |row| read(row, sealing), |source| source.id.0)
}

pub(super) fn listing(company_id: CompanyId) -> Listing {
    Listing::new(COLUMNS, "FROM sources WHERE company_id = ?").with(company_id.0)
}

/// Keeps a refusal, and of those of the same source what `bounds` allow.
pub(super) fn keep_refusal(
    transaction: &mut Transaction<'_>,
    refusal: &Refusal,
    bounds: RefusalBounds,
) -> Result<(), StoreError> {
    let source_id = refusal.source_id.0;
    let sql = "SELECT company_id, name FROM sources WHERE id = ?";
    let found = first(transaction.connection, sql, &[&source_id], |row| {
        Ok(refusing(refusal, CompanyId(row.get(0)?), row.get(1)?))
    })?;
    let Some(notice) = found else {
        return Ok(());
    };
    let before: Option<i64> = first(transaction.connection, SO_FAR, &[&source_id], |row| row.get(0))?;
    let so_far = before.unwrap_or_default() + bytes(refusal.cost());
    let sql = "INSERT INTO source_refusals (id, source_id, refused_at, status, reason, content_type, body_bytes, \
               body, bytes_so_far) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)";
    transaction.prepare(sql)?.execute(params![
        refusal.id.0,
        source_id,
        refusal.refused_at.as_millis(),
        refusal.status,
        refusal.reason,
        refusal.content_type,
        refusal.body_bytes,
        refusal.body,
        so_far,
    ])?;
    let too_much = so_far - bytes(bounds.bytes);
    transaction
        .prepare(FORGET)?
        .execute(params![source_id, too_much])?;
    notices::add(transaction, &notice)
}

fn bytes(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

pub(super) const SO_FAR: &str =
    "SELECT bytes_so_far FROM source_refusals WHERE source_id = ? ORDER BY bytes_so_far DESC LIMIT 1";

pub(super) const FORGET: &str = "DELETE FROM source_refusals WHERE source_id = ? AND bytes_so_far <= ?";

/// Writes down when the last event came in by each.
pub(super) fn note_last_events(
    transaction: &mut Transaction<'_>,
    last: &[(SourceId, Timestamp)],
) -> Result<(), StoreError> {
    let mut statement = transaction
        .prepare("UPDATE sources SET last_event_at = max(coalesce(last_event_at, 0), ?) WHERE id = ?")?;
    for (id, at) in last {
        statement.execute([at.as_millis(), id.0])?;
    }
    Ok(())
}

/// Those whose last event is from before `before`. Sources are few, and this is asked now and then.
pub(super) fn silent(
    connection: &Connection,
    before: Timestamp,
) -> Result<Vec<(CompanyId, SilentSource)>, StoreError> {
    let sql = "SELECT id, company_id, name, last_event_at FROM sources WHERE last_event_at < ? ORDER BY id";
    all(connection, sql, &[&before.as_millis()], read_silent)
}

/// Removes refusals of a source that somebody dealt with.
pub(super) fn forget_refusals(
    transaction: &mut Transaction<'_>,
    source_id: SourceId,
    ids: &[RefusalId],
) -> Result<(), StoreError> {
    let mut statement = transaction.prepare("DELETE FROM source_refusals WHERE id = ? AND source_id = ?")?;
    for id in ids {
        statement.execute([id.0, source_id.0])?;
    }
    Ok(())
}

/// Removes the oldest refusals of all sources, of those before `before`; answers how many.
pub(super) fn forget_old_refusals(
    transaction: &mut Transaction<'_>,
    before: Timestamp,
    most: u32,
) -> Result<u32, StoreError> {
    let removed = transaction
        .prepare(FORGET_OLD)?
        .execute(params![first_id_at(before), most])?;
    Ok(u32::try_from(removed).unwrap_or(u32::MAX))
}

pub(super) const FORGET_OLD: &str = "DELETE FROM source_refusals WHERE id IN \
     (SELECT id FROM source_refusals WHERE id < ? ORDER BY id LIMIT ?)";

/// Removes the company's refusals in which the number occurs, and those that cannot be read: they may hold it too.
pub(super) fn erase_from_refusals(
    transaction: &Transaction<'_>,
    company_id: CompanyId,
    number: &PhoneNumber,
) -> Result<(), StoreError> {
    let to_erase = all(transaction.connection, OF_COMPANY, &[&company_id.0], |row| {
        refusal_to_erase(row, number)
    })?;
    for id in to_erase.into_iter().flatten() {
        let sql = "DELETE FROM source_refusals WHERE id = ?";
        transaction.prepare(sql)?.execute([id])?;
    }
    Ok(())
}

pub(super) const OF_COMPANY: &str = "SELECT r.id, r.body FROM sources s INDEXED BY sources_by_company \
     CROSS JOIN source_refusals r INDEXED BY source_refusals_by_source ON r.source_id = s.id WHERE s.company_id = ?";

pub(super) fn list_refusals(
    connection: &Connection,
    company_id: CompanyId,
    source_id: SourceId,
    page: PageRequest,
) -> Result<Page<Refusal>, StoreError> {
    let sql = "SELECT 1 FROM sources WHERE id = ? AND company_id = ?";
    first(connection, sql, &[&source_id.0, &company_id.0], |_| Ok(()))?
        .ok_or(StoreError::NotFound("source"))?;
    refusal_listing(source_id)
        .newest_first(page)
        .page(connection, read_refusal, |refusal| refusal.id.0)
}

pub(super) fn refusal_listing(source_id: SourceId) -> Listing {
    Listing::new(
        refusal_head_columns!(),
        "FROM source_refusals WHERE source_id = ?",
    )
    .with(source_id.0)
}

/// The oldest refusals after one, whole.
pub(super) fn read_refusals(
    connection: &Connection,
    source_id: SourceId,
    after: Option<RefusalId>,
    most: RefusalSlice,
) -> Result<Vec<Refusal>, StoreError> {
    let mut statement = connection.prepare_cached(READ)?;
    let after = after.map_or(0, |id| id.0);
    let mut rows = statement.query(params![source_id.0, after, most.count])?;
    let (mut refusals, mut bytes) = (Vec::new(), 0);
    while bytes < most.bytes
        && let Some(row) = rows.next()?
    {
        let refusal = read_refusal(row)?;
        bytes += refusal.body.len();
        refusals.push(refusal);
    }
    Ok(refusals)
}

pub(super) const READ: &str = concat!(
    "SELECT ",
    refusal_columns!(),
    " FROM source_refusals WHERE source_id = ? AND id > ? ORDER BY id LIMIT ?"
);
