//! Deliveries and the attempts at them: how they are found again.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use switchhook_domain::Kind;
use switchhook_domain::attempt::Attempt;
use switchhook_domain::delivery::{Delivery, StateName};
use switchhook_domain::id::{CompanyId, DeliveryId, EventId};

use crate::attempt::{FailedAttempts, LastAttempt};
use crate::error::StoreError;
use crate::filter::DeliveryFilter;
use crate::page::{Page, PageRequest};
use crate::row::attempt::{self, attempt_columns, failed_attempt_columns, last_attempt_columns};
use crate::row::delivery::{delivery_columns, read};
use crate::row::{Columns, Row};
use crate::sql::{Listing, Sql, all, first, readable, values};

pub(crate) async fn find(
    sql: &mut dyn Sql,
    company_id: CompanyId,
    id: DeliveryId,
) -> Result<Delivery, StoreError> {
    let select = concat!(
        "SELECT ",
        delivery_columns!(),
        " FROM deliveries WHERE id = ? AND company_id = ?"
    );
    first(sql, select, values![id.0, company_id.0], read)
        .await?
        .ok_or(StoreError::NotFound("delivery"))
}

/// The deliveries made with an event, in their order.
pub(crate) async fn originals_of(sql: &mut dyn Sql, event_id: EventId) -> Result<Vec<Delivery>, StoreError> {
    let mut deliveries = all(sql, ORIGINALS, values![event_id.0], read).await?;
    deliveries.sort_by_key(|delivery| delivery.ordinal);
    Ok(deliveries)
}

pub(crate) const ORIGINALS: &str = concat!(
    "SELECT ",
    delivery_columns!(),
    " FROM deliveries INDEXED BY deliveries_by_event WHERE event_id = ? AND origin_id IS NULL AND replay_id IS NULL"
);

pub(super) async fn list(
    sql: &mut dyn Sql,
    company_id: CompanyId,
    filter: &DeliveryFilter,
    page: PageRequest,
) -> Result<Page<Delivery>, StoreError> {
    let listing = listing(delivery_columns!(), company_id, filter).newest_first(page);
    listing.page_of_readable(sql, read).await
}

/// Those of the company's deliveries with these ids.
pub(super) async fn with_ids(
    sql: &mut dyn Sql,
    company_id: CompanyId,
    ids: &[DeliveryId],
) -> Result<Vec<Delivery>, StoreError> {
    let ids: Vec<_> = ids.iter().map(|id| id.0).collect();
    let mut deliveries = readable(sql, WITH_IDS, values![ids, company_id.0], read).await?;
    deliveries.sort_unstable_by_key(|delivery| Reverse(delivery.id));
    Ok(deliveries)
}

/// The sum keeps both databases from the company's own index.
pub(crate) const WITH_IDS: &str = concat!(
    "SELECT ",
    delivery_columns!(),
    " FROM deliveries WHERE id = ANY(?) AND company_id + 0 = ?"
);

/// Each combination has one index that suits it, and neither database can be relied on to find out which.
pub(crate) fn listing(columns: &'static str, company_id: CompanyId, filter: &DeliveryFilter) -> Listing {
    let unfinished = filter.state.filter(|state| *state != StateName::Delivered);
    let is_of_one = filter.event_id.is_some() || filter.replay_id.is_some();
    let is_along_failure = filter.failure.is_some() && !is_of_one;
    let is_along_failed = filter.has_failed && !is_of_one && !is_along_failure && unfinished.is_none();
    let of = |of| Listing::new(columns, of);
    let walk = match *filter {
        DeliveryFilter {
            event_id: Some(id), ..
        } => of("FROM deliveries INDEXED BY deliveries_by_event WHERE true").along("event_id", Some(id.0)),
        DeliveryFilter {
            replay_id: Some(id), ..
        } => of("FROM deliveries INDEXED BY deliveries_by_replay WHERE replay_id IS NOT NULL")
            .along("replay_id", Some(id.0)),
        DeliveryFilter {
            failure: Some(failure),
            ..
        } => of("FROM deliveries INDEXED BY deliveries_by_failure WHERE last_failure IS NOT NULL")
            .along("company_id", Some(company_id.0))
            .along("last_failure", Some(failure.to_string())),
        DeliveryFilter { webhook_id, .. } => match (unfinished, webhook_id) {
            (Some(state), _) => {
                of("FROM deliveries INDEXED BY deliveries_unfinished WHERE state <> 'delivered'")
                    .along("company_id", Some(company_id.0))
                    .along("state", Some(state.as_str()))
            }
            (None, _) if is_along_failed => of(FAILED).along("company_id", Some(company_id.0)),
            (None, Some(id)) => of("FROM deliveries INDEXED BY deliveries_by_webhook WHERE true")
                .along("webhook_id", Some(id.0)),
            (None, None) => of("FROM deliveries INDEXED BY deliveries_by_company WHERE true")
                .along("company_id", Some(company_id.0)),
        },
    };
    walk.owned_by(company_id)
        .narrowed_to(
            "failures_answered + failures_unanswered > ?",
            (filter.has_failed && !is_along_failed).then_some(0_i64),
        )
        .narrowed("event_id", filter.event_id.map(|id| id.0))
        .narrowed("replay_id", filter.replay_id.map(|id| id.0))
        .narrowed("webhook_id", filter.webhook_id.map(|id| id.0))
        .narrowed("last_failure", filter.failure.map(|failure| failure.to_string()))
        .narrowed("state", filter.state.map(StateName::as_str))
        .narrowed("kind", filter.kind.map(Kind::route))
        .between(filter.since, filter.until)
}

