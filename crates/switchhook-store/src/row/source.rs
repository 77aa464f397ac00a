//! A source as a row, and what it did not take.

use switchhook_domain::Timestamp;
use switchhook_domain::id::{CompanyId, RefusalId, SourceId};
use switchhook_domain::notification::{Notice, NotificationPayload, RefusingSource, SilentSource};
use switchhook_domain::phone_number::PhoneNumber;
use switchhook_domain::source::{Refusal, Source};

use super::{Columns, Row, secret};
use crate::error::StoreError;
use crate::sealing::Sealing;

/// Columns for [`read`].
macro_rules! source_columns {
    () => {
        "id, company_id, name, kind, token_hash, secret, old_secrets, created_at, updated_at"
    };
}
pub(crate) use source_columns;

/// Columns for [`read_refusal`], with the whole body.
macro_rules! refusal_columns {
    () => {
        "id, source_id, refused_at, status, reason, content_type, signature, body_bytes, body"
    };
}
pub(crate) use refusal_columns;

/// The same with the body's head, for lists.
macro_rules! refusal_head_columns {
    () => {
        "id, source_id, refused_at, status, reason, content_type, signature, body_bytes, coalesce(substr(body, 1, 16384), body)"
    };
}
pub(crate) use refusal_head_columns;

pub(crate) fn read(row: &Row<'_>, sealing: &Sealing) -> Result<Source, StoreError> {
    let mut columns = Columns::of("sources", row)?;
    let id = SourceId(columns.id());
    let company_id = CompanyId(columns.read()?);
    let name = columns.read()?;
    let kind = columns.maybe_text()?.map(str::parse).transpose();
    Ok(Source {
        id,
        company_id,
        name,
        kind: kind.map_err(|error| columns.corrupt(error))?,
        token_hash: columns.read()?,
        secret: secret::read(&mut columns, id, sealing)?,
        old_secrets: secret::read_old(&mut columns, id, sealing)?,
        created_at: columns.time()?,
        updated_at: columns.time()?,
    })
}

pub(crate) fn read_refusal(row: &Row<'_>) -> Result<Refusal, StoreError> {
    let mut columns = Columns::of("source_refusals", row)?;
    Ok(Refusal {
        id: RefusalId(columns.id()),
        source_id: SourceId(columns.read()?),
        refused_at: columns.time()?,
        status: columns.read()?,
        reason: columns.read()?,
        content_type: columns.read()?,
        signature: columns.maybe_json()?,
        body_bytes: columns.read()?,
        body: columns.bytes()?.to_vec(),
    })
}

/// The id of a refusal, given as a row of its id and its body, if it must go for the number to be erased: what cannot
/// be read may hold it too.
pub(crate) fn refusal_to_erase(row: &Row<'_>, number: &PhoneNumber) -> Result<Option<i64>, StoreError> {
    let mut columns = Columns::of("source_refusals", row)?;
    let body = columns.bytes()?;
    let may_hold_it = !body.is_empty() && (!body.starts_with(b"{") || number.occurs_in(body));
    Ok(may_hold_it.then_some(columns.id()))
}

/// Time, status and reason of a refusal.
pub(crate) fn read_reason(row: &Row<'_>) -> Result<(Timestamp, u16, String), StoreError> {
    let mut columns = Columns::of("source_refusals", row)?;
    Ok((columns.time()?, columns.read()?, columns.read()?))
}

/// Notice about a refusal. The reason may quote the request, so it is left out.
pub(crate) fn refusing(refusal: &Refusal, company_id: CompanyId, name: String) -> Notice {
    let payload = NotificationPayload::SourceRefusing(RefusingSource {
        source_id: refusal.source_id,
        name,
        status: refusal.status,
    });
    Notice::new(Some(company_id), refusal.refused_at, payload)
}

/// A source by which nothing came for a while, given as a row of its id, company, name and the time of its last event.
pub(crate) fn read_silent(row: &Row<'_>) -> Result<(CompanyId, SilentSource), StoreError> {
    let mut columns = Columns::of("sources", row)?;
    let company_id = CompanyId(columns.read()?);
    let silent = SilentSource {
        source_id: SourceId(columns.id()),
        name: columns.read()?,
        last_event_at: columns.time()?,
    };
    Ok((company_id, silent))
}
