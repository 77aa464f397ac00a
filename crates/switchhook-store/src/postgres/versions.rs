//! Versions of subscriptions: written with every change, read to explain events and to know the latest changes.
//!
//! The registry's lock is held by whoever writes them, so that revisions grow in the order of the commits.

use sqlx::postgres::{PgArguments, PgConnection, Postgres};
use sqlx::query::Query;
use switchhook_domain::Timestamp;
use switchhook_domain::id::{CompanyId, SubscriptionId};
use switchhook_domain::subscription::{Revision, SubscriptionVersion, VersionChange};

use super::list::{Listing, all, first};
use crate::error::StoreError;
use crate::page::{Page, PageRequest};
use crate::row::subscription::{read_version, version_columns};

/// Writes down what subscriptions have just become.
pub(super) async fn keep(
    connection: &mut PgConnection,
    ids: &[SubscriptionId],
    change: VersionChange,
    now: Timestamp,
) -> Result<(), StoreError> {
    let ids: Vec<i64> = ids.iter().map(|id| id.0).collect();
    sqlx::query(END_LAST)
        .bind(now.as_millis())
        .bind(&ids)
        .execute(&mut *connection)
        .await?;
    let sql = "INSERT INTO subscription_versions \
               (company_id, subscription_id, change, webhook_id, websocket_id, enabled, filter, from_at) \
               SELECT company_id, id, $1, webhook_id, websocket_id, enabled, filter, $2 FROM subscriptions \
               WHERE id = ANY($3) ORDER BY id";
    sqlx::query(sql)
        .bind(change.as_str())
        .bind(now.as_millis())
        .bind(ids)
        .execute(connection)
        .await?;
    Ok(())
}

const END_LAST: &str = "UPDATE subscription_versions SET until_at = $1 WHERE revision IN (\
     SELECT (SELECT max(revision) FROM subscription_versions WHERE company_id = s.company_id AND subscription_id = s.id) \
     FROM subscriptions s WHERE s.id = ANY($2))";

/// The revision of the last change of all.
pub(super) async fn last_revision(connection: &mut PgConnection) -> Result<Revision, StoreError> {
    let query = sqlx::query("SELECT max(revision) FROM subscription_versions");
    revision(connection, query).await
}

/// The revision for events that came before there were versions: that of the versions everything began with.
pub(super) async fn first_revision(connection: &mut PgConnection) -> Result<Revision, StoreError> {
    let query = sqlx::query("SELECT max(revision) FROM subscription_versions WHERE change = 'carried_over'");
    revision(connection, query).await
}

async fn revision(
    connection: &mut PgConnection,
    query: Query<'_, Postgres, PgArguments>,
) -> Result<Revision, StoreError> {
    let last = first(connection, query, |row| row.get::<Option<i64>>(0)).await?;
    Ok(Revision(last.flatten().unwrap_or(0)))
}

/// The changes after the revision that `page` begins with, in their order.
pub(super) async fn changes(
    connection: &mut PgConnection,
    company_id: Option<CompanyId>,
    page: PageRequest,
) -> Result<Page<SubscriptionVersion>, StoreError> {
    let sql = concat!(
        "SELECT ",
        version_columns!(),
        " FROM subscription_versions v JOIN subscriptions s ON s.id = v.subscription_id WHERE v.revision > $1"
    );
    Listing::new(sql)
        .with(page.after.unwrap_or(0))
        .narrowed("v.company_id = ?", company_id.map(|id| id.0))
        .in_order("ORDER BY v.revision", page.limit)
        .page(connection, read_version, |version| version.revision.0)
        .await
}

/// For each subscription its last version until `revision`, or else its first, by the subscription's id.
pub(super) async fn as_of(
    connection: &mut PgConnection,
    company_id: CompanyId,
    only: Option<SubscriptionId>,
    revision: Revision,
    page: PageRequest,
) -> Result<Page<SubscriptionVersion>, StoreError> {
    let after = page.after.unwrap_or(0).max(only.map_or(0, |id| id.0 - 1));
    let query = sqlx::query(AS_OF)
        .bind(company_id.0)
        .bind(after)
        .bind(only.map_or(i64::MAX, |id| id.0))
        .bind(i64::from(page.limit) + 1)
        .bind(revision.0);
    let found = all(connection, query, read_version).await?;
    Ok(Page::of(found, page.limit, |version| version.subscription.id.0))
}

/// Goes from one subscription to the next by the index, and takes one version of each: each costs a few seeks, however
/// many versions there are.
const AS_OF: &str = concat!(
    "WITH RECURSIVE found (n, id) AS (\
     SELECT 1, (SELECT min(subscription_id) FROM subscription_versions \
     WHERE company_id = $1 AND subscription_id > $2 AND subscription_id <= $3) \
     UNION ALL \
     SELECT found.n + 1, (SELECT min(subscription_id) FROM subscription_versions \
     WHERE company_id = $1 AND subscription_id > found.id AND subscription_id <= $3) \
     FROM found WHERE found.id IS NOT NULL AND found.n < $4) \
     SELECT ",
    version_columns!(),
    " FROM found JOIN subscription_versions v ON v.revision = coalesce(\
     (SELECT max(revision) FROM subscription_versions \
     WHERE company_id = $1 AND subscription_id = found.id AND revision <= $5), \
     (SELECT min(revision) FROM subscription_versions WHERE company_id = $1 AND subscription_id = found.id)) \
     JOIN subscriptions s ON s.id = v.subscription_id WHERE found.id IS NOT NULL ORDER BY found.id"
);
