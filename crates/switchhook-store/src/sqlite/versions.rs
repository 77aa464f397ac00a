//! Versions of subscriptions: written with every change, read to explain events and to know the latest changes.

use rusqlite::{Connection, ToSql, params};
use switchhook_domain::Timestamp;
use switchhook_domain::id::{CompanyId, SubscriptionId};
use switchhook_domain::subscription::{Revision, SubscriptionVersion, VersionChange};

use super::list::{Listing, first};
use super::transaction::Transaction;
use crate::error::StoreError;
use crate::page::{Page, PageRequest};
use crate::row::subscription::{read_version, version_columns};

/// Writes down what a subscription has just become.
pub(super) fn keep(
    transaction: &Transaction<'_>,
    company_id: CompanyId,
    id: SubscriptionId,
    change: VersionChange,
    now: Timestamp,
) -> Result<(), StoreError> {
    transaction
        .prepare(END_LAST)?
        .execute(params![now.as_millis(), company_id.0, id.0])?;
    let sql = "INSERT INTO subscription_versions \
               (company_id, subscription_id, change, webhook_id, websocket_id, enabled, filter, from_at) \
               SELECT company_id, id, ?, webhook_id, websocket_id, enabled, filter, ? FROM subscriptions WHERE id = ?";
    transaction
        .prepare(sql)?
        .execute(params![change.as_str(), now.as_millis(), id.0])?;
    Ok(())
}

const END_LAST: &str = "UPDATE subscription_versions SET until_at = ? WHERE revision = (\
     SELECT max(revision) FROM subscription_versions WHERE company_id = ? AND subscription_id = ?)";

/// The revision of the last change of all.
pub(super) fn last_revision(connection: &Connection) -> Result<Revision, StoreError> {
    let last = first(connection, LAST_REVISION, &[], |row| row.get(0))?;
    Ok(Revision(last.unwrap_or(0)))
}

pub(super) const LAST_REVISION: &str =
    "SELECT revision FROM subscription_versions ORDER BY revision DESC LIMIT 1";

/// The revision for events that came before there were versions: that of the versions everything began with.
pub(super) fn first_revision(connection: &Connection) -> Result<Revision, StoreError> {
    let sql = "SELECT max(revision) FROM subscription_versions WHERE change = 'carried_over'";
    let last = first(connection, sql, &[], |row| row.get::<Option<i64>>(0))?;
    Ok(Revision(last.flatten().unwrap_or(0)))
}

/// The changes after the revision that `page` begins with, in their order.
pub(super) fn changes(
    connection: &Connection,
    company_id: Option<CompanyId>,
    page: PageRequest,
) -> Result<Page<SubscriptionVersion>, StoreError> {
    listing(company_id, page).page(connection, read_version, |version| version.revision.0)
}

pub(super) fn listing(company_id: Option<CompanyId>, page: PageRequest) -> Listing {
    let index = match company_id {
        Some(_) => "INDEXED BY subscription_versions_by_company",
        None => "NOT INDEXED",
    };
    let versions = format!(
        "FROM subscription_versions v {index} CROSS JOIN subscriptions s ON s.id = v.subscription_id WHERE true"
    );
    Listing::new(version_columns!(), versions)
        .identified_by("v.revision")
        .along("v.company_id = ?", company_id.map(|id| id.0))
        .oldest_first(page)
}

/// For each subscription its last version until `revision`, or else its first, by the subscription's id. Each costs two
/// or three seeks, however many versions there are.
pub(super) fn as_of(
    connection: &Connection,
    company_id: CompanyId,
    only: Option<SubscriptionId>,
    revision: Revision,
    page: PageRequest,
) -> Result<Page<SubscriptionVersion>, StoreError> {
    let mut found = Vec::new();
    let mut after = page.after.unwrap_or(0).max(only.map_or(0, |id| id.0 - 1));
    while found.len() <= page.limit as usize {
        let next = first(connection, NEXT_SUBSCRIPTION, &[&company_id.0, &after], |row| {
            row.get::<i64>(0)
        })?;
        let Some(id) = next.filter(|id| only.is_none_or(|only| only.0 == *id)) else {
            break;
        };
        found.extend(one_as_of(connection, company_id, id, revision)?);
        after = id;
    }
    Ok(Page::of(found, page.limit, |version| version.subscription.id.0))
}

fn one_as_of(
    connection: &Connection,
    company_id: CompanyId,
    id: i64,
    revision: Revision,
) -> Result<Option<SubscriptionVersion>, StoreError> {
    let values: [&dyn ToSql; 3] = [&company_id.0, &id, &revision.0];
    match first(connection, LAST_UNTIL, &values, read_version)? {
        Some(version) => Ok(Some(version)),
        None => first(connection, FIRST_OF, &[&company_id.0, &id], read_version),
    }
}

pub(super) const NEXT_SUBSCRIPTION: &str = "SELECT subscription_id FROM subscription_versions \
     INDEXED BY subscription_versions_by_subscription WHERE company_id = ? AND subscription_id > ? \
     ORDER BY subscription_id LIMIT 1";

pub(super) const LAST_UNTIL: &str = concat!(
    "SELECT ",
    version_columns!(),
    " FROM subscription_versions v INDEXED BY subscription_versions_by_subscription \
     CROSS JOIN subscriptions s ON s.id = v.subscription_id \
     WHERE v.company_id = ? AND v.subscription_id = ? AND v.revision <= ? ORDER BY v.revision DESC LIMIT 1"
);

pub(super) const FIRST_OF: &str = concat!(
    "SELECT ",
    version_columns!(),
    " FROM subscription_versions v INDEXED BY subscription_versions_by_subscription \
     CROSS JOIN subscriptions s ON s.id = v.subscription_id \
     WHERE v.company_id = ? AND v.subscription_id = ? ORDER BY v.revision LIMIT 1"
);
