//! Sources: where events come in from outside, and what they did not take.

use rusqlite::{Connection, params};
use switchhook_domain::id::{CompanyId, SourceId};
use switchhook_domain::phone_number::PhoneNumber;
use switchhook_domain::source::{Refusal, Source, SourceChange};
use switchhook_domain::{Kind, Timestamp};

use super::list::{Listing, all, first};
use super::transaction::Transaction;
use crate::error::StoreError;
use crate::page::{Page, PageRequest};
use crate::row::secret;
use crate::row::source::{read, read_refusal, refusal_columns, refusal_to_erase, source_columns};
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

/// Keeps a refusal, and of those of the same source the newest `most`.
pub(super) fn keep_refusal(
    transaction: &mut Transaction<'_>,
    refusal: &Refusal,
    most: u32,
) -> Result<(), StoreError> {
    let sql = "INSERT INTO source_refusals (id, source_id, refused_at, status, reason, content_type, body_bytes, \
               body_head) SELECT ?, id, ?, ?, ?, ?, ?, ? FROM sources WHERE id = ?";
    transaction.prepare(sql)?.execute(params![
        refusal.id.0,
        refusal.refused_at.as_millis(),
        refusal.status,
        refusal.reason,
        refusal.content_type,
        refusal.body_bytes,
        refusal.body_head,
        refusal.source_id.0,
    ])?;
    transaction
        .prepare(FORGET)?
        .execute(params![refusal.source_id.0, refusal.source_id.0, most])?;
    Ok(())
}

pub(super) const FORGET: &str = "DELETE FROM source_refusals WHERE source_id = ? AND id <= ifnull((\
     SELECT id FROM source_refusals WHERE source_id = ? ORDER BY id DESC LIMIT 1 OFFSET ?), 0)";

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

pub(super) const OF_COMPANY: &str = "SELECT r.id, r.body_head FROM sources s INDEXED BY sources_by_company \
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
    Listing::new(refusal_columns!(), "FROM source_refusals WHERE source_id = ?").with(source_id.0)
}