/// As the index says it.
const FAILED: &str =
    "FROM deliveries INDEXED BY deliveries_failed WHERE failures_answered + failures_unanswered > 0";

/// The finished attempts of a delivery, first to last.
pub(crate) async fn attempts_of(sql: &mut dyn Sql, id: DeliveryId) -> Result<Vec<Attempt>, StoreError> {
    all(sql, ATTEMPTS, values![id.0], attempt::read).await
}

pub(crate) const ATTEMPTS: &str = concat!(
    "SELECT ",
    attempt_columns!(),
    " FROM attempts WHERE delivery_id = ? ORDER BY number"
);

/// The last finished attempt of each delivery that has one.
pub(super) async fn last_attempts(
    sql: &mut dyn Sql,
    ids: &[DeliveryId],
) -> Result<Vec<LastAttempt>, StoreError> {
    let ids: Vec<_> = ids.iter().map(|id| id.0).collect();
    readable(sql, LAST_ATTEMPTS, values![ids], attempt::read_last).await
}

/// The attempt of each delivery behind which there is no other.
pub(crate) const LAST_ATTEMPTS: &str = concat!(
    "SELECT ",
    last_attempt_columns!(),
    " FROM attempts WHERE delivery_id = ANY(?) AND NOT EXISTS (SELECT 1 FROM attempts later \
     WHERE later.delivery_id = attempts.delivery_id AND later.number > attempts.number)"
);

/// Failures are counted where they are, so that no more answers travel than are wanted.
pub(super) async fn failed_attempts(
    sql: &mut dyn Sql,
    company_id: CompanyId,
    filter: &DeliveryFilter,
    page: PageRequest,
) -> Result<FailedAttempts, StoreError> {
    let failures = listing(FAILURES, company_id, filter).newest_first(page);
    let failures = failures.page(sql, read_failures, |(id, ..)| *id).await?;
    let (mut deliveries, mut count, mut next) = (BTreeMap::new(), 0, failures.next);
    for (id, of_delivery, kind) in failures.items {
        if count >= MOST_FAILED_ATTEMPTS {
            next = deliveries.first_key_value().map(|(id, _): (&DeliveryId, _)| id.0);
            break;
        }
        deliveries.insert(DeliveryId(id), kind);
        count += of_delivery;
    }
    let ids: Vec<_> = deliveries.keys().map(|id| id.0).collect();
    Ok(FailedAttempts {
        deliveries,
        attempts: readable(sql, FAILED_ATTEMPTS, values![ids], attempt::read_failed).await?,
        next,
    })
}

/// Approximate bound on the failed attempts read at once, which is up to 16 MiB of answers.
const MOST_FAILED_ATTEMPTS: usize = 1_000;

fn read_failures(row: &Row<'_>) -> Result<(i64, usize, Kind), StoreError> {
    let mut columns = Columns::of("deliveries", row)?;
    Ok((columns.id(), columns.read()?, columns.kind()?))
}

pub(crate) const FAILURES: &str = "id, failures_answered + failures_unanswered, kind";

pub(crate) const FAILED_ATTEMPTS: &str = concat!(
    "SELECT ",
    failed_attempt_columns!(),
    " FROM attempts WHERE delivery_id = ANY(?) \
     AND (outcome = 'unanswered' OR outcome = 'answered' AND status NOT BETWEEN 200 AND 299)"
);
