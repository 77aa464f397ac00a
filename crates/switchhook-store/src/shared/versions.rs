//! Versions of subscriptions: written with every change, read to explain events and to know the latest changes.
//!
//! The registry is locked by whoever writes them, so that revisions grow in the order of the commits.

use switchhook_domain::Timestamp;
use switchhook_domain::id::{CompanyId, SubscriptionId};
use switchhook_domain::subscription::{Revision, SubscriptionVersion, VersionChange};

use crate::error::StoreError;
use crate::page::{Page, PageRequest};
use crate::row::subscription::{read_version, version_columns};
use crate::sql::{Listing, Sql, SqlTransaction, all, first, values};

/// Writes down what subscriptions have just become.
pub(super) async fn keep(
    sql: &mut dyn SqlTransaction,
    ids: &[i64],
    change: VersionChange,
    now: Timestamp,
) -> Result<(), StoreError> {
    sql.execute(END_LAST, values![now, ids]).await?;
    let insert = "INSERT INTO subscription_versions \
                  (company_id, subscription_id, change, webhook_id, websocket_id, enabled, filter, payload_filter, from_at) \
                  SELECT company_id, id, ?, webhook_id, websocket_id, enabled, filter, payload_filter, ? \
                  FROM subscriptions \
                  WHERE id = ANY(?) ORDER BY id";
    sql.execute(insert, values![change.as_str(), now, ids]).await?;
    Ok(())
}

pub(crate) const END_LAST: &str = "UPDATE subscription_versions SET until_at = ? WHERE revision IN (\
     SELECT (SELECT max(revision) FROM subscription_versions INDEXED BY subscription_versions_by_subscription \
     WHERE company_id = s.company_id AND subscription_id = s.id) FROM subscriptions s WHERE s.id = ANY(?))";

/// The revision of the last change of all.
pub(super) async fn last_revision(sql: &mut dyn Sql) -> Result<Revision, StoreError> {
    let last = first(sql, LAST_REVISION, values![], |row| row.get(0)).await?;
    Ok(Revision(last.unwrap_or(0)))
}

pub(crate) const LAST_REVISION: &str =
    "SELECT revision FROM subscription_versions ORDER BY revision DESC LIMIT 1";

/// The revision for events that came before there were versions: that of the versions everything began with.
pub(crate) async fn first_revision(sql: &mut dyn Sql) -> Result<Revision, StoreError> {
    let select = "SELECT max(revision) FROM subscription_versions WHERE change = 'carried_over'";
    let last = first(sql, select, values![], |row| row.get::<Option<i64>>(0)).await?;
    Ok(Revision(last.flatten().unwrap_or(0)))
}

/// The changes after the revision that `page` begins with, in their order.
pub(crate) async fn changes(
    sql: &mut dyn Sql,
    company_id: Option<CompanyId>,
    page: PageRequest,
) -> Result<Page<SubscriptionVersion>, StoreError> {
    let listing = listing(company_id).oldest_first(page);
    listing
        .page(sql, read_version, |version| version.revision.0)
        .await
}

pub(crate) fn listing(company_id: Option<CompanyId>) -> Listing {
    let of = match company_id {
        Some(_) => {
            "FROM subscription_versions v INDEXED BY subscription_versions_by_company \
             CROSS JOIN subscriptions s ON s.id = v.subscription_id WHERE true"
        }
        None => {
            "FROM subscription_versions v NOT INDEXED \
             CROSS JOIN subscriptions s ON s.id = v.subscription_id WHERE true"
        }
    };
    Listing::new(version_columns!(), of)
        .identified_by("v.revision")
        .along("v.company_id", company_id.map(|id| id.0))
}

/// For each subscription its last version until `revision`, or else its first, by the subscription's id.
pub(super) async fn as_of(
    sql: &mut dyn Sql,
    company_id: CompanyId,
    only: Option<SubscriptionId>,
    revision: Revision,
    page: PageRequest,
) -> Result<Page<SubscriptionVersion>, StoreError> {
    let values = values![
        company_id.0,
        page.after.unwrap_or(0).max(only.map_or(0, |id| id.0 - 1)),
        only.map_or(i64::MAX, |id| id.0),
        i64::from(page.limit) + 1,
        revision.0,
    ];
    let mut found = all(sql, AS_OF, values, read_version).await?;
    found.sort_unstable_by_key(|version| version.subscription.id);
    Ok(Page::of(found, page.limit, |version| version.subscription.id.0))
}

/// Goes from one subscription to the next by the index, and takes one version of each: each costs a few seeks, however
/// many versions there are.
pub(crate) const AS_OF: &str = concat!(
    "WITH RECURSIVE found (n, id) AS (\
     SELECT 1, (SELECT subscription_id FROM subscription_versions INDEXED BY subscription_versions_by_subscription \
     WHERE company_id = ?1 AND subscription_id > ?2 AND subscription_id <= ?3 ORDER BY subscription_id LIMIT 1) \
     UNION ALL \
     SELECT found.n + 1, (SELECT subscription_id FROM subscription_versions \
     INDEXED BY subscription_versions_by_subscription \
     WHERE company_id = ?1 AND subscription_id > found.id AND subscription_id <= ?3 ORDER BY subscription_id LIMIT 1) \
     FROM found WHERE found.id IS NOT NULL AND found.n < ?4) \
     SELECT ",
    version_columns!(),
    " FROM found CROSS JOIN subscription_versions v ON v.revision = coalesce(\
     (SELECT max(revision) FROM subscription_versions INDEXED BY subscription_versions_by_subscription \
     WHERE company_id = ?1 AND subscription_id = found.id AND revision <= ?5), \
     (SELECT min(revision) FROM subscription_versions INDEXED BY subscription_versions_by_subscription \
     WHERE company_id = ?1 AND subscription_id = found.id)) \
     CROSS JOIN subscriptions s ON s.id = v.subscription_id WHERE found.id IS NOT NULL"
);
