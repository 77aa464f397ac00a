//! Dead letters: deliveries that were given up, until somebody deals with them. How they are found, told apart and dealt with.

use std::collections::HashSet;

use async_trait::async_trait;
use switchhook_domain::attempt::Failure;
use switchhook_domain::dead_letter::Resolution;
use switchhook_domain::delivery::Delivery;
use switchhook_domain::id::{CompanyId, DeliveryId, EventId, WebhookId};
use switchhook_domain::order::OrderKey;
use switchhook_domain::replay::{Candidate, PastDelivery, Replay};
use switchhook_domain::{Kind, Timestamp};

use crate::dead_letter::{DeadLetterFilter, DeadLetterGroup, DeadLetterGroupKey, DeadLetterGroups};
use crate::error::StoreError;
use crate::page::{Page, PageRequest};
use crate::replay::{Scan, Selection};
use crate::row::delivery::{delivery_columns, read, read_ids};
use crate::row::{Columns, Row};
use crate::sql::{Dialect, Driver, Listing, Sql, SqlTransaction, Tasks, first, values};

/// Deliveries that were given up and that nobody has dealt with.
#[async_trait]
pub trait DeadLetterStore: Send + Sync {
    /// Groups of a company's dead letters that the filter lets through, by webhook, at most `most`. Each is counted
    /// up to `most_of_each`. Cost grows with the groups, of which a bounded number is read.
    async fn dead_letter_groups(
        &self,
        company_id: CompanyId,
        filter: DeadLetterFilter,
        most: u32,
        most_of_each: u32,
    ) -> Result<DeadLetterGroups, StoreError>;
    /// A company's dead letters, oldest first.
    async fn dead_letters(
        &self,
        company_id: CompanyId,
        filter: DeadLetterFilter,
        page: PageRequest,
    ) -> Result<Page<Delivery>, StoreError>;
    /// Dismisses those of these deliveries that are dead letters of the company; answers how many it were.
    async fn dismiss_dead_letters(
        &self,
        company_id: CompanyId,
        ids: Vec<DeliveryId>,
        now: Timestamp,
    ) -> Result<u64, StoreError>;
}

#[async_trait]
impl<D: Driver> DeadLetterStore for D {
    async fn dead_letter_groups(
        &self,
        company_id: CompanyId,
        filter: DeadLetterFilter,
        most: u32,
        most_of_each: u32,
    ) -> Result<DeadLetterGroups, StoreError> {
        let given = (company_id, filter, most, most_of_each);
        self.read(given, |sql, (company_id, filter, most, most_of_each)| {
            Box::pin(groups(sql, *company_id, filter, *most, *most_of_each))
        })
        .await
    }

    async fn dead_letters(
        &self,
        company_id: CompanyId,
        filter: DeadLetterFilter,
        page: PageRequest,
    ) -> Result<Page<Delivery>, StoreError> {
        self.read((company_id, filter, page), |sql, (company_id, filter, page)| {
            let listing = listing(delivery_columns!(), *company_id, filter).oldest_first(*page);
            Box::pin(listing.page_of_readable(sql, read))
        })
        .await
    }

    async fn dismiss_dead_letters(
        &self,
        company_id: CompanyId,
        ids: Vec<DeliveryId>,
        now: Timestamp,
    ) -> Result<u64, StoreError> {
        self.keep((company_id, ids, now), |sql, (company_id, ids, now)| {
            Box::pin(dismiss(sql, *company_id, ids, *now))
        })
        .await
    }
}

/// The dead letters that a filter lets through, by their ids.
pub(crate) fn listing(columns: &'static str, company_id: CompanyId, filter: &DeadLetterFilter) -> Listing {
    Listing::new(
        columns,
        "FROM deliveries INDEXED BY deliveries_dead WHERE state = 'exhausted' AND resolved_at IS NULL",
    )
    .along("company_id", Some(company_id.0))
    .narrowed("webhook_id", filter.webhook_id.map(|id| id.0))
    .narrowed("last_failure", filter.failure.map(|failure| failure.to_string()))
    .narrowed("kind", filter.kind.map(Kind::route))
    .between(filter.since, filter.until)
}

/// The ids of those of one sort.
pub(crate) fn listing_alike(
    company_id: CompanyId,
    key: &DeadLetterGroupKey,
    filter: &DeadLetterFilter,
) -> Listing {
    Listing::new(
        "id",
        "FROM deliveries INDEXED BY deliveries_dead_alike WHERE state = 'exhausted' AND resolved_at IS NULL",
    )
    .along("company_id", Some(company_id.0))
    .along("webhook_id", Some(key.webhook_id.0))
    .along("last_failure", Some(key.failure.to_string()))
    .along("kind", Some(key.kind.route()))
    .between(filter.since, filter.until)
}

