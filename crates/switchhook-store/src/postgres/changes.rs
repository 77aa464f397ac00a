//! Changes of the registry, in the order of their commits: how every node learns that a company's webhooks, websockets
//! or subscriptions are no longer what it knows.

use sqlx::Row;
use sqlx::postgres::PgConnection;
use switchhook_domain::id::CompanyId;

use crate::error::StoreError;

/// Bound on the changes kept. A node that missed more reads everything again.
const KEPT: i64 = 10_000;

/// Keeps that something of the company changed. The registry's lock is held.
pub(super) async fn keep(connection: &mut PgConnection, company_id: CompanyId) -> Result<(), StoreError> {
    let row = sqlx::query("INSERT INTO registry_changes (company_id) VALUES ($1) RETURNING id")
        .bind(company_id.0)
        .fetch_one(&mut *connection)
        .await?;
    sqlx::query("DELETE FROM registry_changes WHERE id <= $1")
        .bind(row.try_get::<i64, _>(0)? - KEPT)
        .execute(connection)
        .await?;
    Ok(())
}

/// The number of the last change; 0 before the first.
pub(super) async fn last(connection: &mut PgConnection) -> Result<i64, StoreError> {
    let row = sqlx::query("SELECT coalesce(max(id), 0) FROM registry_changes")
        .fetch_one(connection)
        .await?;
    Ok(row.try_get(0)?)
}

/// Changes since an earlier one.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Changed {
    /// The number of the last change.
    pub(super) last: i64,
    /// Companies concerned, each once; `None` if the changes are no longer all there.
    pub(super) companies: Option<Vec<CompanyId>>,
}

pub(super) async fn since(connection: &mut PgConnection, known: i64) -> Result<Changed, StoreError> {
    let sql = "SELECT max(id), min(id), company_id FROM registry_changes WHERE id > $1 GROUP BY company_id";
    let rows = sqlx::query(sql).bind(known).fetch_all(connection).await?;
    let mut changed = Changed {
        last: known,
        companies: None,
    };
    let (mut companies, mut first) = (Vec::new(), i64::MAX);
    for row in &rows {
        changed.last = changed.last.max(row.try_get(0)?);
        first = first.min(row.try_get(1)?);
        companies.push(CompanyId(row.try_get(2)?));
    }
    // Rolled-back changes leave gaps too, but no gap as wide as what is kept.
    if changed.last - known < KEPT || first <= known + 1 {
        changed.companies = Some(companies);
    }
    Ok(changed)
}