async fn groups(
    sql: &mut dyn Sql,
    company_id: CompanyId,
    filter: &DeadLetterFilter,
    most: u32,
    most_of_each: u32,
) -> Result<DeadLetterGroups, StoreError> {
    let next = match sql.dialect() {
        Dialect::Sqlite => NEXT_ALIKE,
        Dialect::Postgres => NEXT_ALIKE_OF_POSTGRES,
    };
    let mut found = DeadLetterGroups::default();
    let mut after = (
        filter.webhook_id.map_or(i64::MIN, |id| id.0),
        String::new(),
        String::new(),
    );
    for _ in 0..MOST_LOOKED_AT {
        let values = values![company_id.0, after.0, after.1.clone(), after.2.clone()];
        let key = first(sql, next, values, read_alike).await?;
        let is_of_webhook =
            |key: &DeadLetterGroupKey| filter.webhook_id.is_none_or(|only| only == key.webhook_id);
        let Some(key) = key.filter(is_of_webhook) else {
            return Ok(found);
        };
        if found.groups.len() >= most as usize {
            break;
        }
        after = (
            key.webhook_id.0,
            key.failure.to_string(),
            key.kind.route().to_owned(),
        );
        let is_wanted = filter.failure.is_none_or(|only| only == key.failure)
            && filter.kind.is_none_or(|only| only == key.kind);
        if is_wanted {
            let group = count(sql, company_id, key, filter, most_of_each).await?;
            found.groups.extend(group);
        }
    }
    found.are_more = true;
    Ok(found)
}

/// Bound on the groups read, whatever the filter lets through.
const MOST_LOOKED_AT: usize = 2_000;

/// Hops from one sort to the next in the index. What each database has to be told to do so differs: SQLite, asked for rows beyond
/// several columns, steps over all that are equal, so it is asked for what is right behind them.
pub(crate) const NEXT_ALIKE: &str = "SELECT webhook_id, last_failure, kind FROM deliveries INDEXED BY deliveries_dead_alike \
     WHERE state = 'exhausted' AND resolved_at IS NULL AND company_id = ?1 AND (webhook_id, last_failure, kind) > \
     (?2, ?3, ?4 || char(0)) AND last_failure IS NOT NULL ORDER BY webhook_id, last_failure, kind LIMIT 1";

const NEXT_ALIKE_OF_POSTGRES: &str = "SELECT webhook_id, last_failure, kind FROM deliveries \
     WHERE state = 'exhausted' AND resolved_at IS NULL AND (company_id, webhook_id, last_failure, kind) > (?1, ?2, ?3, ?4) \
     AND company_id <= ?1 AND last_failure IS NOT NULL ORDER BY company_id, webhook_id, last_failure, kind LIMIT 1";

fn read_alike(row: &Row<'_>) -> Result<DeadLetterGroupKey, StoreError> {
    let mut columns = Columns::of("deliveries", row)?;
    Ok(DeadLetterGroupKey {
        webhook_id: WebhookId(columns.id()),
        failure: columns.word::<Failure>()?,
        kind: columns.kind()?,
    })
}

async fn count(
    sql: &mut dyn Sql,
    company_id: CompanyId,
    key: DeadLetterGroupKey,
    filter: &DeadLetterFilter,
    most: u32,
) -> Result<Option<DeadLetterGroup>, StoreError> {
    let id_of = |row: &Row<'_>| row.get::<i64>(0);
    let walk = || listing_alike(company_id, &key, filter);
    let newest = walk().newest_first(PageRequest::first(most));
    let newest = newest.page(sql, id_of, |id| *id).await?;
    let Some(last) = newest.items.first() else {
        return Ok(None);
    };
    let oldest = walk().oldest_first(PageRequest::first(1));
    let oldest = oldest.page(sql, id_of, |id| *id).await?;
    Ok(Some(DeadLetterGroup {
        key,
        count: u32::try_from(newest.items.len()).unwrap_or(most),
        is_more: newest.next.is_some(),
        oldest: DeliveryId(oldest.items.first().copied().unwrap_or(*last)),
        newest: DeliveryId(*last),
    }))
}

async fn dismiss(
    sql: &mut dyn SqlTransaction,
    company_id: CompanyId,
    ids: &[DeliveryId],
    now: Timestamp,
) -> Result<u64, StoreError> {
    let mut ids: Vec<_> = ids.iter().map(|id| id.0).collect();
    ids.sort_unstable();
    let values = values![Resolution::Dismissed.as_str(), now, ids, company_id.0];
    sql.execute(DISMISS, values).await
}

/// Condition for a delivery, found otherwise, to be a dead letter. Written plainly, it would make a planner with old
/// statistics prefer the index of all dead letters to the key.
macro_rules! is_dead {
    () => {
        "coalesce(state, '') = 'exhausted' AND coalesce(resolved_at, 0) = 0"
    };
}
pub(crate) use is_dead;

pub(crate) const DISMISS: &str = concat!(
    "UPDATE deliveries SET resolution = ?, resolved_at = ? WHERE id = ANY(?) AND company_id + 0 = ? AND ",
    is_dead!()
);

/// Another delivery of the event to the webhook was made: none of the earlier ones is a dead letter any more.
pub(crate) async fn resent(
    sql: &mut dyn Sql,
    event_id: EventId,
    webhook_id: WebhookId,
    now: Timestamp,
) -> Result<(), StoreError> {
    let values = values![Resolution::Resent.as_str(), now, event_id.0, webhook_id.0];
    sql.execute(RESENT, values).await?;
    Ok(())
}

pub(crate) const RESENT: &str = concat!(
    "UPDATE deliveries INDEXED BY deliveries_by_event SET resolution = ?, resolved_at = ? \
     WHERE event_id = ? AND webhook_id + 0 = ? AND ",
    is_dead!()
);

/// The next dead letters that a replay selects, oldest first. An event goes to a webhook once in a replay, however many
/// deliveries of it there were given up.
pub(crate) async fn select(sql: &mut dyn Sql, replay: &Replay, scan: Scan) -> Result<Selection, StoreError> {
    let found = listing_for(replay, scan.most_scanned, scan.after)
        .page(sql, read_candidate, |(id, _)| id.0)
        .await?;
    let mut selection = Selection {
        candidates: Vec::new(),
        scanned: 0,
        first: found.items.first().map(|(id, _)| EventId(id.0)),
        cursor: scan.after,
        is_last: false,
    };
    let mut known = HashSet::new();
    for (id, candidate) in found.items {
        if selection.candidates.len() >= scan.most_selected as usize {
            return Ok(selection);
        }
        selection.scanned += 1;
        selection.cursor = EventId(id.0);
        let is_new = candidate
            .deliveries
            .iter()
            .all(|one| known.insert((candidate.event_id, one.webhook_id)));
        if is_new && !replay.plan(&candidate).is_empty() {
            selection.candidates.push(candidate);
        }
    }
    selection.cursor = found.next.map_or(selection.cursor, EventId);
    selection.is_last = found.next.is_none();
    Ok(selection)
}

/// The dead letters of a replay after a place.
pub(crate) fn listing_for(replay: &Replay, most: u32, after: EventId) -> Listing {
    let filter = &replay.filter;
    let wanted = DeadLetterFilter {
        webhook_id: filter.webhook_id,
        failure: filter.failure,
        kind: filter.kind,
        since: filter.since,
        until: filter.until,
    };
    listing(CANDIDATE_COLUMNS, replay.company_id, &wanted)
        .narrowed_to(WAS_NOT_SENT_BY, Some(replay.id.0))
        .oldest_first(PageRequest {
            after: Some(after.0),
            limit: most,
        })
}

const CANDIDATE_COLUMNS: &str = "id, event_id, kind, \
     (SELECT events.order_key FROM events WHERE events.id = deliveries.event_id), webhook_id, state, hidden, subscription_ids";

const WAS_NOT_SENT_BY: &str = "NOT EXISTS (SELECT 1 FROM deliveries AS own WHERE own.event_id = deliveries.event_id \
     AND own.webhook_id + 0 = deliveries.webhook_id AND own.replay_id + 0 = ?)";

fn read_candidate(row: &Row<'_>) -> Result<(DeliveryId, Candidate), StoreError> {
    let mut columns = Columns::of("deliveries", row)?;
    let id = DeliveryId(columns.id());
    let candidate = Candidate {
        event_id: EventId(columns.read()?),
        kind: columns.kind()?,
        order_key: columns.maybe_text()?.map(OrderKey::new),
        deliveries: vec![PastDelivery {
            id,
            webhook_id: WebhookId(columns.read()?),
            state: columns.word()?,
            hidden: columns.word()?,
            subscription_ids: read_ids(&mut columns)?,
            is_original: false,
        }],
    };
    Ok((id, candidate))
}
